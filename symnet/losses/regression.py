"""Losses between real numbers."""

from __future__ import annotations

from symnet import ops
from symnet.expr.node import Expr
from symnet.losses.common import check_float, check_reduction, check_same_shape, reduce
from symnet.ops.leaves import Operand

__all__ = ["MSELoss", "mse_loss"]


def mse_loss(input: Operand, target: Operand, reduction: str = "mean") -> Expr:
    """(input - target)², of two arrays of one shape; a scalar, or their shape when `reduction` is "none"."""
    check_reduction(reduction)
    given, wanted = ops.constant(input), ops.constant(target)
    check_same_shape("mse_loss", given, wanted)
    difference = given - wanted
    check_float("mse_loss", "the difference of input and target to be", difference)
    return reduce(ops.square(difference), reduction)


class MSELoss:
    """`mse_loss` with its settings."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = check_reduction(reduction)

    def __call__(self, input: Operand, target: Operand) -> Expr:
        return mse_loss(input, target, self.reduction)

    def __repr__(self) -> str:
        return f"MSELoss(reduction={self.reduction!r})"
