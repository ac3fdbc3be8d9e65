"""Callbacks that watch a figure: early stopping, checkpoints of the best epoch."""

from __future__ import annotations

import math
import string
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from symnet.errors import UsageError
from symnet.runtime.arrays import Array
from symnet.train.callbacks.base import Callback, monitored

if TYPE_CHECKING:
    from symnet.program.program import Program
    from symnet.train.history import History

__all__ = ["Checkpoint", "EarlyStopping"]

Mode = Literal["auto", "min", "max"]
RISING = ("accuracy", "precision", "recall", "f1", "auc", "r2")
"""Figures of which more is better."""


class Best:
    """The best value of a figure so far.

    mode       "min" or "max"; "auto" knows accuracies, precision, recall, F1, AUC and R² to rise, and all else to fall
    min_delta  by how much a value must be better to count
    """

    def __init__(self, who: str, monitor: str, mode: Mode, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise UsageError(f"{who}: mode is {mode!r}, expected 'auto', 'min' or 'max'")
        rises = mode == "max" or (mode == "auto" and any(word in monitor for word in RISING))
        self.who, self.monitor, self.sign, self.min_delta = who, monitor, -1.0 if rises else 1.0, abs(min_delta)
        self.value: float | None = None

    def better(self, value: float, than: float | None) -> bool:
        """NaN is never better."""
        if than is None:
            return not math.isnan(value)
        return self.sign * value + self.min_delta < self.sign * than

    def improved(self, history: History) -> bool:
        """Whether the last epoch is better than all before; then it is the best."""
        value = monitored(history, self.monitor, self.who)
        if not self.better(value, self.value):
            return False
        self.value = value
        return True


class EarlyStopping(Callback):
    """Ends the training when a figure has not become better for some epochs.

    monitor           a figure of the epoch, such as "val_loss" or "val_accuracy"
    patience          how many epochs in a row may be no better than the best; the first such epoch is the last with 0
    min_delta         by how much a value must be better to count
    mode              whether "min" or "max" is better; "auto" tells by the name
    restore_best      when the training ends, make the program what it was after the best epoch, with optimizer state
    baseline          a value that must be beaten for an epoch to count as better
    start_from_epoch  how many epochs of this run pass before any counts

    After the run, `stopped_epoch` is the epoch that ended it (None if none did), `best_epoch` and `best` the best one
    and its value.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        min_delta: float = 0.0,
        mode: Mode = "auto",
        restore_best: bool = False,
        baseline: float | None = None,
        start_from_epoch: int = 0,
    ) -> None:
        if patience < 0 or start_from_epoch < 0:
            raise UsageError(
                f"EarlyStopping: patience is {patience}, start_from_epoch {start_from_epoch}; expected 0 or more"
            )
        self._best = Best("EarlyStopping", monitor, mode, min_delta)
        self.patience, self.restore_best = patience, restore_best
        self.baseline, self.start_from_epoch = baseline, start_from_epoch

    @property
    def best(self) -> float | None:
        return self._best.value

    def on_fit_begin(self, program: Program, history: History) -> None:
        self._best.value = None
        self.waited, self.seen = 0, 0
        self.stopped_epoch: int | None = None
        self.best_epoch: int | None = None
        self._kept: tuple[Array, int] | None = None

    def on_epoch_end(self, program: Program, history: History) -> bool:
        self.seen += 1
        if self.seen <= self.start_from_epoch:
            monitored(history, self._best.monitor, "EarlyStopping")  # a wrong name shows at once
            return False
        self.waited += 1
        if self._best.improved(history):
            self.best_epoch = program.epochs_done
            if self.restore_best:
                self._kept = program.instance.snapshot(), program.epochs_done
            if self.baseline is None or self._best.better(self._best.value or 0.0, self.baseline):
                self.waited = 0
            return False
        if self.waited < self.patience or self.seen == 1:
            return False
        self.stopped_epoch = program.epochs_done
        return True

    def on_fit_end(self, program: Program, history: History) -> None:
        if self._kept is not None:
            program.instance.restore(self._kept[0])
            program.epochs_done = self._kept[1]


class Checkpoint(Callback):
    """Saves the program after epochs.

    path       of the file; `{epoch}` and figures of the epoch may stand in it: "{epoch:03d}-{val_loss:.3f}.safetensors"
    monitor    with `best_only`, the figure that decides
    best_only  save only when the figure is better than in all epochs before
    every      save after every so many epochs
    mode       whether "min" or "max" is better; "auto" tells by the name

    `saved` lists the files. `program.load` goes on from one.
    """

    def __init__(
        self,
        path: str | Path,
        monitor: str = "val_loss",
        best_only: bool = False,
        every: int = 1,
        mode: Mode = "auto",
    ) -> None:
        if every < 1:
            raise UsageError(f"Checkpoint: every is {every}, expected 1 or more")
        if best_only and every > 1:
            raise UsageError("Checkpoint: best_only looks at every epoch; leave out every=")
        self.path, self.best_only, self.every = str(path), best_only, every
        self._best = Best("Checkpoint", monitor, mode)
        self.saved: list[Path] = []

    def on_epoch_end(self, program: Program, history: History) -> None:
        if program.epochs_done % self.every:
            return
        if not self.best_only or self._best.improved(history):
            path = Path(self._named(history))
            program.save(path)
            if path not in self.saved:
                self.saved.append(path)

    def _named(self, history: History) -> str:
        figures = dict(history.epochs[-1])
        figures["epoch"] = int(figures["epoch"])
        fields = [field for _, field, _, _ in string.Formatter().parse(self.path) if field is not None]
        for field in fields:
            if field not in figures:
                raise UsageError(f"Checkpoint: the path has {{{field}}}; the epoch has {', '.join(figures)}")
        return self.path.format(**figures)
