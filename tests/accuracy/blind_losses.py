"""Losses, norms and masks in the words of many people, written without a look at the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.accuracy.formula import Formula, Point, classes, f, mask, over, rows

Z1: tuple[Point, ...] = tuple(
    (x, f(1, 0, 1, 0))
    for x in (f(0.6, -1.1, -2.0, 3.0), f(1e-3, 1e-7, -1e-12, 0), f(14, -14, -14, 14), f(100, 100, -100, -100),
              f(1e3, 1e3, -1e3, -1e3), f(0, 0, 0, 0))
)  # fmt: skip
"""Logits of two classes, with targets that agree and disagree."""
P1: tuple[Point, ...] = (
    (f(0.3, 0.8, 0.5), f(1, 0, 1)),
    (f(1e-4, 1e-12, 1e-30), f(1, 0, 1)),
    (f(0.9999, 0.9999999, 0.999), f(1, 0, 0)),
)
"""Probabilities of one class."""
ZN = (
    rows([0.3, -0.2, 1.1], [2.0, 2.0, -1.0]),
    rows([15, 0, -15], [0, 12, 12]),
    rows([100, 0, -100], [-100, -100, 50]),
    rows([1000, 0, -1000], [-1000, -1010, -990]),
    rows([0, 0, 0], [1e-6, 0, -1e-6]),
)
Y1: tuple[Point, ...] = tuple((z, classes(0, 1)) for z in ZN)
YH: tuple[Point, ...] = tuple((z, rows([0, 1, 0], [1, 0, 0])) for z in ZN)
YS: tuple[Point, ...] = tuple((z, rows([0.2, 0.5, 0.3], [0.1, 0.0, 0.9])) for z in ZN)
ZZ: tuple[Point, ...] = tuple((z, rows([0.4, 0.1, -0.9], [30, -20, 10])) for z in ZN)
PQ: tuple[Point, ...] = (
    (rows([0.2, 0.5, 0.3], [0.6, 0.3, 0.1]), rows([0.3, 0.3, 0.4], [0.2, 0.2, 0.6])),
    (rows([1e-6, 0.5, 0.499999], [1e-20, 1e-10, 1]), rows([0.3, 0.3, 0.4], [1e-3, 1e-6, 0.999])),
    (rows([0.25, 0.25, 0.5], [0.1, 0.2, 0.7]), rows([0.250001, 0.249999, 0.5], [0.1, 0.2, 0.7])),
)
DIFFERENCES: tuple[Point, ...] = (
    (f(0.5, -1.5, 2.5, 1.0), f(0.2, 0.1, -0.4, 1.0)),
    (f(1e-6, -1e-9, 1e-20), f(0, 0, 0)),
    (f(1e4, -3e5, 2e6), f(1, 2, -3)),
    (f(100, -100, 1000), f(1, 0, 0)),
)
VECTORS = over(
    rows([1, -2, 2], [0.5, 0.1, -0.7]), rows([1e-4, 2e-4, -1e-4], [1e-8, 0, 1e-8]),
    rows([1e-30, 2e-30, 0], [1, 0, 2e-30]), rows([1e5, -2e6, 3e5], [10, 2, 3]),
    rows([1e25, -2e25, 0], [-1e30, 1e30, 2e30]),
)  # fmt: skip
SOUND = over(rows([1, -2, 2], [0.5, 0.1, -0.7]), rows([1e-3, 2e-3, -1e-3], [100, 101, 99.5]),
             rows([1e4, -2e4, 3e4], [1, 2, 4]), rows([1e15, 2e15, -1e15], [1e-10, 2e-10, 4e-10]))  # fmt: skip
BOTH: tuple[Point, ...] = (
    (rows([1, -2, 2], [0.5, 0.1, -0.7]), rows([0.3, 0.4, 1], [-1, 2, 0.2])),
    (rows([1e-25, 2e-25, 0], [1e20, 2e20, 3e20]), rows([3e-25, -1e-25, 1e-25], [1e22, 0, -1e22])),
    (rows([1, 2, 3], [1, 0, 0]), rows([1, 2.0001, 3], [1, 1e-4, 0])),
    (rows([1e30, -1e30, 0], [1e-30, 1e-30, 1e-30]), rows([1e-30, 1e-30, 0], [1e30, 1e30, 0])),
)
MASKED: tuple[Point, ...] = tuple((z, mask("110", "011")) for z in ZN)
ALL_MASKED: tuple[Point, ...] = tuple((z, mask("101", "000")) for z in ZN)
SIDES = over(f(0.5, 2.0, -1.0, -3.0), f(0, 1, -1, 0.25), f(1e-8, -1e-8, 1e-20, 1e-30), f(100, -100, 1e4, -1e4))


def F(name: str, function: Callable[..., Any], points: tuple[Point, ...], wrt: int | None = None) -> Formula:
    return Formula(name, function, points, wrt=wrt)


def sg(np: Any, x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def sm(np: Any, z: Any) -> Any:
    return np.exp(z) / np.sum(np.exp(z), axis=-1, keepdims=True)


def norm(np: Any, x: Any) -> Any:
    return np.sqrt(np.sum(x * x, axis=-1, keepdims=True))


def at(np: Any, p: Any, y: Any) -> Any:
    return np.take_along_axis(p, y[:, None], axis=1)[:, 0]


def dice(np: Any, x: Any, t: Any) -> Any:
    p = sg(np, x)
    return 1 - 2 * np.sum(p * t) / (np.sum(p) + np.sum(t))


def focal(np: Any, x: Any, t: Any) -> Any:
    p = sg(np, x)
    p_t = np.where(t == 1, p, 1 - p)
    return -0.25 * (1 - p_t) ** 2 * np.log(p_t)


def focal_multi(np: Any, z: Any, y: Any) -> Any:
    p = at(np, sm(np, z), y)
    return -((1 - p) ** 2) * np.log(p)


def js(np: Any, a: Any, b: Any) -> Any:
    p, q = sm(np, a), sm(np, b)
    m = (p + q) / 2
    return np.sum(0.5 * p * np.log(p / m) + 0.5 * q * np.log(q / m), axis=-1)


def smoothed(np: Any, z: Any, t: Any) -> Any:
    return -np.sum((0.9 * t + 0.1 / 3) * np.log(sm(np, z)), axis=-1)


def info_nce(np: Any, a: Any, b: Any) -> Any:
    s = np.matmul(a / norm(np, a), np.transpose(b / norm(np, b))) / 0.1
    positive = np.exp(np.sum(a / norm(np, a) * b / norm(np, b), axis=-1) / 0.1)
    return -np.mean(np.log(positive / np.sum(np.exp(s), axis=-1)))


def ctc_merge(np: Any, a: Any, b: Any) -> Any:
    """Two paths of an alignment, met: the sum of probabilities kept as logarithms."""
    return np.log(np.exp(a) + np.exp(b))


LOSSES = [
    F("bce of logits", lambda np, x, t: -(t * np.log(sg(np, x)) + (1 - t) * np.log(1 - sg(np, x))), Z1, 1),
    F("bce, mean", lambda np, x, t: np.mean(-t * np.log(sg(np, x)) - (1 - t) * np.log(1 - sg(np, x))), Z1, 1),
    F("bce with positive weight", lambda np, x, t: -(3 * t * np.log(sg(np, x)) + (1 - t) * np.log(1 - sg(np, x))), Z1,
        1),
    F("bce of probabilities", lambda np, p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)), P1, 1),
    F("bce by where", lambda np, x, t: np.where(t == 1, -np.log(sg(np, x)), -np.log(1 - sg(np, x))), Z1, 1),
    F("bce by tanh", lambda np, x, t: -np.log((1 + (2 * t - 1) * np.tanh(x / 2)) / 2), Z1, 1),
    F("bce expanded", lambda np, x, t: np.log(1 + np.exp(x)) - t * x, Z1, 1),
    F("focal of logits", focal, Z1, 1),
    F("focal of classes", focal_multi, Y1),
    F("logistic of margins", lambda np, x, t: np.log(1 + np.exp(-(2 * t - 1) * x)), Z1, 1),
    F("exponential of margins", lambda np, x, t: np.exp(-(2 * t - 1) * x), Z1, 1),
    F("savage", lambda np, x, t: 1 / (1 + np.exp((2 * t - 1) * x)) ** 2, Z1, 1),
    F("tangent loss", lambda np, x, t: (2 * np.arctan((2 * t - 1) * x) - 1) ** 2, Z1, 1),
    F("brier of logits", lambda np, x, t: (sg(np, x) - t) ** 2, Z1, 1),
    F("mae of shares", lambda np, x, t: np.abs(t - sg(np, x)), Z1, 1),
    F("soft dice", dice, Z1, 1),
    F("hinge", lambda np, x, t: np.maximum(0, 1 - (2 * t - 1) * x), Z1, 1),
    F("hinge squared", lambda np, x, t: np.maximum(0, 1 - (2 * t - 1) * x) ** 2, Z1, 1),
    F("cross entropy, labels", lambda np, z, y: -np.log(at(np, sm(np, z), y)), Y1),
    F("cross entropy, one-hot", lambda np, z, t: -np.mean(np.sum(t * np.log(sm(np, z)), axis=1)), YH, 1),
    F("cross entropy, product inside", lambda np, z, t: -np.log(np.sum(t * sm(np, z), axis=1)), YH, 1),
    F("cross entropy, difference", lambda np, z, y: np.mean(np.log(np.sum(np.exp(z), axis=1)) - at(np, z, y)), Y1),
    F("cross entropy, soft targets", lambda np, z, t: -np.sum(t * np.log(sm(np, z)), axis=-1), YS, 1),
    F("label smoothing", smoothed, YH, 1),
    F("cross entropy at temperature", lambda np, z, y: -np.log(at(np, sm(np, z / 0.07), y)), Y1),
    F("multiclass brier", lambda np, z, t: np.sum((sm(np, z) - t) ** 2, axis=-1), YH, 1),
    F("entropy of logits", lambda np, z: -np.sum(sm(np, z) * np.log(sm(np, z)), axis=-1), over(*ZN)),
    F("kl of logits", lambda np, a, b: np.sum(sm(np, a) * np.log(sm(np, a) / sm(np, b)), axis=-1), ZZ),
    F("kl of logits, difference", lambda np, a, b: np.sum(sm(np, a) * (np.log(sm(np, a)) - np.log(sm(np, b)))), ZZ),
    F("jensen-shannon of logits", js, ZZ),
    F("kl of shares", lambda np, p, q: np.sum(p * np.log(p / q), axis=-1), PQ),
    F("renyi of order 2", lambda np, p, q: np.log(np.sum(p**2 / q, axis=-1)), PQ),
    F("renyi of order 1/2", lambda np, p, q: -2 * np.log(np.sum(np.sqrt(p * q), axis=-1)), PQ[:2]),
    F("hellinger", lambda np, p, q: np.sqrt(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2, axis=-1)) / np.sqrt(2.0), PQ[:2]),
    F("chi squared", lambda np, p, q: np.sum((p - q) ** 2 / q, axis=-1), PQ),
    F("wasserstein on a line", lambda np, p, q: np.sum(np.abs(np.cumsum(p - q, axis=1)), axis=1), PQ[:2]),
    F("pairwise ranking", lambda np, a, b: np.log(1 + np.exp(-(a - b))), DIFFERENCES),
    F("bayesian ranking", lambda np, a, b: -np.log(sg(np, a - b)), DIFFERENCES),
    F("listnet", lambda np, z, t: -np.sum(sm(np, t) * np.log(sm(np, z)), axis=-1), ZZ),
    F("plackett-luce", lambda np, z: np.log(np.exp(z[:, 0]) + np.exp(z[:, 1]) + np.exp(z[:, 2])) - z[:, 0], over(*ZN)),
    F("triplet", lambda np, a, b: np.maximum(0, norm(np, a - b) - norm(np, a) + 1), BOTH[:1] + BOTH[2:3]),
    F("contrastive", lambda np, a, b: np.maximum(0, 1 - np.sqrt(np.sum((a - b) ** 2, axis=-1))) ** 2, BOTH[:3]),
    F("info nce", info_nce, BOTH[:3]),
    F("huber", lambda np, p, t: np.where(np.abs(p - t) <= 1, 0.5 * (p - t) ** 2, np.abs(p - t) - 0.5), DIFFERENCES),
    F("pseudo-huber", lambda np, p, t: np.sqrt(1 + (p - t) ** 2) - 1, DIFFERENCES),
    F("pseudo-huber with delta", lambda np, p, t: 4.0 * (np.sqrt(1 + ((p - t) / 2) ** 2) - 1), DIFFERENCES),
    F("log-cosh", lambda np, p, t: np.log(np.cosh(p - t)), DIFFERENCES),
    F("log-cosh by exponentials", lambda np, p, t: np.log((np.exp(p - t) + np.exp(t - p)) / 2), DIFFERENCES),
    F("pinball", lambda np, p, t: np.maximum(0.9 * (t - p), -0.1 * (t - p)), DIFFERENCES),
    F("smooth pinball", lambda np, p, t: 0.9 * (t - p) + 0.5 * np.log(1 + np.exp(-(t - p) / 0.5)), DIFFERENCES),
    F("charbonnier", lambda np, p, t: np.sqrt((p - t) ** 2 + 1e-6), DIFFERENCES),
    F("cauchy loss", lambda np, p, t: np.log(1 + (p - t) ** 2), DIFFERENCES),
    F("geman-mcclure", lambda np, p, t: (p - t) ** 2 / ((p - t) ** 2 + 1), DIFFERENCES),
    F("welsch", lambda np, p, t: 1 - np.exp(-((p - t) ** 2) / 2), DIFFERENCES),
    F("tukey-like", lambda np, p, t: 1 - (1 - np.minimum(np.abs(p - t), 1) ** 2) ** 3, DIFFERENCES),
    F("poisson of rates", lambda np, x: np.exp(x) - 2 * x, over(f(0.3, -2, 4), f(-50, -100, 80), f(1e-5, 0, -1e-9))),
    F("two paths met", ctc_merge, DIFFERENCES),
    F("three paths met", lambda np, a, b: np.log(np.exp(a) + np.exp(b) + np.exp(a - b)), DIFFERENCES),
    F("squared log error", lambda np, p: (np.log(1 + p) - np.log(1 + 2.0)) ** 2, over(f(0.5, 3, 2.5), f(1e-8, 0, 2e5))),
    F("noise contrastive", lambda np, a, b: -np.log(np.exp(a) / (np.exp(a) + 5 * np.exp(b))), DIFFERENCES),
]  # fmt: skip

NORMS = [
    F("l2", lambda np, x: np.sqrt(np.sum(x**2, axis=1)), VECTORS),
    F("l2 of all", lambda np, x: np.sqrt(np.sum(x * x)), VECTORS),
    F("l1", lambda np, x: np.sum(np.abs(x), axis=1), VECTORS),
    F("l3", lambda np, x: np.sum(np.abs(x) ** 3, axis=1) ** (1 / 3), VECTORS),
    F("l4", lambda np, x: np.sum(x**4, axis=1) ** 0.25, VECTORS),
    F("l half", lambda np, x: np.sum(np.sqrt(np.abs(x)), axis=1) ** 2, VECTORS[:1] + VECTORS[3:4]),
    F("max norm", lambda np, x: np.max(np.abs(x), axis=1), VECTORS),
    F("unit", lambda np, x: x / np.sqrt(np.sum(x**2, axis=1, keepdims=True)), VECTORS),
    F("unit of l1", lambda np, x: x / np.sum(np.abs(x), axis=1, keepdims=True), VECTORS),
    F("unit with eps", lambda np, x: x / (np.sqrt(np.sum(x**2, axis=1, keepdims=True)) + 1e-8), VECTORS),
    F("unit, at least eps", lambda np, x: x / np.maximum(norm(np, x), 1e-12), VECTORS),
    F("rms norm", lambda np, x: x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-6), VECTORS),
    F("rms", lambda np, x: np.sqrt(np.mean(x**2, axis=-1)), VECTORS),
    F("layer norm", lambda np, x: (x - np.mean(x, axis=-1, keepdims=True)) / np.sqrt(
        np.mean((x - np.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1, keepdims=True) + 1e-5), SOUND),
    F("layer norm by two moments", lambda np, x: (x - np.mean(x, axis=-1, keepdims=True)) / np.sqrt(
        np.mean(x**2, axis=-1, keepdims=True) - np.mean(x, axis=-1, keepdims=True) ** 2 + 1e-5), SOUND),
    F("batch norm", lambda np, x: (x - np.mean(x, axis=0)) / (np.sqrt(np.mean((x - np.mean(x, axis=0)) ** 2, axis=0)
                                                                     + 1e-3)), SOUND),
    F("standardise", lambda np, x: (x - np.mean(x)) / np.sqrt(np.mean((x - np.mean(x)) ** 2)), SOUND),
    F("variance by moments", lambda np, x: np.mean(x**2, axis=1) - np.mean(x, axis=1) ** 2, SOUND),
    F("cosine", lambda np, a, b: np.sum(a * b, axis=-1) / (np.sqrt(np.sum(a * a, axis=-1)) * np.sqrt(np.sum(
        b * b, axis=-1))), BOTH),
    F("cosine distance", lambda np, a, b: 1 - np.sum(a * b, axis=-1) / np.sqrt(np.sum(a * a, axis=-1) * np.sum(
        b * b, axis=-1)), BOTH),
    F("euclidean", lambda np, a, b: np.sqrt(np.sum((a - b) ** 2, axis=-1)), BOTH),
    F("euclidean by products", lambda np, a, b: np.sum(a * a, axis=-1) + np.sum(b * b, axis=-1) - 2 * np.sum(
        a * b, axis=-1), BOTH[:3]),
    F("mahalanobis, diagonal", lambda np, a, b: np.sqrt(np.sum((a - b) ** 2 / f(2.0, 0.5, 1.0), axis=-1)), BOTH),
    F("clip by norm", lambda np, x: x * np.minimum(1, 1.0 / np.sqrt(np.sum(x**2))), VECTORS),
    F("squash", lambda np, x: np.sum(x**2, axis=1, keepdims=True) / (1 + np.sum(x**2, axis=1, keepdims=True)) * x
        / np.sqrt(np.sum(x**2, axis=1, keepdims=True)), VECTORS),
]  # fmt: skip

MASKS = [
    F("masked softmax, -inf", lambda np, z, m: sm(np, np.where(m, z, -float("inf"))), MASKED),
    F("masked softmax, -1e9", lambda np, z, m: sm(np, np.where(m, z, -1e9)), MASKED),
    F("masked softmax, added", lambda np, z, m: sm(np, z + (1 - np.float_(m)) * -1e9), MASKED),
    F("masked softmax, multiplied", lambda np, z, m: np.exp(z) * np.float_(m) / np.sum(
        np.exp(z) * np.float_(m), axis=1, keepdims=True), MASKED),
    F("masked softmax, share by share", lambda np, z, m: np.where(m, sm(np, z), 0) / np.sum(
        np.where(m, sm(np, z), 0), axis=1, keepdims=True), MASKED),
    F("masked softmax with eps", lambda np, z, m: np.where(m, np.exp(z), 0) / (np.sum(
        np.where(m, np.exp(z), 0), axis=1, keepdims=True) + 1e-9), ALL_MASKED[:3] + ALL_MASKED[4:]),
    F("masked logsumexp", lambda np, z, m: np.log(np.sum(np.where(m, np.exp(z), 0), axis=1)), MASKED),
    F("masked cross entropy", lambda np, z, m: -np.sum(np.where(m, np.log(sm(np, z)), 0)) / np.sum(np.float_(m)),
        MASKED),
    F("masked mean", lambda np, z, m: np.sum(z * np.float_(m), axis=1) / np.maximum(np.sum(np.float_(m), axis=1), 1),
      ALL_MASKED),
    F("masked mean of logs", lambda np, z, m: np.sum(np.where(m, np.log(1 + np.exp(z)), 0)) / np.sum(np.float_(m)),
      MASKED),
    F("masked max", lambda np, z, m: np.max(np.where(m, z, -1e30), axis=1), MASKED),
    F("guarded log", lambda np, x: np.where(x > 0, np.log(x), 0), SIDES),
    F("guarded reciprocal", lambda np, x: np.where(x == 0, 0, 1 / x), SIDES),
    F("guarded root", lambda np, x: np.where(x > 0, np.sqrt(x), 0), SIDES),
    F("guarded entropy", lambda np, x: np.where(x > 0, -x * np.log(x), 0), SIDES),
    F("guarded sinc", lambda np, x: np.where(x == 0, 1, np.sin(x) / x), SIDES),
    F("guarded expm1 ratio", lambda np, x: np.where(np.abs(x) < 1e-6, 1 + x / 2, (np.exp(x) - 1) / x), SIDES[:3]),
    F("guarded exponential", lambda np, x: np.where(x < 0, np.exp(x), 1 + x), SIDES),
    F("log of clamp", lambda np, x: np.log(np.clip(x, 1e-7, 1.0)), over(f(0.5, 0.2, 0.9), f(-3, 2, 0), f(1e-30, 5,
        1e9))),
    F("log of at least", lambda np, x: np.log(np.maximum(x, 1e-12)), SIDES),
    F("root of relu", lambda np, x: np.where(x > 0, np.sqrt(np.maximum(x, 0)), -np.sqrt(np.maximum(-x, 0))), SIDES[:1]
      + SIDES[2:]),
    F("guarded power", lambda np, x: np.where(x > 0, x**0.3, 0), SIDES),
    F("stable sigmoid by branches", lambda np, x: np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))),
        SIDES),
    F("guarded norm", lambda np, x: np.where(np.sum(x**2, axis=1) > 0, np.sqrt(np.sum(x**2, axis=1)), 0),
      over(rows([3, 4, 0], [0, 0, 0]), rows([1e-30, 0, 0], [1e25, 1e25, 0]))),
    F("safe cosine", lambda np, a, b: np.sum(a * b, axis=-1) / np.maximum(np.sqrt(np.sum(a * a, axis=-1)) * np.sqrt(
        np.sum(b * b, axis=-1)), 1e-8), BOTH[:1] + BOTH[2:]),
    F("causal attention row", lambda np, z, m: np.sum(sm(np, np.where(m, z / 8.0, -float("inf"))) * z, axis=1), MASKED),
]  # fmt: skip
