"""erf: an odd polynomial for small arguments, else 1 - exp(p(|x|))."""

from __future__ import annotations

from codegen.llvm.math.coefficients import ERF, ERF_SMALL, LOG_ERFC
from codegen.llvm.math.exponential import expm1_reduced, reduce
from codegen.llvm.math.values import (
    Value,
    magnitude,
    multiply_add,
    polynomial,
    power_of_two,
    select,
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
