"""Several training runs in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from symnet.errors import DTypeError, UsageError
from symnet.train.history import History
from symnet.train.plots import COLOURS, blank, numbers, running_mean, save, scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["compare"]


def compare(
    histories: Sequence[History] | Mapping[str, History],
    path: str | Path,
    labels: Sequence[str] | None = None,
    metric: str | None = None,
    title: str | None = None,
) -> None:
    """Write a picture of several runs: their losses by step, and beside them a figure by epoch.

        sn.compare([first, second], "optimizers.png", labels=["SGD", "Adam"])
        sn.compare({"SGD": first, "Adam": second}, "optimizers.png", metric="val_accuracy")

    labels  what the runs are called; a mapping from labels to histories says it too
    metric  the figure by epoch; by default "val_accuracy", "val_loss" or "accuracy", the first that all runs have;
            without any there is one picture
    """
    save(figure(histories, labels, metric, title), path)


def figure(
    histories: Sequence[History] | Mapping[str, History],
    labels: Sequence[str] | None = None,
    metric: str | None = None,
    title: str | None = None,
) -> Figure:
    """The picture that `compare` writes, as a matplotlib figure."""
    runs = _labelled(histories, labels)
    shown = _metric(list(runs.values()), metric)
    width, columns = (10.4, 2) if shown else (7.2, 1)
    picture, axes = blank(width, ncols=columns, squeeze=False)
    left = axes[0, 0]
    for colour, (label, history) in zip(_colours(len(runs)), runs.items(), strict=True):
        batches = np.asarray(history.losses, float)
        steps = np.arange(1, len(batches) + 1)
        left.plot(steps, batches, color=colour, alpha=0.22, linewidth=0.7)
        left.plot(steps, running_mean(batches), color=colour, linewidth=1.6, label=label)
        if shown:
            axes[0, 1].plot(
                np.arange(1, len(history.epochs) + 1), numbers(history, shown), color=colour, marker=".", label=label
            )
    scale(left.yaxis, np.concatenate([np.asarray(h.losses, float) for h in runs.values()]))
    left.set(xlabel="step", ylabel="training loss")
    left.margins(x=0.02)
    left.legend(frameon=False, fontsize=9)
    if shown:
        axes[0, 1].set(xlabel="epoch", ylabel=shown.replace("val_", "validation ").replace("_", " "))
        axes[0, 1].xaxis.get_major_locator().set_params(integer=True)
        if "loss" in shown:
            scale(axes[0, 1].yaxis, np.concatenate([numbers(h, shown) for h in runs.values()]))
    if title is not None:
        picture.suptitle(title, fontsize=12)
    return picture


def _labelled(histories: object, labels: Sequence[str] | None) -> dict[str, History]:
    if isinstance(histories, Mapping):
        if labels is not None:
            raise UsageError("compare: labels are given twice: by the mapping, and by labels=")
        labels, histories = list(histories), list(histories.values())
    if not isinstance(histories, Sequence) or not all(isinstance(one, History) for one in histories):
        raise DTypeError(f"compare: expected a list of histories, got {type(histories).__name__} of something else")
    names = [f"run {place}" for place in range(1, len(histories) + 1)] if labels is None else list(map(str, labels))
    if len(names) != len(histories) or len(set(names)) != len(names):
        raise UsageError(f"compare: {len(histories)} histories and the labels {names}; expected one different each")
    if not histories or not all(one.losses for one in histories):
        raise UsageError("compare: expected at least one history, and a step in each")
    return dict(zip(names, histories, strict=True))


def _metric(runs: Sequence[History], wanted: str | None) -> str | None:
    def everywhere(name: str) -> bool:
        return all(run.epochs and name in run.epochs[-1] for run in runs)

    if wanted is not None:
        if not everywhere(wanted):
            raise UsageError(f"compare: not every run has the figure {wanted!r}")
        return wanted
    return next((name for name in ("val_accuracy", "val_loss", "accuracy") if everywhere(name)), None)


def _colours(count: int) -> list[str]:
    return [COLOURS[place % len(COLOURS)] for place in range(count)]
