"""Losses of yes-or-no questions: one for each element, on probabilities, logits or margins."""

from __future__ import annotations

from dataclasses import dataclass

from symnet import ops
from symnet.errors import ShapeError
from symnet.expr.node import Expr
from symnet.losses.common import Loss, check_reduction, factors, reduce, same_shape
from symnet.ops.leaves import Operand
from symnet.ops.loss_terms import bernoulli_logit_nll, bernoulli_nll

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss", "SoftMarginLoss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "multilabel_soft_margin_loss", "soft_margin_loss",
]  # fmt: skip


def binary_cross_entropy(
    input: Operand, target: Operand, weight: Operand | None = None, reduction: str = "mean"
) -> Expr:
    """-(t log p + (1 - t) log(1 - p)) of probabilities p = input and targets t in [0, 1] of the same shape.

    weight  a factor of every term, broadcast to the input; "mean" divides by the number of terms all the same

    As in PyTorch the logarithms are limited to -100 from below, and the derivative is (p - t) / max(p (1 - p), 1e-12).
    The p of a sigmoid is recognised, and the loss computed from its logits, without these limits.
    """
    check_reduction(reduction)
    p, t = same_shape("binary_cross_entropy", input, target)
    values = bernoulli_nll(p, t)
    if weight is not None:
        values = factors("binary_cross_entropy", "weight", weight, p) * values
    return reduce(values, reduction)


@dataclass(eq=False)
class BCELoss(Loss):
    """`binary_cross_entropy` with its settings."""

    weight: Operand | None = None
    reduction: str = "mean"
    function = binary_cross_entropy


def binary_cross_entropy_with_logits(
    input: Operand,
    target: Operand,
    weight: Operand | None = None,
    reduction: str = "mean",
    pos_weight: Operand | None = None,
) -> Expr:
    """-(t log σ(x) + (1 - t) log(1 - σ(x))) of logits x = input and targets t in [0, 1] of the same shape.

    weight      a factor of every term, broadcast to the input; "mean" divides by the number of terms all the same
    pos_weight  a factor of the first part, broadcast to the input: above 1, missing a positive costs more
    """
    loss = "binary_cross_entropy_with_logits"
    check_reduction(reduction)
    x, t = same_shape(loss, input, target)
    if pos_weight is None:
        values = bernoulli_logit_nll(x, t)
    else:
        values = factors(loss, "pos_weight", pos_weight, x) * t * ops.softplus(-x) + (1.0 - t) * ops.softplus(x)
    if weight is not None:
        values = factors(loss, "weight", weight, x) * values
    return reduce(values, reduction)


@dataclass(eq=False)
class BCEWithLogitsLoss(Loss):
    """`binary_cross_entropy_with_logits` with its settings."""

    weight: Operand | None = None
    reduction: str = "mean"
    pos_weight: Operand | None = None
    function = binary_cross_entropy_with_logits


def multilabel_soft_margin_loss(
    input: Operand, target: Operand, weight: Operand | None = None, reduction: str = "mean"
) -> Expr:
    """Binary cross entropy of logits [N, C] (or [C], [N, …, C]), averaged over the classes; targets of the same shape.

    weight  a factor for each class, broadcast to the input
    """
    loss = "multilabel_soft_margin_loss"
    check_reduction(reduction)
    x, t = same_shape(loss, input, target)
    if not x.ndim:
        raise ShapeError(f"{loss}: expected logits with a class axis ([N, C] or [C]), got a scalar")
    values = bernoulli_logit_nll(x, t)
    if weight is not None:
        values = factors(loss, "weight", weight, x) * values
    return reduce(ops.mean(values, axis=-1), reduction)


@dataclass(eq=False)
class MultiLabelSoftMarginLoss(Loss):
    """`multilabel_soft_margin_loss` with its settings."""

    weight: Operand | None = None
    reduction: str = "mean"
    function = multilabel_soft_margin_loss


def soft_margin_loss(input: Operand, target: Operand, reduction: str = "mean") -> Expr:
    """log(1 + exp(-t x)) of scores x = input and targets t of 1 and -1, of the same shape."""
    check_reduction(reduction)
    x, t = same_shape("soft_margin_loss", input, target)
    return reduce(ops.softplus(-(t * x)), reduction)


@dataclass(eq=False)
class SoftMarginLoss(Loss):
    """`soft_margin_loss` with its settings."""

    reduction: str = "mean"
    function = soft_margin_loss
