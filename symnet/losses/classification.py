"""Losses of classifiers: the negative logarithm of the target class's probability."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from symnet import ops
from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.losses.common import Loss, check_float, check_reduction, reduce, size_of
from symnet.ops.leaves import Operand
from symnet.ops.usually import usually

__all__ = ["CrossEntropyLoss", "NLLLoss", "cross_entropy", "nll_loss"]


class _Default(int):
    """The number -100 where nobody asked for it."""


BY_DEFAULT = _Default(-100)
"""The target that is ignored unless told otherwise, as in PyTorch; formulas take for granted that there is none."""


def cross_entropy(
    input: Operand,
    target: Operand,
    weight: Operand | None = None,
    ignore_index: int | None = BY_DEFAULT,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Expr:
    """-log softmax(input) at the target class.

    input   logits [N, C, …], classes on axis 1, or [C] for one example
    target  class indices, integers of the input's shape without the class axis; or probabilities, floats of its shape
    weight  [C], a factor for each class

    With indices, "mean" divides by the sum of the targets' weights (by their number without weights); with
    probabilities by the number of examples. Targets equal to `ignore_index` count for nothing; if all do, the mean is
    nan. Every other target outside 0 … C-1 is an error when the program runs.

    As in PyTorch -100 is ignored unless told otherwise. Formulas, and the programs made from them, take for granted
    that no target is; a program that meets one is compiled again with the mask, and goes on. Derivatives taken by hand
    (`sn.grad` for an `sn.function`) are written without the mask and computed with it. None ignores nothing.
    """
    check_reduction(reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise UsageError(f"cross_entropy: label_smoothing is between 0 and 1, got {label_smoothing}")
    logits, wanted = ops.constant(input), ops.constant(target)
    check_float("cross_entropy", "logits", logits)
    axis = _class_axis("cross_entropy", logits)
    factors = None if weight is None else _class_weights("cross_entropy", ops.constant(weight), logits, axis)
    log_p = ops.log_softmax(logits, axis=axis)
    if not dtypes.is_float(wanted.dtype):
        return _of_indices("cross_entropy", log_p, wanted, axis, factors, ignore_index, reduction, label_smoothing)
    if ignore_index is not None and ignore_index >= 0:
        raise UsageError("cross_entropy: ignore_index is for class indices; these targets are probabilities (floats)")
    return _of_probabilities(log_p, wanted, axis, factors, reduction, label_smoothing)


def _class_axis(loss: str, values: Expr) -> int:
    """Classes are on axis 1; one example has no axis before them."""
    if values.ndim == 0:
        raise ShapeError(f"{loss}: expected an input with a class axis ([N, C, …] or [C]), got a scalar")
    return 0 if values.ndim == 1 else 1


def _class_weights(loss: str, weight: Expr, logits: Expr, axis: int) -> Expr:
    """The weights [C] in the type of the logits, shaped so that they broadcast along the class axis: [C, 1, …]."""
    classes = logits.shape[axis]
    if weight.shape != (classes,):
        raise ShapeError(f"{loss}: expected a weight for each class, [{classes}], got {dims.show(weight.shape)}")
    shaped = ops.reshape(weight, (classes, *(1,) * (logits.ndim - 1 - axis)))
    return ops.cast(shaped, logits.dtype)


def _of_indices(
    loss_name: str,
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
            f"{loss_name}: expected class indices of shape {dims.show(expected)} for an input "
            f"{dims.show(log_p.shape)}, got {dims.show(target.shape)}"
        )
    if ignore_index is not BY_DEFAULT and ignore_index is not None:
        _check_index(loss_name, ignore_index)
    if ignore_index is BY_DEFAULT:
        plain = _form(log_p, target, axis, weight, None, reduction, smoothing)
        exact = _form(log_p, target, axis, weight, -100, reduction, smoothing)
        return usually(plain, exact, unless="a target is -100")
    return _form(log_p, target, axis, weight, ignore_index, reduction, smoothing)


def _check_index(loss_name: str, ignore_index: object) -> None:
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, Integral):
        raise DTypeError(f"{loss_name}: ignore_index is {ignore_index!r}, expected an integer (None ignores nothing)")


def _form(
    log_p: Expr,
    target: Expr,
    axis: int,
    weight: Expr | None,
    ignore_index: int | None,
    reduction: str,
    smoothing: float,
) -> Expr:
    mask = None if ignore_index is None else ops.not_equal(target, ignore_index)
    index = ops.expand_dims(target if mask is None else ops.where(mask, target, 0), axis)

    def at_target(values: Expr) -> Expr:
        return ops.squeeze(ops.take_along_axis(values, index, axis=axis), axis)

    if weight is None:
        loss, share, over_classes = -at_target(log_p), None, log_p
    else:
        share, over_classes = at_target(ops.broadcast_to(weight, log_p.shape)), weight * log_p
        loss = -share * at_target(log_p)
    if smoothing:
        spread = -ops.sum(over_classes, axis=axis)
        loss = (1.0 - smoothing) * loss + (smoothing / size_of(log_p.shape[axis], log_p.dtype)) * spread
    if mask is not None:
        loss = ops.where(mask, loss, 0.0)
        share = ops.where(mask, 1.0 if share is None else share, ops.constant(0.0, log_p.dtype))
    if reduction == "mean" and share is not None:
        return ops.sum(loss) / ops.sum(share)
    return reduce(loss, reduction)


def _of_probabilities(
    log_p: Expr, target: Expr, axis: int, weight: Expr | None, reduction: str, smoothing: float
) -> Expr:
    if target.shape != log_p.shape:
        raise ShapeError(
            f"cross_entropy: expected probabilities of the logits' shape {dims.show(log_p.shape)}, "
            f"got {dims.show(target.shape)} (class indices are integers)"
        )
    if smoothing:
        target = (1.0 - smoothing) * target + (smoothing / size_of(log_p.shape[axis], log_p.dtype))
    if weight is not None:
        target = weight * target
    return reduce(-ops.sum(target * log_p, axis=axis), reduction)


@dataclass(eq=False)
class CrossEntropyLoss(Loss):
    """`cross_entropy` with its settings."""

    weight: Operand | None = None
    ignore_index: int | None = BY_DEFAULT
    reduction: str = "mean"
    label_smoothing: float = 0.0
    function = cross_entropy


def nll_loss(
    input: Operand,
    target: Operand,
    weight: Operand | None = None,
    ignore_index: int | None = BY_DEFAULT,
    reduction: str = "mean",
) -> Expr:
    """-input at the target class: cross entropy for an input of log-probabilities [N, C, …] or [C].

    target  class indices, integers of the input's shape without the class axis
    weight  [C], a factor for each class; "mean" divides by the sum of the targets' weights

    What is said about `ignore_index` and other targets is as for `cross_entropy`.
    """
    check_reduction(reduction)
    log_p, wanted = ops.constant(input), ops.constant(target)
    check_float("nll_loss", "log-probabilities", log_p)
    if not dtypes.is_int(wanted.dtype):
        raise DTypeError(f"nll_loss: expected class indices (int32 or int64), got {wanted.dtype}")
    axis = _class_axis("nll_loss", log_p)
    factors = None if weight is None else _class_weights("nll_loss", ops.constant(weight), log_p, axis)
    return _of_indices("nll_loss", log_p, wanted, axis, factors, ignore_index, reduction, 0.0)


@dataclass(eq=False)
class NLLLoss(Loss):
    """`nll_loss` with its settings."""

    weight: Operand | None = None
    ignore_index: int | None = BY_DEFAULT
    reduction: str = "mean"
    function = nll_loss
