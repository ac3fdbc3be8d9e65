"""Batches for a loop that is written by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.runtime.arrays import is_table

__all__ = ["Batches", "batches"]

Data = TypeVar("Data")


class Batches(Generic[Data]):
    """An iterable of batches; each iteration is another epoch, in an order of its own. See `batches`.

    epoch  the number of the next iteration; with the seed it decides the order, and may be set to go on from a place
    """

    def __init__(self, data: Data, batch_size: int, shuffle: bool, seed: int, drop_last: bool) -> None:
        self._arrays = _arrays(data)
        self._kind = type(data)
        lengths = {name: len(array) for name, array in self._arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ShapeError(f"batches: expected arrays with the same number of rows, got {lengths or 'none'}")
        self.rows = next(iter(lengths.values()))
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise UsageError(f"batches: batch_size is {batch_size!r}, expected a whole number of 1 or more")
        if not 0 <= seed < 1 << 63:
            raise UsageError(f"batches: seed is {seed}, expected a whole number from 0 to {(1 << 63) - 1}")
        self.batch_size, self.shuffle, self.seed, self.drop_last = int(batch_size), shuffle, seed, drop_last
        self.epoch = 0

    def __len__(self) -> int:
        """How many batches an iteration gives."""
        return self.rows // self.batch_size if self.drop_last else -(-self.rows // self.batch_size)

    def __iter__(self) -> Iterator[Data]:
        order = order_of(self.seed, self.epoch, self.rows, self.shuffle)
        self.epoch += 1
        for number in range(len(self)):
            rows = order[number * self.batch_size :][: self.batch_size]
            yield self._made({name: array[rows] for name, array in self._arrays.items()})

    def _made(self, batch: dict[Any, Any]) -> Data:
        """A batch in the form of the data."""
        if issubclass(self._kind, Mapping):
            return cast(Data, batch)
        values = tuple(batch.values())
        return cast(Data, values if issubclass(self._kind, (tuple, list)) else values[0])


def batches(data: Data, batch_size: int, shuffle: bool = True, seed: int = 0, drop_last: bool = False) -> Batches[Data]:
    """Batches of rows of arrays, epoch after epoch.

        loader = sn.data.batches({"x": x, "y": y}, 32, seed=0)
        for epoch in range(5):
            for batch in loader:
                program.step(**batch)

    data       a mapping, a tuple or a list of arrays, or one array; batches have the same form
    shuffle    visit the rows in another order each time; the orders are those of `fit` for a program with this seed
    drop_last  leave out a last batch that is smaller
    """
    return Batches(data, batch_size, shuffle, seed, drop_last)


def order_of(seed: int, number: int, rows: int, shuffle: bool = True) -> NDArray[np.int64]:
    """In which order pass `number` over so many rows visits them; follows from the seed (int64)."""
    order = np.arange(rows, dtype=np.int64)
    if shuffle:
        np.random.Generator(np.random.Philox(key=[seed, number])).shuffle(order)
    return order


def _arrays(data: object) -> dict[Any, Any]:
    """The arrays by name or position; torch tensors and tables as NumPy arrays, memory maps as they are."""
    if isinstance(data, Mapping):
        named: dict[Any, object] = dict(data)
    else:
        named = dict(enumerate(data)) if isinstance(data, (tuple, list)) else {0: data}
    return {name: _array(name, value) for name, value in named.items()}


def _array(name: object, value: Any) -> Any:
    if is_table(value):
        return value.to_numpy()
    if isinstance(value, np.ndarray):
        array = value
    else:
        array = np.asarray(value.detach() if hasattr(value, "detach") else value)
    if not array.ndim:
        raise DTypeError(f"batches: {name!r} is a {type(value).__name__} without rows, expected an array")
    return array
