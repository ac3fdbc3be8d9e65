"""Reverse mode: from a graph to the graph of its derivative.

`pullback` walks the forward graph once from the outputs to the operands. Every node on a path between `wrt` and the
outputs collects the contributions of its users, adds them in the order in which the users are visited (which depends
only on the graph), and hands the sum to the pullback of its operation. What comes out is an expression like any other,
so it can be differentiated again.

Each step of the chain rule is recorded in the trace with the operand it went to and the cotangent it used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symnet.derive.build import Boundary, carries_derivative, depends, item_count, postorder_above, total, zeros_like
from symnet.derive.reasons import chain_reason
from symnet.errors import CompilerBug, Unsupported
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.trace import Stage, Step, Trace

Cotangent = Expr | tuple[Expr | None, ...]
Recorder = Callable[[Step], None]


@dataclass(frozen=True, eq=False)
class ChainStep(Step):
    """One contribution of the chain rule.

    before     the forward node whose rule was applied
    after      what it contributes to the cotangent of its operand number `operand`
    cotangent  the cotangent of `before` itself: for a tuple, one (or None) for each item
    """

    operand: int = 0
    cotangent: Cotangent = ()

    @property
    def target(self) -> Expr:
        """The operand that the contribution goes to."""
        return self.before.args[self.operand]


def pullback(
    outputs: Sequence[Expr], cotangents: Sequence[Expr | None], wrt: Sequence[Expr], trace: Trace | None = None
) -> list[Expr]:
    """For each node of `wrt`, sum over `outputs` of (d output / d node)ᵀ · cotangent, of the node's shape and type.

    A cotangent has the shape and type of its output; None is a zero. `wrt` may be any floating-point nodes, inner
    values of the graph included: a node listed in `wrt` is a variable for itself and still a function for the others.
    Where no output depends on a node the result is zeros.
    """
    if trace is None:
        return _pullback(outputs, cotangents, wrt, None, boundary=frozenset())
    stage = trace.begin(Stage("differentiate", tuple(outputs), seeds=tuple(cotangents), wrt=tuple(wrt)))

    def record(step: Step) -> None:
        trace.add(stage, step)

    stage.end = _pullback(outputs, cotangents, wrt, record, boundary=frozenset())
    return list(stage.end)


def _pullback(
    outputs: Sequence[Expr],
    cotangents: Sequence[Expr | None],
    wrt: Sequence[Expr],
    record: Recorder | None,
    boundary: Boundary,
) -> list[Expr]:
    """`pullback`, with the nodes of `boundary` taken as variables: nothing below them is visited."""
    order = postorder_above(outputs, boundary)
    active = depends(order, wrt, boundary)
    collected = _Collected()
    for output, cotangent in zip(outputs, cotangents, strict=True):
        if cotangent is not None and id(output) in active:
            _check_contribution(output, output, cotangent)
            collected.add(output, cotangent)
    for node in reversed(order):
        if id(node) not in active or node in boundary:
            continue
        cotangent_of_node = collected.take(node)
        if cotangent_of_node is None:
            continue
        if node.op == "item":
            assert isinstance(cotangent_of_node, Expr)
            collected.add_item(node.args[0], node.attrs["index"], cotangent_of_node)
            continue
        for operand, contribution in enumerate(contributions(node, cotangent_of_node, active, record)):
            if contribution is not None:
                collected.add(node.args[operand], contribution)
    return [collected.value(node) for node in wrt]


def contributions(node: Expr, cotangent: Cotangent, active: set[int], record: Recorder | None) -> list[Expr | None]:
    """What `node` passes on to each operand, None for operands that are not in `active`."""
    declaration = node.declaration
    if declaration.pullback is not None:
        results = declaration.pullback(node, cotangent)  # type: ignore[arg-type]
    elif declaration.define is not None and isinstance(cotangent, Expr):
        results = _through_definition(node, cotangent)
    elif not node.args:
        return []
    else:
        raise Unsupported(
            f"{node.op}: this operation has no derivative; wrap it in sn.stop_gradient if none should flow through it"
        )
    if len(results) != len(node.args):
        raise CompilerBug(f"{node.op}: the pullback gave {len(results)} cotangents for {len(node.args)} operands")
    kept = [result if id(arg) in active else None for arg, result in zip(node.args, results, strict=True)]
    for operand, contribution in enumerate(kept):
        if contribution is None:
            continue
        _check_contribution(node, node.args[operand], contribution)
        if record is not None:
            record(_chain_step(node, operand, cotangent, contribution))
    return kept


def _through_definition(node: Expr, cotangent: Expr) -> list[Expr | None]:
    """The cotangents of a composite's operands from its definition; its operands are the variables."""
    declaration = node.declaration
    assert declaration.define is not None
    variables = list(dict.fromkeys(arg for arg in node.args if carries_derivative(arg)))
    found = dict(
        zip(
            variables,
            _pullback([declaration.define(node)], [cotangent], variables, None, boundary=set(node.args)),
            strict=True,
        )
    )
    # A node that occurs twice among the operands gets the whole of its cotangent at its first place.
    return [found.pop(arg, None) for arg in node.args]


class _Collected:
    """The contributions that reached each node so far, and the cotangents that were added up from them."""

    def __init__(self) -> None:
        self._parts: dict[int, list[Expr]] = {}
        self._items: dict[int, dict[int, list[Expr]]] = {}
        self._totals: dict[int, Expr] = {}

    def add(self, node: Expr, contribution: Expr) -> None:
        self._parts.setdefault(id(node), []).append(contribution)

    def add_item(self, node: Expr, index: int, contribution: Expr) -> None:
        self._items.setdefault(id(node), {}).setdefault(index, []).append(contribution)

    def take(self, node: Expr) -> Cotangent | None:
        """The whole cotangent of a node all of whose users were visited; None when nothing reached it."""
        if node.dtype == "tuple":
            items = self._items.get(id(node))
            if items is None:
                return None
            return tuple(total(items[i]) if i in items else None for i in range(item_count(node)))
        parts = self._parts.get(id(node))
        if parts is None:
            return None
        self._totals[id(node)] = total(parts)
        return self._totals[id(node)]

    def value(self, node: Expr) -> Expr:
        if id(node) in self._totals:
            return self._totals[id(node)]
        parts = self._parts.get(id(node))
        return total(parts) if parts else zeros_like(node)


def _chain_step(node: Expr, operand: int, cotangent: Cotangent, contribution: Expr) -> Step:
    choice = node.declaration.kink
    return ChainStep(
        rule="subgradient" if choice else "chain rule",
        before=node,
        after=contribution,
        reason=choice or chain_reason(node, operand),
        kind="subgradient" if choice else "chain",
        operand=operand,
        cotangent=cotangent,
    )


def _check_contribution(node: Expr, target: Expr, contribution: Expr) -> None:
    if contribution.shape != target.shape or contribution.dtype != target.dtype:
        raise CompilerBug(
            f"{node.op}: its derivative has {contribution.dtype}{dims.show(contribution.shape)} where the value it "
            f"belongs to ({target.op}) has {target.dtype}{dims.show(target.shape)}"
        )
