"""Callbacks: when they are called, early stopping as in Keras, checkpoints, schedulers, logs."""

from __future__ import annotations

import csv
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.train import fit as loop
from tests.symnet.train.conftest import Make, classifier, rows


class Recorder(sn.callbacks.Callback):
    """Notes what is called, and how many batches and epochs the history had then."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, int]] = []

    def _note(self, name: str, history: sn.History) -> None:
        self.calls.append((name, len(history.losses), len(history.epochs)))

    def on_fit_begin(self, program: Any, history: sn.History) -> None:
        self._note("fit begin", history)

    def on_epoch_begin(self, program: Any, history: sn.History) -> None:
        self._note("epoch begin", history)

    def on_epoch_end(self, program: Any, history: sn.History) -> None:
        self._note("epoch end", history)

    def on_fit_end(self, program: Any, history: sn.History) -> None:
        self._note("fit end", history)


class PerBatch(Recorder):
    def on_batch_begin(self, program: Any, history: sn.History) -> None:
        self._note("batch begin", history)

    def on_batch_end(self, program: Any, history: sn.History) -> bool:
        self._note("batch end", history)
        return len(history.losses) == 5


def test_when_callbacks_are_called(program: Any) -> None:
    recorder = Recorder()
    program.fit(rows(), epochs=2, callbacks=[recorder], progress=False)
    assert recorder.calls == [
        ("fit begin", 0, 0),
        ("epoch begin", 0, 0), ("epoch end", 3, 1),
        ("epoch begin", 3, 1), ("epoch end", 6, 2),
        ("fit end", 6, 2),
    ]  # fmt: skip


def test_a_callback_for_batches_sees_each_and_can_stop(fresh: Callable[[Make], Any]) -> None:
    wanted = fresh(classifier).fit(rows(), epochs=2, progress=False).losses
    recorder, program = PerBatch(), fresh(classifier)
    history = program.fit(rows(), epochs=4, callbacks=[recorder], progress=False)
    assert history.losses == wanted[:5]
    assert (len(history.epochs), history.ends, program.epochs_done) == (2, [3, 5], 2)
    batches = [(name, losses) for name, losses, _ in recorder.calls if name.startswith("batch")]
    assert batches[:4] == [("batch begin", 0), ("batch end", 1), ("batch begin", 1), ("batch end", 2)]
    assert batches[-1] == ("batch end", 5)
    assert [name for name, _ in batches] == ["batch begin", "batch end"] * 5
    np.testing.assert_allclose(history["loss"][1], np.mean(wanted[3:5]), rtol=1e-12)


def test_without_callbacks_for_batches_a_stretch_is_one_native_call(
    program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    run = type(program).run_batches

    def counted(self: Any, entry: str, data: Any, rows: Any, batch: int, done: int = 0) -> Any:
        calls.append(-(-len(rows) // batch))
        return run(self, entry, data, rows, batch, done)

    monkeypatch.setattr(type(program), "run_batches", counted)
    monkeypatch.setattr(loop, "REPORT_SECONDS", 100.0)
    program.fit(rows(2000), epochs=2, batch_size=4, callbacks=[Recorder(), lambda p, h: None], progress=False)
    assert calls == [1, 499, 500]
    program.fit(rows(4), epochs=150, batch_size=4, progress=False)  # however short the epochs are
    calls.clear()
    program.fit(rows(40), batch_size=4, callbacks=[PerBatch()], progress=False)
    assert calls == [1] * 5


def test_functions(program: Any) -> None:
    seen: list[Any] = []
    callback = sn.callbacks.LambdaCallback(
        on_fit_begin=lambda p, h: seen.append("begin"),
        on_batch_end=lambda p, h: seen.append(round(h.losses[-1], 3)) or len(h.losses) >= 2,
        on_fit_end=lambda p, h: seen.append("end"),
    )
    history = program.fit(rows(), epochs=3, callbacks=[callback], progress=False)
    assert seen == ["begin", *(round(loss, 3) for loss in history.losses), "end"]
    assert len(history.losses) == 2
    with pytest.raises(sn.DTypeError, match="on_epoch_end is 3"):
        sn.callbacks.LambdaCallback(on_epoch_end=3)  # type: ignore[arg-type]
    with pytest.raises(sn.DTypeError, match=r"the class EarlyStopping, expected an object: EarlyStopping\(…\)"):
        program.fit(rows(), callbacks=[sn.callbacks.EarlyStopping], progress=False)


# --- early stopping -----------------------------------------------------------------------------------------------


def stopped(values: list[float], **options: Any) -> tuple[int, int | None]:
    """How many epochs run when a figure takes these values, and the best of them; the program is only counted on."""
    callback = sn.callbacks.EarlyStopping("val_loss", **options)
    counter = types.SimpleNamespace(
        epochs_done=0, instance=types.SimpleNamespace(snapshot=lambda: None, restore=lambda kept: None)
    )
    history = sn.History()
    callback.on_fit_begin(counter, history)  # type: ignore[arg-type]
    for value in values:
        counter.epochs_done += 1
        history.epochs.append({"epoch": counter.epochs_done, "val_loss": value})
        if callback.on_epoch_end(counter, history):  # type: ignore[arg-type]
            assert callback.stopped_epoch == counter.epochs_done
            break
    return counter.epochs_done, callback.best_epoch


STOPS: list[tuple[list[float], dict[str, Any], tuple[int, int | None]]] = [
    ([3, 2, 1, 0], {}, (4, 4)),
    ([3, 2, 2, 1], {}, (3, 2)),
    ([3, 2, 2, 1], {"patience": 1}, (3, 2)),
    ([3, 2, 2, 1, 1, 1, 1], {"patience": 2}, (6, 4)),
    ([3, 2.5, 2.2, 2.0], {"min_delta": 0.4}, (3, 2)),
    ([3, 2.5, 2.2, 2.0], {"min_delta": -0.4}, (3, 2)),
    ([1, 2, 3, 2], {"mode": "max"}, (4, 3)),
    ([1, 2, 3, 2], {"mode": "max", "min_delta": 1.5}, (2, 1)),
    ([5, 4, 3, 2, 1], {"baseline": 1.5, "patience": 3}, (5, 5)),
    ([5, 4, 4, 4, 1], {"baseline": 1.5, "patience": 3}, (3, 2)),
    ([5, 4, 1, 2, 3, 4], {"baseline": 1.5, "patience": 3}, (6, 3)),
    ([1, 2, 3, 1.5, 0.5], {"start_from_epoch": 2}, (5, 5)),
    ([1, 2, 3, 4], {"start_from_epoch": 2}, (4, 3)),
    ([float("nan"), float("nan"), 1, 2], {"patience": 2}, (2, None)),
    ([float("nan"), 1, 2], {}, (3, 2)),
]


@pytest.mark.parametrize(("values", "options", "wanted"), STOPS)
def test_early_stopping(values: list[float], options: dict[str, Any], wanted: tuple[int, int | None]) -> None:
    assert stopped(values, **options) == wanted


def test_early_stopping_is_that_of_keras(request: pytest.FixtureRequest, seed: int) -> None:
    if not request.config.getoption("--peers"):
        pytest.skip("compares with Keras: --peers")
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(seed)
    for _ in range(200):
        values = np.round(rng.random(12), 1).tolist()
        options = {
            "patience": int(rng.integers(0, 4)), "min_delta": float(rng.choice([0.0, 0.2])), "mode": "min",
            "baseline": None if rng.random() < 0.6 else 0.3, "start_from_epoch": int(rng.integers(0, 3)),
        }  # fmt: skip
        theirs = keras.callbacks.EarlyStopping("val_loss", **options)
        model = types.SimpleNamespace(stop_training=False, get_weights=lambda: None)
        theirs.set_model(model)
        theirs.on_train_begin()
        count = 0
        for epoch, value in enumerate(values):
            theirs.on_epoch_end(epoch, {"val_loss": value})
            count += 1
            if model.stop_training:
                break
        assert stopped(values, **options)[0] == count, (values, options)


def test_the_best_epoch_is_restored_as_a_whole(fresh: Callable[[Make], Any]) -> None:
    """After restoring, the program goes on exactly as one that was stopped after its best epoch."""
    fall = iter([3.0, 2.0, 4.0, 5.0])

    def figure(program: Any, history: sn.History) -> None:
        history.epochs[-1]["figure"] = next(fall)
        program.hyper["lr"] *= 0.5

    best = fresh(classifier)
    for _ in range(2):
        best.fit(rows(), progress=False)
        best.hyper["lr"] *= 0.5
    snapshot = best.instance.snapshot()
    program = fresh(classifier)
    stopper = sn.callbacks.EarlyStopping("figure", patience=2, restore_best=True)
    history = program.fit(rows(), epochs=9, callbacks=[figure, stopper], progress=False)
    assert (len(history.epochs), stopper.stopped_epoch, stopper.best_epoch, stopper.best) == (4, 4, 2, 2.0)
    assert program.epochs_done == 2
    assert (program.instance.snapshot() == snapshot).all()


def test_accuracy_rises(program: Any) -> None:
    stopper = sn.callbacks.EarlyStopping("val_accuracy", patience=2)
    program.hyper["lr"] = 0.0
    program.fit(rows(), epochs=9, validation=rows(), metrics=["accuracy"], callbacks=[stopper], progress=False)
    assert program.epochs_done == 3
    with pytest.raises(sn.UsageError, match=r"EarlyStopping: the epoch has no figure 'val_loss'; it has epoch, loss"):
        program.fit(rows(), callbacks=[sn.callbacks.EarlyStopping()], progress=False)
    for wrong in ({"mode": "up"}, {"patience": -1}, {"start_from_epoch": -1}):
        with pytest.raises(sn.UsageError):
            sn.callbacks.EarlyStopping(**wrong)  # type: ignore[arg-type]


# --- checkpoints --------------------------------------------------------------------------------------------------


def test_checkpoints(program: Any, tmp_path: Path) -> None:
    values = iter([3.0, 4.0, 2.0, 2.5, 1.0])

    def figure(program: Any, history: sn.History) -> None:
        history.epochs[-1]["val_loss"] = next(values)

    best = sn.callbacks.Checkpoint(tmp_path / "{epoch:02d}-{val_loss:.1f}.safetensors", best_only=True)
    every = sn.callbacks.Checkpoint(tmp_path / "every-{epoch}.safetensors", every=2)
    last = sn.callbacks.Checkpoint(tmp_path / "last.safetensors")
    program.fit(rows(), epochs=5, callbacks=[figure, best, every, last], progress=False)
    assert [path.name for path in best.saved] == ["01-3.0.safetensors", "03-2.0.safetensors", "05-1.0.safetensors"]
    assert [path.name for path in every.saved] == ["every-2.safetensors", "every-4.safetensors"]
    assert len(last.saved) == 1
    after = program.instance.snapshot()
    program.load(best.saved[0])
    assert program.epochs_done == 1
    program.load(last.saved[0])
    assert (program.instance.snapshot() == after).all()
    with pytest.raises(sn.UsageError, match=r"the path has \{accuracy\}; the epoch has epoch, loss, seconds"):
        program.fit(rows(), callbacks=[sn.callbacks.Checkpoint(tmp_path / "{accuracy}")], progress=False)
    with pytest.raises(sn.FileError, match="cannot write"):
        program.fit(rows(), callbacks=[sn.callbacks.Checkpoint(tmp_path / "no" / "file")], progress=False)
    with pytest.raises(sn.UsageError, match="every is 0"):
        sn.callbacks.Checkpoint("x", every=0)
    with pytest.raises(sn.UsageError, match="leave out every="):
        sn.callbacks.Checkpoint("x", best_only=True, every=2)


# --- schedulers ---------------------------------------------------------------------------------------------------


class Halving:
    """The least a scheduler may be."""

    def __init__(self, program: Any) -> None:
        self.program, self.seen = program, list[Any]()

    def step(self) -> None:
        self.program.hyper["lr"] /= 2


class OnFigure(Halving):
    def step(self, metrics: float, epoch: object = None) -> None:  # type: ignore[override]
        self.seen.append(metrics)


def test_schedulers_step_after_an_epoch_or_a_step(fresh: Callable[[Make], Any]) -> None:
    program = fresh(classifier)
    history = program.fit(rows(), epochs=3, callbacks=[Halving(program)], progress=False)
    assert history["lr"] == [0.05, 0.025, 0.0125]
    assert program.hyper["lr"] == 0.00625
    program = fresh(classifier)
    schedule = sn.callbacks.Schedule(Halving(program), every="step")
    program.fit(rows(), epochs=2, callbacks=[schedule], progress=False)
    assert program.hyper["lr"] == 0.05 / 2**6
    by_hand = fresh(classifier)
    for batch in sn.data.batches(rows(), 8):
        by_hand.step(**batch)
        by_hand.hyper["lr"] /= 2
    again = fresh(classifier)
    again.fit(rows(), callbacks=[sn.callbacks.Schedule(Halving(again), every="step")], progress=False)
    np.testing.assert_array_equal(again.parameters["W1"], by_hand.parameters["W1"])


def test_a_scheduler_that_takes_a_figure(program: Any) -> None:
    plain, named = OnFigure(program), OnFigure(program)
    callbacks = [plain, sn.callbacks.Schedule(named, monitor="accuracy")]
    history = program.fit(
        rows(), epochs=2, validation=rows(9), metrics=["accuracy"], callbacks=callbacks, progress=False
    )
    assert plain.seen == history["val_loss"]
    assert named.seen == history["accuracy"]
    alone = OnFigure(program)
    assert program.fit(rows(), callbacks=[alone], progress=False)["loss"] == alone.seen
    for make, words in (
        (lambda: sn.callbacks.Schedule(Halving(program), monitor="loss"), "step.. takes no figure"),
        (lambda: sn.callbacks.Schedule(OnFigure(program), every="step"), "once an epoch"),
        (lambda: sn.callbacks.Schedule(Halving(program), every="batch"), "'epoch' or 'step'"),  # type: ignore[arg-type]
        (lambda: sn.callbacks.Schedule(3), "no method step"),
    ):
        with pytest.raises(sn.SymnetError, match=words):
            make()


# --- logs ---------------------------------------------------------------------------------------------------------


def test_csv(program: Any, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log = sn.callbacks.CSVLog(path)
    confusion = sn.metrics.ConfusionMatrix()
    history = program.fit(rows(), epochs=2, metrics=["accuracy", confusion], callbacks=[log], progress=False)
    with path.open() as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["epoch", "loss", "accuracy", "seconds"]
    assert [float(line["loss"]) for line in lines] == history["loss"]
    assert history["confusion_matrix"][0].sum() == len(rows()["x"])
    more = program.fit(rows(), metrics=["accuracy"], callbacks=[sn.callbacks.CSVLog(path, append=True)], progress=False)
    with path.open() as file:
        assert [float(line["loss"]) for line in csv.DictReader(file)] == history["loss"] + more["loss"]
    with pytest.raises(sn.UsageError, match=r"has the columns epoch, loss, accuracy, seconds; this epoch has"):
        program.fit(rows(), callbacks=[sn.callbacks.CSVLog(path, append=True)], progress=False)
    program.fit(rows(), callbacks=[sn.callbacks.CSVLog(path, separator=";")], progress=False)
    assert path.read_text().startswith("epoch;loss;seconds\n")
    with pytest.raises(sn.FileError, match="cannot open"):
        program.fit(rows(), callbacks=[sn.callbacks.CSVLog(tmp_path / "no" / "log.csv")], progress=False)
    with pytest.raises(sn.UsageError, match="one character"):
        sn.callbacks.CSVLog(path, separator="; ")


def test_tensorboard(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The package is not needed here: what stands in its place notes what it is given."""
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(sn.UsageError, match="pip install tensorboard"):
        sn.callbacks.TensorBoard(tmp_path)
    written: list[tuple[str, float, int]] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            self.folder, self.open = folder, True

        def add_scalar(self, tag: str, value: float, step: int) -> None:
            assert self.open
            written.append((tag, value, step))

        def flush(self) -> None:
            assert self.open

        def close(self) -> None:
            self.open = False

    package, summary = types.ModuleType("tensorboard"), types.ModuleType("tensorboard.summary")
    summary.Writer = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorboard", package)
    monkeypatch.setitem(sys.modules, "tensorboard.summary", summary)
    board = sn.callbacks.TensorBoard(tmp_path, every="step")
    history = program.fit(rows(), epochs=2, validation=rows(9), callbacks=[board], progress=False)
    assert [(v, s) for tag, v, s in written if tag == "epoch/val_loss"] == list(
        zip(history["val_loss"], [1, 2], strict=True)
    )
    steps = [(value, step) for tag, value, step in written if tag == "step/loss"]
    assert steps == list(zip(history.losses, range(1, 7), strict=True))
    assert not board._writer.open
    with pytest.raises(sn.UsageError, match="'epoch' or 'step'"):
        sn.callbacks.TensorBoard(tmp_path, every="batch")  # type: ignore[arg-type]


def test_schedulers_of_the_package(fresh: Callable[[Make], Any]) -> None:
    schedulers = sn.optim.lr_scheduler
    program = fresh(classifier)
    plateau = schedulers.ReduceLROnPlateau(program, patience=0, threshold=10.0)
    history = program.fit(rows(), epochs=3, validation=rows(9), callbacks=[plateau], progress=False)
    np.testing.assert_allclose(history["lr"], [0.05, 0.005, 0.0005], rtol=1e-12)
    program = fresh(classifier)
    cycle = schedulers.OneCycleLR(program, max_lr=0.1, total_steps=7)
    program.fit(rows(), epochs=2, callbacks=[sn.callbacks.Schedule(cycle, every="step")], progress=False)
    assert cycle.last_epoch == 6
    assert program.hyper["lr"] == cycle.get_last_lr()[0] < 1e-6
