"""Densities with parameters, normalised by the gamma function, as a statistician writes them, and what is like them.

One is not right: of the central binomial coefficient by Γ(2n + 1)/Γ(n + 1)² the gradient, where Γ² overflows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy

from tests.accuracy.formula import Formula, Point, f, over

PI = numpy.pi
X_AND_TWO: tuple[Point, ...] = (
    (f(0.3, 1.2, 4.0), f(0.5, 2.0, 3.5), f(1.0, 0.7, 2.5)),
    (f(1e-6, 30, 1e3), f(1e-3, 40, 900), f(1e-3, 2, 1.5)),
    (f(1e-20, 1e-3), f(1.5, 0.25), f(1e3, 1e-4)),
)
"""A positive number, a shape and a rate (or scale)."""
SHARES: tuple[Point, ...] = (
    (f(0.2, 0.5, 0.9), f(0.5, 2.0, 3.5), f(1.0, 0.7, 2.5)),
    (f(1e-6, 0.4, 0.999), f(1e-3, 400, 900), f(2.0, 400, 1.5)),
    (f(1e-20, 0.3), f(1.5, 1e6), f(1e4, 1e6)),
)
REAL_AND_ONE: tuple[Point, ...] = (
    (f(-0.3, 1.2, 4.0), f(0.5, 2.0, 3.5)),
    (f(-30, 1e-3, 1e3), f(3, 60, 1e4)),
    (f(0.0, 1e-10), f(1.0, 1e3)),
)
COUNTS: tuple[Point, ...] = (
    (f(0, 3, 12), f(0.5, 2.0, 9.5)),
    (f(1, 100, 1e4), f(1e-4, 90, 1.1e4)),
    (f(0, 7), f(1e-20, 1e3)),
)
COUNTS_AND_SHARES: tuple[Point, ...] = (
    (f(0, 3, 12), f(5, 4, 20), f(0.2, 0.5, 0.9)),
    (f(10, 500), f(30, 1e4), f(1e-3, 0.05)),
    (f(0, 3), f(10, 3), f(1e-7, 0.99999)),
)
POSITIVES = over(f(0.3, 1.5, 7), f(1e-5, 60, 1e4), f(1e-20, 1e6, 1e10))


def gamma_density(np: Any, x: Any, a: Any, b: Any) -> Any:
    return b**a * x ** (a - 1) * np.exp(-b * x) / np.gamma(a)


def beta_density(np: Any, x: Any, a: Any, b: Any) -> Any:
    return np.gamma(a + b) / (np.gamma(a) * np.gamma(b)) * x ** (a - 1) * (1 - x) ** (b - 1)


def student(np: Any, x: Any, n: Any) -> Any:
    return np.gamma((n + 1) / 2) / (np.sqrt(n * PI) * np.gamma(n / 2)) * (1 + x**2 / n) ** (-(n + 1) / 2)


def dirichlet(np: Any, a: Any, b: Any, c: Any) -> Any:
    return np.lgamma(a + b + c) - np.lgamma(a) - np.lgamma(b) - np.lgamma(c)


def negative_binomial(np: Any, k: Any, r: Any) -> Any:
    p = r / (r + 5.0)
    return np.lgamma(k + r) - np.lgamma(k + 1) - np.lgamma(r) + r * np.log(p) + k * np.log(1 - p)


def choose(np: Any, n: Any, k: Any) -> Any:
    return np.lgamma(n + 1) - np.lgamma(k + 1) - np.lgamma(n - k + 1)


def kl_of_gammas(np: Any, a: Any, b: Any) -> Any:
    return (a - b) * np.digamma(a) - np.lgamma(a) + np.lgamma(b)


def kl_to_uniform(np: Any, a: Any, b: Any) -> Any:
    return np.lgamma(a + b) - np.lgamma(a) - np.lgamma(b) + (a - 1) * (np.digamma(a) - np.digamma(a + b))


def entropy_of_gamma(np: Any, a: Any) -> Any:
    return a + np.lgamma(a) + (1 - a) * np.digamma(a)


GAMMAS = [
    Formula("log of gamma", lambda np, x, a, b: np.log(gamma_density(np, x, a, b)), X_AND_TWO),
    Formula("gamma", gamma_density, X_AND_TWO[:1]),
    Formula("gamma log-density",
            lambda np, x, a, b: a * np.log(b) - np.lgamma(a) + (a - 1) * np.log(x) - b * x, X_AND_TWO),
    Formula("inverse gamma log-density",
            lambda np, x, a, b: a * np.log(b) - np.lgamma(a) - (a + 1) * np.log(x) - b / x, X_AND_TWO[:2]),
    Formula("chi-squared",
            lambda np, x, k: np.log(x ** (k / 2 - 1) * np.exp(-x / 2) / (2 ** (k / 2) * np.gamma(k / 2))),
            tuple((x, k) for x, k, _ in X_AND_TWO)),
    Formula("chi-squared log-density",
            lambda np, x, k: (k / 2 - 1) * np.log(x) - x / 2 - k / 2 * numpy.log(2) - np.lgamma(k / 2),
            tuple((x, k) for x, k, _ in X_AND_TWO)),
    Formula("log of beta", lambda np, x, a, b: np.log(beta_density(np, x, a, b)), SHARES),
    Formula("beta", beta_density, SHARES[:1]),
    Formula("beta log-density", lambda np, x, a, b: (a - 1) * np.log(x) + (b - 1) * np.log(1 - x)
            - (np.lgamma(a) + np.lgamma(b) - np.lgamma(a + b)), SHARES),
    Formula("beta log-density by betaln",
            lambda np, x, a, b: (a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - np.betaln(a, b), SHARES),
    Formula("student", student, REAL_AND_ONE[:1]),
    Formula("log of student", lambda np, x, n: np.log(student(np, x, n)), REAL_AND_ONE),
    Formula("student log-density", lambda np, x, n: np.lgamma((n + 1) / 2) - np.lgamma(n / 2) - 0.5 * np.log(n * PI)
            - (n + 1) / 2 * np.log(1 + x**2 / n), REAL_AND_ONE),
    Formula("poisson", lambda np, k, m: np.log(m**k * np.exp(-m) / np.gamma(k + 1)), COUNTS),
    Formula("poisson log-mass", lambda np, k, m: k * np.log(m) - m - np.lgamma(k + 1), COUNTS),
    Formula("poisson of log rate", lambda np, k, a: k * a - np.exp(a) - np.lgamma(k + 1),
            ((f(0, 3, 12), f(-0.5, 2, 1)), (f(1, 100), f(-50, 4.6)))),
    Formula("poisson with factorial", lambda np, k, m: m**k * np.exp(-m) / np.factorial(k), COUNTS[:1]),
    Formula("negative binomial", negative_binomial, COUNTS[:2]),
    Formula("binomial coefficient", choose, ((f(5, 4, 20), f(0, 3, 12)), (f(1e4, 1e6), f(500, 3)))),
    Formula("binomial",
            lambda np, k, n, p: choose(np, n + k, k) + k * np.log(p) + n * np.log(1 - p), COUNTS_AND_SHARES),
    Formula("dirichlet constant", dirichlet, X_AND_TWO[:1]),
    Formula("weibull", lambda np, x, k, s: np.log(k / s * (x / s) ** (k - 1) * np.exp(-((x / s) ** k))),
            ((f(0.3, 1.2, 4.0), f(0.5, 2.0, 3.5), f(1.0, 0.7, 2.5)), (f(1e-6, 30), f(0.5, 1.5), f(1e-3, 2)))),
    Formula("mean of weibull", lambda np, k, s: s * np.gamma(1 + 1 / k), ((f(0.5, 2, 30), f(1, 0.7, 2)),)),
    Formula("variance of weibull", lambda np, k: np.gamma(1 + 2 / k) - np.gamma(1 + 1 / k) ** 2,
            over(f(0.5, 2, 7), f(30, 100))),
    Formula("gumbel", lambda np, x, m, s: -(x - m) / s - np.exp(-(x - m) / s) - np.log(s),
            ((f(0.3, -1.2, 4.0), f(0.5, 2.0, 3.5), f(1.0, 0.7, 2.5)), (f(50, -3), f(10, -3), f(0.5, 1e-3)))),
    Formula("pareto", lambda np, x, a, m: np.log(a * m**a / x ** (a + 1)),
            ((f(1.3, 2.5), f(0.5, 3), f(1, 2)), (f(1e10, 30), f(20, 90), f(1e8, 2)))),
    Formula("half-normal", lambda np, x, s: np.log(numpy.sqrt(2 / PI) / s * np.exp(-(x**2) / (2 * s**2))),
            ((f(0.3, 2), f(1, 0.5)), (f(50, 1e-10), f(1, 1e-5)))),
    Formula("skew-normal", lambda np, x, a: np.log(np.exp(-(x**2) / 2) * (1 + np.erf(a * x / numpy.sqrt(2)))),
            ((f(0.3, -2), f(1, 0.5)), (f(-9, 20), f(2, 3)), (f(-30, 0), f(1, 1e3)))),
    Formula("kumaraswamy", lambda np, x, a, b: np.log(a * b * x ** (a - 1) * (1 - x**a) ** (b - 1)), SHARES[:1]),
    Formula("generalised normal", lambda np, x, b: np.log(b / (2 * np.gamma(1 / b)) * np.exp(-(np.abs(x) ** b))),
            ((f(-0.3, 1.2, 4.0), f(0.5, 2.0, 1.5)), (f(10, -1e-5), f(2, 0.1)))),
    Formula("inverse wishart constant", lambda np, n: np.multigammaln(n / 2, 2), over(f(3.5, 8, 40), f(2.001, 1e4))),
    Formula("entropy of gamma", entropy_of_gamma, POSITIVES[:2]),
    Formula("kl of gammas", kl_of_gammas, ((f(0.5, 2, 7), f(1.5, 1, 6.5)), (f(50, 1e3), f(55, 1.1e3)))),
    Formula("kl of beta to uniform", kl_to_uniform, ((f(0.5, 2, 7), f(1.5, 1, 6.5)), (f(50, 1e3), f(55, 1.1e3)))),
    Formula("log gamma of a sum less log gamma", lambda np, x, h: np.lgamma(x + h) - np.lgamma(x),
            ((f(0.3, 1.5, 7), f(0.5, 1e-3, 2)), (f(1e4, 1e6, 1e10), f(0.5, 1, 2.5)), (f(1e-5, 60), f(1e-7, 1e-5)))),
    Formula("log gamma one further", lambda np, x: np.lgamma(x + 1) - np.lgamma(x), POSITIVES),
    Formula("digamma one further", lambda np, x: np.digamma(x + 1) - np.digamma(x), POSITIVES),
    Formula("log less digamma", lambda np, x: np.log(x) - np.digamma(x), POSITIVES[:2]),
    Formula("stirling's rest",
            lambda np, x: np.lgamma(x) - (x - 0.5) * np.log(x) + x, over(f(0.3, 1.5, 7), f(60, 900))),
    Formula("quotient of gammas", lambda np, x: np.gamma(x + 0.5) / np.gamma(x), POSITIVES[:2]),
    Formula("central binomial",
            lambda np, n: np.gamma(2 * n + 1) / np.gamma(n + 1) ** 2, over(f(0.5, 3, 10), f(40, 60))),
    Formula("volume of a ball", lambda np, n: PI ** (n / 2) / np.gamma(n / 2 + 1), over(f(1, 2, 3), f(20, 60))),
    Formula("log gamma", lambda np, x: np.lgamma(x), (*POSITIVES, *over(f(1.0001, 1.9999, 0.99999, 2.00001)))),
    Formula("gamma of negatives", lambda np, x: np.lgamma(x), over(f(-0.5, -1.25, -7.75), f(-1e-6, -30.5))),
]  # fmt: skip

FORMULAS = [replace(x, family="gammas", name=f"gammas: {x.name}") for x in GAMMAS]
