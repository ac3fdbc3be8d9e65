"""What Keras's losses share: how the losses of the examples become one number, and the classes with the settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, ClassVar

from symnet import ops
from symnet.errors import ShapeError, Unsupported, UsageError, nearest
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.ops.leaves import Operand

EPSILON = 1e-7
"""keras.config.epsilon(): where probabilities and divisors are limited."""
REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


def check_reduction(reduction: str | None) -> str | None:
    """`reduction` if Keras has it."""
    if reduction not in REDUCTIONS:
        raise UsageError(f"there is no reduction {reduction!r}{nearest(str(reduction), REDUCTIONS)}")
    return reduction


def prepare(loss: str, y_true: Operand, y_pred: Operand) -> tuple[Expr, Expr]:
    """Targets and predictions of one shape, in the predictions' type (integers and conditions become float32)."""
    prediction, target = ops.constant(y_pred), ops.constant(y_true)
    if not dtypes.is_float(prediction.dtype):
        prediction = ops.cast(prediction, "float32")
    target, prediction = same_rank(ops.cast(target, prediction.dtype), prediction)
    if target.shape != prediction.shape:
        raise ShapeError(
            f"{loss}: expected y_true of y_pred's shape {dims.show(prediction.shape)}, got {dims.show(target.shape)}"
        )
    return target, prediction


def same_rank(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """Where one has a last axis of size 1 more than the other: [N] becomes [N, 1], of higher ranks it is dropped."""
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, ops.expand_dims(b, -1)) if b.ndim == 1 else (ops.squeeze(a, -1), b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (ops.expand_dims(a, -1), b) if a.ndim == 1 else (a, ops.squeeze(b, -1))
    return a, b


def reduce(values: Expr, sample_weight: Expr | None, counted: Expr | None, reduction: str | None) -> Expr:
    """The losses of the examples, weighted and reduced.

    sample_weight  a factor of each value, broadcast to them
    counted        where a value counts (None: everywhere)

    "sum_over_batch_size" and "mean" divide the sum by the number of values that count, whatever their weights;
    "mean_with_sample_weight" by the sum of the weights. A scalar is not reduced.
    """
    share = _shares(sample_weight, counted, reduction, values.dtype)
    if share is not None:
        values, share = same_rank(values, share)
        values = values * share
    if reduction in (None, "none") or values.shape == ():
        return values
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "mean_with_sample_weight" and share is not None:
        return _ratio(ops.sum(values), ops.sum(share))
    return ops.mean(values)


def _shares(sample_weight: Expr | None, counted: Expr | None, reduction: str | None, dtype: str) -> Expr | None:
    """The weights of the values; with "mean", those that count are weighted as if they were all there is."""
    weight = None if sample_weight is None else ops.cast(sample_weight, dtype)
    if counted is None:
        return weight
    share: Expr | float = 1.0
    if reduction in ("sum_over_batch_size", "mean"):
        share = _ratio(ops.constant(1.0, dtype), ops.mean(ops.cast(counted, dtype)))
    mask = ops.where(counted, share, ops.constant(0.0, dtype))
    if weight is None:
        return mask
    mask, weight = same_rank(mask, weight)
    return mask * weight


def _ratio(a: Expr, b: Expr) -> Expr:
    """a / b, and 0 for b = 0."""
    nothing = ops.equal(b, 0.0)
    return ops.where(nothing, 0.0, a / ops.where(nothing, 1.0, b))


class Loss:
    """A loss: `loss(y_true, y_pred, sample_weight=None)` is an expression. A loss of your own has a `call`.

    reduction  "sum_over_batch_size" (the default), "mean", "mean_with_sample_weight", "sum", "none" or None
    name       what it is called
    dtype      what is computed in: "float32" or "float64"; None: the type of the predictions
    """

    name: str | None
    reduction: str | None
    dtype: object

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: object = None
    ) -> None:
        self.name = name or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()
        self.reduction = check_reduction(reduction)
        self.dtype = None if dtype is None else dtypes.canonical(dtype)

    def __call__(self, y_true: Operand, y_pred: Operand, sample_weight: Operand | None = None) -> Expr:
        """The reduced loss; `sample_weight` broadcasts to the losses of the examples."""
        target, prediction = ops.constant(y_true), ops.constant(y_pred)
        if self.dtype is not None:
            target, prediction = ops.cast(target, self.dtype), ops.cast(prediction, self.dtype)
        weight = None if sample_weight is None else ops.constant(sample_weight)
        return reduce(self.call(target, prediction), weight, self.counted(target, prediction), self.reduction)

    def call(self, y_true: Expr, y_pred: Expr) -> Expr:
        """The loss of each example."""
        raise Unsupported(f"{type(self).__name__} has no call(y_true, y_pred); write one that gives each loss")

    def counted(self, y_true: Expr, y_pred: Expr) -> Expr | None:
        """Where a loss counts (of the shape of the losses), None: everywhere."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, reduction={self.reduction!r})"


class LossOf(Loss):
    """A `Loss` made of its `function` of y_true and y_pred.

    A subclass is a dataclass: its fields are the settings of the function, in Keras's order, with `reduction`, `name`
    and `dtype` among them.
    """

    function: ClassVar[Callable[..., Expr]]

    def __post_init__(self) -> None:
        Loss.__init__(self, self.name, self.reduction, self.dtype)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the function."""
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return {name: getattr(self, name) for name in names if name not in ("reduction", "name", "dtype")}

    def call(self, y_true: Expr, y_pred: Expr) -> Expr:
        return type(self).function(y_true, y_pred, **self.settings)
