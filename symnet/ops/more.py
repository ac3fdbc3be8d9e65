"""Further functions of NumPy and the array API, in terms of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.ops.coerce import Axes, axis_of, operands, to_expr
from symnet.ops.leaves import Operand, iota
from symnet.ops.reduce import sum
from symnet.ops.scalar import (
    absolute,
    cast,
    cos,
    divide,
    equal,
    exp,
    expm1,
    floor,
    less,
    log,
    log1p,
    maximum,
    negative,
    not_equal,
    sign,
    sin,
    softplus,
    where,
)
from symnet.ops.shape import broadcast_to, reshape, take_slice

__all__ = [
    "cosh", "count_nonzero", "diff", "exp2", "isfinite", "isinf", "linspace", "log2", "log10", "logaddexp",
    "logical_xor", "meshgrid", "nan_to_num", "sinh", "tan", "trunc",
]  # fmt: skip


def isinf(x: Operand) -> Expr:
    """Whether x is infinite, of either sign."""
    (node,) = operands("isinf", (x,), "float")
    return equal(absolute(node), float("inf"))


def isfinite(x: Operand) -> Expr:
    """Whether x is neither infinite nor nan."""
    (node,) = operands("isfinite", (x,), "float")
    return less(absolute(node), float("inf"))


def nan_to_num(x: Operand, nan: float = 0.0) -> Expr:
    """`x` with `nan` in place of what is not a number."""
    (node,) = operands("nan_to_num", (x,), "float")
    return where(not_equal(node, node), nan, node)


def log2(x: Operand) -> Expr:
    """The logarithm to base 2."""
    return log(x) * (1.0 / math.log(2.0))


def log10(x: Operand) -> Expr:
    """The logarithm to base 10."""
    return log(x) * (1.0 / math.log(10.0))


def exp2(x: Operand) -> Expr:
    """2 to the power x."""
    (node,) = operands("exp2", (x,), "float")
    return exp(node * math.log(2.0))


def tan(x: Operand) -> Expr:
    """The tangent."""
    (node,) = operands("tan", (x,), "float")
    return sin(node) / cos(node)


def sinh(x: Operand) -> Expr:
    """The hyperbolic sine, with all digits near 0."""
    (node,) = operands("sinh", (x,), "float")
    return (expm1(node) - expm1(negative(node))) * 0.5


def cosh(x: Operand) -> Expr:
    """The hyperbolic cosine."""
    (node,) = operands("cosh", (x,), "float")
    return (exp(node) + exp(negative(node))) * 0.5


def trunc(x: Operand) -> Expr:
    """Rounded towards zero; its derivative is 0."""
    (node,) = operands("trunc", (x,), "float")
    return sign(node) * floor(absolute(node))


def logaddexp(a: Operand, b: Operand) -> Expr:
    """log(exp(a) + exp(b)), without overflow."""
    left, right = operands("logaddexp", (a, b), "float")
    for one, other in ((left, right), (right, left)):
        if one.op == "constant" and not one.shape and one.attrs["value"] == 0:
            return softplus(other)
    larger, distance = maximum(left, right), absolute(left - right)
    # Two equal infinities have no distance: their sum is the infinity itself.
    return where(equal(left, right), larger + math.log(2.0), larger + log1p(exp(negative(distance))))


def logical_xor(a: Operand, b: Operand) -> Expr:
    """Either but not both."""
    left, right = operands("logical_xor", (a, b), "bool")
    return not_equal(left, right)


def count_nonzero(x: Operand, axis: Axes = None, keepdims: bool = False) -> Expr:
    """How many elements are not zero (int64)."""
    return sum(cast(not_equal(to_expr(x, "count_nonzero"), 0), "int64"), axis, keepdims)


def diff(x: Operand, axis: int = -1) -> Expr:
    """The differences of neighbours along an axis."""
    node = to_expr(x, "diff")
    axis = axis_of("diff", axis, node.ndim)
    shape = (*node.shape[:axis], dims.sub(node.shape[axis], 1), *node.shape[axis + 1 :])
    start, ones = [0] * node.ndim, [1] * node.ndim
    first = take_slice(node, start, ones, shape)
    start[axis] = 1
    return take_slice(node, start, ones, shape) - first


def linspace(start: Operand, stop: Operand, count: Dim, dtype: object = "float32") -> Expr:
    """`count` numbers at equal distances from `start` to `stop`, both included."""
    first, last = operands("linspace", (start, stop), "float")
    if first.shape or last.shape:
        raise ShapeError(
            f"linspace: the ends are {dims.show(first.shape)} and {dims.show(last.shape)}, expected scalars"
        )
    if not isinstance(count, int) or count < 1:
        raise UsageError(f"linspace: the count is {count!r}, expected a positive integer")
    share = divide(cast(iota(count), dtype), max(count - 1, 1))
    return cast(first, dtype) * (1.0 - share) + cast(last, dtype) * share


def meshgrid(*vectors: Operand, indexing: str = "xy") -> list[Expr]:
    """The coordinates of a grid, one array for each vector; "xy" exchanges the first two axes, "ij" does not."""
    if indexing not in ("xy", "ij"):
        raise UsageError(f"meshgrid: the indexing is {indexing!r}, expected 'xy' or 'ij'")
    nodes = [to_expr(v, "meshgrid") for v in vectors]
    for node in nodes:
        if node.ndim != 1:
            raise ShapeError(f"meshgrid: got {dims.show(node.shape)}, expected vectors")
    places = list(range(len(nodes)))
    if indexing == "xy" and len(nodes) > 1:
        places[:2] = 1, 0
    shape: Sequence[Dim] = [nodes[p].shape[0] for p in places]
    grids = []
    for i, node in enumerate(nodes):
        own = tuple(node.shape[0] if p == i else 1 for p in places)
        grids.append(broadcast_to(reshape(node, own), tuple(shape)))
    return grids
