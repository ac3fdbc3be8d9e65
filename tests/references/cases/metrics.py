"""The metrics of `sn.metrics` beside scikit-learn's, computed in uneven pieces; ties and empty classes included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symnet as sn
from tests.references.case import Arrays, Case

ROWS, CLASSES = 37, 5
Peer = Callable[[Any, np.ndarray, np.ndarray], Any]
"""(sklearn.metrics, scores, targets) -> the figure."""


def _classes(rng: np.random.Generator) -> Arrays:
    """Scores on a coarse grid, so that there are ties; class 3 is never the target, and class 4 never the answer."""
    scores = np.round(rng.normal(size=(ROWS, CLASSES)), 1)
    scores[:, 4] = -9.0
    return {"prediction": scores, "target": rng.choice([0, 1, 2, 4], ROWS)}


def _two(rng: np.random.Generator) -> Arrays:
    return {"prediction": np.round(rng.normal(size=ROWS), 1), "target": rng.integers(0, 2, ROWS)}


def _none_found(rng: np.random.Generator) -> Arrays:
    """Nothing is predicted to be of class 1, and nothing is."""
    return {"prediction": -1.0 - rng.random(ROWS), "target": np.zeros(ROWS, np.int64)}


def _labels(rng: np.random.Generator) -> Arrays:
    """Several labels of a row; the last is never there and never predicted."""
    scores = rng.normal(size=(ROWS, 4))
    target = rng.integers(0, 2, (ROWS, 4)).astype(np.float64)
    scores[:, 3], target[:, 3] = -1.0, 0.0
    return {"prediction": scores, "target": target}


def _numbers(columns: int | None = None) -> Callable[[np.random.Generator], Arrays]:
    def make(rng: np.random.Generator) -> Arrays:
        shape = (ROWS,) if columns is None else (ROWS, columns)
        target = 1e3 + rng.normal(size=shape)
        return {"prediction": target + rng.normal(size=shape), "target": target}

    return make


def _constant(rng: np.random.Generator) -> Arrays:
    """Columns whose targets are all equal: one predicted perfectly, one not."""
    given = _numbers(3)(rng)
    given["target"][:, :2] = 2.0
    given["prediction"][:, 0] = 2.0
    return given


def _case(name: str, inputs: Callable[[np.random.Generator], Arrays], metric: sn.metrics.Metric, peer: Peer) -> Case:
    def ours(arrays: Arrays) -> Arrays:
        metric.reset()
        for piece in (slice(0, 1), slice(1, 20), slice(20, None)):
            metric.update(arrays["prediction"][piece], arrays["target"][piece])
        return {"value": np.asarray(metric.result())}

    def theirs(arrays: Arrays) -> Arrays:
        sklearn = pytest.importorskip("sklearn.metrics")
        return {"value": np.asarray(peer(sklearn, arrays["prediction"], arrays["target"]))}

    return Case(name, inputs, theirs, ours, rtol=1e-12)


def _answers(scores: np.ndarray) -> np.ndarray:
    return scores.argmax(1) if scores.ndim == 2 else (scores > 0).astype(int)


def _averaged(kind: str) -> list[Case]:
    """Precision, recall or F1 over every average, kind of data and value for nothing by nothing."""
    make = {"precision": sn.metrics.Precision, "recall": sn.metrics.Recall, "f1": sn.metrics.F1}[kind]
    data: dict[str, tuple[Any, list[Any]]] = {
        "two classes": (_two, ["binary", "micro", "macro", "weighted", None]),
        "none found": (_none_found, ["binary", "macro"]),
        "classes": (_classes, ["micro", "macro", "weighted"]),
        "labels": (_labels, ["micro", "macro", "weighted", None]),
    }

    def one(what: str, inputs: Any, average: Any, zero: float) -> Case:
        def peer(sklearn: Any, scores: np.ndarray, target: np.ndarray) -> Any:
            answers = scores > 0 if what == "labels" else _answers(scores)
            function = getattr(sklearn, f"{kind}_score")
            return function(target, answers, average=average, zero_division=zero)

        name = f"{kind}({what}, average={average!r}, zero_division={zero:g})"
        return _case(name, inputs, make(average, zero_division=zero), peer)

    cases = [one(w, inputs, average, zero) for w, (inputs, averages) in data.items() for average in averages
             for zero in (0.0, 1.0)]  # fmt: skip
    every_class = _case(
        f"{kind}(classes, average=None)", _classes, make(None),
        lambda sklearn, s, t: getattr(sklearn, f"{kind}_score")(
            t, _answers(s), average=None, labels=range(CLASSES), zero_division=0.0
        ),
    )  # fmt: skip
    return [*cases, every_class]


def _probabilities(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


NORMALIZED: tuple[Any, ...] = (None, "true", "pred", "all")
CASES = [
    _case("accuracy(classes)", _classes, sn.metrics.Accuracy(), lambda m, s, t: m.accuracy_score(t, _answers(s))),
    _case("accuracy(two classes)", _two, sn.metrics.Accuracy(), lambda m, s, t: m.accuracy_score(t, _answers(s))),
    *(
        _case(
            f"top_k_accuracy(k={k})", _classes, sn.metrics.TopK(k),
            lambda m, s, t, k=k: m.top_k_accuracy_score(t, s, k=k, labels=range(CLASSES)),
        )
        for k in (1, 2, 4)
    ),
    *_averaged("precision"),
    *_averaged("recall"),
    *_averaged("f1"),
    *(
        _case(
            f"confusion_matrix(normalize={how!r})", _classes, sn.metrics.ConfusionMatrix(normalize=how),
            lambda m, s, t, how=how: m.confusion_matrix(t, _answers(s), labels=range(CLASSES), normalize=how),
        )
        for how in NORMALIZED
    ),
    _case("auc", _two, sn.metrics.AUC(), lambda m, s, t: m.roc_auc_score(t, s)),
    *(
        _case(f"{name}({what})", inputs, make(), lambda m, s, t, score=score: getattr(m, score)(t, s))
        for name, make, score in (
            ("mae", sn.metrics.MAE, "mean_absolute_error"),
            ("mse", sn.metrics.MSE, "mean_squared_error"),
            ("rmse", sn.metrics.RMSE, "root_mean_squared_error"),
            ("r2", sn.metrics.R2, "r2_score"),
        )
        for what, inputs in (("numbers", _numbers()), ("columns", _numbers(3)), ("constant", _constant))
    ),
    _case(
        "perplexity", _classes, sn.metrics.Perplexity(),
        lambda m, s, t: np.exp(m.log_loss(t, _probabilities(s), labels=range(CLASSES))),
    ),
]  # fmt: skip
