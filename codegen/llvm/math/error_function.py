"""erf: an odd polynomial for small arguments, else 1 - exp(p(|x|)); erfc and erfcx(x) = exp(x^2) erfc(x).

erfc(x) = 1 - erf(x) for small x. (1 + 2 x) erfcx(x) is a nearly flat function of t = (x - a)/(x + a) for all x >= 0,
hence a polynomial of t. The rounding error of x^2 is made good in exp(-x^2), which would multiply it by x^2.
"""

from __future__ import annotations

from codegen.llvm.math.coefficients import ERF, ERF_SMALL, ERFCX, ERFCX_LEVEL, ERFCX_MIDDLE, LOG_ERFC
from codegen.llvm.math.exponential import expm1_reduced, reduce, scaled
from codegen.llvm.math.values import (
    Value,
    fast_two_sum,
    magnitude,
    multiply_add,
    polynomial,
    power_of_two,
    select,
    two_product,
    with_sign_of,
)

ERF_IS_ONE = {"float32": 3.95, "float64": 5.95}


def erf(x: Value) -> Value:
    size = magnitude(x)
    small = multiply_add(size, polynomial(size * size, ERF[x.dtype]), size)
    end = ERF_IS_ONE[x.dtype]
    k, r = reduce(polynomial(select(size > end, end, size), LOG_ERFC[x.dtype]))
    scale = power_of_two(k)
    large = multiply_add(expm1_reduced(r), -scale, 1.0 - scale)
    return with_sign_of(select(size < ERF_SMALL, small, large), x)


ERFC_IS_ZERO = {"float32": 10.1, "float64": 27.3}
"""erfc of this rounds to 0."""
ERFCX_IS_INFINITE = {"float32": 9.5, "float64": 26.7}
"""erfcx of the opposite of this is infinite."""
ERFC_SMALL = 0.5
"""Below it 1 - erf(x) loses nothing."""
INVERSE_SQRT_PI = 0.5641895835477563


def erfc(x: Value) -> Value:
    """Of float32, by what an operation loses where the target fuses multiply and add, and otherwise in float64."""
    if x.dtype == "float32" and x.body.fma:
        return _erfc_of_single(x)
    size, end = magnitude(x), ERFC_IS_ZERO[x.dtype]
    wide = _wide(select(size > end, end, size))
    large = _times_exp_of_square(_erfcx(wide, x.dtype), wide, -1.0)
    result = select(wide < ERFC_SMALL, _one_minus_erf(wide), large)
    return _narrow(select(x < 0.0, 2.0 - result, result), x.dtype)


def _erfc_of_single(x: Value) -> Value:
    """erfc of a float32 by float32 alone: what rounding loses of both sides of the quotient and of x^2 is added at
    the end, where it is small beside the result."""
    size, end = magnitude(x), ERFC_IS_ZERO["float32"]
    within = select(size > end, end, size)
    small = 1.0 - multiply_add(size, polynomial(size * size, ERF["float32"]), size)
    middle, divisor = within + ERFCX_MIDDLE, multiply_add(within, 2.0, 1.0)
    inverse = 1.0 / (middle * divisor)
    t = (within - ERFCX_MIDDLE) * (divisor * inverse)
    rest = polynomial(t, ERFCX["float32"])
    level, level_lost = fast_two_sum(rest.body.splat(ERFCX_LEVEL, "float32"), rest)
    divisor_lost = multiply_add(within, 2.0, 1.0 - divisor)
    inverse = middle * inverse
    quotient = level * inverse
    missing = multiply_add(-quotient, divisor, level) + multiply_add(-quotient, divisor_lost, level_lost)
    square = within * within
    square_lost = multiply_add(within, within, -square)
    k, r = reduce(-square)
    power = expm1_reduced(r - square_lost)
    lost = missing * inverse
    large = scaled(multiply_add(quotient, power, multiply_add(lost, power, lost)) + quotient, k)
    result = select(size < ERFC_SMALL, small, large)
    return select(x < 0.0, 2.0 - result, result)


def erfcx(x: Value) -> Value:
    """2 exp(x^2) - erfcx(-x) for x < 0."""
    size, end = magnitude(x), ERFCX_IS_INFINITE[x.dtype]
    wide = _wide(size)
    power = _times_exp_of_square(wide.body.splat(2.0, "float64"), select(wide > end, end, wide), 1.0)
    result = select(wide < ERFC_SMALL, power * 0.5 * _one_minus_erf(wide), _erfcx(wide, x.dtype))
    return _narrow(select(x < 0.0, power - result, result), x.dtype)


def _one_minus_erf(size: Value) -> Value:
    """erfc of a small float64 that is not negative."""
    return 1.0 - multiply_add(size, polynomial(size * size, ERF["float64"]), size)


def _erfcx(size: Value, dtype: str) -> Value:
    """erfcx of a float64 that is not negative, to the accuracy of `dtype`."""
    t = (size - ERFCX_MIDDLE) / (size + ERFCX_MIDDLE)
    result = (polynomial(t, ERFCX[dtype]) + ERFCX_LEVEL) / multiply_add(size, 2.0, 1.0)
    return select(size > 1e30, INVERSE_SQRT_PI / size, result)


def _times_exp_of_square(factor: Value, size: Value, sign: float) -> Value:
    """factor * exp(sign * size^2); the rounding error of size^2, times sign, is part of the exponent."""
    square, lost = two_product(size, size)
    k, r = reduce(square * sign)
    return scaled(multiply_add(expm1_reduced(r + lost * sign), factor, factor), k)


def _wide(x: Value) -> Value:
    return x if x.dtype == "float64" else x.to("float64")


def _narrow(x: Value, dtype: str) -> Value:
    return x if dtype == "float64" else x.to(dtype)
