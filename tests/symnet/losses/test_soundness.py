"""In float32, at inputs up to ±1e4: values and gradients of every loss beside mpmath, from native code.

Wherever the exact loss and its gradient are finite numbers of float32, ours are right to about 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import symnet as sn

L = sn.losses
Row = Sequence[Any]
SIZES = [0.0, 1e-6, 1e-3, 0.3, 2.0, 9.0, 17.0, 40.0, 88.0, 104.0, 1e3, 1e4]
EXTREME = [sign * size for size in SIZES for sign in (1.0, -1.0)]
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Sound:
    """A loss of one example in mpmath: of the rows of its operands; the gradient is taken in the first."""

    name: str
    ours: Callable[..., sn.Expr]
    exact: Callable[..., Any]
    operands: Callable[[np.random.Generator], tuple[np.ndarray, ...]]
    terms: Callable[..., tuple[Any, Any]] = lambda *rows: (0, 0)
    """The sizes of the terms whose difference the loss is, or its gradient: rounding them costs that much."""

    def __str__(self) -> str:
        return self.name


def _elements(*others: Callable[[np.random.Generator, int], np.ndarray]) -> Callable[..., tuple[np.ndarray, ...]]:
    """Every extreme input with a few draws of the other operands; columns of one element."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        x = np.repeat(np.array(EXTREME), 4)
        return tuple(column.reshape(-1, 1) for column in (x, *(other(rng, x.size) for other in others)))

    return draw


def extremes(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice(np.array(EXTREME), n) + 0.0077


def shares(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([0.0, 1.0, 0.25, 0.9], n)


def signs(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], n)


def counts(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([0.0, 1.0, 5.0, 100.0], n)


def variances(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([1e-5, 0.1, 1.0, 1e4], n)


def _vectors(count: int, labels: bool = False) -> Callable[..., tuple[np.ndarray, ...]]:
    """Rows of three extreme numbers for each operand, equal and zero rows among them; perhaps class indices."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        rows = [rng.choice(np.array(EXTREME), (40, 3)) * rng.uniform(0.5, 1.0, (40, 3)) for _ in range(count)]
        if count > 1:
            rows[0][0] = rows[1][1] = 0.0
            rows[1][2] = rows[0][2]
        return (*rows, rng.integers(0, 3, (40, 1))) if labels else tuple(rows)

    return draw


def pairs(a: Row, b: Row) -> Iterator[tuple[Any, Any]]:
    return zip(a, b, strict=True)


def softplus(x: Any) -> Any:
    return mpmath.log(1 + mpmath.exp(x))


def log_softmax(x: Row) -> list[Any]:
    total = mpmath.log(mpmath.fsum(mpmath.exp(v) for v in x))
    return [v - total for v in x]


def norm(x: Row, p: Any = 2) -> Any:
    return mpmath.fsum(abs(v) ** p for v in x) ** (mpf(1) / p)


def cosine(a: Row, b: Row) -> Any:
    dot = mpmath.fsum(u * v for u, v in pairs(a, b))
    return dot / mpmath.sqrt((norm(a) ** 2 + mpf("1e-12")) * (norm(b) ** 2 + mpf("1e-12")))


def huber(d: Any, delta: Any) -> Any:
    return d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)


def triplet(a: Row, p: Row, n: Row) -> Any:
    near, far = ([u - v + mpf(float(np.float32(1e-6))) for u, v in pairs(a, other)] for other in (p, n))
    return max(mpf(0), 1 + norm(near) - norm(far))


def margin(x: Row, y: int, power: int) -> Any:
    missed = [max(mpf(0), 1 - x[y] + v) ** power for i, v in enumerate(x) if i != y]
    return mpmath.fsum(missed) / len(x)


def _each(function: Callable[..., sn.Expr], **settings: Any) -> Callable[..., sn.Expr]:
    return lambda *operands: function(*operands, reduction="none", **settings)


def _labelled(function: Callable[..., sn.Expr], **settings: Any) -> Callable[..., sn.Expr]:
    return lambda x, y: function(x, sn.squeeze(y, 1), reduction="none", **settings)


def _sigmoid_first(x: sn.Expr, t: sn.Expr) -> sn.Expr:
    return L.binary_cross_entropy(sn.sigmoid(x), t, reduction="none")


def _bce(x: Row, t: Row) -> Any:
    return t[0] * softplus(-x[0]) + (1 - t[0]) * softplus(x[0])


LOSSES = [
    Sound("l1", _each(L.l1_loss), lambda x, y: abs(x[0] - y[0]), _elements(extremes)),
    Sound("mse", _each(L.mse_loss), lambda x, y: (x[0] - y[0]) ** 2, _elements(extremes)),
    Sound("huber", _each(L.huber_loss), lambda x, y: huber(x[0] - y[0], 1), _elements(extremes)),
    Sound("smooth_l1", _each(L.smooth_l1_loss, beta=0.5), lambda x, y: 2 * huber(x[0] - y[0], mpf("0.5")),
          _elements(extremes)),
    Sound("poisson_nll", _each(L.poisson_nll_loss), lambda x, k: mpmath.exp(x[0]) - k[0] * x[0], _elements(counts),
          lambda x, k: (k[0] * x[0], k[0])),
    Sound("poisson_nll of rates", lambda x, k: L.poisson_nll_loss(sn.absolute(x), k, log_input=False, reduction="none"),
          lambda x, k: abs(x[0]) - k[0] * mpmath.log(abs(x[0]) + mpf(float(np.float32(1e-8)))), _elements(counts),
          lambda x, k: (abs(x[0]), 1)),
    Sound("gaussian_nll", _each(L.gaussian_nll_loss),
          lambda x, y, v: (mpmath.log(v[0]) + (x[0] - y[0]) ** 2 / v[0]) / 2, _elements(extremes, variances),
          lambda x, y, v: (mpmath.log(v[0]), 0)),
    Sound("kl_div", _each(L.kl_div), lambda x, t: (t[0] * mpmath.log(t[0]) if t[0] else 0) - t[0] * x[0],
          _elements(shares)),
    Sound("kl_div of a log_softmax", lambda x, t: L.kl_div(sn.log_softmax(x, axis=-1), sn.softmax(t, axis=-1),
                                                          reduction="none"),
          lambda x, t: mpmath.fsum(mpmath.exp(b) * (b - a) for a, b in pairs(log_softmax(x), log_softmax(t))),
          _vectors(2), lambda x, t: (max(map(abs, [*x, *t])), 1)),
    Sound("bce of a sigmoid", _sigmoid_first, _bce, _elements(shares)),
    Sound("bce_with_logits", _each(L.binary_cross_entropy_with_logits), _bce, _elements(shares)),
    Sound("bce_with_logits, pos_weight", _each(L.binary_cross_entropy_with_logits, pos_weight=3.0),
          lambda x, t: 3 * t[0] * softplus(-x[0]) + (1 - t[0]) * softplus(x[0]), _elements(shares),
          lambda x, t: (0, t[0] * (1 - t[0]))),
    Sound("multilabel_soft_margin", _each(L.multilabel_soft_margin_loss), _bce, _elements(shares)),
    Sound("soft_margin", _each(L.soft_margin_loss), lambda x, t: softplus(-t[0] * x[0]), _elements(signs)),
    Sound("hinge_embedding", _each(L.hinge_embedding_loss),
          lambda x, t: x[0] if t[0] == 1 else max(mpf(0), 1 - x[0]), _elements(signs)),
    Sound("margin_ranking", _each(L.margin_ranking_loss, margin=0.5),
          lambda a, b, t: max(mpf(0), mpf("0.5") - t[0] * (a[0] - b[0])), _elements(extremes, signs)),
    Sound("cross_entropy", _labelled(L.cross_entropy), lambda x, y: -log_softmax(x)[int(y[0])],
          _vectors(1, labels=True), lambda x, y: (1, 1)),
    Sound("cross_entropy, label_smoothing", _labelled(L.cross_entropy, label_smoothing=0.25),
          lambda x, y: -mpf("0.75") * log_softmax(x)[int(y[0])] - mpmath.fsum(log_softmax(x)) / 12,
          _vectors(1, labels=True), lambda x, y: (1, 1)),
    Sound("multi_margin", _labelled(L.multi_margin_loss), lambda x, y: margin(x, int(y[0]), 1),
          _vectors(1, labels=True)),
    Sound("multi_margin, squared", _labelled(L.multi_margin_loss, p=2), lambda x, y: margin(x, int(y[0]), 2),
          _vectors(1, labels=True)),
    Sound("cosine_embedding", lambda a, b: L.cosine_embedding_loss(a, b, sn.ones((40,)), reduction="none"),
          lambda a, b: 1 - cosine(a, b), _vectors(2), lambda a, b: (1, 1 / (norm(a) + mpf("1e-6")))),
    Sound("triplet_margin", _each(L.triplet_margin_loss), triplet, _vectors(3),
          lambda a, p, n: (max(map(abs, [*a, *p, *n])), 1)),
    Sound("keras log_cosh", lambda x, y: sn.keras.losses.log_cosh(y, x),
          lambda x, y: mpmath.log(mpmath.cosh(x[0] - y[0])), _elements(extremes)),
    Sound("keras cosine_similarity", lambda a, b: sn.keras.losses.cosine_similarity(b, a),
          lambda a, b: -mpmath.fsum(u * v for u, v in pairs(a, b))
          / (max(norm(a), mpf("1e-7")) * max(norm(b), mpf("1e-7"))), _vectors(2),
          lambda a, b: (1, 1 / (norm(a) + mpf("1e-6")))),
]  # fmt: skip


def exact(case: Sound, rows: Sequence[Row]) -> tuple[Any, list[Any]]:
    """The loss of one example and its gradient in the first operand."""
    first, *others = [[mpf(float(v)) for v in row] for row in rows]

    def along(i: int) -> Callable[[Any], Any]:
        return lambda v: case.exact([*first[:i], v, *first[i + 1 :]], *others)

    return case.exact(first, *others), [mpmath.diff(along(i), first[i], h=mpf(10) ** -30) for i in range(len(first))]


def agree(mine: float, true: Any, terms: Any, what: object) -> None:
    """To 2e-6 of the true value or the terms that it is the difference of, where they are numbers of float32."""
    size = max(abs(true), abs(terms), mpf("1e-30"))
    if size < LARGEST:
        assert abs(mpf(float(mine)) - true) <= mpf(2e-6) * size, (what, mine, mpmath.nstr(true, 9))


@pytest.mark.parametrize("case", LOSSES, ids=str)
def test_value_and_gradient_in_float32(case: Sound, rng: np.random.Generator) -> None:
    operands = [array if array.dtype == np.int64 else array.astype(np.float32) for array in case.operands(rng)]
    inputs = [sn.input(f"x{i}", array.shape, array.dtype) for i, array in enumerate(operands)]
    values = case.ours(*inputs)
    first = sn.grad(sn.sum(values), inputs[0])
    computed, gradient = sn.function(inputs, [values, first])(*operands)
    with mpmath.workdps(60):
        for row, value, slopes in zip(zip(*operands, strict=True), computed, gradient, strict=True):
            true, true_slopes = exact(case, row)
            of_value, of_slopes = case.terms(*([mpf(float(v)) for v in part] for part in row))
            agree(np.sum(value), true, of_value, (case.name, "value", row))
            for slope, true_slope in zip(slopes, true_slopes, strict=True):
                agree(slope, true_slope, max(of_slopes, *map(abs, true_slopes), 0), (case.name, "gradient", row))
