"""Densities, their logarithms and divergences, as they are written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy

from tests.accuracy.formula import ALL_REAL, BENIGN, POSITIVE, REAL, UNIT, WIDE, ZERO, Formula, f, over, rows

PI = numpy.pi
ROOT = float(numpy.sqrt(2 * PI))
LINE = over(BENIGN, f(1e-6, -1e-12, 0), WIDE, f(-100.0, 1e3, -1e4))
"""Where a density is evaluated; with a location and a scale as further operands."""
LOCATED = (
    (f(0.3, -1.2, 2.0), f(0.5, 1.4, -0.7), f(1.0, 0.3, 2.0)),
    (f(30, -50, 20), f(0, 10, -7), f(1.0, 2, 0.5)),
    (f(1e3, -1e4, 5), f(0, 10, -7), f(0.1, 2, 1e-3)),
    (f(0.5, 0.7), f(0.5, 0.7), f(1.0, 1e-4)),
)


def normal(np: Any, x: Any, m: Any = 0.0, s: Any = 1.0) -> Any:
    return np.exp(-(((x - m) / s) ** 2) / 2) / (s * ROOT)


def logistic(np: Any, x: Any, m: Any = 0.0, s: Any = 1.0) -> Any:
    e = np.exp(-(x - m) / s)
    return e / (s * (1 + e) ** 2)


def mixture(np: Any, x: Any) -> Any:
    return 0.3 * normal(np, x, -1.0, 0.5) + 0.7 * normal(np, x, 2.0, 1.5)


def mixture_of_rows(np: Any, x: Any) -> Any:
    m = np.array_([-1.0, 0.5, 2.0])
    return np.log(np.sum(np.exp(-((x[:, None] - m) ** 2) / 2), axis=1) / (3 * ROOT))


def responsibilities(np: Any, x: Any) -> Any:
    p = np.exp(-((x[:, None] - np.array_([-1.0, 0.5, 2.0])) ** 2) / 2)
    return p / np.sum(p, axis=1, keepdims=True)


def responsibility(np: Any, x: Any) -> Any:
    return 0.3 * normal(np, x, -1.0, 1.0) / (0.3 * normal(np, x, -1.0, 1.0) + 0.7 * normal(np, x, 2.0, 1.0))


def standardized(np: Any, x: Any, m: Any, s: Any) -> Any:
    return (x - m) / s


DENSITIES = [
    Formula("normal", normal, LINE),
    Formula("log of normal", lambda np, x: np.log(normal(np, x)), LINE),
    Formula("log of normal with location and scale", lambda np, x, m, s: np.log(normal(np, x, m, s)), LOCATED),
    Formula("normal log-density", lambda np, x, m, s: -(((x - m) / s) ** 2) / 2 - np.log(s * ROOT), LOCATED),
    Formula("normal log-likelihood", lambda np, x, m, s: -np.sum(np.log(normal(np, x, m, s))), LOCATED),
    Formula("normal log-density by variance",
            lambda np, x, m, v: -0.5 * np.log(2 * PI * v) - (x - m) ** 2 / (2 * v), LOCATED),
    Formula("log-normal", lambda np, x: np.exp(-(np.log(x) ** 2) / 2) / (x * ROOT), POSITIVE),
    Formula("log of log-normal", lambda np, x: np.log(np.exp(-(np.log(x) ** 2) / 2) / (x * ROOT)), POSITIVE),
    Formula("laplace", lambda np, x: np.exp(-np.abs(x)) / 2, LINE),
    Formula("log of laplace", lambda np, x, m, s: np.log(np.exp(-np.abs(x - m) / s) / (2 * s)), LOCATED),
    Formula("logistic", logistic, LINE),
    Formula("logistic with location and scale", logistic, LOCATED[:2]),
    Formula("log of logistic", lambda np, x: np.log(logistic(np, x)), LINE),
    Formula("log of logistic with location and scale", lambda np, x, m, s: np.log(logistic(np, x, m, s)), LOCATED),
    Formula("logistic log-density", lambda np, x: -x - 2 * np.log(1 + np.exp(-x)), LINE),
    Formula("logistic by sech", lambda np, x: 1 / (np.exp(x / 2) + np.exp(-x / 2)) ** 2, LINE),
    Formula("cauchy", lambda np, x: 1 / (PI * (1 + x**2)), ALL_REAL[:6]),
    Formula("log of cauchy", lambda np, x: np.log(1 / (PI * (1 + x**2))), ALL_REAL),
    Formula("log of cauchy with location and scale",
            lambda np, x, m, s: -np.log(PI * s * (1 + ((x - m) / s) ** 2)), LOCATED),
    Formula("student", lambda np, x: -2 * np.log(1 + x**2 / 3), ALL_REAL),
    Formula("student by power", lambda np, x: (1 + x**2 / 3) ** -2.0, ALL_REAL[:5]),
    Formula("log of student", lambda np, x: np.log((1 + x**2 / 5) ** -3), ALL_REAL),
    Formula("gumbel", lambda np, x: np.exp(-(x + np.exp(-x))), REAL),
    Formula("log of gumbel", lambda np, x: np.log(np.exp(-x) * np.exp(-np.exp(-x))), over(BENIGN, f(-20, 5, 100))),
    Formula("exponential", lambda np, x: np.log(0.7 * np.exp(-0.7 * x)), (*POSITIVE[:2], (f(1000.0, 10000000000.0),))),
    Formula("exponential with rate", lambda np, x, r: np.log(r * np.exp(-r * x)),
            ((f(0.3, 2.0), f(0.5, 4.0)), (f(1e3, 1e-10), f(1e3, 1e-10)))),
    Formula("gamma", lambda np, x: np.log(x**1.5 * np.exp(-x) / 1.329340388179137), POSITIVE),
    Formula("gamma log-density", lambda np, x: 1.5 * np.log(x) - x - 0.2846828704729192, POSITIVE),
    Formula("gamma of large shape", lambda np, x: np.log(x**40 * np.exp(-x)), over(f(30, 50), f(0.1, 1), f(500, 1e4))),
    Formula("beta", lambda np, x: np.log(x**1.5 * (1 - x) ** 2.5), UNIT),
    Formula("beta log-density", lambda np, x: 1.5 * np.log(x) + 2.5 * np.log(1 - x), UNIT),
    Formula("weibull", lambda np, x: np.log(1.5 * x**0.5 * np.exp(-(x**1.5))), over(f(0.3, 2.0, 9), f(1e-10, 1e3))),
    Formula("rayleigh", lambda np, x: np.log(x * np.exp(-(x**2) / 2)), over(f(0.3, 2.0, 9), f(1e-10, 1e3))),
    Formula("half-normal", lambda np, x: np.where(x >= 0, 2 * normal(np, x), 0), LINE),
    Formula("pareto", lambda np, x: np.log(2.5 / x**3.5), over(f(1.5, 3), f(1e10, 1e15))),
    Formula("inverse gamma", lambda np, x: np.log(x**-3.5 * np.exp(-1 / x)),
            over(f(0.3, 2), f(1e-3, 1e-2), f(1e10, 1e15))),
    Formula("uniform", lambda np, x: np.where((x > 0) & (x < 2), 0.5, 0) * x, LINE),
    Formula("mixture of normals", lambda np, x: np.log(mixture(np, x)), LINE),
    Formula("mixture of normals, likelihood", lambda np, x: -np.mean(np.log(mixture(np, x))), LINE),
    Formula("mixture of logs", lambda np, x: np.log(0.3 * np.exp(-np.abs(x - 1)) + 0.7 * np.exp(-np.abs(x + 2))), LINE),
    Formula("mixture over an axis", mixture_of_rows, LINE),
    Formula("responsibilities over an axis", responsibilities, LINE),
    Formula("responsibility", responsibility, LINE),
    Formula("von mises", lambda np, x: np.log(np.exp(2 * np.cos(x)) / (2 * PI * 2.2795853)), LINE[:3]),
    Formula("von mises, sharp", lambda np, x: np.log(np.exp(200 * np.cos(x)) / 1e10), LINE[:3]),
    Formula("poisson mass", lambda np, r: np.log(r**3 * np.exp(-r) / 6), POSITIVE),
    Formula("poisson of log rate", lambda np, a: np.log(np.exp(a) ** 3 * np.exp(-np.exp(a)) / 6),
            over(BENIGN, f(-50, 5, -100))),
    Formula("binomial", lambda np, p: np.log(p**7 * (1 - p) ** 13), UNIT),
    Formula("binomial of logits",
            lambda np, x: 7 * np.log(1 / (1 + np.exp(-x))) + 13 * np.log(1 - 1 / (1 + np.exp(-x))), REAL),
    Formula("geometric", lambda np, p: np.log((1 - p) ** 5 * p), UNIT),
    Formula("negative binomial of logits", lambda np,
            x: np.log((1 / (1 + np.exp(-x))) ** 3 * (1 / (1 + np.exp(x))) ** 4), REAL),
    Formula("logit-normal", lambda np, p: -np.log(p * (1 - p)) - np.log(p / (1 - p)) ** 2 / 2, UNIT),
    Formula("kumaraswamy", lambda np, p: np.log(p) + 2 * np.log(1 - p**2), UNIT[:2]),
    Formula("normal distribution", lambda np, x: 0.5 * (1 + np.erf(x / numpy.sqrt(2))),
            over(BENIGN, f(-6, -4, 6), f(20, 100), ZERO)),
    Formula("logistic distribution, tails", lambda np, x: np.log(1 / (1 + np.exp(-x)) - 1 / (1 + np.exp(-x + 0.1))),
            LINE[:3]),
    Formula("exponential distribution", lambda np, x: np.log(1 - np.exp(-0.5 * x)), POSITIVE),
    Formula("survival of weibull", lambda np, x: np.log(np.exp(-(x**2))), over(f(0.3, 2), f(1e-5, 100))),
    Formula("boltzmann", lambda np, x: np.exp(-x / 0.02) / np.sum(np.exp(-x / 0.02)),
            over(f(0.3, -1.2, 2), f(100, 90, -100))),
    Formula("log partition", lambda np, x: -0.02 * np.log(np.sum(np.exp(-x / 0.02))),
            over(f(0.3, -1.2, 2), f(100, 90, -100))),
    Formula("gaussian kernel", lambda np, a, b: np.exp(-np.sum((a - b) ** 2) / 2),
            ((f(0.3, -1.2), f(0.5, 1.4)), (f(1e-5, 0), f(0, 0)), (f(10, 20), f(-5, 0)))),
    Formula("diagonal normal", lambda np, x, m,
            s: -0.5 * np.sum(((x - m) / s) ** 2 + 2 * np.log(s) + np.log(2 * PI * s / s)),
            LOCATED),
    Formula("kl of normals", lambda np, a, s, t: np.log(t / s) + (s**2 + a**2) / (2 * t**2) - 0.5,
            ((f(0.3, -1.2), f(0.5, 1.4), f(1.0, 0.3)), (f(1e3, 1e-3), f(1e-10, 1e10), f(1e5, 1e3)))),
    Formula("kl of shares of one", lambda np, p: p * np.log(p / 0.3) + (1 - p) * np.log((1 - p) / 0.7), UNIT),
    Formula("hellinger", lambda np, p, q: np.sqrt(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2)) / numpy.sqrt(2),
            ((f(0.2, 0.8), f(0.5, 0.5)), (f(1e-20, 1), f(1e-10, 1)))),
    Formula("bhattacharyya", lambda np, p, q: -np.log(np.sum(np.sqrt(p * q))),
            ((f(0.2, 0.8), f(0.5, 0.5)), (f(1e-25, 1e-30), f(1e-20, 1e-25)))),
    Formula("softmax of log-densities", lambda np, z: np.exp(-(z**2)) / np.sum(np.exp(-(z**2)), axis=1, keepdims=True),
            over(rows([0.3, 1.0, 2.0], [0, 1, -1]), rows([20, 30, 25], [100, 110, 99]))),
    Formula("elbo term", lambda np, m, s: 0.5 * (m**2 + s**2) - np.log(s) - 0.5,
            ((f(0.3, -1.2), f(0.5, 1.4)), (f(1e3, 0), f(1e-10, 30)))),
    Formula("entropy of a normal", lambda np, s: 0.5 * np.log(2 * PI * numpy.e * s**2), POSITIVE),
    Formula("standardized square", lambda np, x, m, s: standardized(np, x, m, s) ** 2, LOCATED),
]  # fmt: skip

FORMULAS = [replace(x, family="densities", name=f"density: {x.name}") for x in DENSITIES]
