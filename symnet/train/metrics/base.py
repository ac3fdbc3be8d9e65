"""What a metric is, and how `fit` finds out which output and which input it compares."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np

from symnet.errors import DTypeError, ShapeError, UnknownName, UsageError, nearest
from symnet.expr import dims
from symnet.runtime.arrays import Array

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["Metric"]

Value = float | Array
"""A number, or an array for figures such as a confusion matrix."""
Function = Callable[[Mapping[str, Array], Mapping[str, Array]], Value]
"""(outputs of the program, the data they were computed from) -> a figure: a metric may be as plain as that."""


class Metric(ABC):
    """A figure of predictions and targets over a whole data set, in whatever pieces they come.

        sn.metrics.F1(average="macro")(predictions, targets)        # at once
        program.fit(..., metrics=[sn.metrics.F1(average="macro")])  # after each epoch

    output  the output that is judged; may be left out if there is one only, or one called "logits"
    target  the input that holds what the output should be; by default the one that the output does not depend on
    name    what the history calls it

    In a loop by hand, `update` takes in one batch after the other, and `result` gives the figure; `reset` begins anew.
    A metric of your own has `reset`, `add`, which takes in a piece, and `result`.
    """

    short: ClassVar[str] = "metric"
    probabilities: bool = False
    """Whether the output holds probabilities (it is a sigmoid or a softmax) and not logits; set by `fit`."""

    def __init__(self, *, output: str | None = None, target: str | None = None, name: str | None = None) -> None:
        self.output, self.target, self.name = output, target, name or self.short
        self.reset()

    @abstractmethod
    def reset(self) -> None:
        """Forget what was taken in."""

    @abstractmethod
    def add(self, prediction: Array, target: Array) -> None:
        """Take in the predictions for some rows, and what they should be."""

    @abstractmethod
    def result(self) -> Value:
        """The figure for all rows taken in since `reset`."""

    def update(self, prediction: object, target: object) -> None:
        """Take in the predictions for some rows, and what they should be: anything that makes an array."""
        self.add(np.asarray(prediction), np.asarray(target))

    def __call__(self, prediction: object, target: object) -> Value:
        """The figure for these arrays."""
        self.reset()
        self.update(prediction, target)
        return self.result()


@dataclass(frozen=True)
class Figure:
    """One entry of the history: a metric with the names of the output and the input that it compares."""

    name: str
    metric: Metric
    output: str
    target: str

    def update(self, outputs: Mapping[str, Array], data: Mapping[str, Array]) -> None:
        self.metric.update(outputs[self.output], data[self.target])


@dataclass(frozen=True)
class Whole:
    """One entry of the history: a function that needs everything at once."""

    name: str
    function: Function


Chosen = Figure | Whole
Given = str | Metric | Function
NAMED: dict[str, Callable[[], Metric]] = {}
"""What can be asked for by name."""
TOP = re.compile(r"top_(\d+)_accuracy")

_M = TypeVar("_M", bound=type[Metric])


def named(cls: _M) -> _M:
    """Class decorator: the metric can be asked for by its short name."""
    NAMED[cls.short] = cls
    return cls


def resolve(metrics: object, program: Program) -> list[Chosen]:
    """What `fit(metrics=...)` was given: a list, or a mapping from outputs to lists."""
    chosen: list[Chosen] = []
    for output, given in _pairs(metrics):
        if callable(given) and not isinstance(given, (Metric, type)):
            chosen.append(Whole(getattr(given, "__name__", repr(given)), given))
        else:
            metric = _metric(given)
            named_output = _output(metric, output, program)
            prefix = f"{output}_" if output is not None else ""
            metric.probabilities = program.about.outputs[named_output].probabilities
            chosen.append(Figure(prefix + metric.name, metric, named_output, _target(metric, named_output, program)))
    names = [figure.name for figure in chosen]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"fit: two metrics are called {name!r}; give one of them another name: name=…")
    return chosen


def _pairs(metrics: object) -> Iterator[tuple[str | None, Given]]:
    if isinstance(metrics, Mapping):
        for output, those in metrics.items():
            for given in those if isinstance(those, (list, tuple)) else [those]:
                yield output, given
    elif isinstance(metrics, str) or not isinstance(metrics, Iterable):
        raise DTypeError(f'fit: metrics is {metrics!r}, expected a list such as ["accuracy"]')
    else:
        for given in metrics:
            yield None, given


def _metric(given: object) -> Metric:
    if isinstance(given, Metric):
        return given
    if isinstance(given, type) and issubclass(given, Metric):
        raise DTypeError(f"fit: the metric is the class {given.__name__}, expected an object: {given.__name__}()")
    if not isinstance(given, str):
        raise DTypeError(
            f"fit: the metric is {given!r}, expected a name, a metric of sn.metrics, or a function of (outputs, data)"
        )
    if (found := TOP.fullmatch(given)) is not None:
        return NAMED["top_k_accuracy"](k=int(found[1]), name=given)  # type: ignore[call-arg]
    if given not in NAMED:
        raise UnknownName(f"there is no metric {given!r}{nearest(given, NAMED)}")
    return NAMED[given]()


def _output(metric: Metric, output: str | None, program: Program) -> str:
    wanted = metric.output if metric.output is not None else output
    known = program.outputs
    if wanted is not None:
        if wanted not in known:
            raise UnknownName(f"{metric.name}: there is no output {wanted!r}{nearest(wanted, known)}")
        return wanted
    if "logits" in known:
        return "logits"
    if len(known) != 1:
        shown = ", ".join(known) or "none: give sn.compile the predictions, outputs={'logits': …}"
        raise UsageError(
            f'{metric.name}: say which output it judges, metrics={{"OUTPUT": [{metric.name!r}]}}; '
            f"the program has {shown}"
        )
    return known[0]


def _target(metric: Metric, output: str, program: Program) -> str:
    inputs = program.inputs
    if metric.target is not None:
        if metric.target not in inputs:
            raise UnknownName(f"{metric.name}: there is no input {metric.target!r}{nearest(metric.target, inputs)}")
        return metric.target
    candidates = [name for name in inputs if name not in program.about.outputs[output].inputs]
    if len(candidates) > 1 and "y" in candidates:
        return "y"
    if len(candidates) != 1:
        raise UsageError(
            f"{metric.name}: say which input holds what {output!r} should be, "
            f"sn.metrics.{type(metric).__name__}(target=…); "
            f"the inputs are {', '.join(inputs)}; {output!r} does not depend on {', '.join(candidates) or 'none'}"
        )
    return candidates[0]


def alike(name: str, prediction: Array, target: Array) -> tuple[Array, Array]:
    """Both with the shape of the target; axes of size 1 may be missing in one of them, other shapes must be equal."""
    if prediction.shape != target.shape:
        if prediction.size != target.size or _without_ones(prediction) != _without_ones(target):
            raise ShapeError(
                f"{name}: the predictions have the shape {dims.show(prediction.shape)}, the targets "
                f"{dims.show(target.shape)}; expected equal shapes"
            )
        prediction = prediction.reshape(target.shape)
    return prediction, target


def _without_ones(array: Array) -> Sequence[int]:
    return [size for size in array.shape if size != 1]
