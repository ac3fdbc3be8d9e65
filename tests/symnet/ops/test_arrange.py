"""Rearranging and making arrays, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import symnet.ops as sn
from symnet.errors import DTypeError, ShapeError, SymnetError, UsageError

A = np.arange(24.0).reshape(2, 3, 4)
M = np.arange(12.0).reshape(3, 4)

SAME_AS_NUMPY = {
    "expand_dims": (lambda n, x: n.expand_dims(x, (0, -1)), A),
    "squeeze": (lambda n, x: n.squeeze(n.reshape(x, (1, 2, 1, 12))), A),
    "squeeze_axis": (lambda n, x: n.squeeze(n.reshape(x, (1, 2, 1, 12)), (0, 2)), A),
    "swapaxes": (lambda n, x: n.swapaxes(x, 0, -1), A),
    "moveaxis": (lambda n, x: n.moveaxis(x, 0, -1), A),
    "moveaxis_many": (lambda n, x: n.moveaxis(x, (0, 1), (-1, 0)), A),
    "matrix_transpose": (lambda n, x: n.matrix_transpose(x), A),
    "transpose": (lambda n, x: n.transpose(x, (1, -1, 0)), A),
    "ravel": (lambda n, x: n.ravel(x), A),
    "reshape": (lambda n, x: n.reshape(x, (4, -1)), A),
    "concat": (lambda n, x: n.concatenate([x, x[:, :1], x], 1), A),
    "stack": (lambda n, x: n.stack([x, x + 1], -2), A),
    "split": (lambda n, x: n.split(x, 2, 2)[1], A),
    "split_at": (lambda n, x: n.split(x, [1, 3], 2)[1], A),
    "flip": (lambda n, x: n.flip(x), A),
    "flip_axis": (lambda n, x: n.flip(x, (0, 2)), A),
    "roll": (lambda n, x: n.roll(x, 5), A),
    "roll_axis": (lambda n, x: n.roll(x, -1, 2), A),
    "roll_far": (lambda n, x: n.roll(x, 7, 1), A),
    "tile": (lambda n, x: n.tile(x, (2, 1, 3)), A),
    "tile_more": (lambda n, x: n.tile(x, (2, 1, 1, 2)), A),
    "tile_one": (lambda n, x: n.tile(x, 2), A),
    "repeat": (lambda n, x: n.repeat(x, 3, 1), A),
    "repeat_flat": (lambda n, x: n.repeat(x, 2), A),
    "pad": (lambda n, x: n.pad(x, 1), A),
    "pad_value": (lambda n, x: n.pad(x, ((0, 1), (2, 0), (1, 1)), constant_values=-3.5), A),
    "pad_edge": (lambda n, x: n.pad(x, 2, mode="edge"), A),
    "pad_reflect": (lambda n, x: n.pad(x, ((1, 1), (2, 5), (0, 7)), mode="reflect"), A),
    "pad_symmetric": (lambda n, x: n.pad(x, ((1, 5), (2, 5), (0, 9)), mode="symmetric"), A),
    "pad_wrap": (lambda n, x: n.pad(x, ((1, 5), (2, 5), (0, 9)), mode="wrap"), A),
    "tril": (lambda n, x: n.tril(x, -1), A),
    "triu": (lambda n, x: n.triu(x, 1), M),
    "broadcast_to": (lambda n, x: n.broadcast_to(x[:, :1], (5, 2, 3, 4)), A),
    "zeros_like": (lambda n, x: n.zeros_like(x), A),
    "full_like": (lambda n, x: n.full_like(x, 7), A),
    "cumsum": (lambda n, x: n.cumsum(x), A),
    "cumsum_axis": (lambda n, x: n.cumsum(x, -2), A),
    "methods": (lambda n, x: x.reshape(6, 4).T.transpose(1, 0).swapaxes(0, 1).ravel(), A),
}


@pytest.mark.parametrize("name", SAME_AS_NUMPY)
def test_same_as_numpy(name: str) -> None:
    function, array = SAME_AS_NUMPY[name]
    node, expected = function(sn, sn.input("x", array.shape, "float64")), function(np, array)
    assert node.shape == expected.shape
    np.testing.assert_array_equal(sn.evaluate(node, {"x": array}), expected)


def test_new_arrays() -> None:
    for node, expected in [
        (sn.zeros((2, 3)), np.zeros((2, 3), "float32")),
        (sn.ones(3, "int64"), np.ones(3, "int64")),
        (sn.full((2,), 1.5), np.full(2, 1.5, "float32")),
        (sn.full((2,), True), np.full(2, True)),
        (sn.arange(5), np.arange(5)),
        (sn.arange(2, 9, 3), np.arange(2, 9, 3)),
        (sn.arange(5, 0, -2), np.arange(5, 0, -2)),
        (sn.arange(3, 3), np.arange(3, 3)),
        (sn.eye(3), np.eye(3, dtype="float32")),
        (sn.eye(2, 4, 1, dtype="float64"), np.eye(2, 4, 1)),
        (sn.eye(4, 2, -1), np.eye(4, 2, -1, dtype="float32")),
    ]:
        value = sn.evaluate(node)
        assert value.dtype == expected.dtype
        np.testing.assert_array_equal(value, expected)
    assert sn.zeros(("N", 3)).shape == ("N", 3)
    assert sn.evaluate(sn.arange(2, "N"), sizes={"N": 5}).tolist() == [2, 3, 4]
    assert sn.evaluate(sn.eye("N"), sizes={"N": 2}).tolist() == [[1, 0], [0, 1]]


def test_named_sizes() -> None:
    x = sn.input("x", ("N", 2, 5))
    assert x.reshape((-1, 10)).shape == ("N", 10)
    assert x.reshape((-1,)).shape == ("10*N",)
    assert x.reshape(("N", -1)).shape == ("N", 10)
    assert x.reshape(-1, 5).shape == ("2*N", 5)
    assert x.size == "10*N"
    assert sn.concat([x, x]).shape == ("2*N", 2, 5)
    assert sn.concat([x, sn.zeros((1, 2, 5))]).shape == ("N + 1", 2, 5)
    assert sn.pad(x, ((1, 1), (0, 0), (0, 0))).shape == ("N + 2", 2, 5)
    assert sn.flip(x).shape == x.shape
    assert sn.tile(x, (2, 1, 1)).shape == ("2*N", 2, 5)
    value = np.arange(30.0).reshape(3, 2, 5).astype("float32")
    np.testing.assert_array_equal(sn.evaluate(sn.roll(x, 1, 0), {"x": value}), np.roll(value, 1, 0))
    np.testing.assert_array_equal(sn.evaluate(sn.flip(x), {"x": value}), np.flip(value))
    np.testing.assert_array_equal(sn.evaluate(sn.repeat(x, 2, 0), {"x": value}), np.repeat(value, 2, 0))


def test_nothing_is_made_for_nothing() -> None:
    x = sn.input("x", (3, 4))
    assert x.reshape(3, 4) is x
    assert sn.transpose(x, (0, 1)) is x
    assert sn.broadcast_to(x, (3, 4)) is x
    assert x[:] is x
    assert sn.pad(x, 0) is x
    assert x.astype("float32") is x
    assert x.T.T.T is not x


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda x: x.reshape(5, -1), ShapeError, r"reshape: \[3, 4\] has 12 elements, which 5 does not divide"),
        (lambda x: x.reshape(-1, -1), ShapeError, "more than one -1"),
        (lambda x: x.reshape(5, 5), ShapeError, "reshape: .*12 elements.*25"),
        (lambda x: x.reshape(-2, 6), ShapeError, "negative"),
        (lambda x: sn.transpose(x, (0, 0)), ShapeError, "transpose: .*permutation"),
        (lambda x: sn.transpose(x, (0, 2)), ShapeError, "transpose: axis 2"),
        (lambda x: sn.broadcast_to(x, (4, 3)), ShapeError, "broadcast"),
        (lambda x: sn.squeeze(x, 0), ShapeError, "squeeze: axis 0 .* size 3"),
        (lambda x: sn.concat([x, sn.zeros((3, 5))], 0), ShapeError, "concat: operand 1 has shape"),
        (lambda x: sn.concat([]), UsageError, "no arrays"),
        (lambda x: sn.stack([x, x.T]), ShapeError, "stack: array 1"),
        (lambda x: sn.split(x, 5, 1), ShapeError, "split: 4 elements cannot be cut into 5"),
        (lambda x: sn.pad(x, -1), UsageError, "negative"),
        (lambda x: sn.pad(x, 1, mode="mirror"), UsageError, "'mirror'"),
        (lambda x: sn.repeat(x, -1), DTypeError, "-1"),
        (lambda x: sn.tril(x[0]), ShapeError, "tril: .*two axes"),
        (lambda x: sn.expand_dims(x, 4), ShapeError, "expand_dims"),
        (lambda x: sn.moveaxis(x, (0, 1), 0), ShapeError, "moveaxis"),
        (lambda x: x.sum(2), ShapeError, "sum: axis 2 does not exist in an array of 2 axes"),
        (lambda x: x.sum((0, 0)), ShapeError, "twice"),
        (lambda x: x.sum("a"), DTypeError, "axis is an integer"),
        (lambda x: sn.reshape(sn.input("n", ("N", 3)), (4, -1)), ShapeError, r"\[N, 3\] has 3\*N"),
    ],
)
def test_errors(make: object, error: type[SymnetError], message: str) -> None:
    with pytest.raises(error, match=message):
        make(sn.input("x", (3, 4)))  # type: ignore[operator]
