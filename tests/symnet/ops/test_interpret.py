"""The reference interpreter: what it accepts, refuses, and how it counts."""

from __future__ import annotations

import numpy as np
import pytest

import symnet.ops as sn
from symnet.errors import DTypeError, IndexOutOfRange, ShapeError, SymnetError, UnknownName, UsageError

X = sn.input("x", ("N", 3))
Y = sn.input("y", ("N",), "int64")
W = sn.parameter("W", (3, 2))


def test_structures_and_keys() -> None:
    values = {"x": np.ones((4, 3)), W: np.ones((3, 2))}
    node = X @ W
    assert sn.evaluate(node, values).tolist() == [[3, 3]] * 4
    assert [v.shape for v in sn.evaluate([node, X], values)] == [(4, 2), (4, 3)]
    assert isinstance(sn.evaluate((node, X), values), tuple)
    assert sn.evaluate({"out": node}, values)["out"].shape == (4, 2)
    assert sn.evaluate(node, {X: np.ones((1, 3)), W: np.ones((3, 2)), "unused": 1}).shape == (1, 2)
    assert sn.evaluate([], {}) == []


def test_inner_values_may_be_given() -> None:
    h = sn.exp(X)
    assert sn.evaluate(sn.sum(h), {h: np.ones((2, 3))}) == 6


def test_float32_stays_float32() -> None:
    x = sn.input("x", (3,))
    value = sn.evaluate(x + 1e-9, {"x": [1.0, 2.0, 3.0]})
    assert value.dtype == np.float32
    assert value.tolist() == [1, 2, 3]
    assert sn.evaluate(x * 3e38 * 10, {"x": [1.0, 0.0, -1.0]}).tolist() == [np.inf, 0, -np.inf]
    assert sn.evaluate(sn.constant(0.1), {}).dtype == np.float32
    k = sn.input("k", (), "int32")
    assert sn.evaluate(k + 1, {"k": 2**31 - 1}) == -(2**31)


def test_arrays_in_any_layout() -> None:
    array = np.arange(24.0).reshape(6, 4)[::2, 3:0:-1]
    assert not array.flags.c_contiguous
    np.testing.assert_array_equal(sn.evaluate(X * 2, {"x": array}), (array * 2).astype("float32"))
    np.testing.assert_array_equal(sn.evaluate(X * 2, {"x": array.astype(">f4")}), array * 2)
    np.testing.assert_array_equal(sn.evaluate(X + 0, {"x": array.tolist()}), array)


def test_empty_batches() -> None:
    values = {"x": np.zeros((0, 3)), "W": np.zeros((3, 2))}
    assert sn.evaluate(sn.softmax(X @ W), values).shape == (0, 2)
    assert np.isnan(sn.evaluate(sn.mean(X @ W), values))


def test_sizes() -> None:
    z = sn.input("z", ("2*N + 1",))
    assert sn.evaluate(sn.sum(z) * sn.dim("N", "float32"), {"z": np.ones(7)}) == 21
    assert sn.evaluate(sn.ones(("N", "M")), sizes={"N": 2, "M": 3}).shape == (2, 3)
    square = sn.input("s", ("N*N",))
    assert sn.evaluate(sn.reshape(square, ("N", "N")), {"s": np.ones(9)}, sizes={"N": 3}).shape == (3, 3)


@pytest.mark.parametrize(
    ("values", "sizes", "error", "message"),
    [
        ({"x": np.ones((4, 3))}, {}, UnknownName, r"no value for the input 'y' \(int64\[N\]\); given: x"),
        (
            {"x": np.ones((4, 3)), "y": [0] * 5},
            {},
            ShapeError,
            r"axis 0 of 'y' has size 5, expected 4.*N = 4 \(from 'x'\)",
        ),
        (
            {"x": np.ones((4, 2)), "y": [0] * 4},
            {},
            ShapeError,
            r"axis 1 of 'x' has size 2, expected 3 for shape \[N, 3\]",
        ),
        ({"x": np.ones(3), "y": [0] * 4}, {}, ShapeError, r"'x' has shape \[3\], expected \[N, 3\]"),
        ({"x": np.ones((4, 3)), "y": [0] * 4}, {"N": 5}, ShapeError, "size 4, expected 5"),
        ({"x": np.ones((4, 3)), "y": [0.5] * 4}, {}, DTypeError, "'y' is float64, expected int64"),
        ({"x": np.ones((4, 3)), "y": np.zeros(4)}, {}, DTypeError, "'y' is float64"),
        ({"x": np.ones((4, 3), complex), "y": [0] * 4}, {}, DTypeError, "'x' is complex128"),
        ({"x": np.ones((4, 3)), "y": [0, 1, 2, 3]}, {}, IndexOutOfRange, "index 3 is outside axis 1 of size 3"),
        ({"x": np.ones((4, 3)), "y": [0, -1, 2, 0]}, {}, IndexOutOfRange, "index -1"),
    ],
)
def test_errors(values: dict, sizes: dict, error: type[SymnetError], message: str) -> None:
    node = sn.take_along_axis(X, Y[:, None], -1)
    with pytest.raises(error, match=message):
        sn.evaluate(node, values, sizes)


def test_unbound_and_ambiguous() -> None:
    with pytest.raises(UnknownName, match="dimension 'M' has no size"):
        sn.evaluate(sn.sum(sn.ones(("M",))))
    a, b = sn.parameter("w", (2,), uid=10**6), sn.parameter("w", (2,), uid=10**6 + 1)
    with pytest.raises(UsageError, match="2 values are named 'w'"):
        sn.evaluate(a + b, {"w": [1.0, 2.0]})
    assert sn.evaluate(a + b, {a: [1.0, 2.0], b: [0.0, 1.0]}).tolist() == [1, 3]
    with pytest.raises(DTypeError, match="expected an expression"):
        sn.evaluate(3)
    with pytest.raises(UnknownName, match="no value for the parameter 'W'"):
        sn.evaluate(X @ W, {"x": np.ones((1, 3))})


def test_thousands_of_nodes_deep() -> None:
    node = sn.input("x", (2,), "float64")
    for i in range(20_000):
        node = node * 0.5 if i % 2 else node + 1.0
    assert np.isfinite(sn.evaluate(node, {"x": [1.0, 2.0]})).all()
