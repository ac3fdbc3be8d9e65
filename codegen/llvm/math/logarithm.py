"""log and log1p.

log(x) = k ln(2) + log(1 + f), where x = 2^k (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2), so that nothing cancels;
log(1 + f) = f + f^2 (-1/2 + f p(f)).
"""

from __future__ import annotations

from math import inf, nan

from codegen.llvm.math.coefficients import LN2, LOG
from codegen.llvm.math.values import (
    FORMATS,
    Value,
    multiply_add,
    polynomial,
    power_of_two,
    select,
    two_sum,
)

SQRT_HALF = {"float32": 0x3F3504F3, "float64": 0x3FE6A09E667F3BCD}  # the bits of sqrt(1/2)


def split(x: Value) -> tuple[Value, Value]:
    """k and m with x = 2^k m, sqrt(1/2) <= m < sqrt(2), for normal x > 0.

    Subtracting the bits of sqrt(1/2) makes the exponent field change where m does. The field becomes a float when it is
    put below the leading bit of 2^mantissa, which needs no conversion instruction.
    """
    form = FORMATS[x.dtype]
    leading = 2.0**form.mantissa
    moved = x.bits() + (form.one - SQRT_HALF[x.dtype])
    leading_bits = (form.bias + form.mantissa) << form.mantissa
    k = ((moved >> form.mantissa) | leading_bits).as_float() - (leading + form.bias)
    m = ((moved & ((1 << form.mantissa) - 1)) + SQRT_HALF[x.dtype]).as_float()
    return k, m


def split_any(x: Value) -> tuple[Value, Value]:
    """The same for all x > 0, subnormal ones too."""
    form = FORMATS[x.dtype]
    lift = form.mantissa + 1
    subnormal = x < form.tiny
    k, m = split(select(subnormal, x * 2.0**lift, x))
    return select(subnormal, k - float(lift), k), m


def combine(k: Value, f: Value) -> Value:
    """k ln(2) + log(1 + f); k * high is exact, and the small terms are added first."""
    high, _ = LN2[f.dtype]
    return multiply_add(k, high, f + tail(k, f))


def tail(k: Value, f: Value) -> Value:
    """k ln(2) + log(1 + f) but for its two large terms, k * high and f."""
    _, low = LN2[f.dtype]
    return multiply_add(f * f, multiply_add(f, polynomial(f, LOG[f.dtype]), -0.5), k * low)


def log(x: Value) -> Value:
    k, m = split_any(x)
    result = select(x < inf, combine(k, m - 1.0), x)
    return select(x > 0.0, result, select(x.equals(0.0), -inf, nan_like(x)))


def log1p(x: Value) -> Value:
    """log of u = 1 + x, with what rounding took from u added to f again; for k = 0 this f is x itself."""
    u, lost = two_sum(x.body.splat(1.0, x.dtype), x)
    k, m = split(u)
    limit = float(FORMATS[x.dtype].mantissa + 3)  # beyond it, what was lost no longer matters
    f = multiply_add(lost, power_of_two(-select(k > limit, limit, k)), m - 1.0)
    result = select(x < inf, combine(k, f), x)
    result = select(x > -1.0, result, select(x.equals(-1.0), -inf, nan_like(x)))
    return select(x.equals(0.0), x, result)  # keeps the sign of -0


def nan_like(x: Value) -> Value:
    return x.body.splat(nan, x.dtype)
