"""Keras's losses of classifiers, on probabilities or (from_logits=True) on logits.

Probabilities are limited to [1e-7, 1 - 1e-7] before their logarithm is taken; where a limit holds, the derivative is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from symnet import ops
from symnet.errors import ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.keras.losses.base import EPSILON, LossOf, prepare
from symnet.losses.common import size_of
from symnet.ops.coerce import axis_of
from symnet.ops.leaves import Operand
from symnet.ops.loss_terms import bernoulli_logit_nll, bernoulli_nll

__all__ = [
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy", "SparseCategoricalCrossentropy", "binary_crossentropy",
    "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy", "sparse_categorical_crossentropy",
]  # fmt: skip


def _limited(p: Expr) -> Expr:
    return ops.clip(p, EPSILON, 1.0 - EPSILON)


def _normalised(p: Expr, axis: int) -> Expr:
    """Probabilities that sum to 1."""
    return _limited(p / ops.sum(p, axis=axis, keepdims=True))


def _smoothed_binary(y: Expr, label_smoothing: float) -> Expr:
    return y * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y


def _smoothed(y: Expr, label_smoothing: float) -> Expr:
    """A share of each target spread evenly over the classes, which are counted on the last axis whatever `axis` is."""
    return y * (1.0 - label_smoothing) + label_smoothing / size_of(y.shape[-1], y.dtype) if label_smoothing else y


def binary_crossentropy(
    y_true: Operand, y_pred: Operand, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Expr:
    """The mean of -y log p - (1 - y) log(1 - p) along `axis`; smoothing moves the targets y towards 1/2."""
    y, p = prepare("binary_crossentropy", y_true, y_pred)
    y = _smoothed_binary(y, label_smoothing)
    return ops.mean(bernoulli_logit_nll(p, y) if from_logits else bernoulli_nll(_limited(p), y), axis=axis)


@dataclass(eq=False)
class BinaryCrossentropy(LossOf):
    """`binary_crossentropy`, reduced."""

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "binary_crossentropy"
    dtype: object = None
    function = binary_crossentropy


def binary_focal_crossentropy(
    y_true: Operand,
    y_pred: Operand,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Expr:
    """The mean of (1 - q)^gamma times binary cross entropy, q the probability given to the target (Lin et al. 2018).

    apply_class_balancing  weights ones by alpha and zeros by 1 - alpha
    """
    y, p = prepare("binary_focal_crossentropy", y_true, y_pred)
    y = _smoothed_binary(y, label_smoothing)
    if from_logits:
        p = ops.sigmoid(p)
    given = y * p + (1.0 - y) * (1.0 - p)
    values = ops.power(1.0 - given, gamma) * bernoulli_nll(_limited(p), y)
    if apply_class_balancing:
        values = (y * alpha + (1.0 - y) * (1.0 - alpha)) * values
    return ops.mean(values, axis=axis)


@dataclass(eq=False)
class BinaryFocalCrossentropy(LossOf):
    """`binary_focal_crossentropy`, reduced."""

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "binary_focal_crossentropy"
    dtype: object = None
    function = binary_focal_crossentropy


def categorical_crossentropy(
    y_true: Operand, y_pred: Operand, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Expr:
    """-Σ y log p along `axis`, for probabilities p (made to sum to 1) or logits; targets y are probabilities."""
    y, p = prepare("categorical_crossentropy", y_true, y_pred)
    log_p = ops.log_softmax(p, axis=axis) if from_logits else ops.log(_normalised(p, axis))
    return -ops.sum(_smoothed(y, label_smoothing) * log_p, axis=axis)


@dataclass(eq=False)
class CategoricalCrossentropy(LossOf):
    """`categorical_crossentropy`, reduced."""

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "categorical_crossentropy"
    dtype: object = None
    function = categorical_crossentropy


def categorical_focal_crossentropy(
    y_true: Operand,
    y_pred: Operand,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Expr:
    """-Σ alpha (1 - p)^gamma y log p along `axis` (Lin et al. 2018)."""
    y, p = prepare("categorical_focal_crossentropy", y_true, y_pred)
    p = _normalised(ops.softmax(p, axis=axis) if from_logits else p, axis)
    terms = ops.power(1.0 - p, gamma) * _smoothed(y, label_smoothing) * ops.log(p)
    return -alpha * ops.sum(terms, axis=axis)


@dataclass(eq=False)
class CategoricalFocalCrossentropy(LossOf):
    """`categorical_focal_crossentropy`, reduced."""

    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "categorical_focal_crossentropy"
    dtype: object = None
    function = categorical_focal_crossentropy


def sparse_categorical_crossentropy(
    y_true: Operand,
    y_pred: Operand,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Expr:
    """-log p at the target class, for probabilities p (made to sum to 1) or logits with their classes on `axis`.

    y_true        class indices of y_pred's shape without that axis, or with an axis of size 1 in its place
    ignore_class  a target whose loss is 0 (`SparseCategoricalCrossentropy` averages over the others)
    """
    p = ops.constant(y_pred)
    axis = axis_of("sparse_categorical_crossentropy", axis, p.ndim)
    target = _class_indices(y_true, p, axis)
    counts = None if ignore_class is None else ops.not_equal(target, ignore_class)
    index = ops.expand_dims(target if counts is None else ops.where(counts, target, 0), axis)
    log_p = ops.log_softmax(p, axis=axis) if from_logits else ops.log(_normalised(p, axis))
    losses = -ops.squeeze(ops.take_along_axis(log_p, index, axis=axis), axis)
    return losses if counts is None else ops.where(counts, losses, 0.0)


def _class_indices(y_true: Operand, p: Expr, axis: int) -> Expr:
    target, expected = ops.constant(y_true), (*p.shape[:axis], *p.shape[axis + 1 :])
    if target.ndim == p.ndim and target.shape[axis] == 1:
        target = ops.squeeze(target, axis)
    if target.shape != expected:
        raise ShapeError(
            f"sparse_categorical_crossentropy: expected class indices of shape {dims.show(expected)} for y_pred "
            f"{dims.show(p.shape)}, got {dims.show(target.shape)}"
        )
    return target if dtypes.is_int(target.dtype) else ops.cast(target, "int64")


@dataclass(eq=False)
class SparseCategoricalCrossentropy(LossOf):
    """`sparse_categorical_crossentropy`, reduced; what is ignored does not count in averages."""

    from_logits: bool = False
    ignore_class: int | None = None
    reduction: str | None = "sum_over_batch_size"
    axis: int = -1
    name: str | None = "sparse_categorical_crossentropy"
    dtype: object = None
    function = sparse_categorical_crossentropy

    def counted(self, y_true: Expr, y_pred: Expr) -> Expr | None:
        if self.ignore_class is None:
            return None
        return ops.not_equal(_class_indices(y_true, y_pred, self.axis % y_pred.ndim), self.ignore_class)


def categorical_generalized_cross_entropy(y_true: Operand, y_pred: Operand, q: float) -> Expr:
    """(1 - p^q) / q for the probability p of the target class, robust against wrong labels (Zhang and Sabuncu 2018).

    y_true  class indices of y_pred's shape without the last axis
    """
    p = ops.constant(y_pred)
    index = ops.expand_dims(_class_indices(y_true, p, p.ndim - 1), -1)
    return (1.0 - ops.power(ops.squeeze(ops.take_along_axis(p, index, axis=-1), -1), q)) / q


@dataclass(eq=False)
class CategoricalGeneralizedCrossEntropy(LossOf):
    """`categorical_generalized_cross_entropy`, reduced."""

    q: float = 0.5
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "categorical_generalized_cross_entropy"
    dtype: object = None
    function = categorical_generalized_cross_entropy
