"""Keras's losses between distributions, counts, regions and sequences of labels."""

from __future__ import annotations

from dataclasses import dataclass

from symnet import ops
from symnet.errors import ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.keras.losses.base import EPSILON, LossOf, prepare
from symnet.losses.ctc import ctc_loss
from symnet.ops.coerce import Axes
from symnet.ops.leaves import Operand

__all__ = ["CTC", "Dice", "KLDivergence", "Poisson", "Tversky", "ctc", "dice", "kl_divergence", "poisson", "tversky"]


def kl_divergence(y_true: Operand, y_pred: Operand) -> Expr:
    """Σ y log(y / p) along the last axis, for probabilities y and p limited to [1e-7, 1]."""
    y, p = prepare("kl_divergence", y_true, y_pred)
    y, p = ops.clip(y, EPSILON, 1.0), ops.clip(p, EPSILON, 1.0)
    return ops.sum(y * ops.log(y / p), axis=-1)


@dataclass(eq=False)
class KLDivergence(LossOf):
    """`kl_divergence`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "kl_divergence"
    dtype: object = None
    function = kl_divergence


def poisson(y_true: Operand, y_pred: Operand) -> Expr:
    """The mean of p - y log(p + 1e-7) over the last axis, for counts y with means p."""
    y, p = prepare("poisson", y_true, y_pred)
    return ops.mean(p - y * ops.log(p + EPSILON), axis=-1)


@dataclass(eq=False)
class Poisson(LossOf):
    """`poisson`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "poisson"
    dtype: object = None
    function = poisson


def dice(y_true: Operand, y_pred: Operand, axis: Axes = None) -> Expr:
    """1 - 2 Σ y p / (Σ y + Σ p + 1e-7) over `axis` (None: all): how little two regions overlap."""
    y, p = prepare("dice", y_true, y_pred)
    return 1.0 - 2.0 * ops.sum(y * p, axis) / (ops.sum(y, axis) + ops.sum(p, axis) + EPSILON)


@dataclass(eq=False)
class Dice(LossOf):
    """`dice`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "dice"
    axis: Axes = None
    dtype: object = None
    function = dice


def tversky(y_true: Operand, y_pred: Operand, alpha: float = 0.5, beta: float = 0.5, axis: Axes = None) -> Expr:
    """1 - Σ y p / (Σ y p + alpha Σ y (1 - p) + beta Σ (1 - y) p + 1e-7) over `axis` (Salehi et al. 2017).

    As in Keras, alpha weights what the prediction misses and beta what it adds.
    """
    y, p = prepare("tversky", y_true, y_pred)
    both = ops.sum(y * p, axis)
    missed, added = ops.sum(y * (1.0 - p), axis), ops.sum((1.0 - y) * p, axis)
    return 1.0 - both / (both + alpha * missed + beta * added + EPSILON)


@dataclass(eq=False)
class Tversky(LossOf):
    """`tversky`, reduced."""

    alpha: float = 0.5
    beta: float = 0.5
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "tversky"
    axis: Axes = None
    dtype: object = None
    function = tversky


def ctc(y_true: Operand, y_pred: Operand) -> Expr:
    """The CTC loss of logits y_pred [N, T, C] and class indices y_true [N, S]; 0 is the blank and fills up the targets.

    A target is as long as it has elements that are not 0.
    """
    labels, logits = ops.constant(y_true), ops.constant(y_pred)
    if labels.ndim != 2 or logits.ndim != 3:
        raise ShapeError(
            f"ctc: expected y_true [N, S] and y_pred [N, T, C], got {dims.show(labels.shape)} and "
            f"{dims.show(logits.shape)}"
        )
    if not dtypes.is_int(labels.dtype):
        labels = ops.cast(labels, "int64")
    count, steps, _ = logits.shape
    times = ops.broadcast_to(ops.dim(steps, "int64"), (count,))
    log_p = ops.log_softmax(ops.transpose(logits, (1, 0, 2)), axis=-1)
    return ctc_loss(log_p, labels, times, ops.count_nonzero(labels, axis=1), reduction="none")


@dataclass(eq=False)
class CTC(LossOf):
    """`ctc`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "ctc"
    dtype: object = None
    function = ctc
