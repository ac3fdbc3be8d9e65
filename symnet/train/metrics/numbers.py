"""Metrics of numbers and of probabilities: errors of a regression, AUC, perplexity."""

from __future__ import annotations

import numpy as np

from symnet.errors import ShapeError
from symnet.expr import dims
from symnet.runtime.arrays import Array
from symnet.train.metrics.base import Metric, alike, named
from symnet.train.metrics.classification import rows_of_scores

__all__ = ["AUC", "MAE", "MSE", "R2", "RMSE", "Perplexity"]


class _Errors(Metric):
    """Base of means over rows, computed in float64 for each column and then averaged over the columns."""

    def reset(self) -> None:
        self.rows, self.total = 0, np.zeros(())

    def add(self, prediction: Array, target: Array) -> None:
        found, wanted = columns(self.name, prediction, target)
        self.rows += len(found)
        self.total = self.total + self.error(found - wanted).sum(axis=0)

    def error(self, difference: Array) -> Array:
        raise NotImplementedError

    def result(self) -> float:
        return float(np.mean(self.total / self.rows)) if self.rows else float("nan")


def columns(name: str, prediction: Array, target: Array) -> tuple[Array, Array]:
    """Both as float64 [rows, columns]."""
    prediction, target = alike(name, prediction, target)
    shape = (len(target), -1) if target.ndim else (1, 1)
    return prediction.reshape(shape).astype(np.float64), target.reshape(shape).astype(np.float64)


@named
class MAE(_Errors):
    """The mean absolute error."""

    short = "mae"

    def error(self, difference: Array) -> Array:
        return np.abs(difference)


@named
class MSE(_Errors):
    """The mean squared error."""

    short = "mse"

    def error(self, difference: Array) -> Array:
        return np.square(difference)


@named
class RMSE(MSE):
    """The root of the mean squared error (of each column, then averaged)."""

    short = "rmse"

    def result(self) -> float:
        return float(np.mean(np.sqrt(self.total / self.rows))) if self.rows else float("nan")


@named
class R2(MSE):
    """The coefficient of determination, 1 − Σ(y − ŷ)² / Σ(y − ȳ)², of each column, then averaged.

    A column whose targets are all equal counts as 1 if its predictions are perfect, else as 0.
    """

    short = "r2"

    def reset(self) -> None:
        super().reset()
        self.mean, self.spread = np.zeros(()), np.zeros(())

    def add(self, prediction: Array, target: Array) -> None:
        """Means and sums of squares are joined piece by piece as in Chan, Golub and LeVeque (1983)."""
        before = self.rows
        super().add(prediction, target)
        wanted = columns(self.name, prediction, target)[1]
        if len(wanted):
            mean = wanted.mean(axis=0)
            shift = mean - self.mean
            self.spread = self.spread + np.square(wanted - mean).sum(axis=0)
            self.spread = self.spread + np.square(shift) * (before * len(wanted) / self.rows)
            self.mean = self.mean + shift * (len(wanted) / self.rows)

    def result(self) -> float:
        if self.rows < 2:
            return float("nan")
        flat = self.spread == 0
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(flat, np.where(self.total == 0, 1.0, 0.0), 1 - self.total / self.spread)
        return float(scores.mean())


@named
class AUC(Metric):
    """The area under the ROC curve of two classes: how often a row of class 1 scores above one of class 0.

    Equal scores count half. Takes one score a row, or two (logits or probabilities of the classes 0 and 1). Keeps a
    score and a class for each row.
    """

    short = "auc"

    def reset(self) -> None:
        self.scores: list[Array] = []
        self.positive: list[Array] = []

    def add(self, prediction: Array, target: Array) -> None:
        if prediction.ndim == target.ndim + 1 and prediction.shape[-1] == 2:
            prediction = prediction[..., 1].astype(np.float64) - prediction[..., 0]
        elif prediction.ndim > target.ndim and prediction.shape[-1] > 2:
            raise ShapeError(
                f"{self.name}: expected one score a row, or two, got predictions of shape {dims.show(prediction.shape)}"
            )
        prediction, target = alike(self.name, prediction, target)
        self.scores.append(prediction.reshape(-1))
        self.positive.append(np.asarray(target > 0.5).reshape(-1))

    def result(self) -> float:
        scores, positive = np.concatenate([*self.scores, []]), np.concatenate([*self.positive, np.zeros(0, bool)])
        ones = int(positive.sum())
        zeros = len(positive) - ones
        if not ones or not zeros or np.isnan(scores).any():
            return float("nan")
        _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(count) - (count - 1) / 2)[place]  # the mean rank of what is equal
        return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


@named
class Perplexity(Metric):
    """exp of the mean of −log p(class): how many equally likely classes the predictions leave open.

    Predictions are logits with an axis of classes (probabilities if the output is a softmax), targets class indices.

    ignore_index  a target that counts as no row
    axis          of the classes, where that is not clear from the shapes
    """

    short = "perplexity"

    def __init__(self, *, ignore_index: int | None = None, axis: int | None = None, **names: str | None) -> None:
        self.ignore_index, self.axis = ignore_index, axis
        super().__init__(**names)

    def reset(self) -> None:
        self.rows, self.total = 0, 0.0

    def add(self, prediction: Array, target: Array) -> None:
        scores, wanted = rows_of_scores(self.name, prediction, target, self.axis, self.ignore_index)
        scores = scores.astype(np.float64)
        own = scores[np.arange(len(wanted)), wanted]
        with np.errstate(divide="ignore"):
            if self.probabilities:
                lost = -np.log(own)
            else:
                top = scores.max(axis=1, initial=-np.inf)
                lost = top - own + np.log(np.exp(scores - top[:, None]).sum(axis=1))
        self.rows += len(wanted)
        self.total += float(lost.sum())

    def result(self) -> float:
        return float(np.exp(self.total / self.rows)) if self.rows else float("nan")
