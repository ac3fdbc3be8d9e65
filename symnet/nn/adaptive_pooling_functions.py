"""The adaptive pools of torch.nn.functional: the size of the result is given, and the windows follow from it.

Window i of `size` elements in n windows begins at ⌊i·size/n⌋ and ends before ⌈(i + 1)·size/n⌉. Where n divides the size
these are windows side by side; else they have different lengths and may share an element.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symnet import ops
from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr
from symnet.nn.pooling_functions import spatial
from symnet.ops.coerce import static
from symnet.ops.leaves import Operand
from symnet.ops.pool import argmax, flat_positions, pool
from symnet.ops.window import Frame

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]  # fmt: skip

Sizes = int | Sequence[int | None] | None


def adaptive_avg_pool1d(input: Operand, output_size: Sizes) -> Expr:
    """The means of `output_size` windows that cover the last axis."""
    return _adaptive_avg("adaptive_avg_pool1d", input, 1, output_size)


def adaptive_avg_pool2d(input: Operand, output_size: Sizes) -> Expr:
    """The means of the windows that cover an image; None in `output_size` keeps the size of an axis."""
    return _adaptive_avg("adaptive_avg_pool2d", input, 2, output_size)


def adaptive_avg_pool3d(input: Operand, output_size: Sizes) -> Expr:
    """The means of the windows that cover a volume; None in `output_size` keeps the size of an axis."""
    return _adaptive_avg("adaptive_avg_pool3d", input, 3, output_size)


def adaptive_max_pool1d(input: Operand, output_size: Sizes, return_indices: bool = False) -> Expr | tuple[Expr, Expr]:
    """The largest elements of `output_size` windows that cover the last axis, and where they are."""
    return _adaptive_max("adaptive_max_pool1d", input, 1, output_size, return_indices)


def adaptive_max_pool2d(input: Operand, output_size: Sizes, return_indices: bool = False) -> Expr | tuple[Expr, Expr]:
    """The largest elements of the windows that cover an image, and their positions in the flattened image."""
    return _adaptive_max("adaptive_max_pool2d", input, 2, output_size, return_indices)


def adaptive_max_pool3d(input: Operand, output_size: Sizes, return_indices: bool = False) -> Expr | tuple[Expr, Expr]:
    """The largest elements of the windows that cover a volume, and their positions in the flattened volume."""
    return _adaptive_max("adaptive_max_pool3d", input, 3, output_size, return_indices)


def _counts(name: str, output_size: Sizes, extents: Shape) -> Shape:
    """How many windows each axis has."""
    rank = len(extents)
    given = (output_size,) * rank if isinstance(output_size, int) or output_size is None else tuple(output_size)
    if len(given) != rank or any(n is not None and (not isinstance(n, int) or isinstance(n, bool)) for n in given):
        raise DTypeError(f"{name}: output_size is {output_size!r}, expected an integer, or {rank} integers or None")
    counts = tuple(extent if n is None else n for n, extent in zip(given, extents, strict=True))
    if any(isinstance(n, int) and n < 1 for n in counts):
        raise UsageError(f"{name}: output_size is {output_size!r} for {dims.show(extents)}, expected at least 1")
    return counts


def _length(extent: Dim, count: Dim) -> Dim | None:
    """The common length of windows side by side; None where they have different lengths."""
    return 1 if extent == count else dims.divide(extent, count) if isinstance(count, int) else None


def _borders(name: str, extent: Dim, count: Dim) -> tuple[np.ndarray, np.ndarray]:
    """Where each window begins and ends."""
    size, number = static(name, extent, "an axis that the windows do not divide"), static(name, count, "output_size")
    if size == 0:
        raise ShapeError(f"{name}: an axis of the input is empty")
    order = np.arange(number)
    return order * size // number, -(-(order + 1) * size // number)


def _adaptive_avg(name: str, x: Operand, rank: int, output_size: Sizes) -> Expr:
    node = spatial(name, x, rank)
    lead, extents = node.shape[:-rank], node.shape[-rank:]
    counts = _counts(name, output_size, extents)
    lengths = [_length(*pair) for pair in zip(extents, counts, strict=True)]
    pieces: list[Dim] = []
    for extent, count, length in zip(extents, counts, lengths, strict=True):
        pieces += (extent, 1) if length is None else (count, length)
    node = ops.mean(ops.reshape(node, (*lead, *pieces)), tuple(range(len(lead) + 1, len(lead) + 2 * rank, 2)))
    for axis, (extent, count, length) in enumerate(zip(extents, counts, lengths, strict=True), len(lead)):
        if length is None:
            first, last = _borders(name, extent, count)
            place = np.arange(extent)
            inside = (place >= first[:, None]) & (place < last[:, None])
            node = weighted_sums(node, axis, inside / (last - first)[:, None])
    return node


def weighted_sums(node: Expr, axis: int, weights: np.ndarray) -> Expr:
    """Sums over an axis with the weights [new size, old size]."""
    letters = "abcdef"[: node.ndim]
    spec = f"{letters},z{letters[axis]}->{letters.replace(letters[axis], 'z')}"
    return ops.einsum(spec, node, ops.constant(weights, node.dtype))


def _adaptive_max(
    name: str, x: Operand, rank: int, output_size: Sizes, return_indices: bool
) -> Expr | tuple[Expr, Expr]:
    node = spatial(name, x, rank)
    extents = node.shape[-rank:]
    counts = _counts(name, output_size, extents)
    lengths = [_length(*pair) for pair in zip(extents, counts, strict=True)]
    if all(isinstance(length, int) and length > 0 for length in lengths):
        size = tuple(int(length) for length in lengths)  # type: ignore[arg-type]
        given = Frame(size, size, (1,) * rank, (0,) * rank, counts)
        largest = pool(node, given)
        return (largest, flat_positions(argmax(node, given), given, extents)) if return_indices else largest
    positions = _uneven_argmax(name, node, extents, counts)
    flat = ops.reshape(node, (*node.shape[:-rank], dims.product(extents)))
    at = ops.reshape(positions, (*node.shape[:-rank], dims.product(counts)))
    largest = ops.reshape(ops.take_along_axis(flat, at, -1), positions.shape)
    return (largest, positions) if return_indices else largest


def _uneven_argmax(name: str, x: Expr, extents: Shape, counts: Shape) -> Expr:
    """The position in the flattened image of the first largest element (the last NaN) of each window: int64."""
    rank, lead = len(extents), x.ndim - len(extents)
    seen, position = x, ops.constant(0, "int64")
    for i in reversed(range(rank)):
        members = _members(name, extents[i], counts[i])
        axis = lead + i
        seen = ops.take(seen, ops.reshape(members, (-1,)), axis)
        seen = ops.reshape(seen, (*seen.shape[:axis], *members.shape, *seen.shape[axis + 1 :]))
        spread = ops.reshape(members, (*members.shape, *(1,) * (2 * (rank - 1 - i))))
        position = position + spread * _number(dims.product(extents[i + 1 :]))
    inside = tuple(range(lead + 1, lead + 2 * rank, 2))
    key = ops.where(ops.isnan(seen), -position, position) if seen.dtype.startswith("float") else position
    beaten = seen < ops.max(seen, inside, keepdims=True)
    return abs(ops.min(ops.where(beaten, _number(dims.product(extents)), key), inside))


def _members(name: str, extent: Dim, count: Dim) -> Expr:
    """The elements of each window of an axis, [windows, longest]: shorter windows repeat their last one."""
    if count == 1:
        return ops.reshape(ops.iota(extent), (1, extent))
    if extent == count:
        return ops.reshape(ops.iota(extent), (extent, 1))
    first, last = _borders(name, extent, count)
    longest = np.arange((last - first).max())
    return ops.constant(np.minimum(first[:, None] + longest, last[:, None] - 1))


def _number(dim: Dim) -> int | Expr:
    return dim if isinstance(dim, int) else ops.dim(dim, "int64")
