"""Reductions over axes, and the cumulative sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import DTypeError, ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, Sizes, register
from symnet.expr.work import elements, per_operand
from symnet.ops.coerce import Axes, arity, as_type, axes_of, axis_of, check_axes, to_expr, without
from symnet.ops.leaves import Operand, input, iota
from symnet.ops.scalar import cast, equal, multiply, where
from symnet.ops.shape import broadcast_to, place, reshape, take_slice, transpose

__all__ = [
    "all", "any", "argmax", "argmin", "cumsum", "max", "min", "prod", "sum",
]  # fmt: skip


def unbroadcast(g: Expr, shape: Shape) -> Expr:
    """`g` summed over the axes along which an array of `shape` was repeated to the shape of `g`."""
    if g.shape == shape:
        return g
    extra = g.ndim - len(shape)
    axes = [i for i in range(g.ndim) if i < extra or (shape[i - extra] == 1 and g.shape[i] != 1)]
    return reshape(make(SUM, (g,), {"axes": tuple(axes), "keepdims": False}) if axes else g, shape)


def spread(reduced: Expr, axes: Sequence[int], keepdims: bool, shape: Shape) -> Expr:
    """What was reduced over `axes` (a value or its cotangent), repeated to the `shape` before the reduction."""
    return broadcast_to(restore(reduced, axes, keepdims, shape), shape)


def restore(reduced: Expr, axes: Sequence[int], keepdims: bool, shape: Shape) -> Expr:
    """What was reduced over `axes` with those axes back as size 1."""
    return reduced if keepdims else reshape(reduced, without(shape, axes, True))


# --- declarations ------------------------------------------------------------------------------------------------

_NUMPY: Mapping[str, Callable[..., Any]] = {
    "sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "any": np.any, "all": np.all,
    "argmax": np.argmax, "argmin": np.argmin,
}  # fmt: skip


def _infer(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x = args[0]
    if x.dtype not in (*dtypes.FLOATS, *dtypes.INTS):
        raise DTypeError(f"the operand is {x.dtype}, expected numbers (cast first)")
    return without(x.shape, check_axes(attrs["axes"], x.ndim), attrs["keepdims"]), x.dtype


def _infer_bool(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x = args[0]
    if x.dtype != "bool":
        raise DTypeError(f"the operand is {x.dtype}, expected bool (write a comparison, or cast)")
    return without(x.shape, check_axes(attrs["axes"], x.ndim), attrs["keepdims"]), "bool"


def _infer_position(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x, axes = args[0], check_axes((attrs["axis"],), args[0].ndim)
    if x.dtype == "tuple":
        raise DTypeError(f"got the whole result of {x.op}, expected an array: take one of its items")
    if x.shape[axes[0]] == 0:
        raise ShapeError(f"axis {axes[0]} of {dims.show(x.shape)} is empty and has no extreme element")
    return without(x.shape, axes, attrs["keepdims"]), "int64"


def _numpy(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    axes, keepdims, x = node.attrs["axes"], node.attrs["keepdims"], arrays[0]
    if node.op in ("max", "min"):
        # Of nothing the extreme is the neutral element, as in the loop program.
        return np.asarray(_NUMPY[node.op](x, axis=axes, keepdims=keepdims, initial=neutral(node.op, node.dtype)))
    result = _NUMPY[node.op](x, axis=axes, keepdims=keepdims)
    return np.asarray(result, node.dtype)


def neutral(op: str, dtype: str) -> float | int | bool:
    """The value of the reduction `op` over no elements."""
    if op in ("max", "min"):
        if dtype in dtypes.FLOATS:
            return float("-inf") if op == "max" else float("inf")
        limits = np.iinfo(dtype)
        return int(limits.min if op == "max" else limits.max)
    if op in ("any", "all"):
        return op == "all"
    start = 0 if op == "sum" else 1
    return float(start) if dtype in dtypes.FLOATS else start


def _numpy_position(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    return np.asarray(_NUMPY[node.op](arrays[0], axis=node.attrs["axis"], keepdims=node.attrs["keepdims"]))


def _pull_sum(node: Expr, g: Expr) -> list[Expr | None]:
    return [spread(g, node.attrs["axes"], node.attrs["keepdims"], node.args[0].shape)]


def _pull_extreme(node: Expr, g: Expr) -> list[Expr | None]:
    """Elements that attain the extreme share the cotangent evenly."""
    (x,), axes, keepdims = node.args, node.attrs["axes"], node.attrs["keepdims"]
    attained = equal(x, restore(node, axes, keepdims, x.shape))
    count = sum(cast(attained, x.dtype), axes, keepdims=True)
    return [where(attained, restore(g, axes, keepdims, x.shape) / count, 0)]


def _push_extreme(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    (x,), (tangent,), axes, keepdims = node.args, tangents, node.attrs["axes"], node.attrs["keepdims"]
    if tangent is None:
        return None
    attained = equal(x, restore(node, axes, keepdims, x.shape))
    chosen = sum(where(attained, tangent, 0), axes, keepdims=keepdims)
    return chosen / sum(cast(attained, x.dtype), axes, keepdims=keepdims)


def _pull_prod(node: Expr, g: Expr) -> list[Expr | None]:
    """g times the product of the other elements, which is right where elements are zero, at every order."""
    (x,), axes = node.args, node.attrs["axes"]
    kept = [a for a in range(x.ndim) if a not in axes]
    order = (*kept, *axes)
    rows = tuple(x.shape[a] for a in kept)
    flat = reshape(transpose(x, order), (*rows, dims.product(x.shape[a] for a in axes)))
    others = reshape(products_of_others(flat), tuple(x.shape[a] for a in order))
    back = transpose(others, sorted(range(x.ndim), key=order.__getitem__))
    return [multiply(restore(g, axes, node.attrs["keepdims"], x.shape), back)]


def products_of_others(x: Expr) -> Expr:
    """Along the last axis: for each element the product of all others, without dividing.

    Products of everything before and of everything after, by doubling (n log n); for an axis of named size, of which
    the number of doublings is not known, as n products in which one element is replaced by 1.
    """
    size = x.shape[-1]
    if not isinstance(size, int):
        positions = iota(size)
        own = equal(reshape(positions, (size, 1)), positions)
        return prod(where(own, 1, reshape(x, (*x.shape[:-1], 1, size))), -1)
    if size < 2:
        return broadcast_to(cast(1.0, x.dtype), x.shape)
    before, after = _shifted(x, 1), _shifted(x, -1)
    distance = 1
    while distance < size - 1:
        before = before * _shifted(before, distance)
        after = after * _shifted(after, -distance)
        distance *= 2
    return before * after


def _shifted(x: Expr, by: int) -> Expr:
    """`x` moved by `by` places along its last axis, with ones moving in."""
    size = x.shape[-1]
    assert isinstance(size, int)
    kept, zeros, ones = (*x.shape[:-1], size - abs(by)), [0] * (x.ndim - 1), [1] * x.ndim
    part = take_slice(x, [*zeros, -by if by < 0 else 0], ones, kept)
    return place(part, [*zeros, by if by > 0 else 0], ones, x.shape, 1)


def _samples(op: str) -> Callable[[np.random.Generator], list[Expr]]:
    def samples(rng: np.random.Generator) -> list[Expr]:
        function = _FUNCTIONS[op]
        dtype = "bool" if op in ("any", "all") else "float64"
        x, named = input("x", (3, 4, 5), dtype), input("x", (3, "N"), dtype)
        nodes = [function(named, 1), function(x, 1), function(x, 0, keepdims=True)]
        if op not in ("argmax", "argmin"):
            nodes += [function(x, (0, 2)), function(x), function(input("x", (), dtype)), function(x, (), keepdims=True)]
        if dtype != "bool":
            nodes += [function(input("k", (3, 4), "int64"), 0), function(input("x", (3, 4), "float32"), 1)]
        return nodes

    return samples


def _reduction(name: str, doc: str, **fields: Any) -> Op:
    defaults = {"infer": _infer, "numpy": _numpy, "samples": _samples(name), "cost": per_operand(1.0), "finite": True}
    return register(Op(name=name, kind="primitive", doc=doc, **{**defaults, **fields}))


def _cost_of_sum(node: Expr) -> float:
    """A sum over one-hot vectors, scaled at most, reads off one element of each row."""
    (x,) = node.args
    scaled = x.op in ("multiply", "divide") and "one_hot" in [arg.op for arg in x.args]
    selects = (x.op == "one_hot" or scaled) and len(x.shape) - 1 in node.attrs["axes"]
    return elements(node.shape if selects else x.shape)


SUM = _reduction(
    "sum", "The sum over axes.", pullback=_pull_sum, linear=(0,), cost=_cost_of_sum, sign="kept",
    reason="every element counts once, so each gets the cotangent of its sum",
)  # fmt: skip
PROD = _reduction(
    "prod", "The product over axes.", pullback=_pull_prod, sign="kept",
    reason="∂(∏x)/∂xᵢ is the product of the other elements",
)  # fmt: skip
MAX = _reduction(
    "max", "The largest over axes; ties share the derivative.", pullback=_pull_extreme, pushforward=_push_extreme,
    sign="kept", kink="the largest element carries the derivative; elements that tie for it share evenly",
)  # fmt: skip
MIN = _reduction(
    "min", "The smallest over axes; ties share the derivative.", pullback=_pull_extreme, pushforward=_push_extreme,
    sign="kept", kink="the smallest element carries the derivative; elements that tie for it share evenly",
)  # fmt: skip
ANY = _reduction("any", "Whether any holds.", infer=_infer_bool)
ALL = _reduction("all", "Whether all hold.", infer=_infer_bool)
ARGMAX = _reduction(
    "argmax", "The first position of the largest along an axis.", infer=_infer_position, numpy=_numpy_position,
    cost=per_operand(2.0),
)  # fmt: skip
ARGMIN = _reduction(
    "argmin", "The first position of the smallest along an axis.", infer=_infer_position, numpy=_numpy_position,
    cost=per_operand(2.0),
)  # fmt: skip

# --- functions ---------------------------------------------------------------------------------------------------


def _reduce(op: Op, x: Operand, axis: Axes, keepdims: bool) -> Expr:
    node = to_expr(x, op.name)
    if op is ANY or op is ALL:
        node = as_type(node, "bool")
    elif node.dtype == "bool" or (node.dtype == "int32" and op in (SUM, PROD)):
        node = as_type(node, "int64")
    return make(op, (node,), {"axes": axes_of(op.name, axis, node.ndim), "keepdims": bool(keepdims)})


def sum(x: Operand, axis: Axes = None, keepdims: bool = False) -> Expr:
    """The sum over `axis` (an integer, a tuple, or None for all); bools and int32 are summed as int64."""
    return _reduce(SUM, x, axis, keepdims)


def prod(x: Operand, axis: Axes = None, keepdims: bool = False) -> Expr:
    """The product over `axis`; its derivative is right where elements are zero."""
    return _reduce(PROD, x, axis, keepdims)


def max(x: Operand, axis: Axes = None, keepdims: bool = False) -> Expr:
    """The largest element over `axis` (nan if any is nan); tied elements share the derivative evenly."""
    return _reduce(MAX, x, axis, keepdims)


def min(x: Operand, axis: Axes = None, keepdims: bool = False) -> Expr:
    """The smallest element over `axis` (nan if any is nan); tied elements share the derivative evenly."""
    return _reduce(MIN, x, axis, keepdims)


def any(x: Operand, axis: Axes = None, keepdims: bool = False) -> Expr:
    """Whether any element over `axis` is true (or not zero)."""
    return _reduce(ANY, x, axis, keepdims)


def all(x: Operand, axis: Axes = None, keepdims: bool = False) -> Expr:
    """Whether all elements over `axis` are true (or not zero)."""
    return _reduce(ALL, x, axis, keepdims)


def _position(op: Op, x: Operand, axis: int | None, keepdims: bool) -> Expr:
    node = to_expr(x, op.name)
    if axis is None:
        flat = make(op, (reshape(node, (-1,)),), {"axis": 0, "keepdims": False})
        return reshape(flat, (1,) * node.ndim) if keepdims else flat
    return make(op, (node,), {"axis": axis_of(op.name, axis, node.ndim), "keepdims": bool(keepdims)})


def argmax(x: Operand, axis: int | None = None, keepdims: bool = False) -> Expr:
    """The position (int64) of the first largest element along `axis`; of the flattened array when None."""
    return _position(ARGMAX, x, axis, keepdims)


def argmin(x: Operand, axis: int | None = None, keepdims: bool = False) -> Expr:
    """The position (int64) of the first smallest element along `axis`; of the flattened array when None."""
    return _position(ARGMIN, x, axis, keepdims)


_FUNCTIONS: Mapping[str, Callable[..., Expr]] = {
    "sum": sum, "prod": prod, "max": max, "min": min, "any": any, "all": all, "argmax": argmax, "argmin": argmin,
}  # fmt: skip

# --- cumulative sum ----------------------------------------------------------------------------------------------


def _infer_cumsum(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    check_axes((attrs["axis"],), args[0].ndim)
    if args[0].dtype not in (*dtypes.FLOATS, *dtypes.INTS):
        raise DTypeError(f"the operand is {args[0].dtype}, expected numbers (cast first)")
    return args[0].shape, args[0].dtype


def _numpy_cumsum(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    axis, x = node.attrs["axis"], arrays[0]
    if not node.attrs["reverse"]:
        return np.cumsum(x, axis, dtype=node.dtype)
    return np.flip(np.cumsum(np.flip(x, axis), axis, dtype=node.dtype), axis)


def _pull_cumsum(node: Expr, g: Expr) -> list[Expr | None]:
    return [make(CUMSUM, (g,), {"axis": node.attrs["axis"], "reverse": not node.attrs["reverse"]})]


CUMSUM = register(
    Op(
        name="cumsum",
        kind="primitive",
        infer=_infer_cumsum,
        numpy=_numpy_cumsum,
        pullback=_pull_cumsum,
        linear=(0,),
        samples=lambda rng: [
            cumsum(input("x", (3, 5), "float64"), 1),
            cumsum(input("x", ("N", 3), "float64"), 0, reverse=True),
            cumsum(input("k", (4,), "int32")),
        ],
        cost=per_operand(1.0),
        finite=True,
        reason="an element counts in every later sum: the cotangents are summed from the other end",
        doc="Sums of everything up to each position of an axis (from the end, when reversed).",
    )
)


def cumsum(x: Operand, axis: int | None = None, reverse: bool = False) -> Expr:
    """Running sums along `axis` (of the flattened array when None); `reverse` runs from the end."""
    node = to_expr(x, "cumsum")
    node = as_type(node, "int64") if node.dtype in ("bool", "int32") else node
    if axis is None:
        node, axis = reshape(node, (-1,)), 0
    return make(CUMSUM, (node,), {"axis": axis_of("cumsum", axis, node.ndim), "reverse": bool(reverse)})
