"""Splitting, one-hot vectors, standardizing, batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symnet as sn


@pytest.mark.parametrize(("size", "held_out"), [(0.25, 6), (0.3, 7), (5, 5), (1, 1), (20, 20), (0.001, 1)])
def test_a_split_is_complete_and_disjoint(size: float | int, held_out: int) -> None:
    x, y = np.arange(42).reshape(21, 2), np.arange(21)
    x_train, x_test, y_train, y_test = sn.data.train_test_split(x, y, test_size=size)
    assert (len(y_train), len(y_test)) == (21 - held_out, held_out)
    assert sorted([*y_train, *y_test]) == list(range(21))
    np.testing.assert_array_equal(x_train[:, 0] // 2, y_train)
    np.testing.assert_array_equal(x_test[:, 0] // 2, y_test)


def test_a_split_follows_from_its_seed() -> None:
    x = np.arange(50)
    first, again, other = (sn.data.train_test_split(x, seed=seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert sn.data.train_test_split(x, test_size=0.2, shuffle=False)[1].tolist() == list(range(40, 50))


def test_a_split_of_a_mapping_lists_and_tables() -> None:
    train, test = sn.data.train_test_split({"x": np.arange(8.0), "y": [*range(8)]}, test_size=2)
    assert (len(train["x"]), len(test["y"])) == (6, 2)
    np.testing.assert_array_equal(test["x"], test["y"])
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": range(8)}, index=list("abcdefgh"))
    kept, held = sn.data.train_test_split(table, test_size=0.5)
    assert sorted([*kept.index, *held.index]) == list("abcdefgh")


def test_a_stratified_split_keeps_the_shares() -> None:
    classes = np.repeat([0, 1, 2], [60, 30, 10])
    rows = np.arange(100)
    train, test, train_classes, test_classes = sn.data.train_test_split(rows, classes, test_size=0.2, stratify=classes)
    assert np.bincount(test_classes).tolist() == [12, 6, 2]
    assert np.bincount(train_classes).tolist() == [48, 24, 8]
    assert sorted([*train, *test]) == rows.tolist()
    uneven = np.repeat(list("abc"), [7, 5, 3])
    _, held = sn.data.train_test_split(uneven, test_size=4, stratify=uneven)
    assert len(held) == 4
    assert np.unique(held, return_counts=True)[1].max() <= 2


@pytest.mark.parametrize(
    ("data", "options", "error", "words"),
    [
        ((), {}, sn.UsageError, "nothing to split"),
        ((np.arange(3), np.arange(4)), {}, sn.ShapeError, r"different numbers of rows: \[3, 4\]"),
        ((np.arange(3),), {"test_size": 3}, sn.UsageError, "no rows in one part; there are 3"),
        ((np.arange(3),), {"test_size": 0}, sn.UsageError, "no rows in one part"),
        ((np.arange(3),), {"test_size": 1.0}, sn.UsageError, "no rows in one part"),
        ((np.arange(3),), {"test_size": 0.99}, sn.UsageError, "no rows in one part"),
        ((np.arange(3),), {"test_size": "1"}, sn.DTypeError, "test_size is '1'"),
        ((np.arange(3),), {"test_size": 1, "stratify": [0, 1, 1]}, sn.UsageError, "a single row"),
        ((np.arange(3),), {"test_size": 1, "stratify": [0, 1]}, sn.ShapeError, "stratify has the shape"),
        ((np.arange(3),), {"stratify": [0, 0, 0], "shuffle": False}, sn.UsageError, "leave out shuffle=False"),
    ],
)
def test_bad_splits(data: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        sn.data.train_test_split(*data, **options)


def test_one_hot() -> None:
    np.testing.assert_array_equal(sn.data.one_hot([2, 0]), np.array([[0, 0, 1], [1, 0, 0]], "float32"))
    assert sn.data.one_hot(np.zeros((2, 3), "int32"), 4, "float64").shape == (2, 3, 4)
    assert sn.data.one_hot(np.zeros(0, int)).shape == (0, 0)
    for classes, count, words in (([3], 3, "3 is no class, expected 0 to 2"), ([-1, 0], None, "-1 is no class")):
        with pytest.raises(sn.IndexOutOfRange, match=words):
            sn.data.one_hot(classes, count)
    with pytest.raises(sn.DTypeError, match="expected whole numbers, got float64"):
        sn.data.one_hot([0.5])


def test_standardize(rng: np.random.Generator) -> None:
    train = rng.normal(5.0, 3.0, (40, 3)).astype("float32")
    train[:, 1] = 7.1
    test = rng.normal(size=(5, 3)).astype("float32")
    new, other = sn.data.standardize(train, test)
    np.testing.assert_allclose(new.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(new.std(0), [1, 0, 1], atol=1e-6)
    assert (new.dtype, other.dtype) == (np.float32, np.float32)
    wanted = (test - train.astype("float64").mean(0)) / np.array([train[:, 0].std(), 1, train[:, 2].std()])
    np.testing.assert_allclose(other, wanted, rtol=1e-5)
    assert sn.data.standardize(np.arange(6)).dtype == np.float32
    assert sn.data.standardize(np.arange(6.0)).dtype == np.float64
    for arrays, error in (
        ((np.array(["a"]),), sn.DTypeError),
        ((np.zeros((0, 3)),), sn.ShapeError),
        ((np.ones((2, 3)), np.ones((2, 4))), sn.ShapeError),
    ):
        with pytest.raises(error):
            sn.data.standardize(*arrays)


def test_batches() -> None:
    x, y = np.arange(14).reshape(7, 2), np.arange(7)
    loader = sn.data.batches((x, y), 3, seed=5)
    assert len(loader) == 3
    orders = [[int(i) for _, part in loader for i in part] for _ in range(2)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(7))
    loader.epoch = 1
    assert [int(i) for _, part in loader for i in part] == orders[1]
    for first, second in loader:
        np.testing.assert_array_equal(first[:, 0] // 2, second)
    assert [len(part["x"]) for part in sn.data.batches({"x": x}, 3, drop_last=True)] == [3, 3]
    assert [part.tolist() for part in sn.data.batches(y, 4, shuffle=False)] == [[0, 1, 2, 3], [4, 5, 6]]
    torch = pytest.importorskip("torch")
    assert isinstance(next(iter(sn.data.batches([torch.ones(4, 2, requires_grad=True)], 2)))[0], np.ndarray)


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ({"x": np.ones(3), "y": np.ones(4)}, {}, r"same number of rows, got \{'x': 3, 'y': 4\}"),
        ({}, {}, "got none"),
        (np.ones(3), {"batch_size": 0}, "batch_size is 0"),
        (np.ones(3), {"batch_size": 1.5}, "batch_size is 1.5"),
        (np.ones(3), {"seed": -1}, "seed is -1"),
        (np.float32(3), {}, "without rows"),
    ],
)
def test_bad_batches(data: Any, options: Any, words: str) -> None:
    with pytest.raises(sn.SymnetError, match=words):
        sn.data.batches(data, **({"batch_size": 2} | options))
