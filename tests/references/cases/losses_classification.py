"""Cross entropy and the negative log-likelihood of classes: every argument, and the corners of each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from tests.references.case import Arrays, Case
from tests.references.cases.losses import REDUCTIONS, Inputs, loss_case
from tests.references.layers import layer_case

SHARES = np.array([0.5, 2.0, 0.0, 1.0, 0.3])
IGNORED = -100


def classes(shape: tuple[int, ...], ignored: float = 0.0, ignore: int = IGNORED) -> Inputs:
    """Logits with 5 classes on axis 1 (0 for one example), and indices of which a share is `ignore`."""

    def draw(rng: np.random.Generator) -> Arrays:
        axis = min(1, len(shape) - 1)
        rest = tuple(size for a, size in enumerate(shape) if a != axis)
        y = rng.integers(0, 5, rest)
        return {"x": rng.normal(0, 3, shape), "y": np.where(rng.random(rest) < ignored, ignore, y)}

    return draw


def logarithms(inputs: Inputs) -> Inputs:
    def draw(rng: np.random.Generator) -> Arrays:
        drawn = inputs(rng)
        axis = min(1, drawn["x"].ndim - 1)
        shifted = drawn["x"] - drawn["x"].max(axis=axis, keepdims=True)
        return {**drawn, "x": shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))}

    return draw


def fixed_target(target: list[int], change: Callable[[np.ndarray], None] = lambda x: None) -> Inputs:
    def draw(rng: np.random.Generator) -> Arrays:
        x = rng.normal(0, 3, (len(target), 5))
        change(x)
        return {"x": x, "y": np.array(target)}

    return draw


def masked(x: np.ndarray) -> None:
    x[:, 3] = -np.inf


def tied(x: np.ndarray) -> None:
    x[0] = 0.0
    x[1, 1:3] = x[1].max()


def extreme(x: np.ndarray) -> None:
    x[0] = [1e4, -1e4, 0.0, 1e4, -1e4]
    x[1] = [-800.0, 0.0, 1.0, 2.0, 3.0]


def shares(shape: tuple[int, ...]) -> Inputs:
    """Logits and probabilities, some of which are 0."""

    def draw(rng: np.random.Generator) -> Arrays:
        axis = min(1, len(shape) - 1)
        t = rng.random(shape) * (rng.random(shape) < 0.8)
        return {"x": rng.normal(0, 3, shape), "t": t / np.maximum(t.sum(axis=axis, keepdims=True), 1e-3)}

    return draw


def cross_entropy(inputs: Inputs, note: str = "", **settings: Any) -> Case:
    return loss_case("cross_entropy", inputs, note, (), ignore_index=IGNORED, **settings)


def nll(inputs: Inputs, note: str = "", **settings: Any) -> Case:
    return loss_case("nll_loss", logarithms(inputs), note, (), ignore_index=IGNORED, **settings)


def rows(rng: np.random.Generator) -> Arrays:
    return {"x": rng.normal(size=(6, 8)), "y": np.array([0, 3, 9, 1, 5, 4])}


def adaptive(cutoffs: list[int], inputs: Inputs = rows, note: str = "", **settings: Any) -> Case:
    return layer_case(
        "AdaptiveLogSoftmaxWithLoss", 8, 10, cutoffs, inputs=inputs, note=note, **settings,
        call=lambda module, given: (*module(given["x"], given["y"]), module.log_prob(rows_of(given["x"])),
                                    module.predict(rows_of(given["x"]))),
    )  # fmt: skip


def rows_of(x: Any) -> Any:
    """[1, 8] for one example: PyTorch's log_prob needs an axis for rows."""
    return x if len(x.shape) == 2 else x[None]


SHAPES = {"": (7, 5), "one example": (5,), "one row": (1, 5), "one axis more": (4, 5, 3), "an image": (2, 5, 3, 2)}

CASES = [
    *(cross_entropy(classes((7, 5), 0.3), reduction=reduction, label_smoothing=smoothing, **weight)
      for reduction, smoothing, weight in product(REDUCTIONS, (0.0, 0.1), ({}, {"weight": SHARES}))),
    *(cross_entropy(classes(shape), note, weight=SHARES, label_smoothing=0.2) for note, shape in SHAPES.items()),
    *(cross_entropy(classes(shape), note, reduction="none") for note, shape in SHAPES.items()),
    loss_case("cross_entropy", classes((7, 5), 0.3, 2), "", (), ignore_index=2, label_smoothing=0.1, weight=SHARES),
    loss_case("cross_entropy", classes((7, 5), 0.3, 7), "an index that is no class", (), ignore_index=7),
    *(loss_case("cross_entropy", shares((7, 5)), "probabilities", (), reduction=reduction, label_smoothing=smoothing,
                **weight)
      for reduction, smoothing, weight in product(REDUCTIONS, (0.0, 0.1), ({}, {"weight": SHARES}))),
    *(loss_case("cross_entropy", shares(shape), f"probabilities, {note}") for note, shape in SHAPES.items() if note),
    *(cross_entropy(fixed_target([IGNORED] * 3), "everything is ignored", reduction=reduction)
      for reduction in REDUCTIONS),
    cross_entropy(fixed_target([2, 2, 2]), "weights of 0 alone", weight=SHARES),
    cross_entropy(fixed_target([2, 2, 2]), "weights of 0 alone", weight=SHARES, reduction="sum"),
    cross_entropy(fixed_target([0, 1, 4, 0]), "a class without a target"),
    cross_entropy(fixed_target([0, 1, 2], tied), "ties", reduction="none"),
    cross_entropy(fixed_target([0, 1, 2], masked), "a class that is masked out", reduction="none"),
    cross_entropy(fixed_target([0, 0, 2], extreme), "extremes", reduction="none"),
    *(nll(classes((7, 5), 0.3), reduction=reduction, **weight)
      for reduction, weight in product(REDUCTIONS, ({}, {"weight": SHARES}))),
    adaptive([4]), adaptive([2, 5]), adaptive([2, 5, 7], div_value=2.0, head_bias=True),
    adaptive([2, 5], lambda rng: {"x": rng.normal(size=8), "y": np.array(6)}, "one example"),
    *(nll(classes(shape), note, weight=SHARES) for note, shape in SHAPES.items() if note),
    nll(fixed_target([IGNORED] * 3), "everything is ignored"),
]  # fmt: skip
