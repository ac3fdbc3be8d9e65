"""The activations of torch.nn as modules.

`inplace` is accepted where PyTorch has it and has no effect on any value: whether a result takes the memory of its
operand is the compiler's choice. RReLU, which draws random slopes, is in `symnet.nn.dropout`.
"""

from __future__ import annotations

from typing import Any

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.nn import activation_functions as F
from symnet.nn.init import constant
from symnet.nn.module import Module, Parameter

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
    "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax", "Softmax2d",
    "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class _Activation(Module):
    """An activation whose settings are the attributes that `settings` names, in the order of the repr."""

    settings: tuple[str, ...] = ()

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.settings)


class _InPlace(_Activation):
    """An activation without settings but PyTorch's `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace


class ReLU(_InPlace):
    """max(x, 0)."""

    def forward(self, x: Any) -> Expr:
        return F.relu(x)


class ReLU6(_InPlace):
    """x limited to [0, 6]."""

    def forward(self, x: Any) -> Expr:
        return F.relu6(x)


class SELU(_InPlace):
    """elu with the scale and alpha that keep mean 0 and variance 1."""

    def forward(self, x: Any) -> Expr:
        return F.selu(x)


class SiLU(_InPlace):
    """x sigmoid(x)."""

    def forward(self, x: Any) -> Expr:
        return F.silu(x)


class Mish(_InPlace):
    """x tanh(softplus(x))."""

    def forward(self, x: Any) -> Expr:
        return F.mish(x)


class Hardsigmoid(_InPlace):
    """x/6 + 1/2 limited to [0, 1]."""

    def forward(self, x: Any) -> Expr:
        return F.hardsigmoid(x)


class Hardswish(_InPlace):
    """0 up to -3, x from 3 on, x (x + 3) / 6 between."""

    def forward(self, x: Any) -> Expr:
        return F.hardswish(x)


class Sigmoid(_Activation):
    """1 / (1 + e⁻ˣ)."""

    def forward(self, x: Any) -> Expr:
        return F.sigmoid(x)


class LogSigmoid(_Activation):
    """log sigmoid(x)."""

    def forward(self, x: Any) -> Expr:
        return F.logsigmoid(x)


class Tanh(_Activation):
    """The hyperbolic tangent."""

    def forward(self, x: Any) -> Expr:
        return F.tanh(x)


class Tanhshrink(_Activation):
    """x - tanh(x)."""

    def forward(self, x: Any) -> Expr:
        return F.tanhshrink(x)


class Softsign(_Activation):
    """x / (1 + |x|)."""

    def forward(self, x: Any) -> Expr:
        return F.softsign(x)


class ELU(_Activation):
    """x where it is positive, else alpha (eˣ - 1)."""

    settings = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha, self.inplace = alpha, inplace

    def forward(self, x: Any) -> Expr:
        return F.elu(x, self.alpha)


class CELU(_Activation):
    """x where it is positive, else alpha (e^(x/alpha) - 1)."""

    settings = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha, self.inplace = alpha, inplace

    def forward(self, x: Any) -> Expr:
        return F.celu(x, self.alpha)


class GELU(_Activation):
    """x Φ(x), or its approximation by tanh."""

    settings = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Any) -> Expr:
        return F.gelu(x, self.approximate)


class LeakyReLU(_Activation):
    """x where it is positive, else negative_slope · x."""

    settings = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, x: Any) -> Expr:
        return F.leaky_relu(x, self.negative_slope)


class PReLU(_Activation):
    """x where it is positive, else weight · x, with a learned weight for all channels (axis 1) or for each."""

    settings = ("num_parameters",)
    weight: Expr

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: object = "float32") -> None:
        self.num_parameters = num_parameters
        self.weight = Parameter((num_parameters,), constant(init), dtype)

    def forward(self, x: Any) -> Expr:
        return F.prelu(x, self.weight)


class Hardtanh(_Activation):
    """x limited to [min_val, max_val]."""

    settings = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        if min_val >= max_val:
            raise UsageError(f"Hardtanh: expected min_val < max_val, got {min_val} and {max_val}")
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, x: Any) -> Expr:
        return F.hardtanh(x, self.min_val, self.max_val)


class Hardshrink(_Activation):
    """x, but 0 in [-lambd, lambd]."""

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)

    def forward(self, x: Any) -> Expr:
        return F.hardshrink(x, self.lambd)


class Softshrink(_Activation):
    """x moved towards 0 by lambd; 0 in [-lambd, lambd]."""

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)

    def forward(self, x: Any) -> Expr:
        return F.softshrink(x, self.lambd)


class Softplus(_Activation):
    """log(1 + e^(beta x)) / beta; x itself where beta x is above the threshold."""

    settings = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Any) -> Expr:
        return F.softplus(x, self.beta, self.threshold)


class Threshold(_Activation):
    """x where it is above the threshold, else value."""

    settings = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, x: Any) -> Expr:
        return F.threshold(x, self.threshold, self.value)


class GLU(_Activation):
    """a sigmoid(b) for the two halves a, b of x along the axis dim."""

    settings = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Expr:
        return F.glu(x, self.dim)


class _AlongAxis(_Activation):
    """A softmax: needs to be told its axis."""

    settings = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim

    def axis(self) -> int:
        if self.dim is None:
            raise UsageError(f"{type(self).__name__} needs its axis: write {type(self).__name__}(dim=…)")
        return self.dim


class Softmax(_AlongAxis):
    """eˣ over its sum along the axis dim."""

    def forward(self, x: Any) -> Expr:
        return F.softmax(x, self.axis())


class Softmin(_AlongAxis):
    """softmax of -x."""

    def forward(self, x: Any) -> Expr:
        return F.softmin(x, self.axis())


class LogSoftmax(_AlongAxis):
    """log softmax(x), without overflow."""

    def forward(self, x: Any) -> Expr:
        return F.log_softmax(x, self.axis())


class Softmax2d(_Activation):
    """softmax over the channels of [N, C, H, W] or [C, H, W]."""

    def forward(self, x: Any) -> Expr:
        x = ops.constant(x)
        if x.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d: expected [N, C, H, W] or [C, H, W], got {dims.show(x.shape)}")
        return F.softmax(x, -3)
