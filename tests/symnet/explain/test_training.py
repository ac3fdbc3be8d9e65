"""A whole training step as equations."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy

import symnet as sn
from symnet.errors import UnknownName, Unsupported


@pytest.fixture(scope="module")
def program() -> sn.Program:
    x, y = sn.input("x", ("N", 4)), sn.input("y", ("N",), "int64")
    net = sn.nn.Sequential(
        sn.nn.Linear(4, 6), sn.nn.BatchNorm1d(6), sn.nn.ReLU(), sn.nn.Dropout(0.1), sn.nn.Linear(6, 3)
    )
    loss = sn.losses.cross_entropy(net(x), y)
    optimizer = sn.optim.ClipGradNorm(sn.optim.Adam(lr=1e-3), 1.0)
    return sn.compile(loss, optimizer, batch={"N": 4}, backend="numpy", accuracy="off")


def test_the_whole_step(program: sn.Program, golden: Callable[[str, str], None]) -> None:
    step = sn.explain(program)
    golden("explain/training_step.txt", str(step))
    golden("explain/training_step.tex", step.latex())
    text = str(step)
    assert text.index("forward") < text.index("gradients") < text.index("update of each") < text.index("stored beside")
    assert "  L = −mean(logsoftmax(z₂)[n, y])" in text
    assert "  θₜ = θₜ₋₁ − η m̂ₜ / (√v̂ₜ + ε)" in text
    assert "  running_mean ← 0.9 running_mean + 0.1 meanₙ(z₁)" in text
    assert step._repr_html_().count("<math>") > 20
    assert repr(step) == text


def test_its_gradients_are_the_programs(program: sn.Program) -> None:
    step = sn.explain(program)
    compiled = program.about.watched.gradients
    for parameter, gradient in zip(step.derivation.wrt, step.derivation.gradients, strict=True):
        assert compiled[str(parameter.name)] is gradient
    assert step.derivation.replay()
    assert step.derivation.verify().checks > 20


def test_the_derivation_of_one_parameter_by_name(program: sn.Program) -> None:
    derivation = sn.explain(program, wrt="4.weight")
    (weight,) = derivation.wrt
    assert weight.name == "4.weight"
    assert derivation.formula.startswith("∂L/∂W₂ = ")
    derivation.verify()
    with pytest.raises(UnknownName, match=r"'4.wieght'; did you mean '4.weight'"):
        sn.explain(program, wrt="4.wieght")


def test_a_program_without_formulas() -> None:
    class Binary:
        parameters: dict[str, object] = {}  # noqa: RUF012

        def step(self) -> None: ...

    with pytest.raises(Unsupported, match="holds machine code only"):
        sn.explain(Binary())  # type: ignore[call-overload]


def test_a_function_of_ones_own_has_its_formula_and_derivative_in_the_where_clause() -> None:
    x, W = sn.input("x", ("N", 4)), sn.parameter("W", (4, 3))
    mish = sn.elementwise("mish", lambda t: t * sympy.tanh(sympy.log(1 + sympy.exp(t))))
    derivation = sn.explain(sn.sum(mish(x @ W)), W)
    assert list(map(str, derivation.functions)) == [
        "mish(t) = t tanh(softplus(t))",
        "mish′(t) = t (1 − tanh(softplus(t))²) σ(t) + tanh(softplus(t))",
    ]
    assert "\n  mish′(t) = " in derivation.summary()
    assert r"\operatorname{mish'}" in derivation.latex()
    derivation.verify()


def test_a_function_of_two_numbers() -> None:
    x, W = sn.input("x", ("N", 3)), sn.parameter("W", (3,))
    wave = sn.elementwise("wave", lambda a, b: a * sympy.sin(b))
    derivation = sn.explain(sn.sum(wave(x, W)), W)
    assert list(map(str, derivation.functions)) == [
        "wave(a, b) = a sin(b)",
        "∂wave/∂a(a, b) = sin(b)",
        "∂wave/∂b(a, b) = a cos(b)",
    ]
