"""Whole Jacobians: shapes, values, named dimensions, and the batching behind them."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from tests.symnet.derive.graphs import evaluate, finite_difference

FUNCTIONS = {
    "matrix product": lambda x, w: sn.tanh(x @ w),
    "softmax": lambda x, w: sn.softmax(x @ w, axis=-1),
    "sums": lambda x, w: sn.sum(x, axis=0, keepdims=True) * sn.mean(w, axis=1) + sn.cumsum(x, axis=1)[0],
    "broadcast": lambda x, w: x[:, None, :] * w.T[None] + sn.max(x),
    "moves": lambda x, w: sn.concat([x[::-1, 1:], sn.pad(w.T, ((0, 0), (1, 0)))[:, ::2]], axis=0),
    "gather": lambda x, w: sn.exp(x)[sn.constant(np.array([0, 1, 1, 0])), sn.constant(np.array([2, 0, 0, 1]))],
    "rows": lambda x, w: w[:, sn.constant(np.array([1, 1, 0]))] ** 2,
    "convolution": lambda x, w: sn.conv1d(x[None], sn.reshape(w, (1, 2, 3)), padding=1),
    "loop": lambda x, w: sn.scan(lambda h, row: (sn.sin(h @ w) @ w.T + row, h * h), init=x[0], xs=x)[0],
    "independent": lambda x, w: sn.exp(x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobian_is_that_of_finite_differences(name: str, rng: np.random.Generator) -> None:
    x, w = sn.input("x", (2, 3), "float64"), sn.input("w", (3, 2), "float64")
    output = FUNCTIONS[name](x, w)
    values = {"x": rng.normal(size=(2, 3)), "w": rng.normal(size=(3, 2))}
    jacobians = sn.jacobian(output, [x, w], simplify=False)
    for leaf, found in zip((x, w), jacobians, strict=True):
        assert found.shape == (*output.shape, *leaf.shape)
        expected = finite_difference(lambda v: evaluate([output], v)[0], values, leaf.name)
        np.testing.assert_allclose(evaluate([found], values)[0], expected, rtol=1e-6, atol=1e-7)


def test_named_dimensions_are_allowed(rng: np.random.Generator) -> None:
    x = sn.input("x", ("N", 2), "float64")
    found = sn.jacobian(x * x, x)
    assert found.shape == ("N", 2, "N", 2)
    at = rng.normal(size=(3, 2))
    expected = np.diag(2 * at.ravel()).reshape(3, 2, 3, 2)
    np.testing.assert_allclose(sn.evaluate(found, {"x": at}), expected)


def test_of_a_scalar_it_is_the_gradient() -> None:
    x = sn.input("x", (3,), "float64")
    loss = sn.sum(sn.sin(x))
    assert sn.jacobian(loss, x, simplify=False) is sn.grad(loss, x, simplify=False)


def test_third_order(rng: np.random.Generator) -> None:
    x = sn.input("x", (3,), "float64")
    third = sn.jacobian(sn.hessian(sn.sum(x**4), x), x)
    at = rng.normal(size=3)
    expected = np.zeros((3, 3, 3))
    expected[np.arange(3), np.arange(3), np.arange(3)] = 24 * at
    np.testing.assert_allclose(sn.evaluate(third, {"x": at}), expected, rtol=1e-12)
