"""Losses as they are written by hand: of two classes, of several, and of numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy

from tests.accuracy.formula import REAL, UNIT, Formula, Point, classes, f, rows

# A logit with a target of 0 or 1, right and wrong ones of all sizes.
BINARY: tuple[Point, ...] = (
    (f(0.3, -1.2, 2.0, -0.4), f(1, 0, 0, 1)),
    (f(30, -30, 30, -30), f(1, 0, 0, 1)),
    (f(100, -100, 100, -100), f(1, 0, 0, 1)),
    (f(2e3, -2e3, 2e3, -2e3), f(1, 0, 0, 1)),
    (f(1e-6, -1e-10, 0, 0), f(1, 0, 0, 1)),
)
SOFT: tuple[Point, ...] = (*BINARY, (f(0.3, -1.2, 20, -20), f(0.9, 0.1, 0.3, 0.999)))
SIGNED: tuple[Point, ...] = tuple((x, 2 * t - 1) for x, t in BINARY)

# Logits of three classes for two samples, with the class of each.
LOGITS = (
    rows([0.2, -1.0, 0.7], [1.5, 0.3, -0.4]),
    rows([20, -20, 0], [3, 90, -5]),
    rows([100, -100, 0], [-200, 0, 150]),
    rows([1000, -1000, 999], [-1000, 900, 0]),
    rows([1e-6, 0, -1e-7], [0, 0, 0]),
    rows([2e3, 2e3, 2e3], [-1e3, -1e3, -990]),
)
CLASSES: tuple[Point, ...] = tuple((z, classes(0, 2)) for z in LOGITS)
ONE_HOT: tuple[Point, ...] = tuple((z, rows([1, 0, 0], [0, 0, 1])) for z in LOGITS)
SHARES: tuple[Point, ...] = tuple((z, rows([0.7, 0.2, 0.1], [0.25, 0.25, 0.5])) for z in LOGITS)
PAIRS: tuple[Point, ...] = tuple((a, b) for a, b in zip(LOGITS[:4], (LOGITS[4], *LOGITS[:3]), strict=True))

# What was predicted and what was measured.
NUMBERS: tuple[Point, ...] = (
    (f(0.3, -1.2, 2.0, 0.9), f(0.5, 0.4, -1.0, 0.7)),
    (f(1e3, -2e4, 3e5), f(1.0, 2.0, -7e4)),
    (f(1e-5, -2e-8, 3e-12), f(0, 0, 0)),
    (f(1e20, -3e25, 2e30), f(0, 1, 2)),
    (f(1.0, -2.0), f(1.0, -2.0)),
)
MODERATE = NUMBERS[:3] + NUMBERS[4:]


def sigmoid(np: Any, x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax(np: Any, z: Any) -> Any:
    e = np.exp(z)
    return e / np.sum(e, axis=1, keepdims=True)


def picked(np: Any, p: Any, y: Any) -> Any:
    return np.take_along_axis(p, y[:, None], axis=1)


def bce_of_logits(np: Any, x: Any, t: Any) -> Any:
    p = sigmoid(np, x)
    return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))


def focal(np: Any, x: Any, t: Any) -> Any:
    p = sigmoid(np, x)
    return -(t * (1 - p) ** 2 * np.log(p) + (1 - t) * p**2 * np.log(1 - p))


def alpha_focal(np: Any, x: Any, t: Any) -> Any:
    p = sigmoid(np, x)
    p_t = p * t + (1 - p) * (1 - t)
    return -np.mean((0.25 * t + 0.75 * (1 - t)) * (1 - p_t) ** 2 * np.log(p_t))


def smoothed_bce(np: Any, x: Any, t: Any) -> Any:
    p, s = sigmoid(np, x), t * 0.9 + 0.05
    return -np.sum(s * np.log(p) + (1 - s) * np.log(1 - p))


def weighted_bce(np: Any, x: Any, t: Any) -> Any:
    p = np.exp(x) / (1 + np.exp(x))
    return -np.mean(3 * t * np.log(p) + (1 - t) * np.log(1 - p))


def dice(np: Any, x: Any, t: Any) -> Any:
    p = sigmoid(np, x)
    return 1 - 2 * np.sum(p * t) / (np.sum(p) + np.sum(t))


def tversky(np: Any, x: Any, t: Any) -> Any:
    p = sigmoid(np, x)
    hit = np.sum(p * t)
    return 1 - hit / (hit + 0.3 * np.sum(p * (1 - t)) + 0.7 * np.sum((1 - p) * t))


def jaccard(np: Any, x: Any, t: Any) -> Any:
    p = sigmoid(np, x)
    both = np.sum(p * t)
    return 1 - both / (np.sum(p) + np.sum(t) - both)


TWO_CLASSES = [
    Formula("bce of logits", bce_of_logits, SOFT),
    Formula("bce elementwise", lambda np, x, t: -t * np.log(sigmoid(np, x)) - (1 - t) * np.log(1 - sigmoid(np, x)),
            SOFT),
    Formula("bce by where", lambda np, x, t: np.where(t > 0.5, -np.log(sigmoid(np, x)), -np.log(1 - sigmoid(np, x))),
            BINARY),
    Formula("bce by choice of p", lambda np, x, t: -np.log(np.where(t > 0.5, sigmoid(np, x), 1 - sigmoid(np, x))),
            BINARY),
    Formula("bce by log of mixture",
            lambda np, x, t: -np.log(t * sigmoid(np, x) + (1 - t) * (1 - sigmoid(np, x))), BINARY),
    Formula("bce by softplus", lambda np, x, t: np.log(1 + np.exp(x)) - t * x, SOFT),
    Formula("bce by both softplus",
            lambda np, x, t: t * np.log(1 + np.exp(-x)) + (1 - t) * np.log(1 + np.exp(x)), SOFT),
    Formula("bce with epsilon", lambda np, x, t: -np.mean(t * np.log(sigmoid(np, x) + 1e-7)
                                                          + (1 - t) * np.log(1 - sigmoid(np, x) + 1e-7)), SOFT[:3]),
    Formula("bce by tanh", lambda np, x, t: -t * np.log((1 + np.tanh(x / 2)) / 2)
            - (1 - t) * np.log((1 - np.tanh(x / 2)) / 2), SOFT),
    Formula("bce smoothed", smoothed_bce, BINARY),
    Formula("bce with weight of positives", weighted_bce, SOFT),
    Formula("bce in bits", lambda np, x, t: -(t * np.log(sigmoid(np, x)) + (1 - t) * np.log(1 - sigmoid(np, x)))
            / numpy.log(2), SOFT),
    Formula("bce of scaled logits", lambda np, x, t: -t * np.log(1 / (1 + np.exp(-x / 0.1)))
            - (1 - t) * np.log(1 - 1 / (1 + np.exp(-x / 0.1))), SOFT[:3] + SOFT[4:]),
    Formula("bce of probabilities", lambda np, p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)),
            ((f(0.2, 0.9, 0.5), f(1, 0, 1)), (f(1e-30, 1e-8, 0.9999999), f(1, 0, 1)))),
    Formula("focal", focal, BINARY),
    Formula("focal with alpha", alpha_focal, BINARY),
    Formula("logistic loss of a margin", lambda np, x, t: np.log(1 + np.exp(-t * x)), SIGNED),
    Formula("logistic loss, mean", lambda np, x, t: np.mean(np.log(1 + np.exp(-t * x))), SIGNED),
    Formula("logistic loss in bits", lambda np, x, t: np.log(1 + np.exp(-t * x)) / numpy.log(2), SIGNED),
    Formula("hinge", lambda np, x, t: np.mean(np.maximum(0, 1 - t * x)), SIGNED),
    Formula("squared hinge", lambda np, x, t: np.mean(np.maximum(0, 1 - t * x) ** 2), SIGNED),
    Formula("smooth hinge", lambda np, x, t: np.log(1 + np.exp(5 * (1 - t * x))) / 5, SIGNED),
    Formula("exponential loss", lambda np, x, t: np.exp(-t * x), SIGNED),
    Formula("savage loss", lambda np, x, t: 1 / (1 + np.exp(t * x)) ** 2, SIGNED),
    Formula("tangent of a margin", lambda np, x, t: 1 - np.tanh(t * x), SIGNED),
    Formula("brier score", lambda np, x, t: (sigmoid(np, x) - t) ** 2, BINARY),
    Formula("dice", dice, BINARY),
    Formula("tversky", tversky, BINARY),
    Formula("jaccard", jaccard, BINARY),
    Formula("entropy of a coin", lambda np, x: -(sigmoid(np, x) * np.log(sigmoid(np, x))
                                                 + (1 - sigmoid(np, x)) * np.log(1 - sigmoid(np, x))), REAL),
    Formula("entropy of a coin by p", lambda np, p: -p * np.log(p) - (1 - p) * np.log(1 - p), (*UNIT, (f(0, 1),))),
    Formula("kl of coins", lambda np, a, b: sigmoid(np, a) * np.log(sigmoid(np, a) / sigmoid(np, b))
            + (1 - sigmoid(np, a)) * np.log((1 - sigmoid(np, a)) / (1 - sigmoid(np, b))),
            ((f(0.3, -1.0, 2.0), f(0.5, 1.0, -0.3)), (f(30, -30, 100), f(-30, -20, 5)), (f(200, -300), f(-100, 100)))),
    Formula("generator loss", lambda np, x: -np.mean(np.log(sigmoid(np, x))), REAL),
    Formula("saturating generator loss", lambda np, x: np.mean(np.log(1 - sigmoid(np, x))), REAL),
    Formula("bradley-terry", lambda np, a, b: -np.log(np.exp(a) / (np.exp(a) + np.exp(b))),
            ((f(0.3, 2.0), f(1.0, -0.5)), (f(100, -80), f(-20, 90)), (f(500, -500, 3), f(-500, 499, 3)))),
    Formula("preference (dpo)", lambda np, a, b: -np.mean(np.log(1 / (1 + np.exp(-0.1 * (a - b))))),
            ((f(0.3, 2.0), f(1.0, -0.5)), (f(1000, -800), f(-200, 900)), (f(1e4, -1e4), f(-1e4, 1e4)))),
]  # fmt: skip


def cross_entropy(np: Any, z: Any, y: Any) -> Any:
    return -np.mean(np.log(picked(np, softmax(np, z), y)))


def shifted_cross_entropy(np: Any, z: Any, y: Any) -> Any:
    z = z - np.max(z, axis=1, keepdims=True)
    return -np.mean(picked(np, z, y) - np.log(np.sum(np.exp(z), axis=1, keepdims=True)))


def smoothed_cross_entropy(np: Any, z: Any, t: Any) -> Any:
    t = t * 0.9 + 0.1 / 3
    return -np.mean(np.sum(t * np.log(softmax(np, z)), axis=1))


def focal_of_classes(np: Any, z: Any, y: Any) -> Any:
    p = picked(np, softmax(np, z), y)
    return -np.mean((1 - p) ** 2 * np.log(p))


def kl(np: Any, a: Any, b: Any) -> Any:
    p, q = softmax(np, a), softmax(np, b)
    return np.sum(p * (np.log(p) - np.log(q)))


def jensen_shannon(np: Any, a: Any, b: Any) -> Any:
    p, q = softmax(np, a), softmax(np, b)
    m = (p + q) / 2
    return (np.sum(p * np.log(p / m)) + np.sum(q * np.log(q / m))) / 2


def entropy(np: Any, z: Any) -> Any:
    p = softmax(np, z)
    return -np.sum(p * np.log(p), axis=1)


def distillation(np: Any, a: Any, b: Any) -> Any:
    p, q = softmax(np, a / 4), softmax(np, b / 4)
    return 16 * np.mean(np.sum(p * np.log(p / q), axis=1))


def contrastive(np: Any, a: Any, b: Any) -> Any:
    s = a @ b.T / 0.07
    e = np.exp(s)
    return -np.mean(np.log(np.diagonal(e) / np.sum(e, axis=1)))


def turned(np: Any, z: Any, t: Any) -> Any:
    e = np.exp(z)
    return -np.sum(t * np.log((e.T / np.sum(e, axis=1)).T))


SEVERAL_CLASSES = [
    Formula("cross entropy of a class", cross_entropy, CLASSES),
    Formula("cross entropy by one-hot", lambda np, z, t: -np.sum(t * np.log(softmax(np, z))), ONE_HOT),
    Formula("cross entropy of shares", lambda np, z, t: -np.mean(np.sum(t * np.log(softmax(np, z)), axis=1)), SHARES),
    Formula("cross entropy, log of picked quotient",
            lambda np, z, y: -np.log(picked(np, np.exp(z), y) / np.sum(np.exp(z), axis=1, keepdims=True)), CLASSES),
    Formula("cross entropy by log-sum-exp",
            lambda np, z, y: np.mean(np.log(np.sum(np.exp(z), axis=1)) - picked(np, z, y)[:, 0]), CLASSES),
    Formula("cross entropy, shifted", shifted_cross_entropy, CLASSES),
    Formula("cross entropy, log of sum of products",
            lambda np, z, t: -np.sum(np.log(np.sum(softmax(np, z) * t, axis=1))), ONE_HOT),
    Formula("cross entropy, log of expected share",
            lambda np, z, t: -np.sum(np.log(np.sum(softmax(np, z) * t, axis=1))), SHARES),
    Formula("cross entropy along the other axis", turned, ONE_HOT),
    Formula("cross entropy, smoothed", smoothed_cross_entropy, ONE_HOT),
    Formula("cross entropy at a temperature",
            lambda np, z, y: -np.mean(np.log(picked(np, softmax(np, z / 0.05), y))), CLASSES),
    Formula("cross entropy with epsilon",
            lambda np, z, t: -np.sum(t * np.log(softmax(np, z) + 1e-9)), ONE_HOT[:3]),
    Formula("perplexity", lambda np, z, y: np.exp(cross_entropy(np, z, y)), CLASSES[:2]),
    Formula("focal loss of classes", focal_of_classes, CLASSES),
    Formula("poly-1", lambda np, z, y: cross_entropy(np, z, y) + np.mean(1 - picked(np, softmax(np, z), y)), CLASSES),
    Formula("kl of softmaxes", kl, PAIRS),
    Formula("kl by quotient", lambda np, a, b: np.sum(softmax(np, a) * np.log(softmax(np, a) / softmax(np, b))), PAIRS),
    Formula("jensen-shannon", jensen_shannon, PAIRS),
    Formula("entropy of softmax", entropy, tuple((z,) for z in LOGITS)),
    Formula("distillation", distillation, PAIRS),
    Formula("contrastive", contrastive,
            ((rows([0.6, 0.8], [1, 0]), rows([0.8, 0.6], [0.6, -0.8])), (rows([6, 8], [1, 0]), rows([8, 6], [0, -9])),
             (rows([60, 80], [10, 0]), rows([-80, -60], [0, -90])))),
    Formula("brier score of classes", lambda np, z, t: np.sum((softmax(np, z) - t) ** 2), ONE_HOT),
    Formula("error probability", lambda np, z, y: 1 - picked(np, softmax(np, z), y), CLASSES),
    Formula("energy", lambda np, z: -0.5 * np.log(np.sum(np.exp(z / 0.5), axis=1)), tuple((z,) for z in LOGITS)),
]  # fmt: skip


def huber(np: Any, y: Any, t: Any) -> Any:
    d = np.abs(y - t)
    return np.where(d < 1, 0.5 * d * d, d - 0.5)


def log_cosh(np: Any, y: Any, t: Any) -> Any:
    d = y - t
    return np.log((np.exp(d) + np.exp(-d)) / 2)


def tukey(np: Any, y: Any, t: Any) -> Any:
    u = (y - t) / 4.685
    return np.where(np.abs(u) < 1, 1 - (1 - u**2) ** 3, 1)


# A mean and the logarithm of a variance.
GAUSSIANS: tuple[Point, ...] = (
    (f(0.3, -1.2, 2.0), f(0.1, -0.5, 1.0)),
    (f(10, -1e3, 5), f(-20, 5, 30)),
    (f(1e-4, 1e-9, 0), f(1e-3, -1e-5, 0)),
    (f(0.5, 2.0), f(-200, 80)),
)
RATES: tuple[Point, ...] = (
    (f(0.3, -1.2, 2.0), f(1, 0, 4)),
    (f(-50, 20, -100), f(0, 3, 2)),
    (f(1e-5, 0, -1e-8), f(1, 1, 1)),
)

OF_NUMBERS = [
    Formula("squared error", lambda np, y, t: np.mean((y - t) ** 2), MODERATE),
    Formula("absolute error", lambda np, y, t: np.mean(np.abs(y - t)), NUMBERS),
    Formula("root mean squared error", lambda np, y, t: np.sqrt(np.mean((y - t) ** 2)), NUMBERS),
    Formula("huber", huber, NUMBERS),
    Formula("smooth l1", lambda np, y, t: np.where(np.abs(y - t) < 0.1, 5 * (y - t) ** 2, np.abs(y - t) - 0.05),
            NUMBERS),
    Formula("pseudo-huber", lambda np, y, t: np.sqrt(1 + (y - t) ** 2) - 1, NUMBERS),
    Formula("pseudo-huber with delta", lambda np, y, t: 4 * (np.sqrt(1 + ((y - t) / 2) ** 2) - 1), NUMBERS),
    Formula("charbonnier", lambda np, y, t: np.sqrt((y - t) ** 2 + 1e-6), NUMBERS),
    Formula("log cosh", log_cosh, NUMBERS),
    Formula("log cosh, mean", lambda np, y, t: np.mean(log_cosh(np, y, t)), NUMBERS),
    Formula("pinball", lambda np, y, t: np.maximum(0.9 * (t - y), -0.1 * (t - y)), NUMBERS[:4]),
    Formula("cauchy", lambda np, y, t: np.log(1 + ((y - t) / 2) ** 2), NUMBERS),
    Formula("geman-mcclure", lambda np, y, t: (y - t) ** 2 / (1 + (y - t) ** 2), NUMBERS),
    Formula("welsch", lambda np, y, t: 1 - np.exp(-((y - t) ** 2) / 2), NUMBERS),
    Formula("tukey", tukey, MODERATE),
    Formula("logarithmic error", lambda np, y, t: np.mean((np.log(1 + y) - np.log(1 + t)) ** 2),
            ((f(0.3, 1.2), f(0.5, 4.0)), (f(1e6, 1e-6), f(1e20, 1e-7)), (f(1e-9, 2e-10), f(3e-9, 0)))),
    Formula("relative error", lambda np, y, t: np.mean(np.abs((y - t) / t)),
            ((f(0.3, -1.2), f(0.5, 0.4)), (f(1e20, 1e-20), f(1e-10, 1e-25)))),
    Formula("symmetric relative error", lambda np, y, t: np.abs(y - t) / (np.abs(y) + np.abs(t)),
            ((f(0.3, -1.2), f(0.5, 0.4)), (f(1e30, 1e-30), f(2e38, 1e-38)))),
    Formula("poisson", lambda np, a, t: np.mean(np.exp(a) - t * a), RATES),
    Formula("poisson of softplus", lambda np, a, t: np.log(1 + np.exp(a)) - t * np.log(np.log(1 + np.exp(a))), RATES),
    Formula("gaussian, log variance", lambda np, m, s: 0.5 * (s + (0.7 - m) ** 2 / np.exp(s)), GAUSSIANS),
    Formula("gaussian, softplus deviation",
            lambda np, m, s: np.log(np.log(1 + np.exp(s))) + (0.7 - m) ** 2 / (2 * np.log(1 + np.exp(s)) ** 2),
            ((f(0.3, -1.2), f(0.1, -0.5)), (f(10, 3.0), f(30, -20)), (f(2, 0.5), f(200, -30)))),
    Formula("gaussian, variance", lambda np, m, v: 0.5 * np.log(2 * numpy.pi * v) + (0.7 - m) ** 2 / (2 * v),
            ((f(0.3, -1.2), f(0.5, 2.0)), (f(1e3, 0.1), f(1e-6, 1e10)), (f(0.1, 0.2), f(1e38, 2e-10)))),
    Formula("kl to the standard normal", lambda np, m, s: 0.5 * np.sum(m**2 + np.exp(s) - s - 1), GAUSSIANS),
    Formula("kl to the standard normal by deviation",
            lambda np, m, s: -0.5 * (1 + np.log(s**2) - m**2 - s**2),
            ((f(0.3, -1.2), f(0.5, 2.0)), (f(1e3, 0.1), f(1e-6, 1e10)), (f(0.1, 0.2), f(1e-30, 3e15)))),
    Formula("kl of normals",
            lambda np, a, s: np.log(2.0 / np.exp(s)) + (np.exp(s) ** 2 + (a - 1) ** 2) / (2 * 2.0**2) - 0.5,
            GAUSSIANS[:2]),
    Formula("itakura-saito", lambda np, y, t: t / y - np.log(t / y) - 1,
            ((f(0.3, 1.2), f(0.5, 4.0)), (f(1e-20, 1e25), f(1e15, 1e-10)))),
    Formula("evidence of quantiles", lambda np, y, t: np.mean(np.log(1 + np.exp(-(t - y) / 0.1)) + 0.5 * (t - y) / 0.1),
            NUMBERS[:3]),
    Formula("explained variance", lambda np, y, t: 1 - np.sum((t - y) ** 2) / np.sum((t - np.mean(t)) ** 2),
            ((f(0.3, -1.2, 2.0), f(0.5, 0.4, -1.0)), (f(1e3, 1e2, 3e4), f(2e3, -7e2, 1e4)))),
]  # fmt: skip

WEIGHED = ("entropy of a coin", "gaussian", "kl", "bradley", "preference", "jensen", "distillation", "contrastive")
"""Losses of which both operands are computed; in others the second one is a target."""


def _of(family: str, formulas: list[Formula]) -> list[Formula]:
    return [replace(x, family=family, wrt=None if x.name.startswith(WEIGHED) else 1) for x in formulas]


FORMULAS = [
    *_of("two classes", TWO_CLASSES),
    *_of("several classes", SEVERAL_CLASSES),
    *_of("numbers", OF_NUMBERS),
]
