"""torch.nn.functional.pad as an expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symnet import ops
from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.ops.coerce import to_expr
from symnet.ops.leaves import Operand, Scalar
from symnet.ops.shape import take_slice

__all__ = ["pad"]


def pad(input: Operand, pad: Sequence[int], mode: str = "constant", value: Scalar | None = None) -> Expr:
    """`input` with elements added before and after its last axes, in PyTorch's order: the last axis comes first.

    pad    (before, after) of the last axis, then of the one before it, …; negative numbers remove elements
    mode   "constant" (full of `value`, 0 by default), "reflect" (mirrored without the border itself), "replicate" (the
           border repeated) or "circular" (from the other end)
    """
    node = to_expr(input, "pad")
    widths = _widths(node, pad)
    if mode == "constant":
        cropped = node
        for axis, (low, high) in widths.items():
            cropped = _crop(cropped, axis, low, high)
        added = [tuple(max(width, 0) for width in widths.get(axis, (0, 0))) for axis in range(node.ndim)]
        return ops.pad(cropped, added, constant_values=0 if value is None else value)
    if mode not in _PIECES:
        raise UsageError(f"pad: unknown mode {mode!r}; expected constant, reflect, replicate or circular")
    if value:
        raise UsageError(f"pad: mode {mode!r} takes no value, got value={value!r}")
    if not widths or node.ndim not in (len(widths) + 1, len(widths) + 2):
        raise ShapeError(
            f"pad: mode {mode!r} with {len(pad)} numbers expects {len(pad) // 2 + 1} or {len(pad) // 2 + 2} axes, "
            f"got {dims.show(node.shape)}"
        )
    for axis, (low, high) in widths.items():
        node = _pad_axis(_crop(node, axis, low, high), axis, max(low, 0), max(high, 0), mode)
    return node


def _widths(node: Expr, pad: Sequence[int]) -> dict[int, tuple[int, int]]:
    """For each axis that is padded the numbers of elements before and after it."""
    if isinstance(pad, int) or any(not isinstance(p, int) or isinstance(p, bool) for p in pad):
        raise DTypeError(f"pad: the widths are {pad!r}, expected a sequence of integers (before, after, …)")
    if len(pad) % 2 or len(pad) > 2 * node.ndim:
        raise ShapeError(
            f"pad: got {len(pad)} widths for {dims.show(node.shape)}, expected an even number up to {2 * node.ndim}"
        )
    return {node.ndim - 1 - i: (pad[2 * i], pad[2 * i + 1]) for i in range(len(pad) // 2)}


def _crop(node: Expr, axis: int, low: int, high: int) -> Expr:
    """`node` without the elements that negative widths remove."""
    first, last = max(-low, 0), max(-high, 0)
    size = dims.sub(node.shape[axis], first + last)
    if isinstance(size, int) and size < 0:
        raise ShapeError(f"pad: ({low}, {high}) removes more than axis {axis} of {dims.show(node.shape)} has")
    return _part(node, axis, first, 1, size) if first or last else node


def _part(node: Expr, axis: int, start: dims.Dim, step: int, size: dims.Dim) -> Expr:
    starts = [start if a == axis else 0 for a in range(node.ndim)]
    steps = [step if a == axis else 1 for a in range(node.ndim)]
    return take_slice(node, starts, steps, [size if a == axis else d for a, d in enumerate(node.shape)])


def _reflect(node: Expr, axis: int, low: int, high: int) -> tuple[Expr, Expr]:
    last = dims.sub(node.shape[axis], 2)
    return _part(node, axis, low, -1, low), _part(node, axis, last, -1, high)


def _replicate(node: Expr, axis: int, low: int, high: int) -> tuple[Expr, Expr]:
    def border(at: dims.Dim, size: int) -> Expr:
        one = _part(node, axis, at, 1, 1)
        return ops.broadcast_to(one, tuple(size if a == axis else d for a, d in enumerate(node.shape)))

    return border(0, low), border(dims.sub(node.shape[axis], 1), high)


def _circular(node: Expr, axis: int, low: int, high: int) -> tuple[Expr, Expr]:
    return _part(node, axis, dims.sub(node.shape[axis], low), 1, low), _part(node, axis, 0, 1, high)


_PIECES: dict[str, tuple[Callable[[Expr, int, int, int], tuple[Expr, Expr]], int]] = {
    "reflect": (_reflect, 1), "replicate": (_replicate, 1), "circular": (_circular, 0),
}  # fmt: skip
"""For each mode what goes before and after an axis, and how many more elements than are added the axis must have."""


def _pad_axis(node: Expr, axis: int, low: int, high: int, mode: str) -> Expr:
    pieces, spare = _PIECES[mode]
    size, needed = node.shape[axis], spare if mode == "replicate" else max(low, high) + spare
    if isinstance(size, int) and size < needed:
        raise ShapeError(
            f"pad: mode {mode!r} cannot add ({low}, {high}) to axis {axis} of {dims.show(node.shape)}, which has only "
            f"{size} elements; expected at least {needed}"
        )
    before, after = pieces(node, axis, low, high)
    parts = [part for part, width in ((before, low), (node, 1), (after, high)) if width]
    return ops.concat(parts, axis) if len(parts) > 1 else node
