"""A compiled training program: `sn.compile` makes it, this class runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np

from symnet.errors import DTypeError, IndexOutOfRange, ShapeError, UnknownName, UsageError, nearest
from symnet.runtime import arrays as checks
from symnet.runtime.arrays import Array
from symnet.runtime.code import Code
from symnet.runtime.instance import Compile, Hyper, Instance, Persistent
from symnet.runtime.keys import IncompatibleKeys

if TYPE_CHECKING:
    from symnet.program.about import About
    from symnet.program.rows import Join
    from symnet.runtime.profile import Profile
    from symnet.runtime.tuning import Tuning
    from symnet.train.fit import Metrics
    from symnet.train.history import History

Result = TypeVar("Result")
SOURCES = ("loops", "llvm", "asm")
SHOWN_ROWS = 8
LOSS = "loss value"
"""What the loss is called among the outputs of `gradients`, beside the names of parameters."""


@dataclass(frozen=True)
class Batch:
    """The named dimension of the rows, and for each entry how its outputs on all rows follow from those on pieces."""

    dim: str
    joins: Mapping[str, Mapping[str, Join]]


class Program:
    """Forward, loss, backward and update as one native program, with its parameters.

    parameters   name -> array; assigning replaces the value        hyper     name -> number; no recompiling
    buffers      the same for state that is not trained             capacity  named dimension -> the largest size
    check_finite whether inputs are searched for NaN and infinity before each call
    epochs_done  epochs that `fit` has made so far; with `seed` it decides the order of the rows
    history      the `History` of the last `fit`, also of one that is running or was interrupted
    tuning       what `tune=` has found; None without it
    about        what `fit` knows of inputs, outputs and the step (`symnet.program.about`)
    """

    history: History | None

    def __init__(
        self,
        compile_entry: Compile,
        capacity: Mapping[str, int],
        outputs: Sequence[str],
        names: Mapping[str, Mapping[str, str]],
        hyper: Mapping[str, Any],
        seed: int,
        check_finite: bool,
        batch: Batch | None,
        about: About,
        absent: Mapping[str, Any] | None = None,
        exact: Callable[[], tuple[Compile, Batch | None, About]] | None = None,
    ) -> None:
        """`names` maps "parameter" and "state" to the user's names and their buffers; `hyper` gives default values.

        about   what `fit` wants to know
        absent  hyperparameters of the optimizer that are not in its update, with their values
        exact   gives what takes the place of `compile_entry`, `batch` and `about` once data is not what they assume
        """
        self.capacity, self.outputs, self.seed, self.check_finite = dict(capacity), tuple(outputs), seed, check_finite
        self.epochs_done, self.history = 0, None
        self.rows_at_once = 0  # how many `fit` runs before Python looks at what they gave, as far as it has found out
        self.tuning: Tuning | None = None
        self.about = about
        self._batch, self._exact = batch, exact
        self._compile, self._profiled = compile_entry, dict[str, Code]()
        self.instance = Instance()
        self._lock = self.instance.lock
        self.parameters = Persistent(self.instance, names["parameter"], "parameter")
        self.buffers = Persistent(self.instance, names["state"], "buffer")
        parts = {name: tuple(f"{name}[{i}]" for i in range(len(value))) if isinstance(value, tuple) else (name,)
                 for name, value in hyper.items()}  # fmt: skip
        self.hyper = Hyper(self.instance, parts, {name: type(value) for name, value in hyper.items()}, absent)
        self._code("step")
        for name, value in hyper.items():
            self.hyper[name] = value

    # --- one call ------------------------------------------------------------------------------------------------

    def step(self, /, **inputs: object) -> dict[str, Array]:
        """Forward, backward and update in one native call; gives `{"loss": …}`, the loss before the update.

        Inputs are given by name and may have any size up to the compiled one in the named dimensions. After an error
        nothing has changed.
        """
        return self._run_again("step", inputs) or self.run_entry("step", inputs)

    def gradients(self, /, **inputs: object) -> dict[str, Array]:
        """The gradient of the loss by each trainable parameter's name; changes nothing."""
        found = self.run_entry("gradients", inputs)
        del found[LOSS]  # computed along, so that its inputs are checked
        return found

    def evaluate(self, /, **inputs: object) -> dict[str, Array]:
        """The loss and all outputs, with their inference meaning; changes nothing.

        More rows than the compiled batch are run in pieces, where the results for all rows follow from those for
        pieces (`symnet.program.rows`); else the evaluation is compiled again for as many rows.
        """
        return self._for_any_data(lambda: self._on_all_rows("evaluate", inputs))

    def predict(self, output: str | None = None, /, **inputs: object) -> Array:
        """One output by name (the only one may be left unnamed) from the inputs it depends on; any number of rows."""
        if output is None and len(self.outputs) == 1:
            output = self.outputs[0]
        entry = f"predict_{output}"
        if (found := self._run_again(entry, inputs)) is not None:
            return found[output]  # type: ignore[index]
        if output is None:
            raise UsageError(f"predict: say which output; the program has {', '.join(self.outputs) or 'none'}")
        if not isinstance(output, str):
            raise DTypeError(f"predict: an output is given by its name, a string, got {type(output).__name__}")
        if output not in self.outputs:
            raise UnknownName(f"predict: there is no output {output!r}{nearest(output, self.outputs)}")
        return self._for_any_data(lambda: self._on_all_rows(entry, inputs))[output]

    def _run_again(self, entry: str, inputs: Mapping[str, object]) -> dict[str, Array] | None:
        """An entry on inputs like those before, the quick way; None where it has to be the usual one."""
        ready = None if self.check_finite else self.instance.ready.get(entry)
        return None if ready is None else ready(inputs)

    def _for_any_data(self, attempt: Callable[[], Result]) -> Result:
        """`attempt()`; where it meets data that the program was compiled without, again with the exact program."""
        try:
            return attempt()
        except IndexOutOfRange:
            before = (self._compile, self._batch, self.about, self._exact)
            if not self._became_exact():
                raise
            try:
                return attempt()
            except IndexOutOfRange:  # the data is wrong, and not unusual
                with self._lock:
                    self._compile, self._batch, self.about, self._exact = before
                    self.instance.replace(self._compile("step"))
            raise

    def _became_exact(self) -> bool:
        """Go over to the exact form (`symnet.ops.usually`), which keeps all values; False: it is in force already."""
        with self._lock:
            if self._exact is None:
                return False
            self._compile, self._batch, self.about = self._exact()
            self._exact = None
            self._profiled.clear()
            self.instance.replace(self._compile("step"))
            return True

    def run_entry(self, entry: str, inputs: Mapping[str, object]) -> dict[str, Array]:
        """Run an entry once on inputs that fit the compiled sizes; its outputs."""
        return self._for_any_data(lambda: self._run(entry, inputs))

    def _run(self, entry: str, inputs: Mapping[str, object]) -> dict[str, Array]:
        code = self._code(entry)
        return self._call(code, entry, *self._bind(code, entry, inputs))

    def _call(self, code: Code, entry: str, arrays: dict[str, Array], sizes: dict[str, int]) -> dict[str, Array]:
        self._check_capacity(code, entry, sizes)
        return self.instance.run(entry, arrays, sizes)

    def _bind_one(
        self, code: Code, entry: str, inputs: Mapping[str, object]
    ) -> tuple[dict[str, Array], dict[str, int]]:
        """Inputs for a single call: no size beyond what the code was compiled for."""
        arrays, sizes = self._bind(code, entry, inputs)
        self._check_capacity(code, entry, sizes)
        return arrays, sizes

    def _check_capacity(self, code: Code, entry: str, sizes: Mapping[str, int]) -> None:
        capacity = code.metadata["dims"]
        for name, size in sizes.items():
            if size > capacity[name]:
                raise ShapeError(
                    f"{_shown(entry)}: {name} is {size}, but the program was compiled for at most {capacity[name]}; "
                    f"compile with batch={{{name!r}: {size}}} or more"
                )

    def _bind(self, code: Code, entry: str, inputs: Mapping[str, object]) -> tuple[dict[str, Array], dict[str, int]]:
        arrays, sizes = checks.bind(code.signature(entry), inputs, _shown(entry))
        for name, size in sizes.items():
            if size == 0:
                raise ShapeError(f"{_shown(entry)}: {name} is 0; a batch has at least one row")
        if self.check_finite:
            checks.check_finite(arrays, _shown(entry))
        return arrays, sizes

    def _on_all_rows(self, entry: str, inputs: Mapping[str, object]) -> dict[str, Array]:
        """An entry on any number of rows."""
        code = self._code(entry)
        arrays, sizes = self._bind(code, entry, inputs)
        dim = self._batch.dim if self._batch is not None else ""
        if self._batch is None or sizes.get(dim, 0) <= code.metadata["dims"].get(dim, 0):
            return self._call(code, entry, arrays, sizes)
        from symnet.program.rows import joined

        joins = self._batch.joins[entry]
        if "whole" in joins.values():
            self._code(entry, {dim: sizes[dim]})
            return self._run(entry, arrays)
        capacity = self.capacity[dim]
        batched = {n for n, (shape, _) in code.signature(entry).items() if shape and shape[0] == dim}
        starts = range(0, sizes[dim], capacity)
        pieces = [{n: a[s : s + capacity] if n in batched else a for n, a in arrays.items()} for s in starts]
        results = [self._run(entry, piece) for piece in pieces]
        counts = [min(capacity, sizes[dim] - start) for start in starts]
        return {name: joined([result[name] for result in results], counts, join) for name, join in joins.items()}

    def _code(self, entry: str, sizes: Mapping[str, int] = MappingProxyType({})) -> Code:
        """The code of an entry for at least these sizes and the capacity, compiled when it is first needed."""
        with self._lock:
            known = self.instance.codes.get(entry)
            if known is not None and not sizes:
                return known
            had: Mapping[str, int] = self.capacity if known is None else known.metadata["dims"]
            beyond = {name: max(size, 2 * had[name]) for name, size in sizes.items() if size > had[name]}
            wanted = {**had, **beyond}
            if known is None or wanted != had:
                self.instance.attach(self._compile(entry, capacity=wanted))
            return self.instance.codes[entry]

    # --- training ------------------------------------------------------------------------------------------------

    def fit(
        self,
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
        """Train for `epochs` passes over `data`; returns the `History`, which is also `self.history`.

        data             input name -> all its rows (NumPy, a memory-mapped file, pandas, torch, anything with the array
                         or DLPack protocol); or an iterable of batches (a DataLoader, a list), each a mapping or a
                         tuple in the order of `inputs`; or a function that gives such an iterable for each epoch
        batch_size       rows in a batch, by default the compiled size; the last batch of an epoch may be smaller
        shuffle          visit the rows of arrays in an order that follows from the seed and the number of the epoch
        validation       data on which the loss and the metrics are computed after each epoch, in any form of `data`
        metrics          names such as "accuracy", objects of `sn.metrics`, functions of (outputs, data); or a mapping
                         from outputs to lists of these; computed on the training data, too, after each epoch
        callbacks        objects of `sn.callbacks`, schedulers of `sn.optim.lr_scheduler`, and functions of (program,
                         history) called after each epoch; training ends when one returns True
        progress         show a progress bar
        check_finite     stop with `NotFinite` at the first step in which the loss, a gradient, a parameter or optimizer
                         state becomes NaN or infinite; the error tells the expression that made it
        steps_per_epoch  batches in an epoch; the next epoch goes on where this one ended
        gradient_norms   keep the norm of every parameter's gradient in every step, in `history.gradient_norms`

        An error about the data (a bad index) undoes the epoch that met it, and one about a batch of an iterable that
        batch; `check_finite` leaves the program as it was before the bad step. After KeyboardInterrupt the program is
        as the last step left it, and `self.history` has all that was done.
        """
        from symnet.train.fit import fit

        return fit(
            self, data, epochs, batch_size, shuffle, validation, metrics, callbacks, progress, check_finite,
            steps_per_epoch, gradient_norms,
        )  # fmt: skip

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs of a step, in the order in which they were defined."""
        return self.about.inputs

    @cached_property
    def signature(self) -> checks.Signature:
        """The inputs of a step in their order: name -> (shape, dtype)."""
        signature = self._code("step").signature("step")
        return {name: signature[name] for name in self.inputs}

    @property
    def batch_dim(self) -> str:
        """The named dimension of the first axis of the data."""
        if self._batch is None:
            raise UsageError("no input has a named first axis, so there are no batches; call step() in a loop instead")
        return self._batch.dim

    def check_data(self, data: Mapping[str, object], what: str) -> dict[str, Array]:
        """A whole data set as arrays that fit the inputs of a step; the batch axis may have any length but 0."""
        arrays, sizes = checks.bind(self.signature, data, what)
        if sizes.get(self.batch_dim) == 0:
            raise ShapeError(f"{what}: the data has no rows")
        for name, size in sizes.items():
            if name != self.batch_dim and size > self.capacity[name]:
                raise ShapeError(f"{what}: {name} is {size}, compiled for at most {self.capacity[name]}")
        if self.check_finite:
            checks.check_finite(arrays, what)
        return arrays

    def bound(self, entry: str, inputs: Mapping[str, object]) -> dict[str, Array]:
        """Inputs of an entry as checked arrays."""
        return self._bind(self._code(entry), entry, inputs)[0]

    def rows_of(self, data: Mapping[str, Array]) -> int:
        """How many rows the inputs have; 1 for a program without a batch axis."""
        return len(data[self.batched[0]]) if self.batched else 1

    @cached_property
    def batched(self) -> list[str]:
        """The inputs whose first axis is that of the rows."""
        dim = self._batch.dim if self._batch is not None else None
        return [name for name, (shape, _) in self.signature.items() if shape and shape[0] == dim]

    def joins(self, entry: str) -> Mapping[str, Join]:
        """How the outputs of an entry on all rows follow from those on pieces; empty without a batch axis."""
        return self._batch.joins[entry] if self._batch is not None else {}

    def fits_all_checks(self, entry: str, data: Mapping[str, Array]) -> bool:
        """Whether no check of the entry can fail on any rows of checked `data`, as far as that is quickly seen.

        False as well where to look through the data would take longer than to copy all that persists.
        """
        bounds = self._code(entry).bounds(entry)
        if bounds is None or any(name not in data or isinstance(data[name], np.memmap) for name in bounds):
            return False
        if sum(data[name].nbytes for name in bounds) > self.instance.persistent_bytes():
            return False
        return all(data[name].min() >= 0 and data[name].max() < size for name, size in bounds.items())

    def run_batches(
        self, entry: str, data: Mapping[str, Array], rows: Array, batch: int, done: int = 0
    ) -> dict[str, Array]:
        """Run a training step over these rows of checked `data` in batches, natively; every output of each, stacked.

        Stops with an error at a bad index. `done` is how many batches came before, for messages.
        """
        code = self._code(entry)
        batched = {name: data[name] for name in self.batched}
        fixed = {name: array for name, array in data.items() if name not in batched}
        with self._lock:
            kept, failed = code.epoch(entry, self.instance.memory, batched, fixed, rows, batch, self.batch_dim)
        reached = len(kept["loss"])
        if failed and self._became_exact():
            rest = self.run_batches(entry, data, rows[reached * batch :], batch, done + reached)
            return {name: np.concatenate([kept[name], rest[name]]) for name in rest} if reached else rest
        if failed:
            bad = rows[reached * batch :][:batch].tolist()
            shown = ", ".join(map(str, bad[:SHOWN_ROWS])) + (", …" if len(bad) > SHOWN_ROWS else "")
            code.fail("step", failed, f"batch {done + reached + 1}, with rows {shown}: ")
        return kept

    # --- keeping -------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write everything needed to go on bit for bit: parameters, state, hyperparameters, the count of epochs."""
        from symnet.program.checkpoint import as_path, save

        save(self, as_path(path, "save"))

    def load(self, path: str | Path) -> None:
        """Go on from what `save` wrote; the names, shapes and dtypes must be this program's, else nothing changes."""
        from symnet.program.checkpoint import as_path, load

        load(self, as_path(path, "load"))

    def load_parameters(self, source: Mapping[str, object] | str | Path, strict: bool = True) -> IncompatibleKeys:
        """Set parameters and buffers from a mapping of names (a `state_dict`) or a safetensors file; all or nothing.

        Names may be missing. strict=False leaves out what the program does not have (the old head of a pretrained
        network), which is an error otherwise. Gives the parameters that are missing and the unexpected names.
        """
        from symnet.program.checkpoint import load_parameters

        return load_parameters(self, source, strict)

    # --- looking -------------------------------------------------------------------------------------------------

    def source(self, kind: str, entry: str = "step") -> str:
        """The text of a stage: "loops", "llvm" or "asm"."""
        if kind not in SOURCES:
            raise UsageError(f"source: there is no kind {kind!r}{nearest(kind, SOURCES)}")
        code = self._code(entry)
        source = getattr(code, "source", None)
        if source is None:
            raise UsageError(f"source: this program was loaded without its {kind} text")
        return str(source(kind))

    def profile(self, entry: str = "step", /, **inputs: object) -> Profile:
        """Where the time of a call goes, kernel by kernel: time, flops, bytes, shares of what the machine can do.

        Runs the entry ("step", "gradients", "evaluate", "predict_OUTPUT") many times on these inputs, for about a third
        of a second, on a copy of the program's memory: nothing that it holds changes. The first time, the entry is
        compiled again with counters, and the machine is measured. Print what it gives; see `Profile`. Needs the `llvm`
        backend.
        """
        from symnet.program.profiling import profile

        if entry not in self._entries:
            raise UnknownName(f"profile: there is no entry {entry!r}{nearest(entry, self._entries)}")
        with self._lock:
            if entry not in self._profiled:
                self._profiled[entry] = self._compile(entry, profile=True)
            code, persistent = self._profiled[entry], self.instance.snapshot()
        arrays, sizes = self._bind_one(code, entry, inputs)
        return profile(code, entry, persistent, arrays, sizes)

    def code(self, entry: str = "step") -> Code:
        """The compiled code of an entry, for those who look into it."""
        return self._code(entry)

    def kernels(self, entry: str = "step") -> list[Mapping[str, Any]]:
        """The kernels of an entry in the order in which they run: their names, notes and costs."""
        return list(self._code(entry).metadata["entries"][entry]["kernels"])

    @property
    def _entries(self) -> list[str]:
        from symnet.program.about import STEPS

        return [*STEPS.values(), "gradients", "evaluate", *(f"predict_{name}" for name in self.outputs)]

    def __reduce__(self) -> NoReturn:
        raise DTypeError(
            "a program cannot be copied or pickled: compile it again where it is wanted, and move what it has learned "
            "with save() and load()"
        )

    def __repr__(self) -> str:
        count = sum(int(np.prod(self.parameters[name].shape)) for name in self.parameters)
        capacity = ", ".join(f"{name} <= {size}" for name, size in self.capacity.items())
        return f"<Program: {len(self.parameters)} parameters, {count:,} numbers; {capacity or 'fixed sizes'}>"


def _shown(entry: str) -> str:
    """The call that runs an entry, for messages."""
    return f"predict {entry.removeprefix('predict_')!r}" if entry.startswith("predict_") else entry
