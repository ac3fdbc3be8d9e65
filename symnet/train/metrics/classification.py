"""Metrics of decisions between classes. The definitions are scikit-learn's."""

from __future__ import annotations

from typing import Literal

import numpy as np

from symnet.errors import IndexOutOfRange, ShapeError, UsageError
from symnet.expr import dims
from symnet.runtime.arrays import Array
from symnet.train.metrics.base import NAMED, Metric, Value, alike, named

__all__ = [
    "F1",
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "ConfusionMatrix",
    "Precision",
    "Recall",
    "TopK",
]

Average = Literal["binary", "micro", "macro", "weighted"] | None
AVERAGES = ("binary", "micro", "macro", "weighted", None)


def class_axis(name: str, scores: Array, target: Array, axis: int | None) -> int:
    """The axis of the classes: the one that the targets, which are class indices, do not have: the last or axis 1."""
    fitting = [
        place
        for place in sorted({1, scores.ndim - 1} if axis is None else {axis % max(scores.ndim, 1)})
        if place < scores.ndim and scores.shape[:place] + scores.shape[place + 1 :] == target.shape
    ]
    if not fitting:
        raise ShapeError(
            f"{name}: the predictions have the shape {dims.show(scores.shape)}, the targets {dims.show(target.shape)}; "
            "expected one class index for each vector of scores along "
            f"{'axis 1 or the last' if axis is None else f'axis {axis}'}"
        )
    if len(fitting) > 1:
        raise UsageError(
            f"{name}: the classes of predictions {dims.show(scores.shape)} may be along axis 1 or the last; say axis=…"
        )
    return fitting[0]


def rows_of_scores(
    name: str, scores: Array, target: Array, axis: int | None, ignore_index: int | None
) -> tuple[Array, Array]:
    """Scores [n, classes] and class indices [n] of what is not ignored."""
    place = class_axis(name, scores, target, axis)
    flat = np.moveaxis(scores, place, -1).reshape(-1, scores.shape[place])
    classes = np.asarray(target.reshape(-1)).astype(np.int64)
    if ignore_index is not None:
        keep = classes != ignore_index
        flat, classes = flat[keep], classes[keep]
    _check_classes(name, classes, flat.shape[1])
    return flat, classes


def _check_classes(name: str, classes: Array, count: int | None) -> None:
    if classes.size and (classes.min() < 0 or (count is not None and classes.max() >= count)):
        bad = int(classes.min() if classes.min() < 0 else classes.max())
        expected = "0 or more" if count is None else f"from 0 to {count - 1}"
        raise IndexOutOfRange(
            f"{name}: the target {bad} is no class, expected one {expected}; ignore_index={bad} leaves it out"
        )


class Decision(Metric):
    """Base of metrics that compare decided classes with targets.

    Predictions are scores with an axis of classes that the targets, class indices, do not have (the class is where
    the largest score is); or of the targets' shape: one decision each, 1 above the threshold; or integers, which are
    classes already.

    threshold     of a single decision; by default 0.5 if the output is a sigmoid, else 0, for logits
    ignore_index  a target that counts as no row
    axis          of the classes, where that is not clear from the shapes
    """

    def __init__(
        self,
        *,
        threshold: float | None = None,
        ignore_index: int | None = None,
        axis: int | None = None,
        **names: str | None,
    ) -> None:
        self.threshold, self.ignore_index, self.axis = threshold, ignore_index, axis
        super().__init__(**names)

    def above(self, prediction: Array) -> Array:
        """The decisions of single scores."""
        if prediction.dtype.kind in "iub":
            return np.asarray(prediction != 0)
        limit = (0.5 if self.probabilities else 0.0) if self.threshold is None else self.threshold
        return np.asarray(prediction > limit)

    def decided(self, prediction: Array, target: Array) -> tuple[Array, Array, int | None]:
        """Predicted classes [n], true classes [n], and how many classes there are, if that is known."""
        if prediction.ndim == target.ndim + 1 and prediction.dtype.kind == "f" and prediction.shape[1:] != (1,):
            scores, wanted = rows_of_scores(self.name, prediction, target, self.axis, self.ignore_index)
            return np.argmax(scores, axis=1), wanted, scores.shape[1]
        prediction, target = alike(self.name, prediction, target)
        single = prediction.dtype.kind not in "iu"
        found = (self.above(prediction) if single else prediction).reshape(-1).astype(np.int64)
        wanted = (target > 0.5 if target.dtype.kind == "f" else target).reshape(-1).astype(np.int64)
        if self.ignore_index is not None:
            keep = target.reshape(-1) != self.ignore_index
            found, wanted = found[keep], wanted[keep]
        _check_classes(self.name, wanted, 2 if single else None)
        return found, wanted, 2 if single else None


class _Share(Decision):
    """Base of metrics that are a share of all rows."""

    def reset(self) -> None:
        self.right = self.all = 0

    def result(self) -> float:
        return self.right / self.all if self.all else float("nan")

    def count(self, right: Array) -> None:
        self.right += int(np.count_nonzero(right))
        self.all += right.size


@named
class Accuracy(_Share):
    """The share of rows whose class is right."""

    short = "accuracy"

    def add(self, prediction: Array, target: Array) -> None:
        if prediction.shape == target.shape and prediction[:1].size > 1 and prediction.dtype.kind == "f":
            raise UsageError(
                f"{self.name}: predictions and targets both have the shape {dims.show(target.shape)}; say "
                '"binary_accuracy" if every number is a decision of its own, "categorical_accuracy" for one-hot targets'
            )
        found, wanted, _ = self.decided(prediction, target)
        self.count(found == wanted)


@named
class BinaryAccuracy(_Share):
    """The share of right decisions, where every number of the predictions is one: 1 above the threshold."""

    short = "binary_accuracy"

    def add(self, prediction: Array, target: Array) -> None:
        prediction, target = alike(self.name, prediction, target)
        right = self.above(prediction) == (target > 0.5)
        self.count(right if self.ignore_index is None else right[target != self.ignore_index])


@named
class CategoricalAccuracy(_Share):
    """The share of rows whose largest score is where the largest target is: for one-hot targets, or probabilities."""

    short = "categorical_accuracy"

    def add(self, prediction: Array, target: Array) -> None:
        prediction, target = alike(self.name, prediction, target)
        axis = -1 if self.axis is None else self.axis
        self.count(np.argmax(prediction, axis) == np.argmax(target, axis))


@named
class TopK(_Share):
    """The share of rows whose class is among the k with the largest scores; among equals, later classes are first."""

    short = "top_k_accuracy"

    def __init__(
        self, k: int = 5, *, ignore_index: int | None = None, axis: int | None = None, **names: str | None
    ) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise UsageError(f"TopK: k is {k!r}, expected a whole number of 1 or more")
        self.k = k
        names.setdefault("name", f"top_{k}_accuracy")
        super().__init__(threshold=None, ignore_index=ignore_index, axis=axis, **names)

    def add(self, prediction: Array, target: Array) -> None:
        scores, wanted = rows_of_scores(self.name, prediction, target, self.axis, self.ignore_index)
        own = np.take_along_axis(scores, wanted[:, None], axis=1)
        above = ~(scores <= own)  # also what is not a number
        level = (scores == own) & (np.arange(scores.shape[1]) > wanted[:, None])
        self.count((above | level).sum(axis=1) < self.k)


class _Counts(Decision):
    """Base of metrics of true positives, of what was predicted, and of what there is, by class.

    average        "binary": for class 1 of two; "micro": over the decisions on all classes together; "macro": the mean
                   over classes; "weighted": the same, weighted by how many rows a class has; None: one for each class
    zero_division  the value where nothing was predicted, or there is nothing to find

    Predictions of the targets' shape with several columns are several labels of a row, each a decision of its own.
    """

    def __init__(
        self,
        average: Average = "binary",
        *,
        zero_division: float = 0.0,
        threshold: float | None = None,
        ignore_index: int | None = None,
        axis: int | None = None,
        **names: str | None,
    ) -> None:
        if average not in AVERAGES:
            raise UsageError(f"{type(self).__name__}: average is {average!r}, expected one of {AVERAGES}")
        self.average, self.zero_division = average, zero_division
        names.setdefault("name", self.short if average in ("binary", None) else f"{self.short}_{average}")
        super().__init__(threshold=threshold, ignore_index=ignore_index, axis=axis, **names)

    def reset(self) -> None:
        self.right = self.predicted = self.actual = np.zeros(0, np.int64)
        self.labels = False

    def add(self, prediction: Array, target: Array) -> None:
        self.labels = prediction.shape == target.shape and prediction[:1].size > 1
        if self.labels:
            found = self.above(prediction).reshape(-1, target.shape[-1])
            wanted = np.asarray(target > 0.5).reshape(found.shape)
            counts = [(found & wanted).sum(0), found.sum(0), wanted.sum(0)]
        else:
            classes, truth, known = self.decided(prediction, target)
            size = known or int(max(classes.max(initial=-1), truth.max(initial=-1))) + 1
            counts = [np.bincount(c, minlength=size) for c in (classes[classes == truth], classes, truth)]
        if self.average == "binary" and (self.labels or len(counts[1]) > 2):
            what = "labels" if self.labels else "classes"
            raise UsageError(
                f"{self.name}: there are {len(counts[1])} {what}; say how to average over them: "
                f'average="macro", "micro", "weighted", or None for one figure each ("{self.short}_macro" by name)'
            )
        self.right, self.predicted, self.actual = (
            _added(old, new) for old, new in zip((self.right, self.predicted, self.actual), counts, strict=True)
        )

    def result(self) -> Value:
        right, predicted, actual = self.right, self.predicted, self.actual
        if self.average == "micro":
            return float(self.rate(right.sum(), predicted.sum(), actual.sum()))
        rates = self.rate(right, predicted, actual)
        if self.average is None:
            return rates
        if self.average == "binary":
            return float(rates[1]) if len(rates) > 1 else self.zero_division
        if self.average == "weighted":
            return float(rates @ actual / actual.sum()) if actual.sum() else self.zero_division
        there = np.ones(len(rates), bool) if self.labels else predicted + actual > 0
        return float(rates[there].mean()) if there.any() else self.zero_division

    def rate(self, right: Array, predicted: Array, actual: Array) -> Array:
        """The figure from counts, element by element."""
        raise NotImplementedError

    def ratio(self, numerator: Array, denominator: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(denominator == 0, self.zero_division, np.asarray(numerator) / denominator)


def _added(first: Array, second: Array) -> Array:
    size = max(len(first), len(second))
    return np.asarray(np.pad(first, (0, size - len(first))) + np.pad(second, (0, size - len(second))))


@named
class Precision(_Counts):
    """What share of the decisions for a class is right."""

    short = "precision"

    def rate(self, right: Array, predicted: Array, actual: Array) -> Array:
        return self.ratio(right, predicted)


@named
class Recall(_Counts):
    """What share of the rows of a class is found."""

    short = "recall"

    def rate(self, right: Array, predicted: Array, actual: Array) -> Array:
        return self.ratio(right, actual)


@named
class F1(_Counts):
    """The harmonic mean of precision and recall: 2·right / (predicted + actual)."""

    short = "f1"

    def rate(self, right: Array, predicted: Array, actual: Array) -> Array:
        return self.ratio(2 * right, predicted + actual)


@named
class ConfusionMatrix(Decision):
    """How many rows of each class (first axis) were taken for each class (second axis); int64.

    normalize  "true": as shares of the class's rows; "pred": of what was taken for the class; "all": of all rows
    """

    short = "confusion_matrix"

    def __init__(
        self,
        *,
        normalize: Literal["true", "pred", "all"] | None = None,
        threshold: float | None = None,
        ignore_index: int | None = None,
        axis: int | None = None,
        **names: str | None,
    ) -> None:
        if normalize not in ("true", "pred", "all", None):
            raise UsageError(f"ConfusionMatrix: normalize is {normalize!r}, expected 'true', 'pred', 'all' or None")
        self.normalize = normalize
        super().__init__(threshold=threshold, ignore_index=ignore_index, axis=axis, **names)

    def reset(self) -> None:
        self.counts = np.zeros((0, 0), np.int64)

    def add(self, prediction: Array, target: Array) -> None:
        found, wanted, known = self.decided(prediction, target)
        size = max(known or int(max(found.max(initial=-1), wanted.max(initial=-1))) + 1, len(self.counts))
        grown = np.bincount(wanted * size + found, minlength=size * size).reshape(size, size)
        grown[: len(self.counts), : len(self.counts)] += self.counts
        self.counts = grown

    def result(self) -> Array:
        if self.normalize is None:
            return self.counts
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        total = self.counts.sum(axis=axis, keepdims=True)
        return np.asarray(self.counts / np.maximum(total, 1))


NAMED.update({
    f"{kind.short}_{average}": lambda kind=kind, average=average: kind(average)  # type: ignore[misc]
    for kind in (Precision, Recall, F1)
    for average in ("macro", "micro", "weighted")
})  # fmt: skip
