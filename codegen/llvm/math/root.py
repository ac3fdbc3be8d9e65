"""The cube root.

x = 2^k m with m in [sqrt(1/2), sqrt(2)) and k = 3 q + r, r in {-1, 0, 1}: the root is 2^q times that of 2^r m, which a
polynomial gives to 14 bits: one step of Newton makes 28 of them, two 56.
"""

from __future__ import annotations

from math import inf

from codegen.llvm.math.coefficients import CBRT
from codegen.llvm.math.logarithm import split_any
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

STEPS = {"float32": 1, "float64": 2}


def cbrt(x: Value) -> Value:
    size = magnitude(x)
    k, m = split_any(size)
    rounder = FORMATS[x.dtype].rounder
    q = multiply_add(k, 1.0 / 3.0, rounder) - rounder
    m = m * power_of_two(k - q * 3.0)
    root = polynomial(m, CBRT[x.dtype])
    for _ in range(STEPS[x.dtype]):
        square = root * root
        root = root - multiply_add(square, root, -m) / (square * 3.0)
    ordinary = (size > 0.0) & (size < inf)
    return with_sign_of(select(ordinary, root * power_of_two(q), size), x)
