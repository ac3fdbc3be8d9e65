"""Negative log-likelihoods and divergences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import ArrayValue, Expr
from symnet.losses.common import REDUCTIONS, Loss, check_reduction, reduce, same_shape, size_of
from symnet.ops.leaves import Operand

__all__ = ["GaussianNLLLoss", "KLDivLoss", "PoissonNLLLoss", "gaussian_nll_loss", "kl_div", "poisson_nll_loss"]


def poisson_nll_loss(
    input: Operand,
    target: Operand,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Expr:
    """λ - k log λ of counts k = target that are Poisson distributed with mean λ, but for log k!; of one shape.

    log_input  the input is log λ; else it is λ, and its logarithm is log(λ + eps)
    full       adds Stirling's approximation of log k!, k log k - k + log(2πk)/2, where k > 1
    """
    check_reduction(reduction)
    x, k = same_shape("poisson_nll_loss", input, target)
    values = ops.exp(x) - k * x if log_input else x - k * ops.log(x + eps)
    if full:
        values = values + ops.where(k > 1.0, k * ops.log(k) - k + 0.5 * ops.log(2.0 * math.pi * k), 0.0)
    return reduce(values, reduction)


@dataclass(eq=False)
class PoissonNLLLoss(Loss):
    """`poisson_nll_loss` with its settings."""

    log_input: bool = True
    full: bool = False
    eps: float = 1e-8
    reduction: str = "mean"
    function = poisson_nll_loss


def gaussian_nll_loss(
    input: Operand, target: Operand, var: Operand, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Expr:
    """(log v + (input - target)² / v) / 2: targets that are normal with mean `input` and variance v = max(var, eps).

    var   of the input's shape, or with a last axis less, or with one axis of size 1; or a number
    full  adds the constant log(2π) / 2

    As in PyTorch, derivatives with respect to `var` are those at v. A variance that is known to be negative is refused.
    """
    check_reduction(reduction)
    x, y = same_shape("gaussian_nll_loss", input, target)
    v = ops.cast(_variance(x, ops.constant(var)), x.dtype)
    v = v + ops.stop_gradient(ops.maximum(v, eps) - v)
    values = 0.5 * (ops.log(v) + ops.square(x - y) / v)
    return reduce(values + 0.5 * math.log(2.0 * math.pi) if full else values, reduction)


def _variance(x: Expr, var: Expr) -> Expr:
    """The variance in a shape that broadcasts against the input."""
    if var.op == "constant":
        value = var.attrs["value"]
        if np.any((value.array if isinstance(value, ArrayValue) else np.asarray(value)) < 0):
            raise UsageError("gaussian_nll_loss: var has negative entries, a variance is never negative")
    if var.shape in ((), x.shape):
        return var
    if var.shape == x.shape[:-1]:
        return ops.expand_dims(var, -1)
    differing = [mine for mine, wanted in zip(var.shape, x.shape, strict=False) if mine != wanted]
    if var.ndim == x.ndim and differing == [1]:
        return var
    raise ShapeError(
        f"gaussian_nll_loss: expected var of the input's shape {dims.show(x.shape)}, without its last axis, or with "
        f"one axis of size 1; got {dims.show(var.shape)}"
    )


@dataclass(eq=False, kw_only=True)
class GaussianNLLLoss(Loss):
    """`gaussian_nll_loss` with its settings: called on input, target and var."""

    full: bool = False
    eps: float = 1e-6
    reduction: str = "mean"
    function = gaussian_nll_loss


def kl_div(input: Operand, target: Operand, reduction: str = "mean", log_target: bool = False) -> Expr:
    """t (log t - input): the divergence of the distribution `input`, given by its logarithms, from t = target.

    log_target  the target is given by its logarithms too
    reduction   besides the usual ones "batchmean", the sum divided by the size of the first axis: what the
                divergence is by its definition ("mean" divides by the number of all terms)
    """
    check_reduction(reduction, KLDivLoss.reductions)
    x, t = same_shape("kl_div", input, target)
    values = ops.exp(t) * (t - x) if log_target else ops.xlogy(t, t) - t * x
    if reduction == "batchmean":
        return ops.sum(values) / (size_of(x.shape[0], x.dtype) if x.ndim else 1.0)
    return reduce(values, reduction)


@dataclass(eq=False)
class KLDivLoss(Loss):
    """`kl_div` with its settings."""

    reduction: str = "mean"
    log_target: bool = False
    reductions: ClassVar[tuple[str, ...]] = (*REDUCTIONS, "batchmean")
    function = kl_div
