"""Operators, methods, promotion of types, parameters and constants."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import symnet.ops as sn
from symnet.errors import DTypeError, ShapeError, SymnetError, UsageError
from symnet.expr import dtypes
from symnet.expr.node import Expr

BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
    operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
]  # fmt: skip


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
def test_operators_on_both_sides(op: object, rng: np.random.Generator) -> None:
    a, b = rng.uniform(0.5, 3, (4, 3)).round(1), rng.uniform(0.5, 3, (3,)).round(1)
    x, y = sn.input("x", (4, 3), "float64"), sn.input("y", (3,), "float64")
    for ours, theirs in [
        (op(x, y), op(a, b)), (op(y, x), op(b, a)), (op(x, 2), op(a, 2)), (op(2.5, x), op(2.5, a)),
        (op(x, b), op(a, b)), (op(b, x), op(b, a)), (op(np.float64(1.5), x), op(1.5, a)),
    ]:  # fmt: skip
        assert isinstance(ours, Expr)
        assert ours.shape == (4, 3)
        np.testing.assert_allclose(sn.evaluate(ours, {"x": a, "y": b}), theirs, rtol=1e-13)


def test_unary_and_logic() -> None:
    array = np.array([-1.5, 0.0, 2.0])
    x = sn.input("x", (3,), "float64")
    for ours, theirs in [
        (-x, -array), (+x, array), (abs(x), abs(array)), (~(x > 0), ~(array > 0)),
        ((x > -1) & (x < 1), (array > -1) & (array < 1)), ((x < 0) | (x > 1), (array < 0) | (array > 1)),
        ((x > 0) ^ (x > -2), (array > 0) ^ (array > -2)), (True & (x > 0), array > 0),
    ]:  # fmt: skip
        np.testing.assert_array_equal(sn.evaluate(ours, {"x": array}), theirs)
    with pytest.raises(DTypeError, match=r"&.*float64"):
        x & (x > 0)
    with pytest.raises(DTypeError, match=r"~.*float64"):
        _ = ~x


@pytest.mark.parametrize("a", dtypes.DTYPES)
@pytest.mark.parametrize("b", dtypes.DTYPES)
def test_promotion_is_that_of_pytorch(a: str, b: str) -> None:
    torch = pytest.importorskip("torch")
    x, y = sn.input("x", (2,), a), sn.input("y", (2,), b)
    s, t = torch.ones(2, dtype=getattr(torch, a)), torch.ones(2, dtype=getattr(torch, b))
    if (a, b) != ("bool", "bool"):  # sums of conditions count, where PyTorch's stay bool
        assert (x + y).dtype == str((s + t).dtype).removeprefix("torch.")
        assert sn.maximum(x, y).dtype == str(torch.maximum(s, t).dtype).removeprefix("torch.")
    assert (x / y).dtype == str((s / t).dtype).removeprefix("torch.")
    assert sn.where(x > 0, x, y).dtype == str(torch.where(s > 0, s, t).dtype).removeprefix("torch.")
    assert (x == y).dtype == "bool"
    for number in (True, 2, 2.5):
        if (a, number) != ("bool", True):
            assert (x * number).dtype == str((s * number).dtype).removeprefix("torch.")
    assert sn.exp(x).dtype == str(torch.exp(s).dtype).removeprefix("torch.")


def test_numbers_are_weak_and_arrays_are_not() -> None:
    x = sn.input("x", (3,))
    assert (x * 2).dtype == (x * 2.0).dtype == (x * np.float64(2)).dtype == (x * np.sqrt(2)).dtype == "float32"
    assert (x * np.ones(3)).dtype == "float64"
    assert sn.constant([1.0, 2.0]).dtype == "float32"
    assert sn.constant([1, 2]).dtype == "int64"
    assert sn.constant(np.ones(2)).dtype == "float64"
    assert sn.constant(1).dtype == "int64"
    assert sn.constant(True).dtype == "bool"
    assert sn.constant(1, "float64").attrs["value"] == 1.0
    assert sn.constant(np.float32(0.1)).dtype == "float32"
    assert sn.constant(np.array(3.0)).attrs["value"] == 3.0


def test_constants_keep_apart_what_equality_merges() -> None:
    assert sn.constant(0.0) is not sn.constant(-0.0)
    assert sn.constant(1) is not sn.constant(True)
    assert sn.constant(1.0) is not sn.constant(1)
    assert sn.constant(float("nan")) is sn.constant(float("nan"))
    assert sn.constant([1.0, 2.0]) is sn.constant(np.array([1, 2], "float32"))
    with pytest.raises(UsageError, match="range of int32"):
        sn.constant(2**31, "int32")
    with pytest.raises(DTypeError, match="not a whole number"):
        sn.constant(1.5, "int64")


def test_dlpack_and_array_protocol() -> None:
    torch = pytest.importorskip("torch")
    x = sn.constant(torch.arange(3.0))
    assert (x.shape, x.dtype) == ((3,), "float32")

    class OnlyDlpack:
        def __init__(self, array: np.ndarray) -> None:
            self.array = array

        def __dlpack__(self, **options: object) -> object:
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self) -> object:
            return self.array.__dlpack_device__()

    assert sn.constant(OnlyDlpack(np.ones(4, "int32"))).dtype == "int32"  # type: ignore[arg-type]
    y = sn.input("y", (4,), "int32")
    assert sn.evaluate(y + 1, {"y": OnlyDlpack(np.ones(4, "int32"))}).tolist() == [2, 2, 2, 2]


def test_expressions_are_values() -> None:
    x, y = sn.input("x", (3,)), sn.input("y", (3,))
    assert x + y is x + y
    assert x + y is not y + x
    assert len({x, y, x}) == 2
    assert {x: 1}[sn.input("x", (3,))] == 1
    with pytest.raises(DTypeError, match="truth value"):
        bool(x == y)
    with pytest.raises(AttributeError, match="immutable"):
        x.shape = (4,)  # type: ignore[misc]
    assert [e.shape for e in sn.input("m", (2, 3))] == [(3,), (3,)]
    assert len(sn.input("m", (2, 3))) == 2
    with pytest.raises(DTypeError, match="named size"):
        list(sn.input("m", ("N",)))
    assert x.name == "x"
    h = sn.name("h", x * 2)
    assert h.name == "h"
    assert h is x * 2


def test_parameters() -> None:
    w = sn.parameter("W", (3, 4))
    assert w.attrs["trainable"]
    assert w.attrs["init"] == "kaiming_uniform(a=2.23606797749979)"
    assert sn.parameter("b", (4,)).attrs["init"] == "zeros()"
    assert sn.parameter("b", (4,), init=2.0).attrs["init"].array.tolist() == [2, 2, 2, 2]
    assert sn.parameter("W", (3, 4)) is w
    assert sn.parameter("W", (3, 4), trainable=False) is not w
    for arguments, error, message in [
        ({"shape": ("N",)}, UsageError, "fixed size"),
        ({"shape": (3,), "init": np.ones(4)}, UsageError, r"\[4\], expected \[3\]"),
        ({"shape": (3,), "dtype": "int64"}, DTypeError, "trainable=False"),
        ({"shape": (3,), "dtype": "float16"}, DTypeError, "float16"),
        ({"shape": (-3,)}, ShapeError, "negative"),
        ({"shape": (2.5,)}, ShapeError, "2.5"),
        ({"shape": ("N-",)}, ShapeError, "N-"),
        ({"shape": (3,), "init": w}, DTypeError, "expression"),
    ]:
        with pytest.raises(error, match=message):
            sn.parameter("p", **arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="non-empty"):
        sn.input("")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: x + sn.input("y", (4,)), r"add: shapes \[3\] and \[4\] do not broadcast: axis -1 is 3 and 4"),
        (lambda x: sn.where(x, x, x), "where: the condition is float32, expected bool"),
        (lambda x: sn.exp("text"), "exp: cannot make an array of str"),
        (lambda x: x + object(), "add: cannot make an array of object"),
        (lambda x: sn.add(x), "add: got 1 operands, expected 2"),
        (lambda x: x.__add__([x, x]), "add: .*sn.stack"),
        (lambda x: x + 1j, "add: .*complex"),
        (lambda x: x.astype("complex64"), "unsupported data type"),
        (lambda x: sn.input("x", ("N",)) + sn.input("y", ("M",)), "axis -1 is N and M"),
        (lambda x: sn.input("x", ("N",)) + x, "axis -1 is N and 3"),
    ],
)
def test_errors(make: object, message: str) -> None:
    with pytest.raises(SymnetError, match=message):
        make(sn.input("x", (3,)))  # type: ignore[operator]


def test_every_exported_name_exists() -> None:
    assert len(set(sn.__all__)) == len(sn.__all__)
    for name in sn.__all__:
        assert callable(getattr(sn, name)) or name in ("linalg", "random"), name
    for name in sn.linalg.__all__:
        assert callable(getattr(sn.linalg, name)), name
