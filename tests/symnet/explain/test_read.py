"""The formula that one reads is the program: printed texts, evaluated without the graph, give what the graph gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import UnknownName, UsageError
from symnet.explain import Derivation, formula
from symnet.explain.formula import Formula
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.op import REGISTRY
from symnet.expr.traverse import postorder
from tests.symnet.explain.examples import losses
from tests.symnet.explain.programs import PROGRAMS
from tests.symnet.simplify import graphs

SIZES = {"N": 3, "T": 4, "M": 2}
CLASSES = 3
DRAWN = ("random_bits", "standard_uniform", "standard_normal")
# What is not read back, each with the reason.
NOT_READ = {
    "random_step": "a count of steps, which no formula mentions",
    **dict.fromkeys(DRAWN, "what is drawn is given to the reader"),
    "elementwise": "a user's own function is explained by its own formula",
    "lu": "the packed factors have no notation but their name",
    "lu_rows": "the order of the pivots has no notation but its name",
    "ratio_derivative": "it has no notation but its name: the derivatives of a quotient by its argument",
    "single_entries": "its indices are those of the derivative that it stands in",
}


def in_float64(nodes: Sequence[Expr]) -> list[Expr]:
    """The same expressions in float64, so that both sides have the digits to be compared."""
    text = sn.dumps(list(nodes)).replace("float32", "float64").replace("f32[", "f64[")
    return list(sn.loads(text))


def drawn_values(nodes: Sequence[Expr], rng: np.random.Generator) -> dict[Expr, np.ndarray]:
    """A value for each leaf under some nodes: positive numbers, small integers, what is drawn by the graph itself."""
    values: dict[Expr, np.ndarray] = {}
    order = postorder(nodes)
    for leaf in order:
        if leaf.op in ("input", "parameter", "state", "hyper"):
            shape = dims.evaluate_shape(leaf.shape, SIZES)
            if leaf.dtype == "bool":
                values[leaf] = rng.random(shape) < 0.5
            elif leaf.dtype.startswith("int"):
                values[leaf] = rng.integers(1, CLASSES, shape).astype(leaf.dtype)
            else:
                values[leaf] = rng.uniform(0.2, 1.5, shape)
    drawn = [node for node in order if node.op in DRAWN]
    found = sn.evaluate(drawn, values, SIZES) if drawn else []
    return {**values, **dict(zip(drawn, found, strict=True))}


def named(values: Mapping[Expr, Any], known: Mapping[Expr, Any]) -> dict[Expr, Any]:
    """The values of what the formulas mention."""
    return {node: value for node, value in values.items() if node in known}


def leaves_of(values: Mapping[Expr, Any]) -> dict[Expr, Any]:
    return {node: value for node, value in values.items() if node.op not in DRAWN}


def assert_reads(shown: Formula, rng: np.random.Generator) -> None:
    values = drawn_values([shown.value], rng)
    with np.errstate(all="ignore"):
        expected = np.asarray(sn.evaluate(shown.value, leaves_of(values), SIZES))
        found = shown.evaluate(named(values, shown.known), SIZES)
    assert found.shape == expected.shape, str(shown)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9, err_msg=str(shown))


def assert_derivation_reads(derivation: Derivation, rng: np.random.Generator) -> None:
    equations = [*derivation.formulas, derivation.where[-1]]
    roots = [equation.value for equation in equations]
    values = drawn_values(roots, rng)
    expected = sn.evaluate(roots, leaves_of(values), SIZES)
    found = derivation.evaluate(named(values, derivation.context.known), SIZES)
    for equation, value in zip(equations, expected, strict=True):
        np.testing.assert_allclose(
            found[equation.name], value, rtol=1e-9, atol=1e-9 * np.abs(value).max(initial=1e-3), err_msg=equation.name
        )


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_golden_formula_evaluates_to_what_the_graph_does(name: str, rng: np.random.Generator) -> None:
    loss, wrt = PROGRAMS[name]()
    loss, *variables = in_float64([loss, *wrt])
    assert_derivation_reads(sn.explain(loss, variables), rng)


def test_all_equations_of_the_small_gpt(rng: np.random.Generator) -> None:
    loss, wrt = losses("small_gpt")[0]
    loss, *variables = in_float64([loss, *wrt])
    assert_derivation_reads(sn.explain(loss, variables), rng)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_operation_reads_as_it_is_meant(name: str, rng: np.random.Generator) -> None:
    if name in NOT_READ:
        pytest.skip(NOT_READ[name])
    op = REGISTRY[name]
    for node in op.samples(rng) if op.samples is not None else []:
        if node.dtype != "tuple" and not _has_large_table(node):
            assert_reads(formula(in_float64([node])[0]), rng)


def _has_large_table(node: Expr) -> bool:
    """Whether constants have so many elements that the text form packs them, which `in_float64` cannot change."""
    return any(inner.op == "constant" and np.prod(inner.shape) > 16 for inner in postorder([node]))


@pytest.mark.parametrize("sizes", [(3, 4), (3, 3)], ids=["3x4", "square"])
@pytest.mark.parametrize("start", range(0, 100, 20))
def test_random_graphs_read_as_they_are_meant(
    sizes: tuple[int, int], start: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In square matrices rows and columns cannot be told apart by their size: the formula has to say which is meant."""
    monkeypatch.setattr(graphs, "ROWS", sizes[0])
    monkeypatch.setattr(graphs, "COLUMNS", sizes[1])
    for number in range(start, start + 20):
        rng = np.random.default_rng((seed, number))
        node = graphs.random_graph(rng, int(rng.integers(3, 14)))
        values = drawn_values([node], rng)
        with np.errstate(all="ignore"):
            expected = np.asarray(sn.evaluate(node, values, SIZES))
        if np.isfinite(expected).all():  # what overflows depends on the order of the operations
            assert_reads(formula(node), np.random.default_rng((seed, number)))


def test_a_text_that_says_something_else_is_caught(rng: np.random.Generator) -> None:
    x, w = sn.input("x", ("N", 3), "float64"), sn.parameter("w", (3, 2), dtype="float64")
    shown = formula(sn.tanh(x @ w))
    values = drawn_values([shown.value], rng)
    wrong = Formula(sn.tanh(x @ w) + 1e-6, shown.right, shown.where, shown.legend, shown.known)
    found = wrong.evaluate(values, SIZES)
    assert np.abs(found - sn.evaluate(wrong.value, values, SIZES)).max() > 5e-7


def test_values_go_by_name_symbol_or_expression() -> None:
    alpha, x = sn.input("alpha", (), "float64"), sn.input("x", (3,), "float64")
    shown = formula(alpha * x)
    for name in ("alpha", "α", alpha):
        np.testing.assert_array_equal(shown.evaluate({name: 2.0, "x": [1.0, 2.0, 3.0]}), [2.0, 4.0, 6.0])
    with pytest.raises(UnknownName, match=r"no symbol 'alhpa'.*alpha"):
        shown.evaluate({"alhpa": 2.0, "x": [1.0, 2.0, 3.0]})


def test_what_cannot_be_read_is_shown() -> None:
    from symnet.explain.reading import Reader

    with pytest.raises(UsageError, match=r"position 2.*nothing more, in 'x \+'"):
        Reader({"x": 1.0}, {}, {}).read("y = x + ")
    with pytest.raises(UnknownName, match="mentions zz"):
        Reader({"x": 1.0}, {}, {}).read("y = x + zz")
