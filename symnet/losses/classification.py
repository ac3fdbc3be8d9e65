"""Losses of classifiers, on logits."""

from __future__ import annotations

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.losses.common import check_float, check_reduction, check_same_shape, reduce
from symnet.ops.leaves import Operand

__all__ = ["BCEWithLogitsLoss", "CrossEntropyLoss", "binary_cross_entropy_with_logits", "cross_entropy"]


def cross_entropy(
    input: Operand,
    target: Operand,
    weight: Operand | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Expr:
    """-log softmax(input) at the target class.

    input   logits [N, C, …], classes on axis 1, or [C] for one example
    target  class indices, integers of the input's shape without the class axis; or probabilities, floats of its shape
    weight  [C], a factor for each class

    With indices, "mean" divides by the sum of the targets' weights (by their number without weights); with
    probabilities by the number of examples. Targets equal to `ignore_index` count for nothing; if all do, the mean is
    nan. Every other target outside 0 … C-1 is an error when the program runs. Unlike PyTorch, which ignores -100 unless
    told otherwise, nothing is ignored unless asked for: pass `ignore_index=-100`.
    """
    check_reduction(reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise UsageError(f"cross_entropy: label_smoothing is between 0 and 1, got {label_smoothing}")
    logits, wanted = ops.constant(input), ops.constant(target)
    check_float("cross_entropy", "logits", logits)
    if logits.ndim == 0:
        raise ShapeError("cross_entropy: expected logits with a class axis ([N, C, …] or [C]), got a scalar")
    axis = 0 if logits.ndim == 1 else 1
    factors = None if weight is None else _class_weights(ops.constant(weight), logits, axis)
    log_p = ops.log_softmax(logits, axis=axis)
    if not dtypes.is_float(wanted.dtype):
        return _of_indices(log_p, wanted, axis, factors, ignore_index, reduction, label_smoothing)
    if ignore_index is not None:
        raise UsageError("cross_entropy: ignore_index is for class indices; these targets are probabilities (floats)")
    return _of_probabilities(log_p, wanted, axis, factors, reduction, label_smoothing)


def _class_weights(weight: Expr, logits: Expr, axis: int) -> Expr:
    """The weights [C] in the type of the logits, shaped so that they broadcast along the class axis: [C, 1, …]."""
    classes = logits.shape[axis]
    if weight.shape != (classes,):
        raise ShapeError(f"cross_entropy: expected a weight for each class, [{classes}], got {dims.show(weight.shape)}")
    shaped = ops.reshape(weight, (classes, *(1,) * (logits.ndim - 1 - axis)))
    return ops.cast(shaped, logits.dtype)


def _of_indices(
    log_p: Expr,
    target: Expr,
    axis: int,
    weight: Expr | None,
    ignore_index: int | None,
    reduction: str,
    smoothing: float,
) -> Expr:
    expected = (*log_p.shape[:axis], *log_p.shape[axis + 1 :])
    if target.shape != expected:
        raise ShapeError(
            f"cross_entropy: expected class indices of shape {dims.show(expected)} for logits "
            f"{dims.show(log_p.shape)}, got {dims.show(target.shape)}"
        )
    counted = None if ignore_index is None else ops.not_equal(target, ignore_index)
    index = ops.expand_dims(target if counted is None else ops.where(counted, target, 0), axis)

    def at_target(values: Expr) -> Expr:
        return ops.squeeze(ops.take_along_axis(values, index, axis=axis), axis)

    if weight is None:
        loss, share, over_classes = -at_target(log_p), None, log_p
    else:
        share, over_classes = at_target(ops.broadcast_to(weight, log_p.shape)), weight * log_p
        loss = -share * at_target(log_p)
    if smoothing:
        spread = -ops.sum(over_classes, axis=axis)
        loss = (1.0 - smoothing) * loss + _share_of_one(log_p.shape[axis], log_p.dtype, smoothing) * spread
    if counted is not None:
        loss = ops.where(counted, loss, 0.0)
        share = ops.where(counted, 1.0 if share is None else share, ops.constant(0.0, log_p.dtype))
    if reduction == "mean" and share is not None:
        return ops.sum(loss) / ops.sum(share)
    return reduce(loss, reduction)


def _share_of_one(classes: Dim, dtype: str, total: float) -> Expr | float:
    """What each class gets of `total`."""
    return total / classes if isinstance(classes, int) else total / ops.dim(classes, dtype)


def _of_probabilities(
    log_p: Expr, target: Expr, axis: int, weight: Expr | None, reduction: str, smoothing: float
) -> Expr:
    if target.shape != log_p.shape:
        raise ShapeError(
            f"cross_entropy: expected probabilities of the logits' shape {dims.show(log_p.shape)}, "
            f"got {dims.show(target.shape)} (class indices are integers)"
        )
    if smoothing:
        target = (1.0 - smoothing) * target + _share_of_one(log_p.shape[axis], log_p.dtype, smoothing)
    if weight is not None:
        target = weight * target
    return reduce(-ops.sum(target * log_p, axis=axis), reduction)


class CrossEntropyLoss:
    """`cross_entropy` with its settings."""

    def __init__(
        self,
        weight: Operand | None = None,
        ignore_index: int | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.weight = None if weight is None else ops.constant(weight)
        self.ignore_index = ignore_index
        self.reduction = check_reduction(reduction)
        self.label_smoothing = label_smoothing

    def __call__(self, input: Operand, target: Operand) -> Expr:
        return cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )

    def __repr__(self) -> str:
        return (
            f"CrossEntropyLoss(weight={None if self.weight is None else '…'}, ignore_index={self.ignore_index}, "
            f"reduction={self.reduction!r}, label_smoothing={self.label_smoothing})"
        )


def binary_cross_entropy_with_logits(
    input: Operand,
    target: Operand,
    weight: Operand | None = None,
    reduction: str = "mean",
    pos_weight: Operand | None = None,
) -> Expr:
    """-(t log σ(x) + (1 - t) log(1 - σ(x))) of logits x and targets t in [0, 1] of the same shape.

    weight      a factor of every term, broadcast to the input; "mean" divides by the number of terms all the same
    pos_weight  a factor of the first part, broadcast to the input: above 1, missing a positive costs more
    """
    loss_name = "binary_cross_entropy_with_logits"
    check_reduction(reduction)
    x, t = ops.constant(input), ops.constant(target)
    check_same_shape(loss_name, x, t)
    check_float(loss_name, "logits", x)
    if pos_weight is None:
        values = ops.softplus(x) - t * x
    else:
        positive = _factors(loss_name, "pos_weight", ops.constant(pos_weight), x)
        values = (1.0 - t) * x + (1.0 + (positive - 1.0) * t) * ops.softplus(-x)
    if weight is not None:
        values = _factors(loss_name, "weight", ops.constant(weight), x) * values
    return reduce(values, reduction)


def _factors(loss: str, what: str, value: Expr, x: Expr) -> Expr:
    """Factors in the type of the input, whose shape they broadcast to."""
    try:
        fits = dims.broadcast(value.shape, x.shape) == x.shape
    except ShapeError:
        fits = False
    if not fits:
        raise ShapeError(
            f"{loss}: {what} of shape {dims.show(value.shape)} does not broadcast to the input {dims.show(x.shape)}"
        )
    return ops.cast(value, x.dtype)


class BCEWithLogitsLoss:
    """`binary_cross_entropy_with_logits` with its settings."""

    def __init__(
        self, weight: Operand | None = None, reduction: str = "mean", pos_weight: Operand | None = None
    ) -> None:
        self.weight = None if weight is None else ops.constant(weight)
        self.reduction = check_reduction(reduction)
        self.pos_weight = None if pos_weight is None else ops.constant(pos_weight)

    def __call__(self, input: Operand, target: Operand) -> Expr:
        return binary_cross_entropy_with_logits(
            input, target, weight=self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )

    def __repr__(self) -> str:
        given = [f"{name}=…" for name in ("weight", "pos_weight") if getattr(self, name) is not None]
        return f"BCEWithLogitsLoss({', '.join([*given, f'reduction={self.reduction!r}'])})"
