"""A derivation done again from its record: the start, and the steps one by one; no rule and no pullback is asked.

A stage of rules is a function on nodes: what has a step becomes what the step says, and everything else is the same
operation on what became of its operands. A stage of differentiation adds up contributions. So the trace alone gives the
graph that is compiled, and since equal nodes are one node, "the same graph" is identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_

from symnet.derive.build import item_count, total, zeros_like
from symnet.derive.reverse import ChainStep, Cotangent
from symnet.errors import CompilerBug
from symnet.expr.function import Function, bodies
from symnet.expr.node import Expr, rebuild
from symnet.expr.trace import Stage, Step, Trace
from symnet.expr.traverse import substitute
from symnet.ops.meaning import rewrite_with_bodies


def replay(trace: Trace, loss: Expr, wrt: Sequence[Expr]) -> list[Expr]:
    """∂loss/∂w for each w, made by applying the steps of the trace, stage by stage, to `loss` and the variables.

    `CompilerBug` with the step where the record does not lead on: one that was made of something else than what the
    steps before it lead to, or a stage that ends elsewhere than it did.
    """
    roots = [loss, *wrt]
    for stage in trace.stages:
        if stage.kind == "differentiate":
            value, *variables = roots
            found = _differentiated(stage, [value, *variables])
            roots = [value, *found, *variables]
        else:
            roots = applied(stage, roots)
    return roots[1 : 1 + len(wrt)]


def applied(stage: Stage, roots: Sequence[Expr]) -> list[Expr]:
    """What a stage that rewrites makes of `roots`, checked against how it was recorded."""
    _agree(stage, "starts from", roots, stage.start)
    changes = {step.before: step for step in stage.steps}
    if stage.kind == "plain":
        results = rewrite_with_bodies(roots, lambda node: changes[node].after if node in changes else node)
    elif stage.kind == "restore":
        results = substitute(roots, {step.before: step.after for step in stage.steps})
    else:
        for step in stage.steps:
            if bodies(step.before) and bodies(step.before) != bodies(step.after):
                _inside(stage, step)
        results = _settled(roots, {node: step.after for node, step in changes.items()})
    _agree(stage, "ends with", results, stage.end)
    return results


def _settled(roots: Sequence[Expr], became: dict[Expr, Expr]) -> list[Expr]:
    """The roots with every change applied, bottom-up, to what the changes make as well."""
    final: dict[Expr, Expr] = {}
    stack = list(reversed(roots))
    while stack:
        node = stack[-1]
        following = became.get(node)
        if following is None:
            waiting = [arg for arg in node.args if arg not in final]
            if waiting:
                stack.extend(reversed(waiting))
                continue
            following = rebuild(node, [final[arg] for arg in node.args])
        if following is node or following in final:
            final[node] = final.get(following, following)
            stack.pop()
        else:
            stack.append(following)
    return [final[root] for root in roots]


def _inside(stage: Stage, step: Step) -> None:
    """Replay what was done in the bodies of a loop or a choice."""
    for name, body in bodies(step.before).items():
        results: Sequence[Expr] = body.results
        for inner in stage.bodies.get(body, ()):
            results = applied(inner, results)
        if Function(body.parameters, results) != bodies(step.after)[name]:
            raise CompilerBug(f"replay: the steps inside {step.before.op} do not lead to the {name} that it has")


def _differentiated(stage: Stage, roots: Sequence[Expr]) -> list[Expr]:
    """The sums of the contributions that reached the variables `roots[1:]` from the output `roots[0]`."""
    _agree(stage, "starts from", roots[:1], stage.start)
    reached = _Reached()
    for output, seed in zip(stage.start, stage.seeds, strict=True):
        if seed is not None:
            reached.add(output, seed)
    for step in stage.steps:
        assert isinstance(step, ChainStep)
        if not _same(step.cotangent, reached.cotangent(step.before)):
            raise CompilerBug(
                f"replay: the contribution of {step.before.op} to its operand {step.operand} was made of another "
                "cotangent than the one that the steps before it lead to"
            )
        reached.add(step.target, step.after)
    found = [reached.value(variable) for variable in roots[1:]]
    recorded = dict(zip(stage.wrt, stage.end, strict=True))
    _agree(stage, "ends with", found, [recorded[variable] for variable in roots[1:]])
    return found


class _Reached:
    """The contributions that have come to each node."""

    def __init__(self) -> None:
        self._parts: dict[Expr, list[Expr]] = {}
        self._items: dict[Expr, dict[int, Expr]] = {}

    def add(self, node: Expr, contribution: Expr) -> None:
        self._parts.setdefault(node, []).append(contribution)
        if node.op == "item":
            self._items.setdefault(node.args[0], {})[node.attrs["index"]] = node

    def value(self, node: Expr) -> Expr:
        return total(self._parts[node]) if node in self._parts else zeros_like(node)

    def cotangent(self, node: Expr) -> Cotangent | None:
        if node.dtype != "tuple":
            return self.value(node) if node in self._parts else None
        items = self._items.get(node, {})
        return tuple(self.value(items[i]) if i in items else None for i in range(item_count(node)))


def _same(first: Cotangent | None, second: Cotangent | None) -> bool:
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(is_, first, second))
    return first is second


def _agree(stage: Stage, what: str, found: Sequence[Expr], recorded: Sequence[Expr]) -> None:
    for position, (one, other) in enumerate(zip(found, recorded, strict=True)):
        if one is not other:
            raise CompilerBug(
                f"replay: root {position} that the stage '{stage.kind}' {what} is {one!r}, recorded was {other!r}: "
                "a change of the graph is missing in the trace"
            )
