"""What is asked of values that are computed anyway, before lowering."""

from __future__ import annotations

import numpy as np

import symnet as sn
from codegen.lower.prepare import prepare
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.ops.interpret import evaluate


def operations(roots: list[Expr], op: str) -> list[Expr]:
    return [node for node in postorder(roots) if node.op == op]


def same(before: list[Expr], after: list[Expr], values: dict[Expr, np.ndarray]) -> None:
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(evaluate(one, values), evaluate(two, values))
        assert one.shape == two.shape


def test_signs_are_asked_of_relu(rng: np.random.Generator) -> None:
    x = sn.input("x", (4, 3))
    roots = [sn.maximum(x, 0), sn.where(x > 0, 2 * x, 0)]
    prepared = prepare(roots)
    (question,) = operations(prepared, "greater")
    assert question.args[0] is prepared[0]
    same(roots, prepared, {x: rng.standard_normal((4, 3)).astype(np.float32)})


def test_masked_products_are_taken_from_the_masked_factor(rng: np.random.Generator) -> None:
    """Infinities where the mask is off stay outside, as before."""
    x, y, m = sn.input("x", (5, 3)), sn.input("y", (5, 3)), sn.input("m", (5, 3))
    mask = m > 0
    for product in (x * y, y * x):
        roots = [sn.where(mask, x, 0), sn.where(mask, product, 0)]
        prepared = prepare(roots)
        (found,) = operations(prepared, "multiply")
        assert set(found.args) == {prepared[0], y}, "x itself is not wanted any more"
        values = {leaf: rng.standard_normal((5, 3)).astype(np.float32) for leaf in (x, y, m)}
        values[y][values[m] <= 0] = np.inf
        same(roots, prepared, values)


def test_a_factor_of_another_shape_is_not_the_masked_one() -> None:
    x, y, m = sn.input("x", (3,)), sn.input("y", (5, 3)), sn.input("m", (3,))
    roots = [sn.where(m > 0, x, 0), sn.where(m > 0, x * y, 0)]
    assert prepare(roots) == roots


def test_sums_with_and_without_their_axes_are_taken_once(rng: np.random.Generator) -> None:
    x = sn.input("x", (4, 3, 2))
    roots = [sn.sum(x, axis=(0, 2), keepdims=True), sn.sum(x, axis=(0, 2)), sn.max(x, axis=(0, 2)), sn.sum(x, axis=0)]
    prepared = prepare(roots)
    assert len(operations(prepared, "sum")) == 2
    assert len(operations(prepared, "max")) == 1
    same(roots, prepared, {x: rng.standard_normal((4, 3, 2)).astype(np.float32)})
