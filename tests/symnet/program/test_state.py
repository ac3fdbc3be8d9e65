"""What programs keep for their layers: running statistics and random numbers, through every entry and checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import symnet as sn

N = 8


class Net(sn.nn.Module):
    def __init__(self, p: float = 0.5) -> None:
        self.first = sn.nn.Linear(3, 6)
        self.norm = sn.nn.BatchNorm1d(6)
        self.drop = sn.nn.Dropout(p)
        self.last = sn.nn.Linear(6, 1)

    def forward(self, x: sn.Expr) -> sn.Expr:
        return self.last(self.drop(sn.relu(self.norm(self.first(x)))))


def program(p: float = 0.5, **options: object) -> sn.program.Program:
    x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",))
    out = Net(p)(x)[:, 0]
    loss = sn.mean(sn.square(out - y))
    settings = {"optimizer": sn.optim.Adam(lr=0.01), "outputs": {"out": out}, "batch": {"N": N}, "seed": 4, **options}
    return sn.compile(loss=loss, **settings)


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {"x": rng.normal(size=(40, 3)).astype("float32"), "y": rng.normal(size=40).astype("float32")}


@pytest.fixture(scope="module")
def prog() -> sn.program.Program:
    return program()


def batch(data: dict[str, np.ndarray], start: int = 0) -> dict[str, np.ndarray]:
    return {name: array[start : start + N] for name, array in data.items()}


def everything(prog: sn.program.Program) -> dict[str, np.ndarray]:
    return {**prog.parameters, **prog.buffers}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


def test_buffers_have_torch_names(prog: sn.program.Program) -> None:
    names = ["norm.num_batches_tracked", "norm.running_mean", "norm.running_var", "random.seed", "random.step"]
    assert set(names) <= set(prog.buffers)
    assert prog.buffers["random.seed"] == 4
    assert (prog.buffers["norm.running_var"] == 1).all()


def test_which_entry_stores_what(prog: sn.program.Program, data: dict[str, np.ndarray]) -> None:
    before = everything(prog)
    gradients = prog.gradients(**batch(data))
    again = prog.gradients(**batch(data))
    assert same(gradients, again)
    evaluated = prog.evaluate(**batch(data))
    predicted = prog.predict("out", x=batch(data)["x"])
    assert (evaluated["out"] == predicted).all()
    assert same(everything(prog), before)
    first = prog.step(**batch(data))["loss"]
    after = everything(prog)
    assert first != evaluated["loss"]
    assert after["random.step"] == before["random.step"] + 1
    assert after["norm.num_batches_tracked"] == before["norm.num_batches_tracked"] + 1
    hidden = batch(data)["x"] @ before["first.weight"].T + before["first.bias"]
    mean = 0.9 * before["norm.running_mean"] + 0.1 * hidden.mean(0)
    var = 0.9 * before["norm.running_var"] + 0.1 * hidden.var(0, ddof=1)
    np.testing.assert_allclose(after["norm.running_mean"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after["norm.running_var"], var, rtol=1e-5)
    assert not same(prog.gradients(**batch(data)), gradients)


def test_evaluation_does_not_depend_on_the_batch(prog: sn.program.Program, data: dict[str, np.ndarray]) -> None:
    whole = prog.predict("out", x=data["x"])
    rows = np.concatenate([prog.predict("out", x=data["x"][i : i + 1]) for i in range(len(whole))])
    np.testing.assert_allclose(whole, rows, rtol=1e-6, atol=1e-6)


def test_buffers_are_assignable_and_loadable(data: dict[str, np.ndarray]) -> None:
    prog = program()
    prog.buffers["norm.running_mean"] = np.arange(6, dtype="float32")
    prog.load_parameters({"norm.running_var": np.full(6, 4.0, "float32"), "norm.num_batches_tracked": np.array(9)})
    hidden = data["x"] @ prog.parameters["first.weight"].T + prog.parameters["first.bias"]
    expected = np.maximum((hidden - np.arange(6)) / np.sqrt(4 + 1e-5), 0) @ prog.parameters["last.weight"].T
    expected = expected[:, 0] + prog.parameters["last.bias"]
    np.testing.assert_allclose(prog.predict("out", x=data["x"]), expected, rtol=1e-4, atol=1e-5)
    prog.step(**batch(data))
    assert prog.buffers["norm.num_batches_tracked"] == 10


def test_a_saved_run_goes_on_bit_for_bit(tmp_path: Path, data: dict[str, np.ndarray]) -> None:
    straight, halves, other = program(), program(), program(seed=99)
    straight.fit(data, epochs=4, progress=False)
    halves.fit(data, epochs=2, progress=False)
    halves.save(tmp_path / "half.safetensors")
    other.load(tmp_path / "half.safetensors")
    assert other.buffers["random.seed"] == 4
    other.fit(data, epochs=2, progress=False)
    assert same(everything(straight), everything(other))


def test_same_bits_again_on_any_number_of_threads(data: dict[str, np.ndarray]) -> None:
    runs = [program(threads=threads) for threads in (1, 2)]
    histories = [prog.fit(data, epochs=3, progress=False).losses for prog in runs]
    assert histories[0] == histories[1]
    assert same(everything(runs[0]), everything(runs[1]))
    assert program(seed=5).fit(data, epochs=1, progress=False).losses[0] != histories[0][0]


def test_both_backends_draw_alike(data: dict[str, np.ndarray]) -> None:
    runs = [program(backend=backend) for backend in ("llvm", "numpy")]
    for start in (0, N):
        losses = [prog.step(**batch(data, start))["loss"] for prog in runs]
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_dropout_of_one_layer_differs_between_uses_and_steps() -> None:
    drop = sn.nn.Dropout(0.5)
    x, w = sn.input("x", ("N", 1000)), sn.parameter("w", (), init=1.0)
    first, second = drop(x) * w, drop(x) * w
    kept = sn.mean(sn.cast(sn.equal(first, second), "float32"))
    loss = sn.sum(first + second) * 0.0 + kept
    prog = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.0), batch={"N": 4})
    values = [float(prog.step(x=np.ones((4, 1000), "float32"))["loss"]) for _ in range(5)]
    assert all(abs(value - 0.5) < 0.05 for value in values)
    assert len(set(values)) > 1


def test_frozen_statistics_in_training(data: dict[str, np.ndarray]) -> None:
    """`eval()` before building: batch norm keeps its statistics and trains its weight; dropout is off."""
    net = Net()
    net.norm.eval()
    net.drop.eval()
    x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",))
    loss = sn.mean(sn.square(net(x)[:, 0] - y))
    prog = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1), batch={"N": N})
    prog.buffers["norm.running_mean"] = mean = np.arange(6, dtype="float32")
    weight = prog.parameters["norm.weight"]
    assert prog.evaluate(**batch(data))["loss"] == prog.step(**batch(data))["loss"]
    assert (prog.buffers["norm.running_mean"] == mean).all()
    assert "random.step" not in prog.buffers
    assert "norm.num_batches_tracked" not in prog.buffers
    assert (prog.parameters["norm.weight"] != weight).any()


def test_another_floating_type(data: dict[str, np.ndarray]) -> None:
    prog = program(dtype="float64")
    assert prog.buffers["norm.running_mean"].dtype == "float64"
    assert prog.buffers["norm.num_batches_tracked"].dtype == prog.buffers["random.step"].dtype == "int64"
    single = program()
    wide = {name: array.astype("float64") for name, array in batch(data).items()}
    np.testing.assert_allclose(prog.step(**wide)["loss"], single.step(**batch(data))["loss"], rtol=1e-5)


def test_gradients_are_those_of_the_next_step(data: dict[str, np.ndarray]) -> None:
    """With the elements that it will drop and the statistics of its batch."""
    prog = program(optimizer=sn.optim.SGD(lr=0.5))
    for start in (0, N):
        before, gradients = dict(prog.parameters), prog.gradients(**batch(data, start))
        prog.step(**batch(data, start))
        for name, value in before.items():
            np.testing.assert_allclose(
                prog.parameters[name], value - 0.5 * gradients[name], rtol=1e-5, atol=1e-6, err_msg=name
            )
