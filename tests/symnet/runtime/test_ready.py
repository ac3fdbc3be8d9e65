"""The quick way to call an entry: the same results, and whatever is not as before goes the usual way."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, IndexOutOfRange, ShapeError, UnknownName
from symnet.runtime.arrays import address
from symnet.runtime.ready import ASLEEP, LONG, TRIAL, WARM, Succession


@pytest.fixture
def program() -> sn.Program:
    x, y = sn.input("x", ("N", 5)), sn.input("y", ("N",), "int64")
    z = x @ sn.parameter("W", (5, 3), init=sn.init.uniform(-0.7, 0.7))
    made = sn.compile(sn.losses.cross_entropy(z, y), sn.optim.SGD(lr=0.1), {"z": z}, {"N": 6})
    for _ in range(2):
        made.predict(x=rows()["x"])
        made.step(**rows())
    assert sorted(made.instance.ready) == ["predict_z", "step"]
    return made


def rows(count: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=(count, 5)).astype("float32"), "y": rng.integers(0, 3, count)}


def test_results_are_those_of_the_usual_way(program: sn.Program) -> None:
    start = program.instance.snapshot()
    quick = [program.step(**rows(seed=seed))["loss"] for seed in range(3)]
    seen = program.predict(x=rows(seed=7)["x"])
    program.instance.restore(start)
    usual = [program.run_entry("step", rows(seed=seed))["loss"] for seed in range(3)]
    assert quick == usual
    np.testing.assert_array_equal(seen, program.run_entry("predict_z", {"x": rows(seed=7)["x"]})["z"])
    later = program.predict(x=rows(seed=8)["x"])
    assert not np.array_equal(seen, later)  # what a call gave is the caller's
    assert later.flags.owndata


def test_other_inputs_go_the_usual_way(program: sn.Program) -> None:
    x, run_again = rows()["x"], program._run_again
    expected = program.predict(x=x)
    own = np.ndarray.__new__(type("Own", (np.ndarray,), {}), x.shape, x.dtype, x)
    swapped = x.astype(x.dtype.newbyteorder())
    for same in (x.tolist(), np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], own, swapped):
        assert run_again("predict_z", {"x": same}) is None
        np.testing.assert_array_equal(program.predict(x=same), expected)
    np.testing.assert_array_equal(program.predict(x=x[:3]), expected[:3])
    np.testing.assert_array_equal(program.predict(x=np.tile(x, (3, 1))), np.tile(expected, (3, 1)))


def test_what_is_not_such_an_array_is_not_run(program: sn.Program) -> None:
    x = rows()["x"]
    before = program.instance.memory.bytes.copy()
    for other in (None, 1.0, "x", [], x[0], x[None], x[:, :4], x[:3], x.astype("float64"), x.view("int32"), type(x)):
        assert program._run_again("predict_z", {"x": other}) is None
    for inputs in ({}, {"y": x}, {"x": x, "y": x}):
        assert program._run_again("predict_z", inputs) is None
    np.testing.assert_array_equal(program.instance.memory.bytes, before)


def test_errors_are_the_usual_ones(program: sn.Program) -> None:
    x, y = rows().values()
    before = program.instance.snapshot()
    with pytest.raises(DTypeError, match="float64"):
        program.step(x=x.astype("float64"), y=y)
    with pytest.raises(ShapeError):
        program.step(x=x[:, :4], y=y)
    with pytest.raises(UnknownName, match="missing"):
        program.step(x=x)
    with pytest.raises(UnknownName, match="no input"):
        program.step(x=x, z=y)
    with pytest.raises(IndexOutOfRange):
        program.step(x=x, y=y + 3)
    np.testing.assert_array_equal(program.instance.snapshot(), before)
    program.step(x=x, y=y)


def test_new_code_and_memory_are_used(program: sn.Program) -> None:
    """Attaching code may move the arena; the old one goes."""
    x = rows()["x"]
    expected, old = program.predict(x=x), weakref.ref(program.instance.memory._block)
    program._code("evaluate", {"N": 4000})
    assert not program.instance.ready
    gc.collect()
    assert old() is None
    program.parameters["W"] = 2 * program.parameters["W"]
    np.testing.assert_array_equal(program.predict(x=x), 2 * expected)


def test_nothing_is_quick_where_inputs_are_searched(program: sn.Program) -> None:
    program.check_finite = True
    assert program._run_again("predict_z", {"x": rows()["x"]}) is None


def test_threads_share_it(program: sn.Program) -> None:
    given = [rows(seed=seed)["x"] for seed in range(4)]
    expected = [program.run_entry("predict_z", {"x": x})["z"] for x in given]
    right: list[bool] = []

    def work(number: int) -> None:
        right.extend(np.array_equal(program.predict(x=given[number]), expected[number]) for _ in range(200))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 800


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks")
def test_a_fork_goes_on(program: sn.Program) -> None:
    x = rows()["x"]
    expected = program.predict(x=x)
    child = os.fork()
    if not child:
        os._exit(0 if np.array_equal(program.predict(x=x), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_address_of_elements() -> None:
    whole = np.zeros((5, 4), np.float32)
    for array in (whole, whole[2:], whole[:, 1:], whole.T, np.zeros(()), np.zeros((0, 3)), np.asfortranarray(whole)):
        assert address(array) == array.__array_interface__["data"][0]


class Clock:
    """Calls that take a time each by their way, one after the other."""

    def __init__(self, alone: float, several: float) -> None:
        self.costs, self.now, self.succession = (alone, several), 0.0, Succession()

    def calls(self, count: int, pause: float = 1e-6) -> list[int]:
        ways = []
        for _ in range(count):
            self.now += pause
            way = self.succession.way(self.now)
            began, self.now = self.now, self.now + self.costs[way]
            self.succession.took(began, self.now)
            ways.append(way)
        return ways


@pytest.mark.parametrize("faster", [0, 1])
def test_the_faster_way_is_kept(faster: int) -> None:
    clock = Clock(*((8e-6, 5e-6) if faster else (5e-6, 8e-6)))
    assert clock.calls(TRIAL) == [0] * TRIAL
    assert clock.calls(TRIAL) == [1] * TRIAL
    assert clock.calls(LONG) == [faster] * LONG
    assert clock.calls(2 * TRIAL) == [0] * TRIAL + [1] * TRIAL  # other programs come and go
    clock.costs = clock.costs[::-1]
    clock.calls(LONG)
    assert clock.calls(2 * TRIAL + 1)[-1] == 1 - faster


def test_threads_that_wait_for_each_other_are_left_alone() -> None:
    """In a trial, and in the time after it."""
    clock = Clock(8e-6, 4e-3)
    ways = clock.calls(LONG)
    assert sum(ways) == WARM + 1
    clock = Clock(8e-6, 5e-6)
    assert clock.calls(3 * TRIAL)[-1] == 1
    clock.costs = 8e-6, 4e-3
    assert sum(clock.calls(LONG)) == 1 + WARM + 1


def test_no_thread_is_woken_for_calls_now_and_then() -> None:
    clock = Clock(8e-6, 5e-6)
    assert set(clock.calls(5 * TRIAL, pause=2 * ASLEEP)) == {0}
    assert clock.calls(2 * TRIAL + 5)[-1] == 1
    clock.now += 1.0
    assert set(clock.calls(TRIAL)) == {0}


def test_threads_that_are_awake_give_the_same_bits() -> None:
    x, y = sn.input("x", ("N", 512)), sn.input("y", ("N",), "int64")
    model = sn.nn.Sequential(sn.nn.Linear(512, 256), sn.nn.Tanh(), sn.nn.Linear(256, 3))
    z = model(x)
    program = sn.compile(sn.losses.cross_entropy(z, y), sn.optim.SGD(lr=0.1), {"z": z}, {"N": 1}, threads=2)
    given = np.random.default_rng(0).normal(size=(1, 512)).astype("float32")
    expected = program.predict(x=given)
    assert all(np.array_equal(program.predict(x=given), expected) for _ in range(3 * TRIAL))
    ready = program.instance.ready["predict_z"]
    assert ready._succession is not None
    assert ready._threads == (1, 2)
