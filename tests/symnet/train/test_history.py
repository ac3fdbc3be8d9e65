"""Histories: put together, kept in files, drawn; and what is left after Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.train import plots
from symnet.train.compare import figure
from tests.symnet.train.conftest import Make, classifier, rows


def history(steps: int = 12, epochs: int = 3, seed: int = 0) -> sn.History:
    rng = np.random.default_rng(seed)
    losses = (2.0 * 0.9 ** np.arange(steps) + 0.05 * rng.random(steps)).tolist()
    ends = [steps * (i + 1) // epochs for i in range(epochs)]
    table = [{"epoch": i + 1.0, "loss": losses[end - 1], "val_loss": losses[end - 1] + 0.1, "seconds": 0.1}
             for i, end in enumerate(ends)]  # fmt: skip
    norms = {name: (rng.random(steps) + 0.1).tolist() for name in ("0.weight", "0.bias")}
    return sn.History(losses, table, ends, norms)


def test_two_runs_make_one(fresh: Callable[[Make], Any]) -> None:
    options: dict[str, Any] = {"validation": rows(9), "gradient_norms": True, "progress": False}
    whole = fresh(classifier).fit(rows(), epochs=3, **options)
    program = fresh(classifier)
    joined = program.fit(rows(), epochs=2, **options) + program.fit(rows(), **options)
    assert (joined.losses, joined.ends, joined.gradient_norms) == (whole.losses, whole.ends, whole.gradient_norms)
    assert joined["val_loss"] == whole["val_loss"]
    assert joined["epoch"] == [1, 2, 3]
    assert program.history is not joined
    assert (joined + sn.History()).gradient_norms == {}
    with pytest.raises(TypeError):
        joined + 3


def test_figures_by_name() -> None:
    found = history() + sn.History([1.0], [{"epoch": 4.0, "loss": 1.0}], [1])
    assert found["val_loss"][-1] is None
    with pytest.raises(sn.UsageError, match="no figure 'accuracy'; known: epoch, loss, val_loss, seconds"):
        found["accuracy"]
    assert found.summary() == "loss 1.0000"
    assert sn.History().summary() == "no epoch yet"


def test_files(tmp_path: Path) -> None:
    found = history()
    found.epochs[0]["confusion_matrix"] = np.array([[3, 1], [0, 2]])
    found.losses[3] = float("nan")
    found.save(tmp_path / "run.json")
    again = sn.History.load(tmp_path / "run.json")
    np.testing.assert_array_equal(again.losses, found.losses)
    assert (again.ends, again.gradient_norms) == (found.ends, found.gradient_norms)
    np.testing.assert_array_equal(again.epochs[0].pop("confusion_matrix"), found.epochs[0].pop("confusion_matrix"))
    assert again.epochs == found.epochs
    found.epochs[2]["lr"] = 0.1
    found.save(tmp_path / "run.csv")
    assert sn.History.load(tmp_path / "run.csv").epochs == found.epochs
    with pytest.raises(sn.FileError, match=r"ends in \.json or \.csv"):
        found.save(tmp_path / "run.txt")
    with pytest.raises(sn.FileError, match="cannot write"):
        found.save(tmp_path / "no" / "run.json")
    for content in ("", "{", "[1]", "{}", '{"format": 1}'):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(sn.FileError, match=r"bad\.json: not a"):
            sn.History.load(tmp_path / "bad.json")
    with pytest.raises(sn.FileError):
        sn.History.load(tmp_path / "missing.json")


def test_pandas() -> None:
    pytest.importorskip("pandas")
    found = history()
    table = found.to_pandas()
    assert list(table.index) == [1, 2, 3]
    assert list(table["val_loss"]) == found["val_loss"]
    assert sn.History().to_pandas().empty


def lines(axes: Any) -> dict[str, Any]:
    return {line.get_label(): line.get_xydata() for line in axes.get_lines()}


def test_the_loss_curve(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = history()
    drawn = lines(found.figure().axes[0])
    assert list(drawn) == ["batch", "mean of the epoch", "validation"]
    assert drawn["validation"][:, 0].tolist() == found.ends
    assert drawn["mean of the epoch"][:, 0].tolist() == [2, 6, 10]
    np.testing.assert_allclose(drawn["batch"][:, 1], found.losses)
    assert plots.losses(sn.History()).axes  # nothing yet is no error
    for name in ("a.png", "a.svg"):
        found.plot(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    with pytest.raises(sn.FileError, match="cannot write the picture"):
        found.plot(tmp_path / "a.nothing")


def test_the_picture_of_gradients(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = history(steps=2000)
    axes = plots.gradients(found).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0.weight", "0.bias"]
    image = axes.get_images()[0].get_array()
    assert image.shape == (2, 500)
    np.testing.assert_allclose(image[0][0], np.median(found.gradient_norms["0.weight"][:4]))
    found.gradient_norms["0.bias"] = [0.0] * 2000
    found.plot_gradients(tmp_path / "flow.png")
    with pytest.raises(sn.UsageError, match="gradient_norms=True"):
        sn.History([1.0]).plot_gradients(tmp_path / "none.png")
    with pytest.raises(sn.UsageError, match="every gradient is zero"):
        sn.History([1.0], gradient_norms={"w": [0.0]}).plot_gradients(tmp_path / "none.png")


def test_several_runs_in_one_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    first, second = history(), history(20, 4, seed=1)
    sn.compare([first, second], tmp_path / "a.png", labels=["SGD", "Adam"])
    first.compare(second, path=tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size > 1000
    picture = figure({"SGD": first, "Adam": second}, title="two optimizers")
    left, right = picture.axes
    assert {"SGD", "Adam"} <= set(lines(left))
    assert lines(right)["Adam"].shape == (4, 2)
    assert right.get_ylabel() == "validation loss"
    assert len(figure([sn.History([1.0, 2.0])]).axes) == 1
    for histories, options, words in (
        ([], {}, "at least one history"),
        ([first], {"labels": ["a", "b"]}, "expected one different each"),
        ([first, second], {"labels": ["a", "a"]}, "expected one different each"),
        ({"a": first}, {"labels": ["a"]}, "given twice"),
        ([first], {"metric": "accuracy"}, "not every run has"),
        ([first, 3], {}, "a list of histories"),
        ([sn.History()], {}, "a step in each"),
    ):
        with pytest.raises(sn.SymnetError, match=words):
            sn.compare(histories, tmp_path / "no.png", **options)
    assert not (tmp_path / "no.png").exists()


# --- Ctrl-C -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("place", ["batch", "epoch"])
def test_what_is_left_after_an_interrupt(place: str, fresh: Callable[[Make], Any]) -> None:
    wanted = fresh(classifier).fit(rows(), epochs=3, progress=False).losses

    def interrupt(program: Any, history: sn.History) -> None:
        if len(history.losses) == (4 if place == "batch" else 3):
            signal.raise_signal(signal.SIGINT)

    callback = sn.callbacks.LambdaCallback(**{f"on_{place}_end": interrupt})
    program = fresh(classifier)
    with pytest.raises(KeyboardInterrupt):
        program.fit(rows(), epochs=9, callbacks=[callback], progress=False)
    assert program.history.losses == wanted[: 4 if place == "batch" else 3]
    assert (len(program.history.epochs), program.history.ends, program.epochs_done) == (1, [3], 1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    stepped = fresh(classifier)
    stepped.fit(rows(), progress=False)
    if place == "batch":
        loader = sn.data.batches(rows(), 8)
        loader.epoch = 1
        stepped.step(**next(iter(loader)))
    np.testing.assert_array_equal(program.instance.snapshot(), stepped.instance.snapshot())


@pytest.mark.usefixtures("interruptible")
def test_a_second_interrupt_does_not_wait(program: Any) -> None:
    def twice(program: Any, history: sn.History) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the second one was not heeded")

    with pytest.raises(KeyboardInterrupt):
        program.fit(rows(), callbacks=[sn.callbacks.LambdaCallback(on_epoch_end=twice)], progress=False)
