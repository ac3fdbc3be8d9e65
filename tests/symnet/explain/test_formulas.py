"""Formulas of everything: no layer, loss or operation falls back to the names and numbers of the graph."""

from __future__ import annotations

import importlib
import re
from typing import Any

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

import symnet as sn
from symnet.explain import Equation, formula, latex
from symnet.explain.notation import Code, Symbol
from symnet.explain.reading.grammar import parse
from symnet.expr.op import REGISTRY
from symnet.expr.traverse import postorder
from tests.references import case as reference
from tests.references import layers, store
from tests.symnet.explain.programs import PROGRAMS

LATEX = MathTextParser("agg")
FAMILIES = (
    "activations", "attention", "convolution", "ctc", "dropout", "embedding", "losses", "losses_classification",
    "normalization", "padding", "pooling", "recurrent", "vision",
)  # fmt: skip
# Names of operations that are no words of a formula, and forms that nobody writes on paper.
RAW = re.compile(
    r"\b(" + "|".join(sorted(name for name in REGISTRY if "_" in name and name not in ("gelu_tanh",))) + r")\b"
    r"|\b(place|transpose|item|loop|scan|array|broadcast)\("
    r"|\br[₁₂₃]?\[\d"
)


def assert_written(equation: Equation) -> None:
    """Every part of the equation is notation: it parses, and names nothing that only the graph knows."""
    text = str(equation)
    found = RAW.search(text)
    assert found is None, f"{found and found[0]!r} in {text}"
    parse(equation.formula)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_no_operation_falls_back(name: str, rng: np.random.Generator) -> None:
    op = REGISTRY[name]
    for node in op.samples(rng) if op.samples is not None else []:
        if node.dtype != "tuple" and name != "random_step":
            shown = formula(node)
            assert_written(Equation(Symbol("y"), shown.right, node))
            for equation in shown.where:
                assert_written(equation)


class _Captured(BaseException):
    """Leaves a reference case before it compiles anything."""

    def __init__(self, outputs: dict[str, sn.Expr], wrt: dict[str, sn.Expr]) -> None:
        self.outputs, self.wrt = outputs, wrt


def _capture(outputs: dict[str, sn.Expr], wrt: dict[str, sn.Expr], *rest: Any, **settings: Any) -> None:
    raise _Captured(outputs, wrt)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_layer_or_loss_falls_back(family: str, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """Values and gradients of a third of the cases in which a layer or a loss is compared with PyTorch."""
    cases = importlib.import_module(f"tests.references.cases.{family}")
    for module in (cases, layers, reference):
        if hasattr(module, "native_results"):
            monkeypatch.setattr(module, "native_results", _capture)
    for name, case in list(store.cases(family).items())[::3]:
        try:
            case.ours(case.inputs(rng))
        except _Captured as captured:
            floats = [node for node in captured.outputs.values() if node.dtype == "float64"]
            total = sum((sn.sum(node * 2.0) for node in floats), sn.constant(0.0, "float64"))
            inside = set(postorder([total]))
            variables = [node for node in captured.wrt.values() if node in inside]
            if variables:
                derivation = sn.explain(total, variables)
                for equation in (*derivation.formulas, *derivation.where):
                    try:
                        assert_written(equation)
                    except Exception as error:
                        raise AssertionError(f"{name}: {error}") from error


@pytest.mark.parametrize("name", PROGRAMS)
def test_latex_and_mathml_of_every_golden(name: str) -> None:
    loss, wrt = PROGRAMS[name]()
    derivation = sn.explain(loss, wrt)
    for equation in (*derivation.formulas, *derivation.where):
        LATEX.parse(f"${equation.latex()}$")
    for left, right in derivation.legend:
        if not isinstance(right, Code):  # \\texttt is beyond mathtext
            LATEX.parse(f"${latex.write(left)} = {latex.write(right)}$")


def test_mathml_of_an_expression() -> None:
    x = sn.input("x", ("N", 3))
    assert sn.tanh(x).mathml() == "<math>" + sn.tanh(x).mathml().removeprefix("<math>")
    assert "<mi>tanh</mi>" in sn.tanh(x).mathml()
