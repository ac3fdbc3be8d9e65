"""Further functions and linear algebra, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import symnet.ops as sn
from symnet.derive import grad
from symnet.derive.reverse import pullback
from symnet.errors import SymnetError, Unsupported, UsageError

POINTS = np.array([-3.7, -1.0, -1e-9, 0.0, 1e-9, 0.4, 2.5])


@pytest.mark.parametrize("name", ["isinf", "isfinite", "nan_to_num", "exp2", "tan", "sinh", "cosh", "trunc"])
def test_one_operand(name: str) -> None:
    points = np.append(POINTS, [np.inf, -np.inf, np.nan]) if name.startswith("is") else POINTS
    x = sn.input("x", points.shape, "float64")
    node = getattr(sn, name)(x)
    expected = getattr(np, name)(points)
    assert node.dtype == expected.dtype.name
    np.testing.assert_allclose(sn.evaluate(node, {"x": points}), expected, rtol=1e-14)
    if node.dtype == "float64":
        slope = sn.evaluate(pullback([node], [sn.ones(node.shape, "float64")], [x])[0], {"x": points})
        if name != "trunc":
            h = 1e-6
            reference = (getattr(np, name)(points + h) - getattr(np, name)(points - h)) / (2 * h)
            np.testing.assert_allclose(slope, reference, rtol=1e-8, atol=1e-9)


def test_logarithms(rng: np.random.Generator) -> None:
    points = np.exp(rng.uniform(-20, 20, 50))
    for name in ("log2", "log10"):
        np.testing.assert_allclose(sn.evaluate(getattr(sn, name)(points)), getattr(np, name)(points), rtol=1e-14)
    assert sn.evaluate(sn.nan_to_num(sn.constant([np.nan, 1.0]), 7.0)).tolist() == [7, 1]


def test_logaddexp() -> None:
    a = np.array([0.0, 1e4, -1e4, np.inf, -np.inf, np.inf, -np.inf, 3.0])
    b = np.array([0.0, -1e4, 1e4, 1.0, 1.0, np.inf, -np.inf, 3.5])
    x, y = sn.input("x", a.shape, "float64"), sn.input("y", a.shape, "float64")
    node = sn.logaddexp(x, y)
    values = {"x": a, "y": b}
    np.testing.assert_allclose(sn.evaluate(node, values), np.logaddexp(a, b))
    finite = {"x": a[:3], "y": b[:3]}
    x, y = sn.input("x", (3,), "float64"), sn.input("y", (3,), "float64")
    slopes = sn.evaluate(pullback([sn.logaddexp(x, y)], [sn.ones((3,), "float64")], [x, y]), finite)
    np.testing.assert_allclose(slopes, [[0.5, 1, 0], [0.5, 0, 1]])


def test_arrays(rng: np.random.Generator) -> None:
    a = rng.integers(-1, 2, (3, 4)).astype("float64")
    for ours, theirs in [
        (sn.count_nonzero(a), np.count_nonzero(a)),
        (sn.count_nonzero(a, 1), np.count_nonzero(a, 1)),
        (sn.diff(a), np.diff(a)),
        (sn.diff(a, 0), np.diff(a, axis=0)),
        (sn.linspace(0.0, 1.0, 5, "float64"), np.linspace(0, 1, 5)),
        (sn.linspace(2.0, -1.0, 1, "float64"), np.linspace(2, -1, 1)),
        (sn.logical_xor(a, a.T[0, 0]), np.logical_xor(a, a.T[0, 0])),
    ]:
        np.testing.assert_allclose(sn.evaluate(ours), theirs, rtol=1e-15)
    vectors = [np.arange(3), np.arange(4), np.arange(2)]
    for indexing in ("xy", "ij"):
        for ours, theirs in zip(
            sn.meshgrid(*vectors, indexing=indexing), np.meshgrid(*vectors, indexing=indexing), strict=True
        ):
            np.testing.assert_array_equal(sn.evaluate(ours), theirs)
    assert sn.diff(sn.input("x", ("N",))).shape == ("N - 1",)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("order", [None, 0, 1, 2, 3, 2.5, np.inf, -np.inf, "fro"])
def test_norms(order: object, axis: object, rng: np.random.Generator) -> None:
    a = rng.normal(size=(3, 4))
    matrix = axis in (None, (0, 1))
    if (matrix and order in (0, 2, 3, 2.5)) or (not matrix and order == "fro"):
        with pytest.raises((Unsupported, UsageError), match="norm"):
            sn.linalg.norm(a, order, axis)
        return
    for keepdims in (False, True):
        expected = np.linalg.norm(a, order, axis, keepdims)
        np.testing.assert_allclose(sn.evaluate(sn.linalg.norm(a, order, axis, keepdims)), expected)
    if not matrix and order is not None:
        np.testing.assert_allclose(
            sn.evaluate(sn.linalg.vector_norm(a, axis, ord=order)), np.linalg.vector_norm(a, axis=axis, ord=order)
        )


def test_the_norm_of_zero_has_slope_zero() -> None:
    x = sn.input("x", (2, 3), "float64")
    for order in (2, 3):
        node = sn.linalg.vector_norm(x, 1, ord=order)
        first = pullback([node], [sn.ones((2,), "float64")], [x])[0]
        slopes = sn.evaluate(first, {"x": [[0.0, 0, 0], [0, 2.0, 0]]})
        np.testing.assert_allclose(slopes, [[0, 0, 0], [0, 1, 0]], rtol=1e-15)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sn.linspace(0.0, 1.0, 0),
        lambda: sn.linspace(np.ones(2), 1.0, 3),
        lambda: sn.meshgrid(np.ones((2, 2))),
        lambda: sn.meshgrid(np.ones(2), indexing="yx"),
        lambda: sn.linalg.matrix_norm(np.ones((2, 2)), ord="nuc"),
        lambda: sn.linalg.vector_norm(np.ones(2), ord="a"),  # type: ignore[arg-type]
        lambda: sn.diff(np.ones(2), 3),
    ],
)
def test_errors(make: object) -> None:
    with pytest.raises(SymnetError):
        make()  # type: ignore[operator]


def test_the_derivative_of_logaddexp_with_zero_at_zero() -> None:
    """It is σ, also at the tie that a maximum with 0 would have there."""
    x = sn.input("x", (3,), "float64")
    values = np.array([-1.0, 0.0, 1e4])
    for node in (sn.logaddexp(x, 0), sn.logaddexp(0.0, x)):
        gradient = sn.evaluate(grad(sn.sum(node), x), {"x": values})
        np.testing.assert_allclose(gradient, 1 / (1 + np.exp(-values)), rtol=1e-12)
