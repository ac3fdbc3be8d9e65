"""Programs that are found by their definition: what the key depends on, and that nothing is derived a second time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn
from codegen import cache, fingerprint
from symnet.expr.node import Expr, make
from symnet.expr.op import REGISTRY, Op
from symnet.program.definition import Definition
from symnet.program.plan import Plan


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYMNET_CACHE", str(tmp_path / "cache"))
    cache._warned.clear()
    return tmp_path / "cache"


def model() -> sn.nn.Module:
    return sn.nn.Sequential(sn.nn.Linear(3, 5), sn.nn.BatchNorm1d(5), sn.nn.ReLU(), sn.nn.Linear(5, 2))


def definition(
    scale: float = 1.0,
    width: int = 3,
    names: tuple[str, str] = ("x", "w"),
    trainable: bool = True,
    table: float = 2.0,
    optimizer: sn.optim.Optimizer | None = None,
    capacity: int = 8,
    accuracy: str = "auto",
    outputs: tuple[str, ...] = ("out",),
    init: Any = None,
) -> Definition:
    x = sn.input(names[0], ("N", width))
    w = sn.parameter(names[1], (width,), init=np.ones(width, np.float32) if init is None else init)
    b = sn.parameter("b", (), init="zeros()", trainable=trainable)
    z = sn.tanh(x * w * scale + b) + sn.constant(np.full(width, table, np.float32))
    chosen = optimizer or sn.optim.SGD(lr=0.1)
    return Definition(sn.mean(z * z), dict.fromkeys(outputs, z), chosen, {"N": capacity}, accuracy)


CHANGES: dict[str, Callable[[], Definition]] = {
    "a number": lambda: definition(scale=1.5),
    "a constant array": lambda: definition(table=3.0),
    "a shape": lambda: definition(width=4),
    "the name of an input": lambda: definition(names=("u", "w")),
    "the name of a parameter": lambda: definition(names=("x", "v")),
    "what is trained": lambda: definition(trainable=False),
    "the capacity": lambda: definition(capacity=9),
    "accuracy": lambda: definition(accuracy="off"),
    "an output more": lambda: definition(outputs=("out", "other")),
    "the name of an output": lambda: definition(outputs=("other",)),
    "the optimizer": lambda: definition(optimizer=sn.optim.Adam(lr=0.1)),
    "a setting that changes the update": lambda: definition(optimizer=sn.optim.SGD(lr=0.1, momentum=0.9)),
    "a choice of the optimizer": lambda: definition(optimizer=sn.optim.SGD(lr=0.1, maximize=True)),
    "a schedule": lambda: definition(optimizer=sn.optim.SGD(lr=lambda t: 0.1 * 0.9**t)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_definition_has_another_key(change: str) -> None:
    assert definition().key == definition().key is not None
    assert CHANGES[change]().key != definition().key


def test_values_are_not_part_of_the_key() -> None:
    assert definition(optimizer=sn.optim.SGD(lr=0.5)).key == definition().key
    assert definition(init="zeros()").key == definition().key


def test_a_users_own_optimizer_is_known_by_what_it_writes() -> None:
    class Mine(sn.optim.Optimizer):
        power = 2.0

        def update(self, p: Expr, g: Expr, s: Any, t: Expr) -> Expr:
            s.v = g**self.power
            return p - self.lr * s.v

    key = definition(optimizer=Mine(lr=0.1)).key
    Mine.power = 3.0
    assert definition(optimizer=Mine(lr=0.1)).key not in (key, None)


def test_the_update_that_is_compiled_is_the_one_in_the_key() -> None:
    made = definition(optimizer=sn.optim.Adam(lr=0.1))
    gradient = made.trained[0] * 2.0
    updates = made.updates([gradient, *made.stand_ins[1:]])
    assert [node for node, _ in updates] == [node for node, _ in made.written]
    assert updates[0][1] is not made.written[0][1]
    assert sn.loads(sn.dumps(updates[0][1])) is updates[0][1]


@pytest.mark.parametrize(
    "part", ["symnet/simplify/tables", "symnet/derive/reverse.py", "codegen/passes", "symnet/optim"]
)
def test_a_change_of_the_compiler_changes_the_key(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real, touched = fingerprint.sources.__wrapped__(), os.stat, list[str]()

    def stat(path: Any, *args: Any, **kwargs: Any) -> Any:
        found = real(path, *args, **kwargs)
        if part not in str(path) or touched:
            return found
        touched.append(str(path))
        return os.stat_result((*found[:6], found.st_size + 1, *found[7:10]))

    monkeypatch.setattr(fingerprint.os, "stat", stat)
    assert fingerprint.sources.__wrapped__() != before
    assert touched


def compiled(network: sn.nn.Module, **options: Any) -> sn.program.Program:
    x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",), "int64")
    logits = network(x)
    loss = sn.losses.cross_entropy(logits, y)
    return sn.compile(
        loss=loss, optimizer=sn.optim.Adam(lr=0.01), outputs={"logits": logits}, batch={"N": 8}, **options
    )


def data(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"x": rng.standard_normal((count, 3), np.float32), "y": rng.integers(0, 2, count)}


def test_the_second_time_nothing_is_derived(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, many = data(8, rng), data(21, rng)
    first = compiled(model())
    losses = [first.step(**rows)["loss"] for _ in range(3)]
    wanted = first.predict("logits", x=many["x"]), first.evaluate(**many)["loss"]
    with monkeypatch.context() as patch:
        patch.setattr(Plan, "__init__", lambda *_: pytest.fail("derived again"))
        second = compiled(model(), seed=0)
        assert [second.step(**rows)["loss"] for _ in range(3)] == losses
        np.testing.assert_array_equal(second.predict("logits", x=many["x"]), wanted[0])
        assert second.evaluate(**many)["loss"] == wanted[1]
        assert second.inputs == first.inputs == ("x", "y")
        assert set(second.parameters) == set(first.parameters)
        assert list(second.buffers) == list(first.buffers)
        assert dict(second.hyper) == dict(first.hyper)
        assert second.about.outputs == first.about.outputs
    assert second.source("loops") == first.source("loops"), "what is looked at later is derived then"
    assert set(second.gradients(**rows)) == set(first.gradients(**rows))


def test_hyperparameters_and_initial_values_are_those_of_the_new_program() -> None:
    x = sn.input("x", ("N", 3))
    for lr, start in ((0.5, 1.0), (0.25, 2.0)):
        w = sn.parameter("w", (3,), init=np.full(3, start, np.float32))
        program = sn.compile(loss=sn.mean(x * w), optimizer=sn.optim.SGD(lr=lr), batch={"N": 2})
        assert program.hyper["lr"] == lr
        assert "momentum" not in program.hyper
        np.testing.assert_array_equal(program.parameters["w"], np.full(3, start, np.float32))
        program.step(x=np.ones((2, 3), np.float32))
        np.testing.assert_allclose(program.parameters["w"], start - lr / 3, rtol=1e-6)


def test_the_order_of_inputs_is_that_of_this_programs_definition() -> None:
    orders = []
    for names in (("a", "b"), ("b", "a")):
        made = {name: sn.input(name, ("N",)) for name in names}
        w = sn.parameter("w", (), init="zeros()")
        loss = sn.mean((made["a"] * w - made["b"]) ** 2)
        orders.append(sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1), batch={"N": 2}).inputs)
    assert orders == [("a", "b"), ("b", "a")]


def test_damaged_files_are_written_again(folder: Path, rng: np.random.Generator) -> None:
    rows = data(8, rng)
    expected = compiled(model()).step(**rows)["loss"]
    whole = {path: path.read_bytes() for path in folder.glob("*.symnet")}
    assert len(whole) >= 2  # the facts and the step
    for path, content in whole.items():
        path.write_bytes(content[: len(content) // 2])
    with pytest.warns(RuntimeWarning, match="damaged; compiling it again"):
        program = compiled(model())
    assert program.step(**rows)["loss"] == expected
    assert {path: path.read_bytes() for path in folder.glob("*.symnet")} == whole


def test_what_is_declared_elsewhere_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    factor = 2.0

    def define(node: Expr) -> Expr:
        return node.args[0] * factor

    op = Op(name="foreign", kind="composite", infer=lambda args, attrs: (args[0].shape, args[0].dtype), define=define)
    monkeypatch.setitem(REGISTRY, "foreign", op)
    x, w = sn.input("x", ("N",)), sn.parameter("w", (), init="ones()")
    loss = sn.mean(make(op, [x * w]))
    assert Definition(loss, {}, sn.optim.SGD(lr=0.1), {"N": 2}, "auto").key is None
    for factor in (2.0, 5.0):
        program = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1), batch={"N": 2})
        assert program.step(x=np.ones(2, np.float32))["loss"] == factor
