"""The CTC loss: padded and concatenated targets, lengths, repeats, alignments that do not exist."""

from __future__ import annotations

from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, function_case
from tests.references.cases.losses import REDUCTIONS, Inputs

LABELS = np.array([[1, 2, 3], [2, 2, 4], [1, 0, 0], [3, 3, 3], [0, 0, 0]])
LENGTHS = np.array([3, 3, 1, 3, 0])
TIMES = np.array([7, 4, 6, 5, 3])
"""Of the seven time steps; four are just enough for 2, 2, 4, and five for 3, 3, 3."""
SHORT = np.array([7, 3, 6, 4, 0])
"""Too few for the second and the fourth, and none for the target without labels."""


def batch(labels: np.ndarray = LABELS, lengths: np.ndarray = LENGTHS, times: np.ndarray = TIMES) -> Inputs:
    def draw(rng: np.random.Generator) -> Arrays:
        return {"z": rng.normal(0, 2, (7, len(lengths), 5)), "y": labels, "times": times, "lengths": lengths}

    return draw


def impossible_class(rng: np.random.Generator) -> Arrays:
    """A class of probability e⁻⁷⁰⁰ at some time steps (of 0, PyTorch's gradient is nan)."""
    drawn = batch()(rng)
    drawn["z"][:3, :, 4] = -700.0
    return drawn


def one(rng: np.random.Generator) -> Arrays:
    return {"z": rng.normal(size=(6, 5)), "y": LABELS[0], "times": np.array(6), "lengths": np.array(3)}


def ctc(inputs: Inputs, note: str, normalised: bool = False, **settings: Any) -> Case:
    """The loss of logits z; or, `normalised`, of log-probabilities, in which the gradient is taken."""
    shown = ", ".join([note, *(f"{key}={value!r}" for key, value in settings.items())])

    def draw(rng: np.random.Generator) -> Arrays:
        drawn = inputs(rng)
        if normalised:
            drawn["z"] = drawn["z"] - np.log(np.exp(drawn["z"]).sum(axis=-1, keepdims=True))
        return drawn

    def theirs(torch: Any, given: dict[str, Any]) -> Any:
        log_p = given["z"] if normalised else given["z"].log_softmax(-1)
        return torch.nn.functional.ctc_loss(log_p, given["y"], given["times"], given["lengths"], **settings)

    def ours(given: dict[str, sn.Expr]) -> sn.Expr:
        log_p = given["z"] if normalised else sn.log_softmax(given["z"], axis=-1)
        return sn.losses.ctc_loss(log_p, given["y"], given["times"], given["lengths"], **settings)

    return function_case(f"ctc_loss({shown})", draw, theirs, ours)


CONCATENATED = np.concatenate([row[:length] for row, length in zip(LABELS, LENGTHS, strict=True)])
OTHER_BLANK = np.where(LABELS == 4, 0, LABELS)

CASES = [
    *(ctc(batch(), "padded", reduction=reduction) for reduction in REDUCTIONS),
    *(ctc(batch(), "of log-probabilities", normalised=True, reduction=reduction) for reduction in REDUCTIONS),
    *(ctc(batch(times=SHORT), "too short", zero_infinity=True, reduction=reduction) for reduction in REDUCTIONS),
    ctc(batch(CONCATENATED), "concatenated", reduction="none"),
    ctc(batch(OTHER_BLANK), "another blank", blank=4, reduction="none"),
    ctc(impossible_class, "tiny probabilities", reduction="none"),
    ctc(batch(LABELS[:1], LENGTHS[:1], TIMES[:1]), "batch of one"),
    *(ctc(one, "one sequence", reduction=reduction) for reduction in REDUCTIONS),
    ctc(batch(LABELS[:, :0], np.zeros(5, int)), "no labels at all", reduction="none"),
]
