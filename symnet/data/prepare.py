"""What is done to arrays before training: splitting, one-hot vectors, standardizing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symnet.errors import DTypeError, IndexOutOfRange, ShapeError, UsageError

__all__ = ["one_hot", "standardize", "train_test_split"]

Array = NDArray[Any]


def train_test_split(
    *data: Any, test_size: float | int = 0.25, seed: int = 0, shuffle: bool = True, stratify: Any = None
) -> tuple[Any, ...]:
    """Split rows into those to train on and those held out.

        x_train, x_test, y_train, y_test = sn.data.train_test_split(x, y, test_size=0.2, stratify=y)
        train, test = sn.data.train_test_split({"x": x, "y": y})

    data       arrays with the same number of rows, or one mapping of them
    test_size  a share of the rows (rounded up), or how many
    seed       decides which rows, with shuffle; without it the last rows are held out
    stratify   classes (one for each row) that are to have the same shares in both parts, as far as that goes
    """
    if not data:
        raise UsageError("train_test_split: there is nothing to split")
    if len(data) == 1 and isinstance(data[0], Mapping):
        names = list(data[0])
        parts = train_test_split(*data[0].values(), test_size=test_size, seed=seed, shuffle=shuffle, stratify=stratify)
        return dict(zip(names, parts[::2], strict=True)), dict(zip(names, parts[1::2], strict=True))
    lengths = [len(array) for array in data]
    if len(set(lengths)) != 1:
        raise ShapeError(f"train_test_split: the data has different numbers of rows: {lengths}")
    held_out = _held_out(lengths[0], test_size)
    if stratify is not None:
        if not shuffle:
            raise UsageError("train_test_split: stratify chooses rows at random; leave out shuffle=False")
        train, test = _stratified(np.asarray(stratify), held_out, lengths[0], seed)
    else:
        order = np.random.default_rng(seed).permutation(lengths[0]) if shuffle else np.arange(lengths[0])
        train, test = order[: lengths[0] - held_out], order[lengths[0] - held_out :]
    return tuple(part for array in data for part in (_rows(array, train), _rows(array, test)))


def _rows(array: Any, rows: NDArray[np.int64]) -> Any:
    if hasattr(array, "iloc"):  # pandas
        return array.iloc[rows]
    return array[rows] if hasattr(array, "shape") else np.asarray(array)[rows]


def _held_out(rows: int, size: float | int) -> int:
    if isinstance(size, bool) or not isinstance(size, (int, float, np.integer, np.floating)):
        raise DTypeError(f"train_test_split: test_size is {size!r}, expected a share of the rows or a number of them")
    share = isinstance(size, (float, np.floating))
    if (share and not 0 < size < 1) or not 0 < (count := int(np.ceil(rows * size)) if share else int(size)) < rows:
        raise UsageError(f"train_test_split: test_size is {size}, which leaves no rows in one part; there are {rows}")
    return count


def _stratified(classes: Array, held_out: int, rows: int, seed: int) -> tuple[Array, Array]:
    """Each class gives its share of the rows held out; what rounding leaves goes to the largest remainders."""
    if classes.shape != (rows,):
        raise ShapeError(f"train_test_split: stratify has the shape {list(classes.shape)}, expected [{rows}]")
    rng = np.random.default_rng(seed)
    _, number, count = np.unique(classes, return_inverse=True, return_counts=True)
    if count.min() < 2:
        raise UsageError("train_test_split: stratify has a class with a single row, which cannot be in both parts")
    exact = count * held_out / rows
    chosen = np.floor(exact).astype(int)
    order = np.argsort(chosen - exact, kind="stable")
    chosen[order[: held_out - chosen.sum()]] += 1
    train: list[Array] = []
    test: list[Array] = []
    for which, many in enumerate(chosen):
        own = rng.permutation(np.flatnonzero(number == which))
        test.append(own[:many])
        train.append(own[many:])
    return rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(test))


def one_hot(classes: Any, count: int | None = None, dtype: str = "float32") -> Array:
    """Class indices [...] as vectors [..., count] with a single 1; by default as many classes as the largest needs."""
    indices = np.asarray(classes)
    if indices.dtype.kind not in "iu":
        raise DTypeError(f"one_hot: expected whole numbers, got {indices.dtype}")
    if count is None:
        count = int(indices.max(initial=-1)) + 1
    if indices.size and (indices.min() < 0 or indices.max() >= count):
        bad = indices.min() if indices.min() < 0 else indices.max()
        raise IndexOutOfRange(f"one_hot: {bad} is no class, expected 0 to {count - 1}")
    return np.asarray(indices[..., None] == np.arange(count), dtype=dtype)


def standardize(train: Any, *others: Any) -> Any:
    """Arrays with mean 0 and standard deviation 1 in each column, by the mean and deviation of the first array.

        x_train, x_test = sn.data.standardize(x_train, x_test)

    A column that is constant in the first array becomes 0 there. float64 stays what it is, all else becomes float32.
    Gives one array for one, a tuple for several.
    """
    arrays = [np.asarray(array) for array in (train, *others)]
    for array in arrays:
        if array.dtype.kind not in "fiub":
            raise DTypeError(f"standardize: expected numbers, got {array.dtype}")
        if array.shape[1:] != arrays[0].shape[1:] or not array.ndim:
            raise ShapeError(
                f"standardize: the arrays have rows of different shapes: {[list(one.shape[1:]) for one in arrays]}"
            )
    if not len(arrays[0]):
        raise ShapeError("standardize: the first array has no rows to learn from")
    first = arrays[0].astype(np.float64)
    mean, deviation = first.mean(axis=0), first.std(axis=0)
    scale = np.where(deviation > np.abs(mean) * np.finfo(np.float64).eps * 8, deviation, 1.0)
    results = [
        ((array - mean) / scale).astype(array.dtype if array.dtype == np.float64 else np.float32) for array in arrays
    ]
    return results[0] if not others else tuple(results)
