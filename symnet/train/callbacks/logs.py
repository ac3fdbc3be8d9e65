"""Callbacks that write down the figures: a CSV file, TensorBoard."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from symnet.errors import FileError, UsageError
from symnet.train.callbacks.base import Callback
from symnet.train.history import scalars

if TYPE_CHECKING:
    from symnet.program.program import Program
    from symnet.train.history import History

__all__ = ["CSVLog", "TensorBoard"]


class CSVLog(Callback):
    """Writes the figures of every epoch to a CSV file, a line as soon as the epoch has ended.

    path       of the file
    separator  between the columns
    append     go on with a file that has the same columns, instead of beginning it anew

    Figures that are arrays are left out.
    """

    def __init__(self, path: str | Path, separator: str = ",", append: bool = False) -> None:
        if len(separator) != 1:
            raise UsageError(f"CSVLog: separator is {separator!r}, expected one character")
        self.path, self.separator, self.append = Path(path), separator, append
        self.columns: list[str] | None = None

    def on_fit_begin(self, program: Program, history: History) -> None:
        self.columns = None
        if self.append and self.path.is_file() and self.path.stat().st_size:
            with self._open("r") as file:
                self.columns = next(csv.reader(file, delimiter=self.separator))

    def on_epoch_end(self, program: Program, history: History) -> None:
        figures = scalars(history.epochs[-1])
        begins = self.columns is None
        if self.columns is None:
            self.columns = list(figures)
        if set(self.columns) != set(figures):
            raise UsageError(
                f"CSVLog: {self.path} has the columns {', '.join(self.columns)}; this epoch has {', '.join(figures)}"
            )
        with self._open("w" if begins else "a") as file:
            writer = csv.writer(file, delimiter=self.separator)
            if begins:
                writer.writerow(self.columns)
            writer.writerow([repr(figures[name]) for name in self.columns])

    def _open(self, mode: str) -> Any:
        try:
            return self.path.open(mode, newline="", encoding="utf-8")
        except OSError as error:
            raise FileError(f"CSVLog: cannot open {self.path}: {error.strerror or error}") from error


class TensorBoard(Callback):
    """Writes the figures for TensorBoard: `tensorboard --logdir FOLDER` shows them.

    folder  of the event files
    every   "epoch": the figures of each epoch; "step": the loss of each step as well

    Needs the package `tensorboard`.
    """

    def __init__(self, folder: str | Path = "runs", every: Literal["epoch", "step"] = "epoch") -> None:
        if every not in ("epoch", "step"):
            raise UsageError(f"TensorBoard: every is {every!r}, expected 'epoch' or 'step'")
        try:
            from tensorboard.summary import Writer
        except ImportError:
            raise UsageError("TensorBoard needs the package tensorboard: pip install tensorboard") from None
        self.folder, self.every = Path(folder), every
        self._make = Writer
        self._writer: Any = None

    def on_fit_begin(self, program: Program, history: History) -> None:
        self._writer = self._make(str(self.folder))
        self._written = len(history.losses)

    def on_epoch_end(self, program: Program, history: History) -> None:
        epoch = int(history.epochs[-1]["epoch"])
        for name, value in scalars(history.epochs[-1]).items():
            if name != "epoch":
                self._writer.add_scalar(f"epoch/{name}", value, epoch)
        if self.every == "step":
            for step in range(self._written, len(history.losses)):
                self._writer.add_scalar("step/loss", history.losses[step], step + 1)
            self._written = len(history.losses)
        self._writer.flush()

    def on_fit_end(self, program: Program, history: History) -> None:
        self._writer.close()
