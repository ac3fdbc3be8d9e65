"""Before lowering: let what has to stay in memory answer more than one question.

The derivative of relu asks where its operand was positive, and the network needs relu's result. Both are the same
question, `maximum(x, 0) > 0` exactly where `x > 0` (false for a NaN in either), so that only the result has to be kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet.expr import lineage
from symnet.expr.node import ArrayValue, Expr, make, rebuild
from symnet.expr.traverse import postorder


def prepare(roots: Sequence[Expr]) -> list[Expr]:
    """The roots with `x > 0` asked of `maximum(x, 0)` where that is computed too."""
    nodes = postorder(roots)
    cut = {node.args[0]: node for node in nodes if node.op == "maximum" and _is_zero(node.args[1])}
    cut |= {node.args[1]: node for node in nodes if node.op == "maximum" and _is_zero(node.args[0])}
    asked: dict[Expr, Expr] = {}
    for node in nodes:
        if node.op == "greater" and _is_zero(node.args[1]):
            kept = cut.get(node.args[0])
            if kept is not None and kept.shape == node.shape:
                asked[node] = kept
    return _replaced(roots, asked) if asked else list(roots)


def _replaced(roots: Sequence[Expr], asked: dict[Expr, Expr]) -> list[Expr]:
    """The roots with the first operand of each node in `asked` replaced by what is given for it."""
    new: dict[Expr, Expr] = {}
    stack = list(roots)
    while stack:
        node = stack[-1]
        args = (asked[node], *node.args[1:]) if node in asked else node.args
        waiting = [arg for arg in args if arg not in new]
        if waiting and node not in new:
            stack.extend(waiting)
            continue
        stack.pop()
        if node not in new:
            moved = [new[arg] for arg in args]
            new[node] = make(node.declaration, moved, node.attrs) if node in asked else rebuild(node, moved)
            lineage.note(node, new[node])
    return [new[root] for root in roots]


def _is_zero(node: Expr) -> bool:
    if node.op != "constant":
        return False
    value = node.attrs["value"]
    return not isinstance(value, ArrayValue) and value == 0
