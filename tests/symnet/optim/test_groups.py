"""Which parameters are trained, and with which settings; what cannot be said is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, UnknownName, UsageError

SIZES = {"a": (3,), "b": (2, 2), "c": ()}


def parameters(dtype: str = "float32", **trainable: bool) -> dict[str, sn.Expr]:
    return {
        name: sn.parameter(name, shape, dtype, init=sn.init.ones(), trainable=trainable.get(name, True))
        for name, shape in SIZES.items()
    }


def compiled(optimizer: sn.optim.Optimizer, p: dict[str, sn.Expr], **options: Any) -> Any:
    return sn.compile(loss=sum(sn.sum(value * value) for value in p.values()), optimizer=optimizer, **options)


def changed(program: Any) -> set[str]:
    program.step()
    return {name for name in program.parameters if (program.parameters[name] != 1).any()}


@pytest.mark.parametrize(
    "given",
    [
        lambda p: [p["a"], p["c"]],
        lambda p: (value for name, value in p.items() if name != "b"),
        lambda p: {p["a"], p["c"]},
        lambda p: [("a", p["a"]), ("c", p["c"])],
        lambda p: [{"params": p["a"]}, {"params": [("c", p["c"])]}],
    ],
    ids=["list", "generator", "set", "pairs", "groups"],
)
def test_only_the_given_parameters_are_trained(given: Callable[[dict[str, sn.Expr]], Any]) -> None:
    p = parameters()
    program = compiled(sn.optim.SGD(given(p), lr=0.1, momentum=0.5), p)
    assert changed(program) == {"a", "c"}
    assert sorted(program.buffers) == ["a.v", "c.v", "step"]
    assert set(program.gradients()) == {"a", "b", "c"}


def test_a_converted_program_knows_its_groups_too() -> None:
    p = parameters()
    program = compiled(sn.optim.SGD([p["a"]], lr=0.1), p, dtype="float64")
    assert changed(program) == {"a"}


def test_what_the_loss_does_not_train_may_be_listed() -> None:
    p = parameters(b=False)
    other = sn.parameter("other", (4,))
    program = compiled(sn.optim.SGD([*p.values(), other], lr=0.1), p)
    assert changed(program) == {"a", "c"}
    with pytest.raises(UsageError, match=r"SGD: none of its parameters is trained by this loss.* a, c"):
        compiled(sn.optim.SGD([other, p["b"]], lr=0.1), p)


def test_settings_of_a_group_are_hyperparameters_of_their_own() -> None:
    p = parameters("float64")
    groups = [
        {"params": [p["a"]], "name": "first", "lr": 0.25},
        {"params": [p["b"]], "momentum": 0.5},
        {"params": p["c"]},
    ]
    program = compiled(sn.optim.SGD(groups, lr=0.125), p)
    assert dict(program.hyper) == {"lr": 0.125, "weight_decay": 0.0, "first.lr": 0.25, "1.momentum": 0.5}
    assert program.hyper.names("lr") == ["lr", "first.lr"]
    assert program.hyper.names("momentum") == ["1.momentum"]
    program.hyper["first.lr"] = 0.5
    program.step()
    after = {name: program.parameters[name].ravel()[0] for name in "abc"}
    assert after == {"a": 0.0, "b": 0.75, "c": 0.75}
    program.step()
    assert program.parameters["b"].ravel()[0] == 0.75 - 0.125 * (0.5 * 2 + 1.5)


def test_a_tuple_of_a_group() -> None:
    p = parameters()
    program = compiled(sn.optim.Adam([{"params": [p["a"]], "betas": (0.5, 0.75)}, {"params": [p["b"]]}]), p)
    assert program.hyper["0.betas"] == (0.5, 0.75)
    program.hyper["0.betas"] = (0.25, 0.5)
    assert program.hyper["0.betas"] == (0.25, 0.5)
    assert program.hyper["betas"] == (0.9, 0.999)


def test_a_rate_that_every_group_sets_is_not_there() -> None:
    p = parameters()
    groups = [{"params": [p["a"]], "lr": 0.1}, {"params": [p["b"]], "lr": 0.2}]
    program = compiled(sn.optim.SGD(groups), p)
    with pytest.raises(UnknownName, match=r"no parameter group uses the common 'lr'; known: '0.lr', '1.lr'"):
        program.hyper["lr"] = 0.5


def test_what_the_formula_leaves_out_cannot_be_set() -> None:
    program = compiled(sn.optim.SGD(lr=0.1), parameters())
    with pytest.raises(UnknownName, match=r"'momentum' is not in this program: .*momentum=0.0, which leaves it out"):
        program.hyper["momentum"] = 0.9
    with pytest.raises(UnknownName, match="there is no hyperparameter 'mometum'"):
        program.hyper["mometum"] = 0.9


def test_groups_are_shown() -> None:
    p = parameters()
    groups = [{"params": [p["a"]], "name": "first", "lr": 0.2}, {"params": [p["b"], p["c"]]}]
    shown = repr(sn.optim.RMSprop(groups, lr=0.1))
    assert shown.startswith("RMSprop(<first: 1 parameter, lr=0.2>, <1: 2 parameters>, lr=0.1, alpha=0.99, ")
    assert shown.endswith("centered=False, maximize=False)")


class OneOfTwo(sn.optim.Optimizer):
    """A user's own optimizer has groups without doing anything for it."""

    def update(self, p: Any, g: Any, s: Any, t: Any) -> Any:
        return p - self.lr * (sn.sign(g) if self.signs else g)


def test_groups_of_an_optimizer_of_ones_own() -> None:
    p = parameters("float64")
    groups = [{"params": [p["a"]], "signs": True}, {"params": [p["b"]], "lr": 0.5}]
    program = compiled(OneOfTwo(groups, lr=0.25, signs=False), p)
    program.step()
    assert [program.parameters[name].ravel()[0] for name in "abc"] == [0.75, 0.0, 1.0]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            lambda p: 0.1,
            DTypeError,
            "SGD: the first argument is the parameters to train, got 0.1; the learning rate is lr=",
        ),
        (lambda p: [], UsageError, "the list of parameters is empty"),
        (lambda p: p["a"], DTypeError, "params is the parameter 'a', expected a list"),
        (lambda p: p, DTypeError, "params is a dict, expected a list"),
        (lambda p: sn.nn.Linear(2, 2), DTypeError, r"params is a Linear.*did you mean its .parameters\(\)"),
        (lambda p: [p["a"] + 1], DTypeError, r"an expression \(add\) among them"),
        (lambda p: [np.ones(3)], DTypeError, "a ndarray among them"),
        (lambda p: [p["a"], ("b", p["b"])], DTypeError, "side by side"),
        (lambda p: [p["a"], {"params": [p["b"]]}], DTypeError, "side by side"),
        (lambda p: [p["a"], p["a"]], UsageError, "lists a parameter twice"),
        (lambda p: [{"params": [p["a"]]}, {"params": [p["a"]]}], UsageError, "'a' is in two groups, '0' and '1'"),
        (lambda p: [{"lr": 0.1}], UsageError, "parameter group 0 has no 'params'; got 'lr'"),
        (lambda p: [{"params": [p["a"]], "name": "1"}, {"params": [p["b"]]}], UsageError, "the same name: 1, 1"),
        (lambda p: [{"params": [p["a"]], "name": ""}], UsageError, "expected a non-empty string"),
        (lambda p: [{"params": []}, {"params": [p["a"]], "rate": 0.1}], UnknownName, "no setting 'rate' for .* '1'"),
        (lambda p: [{"params": [p["a"]], "fused": True}], UnknownName, "no setting 'fused'"),
        (lambda p: [{"params": [p["a"]], "lr": -1.0}], UsageError, "lr is -1.0, expected at least 0"),
        (lambda p: [{"params": [p["a"]], "lr": True}], DTypeError, "lr is True, expected a number"),
        (lambda p: [{"params": [p["a"]], "nesterov": 1}], DTypeError, "expected True or False"),
        (lambda p: [{"params": [p["a"]], "nesterov": True}], UsageError, "nesterov needs a momentum"),
    ],
)
def test_mistakes_are_named(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sn.optim.SGD(given(parameters()), lr=0.1)


def test_how_pytorch_executes_is_no_argument() -> None:
    for switch in ("foreach", "fused", "capturable", "differentiable"):
        with pytest.raises(TypeError, match=switch):
            sn.optim.Adam(**{switch: True})
