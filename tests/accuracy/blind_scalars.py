"""Activations and densities in the words of many people, written without a look at the rules."""

from __future__ import annotations

import math
from typing import Any

from tests.accuracy.blind_losses import F, sg
from tests.accuracy.formula import Point, classes, f, over, rows

X = over(f(0.5, -1.3, 2.2, -3.1), f(1e-3, -1e-6, 1e-10, -1e-30), f(9, -9, 17, -17), f(50, -50, 100, -100),
         f(300, -300, 1000, -1000), f(0, 1, -1))  # fmt: skip
XX = (*X, (f(1e10, -1e10, 1e20, -1e20),), (f(1e30, -1e30),))
GAUSS = over(*(p[0] for p in X[:3]), f(30, -30, 50, -50))
ABOVE = over(f(0.3, 1.0, 4.0), f(1e-5, 1e-12, 1e-30), f(30, 1e3, 1e5), f(1e15, 1e30))
INSIDE = over(f(0.1, 0.5, 0.8), f(1e-5, 1e-12, 1e-30), f(0.999, 0.999999, 0.9999999))
PI = math.pi


def sp(np: Any, x: Any) -> Any:
    return np.log(1 + np.exp(x))


def th(np: Any, x: Any) -> Any:
    return (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1)


def phi(np: Any, x: Any) -> Any:
    return 0.5 * (1 + np.erf(x / math.sqrt(2)))


ACTIVATIONS = [
    F("sigmoid, quotient", lambda np, x: np.exp(x) / (np.exp(x) + 1), X),
    F("sigmoid by tanh", lambda np, x: 0.5 + 0.5 * np.tanh(x / 2), X),
    F("tanh, doubled", th, X),
    F("tanh, negative", lambda np, x: (1 - np.exp(-2 * x)) / (1 + np.exp(-2 * x)), X),
    F("tanh by sigmoid", lambda np, x: 2 / (1 + np.exp(-2 * x)) - 1, X),
    F("softplus", sp, X),
    F("softplus of beta", lambda np, x: np.log(1 + np.exp(5 * x)) / 5, X),
    F("softplus, base two", lambda np, x: np.log2(1 + 2**x), X[:4] + X[5:]),
    F("log-sigmoid", lambda np, x: np.log(sg(np, x)), X),
    F("log of one less sigmoid", lambda np, x: np.log(1 - sg(np, x)), X),
    F("swish", lambda np, x: x / (1 + np.exp(-x)), X),
    F("swish of beta", lambda np, x: x * sg(np, 1.702 * x), X),
    F("mish", lambda np, x: x * np.tanh(sp(np, x)), X),
    F("mish by exponentials", lambda np, x: x * ((1 + np.exp(x)) ** 2 - 1) / ((1 + np.exp(x)) ** 2 + 1), X),
    F("gelu", lambda np, x: x * phi(np, x), XX),
    F("gelu with erfc", lambda np, x: 0.5 * x * np.erfc(-x / math.sqrt(2)), X),
    F("gelu by tanh", lambda np, x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / PI) * (x + 0.044715 * x**3))), XX),
    F("elu", lambda np, x: np.where(x > 0, x, np.exp(x) - 1), X),
    F("elu by halves", lambda np, x: np.maximum(x, 0) + np.minimum(0, np.exp(x) - 1), X),
    F("selu", lambda np, x: 1.0507 * np.where(x >= 0, x, 1.67326 * (np.exp(x) - 1)), X),
    F("celu", lambda np, x: np.where(x > 0, x, 2 * (np.exp(x / 2) - 1)), X),
    F("relu by half", lambda np, x: (x + np.abs(x)) / 2, XX),
    F("leaky", lambda np, x: np.where(x > 0, x, 0.01 * x), XX),
    F("relu six", lambda np, x: np.minimum(np.maximum(x, 0), 6), XX[:5]),
    F("hard sigmoid", lambda np, x: np.clip(x / 6 + 0.5, 0, 1), XX),
    F("hard swish", lambda np, x: x * np.clip(x + 3, 0, 6) / 6, X),
    F("hard tanh", lambda np, x: np.maximum(-1, np.minimum(1, x)), X),
    F("softsign", lambda np, x: x / (1 + np.abs(x)), XX),
    F("soft shrink", lambda np, x: np.sign(x) * np.maximum(np.abs(x) - 0.4, 0), XX),
    F("tanh shrink", lambda np, x: x - np.tanh(x), X),
    F("square plus", lambda np, x: 0.5 * (x + np.sqrt(x**2 + 4)), XX),
    F("log cosh", lambda np, x: np.log(np.cosh(x)), X),
    F("snake", lambda np, x: x + np.sin(x) ** 2, X[:3]),
    F("gaussian", lambda np, x: np.exp(-(x**2)), XX),
    F("sinc", lambda np, x: np.sin(PI * x) / (PI * x), X[:3] + over(f(0, 0.5))),
    F("isru", lambda np, x: x / np.sqrt(1 + x**2), XX),
    F("isrlu", lambda np, x: np.where(x < 0, x / np.sqrt(1 + x**2), x), XX),
    F("bent identity", lambda np, x: (np.sqrt(x**2 + 1) - 1) / 2 + x, XX),
    F("log of absolute", lambda np, x: np.sign(x) * np.log(1 + np.abs(x)), XX),
    F("inverse of softplus", lambda np, x: np.log(np.exp(x) - 1), ABOVE[:3]),
    F("logit", lambda np, x: np.log(x / (1 - x)), INSIDE),
    F("sigmoid slope", lambda np, x: sg(np, x) * (1 - sg(np, x)), X),
    F("tanh slope", lambda np, x: 1 - np.tanh(x) ** 2, X),
    F("lisht", lambda np, x: x * np.tanh(x), XX),
    F("serf", lambda np, x: x * np.erf(sp(np, x)), X),
    F("tanh exp", lambda np, x: x * np.tanh(np.exp(x)), X),
    F("gumbel gate", lambda np, x: np.exp(-np.exp(-x)), X),
    F("complementary log-log", lambda np, x: 1 - np.exp(-np.exp(x)), X),
    F("loglog inverse", lambda np, x: np.log(-np.log(1 - x)), INSIDE),
    F(
        "glu of pair",
        lambda np, a, b: a * sg(np, b),
        ((f(0.4, -2, 1), f(1, -0.5, 3)), (f(1e4, -1e-6, 3), f(-20, 50, -120))),
    ),
]

MU: tuple[Point, ...] = (
    (f(0.4, -1.0, 2.0), f(0.1, 0.3, -1.0), f(0.2, -0.5, 1.0)),
    (f(1e-6, 5.0, -5.0), f(0, 4.9999, 0), f(-6, 4, -4)),
    (f(50, -100, 1e3), f(0, 100, 1e3), f(3, 2, 0)),
)
"""x, the mean, the logarithm of the scale."""
SCALE: tuple[Point, ...] = (
    (f(0.4, -1.0, 2.0), f(0.5, 1.5, 3.0)), (f(1e-6, 5.0, 30.0), f(1e-3, 1e-2, 1e2)), (f(100, -100, 1e4), f(1, 2, 1e-3)),
)  # fmt: skip


def normal(np: Any, x: Any) -> Any:
    return np.exp(-0.5 * x**2) / np.sqrt(2 * PI)


def mixture(np: Any, x: Any) -> Any:
    return np.log(0.3 * normal(np, x) + 0.7 * normal(np, (x - 3) / 2) / 2)


DENSITIES = [
    F("log normal density", lambda np, x: np.log(normal(np, x)), XX[:6]),
    F("log density of a normal with scale", lambda np, x, s: np.log(np.exp(-((x - 1) ** 2) / (2 * s**2)) / np.sqrt(
        2 * PI * s**2)), SCALE),
    F("nll of a normal", lambda np, x, m, s: s + (x - m) ** 2 / (2 * np.exp(s) ** 2) + 0.5 * math.log(2 * PI), MU),
    F("kl of normals", lambda np, m, s: 0.5 * (np.exp(2 * s) + m**2 - 1 - 2 * s), ((f(0.3, -1, 0), f(0.2, -0.5, 0)), (
        f(1e-4, 0, 1e-3), f(1e-4, -1e-6, 1e-8)), (f(20, 0, 1), f(10, -20, -40)))),
    F("log-normal", lambda np, x: np.log(np.exp(-np.log(x) ** 2 / 2) / (x * np.sqrt(2 * PI))), ABOVE),
    F("laplace", lambda np, x, s: np.log(np.exp(-np.abs(x) / s) / (2 * s)), SCALE),
    F("cauchy", lambda np, x: np.log(1 / (PI * (1 + x**2))), XX),
    F("logistic density", lambda np, x: np.log(np.exp(-x) / (1 + np.exp(-x)) ** 2), X),
    F("logistic density itself", lambda np, x: np.exp(-x) / (1 + np.exp(-x)) ** 2, X),
    F("student", lambda np, x: np.log((1 + x**2 / 3) ** -2), XX),
    F("student with scale", lambda np, x, s: -3 * np.log(1 + (x / s) ** 2 / 5) - np.log(s), SCALE),
    F("gumbel", lambda np, x: np.log(np.exp(-(x + np.exp(-x)))), X[:4]),
    F("gumbel cdf, log", lambda np, x: np.log(np.exp(-np.exp(-x))), X[:3]),
    F("weibull", lambda np, x: np.log(1.5 * x**0.5 * np.exp(-(x**1.5))), ABOVE),
    F("weibull, survival", lambda np, x: 1 - np.exp(-((x / 2) ** 1.5)), ABOVE),
    F("exponential", lambda np, x: np.log(2 * np.exp(-2 * x)), ABOVE),
    F("exponential cdf", lambda np, x: 1 - np.exp(-2 * x), ABOVE),
    F("log of exponential cdf", lambda np, x: np.log(1 - np.exp(-x)), ABOVE),
    F("pareto", lambda np, x: np.log(2 / (1 + x) ** 3), ABOVE),
    F("von mises kernel", lambda np, x: np.exp(2 * (np.cos(x) - 1)), X[:3]),
    F("beta density", lambda np, x: np.log(12 * x * (1 - x) ** 2), INSIDE),
    F("gamma density", lambda np, x: np.log(x**2 * np.exp(-x) / 2), ABOVE),
    F("inverse gamma", lambda np, x: np.log(x**-3 * np.exp(-1 / x)), ABOVE),
    F("half-cauchy", lambda np, x: np.log(2 / (PI * (1 + x**2))), ABOVE),
    F("mixture of normals", mixture, X),
    F("truncated normal", lambda np, x: np.log(normal(np, x) / (1 - phi(np, x))), GAUSS),
    F("log of normal cdf", lambda np, x: np.log(phi(np, x)), GAUSS),
    F("probit likelihood", lambda np, x: -np.log(0.5 * np.erfc(x / math.sqrt(2))), GAUSS),
    F("bernoulli of logits", lambda np, x: x * 0.3 - np.log(1 + np.exp(x)), X),
    F("bernoulli of shares", lambda np, p: np.log(p**0.25 * (1 - p) ** 0.75), INSIDE),
    F("entropy of a coin", lambda np, p: -p * np.log(p) - (1 - p) * np.log(1 - p), INSIDE),
    F("entropy of a coin of logits", lambda np, x: -sg(np, x) * np.log(sg(np, x)) - (1 - sg(np, x)) * np.log(
        1 - sg(np, x)), X[:5]),
    F("binomial of logits", lambda np, x: np.log(10 * sg(np, x) ** 3 * (1 - sg(np, x)) ** 2), X),
    F("geometric", lambda np, p: np.log((1 - p) ** 4 * p), INSIDE),
    F("categorical", lambda np, z, y: np.log(np.take_along_axis(z / np.sum(z, axis=1, keepdims=True), y[:, None],
        axis=1)),
      ((rows([1, 2, 3], [0.1, 0.5, 4]), classes(0, 2)), (rows([1e-20, 1e-25, 3e-20], [1e30, 1e20, 1]), classes(1, 0)))),
    F("dirichlet kernel", lambda np, x: np.log(np.prod(x**2, axis=1)), over(rows([0.2, 0.3, 0.5]), rows([1e-12, 1e-10,
        1]),
        rows([1e-20, 1e-3, 0.9]))),
    F("tanh-squashed correction", lambda np, x: np.log(1 - np.tanh(x) ** 2), X),
    F("sigmoid jacobian", lambda np, x: np.log(sg(np, x) * (1 - sg(np, x))), X),
    F("sech", lambda np, x: 2 / (np.exp(x) + np.exp(-x)), X),
    F("log of sech", lambda np, x: np.log(1 / np.cosh(x)), X),
    F("rayleigh", lambda np, x: np.log(x * np.exp(-(x**2) / 2)), ABOVE[:3]),
    F("maxwell", lambda np, x: x**2 * np.exp(-(x**2) / 2), ABOVE),
    F("normal ratio", lambda np, a, b: np.exp(-(a**2) / 2) / np.exp(-(b**2) / 2), ((f(1, -0.5), f(0.5, 2)), (f(20, 30),
        f(20.1, 29.9)), (f(100, 1e-5), f(100, 1e-4)))),
    F("negative binomial of rates", lambda np, x: 3 * np.log(np.exp(x) / (1 + np.exp(x))) - 2 * np.log(1 + np.exp(x)),
        X),
]  # fmt: skip
