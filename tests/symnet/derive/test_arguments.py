"""Bad input to derivatives and derivations: errors that suggest the nearest right thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, ShapeError, SymnetError, UnknownName, UsageError

x = sn.input("x", ("N", 4))
k = sn.input("k", ("N",), "int64")
W, b = sn.parameter("weight", (4, 3)), sn.parameter("bias", (3,))
h = sn.name("hidden", sn.tanh(x @ W + b))
L = sn.mean(h)
MODEL = sn.nn.Linear(4, 3)

WRONG: dict[str, tuple[type[SymnetError], str, Callable[[Any], object]]] = {
    "not scalar": (ShapeError, r"shape \[N, 3\], expected a scalar: reduce it first \(sn.mean or sn.sum\)",
                   lambda f: f(h, W)),
    "loss of integers": (DTypeError, "the loss is int64, expected float32 or float64", lambda f: f(sn.sum(k), W)),
    "loss is a module": (DTypeError, "the loss is .*Linear.* call the module on an sn.input", lambda f: f(MODEL, W)),
    "loss is a list": (DTypeError, "add the losses up", lambda f: f([L], W)),
    "loss is a number": (DTypeError, "a number has no formula", lambda f: f(3.0, W)),
    "loss is a class": (DTypeError, "the loss is the class Adam", lambda f: f(sn.optim.Adam, W)),
    "integer": (DTypeError, r"wrt \(input 'k'\) is int64.*cast to a float", lambda f: f(L, k)),
    "name": (UnknownName, "nothing that is named 'wieght'; did you mean 'weight'", lambda f: f(L, "wieght")),
    "one of several names": (UnknownName, "'bais'; did you mean 'bias'", lambda f: f(L, ["weight", "bais"])),
    "strange name": (UnknownName, "'q'; known: weight, bias, x, hidden", lambda f: f(L, "q")),
    "module": (DTypeError, r"give its parameters, wrt=module.parameters\(\)", lambda f: f(L, MODEL)),
    "module in a list": (DTypeError, r"wrt\[0\] is .*Linear", lambda f: f(L, [MODEL])),
    "optimizer": (DTypeError, "an optimizer has no derivative; give the parameters", lambda f: f(L, sn.optim.Adam())),
    "empty": (UsageError, "wrt is empty.*depends on: weight, bias, x, hidden", lambda f: f(L, [])),
    "nested": (DTypeError, r"wrt\[1\] is list, expected an expression: give one flat list", lambda f: f(L, [b, [W]])),
    "mapping": (DTypeError, r"wrt=list\(….values\(\)\)", lambda f: f(L, {"w": W})),
    "array": (DTypeError, "numpy.ndarray.*numbers have no derivative; give the sn.input", lambda f: f(L, np.ones(3))),
    "number": (DTypeError, "wrt is int.*numbers have no derivative", lambda f: f(L, 3)),
    "class": (DTypeError, "wrt is the class Linear", lambda f: f(L, sn.nn.Linear)),
    "none": (DTypeError, r"wrt\[0\] is NoneType", lambda f: f(L, [None])),
}  # fmt: skip


@pytest.mark.parametrize("function", [sn.grad, sn.explain, sn.value_and_grad, sn.hessian], ids=lambda f: f.__name__)
@pytest.mark.parametrize("case", WRONG)
def test_wrong(case: str, function: Callable[..., object]) -> None:
    error, message, call = WRONG[case]
    with pytest.raises(error, match=message) as raised:
        call(function)
    assert str(raised.value).startswith(f"{function.__name__}: ")
    sn.explain(L, W).replay()  # and nothing is broken by it


def test_explain_needs_something_to_differentiate_by() -> None:
    with pytest.raises(UsageError, match=r"sn.explain\(loss, wrt=weight\); it depends on: weight, bias, x, hidden"):
        sn.explain(L)  # type: ignore[call-overload]


def test_explain_by_what_the_loss_does_not_depend_on() -> None:
    with pytest.raises(UsageError, match=r"wrt\[0\] \(parameter 'wieght'\); did you mean 'weight'"):
        sn.explain(L, sn.parameter("wieght", (4, 3)))
    with pytest.raises(UsageError, match=r"another parameter of that name, float32\[4, 3\]"):
        sn.explain(L, sn.parameter("weight", (3, 4)))
    with pytest.raises(UsageError, match=r"\(the result of 'add'\); it depends on: weight"):
        sn.explain(L, x + 1)
    assert np.all(sn.evaluate(sn.grad(L, sn.parameter("wieght", (2,)))) == 0)  # as documented: zeros


def test_what_a_gradient_does_not_reach_is_explained_as_zero() -> None:
    assert sn.explain(sn.sum(x @ sn.stop_gradient(W)), W).formula == "∂L/∂W = 𝟎"


def test_names_stand_for_values() -> None:
    assert sn.grad(L, "weight") is sn.grad(L, W)
    assert all(map(lambda a, c: a is c, sn.grad(L, ["weight", "bias"]), sn.grad(L, [W, b])))
    assert sn.grad(L, "hidden") is sn.grad(L, h)
    assert sn.explain(L, "weight").formula == sn.explain(L, W).formula
    assert sn.hessian(L, "bias") is sn.hessian(L, b)


def test_a_name_of_two_values() -> None:
    other = sn.name("hidden", sn.exp(x))
    with pytest.raises(UsageError, match="2 values are named 'hidden'; give the expression itself"):
        sn.grad(sn.sum(h) + sn.sum(other), "hidden")
