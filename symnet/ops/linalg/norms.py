"""Norms of vectors and matrices, as far as they need no singular values."""

from __future__ import annotations

from symnet.errors import ShapeError, Unsupported, UsageError
from symnet.expr.node import Expr
from symnet.ops.arrange import moveaxis
from symnet.ops.coerce import Axes, axes_of, operands, show
from symnet.ops.euclidean import euclidean_norm
from symnet.ops.leaves import Operand
from symnet.ops.reduce import max, min, sum
from symnet.ops.scalar import absolute, cast, equal, not_equal, power, where
from symnet.ops.shape import reshape

__all__ = ["matrix_norm", "norm", "vector_norm"]

INFINITY = float("inf")


def vector_norm(x: Operand, axis: Axes = None, keepdims: bool = False, ord: float = 2) -> Expr:
    """(Σ |x|ᵖ)^(1/p) over `axis`, for p = `ord`; inf and -inf give the extremes of |x|, 0 the count of non-zeros.

    At the zero vector the derivative is 0, as PyTorch's.
    """
    (node,) = operands("vector_norm", (x,), "float")
    if not isinstance(ord, (int, float)) or ord != ord:
        raise UsageError(f"vector_norm: the order is {ord!r}, expected a number")
    if ord in (INFINITY, -INFINITY):
        return (max if ord > 0 else min)(absolute(node), axis, keepdims)
    if ord == 0:
        return sum(cast(not_equal(node, 0), node.dtype), axis, keepdims)
    if ord == 1:
        return sum(absolute(node), axis, keepdims)
    if ord == 2:
        return euclidean_norm(node, axis, keepdims)
    total = sum(power(absolute(node), float(ord)), axis, keepdims)
    # The root's slope at 0 is infinite; it must not meet the 0 that flows on from there.
    return where(equal(total, 0), 0, power(where(equal(total, 0), 1, total), 1.0 / ord))


def matrix_norm(x: Operand, keepdims: bool = False, ord: object = "fro") -> Expr:
    """A norm of the last two axes: "fro" (of all elements), 1 and -1 (of columns), inf and -inf (of rows)."""
    (node,) = operands("matrix_norm", (x,), "float")
    if node.ndim < 2:
        raise ShapeError(f"matrix_norm: got {show(node)}, expected at least two axes")
    if ord == "fro":
        return euclidean_norm(node, (-2, -1), keepdims)
    if ord not in (1, -1, INFINITY, -INFINITY):
        raise Unsupported(f"matrix_norm: the order {ord!r} needs singular values; supported: 'fro', 1, -1, inf, -inf")
    along, other = (-2, -1) if ord in (1, -1) else (-1, -2)
    sums = sum(absolute(node), along, keepdims=True)
    result = (max if ord in (1, INFINITY) else min)(sums, other, keepdims=True)
    return result if keepdims else reshape(result, node.shape[:-2])


def norm(x: Operand, ord: object = None, axis: Axes = None, keepdims: bool = False) -> Expr:
    """NumPy's norm: the root of the sum of squares over `axis` without `ord`; with it a vector norm over one axis or a
    matrix norm over two."""
    (node,) = operands("norm", (x,), "float")
    if ord is None:
        return vector_norm(node, axis, keepdims)
    axes = axes_of("norm", axis, node.ndim)
    if len(axes) == 1:
        if isinstance(ord, (int, float)):
            return vector_norm(node, axes, keepdims, ord)
        raise UsageError(f"norm: the order {ord!r} is one of matrices, got one axis of {show(node)}")
    if len(axes) != 2:
        raise UsageError(f"norm: the order {ord!r} needs one axis or two, got {show(node)} over {len(axes)}")
    rows, columns = [node.ndim + a if a < 0 else a for a in axis] if isinstance(axis, (tuple, list)) else axes
    result = matrix_norm(moveaxis(node, (rows, columns), (-2, -1)), keepdims, ord)
    return moveaxis(result, (-2, -1), (rows, columns)) if keepdims else result
