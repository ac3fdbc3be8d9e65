"""The functions of torch.nn.functional that compare vectors: cosine_similarity and pairwise_distance."""

from __future__ import annotations

from symnet import ops
from symnet.expr.node import Expr
from symnet.ops import linalg
from symnet.ops.leaves import Operand

__all__ = ["cosine_similarity", "pairwise_distance"]


def cosine_similarity(x1: Operand, x2: Operand, dim: int = 1, eps: float = 1e-8) -> Expr:
    """x₁ · x₂ / (max(‖x₁‖, eps) max(‖x₂‖, eps)) along the axis `dim`; the operands broadcast.

    As in PyTorch, the limit changes the value of a norm and not its derivative.
    """
    x1, x2 = ops.constant(x1), ops.constant(x2)
    ndim = max(x1.ndim, x2.ndim)
    x1, x2 = (ops.reshape(x, ((1,) * (ndim - x.ndim) + x.shape)) for x in (x1, x2))
    return ops.sum(x1 / _limited_norm(x1, dim, eps) * (x2 / _limited_norm(x2, dim, eps)), dim)


def _limited_norm(x: Expr, axis: int, eps: float) -> Expr:
    norm = linalg.vector_norm(x, axis, keepdims=True)
    return norm + ops.stop_gradient(ops.maximum(eps - norm, 0.0))


def pairwise_distance(x1: Operand, x2: Operand, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Expr:
    """‖x₁ - x₂ + eps‖ₚ along the last axis; the operands broadcast."""
    return linalg.vector_norm(ops.constant(x1) - x2 + eps, -1, keepdim, p)
