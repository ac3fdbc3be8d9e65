"""Pictures of training runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import FileError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symnet.train.history import History

COLOURS = ("#1f4e8c", "#c0504d", "#4f8f4f", "#8064a2", "#d08a2e", "#3a9aa8", "#7a5c44", "#b0589a")
PALE = "#9db8d9"
WINDOW, SHARE = 10, 0.02
"""Over how many batches a running mean goes: at least so many, and such a share of all."""
COLUMNS = 600
"""Most columns of a picture of gradients; steps beyond that are put together."""


def blank(width: float = 7.2, height: float = 4.2, **grid: Any) -> tuple[Figure, Any]:
    """A figure with one pair of axes (or several), in the style of all pictures here."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("plots need matplotlib: pip install 'symnet[plot]'") from None
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("constrained", wspace=0.05)
    axes = figure.subplots(**grid)
    for one in np.ravel(axes):
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.25, linewidth=0.6)
        one.tick_params(labelsize=9)
    return figure, axes


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure to a file; its suffix says which kind."""
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise FileError(f"cannot write the picture {str(path)!r}: {error}") from error


def logarithmic(values: np.ndarray) -> bool:
    """Whether values are best seen on a logarithmic axis: positive, and more than a factor of 20 apart."""
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() > 20 * finite.min())


def scale(axis: Any, values: np.ndarray) -> None:
    """A logarithmic axis with plain numbers on it, where that suits the values."""
    if not logarithmic(values):
        return
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.axes.set_yscale("log")
    finite = values[np.isfinite(values)]
    within = (1.0, 2.0, 5.0) if finite.max() < 1e3 * finite.min() else (1.0,)
    axis.set_major_locator(LogLocator(subs=within, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def losses(history: History) -> Figure:
    """Every batch, the mean of every epoch, and validation if there is."""
    figure, axes = blank()
    batches = np.asarray(history.losses, float)
    axes.plot(np.arange(1, len(batches) + 1), batches, color=PALE, linewidth=0.8, label="batch")
    seen = [batches]
    if history.epochs:
        ends = epoch_ends(history)
        middles = (np.concatenate([[0.0], ends[:-1]]) + ends) / 2  # a mean is of the whole epoch
        axes.plot(middles, numbers(history, "loss"), color=COLOURS[0], marker=".", label="mean of the epoch")
        if any("val_loss" in epoch for epoch in history.epochs):
            seen.append(numbers(history, "val_loss"))
            axes.plot(ends, seen[-1], color=COLOURS[1], marker=".", label="validation")
    scale(axes.yaxis, np.concatenate(seen))
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.margins(x=0.02)
    axes.legend(frameon=False, fontsize=9)
    return figure


def epoch_ends(history: History) -> np.ndarray:
    """The step at which each epoch ended; for a history without steps, the number of the epoch."""
    ends = history.ends if history.losses else range(1, len(history.epochs) + 1)
    return np.asarray(ends, float)


def numbers(history: History, name: str) -> np.ndarray:
    """A figure over the epochs; NaN for an epoch without it."""
    return np.asarray([np.nan if value is None else float(value) for value in history[name]])


def gradients(history: History) -> Figure:
    """The norms of the gradients: colour by magnitude, a row for each parameter, a column for each step."""
    from matplotlib.colors import LogNorm

    if not history.gradient_norms:
        raise UsageError("the history has no gradient norms: train with fit(..., gradient_norms=True)")
    names = list(history.gradient_norms)
    norms = np.asarray([history.gradient_norms[name] for name in names], float)
    width = -(-norms.shape[1] // COLUMNS)
    image = _medians(norms, width)
    figure, axes = blank(7.8, max(2.2, 1.1 + 0.27 * len(names)))
    axes.grid(visible=False)
    shown = np.where(image > 0, image, np.nan)  # an exact zero is left white
    if not np.isfinite(shown).any():
        raise UsageError("there is nothing to draw: every gradient is zero, or none is finite")
    low, high = np.nanmin(shown), np.nanmax(np.where(np.isfinite(shown), shown, np.nan))
    scale = LogNorm(max(low, high * 1e-12), high if high > low else low * 10)
    steps = norms.shape[1]
    picture = axes.imshow(
        shown, aspect="auto", cmap="viridis", norm=scale, origin="lower", interpolation="nearest",
        extent=(0.5, steps + 0.5, -0.5, len(names) - 0.5),
    )  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    for end in history.ends[:-1] if len(history.ends) <= 30 else []:
        axes.axvline(end + 0.5, color="white", linewidth=0.5, alpha=0.7)
    axes.set_xlabel("step")
    figure.colorbar(picture, ax=axes, label="norm of the gradient", pad=0.015)
    return figure


def _medians(rows: np.ndarray, width: int) -> np.ndarray:
    """Each row with `width` neighbours put together as their median."""
    if width == 1:
        return rows
    padded = np.full((len(rows), -(-rows.shape[1] // width) * width), np.nan)
    padded[:, : rows.shape[1]] = rows
    return np.asarray(np.nanmedian(padded.reshape(len(rows), -1, width), axis=2))


def running_mean(values: np.ndarray) -> np.ndarray:
    """The exponentially weighted mean of the values so far, corrected for its beginning."""
    kept = 1 - 1 / max(WINDOW, SHARE * len(values))
    total = weight = 0.0
    means = np.empty(len(values))
    for place, value in enumerate(values):
        total, weight = kept * total + (1 - kept) * value, kept * weight + (1 - kept)
        means[place] = total / weight
    return means
