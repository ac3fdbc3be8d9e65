"""Counts of flops, functions and bytes, against numbers written out by hand; the loops that measure a machine."""

from __future__ import annotations

import ctypes
import re

import numpy as np
import pytest

import symnet as sn
from codegen.costs import Costs, costs
from codegen.llvm import peak
from codegen.llvm.jit import assembly
from codegen.loops.parse import parse
from codegen.pipeline import compile_entry
from codegen.spec import Entry, Module
from codegen.target import target
from symnet.expr import dims
from symnet.simplify import expand


def of(outputs: sn.Expr | list[sn.Expr], **capacity: int) -> list[Costs]:
    """The costs of the scheduled kernels, in order."""
    roots = expand(outputs if isinstance(outputs, list) else [outputs])
    entry = Entry("call", {f"out{i}": root for i, root in enumerate(roots)})
    return list(costs(compile_entry(entry, Module("m", (entry,), capacity))).values())


def of_text(body: str, buffers: str = "x: f32[N, 5] input, out: f32[N, 5] output") -> Costs:
    """The costs of one kernel as the loop program writes it."""
    declared = [f"  buffer {buffer}" for buffer in re.split(r",\s(?=\w+:)", buffers)]
    (found,) = costs(parse("\n".join(["program p", "  dim N <= 7", *declared, body]) + "\n")).values()
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("spec", "a", "b", "flops"),
    [
        ("mk,kn->mn", ("N", 13), (13, 17), "442*N"),
        ("mk,nk->mn", ("N", 13), (17, 13), "442*N"),
        ("km,kn->mn", ("N", 13), ("N", 17), "442*N"),
        ("bmk,bkn->bmn", (3, "N", 5), (3, 5, 7), "210*N"),
        ("mk,k->m", ("N", 13), (13,), "26*N"),
    ],
)
def test_a_product_takes_two_flops_a_term(
    spec: str, a: tuple[dims.Dim, ...], b: tuple[dims.Dim, ...], flops: str, dtype: str
) -> None:
    product = sn.einsum(spec, sn.input("a", a, dtype), sn.input("b", b, dtype))
    (found,) = of(product, N=32)
    assert (found.flops, found.products, found.functions) == (flops, flops, 0)
    assert (found.runs, found.dtype) == (1, dtype)
    elements = dims.add(dims.add(dims.product(a), dims.product(b)), dims.product(product.shape))
    assert found.bytes == dims.mul(4 if dtype == "float32" else 8, elements)


def test_what_follows_a_product_is_counted_apart() -> None:
    x, w, b = sn.input("x", ("N", 8)), sn.input("w", (8, 6)), sn.input("b", (6,))
    (found,) = of(sn.tanh(x @ w + b), N=4)
    assert found.products == dims.mul("N", 2 * 8 * 6)
    assert found.flops == dims.mul("N", 2 * 8 * 6 + 6)
    assert found.functions == dims.mul("N", 6)
    assert found.bytes == dims.add(dims.mul("N", 4 * (8 + 6)), 4 * (8 * 6 + 6))


def test_a_loop_does_not_repeat_what_stays_the_same() -> None:
    found = of_text(
        """  buffer s: f64[] hyper
  kernel k (n: N, i: 5) "":
    out[n, i] = x[n, i] * exp(x[n, 0] + 1.0f) + f32(1.0 - sqrt(s[])) * f32(1.0 - sqrt(s[]))"""
    )
    # x * exp, + and nothing else in every element; exp(x[n, 0] + 1) in every row; 1 - sqrt(s), its square once
    assert found.flops == dims.add(dims.mul("N", 2 * 5 + 1), 2)
    assert found.functions == "N + 1"
    assert found.bytes == dims.add(dims.mul("N", 2 * 5 * 4), 8)


def test_only_arithmetic_of_floats_counts() -> None:
    found = of_text(
        '  kernel k (n: N) "":\n    out[n] = where(y[n] + 1 > 2, f32(y[n] * 3), 0.0f)',
        "y: i64[N] input, out: f32[N] output",
    )
    assert (found.flops, found.functions, found.bytes) == (0, 0, dims.mul("N", 12))


def test_a_kernel_reads_nothing_that_it_wrote() -> None:
    found = of_text(
        """  kernel k (n: N) "":
    for i: 5:
      out[n, i] = x[n, i] + 1.0f
    r = sum(j: 5) out[n, j]
    for l: 5:
      out[n, l] = out[n, l] / r"""
    )
    assert (found.flops, found.functions) == (dims.mul("N", 10), dims.mul("N", 5))
    assert found.bytes == dims.mul("N", 2 * 5 * 4)


@pytest.mark.parametrize(
    ("index", "extent", "elements"),
    [("2*i", 3, "3*N"), ("i+2", 3, "3*N"), ("0", 3, "N"), ("i", 5, "5*N")],
)
def test_only_elements_that_are_taken_count(index: str, extent: int, elements: str) -> None:
    found = of_text(
        f'  kernel k (n: N, i: {extent}) "":\n    out[n, i] = x[n, {index}]',
        f"x: f32[N, 5] input, out: f32[N, {extent}] output",
    )
    assert found.bytes == dims.mul(4, dims.add(elements, dims.mul("N", extent)))


def test_a_window_is_read_once() -> None:
    x = sn.input("x", (2, 3, 16, 16))
    w = sn.input("w", (4, 3, 3, 3))
    out = sn.conv2d(x, w, padding=1)
    found = of(out)
    for counts in ([c.products for c in found], [c.flops for c in found]):
        assert sum(map(int, counts)) == 2 * 2 * 4 * 16 * 16 * 3 * 3 * 3
    if len(found) == 1:
        assert found[0].bytes == 4 * (2 * 3 * 16 * 16 + 4 * 3 * 3 * 3 + 2 * 4 * 16 * 16)


def test_a_gather_reads_what_it_takes() -> None:
    table, rows = sn.input("table", (1000, 16)), sn.input("rows", ("N",), "int64")
    found = of(sn.exp(table[rows]), N=10)[-1]
    assert found.functions == dims.mul("N", 16)
    assert found.bytes == dims.mul("N", 16 * 4 + 8 + 16 * 4)
    crowded = of(sn.exp(table[rows]), N=5000)[-1]
    assert crowded.bytes == dims.add(dims.mul("N", 8 + 16 * 4), 1000 * 16 * 4), "never more than all of it"


def test_kernels_in_a_loop_count_every_time() -> None:
    xs, h0, w = sn.input("xs", ("T", 3, 8)), sn.input("h", (3, 8)), sn.input("w", (8, 8))
    _, h = sn.scan(lambda h, x: (sn.tanh(x + h @ w),) * 2, init=h0, xs=xs)
    found = of(h, T=20)
    assert sum(dims.evaluate(c.products, {"T": 20}) for c in found) == 20 * 2 * 3 * 8 * 8
    assert sum(dims.evaluate(c.functions, {"T": 20}) for c in found) == 20 * 3 * 8
    product = next(c for c in found if c.products)
    assert product.runs == "T"
    assert dims.evaluate(product.bytes, {"T": 20}) <= 20 * 4 * (3 * 8 + 8 * 8 + 4 * 3 * 8), "one step of xs in each run"


@pytest.mark.parametrize("threads", [1, 2])
def test_the_peak_loops_do_what_they_say(threads: int) -> None:
    """The copy copies all of it; the multiply-adds are fused where the machine can."""

    def run(function: int, table: int, count: int) -> int:
        entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(function)
        return max(int(entry(table, thread, count)) for thread in range(count))

    memory = np.random.default_rng(3).integers(0, 255, 4 * peak.CHUNK + 64).astype(np.uint8)
    start = -memory.ctypes.data % 64
    block = memory[start : start + 4 * peak.CHUNK]
    half = block[: 2 * peak.CHUNK].copy()
    table = np.array([block.ctypes.data, 1, 2], np.int64)
    run(peak._loops().addresses["sn_peak_copy"], table.ctypes.data, threads)
    np.testing.assert_array_equal(block[2 * peak.CHUNK :], half)
    np.testing.assert_array_equal(block[: 2 * peak.CHUNK], half)
    assert peak.flops(run, threads, "float32") > 0
    assert peak.bandwidth(run, threads, 1000) == peak.bandwidth(run, threads, 1 << 14), "measured once for each block"
    assert 0 < peak.ticks() < peak.ticks()
    if target().fma and target().triple.startswith("x86_64"):
        loops = assembly(peak.text(target()), target())
        assert loops.count("vfmadd") == 2 * peak.CHAINS
