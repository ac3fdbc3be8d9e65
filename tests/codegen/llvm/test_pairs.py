"""Products of operands that are rounded to bfloat16: in pairs where the processor has them, else as float32 numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from codegen.target import target
from tests.codegen.llvm.native import Native, agree

Array = np.ndarray[Any, np.dtype[Any]]

TARGETS = ("native", "x86-64-v3")

SCALAR = """\
program t
  buffer x: f32[{n}] input
  buffer y: f32[{n}] output
  kernel k (i: {n}) [vector=i]:
    y[i] = bf16(x[i])
"""


def nearest(x: Array) -> Array:
    """bf16 by its definition: the nearest number with eight bits, of two as near the one whose last bit is 0."""
    wide = np.where(np.isnan(x), 0, x).astype(np.float64)  # a signalling NaN would warn
    fraction, exponent = np.frexp(wide)
    with np.errstate(invalid="ignore", over="ignore"):
        result = np.ldexp(np.rint(fraction * 256), exponent - 8)  # rint: ties to even
        result = np.where(np.abs(wide) < 2.0**-126, np.copysign(0.0, wide), result)
        result = np.where(np.isfinite(wide), result, wide)
        result = np.where(np.isnan(x), np.nan, result)
        return np.where(np.abs(result) >= 2.0**128, np.copysign(np.inf, wide), result).astype(np.float32)


@pytest.mark.parametrize("name", TARGETS)
def test_rounding(name: str, rng: np.random.Generator) -> None:
    bits = rng.integers(0, 1 << 32, 5000, dtype=np.uint64).astype(np.uint32)
    ties = (bits & np.uint32(0xFFFF0000)) | np.uint32(0x8000)
    edges = np.array([0, -0.0, np.inf, -np.inf, np.nan, 3.4e38, -3.4e38, 1e-39, -1e-45, 2.0**-126, 1, 1.00390625])
    x = np.concatenate([bits.view(np.float32), ties.view(np.float32), edges.astype(np.float32)])
    got = agree(SCALAR.format(n=x.size), {"x": x}, {}, native=Native(SCALAR.format(n=x.size), target(name)))["y"]
    wanted = nearest(x)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
    some = ~np.isnan(wanted)
    np.testing.assert_array_equal(got[some].view(np.uint32), wanted[some].view(np.uint32))


def product(rows: int | str, inner: int | str, cols: int, layout: str, most: int = 64) -> str:
    """y = bf16(A) bf16(B) + 1; `layout` says for A and B whether they are stored transposed."""
    a = ("r, k", f"{rows}, {inner}") if layout[0] == "N" else ("k, r", f"{inner}, {rows}")
    b = ("k, c", f"{inner}, {cols}") if layout[1] == "N" else ("c, k", f"{cols}, {inner}")
    return f"""\
program t
  dim N <= {most}
  buffer A: f32[{a[1]}] input
  buffer B: f32[{b[1]}] input
  buffer C: f32[{rows}, {cols}] output

  kernel gemm (r: {rows}, c: {cols}) [contract rows=r cols=c inner=k parallel=2]:
    acc = sum(k: {inner}) bf16(A[{a[0]}]) * bf16(B[{b[0]}])
    C[r, c] = acc + 1.0f
"""


def whole(rng: np.random.Generator, *shape: int) -> Array:
    """Whole numbers that bfloat16 holds: their products and sums are exact, whatever the order."""
    return rng.integers(-9, 10, shape).astype(np.float32)


SIZES = [(1, 1, 1), (3, 2, 5), (13, 33, 17), (29, 47, 31), (14, 300, 70), (40, 1061, 33), (200, 64, 130)]


@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("sizes", SIZES)
def test_exact_products(sizes: tuple[int, int, int], layout: str, rng: np.random.Generator) -> None:
    rows, inner, cols = sizes
    native = Native(product(rows, inner, cols, layout))
    assert ("dpbf16ps" in native.text) == target().bf16
    a, b = whole(rng, rows, inner), whole(rng, inner, cols)
    given = {"A": a if layout[0] == "N" else a.T.copy(), "B": b if layout[1] == "N" else b.T.copy()}
    np.testing.assert_array_equal(agree("", given, {"N": 1}, native=native)["C"], a @ b + 1)


@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("n", [1, 2, 31, 64])
@pytest.mark.parametrize("of", ["rows", "inner"])
def test_sizes_of_the_call(of: str, n: int, layout: str, rng: np.random.Generator) -> None:
    rows, inner = (n, 37) if of == "rows" else (23, n)
    text = product("N", 37, 35, layout) if of == "rows" else product(23, "N", 35, layout)
    a, b = whole(rng, rows, inner), whole(rng, inner, 35)
    given = {"A": a if layout[0] == "N" else a.T.copy(), "B": b if layout[1] == "N" else b.T.copy()}
    np.testing.assert_array_equal(agree(text, given, {"N": n})["C"], a @ b + 1)


@pytest.mark.parametrize("name", TARGETS)
def test_rounded_products(name: str, rng: np.random.Generator) -> None:
    """The operands are rounded, and nothing else: the sums differ from those of rounded numbers as float32 sums do."""
    a, b = (rng.normal(size=(100, 100)).astype(np.float32) for _ in range(2))
    text = product(100, 100, 100, "NN")
    got = agree(text, {"A": a, "B": b}, {"N": 1}, rtol=2e-5, native=Native(text, target(name)))["C"]
    exact = nearest(a).astype(np.float64) @ nearest(b).astype(np.float64) + 1
    assert np.abs(got - exact).max() < 2e-5
    assert np.abs(got - (a.astype(np.float64) @ b + 1)).max() > 1e-2


@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
def test_infinity_stays_in_its_row(layout: str, rng: np.random.Generator) -> None:
    """What pads an odd k or the last tile multiplies nothing that exists."""
    a, b = whole(rng, 31, 33), np.abs(whole(rng, 33, 35)) + 1
    a[30], b[:, 34] = np.inf, np.inf
    given = {"A": a if layout[0] == "N" else a.T.copy(), "B": b if layout[1] == "N" else b.T.copy()}
    with np.errstate(invalid="ignore"):
        got = agree(product(31, 33, 35, layout), given, {"N": 1})["C"]
    np.testing.assert_array_equal(got[:30, :34], a[:30] @ b[:, :34] + 1)
    assert np.isposinf(got[30]).all()


@pytest.mark.parametrize("last", [6, 7])
def test_several_summed_axes(last: int, rng: np.random.Generator) -> None:
    """Pairs lie along the last of the axes that do not become one; where that is odd, the sum is of single numbers."""
    text = f"""\
program t
  buffer A: f32[5, 40, {last}] input
  buffer B: f32[5, {last}, 36] input
  buffer C: f32[40, 36] output

  kernel gemm (r: 40, c: 36) [contract rows=r cols=c inner=b,k parallel=2]:
    acc = sum(b: 5, k: {last}) bf16(A[b, r, k]) * bf16(B[b, k, c])
    C[r, c] = acc
"""
    a, b = whole(rng, 5, 40, last), whole(rng, 5, last, 36)
    native = Native(text)
    assert ("dpbf16ps" in native.text) == (target().bf16 and last % 2 == 0)
    np.testing.assert_array_equal(agree(text, {"A": a, "B": b}, {}, native=native)["C"], np.einsum("brk,bkc->rc", a, b))


@pytest.mark.skipif(not target().bf16, reason="the processor multiplies no pairs of bfloat16")
def test_order_and_rounding_of_a_pair(rng: np.random.Generator) -> None:
    """Of two k that follow each other the later product is added first, and each sum is rounded to float32."""
    a, b = (nearest(rng.normal(size=shape)) for shape in ((32, 64), (64, 32)))
    sums = np.zeros((32, 32), np.float32)
    for k in [one for pair in range(32) for one in (2 * pair + 1, 2 * pair)]:
        exact = sums.astype(np.float64) + a[:, k, None].astype(np.float64) * b[None, k]
        sums = exact.astype(np.float32)
    text = product(32, 64, 32, "NN").replace("acc + 1.0f", "acc")
    np.testing.assert_array_equal(Native(text)({"A": a, "B": b}, {"N": 1})[1]["C"], sums)
