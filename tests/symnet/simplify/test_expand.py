"""On the way to the loop program: only primitives and its scalar functions are left, and the meaning stays."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from symnet.expr.op import REGISTRY
from symnet.expr.traverse import postorder
from symnet.ops.leaves import input
from symnet.simplify import expand, simplify
from tests.symnet.simplify.graphs import corpus

CORPUS = corpus()


@pytest.mark.parametrize("name", CORPUS)
def test_only_what_can_be_lowered_is_left(name: str) -> None:
    for node in postorder(expand(simplify(CORPUS[name]))):
        assert REGISTRY[node.op].define is None, node.op
        assert node.op != "stop_gradient"


@pytest.mark.parametrize("name", CORPUS)
def test_the_values_stay(name: str, rng: np.random.Generator) -> None:
    roots = CORPUS[name]
    values = {
        "x": rng.normal(size=(4, 6)).astype("float32"),
        "y": rng.integers(0, 3, 4),
        "t": rng.random((4, 3)).astype("float32"),
        **{n: rng.normal(size=s).astype("float32") for n, s in SHAPES.items()},
    }
    used = {node.attrs["name"] for node in postorder(roots) if node.op in ("input", "parameter")}
    values = {k: v for k, v in values.items() if k in used}
    before = sn.evaluate(roots, values, {"N": 4})
    after = sn.evaluate(expand(simplify(roots)), values, {"N": 4})
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-4)


SHAPES = {"w": (6, 3), "b": (3,), "v": (5, 6), "c": (5,), "u": (3, 5)}


def test_definitions_keep_their_stability() -> None:
    """Nothing folds the shift by the maximum away once it is written out."""
    z = input("z", (3,))
    for function in (sn.softmax, sn.log_softmax):
        (result,) = expand([function(z)])
        assert np.isfinite(sn.evaluate(result, {"z": np.array([2000.0, 0, -3000], "float32")})).all()


def test_division_by_few_numbers_becomes_a_product() -> None:
    z, row = input("z", (64, 10)), input("row", (64, 1))
    (result,) = expand([z / row])
    assert result.op == "multiply"
    (result,) = expand([z / sn.dim("N", "float32")])
    assert result.op == "multiply"


def test_loops_are_expanded_inside() -> None:
    xs, start = input("xs", (7, 3)), input("start", (3,))
    last, _ = sn.scan(lambda h, v: (sn.sigmoid(h + v), h), start, xs)
    (result,) = expand([last])
    body = result.args[0].attrs["body"]
    assert "sigmoid" not in {node.op for node in postorder(body.results)}


def test_names_survive() -> None:
    z = input("z", ("N", 4))
    named = sn.name("p", sn.softmax(z))
    (result,) = expand([sn.sin(named)])
    assert "p" in {node.name for node in postorder([result])}
