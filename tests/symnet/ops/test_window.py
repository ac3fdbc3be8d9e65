"""Windows, their transpose and pools against their definitions, index by index; what may not be said."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr.dims import Shape
from symnet.ops.window import output_size

CASES: list[dict[str, Any]] = [
    {"shape": (2, 7), "size": (3,)},
    {"shape": (7,), "size": (3,), "stride": 2, "padding": 1},
    {"shape": (9,), "size": (2,), "stride": 5, "dilation": 4},
    {"shape": (2, 5), "size": (4,), "padding": ((3, 0),), "dilation": 1},
    {"shape": (3, 6, 5), "size": (2, 3), "stride": (1, 2), "padding": (0, 1), "dilation": (3, 1)},
    {"shape": (4, 5, 3), "size": (1, 5, 2), "stride": 2},
    {"shape": (1, 1), "size": (1, 1)},
]


def settings(case: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in case.items() if key not in ("shape", "size")}


def places(case: dict[str, Any]) -> tuple[Shape, list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]]:
    """How many windows there are, and (window, offset, place in the array) of everything they hold."""
    rank = len(case["size"])

    def each(name: str, default: int) -> tuple[Any, ...]:
        value = case.get(name, default)
        return (value,) * rank if isinstance(value, int) else value

    pads = [(p, p) if isinstance(p, int) else p for p in each("padding", 0)]
    steps, gaps, extents = each("stride", 1), each("dilation", 1), case["shape"][-rank:]
    counts = tuple(
        (extent + sum(pad) - gap * (k - 1) - 1) // step + 1
        for extent, pad, gap, k, step in zip(extents, pads, gaps, case["size"], steps, strict=True)
    )
    found = []
    for window in product(*map(range, counts)):
        for offset in product(*map(range, case["size"])):
            at = tuple(s * p + d * k - b[0] for s, p, d, k, b in zip(steps, window, gaps, offset, pads, strict=True))
            found.append((window, offset, at))
    return counts, [(w, o, at) for w, o, at in found if all(0 <= a < n for a, n in zip(at, extents, strict=True))]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_windows_hold_what_they_should(case: dict[str, Any], rng: np.random.Generator) -> None:
    x = rng.normal(size=case["shape"])
    counts, inside = places(case)
    expected = np.full((*case["shape"][: x.ndim - len(counts)], *counts, *case["size"]), -1.5)
    for window, offset, at in inside:
        expected[(..., *window, *offset)] = x[(..., *at)]
    given = sn.input("x", case["shape"], "float64")
    view = sn.windows(given, case["size"], **settings(case), fill=-1.5)
    np.testing.assert_array_equal(sn.evaluate(view, {given: x}), expected)
    np.testing.assert_array_equal(sn.function([given], view)(x), expected)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_overlap_add_is_the_transpose(case: dict[str, Any], rng: np.random.Generator) -> None:
    counts, inside = places(case)
    lead = case["shape"][: len(case["shape"]) - len(counts)]
    g = rng.normal(size=(*lead, *counts, *case["size"]))
    expected = np.zeros(case["shape"])
    for window, offset, at in inside:
        expected[(..., *at)] += g[(..., *window, *offset)]
    given = sn.input("g", g.shape, "float64")
    added = sn.overlap_add(given, case["shape"][len(lead) :], **settings(case))
    np.testing.assert_allclose(sn.evaluate(added, {given: g}), expected, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(sn.function([given], added)(g), expected, rtol=1e-14, atol=1e-14)
    x = sn.input("x", case["shape"], "float64")
    assert sn.vjp(sn.windows(x, case["size"], **settings(case)), x, given) is sn.simplify(added)


def test_of_equal_elements_the_first_has_the_derivative() -> None:
    x = sn.input("x", (6,), "float64")
    y = sn.max_pool(x, (3,), 3)
    values = {x: np.array([1.0, 2.0, 2.0, 5.0, 5.0, 5.0])}
    assert sn.evaluate(sn.grad(sn.sum(y), x), values).tolist() == [0, 1, 0, 1, 0, 0]
    assert sn.evaluate(sn.argmax_pool(x, (3,), 3), values).tolist() == [1, 0]


def test_the_padding_is_never_the_maximum() -> None:
    x = sn.input("x", (4,), "float64")
    low = {x: np.full(4, -np.inf)}
    assert sn.evaluate(sn.argmax_pool(x, (4,), 2, 2), low).tolist() == [2, 0, 0]
    assert sn.evaluate(sn.grad(sn.sum(sn.max_pool(x, (4,), 2, 2)), x), low).tolist() == [2, 0, 1, 0]
    k = sn.input("k", (4,), "int32")
    assert sn.evaluate(sn.max_pool(k, (2,), 2, 1), {k: np.full(4, -(2**31), "int32")}).tolist() == [-(2**31)] * 3


def test_named_sizes() -> None:
    x, g = sn.input("x", ("N", "2*T"), "float64"), sn.input("g", ("N", "T"), "float64")
    y = sn.max_pool(x, (2,))
    assert y.shape == ("N", "T")
    run = sn.function([x, g], [y, sn.vjp(y, x, g)])
    values, weights = np.arange(24.0).reshape(3, 8) % 7, np.arange(1.0, 13.0).reshape(3, 4)
    pairs = values.reshape(3, 4, 2)
    largest, gradient = run(values, weights)
    np.testing.assert_array_equal(largest, pairs.max(-1))
    first = np.argmax(pairs, -1)[..., None] == np.arange(2)
    np.testing.assert_array_equal(gradient, np.where(first, weights[..., None], 0).reshape(3, 8))
    overlapping = sn.max_pool(sn.input("v", ("M",), "float64"), (3,), 1, 1)
    row = np.array([3.0, 1.0, 1.0, 2.0, 0.0])
    assert overlapping.shape == ("M",)
    assert sn.function([overlapping.args[0]], overlapping)(row).tolist() == [3, 3, 2, 2, 2]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads", "dilation", "ceil_mode", "count"),
    [
        (7, 3, 2, (0, 0), 1, False, 3),
        (8, 3, 2, (0, 0), 1, False, 3),
        (8, 3, 2, (0, 0), 1, True, 4),
        (8, 3, 2, (1, 1), 1, True, 5),
        (6, 2, 4, (1, 1), 1, True, 2),  # a third window would begin in the padding behind
        ("N", 3, 1, (1, 1), 1, False, "N"),
        ("2*N", 2, 2, (0, 0), 1, True, "N"),
    ],
)
def test_output_size(
    size: Any, kernel: int, stride: int, pads: tuple[int, int], dilation: int, ceil_mode: bool, count: Any
) -> None:
    assert output_size("test", size, kernel, stride, pads, dilation, ceil_mode) == count


x = sn.input("x", ("N", 3, 8))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: sn.windows(x, (9,)), ShapeError, "a window of 9 elements does not fit an axis of 8"),
        (lambda: sn.windows(x, (3,), dilation=4), ShapeError, "a window of 9 elements"),
        (lambda: sn.windows(x, (2, 2, 2, 2)), ShapeError, "windows of 4 axes in an array of shape"),
        (lambda: sn.windows(x, (0,)), UsageError, "size is (0,), expected at least 1"),
        (lambda: sn.windows(x, (2,), stride=0), UsageError, "stride is 0"),
        (lambda: sn.windows(x, (2,), stride=(1, 2)), DTypeError, "stride is (1, 2), expected an integer or 1 of them"),
        (lambda: sn.windows(x, (2,), padding=-1), UsageError, "padding is -1"),
        (lambda: sn.windows(x, (2,), dilation=1.5), DTypeError, "dilation"),
        (lambda: sn.max_pool(sn.input("h", ("N",)), (2,)), ShapeError, "no whole number for every size"),
        (lambda: sn.max_pool(x > 0, (2,)), DTypeError, "expected numbers"),
        (lambda: sn.overlap_add(sn.input("g", (3, 2)), (9,), 2), ShapeError, "has [4] windows of [2], got [3, 2]"),
        (lambda: sn.overlap_add(sn.input("g", (3,)), (9,)), ShapeError, "fewer than 2 axes"),
        (lambda: sn.unpool(sn.input("g", (3,)), np.zeros(3), (6,), (2,)), DTypeError, "expected int32"),
        (lambda: sn.unpool(sn.input("g", (3,)), np.zeros(4, "int32"), (6,), (2,)), ShapeError, "offsets [4]"),
    ],
)
def test_errors(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)
