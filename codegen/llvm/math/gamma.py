"""lgamma = log |gamma(x)|, and its first two derivatives, digamma and trigamma.

For 1/2 or 1 <= x <= `GAMMA_LARGE` a smooth function with the zeros divided out is a polynomial of t = (x - a)/(x + a),
beyond it the asymptotic series has few terms. Below, f(x + 1) is one step away; negative arguments are reflected:

    lgamma(-x) = log(pi / (x |sin(pi x)|)) - lgamma(x)      digamma(-x) = digamma(1 + x) + pi cot(pi x)
    trigamma(-x) = (pi / sin(pi x))^2 - trigamma(1 + x)

All in float64, for float32 too: so the results keep their digits near the zeros that lie between negative integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan, pi

from codegen.llvm.math.coefficients import (
    DIGAMMA,
    DIGAMMA_LEVEL,
    DIGAMMA_REST,
    DIGAMMA_ZERO,
    GAMMA_LARGE,
    GAMMA_MIDDLE,
    HALF_PI,
    LGAMMA,
    LGAMMA_LEVEL,
    LGAMMA_REST,
    LN2,
    TRIGAMMA,
    TRIGAMMA_LEVEL,
    TRIGAMMA_REST,
)
from codegen.llvm.math.logarithm import combine, log, split_any, tail
from codegen.llvm.math.trigonometric import cosine, sine
from codegen.llvm.math.values import (
    Value,
    fast_two_sum,
    fused,
    magnitude,
    multiply_add,
    polynomial,
    select,
    two_product,
    two_sum,
)

Parts = tuple[Value, Value]
"""A number and what rounding took from it."""

HALF_LOG_2_PI = 0.9189385332046728
LGAMMA_SMALL = 0.5
"""Below it lgamma(x) is lgamma(1 + x) - log(x), which do not cancel."""
TINY = 1e-20
"""Below it sin(pi x) is pi x, which may be subnormal."""


def lgamma(x: Value) -> Value:
    wide = _wide(x)
    size = magnitude(wide)
    small = size < LGAMMA_SMALL
    k, m = split_any(size)
    middle = _lgamma_middle(size, small)
    above = select(size > GAMMA_LARGE, _lgamma_large(size, k, m - 1.0), middle)
    sine_of, _ = _sine_and_cosine_of_pi(size)
    product = select(small, 1.0, size) * magnitude(sine_of) * (1.0 / pi)
    reflected = log(select(size < TINY, size, product))
    positive = select(small, middle - combine(k, m - 1.0), above)
    result = select(wide < 0.0, -reflected - above, positive)
    ordinary = (size > 0.0) & (size < inf)
    return _narrow(select(ordinary, result, select(size.equals(size), inf, wide)), x.dtype)


def _lgamma_middle(size: Value, small: Value) -> Value:
    """lgamma(x) = (x - 1) (x - 2) (level + p(t)) / (x + a), or lgamma(1 + x) where x is small; x - 1 and x - 2 are
    exact where they matter."""
    first = select(small, size, size - 1.0)
    shifted, lost = _shifted(size, small)
    return _ratio(two_product(first, first - 1.0), (LGAMMA_LEVEL, LGAMMA["float64"]), shifted, lost)


def _shifted(size: Value, small: Value) -> tuple[Value, Value]:
    """1 + x where x is small, else x; and what rounding lost."""
    return two_sum(size, select(small, size.body.splat(1.0, size.dtype), 0.0))


def _ratio(factor: Parts, polynomial_of_t: tuple[float, Sequence[float]], x: Value, x_lost: Value) -> Value:
    """factor (level + p(t)) / (x + a), t = (x - a)/(x + a), with the rounding errors of its parts made good."""
    level, coefficients = polynomial_of_t
    below, below_lost = two_sum(x, x.body.splat(GAMMA_MIDDLE, x.dtype))
    inverse = 1.0 / below
    ratio, ratio_lost = fast_two_sum(
        x.body.splat(level, x.dtype), polynomial((x - GAMMA_MIDDLE) * inverse, coefficients)
    )
    above, above_lost = two_product(factor[0], ratio)
    lost = multiply_add(factor[0], ratio_lost, multiply_add(factor[1], ratio, above_lost))
    quotient = above * inverse
    rest = fused(-quotient, below, above) + (lost - quotient * (below_lost + x_lost))
    return multiply_add(rest, inverse, quotient)


def _lgamma_large(size: Value, k: Value, f: Value) -> Value:
    """(x - 1/2) (log(x) - 1) + (log(2 pi) - 1)/2 + p(1/x^2)/x, where the logarithm less 1 is rounded once."""
    inverse = 1.0 / size
    rest = multiply_add(polynomial(inverse * inverse, LGAMMA_REST["float64"]), inverse, HALF_LOG_2_PI - 0.5)
    high, _ = LN2["float64"]
    logarithm = multiply_add(k, high, -1.0) + (f + tail(k, f))
    return multiply_add(size - 0.5, logarithm, rest)


def digamma(x: Value) -> Value:
    wide = _wide(x)
    size = magnitude(wide)
    small = size < 1.0
    # digamma(x) = (x - x0) (level + p(t)) / (x + a)
    shifted, lost = _shifted(size, small)
    high, low = DIGAMMA_ZERO["float64"]
    distance, distance_lost = two_sum(shifted, size.body.splat(-high, "float64"))
    parts = (distance, distance_lost + (lost - low))
    middle = _ratio(parts, (DIGAMMA_LEVEL, DIGAMMA["float64"]), shifted, lost)
    # log(x) - 1/(2 x) - z p(z)
    inverse = 1.0 / size
    square = inverse * inverse
    rest = multiply_add(square, polynomial(square, DIGAMMA_REST["float64"]), inverse * 0.5)
    large = log(size) - rest
    above = select(size > GAMMA_LARGE, large, middle)
    sine_of, cosine_of = _sine_and_cosine_of_pi(size)
    turned = above + select(small, 0.0, inverse) + cosine_of * pi / sine_of
    turned = select(sine_of.equals(0.0) | size.equals(inf), nan, turned)
    result = select(wide < 0.0, turned, select(small, above - 1.0 / wide, above))
    return _narrow(result, x.dtype)


def trigamma(x: Value) -> Value:
    wide = _wide(x)
    size = magnitude(wide)
    small = size < 1.0
    # trigamma(x) = (level + p(t)) / x
    shifted, _ = _shifted(size, small)
    t = (shifted - GAMMA_MIDDLE) / (shifted + GAMMA_MIDDLE)
    middle = (polynomial(t, TRIGAMMA["float64"]) + TRIGAMMA_LEVEL) / shifted
    # 1/x + z/2 + z p(z)/x
    inverse = 1.0 / size
    square = inverse * inverse
    rest = multiply_add(square * inverse, polynomial(square, TRIGAMMA_REST["float64"]), square * 0.5)
    above = select(size > GAMMA_LARGE, inverse + rest, middle)
    sine_of, _ = _sine_and_cosine_of_pi(size)
    steep = pi / sine_of
    turned = steep * steep - (above - select(small, 0.0, square))
    turned = select(size.equals(inf), nan, turned)
    result = select(wide < 0.0, turned, select(small, above + square, above))
    return _narrow(result, x.dtype)


def _sine_and_cosine_of_pi(x: Value) -> tuple[Value, Value]:
    """sin(pi x) and cos(pi x) for x >= 0, but for a sign that both have; sin is 0 at whole numbers.

    x = k/2 + r, and pi r is rounded once; for odd k the two change places.
    """
    k = x.body.intrinsic("roundeven", x * 2.0)
    r = multiply_add(k, -0.5, x)
    high, low, _ = HALF_PI["float64"]
    angle = multiply_add(r, 2.0 * high, r * (2.0 * low))
    half = k * 0.5
    odd = half > x.body.intrinsic("floor", half)
    s, c = sine(angle), cosine(angle)
    return select(odd, c, s), select(odd, -s, c)


def _wide(x: Value) -> Value:
    return x if x.dtype == "float64" else x.to("float64")


def _narrow(x: Value, dtype: str) -> Value:
    return x if dtype == "float64" else x.to(dtype)
