"""Operations that move elements without computing: reshape, transpose, broadcast, slice, place, concat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, Sizes, register
from symnet.ops.coerce import arity, axis_of, operands, same_dtype, shape_argument, to_expr
from symnet.ops.leaves import Operand, Scalar, input, number

__all__ = [
    "broadcast_to", "concat", "place", "reshape", "transpose",
]  # fmt: skip

# --- reshape -----------------------------------------------------------------------------------------------------


def _infer_reshape(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x, shape = args[0], attrs["shape"]
    if dims.product(x.shape) != dims.product(shape):
        raise ShapeError(
            f"{dims.show(x.shape)} has {dims.product(x.shape)} elements, {dims.show(shape)} has {dims.product(shape)}"
        )
    return shape, x.dtype


RESHAPE = register(
    Op(
        name="reshape",
        kind="primitive",
        infer=_infer_reshape,
        numpy=lambda node, arrays, sizes: arrays[0].reshape(dims.evaluate_shape(node.shape, sizes)),
        pullback=lambda node, g: [reshape(g, node.args[0].shape)],
        linear=(0,),
        samples=lambda rng: [
            reshape(input("x", (3, 4, 5), "float64"), (5, -1, 2)),
            reshape(input("x", ("N", 2, 3), "float64"), ("2*N", 3)),
            reshape(input("x", (), "float64"), (1, 1)),
        ],
        finite=True,
        sign="kept",
        reason="a reshape moves no value: its cotangent is reshaped back",
        doc="The same elements in row-major order under another shape.",
    )
)


def reshape(x: Operand, *shape: object) -> Expr:
    """`x` under another shape; one entry may be -1 and is worked out from the number of elements."""
    node = to_expr(x, "reshape")
    target = _resolve(node.shape, shape_argument("reshape", shape))
    return node if node.shape == target else make(RESHAPE, (node,), {"shape": target})


def _resolve(old: Shape, wanted: Sequence[object]) -> Shape:
    unknown = [i for i, dim in enumerate(wanted) if not isinstance(dim, str) and dim == -1]
    if len(unknown) > 1:
        raise ShapeError(f"reshape: the shape {tuple(wanted)!r} has more than one -1")
    if not unknown:
        return dims.canonical_shape(wanted)
    rest = [dims.canonical(dim) for i, dim in enumerate(wanted) if i != unknown[0]]
    size = dims.divide(dims.product(old), dims.product(rest))
    if size is None:
        raise ShapeError(
            f"reshape: {dims.show(old)} has {dims.product(old)} elements, which {dims.product(rest)} does not divide"
        )
    return (*rest[: unknown[0]], size, *rest[unknown[0] :])


# --- transpose ---------------------------------------------------------------------------------------------------


def _infer_transpose(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x, axes = args[0], attrs["axes"]
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(f"axes {axes!r} are no permutation of the {x.ndim} axes of {dims.show(x.shape)}")
    return tuple(x.shape[a] for a in axes), x.dtype


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


TRANSPOSE = register(
    Op(
        name="transpose",
        kind="primitive",
        infer=_infer_transpose,
        numpy=lambda node, arrays, sizes: arrays[0].transpose(node.attrs["axes"]),
        pullback=lambda node, g: [transpose(g, _inverse(node.attrs["axes"]))],
        linear=(0,),
        samples=lambda rng: [
            transpose(input("x", (3, 4, 5), "float64"), (2, 0, 1)),
            transpose(input("x", ("N", 3), "float64")),
        ],
        cost=0.2,
        finite=True,
        sign="kept",
        reason="the cotangent is transposed back",
        doc="The axes in another order.",
    )
)


def transpose(x: Operand, axes: Sequence[int] | None = None) -> Expr:
    """`x` with its axes permuted; reversed when `axes` is None."""
    node = to_expr(x, "transpose")
    if axes is None:
        order: tuple[int, ...] = tuple(reversed(range(node.ndim)))
    else:
        order = tuple(axis_of("transpose", a, node.ndim) for a in axes)
    return node if order == tuple(range(node.ndim)) else make(TRANSPOSE, (node,), {"axes": order})


# --- broadcast_to ------------------------------------------------------------------------------------------------


def _infer_broadcast_to(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x, shape = args[0], attrs["shape"]
    if len(shape) < x.ndim or dims.broadcast(x.shape, shape) != shape:
        raise ShapeError(f"{dims.show(x.shape)} cannot be repeated to {dims.show(shape)}")
    return shape, x.dtype


def _pull_broadcast_to(node: Expr, g: Expr) -> list[Expr | None]:
    from symnet.ops.reduce import unbroadcast

    return [unbroadcast(g, node.args[0].shape)]


BROADCAST_TO = register(
    Op(
        name="broadcast_to",
        kind="primitive",
        infer=_infer_broadcast_to,
        numpy=lambda node, arrays, sizes: np.broadcast_to(arrays[0], dims.evaluate_shape(node.shape, sizes)),
        pullback=_pull_broadcast_to,
        linear=(0,),
        samples=lambda rng: [
            broadcast_to(input("x", (3, 1), "float64"), (2, 3, 4)),
            broadcast_to(input("x", (), "float64"), ("N", 3)),
            broadcast_to(input("x", (1, 3), "float64"), ("N", 3)),
        ],
        cost=0.1,
        finite=True,
        sign="kept",
        reason="a value used many times gets the sum of the cotangents of its uses",
        doc="The elements repeated along new axes and along axes of size 1.",
    )
)


def broadcast_to(x: Operand, *shape: object) -> Expr:
    """`x` repeated to `shape`, by NumPy's rules."""
    node, target = to_expr(x, "broadcast_to"), dims.canonical_shape(shape_argument("broadcast_to", shape))
    return node if node.shape == target else make(BROADCAST_TO, (node,), {"shape": target})


# --- slice and place ---------------------------------------------------------------------------------------------


def _infer_slice(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x, start, step, size = args[0], attrs["start"], attrs["step"], attrs["size"]
    _check_steps(x.shape, start, step, size)
    return size, x.dtype


def _check_steps(shape: Shape, start: Shape, step: tuple[int, ...], size: Shape) -> None:
    """Every position start + step·i (i < size) must lie inside `shape`; named sizes are checked when they are known."""
    if not len(start) == len(step) == len(size) == len(shape):
        raise ShapeError(
            f"start, step and size have {len(start)}, {len(step)} and {len(size)} entries for {len(shape)} axes"
        )
    for axis, (length, first, stride, count) in enumerate(zip(shape, start, step, size, strict=True)):
        if not isinstance(stride, int) or stride == 0:
            raise ShapeError(f"the step along axis {axis} is {stride!r}, expected an integer other than 0")
        if count == 0 or not all(isinstance(d, int) for d in (length, first, count)):
            continue
        last = first + stride * (count - 1)  # type: ignore[operator]
        if min(first, last) < 0 or max(first, last) >= length:  # type: ignore[operator]
            raise ShapeError(f"positions {first} … {last} along axis {axis} do not exist in {dims.show(shape)}")


def _positions(node: Expr, start: Shape, step: tuple[int, ...], size: Shape, shape: Shape, sizes: Sizes) -> Any:
    """NumPy slices for the positions start + step·i, checked against the actual sizes."""
    actual = [dims.evaluate_shape(s, sizes) for s in (shape, start, size)]
    try:
        _check_steps(actual[0], actual[1], step, actual[2])
    except ShapeError as error:
        raise ShapeError(f"{node.op}: {error}") from None
    slices = []
    for first, stride, count in zip(actual[1], step, actual[2], strict=True):
        stop = first + stride * count
        slices.append(slice(0, 0) if count == 0 else slice(first, None if stop < 0 else stop, stride))
    return tuple(slices)


def _numpy_slice(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    attrs = node.attrs
    x: np.ndarray = arrays[0]
    return np.asarray(x[_positions(node, attrs["start"], attrs["step"], attrs["size"], node.args[0].shape, sizes)])


def _infer_place(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    _check_steps(attrs["shape"], attrs["start"], attrs["step"], args[0].shape)
    return attrs["shape"], args[0].dtype


def _numpy_place(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    attrs = node.attrs
    result = np.full(dims.evaluate_shape(node.shape, sizes), attrs["fill"], node.dtype)
    result[_positions(node, attrs["start"], attrs["step"], node.args[0].shape, node.shape, sizes)] = arrays[0]
    return result


def _pull_slice(node: Expr, g: Expr) -> list[Expr | None]:
    return [place(g, node.attrs["start"], node.attrs["step"], node.args[0].shape)]


def _pull_place(node: Expr, g: Expr) -> list[Expr | None]:
    return [take_slice(g, node.attrs["start"], node.attrs["step"], node.args[0].shape)]


def _push_place(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    """`place` is linear but for its fill, whose tangent is 0."""
    if tangents[0] is None:
        return None
    return place(tangents[0], node.attrs["start"], node.attrs["step"], node.shape)


SLICE = register(
    Op(
        name="slice",
        kind="primitive",
        infer=_infer_slice,
        numpy=_numpy_slice,
        pullback=_pull_slice,
        linear=(0,),
        samples=lambda rng: [
            take_slice(input("x", (7, 5), "float64"), (1, 4), (2, -1), (3, 5)),
            take_slice(input("x", ("N", 5), "float64"), ("N - 1", 0), (-1, 1), ("N", 2)),
            take_slice(input("x", ("N + 1", 3), "float64"), (1, 2), (1, -2), ("N", 2)),
        ],
        cost=0.1,
        finite=True,
        sign="kept",
        reason="the cotangent goes back to where the slice was taken; the rest gets 0",
        doc="The elements at positions start + step · i along each axis.",
    )
)
PLACE = register(
    Op(
        name="place",
        kind="primitive",
        infer=_infer_place,
        numpy=_numpy_place,
        pullback=_pull_place,
        pushforward=_push_place,
        samples=lambda rng: [
            place(input("x", (3, 5), "float64"), (1, 4), (2, -1), (7, 5)),
            place(input("x", ("N", 2), "float64"), (2, 0), (1, 1), ("N + 3", 2), -1.5),
        ],
        cost=0.5,
        reason="the cotangent of the part that was placed",
        doc="An array full of one number with the operand at positions start + step · i along each axis.",
    )
)


def take_slice(x: Expr, start: Sequence[Dim], step: Sequence[int], size: Sequence[Dim]) -> Expr:
    """The elements of `x` at positions start + step·i, i < size, along each axis."""
    attrs = {"start": tuple(start), "step": tuple(step), "size": tuple(size)}
    if attrs["size"] == x.shape and set(step) <= {1}:
        return x
    return make(SLICE, (x,), attrs)


def place(x: Operand, start: Sequence[Dim], step: Sequence[int], shape: Sequence[Dim], fill: Scalar = 0) -> Expr:
    """An array of `shape` full of `fill`, with `x` at positions start + step·i along each axis."""
    node = to_expr(x, "place")
    if node.shape == tuple(shape) and set(step) <= {1}:
        return node
    value = number(fill, node.dtype).attrs["value"]
    return make(PLACE, (node,), {"start": tuple(start), "step": tuple(step), "shape": tuple(shape), "fill": value})


# --- concat ------------------------------------------------------------------------------------------------------


def _infer_concat(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    if not args:
        raise ShapeError("got no arrays, expected at least one")
    dtype, axis, first = same_dtype(args), attrs["axis"], args[0].shape
    if not 0 <= axis < len(first):
        raise ShapeError(f"axis {axis} does not exist in {dims.show(first)}")
    total: Dim = 0
    for position, node in enumerate(args):
        if node.ndim != len(first) or any(
            a != b for i, (a, b) in enumerate(zip(node.shape, first, strict=True)) if i != axis
        ):
            raise ShapeError(
                f"operand {position} has shape {dims.show(node.shape)}, operand 0 {dims.show(first)}; "
                f"expected equal sizes but for axis {axis}"
            )
        total = dims.add(total, node.shape[axis])
    return (*first[:axis], total, *first[axis + 1 :]), dtype


def _pull_concat(node: Expr, g: Expr) -> list[Expr | None]:
    axis, offset = node.attrs["axis"], 0
    result: list[Expr | None] = []
    start: list[Dim] = [0] * node.ndim
    position: Dim = offset
    for operand in node.args:
        start[axis] = position
        result.append(take_slice(g, start, [1] * node.ndim, operand.shape))
        position = dims.add(position, operand.shape[axis])
    return result


def _push_concat(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    parts = [
        t if t is not None else broadcast_to(number(0, node.dtype), operand.shape)
        for t, operand in zip(tangents, node.args, strict=True)
    ]
    return make(CONCAT, parts, node.attrs)


CONCAT = register(
    Op(
        name="concat",
        kind="primitive",
        infer=_infer_concat,
        numpy=lambda node, arrays, sizes: np.concatenate(arrays, node.attrs["axis"]),
        pullback=_pull_concat,
        pushforward=_push_concat,
        samples=lambda rng: [
            concat([input("a", (2, 3), "float64"), input("b", (2, 5), "float64")], 1),
            concat([input("a", ("N", 3), "float64"), input("b", (1, 3), "float64"), input("a", ("N", 3), "float64")]),
        ],
        cost=0.5,
        finite=True,
        sign="kept",
        reason="each part gets its own piece of the cotangent",
        doc="Arrays joined along an axis.",
    )
)


def concat(arrays: Sequence[Operand], axis: int = 0) -> Expr:
    """The arrays joined along an existing axis; all other axes must agree."""
    parts = operands("concat", list(arrays))
    if not parts:
        raise UsageError("concat: got no arrays, expected at least one")
    if parts[0].ndim == 0:
        raise ShapeError("concat: the arrays are scalars, which have no axis to join along (use stack)")
    return make(CONCAT, parts, {"axis": axis_of("concat", axis, parts[0].ndim)})
