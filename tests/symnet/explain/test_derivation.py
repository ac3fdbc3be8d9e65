"""Derivations: golden texts, names as on paper, steps, pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import symnet as sn
from symnet.errors import DTypeError, FileError, ShapeError
from symnet.expr.traverse import postorder
from tests.symnet.explain.programs import PROGRAMS, digits_mlp, softmax_cross_entropy


@pytest.mark.parametrize("name", PROGRAMS)
def test_formulas(name: str, golden: Callable[[str, str], None]) -> None:
    loss, wrt = PROGRAMS[name]()
    derivation = sn.explain(loss, wrt)
    golden(f"explain/{name}.txt", derivation.summary())
    golden(f"explain/{name}.tex", derivation.latex())


def test_every_step_of_softmax_cross_entropy(golden: Callable[[str, str], None]) -> None:
    golden("explain/softmax_cross_entropy_steps.txt", str(sn.explain(*softmax_cross_entropy())))


def test_the_digits_network_reads_as_in_a_textbook() -> None:
    derivation = sn.explain(*digits_mlp())
    assert derivation.formula.splitlines() == [
        "∂L/∂W₁ = δ₁ᵀ x",
        "∂L/∂b₁ = Σₙ δ₁",
        "∂L/∂W₂ = δ₂ᵀ h₁",
        "∂L/∂b₂ = Σₙ δ₂",
    ]
    assert list(map(str, derivation.where[:4])) == [
        "δ₂ = (softmax(z₂) − onehot(y)) / N",
        "δ₁ = (δ₂ W₂) ⊙ 1[z₁ > 0]",
        "z₁ = x W₁ᵀ + b₁",
        "h₁ = relu(z₁)",
    ]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_formula_is_written_from_the_graph_that_is_compiled(name: str) -> None:
    loss, wrt = PROGRAMS[name]()
    value, gradients = sn.value_and_grad(loss, wrt)
    derivation = sn.explain(loss, wrt)
    assert all(a is b for a, b in zip(derivation.gradients, gradients, strict=True))
    inside = set(postorder([value, *gradients]))
    equations = [*derivation.formulas, *derivation.where]
    assert all(equation.value in inside for equation in equations)
    assert derivation.where[-1].value is value


def test_users_names_come_before_ours() -> None:
    x, W, V = sn.input("x", ("N", 4)), sn.parameter("W", (4, 5)), sn.parameter("V", (5,))
    hidden = sn.name("q", x @ W)
    loss = sn.name("E", sn.sum(sn.name("a", sn.tanh(hidden)) @ V))
    derivation = sn.explain(loss, [W, V])
    assert "∂E/∂V" in derivation.formula
    assert {"q", "a"} <= {equation.name for equation in derivation.where}
    assert str(derivation.where[-1]).startswith("E = ")


def test_names_of_module_parameters_are_explained() -> None:
    x = sn.input("x", ("N", 4))
    first, second = (sn.name(f"layers.{i}.weight", sn.parameter(f"w{i}", (4, 4))) for i in (0, 2))
    derivation = sn.explain(sn.sum(sn.tanh(x @ first.T) @ second.T), [first, second])
    legend = derivation.summary().partition("with\n")[2].splitlines()
    assert legend[:2] == ["  W₁ = layers.0.weight", "  W₂ = layers.2.weight"]
    assert r"\texttt{layers.0.weight}" in derivation.latex()


def test_one_layer_needs_no_numbers() -> None:
    x, W, b = sn.input("x", ("N", 4)), sn.parameter("W", (4, 3)), sn.parameter("b", (3,))
    derivation = sn.explain(sn.sum(sn.tanh(x @ W + b)), [W, b])
    assert derivation.formula.splitlines() == ["∂L/∂W = xᵀ δ", "∂L/∂b = Σₙ δ"]
    assert str(derivation.where[0]) == "δ = 1 − tanh(z)∘²"


def test_what_is_used_twice_is_written_once() -> None:
    x, y = sn.input("x", ("N", 4)), sn.input("y", ("N", 4))
    shared = sn.sin(x * y + sn.exp(y))
    text = str(shared * sn.cos(shared))
    assert text.splitlines() == ["t ⊙ cos(t)", "where", "  t = sin(x ⊙ y + exp(y))"]


def test_long_formulas_are_broken_into_named_parts() -> None:
    x = sn.input("x", ("N", 4))
    for i in range(300):
        x = sn.sin(x * float(i + 2)) + x
    assert max(map(len, str(x).splitlines())) < 200


def test_steps_are_numbered_rules_with_reasons() -> None:
    derivation = sn.explain(*digits_mlp())
    assert {step.kind for step in derivation.steps} >= {"chain", "exact", "subgradient"}
    lines = str(derivation).partition("derivation (")[2].splitlines()[1:]
    assert len(lines) == 2 * len(derivation.views) + 1  # and a summary
    assert re.fullmatch(r" +1  [\w -]+: .+", lines[0])
    assert any("subgradient: δ₁ = ∂L/∂h₁ ⊙ 1[z₁ > 0]" in line for line in lines)
    assert all(step.reason for step in derivation.steps)


def test_zero_gradients_are_zeros() -> None:
    x, w = sn.input("x", ("N", 4)), sn.parameter("w", (3,))
    assert sn.explain(sn.sum(x) + sn.sum(sn.floor(w)), w).formula == "∂L/∂w = 𝟎"


def test_page_is_complete(tmp_path: Path) -> None:
    derivation = sn.explain(*digits_mlp())
    path = derivation.to_html(tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    assert page.count('<details class="card"') == len(derivation.formulas)
    assert page.count("<math ") > len(derivation.formulas) + len(derivation.where)
    assert "<math>" in derivation._repr_html_()
    with pytest.raises(FileError, match="cannot write the report"):
        derivation.to_html(tmp_path / "nowhere" / "report.html")


def test_a_deep_network_is_explained_without_recursion() -> None:
    h, parameters = sn.input("x", ("N", 8)), []
    for i in range(1, 201):
        parameters += [sn.parameter(f"W{i}", (8, 8)), sn.parameter(f"b{i}", (8,))]
        h = sn.tanh(h @ parameters[-2] + parameters[-1])
    text = str(sn.explain(sn.mean(h**2), parameters))
    assert "∂L/∂W₁₉₉ = h₁₉₈ᵀ δ₁₉₉" in text
    assert "δ₁ = (δ₂ W₂ᵀ) ⊙ (1 − h₁∘²)" in text


def test_mistakes_are_told() -> None:
    x, k = sn.input("x", (3,)), sn.input("k", (3,), "int64")
    with pytest.raises(ShapeError, match="explain: the loss has shape"):
        sn.explain(x, x)
    with pytest.raises(DTypeError, match="explain: wrt"):
        sn.explain(sn.sum(x), k)
