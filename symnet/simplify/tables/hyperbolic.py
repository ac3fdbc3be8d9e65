"""Hyperbolic functions and their inverses, written by exponentials and logarithms; functions that are 0/0 at 0."""

from __future__ import annotations

from symnet.simplify.facts import above_zero
from symnet.simplify.pattern import constants, variables
from symnet.simplify.polynomials import is_product, multiple_of, quotient_of, twice
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.tables.arithmetic import variable
from symnet.simplify.tables.exponentials import opposite
from symnet.simplify.vocabulary import (
    absolute,
    acosh,
    annuity,
    asinh,
    atanh,
    cosh,
    exp,
    exp_step,
    expm1,
    exprel,
    geometric,
    hypot,
    hypot_plus,
    less,
    log,
    log1mexp,
    log1p,
    log1p_ratio,
    log_cosh,
    log_hypot,
    logit,
    maximum,
    pow1pm1,
    power,
    powm1,
    root_plus,
    sinh,
    sqrt,
    square,
    tanh,
    where,
)

n, x, y = variables("n x y")
(c,) = constants("c")

BY_EXPONENTIALS = [
    rule("sinh", exp(x) - exp(y), 2 * sinh(x), kind=stabilising, condition=opposite(x, y),
         reason="eˣ - e⁻ˣ is 2·sinh x, which keeps its digits for small x"),
    rule("sinh-of-expm1", expm1(x) - expm1(y), 2 * sinh(x), condition=opposite(x, y),
         reason="eˣ - e⁻ˣ is 2·sinh x"),
    rule("cosh", exp(x) + exp(y), 2 * cosh(x), condition=opposite(x, y), in_chains=True,
         reason="eˣ + e⁻ˣ is 2·cosh x"),
    rule("cosh-minus-one", cosh(x) - 1, 2 * square(sinh(0.5 * x)), kind=stabilising,
         reason="cosh x - 1 is 2·sinh²(x/2), which keeps its digits for small x"),
    rule("sinh-over-cosh", sinh(x) / cosh(x), tanh(x), kind=stabilising,
         reason="sinh over cosh is tanh, without inf/inf for large x"),
    rule("sinh-over-exponentials", sinh(x) / (exp(x) + exp(y)), 0.5 * tanh(x), kind=stabilising,
         condition=opposite(x, y), reason="sinh over twice cosh is half of tanh, without inf/inf for large x"),
    rule("square-of-sech-times-sinh", square(1 / cosh(x)) * sinh(x), tanh(x) / cosh(x), kind=stabilising,
         in_chains=True, reason="sinh over cosh is tanh; 0·inf does not arise for large x"),
    rule("log-of-cosh-itself", log(cosh(x)), log_cosh(x), kind=stabilising,
         reason="log cosh x without overflow of cosh"),
    rule("log-of-multiple-of-cosh", log(c * cosh(x)), log(c) + log_cosh(x), kind=stabilising, condition=above_zero(c),
         reason="log cosh x without overflow of cosh"),
    rule("log-of-one-less-tanh-squared", log1p(-square(tanh(x))), -2 * log_cosh(x), kind=stabilising,
         reason="1 - tanh² x is 1/cosh² x, whose logarithm has a form that does not saturate"),
    rule("root-of-one-less-tanh-squared", sqrt(1 - square(tanh(x))), 1 / cosh(x), kind=stabilising,
         reason="1 - tanh² x is 1/cosh² x, which has digits where tanh x rounds to 1"),
    rule("exp-over-expm1", exp(x) / expm1(x), -1 / expm1(-x), kind=stabilising,
         reason="eˣ/(eˣ - 1) is 1/(1 - e⁻ˣ), without inf/inf for large x"),
    rule("expm1-of-double", expm1(x) / expm1(y), exp(y) + 1, kind=stabilising, condition=twice(x, y),
         reason="e²ʸ - 1 is (eʸ - 1)·(eʸ + 1); 0/0 does not arise"),
    rule("multiple-minus-number", c * x - c, c * (x - 1), condition=variable(x),
         reason="a common factor comes out"),
    rule("number-minus-multiple", c - c * x, c * (1 - x), condition=variable(x),
         reason="a common factor comes out"),
]  # fmt: skip

LOGARITHMS = [
    rule("log-of-length", log(hypot(x, y)), log_hypot(x, y), kind=stabilising,
         reason="the logarithm of a length that is nearly 1 has its digits in what the squares lack to 1"),
    rule("log-of-squared-length", log(square(x) + square(y)), 2 * log_hypot(x, y), kind=stabilising,
         reason="the logarithm of a length that is nearly 1 has its digits in what the squares lack to 1"),
    rule("arsinh", log(hypot_plus(x, 1)), asinh(x), kind=stabilising, reason="arsinh x is log(x + √(x² + 1))"),
    rule("arcosh", log(root_plus(x, -1)), acosh(x), reason="arcosh x is log(x + √(x² - 1))"),
    rule("logit", log(x / (1 - x)), logit(x), kind=stabilising, reason="the log-odds, which are 0 at 1/2 exactly"),
    rule("artanh", log((1 + x) / (1 - x)), 2 * atanh(x), kind=stabilising,
         reason="artanh x is half of log((1 + x)/(1 - x))"),
    rule("artanh-inverted", log((1 - x) / (1 + x)), -2 * atanh(x), kind=stabilising,
         reason="artanh x is half of log((1 + x)/(1 - x))"),
    rule("artanh-of-two-logs", log1p(x) - log1p(y), 2 * atanh(x), condition=opposite(x, y),
         reason="artanh x is half of log(1 + x) - log(1 - x)"),
    rule("log-of-minus-expm1", log(-expm1(x)), log1mexp(-x), kind=stabilising,
         reason="log(1 - eˣ), with its digits for large negative x too"),
    rule("log1p-of-minus-exp", log1p(-exp(x)), log1mexp(-x), kind=stabilising,
         reason="log(1 - eˣ), with its digits for small x too"),
    rule("log-of-expm1", log(expm1(x)), x + log1mexp(x), kind=stabilising,
         reason="log(eˣ - 1) is x + log(1 - e⁻ˣ), before eˣ overflows"),
    rule("log-of-size-of-expm1", log(absolute(expm1(x))), maximum(x, 0) + log1mexp(absolute(x)), kind=stabilising,
         reason="|eˣ - 1| is 1 - e⁻ˣ for positive x, times eˣ, and 1 - eˣ for negative x"),
    rule("log-of-difference-of-exp", log(exp(x) - exp(y)), x + log1mexp(x - y), kind=stabilising,
         reason="log(eˣ - eʸ) is x + log(1 - eʸ⁻ˣ), before the exponentials overflow"),
    rule("log-of-exp-step", log(exp_step(x, y)), x + log(expm1(y)), kind=stabilising,
         reason="log(eˣ⁺ʸ - eˣ) is x + log(eʸ - 1), before the exponentials overflow"),
]  # fmt: skip

RATIOS = [
    rule("expm1-over-part", expm1(x) / y, multiple_of(x, y) * exprel(x), kind=stabilising,
         reason="(eˣ - 1)/x is a function that is 1 at 0"),
    rule("part-over-expm1", y / expm1(x), 1 / (multiple_of(x, y) * exprel(x)), kind=stabilising,
         reason="(eˣ - 1)/x is a function that is 1 at 0"),
    rule("expm1-over-factor", expm1(x) / y,
         where(less(absolute(x), 1), quotient_of(x, y) * exprel(x), expm1(where(less(absolute(x), 1), 1, x)) / y),
         kind=stabilising, condition=is_product(x), reason="(eˣ - 1)/x is a function that is 1 at 0"),
    rule("factor-over-expm1", y / expm1(x),
         where(less(absolute(x), 1), 1 / (quotient_of(x, y) * exprel(x)), y / expm1(where(less(absolute(x), 1), 1, x))),
         kind=stabilising, condition=is_product(x), in_chains=True, reason="(eˣ - 1)/x is a function that is 1 at 0"),
    rule("log1p-over-part", log1p(x) / y, multiple_of(x, y) * log1p_ratio(x), kind=stabilising,
         reason="log(1 + x)/x is a function that is 1 at 0"),
    rule("part-over-log1p", y / log1p(x), 1 / (multiple_of(x, y) * log1p_ratio(x)), kind=stabilising,
         reason="log(1 + x)/x is a function that is 1 at 0"),
    rule("log1p-over-mirrored-log1p", log1p(-x) / log1p(x), -(log1p_ratio(-x) / log1p_ratio(x)), kind=stabilising,
         reason="log(1 + x)/x is a function that is 1 at 0"),
]  # fmt: skip

POWERS = [
    rule("power-less-one", power(x, n) - 1, powm1(x, n), kind=stabilising,
         reason="xⁿ - 1 is expm1(n·log x), which keeps its digits where xⁿ is nearly 1"),
    rule("one-less-power", 1 - power(x, n), -powm1(x, n), kind=stabilising,
         reason="xⁿ - 1 is expm1(n·log x), which keeps its digits where xⁿ is nearly 1"),
    rule("powm1-of-one-plus", powm1(1 + x, n), pow1pm1(x, n), kind=stabilising,
         reason="(1 + x)ⁿ - 1 is expm1(n·log1p(x)), before 1 + x is rounded"),
    rule("growth-over-rate", pow1pm1(x, n) / x, annuity(x, n), kind=stabilising,
         reason="the sum of a geometric series with quotient 1 + x, which is n at x = 0"),
    rule("rate-over-growth", x / pow1pm1(x, n), 1 / annuity(x, n), kind=stabilising,
         reason="the sum of a geometric series with quotient 1 + x, which is n at x = 0"),
    rule("geometric-series", powm1(x, n) / (x - 1), geometric(x, n), kind=stabilising,
         reason="the sum of a geometric series, which is n at x = 1"),
    rule("geometric-series-turned", powm1(x, n) / (1 - x), -geometric(x, n), kind=stabilising,
         reason="the sum of a geometric series, which is n at x = 1"),
]  # fmt: skip

RULES = [*BY_EXPONENTIALS, *LOGARITHMS, *RATIOS, *POWERS]
