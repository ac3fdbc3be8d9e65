"""Losses that ask for a distance between right and wrong, and for no more than that."""

from __future__ import annotations

from dataclasses import dataclass

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.losses.common import (
    Loss,
    at_least,
    check_classes,
    check_float,
    check_indices,
    check_reduction,
    reduce,
    same_shape,
)
from symnet.ops.coerce import operands
from symnet.ops.leaves import Operand

__all__ = [
    "HingeEmbeddingLoss", "MarginRankingLoss", "MultiLabelMarginLoss", "MultiMarginLoss", "hinge_embedding_loss",
    "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss",
]  # fmt: skip


def hinge_embedding_loss(input: Operand, target: Operand, margin: float = 1.0, reduction: str = "mean") -> Expr:
    """x = input where the target is 1, max(0, margin - x) where it is -1; of one shape.

    For x a distance: pairs that belong together come close, others stay `margin` apart. (Both terms count where the
    target is neither, as in PyTorch.)
    """
    check_reduction(reduction)
    x, t = same_shape("hinge_embedding_loss", input, target)
    values = ops.where(t != -1.0, x, 0.0) + ops.where(t != 1.0, at_least(margin - x, 0.0), 0.0)
    return reduce(values, reduction)


@dataclass(eq=False)
class HingeEmbeddingLoss(Loss):
    """`hinge_embedding_loss` with its settings."""

    margin: float = 1.0
    reduction: str = "mean"
    function = hinge_embedding_loss


def margin_ranking_loss(
    input1: Operand, input2: Operand, target: Operand, margin: float = 0.0, reduction: str = "mean"
) -> Expr:
    """max(0, margin - t (input1 - input2)): the first is to be larger where t = target is 1.

    Where it is -1 the second is. The three have the same number of axes and broadcast.
    """
    loss = "margin_ranking_loss"
    check_reduction(reduction)
    first, second, t = operands(loss, [ops.constant(value) for value in (input1, input2, target)])
    check_float(loss, "inputs", first)
    if not first.ndim == second.ndim == t.ndim:
        raise ShapeError(
            f"{loss}: expected inputs and target with the same number of axes, got {dims.show(first.shape)}, "
            f"{dims.show(second.shape)} and {dims.show(t.shape)}"
        )
    return reduce(at_least(margin - t * (first - second), 0.0), reduction)


@dataclass(eq=False)
class MarginRankingLoss(Loss):
    """`margin_ranking_loss` with its settings: called on input1, input2 and target."""

    margin: float = 0.0
    reduction: str = "mean"
    function = margin_ranking_loss


def multi_margin_loss(
    input: Operand,
    target: Operand,
    p: int = 1,
    margin: float = 1.0,
    weight: Operand | None = None,
    reduction: str = "mean",
) -> Expr:
    """Σ max(0, margin - x_y + x_i)ᵖ / C over the classes i other than the target y, for each row x of the input.

    input   [N, C], or [C] for one example
    target  class indices [N], or a scalar
    p       1 or 2
    weight  [C], a factor of the rows by their target
    """
    loss = "multi_margin_loss"
    check_reduction(reduction)
    if p not in (1, 2):
        raise UsageError(f"{loss}: p is 1 or 2, got {p}")
    x, y = ops.constant(input), ops.constant(target)
    check_classes(loss, x)
    check_indices(loss, y, x.shape[:-1], x)
    classes, own = x.shape[-1], ops.expand_dims(y, -1)
    missed = ops.relu(margin - ops.take_along_axis(x, own, axis=-1) + x)
    values = ops.where(ops.iota(classes) != own, missed if p == 1 else ops.square(missed), 0.0)
    if weight is not None:
        shares = ops.constant(weight)
        if shares.shape != (classes,):
            raise ShapeError(f"{loss}: expected a weight for each class, [{classes}], got {dims.show(shares.shape)}")
        values = ops.take(ops.cast(shares, x.dtype), own, axis=0) * values
    return reduce(ops.mean(values, axis=-1), reduction)


@dataclass(eq=False)
class MultiMarginLoss(Loss):
    """`multi_margin_loss` with its settings."""

    p: int = 1
    margin: float = 1.0
    weight: Operand | None = None
    reduction: str = "mean"
    function = multi_margin_loss


def multilabel_margin_loss(input: Operand, target: Operand, reduction: str = "mean") -> Expr:
    """Σ max(0, 1 - (x_j - x_i)) / C over the target classes j and all other classes i, for each row x of the input.

    input   [N, C], or [C] for one example
    target  class indices of the same shape; those of a row end where the first negative number stands
    """
    loss = "multilabel_margin_loss"
    check_reduction(reduction)
    x, y = ops.constant(input), ops.constant(target)
    check_classes(loss, x)
    check_indices(loss, y, x.shape, x)
    wanted = ops.equal(ops.cumsum(ops.cast(y < 0, "int64"), axis=-1), 0)
    index = ops.where(wanted, y, 0)
    # Rows of pairs: axis -2 runs over the target's entries j, axis -1 over the classes i.
    chosen = ops.expand_dims(wanted, -1)
    is_target = ops.any(ops.logical_and(chosen, ops.expand_dims(index, -1) == ops.iota(x.shape[-1])), axis=-2)
    own = ops.expand_dims(ops.take_along_axis(x, index, axis=-1), -1)
    missed = ops.relu(1.0 - own + ops.expand_dims(x, -2))
    counted = ops.logical_and(chosen, ops.expand_dims(ops.logical_not(is_target), -2))
    total = ops.sum(ops.where(counted, missed, 0.0), axis=-2)
    return reduce(ops.mean(total, axis=-1), reduction)


@dataclass(eq=False)
class MultiLabelMarginLoss(Loss):
    """`multilabel_margin_loss` with its settings."""

    reduction: str = "mean"
    function = multilabel_margin_loss
