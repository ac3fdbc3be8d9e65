"""Expressions to which the rules for differences and functions divided by their argument apply; see `samples`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import symnet as sn
from symnet.expr.node import Expr
from symnet.ops.differences import hypot_plus, pow1pm1, powm1, root_plus
from symnet.ops.leaves import input
from symnet.ops.steps import cos_step, exp_step, log_step, sin_step, sqrt_step

Samples = Callable[[np.random.Generator], list[Expr]]


def f64(name: str, *shape: int) -> Expr:
    return input(name, shape, "float64")


x, e, n, s, t = f64("x", 3, 5), f64("e", 5), f64("n", 3, 1), f64("s"), f64("t")
positive = sn.absolute(x)
NEXT = [(x + 1.0, x), (x + e, x), (2.5 * x - 3.0, 2.5 * x)]
"""Pairs whose distance is known, the first computed from the second."""
ABOVE = [(positive + 1.0, positive), (positive + sn.absolute(e), positive), (positive + 0.5, positive)]
"""The same of positive numbers."""


def of_pairs(function: Callable[[Expr, Expr], Expr], pairs: list[tuple[Expr, Expr]]) -> Samples:
    return lambda rng: [function(a, b) for a, b in pairs]


def nodes(*expressions: Expr) -> Samples:
    return lambda rng: list(expressions)


def turned(pairs: list[tuple[Expr, Expr]]) -> list[tuple[Expr, Expr]]:
    return [(b, a) for a, b in pairs]


def both_ways(name: str, function: Callable[[Expr, Expr], Expr], pairs: list[tuple[Expr, Expr]]) -> dict[str, Samples]:
    return {
        f"difference-of-{name}": of_pairs(function, pairs),
        f"difference-of-{name}-turned": of_pairs(function, turned(pairs)),
    }


def of_functions() -> dict[str, Samples]:
    found: dict[str, Samples] = {}
    for name, f, pairs in (
        ("exponentials", sn.exp, NEXT),
        ("expm1", sn.expm1, NEXT),
        ("tanh", sn.tanh, NEXT),
        ("sigmoids", sn.sigmoid, NEXT),
        ("sines", sn.sin, NEXT),
        ("cosines", sn.cos, NEXT),
        ("tangents", sn.tan, NEXT),
        ("angles", sn.atan, NEXT),
        ("roots", sn.sqrt, ABOVE),
        ("inverse-roots", sn.rsqrt, ABOVE),
        ("cube-roots", sn.cbrt, NEXT),
        ("logs", sn.log, ABOVE),
    ):
        found |= both_ways(name, lambda a, b, f=f: f(a) - f(b), pairs)  # type: ignore[misc]
    return found


DIFFERENCES: dict[str, Samples] = {
    **of_functions(),
    "difference-of-log1p": of_pairs(lambda a, b: sn.log1p(a) - sn.log1p(b), ABOVE),
    "difference-of-log1p-turned": nodes(sn.log1p(positive) - sn.log1p(positive + sn.absolute(e))),
    **both_ways("log-quotient", lambda a, b: sn.log(a / b), ABOVE),
    **both_ways("powers", lambda a, b: a**0.3 - b**0.3, ABOVE),
    **both_ways("cubes", lambda a, b: a * sn.square(a) - b * sn.square(b), NEXT),
    "difference-of-log1p-and-log": nodes(
        sn.log1p(positive) - sn.log(positive), sn.log1p(positive + 1.0) - sn.log(positive)
    ),
    "difference-of-log1p-and-log-turned": nodes(sn.log1p(positive) - sn.log(positive + sn.absolute(e) + 2.0)),
    "difference-of-log-and-log1p": nodes(sn.log(positive + 1.0 + sn.absolute(e)) - sn.log1p(positive)),
    "difference-of-log-and-log1p-turned": nodes(sn.log(positive) - sn.log1p(positive)),
    "difference-of-squares": nodes(sn.square(x + e) - sn.square(x), sn.square(x + 1.0) - sn.square(x)),
    "difference-of-given-squares": nodes(sn.square(s) - sn.square(t), sn.square(x) - sn.square(e)),
    "inverse-root-minus-one": nodes(sn.rsqrt(1.0 + x) - 1.0, sn.rsqrt(1.0 - sn.square(e)) - 1.0),
    "one-minus-inverse-root": nodes(1.0 - sn.rsqrt(1.0 + x), 1.0 - sn.rsqrt(1.0 - sn.square(e))),
    "fractions-plus": nodes(1.0 / (x + 1.0) - 2.0 / x + 1.0 / (x - 1.0), x / (x - 1.0) + (-1.0)),
    "fractions-minus": nodes(1.0 / (x + 1.0) - 1.0 / x, x / (x + 1.0) - (x + 1.0) / (x - 1.0), 1.0 / (1.0 + e) - 1.0),
    "minus-fractions": nodes(1.0 - 1.0 / (1.0 + x), s - s * s / (s + t)),
    **both_ways("entropies", lambda a, b: a * sn.log(a) - b * sn.log(b), ABOVE),
    **both_ways("log-gammas", lambda a, b: sn.lgamma(a) - sn.lgamma(b), ABOVE),
    **both_ways("digammas", lambda a, b: sn.digamma(a) - sn.digamma(b), ABOVE),
    "log-of-product-with-gamma": nodes(sn.log(sn.gamma(positive) * sn.exp(x)), sn.log(positive**t * sn.exp(x) * 2.0)),
    "log-of-quotient-with-gamma": nodes(
        sn.log(positive / sn.gamma(positive)), sn.log(positive**t * sn.exp(-x) / sn.gamma(sn.exp(t)))
    ),
    "entropy-minus-earlier": nodes((positive + 1.0) * sn.log1p(positive) - positive * sn.log(positive)),
    "entropy-minus-later": nodes(positive * sn.log(positive) - (positive + 1.0) * sn.log1p(positive)),
    "log-of-given-ratio": nodes(sn.log(x / e), sn.log(s / t)),
    "difference-of-given-logs": nodes(sn.log(x) - sn.log(e), sn.log(s) - sn.log(t)),
    "difference-of-given-roots": nodes(sn.sqrt(x) - sn.sqrt(e), sn.sqrt(s) - sn.sqrt(t)),
    "difference-of-given-cosines": nodes(sn.cos(x) - sn.cos(e), sn.cos(s) - sn.cos(t)),
    "sum-less-part": nodes((x + e) / 2.0 - x, 0.5 * (x + e + s) - e),
    "law-of-cosines": nodes(sn.square(x) + sn.square(e) - 2.0 * (x * e) * sn.cos(s)),
    "expm1-over-factor": nodes(sn.expm1(x * e) / e, sn.expm1(0.5 * (x * e)) / x),
    "factor-over-expm1": nodes(e / sn.expm1(x * e), x / sn.expm1(0.5 * (x * e))),
    "slope-of-sine": nodes(sin_step(x, e) / e, sin_step(x, 2.0 * e) / e),
    "slope-of-cosine": nodes(cos_step(x, e) / e, cos_step(x, -e) / e),
    "slope-of-exponential": nodes(exp_step(x, e) / e, exp_step(x, 0.5 * e) / e),
    "slope-of-logarithm": nodes(log_step(positive, e) / e, log_step(positive, 0.5 * e) / e),
    "slope-of-root": nodes(sqrt_step(positive, e) / e, sqrt_step(positive, 0.5 * e) / e),
    # signs
    "odd-of-negative": nodes(sn.tan(-x), sn.asinh(-x), sn.cbrt(-x), sn.sinh(-e)),
    "even-of-negative": nodes(sn.cosh(-x), sn.cosh(-e)),
    "length-of-negative": nodes(sn.hypot(-x, e)),
    "length-of-second-negative": nodes(sn.hypot(x, -e)),
    "one-plus-cos": nodes(1.0 + sn.cos(x), 1.0 + sn.cos(3.140625 + sn.round(50.0 * sn.tanh(x)) / 1024.0)),
    # functions divided by their argument
    "sine-over-part": nodes(sn.sin(x) / x, sn.sin(2.0 * e) / e),
    "part-over-sine": nodes(x / sn.sin(x), e / sn.sin(2.0 * e)),
    "tangent-over-part": nodes(sn.tan(x) / x, sn.tan(2.0 * e) / e),
    "part-over-tangent": nodes(x / sn.tan(x), e / sn.tan(2.0 * e)),
    "sine-squared-over-square": nodes(sn.square(sn.sin(x)) / sn.square(x), sn.square(sn.sin(0.5 * e)) / sn.square(e)),
    "sine-squared-over-part": nodes(sn.square(sn.sin(x)) / x, sn.square(sn.sin(0.5 * e)) / e),
    "sine-squared-over-double": nodes(sn.square(sn.sin(0.5 * x)) / sn.sin(x)),
    "double-over-cosine-squared": nodes(sn.sin(x) / sn.square(sn.cos(0.5 * x))),
    "expm1-over-part": nodes(sn.expm1(x) / x, sn.expm1(0.5 * e) / e),
    "part-over-expm1": nodes(x / sn.expm1(x), e / sn.expm1(0.5 * e)),
    "log1p-over-part": nodes(sn.log1p(x) / x, sn.log1p(0.5 * e) / e),
    "part-over-log1p": nodes(x / sn.log1p(x), e / sn.log1p(0.5 * e)),
    "log1p-over-mirrored-log1p": nodes(sn.log1p(-x) / sn.log1p(x)),
    # hyperbolic
    "sinh": nodes(sn.exp(x) - sn.exp(-x), sn.exp(x - e) - sn.exp(e - x)),
    "sinh-of-expm1": nodes(sn.expm1(x) - sn.expm1(-x)),
    "cosh": nodes(sn.exp(x) + sn.exp(-x), sn.exp(x - e) + sn.exp(e - x)),
    "expm1-of-double": nodes(sn.expm1(2.0 * x) / sn.expm1(x), sn.expm1(x + x) / sn.expm1(x)),
    "artanh-of-two-logs": nodes(sn.log1p(x) - sn.log1p(-x)),
    "arsinh": nodes(sn.log(hypot_plus(x, sn.constant(1.0, "float64")))),
    "log-of-exp-step": nodes(sn.log(exp_step(x, sn.absolute(e)))),
    # shares
    "power-of-share": nodes(*(sn.softmax(x, axis=1) ** p for p in (0.7, -0.3)), sn.sigmoid(20.0 * x) ** 0.25),
    "root-of-share": nodes(sn.sqrt(sn.softmax(x, axis=0)), sn.sqrt(sn.sigmoid(20.0 * x))),
    # error functions
    "number-minus-erfc": nodes(1.0 - 0.5 * sn.erfc(x), 3.0 - 1.5 * sn.erfc(e)),
    "exp-times-erfc": nodes(sn.exp(sn.square(x)) * sn.erfc(x), sn.erfc(0.5 * e) * sn.exp(sn.square(e) / 4.0)),
    "exp-over-erfc": nodes(sn.exp(-sn.square(x)) / sn.erfc(x), sn.exp(-4.0 * sn.square(e)) / sn.erfc(2.0 * e)),
    "number-times-exp-over-erfc": nodes((3.0 * sn.exp(-sn.square(x))) / sn.erfc(x)),
    # roots and powers
    "root-minus-number": nodes(sn.sqrt(4.0 + e) - 2.0, sn.sqrt(1.0 - sn.square(x)) - 1.0),
    "number-minus-root": nodes(2.0 - sn.sqrt(4.0 + e), 1.0 - sn.sqrt(1.0 - sn.square(x))),
    "root-minus": nodes(sn.sqrt(sn.square(x) + x) - x, sn.sqrt(sn.square(x) - 0.5) - x),
    "minus-root": nodes(x - sn.sqrt(sn.square(x) + x), x - sn.sqrt(sn.square(x) - 0.5)),
    "root-plus": nodes(sn.sqrt(sn.square(x) + x) + x, x + sn.sqrt(sn.square(x) - 0.5), x + sn.sqrt(x * x - 4.0 * s)),
    "product-of-sum-and-difference": nodes(
        0.25 - sn.square(e), 1.0 - sn.square(1.0 + sn.round(50.0 * sn.tanh(e)) / 1048576.0)
    ),
    "product-of-difference-and-sum": nodes(
        sn.square(x) - 1.0, sn.square(1.0 + sn.round(50.0 * sn.tanh(e)) / 1048576.0) - 1.0
    ),
    "root-of-multiple-of-square": nodes(sn.sqrt(4.0 * sn.square(x)), sn.sqrt(0.25 * sn.square(e))),
    "quadratic-formula": nodes(root_plus(x, 4.0 * (e * n)) / e, root_plus(x, -3.0 * (e * s)) / (2.0 * e)),
    "quadratic-formula-inverted": nodes((2.0 * e) / root_plus(x, 4.0 * (e * n)), e / root_plus(x, -3.0 * (e * s))),
    "growth-over-rate": nodes(pow1pm1(positive, n) / positive),
    "geometric-series": nodes(powm1(positive, n) / (positive - 1.0)),
    "geometric-series-turned": nodes(powm1(positive, n) / (1.0 - positive)),
}
