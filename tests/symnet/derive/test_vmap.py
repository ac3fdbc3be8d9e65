"""vmap of every operation, and of loops, choices and derivatives, against a loop over the members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import ShapeError, Unsupported, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.op import REGISTRY
from symnet.expr.traverse import substitute
from tests.symnet.ops.test_registry import LEAVES, SIZES, all_samples, leaves_of, values_for

MEMBERS = 3


def f64(name: str, *shape: object) -> Expr:
    return sn.input(name, shape, "float64")


def check_node(node: Expr, stacked: list[Expr], rng: np.random.Generator, axis: int) -> None:
    """A node whose leaves `stacked` differ from member to member, by vmap and by a loop."""
    leaves = leaves_of(node)
    values = values_for(leaves, rng)
    many = {leaf: np.stack([values_for([leaf], rng)[leaf] for _ in range(MEMBERS)]) for leaf in stacked}
    wide = {leaf: sn.input(f"many_{i}", (MEMBERS, *leaf.shape), leaf.dtype) for i, leaf in enumerate(stacked)}

    def member(*given: Expr) -> Expr:
        return substitute([node], dict(zip(stacked, given, strict=True)))[0]

    where = axis if node.ndim >= axis else 0
    mapped = sn.vmap(member, out_axes=where)(*(wide[leaf] for leaf in stacked))
    expected = dims.evaluate_shape(node.shape, SIZES)
    assert mapped.shape == (*node.shape[:where], MEMBERS, *node.shape[where:])
    found = sn.evaluate(mapped, {**values, **{wide[leaf]: many[leaf] for leaf in stacked}}, SIZES)
    for i in range(MEMBERS):
        one = sn.evaluate(node, {**values, **{leaf: many[leaf][i] for leaf in stacked}}, SIZES)
        assert one.shape == expected
        tolerance = 1e-12 if node.dtype == "float64" else 1e-5
        np.testing.assert_allclose(np.take(found, i, where), one, rtol=tolerance, atol=tolerance)


RANDOM = ("random_bits", "random_step")
SEEDS = {"seed", "step", "random.seed", "random.step"}


def can_differ(node: Expr) -> list[Expr]:
    """The leaves of a sample that may differ from member to member."""
    return [leaf for leaf in leaves_of(node) if leaf.name not in SEEDS]


MAPPABLE = [p for p in all_samples() if p.values[0].op not in (*LEAVES, *RANDOM) and can_differ(p.values[0])]


@pytest.mark.parametrize("node", MAPPABLE)
def test_every_operation_with_all_operands_mapped(node: Expr, rng: np.random.Generator) -> None:
    check_node(node, can_differ(node), rng, axis=1)


@pytest.mark.parametrize("node", [p for p in MAPPABLE if len(leaves_of(p.values[0])) > 1])
def test_every_operation_with_each_operand_mapped_alone(node: Expr, rng: np.random.Generator) -> None:
    for leaf in can_differ(node):
        check_node(node, [leaf], rng, axis=0)


def looped(fn: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """fn of every member, in NumPy."""
    names = [sn.input(f"a{i}", array.shape[1:], str(array.dtype)) for i, array in enumerate(arrays)]
    result = fn(*names)
    return np.stack([sn.evaluate(result, dict(zip(names, one, strict=True))) for one in zip(*arrays, strict=True)])


def natively(fn: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    names = [sn.input(f"a{i}", array.shape, str(array.dtype)) for i, array in enumerate(arrays)]
    return np.asarray(sn.function(names, sn.vmap(fn)(*names))(*arrays))


def _loop(x: Expr) -> Expr:
    def cell(state: tuple[Expr, Expr], v: Expr) -> tuple[tuple[Expr, Expr], Expr]:
        level, count = state
        level = sn.tanh(level + v)
        return (level, count + 1), level * sn.cast(count, "float64")

    ys, (last, _) = sn.scan(cell, (sn.zeros((), "float64"), sn.constant(0)), x)
    return sn.sum(ys) + last


def _choice(x: Expr) -> Expr:
    one, other = sn.cond(x[0] > 0, lambda v: (sn.exp(v), v[0]), lambda v: (v * v, v[1]), x)
    return sn.sum(one) * other


def _system(x: Expr) -> Expr:
    a = sn.outer(x, x) + sn.eye(5, dtype="float64")
    return sn.linalg.solve(a, x) @ sn.cumsum(x) + sn.linalg.slogdet(a).logabsdet


@pytest.mark.parametrize("fn", [_loop, _choice, _system])
def test_loops_choices_systems_and_their_derivatives(fn: Callable[..., Any], rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 5))
    for f in (fn, lambda v: sn.grad(fn(v), v)):
        np.testing.assert_allclose(natively(f, x), looped(f, x), rtol=1e-10, atol=1e-12)


def test_a_condition_that_is_the_same_for_all_stays_a_choice(rng: np.random.Generator) -> None:
    flag, x = sn.input("flag", (), "bool"), f64("x", 4, 5)
    program = sn.function([flag, x], sn.vmap(lambda v: sn.cond(flag, sn.exp, sn.negative, v))(x))
    values = rng.normal(size=(4, 5))
    np.testing.assert_allclose(program(True, values), np.exp(values))
    np.testing.assert_array_equal(program(False, values), -values)
    assert "if not " in program.source("loops")


def test_axes_of_arguments_and_results(rng: np.random.Generator) -> None:
    x, y, w = f64("x", 2, 7), f64("y", 7), f64("w", 2)
    both = sn.vmap(lambda pair, w, k: {"a": pair["x"] * w, "b": pair["y"] + k}, in_axes=({"x": 1, "y": 0}, None, None),
                   out_axes={"a": -1, "b": 0})  # fmt: skip
    result = both({"x": x, "y": y}, w, 3.0)
    values = {"x": rng.normal(size=(2, 7)), "y": rng.normal(size=7), "w": rng.normal(size=2)}
    np.testing.assert_allclose(sn.evaluate(result["a"], values), values["x"] * values["w"][:, None])
    np.testing.assert_allclose(sn.evaluate(result["b"], values), values["y"] + 3.0)
    assert sn.vmap(lambda w, scale: w * scale, in_axes=None)(w, scale=y).shape == (7, 2)
    assert sn.vmap(lambda: w, size="B")().shape == ("B", 2)
    assert sn.vmap(lambda v: (v, w), out_axes=(0, None))(y)[1] is w


def test_nested(rng: np.random.Generator) -> None:
    x, y = f64("x", "N", 3), f64("y", "M", 3)
    table = sn.vmap(lambda a: sn.vmap(lambda b: sn.sum((a - b) ** 2))(y))(x)
    assert table.shape == ("N", "M")
    p, q = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    found = sn.function([x, y], table)(p, q)
    np.testing.assert_allclose(found, ((p[:, None] - q) ** 2).sum(-1), rtol=1e-12)


def test_gradients_for_each_example(rng: np.random.Generator) -> None:
    x, y, w = f64("x", "N", 3), f64("y", "N"), f64("w", 3)
    whole = sn.grad(sn.sum((x @ w - y) ** 2), w)
    each = sn.vmap(lambda xi, yi: sn.grad((xi @ w - yi) ** 2, w))(x, y)
    assert each.shape == ("N", 3)
    values = rng.normal(size=(6, 3)), rng.normal(size=6), rng.normal(size=3)
    rows, total = sn.function([x, y, w], [each, whole])(*values)
    np.testing.assert_allclose(rows, 2 * (values[0] @ values[2] - values[1])[:, None] * values[0], rtol=1e-12)
    np.testing.assert_allclose(rows.sum(0), total, rtol=1e-12)


def test_positions_that_differ_from_member_to_member(rng: np.random.Generator) -> None:
    x, k = rng.normal(size=(4, 5, 2)), rng.integers(0, 5, (4, 3))
    np.testing.assert_array_equal(
        natively(lambda a, i: a[i], x, k), np.stack([a[i] for a, i in zip(x, k, strict=True)])
    )
    added = natively(lambda a, i: sn.grad(sn.sum(a[i] ** 2), a), x, k)
    np.testing.assert_allclose(added, looped(lambda a, i: sn.grad(sn.sum(a[i] ** 2), a), x, k))


def test_random_numbers_differ_from_member_to_member_unless_asked() -> None:
    x = f64("x", 4)
    key = sn.random.key()
    outside = sn.random.normal((2,), dtype="float64")

    def drawn(randomness: str) -> np.ndarray:
        mapped = sn.vmap(lambda v: v + sn.random.normal((2,), dtype="float64"), randomness=randomness)(x)  # type: ignore[arg-type]
        return np.asarray(sn.function([x, *key], mapped)(np.zeros(4), 0, 1))

    assert len(np.unique(drawn("different"))) == 8
    assert (drawn("same") == drawn("same")[0]).all()
    shared = sn.function([x, *key], sn.vmap(lambda v: v + outside)(x))(np.zeros(4), 0, 1)
    assert (shared == shared[0]).all()


def test_random_numbers_in_a_loop_and_from_seeds() -> None:
    x, seeds, step = f64("x", 4), sn.input("seeds", (4,), "int64"), sn.input("step", (), "int64")
    total = sn.vmap(lambda v: sn.scan(lambda c, _: c + sn.random.uniform((), dtype="float64"), v, length=2)[1])(x)
    assert len(np.unique(sn.function([x, *sn.random.key()], total)(np.zeros(4), 0, 1))) == 4
    own = sn.vmap(lambda seed: sn.random.bits((3,), key=(seed, step), stream=5))(seeds)
    given = np.array([3, 1, 4, 1])
    found = sn.function([seeds, step], own)(given, 9)
    one = sn.input("one", (), "int64")
    alone = sn.function([one, step], sn.random.bits((3,), key=(one, step), stream=5))
    np.testing.assert_array_equal(found, [alone(seed, 9) for seed in given])


def test_training_and_inference_of_members(rng: np.random.Generator) -> None:
    """Dropout and batch norm keep their other meaning for every member."""
    x = f64("x", 3, 6, 4)
    mean, var = sn.state("m", (3, 4), "float64"), sn.state("v", (3, 4), "float64")
    batch_norm = REGISTRY["batch_norm"]
    from symnet.expr.node import make

    def layer(x: Expr, mean: Expr, var: Expr) -> Expr:
        return make(batch_norm, (x, mean, var), {"given": ("mean", "var"), "eps": 1e-3, "momentum": 0.1})

    y = sn.vmap(layer)(x, mean, var)
    values = {"x": rng.normal(size=(3, 6, 4)), "m": rng.normal(size=(3, 4)), "v": rng.uniform(1, 2, (3, 4))}
    expected = (values["x"] - values["m"][:, None]) / np.sqrt(values["v"][:, None] + 1e-3)
    np.testing.assert_allclose(sn.evaluate(sn.inference(y), values), expected, rtol=1e-12)
    (state, new), *_ = y.declaration.updates(y)  # type: ignore[misc]
    assert state is mean
    np.testing.assert_allclose(sn.evaluate(new, values), 0.9 * values["m"] + 0.1 * values["x"].mean(1), rtol=1e-12)
    shared = sn.vmap(layer, in_axes=(0, None, None))(
        x, sn.state("m1", (4,), "float64"), sn.state("v1", (4,), "float64")
    )
    with pytest.raises(Unsupported, match="batch_norm: its running statistics are shared"):
        shared.declaration.updates(shared)  # type: ignore[misc]


def test_mistakes_are_told() -> None:
    x, y = f64("x", 3, 2), f64("y", 4)
    with pytest.raises(ShapeError, match="sizes 3, 4; expected one size"):
        sn.vmap(lambda a, b: a * b)(x, y)
    with pytest.raises(ShapeError, match="no argument has an axis of members"):
        sn.vmap(lambda a: a, in_axes=None)(x)
    with pytest.raises(UsageError, match="in_axes has 1 entries for 2 arguments"):
        sn.vmap(lambda a, b: a, in_axes=(0,))(x, x)
    with pytest.raises(UsageError, match="neither an axis nor of the form"):
        sn.vmap(lambda a: a, in_axes=({"k": 0},))(x)
    with pytest.raises(UsageError, match="out_axes is None for a result that differs"):
        sn.vmap(lambda a: a, out_axes=None)(x)
    with pytest.raises(UsageError, match="expected 'different' or 'same'"):
        sn.vmap(lambda a: a, randomness="error")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="vmap"):
        sn.vmap(lambda a: a, in_axes=2)(x)
