"""Keras's losses between real numbers: each averages over the last axis."""

from __future__ import annotations

from dataclasses import dataclass

from symnet import ops
from symnet.expr.node import Expr
from symnet.keras.losses.base import EPSILON, LossOf, prepare
from symnet.losses.common import at_least
from symnet.ops import linalg, loss_terms
from symnet.ops.leaves import Operand

__all__ = [
    "CosineSimilarity", "Huber", "LogCosh", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "cosine_similarity", "huber", "log_cosh", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
]  # fmt: skip


def mean_squared_error(y_true: Operand, y_pred: Operand) -> Expr:
    """The mean of (y_true - y_pred)² over the last axis."""
    y, p = prepare("mean_squared_error", y_true, y_pred)
    return ops.mean(ops.square(y - p), axis=-1)


@dataclass(eq=False)
class MeanSquaredError(LossOf):
    """`mean_squared_error`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "mean_squared_error"
    dtype: object = None
    function = mean_squared_error


def mean_absolute_error(y_true: Operand, y_pred: Operand) -> Expr:
    """The mean of |y_true - y_pred| over the last axis."""
    y, p = prepare("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.absolute(y - p), axis=-1)


@dataclass(eq=False)
class MeanAbsoluteError(LossOf):
    """`mean_absolute_error`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "mean_absolute_error"
    dtype: object = None
    function = mean_absolute_error


def mean_absolute_percentage_error(y_true: Operand, y_pred: Operand) -> Expr:
    """100 times the mean of |y_true - y_pred| / max(|y_true|, 1e-7) over the last axis."""
    y, p = prepare("mean_absolute_percentage_error", y_true, y_pred)
    return 100.0 * ops.mean(ops.absolute((y - p) / at_least(ops.absolute(y), EPSILON)), axis=-1)


@dataclass(eq=False)
class MeanAbsolutePercentageError(LossOf):
    """`mean_absolute_percentage_error`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "mean_absolute_percentage_error"
    dtype: object = None
    function = mean_absolute_percentage_error


def mean_squared_logarithmic_error(y_true: Operand, y_pred: Operand) -> Expr:
    """The mean of (log(1 + y_true) - log(1 + y_pred))² over the last axis; both are at least 1e-7."""
    y, p = prepare("mean_squared_logarithmic_error", y_true, y_pred)
    difference = ops.log1p(at_least(p, EPSILON)) - ops.log1p(at_least(y, EPSILON))
    return ops.mean(ops.square(difference), axis=-1)


@dataclass(eq=False)
class MeanSquaredLogarithmicError(LossOf):
    """`mean_squared_logarithmic_error`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "mean_squared_logarithmic_error"
    dtype: object = None
    function = mean_squared_logarithmic_error


def cosine_similarity(y_true: Operand, y_pred: Operand, axis: int = -1) -> Expr:
    """The negative cosine of the angle between vectors along `axis`: -1 for the same direction; 0 if one is zero."""
    y, p = prepare("cosine_similarity", y_true, y_pred)
    units = [v / at_least(linalg.vector_norm(v, axis=axis, keepdims=True), EPSILON) for v in (y, p)]
    return -ops.sum(units[0] * units[1], axis=axis)


@dataclass(eq=False)
class CosineSimilarity(LossOf):
    """`cosine_similarity`, reduced."""

    axis: int = -1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "cosine_similarity"
    dtype: object = None
    function = cosine_similarity


def huber(y_true: Operand, y_pred: Operand, delta: float = 1.0) -> Expr:
    """The mean over the last axis of d²/2 where |d| ≤ delta, else delta (|d| - delta/2), for d = y_pred - y_true."""
    y, p = prepare("huber", y_true, y_pred)
    return ops.mean(loss_terms.huber(p - y, delta), axis=-1)


@dataclass(eq=False)
class Huber(LossOf):
    """`huber`, reduced."""

    delta: float = 1.0
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "huber_loss"
    dtype: object = None
    function = huber


def log_cosh(y_true: Operand, y_pred: Operand) -> Expr:
    """The mean of log cosh(y_pred - y_true) over the last axis."""
    y, p = prepare("log_cosh", y_true, y_pred)
    return ops.mean(loss_terms.log_cosh(p - y), axis=-1)


@dataclass(eq=False)
class LogCosh(LossOf):
    """`log_cosh`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "log_cosh"
    dtype: object = None
    function = log_cosh
