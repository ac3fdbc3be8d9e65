"""pow, with the special cases of C99 (which are NumPy's).

|x|^y = exp(y log|x|). The error of the logarithm is multiplied by y log|x|, which reaches 745, so the logarithm needs
ten bits more than the result: float32 is computed in float64, and float64 with the logarithm as a sum of two numbers.
"""

from __future__ import annotations

from math import inf, nan

from codegen.llvm.builder import vector_type
from codegen.llvm.math.coefficients import LN2, POW_ATANH, POW_EXP2, POW_LOG2
from codegen.llvm.math.exponential import OVERFLOW, UNDERFLOW, expm1_reduced, reduce, scaled
from codegen.llvm.math.logarithm import split, split_any
from codegen.llvm.math.values import (
    FORMATS,
    Body,
    Value,
    corrected,
    fast_two_sum,
    fused,
    magnitude,
    multiply_add,
    polynomial,
    power_of_two,
    select,
    two_product,
)
from symnet.expr.dtypes import SHORT

Y_LIMIT = 2.0**65  # beyond it, any |x| other than 1 overflows or underflows
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)


def power(x: Value, y: Value) -> Value:
    """x^y for positive numbers; where x is not one, or y is beyond all reason, `special` decides."""
    result = (_power_float32 if x.dtype == "float32" else _power_float64)(magnitude(x), y)
    ordinary = (x > 0.0) & (x < inf) & (magnitude(y) < Y_LIMIT)
    return corrected([result], ordinary ^ True, special_symbol(x.dtype, x.body.lanes), [x, y, result])[0]


def special(x: Value, y: Value, result: Value) -> Value:
    """x^y for any numbers, given |x|^y where both are finite and x is not 0."""
    form, size = FORMATS[x.dtype], magnitude(x)
    number = x.equals(x) & y.equals(y)
    grows = (size > 1.0) ^ (y < 0.0)
    extreme = select(grows, x.body.splat(inf, x.dtype), 0.0)
    result = select(size.equals(0.0) | size.equals(inf) | (magnitude(y) >= Y_LIMIT), extreme, result)
    result = select(size.equals(1.0), 1.0, result)
    integer, odd = _parity(y)
    flip = select(odd, x.bits() & form.sign, 0)
    result = (result.bits() ^ flip).as_float()
    undefined = ((x < 0.0) & (size < inf) & (integer ^ True)) | (number ^ True)
    result = select(undefined, nan, result)
    return select(x.equals(1.0) | y.equals(0.0), 1.0, result)


def special_text(dtype: str, lanes: int, fma: bool) -> str:
    """The text of `special`, a function of x, y and |x|^y."""
    kind = f"{{ {vector_type(dtype, lanes)} }}"
    operands = [(dtype, name) for name in ("x", "y", "result")]
    body = Body(special_symbol(dtype, lanes), operands, kind, lanes, fma, "nounwind noinline cold")
    result = special(*body.parameters)
    return body.finish(f"{kind} {body.value(f'insertvalue {kind} poison, {result.typed}, 0')}")


def special_symbol(dtype: str, lanes: int) -> str:
    return f"sn.pow_special.{SHORT[dtype]}x{lanes}"


def _parity(y: Value) -> tuple[Value, Value]:
    """Whether y is an integer (infinity counts as one), and whether an odd one."""
    half = y * 0.5
    integer = y.body.intrinsic("floor", y).equals(y)
    even = y.body.intrinsic("floor", half).equals(half)
    return integer, integer & (even ^ True)


def _power_float32(size: Value, y: Value) -> Value:
    """2^(y log2(size)) in float64, where neither the argument nor the result can be subnormal or overflow."""
    k, m = split(size.to("float64"))
    f = m - 1.0
    exponent = (y.to("float64") * multiply_add(f, polynomial(f, POW_LOG2["float32"]), k)).clamped(-200.0, 200.0)
    rounder = FORMATS["float64"].rounder
    whole = (exponent + rounder) - rounder
    r = exponent - whole
    return (multiply_add(r, polynomial(r, POW_EXP2["float32"]), 1.0) * power_of_two(whole)).to("float32")


def _power_float64(size: Value, y: Value) -> Value:
    high, low = _log_in_two_parts(size)
    product, error = two_product(y, high)
    error = multiply_add(y, low, error)
    limited = product.clamped(UNDERFLOW["float64"], OVERFLOW["float64"])
    k, r = reduce(limited)
    r = r + select(limited.equals(product), error, 0.0)
    return scaled(expm1_reduced(r) + 1.0, k)


def _log_in_two_parts(x: Value) -> tuple[Value, Value]:
    """log(x) of a float64 x > 0 as high + low, with a relative error of about 2^-65.

    With x = 2^k m, log(m) = 2 atanh(s) = 2 s + s^3 (2/3 + w p(w)), where s = (m - 1) / (m + 1) and w = s^2 < 0.03. Each
    of s, w, s^3, the bracket and their product is kept as a rounded value and its error.
    """
    k, m = split_any(x)
    f, divisor = m - 1.0, m + 1.0
    divisor_error = m - (divisor - 1.0)
    inverse = 1.0 / divisor
    s = f * inverse
    s_error = (fused(-s, divisor, f) - s * divisor_error) * inverse
    w, w_error = two_product(s, s)
    w_error = multiply_add(s + s, s_error, w_error)
    bracket, bracket_error = fast_two_sum(
        x.body.splat(TWO_THIRDS[0], x.dtype), multiply_add(w, polynomial(w, POW_ATANH[x.dtype]), TWO_THIRDS[1])
    )
    cube, cube_error = two_product(w, s)
    cube_error = multiply_add(w, s_error, multiply_add(w_error, s, cube_error))
    rest, rest_error = two_product(cube, bracket)
    rest_error = multiply_add(cube, bracket_error, multiply_add(cube_error, bracket, rest_error))
    ln2_high, ln2_low = LN2[x.dtype]
    total, error1 = fast_two_sum(k * ln2_high, s + s)
    total, error2 = fast_two_sum(total, rest)
    return total, ((error1 + error2) + rest_error) + multiply_add(k, ln2_low, s_error + s_error)
