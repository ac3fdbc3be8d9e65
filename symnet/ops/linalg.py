"""Linear algebra with the array API's names (`sn.linalg.norm`, …), as far as it is sums of products."""

from __future__ import annotations

from symnet.errors import Unsupported, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.ops.arrange import matrix_transpose
from symnet.ops.coerce import Axes, axes_of, operands
from symnet.ops.index import diagonal
from symnet.ops.leaves import Operand
from symnet.ops.products import matmul, outer, tensordot, trace, vecdot
from symnet.ops.reduce import max, min, sum
from symnet.ops.scalar import absolute, cast, equal, not_equal, power, sqrt, square, where

__all__ = [
    "diagonal",
    "matmul",
    "matrix_norm",
    "matrix_transpose",
    "norm",
    "outer",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


def vector_norm(x: Operand, axis: Axes = None, keepdims: bool = False, ord: float = 2) -> Expr:
    """(Σ |x|ᵖ)^(1/p) over `axis`, for p = `ord`; inf and -inf give the extremes of |x|, 0 the count of non-zeros.

    At the zero vector the derivative is 0, as PyTorch's.
    """
    (node,) = operands("vector_norm", (x,), "float")
    if not isinstance(ord, (int, float)) or ord != ord:
        raise UsageError(f"vector_norm: the order is {ord!r}, expected a number")
    if ord in (float("inf"), float("-inf")):
        return (max if ord > 0 else min)(absolute(node), axis, keepdims)
    if ord == 0:
        return sum(cast(not_equal(node, 0), node.dtype), axis, keepdims)
    if ord == 1:
        return sum(absolute(node), axis, keepdims)
    total = sum(square(node) if ord == 2 else power(absolute(node), float(ord)), axis, keepdims)
    # The root's slope at 0 is infinite; it must not meet the 0 that flows on from there.
    positive = where(equal(total, 0), 1, total)
    return where(equal(total, 0), 0, sqrt(positive) if ord == 2 else power(positive, 1.0 / ord))


def matrix_norm(x: Operand, keepdims: bool = False, ord: object = "fro") -> Expr:
    """A norm of the last two axes: "fro" (of all elements), 1 and -1 (of columns), inf and -inf (of rows)."""
    (node,) = operands("matrix_norm", (x,), "float")
    if ord == "fro":
        return vector_norm(node, (-2, -1), keepdims)
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise Unsupported(f"matrix_norm: the order {ord!r} needs singular values; supported: 'fro', 1, -1, inf, -inf")
    along, other = (-2, -1) if ord in (1, -1) else (-1, -2)
    sums = sum(absolute(node), along, keepdims=True)
    result = (max if ord in (1, float("inf")) else min)(sums, other, keepdims=True)
    return result if keepdims else sum(result, (-2, -1))


def norm(x: Operand, ord: object = None, axis: Axes = None, keepdims: bool = False) -> Expr:
    """NumPy's norm: without `ord` of all elements over `axis`; with it a vector norm over one axis or a matrix norm
    over two (which must be the last two)."""
    (node,) = operands("norm", (x,), "float")
    if ord is None:
        return vector_norm(node, axis, keepdims)
    axes = axes_of("norm", axis, node.ndim)
    if len(axes) == 1 and isinstance(ord, (int, float)):
        return vector_norm(node, axes, keepdims, ord)
    if len(axes) == 2 and axes == (node.ndim - 2, node.ndim - 1) and axis in (None, axes, (-2, -1), [-2, -1]):
        return matrix_norm(node, keepdims, ord)
    raise Unsupported(f"norm: order {ord!r} over the axes {axis!r} of {dims.show(node.shape)}; see matrix_norm")
