"""Further scalar functions: inverse and hyperbolic functions, roots, the error function's relatives.

Those that native code has a polynomial for are functions of the loop program. The others are defined by accurate ones;
where a definition rounds in between, float32 is computed in float64 (`in_double`), so that the result keeps its digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from symnet.expr.node import Expr, make
from symnet.expr.op import REGISTRY
from symnet.ops.leaves import input
from symnet.ops.scalar import (
    absolute,
    cast,
    divide,
    equal,
    erf,
    exp,
    expm1,
    greater,
    less,
    log,
    log1p,
    logical_and,
    logical_not,
    maximum,
    minimum,
    negative,
    rsqrt,
    sigmoid,
    sign,
    sqrt,
    square,
    tanh,
    where,
)
from symnet.ops.scalar_op import ScalarOp, scalar

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "copysign", "cosh", "erfc", "erfcx", "erfinv",
    "hypot", "log1mexp", "log_ndtr", "logit", "ndtr", "sinh", "tan", "xlog1py",
]  # fmt: skip

_REAL = (-1e4, 1e4)
_HUGE = (-1e30, 1e30)
SQRT_HALF, SQRT_2_OVER_PI, TWO_OVER_SQRT_PI = math.sqrt(0.5), math.sqrt(2.0 / math.pi), 2.0 / math.sqrt(math.pi)
LOG_2 = math.log(2.0)


def in_double(function: Callable[..., Expr]) -> Callable[..., Expr]:
    """`function` of expressions, with float32 operands taken to float64 and the result brought back."""

    def wide(*operands: Expr) -> Expr:
        if operands[0].dtype != "float32":
            return function(*operands)
        return cast(function(*(cast(x, "float64") for x in operands)), "float32")

    return wide


def of_fractions(name: str, fraction: Callable[[Expr], Expr] = tanh) -> Callable[[np.random.Generator], list[Expr]]:
    """Samples of a function that is defined between -1 (or 0) and 1: applications to `fraction` of inputs."""

    def samples(rng: np.random.Generator) -> list[Expr]:
        op = REGISTRY[name]
        return [
            make(op, (fraction(input("a", shape, dtype)),))
            for dtype in ("float64", "float32")
            for shape in ((5, 3), ("N", 3), ())
        ]

    return samples


# --- trigonometric and hyperbolic --------------------------------------------------------------------------------

tan: ScalarOp = scalar(
    "tan", np.tan, loop="tan", accepts="float", formula=lambda sp, x: sp.tan(x), domain=((-1.5, 1.5),),
    derivative=(lambda g, y, x: g * (1.0 + square(y)),),
    cost=14.0,
    reason="tan′ = 1 + tan²",
    doc="the tangent",
)  # fmt: skip
sinh: ScalarOp = scalar(
    "sinh", np.sinh, loop="sinh", accepts="float", formula=lambda sp, x: sp.sinh(x), domain=((-80.0, 80.0),),
    derivative=(lambda g, y, x: g * cosh(x),),
    cost=12.0,
    reason="sinh′ = cosh",
    doc="the hyperbolic sine, with all digits near 0",
)  # fmt: skip
cosh: ScalarOp = scalar(
    "cosh", np.cosh, loop="cosh", accepts="float", formula=lambda sp, x: sp.cosh(x), domain=((-80.0, 80.0),),
    derivative=(lambda g, y, x: g * sinh(x),),
    cost=12.0, sign="positive",
    reason="cosh′ = sinh",
    doc="the hyperbolic cosine",
)  # fmt: skip
atan: ScalarOp = scalar(
    "atan", np.arctan, loop="atan", accepts="float", formula=lambda sp, x: sp.atan(x), domain=(_REAL,),
    derivative=(lambda g, y, x: g / (1.0 + square(x)),),
    cost=12.0, finite=True,
    reason="atan′(x) = 1/(1 + x²)",
    notation="arctan",
    doc="the angle, from -π/2 to π/2, whose tangent is x",
)  # fmt: skip
asin: ScalarOp = scalar(
    "asin", accepts="float", samples=of_fractions("asin"),
    formula=lambda sp, x: sp.asin(x), domain=((-0.999, 0.999),),
    stable=in_double(lambda x: atan(x / sqrt((1.0 - x) * (1.0 + x)))),
    derivative=(lambda g, y, x: g * rsqrt((1.0 - x) * (1.0 + x)),),
    cost=20.0,
    reason="asin′(x) = 1/√(1 − x²)",
    notation="arcsin",
    doc="the angle, from -π/2 to π/2, whose sine is x",
)  # fmt: skip
acos: ScalarOp = scalar(
    "acos", accepts="float", samples=of_fractions("acos"),
    formula=lambda sp, x: sp.acos(x), domain=((-0.999, 0.999),),
    stable=in_double(lambda x: 2.0 * atan(sqrt((1.0 - x) / (1.0 + x)))),
    derivative=(lambda g, y, x: negative(g * rsqrt((1.0 - x) * (1.0 + x))),),
    cost=20.0,
    reason="acos′(x) = −1/√(1 − x²)",
    notation="arccos",
    doc="the angle, from 0 to π, whose cosine is x",
)  # fmt: skip


def _asinh(x: Expr) -> Expr:
    """log1p(|x| + x²/(1 + √(1 + x²))) with the sign of x; log(2 |x|) where x² would overflow."""
    size = absolute(x)
    small = minimum(size, 1e8)
    near = log1p(small + small * small / (1.0 + sqrt(1.0 + small * small)))
    return copysign(where(less(size, 1e8), near, log(maximum(size, 1.0)) + LOG_2), x)


def _acosh(x: Expr) -> Expr:
    """log1p(t + √(t (t + 2))), t = x - 1; log(2 x) where t² would overflow."""
    t = minimum(x, 1e8) - 1.0
    return where(less(x, 1e8), log1p(t + sqrt(t * (t + 2.0))), log(x) + LOG_2)


def _atanh(x: Expr) -> Expr:
    size = absolute(x)
    return copysign(0.5 * log1p(2.0 * size / (1.0 - size)), x)


asinh: ScalarOp = scalar(
    "asinh", accepts="float", formula=lambda sp, x: sp.asinh(x), domain=(_HUGE,), stable=in_double(_asinh),
    derivative=(lambda g, y, x: g / hypot(x, 1.0),),
    cost=24.0, finite=True,
    reason="asinh′(x) = 1/√(1 + x²)",
    notation="arsinh",
    doc="the inverse of sinh",
)  # fmt: skip
acosh: ScalarOp = scalar(
    "acosh", accepts="float", formula=lambda sp, x: sp.acosh(x), domain=((1.001, 1e30),), stable=in_double(_acosh),
    derivative=(lambda g, y, x: g / (sqrt(x - 1.0) * sqrt(x + 1.0)),),
    cost=24.0,
    reason="acosh′(x) = 1/√(x² − 1)",
    notation="arcosh",
    doc="the inverse of cosh, for x ≥ 1",
)  # fmt: skip
atanh: ScalarOp = scalar(
    "atanh", accepts="float", samples=of_fractions("atanh"),
    formula=lambda sp, x: sp.atanh(x), domain=((-0.999, 0.999),), stable=in_double(_atanh),
    derivative=(lambda g, y, x: g / ((1.0 - x) * (1.0 + x)),),
    cost=20.0,
    reason="atanh′(x) = 1/(1 − x²)",
    notation="artanh",
    doc="the inverse of tanh, for |x| < 1",
)  # fmt: skip

# --- sizes, signs and roots --------------------------------------------------------------------------------------

copysign: ScalarOp = scalar(
    "copysign", np.copysign, arity=2, loop="copysign", accepts="float", domain=(_HUGE, _HUGE),
    formula=lambda sp, a, b: sp.Abs(a) * sp.Piecewise((-1, b < 0), (1, True)),
    derivative=(lambda g, y, a, b: g * copysign(sign(a), sign(a) * b), None),
    finite=True,
    reason="∂/∂a of |a|·sign(b) is sign(a)·sign(b)",
    doc="|a| with the sign of b, that of a zero included",
)  # fmt: skip


def _hypot(a: Expr, b: Expr) -> Expr:
    """The larger |operand| times √(1 + r²), r the quotient of both; 1 where they are equal, as two infinities are."""
    a, b = absolute(a), absolute(b)
    larger, smaller = maximum(a, b), minimum(a, b)
    ratio = where(equal(a, b), 1.0, smaller / where(equal(a, b), 1.0, larger))
    return larger * sqrt(1.0 + ratio * ratio)


def _hypot_in_double(a: Expr, b: Expr) -> Expr:
    """The squares of float32 numbers are float64 ones."""
    if a.dtype != "float32":
        return _hypot(a, b)
    a, b = cast(a, "float64"), cast(b, "float64")
    return cast(sqrt(a * a + b * b), "float32")


def _share(g: Expr, a: Expr, length: Expr) -> Expr:
    """g · a / length, 0 where both are 0."""
    return where(equal(length, 0.0), 0.0, g * (a / where(equal(length, 0.0), 1.0, length)))


hypot: ScalarOp = scalar(
    "hypot", arity=2, accepts="float", formula=lambda sp, a, b: sp.sqrt(a**2 + b**2), domain=(_REAL, _REAL),
    stable=_hypot_in_double,
    derivative=(lambda g, y, a, b: _share(g, a, y), lambda g, y, a, b: _share(g, b, y)),
    cost=8.0, finite=True, sign="nonnegative",
    reason=("∂√(a² + b²)/∂a = a/√(a² + b²)", "∂√(a² + b²)/∂b = b/√(a² + b²)"),
    kink="the length of (0, 0) has derivative 0, a subgradient",
    doc="√(a² + b²) without overflow; its derivative at (0, 0) is 0",
)  # fmt: skip


def _atan2(y: Expr, x: Expr) -> Expr:
    """atan(y/x), half a turn further for x < 0; multiples of π/4 where |x| = |y|, infinite or not."""
    both, diagonal = equal(y, 0.0), equal(absolute(y), absolute(x))
    steep = atan(y / where(equal(x, 0.0), where(both, 1.0, x), x))
    steep = where(logical_and(diagonal, logical_not(both)), sign(y) * sign(x) * (0.25 * math.pi), steep)
    turned = less(copysign(1.0, x), 0.0)
    return where(turned, where(both, 0.0, steep) + copysign(math.pi, y), steep)


atan2: ScalarOp = scalar(
    "atan2", arity=2, accepts="float", formula=lambda sp, y, x: sp.atan2(y, x), domain=(_REAL, (1e-3, 1e4)),
    stable=in_double(_atan2),
    derivative=(
        lambda g, y, a, b: _share(g, b, hypot(a, b)) / hypot(a, b),
        lambda g, y, a, b: negative(_share(g, a, hypot(a, b)) / hypot(a, b)),
    ),
    cost=24.0, finite=True,
    reason=("∂atan2(y, x)/∂y = x/(x² + y²)", "∂atan2(y, x)/∂x = −y/(x² + y²)"),
    doc="the angle of the point (x, y), from -π to π",
)  # fmt: skip
cbrt: ScalarOp = scalar(
    "cbrt", np.cbrt, loop="cbrt", accepts="float", domain=(_HUGE,),
    formula=lambda sp, x: sp.sign(x) * sp.Abs(x) ** sp.Rational(1, 3),
    derivative=(lambda g, y, x: g / (3.0 * square(y)),),
    cost=12.0, finite=True,
    reason="(∛x)′ = 1/(3·∛x²)",
    notation="∛",
    doc="the cube root, of negative numbers too",
)  # fmt: skip

# --- the error function's relatives ------------------------------------------------------------------------------


def erfc_of_array(x: np.ndarray) -> np.ndarray:
    """1 - erf(x), element by element."""
    return np.fromiter(map(math.erfc, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


def erfcx_of_array(x: np.ndarray) -> np.ndarray:
    """exp(x²) erfc(x): by its continued fraction for x > 10, else with x² split so that no digit of it is lost."""
    x = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        near = np.clip(np.nan_to_num(x), -30.0, 10.0)
        coarse = np.round(near * 16.0) / 16.0
        power = np.exp(coarse * coarse) * np.exp((near - coarse) * (near + coarse))
        far = tail = np.maximum(x, 10.0)
        for k in range(30, 0, -1):
            tail = far + 0.5 * k / tail
        close = np.where(np.isnan(x), x, power * erfc_of_array(near))
        return np.where(x > 10.0, 1.0 / (math.sqrt(math.pi) * tail), close)


def _minus_bell(x: Expr) -> Expr:
    """erfc′(x) = -2/√π exp(-x²)."""
    return -TWO_OVER_SQRT_PI * exp(negative(square(x)))


def erfcx_slope(x: Expr) -> Expr:
    """2 x erfcx(x) - 2/√π, by its asymptotic series where the two cancel."""
    far = maximum(x, 30.0)
    t = 1.0 / (2.0 * far * far)
    series = -TWO_OVER_SQRT_PI * t * (1.0 - t * (3.0 - t * (15.0 - t * (105.0 - t * 945.0))))
    near = minimum(x, 30.0)
    return where(less(x, 30.0), 2.0 * near * erfcx(near) - TWO_OVER_SQRT_PI, series)


erfc: ScalarOp = scalar(
    "erfc", erfc_of_array, loop="erfc", accepts="float", formula=lambda sp, x: sp.erfc(x), domain=((-6.0, 9.0),),
    derivative=(lambda g, y, x: g * in_double(_minus_bell)(x),),
    cost=20.0, finite=True, sign="nonnegative",
    reason="erfc′(x) = −2/√π·exp(−x²)",
    doc="1 - erf(x), which keeps its digits for large x",
)  # fmt: skip
erfcx: ScalarOp = scalar(
    "erfcx", erfcx_of_array, loop="erfcx", accepts="float", domain=((-4.0, 1e4),),
    formula=lambda sp, x: sp.exp(x**2) * sp.erfc(x),
    derivative=(lambda g, y, x: g * in_double(erfcx_slope)(x),),
    cost=20.0, sign="positive",
    reason="erfcx′(x) = 2·x·erfcx(x) − 2/√π",
    doc="exp(x²)·erfc(x), about 1/(√π x) for large x",
)  # fmt: skip


def _erfinv(x: Expr) -> Expr:
    """Winitzki's approximation (2008), to three digits, and two steps of Halley's method on what is left of erf(y) - x.

    1 - |x| is exact for |x| > 1/2, so the difference is that of erfc there.
    """
    size = minimum(absolute(x), 1.0)
    inside = where(less(size, 1.0), size, 0.5)
    log_rest = log1p(negative(inside * inside)) * 0.5
    a = 2.0 / (math.pi * 0.147) + log_rest
    y = sqrt(maximum(sqrt(a * a - 2.0 * log_rest / 0.147) - a, 0.0))
    for _ in range(2):
        left = where(greater(inside, 0.5), (1.0 - inside) - erfc(y), erf(y) - inside)
        step = left * exp(y * y) * (1.0 / TWO_OVER_SQRT_PI)
        y = y - step / (1.0 + y * step)
    result = where(less(size, 1.0), y, float("inf"))
    return copysign(where(less(1.0, absolute(x)), float("nan"), result), x)


erfinv: ScalarOp = scalar(
    "erfinv", accepts="float", samples=of_fractions("erfinv"),
    formula=lambda sp, x: sp.erfinv(x), domain=((-0.9999, 0.9999),),
    stable=in_double(_erfinv),
    derivative=(lambda g, y, x: g * (1.0 / TWO_OVER_SQRT_PI) * exp(square(y)),),
    cost=100.0,
    reason="erfinv′(x) = √π/2·exp(erfinv(x)²)",
    notation="erf⁻¹",
    doc="the inverse of erf",
)  # fmt: skip


def _normal_density(x: Expr) -> Expr:
    return (0.5 * SQRT_2_OVER_PI) * exp(-0.5 * square(x))


def _log_ndtr(x: Expr) -> Expr:
    """log of erfcx(-x/√2)/2, less x²/2, for x < -1; else log1p of what is missing to 1."""
    low, high = minimum(x, -1.0), maximum(x, -1.0)
    below = log(0.5 * erfcx(-SQRT_HALF * low)) - 0.5 * square(low)
    return where(less(x, -1.0), below, log1p(-0.5 * erfc(SQRT_HALF * high)))


ndtr: ScalarOp = scalar(
    "ndtr", accepts="float", domain=((-1.0, 9.0),), formula=lambda sp, x: sp.erfc(-x / sp.sqrt(2)) / 2,
    stable=in_double(lambda x: 0.5 * erfc(-SQRT_HALF * x)),
    derivative=(lambda g, y, x: g * in_double(_normal_density)(x),),
    cost=20.0, finite=True, sign="nonnegative",
    reason="Φ′(x) = φ(x) = exp(−x²/2)/√(2·π)",
    notation="Φ",
    doc="Φ(x), the normal distribution function",
)  # fmt: skip
log_ndtr: ScalarOp = scalar(
    "log_ndtr", accepts="float", domain=((-30.0, 3.0),), stable=in_double(_log_ndtr),
    formula=lambda sp, x: sp.log(sp.erfc(-x / sp.sqrt(2)) / 2),
    derivative=(lambda g, y, x: g * in_double(lambda x: SQRT_2_OVER_PI / erfcx(-SQRT_HALF * x))(x),),
    cost=50.0, finite=True,
    reason="(log Φ)′ = φ/Φ, which is √(2/π)/erfcx(−x/√2)",
    notation="logΦ",
    doc="the logarithm of the normal distribution function",
)  # fmt: skip

# --- logarithms --------------------------------------------------------------------------------------------------


def _log1mexp(x: Expr) -> Expr:
    """By the form that keeps its digits: expm1 where exp(-x) is nearly 1, log1p where it is small (Mächler, 2012)."""
    near, far = minimum(x, LOG_2), maximum(x, LOG_2)
    return where(less(x, LOG_2), log(negative(expm1(negative(near)))), log1p(negative(exp(negative(far)))))


log1mexp: ScalarOp = scalar(
    "log1mexp", accepts="float", domain=((1e-6, 80.0),), formula=lambda sp, x: sp.log(1 - sp.exp(-x)), stable=_log1mexp,
    derivative=(lambda g, y, x: g / expm1(x),),
    cost=40.0,
    reason="log(1 − e⁻ˣ)′ = 1/(eˣ − 1)",
    doc="log(1 - exp(-x)) for x > 0, with its digits for small x and for large ones",
)  # fmt: skip


def _logit(x: Expr) -> Expr:
    """2 atanh(2 x - 1) around 1/2, where 2 x - 1 is exact; elsewhere log x - log(1 - x) does not cancel."""
    middle = logical_and(greater(x, 0.25), less(x, 0.75))
    return where(middle, 2.0 * atanh(2.0 * where(middle, x, 0.5) - 1.0), log(x) - log1p(negative(x)))


logit: ScalarOp = scalar(
    "logit", accepts="float", samples=of_fractions("logit", sigmoid),
    domain=((1e-6, 0.999),), formula=lambda sp, x: sp.log(x / (1 - x)), stable=_logit,
    derivative=(lambda g, y, x: g / (x * (1.0 - x)),),
    cost=40.0,
    reason="logit′(x) = 1/(x·(1 − x))",
    doc="log(x/(1 - x)), the inverse of sigmoid",
)  # fmt: skip
xlog1py: ScalarOp = scalar(
    "xlog1py", arity=2, accepts="float", formula=lambda sp, x, y: x * sp.log(1 + y), domain=(_REAL, (-0.99, 1e30)),
    stable=lambda x, y: where(equal(x, 0.0), 0.0, x * log1p(y)),
    derivative=(
        lambda g, y, a, b: where(logical_and(equal(a, 0.0), less(b, -0.999999)), 0.0, g * log1p(b)),
        lambda g, y, a, b: where(equal(a, 0.0), 0.0, g * divide(a, 1.0 + b)),
    ),
    cost=11.0,
    reason=("∂(a·log(1 + b))/∂a = log(1 + b)", "∂(a·log(1 + b))/∂b = a/(1 + b)"),
    doc="x log(1 + y), and 0 for x = 0 whatever y is",
)  # fmt: skip
