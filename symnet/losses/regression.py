"""Losses between real numbers."""

from __future__ import annotations

from dataclasses import dataclass

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.losses.common import Loss, check_reduction, reduce, same_shape
from symnet.ops.leaves import Operand
from symnet.ops.loss_terms import huber

__all__ = ["HuberLoss", "L1Loss", "MSELoss", "SmoothL1Loss", "huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss"]


def _weighted(loss: str, values: Expr, weight: Operand) -> tuple[Expr, Expr]:
    """The values times their weights, and the weights."""
    factors = ops.constant(weight)
    if factors.shape != values.shape:
        raise ShapeError(
            f"{loss}: expected a weight of the input's shape {dims.show(values.shape)}, got {dims.show(factors.shape)}"
        )
    factors = ops.cast(factors, values.dtype)
    return factors * values, factors


def _weighted_mean(loss: str, values: Expr, weight: Operand | None, reduction: str) -> Expr:
    """With weights, "mean" is Σ w·value / Σ w."""
    if weight is None:
        return reduce(values, reduction)
    values, factors = _weighted(loss, values, weight)
    return ops.sum(values) / ops.sum(factors) if reduction == "mean" else reduce(values, reduction)


def l1_loss(input: Operand, target: Operand, reduction: str = "mean", weight: Operand | None = None) -> Expr:
    """|input - target|, of two arrays of one shape; its derivative where they are equal is 0.

    weight  of the input's shape: a factor of each term; "mean" then divides by the sum of the weights
    """
    check_reduction(reduction)
    x, y = same_shape("l1_loss", input, target)
    return _weighted_mean("l1_loss", ops.absolute(x - y), weight, reduction)


@dataclass(eq=False)
class L1Loss(Loss):
    """`l1_loss` with its settings."""

    reduction: str = "mean"
    function = l1_loss


def mse_loss(input: Operand, target: Operand, reduction: str = "mean", weight: Operand | None = None) -> Expr:
    """(input - target)², of two arrays of one shape; a scalar, or their shape when `reduction` is "none".

    weight  of the input's shape: a factor of each term; "mean" then divides by the sum of the weights
    """
    check_reduction(reduction)
    x, y = same_shape("mse_loss", input, target)
    return _weighted_mean("mse_loss", ops.square(x - y), weight, reduction)


@dataclass(eq=False)
class MSELoss(Loss):
    """`mse_loss` with its settings."""

    reduction: str = "mean"
    function = mse_loss


def huber_loss(
    input: Operand, target: Operand, reduction: str = "mean", delta: float = 1.0, weight: Operand | None = None
) -> Expr:
    """d²/2 where |d| ≤ delta, else delta (|d| - delta/2), for d = input - target, of one shape.

    weight  of the input's shape: a factor of each term; "mean" divides by the number of terms all the same
    """
    check_reduction(reduction)
    if delta <= 0:
        raise UsageError(f"huber_loss: delta is positive, got {delta}")
    x, y = same_shape("huber_loss", input, target)
    values = huber(x - y, delta)
    if weight is not None:
        values, _ = _weighted("huber_loss", values, weight)
    return reduce(values, reduction)


@dataclass(eq=False)
class HuberLoss(Loss):
    """`huber_loss` with its settings."""

    reduction: str = "mean"
    delta: float = 1.0
    function = huber_loss


def smooth_l1_loss(input: Operand, target: Operand, reduction: str = "mean", beta: float = 1.0) -> Expr:
    """d²/(2 beta) where |d| < beta, else |d| - beta/2, for d = input - target, of one shape; |d| for beta = 0."""
    check_reduction(reduction)
    if beta < 0:
        raise UsageError(f"smooth_l1_loss: beta is not negative, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    x, y = same_shape("smooth_l1_loss", input, target)
    values = huber(x - y, beta)
    return reduce(values if beta == 1 else values / beta, reduction)


@dataclass(eq=False)
class SmoothL1Loss(Loss):
    """`smooth_l1_loss` with its settings."""

    reduction: str = "mean"
    beta: float = 1.0
    function = smooth_l1_loss
