"""Small functions over many operations, and their derivatives by finite differences, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

import symnet as sn
from symnet.expr.traverse import leaves

Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A scalar function of float64 leaves; `build` makes the loss and the leaves to differentiate by."""

    name: str
    build: Callable[[], tuple[sn.Expr, list[sn.Expr]]]
    shapes: Mapping[str, tuple[int, ...]]
    extra: Mapping[str, np.ndarray]

    def values(self, rng: np.random.Generator) -> Values:
        return {**{name: rng.normal(size=shape) for name, shape in self.shapes.items()}, **self.extra}


CASES: dict[str, Case] = {}


def case(
    shapes: Mapping[str, tuple[int, ...]], **extra: np.ndarray
) -> Callable[[Callable[..., sn.Expr]], Callable[..., sn.Expr]]:
    """Register a function of leaves (by name); arrays in `extra` are inputs that are not differentiated."""

    def register(function: Callable[..., sn.Expr]) -> Callable[..., sn.Expr]:
        def build() -> tuple[sn.Expr, list[sn.Expr]]:
            variables = {name: sn.input(name, shape, "float64") for name, shape in shapes.items()}
            others = {name: sn.input(name, array.shape, array.dtype) for name, array in extra.items()}
            return function(**variables, **others), list(variables.values())

        CASES[function.__name__] = Case(function.__name__, build, shapes, extra)
        return function

    return register


@case({"x": (5, 3), "W": (3, 4), "b": (4,)})
def dense(x, W, b):
    return sn.mean(sn.tanh(x @ W + b) ** 2)


@case({"x": (5, 3), "W1": (7, 3), "b1": (7,), "W2": (4, 7)}, y=np.array([0, 3, 1, 1, 2]))
def network(x, W1, b1, W2, y):
    z = sn.softplus(x @ W1.T + b1) @ W2.T
    return -sn.mean(sn.log(sn.take_along_axis(sn.softmax(z, axis=-1), y[:, None], axis=-1)))


@case({"z": (5, 4)}, y=np.array([0, 3, 1, 1, 2]))
def cross_entropy_by_hand(z, y):
    p = sn.exp(z) / sn.sum(sn.exp(z), axis=1, keepdims=True)
    return -sn.mean(sn.log(p)[sn.arange(5), y])


@case({"x": (3, 4), "s": (4,)})
def elementwise(x, s):
    a = sn.exp(sn.sin(x)) * sn.sigmoid(s) - sn.cos(x * s) / (1.5 + sn.tanh(s))
    b = sn.log1p(x**2) + sn.sqrt(1 + sn.square(s)) + sn.gelu(x) + sn.silu(s) + sn.erf(x) + sn.expm1(0.1 * x)
    return sn.sum(a * b)


@case({"x": (3, 4), "y": (3, 4)})
def kinked(x, y):
    return sn.sum(sn.maximum(x, y) * sn.relu(x) + sn.abs(y) * sn.minimum(x, 0.3) + sn.where(x > y, x * y, y * y))


@case({"x": (2, 3, 4)})
def reductions(x):
    spread = sn.var(x, axis=(0, 2)) + sn.max(x, axis=(0, 2)) * sn.prod(sn.mean(x, axis=2), axis=0)
    return sn.sum(spread * sn.logsumexp(x, axis=(0, 2))) + sn.min(x)


@case({"x": (3, 4), "v": (6,)})
def moves(x, v):
    a = sn.concat([x[::2, 1:], sn.reshape(v, (2, 3))], axis=0)
    b = sn.pad(sn.transpose(x), ((1, 0), (0, 2))) * 2.0
    c = sn.cumsum(sn.stack([v, v**2], axis=1), axis=0)
    return sn.sum(a**3) + sn.sum(sn.tanh(b)) + sn.sum(c * c) + sn.sum(sn.broadcast_to(v[::-1], (2, 6)) * v)


@case({"table": (6, 3), "u": (4, 3)}, ids=np.array([1, 5, 1, 0]))
def gathered(table, u, ids):
    return sn.sum(sn.sin(table[ids] * u)) + sn.sum(table[ids, sn.arange(4) % 3] ** 2)


@case({"A": (3, 4), "B": (2, 4, 5), "v": (5,)})
def contractions(A, B, v):
    products = sn.einsum("ij,bjk,k->bi", A, B, v)
    outer = sn.einsum("bi,k->ikb", products, v)
    return sn.sum(sn.tanh(products)) + sn.sum(outer**2) * 0.1 + sn.sum(A @ B)


@case({"x": (2, 3, 6, 5), "w": (4, 3, 3, 2)})
def convolution(x, w):
    return sn.sum(sn.tanh(sn.conv2d(x, w, stride=(2, 1), padding=(1, 0))) ** 2)


@case({"xs": (4, 2, 3), "h": (2, 5), "U": (5, 5), "W": (3, 5)})
def recurrent(xs, h, U, W):
    def cell(state, x):
        new = sn.tanh(state @ U + x @ W)
        return new, sn.sum(new**2)

    outputs, last = sn.scan(cell, init=h, xs=xs)
    return sn.sum(outputs * outputs) + sn.sum(sn.sin(last))


@case({"x": (4,), "y": (4,)})
def stopped(x, y):
    return sn.sum(x * y) + 0.0 * sn.sum(sn.stop_gradient(x) * y)


def evaluate(expressions: list[sn.Expr], values: Values) -> list[np.ndarray]:
    """The expressions at these values, of which they may use only some."""
    used = {leaf.name for leaf in leaves(expressions, "input")}
    found = sn.evaluate(expressions, {name: value for name, value in values.items() if name in used})
    return [np.asarray(array) for array in found]


def finite_difference(function: Callable[[Values], np.ndarray], values: Values, name: str) -> np.ndarray:
    """d function / d values[name], of shape `function.shape + values[name].shape`, by central differences."""
    x, step = values[name], 1e-5
    columns = []
    for position in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[position] += sign * step
            ends.append(np.asarray(function({**values, name: moved})))
        columns.append((ends[0] - ends[1]) / (2 * step))
    result = np.stack(columns, axis=-1) if columns else np.zeros((*np.shape(function(values)), 0))
    return result.reshape(*result.shape[:-1], *x.shape)
