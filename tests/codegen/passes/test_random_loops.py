"""Random recurrent cells with their gradients: every pass keeps what loops over kernels compute."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet as sn
from codegen.loops.grammar import Program
from symnet.derive import grad

DTYPE = "float64"


class RandomCell:
    """A step over two carries of two axes, from a seed: products with weights, maps, slices, sums, stacked results."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.weights = [sn.parameter(f"w{n}", (4, 4), DTYPE) for n in range(2)]
        self.bias = sn.parameter("b", (4,), DTYPE)

    def choose(self, *options: Callable[[sn.Expr], sn.Expr]) -> Callable[[sn.Expr], sn.Expr]:
        return options[int(self.rng.integers(len(options)))]

    def mix(self, a: sn.Expr, b: sn.Expr) -> sn.Expr:
        first = self.choose(
            lambda v: v @ self.weights[0],
            lambda v: v @ sn.transpose(self.weights[1]),
            lambda v: v * self.bias,
            lambda v: v[:, ::-1],
            lambda v: sn.reshape(sn.reshape(v, (-1,)), v.shape),
        )
        second = self.choose(
            lambda v: v, lambda v: v - sn.mean(v, axis=1, keepdims=True), lambda v: v @ self.weights[1]
        )
        last = self.choose(sn.tanh, sn.relu, lambda v: v * 0.5, lambda v: sn.concat([v[:, 1:], v[:, :1]], axis=1))
        return last(first(a) + second(b) + self.bias)

    def __call__(self, carry: tuple[sn.Expr, sn.Expr], x: sn.Expr) -> tuple[tuple[sn.Expr, sn.Expr], sn.Expr]:
        h, c = carry
        new_c = self.choose(lambda v: v, lambda v: v * c, lambda v: v + c)(self.mix(h, x))
        new_h = self.choose(lambda v: v, lambda v: sn.tanh(v) * h)(
            self.mix(new_c, self.choose(lambda v: v, lambda v: c)(x))
        )
        return (new_h, new_c), self.choose(lambda v: v, lambda v: v + h, lambda v: sn.sum(v, axis=0), lambda v: h)(
            new_h
        )


@pytest.mark.parametrize("number", range(24))
def test_random_cell(number: int, seed: int, agrees: Callable[..., Program]) -> None:
    rng = np.random.default_rng([seed, number])
    cell = RandomCell(rng)
    choices = rng.bit_generator.state

    def step(carry: tuple[sn.Expr, sn.Expr], x: sn.Expr) -> tuple[tuple[sn.Expr, sn.Expr], sn.Expr]:
        rng.bit_generator.state = choices  # the same step however often it is traced
        return cell(carry, x)

    init = (sn.input("h", ("N", 4), DTYPE), sn.input("c", ("N", 4), DTYPE))
    ys, (h, c) = sn.scan(step, init=init, xs=sn.input("xs", ("T", "N", 4), DTYPE), reverse=bool(number % 2))
    loss = sn.sum(sn.sin(ys)) + sn.sum(h * c)
    gradients = grad(loss, [*cell.weights, cell.bias], simplify=bool(number % 3))
    updates = {p: p - 0.1 * g for p, g in zip([*cell.weights, cell.bias], gradients, strict=True)}
    agrees({"loss": loss, "ys": ys}, updates, sizes={"T": int(rng.integers(1, 5)), "N": 3}, every=True)
