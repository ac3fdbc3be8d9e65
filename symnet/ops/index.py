"""Reading and adding at computed positions: gather and its transpose, scatter_add, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import DTypeError, IndexOutOfRange, ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, Sizes, register
from symnet.expr.work import elements
from symnet.ops.coerce import axis_of, check_axes, to_expr
from symnet.ops.leaves import Operand, constant, dim, input, iota
from symnet.ops.scalar import add, where
from symnet.ops.shape import broadcast_to, reshape, transpose

__all__ = ["take", "take_along_axis"]


def _index_shape(args: Sequence[Expr], count: int) -> Shape:
    """The shape in which the index operands (all but the first) meet."""
    if len(args) != count + 1:
        raise ShapeError(f"got {len(args) - 1} arrays of positions for {count} axes")
    for node in args[1:]:
        if node.dtype not in dtypes.INTS:
            raise DTypeError(f"positions are {node.dtype}, expected int32 or int64")
    return dims.broadcast(*(node.shape for node in args[1:]))


def _infer_gather(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    x, axes = args[0], check_axes(attrs["axes"], args[0].ndim)
    if x.dtype == "tuple":
        raise DTypeError(f"got the whole result of {x.op}, expected an array: take one of its items")
    kept = tuple(size for axis, size in enumerate(x.shape) if axis not in axes)
    return (*_index_shape(args, len(axes)), *kept), x.dtype


def _infer_scatter_add(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    updates, shape = args[0], attrs["shape"]
    axes = check_axes(attrs["axes"], len(shape))
    if updates.dtype not in (*dtypes.FLOATS, *dtypes.INTS):
        raise DTypeError(f"the updates are {updates.dtype}, expected numbers")
    expected = (*_index_shape(args, len(axes)), *(size for axis, size in enumerate(shape) if axis not in axes))
    if updates.shape != expected:
        raise ShapeError(f"the updates are {dims.show(updates.shape)}, expected {dims.show(expected)}")
    return shape, updates.dtype


def _front(x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """A view of `x` with `axes` first."""
    return x.transpose([*axes, *(a for a in range(x.ndim) if a not in axes)])


def _checked(node: Expr, indices: Sequence[np.ndarray], shape: Sequence[int]) -> tuple[np.ndarray, ...]:
    for axis, index in zip(node.attrs["axes"], indices, strict=True):
        wrong = (index < 0) | (index >= shape[axis])
        if wrong.any():
            raise IndexOutOfRange(
                f"{node.op}: the index {index[wrong].flat[0]} is outside axis {axis} of size {shape[axis]} "
                f"(expected 0 … {shape[axis] - 1})"
            )
    return tuple(indices)


def _numpy_gather(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    x, *indices = arrays
    axes = node.attrs["axes"]
    return np.asarray(_front(x, axes)[_checked(node, indices, x.shape)]) if axes else x


def _numpy_scatter_add(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    updates, *indices = arrays
    out = np.zeros(dims.evaluate_shape(node.shape, sizes), node.dtype)
    if node.attrs["axes"]:
        np.add.at(_front(out, node.attrs["axes"]), _checked(node, indices, out.shape), updates)
        return out
    return np.asarray(out + updates)


def _pull_gather(node: Expr, g: Expr) -> list[Expr | None]:
    x, *indices = node.args
    if x.dtype not in dtypes.FLOATS:
        return [None] * len(node.args)
    return [scatter_add(g, node.attrs["axes"], indices, x.shape), *[None] * len(indices)]


def _pull_scatter_add(node: Expr, g: Expr) -> list[Expr | None]:
    _, *indices = node.args
    return [gather(g, node.attrs["axes"], indices), *[None] * len(indices)]


def _gather_samples(rng: np.random.Generator) -> list[Expr]:
    x, named = input("x", (3, 4, 5), "float64"), input("x", (3, "N"), "float64")
    rows, columns = rng.integers(0, 3, (2, 1)), rng.integers(0, 5, (4,))
    return [
        gather(x, (0, 2), [to_expr(rows), to_expr(columns)]),
        gather(x, (1,), [to_expr(np.array([3, 0, 0], "int32"))]),
        gather(named, (0,), [to_expr(rng.integers(0, 3, (2, 2)))]),
        gather(named, (1,), [iota("N")]),
        gather(x, (0, 1, 2), [to_expr(1), to_expr(2), to_expr(0)]),
    ]


def _scatter_samples(rng: np.random.Generator) -> list[Expr]:
    rows, columns = rng.integers(0, 3, (2, 1)), rng.integers(0, 5, (4,))
    return [
        scatter_add(input("u", (2, 4, 6), "float64"), (0, 2), [to_expr(rows), to_expr(columns)], (3, 6, 5)),
        scatter_add(input("u", (3, "N"), "float64"), (1,), [to_expr(np.array([3, 0, 0]))], ("N", 4)),
        scatter_add(input("k", (4,), "int64"), (0,), [to_expr(np.array([1, 1, 0, 2]))], (3,)),
    ]


GATHER = register(
    Op(
        name="gather",
        kind="primitive",
        infer=_infer_gather,
        numpy=_numpy_gather,
        pullback=_pull_gather,
        linear=(0,),
        samples=_gather_samples,
        cost=2.0,
        finite=True,
        sign="kept",
        reason="each element gets the sum of the cotangents of the places it was copied to",
        doc="The elements of the first operand at computed positions along some axes; the positions' axes come first.",
    )
)
SCATTER_ADD = register(
    Op(
        name="scatter_add",
        kind="primitive",
        infer=_infer_scatter_add,
        numpy=_numpy_scatter_add,
        pullback=_pull_scatter_add,
        linear=(0,),
        samples=_scatter_samples,
        # The zeros are written and read again, since nothing fuses with it.
        cost=lambda node: 3.0 * elements(node.shape) + 4.0 * elements(node.args[0].shape),
        finite=True,
        reason="each update gets the cotangent of the place it was added to",
        doc="Zeros to which the first operand is added at computed positions: the transpose of gather.",
    )
)


def gather(x: Expr, axes: Sequence[int], indices: Sequence[Expr]) -> Expr:
    """The elements of `x` at `indices` along the sorted `axes`; the indices' common shape comes first."""
    return make(GATHER, (x, *indices), {"axes": tuple(axes)})


def scatter_add(updates: Expr, axes: Sequence[int], indices: Sequence[Expr], shape: Shape) -> Expr:
    """Zeros of `shape` with `updates` added at `indices` along the sorted `axes`."""
    return make(SCATTER_ADD, (updates, *indices), {"axes": tuple(axes), "shape": tuple(shape)})


def positions(op: str, value: Operand, size: Dim) -> Expr:
    """Positions along an axis of `size`. Negative ones count from the end if they are known now; computed positions
    must lie in 0 … size-1, which is checked when they run."""
    node = to_expr(value, op)
    if node.dtype == "bool":
        raise DTypeError(
            f"{op}: a boolean array selects a number of elements that is not known before it runs; "
            "use sn.where(mask, x, 0), or sn.sum over it"
        )
    if node.dtype not in dtypes.INTS:
        raise DTypeError(f"{op}: positions are {node.dtype}, expected integers")
    if node.op != "constant":
        return node
    known = np.asarray(node.attrs["value"].array if node.shape else node.attrs["value"], node.dtype)
    if isinstance(size, int):
        wrong = (known < -size) | (known >= size)
        if wrong.any():
            raise IndexOutOfRange(f"{op}: the index {known[wrong].flat[0]} is outside an axis of size {size}")
        return constant(np.where(known < 0, known + size, known)) if (known < 0).any() else node
    return add(node, where(known < 0, dim(size, node.dtype), 0)) if (known < 0).any() else node


def take(x: Operand, indices: Operand, axis: int | None = None) -> Expr:
    """NumPy's take: the elements (slices along `axis`) of `x` at integer positions; of the flattened `x` when None."""
    node = to_expr(x, "take")
    if axis is None:
        node, axis = reshape(node, (-1,)), 0
    axis = axis_of("take", axis, node.ndim)
    index = positions("take", indices, node.shape[axis])
    gathered = gather(node, (axis,), [index])
    # gather puts the positions' axes first; take leaves them where the axis was.
    before = range(index.ndim, index.ndim + axis)
    return transpose(gathered, [*before, *range(index.ndim), *range(index.ndim + axis, gathered.ndim)])


def take_along_axis(x: Operand, indices: Operand, axis: int | None = -1) -> Expr:
    """NumPy's take_along_axis: for every position of `indices`, the element of `x` there along `axis`."""
    node = to_expr(x, "take_along_axis")
    if axis is None:
        node, axis = reshape(node, (-1,)), 0
    axis = axis_of("take_along_axis", axis, node.ndim)
    index = positions("take_along_axis", indices, node.shape[axis])
    if index.ndim != node.ndim:
        raise ShapeError(
            f"take_along_axis: the positions are {dims.show(index.shape)}, expected as many axes as "
            f"{dims.show(node.shape)} (write y[:, None] to add one)"
        )
    rest = [a for a in range(node.ndim) if a != axis]
    common = dims.broadcast(*(tuple(s.shape[a] for a in rest) for s in (node, index)))
    sizes = dict(zip(rest, common, strict=True))
    node = broadcast_to(node, tuple(sizes.get(a, d) for a, d in enumerate(node.shape)))
    index = broadcast_to(index, tuple(sizes.get(a, d) for a, d in enumerate(index.shape)))
    own = {a: reshape(iota(sizes[a]), along(a, node.ndim, sizes[a])) for a in rest}
    return gather(node, range(node.ndim), [index if a == axis else own[a] for a in range(node.ndim)])


def along(axis: int, ndim: int, size: Dim) -> Shape:
    """The shape that has `size` along one axis and 1 along the others."""
    return tuple(size if a == axis else 1 for a in range(ndim))
