"""Sines, cosines and tangents: half angles in place of differences with 1, and what is 0/0 at 0."""

from __future__ import annotations

from symnet.simplify.pattern import Family, variables
from symnet.simplify.polynomials import multiple_of, twice
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.vocabulary import absolute, acos, asin, atan, atan2, cos, hypot, sin, sin_ratio, sqrt, square, tan

x, y = variables("x y")
odd = Family("odd", frozenset(("tan", "atan", "asin", "sinh", "asinh", "atanh", "cbrt", "erfinv")))
even = Family("even", frozenset(("cosh", "sin_ratio", "sinh_ratio", "log_cosh")))
of_sizes = Family("of_sizes", frozenset(("hypot",)))

PARITY = [
    rule("odd-of-negative", odd(-x), -odd(x), reason="the function is odd"),
    rule("even-of-negative", even(-x), even(x), reason="the function is even"),
    rule("length-of-negative", of_sizes(-x, y), of_sizes(x, y), reason="a length forgets the signs"),
    rule("length-of-second-negative", of_sizes(x, -y), of_sizes(x, y), reason="a length forgets the signs"),
]

HALF_ANGLES = [
    rule("one-minus-cos", 1 - cos(x), 2 * square(sin(0.5 * x)), kind=stabilising,
         reason="1 - cos x is 2·sin²(x/2), which keeps its digits for small x"),
    rule("cos-minus-one", cos(x) - 1, -2 * square(sin(0.5 * x)), kind=stabilising,
         reason="cos x - 1 is -2·sin²(x/2), which keeps its digits for small x"),
    rule("one-plus-cos", 1 + cos(x), 2 * square(cos(0.5 * x)), kind=stabilising,
         reason="1 + cos x is 2·cos²(x/2), which keeps its digits near π"),
    rule("one-minus-sin-squared", 1 - square(sin(x)), square(cos(x)),
         reason="1 - sin² is cos², which keeps its digits near π/2"),
    rule("one-minus-cos-squared", 1 - square(cos(x)), square(sin(x)),
         reason="1 - cos² is sin², which keeps its digits for small x"),
    rule("cos-squared-minus-sin-squared", square(cos(x)) - square(sin(x)), cos(2 * x),
         reason="cos² x - sin² x is cos(2x)"),
    rule("sin-squared-minus-cos-squared", square(sin(x)) - square(cos(x)), -cos(2 * x),
         reason="cos² x - sin² x is cos(2x)"),
    rule("secant-minus-one", 1 / cos(x) - 1, 2 * square(sin(0.5 * x)) / cos(x), kind=stabilising,
         reason="1/cos x - 1 is (1 - cos x)/cos x, and 1 - cos x is 2·sin²(x/2)"),
    rule("tangent-minus-sine", tan(x) - sin(x), tan(x) * (2 * square(sin(0.5 * x))), kind=stabilising,
         reason="tan x - sin x is tan x·(1 - cos x), and 1 - cos x is 2·sin²(x/2)"),
    rule("sine-squared-over-double", square(sin(y)) / sin(x), 0.5 * tan(y), kind=stabilising, condition=twice(x, y),
         reason="sin(2y) is 2·sin y·cos y; 0/0 does not arise"),
    rule("double-over-cosine-squared", sin(x) / square(cos(y)), 2 * tan(y), condition=twice(x, y),
         reason="sin(2y) is 2·sin y·cos y; 0/0 does not arise"),
]  # fmt: skip

QUOTIENTS = [
    rule("sine-over-cosine", sin(x) / cos(x), tan(x), reason="the tangent is sine over cosine"),
    rule("cosine-over-sine", cos(x) / sin(x), 1 / tan(x), reason="the cotangent is cosine over sine"),
    rule("tangent-of-angle", tan(atan(x)), x, kind=stabilising, reason="tan undoes arctan"),
    rule("sine-over-part", sin(x) / y, multiple_of(x, y) * sin_ratio(x), kind=stabilising,
         reason="sin x/x is a function that is 1 at 0"),
    rule("part-over-sine", y / sin(x), 1 / (multiple_of(x, y) * sin_ratio(x)), kind=stabilising,
         reason="sin x/x is a function that is 1 at 0"),
    rule("tangent-over-part", tan(x) / y, multiple_of(x, y) * sin_ratio(x) / cos(x), kind=stabilising,
         reason="sin x/x is a function that is 1 at 0, and tan x is sin x/cos x"),
    rule("part-over-tangent", y / tan(x), cos(x) / (multiple_of(x, y) * sin_ratio(x)), kind=stabilising,
         reason="sin x/x is a function that is 1 at 0, and tan x is sin x/cos x"),
    rule("sine-squared-over-square", square(sin(x)) / square(y), square(multiple_of(x, y) * sin_ratio(x)),
         kind=stabilising, reason="sin x/x is a function that is 1 at 0"),
    rule("sine-squared-over-part", square(sin(x)) / y, multiple_of(x, y) * (sin_ratio(x) * sin(x)), kind=stabilising,
         reason="sin x/x is a function that is 1 at 0"),
]  # fmt: skip

ANGLES = [
    rule("arccos-near-one", acos(1 - x), 2 * asin(sqrt(0.5 * x)), kind=stabilising,
         reason="1 - cos a is 2·sin²(a/2), so a small angle keeps the digits that 1 - x loses"),
    rule("arccos-of-part", acos(x / hypot(x, y)), atan2(absolute(y), x), kind=stabilising,
         reason="both sides give the angle, which the cosine hardly tells near 1"),
    rule("arccos-of-second-part", acos(x / hypot(y, x)), atan2(absolute(y), x), kind=stabilising,
         reason="both sides give the angle, which the cosine hardly tells near 1"),
    rule("arcsin-of-part", asin(x / hypot(x, y)), atan2(x, absolute(y)), kind=stabilising,
         reason="both sides give the angle, which the sine hardly tells near 1"),
    rule("arcsin-of-second-part", asin(x / hypot(y, x)), atan2(x, absolute(y)), kind=stabilising,
         reason="both sides give the angle, which the sine hardly tells near 1"),
]  # fmt: skip

RULES = [*PARITY, *HALF_ANGLES, *QUOTIENTS, *ANGLES]
