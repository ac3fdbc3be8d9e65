"""f(x) - f(y) where x - y is known better than x and y: it becomes a form in x - y, which does not cancel.

`distance(x, y)` is x - y without the terms that cancel (1 for x + 1 and x), and refuses where none does.
"""

from __future__ import annotations

from symnet.simplify.pattern import Apply, Term, this, variables
from symnet.simplify.polynomials import (
    ahead,
    apart,
    apart_by_more_than_a_number,
    distance,
    near,
    over_common_denominator,
    unmirrored,
)
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.vocabulary import (
    absolute,
    atan,
    atan2,
    cbrt,
    cos,
    equal,
    exp,
    exp_step,
    expm1,
    greater,
    log,
    log1p,
    maximum,
    power,
    power_step,
    rsqrt,
    sigmoid,
    sin,
    sqrt,
    square,
    tan,
    tanh,
    tanh_step,
    where,
)

p, w, x, y, z = variables("p w x y z")
gap = distance(x, y)

ALGEBRAIC = [
    rule("difference-of-squares", square(x) - square(y), apart(x, y) * (x + y), kind=stabilising,
         reason="x² - y² is (x - y)·(x + y), which subtracts before it rounds"),
    rule("difference-of-cubes", x * square(x) - y * square(y), apart(x, y) * (square(x) + x * y + square(y)),
         kind=stabilising, reason="x³ - y³ is (x - y)·(x² + x·y + y²), which subtracts before it rounds"),
    rule("difference-of-roots", sqrt(x) - sqrt(y), where(equal(apart(x, y), 0), 0, apart(x, y) / (sqrt(x) + sqrt(y))),
         kind=stabilising, reason="√x - √y is (x - y)/(√x + √y)"),
    rule("difference-of-inverse-roots", rsqrt(x) - rsqrt(y), -(gap / (sqrt(x) + sqrt(y)) * rsqrt(x) * rsqrt(y)),
         kind=stabilising, reason="1/√x - 1/√y is (y - x)/(√x·√y·(√x + √y))"),
    rule("inverse-root-minus-one", rsqrt(x) - 1, -(distance(x, 1) / (sqrt(x) * (1 + sqrt(x)))), kind=stabilising,
         reason="1/√x - 1 is (1 - x)/(√x·(1 + √x))"),
    rule("one-minus-inverse-root", 1 - rsqrt(x), distance(x, 1) / (sqrt(x) * (1 + sqrt(x))), kind=stabilising,
         reason="1 - 1/√x is (x - 1)/(√x·(1 + √x))"),
    rule("difference-of-cube-roots", cbrt(x) - cbrt(y), gap / (square(cbrt(x)) + cbrt(x) * cbrt(y) + square(cbrt(y))),
         kind=stabilising, reason="a - b is (a³ - b³)/(a² + a·b + b²)"),
    rule("power-minus-earlier", power(x, p) - power(y, p), power_step(y, gap, p), kind=stabilising,
         condition=ahead(x, y), reason="xᵖ - yᵖ is (y + d)ᵖ - yᵖ with d = x - y"),
    rule("power-minus-later", power(x, p) - power(y, p), -power_step(x, distance(y, x), p), kind=stabilising,
         condition=ahead(y, x), reason="xᵖ - yᵖ is -((x + d)ᵖ - xᵖ) with d = y - x"),
    rule("power-minus-near", power(x, p) - power(y, p), power_step(y, gap, p), kind=stabilising,
         condition=apart_by_more_than_a_number(x, y), reason="xᵖ - yᵖ is (y + d)ᵖ - yᵖ with d = x - y"),
    rule("fractions-plus", x / y + z, over_common_denominator(this), kind=stabilising,
         reason="over a common denominator the largest terms cancel exactly"),
    rule("fractions-minus", x / y - z, over_common_denominator(this), kind=stabilising,
         reason="over a common denominator the largest terms cancel exactly"),
    rule("minus-fractions", z - x / y, over_common_denominator(this), kind=stabilising,
         reason="over a common denominator the largest terms cancel exactly"),
]  # fmt: skip

EXPONENTIAL = [
    rule("difference-of-exponentials", exp(x) - exp(y), exp_step(y, gap), kind=stabilising,
         reason="eˣ - eʸ is eʸ·(eᵈ - 1) with d = x - y"),
    rule("difference-of-expm1", expm1(x) - expm1(y), exp_step(y, gap), kind=stabilising,
         reason="eˣ - eʸ is eʸ·(eᵈ - 1) with d = x - y"),
    rule("difference-of-tanh", tanh(x) - tanh(y), tanh_step(y, gap), kind=stabilising,
         reason="tanh x - tanh y is sinh d/(cosh x·cosh y) with d = x - y"),
    rule("difference-of-sigmoids", sigmoid(x) - sigmoid(y), 0.5 * tanh_step(0.5 * y, 0.5 * gap), kind=stabilising,
         reason="σ(x) is (1 + tanh(x/2))/2, and tanh x - tanh y is sinh d/(cosh x·cosh y) with d = x - y"),
]  # fmt: skip

TRIGONOMETRIC = [
    rule("difference-of-sines", sin(x) - sin(y), 2 * (cos(y + 0.5 * gap) * sin(0.5 * gap)), kind=stabilising,
         reason="sin x - sin y is 2·cos((x + y)/2)·sin((x - y)/2)"),
    rule("difference-of-cosines", cos(x) - cos(y), -2 * (sin(y + 0.5 * gap) * sin(0.5 * gap)), kind=stabilising,
         reason="cos x - cos y is -2·sin((x + y)/2)·sin((x - y)/2)"),
    rule("difference-of-tangents", tan(x) - tan(y), sin(gap) / (cos(x) * cos(y)), kind=stabilising,
         reason="tan x - tan y is sin(x - y)/(cos x·cos y)"),
    rule("difference-of-angles", atan(x) - atan(y), atan2(gap, 1 + x * y), kind=stabilising,
         reason="arctan x - arctan y is the angle between (1, x) and (1, y)"),
]  # fmt: skip


def log_of_quotient(a: Term, b: Term) -> Apply:
    """log(a/b), by the one of log1p((a - b)/b) and -log1p((b - a)/a) whose argument is positive."""
    ahead_of_b = log1p(maximum(distance(a, b) / b, -0.5))
    return where(greater(absolute(a), absolute(b)), ahead_of_b, -log1p(maximum(-distance(a, b) / a, -0.5)))


LOGARITHMIC = [
    rule("log-of-quotient-near-1", log(x / y), log_of_quotient(x, y), kind=stabilising,
         condition=(near(x, y), unmirrored(x, y)),
         reason="log(x/y) is log(1 + (x - y)/y), or -log(1 + (y - x)/x), whichever argument is positive"),
] + [
    rule(f"{name}-{place}", pattern, replacement, condition=condition, kind=stabilising, reason=reason)
    for name, pattern, a, b in (
        ("difference-of-logs", log(x) - log(y), x, y),
        ("difference-of-log1p", log1p(x) - log1p(y), 1 + x, 1 + y),
        ("log1p-minus-log", log1p(x) - log(y), 1 + x, y),
        ("log-minus-log1p", log(x) - log1p(y), x, 1 + y),
    )
    for place, replacement, condition, reason in (
        ("earlier", log1p(distance(a, b) / b), ahead(a, b), "log a - log b is log(1 + (a - b)/b)"),
        ("later", -log1p(distance(b, a) / a), ahead(b, a), "log a - log b is -log(1 + (b - a)/a)"),
        (
            "near",
            log_of_quotient(a, b),
            (apart_by_more_than_a_number(a, b), unmirrored(a, b)),
            "log a - log b is log(1 + (a - b)/b), or -log(1 + (b - a)/a), whichever argument is positive",
        ),
    )
]  # fmt: skip

PRODUCTS = [
    rule(f"difference-of-{name}", x * f - z * g, distance(x, z) * f + z * (f - g), kind=stabilising,
         condition=near(a, b), reason="x·f - z·g is (x - z)·f + z·(f - g), and both differences are known")
    for name, f, g, a, b in (
        ("entropies", log(y), log(w), y, w),
        ("entropies-of-next", log1p(y), log(w), 1 + y, w),
        ("entropies-to-next", log(y), log1p(w), y, 1 + w),
    )
]  # fmt: skip

RULES = [*ALGEBRAIC, *EXPONENTIAL, *TRIGONOMETRIC, *LOGARITHMIC, *PRODUCTS]
