"""The functions of torch.nn.functional that are random in training."""

from __future__ import annotations

from collections.abc import Mapping

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Shape
from symnet.expr.node import Expr
from symnet.nn.activation_functions import leaky_relu
from symnet.ops import noise
from symnet.ops.leaves import Operand

__all__ = [
    "alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout",
    "rrelu",
]  # fmt: skip


def dropout(input: Operand, p: float = 0.5, training: bool = True, inplace: bool = False) -> Expr:
    """Every element 0 with probability p, else divided by 1 - p; in evaluation, and with training=False, x itself."""
    return _dropped("dropout", input, p, training)


def dropout1d(input: Operand, p: float = 0.5, training: bool = True, inplace: bool = False) -> Expr:
    """`dropout` of whole channels: x is [N, C, L] or [C, L], each [L] is dropped or kept."""
    return _channels_dropped("dropout1d", input, p, training, {3: 2, 2: 1})


def dropout2d(input: Operand, p: float = 0.5, training: bool = True, inplace: bool = False) -> Expr:
    """`dropout` of whole channels: x is [N, C, H, W] or [N, C, L], each [H, W] or [L] is dropped or kept.

    As in PyTorch, three axes have a batch.
    """
    return _channels_dropped("dropout2d", input, p, training, {4: 2, 3: 2})


def dropout3d(input: Operand, p: float = 0.5, training: bool = True, inplace: bool = False) -> Expr:
    """`dropout` of whole channels: x is [N, C, D, H, W] or [C, D, H, W], each [D, H, W] is dropped or kept."""
    return _channels_dropped("dropout3d", input, p, training, {5: 2, 4: 1})


def alpha_dropout(input: Operand, p: float = 0.5, training: bool = False, inplace: bool = False) -> Expr:
    """Dropout that keeps mean 0 and variance 1 of what selu gives: dropped elements become selu's lower limit."""
    x, p = ops.constant(input), _probability("alpha_dropout", p)
    return noise.alpha_dropout(x, p, x.shape) if training and p else x


def feature_alpha_dropout(input: Operand, p: float = 0.5, training: bool = False, inplace: bool = False) -> Expr:
    """`alpha_dropout` of whole channels: x is [N, C, …], each [N, C] is dropped or kept."""
    x, p = ops.constant(input), _probability("feature_alpha_dropout", p)
    if x.ndim < 2:
        raise ShapeError(f"feature_alpha_dropout: expected at least 2 axes [N, C, …], got {dims.show(x.shape)}")
    return noise.alpha_dropout(x, p, (*x.shape[:2], *(1,) * (x.ndim - 2))) if training and p else x


def rrelu(
    input: Operand, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Expr:
    """x where it is positive, else a x: a is drawn from [lower, upper) in training, in evaluation their mean."""
    if lower > upper:
        raise UsageError(f"rrelu: lower={lower} is above upper={upper}")
    x = ops.constant(input)
    return noise.rrelu(x, lower, upper) if training else leaky_relu(x, (lower + upper) / 2)


def _dropped(name: str, input: Operand, p: float, training: bool, shape: Shape | None = None) -> Expr:
    x, p = ops.constant(input), _probability(name, p)
    return noise.dropout(x, p, x.shape if shape is None else shape) if training and p else x


def _channels_dropped(name: str, input: Operand, p: float, training: bool, leading: Mapping[int, int]) -> Expr:
    """`leading`: for each number of axes that x may have, how many of them, the channels the last, are not one
    event."""
    x = ops.constant(input)
    if x.ndim not in leading:
        known = " or ".join(map(str, leading))
        raise ShapeError(f"{name}: expected an operand of {known} axes, got {dims.show(x.shape)}")
    kept = leading[x.ndim]
    return _dropped(name, input, p, training, (*x.shape[:kept], *(1,) * (x.ndim - kept)))


def _probability(name: str, p: float) -> float:
    if not 0.0 <= p <= 1.0:
        raise UsageError(f"{name}: p is {p!r}, expected a probability from 0 to 1")
    return float(p)
