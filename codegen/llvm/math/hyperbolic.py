"""sinh and cosh, from half of exp(|x|).

h = exp(|x|)/2 is finite wherever sinh and cosh are, and exp(-|x|)/2 = 1/(4 h). Near 0, where the difference of the two
cancels, sinh is an odd polynomial.
"""

from __future__ import annotations

from codegen.llvm.math.coefficients import SINH, SINH_SMALL
from codegen.llvm.math.exponential import expm1_reduced, reduce, scaled
from codegen.llvm.math.values import Value, magnitude, multiply_add, polynomial, select, with_sign_of

INFINITE = {"float32": 90.0, "float64": 711.0}
"""exp(x)/2 of this is infinite."""


def sinh(x: Value) -> Value:
    size = magnitude(x)
    square = size * size
    small = multiply_add(size * square, polynomial(square, SINH[x.dtype]), size)
    half = _half_exp(size)
    return with_sign_of(select(size < SINH_SMALL, small, half - 0.25 / half), x)


def cosh(x: Value) -> Value:
    half = _half_exp(magnitude(x))
    return half + 0.25 / half


def _half_exp(size: Value) -> Value:
    """exp(size)/2."""
    k, r = reduce(size.clamped(0.0, INFINITE[size.dtype]))
    return scaled(expm1_reduced(r) + 1.0, k - 1.0)
