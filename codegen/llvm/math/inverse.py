"""atan: an odd polynomial of the smaller of |x| and 1/|x|; the larger ones are counted back from pi/2."""

from __future__ import annotations

from codegen.llvm.math.coefficients import ATAN, HALF_PI
from codegen.llvm.math.values import Value, magnitude, multiply_add, polynomial, select, with_sign_of


def atan(x: Value) -> Value:
    size = magnitude(x)
    turned = size > 1.0
    small = select(turned, 1.0 / size, size)
    square = small * small
    angle = multiply_add(small * square, polynomial(square, ATAN[x.dtype]), small)
    high, low, _ = HALF_PI[x.dtype]
    return with_sign_of(select(turned, high - (angle - low), angle), x)
