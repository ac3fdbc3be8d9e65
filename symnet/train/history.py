"""What a training run leaves behind: losses by batch, figures by epoch, and their picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from symnet.errors import FileError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass
class History:
    """The record of `fit`.

    losses   the training loss of every batch, in order
    epochs   one dictionary an epoch: `epoch`, `loss` (mean over its batches, weighted by their sizes), then metrics,
             then `val_loss` and `val_…` when there is validation data, and `seconds`
    """

    losses: list[float] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)

    def __getitem__(self, name: str) -> list[float]:
        """One figure over the epochs: `history["val_loss"]`."""
        if not self.epochs or name not in self.epochs[-1]:
            known = ", ".join(self.epochs[-1]) if self.epochs else "no epoch yet"
            raise UsageError(f"the history has no figure {name!r}; known: {known}")
        return [epoch[name] for epoch in self.epochs]

    def figure(self) -> Figure:
        """The loss curve as a matplotlib figure: every batch, the mean of every epoch, and validation if there is."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise UsageError("plots need matplotlib: pip install 'symnet[plot]'") from None
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(range(1, len(self.losses) + 1), self.losses, color="#9db8d9", linewidth=0.8, label="batch")
        if self.epochs:
            share = len(self.losses) / len(self.epochs)
            ends = [share * (i + 1) for i in range(len(self.epochs))]
            middles = [end - share / 2 for end in ends]  # a mean belongs to the whole epoch, a validation to its end
            axes.plot(middles, self["loss"], color="#1f4e8c", marker=".", label="mean of the epoch")
            if "val_loss" in self.epochs[-1]:
                axes.plot(ends, self["val_loss"], color="#c0504d", marker=".", label="validation")
        if self.losses and min(self.losses) > 0 and max(self.losses) > 20 * min(self.losses):
            axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        return figure

    def plot(self, path: str | Path) -> None:
        """Write the loss curve to a picture file (PNG, SVG, PDF by its suffix)."""
        figure = self.figure()
        try:
            figure.savefig(path, dpi=150)
        except (OSError, ValueError) as error:
            raise FileError(f"cannot write the picture {str(path)!r}: {error}") from error

    def summary(self) -> str:
        """The last epoch's figures on one line."""
        return describe(self.epochs[-1]) if self.epochs else "no epoch yet"


def describe(figures: Mapping[str, float]) -> str:
    """`loss 0.1234  accuracy 0.9712`."""
    return "  ".join(f"{name} {value:.4f}" for name, value in figures.items() if name not in ("epoch", "seconds"))
