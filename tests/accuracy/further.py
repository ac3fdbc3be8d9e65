"""More everyday formulas, written after the rules: do they hold for what they were not written for?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy

from tests.accuracy.formula import POSITIVE, REAL, UNIT, Formula, Point, classes, f, mask, over, rows
from tests.accuracy.losses import BINARY, CLASSES, LOGITS, ONE_HOT, PAIRS, SIGNED

SCORES = tuple((z,) for z in LOGITS)
VECTORS = over(f(0.3, -1.2, 2.0), f(1e-22, -3e-22, 2e-21), f(1e21, -3e22, 2e21))
KEPT = mask("110", "011")
MASKED: tuple[Point, ...] = tuple((z, KEPT) for z in LOGITS[:4])
WEIGHTED: tuple[Point, ...] = tuple((z, rows([0.5, 0, 2], [1, 3, 0])) for z in LOGITS[:4])
LARGE = over(f(-3.0, 0.2, 1.5), f(-60.0, 40, 95), f(-1e3, 8e2, 150), f(1e-6, -1e-9, 0))
MEASURES = ((f(0.4, 1.3, 2.2), f(0.7, -0.4, 1.1)), (f(1e-3, 50, 8), f(30, -60, 100)), (f(2, 0.5), f(500, -700)))


def sigmoid(np: Any, x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def shares(np: Any, z: Any, axis: int = -1) -> Any:
    e = np.exp(z)
    return e / np.sum(e, axis=axis, keepdims=True)


def ordinal(np: Any, x: Any) -> Any:
    """The likelihood of the middle one of three ordered classes."""
    return -np.log(sigmoid(np, 1.5 - x) - sigmoid(np, -0.5 - x))


def plackett_luce(np: Any, z: Any) -> Any:
    e = np.exp(z)
    return -np.sum(np.log(e[:, 0] / (e[:, 0] + e[:, 1] + e[:, 2])) + np.log(e[:, 1] / (e[:, 1] + e[:, 2])))


def mixture_of_experts(np: Any, z: Any, y: Any) -> Any:
    gates = shares(np, z)
    return -np.log(np.sum(gates * np.exp(-((y - np.array_([0.0, 1.0, 2.0])) ** 2)), axis=1))


def pooled(np: Any, z: Any) -> Any:
    return np.sum(np.exp(3 * z) * z, axis=1) / np.sum(np.exp(3 * z), axis=1)


def sinkhorn_row(np: Any, z: Any) -> Any:
    k = np.exp(-z / 0.05)
    return np.log(k / np.sum(k, axis=0))


def barlow(np: Any, a: Any, b: Any) -> Any:
    a = (a - np.mean(a)) / np.sqrt(np.mean((a - np.mean(a)) ** 2))
    b = (b - np.mean(b)) / np.sqrt(np.mean((b - np.mean(b)) ** 2))
    return (1 - np.mean(a * b)) ** 2


def lse_difference(np: Any, a: Any, b: Any) -> Any:
    return np.log(np.sum(np.exp(a), axis=1)) - np.log(np.sum(np.exp(b), axis=1))


LIST = [
    Formula("bce with soft labels by hand", lambda np, x, t: np.mean(-(0.95 * t + 0.02) * np.log(sigmoid(np, x))
            - (0.98 - 0.95 * t) * np.log(1 - sigmoid(np, x))), BINARY),
    Formula("bce, doubled logits", lambda np, x, t: -np.sum(t * np.log(sigmoid(np, 2 * x + 1))
            + (1 - t) * np.log(1 - sigmoid(np, 2 * x + 1))), BINARY),
    Formula("asymmetric focal", lambda np, x, t: -np.sum(t * np.log(sigmoid(np, x)) * (1 - sigmoid(np, x))
            + (1 - t) * sigmoid(np, x) ** 4 * np.log(1 - sigmoid(np, x))), BINARY),
    Formula("margin softplus", lambda np, x, t: np.log(1 + np.exp(0.5 - t * x)) ** 2, SIGNED),
    Formula("bits of a margin", lambda np, x, t: np.log2(1 + np.exp(-t * x)), SIGNED),
    Formula("probability of a wrong sign", lambda np, x, t: 1 / (1 + np.exp(2 * t * x)), SIGNED),
    Formula("ordinal likelihood", ordinal, LARGE[:1]),
    Formula("hinge of log-odds", lambda np, x: np.maximum(0, 1 - np.log(sigmoid(np, x) / (1 - sigmoid(np, x)))), LARGE),
    Formula("self-normalised gate", lambda np, a, b: np.tanh(a) * sigmoid(np, b), MEASURES),
    Formula("highway", lambda np, a, b: a * sigmoid(np, b) + (1 - sigmoid(np, b)) * np.tanh(a), MEASURES),
    Formula("maximum by powers", lambda np, x: np.log(np.sum(np.exp(20 * x))) / 20, LARGE),
    Formula("minimum by powers", lambda np, x: -np.log(np.mean(np.exp(-20 * x))) / 20, LARGE),
    Formula("plackett-luce", plackett_luce, SCORES),
    Formula("weighted shares", lambda np, z, w: w * np.exp(z) / np.sum(w * np.exp(z), axis=1, keepdims=True), WEIGHTED),
    Formula("log of weighted shares", lambda np, z, w: np.log(np.sum(w * np.exp(z), axis=1)), WEIGHTED),
    Formula("mixture of experts", mixture_of_experts, tuple((z, f(1.3, -0.2)[:, None]) for z in LOGITS[:4])),
    Formula("pooled by softmax", pooled, SCORES),
    Formula("entropic transport", sinkhorn_row, SCORES[:4]),
    Formula("difference of log partitions", lse_difference, PAIRS),
    Formula("ratio of partitions", lambda np, a, b: np.sum(np.exp(a), axis=1) / np.sum(np.exp(b), axis=1), PAIRS[:1]),
    Formula("log of a ratio of partitions",
            lambda np, a, b: np.log(np.sum(np.exp(a), axis=1) / np.sum(np.exp(b), axis=1)), PAIRS),
    Formula("margin of the best", lambda np, z: np.max(z, axis=1) - np.log(np.sum(np.exp(z), axis=1)), SCORES),
    Formula("z-loss", lambda np, z: np.mean(np.log(np.sum(np.exp(z), axis=-1)) ** 2), SCORES),
    Formula("confidence penalty", lambda np, z: np.sum(shares(np, z) * np.log(shares(np, z) + 1e-12)), SCORES[:4]),
    Formula("masked mean of losses", lambda np, z, m: np.sum(np.where(m, -np.log(shares(np, z)), 0))
            / np.sum(np.float_(m)), MASKED),
    Formula("masked by product", lambda np, z, m: np.sum(np.float_(m) * np.log(1 + np.exp(z))), MASKED),
    Formula("masked maximum", lambda np, z, m: np.max(np.where(m, z, -1e30), axis=1), MASKED),
    Formula("attention weights with bias", lambda np, z, m: shares(np, z / 8 + np.where(m, 0.5, -1e9)), MASKED),
    Formula("negative sampling", lambda np, a, b: -np.sum(np.log(sigmoid(np, a))) - np.sum(np.log(sigmoid(np, -b))),
            MEASURES),
    Formula("pairwise ranking", lambda np, a, b: np.log(1 + np.exp(b - a)), MEASURES),
    Formula("pairwise probability", lambda np, a, b: np.exp(a) / (np.exp(b) + np.exp(a)), MEASURES),
    Formula("draw probability", lambda np, a, b: 0.5 * np.exp((a + b) / 2)
            / (np.exp(a) + np.exp(b) + 0.5 * np.exp((a + b) / 2)), MEASURES),
    Formula("cosine with margin", lambda np, a, b: np.maximum(0, np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))
            - 0.2), (((f(0.3, -1.2, 2.0)), f(0.5, 0.4, 1.0)), (f(1e10, 2e12), f(3e12, 1e10)))),
    Formula("angle of rows", lambda np, x: x[0] / np.sqrt(np.sum(x[0] ** 2)) - x[1] / np.sqrt(np.sum(x[1] ** 2)),
            over(rows([0.3, 1.0], [2, -1]), rows([1e-25, 2e-25], [1e25, 3e24]))),
    Formula("gradient clipping", lambda np, x: x * (1 / np.maximum(1, np.sqrt(np.sum(x**2)) / 5)), VECTORS),
    Formula("soft gradient clipping", lambda np, x: x / (1 + np.sqrt(np.sum(x**2))), VECTORS),
    Formula("log of squared length", lambda np, x: np.log(np.sum(x**2)), VECTORS),
    Formula("scale invariant error", lambda np, x: np.sum((np.abs(x) / np.sqrt(np.sum(x**2)) - 0.5) ** 2), VECTORS),
    Formula("frobenius of a product", lambda np, x: np.sqrt(np.sum((x[:, None] * x[None, :]) ** 2)), VECTORS[:1]),
    Formula("huber by roots", lambda np, x: np.sqrt(x**2 + 1e-4) - 0.01, over(f(-3.0, 0.2), f(1e20, -1e25), f(0.0))),
    Formula("smooth sign", lambda np, x: x / np.sqrt(x**2 + 1e-3), over(f(-3.0, 0.2), f(1e20, -1e25), f(1e-4, 0.0))),
    Formula("smooth absolute value", lambda np, x: x * np.tanh(5 * x), LARGE),
    Formula("absolute value by softplus", lambda np, x: np.log(1 + np.exp(2 * x)) - x, LARGE),
    Formula("bump", lambda np, x: np.where(np.abs(x) < 1, np.exp(-1 / np.where(np.abs(x) < 1, 1 - x**2, 1)), 0),
            over(f(-0.5, 0.9, 0.0), f(1, -1, 3, 0.99999))),
    Formula("arrhenius", lambda np, x: np.log(3e5 * np.exp(-2.0 / x)), POSITIVE),
    Formula("planck", lambda np, x: x**3 / (np.exp(x) - 1), over(f(0.3, 2.0, 9), f(20, 80), f(1e-3, 1e-6))),
    Formula("fermi", lambda np, x: 1 / (np.exp((x - 0.3) / 0.025) + 1), LARGE),
    Formula("bose", lambda np, x: -np.log(1 - np.exp(-x)), over(f(0.3, 2.0), f(30, 90), f(1e-4, 1e-8))),
    Formula("log-logistic survival", lambda np, x: -np.log(1 + x**3), over(f(0.3, 2.0), f(1e-4, 1e-3), f(1e15, 1e20))),
    Formula("gompertz hazard", lambda np, x: 0.1 * np.exp(0.3 * x) - 0.1 / 0.3 * (np.exp(0.3 * x) - 1), LARGE[:1]),
    Formula("skewed normal", lambda np, x: np.log(2 * np.exp(-(x**2) / 2) / 2.5066 * (0.5 + 0.5 * np.erf(x / 2))),
            over(f(-1.0, 0.2, 3), f(30, 50))),
    Formula("two normals, weight by logit", lambda np, x, a: np.log(sigmoid(np, a) * np.exp(-((x - 1) ** 2) / 2)
            + (1 - sigmoid(np, a)) * np.exp(-((x + 1) ** 2) / 2)), MEASURES),
    Formula("laplace mixture", lambda np, x: np.log(0.4 * np.exp(-np.abs(x) / 0.1) + 0.6 * np.exp(-np.abs(x - 3))),
            LARGE),
    Formula("zero-inflated poisson", lambda np, a: np.log(0.3 + 0.7 * np.exp(-np.exp(a))),
            over(f(-1.0, 0.2, 3), f(-50, 6))),
    Formula("beta-bernoulli", lambda np, p: 0.5 * np.log(p) + 0.5 * np.log(1 - p) - np.log(p**2 * (1 - p)), UNIT),
    Formula("dirichlet", lambda np, p: np.sum(np.array_([1.5, 0.5, 3.0]) * np.log(p)),
            over(f(0.2, 0.5, 0.3), f(1e-20, 0.9, 1e-5))),
    Formula("kl of two logits", lambda np, a, b: sigmoid(np, a) * (np.log(sigmoid(np, a)) - np.log(sigmoid(np, b)))
            + sigmoid(np, -a) * (np.log(sigmoid(np, -a)) - np.log(sigmoid(np, -b))), MEASURES),
    Formula("hellinger of normals", lambda np, a,
            s: 1 - np.sqrt(2 * s / (s**2 + 1)) * np.exp(-(a**2) / (4 * (s**2 + 1))),
            ((f(0.3, 3.0), f(0.5, 2.0)), (f(50, 0.1), f(1e-3, 30)))),
    Formula("wasserstein of normals", lambda np, a, s: np.sqrt(a**2 + (s - 1) ** 2),
            ((f(0.3, 3.0), f(0.5, 2.0)), (f(1e20, 1e-25), f(1e21, 1.0)))),
    Formula("error of a picked class", lambda np, z,
            y: (1 - np.take_along_axis(shares(np, z), y[:, None], axis=1)) ** 2,
            ((LOGITS[0], classes(0, 2)), (LOGITS[1], classes(2, 1)))),
    Formula("squared error of shares", lambda np, z, t: np.mean((shares(np, z) - t) ** 2), ONE_HOT),
    Formula("label smoothing against uniform", lambda np, z, y: -np.mean(0.9 * np.log(
            np.take_along_axis(shares(np, z), y[:, None], axis=1)) + 0.1 * np.mean(np.log(shares(np, z)), axis=1,
            keepdims=True)), CLASSES),
    Formula("redundancy", barlow, ((f(0.3, -1.2, 2.0), f(0.5, 0.4, -1)), (f(3e9, -1e10, 2e10), f(1e-9, 2e-9, -1e-8)))),
    Formula("hard tanh by sigmoid", lambda np, x: 2 / (1 + np.exp(-4 * x)) - 1, REAL),
    Formula("exponential moving gate", lambda np, x: np.exp(-np.log(1 + np.exp(x))), REAL),
    Formula("selective decay", lambda np, a, b: np.exp(-np.exp(a) * np.log(1 + np.exp(b))), MEASURES),
    Formula("log of a decay", lambda np, a, b: np.log(np.exp(-np.log(1 + np.exp(b)) * a)), MEASURES),
    Formula("rational quadratic", lambda np, x: (1 + x**2 / 6) ** -3, over(f(-3.0, 0.2, 1.5), f(1e-5, 1e6), f(0.0))),
    Formula("log of rational quadratic", lambda np, x: np.log((1 + x**2 / 6) ** -3), over(f(-3.0, 0.2), f(1e-5, 1e25))),
    Formula("relative position", lambda np, x: np.sign(x) * np.log(1 + np.abs(x)) / numpy.log(8), LARGE),
]  # fmt: skip

TARGETED = (BINARY, SIGNED, ONE_HOT)
"""Points whose second operand is a target."""

FORMULAS = [
    replace(x, family="further", name=f"further: {x.name}", wrt=1 if any(x.points is t for t in TARGETED) else None)
    for x in LIST
]
