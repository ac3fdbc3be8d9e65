"""The layers of torch.nn that are random in training: dropout in its kinds, and the random leaky relu.

`inplace` is accepted where PyTorch has it and has no effect on any value.
"""

from __future__ import annotations

from typing import Any

from symnet.errors import UsageError
from symnet.expr.node import Expr
from symnet.nn import dropout_functions as F
from symnet.nn.module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout", "RReLU"]


class _Dropout(Module):
    """What is dropped with probability p in training and left alone in inference."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        if not 0.0 <= p <= 1.0:
            raise UsageError(f"{type(self).__name__}: p is {p!r}, expected a probability from 0 to 1")
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Each element 0 with probability p, else x / (1 - p) (Srivastava et al. 2014)."""

    def forward(self, x: Any) -> Expr:
        return F.dropout(x, self.p, self.training)


class Dropout1d(_Dropout):
    """`Dropout` of whole channels of [N, C, L] or [C, L] (Tompson et al. 2015)."""

    def forward(self, x: Any) -> Expr:
        return F.dropout1d(x, self.p, self.training)


class Dropout2d(_Dropout):
    """`Dropout` of whole channels of [N, C, H, W] or [N, C, L] (Tompson et al. 2015)."""

    def forward(self, x: Any) -> Expr:
        return F.dropout2d(x, self.p, self.training)


class Dropout3d(_Dropout):
    """`Dropout` of whole channels of [N, C, D, H, W] or [C, D, H, W] (Tompson et al. 2015)."""

    def forward(self, x: Any) -> Expr:
        return F.dropout3d(x, self.p, self.training)


class AlphaDropout(_Dropout):
    """Dropout for selu networks, which keeps mean 0 and variance 1 (Klambauer et al. 2017)."""

    def forward(self, x: Any) -> Expr:
        return F.alpha_dropout(x, self.p, self.training)


class FeatureAlphaDropout(_Dropout):
    """`AlphaDropout` of whole channels of [N, C, …]."""

    def forward(self, x: Any) -> Expr:
        return F.feature_alpha_dropout(x, self.p, self.training)


class RReLU(Module):
    """x where it is positive, else a x; each a is drawn from [lower, upper) in training (Xu et al. 2015).

    In inference a is the mean of the two.
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        if lower > upper:
            raise UsageError(f"RReLU: lower={lower} is above upper={upper}")
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, x: Any) -> Expr:
        return F.rrelu(x, self.lower, self.upper, self.training)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}{', inplace=True' if self.inplace else ''}"
