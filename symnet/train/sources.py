"""Where the rows of a training run come from: arrays in memory or in a file, or any iterable of batches.

A source gives stretches: as many batches as are run before anybody looks at the result. For arrays that is one native
call; what does not fit into memory, or comes from an iterator, is run batch by batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.data.batching import order_of
from symnet.errors import DTypeError, ShapeError, SymnetError, UsageError
from symnet.runtime.arrays import Array, as_array, is_table

if TYPE_CHECKING:
    from symnet.program.program import Program

Batch = Mapping[str, object]


@dataclass
class Pace:
    """How many batches make a stretch."""

    steps: int = 1


@dataclass(frozen=True)
class Stretch:
    """Batches that were run one after the other.

    records  every output of each                        first   how many batches of the epoch came before
    sizes    the number of rows of each                  inputs  place -> the inputs of one
    rows     place -> the row numbers of one, or None
    """

    records: Mapping[str, Array]
    sizes: Array
    first: int
    inputs: Callable[[int], Mapping[str, Array]]
    rows: Callable[[int], Array | None]

    @property
    def losses(self) -> Array:
        return self.records["loss"].astype(np.float64)


Run = Callable[[], Stretch]


class Source(ABC):
    """Training data of a program."""

    program: Program
    steps: int | None
    """Batches in an epoch, where that is known beforehand."""

    @abstractmethod
    def epoch(self, entry: str, number: int, pace: Pace) -> Iterator[Run]:
        """The stretches of an epoch, with an entry of the program; each is to be run before the next is asked for."""

    @abstractmethod
    def pieces(self, pace: Pace) -> Iterator[tuple[Mapping[str, Array], int]]:
        """All rows once, for an evaluation: inputs for one call, and how many rows they have.

        A piece of arrays has as many rows as `pace.steps` batches of the compiled size.
        """

    def everything(self) -> Mapping[str, Array] | None:
        """All rows at once, where they lie in memory."""
        return None


def source(
    program: Program, data: object, what: str, batch_size: int | None, shuffle: bool, steps: int | None
) -> Source:
    """The source for what `fit` was given as `data`."""
    if is_table(data):
        data = {name: _column(data, name, what) for name in program.inputs}
    if isinstance(data, Mapping):
        batch = batch_rows(program, batch_size)
        filed = any(_stays_in_file(program, name, value) for name, value in data.items())
        return (Filed if filed else Rows)(program, data, what, batch, shuffle, steps)
    if callable(data) or (isinstance(data, Iterable) and not isinstance(data, (str, bytes, tuple, np.ndarray))):
        if batch_size is not None:
            raise UsageError(f"{what}: batch_size is {batch_size}, but the data comes in batches of its own")
        return Stream(program, data, what, steps)
    raise DTypeError(
        f"{what}: expected a mapping from input names to arrays, or an iterable of batches, got {type(data).__name__}"
    )


def batch_rows(program: Program, batch_size: object) -> int:
    """The number of rows in a batch."""
    dim = program.batch_dim
    capacity = program.capacity[dim]
    batch = capacity if batch_size is None else whole("batch_size", batch_size)
    if not 1 <= batch <= capacity:
        raise ShapeError(
            f"fit: batch_size is {batch}; the program was compiled for batch={{{dim!r}: {capacity}}}, "
            f"expected 1 to {capacity}"
        )
    return batch


def whole(name: str, value: object) -> int:
    """An argument that is a whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DTypeError(f"fit: {name} is {value!r}, expected a whole number")
    return int(value)


def _column(table: Any, name: str, what: str) -> object:
    if name not in table.columns:
        raise UsageError(
            f"{what}: the table has no column {name!r}; its columns are {', '.join(map(str, table.columns))}. "
            f"For an input of several columns give a mapping: {{{name!r}: table[[…]], …}}"
        )
    return table[name]


def _stays_in_file(program: Program, name: str, value: object) -> bool:
    """Whether an array is mapped from a file and would have to be copied as a whole to fit the input."""
    signature = program.signature
    if not isinstance(value, np.memmap) or name not in signature:
        return False
    return value.dtype.name != signature[name][1] or not value.flags.c_contiguous


# --- arrays -------------------------------------------------------------------------------------------------------


class Rows(Source):
    """Arrays with all rows.

    The passes over the rows have no end; each has its own order. Epoch e is the e-th portion of `steps` batches of
    them, by default one whole pass. So what comes next follows from the seed and the number of epochs done.
    """

    def __init__(self, program: Program, data: Batch, what: str, batch: int, shuffle: bool, steps: int | None) -> None:
        self.program, self.batch, self.shuffle = program, batch, shuffle
        self.data = self.checked(data, what)
        self.rows = program.rows_of(self.data)
        self.per_pass = -(-self.rows // batch)
        self.steps = self.per_pass if steps is None else steps
        self.order = lru_cache(maxsize=1)(lambda number: order_of(program.seed, number, self.rows, shuffle))

    def checked(self, data: Batch, what: str) -> Mapping[str, Array]:
        return self.program.check_data(data, what)

    def epoch(self, entry: str, number: int, pace: Pace) -> Iterator[Run]:
        position = number * (self.steps or 0)
        end = position + (self.steps or 0)
        begin = position
        while position < end:
            number, first = divmod(position, self.per_pass)
            last = min(first + pace.steps, self.per_pass, first + end - position)
            rows = self.order(number)[first * self.batch : last * self.batch]
            yield partial(self.stretch, entry, rows, position - begin)
            position += last - first

    def stretch(self, entry: str, rows: Array, done: int) -> Stretch:
        """Run these rows batch by batch; `done` is how many batches of the epoch came before."""
        records = self.program.run_batches(entry, self.data, rows, self.batch, done)
        return self.described(records, rows, done)

    def described(self, records: Mapping[str, Array], rows: Array, done: int) -> Stretch:
        steps = -(-len(rows) // self.batch)
        sizes = np.full(steps, self.batch)
        sizes[-1] = len(rows) - self.batch * (steps - 1)
        return Stretch(
            records,
            sizes,
            done,
            lambda step: self.taken(self.chosen(rows, step)),
            lambda step: self.chosen(rows, step),
        )

    def chosen(self, rows: Array, step: int) -> Array:
        return rows[step * self.batch :][: self.batch]

    def taken(self, rows: Array) -> Mapping[str, Array]:
        """The inputs with these rows."""
        batched = self.program.batched
        return {name: np.asarray(value[rows]) if name in batched else value for name, value in self.data.items()}

    def pieces(self, pace: Pace) -> Iterator[tuple[Mapping[str, Array], int]]:
        batched, capacity = self.program.batched, self.program.capacity[self.program.batch_dim]
        start = 0
        while start < self.rows:
            end = min(start + pace.steps * capacity, self.rows)
            yield {name: a[start:end] if name in batched else a for name, a in self.data.items()}, end - start
            start = end

    def everything(self) -> Mapping[str, Array] | None:
        return self.data


class Filed(Rows):
    """Arrays of which some are mapped from a file and have another type or layout than the input: taken as needed."""

    def checked(self, data: Batch, what: str) -> Mapping[str, Array]:
        """The shapes are checked on the first row, and the lengths; what lies in memory is converted as a whole."""
        program = self.program
        arrays: dict[str, Any] = {
            name: value if name not in program.signature or _stays_in_file(program, name, value)
            else as_array(name, value, program.signature[name][1])
            for name, value in data.items()
        }  # fmt: skip
        program.check_data({n: a[:1] if n in program.batched else a for n, a in arrays.items()}, what)
        lengths = {name: len(arrays[name]) for name in program.batched}
        if len(set(lengths.values())) > 1:
            raise ShapeError(f"{what}: the inputs have different numbers of rows: {lengths}")
        return arrays

    def stretch(self, entry: str, rows: Array, done: int) -> Stretch:
        steps = -(-len(rows) // self.batch)
        results = [self.program.run_entry(entry, self.taken(self.chosen(rows, step))) for step in range(steps)]
        return self.described({name: np.stack([r[name] for r in results]) for name in results[0]}, rows, done)


def shown_rows(rows: Array, most: int = 8) -> str:
    """The first row numbers of a batch."""
    return ", ".join(map(str, rows[:most].tolist())) + (", …" if len(rows) > most else "")


# --- iterables ----------------------------------------------------------------------------------------------------


class Stream(Source):
    """Any iterable of batches, or a function that gives one: lists, generators, a DataLoader.

    A batch is a mapping from input names to arrays, a tuple or list of arrays in the order of `program.inputs`, or the
    array of the only input. Without `steps` an epoch is one iteration, begun afresh; with it, epochs follow each other
    in one iteration, which is begun again at its end.
    """

    def __init__(self, program: Program, data: object, what: str, steps: int | None) -> None:
        self.program, self.data, self.what, self.portion = program, data, what, steps
        length = getattr(data, "__len__", None)
        self.steps = steps if steps is not None or length is None else int(length())
        self.begun = False
        self.running: Iterator[object] | None = None

    @property
    def once(self) -> bool:
        """Whether the data is an iterator, which can be gone through a single time."""
        return isinstance(self.data, Iterator)

    def fresh(self) -> Iterator[object]:
        """A new iteration over the batches."""
        if self.once and self.begun:
            raise UsageError(
                f"{self.what}: the data is an iterator (a {type(self.data).__name__}), which gives its batches only "
                "once: pass a function that makes one, or a list, or enough batches for steps_per_epoch"
            )
        self.begun = True
        made = self.data if isinstance(self.data, Iterable) else self.data()  # type: ignore[operator]
        if not isinstance(made, Iterable):
            raise DTypeError(f"{self.what}: the function gave {type(made).__name__}, expected an iterable of batches")
        return iter(made)

    def epoch(self, entry: str, number: int, pace: Pace) -> Iterator[Run]:
        count = 0
        for batch in self._batches():
            yield partial(self._step, entry, batch, count)
            count += 1
        if not count:
            raise UsageError(f"{self.what}: the data gave no batch")
        self.steps = count

    def _batches(self) -> Iterator[object]:
        if self.portion is None:
            yield from self.fresh()
            return
        for _ in range(self.portion):
            self.running = self.fresh() if self.running is None else self.running
            batch = next(self.running, None)
            if batch is None:
                self.running = self.fresh()
                batch = next(self.running, None)
            if batch is not None:
                yield batch

    def _step(self, entry: str, batch: object, done: int) -> Stretch:
        try:
            inputs = self.program.bound(entry, self.named(batch))
            outputs = self.program.run_entry(entry, inputs)
        except SymnetError as error:
            error.add_note(f"in batch {done + 1} of this epoch")
            raise
        records = {name: value[None] for name, value in outputs.items()}
        sizes = np.array([self.program.rows_of(inputs)])
        return Stretch(records, sizes, done, lambda step: inputs, lambda step: None)

    def named(self, batch: object) -> Mapping[str, object]:
        """A batch as a mapping."""
        inputs = self.program.inputs
        if is_table(batch):
            return {name: _column(batch, name, self.what) for name in inputs}
        if isinstance(batch, Mapping):
            return batch
        if isinstance(batch, (tuple, list)) and len(batch) == len(inputs):
            return dict(zip(inputs, batch, strict=True))
        if len(inputs) == 1 and not isinstance(batch, (tuple, list, str)):
            return {inputs[0]: batch}
        given = f"{type(batch).__name__} of {len(batch)}" if isinstance(batch, (tuple, list)) else type(batch).__name__
        raise DTypeError(
            f"{self.what}: a batch is a {given}, expected a mapping, or a tuple of {len(inputs)}: {', '.join(inputs)}"
        )

    def pieces(self, pace: Pace) -> Iterator[tuple[Mapping[str, Array], int]]:
        for batch in islice(self.fresh(), self.portion):
            inputs = self.program.bound("evaluate", self.named(batch))
            yield inputs, self.program.rows_of(inputs)
