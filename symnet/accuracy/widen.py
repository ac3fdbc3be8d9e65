"""A part of a chain computed in float64."""

from __future__ import annotations

from collections.abc import Iterator

from symnet.accuracy.values import in_float64
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder, substitute
from symnet.ops.leaves import input
from symnet.ops.scalar import cast


def widened(target: Expr) -> Iterator[Expr]:
    """The value of `target` with more and more of what it is computed from in float64, the least first."""
    previous: Expr | None = None
    for depth in range(1, 64):
        frontier = _frontier(target, depth)
        current = _with_float64_from(target, frontier)
        if current is not previous:
            yield current
        if not any(node.args for node in frontier):
            return
        previous = current


def _frontier(target: Expr, depth: int) -> list[Expr]:
    """The nodes so many operations below the target (or leaves above that), which stay as they are."""
    level, stops = [target], []
    for _ in range(depth):
        level = list(dict.fromkeys(arg for node in level for arg in node.args))
        stops += [node for node in level if not node.args]
    return list(dict.fromkeys([*level, *stops]))


def _with_float64_from(target: Expr, frontier: list[Expr]) -> Expr:
    """The target in float64 as far down as the frontier, rounded to float32 at the end."""
    values = [node for node in frontier if node.op != "constant"]
    stand_ins = {node: input(f"v{i}", node.shape, node.dtype) for i, node in enumerate(values)}
    inner = {node: stand for node, stand in stand_ins.items() if node is not target}
    (opened,) = substitute([target], inner)
    wide = in_float64([opened])[id(opened)]
    back = {
        (input(str(s.name), s.shape, "float64") if s.dtype == "float32" else s): (
            cast(node, "float64") if s.dtype == "float32" else node
        )
        for node, s in inner.items()
    }
    return cast(substitute([wide], back)[0], "float32")


def operations(closed: Expr) -> tuple[int, int]:
    """How many operations of a closed chain are in float32 and in float64."""
    nodes = [node for node in postorder([closed]) if node.args and node.op != "cast"]
    wide = sum(node.dtype == "float64" for node in nodes)
    return len(nodes) - wide, wide
