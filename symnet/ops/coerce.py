"""From what a user passes to operands of equal type, and from what a user says about axes to canonical axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from symnet.errors import DTypeError, ShapeError, SymnetError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.leaves import Operand, constant, number

Accepts = Literal["any", "number", "float", "bool"]
Axes = int | Sequence[int] | None


def to_expr(value: Operand, op: str = "constant") -> Expr:
    """`value` as an expression; `op` names the operation in errors."""
    if isinstance(value, Expr):
        return value
    try:
        return constant(value)
    except SymnetError as error:
        raise type(error)(f"{op}: {str(error).removeprefix('constant: ')}") from None


def operands(op: str, values: Sequence[Operand], accepts: Accepts = "any") -> list[Expr]:
    """The operands as expressions of one data type, with casts where needed.

    Python numbers (and NumPy scalars) take the type of what they meet, unless their kind is higher: a float meeting
    integers gives float32. `accepts`: "number" counts bools as int64, "float" turns integers into float32, "bool"
    compares with zero.
    """
    weak: list[bool | int | float | None] = [None] * len(values)
    exprs: list[Expr | None] = [None] * len(values)
    for position, value in enumerate(values):
        if isinstance(value, Expr):
            exprs[position] = value
        elif isinstance(value, np.generic):
            weak[position] = value.item()
        elif isinstance(value, (bool, int, float)):
            weak[position] = value
        else:
            exprs[position] = to_expr(value, op)
    for node in exprs:
        if node is not None and node.dtype == "tuple":
            raise DTypeError(f"{op}: got the whole result of {node.op}, expected an array: take one of its items")
    dtype = _common([e.dtype for e in exprs if e is not None], [w for w in weak if w is not None], accepts)
    return [
        number(weak_value, dtype) if weak_value is not None else as_type(node, dtype)  # type: ignore[arg-type]
        for node, weak_value in zip(exprs, weak, strict=True)
    ]


def as_type(node: Expr, dtype: str) -> Expr:
    """`node` with a cast if it has another data type."""
    return node if node.dtype == dtype else make(lookup("cast"), (node,), {"dtype": dtype})


def _common(strong: Sequence[str], weak: Sequence[bool | int | float], accepts: Accepts) -> str:
    if accepts == "bool":
        return "bool"
    dtype = dtypes.promote(*strong) if strong else "bool"
    for value in weak:
        if isinstance(value, float) and dtype not in dtypes.FLOATS:
            dtype = "float32"
        elif isinstance(value, int) and not isinstance(value, bool) and dtype == "bool":
            dtype = "int64"
    if accepts == "float" and dtype not in dtypes.FLOATS:
        return "float32"
    if accepts == "number" and dtype == "bool":
        return "int64"
    return dtype


def axis_of(op: str, axis: object, ndim: int) -> int:
    """One axis, counted from the end when negative, as a non-negative integer."""
    try:
        index = int(axis.__index__())  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        raise DTypeError(f"{op}: an axis is an integer, got {axis!r}") from None
    if not -ndim <= index < ndim:
        raise ShapeError(
            f"{op}: axis {index} does not exist in an array of {ndim} axes (expected {-ndim} … {ndim - 1})"
        )
    return index % ndim


def axes_of(op: str, axis: Axes, ndim: int) -> tuple[int, ...]:
    """The axes that `axis` names (None: all), sorted."""
    if axis is None:
        return tuple(range(ndim))
    listed: Iterable[object] = axis if isinstance(axis, (tuple, list)) else (axis,)
    found = sorted(axis_of(op, a, ndim) for a in listed)
    if len(set(found)) != len(found):
        raise ShapeError(f"{op}: the axes {axis!r} name one axis twice")
    return tuple(found)


def without(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """The shape after a reduction over `axes`."""
    if keepdims:
        return tuple(1 if i in axes else dim for i, dim in enumerate(shape))
    return tuple(dim for i, dim in enumerate(shape) if i not in axes)


def check_axes(axes: object, ndim: int) -> tuple[int, ...]:
    """For `infer`: the axes of an attribute must be canonical (sorted, distinct, in range)."""
    if not isinstance(axes, tuple) or any(not isinstance(a, int) or not 0 <= a < ndim for a in axes):
        raise ShapeError(f"axes {axes!r} do not exist in an array of {ndim} axes")
    if list(axes) != sorted(set(axes)):
        raise ShapeError(f"axes {axes!r} are not distinct and sorted")
    return axes


def static(op: str, dim: Dim, what: str) -> int:
    """A dimension that must be a number here."""
    if isinstance(dim, int):
        return dim
    raise ShapeError(f"{op}: {what} has the named size {dim!r}, expected a fixed size here")


def same_dtype(args: Sequence[Expr]) -> str:
    """For `infer`: the one data type of all operands."""
    dtype = args[0].dtype
    for position, node in enumerate(args):
        if node.dtype != dtype:
            raise DTypeError(
                f"operand {position} is {node.dtype}, operand 0 is {dtype}; expected equal types (use cast)"
            )
    return dtype


def arity(args: Sequence[Expr], count: int) -> None:
    """For `infer`: the number of operands."""
    if len(args) != count:
        raise ShapeError(f"got {len(args)} operands, expected {count}")


def shape_argument(op: str, shape: Sequence[object]) -> tuple[object, ...]:
    """`f(x, 2, 3)`, `f(x, (2, 3))` and `f(x, "N")` all name a shape."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        return tuple(shape[0])
    return tuple(shape)


def show(node: Expr) -> str:
    """`float32[N, 10]`, for messages."""
    return f"{node.dtype}{dims.show(node.shape)}"
