"""Which chains of a graph are looked at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet as sn
from symnet.accuracy.chains import LONGEST, applied, suspects
from symnet.accuracy.domains import LARGEST, domain, neighbours, points
from symnet.expr.node import Expr

x, y = sn.input("x", ("N", 3)), sn.input("y", (3,))


@pytest.mark.parametrize(
    "expression",
    [
        1 - sn.cos(x), x - sn.sin(x), sn.sqrt(x + 1) - sn.sqrt(x), sn.sin(x + y) - sn.sin(x), sn.sin(x) / x,
        x * sn.log(x), sn.sqrt(sn.square(x) + sn.square(y)), sn.log(sn.exp(x) + sn.exp(y)),
    ],
    ids=str,
)  # fmt: skip
def test_operands_that_depend_on_the_same_values_are_suspicious(expression: Expr) -> None:
    (chain,) = suspects([expression])
    assert chain.root is expression


@pytest.mark.parametrize(
    "expression",
    [x - y, x + 1, x * y + 1.5, sn.exp(x) + 1, sn.maximum(x, 0) * y, sn.exp(x) * y, sn.sqrt(x), x / y, sn.tanh(x) * 2],
    ids=str,
)
def test_independent_operands_are_not(expression: Expr) -> None:
    assert [chain for chain in suspects([expression]) if chain.root is not expression] == []
    assert expression.op in ("add", "multiply") or suspects([expression]) == []


def test_a_chain_begins_at_what_is_not_element_wise() -> None:
    product = x @ sn.input("W", (3, 3))
    (chain,) = suspects([sn.sum(product - sn.tanh(product))])
    assert len(chain.sources) == 1
    assert chain.sources[0] is product
    assert chain.root is product - sn.tanh(product)


def test_equal_chains_of_different_sources_are_one_node() -> None:
    a, b = suspects([sn.sum(1 - sn.cos(x)), sn.sum(1 - sn.cos(sn.input("other", (7,))))])
    assert a.closed is b.closed
    assert a.sources[0] is not b.sources[0]


def test_broadcasting_is_no_operation_of_a_chain() -> None:
    spread = sn.broadcast_to(sn.cos(y), (5, 3))
    (chain,) = suspects([1 - spread])
    assert chain.closed is suspects([1 - sn.cos(x)])[0].closed
    assert applied(chain.closed, chain.sources).shape == (3,)


def test_composites_of_scalar_functions_belong_to_chains() -> None:
    exprel = sn.exprel(x)
    slope = sn.grad(sn.sum(exprel), x)
    (chain,) = suspects([slope / sn.square(exprel)])
    assert [source.op for source in chain.sources] == ["input"]
    assert [source.op for source in suspects([x - sn.square(sn.softmax(x)) * x])[0].sources] == ["input", "softmax"]


def test_other_types_and_very_long_chains_are_left_alone() -> None:
    wide = sn.input("w", (3,), "float64")
    assert suspects([1 - sn.cos(wide)]) == []
    long = x
    for k in range(LONGEST):
        long = long - sn.sin(long + k)
    assert suspects([long]) == []


@pytest.mark.parametrize(
    ("source", "known"),
    [
        (x, "real"), (sn.softmax(x), "unit"), (sn.sum(sn.exp(x)), "positive"), (sn.sum(sn.square(x)), "nonnegative"),
        (sn.input("b", (3,), "bool"), "bool"), (sn.cast(sn.input("i", (3,), "int64"), "float32"), "count"),
        (sn.constant(np.array([0.5, 2.0], "float32")), "values 0.5 2.0"),
    ],
    ids=str,
)  # fmt: skip
def test_points_respect_what_is_known_of_a_source(source: Expr, known: str) -> None:
    assert domain(source) == known
    inside: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "positive": lambda v: v > 0, "nonnegative": lambda v: v >= 0, "unit": lambda v: (v >= 0) & (v <= 1),
        "count": lambda v: v == np.floor(v), "values 0.5 2.0": lambda v: np.isin(v, [0.5, 2.0]),
    }  # fmt: skip
    for columns in (points([known], []), points([known, "real"], [])):
        assert columns[0].dtype == ("bool" if known == "bool" else "float32")
        assert inside.get(known, lambda v: np.isfinite(v))(columns[0]).all()


def test_points_are_the_same_every_time_and_reach_everywhere() -> None:
    (first,), (again,) = points(["real"], [3.5]), points(["real"], [3.5])
    np.testing.assert_array_equal(first, again)
    assert {0.0, 1.0, -1.0, 3.5, -3.5} <= set(first.tolist())
    assert np.abs(first).max() > 1e30
    assert np.abs(first[first != 0]).min() < 1e-30
    assert ((np.abs(first) > 1e-4) & (np.abs(first) < 1e4)).mean() > 0.5


def test_neighbours_differ_by_one_ulp_away_from_zero() -> None:
    column = np.array([1.0, -1.0, 0.0, LARGEST], "float32")
    moved = neighbours(column)
    assert moved[0] == np.float32(1 + 2.0**-23)
    assert moved[1] == -moved[0]
    assert moved[2] != 0
    assert moved[3] < column[3]
    mask = np.array([True, False])
    assert neighbours(mask) is mask
