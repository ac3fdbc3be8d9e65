"""Contractions: convolutions with stride, padding and dilation, both gradients, named sizes, diagonals."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import symnet as sn
from codegen.loops.grammar import Program, kernels, loads, stores
from codegen.lower import lower
from codegen.spec import Entry, Module
from symnet.derive import grad
from symnet.errors import Unsupported
from symnet.ops.contract import contract


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_convolution_and_gradients(stride: int, padding: int, dilation: int, agrees: Callable[..., Program]) -> None:
    x = sn.input("x", ("N", 3, 9, 8), "float64")
    w = sn.parameter("w", (4, 3, 3, 2), "float64")
    y = sn.conv2d(x, w, stride=stride, padding=padding, dilation=dilation)
    weight = sn.input("weight", y.shape, "float64")
    dx, dw = grad(sn.sum(y * weight), [x, w], simplify=False)
    program = agrees({"y": y, "dx": dx, "dw": dw}, sizes={"N": 2})
    for kernel in kernels(program.items):
        assert not any(store.accumulate for store in stores(kernel.body)), "a convolution scatters"


@pytest.mark.parametrize("spec", ["ab,cb->ac", "abc,acd->abd", "ab,ab->ab", "ab,->ba", "a,b->ab", "ab,ab->", ",->"])
def test_plain(spec: str, agrees: Callable[..., Program]) -> None:
    extents = {"a": "N", "b": 5, "c": 3, "d": 1}
    left, right = spec.split("->")[0].split(",")
    a = sn.input("a", tuple(extents[letter] for letter in left), "float64")
    b = sn.input("b", tuple(extents[letter] for letter in right), "float64")
    agrees({"out": contract(a, b, spec)})


def test_diagonal_output(agrees: Callable[..., Program]) -> None:
    a, b = sn.input("a", (4,), "float64"), sn.input("b", (4,), "float64")
    agrees({"out": contract(a, b, "a, a -> a a", {"a": 4}, (4, 5))})
    agrees({"out": contract(a, b, "a, a -> a 2*a+1", {"a": 4}, (4, 8))})


def test_named_length_with_stride(agrees: Callable[..., Program]) -> None:
    """Residue classes need numbers; with a named length the form is solved for the kernel's letter instead."""
    x, w = sn.input("x", ("T",), "float64"), sn.input("w", (3,), "float64")
    spec, sizes = "a, b -> 2*a+b", {"a": "T", "b": 3}
    agrees({"out": contract(x, w, spec, sizes, ("2*T + 2",))}, sizes={"T": 5})


def test_letters_shorter_and_longer_than_the_output(agrees: Callable[..., Program]) -> None:
    x, w = sn.input("x", (6,), "float64"), sn.input("w", (4,), "float64")
    agrees({"out": contract(x, w, "a+b, b -> a", {"a": 3, "b": 4}, (5,))})
    agrees({"out": contract(x, w, "a+b-2, b -> a", {"a": 9, "b": 4}, (5,))})
    agrees({"out": contract(x, w, "a, b -> a+b-1", {"a": 6, "b": 4}, (7,))})


def test_stride_one_gradient_is_one_kernel_without_fill() -> None:
    x, w = sn.input("x", ("N", 3, 8, 8)), sn.parameter("w", (4, 3, 3, 3))
    (dx,) = grad(sn.sum(sn.conv2d(x, w, padding=1)), [x], simplify=False)
    entry = Entry("e", {"dx": dx})
    program = lower(entry, Module("m", (entry,), {"N": 4}))
    last = [kernel for kernel in kernels(program.items) if any(s.buffer == "dx" for s in stores(kernel.body))]
    assert len(last) == 1
    assert any(load.fill is not None for load in loads(last[0].body))


def test_two_strided_axes_that_share_a_letter_are_refused() -> None:
    x, w = sn.input("x", (3,)), sn.input("w", (2,))
    out = contract(x, w, "a, b -> 2*a+b 2*a+2*b", {"a": 3, "b": 2}, (6, 6))
    entry = Entry("e", {"out": out})
    with pytest.raises(Unsupported, match="contract"):
        lower(entry, Module("m", (entry,), {}))
