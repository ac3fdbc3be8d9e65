"""Random graphs of maps, reductions, contractions, movements and updates: every pass keeps what they compute."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet as sn
from codegen.loops.grammar import Program

DTYPE = "float64"


class RandomGraph:
    """Grows expressions over arrays of two axes (one of them named) from a seed."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.sizes = ("N", 4, 3)
        self.pool = [self.leaf(number) for number in range(4)]
        self.states = [sn.state(f"s{n}", ((3, 4), (4,), (4, 4), (3,))[int(rng.integers(4))], DTYPE) for n in range(2)]
        self.pool += self.states

    def shape(self) -> tuple[int | str, ...]:
        rank = int(self.rng.integers(0, 3))
        return tuple(self.sizes[i] for i in self.rng.permutation(3)[:rank])

    def leaf(self, number: int) -> sn.Expr:
        return sn.input(f"x{number}", self.shape(), DTYPE)

    def pick(self) -> sn.Expr:
        return self.pool[int(self.rng.integers(max(0, len(self.pool) - 8), len(self.pool)))]

    def grow(self, steps: int) -> None:
        makers = [self.map_one, self.map_two, self.reduce, self.contract, self.move, self.gather, self.running]
        while steps:
            node = makers[int(self.rng.choice(len(makers), p=[0.22, 0.3, 0.14, 0.14, 0.12, 0.05, 0.03]))]()
            if node is not None:
                self.pool.append(node)
                steps -= 1

    def map_one(self) -> sn.Expr:
        functions = [sn.tanh, sn.sin, lambda v: v * 0.5 + 1.0, sn.abs, lambda v: sn.exp(-sn.abs(v)), lambda v: v - 2.0]
        return functions[int(self.rng.integers(len(functions)))](self.pick())

    def map_two(self) -> sn.Expr | None:
        a, b = self.pick(), self.pick()
        functions = [lambda p, q: p + q, lambda p, q: p * q, sn.maximum, lambda p, q: sn.where(p > q, p, 0.25 * q)]
        try:
            return functions[int(self.rng.integers(len(functions)))](a, b)
        except ValueError:
            return None

    def reduce(self) -> sn.Expr | None:
        a = self.pick()
        if not a.shape:
            return None
        functions = [sn.sum, sn.max, sn.mean, sn.logsumexp]
        axis = int(self.rng.integers(a.ndim))
        return functions[int(self.rng.integers(len(functions)))](a, axis=axis, keepdims=bool(self.rng.integers(2)))

    def contract(self) -> sn.Expr | None:
        a, b = self.pick(), self.pick()
        if a.ndim != 2 or b.ndim != 2:
            return None
        if a.shape[1] == b.shape[0]:
            return (a @ b) * 0.3
        return (a @ sn.transpose(b)) * 0.3 if a.shape[1] == b.shape[1] else None

    def move(self) -> sn.Expr | None:
        a = self.pick()
        if a.ndim != 2 or 1 in a.shape:
            return None
        kind = int(self.rng.integers(5))
        if kind == 0:
            return sn.transpose(a)
        if kind == 1 and a.shape[1] != "N":
            return a[:, ::-1]
        if kind == 2 and a.shape[1] != "N":
            return sn.pad(a[:, 1:], ((0, 0), (0, 1)))
        if kind == 3 and a.shape[1] != "N":
            return sn.concat([a[:, 2:], a[:, :2]], axis=1)
        flat = sn.reshape(a, (-1,))
        return sn.reshape(sn.tanh(flat), a.shape) if kind == 4 else None

    def gather(self) -> sn.Expr | None:
        a = self.pick()
        if a.ndim != 2 or 1 in a.shape:
            return None
        index = sn.input(f"i{len(self.pool)}", (a.shape[0],), "int64")
        return sn.take_along_axis(a, index[:, None], axis=1)

    def running(self) -> sn.Expr | None:
        a = self.pick()
        return sn.cumsum(a, axis=int(self.rng.integers(a.ndim))) if a.ndim else None


@pytest.mark.parametrize("number", range(40))
def test_random_graph(number: int, seed: int, agrees: Callable[..., Program]) -> None:
    rng = np.random.default_rng([seed, number])
    graph = RandomGraph(rng)
    graph.grow(int(rng.integers(4, 26)))
    chosen = rng.permutation(len(graph.pool))[: int(rng.integers(1, 5))]
    outputs = {f"out{n}": graph.pool[n] for n in {*map(int, chosen), len(graph.pool) - 1}}
    updates = {s: v for s in graph.states for v in reversed(graph.pool) if v.shape == s.shape and v is not s}
    agrees(outputs, updates, every=True)
