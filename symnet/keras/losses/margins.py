"""Keras's hinge losses."""

from __future__ import annotations

from dataclasses import dataclass

from symnet import ops
from symnet.expr.node import Expr
from symnet.keras.losses.base import LossOf, prepare
from symnet.ops.leaves import Operand

__all__ = ["CategoricalHinge", "Hinge", "SquaredHinge", "categorical_hinge", "hinge", "squared_hinge"]


def _signs(y: Expr) -> Expr:
    """Targets of 0 and 1 as -1 and 1, if there are no others among them."""
    binary = ops.all(ops.logical_or(y == 0.0, y == 1.0))
    return ops.where(binary, 2.0 * y - 1.0, y)


def hinge(y_true: Operand, y_pred: Operand) -> Expr:
    """The mean of max(0, 1 - y_true y_pred) over the last axis; targets are -1 and 1, or 0 and 1."""
    y, p = prepare("hinge", y_true, y_pred)
    return ops.mean(ops.maximum(1.0 - _signs(y) * p, 0.0), axis=-1)


@dataclass(eq=False)
class Hinge(LossOf):
    """`hinge`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "hinge"
    dtype: object = None
    function = hinge


def squared_hinge(y_true: Operand, y_pred: Operand) -> Expr:
    """The mean of max(0, 1 - y_true y_pred)² over the last axis; targets are -1 and 1, or 0 and 1."""
    y, p = prepare("squared_hinge", y_true, y_pred)
    return ops.mean(ops.square(ops.maximum(1.0 - _signs(y) * p, 0.0)), axis=-1)


@dataclass(eq=False)
class SquaredHinge(LossOf):
    """`squared_hinge`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "squared_hinge"
    dtype: object = None
    function = squared_hinge


def categorical_hinge(y_true: Operand, y_pred: Operand) -> Expr:
    """max(0, 1 + max((1 - y_true) y_pred) - Σ y_true y_pred) along the last axis; targets are one-hot."""
    y, p = prepare("categorical_hinge", y_true, y_pred)
    right, wrong = ops.sum(y * p, axis=-1), ops.max((1.0 - y) * p, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


@dataclass(eq=False)
class CategoricalHinge(LossOf):
    """`categorical_hinge`, reduced."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "categorical_hinge"
    dtype: object = None
    function = categorical_hinge
