"""Clipping of gradients, on expressions: what torch.nn.utils.clip_grad_norm_ and clip_grad_value_ compute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import TypeAlias

from symnet import ops
from symnet.errors import DTypeError, UsageError
from symnet.expr.node import Expr

__all__ = ["clip_grad_norm", "clip_grad_value", "get_total_norm"]

NormType: TypeAlias = "float | str"


def get_total_norm(gradients: Sequence[Expr], norm_type: NormType = 2.0) -> Expr:
    """The norm of all gradients as one vector: (Σ|g|^p)^(1/p) with p = norm_type, or the largest |g| for infinity."""
    order = norm_order(norm_type)
    sizes = [abs(g) for g in _floats(gradients)]
    if not sizes:
        raise UsageError("the norm of gradients: there are none, expected at least one")
    if math.isinf(order):
        return reduce(ops.maximum, [ops.max(size) for size in sizes])
    if order == 2.0:
        return ops.sqrt(reduce(ops.add, [ops.sum(ops.square(size)) for size in sizes]))
    if order == 1.0:
        return reduce(ops.add, [ops.sum(size) for size in sizes])
    return reduce(ops.add, [ops.sum(size**order) for size in sizes]) ** (1.0 / order)


def clip_grad_norm(
    gradients: Sequence[Expr], max_norm: float | Expr, norm_type: NormType = 2.0
) -> tuple[list[Expr], Expr]:
    """The gradients times min(1, max_norm / (norm + 1e-6)), and their norm (`get_total_norm`).

    A norm that is not finite is not an error: the clipped gradients are not finite either then, as in PyTorch.
    """
    norm = get_total_norm(gradients, norm_type)
    factor = ops.minimum(1.0, ops.constant(max_norm, "float64") / (norm + 1e-6))
    return [g * ops.cast(factor, g.dtype) for g in gradients], norm


def clip_grad_value(gradients: Sequence[Expr], clip_value: float | Expr) -> list[Expr]:
    """The gradients with each element clipped to [-clip_value, clip_value]."""
    bound = ops.constant(clip_value, "float64")
    return [
        ops.minimum(ops.maximum(g, ops.cast(-bound, g.dtype)), ops.cast(bound, g.dtype)) for g in _floats(gradients)
    ]


def norm_order(norm_type: object) -> float:
    """The p of a norm, a number above 0 or "inf"."""
    try:
        order = float(norm_type)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DTypeError(f"norm_type is {norm_type!r}, expected a number above 0 or 'inf'") from None
    if not order > 0:
        raise UsageError(f"norm_type is {norm_type!r}, expected a number above 0 or 'inf'")
    return order


def _floats(gradients: object) -> list[Expr]:
    if not isinstance(gradients, (list, tuple)):
        raise DTypeError(
            f"clipping: expected a list of gradients (expressions), got a {type(gradients).__name__}; "
            "around an optimizer stand sn.optim.ClipGradNorm(optimizer, max_norm) and sn.optim.ClipGradValue"
        )
    for gradient in gradients:
        if not isinstance(gradient, Expr) or gradient.dtype not in ("float32", "float64"):
            raise DTypeError(f"clipping: expected floating-point expressions, got {gradient!r}")
    return list(gradients)
