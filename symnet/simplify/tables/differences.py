"""f(x) - f(y) where x - y is known better than x and y: it becomes a function of y and x - y that does not cancel.

`distance(x, y)` is x - y without the terms that cancel (1 for x + 1 and x), and refuses where none does. Of the two,
the one that is computed from the other, x + 1 from x, counts as the later one.
"""

from __future__ import annotations

from symnet.simplify.logarithms import keeps_factors
from symnet.simplify.pattern import Apply, Call, Term, this, variables
from symnet.simplify.polynomials import (
    based_on,
    based_on_second,
    distance,
    given,
    half_cancelled,
    law_of_cosines,
    multiple_of,
    near,
    over_common_denominator,
    unmirrored,
)
from symnet.simplify.rule import Rule, rule, stabilising
from symnet.simplify.vocabulary import (
    absolute,
    atan,
    atan_step,
    cbrt,
    cbrt_step,
    cos,
    cos_difference,
    cos_step,
    exp,
    exp_step,
    expm1,
    exprel,
    less,
    log,
    log1p,
    log1p_ratio,
    log_ratio,
    log_step,
    power,
    power_step,
    rsqrt,
    rsqrt_step,
    sigmoid,
    sigmoid_step,
    sin,
    sin_ratio,
    sin_step,
    sqrt,
    sqrt_difference,
    sqrt_step,
    square,
    tan,
    tan_step,
    tanh,
    tanh_step,
    where,
)

p, w, x, y, z = variables("p w x y z")


def difference(name: str, pattern: Apply, earlier: Apply, later: Apply, reason: str, a: Term = x, b: Term = y,
               condition: tuple[Call, ...] = ()) -> list[Rule]:  # fmt: skip
    """Two rules: the step from b to a, where a is computed from b, and the opposite of the step from a to b."""
    return [
        rule(name, pattern, earlier, kind=stabilising, condition=(based_on(a, b), *condition), reason=reason),
        rule(f"{name}-turned", pattern, later, kind=stabilising, condition=(based_on_second(a, b), *condition),
             reason=reason),
    ]  # fmt: skip


STEPS = [
    item
    for name, f, step, reason in (
        ("exponentials", exp, exp_step, "eˣ - eʸ is eʸ·(eᵈ - 1) with d = x - y"),
        ("expm1", expm1, exp_step, "eˣ - eʸ is eʸ·(eᵈ - 1) with d = x - y"),
        ("tanh", tanh, tanh_step, "tanh x - tanh y is sinh d/(cosh x·cosh y) with d = x - y"),
        ("sigmoids", sigmoid, sigmoid_step, "σ(x) is (1 + tanh(x/2))/2, and the difference of two tanh is one of sinh"),
        ("sines", sin, sin_step, "sin x - sin y is 2·cos((x + y)/2)·sin((x - y)/2)"),
        ("cosines", cos, cos_step, "cos x - cos y is -2·sin((x + y)/2)·sin((x - y)/2)"),
        ("tangents", tan, tan_step, "tan x - tan y is sin(x - y)/(cos x·cos y)"),
        ("angles", atan, atan_step, "arctan x - arctan y is the angle between (1, x) and (1, y)"),
        ("roots", sqrt, sqrt_step, "√x - √y is (x - y)/(√x + √y)"),
        ("inverse-roots", rsqrt, rsqrt_step, "1/√x - 1/√y is (y - x)/(√x·√y·(√x + √y))"),
        ("cube-roots", cbrt, cbrt_step, "a - b is (a³ - b³)/(a² + a·b + b²)"),
        ("logs", log, log_step, "log x - log y is log(1 + (x - y)/y)"),
    )
    for item in difference(
        f"difference-of-{name}", f(x) - f(y), step(y, distance(x, y)), -step(x, distance(y, x)), reason
    )
]

SLOPES = [
    rule(f"slope-of-{name}", step(y, x) / z,
         where(close, multiple_of(x, z) * slope, step(y, where(close, 1, x)) / z), kind=stabilising,
         reason="the step of the function over that of its argument, which has a value where both are 0")
    for name, step, close, slope in (
        ("sine", sin_step, less(absolute(x), 1), (cos(y) + cos_step(y, 0.5 * x)) * sin_ratio(0.5 * x)),
        ("cosine", cos_step, less(absolute(x), 1), -((sin(y) + sin_step(y, 0.5 * x)) * sin_ratio(0.5 * x))),
        ("exponential", exp_step, less(absolute(x), 1), exp(y) * exprel(x)),
        ("logarithm", log_step, less(absolute(x), absolute(0.5 * y)), log1p_ratio(x / y) / y),
        ("root", sqrt_step, less(absolute(x), absolute(0.5 * y)), 1 / (sqrt(y + x) + sqrt(y))),
    )
]  # fmt: skip

LOGARITHMS = [
    item
    for name, pattern, a, b, condition in (
        ("log1p", log1p(x) - log1p(y), 1 + x, 1 + y, (unmirrored(x, y),)),
        ("log1p-and-log", log1p(x) - log(y), 1 + x, y, ()),
        ("log-and-log1p", log(x) - log1p(y), x, 1 + y, ()),
        ("log-quotient", log(x / y), x, y, (unmirrored(x, y), keeps_factors(this))),
    )
    for item in difference(
        f"difference-of-{name}", pattern, log_step(b, distance(a, b)), -log_step(a, distance(b, a)),
        "log a - log b is log(1 + (a - b)/b)", a, b, condition,
    )
]  # fmt: skip

near_one = less(absolute(x - 1), 0.75)

POWERS = [
    *difference("difference-of-powers", power(x, p) - power(y, p), power_step(y, distance(x, y), p),
                -power_step(x, distance(y, x), p), "xᵖ - yᵖ is (y + d)ᵖ - yᵖ with d = x - y"),
    *difference("difference-of-cubes", x * square(x) - y * square(y), power_step(y, distance(x, y), 3),
                -power_step(x, distance(y, x), 3), "x³ - y³ is (y + d)³ - y³ with d = x - y"),
    rule("difference-of-squares", square(x) - square(y), distance(x, y) * (x + y), kind=stabilising,
         reason="x² - y² is (x - y)·(x + y), and x - y is known"),
    rule("inverse-root-minus-one", rsqrt(x) - 1,
         where(near_one, -(distance(x, 1) / (sqrt(x) * (1 + sqrt(x)))), rsqrt(where(near_one, 1, x)) - 1),
         kind=stabilising, reason="1/√x - 1 is (1 - x)/(√x·(1 + √x))"),
    rule("one-minus-inverse-root", 1 - rsqrt(x),
         where(near_one, distance(x, 1) / (sqrt(x) * (1 + sqrt(x))), 1 - rsqrt(where(near_one, 1, x))),
         kind=stabilising, reason="1 - 1/√x is (x - 1)/(√x·(1 + √x))"),
]  # fmt: skip

GIVEN = [
    rule("log-of-given-ratio", log(x / y), log_ratio(x, y), kind=stabilising, condition=given(x, y),
         reason="log(x/y) is log(1 + (x - y)/y), before x/y is rounded"),
    rule("difference-of-given-logs", log(x) - log(y), log_ratio(x, y), kind=stabilising, condition=given(x, y),
         reason="log x - log y is log(1 + (x - y)/y)"),
    rule("difference-of-given-roots", sqrt(x) - sqrt(y), sqrt_difference(x, y), kind=stabilising,
         condition=given(x, y), reason="√x - √y is (x - y)/(√x + √y)"),
    rule("difference-of-given-cosines", cos(x) - cos(y), cos_difference(x, y), kind=stabilising,
         condition=given(x, y), reason="cos x - cos y is -2·sin((x + y)/2)·sin((x - y)/2)"),
    rule("sum-less-part", x - y, half_cancelled(x, y), kind=stabilising,
         reason="what is subtracted is a part of the sum, and is taken from its coefficient instead"),
    rule("law-of-cosines", square(x) + square(y) - z, law_of_cosines(x, y, z), kind=stabilising,
         reason="a² + b² - 2·a·b·cos γ is (|a| - |b|)² + 4·|a·b|·sin²(γ/2), or with cos² if a·b is negative"),
]  # fmt: skip

SUMS = [
    rule("fractions-plus", x / y + z, over_common_denominator(this), kind=stabilising,
         reason="over a common denominator the largest terms cancel exactly"),
    rule("fractions-minus", x / y - z, over_common_denominator(this), kind=stabilising,
         reason="over a common denominator the largest terms cancel exactly"),
    rule("minus-fractions", z - x / y, over_common_denominator(this), kind=stabilising,
         reason="over a common denominator the largest terms cancel exactly"),
]  # fmt: skip

REASON = "x·f - z·g is (x - z)·f + z·(f - g), and (x - z)·g + x·(f - g); both differences are known"

PRODUCTS = [
    *difference("difference-of-entropies", x * log(y) - z * log(w), distance(x, z) * log(y) + z * (log(y) - log(w)),
                distance(x, z) * log(w) + x * (log(y) - log(w)), REASON, x, z, (near(y, w),)),
    rule("entropy-minus-earlier", x * log1p(y) - z * log(w), distance(x, z) * log1p(y) + z * (log1p(y) - log(w)),
         kind=stabilising, condition=(based_on(x, z), near(1 + y, w)), reason=REASON),
    rule("entropy-minus-later", x * log(y) - z * log1p(w), distance(x, z) * log1p(w) + x * (log(y) - log1p(w)),
         kind=stabilising, condition=(based_on_second(x, z), near(y, 1 + w)), reason=REASON),
]  # fmt: skip

RULES = [*STEPS, *SLOPES, *LOGARITHMS, *POWERS, *GIVEN, *SUMS, *PRODUCTS]
