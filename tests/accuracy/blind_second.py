"""A second hundred formulas of another hand: code as it stands in papers' repositories and lecture notes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from tests.accuracy.blind_losses import DIFFERENCES, MASKED, SOUND, VECTORS, Y1, YH, Z1, ZN, ZZ, F, at, norm, sg, sm
from tests.accuracy.blind_scalars import ABOVE, GAUSS, INSIDE, XX, X
from tests.accuracy.formula import Point, f, over, rows

U = over(f(0.5, -1.3, 2.2), f(1e-3, -1e-5, 1e-8), f(9, -9, 15), f(40, -40))
TWO: tuple[Point, ...] = (
    (f(0.5, -1.3, 2.2), f(0.1, 2.0, -0.4)), (f(20, -30, 50), f(-20, 40, 49)), (f(100, -200, 1000), f(90, 10, -1000)),
    (f(1e-6, 1e-10, 0), f(-1e-7, 2e-10, 1e-9)),
)  # fmt: skip
SCALED: tuple[Point, ...] = (
    (f(0.5, -1.3, 2.2), f(0.1, -0.7, 1.0)), (f(10, -20, 1e-3), f(-3, 2, 4)), (f(100, 1e-5, -1000), f(1, -5, 3)),
)  # fmt: skip
"""A residual and the logarithm of its scale."""
PAIRS: tuple[Point, ...] = (
    (rows([1, -2, 2], [0.5, 0.1, -0.7]), rows([0.3, 0.4, 1], [-1, 2, 0.2])),
    (rows([1e-20, 2e-20, 0], [1e18, 2e18, 3e18]), rows([3e-20, -1e-20, 1e-20], [1e19, 0, -1e19])),
    (rows([100, 2, 3], [1, 0, 0]), rows([90, 2, 3], [0, 1, 1e-4])),
)


def lse(np: Any, z: Any) -> Any:
    return np.log(np.sum(np.exp(z), axis=-1))


def normal_log(np: Any, x: Any, log_scale: Any) -> Any:
    return -0.5 * math.log(2 * math.pi) - log_scale - 0.5 * (x / np.exp(log_scale)) ** 2


LOSSES = [
    F("smooth hinge", lambda np, x, t: np.log(1 + np.exp(1 - (2 * t - 1) * x)), Z1, 1),
    F("modified huber", lambda np, x, t: np.where((2 * t - 1) * x >= -1, np.maximum(0, 1 - (2 * t - 1) * x) ** 2,
                                                 -4 * (2 * t - 1) * x), Z1[:4], 1),
    F("poly-1", lambda np, z, y: -np.log(at(np, sm(np, z), y)) + 1 - at(np, sm(np, z), y), Y1),
    F("generalised cross entropy", lambda np, z, y: (1 - at(np, sm(np, z), y) ** 0.7) / 0.7, Y1),
    F("symmetric bce", lambda np, x, t: -t * np.log(sg(np, x)) - (1 - t) * np.log(1 - sg(np, x)) + np.abs(sg(np,
        x) - t),
      Z1, 1),
    F("bce in bits", lambda np, x, t: -(t * np.log2(sg(np, x)) + (1 - t) * np.log2(1 - sg(np, x))), Z1, 1),
    F("focal by modulating logits", lambda np, x, t: (t * (1 - sg(np, x)) ** 2 * np.log(1 + np.exp(-x)) + (1 - t) * sg(
        np, x) ** 2 * np.log(1 + np.exp(x))), Z1, 1),
    F("tversky", lambda np, x, t: 1 - (np.sum(sg(np, x) * t) + 1) / (np.sum(sg(np, x) * t) + 0.3 * np.sum(sg(np, x) * (
        1 - t)) + 0.7 * np.sum((1 - sg(np, x)) * t) + 1), Z1, 1),
    F("evidence", lambda np, x, t: np.log(1 + np.exp(x)) * (1 - t) + t * np.log(1 + np.exp(-x)) + 1e-3 * x**2, Z1, 1),
    F("perplexity", lambda np, z, t: np.exp(-np.sum(t * np.log(sm(np, z)), axis=1)), YH[:2] + YH[4:], 1),
    F("confidence penalty", lambda np, z: np.sum(sm(np, z) * np.log(sm(np, z)), axis=1), over(*ZN)),
    F("margin over the rest", lambda np, z, y: np.log(np.sum(np.exp(z), axis=1)) - np.sum(
        sm(np, z) * z, axis=1), Y1[:2]),
    F("distillation at temperature", lambda np, a, b: -np.sum(sm(np, b / 4) * np.log(sm(np, a / 4)), axis=1) * 16, ZZ,
        1),
    F("reverse kl", lambda np, a, b: np.sum(sm(np, b) * (np.log(sm(np, b)) - np.log(sm(np, a))), axis=1), ZZ, 1),
    F("binary kl", lambda np, a, b: sg(np, a) * np.log(sg(np, a) / sg(np, b)) + (1 - sg(np, a)) * np.log(
        (1 - sg(np, a)) / (1 - sg(np, b))), TWO[:2]),
    F("preference", lambda np, a, b: -np.log(1 / (1 + np.exp(-0.1 * (a - b)))), TWO),
    F("preference with smoothing", lambda np, a, b: -0.9 * np.log(sg(np, 0.1 * (a - b))) - 0.1 * np.log(
        sg(np, -0.1 * (a - b))), TWO),
    F("importance ratio", lambda np, a, b: np.minimum(np.exp(a - b) * 2, np.clip(np.exp(a - b), 0.8, 1.2) * 2), TWO[:1]
      + TWO[3:]),
    F("ratio less one", lambda np, a, b: np.exp(a - b) - 1 - (a - b), TWO[:1] + TWO[3:]),
    F("gan, non-saturating", lambda np, x: -np.log(1 / (1 + np.exp(-x))), X),
    F("gan, saturating", lambda np, x: np.log(1 - 1 / (1 + np.exp(-x))), X),
    F("energy of two", lambda np, a, b: -np.log(np.exp(-a) + np.exp(-b)), TWO),
    F("soft minimum", lambda np, a, b: (a * np.exp(-a) + b * np.exp(-b)) / (np.exp(-a) + np.exp(-b)), TWO[:3]),
    F("soft minimum of three", lambda np, z: -0.1 * np.log(np.sum(np.exp(-z / 0.1), axis=1)), over(*ZN)),
    F("beta nll", lambda np, r, s: np.exp(s) * (s + 0.5 * r**2 * np.exp(-2 * s)), SCALED[:1]),
    F("normal nll of log scale", lambda np, r, s: -normal_log(np, r, s), SCALED),
    F("laplace nll of log scale", lambda np, r, s: np.abs(r) * np.exp(-s) + s + math.log(2), SCALED),
    F("elbo of a code", lambda np, m, s: -0.5 * np.sum(1 + s - m**2 - np.exp(s)), ((f(0.5, -1), f(0.1, -2)), (
        f(1e-4, 1e-6), f(1e-4, -1e-5)), (f(20, 0.1), f(10, -30)))),
    F("two-sided quantile", lambda np, p, t: np.where(p > t, 0.1 * (p - t), 0.9 * (t - p)), DIFFERENCES[1:]),
    F("log ratio error", lambda np, p, t: np.log((1 + p**2) / (1 + t**2)) ** 2, DIFFERENCES[:1] + DIFFERENCES[2:]),
    F("barron", lambda np, p, t: np.sqrt(((p - t) / 3) ** 2 + 1) - 1, DIFFERENCES),
    F("mape", lambda np, p: np.abs((p - 3.0) / 3.0), over(f(1, 2, 5), f(1e30, -1e25), f(3.000001, 2.9999))),
    F("smape", lambda np, p, t: np.abs(p - t) / (np.abs(p) + np.abs(t)), DIFFERENCES[:1] + DIFFERENCES[2:3]),
    F("poisson with a bias", lambda np, x: np.exp(x) - 3 * np.log(np.exp(x)), over(f(0.5, -3, 10), f(-100, 50),
        f(1e-6, 0))),
    F("unbiased logits", lambda np, z, y: lse(np, z - np.mean(z, axis=1, keepdims=True)) - at(
        np, z - np.mean(z, axis=1, keepdims=True), y), Y1),
    F("cosine embedding", lambda np, a, b: 1 - np.sum(a / norm(np, a) * (b / norm(np, b)), axis=1), PAIRS[:2]),
]  # fmt: skip
LAYERS = [
    F("sigmoid of logs", lambda np, x: np.exp(-np.log(1 + np.exp(-x))), X),
    F("softplus shifted", lambda np, x: np.log(1 + np.exp(x)) - math.log(2), X),
    F("softplus squared", lambda np, x: np.log(1 + np.exp(x)) ** 2, X),
    F("softplus inverse", lambda np, x: x + np.log(1 - np.exp(-x)), ABOVE[:3]),
    F("swish slope", lambda np, x: sg(np, x) * (1 + x * (1 - sg(np, x))), X),
    F("gelu by logistic", lambda np, x: x / (1 + np.exp(-1.702 * x)), X),
    F("squared relu", lambda np, x: np.maximum(x, 0) ** 2, X[:5]),
    F("phish", lambda np, x: x * np.tanh(0.5 * x * (1 + np.erf(x / math.sqrt(2)))), X),
    F("smish", lambda np, x: x * np.tanh(np.log(1 + sg(np, x))), X),
    F("logish", lambda np, x: x * np.log(1 + sg(np, x)), X),
    F("soft exponential", lambda np, x: (np.exp(0.5 * x) - 1) / 0.5 + 0.5, U),
    F("soft clipping", lambda np, x: np.log((1 + np.exp(2 * x)) / (1 + np.exp(2 * (x - 1)))) / 2, X),
    F("smooth relu of two", lambda np, x: 0.5 * (x + np.abs(x)) + np.log(1 + np.exp(-np.abs(x))), X[:5]),
    F("hard mish", lambda np, x: x / 2 * np.minimum(2, np.maximum(0, x + 2)), X[:5]),
    F("elish", lambda np, x: np.where(x >= 0, x / (1 + np.exp(-x)), (np.exp(x) - 1) / (1 + np.exp(-x))), X),
    F("cloglog", lambda np, x: np.log(1 - np.exp(-np.exp(x))), X[:3]),
    F("arctan gate", lambda np, x: 0.5 + np.arctan(x) / math.pi, X),
    F("symmetric log", lambda np, x: np.sign(x) * np.log(np.abs(x) + 1), XX),
    F("symmetric exponential", lambda np, x: np.sign(x) * (np.exp(np.abs(x)) - 1), X[:4]),
    F("attention of one query", lambda np, z: np.sum(sm(np, z * 0.125) * z, axis=1), over(*ZN)),
    F("softmax of squares", lambda np, z: sm(np, -(z**2)), over(*ZN[:3])),
    F("log of masked shares", lambda np, z, m: np.sum(np.where(m, np.log(sm(np, np.where(m, z, -1e9))), 0), axis=1),
        MASKED),
    F("mean of softmax", lambda np, z: np.mean(sm(np, z)[:, 0]), over(*ZN)),
    F("normalised by max", lambda np, x: x / np.max(np.abs(x), axis=1, keepdims=True), VECTORS[:4]),
    F("group statistics", lambda np, x: (x - np.mean(x)) / (np.sqrt(np.mean(x**2) - np.mean(x) ** 2) + 1e-6),
        SOUND[:1]),
    F("scaled unit", lambda np, x: 8 * x / (np.sqrt(np.sum(x * x, axis=1, keepdims=True)) + 1e-6), VECTORS),
    F("distance of units", lambda np, a, b: np.sum((a / norm(np, a) - b / norm(np, b)) ** 2, axis=1), PAIRS[:2]),
    F("gaussian kernel", lambda np, a, b: np.exp(-np.sum((a - b) ** 2, axis=1) / 2), PAIRS[:1] + PAIRS[2:]),
    F("student kernel", lambda np, a, b: 1 / (1 + np.sum((a - b) ** 2, axis=1)), PAIRS),
    F("hyperbolic distance", lambda np, a, b: np.arccosh(1 + 2 * np.sum((a - b) ** 2, axis=1)), PAIRS[:1]),
]  # fmt: skip
DENSITIES = [
    F("half-normal", lambda np, x: np.log(2 * np.exp(-(x**2) / 2) / np.sqrt(2 * math.pi)), ABOVE[:3]),
    F("normal survival", lambda np, x: 1 - 0.5 * (1 + np.erf(x / np.sqrt(2.0))), GAUSS),
    F("normal hazard", lambda np,
        x: np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) / (0.5 * (1 - np.erf(x / math.sqrt(2)))),
      GAUSS[:3] + over(f(30, 50))),
    F("log of the normal between", lambda np, x: np.log(0.5 * np.erf((x + 1) / math.sqrt(2)) - 0.5 * np.erf(
        (x - 1) / math.sqrt(2))), over(f(0.5, -1, 2), f(4, -5))),
    F("logistic between", lambda np, x: np.log(sg(np, x + 0.1) - sg(np, x - 0.1)), X[:4]),
    F("logistic cdf, log", lambda np, x: np.log(np.exp(x) / (np.exp(x) + 1)), X),
    F("logistic survival", lambda np, x: 1 - np.exp(x) / (1 + np.exp(x)), X),
    F("log-logistic", lambda np, x: np.log(2 * x / (1 + x**2) ** 2), ABOVE),
    F("gumbel, of scale", lambda np, x: -(x / 2 + np.exp(-x / 2)) - math.log(2), X[:4]),
    F("gompertz", lambda np, x: np.log(np.exp(x) * np.exp(-(np.exp(x) - 1))), ABOVE[:2]),
    F("laplace mixture", lambda np, x: np.log(0.5 * np.exp(-np.abs(x)) + 0.25 * np.exp(-np.abs(x) / 2)), X),
    F("log of a blend of sigmoids", lambda np, x: np.log(0.4 * sg(np, x) + 0.6 * sg(np, x - 2)), X),
    F("odds ratio", lambda np, p: p / (1 - p), INSIDE),
    F("log odds ratio", lambda np, p: np.log(p) - np.log(1 - p), INSIDE),
    F("squashed normal", lambda np, x: -0.5 * x**2 - np.log(1 - np.tanh(x) ** 2 + 1e-6), X[:4]),
    F("inverse square roots", lambda np, x: 1 / np.sqrt(1 + x**2), XX),
    F("hyperbolic secant", lambda np, x: np.log(0.5 / np.cosh(math.pi * x / 2)), X),
    F("kumaraswamy", lambda np, x: np.log(6 * x * (1 - x**2) ** 2), INSIDE),
    F("zero-inflated", lambda np, x: np.log(0.3 + 0.7 * np.exp(-np.exp(x))), X[:4]),
    F("censored exponential", lambda np, x: np.where(x > 1, -x, np.log(1 - np.exp(-x))), ABOVE),
]  # fmt: skip
HARDER = [
    F("log of sinh", lambda np, x: np.log(np.sinh(x)), ABOVE[:3]),
    F("log of tanh", lambda np, x: np.log(np.tanh(x)), ABOVE[:3]),
    F("cosh over sinh", lambda np, x: np.cosh(x) / np.sinh(x), over(f(0.5, 3), f(1e-4, 1e-10), f(50, 100))),
    F("sinh squared", lambda np, x: np.cosh(x) ** 2 - 1, over(f(0.5, -2), f(1e-3, 1e-8), f(20))),
    F("double angle", lambda np, x: 2 * np.sin(x) * np.cos(x), over(f(0.5, -2), f(1e-3, 1e-8), f(3))),
    F("sin squared by cos", lambda np, x: (1 - np.cos(2 * x)) / 2, over(f(0.5, -2), f(1e-3, 1e-8), f(1e-20, 0))),
    F("x over tan", lambda np, x: x / np.tan(x), over(f(0.5, -1), f(1e-3, 1e-8), f(1e-20, 0))),
    F("tan over x", lambda np, x: np.tan(x) / x, over(f(0.5, -1), f(1e-3, 1e-8), f(1e-20, 0))),
    F("arctan over x", lambda np, x: np.arctan(x) / x, over(f(0.5, -1), f(1e-3, 1e-8), f(1e5, 1e20))),
    F("exp of square less one", lambda np, x: np.exp(x**2) - 1, over(f(0.5, -2), f(1e-3, 1e-8), f(5))),
    F("log of cos", lambda np, x: np.log(np.cos(x)), over(f(0.5, -1), f(1e-3, 1e-6), f(1.5))),
    F("square root of one less cos", lambda np, x: np.sqrt(2 - 2 * np.cos(x)), over(f(0.5, 2), f(1e-3, 1e-8))),
    F("vanishing square", lambda np, a, b: (a + b) ** 2 - a**2, ((f(1, 2), f(0.5, -1)), (f(1e3, 10), f(1e-4, 1e-7)))),
    F("ratio of roots", lambda np, x: np.sqrt(x + 1) / np.sqrt(x) - 1, over(f(0.5, 9), f(1e5, 1e10), f(1e-8))),
]  # fmt: skip
FAMILIES = {"losses": LOSSES, "layers": LAYERS, "densities": DENSITIES, "harder": HARDER}
FORMULAS = [replace(formula, family=family) for family, group in FAMILIES.items() for formula in group]
