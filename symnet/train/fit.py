"""The training loop: epochs of native batches, with a progress bar, validation, metrics, callbacks and a history."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from symnet.errors import IndexOutOfRange, ShapeError, UsageError
from symnet.program.about import FINITE, NORM, STEPS
from symnet.runtime.arrays import Array
from symnet.train.callbacks.base import Callbacks
from symnet.train.evaluation import evaluate
from symnet.train.history import History, describe
from symnet.train.interrupts import Interrupts
from symnet.train.metrics.base import Given, Value, resolve
from symnet.train.progress import Bar
from symnet.train.sources import Pace, Rows, Source, Stream, Stretch, source, whole

if TYPE_CHECKING:
    from symnet.program.program import Program

Metrics = Sequence[Given] | Mapping[str, Sequence[Given] | Given]
REPORT_SECONDS = 0.1
"""How long the native loop runs before Python looks at what it did."""


def fit(
    program: Program,
    data: object,
    epochs: int = 1,
    batch_size: int | None = None,
    shuffle: bool = True,
    validation: object = None,
    metrics: Metrics = (),
    callbacks: Sequence[object] = (),
    progress: bool = True,
    check_finite: bool = False,
    steps_per_epoch: int | None = None,
    gradient_norms: bool = False,
) -> History:
    """Train for `epochs` passes over `data`; see `Program.fit`."""
    if whole("epochs", epochs) < 0:
        raise UsageError(f"fit: epochs is {epochs}, expected 0 or more")
    if steps_per_epoch is not None and whole("steps_per_epoch", steps_per_epoch) < 1:
        raise UsageError(f"fit: steps_per_epoch is {steps_per_epoch}, expected 1 or more")
    run = _Run(
        program,
        source(program, data, "fit", batch_size, shuffle, steps_per_epoch),
        None if validation is None else source(program, validation, "fit, validation", None, False, None),
        metrics,
        Callbacks(callbacks),
        STEPS[gradient_norms, check_finite],
    )
    program.history = run.history
    with Bar(progress, epochs, run.train.steps) as bar, Interrupts() as interrupts:
        run.callbacks.call("on_fit_begin", program, run.history)
        for _ in range(epochs):
            if run.epoch(bar, interrupts):
                break
        run.callbacks.call("on_fit_end", program, run.history)
    return run.history


class _Run:
    """One call of `fit`: what is trained on, what is looked at, and what was found."""

    def __init__(
        self,
        program: Program,
        train: Source,
        validation: Source | None,
        metrics: Metrics,
        callbacks: Callbacks,
        entry: str,
    ) -> None:
        self.program, self.train, self.validation = program, train, validation
        self.figures = resolve(metrics, program)
        if self.figures and isinstance(train, Stream) and train.once:
            raise UsageError(
                "fit: metrics on the training data need a second pass over it, and the data is an iterator, which "
                "gives its batches once: pass a function that makes one, or a list"
            )
        self.callbacks, self.entry, self.history = callbacks, entry, History()
        self.pace = Pace()
        if isinstance(train, Rows) and not self.callbacks.per_batch:
            self.pace.steps = max(1, program.rows_at_once // train.batch)

    def epoch(self, bar: Bar, interrupts: Interrupts) -> bool:
        """One epoch; whether a callback asked to end the training. A bad index or size in arrays undoes it."""
        program, history = self.program, self.history
        before = None if isinstance(self.train, Stream) or self._cannot_fail() else program.instance.snapshot()
        done, steps = program.epochs_done, len(history.losses)
        try:
            return self._epoch(bar, interrupts)
        except (IndexOutOfRange, ShapeError):
            if before is not None:
                program.instance.restore(before)
                program.epochs_done = done
                history.forget(steps)
            raise

    def _cannot_fail(self) -> bool:
        """Whether the data plainly has no bad index or size: then nothing is kept by which to undo an epoch."""
        uses = [(self.entry, self.train)]
        if self.figures:
            uses.append(("evaluate", self.train))
        if self.validation is not None:
            uses.append(("evaluate", self.validation))
        arrays = [(entry, source.everything()) for entry, source in uses]
        return all(data is not None and self.program.fits_all_checks(entry, data) for entry, data in arrays)

    def _epoch(self, bar: Bar, interrupts: Interrupts) -> bool:
        program, history = self.program, self.history
        started = time.perf_counter()
        bar.begin(self.train.steps)
        self.callbacks.call("on_epoch_begin", program, history)
        loss, stop = self._train(bar, interrupts)
        program.epochs_done += 1
        record: dict[str, Value] = {"epoch": float(program.epochs_done), "loss": loss}
        if self.figures:
            record |= evaluate(program, self.train, self.figures, with_loss=False)
        interrupts.check()
        if self.validation is not None:
            found = evaluate(program, self.validation, self.figures, with_loss=True)
            record |= {f"val_{name}": value for name, value in found.items()}
        record["seconds"] = time.perf_counter() - started
        history.epochs.append(record)
        history.ends.append(len(history.losses))
        stop = self.callbacks.call("on_epoch_end", program, history) or stop
        bar.note(describe(record))
        interrupts.check()
        return stop

    def _train(self, bar: Bar, interrupts: Interrupts) -> tuple[float, bool]:
        """The batches of one epoch: the mean loss, and whether a callback asked to end the training."""
        program, history = self.program, self.history
        total, rows, stop = 0.0, 0, False
        for stretch in self._stretches():
            self._note(stretch)
            total += float(np.dot(stretch.losses, stretch.sizes))
            rows += int(stretch.sizes.sum())
            bar.advance(len(stretch.losses), history.losses[-1])
            if self.callbacks.per_batch:
                stop = self.callbacks.call("on_batch_end", program, history)
            interrupts.check()
            if stop:
                break
        return total / rows, stop

    def _note(self, stretch: Stretch, steps: int | None = None) -> None:
        """Add a stretch, or its first steps, to the history."""
        self.history.losses.extend(stretch.losses[:steps].tolist())
        for name, values in stretch.records.items():
            if name.startswith(NORM):
                norms = self.history.gradient_norms.setdefault(name.removeprefix(NORM), [])
                norms.extend(values[:steps].tolist())

    def _stretches(self) -> Iterator[Stretch]:
        """The stretches of one epoch, each as long as `REPORT_SECONDS`, or one batch where callbacks ask for that."""
        program, checked = self.program, self.entry in (STEPS[False, True], STEPS[True, True])
        for run in self.train.epoch(self.entry, program.epochs_done, self.pace):
            if self.callbacks.per_batch:
                self.callbacks.call("on_batch_begin", program, self.history)
            before = program.instance.snapshot() if checked else None
            began = time.perf_counter()
            stretch = run()
            factor = min(REPORT_SECONDS / max(time.perf_counter() - began, 1e-9), 1000)
            if before is not None:
                self._check(stretch, before)
            yield stretch
            self.pace.steps = 1 if self.callbacks.per_batch else max(1, int(len(stretch.sizes) * factor))
            program.rows_at_once = int(stretch.sizes.sum() * factor)

    def _check(self, stretch: Stretch, before: Array) -> None:
        """End with an error at the first step of a stretch that made something not finite; the steps before it stay."""
        finite = stretch.records[FINITE]
        if finite.all():
            return
        from symnet.train.debug import not_finite

        step = int(np.argmin(finite))
        self.program.instance.restore(before)
        for earlier in range(step):  # the same steps give the same bits
            self.program.run_entry(self.entry, stretch.inputs(earlier))
        self._note(stretch, step)
        number = stretch.first + step + 1
        raise not_finite(self.program, self.entry, stretch.inputs(step), number, stretch.rows(step))
