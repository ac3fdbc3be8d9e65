"""What a callback is, and how those that `fit` is given are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from symnet.errors import DTypeError, UsageError
from symnet.train.metrics.base import Value

if TYPE_CHECKING:
    from symnet.program.program import Program
    from symnet.train.history import History

__all__ = ["Callback", "LambdaCallback", "Schedule"]

Asked = bool | None
"""True ends the training."""
Function = Callable[["Program", "History"], Asked]


class Callback:
    """What happens beside the training: override what you need.

    Each method is given the program and the history so far. `on_batch_end` and `on_epoch_end` end the training by
    returning True. A callback with an `on_batch_begin` or `on_batch_end` makes `fit` come back to Python for every
    batch; without one, a stretch of batches is a single native call.
    """

    def on_fit_begin(self, program: Program, history: History) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, program: Program, history: History) -> None:
        """Before an epoch."""

    def on_batch_begin(self, program: Program, history: History) -> None:
        """Before a batch."""

    def on_batch_end(self, program: Program, history: History) -> Asked:
        """After a batch; `history.losses[-1]` is its loss."""

    def on_epoch_end(self, program: Program, history: History) -> Asked:
        """After an epoch; `history.epochs[-1]` are its figures, to which a callback may add some."""

    def on_fit_end(self, program: Program, history: History) -> None:
        """After the last epoch; not after an error or Ctrl-C."""


class LambdaCallback(Callback):
    """Functions of (program, history) in the places of a callback's methods."""

    def __init__(
        self,
        on_fit_begin: Function | None = None,
        on_epoch_begin: Function | None = None,
        on_batch_begin: Function | None = None,
        on_batch_end: Function | None = None,
        on_epoch_end: Function | None = None,
        on_fit_end: Function | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name.startswith("on_")}
        for name, function in given.items():
            if function is not None and not callable(function):
                raise DTypeError(f"LambdaCallback: {name} is {function!r}, expected a function of (program, history)")
        self.__dict__.update({name: function for name, function in given.items() if function is not None})


class Schedule(Callback):
    """Steps a scheduler of `sn.optim.lr_scheduler`, after each epoch or each step.

    scheduler  an object with `step()`; one whose `step` takes a figure (ReduceLROnPlateau) is given `monitor`
    every      "epoch" or "step"
    monitor    the figure of the epoch; by default "val_loss" if there is validation, else "loss"

    The learning rates at the end of the epoch are added to its figures, under the names they have in `program.hyper`.
    In `fit(callbacks=[scheduler])` a scheduler alone is stepped after each epoch.
    """

    def __init__(self, scheduler: Any, every: Literal["epoch", "step"] = "epoch", monitor: str | None = None) -> None:
        if not callable(getattr(scheduler, "step", None)):
            raise DTypeError(f"Schedule: {scheduler!r} has no method step(); expected a scheduler")
        if every not in ("epoch", "step"):
            raise UsageError(f"Schedule: every is {every!r}, expected 'epoch' or 'step'")
        parameters = inspect.signature(scheduler.step).parameters.values()
        self.takes_figure = any(
            p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters
        )
        if self.takes_figure and every == "step":
            raise UsageError("Schedule: a scheduler that takes a figure is stepped once an epoch, every='epoch'")
        if monitor is not None and not self.takes_figure:
            raise UsageError(f"Schedule: monitor is {monitor!r}, but {type(scheduler).__name__}.step() takes no figure")
        self.scheduler, self.every, self.monitor = scheduler, every, monitor
        if every == "step":
            self.on_batch_end = self._step  # type: ignore[method-assign]

    def _step(self, program: Program, history: History) -> None:
        self.scheduler.step()

    def on_epoch_end(self, program: Program, history: History) -> None:
        for name in (*program.hyper.names("lr"), *program.hyper.names("learning_rate")):
            history.epochs[-1][name] = program.hyper[name]
        if self.every == "epoch":
            if self.takes_figure:
                self.scheduler.step(monitored(history, self.monitor, "Schedule"))
            else:
                self.scheduler.step()


def monitored(history: History, name: str | None, who: str) -> float:
    """A figure of the last epoch: the named one, or the validation's loss, or the loss."""
    figures: Mapping[str, Value] = history.epochs[-1]
    if name is None:
        name = "val_loss" if "val_loss" in figures else "loss"
    if name not in figures:
        raise UsageError(f"{who}: the epoch has no figure {name!r}; it has {', '.join(figures)}")
    value = figures[name]
    if not isinstance(value, (int, float)):
        raise UsageError(f"{who}: the figure {name!r} is an array, expected a number")
    return float(value)


class Callbacks:
    """All callbacks of a run as one."""

    def __init__(self, given: object) -> None:
        if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
            raise DTypeError(f"fit: callbacks is {given!r}, expected a list of functions of (program, history)")
        self.members = [_callback(one) for one in given]
        self.per_batch = any(_overrides(m, "on_batch_begin") or _overrides(m, "on_batch_end") for m in self.members)

    def call(self, name: str, program: Program, history: History) -> bool:
        """Call this method of every member; whether one asked to end the training."""
        asked = [getattr(member, name)(program, history) for member in self.members]
        return any(answer is True or (answer is not None and bool(answer)) for answer in asked)


def _callback(given: object) -> Callback:
    if isinstance(given, Callback):
        return given
    if isinstance(given, type):
        raise DTypeError(f"fit: the callback is the class {given.__name__}, expected an object: {given.__name__}(…)")
    if callable(getattr(given, "step", None)):
        return Schedule(given)
    if callable(given):
        return LambdaCallback(on_epoch_end=given)
    raise DTypeError(f"fit: the callback is {given!r}; expected a list of functions of (program, history) or callbacks")


def _overrides(callback: Callback, name: str) -> bool:
    return name in vars(callback) or getattr(type(callback), name) is not getattr(Callback, name)
