"""What a training run leaves behind: losses by batch, figures by epoch."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import FileError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symnet.train.metrics.base import Value

__all__ = ["History"]

FORMAT = 1


@dataclass
class History:
    """The record of `fit`; `first + second` is that of two runs one after the other.

    losses          the training loss of every batch, in order
    epochs          one dictionary an epoch: `epoch`, `loss` (mean over its batches, weighted by their sizes), then
                    metrics, then `val_loss` and `val_…` when there is validation data, and `seconds`
    ends            how many batches there were at the end of each epoch
    gradient_norms  parameter -> the norm of its gradient in every batch, with `fit(gradient_norms=True)`
    """

    losses: list[float] = field(default_factory=list)
    epochs: list[dict[str, Value]] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    gradient_norms: dict[str, list[float]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> list[Any]:
        """One figure over the epochs: `history["val_loss"]`; None for an epoch without it."""
        if not any(name in epoch for epoch in self.epochs):
            known = ", ".join(dict.fromkeys(key for epoch in self.epochs for key in epoch)) or "no epoch yet"
            raise UsageError(f"the history has no figure {name!r}; known: {known}")
        return [epoch.get(name) for epoch in self.epochs]

    def __add__(self, later: History) -> History:
        """This run and then another."""
        if not isinstance(later, History):
            return NotImplemented
        done = len(self.losses)
        names = [name for name in self.gradient_norms if name in later.gradient_norms]
        same = names if len(names) == len(self.gradient_norms) == len(later.gradient_norms) else []
        return History(
            [*self.losses, *later.losses],
            [*self.epochs, *later.epochs],
            [*self.ends, *(done + end for end in later.ends)],
            {name: [*self.gradient_norms[name], *later.gradient_norms[name]] for name in same},
        )

    def forget(self, steps: int) -> None:
        """Keep only so many batches."""
        del self.losses[steps:]
        for norms in self.gradient_norms.values():
            del norms[steps:]

    def summary(self) -> str:
        """The last epoch's figures on one line."""
        return describe(self.epochs[-1]) if self.epochs else "no epoch yet"

    # --- pictures ------------------------------------------------------------------------------------------------

    def figure(self) -> Figure:
        """The loss curve as a matplotlib figure: every batch, the mean of every epoch, and validation if there is."""
        from symnet.train.plots import losses

        return losses(self)

    def plot(self, path: str | Path) -> None:
        """Write the loss curve to a picture file (PNG, SVG, PDF by its suffix)."""
        from symnet.train.plots import save

        save(self.figure(), path)

    def plot_gradients(self, path: str | Path) -> None:
        """Write a picture of the gradients' norms: a row for each parameter, from the input up, a column for each step.

        Needs `fit(gradient_norms=True)`.
        """
        from symnet.train.plots import gradients, save

        save(gradients(self), path)

    def compare(self, *others: History, path: str | Path, labels: Sequence[str] | None = None) -> None:
        """Write a picture of this run beside others; see `sn.compare`."""
        from symnet.train.compare import compare

        compare([self, *others], path, labels=labels)

    # --- keeping -------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the history: all of it to a `.json` file, the table of epochs (without arrays) to a `.csv` file."""
        target = Path(path)
        try:
            if target.suffix == ".csv":
                with target.open("w", newline="", encoding="utf-8") as file:
                    rows = [scalars(epoch) for epoch in self.epochs]
                    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
                    writer.writeheader()
                    writer.writerows({name: repr(value) for name, value in row.items()} for row in rows)
            elif target.suffix == ".json":
                target.write_text(json.dumps(self._plain()), encoding="utf-8")
            else:
                raise FileError(f"cannot write the history to {target}: expected a name that ends in .json or .csv")
        except OSError as error:
            if isinstance(error, FileError):
                raise
            raise FileError(f"cannot write the history to {target}: {error.strerror or error}") from error

    def _plain(self) -> dict[str, Any]:
        epochs = [{name: np.asarray(value).tolist() for name, value in epoch.items()} for epoch in self.epochs]
        return {
            "format": FORMAT,
            "losses": self.losses,
            "epochs": epochs,
            "ends": self.ends,
            "gradient_norms": self.gradient_norms,
        }

    @classmethod
    def load(cls, path: str | Path) -> History:
        """Read what `save` wrote; from a `.csv` file there are the epochs alone."""
        source = Path(path)
        try:
            text = source.read_text(encoding="utf-8")
            if source.suffix == ".csv":
                rows = csv.DictReader(text.splitlines())
                return cls(epochs=[{name: float(value) for name, value in row.items() if value} for row in rows])
            plain = json.loads(text)
            if not isinstance(plain, dict) or plain.get("format") != FORMAT:
                raise FileError(f"{source}: not a history of symnet")
            epochs = [{name: np.asarray(value) if isinstance(value, list) else value for name, value in epoch.items()}
                      for epoch in plain["epochs"]]  # fmt: skip
            return cls(plain["losses"], epochs, plain["ends"], plain["gradient_norms"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, FileError):
                raise
            raise FileError(f"{source}: not a readable history: {error}") from error

    def to_pandas(self) -> Any:
        """The epochs as a pandas DataFrame, indexed by the number of the epoch."""
        try:
            import pandas
        except ImportError:
            raise UsageError("to_pandas needs pandas: pip install pandas") from None
        table = pandas.DataFrame(self.epochs)
        return table.set_index(table.pop("epoch").astype(int)) if self.epochs else table


def scalars(figures: Mapping[str, Value]) -> dict[str, float]:
    """The figures that are numbers."""
    return {name: float(value) for name, value in figures.items() if np.ndim(value) == 0}


def describe(figures: Mapping[str, Value]) -> str:
    """`loss 0.1234  accuracy 0.9712`."""
    shown = {name: value for name, value in scalars(figures).items() if name not in ("epoch", "seconds")}
    return "  ".join(f"{name} {short(value)}" for name, value in shown.items())


def short(value: float) -> str:
    """A number for people: `0.1234`, `3.1e-07`."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3g}"
