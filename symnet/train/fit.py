"""The training loop: epochs of native batches, with a progress bar, validation and a history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import DTypeError, IndexOutOfRange, NotFinite, ShapeError, UsageError
from symnet.runtime.arrays import Array
from symnet.train.history import History, describe
from symnet.train.metrics import Metric, resolve

if TYPE_CHECKING:
    from symnet.program.program import Program

Callback = Callable[["Program", History], bool | None]
REPORT_SECONDS = 0.1
"""How long the native loop runs before the progress bar is brought up to date."""


def fit(
    program: Program,
    data: Mapping[str, object],
    epochs: int = 1,
    batch_size: int | None = None,
    shuffle: bool = True,
    validation: Mapping[str, object] | None = None,
    metrics: Sequence[str | Metric] = (),
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    check_finite: bool = False,
) -> History:
    """Train for `epochs` passes over `data`; see `Program.fit`."""
    if _whole("epochs", epochs) < 0:
        raise UsageError(f"fit: epochs is {epochs}, expected 0 or more")
    figures = resolve(metrics)
    if not isinstance(callbacks, Iterable) or not all(map(callable, callbacks := list(callbacks))):
        raise DTypeError(f"fit: callbacks is {callbacks!r}, expected a list of functions of (program, history)")
    loop = _Loop(program, data, batch_size, shuffle, check_finite)
    checked = program.check_data(validation, "fit, validation") if validation is not None else None
    history = History()
    with _Bar(progress, epochs * loop.steps_per_epoch) as bar:
        for _ in range(epochs):
            with _undone_by_bad_data(program, possible=check_finite or not history.epochs):
                losses, record = _epoch(program, loop, bar, figures, checked)
            history.losses.extend(losses.tolist())
            history.epochs.append(record)
            bar.note(describe(record))
            asked_to_stop = [callback(program, history) for callback in callbacks]  # every one is called
            if any(asked_to_stop):
                break
    return history


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DTypeError(f"fit: {name} is {value!r}, expected a whole number")
    return int(value)


@contextmanager
def _undone_by_bad_data(program: Program, possible: bool) -> Iterator[None]:
    """An epoch that meets a bad index (the first does, if there is one) or a loss that is not finite is undone."""
    before = (program.instance.snapshot(), program.epochs_done) if possible else None
    try:
        yield
    except (IndexOutOfRange, NotFinite):
        if before is not None:
            program.instance.restore(before[0])
            program.epochs_done = before[1]
        raise


def _epoch(
    program: Program,
    loop: _Loop,
    bar: _Bar,
    figures: Mapping[str, Metric],
    validation: Mapping[str, Array] | None,
) -> tuple[Array, dict[str, float]]:
    """One epoch: the losses of its batches, and its figures."""
    started = time.perf_counter()
    losses, sizes = loop.epoch(bar)
    record: dict[str, float] = {"epoch": float(program.epochs_done)}
    record["loss"] = float(np.dot(losses, sizes) / sizes.sum())
    if figures:
        record |= _evaluate(program, loop.data, figures, "", with_loss=False)
    if validation is not None:
        record |= _evaluate(program, validation, figures, "val_", with_loss=True)
    record["seconds"] = time.perf_counter() - started
    return losses, record


class _Loop:
    """One training run's data, checked, and the order in which its rows are visited."""

    def __init__(
        self, program: Program, data: Mapping[str, object], batch_size: int | None, shuffle: bool, check_finite: bool
    ) -> None:
        self.program, self.shuffle, self.check_finite = program, shuffle, check_finite
        self.data = program.check_data(data, "fit")
        self.dim = program.batch_dim
        capacity = program.capacity[self.dim]
        self.batch = capacity if batch_size is None else _whole("batch_size", batch_size)
        if not 1 <= self.batch <= capacity:
            raise ShapeError(
                f"fit: batch_size is {self.batch}; the program was compiled for batch={{{self.dim!r}: {capacity}}}, "
                f"expected 1 to {capacity}"
            )
        self.rows = program.rows_of(self.data)
        self.steps_per_epoch = -(-self.rows // self.batch)

    def epoch(self, bar: _Bar) -> tuple[Array, Array]:
        """Run one epoch; the losses and the sizes of its batches. The order depends on the seed and the epoch only."""
        program = self.program
        order = np.arange(self.rows, dtype=np.int64)
        if self.shuffle:
            generator = np.random.Generator(np.random.Philox(key=[program.seed, program.epochs_done]))
            generator.shuffle(order)
        losses: list[Array] = []
        start, steps = 0, 1
        while start < self.rows:
            rows = order[start : start + steps * self.batch]
            began = time.perf_counter()
            part = program.run_epoch(self.data, rows, self.batch, done=start // self.batch)
            elapsed = time.perf_counter() - began
            losses.append(part)
            if self.check_finite and not np.isfinite(part).all():
                step = len(np.concatenate(losses)) - len(part) + int(np.argmin(np.isfinite(part))) + 1
                raise NotFinite(f"fit: the loss of step {step} of epoch {program.epochs_done + 1} is not finite")
            start += len(rows)
            bar.advance(len(part), float(part[-1]))
            steps = max(1, int(steps * min(REPORT_SECONDS / max(elapsed, 1e-9), 1000)))
        program.epochs_done += 1
        sizes = np.full(self.steps_per_epoch, self.batch)
        sizes[-1] = self.rows - self.batch * (self.steps_per_epoch - 1)
        return np.concatenate(losses), sizes


def _evaluate(
    program: Program, data: Mapping[str, Array], figures: Mapping[str, Metric], prefix: str, with_loss: bool
) -> dict[str, float]:
    outputs = program.evaluate(**data)
    record = {f"{prefix}loss": float(outputs["loss"])} if with_loss else {}
    predictions = {name: value for name, value in outputs.items() if name != "loss"}
    return record | {f"{prefix}{name}": figure(predictions, data) for name, figure in figures.items()}


class _Bar:
    """A tqdm bar, or nothing."""

    def __init__(self, wanted: bool, total: int) -> None:
        self.bar: Any = None
        self.last = ""
        if wanted:
            from tqdm import tqdm

            self.bar = tqdm(total=total, unit="step", dynamic_ncols=True, leave=True)

    def advance(self, steps: int, loss: float) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {loss:.4f}{self.last}", refresh=False)
            self.bar.update(steps)

    def note(self, text: str) -> None:
        self.last = f"   last epoch: {text}"
        if self.bar is not None:
            self.bar.set_postfix_str(text, refresh=False)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()
