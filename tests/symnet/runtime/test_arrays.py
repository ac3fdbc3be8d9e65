"""Every kind of wrong input is refused before native code sees it, with a message that helps."""

from __future__ import annotations

import numpy as np
import pytest

from symnet.errors import DTypeError, NotFinite, ShapeError, UnknownName
from symnet.runtime.arrays import as_array, bind, check_finite

SIGNATURE = {"x": (("N", 3), "float32"), "y": (("N",), "int64"), "w": (("2*N", 1), "float32")}


def good(n: int = 4) -> dict[str, object]:
    return {"x": np.ones((n, 3), np.float32), "y": np.zeros(n, np.int64), "w": np.ones((2 * n, 1), np.float32)}


def test_binds_named_dimensions() -> None:
    arrays, sizes = bind(SIGNATURE, good(5), "step")
    assert sizes == {"N": 5}
    assert list(arrays) == ["x", "y", "w"]


@pytest.mark.parametrize(
    ("name", "value", "error", "parts"),
    [
        ("x", np.ones((4, 2), np.float32), ShapeError, ["axis 1 of x is 2", "expected 3"]),
        ("x", np.ones(4, np.float32), ShapeError, ["x has 1 axes", "expected 2", "[N, 3]"]),
        ("y", np.zeros(3, np.int64), ShapeError, ["axis 0 of y is 3", "expected 4", "N = 4 from axis 0 of x"]),
        ("w", np.ones((9, 1), np.float32), ShapeError, ["expected 8", "2*N", "N = 4"]),
        ("x", np.ones((4, 3)), DTypeError, ["expected float32, got float64", "numpy.asarray(x"]),
        ("y", np.zeros(4), DTypeError, ["expected int64, got float64"]),
        ("y", [0.5, 1.0, 2.0, 3.0], DTypeError, ["expected int64"]),
        ("x", [["a"] * 3] * 4, DTypeError, ["expected float32"]),
        ("x", np.ones((4, 3), np.complex64), DTypeError, ["complex64"]),
    ],
)
def test_wrong_values(name: str, value: object, error: type[Exception], parts: list[str]) -> None:
    with pytest.raises(error) as caught:
        bind(SIGNATURE, {**good(), name: value}, "step")
    for part in parts:
        assert part in str(caught.value)


def test_wrong_names() -> None:
    with pytest.raises(UnknownName, match=r"missing input y \[N\] int64"):
        bind(SIGNATURE, {k: v for k, v in good().items() if k != "y"}, "step")
    with pytest.raises(UnknownName, match=r"there is no input 'xs'.*did you mean 'x'"):
        bind(SIGNATURE, {**good(), "xs": 1}, "step")


def test_conversions_that_lose_nothing() -> None:
    assert as_array("y", np.arange(3, dtype=np.int32), "int64").dtype == np.int64
    assert as_array("x", [1, 2, 3], "float32").dtype == np.float32
    assert as_array("x", np.ones(2, np.float32), "float64").dtype == np.float64
    strided = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    kept = as_array("x", strided, "float32")
    assert kept.flags.c_contiguous
    np.testing.assert_array_equal(kept, strided)
    assert as_array("x", np.float32(2), "float32").shape == ()


def test_arrays_of_the_right_kind_are_not_copied() -> None:
    x = np.ones((4, 3), np.float32)
    assert np.shares_memory(as_array("x", x, "float32"), x)


def test_dlpack_only_objects() -> None:
    class Exporter:
        def __init__(self) -> None:
            self.array = np.arange(3, dtype=np.float32)

        def __dlpack__(self, **options: object) -> object:
            return self.array.__dlpack__(**options)  # type: ignore[arg-type]

        def __dlpack_device__(self) -> tuple[int, int]:
            return self.array.__dlpack_device__()

    np.testing.assert_array_equal(as_array("x", Exporter(), "float32"), [0, 1, 2])


def test_torch_tensors() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.arange(6, dtype=torch.float32).reshape(2, 3).t()
    tensor.requires_grad_(True)
    np.testing.assert_array_equal(as_array("x", tensor, "float32"), [[0, 3], [1, 4], [2, 5]])


def test_finite_check_names_the_place() -> None:
    x = np.ones((4, 3), np.float32)
    x[2, 1] = np.nan
    with pytest.raises(NotFinite, match=r"x\[2, 1\] is nan"):
        check_finite({"x": x}, "step")
