"""Figures computed from predictions: what `fit(metrics=[...])` accepts by name, or any function of the same form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from symnet.errors import DTypeError, UnknownName, UsageError, nearest
from symnet.runtime.arrays import Array

Metric = Callable[[Mapping[str, Array], Mapping[str, Array]], float]
"""(outputs of the program, the data they were computed from) -> a number."""


def accuracy(outputs: Mapping[str, Array], data: Mapping[str, Array]) -> float:
    """The share of rows whose largest output (last axis) is at the class index; for one output, its sign is the class.

    The outputs are those called "logits", or the only output there is; the classes are the only integer array in the
    data, else the array "y".
    """
    logits = _only("output", outputs, "logits")
    integers = {name: array for name, array in data.items() if array.dtype.kind in "iub"}
    target = _only("class index array", integers or data, "y")
    if logits.ndim == target.ndim:  # binary: one logit for each target
        return float(np.mean((logits > 0) == (target > 0.5)))
    return float(np.mean(np.argmax(logits, axis=-1) == target))


def _only(what: str, candidates: Mapping[str, Array], preferred: str) -> Array:
    if preferred in candidates:
        return candidates[preferred]
    if len(candidates) != 1:
        raise UsageError(
            f"accuracy: expected one {what}, or one called {preferred!r}, got {', '.join(candidates) or 'none'}; "
            "pass a function (outputs, data) -> number as the metric instead"
        )
    return next(iter(candidates.values()))


METRICS: Mapping[str, Metric] = {"accuracy": accuracy}


def resolve(metrics: Sequence[str | Metric]) -> dict[str, Metric]:
    """The metrics by name; a function's own name is its name."""
    if isinstance(metrics, str) or not isinstance(metrics, Iterable):
        raise DTypeError(f'fit: metrics is {metrics!r}, expected a list such as ["accuracy"]')
    chosen: dict[str, Metric] = {}
    for metric in metrics:
        if callable(metric):
            chosen[getattr(metric, "__name__", repr(metric))] = metric
        elif metric in METRICS:
            chosen[metric] = METRICS[metric]
        else:
            raise UnknownName(f"there is no metric {metric!r}{nearest(metric, METRICS)}")
    return chosen
