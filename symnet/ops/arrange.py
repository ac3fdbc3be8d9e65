"""New arrays from sizes alone, and the many ways to rearrange one; all in terms of the primitives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.ops.coerce import Axes, axes_of, axis_of, operands, static, to_expr
from symnet.ops.leaves import Operand, Scalar, iota, number
from symnet.ops.scalar import add, cast, equal
from symnet.ops.shape import broadcast_to, concat, place, reshape, take_slice, transpose

__all__ = [
    "arange", "expand_dims", "eye", "flip", "full", "full_like", "matrix_transpose", "moveaxis", "ones", "ones_like",
    "pad", "ravel", "repeat", "roll", "split", "squeeze", "stack", "swapaxes", "tile", "zeros", "zeros_like",
]  # fmt: skip

# --- new arrays --------------------------------------------------------------------------------------------------


def full(shape: object, value: Operand, dtype: object = None) -> Expr:
    """An array of `shape` with every element `value` (a number or a scalar expression)."""
    node = operands("full", (value,))[0]
    if dtype is not None:
        node = _constant_as(node, dtypes.canonical(dtype))
    return broadcast_to(node, dims.canonical_shape(shape))


def _constant_as(node: Expr, dtype: str) -> Expr:
    known = node.op == "constant" and not node.shape
    return number(node.attrs["value"], dtype) if known and dtype != node.dtype else cast(node, dtype)


def zeros(shape: object, dtype: object = "float32") -> Expr:
    return full(shape, 0, dtype)


def ones(shape: object, dtype: object = "float32") -> Expr:
    return full(shape, 1, dtype)


def full_like(x: Operand, value: Operand, dtype: object = None) -> Expr:
    node = to_expr(x, "full_like")
    return full(node.shape, value, node.dtype if dtype is None else dtype)


def zeros_like(x: Operand, dtype: object = None) -> Expr:
    return full_like(x, 0, dtype)


def ones_like(x: Operand, dtype: object = None) -> Expr:
    return full_like(x, 1, dtype)


def arange(start: Dim, stop: Dim | None = None, step: int = 1, dtype: object = "int64") -> Expr:
    """The numbers start, start + step, … before stop; `arange(n)` counts from 0. Bounds may be named dimensions."""
    first, last = (0, start) if stop is None else (start, stop)
    if not isinstance(step, int) or step == 0:
        raise UsageError(f"arange: the step is {step!r}, expected an integer other than 0")
    span = dims.sub(last, first)
    if isinstance(span, int):
        size: Dim = max(-(-span // step), 0)
    elif step == 1:
        size = span
    else:
        raise ShapeError(f"arange: {span} positions with a step of {step}; a named length needs step 1")
    count = iota(size)
    scaled = count if step == 1 else count * step
    moved = scaled if first == 0 else scaled + (first if isinstance(first, int) else _size(first))
    return cast(moved, dtype)


def _size(dim: Dim) -> Expr:
    from symnet.ops.leaves import dim as size_of

    return size_of(dim)


def eye(rows: Dim, columns: Dim | None = None, k: int = 0, dtype: object = "float32") -> Expr:
    """Ones where column - row = k, zeros elsewhere."""
    height, width = dims.canonical(rows), dims.canonical(rows if columns is None else columns)
    row = reshape(iota(height), (height, 1))
    return cast(equal(add(row, k) if k else row, iota(width)), dtype)


# --- axes --------------------------------------------------------------------------------------------------------


def expand_dims(x: Operand, axis: int | Sequence[int]) -> Expr:
    """New axes of size 1 at the positions `axis` of the result."""
    node = to_expr(x, "expand_dims")
    listed = axis if isinstance(axis, (tuple, list)) else (axis,)
    new = axes_of("expand_dims", listed, node.ndim + len(listed))
    old = iter(node.shape)
    return reshape(node, tuple(1 if i in new else next(old) for i in range(node.ndim + len(new))))


def squeeze(x: Operand, axis: Axes = None) -> Expr:
    """Without axes of size 1: those named, or all of them."""
    node = to_expr(x, "squeeze")
    chosen = axes_of("squeeze", axis, node.ndim)
    if axis is None:
        chosen = tuple(a for a in chosen if node.shape[a] == 1)
    if wrong := [a for a in chosen if node.shape[a] != 1]:
        raise ShapeError(
            f"squeeze: axis {wrong[0]} of {dims.show(node.shape)} has size {node.shape[wrong[0]]}, expected 1"
        )
    return reshape(node, tuple(d for a, d in enumerate(node.shape) if a not in chosen))


def swapaxes(x: Operand, axis1: int, axis2: int) -> Expr:
    node = to_expr(x, "swapaxes")
    order = list(range(node.ndim))
    i, j = axis_of("swapaxes", axis1, node.ndim), axis_of("swapaxes", axis2, node.ndim)
    order[i], order[j] = j, i
    return transpose(node, order)


def moveaxis(x: Operand, source: int | Sequence[int], destination: int | Sequence[int]) -> Expr:
    """The axes `source` moved to the positions `destination`, the others in order."""
    node = to_expr(x, "moveaxis")
    moved = [axis_of("moveaxis", a, node.ndim) for a in _listed(source)]
    places = [axis_of("moveaxis", a, node.ndim) for a in _listed(destination)]
    if len(moved) != len(places) or len(set(moved)) != len(moved) or len(set(places)) != len(places):
        raise ShapeError(f"moveaxis: source {source!r} and destination {destination!r} do not pair up distinct axes")
    order = [a for a in range(node.ndim) if a not in moved]
    for target, a in sorted(zip(places, moved, strict=True)):
        order.insert(target, a)
    return transpose(node, order)


def matrix_transpose(x: Operand) -> Expr:
    """The last two axes exchanged."""
    node = to_expr(x, "matrix_transpose")
    if node.ndim < 2:
        raise ShapeError(f"matrix_transpose: got {dims.show(node.shape)}, expected at least two axes")
    return swapaxes(node, -2, -1)


def ravel(x: Operand) -> Expr:
    """All elements in one axis."""
    return reshape(x, (-1,))


def _listed(axes: int | Sequence[int]) -> Sequence[int]:
    return (axes,) if isinstance(axes, int) else axes


# --- joining, splitting, repeating -------------------------------------------------------------------------------


def stack(arrays: Sequence[Operand], axis: int = 0) -> Expr:
    """Arrays of equal shape joined along a new axis."""
    parts = operands("stack", list(arrays))
    if not parts:
        raise UsageError("stack: got no arrays, expected at least one")
    for position, part in enumerate(parts):
        if part.shape != parts[0].shape:
            raise ShapeError(
                f"stack: array {position} is {dims.show(part.shape)}, array 0 {dims.show(parts[0].shape)}; "
                "expected equal shapes"
            )
    return concat([expand_dims(part, axis) for part in parts], axis)


def split(x: Operand, parts: int | Sequence[int], axis: int = 0) -> list[Expr]:
    """Pieces along an axis: `parts` equal ones, or cut at the positions `parts`."""
    node = to_expr(x, "split")
    axis = axis_of("split", axis, node.ndim)
    size = node.shape[axis]
    if isinstance(parts, int):
        width = dims.divide(size, parts) if parts > 0 else None
        if width is None:
            raise ShapeError(f"split: {size} elements cannot be cut into {parts} equal pieces")
        cuts: list[Dim] = [dims.mul(width, i) for i in range(parts + 1)]
    else:
        cuts = [0, *parts, size]
    pieces = []
    for low, high in pairwise(cuts):
        start: list[Dim] = [0] * node.ndim
        start[axis] = low
        shape = (*node.shape[:axis], dims.sub(high, low), *node.shape[axis + 1 :])
        pieces.append(take_slice(node, start, [1] * node.ndim, shape))
    return pieces


def flip(x: Operand, axis: Axes = None) -> Expr:
    """The elements in reverse order along `axis` (all axes when None)."""
    node = to_expr(x, "flip")
    axes = axes_of("flip", axis, node.ndim)
    start = [dims.sub(d, 1) if a in axes else 0 for a, d in enumerate(node.shape)]
    return take_slice(node, start, [-1 if a in axes else 1 for a in range(node.ndim)], node.shape)


def roll(x: Operand, shift: int, axis: int | None = None) -> Expr:
    """The elements moved by `shift` places along `axis`, those that leave coming back in at the other end."""
    node = to_expr(x, "roll")
    if axis is None:
        return reshape(roll(ravel(node), shift, 0), node.shape)
    axis = axis_of("roll", axis, node.ndim)
    size = node.shape[axis]
    shift = shift % size if isinstance(size, int) and size else shift
    if shift == 0:
        return node
    cut = dims.sub(size, shift) if shift > 0 else -shift
    start: list[Dim] = [0] * node.ndim
    tail = [*start[:axis], cut, *start[axis + 1 :]]
    lengths = [(*node.shape[:axis], d, *node.shape[axis + 1 :]) for d in (dims.sub(size, cut), cut)]
    ones = [1] * node.ndim
    return concat([take_slice(node, tail, ones, lengths[0]), take_slice(node, start, ones, lengths[1])], axis)


def tile(x: Operand, repetitions: int | Sequence[int]) -> Expr:
    """The whole array repeated along each axis."""
    node = to_expr(x, "tile")
    counts = list(_listed(repetitions))
    counts = [1] * (node.ndim - len(counts)) + counts
    shape = (1,) * (len(counts) - node.ndim) + node.shape
    apart = tuple(d for size in shape for d in (1, size))
    wide = tuple(d for count, size in zip(counts, shape, strict=True) for d in (count, size))
    total = tuple(dims.mul(size, count) for count, size in zip(counts, shape, strict=True))
    return reshape(broadcast_to(reshape(node, apart), wide), total)


def repeat(x: Operand, repeats: int, axis: int | None = None) -> Expr:
    """Every element repeated `repeats` times along `axis` (of the flattened array when None)."""
    node = to_expr(x, "repeat")
    if axis is None:
        node, axis = ravel(node), 0
    if not isinstance(repeats, int) or repeats < 0:
        raise DTypeError(f"repeat: the number of repetitions is {repeats!r}, expected a non-negative integer")
    axis = axis_of("repeat", axis, node.ndim)
    before, size, after = node.shape[:axis], node.shape[axis], node.shape[axis + 1 :]
    wide = broadcast_to(reshape(node, (*before, size, 1, *after)), (*before, size, repeats, *after))
    return reshape(wide, (*before, dims.mul(size, repeats), *after))


# --- padding -----------------------------------------------------------------------------------------------------


def pad(x: Operand, pad_width: object, mode: str = "constant", constant_values: Scalar = 0) -> Expr:
    """NumPy's pad: `pad_width` is one number, (before, after) for all axes, or such a pair for each axis.

    Modes: "constant" (full of `constant_values`), "edge" (the border repeated), "reflect" (mirrored without the border
    itself), "symmetric" (mirrored with it) and "wrap" (from the other end).
    """
    node = to_expr(x, "pad")
    widths = _pad_widths(pad_width, node.ndim)
    if mode == "constant":
        if all(low == high == 0 for low, high in widths):
            return node
        shape = [dims.add(d, low + high) for d, (low, high) in zip(node.shape, widths, strict=True)]
        return place(node, [low for low, _ in widths], [1] * node.ndim, shape, constant_values)
    for axis, (low, high) in enumerate(widths):
        if low or high:
            node = _pad_axis(node, axis, low, high, mode)
    return node


def _pad_widths(widths: object, ndim: int) -> list[tuple[int, int]]:
    if isinstance(widths, int):
        pairs = [(widths, widths)] * ndim
    elif isinstance(widths, (tuple, list)) and len(widths) == 2 and all(isinstance(w, int) for w in widths):
        pairs = [(widths[0], widths[1])] * ndim
    elif isinstance(widths, (tuple, list)) and len(widths) == ndim:
        pairs = [(w, w) if isinstance(w, int) else (int(w[0]), int(w[1])) for w in widths]
    else:
        raise ShapeError(f"pad: the widths {widths!r} are not one pair (before, after) for each of {ndim} axes")
    if any(low < 0 or high < 0 for low, high in pairs):
        raise UsageError(f"pad: the widths {widths!r} are negative somewhere (slice to remove elements)")
    return pairs


def _pad_axis(node: Expr, axis: int, low: int, high: int, mode: str) -> Expr:
    size = static("pad", node.shape[axis], f"axis {axis} (mode {mode!r})")
    places: dict[str, Callable[[int], int]] = {
        "edge": lambda i: min(max(i, 0), size - 1),
        "wrap": lambda i: i % size,
        "reflect": lambda i: _mirror(i, 2 * size - 2, size),
        "symmetric": lambda i: _mirror(i, 2 * size, size),
    }
    if mode not in places:
        raise UsageError(f"pad: unknown mode {mode!r}; expected constant, edge, reflect, symmetric or wrap")
    if size == 0:
        raise ShapeError(f"pad: axis {axis} is empty; only mode 'constant' can pad it")
    from symnet.ops.index import take

    return take(node, [places[mode](i) for i in range(-low, size + high)], axis)


def _mirror(position: int, period: int, size: int) -> int:
    if period == 0:
        return 0
    position %= period
    return position if position < size else (period - position if period == 2 * size - 2 else period - 1 - position)
