"""Parentheses where they are needed and nowhere else, in every alphabet."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

import symnet as sn
from symnet.explain import formula, latex, mathml
from symnet.expr.op import REGISTRY

LATEX = MathTextParser("agg")

A, B = sn.input("A", (3, 4)), sn.input("B", (4, 3))
C, D = sn.input("C", (3, 4)), sn.input("D", (3, 4))
S = sn.input("S", (3, 3))
u, v = sn.input("u", (4,)), sn.input("v", (4,))
s, t = sn.input("s", ()), sn.input("t", ())
x = sn.input("x", ("N", 4))
y = sn.input("y", ("N",), "int64")

FORMULAS = {
    "A B": A @ B,
    "A Bᵀ": sn.einsum("ij,kj->ik", A, sn.input("B", (5, 4))),
    "Aᵀ C": A.T @ C,
    "(A B)ᵀ": (A @ B).T,
    "A B S": A @ B @ S,
    "A (B + s)": A @ (B + s),
    "(A B) ⊙ S": (A @ B) * S,
    "A ⊙ C ⊙ D": A * C * D,
    "(A ⊙ C) B": (A * C) @ B,
    "2 A B": 2 * (A @ B),
    "s A": s * A,
    "A ⊙ (C + D)": A * (C + D),
    "A − (C − D)": A - (C - D),
    "A − C − D": A - C - D,
    "A + C − D": A + C - D,
    "−(A + C)": -(A + C),
    "−A ⊙ C": -(A * C),
    "A / s": A / s,
    "A / √8": A / 8**0.5,
    "0.7 A / √17": 0.7 * A / sn.constant(np.float32(17**0.5)),
    "where(A > 0, A, −∞)": sn.where(A > 0, A, -np.inf),
    "where(A > 0, 0, −∞)": sn.where(A > 0, 0.0, -np.inf),
    "(A + C) / s": (A + C) / s,
    "A / (s + t)": A / (s + t),
    "A / C": A / C,
    "A / (s t)": A / s / t,
    "(A ⊙ C) / D": A * C / D,
    "s t": s * t,
    "uᵀ v": sn.einsum("i,i->", u, v),
    "u vᵀ": sn.einsum("i,j->ij", u, v),
    "(u vᵀ)ᵀ": sn.einsum("i,j->ji", u, v),
    "A u": A @ u,
    "Aᵀ u": sn.einsum("ji,j->i", A, sn.input("u", (3,))),
    "tr(A B)": sn.einsum("ij,ji->", A, B),
    "Σⱼ A ⊙ C": sn.einsum("ij,ij->i", A, C),
    "A∘²": A**2,
    "u²": u**2,
    "s³": s**3,
    "(s + t)²": (s + t) ** 2,
    "2^s": 2.0**s,
    "|s|": abs(s),
    "√s": sn.sqrt(s),
    "√(s + t)": sn.sqrt(s + t),
    "exp(s + t)": sn.exp(s + t),
    "σ(−s)": sn.sigmoid(-s),
    "1[A > 0]": sn.cast(A > 0, "float32"),
    "C ⊙ 1[A > 0]": sn.where(A > 0, C, 0.0),
    "where(A > C, A, C)": sn.where(A > C, A, C),
    "1[s > 0 ∧ t ≤ 1]": sn.cast((s > 0) & (t <= 1), "float32"),
    "Σₙ x": sn.sum(x, axis=0),
    "Σⱼ x": sn.sum(x, axis=1),
    "Σ x": sn.sum(x),
    "(Σₙ x) ⊙ u": sn.sum(x, axis=0) * u,
    "Σₙ x + u": sn.sum(x, axis=0) + u,
    "Σₙ (x + u)": sn.sum(x + u, axis=0),
    "mean(x)": sn.mean(x),
    "softmax(x)": sn.softmax(x, axis=-1),
    "softmaxₙ(x)": sn.softmax(x, axis=0),
    "onehot(y)": sn.one_hot(y, 4),
    "x[n, y]": sn.take_along_axis(x, y[:, None], axis=-1),
    "x[y]": x[y],
    "x[:2]": x[:2],
    "A[1:, ::−1]": A[1:, ::-1],
    "A[1]": A[1],
    "P Q": sn.input("P", (2, 3, 4)) @ sn.input("Q", (2, 4, 3)),
    "P A": sn.input("P", (2, 5, 3)) @ A,
    "Σ_b Pᵀ R": sn.einsum("bij,bik->jk", sn.input("P", ("B", 3, 4)), sn.input("R", ("B", 3, 5))),
    "I": sn.one_hot(sn.arange(4), 4),
    "1[(i ≤ j)_{i<4,j<4}]": sn.cast(sn.arange(4)[:, None] <= sn.arange(4), "float32"),
    "1[n ≤ n′]": sn.cast(sn.iota("N")[:, None] <= sn.iota("N"), "float32"),
    "x / N": x / sn.dim("N", "float32"),
}


@pytest.mark.parametrize(("expected", "expression"), FORMULAS.items(), ids=FORMULAS.keys())
def test_formula(expected: str, expression: sn.Expr) -> None:
    assert str(expression) == expected


def test_greek_and_subscripts() -> None:
    names = {"W1": "W₁", "W_1": "W₁", "alpha": "α", "alpha_2": "α₂", "h_enc": "h_enc", "logits": "logits", "lr": "lr"}
    assert {name: str(sn.input(name, (2,))) for name in names} == names
    assert sn.input("W1", (2,)).latex() == "W_{1}"
    assert sn.input("alpha", (2,)).latex() == r"\alpha"
    assert sn.input("logits", (2,)).latex() == r"\mathrm{logits}"
    assert sn.input("h_enc", (2,)).latex() == r"h_{\mathrm{enc}}"


def test_numbers() -> None:
    values = {1.0: "1", 0.5: "0.5", -2.5: "−2.5", 1e-8: "1e−8", float("inf"): "∞", 1e30: "1e30", 3: "3"}
    assert {value: str(sn.constant(value)) for value in values} == values
    assert sn.constant(1e-8).latex() == r"1 \cdot 10^{-8}"
    assert str(sn.zeros((3, 4))) == "𝟎"


def test_latex_of_a_layer() -> None:
    W, b = sn.parameter("W", (5, 4)), sn.parameter("b", (5,))
    expression = sn.sum(sn.relu(x @ W.T + b) / sn.sqrt(s), axis=0)
    lines = expression.latex().splitlines()
    assert lines[1] == r"\sum_{n} \frac{\operatorname{relu}\left(z\right)}{\sqrt{s}} \\"
    assert lines[-2] == r"\quad z = x \, W^{\mathsf{T}} + b"


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_operation_is_written_in_every_alphabet(name: str, rng: np.random.Generator) -> None:
    op = REGISTRY[name]
    for node in op.samples(rng) if op.samples is not None else []:
        written = formula(node)
        assert "<" not in re.sub(r" < ", "", str(written)), "no dump of a node"
        for form in (written.right, *(equation.right for equation in written.where)):
            LATEX.parse(f"${latex.write(form)}$")
        ElementTree.fromstring(mathml.document(written.right))
        assert node._repr_html_().startswith("<p><math>")


def test_constants_have_their_names_and_pi_only_where_it_is_no_symbol() -> None:
    z, pi = sn.input("z", (), "float64"), sn.input("pi", (), "float64")
    half_log = 0.5 * np.log(2 * np.pi)
    assert str(formula(z**2 / 2 + half_log)).endswith("log(2 π) / 2")
    assert str(formula(z + 1 / np.sqrt(2 * np.pi))) == "z + 1 / √(2 π)"
    assert str(formula(z - np.log(5))) == "z − log(5)"
    assert str(formula(z / 60)) == "z / 60"
    assert str(formula(0.25 * z)) == "0.25 z"
    assert str(formula(pi + half_log)) == "π + 0.918938533205"
    found = formula(pi * z + half_log).evaluate({"pi": 2.0, "z": 3.0})
    np.testing.assert_allclose(found, 6.0 + half_log, rtol=1e-12)


def test_indices_have_other_letters_than_symbols() -> None:
    k = sn.input("k", (3, 3), "float64")
    i = sn.input("i", (3,), "float64")
    assert str(formula(sn.transpose(sn.reshape(k, (3, 3, 1)) * i, (2, 0, 1)))) == "(k[j, l] ⊙ i[m])ₘⱼₗ"


def test_the_parameters_of_a_norm_have_their_letters_in_evaluation_too() -> None:
    norm = sn.nn.BatchNorm1d(6)
    shown = str(sn.inference(norm(sn.input("x", ("N", 6))))).splitlines()
    assert shown[0] == "((x − running_mean) / √(running_var + 1e−5)) ⊙ γ + β"
    assert shown[-2:] == ["  γ = weight", "  β = bias"]
