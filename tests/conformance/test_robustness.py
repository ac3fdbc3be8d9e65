"""Programs under hard use: several threads, forks, interrupts, odd sizes, more rows than they were compiled for."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn

CAPACITY = 4
x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",), "int64")
W = sn.parameter("W", (3, 5), init=sn.init.normal())
z = x @ W


def rows(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, *(shape or (3,)))).astype("float32")


def compiled(loss: sn.Expr, outputs: dict[str, sn.Expr] | None = None, **options: Any) -> sn.program.Program:
    settings = {"optimizer": sn.optim.SGD(lr=0.1), "batch": {"N": CAPACITY}} | options
    return sn.compile(loss=loss, outputs=outputs, **settings)


# --- more rows than the compiled batch ----------------------------------------------------------------------------

h = sn.tanh(z)
by_time = sn.reshape(sn.reshape(z, ("N*5", 1)) * 2, ("N", 5))
looped, last = sn.scan(lambda c, s: (sn.tanh(c + s), c * s), init=sn.zeros(("N",)), xs=sn.transpose(z))
OUTPUTS: dict[str, tuple[sn.Expr, bool]] = {
    # expression, and whether pieces of the compiled batch are enough
    "rows": (z, True),
    "softmax": (sn.softmax(z), True),
    "normed": ((z - sn.mean(z, axis=1, keepdims=True)) / sn.std(z, axis=1, keepdims=True), True),
    "transposed": (z.T, True),
    "picked": (h[sn.arange(z.shape[0]), y % 5], True),
    "taken": (sn.take_along_axis(h, y[:, None] % 5, axis=1), True),
    "embedded": (W[y % 3], True),
    "classes": (sn.argmax(z, axis=1), True),
    "reshaped": (by_time, True),
    "flat": (sn.ravel(z), True),
    "outer": (z[:, :, None] * z[:, None, :], True),
    "gram": (x.T @ x, True),
    "joined": (sn.concat([z, x], axis=1), True),
    "loop": (looped, True),
    "cumulated": (sn.cumsum(z, axis=1), True),
    "parameter": (W * 2, True),
    "mean": (sn.mean(h), True),
    "means": (sn.mean(h, axis=0) * 3 + 1, True),
    "total": (sn.sum(h) / 2, True),
    "count": (sn.sum(z > 0), True),
    "loss": (sn.losses.cross_entropy(z, y % 5, label_smoothing=0.1) + sn.sum(W**2), True),
    "doubled": (sn.concat([z, z]), False),
    "largest": (sn.max(z), False),
    "place": (sn.argmax(z[:, 0]), False),
    "down": (sn.softmax(z, axis=0), False),
    "centred": (z - sn.mean(z, axis=0), False),
    "cumulated down": (sn.cumsum(z, axis=0), False),
    "numbered": (z + sn.cast(sn.arange(z.shape[0]), "float32")[:, None], False),
    "reversed": (z[::-1], False),
    "similar": (z @ z.T, False),
    "root": (sn.sqrt(sn.mean(z**2)), False),
    "weighted": (sn.losses.cross_entropy(z, y % 5, weight=np.array([1, 5, 0.1, 2, 3], "float32")), False),
    "ignoring": (sn.losses.cross_entropy(z, y % 5, ignore_index=2), False),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_predict_gives_for_many_rows_what_it_means(name: str) -> None:
    expression, in_pieces = OUTPUTS[name]
    program = compiled(sn.mean(z**2), {"out": expression})
    joins = program._batch.joins["predict_out"]["out"]  # type: ignore[union-attr]
    assert (joins != "whole") == in_pieces
    inputs = {node.name for node in (x, y) if node in _leaves(expression)}
    for count in (2 * CAPACITY + 3, CAPACITY, 2 * CAPACITY, 1):
        data = {"x": rows(count), "y": np.arange(count) * 7 % 11}
        data = {key: value for key, value in data.items() if key in inputs}
        wanted = sn.evaluate(expression, {**data, "W": program.parameters["W"]})
        found = program.predict("out", **data)
        assert found.dtype == wanted.dtype
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6, equal_nan=True)


def _leaves(expression: sn.Expr) -> set[sn.Expr]:
    from symnet.expr.traverse import postorder

    return {node for node in postorder([expression]) if not node.args}


def test_validation_on_many_rows() -> None:
    loss = sn.losses.cross_entropy(z, y % 5, weight=np.array([1, 5, 0.1, 2, 3], "float32"), reduction="sum")
    program = compiled(loss, {"logits": z}, optimizer=sn.optim.SGD(lr=0.0))
    data = {"x": rows(11), "y": np.arange(11) % 5}
    history = program.fit(data, epochs=1, batch_size=1, validation=data, metrics=["accuracy"], progress=False)
    wanted = sn.evaluate(loss, {**data, "W": program.parameters["W"]})
    np.testing.assert_allclose(history["val_loss"], [wanted], rtol=1e-5)
    np.testing.assert_allclose(program.evaluate(**data)["loss"], wanted, rtol=1e-5)
    with pytest.raises(sn.ShapeError, match="N is 11"):
        program.step(**data)


# --- named dimensions and odd sizes -------------------------------------------------------------------------------


def test_programs_without_rows() -> None:
    fixed = sn.input("fixed", (4, 3))
    program = sn.compile(loss=sn.mean((fixed @ W) ** 2), optimizer=sn.optim.SGD(), outputs={"out": fixed @ W})
    wanted = rows(4) @ program.parameters["W"]
    np.testing.assert_allclose(program.predict("out", fixed=rows(4)), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(program.evaluate(fixed=rows(4))["loss"], np.mean(wanted**2), rtol=1e-5)
    with pytest.raises(sn.UsageError, match="no input has a named first axis"):
        program.fit({"fixed": rows(4)}, progress=False)
    across = sn.input("across", (3, "N"))
    program = compiled(sn.mean((W.T @ across) ** 2), {"out": W.T @ across})
    for count in (1, CAPACITY):
        wanted = program.parameters["W"].T @ rows(3, count)
        np.testing.assert_allclose(program.predict("out", across=rows(3, count)), wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(sn.ShapeError, match="predict 'out': N is 5, but the program was compiled for at most 4"):
        program.predict("out", across=rows(3, 5))


def test_two_named_dimensions_below_their_capacity() -> None:
    u, mask = sn.input("u", ("N", "T", 3)), sn.input("mask", ("N", "T"), "bool")
    out = sn.softmax(sn.where(mask[:, :, None], sn.cumsum(u @ W, axis=1), -np.inf), axis=1)
    loss = sn.sum(sn.where(mask, sn.mean((u @ W) ** 2, axis=2), 0.0)) / sn.sum(mask)
    program = compiled(loss, {"out": out}, batch={"N": 4, "T": 6})
    expected = sn.grad(loss, W)
    for n, t in ((4, 6), (3, 5), (1, 6), (4, 1), (1, 1), (9, 2)):
        data = {"u": rows(n, t, 3), "mask": rows(n, t) > -1.0}
        data["mask"][:, 0] = True
        values = {**data, "W": program.parameters["W"]}
        np.testing.assert_allclose(program.predict("out", **data), sn.evaluate(out, values), rtol=2e-5, atol=1e-6)
        if n <= 4:
            found = program.gradients(**data)["W"]
            np.testing.assert_allclose(found, sn.evaluate(expected, values), rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(program.step(**data)["loss"], sn.evaluate(loss, values), rtol=1e-5)


def test_nothing_at_all() -> None:
    none = sn.input("none", (0, 3))
    f = sn.function([none], [sn.sum(none), sn.prod(none, axis=0), none * 2, none.T @ none])
    total, products, doubled, gram = f(np.zeros((0, 3), "float32"))
    assert (total, doubled.shape) == (0, (0, 3))
    assert (products == 1).all()
    assert (gram == np.zeros((3, 3))).all()
    g = sn.function([x], [sn.sum(x), x + 1])
    for count in (0, 3, 0, 7):
        total, more = g(rows(count))
        np.testing.assert_allclose(total, rows(count).sum(), rtol=1e-5, atol=1e-6)
        assert (more == rows(count) + 1).all()


# --- what is trained ----------------------------------------------------------------------------------------------


def test_parameters_that_the_loss_does_not_reach_stay() -> None:
    used = sn.parameter("used", (3,), init=sn.init.ones())
    other = sn.parameter("other", (3,), init=sn.init.ones())
    fixed = sn.parameter("fixed", (), init=sn.init.ones(), trainable=False)
    behind = sn.parameter("behind", (3,), init=sn.init.ones())
    loss = sn.mean((x @ used * fixed + x @ sn.stop_gradient(behind)) ** 2)
    program = compiled(loss, {"out": x @ other}, optimizer=sn.optim.AdamW(lr=0.1, weight_decay=0.5))
    gradients = program.gradients(x=rows(3))
    assert gradients.keys() == {"used", "other", "behind"}
    assert (gradients["other"] == 0).all()
    program.step(x=rows(3))
    assert [name for name in program.parameters if (program.parameters[name] != 1).any()] == ["used"]


def test_names_that_python_and_the_compiler_use_themselves() -> None:
    inputs = [sn.input(name, ("N",)) for name in ("self", "output")]
    parameters = [sn.parameter(name, (), init=sn.init.ones()) for name in ("loss", "in put-ß", "0")]
    out = inputs[0] * inputs[1] * sum(parameters, sn.constant(0.0))
    with pytest.raises(sn.UsageError, match=r"'step': the parameter float32.* and the state int64"):
        compiled(sn.mean(out * sn.parameter("step", ())))
    program = compiled(sn.mean(out), {"out": out})
    data = {"self": np.ones(3, "float32"), "output": np.full(3, 2, "float32")}
    assert program.predict("out", **data).tolist() == [6, 6, 6]
    assert {name: value.item() for name, value in program.gradients(**data).items()} == {
        "loss": 2,
        "in put-ß": 2,
        "0": 2,
    }
    assert program.step(**data)["loss"] == 6


# --- threads, forks, interrupts -----------------------------------------------------------------------------------


def in_threads(work: Callable[[int], None], count: int = 4) -> None:
    """Run `work(0)`, `work(1)`, … at once; the first error in any of them is raised here."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_a_function_called_from_several_threads() -> None:
    v = sn.input("v", ("N",))
    f = sn.function([v], v * 2 + 1)

    def work(number: int) -> None:
        for turn in range(100):
            given = np.full(3 + number * 5000, number * 1000 + turn, "float32")
            assert (f(given) == given * 2 + 1).all()

    in_threads(work)


def test_a_program_used_from_several_threads() -> None:
    program = compiled(sn.mean(z**2), {"out": z}, optimizer=sn.optim.SGD(lr=0.0))
    weights = program.parameters["W"]

    def work(number: int) -> None:
        for turn in range(60):
            count = (turn + number) % 9 + 1
            np.testing.assert_allclose(
                program.predict("out", x=rows(count)), rows(count) @ weights, rtol=1e-5, atol=1e-6
            )
            if number == 1:
                program.step(x=rows(CAPACITY))
            if number == 2:
                program.parameters["W"] = weights
            if number == 3:
                assert (program.parameters["W"] == weights).all()

    in_threads(work)


def test_programs_come_and_go_while_another_runs() -> None:
    program = compiled(sn.mean(z**2))
    done = threading.Event()

    def work(number: int) -> None:
        if number:
            while not done.is_set():
                program.step(x=rows(3))
        else:
            for turn in range(4):
                compiled(sn.mean(z**2) * (turn + 2.0)).step(x=rows(2))
                gc.collect()
            done.set()

    in_threads(work, 2)


big = sn.parameter("big", (300, 300), init=sn.init.normal(std=0.05))
wide = sn.input("wide", ("N", 300))


def large(threads: int = 2) -> sn.program.Program:
    return compiled(sn.mean(sn.tanh(wide @ big) ** 2), batch={"N": 256}, threads=threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_a_step_runs() -> None:
    program, data, done = large(), rows(256, 300), threading.Event()
    context = multiprocessing.get_context("fork")

    def child(answers: Any) -> None:
        answers.put(float(program.step(wide=data)["loss"]))

    def work(number: int) -> None:
        if number:
            while not done.is_set():
                program.step(wide=data)
            return
        try:
            for _ in range(3):
                answers = context.SimpleQueue()
                process = context.Process(target=child, args=(answers,))
                process.start()
                process.join(30)
                alive = process.is_alive()
                process.kill()
                assert not alive, "the child hangs"
                assert np.isfinite(answers.get())
        finally:
            done.set()

    program.step(wide=data)
    in_threads(work, 2)


def test_more_threads_than_processors() -> None:
    data = {"wide": rows(700, 300)}
    many, one = large(threads=5), large(threads=1)
    assert many.fit(data, epochs=2, progress=False).losses == one.fit(data, epochs=2, progress=False).losses
    assert (many.parameters["big"] == one.parameters["big"]).all()


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_fit_can_go_on(tmp_path: Path) -> None:
    program, data = large(), {"wide": rows(1000, 300)}
    for turn in range(3):
        timer = threading.Timer(0.1 + 0.03 * turn, lambda: signal.raise_signal(signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            program.fit(data, epochs=10**6, batch_size=50, progress=False)
        timer.join()
    program.save(tmp_path / "run.safetensors")
    again = large()
    again.load(tmp_path / "run.safetensors")
    assert again.fit(data, epochs=2, progress=False).losses == program.fit(data, epochs=2, progress=False).losses


def test_a_fresh_process_ends_while_workers_wait() -> None:
    """The end of the interpreter does not wait for the pool's threads, and nothing is printed."""
    code = (
        "import symnet as sn, numpy as np; x = sn.input('x', ('N', 300)); "
        "f = sn.function([x], x @ x.T, threads=2); f(np.ones((300, 300), 'float32'))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


# --- copies -------------------------------------------------------------------------------------------------------


def test_copies_of_expressions_and_modules() -> None:
    loss = sn.mean(sn.softmax(z) ** 2)
    assert pickle.loads(pickle.dumps(loss)) is loss
    assert copy.deepcopy([loss])[0] is loss
    model = sn.nn.Sequential(sn.nn.Linear(3, 4), sn.nn.Sequential(sn.nn.ReLU(), sn.nn.Linear(4, 2)))
    same = pickle.loads(pickle.dumps(model))
    assert same(x) is model(x)
    other = copy.deepcopy(model)
    assert not set(other.parameters()) & set(model.parameters())
    for module in (same, other):
        assert [name for name, _ in module.named_parameters()] == [name for name, _ in model.named_parameters()]
        assert [node.name for node in module.parameters()] == [name for name, _ in module.named_parameters()]


def test_functions_leave_no_memory_behind() -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc here")
    v = sn.input("v", ("N",))

    def resident() -> float:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20

    def make(first: int, last: int) -> None:
        for number in range(first, last):
            sn.function([v], sn.sum(v * v) + float(number))(np.ones(100_000, "float32"))

    make(0, 10)
    before = resident()
    make(10, 60)
    assert resident() - before < 15  # the arrays alone would be 20 MiB
