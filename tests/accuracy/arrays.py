"""Norms and statistics, softmax and its relatives, masks and guarded branches, as they are written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy

from tests.accuracy.formula import (
    ALL_REAL,
    BENIGN,
    FAR,
    REAL,
    SMALL,
    TINY,
    WIDE,
    ZERO,
    Formula,
    Point,
    f,
    mask,
    over,
    rows,
)
from tests.accuracy.losses import LOGITS

# --- norms -----------------------------------------------------------------------------------------------------------

VECTORS = over(f(0.3, -1.2, 2.0), f(1e-20, -3e-20, 2e-20), f(1e20, -3e20, 2e20), f(1e-30, 0, 2e-30), f(1e25, 1, -1e30),
               f(0, 0, 0))  # fmt: skip
NONZERO = VECTORS[:5]
ROWS = over(rows([0.3, -1.2, 2.0], [1, 0, 0]), rows([1e-20, -3e-20, 2e-20], [1e20, 2e25, 3]),
            rows([1e-30, 0, 0], [3e3, 4e3, 0]))  # fmt: skip
TWO = (
    (f(0.3, -1.2, 2.0), f(0.5, 1.4, -0.7)),
    (f(1e-20, -3e-20, 2e-20), f(2e-20, 1e-20, 0)),
    (f(1e20, -3e25, 2e20), f(3e20, 1e25, 0)),
    (f(1e-30, 2e-30), f(-1e-25, 0)),
)
SAME = ((f(0.3, -1.2), f(0.3, -1.2)), (f(0, 0), f(0, 0)))


def length(np: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.sqrt(np.sum(x**2, axis=axis, keepdims=keepdims))


def cosine(np: Any, a: Any, b: Any) -> Any:
    return np.sum(a * b) / (length(np, a) * length(np, b))


def rms_norm(np: Any, x: Any) -> Any:
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-6)


def triplet(np: Any, a: Any, b: Any) -> Any:
    return np.maximum(0, length(np, a) - length(np, a - b) + 1)


NORMS = [
    Formula("length", length, VECTORS),
    Formula("length by products", lambda np, x: np.sqrt(np.sum(x * x)), VECTORS),
    Formula("length by power", lambda np, x: np.sum(np.abs(x) ** 2) ** 0.5, VECTORS),
    Formula("length of each row", lambda np, x: length(np, x, 1), ROWS),
    Formula("length by dot", lambda np, x: np.sqrt(x @ x), VECTORS),
    Formula("root mean square", lambda np, x: np.sqrt(np.mean(x**2)), VECTORS),
    Formula("direction", lambda np, x: x / length(np, x), NONZERO),
    Formula("direction of each row", lambda np, x: x / length(np, x, 1, True), ROWS),
    Formula("direction with epsilon", lambda np, x: x / (length(np, x) + 1e-12), (*VECTORS[:1], *VECTORS[2:3])),
    Formula("direction by maximum", lambda np, x: x / np.maximum(length(np, x), 1e-12), VECTORS),
    Formula("direction by rsqrt", lambda np, x: x * (np.sum(x**2) ** -0.5), NONZERO),
    Formula("cosine similarity", cosine, TWO),
    Formula("cosine distance", lambda np, a, b: 1 - cosine(np, a, b), (*TWO[:1], *TWO[2:])),
    Formula("cosine of directions", lambda np, a, b: np.sum((a / length(np, a)) * (b / length(np, b))), TWO),
    Formula("distance", lambda np, a, b: length(np, a - b), (*TWO, *SAME)),
    Formula("distance in the plane", lambda np, a, b: np.sqrt(a**2 + b**2), (*TWO, (f(0, 1e-30), f(0, 0)))),
    Formula("three-dimensional distance", lambda np, a, b: np.sqrt(a * a + b * b + a * b), TWO[:2]),
    Formula("mean distance", lambda np, a, b: np.mean(length(np, a - b, -1)), (*TWO, *SAME)),
    Formula("distance by expansion", lambda np, a, b: np.sqrt(np.sum(a**2) + np.sum(b**2) - 2 * np.sum(a * b)),
            (TWO[0], (f(1.0001, 2, 3), f(1, 2.0001, 3)), (f(100, 200), f(100.001, 200)))),
    Formula("contrastive margin", lambda np, a, b: np.maximum(0, 1 - length(np, a - b)) ** 2, (*TWO[:2], *SAME)),
    Formula("triplet margin", triplet, (*TWO[:2], *SAME)),
    Formula("inverse distance", lambda np, a, b: 1 / (1 + length(np, a - b)), (*TWO, *SAME)),
    Formula("one-norm", lambda np, x: np.sum(np.abs(x)), VECTORS),
    Formula("three-norm", lambda np, x: np.sum(np.abs(x) ** 3) ** (1 / 3),
            over(f(0.3, -1.2, 2.0), f(1e-15, -3e-15, 2e-15), f(1e15, 3e15, 1))),
    Formula("half-norm", lambda np, x: np.sum(np.abs(x) ** 0.5) ** 2,
            over(f(0.3, -1.2, 2.0), f(1e-20, 2e-20), f(1e30, 1))),
    Formula("largest", lambda np, x: np.max(np.abs(x)), NONZERO),
    Formula("log of length", lambda np, x: np.log(length(np, x)), NONZERO),
    Formula("inverse length", lambda np, x: 1 / length(np, x), NONZERO),
    Formula("rms norm", rms_norm, over(f(0.3, -1.2, 2.0), f(1e-5, -3e-5, 2e-4), f(1e20, -3e22, 2e20), f(0, 0, 0))),
    Formula("rms norm without epsilon", lambda np, x: x / np.sqrt(np.mean(x**2)), NONZERO),
    Formula("clipped by length", lambda np, x: x * np.minimum(1, 1 / length(np, x)), (*VECTORS[:3], *VECTORS[4:5])),
    Formula("weight norm", lambda np, g, v: g * v / length(np, v), TWO),
    Formula("squashed capsule", lambda np, x: np.sum(x**2) / (1 + np.sum(x**2)) * x / length(np, x), VECTORS[:3]),
    Formula("ratio of lengths", lambda np, a, b: length(np, a) / length(np, b), TWO),
    Formula("product of lengths", lambda np, a, b: np.sqrt(np.sum(a**2) * np.sum(b**2)), TWO[:2]),
    Formula("phase", lambda np, a, b: a / np.sqrt(a**2 + b**2), TWO),
    Formula("unit with smoothing", lambda np, x: x / np.sqrt(np.sum(x**2) + 1), VECTORS),
]  # fmt: skip

# --- statistics ------------------------------------------------------------------------------------------------------

SAMPLES = over(f(0.3, -1.2, 2.0, 0.7), f(1000.5, 1001.25, 999.75, 1000), f(1e4, 10001, 10002, 9999.5),
               f(1e-12, 3e-12, -2e-12, 0), f(1e15, -3e15, 2e15, 5e14), f(3e6, 3e6 + 1, 3e6 + 4, 3e6))  # fmt: skip
TABLES = over(rows([0.3, -1.2, 2.0], [1, 0.5, 0]), rows([500.5, 501, 502], [-300, -301.5, -300.25]))
JOINT = (
    (f(0.3, -1.2, 2.0), f(0.5, 1.4, -0.7)),
    (f(1000.5, 1001.25, 999.75), f(-500, -501, -502.5)),
    (f(1e-8, 3e-8, -2e-8), f(1e5, 2e5, 4e5)),
)


def variance(np: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.mean(x**2, axis=axis, keepdims=keepdims) - np.mean(x, axis=axis, keepdims=keepdims) ** 2


def covariance(np: Any, a: Any, b: Any) -> Any:
    return np.mean(a * b) - np.mean(a) * np.mean(b)


STATISTICS = [
    Formula("variance by moments", variance, SAMPLES),
    Formula("variance by products", lambda np, x: np.mean(x * x) - np.mean(x) * np.mean(x), SAMPLES),
    Formula("variance of rows", lambda np, x: variance(np, x, 1), TABLES),
    Formula("variance of columns", lambda np, x: variance(np, x, 0, True), TABLES),
    Formula("variance by sums", lambda np, x: np.sum(x**2) / 4 - (np.sum(x) / 4) ** 2, SAMPLES),
    Formula("sample variance", lambda np, x: (np.sum(x**2) - 4 * np.mean(x) ** 2) / 3, SAMPLES),
    Formula("sample variance by sums", lambda np, x: (np.sum(x**2) - np.sum(x) ** 2 / 4) / 3, SAMPLES),
    Formula("standard deviation by moments", lambda np, x: np.sqrt(variance(np, x)), SAMPLES),
    Formula("squared deviations", lambda np, x: np.mean((x - np.mean(x)) ** 2), SAMPLES),
    Formula("sum of squared deviations", lambda np, x: np.sum((x - np.mean(x)) ** 2), SAMPLES),
    Formula("standard deviation", lambda np, x: np.sqrt(np.mean((x - np.mean(x)) ** 2)), SAMPLES),
    Formula("log of variance", lambda np, x: np.log(variance(np, x)), SAMPLES),
    Formula("covariance by moments", covariance, JOINT),
    Formula("covariance of deviations", lambda np, a, b: np.mean((a - np.mean(a)) * (b - np.mean(b))), JOINT),
    Formula("correlation", lambda np, a, b: covariance(np, a, b) / np.sqrt(variance(np, a) * variance(np, b)), JOINT),
    Formula("z-scores", lambda np, x: (x - np.mean(x)) / np.sqrt(np.mean((x - np.mean(x)) ** 2)), SAMPLES[:2]),
    Formula("layer norm by moments",
            lambda np, x: (x - np.mean(x, axis=1, keepdims=True)) / np.sqrt(variance(np, x, 1, True) + 1e-5), TABLES),
    Formula("batch norm by moments",
            lambda np, x: (x - np.mean(x, axis=0)) / np.sqrt(variance(np, x, 0) + 1e-5), TABLES),
    Formula("geometric mean", lambda np, x: np.prod(x) ** 0.25,
            over(f(0.3, 1.2, 2.0, 0.7), f(1e-15, 1e-20, 3e-12, 1e-10), f(1e15, 1e20, 3e12, 1e10))),
    Formula("geometric mean by logs", lambda np, x: np.exp(np.mean(np.log(x))),
            over(f(0.3, 1.2, 2.0, 0.7), f(1e-15, 1e-20, 3e-12, 1e-10), f(1e15, 1e20, 3e12, 1e10))),
    Formula("log of a product", lambda np, x: np.log(np.prod(x)),
            over(f(0.3, 1.2, 2.0, 0.7), f(1e-15, 1e-20, 3e-12, 1e-10), f(1e15, 1e20, 3e12, 1e10))),
    Formula("harmonic mean", lambda np, x: 1 / np.mean(1 / x),
            over(f(0.3, 1.2, 2.0), f(1e-25, 3e-20, 1e5), f(1e30, 2e25))),
    Formula("weighted mean", lambda np, x, w: np.sum(w * x) / np.sum(w),
            ((f(0.3, -1.2), f(0.5, 1.4)), (f(1e20, 2e20), f(1e-10, 1e-12)))),
    Formula("coefficient of variation", lambda np, x: np.sqrt(variance(np, x)) / np.mean(x), SAMPLES[:3]),
    Formula("mean of squares of differences", lambda np, a, b: np.mean(a**2 - 2 * a * b + b**2),
            ((f(0.3, -1.2), f(0.5, 1.4)), (f(1000.5, 2000), f(1000.25, 2001)))),
]  # fmt: skip

# --- softmax and its relatives ---------------------------------------------------------------------------------------

SCORES = tuple((z,) for z in LOGITS)
INFINITE = -numpy.inf
KEPT = mask("110", "011")
NONE_KEPT = mask("110", "000")
MASKED: tuple[Point, ...] = (*((z, KEPT) for z in LOGITS[:4]),)
WITH_EMPTY_ROWS: tuple[Point, ...] = (*MASKED, (LOGITS[0], NONE_KEPT))


def softmax(np: Any, z: Any, axis: int = 1) -> Any:
    e = np.exp(z)
    return e / np.sum(e, axis=axis, keepdims=True)


def masked_softmax(np: Any, z: Any, m: Any) -> Any:
    return softmax(np, np.where(m, z, INFINITE))


def attention(np: Any, q: Any, k: Any) -> Any:
    return softmax(np, q @ k.T / 3**0.5) @ k


def causal_attention(np: Any, q: Any, k: Any) -> Any:
    lower = numpy.tri(2, dtype=bool)
    s = np.where(lower, q @ k.T, INFINITE)
    e = np.exp(s - np.max(s, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True) @ k


QUERIES = ((LOGITS[0], LOGITS[0] / 2), (LOGITS[1], LOGITS[0]), (LOGITS[2], LOGITS[1]), (LOGITS[3], LOGITS[2]))
EMPTY_AS_ZERO = {4: 0.0}

SOFTMAXES = [
    Formula("softmax", softmax, SCORES),
    Formula("softmax along the first axis", lambda np, z: softmax(np, z, 0), SCORES),
    Formula("softmax by method", lambda np, z: np.exp(z) / np.exp(z).sum(-1)[:, None], SCORES),
    Formula("softmax by transposes", lambda np, z: (np.exp(z).T / np.exp(z).sum(1)).T, SCORES),
    Formula("softmax, shifted", lambda np, z: softmax(np, z - np.max(z, axis=1, keepdims=True)), SCORES),
    Formula("softmax of a vector", lambda np, z: np.exp(z) / np.sum(np.exp(z)),
            over(f(0.3, -1, 2), f(100, 90, -100), f(-1e4, 1e4, 0))),
    Formula("softmax at a temperature", lambda np, z: softmax(np, z / 0.01), SCORES),
    Formula("softmin", lambda np, z: softmax(np, -z), SCORES),
    Formula("softmax with a bias of one",
            lambda np, z: np.exp(z) / (1 + np.sum(np.exp(z), axis=1, keepdims=True)), SCORES),
    Formula("softmax by exp of log", lambda np, z: np.exp(z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))),
            SCORES),
    Formula("softmax of two axes", lambda np, z: np.exp(z) / np.sum(np.exp(z)), SCORES),
    Formula("softmax with weights", lambda np, z: np.array_([0.2, 0.5, 0.3]) * np.exp(z)
            / np.sum(np.array_([0.2, 0.5, 0.3]) * np.exp(z), axis=1, keepdims=True), SCORES),
    Formula("log softmax", lambda np, z: np.log(softmax(np, z)), SCORES),
    Formula("log softmax by difference", lambda np, z: z - np.log(np.sum(np.exp(z), axis=1, keepdims=True)), SCORES),
    Formula("logsumexp", lambda np, z: np.log(np.sum(np.exp(z), axis=1)), SCORES),
    Formula("logsumexp of all", lambda np, z: np.log(np.sum(np.exp(z))), SCORES),
    Formula("logsumexp, scaled", lambda np, z: np.log(np.sum(np.exp(z / 0.1), axis=1)) * 0.1, SCORES),
    Formula("logsumexp with weights", lambda np, z: np.log(np.sum(np.array_([0.2, 0.5, 0.3]) * np.exp(z), axis=1)),
            SCORES),
    Formula("logsumexp of squares", lambda np, z: np.log(np.sum(np.exp(-(z**2) / 2), axis=1)), SCORES),
    Formula("log of one plus sum of exponentials", lambda np, z: np.log(1 + np.sum(np.exp(z), axis=1)), SCORES),
    Formula("log-mean-exp", lambda np, z: np.log(np.mean(np.exp(z), axis=1)), SCORES),
    Formula("negative log-mean-exp", lambda np, z: -np.log(np.mean(np.exp(-z))), SCORES),
    Formula("expectation", lambda np, z: np.sum(softmax(np, z) * z, axis=1), SCORES),
    Formula("log of expected exponential", lambda np, z: np.log(np.sum(softmax(np, z) * np.exp(z), axis=1)), SCORES),
    Formula("free energy", lambda np, z: np.sum(softmax(np, z) * z) + np.sum(-softmax(np, z) * np.log(softmax(np, z))),
            SCORES),
    Formula("masked softmax", masked_softmax, WITH_EMPTY_ROWS, limits=EMPTY_AS_ZERO),
    Formula("masked softmax with a large number", lambda np, z, m: softmax(np, np.where(m, z, -1e9)), MASKED),
    Formula("masked softmax, added", lambda np, z, m: softmax(np, z + np.where(m, 0.0, -1e9)), MASKED),
    Formula("masked softmax, product", lambda np, z, m: np.where(m, np.exp(z), 0)
            / np.sum(np.where(m, np.exp(z), 0), axis=1, keepdims=True), WITH_EMPTY_ROWS, limits=EMPTY_AS_ZERO),
    Formula("masked softmax, times the mask", lambda np, z, m: np.exp(z) * np.float_(m)
            / np.sum(np.exp(z) * np.float_(m), axis=1, keepdims=True), MASKED),
    Formula("masked log-sum-exp", lambda np, z, m: np.log(np.sum(np.where(m, np.exp(z), 0), axis=1)), MASKED),
    Formula("masked cross entropy", lambda np, z, m: -np.sum(np.where(m, np.log(masked_softmax(np, z, m)), 0)),
            WITH_EMPTY_ROWS),
    Formula("attention", attention, QUERIES),
    Formula("causal attention", causal_attention, QUERIES),
    Formula("gumbel softmax", lambda np, z, m: softmax(np, (z - np.log(-np.log(np.where(m, 0.3, 0.9)))) / 0.1), MASKED),
    Formula("sparse share", lambda np, z: np.maximum(z, 0) / np.sum(np.maximum(z, 0), axis=1, keepdims=True),
            SCORES[:4]),
    Formula("margin of shares", lambda np, z: softmax(np, z)[:, 0] - softmax(np, z)[:, 2], SCORES),
]  # fmt: skip

# --- guards ----------------------------------------------------------------------------------------------------------

SIGNS = over(BENIGN, TINY, WIDE, FAR, ZERO)


def masked_mean(np: Any, x: Any, m: Any) -> Any:
    return np.sum(np.where(m, x, 0)) / np.sum(np.float_(m))


HALVES = ((f(0.3, -1.2, 2.0), mask("101")), (f(1e20, -1e20, 3), mask("001")), (f(0, -1, 0), mask("010")))
QUOTIENTS = (
    (f(0.3, -1.2, 2.0), f(0.5, 0, -0.7)),
    (f(1e20, 0, 3), f(1e30, 0, 1e-30)),
    (f(0, 1e-20, 1), f(0, 0, 1e38)),
)

GUARDS = [
    Formula("log where positive", lambda np, x: np.where(x > 0, np.log(x), 0), SIGNS),
    Formula("root where positive", lambda np, x: np.where(x > 0, np.sqrt(x), 0), SIGNS),
    Formula("root of positive part", lambda np, x: np.where(x > 0, np.sqrt(np.maximum(x, 0)), 0), SIGNS),
    Formula("reciprocal where not zero", lambda np, x: np.where(x != 0, 1 / x, 0), over(BENIGN, f(1e-5, 1e30), ZERO)),
    Formula("sin x over x", lambda np, x: np.where(x == 0, 1, np.sin(x) / x), over(BENIGN, TINY, WIDE, ZERO)),
    Formula("sin x over x, unguarded", lambda np, x: np.sin(x) / x, over(BENIGN, TINY, WIDE, ZERO)),
    Formula("tanh x over x", lambda np, x: np.where(np.abs(x) < 1e-6, 1, np.tanh(x) / x), over(BENIGN, WIDE, ZERO)),
    Formula("exp minus one over x, guarded", lambda np, x: np.where(x == 0, 1, (np.exp(x) - 1) / x),
            over(BENIGN, TINY, WIDE, ZERO)),
    Formula("log of one plus over x, guarded", lambda np, x: np.where(x == 0, 1, np.log(1 + x) / x),
            over(f(-0.7, 0.4, 1.9), TINY, ZERO)),
    Formula("x log x", lambda np, x: x * np.log(x), over(f(0.3, 2.0, 9.0), f(1e-10, 1e-30, 1e30), ZERO)),
    Formula("x log x, guarded", lambda np, x: np.where(x > 0, x * np.log(x), 0), over(f(0.3, 2.0), f(1e-10, 1e30))),
    Formula("x log y", lambda np, x, y: np.where(x == 0, 0, x * np.log(y)),
            ((f(0.3, 2.0), f(0.5, 4.0)), (f(0, 1), f(0, 1e-30)))),
    Formula("entropy of shares", lambda np, p: -np.sum(p * np.log(p)),
            over(f(0.2, 0.5, 0.3), f(1e-30, 0.9, 0.1), f(0, 1))),
    Formula("entropy of shares, guarded", lambda np, p: -np.sum(np.where(p > 0, p * np.log(p), 0)),
            over(f(0.2, 0.5, 0.3), f(1e-30, 0.9, 0.1))),
    Formula("entropy with epsilon", lambda np, p: -np.sum(p * np.log(p + 1e-8)), over(f(0.2, 0.5, 0.3), f(0, 1))),
    Formula("kl of shares", lambda np, p, q: np.sum(np.where(p > 0, p * np.log(p / q), 0)),
            ((f(0.2, 0.5, 0.3), f(0.3, 0.3, 0.4)), (f(1e-30, 0.9, 0.1), f(0.1, 1e-20, 0.9)))),
    Formula("safe quotient", lambda np, a, b: np.where(b != 0, a / b, 0), QUOTIENTS),
    Formula("safe quotient, guarded inside", lambda np, a, b: np.where(b == 0, 0, a / np.where(b == 0, 1, b)),
            QUOTIENTS),
    Formula("softplus guarded", lambda np, x: np.where(x < 20, np.log(1 + np.exp(x)), x), REAL),
    Formula("exp guarded", lambda np, x: np.where(x < 0, np.exp(x), 1 + x), REAL),
    Formula("elu guarded", lambda np, x: np.where(x > 0, x, np.exp(x) - 1), REAL),
    Formula("log of clamped", lambda np, x: np.log(np.maximum(x, 1e-6)), SIGNS),
    Formula("power where positive", lambda np, x: np.where(x > 0, x**1.7, 0), SIGNS),
    Formula("power of positive part", lambda np, x: np.maximum(x, 0) ** 1.7,
            over(BENIGN, f(1e-10, -1e-5), f(1e10, -5))),
    Formula("root of one minus square", lambda np, x: np.where(np.abs(x) < 1, np.sqrt(1 - x**2), 0),
            over(f(-0.3, 0.7, 2, -5), f(1e-10, 0.5), f(1, -1, 0))),
    Formula("masked mean", masked_mean, HALVES),
    Formula("masked root", lambda np, x, m: np.sum(np.where(m, np.sqrt(x), 0)), HALVES),
    Formula("masked log", lambda np, x, m: np.sum(np.float_(m) * np.where(m, np.log(x), 0)), HALVES),
    Formula("masked squared error", lambda np, x, m: np.sum(np.where(m, (x - 1) ** 2, 0)) / np.sum(np.float_(m)),
            HALVES),
    Formula("masked exponentials", lambda np, x, m: np.sum(np.where(m, np.exp(x), 0)),
            ((f(0.3, -1.2, 2.0), mask("101")), (f(1000, -1, 3), mask("011")))),
    Formula("maximum of two branches", lambda np, x: np.maximum(np.exp(x), 1 - x), over(BENIGN, TINY, FAR)),
    Formula("length where not zero", lambda np, x: np.where(np.sum(x**2) > 0, np.sqrt(np.sum(x**2)), 0),
            VECTORS[:1] + VECTORS[5:]),
    Formula("direction where not zero", lambda np, x: np.where(length(np, x) > 0, x / length(np, x), 0), VECTORS),
    Formula("angle, guarded", lambda np, a, b: np.where(a**2 + b**2 > 0, a / np.sqrt(a**2 + b**2), 0),
            ((f(0.3, -1.2, 0), f(0.5, 1.4, 0)), (f(1e20, 1e-20), f(3e20, 2e-20)))),
    Formula("nested guards", lambda np, x: np.where(x > 1, np.log(x), np.where(x > 0, x - 1, -np.exp(x))), SIGNS),
    Formula("log of where", lambda np, x: np.log(np.where(x > 0, x, 1)), SIGNS),
    Formula("log ratio where both positive",
            lambda np, a, b: np.where((a > 0) & (b > 0), np.log(a / b), 0),
            ((f(0.3, -1.2, 2.0), f(0.5, 0.4, -0.7)), (f(1e30, 0, 1e-30), f(1e-30, 0, 1e20)))),
    Formula("power by log", lambda np, x: np.where(x > 0, np.exp(0.3 * np.log(x)), 0), SIGNS),
    Formula("sigmoid guarded", lambda np, x: np.where(x > 50, 1, 1 / (1 + np.exp(-x))), REAL),
    Formula("signed root", lambda np, x: np.sign(x) * np.sqrt(np.abs(x)), (*ALL_REAL[:6],)),
    Formula("signed log", lambda np, x: np.sign(x) * np.log(1 + np.abs(x)), ALL_REAL),
]  # fmt: skip

# --- powers ----------------------------------------------------------------------------------------------------------

AMOUNTS = over(f(0.3, 1.0, 2.7), f(1e-10, 1e-30), f(1e10, 1e30))
POWERS = [
    Formula("square root", lambda np, x: np.sqrt(x), (*AMOUNTS, (ZERO,))),
    Formula("power of a half", lambda np, x: x**0.5, (*AMOUNTS, (ZERO,))),
    Formula("power of three halves", lambda np, x: x**1.5, (*AMOUNTS[:2], (ZERO,))),
    Formula("inverse root", lambda np, x: 1 / np.sqrt(x), AMOUNTS),
    Formula("power of minus a half", lambda np, x: x**-0.5, AMOUNTS),
    Formula("x over its root", lambda np, x: x / np.sqrt(x), AMOUNTS),
    Formula("root of square", lambda np, x: np.sqrt(x**2), over(BENIGN, TINY, f(-1e30, 1e25))),
    Formula("root of fourth power", lambda np, x: np.sqrt(x**4), over(BENIGN, f(1e-15, -1e-18), f(-1e15, 1e18))),
    Formula("cube root", lambda np, x: np.sign(x) * np.abs(x) ** (1 / 3), over(BENIGN, TINY, f(-1e30, 1e25))),
    Formula("cube", lambda np, x: x**3, SMALL),
    Formula("power of a power", lambda np, x: (x**4) ** 0.25, over(BENIGN, f(1e-12, -1e-15), f(1e12, -1e20))),
    Formula("root of a product", lambda np, a, b: np.sqrt(a * b),
            ((f(0.3, 2.0), f(0.5, 4.0)), (f(1e-20, 1e30), f(1e-25, 1e20)))),
    Formula("root of a quotient", lambda np, a, b: np.sqrt(a / b),
            ((f(0.3, 2.0), f(0.5, 4.0)), (f(1e-20, 1e30), f(1e25, 1e-20)))),
    Formula("general power", lambda np, a, b: a**b, ((f(0.3, 2.0), f(0.5, -4.0)), (f(1e-10, 1e10), f(2.5, 3)))),
    Formula("shares of powers", lambda np, x: x**4 / np.sum(x**4),
            over(f(0.3, 1.0, 2.7), f(1e-15, 3e-15), f(1e15, 1e18))),
    Formula("generalized mean", lambda np, x: np.mean(x**4) ** 0.25,
            over(f(0.3, 1.0, 2.7), f(1e-15, 3e-15), f(1e15, 1e18))),
    Formula("quotient of squares", lambda np, a, b: a**2 / b**2,
            ((f(0.3, 2.0), f(0.5, 4.0)), (f(1e25, 1e-25), f(1e30, 1e-30)))),
    Formula("quotient by sum", lambda np, a, b: a / (a + b),
            ((f(0.3, 2.0), f(0.5, 4.0)), (f(1e-30, 1e30), f(1e-32, 1e38)))),
    Formula("sharpened", lambda np, p: p**2 / (p**2 + (1 - p) ** 2),
            over(f(0.2, 0.5, 0.9), f(1e-10, 1e-25), f(0.999999))),
    Formula("product over root", lambda np, a, b: a * b / np.sqrt(b),
            ((f(0.3, 2.0), f(0.5, 4.0)), (f(1e25, 1e-25), f(1e20, 1e-20)))),
    Formula("adam's step", lambda np, m, v: m / (np.sqrt(v) + 1e-8),
            ((f(0.3, -2.0), f(0.5, 4.0)), (f(1e-10, 1e10, 0), f(1e-20, 1e20, 1e-30)))),
]  # fmt: skip

FORMULAS = [
    *(replace(x, family="norms") for x in NORMS),
    *(replace(x, family="statistics") for x in STATISTICS),
    *(replace(x, family="softmax") for x in SOFTMAXES),
    *(replace(x, family="guards") for x in GUARDS),
    *(replace(x, family="powers") for x in POWERS),
]
