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
from symnet.ops.log_sums import log_add_exp
from symnet.ops.loss_terms import xlogy
from symnet.ops.reduce import sum
from symnet.ops.scalar import (
    absolute,
    cast,
    divide,
    equal,
    exp,
    floor,
    greater,
    isnan,
    less,
    log,
    maximum,
    minimum,
    mod,
    negative,
    not_equal,
    sigmoid,
    sign,
    silu,
    softplus,
    tanh,
    where,
)
from symnet.ops.shape import broadcast_to, reshape, take_slice

__all__ = [
    "count_nonzero", "deg2rad", "diff", "entr", "exp2", "fmax", "fmin", "fmod", "heaviside", "isfinite", "isinf",
    "linspace", "log2", "log10", "logaddexp", "logaddexp2", "logical_xor", "meshgrid", "mish", "nan_to_num", "rad2deg",
    "softsign", "swish", "tanhshrink", "trunc",
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


def trunc(x: Operand) -> Expr:
    """Rounded towards zero; its derivative is 0."""
    (node,) = operands("trunc", (x,), "float")
    return sign(node) * floor(absolute(node))


def fmod(a: Operand, b: Operand) -> Expr:
    """The remainder of the division rounded towards zero; it has the sign of a (`sn.mod` has that of b)."""
    left, right = operands("fmod", (a, b))
    return sign(left) * mod(absolute(left), absolute(right))


def fmax(a: Operand, b: Operand) -> Expr:
    """The larger one, and the other one where one is nan (`sn.maximum` gives nan)."""
    left, right = operands("fmax", (a, b), "float")
    return where(isnan(left), right, where(isnan(right), left, maximum(left, right)))


def fmin(a: Operand, b: Operand) -> Expr:
    """The smaller one, and the other one where one is nan (`sn.minimum` gives nan)."""
    left, right = operands("fmin", (a, b), "float")
    return where(isnan(left), right, where(isnan(right), left, minimum(left, right)))


def heaviside(x: Operand, value: Operand) -> Expr:
    """0 for x < 0, 1 for x > 0, and `value` for x = 0."""
    node, middle = operands("heaviside", (x, value), "float")
    step = where(isnan(node), node, cast(greater(node, 0.0), node.dtype))
    return where(equal(node, 0.0), middle, step)


def deg2rad(x: Operand) -> Expr:
    """An angle in degrees, in radians."""
    (node,) = operands("deg2rad", (x,), "float")
    return node * (math.pi / 180.0)


def rad2deg(x: Operand) -> Expr:
    """An angle in radians, in degrees."""
    (node,) = operands("rad2deg", (x,), "float")
    return node * (180.0 / math.pi)


def entr(x: Operand) -> Expr:
    """-x log x, 0 at 0 and -inf below: what a probability adds to the entropy."""
    (node,) = operands("entr", (x,), "float")
    return where(less(node, 0.0), float("-inf"), negative(xlogy(node, where(less(node, 0.0), 1.0, node))))


def swish(x: Operand, beta: Operand = 1.0) -> Expr:
    """x sigmoid(beta x)."""
    node, scale = operands("swish", (x, beta), "float")
    if scale.op == "constant" and not scale.shape and scale.attrs["value"] == 1:
        return silu(node)
    return node * sigmoid(scale * node)


def mish(x: Operand) -> Expr:
    """x tanh(log(1 + eˣ))."""
    (node,) = operands("mish", (x,), "float")
    return node * tanh(softplus(node))


def softsign(x: Operand) -> Expr:
    """x / (1 + |x|)."""
    (node,) = operands("softsign", (x,), "float")
    return node / (1.0 + absolute(node))


def tanhshrink(x: Operand) -> Expr:
    """x - tanh(x)."""
    (node,) = operands("tanhshrink", (x,), "float")
    return node - tanh(node)


def logaddexp2(a: Operand, b: Operand) -> Expr:
    """log₂(2ᵃ + 2ᵇ), without overflow."""
    left, right = operands("logaddexp2", (a, b), "float")
    return logaddexp(left * math.log(2.0), right * math.log(2.0)) * (1.0 / math.log(2.0))


def logaddexp(a: Operand, b: Operand) -> Expr:
    """log(exp(a) + exp(b)), without overflow."""
    left, right = operands("logaddexp", (a, b), "float")
    for one, other in ((left, right), (right, left)):
        if one.op == "constant" and not one.shape and one.attrs["value"] == 0:
            return softplus(other)
    return log_add_exp(left, right)


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
