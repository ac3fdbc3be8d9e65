"""exp, expm1, tanh.

exp(x) = 2^k exp(r), where k is x / ln(2) rounded and r = x - k ln(2); exp(r) = 1 + (r + r^2 p(r)). Where results may be
subnormal or close to overflow, 2^k is applied as two factors, so that the product is rounded once, at the very end,
and overflows, underflows and passes NaN on by itself.
"""

from __future__ import annotations

from codegen.llvm.math.coefficients import EXP, LN2, TANH, TANH_SMALL
from codegen.llvm.math.values import (
    FORMATS,
    Value,
    magnitude,
    multiply_add,
    polynomial,
    power_of_two,
    select,
    with_sign_of,
)

LOG2_E = 1.4426950408889634
UNDERFLOW = {"float32": -104.0, "float64": -746.0}  # exp of this rounds to 0
OVERFLOW = {"float32": 89.0, "float64": 710.0}  # exp of this is infinite
EXPM1_IS_MINUS_ONE = {"float32": -18.0, "float64": -40.0}
TANH_IS_ONE = {"float32": 9.2, "float64": 20.0}


def reduce(x: Value) -> tuple[Value, Value]:
    """k and r with x = k ln(2) + r, |r| <= ln(2)/2, for |x| < 1000; k * high is exact."""
    rounder = FORMATS[x.dtype].rounder
    high, low = LN2[x.dtype]
    k = multiply_add(x, LOG2_E, rounder) - rounder
    return k, multiply_add(k, -low, multiply_add(k, -high, x))


def expm1_reduced(r: Value) -> Value:
    """exp(r) - 1 for |r| <= ln(2)/2."""
    return multiply_add(r * r, polynomial(r, EXP[r.dtype]), r)


def scaled(value: Value, k: Value) -> Value:
    """value * 2^k, rounded once, for a value in [1/2, 2] and k up to twice the range of exponents."""
    form = FORMATS[k.dtype]
    half = multiply_add(k, 0.5, form.rounder + form.bias)
    rest = k - (half - (form.rounder + form.bias))
    return value * (half.bits() << form.mantissa).as_float() * power_of_two(rest)


def exp(x: Value) -> Value:
    k, r = reduce(x.clamped(UNDERFLOW[x.dtype], OVERFLOW[x.dtype]))
    return scaled(expm1_reduced(r) + 1.0, k)


def expm1(x: Value) -> Value:
    """2^k (r + r^2 p(r)) + (2^k - 1), computed at half its size because 2^k may overflow where the result does not."""
    form = FORMATS[x.dtype]
    k, r = reduce(x.clamped(EXPM1_IS_MINUS_ONE[x.dtype], OVERFLOW[x.dtype]))
    half_scale = power_of_two(k - 1.0)
    linear = multiply_add(r, half_scale, half_scale - 0.5)  # exact where it cancels
    result = multiply_add(r * r * polynomial(r, EXP[x.dtype]), half_scale, linear) * 2.0
    return select(magnitude(x) < 2.0 ** -(form.mantissa + 2), x, result)


def tanh(x: Value) -> Value:
    """An odd polynomial near 0; else 1 - 2 / (exp(2 |x|) + 1)."""
    size = magnitude(x)
    square = size * size
    small = multiply_add(size * square, polynomial(square, TANH[x.dtype]), size)
    end = TANH_IS_ONE[x.dtype]
    k, r = reduce(select(size > end, end, size) * 2.0)
    scale = power_of_two(k)
    large = 1.0 - 2.0 / multiply_add(expm1_reduced(r), scale, scale + 1.0)
    return with_sign_of(select(size < TANH_SMALL, small, large), x)
