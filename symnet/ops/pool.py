"""The largest element of each window, where in the window it is, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from symnet.errors import DTypeError, ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.ops import reduce
from symnet.ops.coerce import arity, to_expr
from symnet.ops.leaves import Operand, constant, dim, input, iota, number
from symnet.ops.scalar import absolute, cast, equal, floor_divide, isnan, less, maximum, where
from symnet.ops.shape import reshape
from symnet.ops.window import WINDOWS, Frame, Spatial, frame, frame_of, overlap, view

__all__ = ["argmax_pool", "max_pool", "unpool"]


def _infer_pool(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x, given = args[0], frame_of(attrs)
    if x.dtype not in (*dtypes.FLOATS, *dtypes.INTS):
        raise DTypeError(f"the operand is {x.dtype}, expected numbers (cast first)")
    shape, _ = WINDOWS.infer(args, attrs)
    return shape[: len(shape) - given.rank], x.dtype


def _candidates(node: Expr) -> tuple[Expr, Frame]:
    """The windows that a node looks at; what is outside of the array is lower than everything inside."""
    (x,), given = node.args, frame_of(node.attrs)
    return view(x, given, reduce.neutral("max", x.dtype)), given


def _define_max_pool(node: Expr) -> Expr:
    seen, given = _candidates(node)
    return reduce.max(seen, given.offsets)


def _pull_max_pool(node: Expr, g: Expr) -> list[Expr | None]:
    (x,), given = node.args, frame_of(node.attrs)
    return [place_back(g, make(ARGMAX_POOL, (x,), node.attrs), given, x.shape)]


def _define_argmax_pool(node: Expr) -> Expr:
    """The smallest offset at which the maximum is attained.

    NaN is the maximum of a window that has one, and the last one counts, as in PyTorch: offsets of NaN are negative
    while the smallest is sought.
    """
    (x,), (seen, given) = node.args, _candidates(node)
    top = reshape(make(MAX_POOL, (x,), node.attrs), (*seen.shape[: seen.ndim - given.rank], *(1,) * given.rank))
    offsets = offsets_in(given)
    key = where(isnan(seen), constant(-offsets.attrs["value"].array), offsets) if x.dtype in dtypes.FLOATS else offsets
    beaten = less(seen, top)
    best = absolute(reduce.min(where(beaten, number(prod(given.size), "int32"), key), given.offsets))
    if all(low >= 0 for low in given.start):
        return best
    lowest = equal(make(MAX_POOL, (x,), node.attrs), reduce.neutral("max", x.dtype))
    return where(lowest, _first_inside(given), best)


def offsets_in(given: Frame) -> Expr:
    """The offsets in a window, counted in row-major order: int32, of the shape of a window."""
    return constant(np.arange(prod(given.size), dtype=np.int32).reshape(given.size))


def _first_inside(given: Frame) -> Expr:
    """The offset of each window's first element that is not in the padding: int32, broadcastable to the windows."""
    total: Expr = number(0, "int32")
    for axis, count in enumerate(given.count):
        begin = iota(count) * given.stride[axis] + given.start[axis]
        skipped = maximum(0, -floor_divide(begin, given.dilation[axis]))
        step = prod(given.size[axis + 1 :])
        total = total + reshape(cast(skipped * step, "int32"), (-1, *(1,) * (given.rank - 1 - axis)))
    return total


def _infer_argmax_pool(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    return _infer_pool(args, attrs)[0], "int32"


def _infer_unpool(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 2)
    (g, places), given, extents = args, frame_of(attrs), tuple(attrs["shape"])
    if places.dtype != "int32":
        raise DTypeError(f"the offsets are {places.dtype}, expected int32")
    if g.shape != places.shape or g.shape[g.ndim - given.rank :] != given.count or len(extents) != given.rank:
        raise ShapeError(
            f"{dims.show(g.shape)} values at offsets {dims.show(places.shape)} in {dims.show(given.count)} windows"
        )
    return (*g.shape[: g.ndim - given.rank], *extents), g.dtype


def _define_unpool(node: Expr) -> Expr:
    (g, places), given = node.args, frame_of(node.attrs)
    lifted = (*g.shape, *(1,) * given.rank)
    chosen = equal(reshape(places, lifted), offsets_in(given))
    return overlap(where(chosen, reshape(g, lifted), 0), given, node.attrs["shape"])


def _pull_unpool(node: Expr, g: Expr) -> list[Expr | None]:
    (_, places), given = node.args, frame_of(node.attrs)
    chosen = equal(reshape(places, (*places.shape, *(1,) * given.rank)), offsets_in(given))
    return [reduce.sum(where(chosen, view(g, given), 0), given.offsets), None]


def place_back(g: Expr, places: Expr, given: Frame, shape: Shape) -> Expr:
    """`unpool` in an array whose last axes are those of `shape`."""
    return make(UNPOOL, (g, places), {**vars(given), "shape": shape[len(shape) - given.rank :]})


def max_pool(
    x: Operand, size: Sequence[int], stride: Spatial | None = None, padding: Spatial = 0, dilation: Spatial = 1
) -> Expr:
    """The largest element of each window over the last axes; windows lie side by side unless `stride` says otherwise.

    out[…, p…] = max over k… of x[…, stride·p + dilation·k - padding…]. Of equal elements the first one in the window
    has the derivative 1, the others 0 (as in PyTorch; `sn.max` shares it).
    """
    node = to_expr(x, "max_pool")
    return pool(node, frame("max_pool", node.shape, size, size if stride is None else stride, padding, dilation))


def pool(x: Expr, given: Frame) -> Expr:
    """The largest element of each window of a frame."""
    return make(MAX_POOL, (x,), vars(given))


def argmax_pool(
    x: Operand, size: Sequence[int], stride: Spatial | None = None, padding: Spatial = 0, dilation: Spatial = 1
) -> Expr:
    """Where in its window each element of `max_pool` is: the offset in row-major order, int32."""
    node = to_expr(x, "argmax_pool")
    given = frame("argmax_pool", node.shape, size, size if stride is None else stride, padding, dilation)
    return make(ARGMAX_POOL, (node,), vars(given))


def argmax(x: Expr, given: Frame) -> Expr:
    """Where in its window each element of `pool` is."""
    return make(ARGMAX_POOL, (x,), vars(given))


def flat_positions(offset: Expr, given: Frame, extents: Sequence[Dim]) -> Expr:
    """From offsets in windows to positions in the flattened last axes of an array, whose sizes are `extents`: int64."""
    rest, total = cast(offset, "int64"), number(0, "int64")
    for axis in reversed(range(given.rank)):
        begin = iota(given.count[axis]) * given.stride[axis] + given.start[axis]
        begin = reshape(begin, (-1, *(1,) * (given.rank - 1 - axis)))
        own = begin + rest % given.size[axis] * given.dilation[axis]
        step = dims.product(extents[axis + 1 :])
        total = total + own * (step if isinstance(step, int) else dim(step, "int64"))
        rest = rest // given.size[axis]
    return total


def unpool(
    x: Operand, places: Operand, shape: Sequence[Dim], size: Sequence[int], stride: Spatial | None = None,
    padding: Spatial = 0, dilation: Spatial = 1,
) -> Expr:  # fmt: skip
    """The transpose of `max_pool`: each x[…, p…] added at offset places[…, p…] of its window, in zeros of `shape`."""
    node, extents = to_expr(x, "unpool"), dims.canonical_shape(tuple(shape))
    given = frame("unpool", extents, size, size if stride is None else stride, padding, dilation)
    return place_back(node, to_expr(places, "unpool"), given, extents)


def _pool_samples(function: Callable[..., Expr]) -> Callable[[np.random.Generator], list[Expr]]:
    return lambda rng: [
        function(input("x", (2, 7, 5), "float64"), (3, 2), (2, 1), (1, 0)),
        function(input("x", ("N", 6), "float64"), (2,)),
        function(input("x", (3, 9), "float64"), (3,), 2, 1, 2),
    ]


def _unpool_samples(rng: np.random.Generator) -> list[Expr]:
    offsets = constant(rng.integers(0, 6, (2, 3, 4)).astype("int32"))
    row = constant(rng.normal(size=9))
    return [
        unpool(input("g", (2, 3, 4), "float64"), offsets, (7, 5), (3, 2), (2, 1)),
        unpool(input("g", (5,), "float64"), argmax_pool(row, (3,), 2, 1), (9,), (3,), 2, 1),
    ]


MAX_POOL = register(
    Op(
        name="max_pool",
        kind="composite",
        infer=_infer_pool,
        define=_define_max_pool,
        pullback=_pull_max_pool,
        samples=_pool_samples(max_pool),
        kink="the largest element of each window carries its derivative; of equal ones the first",
        doc="The largest element of each window; the first of equal ones has the derivative.",
    )
)
ARGMAX_POOL = register(
    Op(
        name="argmax_pool",
        kind="composite",
        infer=_infer_argmax_pool,
        define=_define_argmax_pool,
        pullback=lambda node, g: [None],
        samples=_pool_samples(argmax_pool),
        doc="Where in its window the first largest element is, counted in row-major order.",
    )
)
UNPOOL = register(
    Op(
        name="unpool",
        kind="composite",
        infer=_infer_unpool,
        define=_define_unpool,
        pullback=_pull_unpool,
        linear=(0,),
        samples=_unpool_samples,
        reason="each value gets the cotangent of the place it was put",
        doc="Values added at chosen offsets of their windows: the transpose of max_pool.",
    )
)
