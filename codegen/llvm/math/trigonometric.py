"""sin and cos, and the reduction of their arguments.

|x| = k pi/2 + r. Up to `LIMIT`, pi/2 in three parts and fused multiply-adds give r to the last bit; larger arguments,
which are rare, go one by one through `payne_hanek`, which multiplies by as many bits of 2/pi as they need. The branch
is taken when any lane needs it, but only the lanes that need it use its result, so that a number's sine does not
depend on its neighbours.
"""

from __future__ import annotations

from codegen.llvm.math import payne_hanek
from codegen.llvm.math.coefficients import COS, HALF_PI, SIN
from codegen.llvm.math.values import (
    FORMATS,
    Value,
    corrected,
    fast_two_sum,
    fused,
    magnitude,
    multiply_add,
    polynomial,
    select,
)

TWO_OVER_PI_FLOAT = 0.6366197723675814
LIMIT = {"float32": 2.0**17, "float64": 2.0**28}


def sin(x: Value) -> Value:
    r, quadrant = _reduce(x)
    sign = (x.bits() & FORMATS[x.dtype].sign) ^ _sign(quadrant)
    return (select(_odd(quadrant), cosine(r), sine(r)).bits() ^ sign).as_float()


def cos(x: Value) -> Value:
    r, quadrant = _reduce(x)
    return (select(_odd(quadrant), sine(r), cosine(r)).bits() ^ _sign(quadrant + 1)).as_float()


def tan(x: Value) -> Value:
    """sin/cos of the reduced argument, or -cos/sin in the odd quadrants.

    It adds up three errors: of float32 it is computed in float64, and in float64 those of sin and cos are made good.
    """
    wide = x if x.dtype == "float64" else x.to("float64")
    r, quadrant = _reduce(wide)
    odd = _odd(quadrant)
    quotient = _quotient_float64(r, odd) if x.dtype == "float64" else _quotient_float32(r, odd)
    sign = (wide.bits() & FORMATS["float64"].sign) ^ _sign((quadrant & 1) << 1)
    result = (quotient.bits() ^ sign).as_float()
    return result if x.dtype == "float64" else result.to(x.dtype)


def _quotient_float32(r: Value, odd: Value) -> Value:
    s, c = sine(r, "float32"), cosine(r, "float32")
    return select(odd, c, s) / select(odd, s, c)


def _quotient_float64(r: Value, odd: Value) -> Value:
    """(s + s_lost)/(c + c_lost), or its inverse."""
    square = r * r
    s, s_lost = fast_two_sum(r, r * square * polynomial(square, SIN["float64"]))
    lacking = multiply_add(square * square, polynomial(square, COS["float64"]), square * -0.5)
    c, c_lost = fast_two_sum(r.body.splat(1.0, r.dtype), lacking)
    above, below = select(odd, c, s), select(odd, s, c)
    inverse = 1.0 / below
    quotient = above * inverse
    rest = fused(-quotient, below, above) + (select(odd, c_lost, s_lost) - quotient * select(odd, s_lost, c_lost))
    return multiply_add(rest, inverse, quotient)


def sine(r: Value, accuracy: str | None = None) -> Value:
    """The sine for |r| <= pi/4, to the accuracy of a dtype (that of r)."""
    square = r * r
    return multiply_add(r * square, polynomial(square, SIN[accuracy or r.dtype]), r)


def cosine(r: Value, accuracy: str | None = None) -> Value:
    square = r * r
    return multiply_add(square * square, polynomial(square, COS[accuracy or r.dtype]), 1.0 - square * 0.5)


def _odd(quadrant: Value) -> Value:
    return quadrant.body.compare("ne", quadrant & 1, 0)


def _sign(quadrant: Value) -> Value:
    """The sign bit where the quadrant is 2 or 3 (modulo 4)."""
    form = FORMATS[{"int32": "float32", "int64": "float64"}[quadrant.dtype]]
    return (quadrant << (form.width - 2)) & form.sign


def _reduce(x: Value) -> tuple[Value, Value]:
    """r and the quadrant k (its low bits) of |x|."""
    rounder = FORMATS[x.dtype].rounder
    size = magnitude(x)
    shifted = multiply_add(size, TWO_OVER_PI_FLOAT, rounder)
    k, r = shifted - rounder, size
    for part in HALF_PI[x.dtype]:
        r = fused(k, -part, r)
    values = (r, shifted.bits())
    arguments = (size,) if x.body.lanes == 1 else (size, *values)
    r, quadrant = corrected(values, size > LIMIT[x.dtype], payne_hanek.symbol(x.dtype, x.body.lanes), arguments)
    return r, quadrant


def reduce_huge(dtype: str, lanes: int) -> str:
    """The text of the function that reduces the arguments above the limit."""
    if lanes > 1:
        return payne_hanek.reduce_lanes(dtype, lanes, LIMIT[dtype])
    return payne_hanek.reduce_float32() if dtype == "float32" else payne_hanek.reduce_float64()
