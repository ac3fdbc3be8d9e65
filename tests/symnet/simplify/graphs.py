"""Random expressions on which rules meet each other, and a corpus of formulas that people write."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import symnet as sn
from symnet.expr.node import Expr
from symnet.ops.leaves import input

ROWS, COLUMNS = 3, 4


def random_graph(rng: np.random.Generator, size: int) -> Expr:
    """An expression of about `size` operations on small arrays; operands are shared often."""
    numbers = [sn.constant(value, "float64") for value in (2.0, 1.0, -0.5, 0.0)]
    pool = [*numbers, input("s", (), "float64"), input("c", (ROWS, 1), "float64"), input("b", (COLUMNS,), "float64"),
            input("a", (ROWS, COLUMNS), "float64")]  # fmt: skip
    while len(pool) < 8 + size:
        # Recent nodes are likelier operands, so that graphs grow deep.
        pick = lambda: pool[min(len(pool) - 1, int(len(pool) * rng.power(2.5)))]  # noqa: E731
        pool.append(STEPS[rng.integers(len(STEPS))](pick, rng))
    return sn.sum(pool[-1]) * pool[-2] if rng.random() < 0.5 else pool[-1]


Pick = Callable[[], Expr]
Step = Callable[[Pick, np.random.Generator], Expr]


def _unary(name: str) -> Step:
    return lambda pick, rng: getattr(sn, name)(pick())


def _binary(name: str) -> Step:
    def step(pick: Pick, rng: np.random.Generator) -> Expr:
        x, y = pick(), pick()
        try:
            return getattr(sn, name)(x, y)
        except sn.ShapeError:
            return getattr(sn, name)(x, x)

    return step


def _reduction(name: str) -> Step:
    def step(pick: Pick, rng: np.random.Generator) -> Expr:
        x = pick()
        axis = int(rng.integers(x.ndim)) if x.ndim and rng.random() < 0.7 else None
        return getattr(sn, name)(x, axis=axis, keepdims=bool(rng.random() < 0.6))

    return step


def _along(name: str) -> Step:
    def step(pick: Pick, rng: np.random.Generator) -> Expr:
        x = pick()
        return getattr(sn, name)(x, axis=int(rng.integers(x.ndim))) if x.ndim else sn.exp(x)

    return step


def _choice(pick: Pick, rng: np.random.Generator) -> Expr:
    x = pick()
    compare = [sn.greater, sn.less, sn.greater_equal, sn.less_equal][rng.integers(4)]
    condition = compare(x, 0.0)
    other = [0.0, x, -x, sn.exp(x)][rng.integers(4)]
    first = x if rng.random() < 0.5 else sn.square(x)
    return sn.where(condition, first, other) if rng.random() < 0.7 else sn.where(condition, other, first)


def _written_out(pick: Pick, rng: np.random.Generator) -> Expr:
    """What people write by hand."""
    x = pick()
    return [
        lambda: sn.exp(x) / sn.sum(sn.exp(x), axis=-1 if x.ndim else None, keepdims=True),
        lambda: sn.log(1 + sn.exp(x)),
        lambda: 1 / (1 + sn.exp(-x)),
        lambda: sn.sum(x) / 7.0,
        lambda: sn.sqrt(sn.square(x)),
        lambda: sn.maximum(x, 0.0),
        lambda: (
            x
            * (sn.greater(x, 0.0).astype("float64") if hasattr(x, "astype") else sn.cast(sn.greater(x, 0.0), "float64"))
        ),
        lambda: sn.log(sn.sum(sn.exp(x), axis=-1 if x.ndim else None, keepdims=True)),
        lambda: x - sn.max(x, axis=-1 if x.ndim else None, keepdims=True),
    ][rng.integers(9)]()


def _moved(pick: Pick, rng: np.random.Generator) -> Expr:
    x = pick()
    kind = rng.integers(5)
    if kind == 0 or not x.ndim:
        return sn.reshape(x, (1, *x.shape))
    if kind == 1:
        return sn.transpose(x)
    if kind == 2:
        return sn.squeeze(x)
    if kind == 3:
        return x[..., ::-1]
    return sn.concat([x, x], axis=0)[: x.shape[0]]


STEPS: list[Step] = [
    *map(_unary, "negative exp tanh sigmoid softplus square absolute relu log_sigmoid expm1 sin".split()),
    *map(_binary, "add subtract multiply divide add subtract multiply divide maximum minimum".split()),
    *map(_reduction, "sum mean max logsumexp sum mean".split()),
    *map(_along, "softmax log_softmax softmax".split()),
    _choice,
    _choice,
    _written_out,
    _written_out,
    _written_out,
    _moved,
    _moved,
]


def corpus() -> dict[str, list[Expr]]:
    """Losses with their gradients, as people write them."""
    x, y, t = input("x", ("N", 6)), input("y", ("N",), "int64"), input("t", ("N", 3))
    w, b = sn.parameter("w", (6, 3)), sn.parameter("b", (3,))
    v, c = sn.parameter("v", (5, 6)), sn.parameter("c", (5,))
    u = sn.parameter("u", (3, 5))
    z = x @ w + b
    h = sn.relu(x @ v.T + c)
    p = 1 / (1 + sn.exp(-z))
    shares = sn.exp(z) / sn.sum(sn.exp(z), axis=1, keepdims=True)
    mlp = h @ u.T
    normal = (h - sn.mean(h, axis=1, keepdims=True)) / sn.sqrt(sn.var(h, axis=1, keepdims=True) + 1e-5)
    losses = {
        "softmax": (-sn.mean(sn.log(sn.take_along_axis(shares, y[:, None], axis=1))), [w, b]),
        "one-hot": (-sn.sum(sn.one_hot(y, 3) * sn.log(shares)) / sn.dim("N", "float32"), [w, b]),
        "binary": (-sn.mean(t * sn.log(p) + (1 - t) * sn.log(1 - p)), [w, b]),
        "squares": (sn.mean((z - t) ** 2) + 0.01 * sn.sum(w**2), [w, b]),
        "mlp": (sn.mean(sn.logsumexp(mlp, axis=1) - mlp[sn.arange("N"), y]), [u, v, c]),
        "huber": (sn.mean(sn.where(sn.absolute(z - t) < 1, 0.5 * (z - t) ** 2, sn.absolute(z - t) - 0.5)), [w]),
        "normalised": (sn.mean(sn.square(normal @ u.T - t)), [u, v]),
        "tanh": (sn.mean(sn.square(sn.tanh(z) - t) / 2), [w, b]),
    }
    return {name: [loss, *sn.grad(loss, wrt, simplify=False)] for name, (loss, wrt) in losses.items()}
