"""Windows: a strided, dilated, padded view of the last axes of an array, and its transpose.

Element k of window p is the element stride·p + dilation·k + start of the array, along each of the last axes. `windows`
reads that view and `overlap_add` is its transpose: what all windows hold is added up in the place it came from. No
view is ever stored on its way into a reduction, and every place of the transpose is a sum over the windows that cover
it, in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, Sizes, register
from symnet.expr.work import per_operand
from symnet.ops.coerce import arity, to_expr
from symnet.ops.leaves import Operand, Scalar, input, number

__all__ = ["overlap_add", "windows"]

Spatial = int | Sequence[int]


@dataclass(frozen=True)
class Frame:
    """Where windows lie along the last axes of an array, one entry for each axis.

    Element k < size of window p < count is at stride·p + dilation·k + start, which may be outside of the array.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    start: tuple[int, ...]
    count: tuple[Dim, ...]

    @property
    def rank(self) -> int:
        return len(self.size)

    @property
    def offsets(self) -> tuple[int, ...]:
        """The axes of the view that run inside a window, counted from the end."""
        return tuple(range(-self.rank, 0))


def frame_of(attrs: Mapping[str, Any]) -> Frame:
    """The frame that the attributes of a node describe."""
    return Frame(*(tuple(attrs[key]) for key in ("size", "stride", "dilation", "start", "count")))


def frame(
    op: str, shape: Shape, size: Sequence[int], stride: Spatial = 1, padding: Spatial | Sequence[tuple[int, int]] = 0,
    dilation: Spatial = 1, ceil_mode: bool = False,
) -> Frame:  # fmt: skip
    """The frame of all windows of `size` that fit into an array of `shape`, padded at the ends of its last axes.

    With `ceil_mode` a last window may reach beyond the padding (see `output_size`).
    """
    rank = len(size)
    if len(shape) < rank:
        raise ShapeError(f"{op}: windows of {rank} axes in an array of shape {dims.show(shape)}")
    sizes = each(op, "size", size, rank, 1)
    steps, dilations = each(op, "stride", stride, rank, 1), each(op, "dilation", dilation, rank, 1)
    pads = _pads(op, padding, rank)
    extents = shape[len(shape) - rank :]
    counts = (output_size(op, *one, ceil_mode) for one in zip(extents, sizes, steps, pads, dilations, strict=True))
    return Frame(sizes, steps, dilations, tuple(-low for low, _ in pads), tuple(counts))


def each(op: str, what: str, value: Spatial, rank: int, least: int | None) -> tuple[int, ...]:
    """One integer for each of `rank` axes from one number or a sequence; `least` is the smallest that is allowed."""
    values = (value,) if isinstance(value, int) or not isinstance(value, Sequence) else tuple(value)
    if len(values) == 1:
        values *= rank
    if len(values) != rank or any(not isinstance(v, int) or isinstance(v, bool) for v in values):
        raise DTypeError(f"{op}: {what} is {value!r}, expected an integer or {rank} of them")
    if least is not None and any(v < least for v in values):
        raise UsageError(f"{op}: {what} is {value!r}, expected at least {least}")
    return values


def _pads(op: str, padding: Spatial | Sequence[tuple[int, int]], rank: int) -> list[tuple[int, int]]:
    if isinstance(padding, int) or all(isinstance(p, int) for p in padding):
        return [(p, p) for p in each(op, "padding", padding, rank, 0)]  # type: ignore[arg-type]
    pairs = [tuple(pair) for pair in padding]  # type: ignore[arg-type]
    if len(pairs) != rank or any(len(pair) != 2 or not all(isinstance(p, int) for p in pair) for pair in pairs):
        raise DTypeError(f"{op}: padding is {padding!r}, expected a number, {rank} numbers or {rank} pairs")
    return pairs  # type: ignore[return-value]


def output_size(
    op: str, size: Dim, kernel: Dim, stride: int, pads: tuple[int, int], dilation: int, ceil_mode: bool = False
) -> Dim:
    """How many positions a window of `kernel` elements has along an axis.

    ⌊(size + pads - dilation·(kernel - 1) - 1) / stride⌋ + 1; with `ceil_mode` ⌈…⌉, but no window begins in the padding
    behind the last element.
    """
    reach = dims.add(dims.mul(dims.sub(kernel, 1), dilation), 1)
    span = dims.sub(dims.add(size, pads[0] + pads[1]), reach)
    if isinstance(span, int):
        if span < 0:
            raise ShapeError(f"{op}: a window of {reach} elements does not fit an axis of {size} padded by {pads}")
        count = span // stride + 1
        begins_inside = isinstance(size, int) and count * stride < size + pads[0]
        return count + 1 if ceil_mode and span % stride and begins_inside else count
    if stride == 1:
        return dims.add(span, 1)
    whole = dims.divide(span, stride)
    if whole is None:
        raise ShapeError(
            f"{op}: an axis of {size} has ({span})/{stride} + 1 positions, which is no whole number for every size; "
            "give the axis a fixed size"
        )
    return dims.add(whole, 1)


# --- the view ----------------------------------------------------------------------------------------------------


def _infer_windows(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x, given = args[0], frame_of(attrs)
    _check_frame(given)
    if x.ndim < given.rank:
        raise ShapeError(f"windows of {given.rank} axes in an array of shape {dims.show(x.shape)}")
    return (*x.shape[: x.ndim - given.rank], *given.count, *given.size), x.dtype


def _check_frame(given: Frame) -> None:
    if len({len(v) for v in (given.size, given.stride, given.dilation, given.start, given.count)}) != 1:
        raise ShapeError(f"size, stride, dilation, start and count have different lengths: {given}")
    positive = (*given.size, *given.stride, *given.dilation)
    if not all(isinstance(v, int) and v > 0 for v in positive):
        raise UsageError(f"size, stride and dilation of windows are integers from 1, got {given}")


def _numpy_windows(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    result = np.full(dims.evaluate_shape(node.shape, sizes), node.attrs["fill"], node.dtype)
    for in_view, in_array in _strided(frame_of(node.attrs), result.shape, arrays[0].shape):
        result[in_view] = arrays[0][in_array]
    return result


def _strided(given: Frame, view: Sequence[int], shape: Sequence[int]) -> Iterator[tuple[Any, Any]]:
    """For every offset in a window: the windows that have it inside the array, and where that is in the array."""
    rank = given.rank
    counts, extents = view[len(view) - 2 * rank : len(view) - rank], shape[len(shape) - rank :]
    for offset in product(*(range(size) for size in given.size)):
        inside, found = [], []
        for axis, k in enumerate(offset):
            step, at = given.stride[axis], given.dilation[axis] * k + given.start[axis]
            first = max(-(at // step), 0)
            stop = max(min((extents[axis] - 1 - at) // step + 1, counts[axis]), first)
            inside.append(slice(first, stop))
            found.append(slice(step * first + at, step * stop + at, step))
        yield (..., *inside, *offset), (..., *found)


def _pull_windows(node: Expr, g: Expr) -> list[Expr | None]:
    (x,) = node.args
    return [overlap(g, frame_of(node.attrs), x.shape)]


def _push_windows(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    """The view is linear but for its fill, whose tangent is 0."""
    return None if tangents[0] is None else view(tangents[0], frame_of(node.attrs))


def view(x: Expr, given: Frame, fill: Scalar = 0) -> Expr:
    """The windows of a frame: (*lead, *count, *size), `fill` where a window leaves the array."""
    value = number(fill, x.dtype).attrs["value"]
    return make(WINDOWS, (x,), {**vars(given), "fill": value})


def windows(
    x: Operand, size: Sequence[int], stride: Spatial = 1, padding: Spatial | Sequence[tuple[int, int]] = 0,
    dilation: Spatial = 1, fill: Scalar = 0,
) -> Expr:  # fmt: skip
    """All windows of `size` over the last axes of `x`: (*lead, *positions, *size).

    out[…, p…, k…] = x[…, stride·p + dilation·k - padding…], or `fill` outside. A moving average of three days is
    `sn.mean(sn.windows(x, (3,)), axis=-1)`.
    """
    node = to_expr(x, "windows")
    return view(node, frame("windows", node.shape, size, stride, padding, dilation), fill)


# --- its transpose -----------------------------------------------------------------------------------------------


def _infer_overlap(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    g, given, extents = args[0], frame_of(attrs), tuple(attrs["shape"])
    _check_frame(given)
    wanted = (*given.count, *given.size)
    if g.dtype not in (*dtypes.FLOATS, *dtypes.INTS):
        raise DTypeError(f"the windows are {g.dtype}, expected numbers")
    if g.ndim < len(wanted) or g.shape[g.ndim - len(wanted) :] != wanted or len(extents) != given.rank:
        raise ShapeError(f"windows {dims.show(wanted)} of an array {dims.show(extents)} are {dims.show(g.shape)}")
    return (*g.shape[: g.ndim - len(wanted)], *extents), g.dtype


def _numpy_overlap(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    result = np.zeros(dims.evaluate_shape(node.shape, sizes), node.dtype)
    for in_view, in_array in _strided(frame_of(node.attrs), arrays[0].shape, result.shape):
        result[in_array] += arrays[0][in_view]
    return result


def overlap(g: Expr, given: Frame, shape: Shape) -> Expr:
    """What the windows of a frame hold, added up in an array whose last axes are those of `shape`."""
    return make(OVERLAP_ADD, (g,), {**vars(given), "shape": shape[len(shape) - given.rank :]})


def overlap_add(
    x: Operand, shape: Sequence[Dim], stride: Spatial = 1, padding: Spatial | Sequence[tuple[int, int]] = 0,
    dilation: Spatial = 1,
) -> Expr:  # fmt: skip
    """The transpose of `windows`: (*lead, *positions, *size) -> (*lead, *shape), each place the sum of all that the
    windows hold of it. What windows hold in the padding is dropped."""
    node, extents = to_expr(x, "overlap_add"), dims.canonical_shape(tuple(shape))
    rank = len(extents)
    if node.ndim < 2 * rank:
        raise ShapeError(f"overlap_add: {dims.show(node.shape)} has fewer than {2 * rank} axes for {rank} spatial ones")
    size = node.shape[node.ndim - rank :]
    given = frame("overlap_add", extents, size, stride, padding, dilation)  # type: ignore[arg-type]
    if node.shape[node.ndim - 2 * rank : node.ndim - rank] != given.count:
        raise ShapeError(
            f"overlap_add: an array {dims.show(extents)} has {dims.show(given.count)} windows of {dims.show(size)}, "
            f"got {dims.show(node.shape)}"
        )
    return overlap(node, given, extents)


def _window_samples(rng: np.random.Generator) -> list[Expr]:
    x, named = input("x", (2, 7, 5), "float64"), input("x", ("N", 9), "float64")
    return [
        windows(x, (3, 2), (2, 1), (1, 0), fill=-1.5),
        windows(x, (2,), 3, ((1, 2),), 2),
        windows(named, (4,), 2, 1, 3),
        windows(input("x", (3, "2*N + 1"), "float64"), (3,), 2, 1),
        windows(input("k", (5,), "int64"), (2,)),
    ]


def _overlap_samples(rng: np.random.Generator) -> list[Expr]:
    def g(*shape: Dim) -> Expr:
        return input("g", shape, "float64")

    return [
        overlap_add(g(2, 4, 4, 3, 2), (7, 5), (2, 1), (1, 0)),
        overlap_add(g("N", 3, 2), (7,), 3, ((1, 2),), 2),
        overlap_add(g("N", 2, 2, 2, 2), (5, 5), 2),
        overlap_add(g(3, "N + 1", 3), ("2*N + 1",), 2, 1),
        overlap_add(input("k", (2, 2), "int64"), (9,), 5),
    ]


WINDOWS = register(
    Op(
        name="windows",
        kind="primitive",
        infer=_infer_windows,
        numpy=_numpy_windows,
        pullback=_pull_windows,
        pushforward=_push_windows,
        samples=_window_samples,
        cost=0.2,
        reason="each element gets the sum of the cotangents of its places in the windows",
        doc="Strided, dilated, padded windows over the last axes: a view, with the axes inside a window last.",
    )
)
OVERLAP_ADD = register(
    Op(
        name="overlap_add",
        kind="primitive",
        infer=_infer_overlap,
        numpy=_numpy_overlap,
        pullback=lambda node, g: [view(g, frame_of(node.attrs))],
        linear=(0,),
        samples=_overlap_samples,
        cost=per_operand(1.0),
        finite=True,
        reason="what a window holds gets the cotangent of the place it was added to",
        doc="Sums over all windows that cover a place: the transpose of windows.",
    )
)
