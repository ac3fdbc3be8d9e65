"""Every mode and order of differentiation against finite differences, and the modes against each other."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from tests.symnet.derive.graphs import CASES, Case, evaluate, finite_difference

pytestmark = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def _directions(case: Case, rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.normal(size=shape) for shape in case.shapes.values()]


def test_gradient_is_that_of_finite_differences(case: Case, rng: np.random.Generator) -> None:
    loss, leaves = case.build()
    values = case.values(rng)
    found = evaluate(sn.grad(loss, leaves, simplify=False), values)
    for leaf, gradient in zip(leaves, found, strict=True):
        expected = finite_difference(lambda v: evaluate([loss], v)[0], values, leaf.name)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7, err_msg=leaf.name)


def test_simplifying_keeps_the_gradient(case: Case, rng: np.random.Generator) -> None:
    loss, leaves = case.build()
    values = case.values(rng)
    plain = evaluate(sn.grad(loss, leaves, simplify=False), values)
    for expected, gradient in zip(plain, evaluate(sn.grad(loss, leaves), values), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-11)


def test_forward_mode_agrees_with_reverse_mode(case: Case, rng: np.random.Generator) -> None:
    loss, leaves = case.build()
    values, directions = case.values(rng), _directions(case, rng)
    tangents = [sn.constant(direction) for direction in directions]
    (along,) = evaluate([sn.jvp(loss, leaves, tangents, simplify=False)], values)
    gradients = evaluate(sn.grad(loss, leaves, simplify=False), values)
    expected = sum(np.sum(g * t) for g, t in zip(gradients, directions, strict=True))
    np.testing.assert_allclose(along, expected, rtol=1e-9, atol=1e-12)


def test_second_order_is_that_of_finite_differences_of_the_first(case: Case, rng: np.random.Generator) -> None:
    loss, leaves = case.build()
    values, directions = case.values(rng), _directions(case, rng)
    gradients = sn.grad(loss, leaves, simplify=False)
    products = sn.hvp(loss, leaves, [sn.constant(d) for d in directions], simplify=False)
    step = 1e-5
    moved = [
        {
            **values,
            **{leaf.name: values[leaf.name] + sign * step * d for leaf, d in zip(leaves, directions, strict=True)},
        }
        for sign in (1, -1)
    ]
    ahead, behind = (evaluate(gradients, at) for at in moved)
    for product, after, before in zip(evaluate(products, values), ahead, behind, strict=True):
        np.testing.assert_allclose(product, (after - before) / (2 * step), rtol=2e-5, atol=2e-6)


def test_reverse_over_reverse_agrees_with_forward_over_reverse(case: Case, rng: np.random.Generator) -> None:
    loss, leaves = case.build()
    values, directions = case.values(rng), _directions(case, rng)
    vectors = [sn.constant(d) for d in directions]
    forward = evaluate(sn.hvp(loss, leaves, vectors, simplify=False), values)
    reverse = evaluate(sn.vjp(sn.grad(loss, leaves, simplify=False), leaves, vectors, simplify=False), values)
    for a, b in zip(forward, reverse, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def test_hessian_times_vector_is_the_product(case: Case, rng: np.random.Generator) -> None:
    loss, leaves = case.build()
    values, directions = case.values(rng), _directions(case, rng)
    blocks = sn.hessian(loss, leaves, simplify=False)
    products = evaluate(sn.hvp(loss, leaves, [sn.constant(d) for d in directions], simplify=False), values)
    for row, leaf, product in zip(blocks, leaves, products, strict=True):
        total = np.zeros(product.shape)
        for block, direction in zip(evaluate(row, values), directions, strict=True):
            assert block.shape == (*leaf.shape, *direction.shape)
            total += np.tensordot(block, direction, axes=direction.ndim)
        np.testing.assert_allclose(total, product, rtol=1e-8, atol=1e-10)
