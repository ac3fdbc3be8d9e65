"""Dimensions and data types."""

from __future__ import annotations

import numpy as np
import pytest

from symnet.errors import DTypeError, ShapeError, UnknownName
from symnet.expr import dims, dtypes


def test_canonical_forms() -> None:
    for text, expected in [
        ("N", "N"), (" N ", "N"), ("2 * N", "2*N"), ("N*2", "2*N"), ("N + N", "2*N"), ("N - N", 0),
        ("N*T+1", "N*T + 1"),
        ("1 + T*N", "N*T + 1"), ("-N + 3", "-N + 3"), ("3", 3), ("2*3*N - 5", "6*N - 5"), ("T + N", "N + T"),
    ]:  # fmt: skip
        assert dims.canonical(text) == expected
        assert dims.canonical(dims.canonical(text)) == expected
    assert dims.canonical(np.int64(4)) == 4
    for wrong in ("", "N-", "2N", "N/2", "a b", -1, 1.5, True, None, "N**2"):
        with pytest.raises(ShapeError):
            dims.canonical(wrong)


def test_arithmetic_is_that_of_polynomials(rng: np.random.Generator) -> None:
    sizes = {"N": 7, "T": 3, "K": 5}
    pool: list[dims.Dim] = ["N", "T", "K", 1, 2, "N + 1", "2*N*T - K", 0]
    for _ in range(300):
        a, b = (pool[i] for i in rng.integers(0, len(pool), 2))
        x, y = dims.evaluate(a, sizes), dims.evaluate(b, sizes)
        for result, expected in [(dims.add(a, b), x + y), (dims.sub(a, b), x - y), (dims.mul(a, b), x * y)]:
            assert dims.evaluate(result, sizes) == expected
            assert isinstance(result, int) or dims.canonical(result) == result
        quotient = dims.divide(dims.mul(a, b), b) if b != 0 else None
        if quotient is not None:
            assert quotient == a
    assert dims.divide("2*N*T", "2*T") == "N"
    assert dims.divide("N + 1", 2) is None
    assert dims.divide("2*N + 4", 2) == "N + 2"
    assert dims.divide("N + 1", "N + 1") == 1
    assert dims.product(["N", 3, "T"]) == "3*N*T"
    assert dims.names("2*N*T + K") == {"N", "T", "K"}
    with pytest.raises(UnknownName, match="'K' has no size"):
        dims.evaluate("N + K", {"N": 1})


def test_broadcasting() -> None:
    assert dims.broadcast(("N", 1), (3,)) == ("N", 3)
    assert dims.broadcast((1,), ("N",)) == ("N",)
    assert dims.broadcast() == ()
    for a, b in [(("N",), (3,)), (("N",), ("M",)), ((2,), (3,)), (("N",), ("N + 1",))]:
        with pytest.raises(ShapeError, match="do not broadcast"):
            dims.broadcast(a, b)


def test_data_types() -> None:
    assert dtypes.canonical(np.float32) == dtypes.canonical("float32") == dtypes.canonical(float) == "float32"
    assert dtypes.canonical(int) == "int64"
    assert dtypes.canonical(bool) == "bool"
    assert dtypes.promote("int64", "float32", "bool") == "float32"
    for wrong in ("float16", "complex64", object, "nonsense", np.uint8):
        with pytest.raises(DTypeError, match="unsupported data type"):
            dtypes.canonical(wrong)
