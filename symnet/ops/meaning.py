"""Training and inference as two readings of one graph, and what a training step stores besides the optimizer's work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

from symnet.errors import DTypeError, Unsupported
from symnet.expr.function import Function, bodies, with_bodies
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder, rewrite, substitute

__all__ = ["inference"]


@overload
def inference(exprs: Expr) -> Expr: ...
@overload
def inference(exprs: Sequence[Expr]) -> list[Expr]: ...
@overload
def inference(exprs: Mapping[str, Expr]) -> dict[str, Expr]: ...
def inference(exprs: Any) -> Any:
    """An expression (or a list or dict of them) as it is evaluated: dropout passes its operand on, batch norm uses its
    running statistics, and so on for every operation that means something else in training.

    A derivative no longer says which operations it came from: take `sn.inference` first and `sn.grad` of the result.
    """
    if isinstance(exprs, Expr):
        return _evaluated([exprs])[0]
    if isinstance(exprs, Mapping):
        return dict(zip(exprs, _evaluated(list(exprs.values())), strict=True))
    if isinstance(exprs, (list, tuple)):
        return _evaluated(exprs)
    raise DTypeError(f"inference: got {type(exprs).__name__}, expected an expression or a list or dict of them")


def _evaluated(roots: Sequence[Expr]) -> list[Expr]:
    for root in roots:
        if not isinstance(root, Expr):
            raise DTypeError(f"inference: got {type(root).__name__} among the expressions")
    return rewrite_with_bodies(roots, _meaning)


def _meaning(node: Expr) -> Expr:
    inference = node.declaration.inference
    return node if inference is None else inference(node)


def rewrite_with_bodies(roots: Sequence[Expr], replace: Callable[[Expr], Expr]) -> list[Expr]:
    """The roots with `replace(node)` for every node, bottom-up, in the bodies of loops too."""
    known: dict[Function, Function] = {}

    def visit(node: Expr) -> Expr:
        return replace(with_bodies(node, inside))

    def inside(body: Function) -> Function:
        if body not in known:
            known[body] = Function(body.parameters, rewrite(body.results, visit))
        return known[body]

    return rewrite(roots, visit)


def postorder_with_bodies(roots: Sequence[Expr]) -> list[Expr]:
    """Every node under the roots once, operands before the nodes that use them, then those in the bodies of loops."""
    found: dict[Expr, None] = {}
    pending = [list(roots)]
    while pending:
        for node in postorder(pending.pop()):
            if node not in found:
                pending += [list(body.results) for body in bodies(node).values()]
            found[node] = None
    return list(found)


def collect_updates(roots: Sequence[Expr]) -> list[tuple[Expr, Expr]]:
    """What a training step stores for the operations under `roots`: (state, new value), each state once.

    The nodes are taken in the order of the graph, and where several change one state, each starts from what the one
    before made of it: a layer that is used twice updates its statistics twice.
    """
    current: dict[Expr, Expr] = {}
    for node in postorder(roots):
        if node.dtype == "tuple":
            _refuse_updates(node)
        if node.declaration.updates is None:
            continue
        pairs = node.declaration.updates(node)
        if any(operand in current for operand in node.args):
            now = {operand: current.get(operand, operand) for operand in node.args}
            values = substitute([value for _, value in pairs], now)
            pairs = list(zip((state for state, _ in pairs), values, strict=True))
        current.update(pairs)
    return list(current.items())


def _refuse_updates(block: Expr) -> None:
    what = "the cell of a scan" if block.op == "scan" else f"a branch of {block.op}"
    for node in postorder(result for body in bodies(block).values() for result in body.results):
        if node.declaration.updates is not None:
            raise Unsupported(
                f"{node.op} inside {what}: what it keeps from step to step of the training cannot be updated there; "
                "apply it to the whole input or output"
            )
