"""Indexing as NumPy does it."""

from __future__ import annotations

import numpy as np
import pytest

import symnet.ops as sn
from symnet.derive.reverse import pullback
from symnet.errors import DTypeError, IndexOutOfRange, ShapeError, SymnetError

KEYS = [
    0, -1, (1, 2), (1, 2, 3), slice(None), slice(1, None), slice(None, -1), slice(None, None, 2), slice(None, None, -1),
    slice(4, 0, -2), slice(10, 20), slice(3, 1), slice(-100, 100), (slice(None), 0), (Ellipsis, 0), (0, Ellipsis),
    (0, Ellipsis, 1), Ellipsis, None, (None, 0), (slice(None), None), (Ellipsis, None), (0, None, slice(1, 3), None),
    (),    [2, 0, 1], ([0, 1], [1, 2]), (slice(None), [1, 0]), ([0, 1], slice(1, 3)), ([0, 1], slice(None), [1, 2]),
    (0, slice(None), [1, 2]), ([1, 2], slice(None), 0), (slice(None), [1, 2], 0), (0, [1, 2]), ([0, 1], None, [1, 2]),
    (None, [0, 1]), (slice(None, None, -1), [0, 2], slice(1, None, 2)), np.array([[0, 1], [2, -1]]),
    (slice(None), np.array([[0, 1], [2, -1]])), (np.array([[0], [2]]), np.array([0, 1])), np.array(1), ([],),
    (Ellipsis, [0, 0]), (slice(None), -1, None, slice(None, None, -1)), np.int64(2), (0, slice(None), None, [1, 2]),
    (slice(1, 3), 0, [0, 1]), ([0, 1], 0), ([0, 1], Ellipsis, 1), ([0, 1], 1, Ellipsis),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_indexing_is_that_of_numpy(key: object, rng: np.random.Generator) -> None:
    array = rng.normal(size=(5, 4, 6))
    x = sn.input("x", (5, 4, 6), "float64")
    node, expected = x[key], np.asarray(array[key])
    assert node.shape == expected.shape
    np.testing.assert_array_equal(sn.evaluate(node, {"x": array}), expected)
    g = rng.normal(size=expected.shape)
    reference = np.zeros_like(array)
    np.add.at(reference, key, g)
    np.testing.assert_allclose(sn.evaluate(pullback([node], [sn.constant(g)], [x])[0], {"x": array}), reference)


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_indexing_of_named_sizes(key: object, rng: np.random.Generator) -> None:
    """Where a shape can be told for every size, it is that of NumPy at a large enough size."""
    array = rng.normal(size=(6, 4, 8))
    x = sn.input("x", ("2*N", "K", "2*M"), "float64")
    bounds = [k for k in (key if isinstance(key, tuple) else (key,)) if isinstance(k, slice)]
    if slice(1, None, 2) in bounds:  # M - 1/2 positions
        with pytest.raises(ShapeError, match="2\\*M - 1 positions of axis 2 with a step of 2 are no whole number"):
            x[key]
        return
    node = x[key]
    clamped = any(b is not None and abs(b) > 4 for k in bounds for b in (k.start, k.stop))
    empty = any(None not in (k.start, k.stop) and k.start > k.stop and (k.step or 1) > 0 for k in bounds)
    if clamped or empty:  # a bound beyond a named size is not known to be one: it is checked when it runs
        return
    np.testing.assert_array_equal(sn.evaluate(node, {"x": array}), array[key])


def test_positions_that_are_computed(rng: np.random.Generator) -> None:
    array, rows = rng.normal(size=(5, 4)), rng.integers(0, 5, (3, 2))
    x, i = sn.input("x", (5, 4), "float64"), sn.input("i", (3, 2), "int64")
    np.testing.assert_array_equal(sn.evaluate(x[i], {"x": array, "i": rows}), array[rows])
    np.testing.assert_array_equal(sn.evaluate(x[i, 1], {"x": array, "i": rows}), array[rows, 1])
    np.testing.assert_array_equal(sn.evaluate(x[i % 5, i % 4], {"x": array, "i": rows}), array[rows % 5, rows % 4])
    with pytest.raises(IndexOutOfRange, match="index 5 is outside axis 0 of size 5"):
        sn.evaluate(x[i], {"x": array, "i": np.full((3, 2), 5)})
    with pytest.raises(IndexOutOfRange, match="index -1"):
        sn.evaluate(x[i], {"x": array, "i": np.full((3, 2), -1)})


def test_constant_positions_from_the_end_of_a_named_axis() -> None:
    x = sn.input("x", ("N", 2), "float64")
    array = np.arange(10.0).reshape(5, 2)
    np.testing.assert_array_equal(sn.evaluate(x[[0, -1]], {"x": array}), array[[0, -1]])
    assert x[1:].shape == ("N - 1", 2)
    assert x[:3].shape == (3, 2)
    assert x[-2:].shape == (2, 2)
    assert x[::-1].shape == ("N", 2)
    assert x[1:"N - 1"].shape == ("N - 2", 2)
    np.testing.assert_array_equal(sn.evaluate(x[1:"N - 1"], {"x": array}), array[1:4])
    with pytest.raises(ShapeError, match="positions"):
        sn.evaluate(x[:7], {"x": array})


def test_take_and_take_along_axis(rng: np.random.Generator) -> None:
    array = rng.normal(size=(3, 4, 5))
    indices = rng.integers(-4, 4, (2, 2))
    for axis in (None, 0, 1, -1):
        size = 60 if axis is None else array.shape[axis]
        wrapped = indices % min(size, 4)
        np.testing.assert_array_equal(sn.evaluate(sn.take(array, wrapped, axis)), np.take(array, wrapped, axis))
    for axis, shape in [(0, (2, 4, 5)), (1, (3, 1, 5)), (-1, (3, 4, 7)), (2, (1, 4, 2)), (1, (3, 2, 1))]:
        chosen = rng.integers(0, array.shape[axis], shape)
        np.testing.assert_array_equal(
            sn.evaluate(sn.take_along_axis(array, chosen, axis)), np.take_along_axis(array, chosen, axis)
        )
    p, y = sn.input("p", ("N", 10)), sn.input("y", ("N",), "int64")
    assert sn.take_along_axis(p, y[:, None], axis=-1).shape == ("N", 1)


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (5, IndexOutOfRange, "position 5 is outside axis 0 of size 5"),
        (-6, IndexOutOfRange, "position -6"),
        ((0, 0, 0), IndexOutOfRange, "3 positions for an array of 2 axes"),
        (np.array([True, False, True, False, True]), DTypeError, "boolean.*sn.where"),
        ([True, False, True, False, True], DTypeError, "boolean"),
        (True, DTypeError, "bool"),
        (1.0, DTypeError, "float"),
        ("a", DTypeError, "str"),
        (np.array([0.5]), DTypeError, "float64, expected integers"),
        ([0, 5], IndexOutOfRange, "index 5 is outside an axis of size 5"),
        ((Ellipsis, Ellipsis), ShapeError, "more than one"),
        (slice(None, None, 0), DTypeError, "step"),
        (slice(0.5, None), DTypeError, "bound 0.5"),
    ],
)
def test_errors(key: object, error: type[SymnetError], message: str) -> None:
    with pytest.raises(error, match=f"indexing: .*{message}"):
        sn.input("x", (5, 4))[key]


def test_masks_are_refused_as_expressions() -> None:
    x = sn.input("x", (5,))
    with pytest.raises(DTypeError, match="boolean"):
        x[x > 0]


def test_diagonals(rng: np.random.Generator) -> None:
    array = rng.normal(size=(4, 5, 3))
    for offset in range(-4, 6):
        for axes in [(0, 1), (1, 2), (2, 0), (-1, 0)]:
            np.testing.assert_array_equal(
                sn.evaluate(sn.diagonal(array, offset, *axes)),
                np.diagonal(array, offset, *axes),
                err_msg=f"{offset} {axes}",
            )
    x = sn.input("x", ("N", "N"))
    assert sn.diagonal(x).shape == ("N",)
    assert sn.evaluate(sn.diagonal(x), {"x": np.arange(9).reshape(3, 3).astype("float32")}).tolist() == [0, 4, 8]
