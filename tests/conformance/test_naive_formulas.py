"""Formulas as one writes them by hand are as good as library functions: float32 programs beside mpmath.

Values and gradients are finite, and right to 1e-6 of the mathematical result, for inputs up to ±1e4. What the result
is where the formula itself has none is said beside the case: a norm at 0, a row that is masked throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import symnet as sn

POINTS = np.array(
    [-1e4, -2900, -200, -100, -89, -30, -5, -1, -1e-3, -1e-7, 0,
     1e-7, 1e-3, 0.5, 1, 5, 17, 50, 88, 89, 100, 200, 2900, 1e4],
    "float32",
)  # fmt: skip
ROWS = np.array(
    [[0, 0, 0], [1, 2, 3], [-200, 0, 50], [1e4, -1e4, 0],
     [9e3, 1e4, 1e4], [88, 89, 90], [-1e4, -1e4, -9999], [2900, 0, 1]],
    "float32",
)  # fmt: skip
TINY = 1e-37
"""Results below the smallest normal float32 number may be 0."""


def close(got: np.ndarray, wanted: Sequence[Any], what: str, scale: float = 0.0) -> None:
    """`got` is finite and within 1e-6 of `wanted`, relative to it or to `scale`."""
    for index, (a, b) in enumerate(zip(got.ravel().tolist(), wanted, strict=True)):
        allowed = 1e-6 * max(abs(float(b)), scale) + TINY
        assert abs(mp.mpf(a) - b) <= allowed, f"{what}, element {index}: {a}, expected {mp.nstr(b, 9)}"


def sigmoid(t: Any) -> Any:
    return 1 / (1 + mp.exp(-t))


def softplus(t: Any) -> Any:
    return mp.log1p(mp.exp(t))


SCALAR: dict[str, tuple[Callable[[sn.Expr], sn.Expr], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "log(1 + exp(x))": (lambda x: sn.log(1 + sn.exp(x)), softplus, sigmoid),
    "log(1 + exp(-x))": (lambda x: sn.log(1 + sn.exp(-x)), lambda t: softplus(-t), lambda t: -sigmoid(-t)),
    "log1p(exp(x))": (lambda x: sn.log1p(sn.exp(x)), softplus, sigmoid),
    "-log(sigmoid(x))": (lambda x: -sn.log(sn.sigmoid(x)), lambda t: softplus(-t), lambda t: -sigmoid(-t)),
    "-log(1 - sigmoid(x))": (lambda x: -sn.log(1 - sn.sigmoid(x)), softplus, sigmoid),
    "-log(1/(1 + exp(-x)))": (lambda x: -sn.log(1 / (1 + sn.exp(-x))), lambda t: softplus(-t), lambda t: -sigmoid(-t)),
    "log(exp(x)/(1 + exp(x)))": (
        lambda x: sn.log(sn.exp(x) / (1 + sn.exp(x))), lambda t: -softplus(-t), lambda t: sigmoid(-t),
    ),
    "exp(x)/(1 + exp(x))": (
        lambda x: sn.exp(x) / (1 + sn.exp(x)), sigmoid, lambda t: sigmoid(t) * sigmoid(-t),
    ),
    "log(exp(x))": (lambda x: sn.log(sn.exp(x)), lambda t: t, lambda t: mp.mpf(1)),
    "sqrt(x*x)": (lambda x: sn.sqrt(x * x), abs, mp.sign),
}  # fmt: skip


@pytest.mark.parametrize("name", SCALAR)
def test_of_one_number(name: str) -> None:
    build, value, slope = SCALAR[name]
    x = sn.input("x", POINTS.shape)
    y = build(x)
    with mp.workdps(60):
        got = sn.function([x], [y, sn.grad(sn.sum(y), x)])(POINTS)
        for array, reference, what in zip(got, (value, slope), ("value", "slope"), strict=True):
            close(array, [reference(mp.mpf(t)) for t in POINTS.tolist()], f"{what} of {name}")


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_binary_cross_entropy_of_a_sigmoid(target: float) -> None:
    x = sn.input("x", POINTS.shape)
    t = sn.input("t", POINTS.shape)
    p = sn.sigmoid(x)
    y = -(t * sn.log(p) + (1 - t) * sn.log(1 - p))
    targets = np.full(POINTS.shape, target, "float32")
    value, slope = sn.function([x, t], [y, sn.grad(sn.sum(y), x)])(POINTS, targets)
    with mp.workdps(60):
        k = mp.mpf(float(targets[0]))
        points = [mp.mpf(v) for v in POINTS.tolist()]
        close(value, [k * softplus(-v) + (1 - k) * softplus(v) for v in points], "value")
        close(slope, [sigmoid(v) - k for v in points], "slope", scale=float(min(k, 1 - k)))


def softmax(row: Sequence[Any]) -> list[Any]:
    powers = [mp.exp(v - max(row)) for v in row]
    return [power / sum(powers) for power in powers]


LOG_SOFTMAX: dict[str, Callable[[sn.Expr], sn.Expr]] = {
    "log(softmax(z))": lambda z: sn.log(sn.softmax(z, axis=-1)),
    "log(exp(z)/sum(exp(z)))": lambda z: sn.log(sn.exp(z) / sn.sum(sn.exp(z), axis=-1, keepdims=True)),
    "z - log(sum(exp(z)))": lambda z: z - sn.log(sn.sum(sn.exp(z), axis=-1, keepdims=True)),
    "log(p + 0) of a shifted softmax": lambda z: sn.log(shifted_softmax(z) + 0.0),
}


def shifted_softmax(z: sn.Expr) -> sn.Expr:
    e = sn.exp(z - sn.max(z, axis=-1, keepdims=True))
    return e / sn.sum(e, axis=-1, keepdims=True)


@pytest.mark.parametrize("name", LOG_SOFTMAX)
@pytest.mark.parametrize("target", range(3))
def test_log_of_a_softmax(name: str, target: int) -> None:
    z = sn.input("z", ROWS.shape)
    y = -LOG_SOFTMAX[name](z)[:, target]
    value, slope = sn.function([z], [y, sn.grad(sn.sum(y), z)])(ROWS)
    with mp.workdps(60):
        for row, loss, gradient in zip(ROWS.tolist(), value, slope, strict=True):
            p = softmax([mp.mpf(v) for v in row])
            close(loss, [-mp.log(p[target])], f"{name} of {row}", scale=1e-6)
            close(gradient, [v - (k == target) for k, v in enumerate(p)], f"gradient at {row}", scale=1e-1)


def test_logsumexp_by_hand() -> None:
    z = sn.input("z", ROWS.shape)
    plain, mean = sn.log(sn.sum(sn.exp(z), axis=-1)), sn.log(sn.mean(sn.exp(z), axis=-1))
    got = sn.function([z], [plain, sn.grad(sn.sum(plain), z), mean, sn.grad(sn.sum(mean), z)])(ROWS)
    with mp.workdps(60):
        for i, row in enumerate(ROWS.tolist()):
            powers = mp.fsum(mp.exp(mp.mpf(v)) for v in row)
            p = softmax([mp.mpf(v) for v in row])
            close(got[0][i], [mp.log(powers)], f"logsumexp of {row}")
            close(got[2][i], [mp.log(powers / 3)], f"log of the mean of exp of {row}", scale=1.0)
            close(got[1][i], p, f"gradient at {row}")
            close(got[3][i], p, f"gradient of the mean's at {row}")


NORMS: dict[str, Callable[[sn.Expr], sn.Expr]] = {
    "sqrt(sum(z*z))": lambda z: sn.sqrt(sn.sum(z * z, axis=-1)),
    "sum(z**2)**0.5": lambda z: sn.sum(z**2, axis=-1) ** 0.5,
    "sqrt(mean(z**2)) * sqrt(3)": lambda z: sn.sqrt(sn.mean(sn.square(z), axis=-1)) * 3.0**0.5,
    "linalg.norm": lambda z: sn.linalg.norm(z, axis=-1),
}


@pytest.mark.parametrize("name", NORMS)
def test_norm(name: str) -> None:
    """The gradient is z/‖z‖, and 0 at 0: a subgradient, and PyTorch's choice for its norm."""
    rows = np.array([[0, 0, 0], [3, 4, 0], [1e4, -1e4, 1], [1e-3, 0, 1e-3], [0, 0, -1e4], [1e-7, 0, 0]], "float32")
    z = sn.input("z", rows.shape)
    y = NORMS[name](z)
    value, slope = sn.function([z], [y, sn.grad(sn.sum(y), z)])(rows)
    with mp.workdps(60):
        for row, length, direction in zip(rows.tolist(), value, slope, strict=True):
            exact = mp.norm([mp.mpf(v) for v in row])
            close(length, [exact], f"{name} of {row}")
            close(direction, [mp.mpf(v) / exact if exact else exact for v in row], f"gradient at {row}")


MASKED: dict[str, Callable[[sn.Expr, sn.Expr], sn.Expr]] = {
    "softmax of -inf": lambda s, m: sn.softmax(sn.where(m, s, float("-inf")), axis=-1),
    "exponentials set to 0": lambda s, m: share(sn.where(m, sn.exp(s), 0.0)),
    "exponentials times the mask": lambda s, m: share(sn.exp(s) * sn.cast(m, "float32")),
    "added -inf": lambda s, m: sn.softmax(s + sn.where(m, 0.0, float("-inf")), axis=-1),
}


def share(e: sn.Expr) -> sn.Expr:
    return e / sn.sum(e, axis=-1, keepdims=True)


@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("name", MASKED)
def test_masked_attention(name: str, scale: float, rng: np.random.Generator) -> None:
    """A row that is masked throughout attends to nothing: its result is 0, and so is its gradient."""
    scores = (rng.uniform(-1, 1, (5, 7)) * scale).astype("float32")
    mask = rng.random((5, 7)) > 0.4
    mask[:, 2] |= True
    mask[3] = False
    values = rng.normal(size=(7, 3)).astype("float32")
    s, m, v = sn.input("s", (5, 7)), sn.input("m", (5, 7), "bool"), sn.input("v", (7, 3))
    y = MASKED[name](s, m) @ v
    got = sn.function([s, m, v], [y, *sn.grad(sn.sum(sn.sin(y)), [s, v])])(scores, mask, values)
    exact_v = np.vectorize(mp.mpf, otypes=[object])(values.astype(float))
    with mp.workdps(60):
        dv = [[mp.mpf(0)] * 3 for _ in range(7)]
        for i in range(5):
            kept = [j for j in range(7) if mask[i, j]]
            p = [mp.mpf(0)] * 7
            for j, share_of_j in zip(kept, softmax([mp.mpf(float(scores[i, j])) for j in kept]), strict=True):
                p[j] = share_of_j
            row = [mp.fsum(p[j] * exact_v[j, c] for j in range(7)) for c in range(3)]
            g = [mp.cos(value) for value in row]
            dp = [mp.fsum(g[c] * exact_v[j, c] for c in range(3)) for j in range(7)]
            inner = mp.fsum(a * b for a, b in zip(p, dp, strict=True))
            close(got[0][i], row, f"{name}: row {i}", scale=1.0)
            close(got[1][i], [p[j] * (dp[j] - inner) for j in range(7)], f"{name}: gradient of row {i}", scale=1.0)
            for j in range(7):
                for c in range(3):
                    dv[j][c] += p[j] * g[c]
        close(got[2], [value for line in dv for value in line], f"{name}: gradient of the values", scale=1.0)
