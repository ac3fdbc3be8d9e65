"""Simplifying keeps values and gradients: random graphs, evaluated with 50 digits before and after."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import symnet as sn
from symnet.expr.node import Expr
from symnet.expr.trace import Trace
from symnet.expr.traverse import leaves
from symnet.ops import exactly
from symnet.simplify import simplify
from tests.symnet.simplify.graphs import random_graph

FOLDED = mpmath.mpf(10) ** -10
"""Folded constants have the digits of a double."""


def draw(node: Expr, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {leaf.attrs["name"]: rng.normal(0, 1.5, leaf.shape) for leaf in leaves([node], "input")}


def assert_same(before: np.ndarray, after: np.ndarray, told: str) -> None:
    """Equal wherever the value was a number of moderate size."""
    assert before.shape == after.shape, told
    for a, b in zip(before.ravel(), after.ravel(), strict=True):
        if mpmath.isfinite(a) and abs(a) < 1e30:
            assert mpmath.isfinite(b), told
            assert abs(a - b) <= FOLDED * max(1, abs(a)), f"{a} became {b}: {told}"


@pytest.mark.parametrize("part", range(4))
def test_values(part: int, rng: np.random.Generator) -> None:
    for _ in range(40):
        node = random_graph(rng, int(rng.integers(3, 14)))
        trace = Trace()
        new = simplify(node, trace=trace)
        assert (new.shape, new.dtype) == (node.shape, node.dtype)
        before, after = exactly.evaluate([node, new], draw(node, rng))
        assert_same(before, after, sn.dumps(node) + str([step.rule for step in trace.steps]))


@pytest.mark.parametrize("part", range(4))
def test_gradients(part: int, rng: np.random.Generator) -> None:
    """Simplified before the derivative is taken, after, and not at all."""
    for _ in range(15):
        node = random_graph(rng, int(rng.integers(3, 11)))
        inputs = leaves([node], "input")
        if not inputs:
            continue
        loss = sn.sum(node)
        plain = sn.grad(loss, inputs, simplify=False)
        values = draw(node, rng)
        results = exactly.evaluate([*plain, *simplify(plain), *sn.grad(loss, inputs)], values)
        count = len(inputs)
        for i in range(count):
            assert_same(results[i], results[count + i], "simplified afterwards: " + sn.dumps(node))
            assert_same(results[i], results[2 * count + i], "simplified before: " + sn.dumps(node))
