"""The activation functions of torch.nn.functional, as expressions.

At a kink each has the derivative that PyTorch gives. Where one branch of a case distinction could overflow, its operand
is made harmless there first, so that neither value nor derivative meets inf - inf or 0 * inf.
"""

from __future__ import annotations

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.ops.leaves import Operand

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
]

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def relu(x: Operand) -> Expr:
    """max(x, 0)."""
    return ops.relu(x)


def relu6(x: Operand) -> Expr:
    """x limited to [0, 6]."""
    return hardtanh(x, 0.0, 6.0)


def hardtanh(x: Operand, min_val: float = -1.0, max_val: float = 1.0) -> Expr:
    """x limited to [min_val, max_val]; the derivative at the limits is 0."""
    if min_val > max_val:
        raise UsageError(f"hardtanh: min_val={min_val} is above max_val={max_val}")
    x = ops.constant(x)
    return ops.where(x <= min_val, min_val, ops.where(x >= max_val, max_val, x))


def hardsigmoid(x: Operand) -> Expr:
    """x/6 + 1/2 limited to [0, 1]."""
    return relu6(ops.constant(x) + 3.0) / 6.0


def hardswish(x: Operand) -> Expr:
    """0 up to -3, x from 3 on, x (x + 3) / 6 between."""
    x = ops.constant(x)
    return ops.where(x <= -3.0, 0.0, ops.where(x >= 3.0, x, x * (x + 3.0) / 6.0))


def leaky_relu(x: Operand, negative_slope: float = 0.01) -> Expr:
    """x where it is positive, else negative_slope · x."""
    x = ops.constant(x)
    return ops.where(x > 0.0, x, negative_slope * x)


def prelu(x: Operand, weight: Operand) -> Expr:
    """x where it is positive, else weight · x; weight [1], or [C] for the channels on axis 1 of x."""
    x, weight = ops.constant(x), ops.constant(weight)
    if weight.shape != (1,):
        if x.ndim < 2 or weight.ndim != 1 or weight.shape[0] != x.shape[1]:
            raise ShapeError(
                f"prelu: expected a weight of shape [1] or one for each channel (axis 1) of {dims.show(x.shape)}, "
                f"got {dims.show(weight.shape)}"
            )
        weight = ops.reshape(weight, (weight.shape[0], *(1,) * (x.ndim - 2)))
    elif x.ndim == 0:
        weight = ops.reshape(weight, ())
    return ops.where(x > 0.0, x, weight * x)


def elu(x: Operand, alpha: float = 1.0) -> Expr:
    """x where it is positive, else alpha (eˣ - 1)."""
    x = ops.constant(x)
    return ops.where(x > 0.0, x, alpha * ops.expm1(_where_not_positive(x)))


def celu(x: Operand, alpha: float = 1.0) -> Expr:
    """x where it is positive, else alpha (e^(x/alpha) - 1)."""
    if alpha == 0:
        raise UsageError("celu: alpha cannot be 0, x is divided by it")
    x = ops.constant(x)
    return ops.where(x > 0.0, x, alpha * ops.expm1(_where_not_positive(x) / alpha))


def selu(x: Operand) -> Expr:
    """elu with the scale and alpha that keep mean 0 and variance 1."""
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


def gelu(x: Operand, approximate: str = "none") -> Expr:
    """x Φ(x), Φ the normal distribution function; or its approximation by tanh."""
    if approximate not in ("none", "tanh"):
        raise UsageError(f"gelu: approximate is 'none' or 'tanh', got {approximate!r}")
    return ops.gelu(x) if approximate == "none" else ops.gelu_tanh(x)


def silu(x: Operand) -> Expr:
    """x sigmoid(x)."""
    return ops.silu(x)


def mish(x: Operand) -> Expr:
    """x tanh(log(1 + eˣ))."""
    x = ops.constant(x)
    return x * ops.tanh(ops.softplus(x))


def sigmoid(x: Operand) -> Expr:
    """1 / (1 + e⁻ˣ)."""
    return ops.sigmoid(x)


def logsigmoid(x: Operand) -> Expr:
    """log sigmoid(x)."""
    return ops.log_sigmoid(x)


def tanh(x: Operand) -> Expr:
    """The hyperbolic tangent."""
    return ops.tanh(x)


def tanhshrink(x: Operand) -> Expr:
    """x - tanh(x)."""
    x = ops.constant(x)
    return x - ops.tanh(x)


def softplus(x: Operand, beta: float = 1.0, threshold: float = 20.0) -> Expr:
    """log(1 + e^(beta x)) / beta; x itself where beta x is above the threshold."""
    if beta == 0:
        raise UsageError("softplus: beta cannot be 0, the result is divided by it")
    x = ops.constant(x)
    scaled = x if beta == 1.0 else beta * x
    smooth = ops.softplus(scaled)
    return ops.where(scaled > threshold, x, smooth if beta == 1.0 else smooth / beta)


def softsign(x: Operand) -> Expr:
    """x / (1 + |x|)."""
    x = ops.constant(x)
    return x / (1.0 + ops.abs(x))


def hardshrink(x: Operand, lambd: float = 0.5) -> Expr:
    """x, but 0 in [-lambd, lambd]."""
    x = ops.constant(x)
    return ops.where(ops.abs(x) <= lambd, 0.0, x)


def softshrink(x: Operand, lambd: float = 0.5) -> Expr:
    """x moved towards 0 by lambd; 0 in [-lambd, lambd]."""
    if lambd < 0:
        raise UsageError(f"softshrink: lambd cannot be negative, got {lambd}")
    x = ops.constant(x)
    return ops.where(ops.abs(x) <= lambd, 0.0, x - lambd * ops.sign(x))


def threshold(x: Operand, threshold: float, value: float) -> Expr:
    """x where it is above the threshold, else value."""
    x = ops.constant(x)
    return ops.where(x <= threshold, value, x)


def softmax(x: Operand, dim: int) -> Expr:
    """eˣ over its sum along the axis `dim`."""
    return ops.softmax(x, axis=dim)


def softmin(x: Operand, dim: int) -> Expr:
    """softmax of -x."""
    return ops.softmax(-ops.constant(x), axis=dim)


def log_softmax(x: Operand, dim: int) -> Expr:
    """log softmax(x), without overflow."""
    return ops.log_softmax(x, axis=dim)


def glu(x: Operand, dim: int = -1) -> Expr:
    """a sigmoid(b) for the two halves a, b of x along the axis `dim`."""
    x = ops.constant(x)
    if not -x.ndim <= dim < x.ndim:
        raise ShapeError(f"glu: axis {dim} does not exist in {dims.show(x.shape)}")
    axis = dim % x.ndim
    half = dims.divide(x.shape[axis], 2)
    if half is None:
        raise ShapeError(f"glu: axis {dim} of {dims.show(x.shape)} cannot be halved; expected an even size")
    before = (slice(None),) * axis
    return x[(*before, slice(None, half))] * ops.sigmoid(x[(*before, slice(half, None))])


def _where_not_positive(x: Expr) -> Expr:
    """x, or 0 where it is positive: what eˣ cannot overflow on."""
    return ops.where(x > 0.0, 0.0, x)
