"""`fit`: the same as stepping by hand, reproducible, resumable; history, validation, callbacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import symnet as sn
from tests.symnet.program.conftest import data
from tests.symnet.program.test_program import program


def test_fit_is_a_loop_of_steps(backend: str) -> None:
    fitted, stepped = program(backend), program(backend)
    rows = data(21)
    history = fitted.fit(rows, epochs=2, batch_size=8, shuffle=False, progress=False)
    losses = [
        float(stepped.step(x=rows["x"][i : i + 8], y=rows["y"][i : i + 8])["loss"])
        for _ in range(2)
        for i in range(0, 21, 8)
    ]
    np.testing.assert_array_equal(history.losses, losses)
    for name in fitted.parameters:
        np.testing.assert_array_equal(fitted.parameters[name], stepped.parameters[name])


def test_shuffling_follows_from_the_seed() -> None:
    runs = [program(seed=s).fit(data(50), epochs=2, batch_size=8, progress=False).losses for s in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize("optimizer", [sn.optim.SGD(lr=0.1, momentum=0.9), sn.optim.Adam(lr=0.01)])
def test_resuming_gives_the_same_bits(tmp_path: Path, optimizer: object) -> None:
    whole, first, second = (program(optimizer=optimizer) for _ in range(3))
    whole.fit(data(50), epochs=4, progress=False)
    first.fit(data(50), epochs=2, progress=False)
    first.save(tmp_path / "run.safetensors")
    second.load(tmp_path / "run.safetensors")
    second.fit(data(50), epochs=2, progress=False)
    for name in whole.instance.persistent:
        np.testing.assert_array_equal(whole.instance.read(name), second.instance.read(name), err_msg=name)


def test_history(tmp_path: Path) -> None:
    prog = program(optimizer=sn.optim.Adam(lr=0.05))
    seen: list[int] = []

    def stop_after_three(p: sn.Program, history: object) -> bool:
        seen.append(p.epochs_done)
        return p.epochs_done == 3

    history = prog.fit(
        data(100),
        epochs=10,
        validation=data(40, seed=1),
        metrics=["accuracy"],
        callbacks=[stop_after_three],
        progress=False,
    )
    assert seen == [1, 2, 3]
    assert len(history.losses) == 3 * 13
    assert list(history.epochs[-1]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
    assert history["loss"][-1] < history["loss"][0]
    assert 0.34 < history["val_accuracy"][-1] <= 1
    history.plot(tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(sn.FileError, match="cannot write"):
        history.plot(tmp_path / "missing" / "loss.png")


def test_wrong_data() -> None:
    prog = program()
    before = prog.parameters["W1"]
    with pytest.raises(sn.ShapeError, match="batch_size is 9"):
        prog.fit(data(20), batch_size=9, progress=False)
    with pytest.raises(sn.ShapeError, match="no rows"):
        prog.fit(data(0), progress=False)
    with pytest.raises(sn.UnknownName, match=r"metric 'acuracy'.*accuracy"):
        prog.fit(data(20), metrics=["acuracy"], progress=False)
    bad = data(20)
    bad["y"][3] = 7
    with pytest.raises(sn.IndexOutOfRange):
        prog.fit(bad, epochs=1, batch_size=8, shuffle=False, progress=False)
    np.testing.assert_array_equal(prog.parameters["W1"], before)


def test_nan_losses_stop_training_when_asked() -> None:
    prog = program()
    rows = data(20)
    rows["x"][11, 0] = np.nan
    with pytest.raises(sn.NotFinite, match="step 2 of epoch 1"):
        prog.fit(rows, batch_size=8, shuffle=False, check_finite=True, progress=False)


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, None])
def test_bad_checkpoints_change_nothing(tmp_path: Path, content: bytes | None) -> None:
    prog = program()
    path = tmp_path / "run.safetensors"
    if content is None:
        program(optimizer=sn.optim.Adam()).save(path)
    else:
        path.write_bytes(content)
    before = {name: prog.instance.read(name) for name in prog.instance.persistent}
    with pytest.raises(sn.FileError):
        prog.load(path)
    for name, value in before.items():
        np.testing.assert_array_equal(prog.instance.read(name), value)


def test_load_parameters_is_all_or_nothing() -> None:
    prog = program()
    before = prog.parameters["b1"]
    with pytest.raises(sn.ShapeError, match="W1"):
        prog.load_parameters({"b1": np.ones(7, np.float32), "W1": np.ones((2, 2), np.float32)})
    np.testing.assert_array_equal(prog.parameters["b1"], before)
    prog.load_parameters({"b1": np.ones(7, np.float32)})
    np.testing.assert_array_equal(prog.parameters["b1"], np.ones(7))
