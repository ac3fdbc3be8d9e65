"""What losses share: how they reduce, and the checks of their operands."""

from __future__ import annotations

from symnet import ops
from symnet.errors import DTypeError, ShapeError, UsageError, nearest
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str) -> str:
    """`reduction` if it is "none", "mean" or "sum"."""
    if reduction not in REDUCTIONS:
        raise UsageError(f"there is no reduction {reduction!r}{nearest(reduction, REDUCTIONS)}")
    return reduction


def reduce(values: Expr, reduction: str) -> Expr:
    """The values themselves, their mean or their sum."""
    if reduction == "mean":
        return ops.mean(values)
    return ops.sum(values) if reduction == "sum" else values


def check_float(loss: str, what: str, value: Expr) -> None:
    if not dtypes.is_float(value.dtype):
        raise DTypeError(f"{loss}: expected {what} of type float32 or float64, got {value.dtype}")


def check_same_shape(loss: str, given: Expr, target: Expr) -> None:
    """Broadcasting the two, as [N, 1] against [N], would silently compare every pair."""
    if given.shape != target.shape:
        raise ShapeError(
            f"{loss}: expected a target of the input's shape {dims.show(given.shape)}, got {dims.show(target.shape)}; "
            "reshape or broadcast one of them first"
        )
