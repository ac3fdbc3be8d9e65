"""What every operation promises, tested from its declaration: the samples that it gives run through all of this."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

import symnet.ops as sn
from symnet.derive.forward import pushforward
from symnet.derive.reverse import pullback
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.op import REGISTRY
from symnet.expr.text import dumps, loads
from symnet.expr.traverse import postorder
from symnet.expr.verify import verify
from symnet.ops.interpret import run
from symnet.ops.scalar_op import ScalarOp

SIZES = {"N": 3, "T": 4}
LEAVES = ("input", "parameter", "state", "hyper")
EXEMPT = {
    # operation: checks that do not apply to it; the reason stands in the declaration or here
    "arg": "exists only inside functions",
    "scan": "a tuple; it is tested through `item`",
    "cond": "a tuple; it is tested through `item`",
}


def samples(name: str) -> list[Expr]:
    op = REGISTRY[name]
    assert op.samples is not None, f"{name} declares no samples"
    return list(op.samples(np.random.default_rng(zlib.crc32(name.encode()))))


def all_samples() -> list[pytest.param]:  # type: ignore[valid-type]
    names = [name for name in REGISTRY if name not in EXEMPT]
    return [pytest.param(node, id=f"{name}-{i}") for name in names for i, node in enumerate(samples(name))]


def values_for(leaves: list[Expr], rng: np.random.Generator) -> dict[Expr, np.ndarray]:
    """Positive floats away from kinks, small non-negative integers."""
    values = {}
    for leaf in leaves:
        shape = dims.evaluate_shape(leaf.shape, SIZES)
        if leaf.dtype == "bool":
            values[leaf] = np.asarray(rng.random(shape) < 0.5)
        elif leaf.dtype.startswith("int"):
            values[leaf] = np.asarray(rng.integers(1, 4, shape), leaf.dtype)
        else:
            values[leaf] = np.asarray(rng.uniform(0.3, 1.8, shape), leaf.dtype)
    return values


def leaves_of(node: Expr) -> list[Expr]:
    return [leaf for leaf in postorder([node]) if leaf.op in LEAVES]


@pytest.mark.parametrize("node", all_samples())
def test_value_has_the_inferred_shape_and_dtype(node: Expr, rng: np.random.Generator) -> None:
    value = run([node], values_for(leaves_of(node), rng), SIZES)[0]
    assert value.shape == dims.evaluate_shape(node.shape, SIZES)
    assert value.dtype.name == node.dtype


@pytest.mark.parametrize("node", all_samples())
def test_text_gives_the_identical_node(node: Expr) -> None:
    assert loads(dumps(node)) is node
    verify([node])


@pytest.mark.parametrize("node", [p for p in all_samples() if p.values[0].declaration.define is not None])
def test_definition_has_the_same_type(node: Expr, rng: np.random.Generator) -> None:
    define = node.declaration.define
    assert define is not None
    defined = define(node)
    assert (defined.shape, defined.dtype) == (node.shape, node.dtype)
    values = values_for(leaves_of(node), rng)
    ours, theirs = run([node], values, SIZES)[0], run([defined], values, SIZES)[0]
    tolerance = 1e-12 if node.dtype == "float64" else 1e-5
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def differentiable(node: Expr) -> bool:
    real = node.dtype == "float64" and any(leaf.dtype == "float64" for leaf in leaves_of(node))
    return real and "derivative" not in node.declaration.exempt


DIFFERENTIABLE = [p for p in all_samples() if differentiable(p.values[0])]


class Along:
    """A function of the float64 leaves of a node along a random line, and its slope by central differences."""

    def __init__(self, node: Expr, rng: np.random.Generator) -> None:
        self.leaves = leaves_of(node)
        self.wrt = [leaf for leaf in self.leaves if leaf.dtype == "float64"]
        self.values = values_for(self.leaves, rng)
        self.directions = {leaf: rng.normal(size=self.values[leaf].shape) for leaf in self.wrt}

    def at(self, root: Expr, t: float) -> np.ndarray:
        moved = {leaf: self.values[leaf] + t * self.directions[leaf] for leaf in self.wrt}
        return run([root], {**self.values, **moved}, SIZES)[0]

    def slope(self, root: Expr) -> np.ndarray:
        """Fourth-order central difference."""
        h = 2e-4
        near, far = self.at(root, h) - self.at(root, -h), self.at(root, 2 * h) - self.at(root, -2 * h)
        return np.asarray((8 * near - far) / (12 * h))

    def along(self, gradients: list[Expr]) -> float:
        found = run(gradients, self.values, SIZES)
        return float(sum(np.sum(g * self.directions[leaf]) for g, leaf in zip(found, self.wrt, strict=True)))


@pytest.mark.parametrize("node", DIFFERENTIABLE)
def test_derivatives_agree_with_finite_differences(node: Expr, rng: np.random.Generator) -> None:
    line = Along(node, rng)
    weight = sn.input("weight", node.shape, "float64")
    line.values[weight] = rng.uniform(0.5, 1.5, dims.evaluate_shape(node.shape, SIZES))

    first = pullback([node], [weight], line.wrt)
    for gradient, leaf in zip(first, line.wrt, strict=True):
        assert (gradient.shape, gradient.dtype) == (leaf.shape, leaf.dtype)
    np.testing.assert_allclose(line.along(first), line.slope(sn.sum(node * weight)), rtol=1e-7, atol=1e-8)

    tangents = [sn.input(f"tangent{i}", leaf.shape, "float64") for i, leaf in enumerate(line.wrt)]
    moved = {t: line.directions[leaf] for t, leaf in zip(tangents, line.wrt, strict=True)}
    forward = pushforward([node], line.wrt, tangents)[0]
    np.testing.assert_allclose(
        run([forward], {**line.values, **moved}, SIZES)[0], line.slope(node), rtol=1e-7, atol=1e-8
    )


@pytest.mark.parametrize("node", DIFFERENTIABLE)
def test_second_derivatives_agree_with_finite_differences(node: Expr, rng: np.random.Generator) -> None:
    line = Along(node, rng)
    weights = [sn.input(f"weight{i}", leaf.shape, "float64") for i, leaf in enumerate([node, *line.wrt])]
    for weight in weights:
        line.values[weight] = rng.uniform(0.5, 1.5, dims.evaluate_shape(weight.shape, SIZES))
    first = pullback([node], [weights[0]], line.wrt)
    mixed = sn.add(0.0, sum((sn.sum(g * w) for g, w in zip(first, weights[1:], strict=True)), sn.zeros((), "float64")))
    second = pullback([mixed], [sn.ones((), "float64")], line.wrt)
    np.testing.assert_allclose(line.along(second), line.slope(mixed), rtol=1e-6, atol=1e-7)


def test_every_operation_is_covered() -> None:
    assert {name for name, op in REGISTRY.items() if op.samples is None} == set(EXEMPT)
    exempt = {(name, check) for name, op in REGISTRY.items() for check in op.exempt}
    assert exempt == {("stop_gradient", "derivative")}, "the list of exemptions is short on purpose"
    assert all(op.doc for op in REGISTRY.values())


def test_scalar_functions_exist_in_the_loop_program_or_expand() -> None:
    from codegen.loops.grammar import FUNCTIONS

    for op in REGISTRY.values():
        if isinstance(op, ScalarOp):
            assert (op.loop is None) == (op.define is not None), op.name
            if op.loop is not None:
                assert FUNCTIONS[op.loop] == op.arity, op.name
    named = {op.loop for op in REGISTRY.values() if isinstance(op, ScalarOp)} - {None}
    assert named == set(FUNCTIONS) - {"philox", "bf16"}


@pytest.mark.parametrize("name", [n for n, op in REGISTRY.items() if isinstance(op, ScalarOp) and op.define])
def test_expansions_use_loop_functions_only(name: str) -> None:
    pending = samples(name)
    while pending:
        node = pending.pop()
        if node.op in (*LEAVES, "constant"):
            continue
        op = node.declaration
        assert isinstance(op, ScalarOp), node.op
        pending.extend([op.define(node)] if op.define else node.args)
