"""Reductions, softmax and its family, against NumPy and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import symnet.ops as sn
from symnet.derive.reverse import pullback
from symnet.errors import DTypeError, ShapeError, SymnetError, UsageError
from symnet.expr.node import Expr

AXES = [None, 0, 1, -1, (0, 2), (-1, 0, 1), ()]


def gradient(node: Expr, wrt: Expr) -> Expr:
    return pullback([node], [sn.ones(node.shape, node.dtype)], [wrt])[0]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=repr)
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "mean", "var", "std", "any", "all", "argmax", "argmin"])
def test_same_as_numpy(name: str, axis: object, keepdims: bool, rng: np.random.Generator) -> None:
    if name.startswith("arg") and isinstance(axis, tuple):
        return
    array = rng.normal(size=(3, 4, 5)).round(1)
    if name in ("any", "all"):
        array = array > 0.3
    x = sn.input("x", array.shape, array.dtype)
    node, expected = getattr(sn, name)(x, axis, keepdims=keepdims), getattr(np, name)(array, axis, keepdims=keepdims)
    assert node.shape == expected.shape
    assert node.dtype == expected.dtype.name
    np.testing.assert_allclose(sn.evaluate(node, {"x": array}), expected, rtol=1e-12)
    assert getattr(x, name)(axis, keepdims=keepdims) is node if name != "var" else True


def test_types() -> None:
    for dtype, total in [("bool", "int64"), ("int32", "int64"), ("int64", "int64"), ("float32", "float32")]:
        x = sn.input("x", (3,), dtype)
        assert sn.sum(x).dtype == sn.prod(x).dtype == sn.cumsum(x).dtype == total
        assert sn.mean(x).dtype == sn.softmax(x).dtype == ("float32" if dtype != "float64" else dtype)
    assert sn.max(sn.input("x", (3,), "int32")).dtype == "int32"


def test_mean_of_named_axes() -> None:
    x = sn.input("x", ("N", 4, "T"), "float64")
    array = np.random.default_rng(0).normal(size=(5, 4, 3))
    np.testing.assert_allclose(sn.evaluate(x.mean(), {"x": array}), array.mean())
    np.testing.assert_allclose(sn.evaluate(x.mean((0, 1)), {"x": array}), array.mean((0, 1)))
    np.testing.assert_allclose(sn.evaluate(x.var((0, 2), correction=1), {"x": array}), array.var((0, 2), ddof=1))
    np.testing.assert_allclose(sn.evaluate(gradient(x.mean(), x), sizes={"N": 5, "T": 3}), np.full(array.shape, 1 / 60))


def test_empty_axes() -> None:
    x = sn.input("x", ("N", 3), "float64")
    empty = {"x": np.zeros((0, 3))}
    assert sn.evaluate(x.sum(0), empty).tolist() == [0, 0, 0]
    assert sn.evaluate(x.prod(0), empty).tolist() == [1, 1, 1]
    assert sn.evaluate(x.max(0), empty).tolist() == [-np.inf] * 3
    assert sn.evaluate((x > 0).all(0), empty).all()
    assert sn.evaluate(x.max(1), empty).shape == (0,)
    with pytest.raises(ShapeError, match=r"argmax: axis 0.*empty"):
        sn.argmax(sn.input("x", (0, 3)), 0)


def test_extremes_pass_nan_and_share_ties(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    array = rng.integers(0, 3, (4, 6)).astype("float64")
    x = sn.input("x", (4, 6), "float64")
    for ours, theirs in [(sn.max, torch.amax), (sn.min, torch.amin)]:
        t = torch.tensor(array, requires_grad=True)
        expected = torch.autograd.grad(theirs(t, 1).sum(), t)[0].numpy()
        np.testing.assert_allclose(sn.evaluate(gradient(ours(x, 1), x), {"x": array}), expected)
    array[1, 2] = np.nan
    assert np.isnan(sn.evaluate(x.max(1), {"x": array})[1])


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
@pytest.mark.parametrize("shape", [(1,), (2,), (5,), (2, 3), (3, 2, 2)])
def test_products_with_zeros(shape: tuple, zeros: int, rng: np.random.Generator) -> None:
    """First and second derivative of a product are right wherever the zeros are."""
    torch = pytest.importorskip("torch")
    array = rng.uniform(0.5, 2, shape)
    array.ravel()[rng.permutation(array.size)[:zeros]] = 0.0
    direction = rng.normal(size=shape)
    for named in (False, True):
        x = sn.input("x", tuple(f"D{i}" for i in range(len(shape))) if named else shape, "float64")
        w = sn.input("w", x.shape, "float64")
        first = gradient(sn.prod(x), x)
        second = gradient(sn.sum(first * w), x)
        values = sn.evaluate([first, second], {"x": array, "w": direction})
        t = torch.tensor(array, requires_grad=True)
        product = 1.0
        for element in t.ravel():
            product = product * element
        expected = torch.autograd.grad(product, t, create_graph=True)[0]
        np.testing.assert_allclose(values[0], expected.detach().numpy(), atol=1e-12)
        if array.size > 1:
            twice = torch.autograd.grad((expected * torch.tensor(direction)).sum(), t)[0].numpy()
            np.testing.assert_allclose(values[1], twice, atol=1e-12)


EXTREMES = [[-200.0, 0.0], [1e4, -1e4], [0.0, -np.inf], [88.0, 89.0], [-1e4, -1e4], [3e4, 3e4]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("point", EXTREMES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_softmax_family_is_stable(name: str, point: list, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    t = torch.tensor(point, dtype=torch.float64, requires_grad=True)  # its float32 slope of logsumexp loses digits
    x = sn.input("x", (2,), dtype)
    node = getattr(sn, name)(x, -1)
    expected = getattr(torch, name)(t, -1)
    # Of log_softmax only what is finite counts: its -inf has no slope.
    weight = np.where(np.isfinite(expected.detach().numpy()), 1.0, 0.0)
    slope = torch.autograd.grad((expected * torch.tensor(weight)).nan_to_num(0, 0, 0).sum(), t)[0].numpy()
    ours, back = sn.evaluate([node, pullback([node], [sn.constant(weight, dtype)], [x])[0]], {"x": point})
    np.testing.assert_allclose(ours, expected.detach().numpy(), rtol=1e-6, atol=1e-30)
    assert np.isfinite(back).all()
    np.testing.assert_allclose(back, slope, rtol=1e-5, atol=1e-6)


def test_everything_masked() -> None:
    x = sn.input("x", (2, 3), "float64")
    array = np.array([[-np.inf] * 3, [0.0, 1.0, -np.inf]])
    node = sn.logsumexp(x, 1)
    assert sn.evaluate(node, {"x": array})[0] == -np.inf
    assert np.isfinite(sn.evaluate(gradient(node, x), {"x": array})).all()
    assert (sn.evaluate(sn.softmax(x, 1), {"x": array})[0] == 0).all()
    assert (sn.evaluate(sn.log_softmax(x, 1), {"x": array})[0] == -np.inf).all()
    assert (sn.evaluate(gradient(sn.sum(sn.softmax(x, 1) * np.arange(3.0)), x), {"x": array})[0] == 0).all()


def test_stated_pullbacks_are_those_of_the_definitions(rng: np.random.Generator) -> None:
    """A composite may state a nicer derivative: it must equal the one that follows from its definition. (Those of
    log-sum-exp leave the largest out as data; theirs are held to finite differences.)"""
    x = sn.input("x", (3, 4), "float64")
    values = {"x": rng.normal(size=(3, 4))}
    for node in (x.mean(1), x.var(0, correction=1), sn.softmax(x, 0)):
        define = node.declaration.define
        assert define is not None
        g = sn.constant(rng.normal(size=node.shape))
        pair = [pullback([root], [g], [x])[0] for root in (node, define(node))]
        np.testing.assert_allclose(*sn.evaluate(pair, values), rtol=1e-12, atol=1e-14)


def test_one_hot() -> None:
    y = sn.input("y", ("N",), "int64")
    node = sn.one_hot(y, 3)
    assert (node.shape, node.dtype) == (("N", 3), "float32")
    assert sn.evaluate(node, {"y": [0, 2, 5]}).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    with pytest.raises(DTypeError, match="one_hot: class indices are float32"):
        sn.one_hot(sn.input("x", (3,)), 4)
    with pytest.raises(UsageError, match="number of classes"):
        sn.one_hot(y, 3.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: sn.softmax(x, 2), "softmax: axis 2 does not exist"),
        (lambda x: sn.mean(x, (0, 0)), "mean: .*twice"),
        (lambda x: sn.argmax(x, 5), "argmax: axis 5"),
        (lambda x: sn.var(x, correction=0.5), "var: the correction is 0.5"),
        (lambda x: sn.cumsum(x, 3), "cumsum: axis 3"),
        (lambda x: sn.sum("abc"), "sum: cannot make an array of str"),
        (lambda x: sn.sum([x, x]), "sum: .*sn.stack"),
    ],
)
def test_errors(make: object, message: str) -> None:
    with pytest.raises(SymnetError, match=message):
        make(sn.input("x", (3, 4)))  # type: ignore[operator]
