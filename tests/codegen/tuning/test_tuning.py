"""The autotuner: no choice changes a bit, what was found is kept and asked for only by who tunes, bounds hold."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codegen
import symnet as sn
from codegen.choices import Choices, Decision, kernel_key
from codegen.library import Request
from codegen.llvm.contract.choose import plan, promising, variants
from codegen.llvm.contract.merge import merge
from codegen.llvm.contract.problem import contraction
from codegen.loops.grammar import kernels
from codegen.spec import Entry, Module
from codegen.tuning import search
from codegen.tuning.trial import Trial, Whole
from symnet.errors import UsageError
from symnet.runtime.memory import Memory
from symnet.runtime.tuning import Tuning

SIZES = {"N": 67}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYMNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def products() -> Module:
    """Contractions of odd sizes: with an epilogue, with both operands transposed, batched, with a long sum."""
    x, w, v = sn.input("x", ("N", 83)), sn.input("w", (61, 83)), sn.input("v", (5, 37, 61))
    hidden = sn.maximum(x @ w.transpose(), 0.25)
    outputs = {"hidden": hidden, "gram": sn.transpose(x) @ hidden, "batched": v @ sn.transpose(v, (0, 2, 1))}
    return Module("products", (Entry("call", outputs),), SIZES)


def run(module: Module, choices: Choices | None, threads: int) -> dict[str, bytes]:
    code = codegen.compile(module, threads=threads, choices=choices)
    rng, memory = np.random.default_rng(3), Memory()
    memory.reserve(code.metadata["arena"], keep=0)
    inputs = {
        name: rng.standard_normal([dim if isinstance(dim, int) else SIZES[dim] for dim in shape]).astype(dtype)
        for name, (shape, dtype) in sorted(code.signature("call").items())
    }
    return {name: value.tobytes() for name, value in code.run("call", memory, inputs, SIZES).items()}


def test_no_choice_changes_a_bit() -> None:
    module, target = products(), codegen.host()
    program = Request(module, ("call",), target).programs()["call"]
    ways: dict[str, list[Decision]] = {}
    for kernel in kernels(program.items):
        if kernel.schedule.form == "contract":
            problem = merge(contraction(kernel, program))
            found = promising(problem, target, 12)
            assert plan(problem, target, found[0]) == plan(problem, target)
            assert len(found) == len(set(found)) > 3
            others = variants(problem, target, found[1], 4)
            assert found[1] not in others
            ways[kernel_key(kernel, program)] = [Decision(one) for one in [*found, *others]]
    assert len(ways) == 3
    expected = run(module, None, 1)
    rng = random.Random(5)
    for threads in (1, 2):
        for _ in range(6):
            chosen = {
                key: Decision(rng.choice(some).plan, rng.choice([None, True, False])) for key, some in ways.items()
            }
            assert run(module, Choices(chosen), threads) == expected, chosen


def test_choices_as_data_and_in_the_key() -> None:
    module, target = products(), codegen.host()
    program = Request(module, ("call",), target).programs()["call"]
    kernel = next(one for one in kernels(program.items) if one.schedule.form == "contract")
    first, second = promising(merge(contraction(kernel, program)), target, 2)
    key = kernel_key(kernel, program)
    several = [
        Choices(),
        Choices({key: Decision(first)}),
        Choices({key: Decision(second)}),
        Choices({key: Decision(second, False)}),
        Choices({}, frozenset(["call"])),
    ]
    assert [Choices.of_data(one.data()) for one in several] == several
    keys = [Request(module, ("call",), target, choices=one).key() for one in several]
    assert len(set(keys)) == len(several)
    assert keys[0] == Request(module, ("call",), target).key()


def network(tune: bool | float, **options: Any) -> sn.Program:
    x, y = sn.input("x", ("N", 83)), sn.input("y", ("N",), "int64")
    model = sn.nn.Sequential(sn.nn.Linear(83, 71), sn.nn.ReLU(), sn.nn.Linear(71, 7))
    loss = sn.losses.cross_entropy(model(x), y)
    return sn.compile(loss=loss, optimizer=sn.optim.Adam(lr=0.01), batch=SIZES, seed=4, tune=tune, **options)


def trained(program: sn.Program) -> list[bytes]:
    rng = np.random.default_rng(1)
    x, y = rng.random((67, 83), np.float32), rng.integers(0, 7, 67)
    losses = [program.step(x=x, y=y)["loss"].tobytes() for _ in range(3)]
    return [*losses, *(program.parameters[name].tobytes() for name in program.parameters)]


def always_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is chosen seems to take half the time."""

    def measure(self: Trial, seconds: float) -> None:
        count = len(self.library.metadata["entries"]["step"]["kernels"])
        self.times = [500 if self.choices else 1000] * count + [1000 * count]

    monkeypatch.setattr(Trial, "measure", measure)
    monkeypatch.setattr(Whole, "time", property(lambda self: 1.0 if self.choices.kernels else 2.0))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_tuned_program_is_kept_and_gives_the_same(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    always_better(monkeypatch)
    plain = network(False, threads=threads)
    tuned = network(1.0, threads=threads)
    assert plain.tuning is None
    assert isinstance(tuned.tuning, Tuning)
    assert any("x" in kernel.plan for kernel in tuned.tuning.changed), "a contraction runs by another plan"
    assert "µs before" in str(tuned.tuning)
    expected = trained(plain)
    assert trained(tuned) == expected
    assert tuned.source("llvm") != plain.source("llvm")
    monkeypatch.setattr(search, "search", lambda *_: pytest.fail("searched again"))
    again = network(1.0, threads=threads)
    assert again.tuning == tuned.tuning
    assert trained(again) == expected
    assert again.source("llvm") == tuned.source("llvm")
    assert network(False, threads=threads).source("llvm") == plain.source("llvm")


def test_measured_in_earnest() -> None:
    tuned = network(0.5, threads=2)
    assert tuned.tuning is not None
    assert tuned.tuning.before > 0
    assert all(kernel.before > 0 for kernel in tuned.tuning.kernels if "contract" in kernel.note)
    assert trained(tuned) == trained(network(False, threads=2))


def test_more_time_than_before_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    always_better(monkeypatch)
    first = network(1e-3)
    assert first.tuning is not None
    assert not first.tuning.complete
    second = network(20.0)
    assert second.tuning is not None
    assert sum(kernel.tried for kernel in second.tuning.kernels) > sum(kernel.tried for kernel in first.tuning.kernels)


@pytest.mark.parametrize("wrong", ["yes", -1.0, 0, float("nan"), None])
def test_what_tune_may_be(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"tune is .*expected True, False or a positive number of seconds"):
        network(wrong)


def test_only_native_code_is_tuned() -> None:
    with pytest.raises(UsageError, match="backend 'numpy' has nothing to tune"):
        network(True, backend="numpy")
