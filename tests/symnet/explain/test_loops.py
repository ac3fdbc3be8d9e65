"""Formulas of loops: inside each other, side by side, with choices; names of layers and directions; all read back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet as sn
from symnet.explain import formula
from symnet.expr.node import Expr
from tests.symnet.explain.test_read import SIZES, assert_derivation_reads, assert_reads

KIND = "float64"
W = sn.parameter("W", (3, 3), dtype=KIND)
START = sn.zeros((3,), KIND)


def over(length: str, name: str) -> Expr:
    found: Expr = sn.input(name, (length, 3), KIND)
    return found


def last(step: Callable[[Expr, Expr], Expr], start: Expr, xs: Expr) -> Expr:
    """What a loop that keeps nothing else carries at the end."""
    found = sn.scan(step, init=start, xs=xs)[1]
    assert isinstance(found, Expr)
    return found


def inside(inner: Expr) -> Expr:
    """The last state of a loop over x, each of whose steps runs a loop over `inner`."""

    def step(h: Expr, x: Expr) -> Expr:
        return last(lambda s, y: sn.tanh(s @ W + y + x), h, inner)

    return last(step, START, over("T", "x"))


def of_rows() -> Expr:
    """A loop over the rows of a matrix for each matrix of a stack; both sums of what is kept."""
    stack = sn.input("X", ("T", "M", 3), KIND)

    def step(h: Expr, rows: Expr) -> tuple[Expr, Expr]:
        kept, end = sn.scan(lambda s, row: sn.tanh(s @ W + row), init=h, xs=rows)
        return end, sn.sum(kept, 0)

    kept, end = sn.scan(step, init=START, xs=stack)
    total: Expr = sn.sum(kept, 0) + end
    return total


def side_by_side() -> Expr:
    one = last(lambda h, x: sn.tanh(h @ W + x), START, over("T", "x"))
    return one + last(lambda h, y: sn.sigmoid(h @ W - y), START, over("T", "y"))


def of_choices() -> Expr:
    def step(h: Expr, x: Expr) -> Expr:
        masked = sn.where(x > 0.5, sn.tanh(h @ W + x), h)
        chosen: Expr = sn.cond(sn.sum(x) > 2.0, lambda a, b: sn.tanh(a @ W + b), lambda a, b: a * b, masked, x)
        return chosen

    return last(step, START, over("T", "x"))


def of_deep_loops() -> Expr:
    y, z = over("M", "y"), over("K", "z")

    def innermost(h: Expr, shift: Expr) -> Expr:
        return last(lambda s, row: sn.tanh(s @ W + row * shift), h, z)

    def step(h: Expr, x: Expr) -> Expr:
        return last(lambda s, row: innermost(s, row + x), h, y)

    return last(step, START, over("T", "x"))


PROGRAMS: dict[str, Callable[[], Expr]] = {
    "inside": lambda: inside(over("M", "y")),
    "inside, of the same length": lambda: inside(over("T", "y")),
    "of rows": of_rows,
    "side by side": side_by_side,
    "choices": of_choices,
    "three inside each other": of_deep_loops,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_loops_and_their_derivatives_read_as_they_are_meant(
    name: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "K", 2)
    value = PROGRAMS[name]()
    assert_reads(formula(value), rng)
    assert_derivation_reads(sn.explain(sn.sum(value**2), W), rng)


def test_a_loop_inside_another_has_both_times() -> None:
    assert str(formula(inside(over("M", "y")))).splitlines() == [
        "h_T",
        "where",
        "  h₀ = 𝟎",
        "  s_{t,0} = hₜ₋₁",
        "  s_{t,m} = tanh(Wᵀ s_{t,m−1} + yₘ + xₜ),  m = 1 … M",
        "  hₜ = s_{t,M},  t = 1 … T",
    ]
    same = str(formula(inside(over("T", "y"))))
    assert "s_{t,k} = tanh(Wᵀ s_{t,k−1} + yₖ + xₜ),  k = 1 … T" in same


def test_loops_side_by_side_are_numbered_above() -> None:
    text = str(formula(side_by_side()))
    assert text.startswith("h⁽¹⁾_T + h⁽²⁾_T\n")
    assert "h⁽²⁾ₜ = σ(Wᵀ h⁽²⁾ₜ₋₁ − yₜ),  t = 1 … T" in text
    assert r"h^{(2)}_{t} = \sigma\left(" in formula(side_by_side()).latex()


def test_layers_and_directions_of_a_recurrent_network() -> None:
    layer = sn.nn.RNN(3, 4, num_layers=2, bidirectional=True)
    text = str(formula(layer(sn.input("x", (5, 2, 3)))[0]))
    assert text.startswith("concat(h⁽²⁾, h′⁽²⁾)\n")
    assert "h′⁽¹⁾ₜ = tanh(z₂ₜ + h′⁽¹⁾ₜ₊₁ W′⁽¹⁾ₕₕᵀ),  t = 5 … 1" in text
    assert "W′⁽²⁾ᵢₕ = weight_ih_l1_reverse" in text
    assert "𝟎[" not in text


def test_a_start_that_has_a_name_is_told_once() -> None:
    """h₀ is the first of h only where it is its start, and not a slice of it."""
    x, h0 = sn.input("x", (4, 2, 3)), sn.input("h0", (2, 2, 4))
    text = str(formula(sn.nn.RNN(3, 4, num_layers=2)(x, h0)[0]))
    assert "h⁽¹⁾₀ = h₀[0]" in text
    alone = str(formula(sn.nn.RNN(3, 4)(x, sn.input("h0", (1, 2, 4)))[0]))
    assert "h₀ =" not in alone
    assert "hₜ₋₁" in alone


def test_gates_have_their_slopes_as_on_paper() -> None:
    x = sn.input("x", ("T", "N", 3))
    layer = sn.nn.LSTM(3, 5)
    text = sn.explain(sn.sum(layer(x)[0]), list(layer.parameters())).summary()
    assert "iₜ ⊙ (1 − iₜ)" in text
    assert "σ(−" not in text
    assert "∂L/∂Wᵢₕ = Σₜ δₜᵀ xₜ" in text


def test_padded_sequences_count_their_steps() -> None:
    x, lengths = sn.input("x", (4, 3, 2)), sn.input("n", (3,), "int64")
    text = str(formula(sn.nn.RNN(2, 4)(x, lengths=lengths)[0]))
    assert "1[t ≤ n]" in text
