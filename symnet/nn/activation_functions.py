"""The activation functions of torch.nn.functional, as expressions.

At a kink each has the derivative that PyTorch gives. Where one branch of a case distinction could overflow, its operand
is made harmless there first, so that neither value nor derivative meets inf - inf or 0 * inf.

`inplace` is about memory in PyTorch, never about the result; where a result goes is the compiler's choice here.
"""

from __future__ import annotations

from symnet import ops
from symnet.errors import ShapeError, Unsupported, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.ops.leaves import Operand

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "gumbel_softmax",
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


def relu(input: Operand, inplace: bool = False) -> Expr:
    """max(x, 0)."""
    return ops.relu(input)


def relu6(input: Operand, inplace: bool = False) -> Expr:
    """x limited to [0, 6]."""
    return hardtanh(input, 0.0, 6.0)


def hardtanh(input: Operand, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Expr:
    """x limited to [min_val, max_val]; the derivative at the limits is 0."""
    if min_val > max_val:
        raise UsageError(f"hardtanh: min_val={min_val} is above max_val={max_val}")
    x = ops.constant(input)
    return ops.where(x <= min_val, min_val, ops.where(x >= max_val, max_val, x))


def hardsigmoid(input: Operand, inplace: bool = False) -> Expr:
    """x/6 + 1/2 limited to [0, 1]."""
    return relu6(ops.constant(input) + 3.0) / 6.0


def hardswish(input: Operand, inplace: bool = False) -> Expr:
    """0 up to -3, x from 3 on, x (x + 3) / 6 between."""
    x = ops.constant(input)
    return ops.where(x <= -3.0, 0.0, ops.where(x >= 3.0, x, x * (x + 3.0) / 6.0))


def leaky_relu(input: Operand, negative_slope: float = 0.01, inplace: bool = False) -> Expr:
    """x where it is positive, else negative_slope · x."""
    x = ops.constant(input)
    return ops.where(x > 0.0, x, negative_slope * x)


def prelu(input: Operand, weight: Operand) -> Expr:
    """x where it is positive, else weight · x; weight [1], or [C] for the channels on axis 1 of x."""
    x, weight = ops.constant(input), ops.constant(weight)
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


def elu(input: Operand, alpha: float = 1.0, inplace: bool = False) -> Expr:
    """x where it is positive, else alpha (eˣ - 1)."""
    x = ops.constant(input)
    return ops.where(x > 0.0, x, alpha * ops.expm1(_where_not_positive(x)))


def celu(input: Operand, alpha: float = 1.0, inplace: bool = False) -> Expr:
    """x where it is positive, else alpha (e^(x/alpha) - 1)."""
    if alpha == 0:
        raise UsageError("celu: alpha cannot be 0, x is divided by it")
    x = ops.constant(input)
    return ops.where(x > 0.0, x, alpha * ops.expm1(_where_not_positive(x) / alpha))


def selu(input: Operand, inplace: bool = False) -> Expr:
    """elu with the scale and alpha that keep mean 0 and variance 1."""
    return _SELU_SCALE * elu(input, _SELU_ALPHA)


def gelu(input: Operand, approximate: str = "none") -> Expr:
    """x Φ(x), Φ the normal distribution function; or its approximation by tanh."""
    if approximate not in ("none", "tanh"):
        raise UsageError(f"gelu: approximate is 'none' or 'tanh', got {approximate!r}")
    return ops.gelu(input) if approximate == "none" else ops.gelu_tanh(input)


def silu(input: Operand, inplace: bool = False) -> Expr:
    """x sigmoid(x)."""
    return ops.silu(input)


def mish(input: Operand, inplace: bool = False) -> Expr:
    """x tanh(log(1 + eˣ))."""
    x = ops.constant(input)
    return x * ops.tanh(ops.softplus(x))


def sigmoid(input: Operand) -> Expr:
    """1 / (1 + e⁻ˣ)."""
    return ops.sigmoid(input)


def logsigmoid(input: Operand) -> Expr:
    """log sigmoid(x)."""
    return ops.log_sigmoid(input)


def tanh(input: Operand) -> Expr:
    """The hyperbolic tangent."""
    return ops.tanh(input)


def tanhshrink(input: Operand) -> Expr:
    """x - tanh(x)."""
    x = ops.constant(input)
    return x - ops.tanh(x)


def softplus(input: Operand, beta: float = 1.0, threshold: float = 20.0) -> Expr:
    """log(1 + e^(beta x)) / beta; x itself where beta x is above the threshold."""
    if beta == 0:
        raise UsageError("softplus: beta cannot be 0, the result is divided by it")
    x = ops.constant(input)
    scaled = x if beta == 1.0 else beta * x
    smooth = ops.softplus(scaled)
    return ops.where(scaled > threshold, x, smooth if beta == 1.0 else smooth / beta)


def softsign(input: Operand) -> Expr:
    """x / (1 + |x|)."""
    x = ops.constant(input)
    return x / (1.0 + ops.abs(x))


def hardshrink(input: Operand, lambd: float = 0.5) -> Expr:
    """x, but 0 in [-lambd, lambd]."""
    x = ops.constant(input)
    return ops.where(ops.abs(x) <= lambd, 0.0, x)


def softshrink(input: Operand, lambd: float = 0.5) -> Expr:
    """x moved towards 0 by lambd; 0 in [-lambd, lambd]."""
    if lambd < 0:
        raise UsageError(f"softshrink: lambd cannot be negative, got {lambd}")
    x = ops.constant(input)
    return ops.where(ops.abs(x) <= lambd, 0.0, x - lambd * ops.sign(x))


def threshold(input: Operand, threshold: float, value: float, inplace: bool = False) -> Expr:
    """x where it is above the threshold, else value."""
    x = ops.constant(input)
    return ops.where(x <= threshold, value, x)


def softmax(input: Operand, dim: int | None = None) -> Expr:
    """eˣ over its sum along the axis `dim`, which must be given: PyTorch's guess when it is not is deprecated there."""
    return ops.softmax(input, axis=_given("softmax", dim))


def softmin(input: Operand, dim: int | None = None) -> Expr:
    """softmax of -x."""
    return ops.softmax(-ops.constant(input), axis=_given("softmin", dim))


def log_softmax(input: Operand, dim: int | None = None) -> Expr:
    """log softmax(x), without overflow."""
    return ops.log_softmax(input, axis=_given("log_softmax", dim))


def _given(function: str, dim: int | None) -> int:
    if dim is None:
        raise UsageError(f"{function}: say along which axis: dim=-1, for example")
    return dim


def gumbel_softmax(logits: Operand, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Expr:
    """softmax((logits + g) / tau) with g drawn from the Gumbel distribution: a draw of a class that has a derivative.

    hard  give the one-hot vector of the drawn class, with the derivative of the soft draw (straight through)
    eps   must be left as it is: nothing depends on it, in PyTorch neither

    Jang, Gu and Poole 2017, arXiv 1611.01144.
    """
    if tau <= 0:
        raise UsageError(f"gumbel_softmax: tau is {tau}, expected a number above 0")
    if eps != 1e-10:
        raise Unsupported(f"gumbel_softmax: eps is {eps}, but nothing depends on it; leave it out")
    x = ops.constant(logits)
    least = 2.0**-25 if x.dtype == "float32" else 2.0**-54  # a u of 0 would make the noise infinite
    noise = -ops.log(-ops.log1p(-ops.random.uniform(x.shape, least, 1.0, dtype=x.dtype)))
    soft = ops.softmax((x + noise) / tau, axis=dim)
    if not hard:
        return soft
    axis = dim % x.ndim
    classes = ops.moveaxis(ops.one_hot(ops.argmax(soft, axis=axis), x.shape[axis], x.dtype), -1, axis)
    return classes - ops.stop_gradient(soft) + soft


def glu(input: Operand, dim: int = -1) -> Expr:
    """a sigmoid(b) for the two halves a, b of x along the axis `dim`."""
    x = ops.constant(input)
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
