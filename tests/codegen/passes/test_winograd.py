"""Convolutions by tiles: the matrices exactly, which kernels go so, and that results are those of plain sums."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from codegen.loops.grammar import Kernel, Program, Ref, Sequence, kernels
from codegen.loops.interpret import run
from codegen.loops.parse import parse
from codegen.loops.text import block_lines, scalar, show
from codegen.loops.verify import verify
from codegen.passes.compare import compare, random_memory
from codegen.passes.toom import POINTS, SIZE, Block, Matrix, of_filters, of_results, of_windows
from codegen.passes.winograd import WINOGRAD
from codegen.pipeline import PASSES, for_precision
from tests.codegen.llvm.native import Native

NETWORK = """\
program p
  dim N <= {images}
  buffer x: f32[N, {down}, {across}, {inner}] parameter
  buffer w: f32[{outer}, {inner}, {taps}, {taps}] parameter
  buffer b: f32[{outer}] parameter
  buffer y: f32[N, {down}, {across}, {outer}] parameter
  buffer dx: f32[N, {down}, {across}, {inner}] parameter

  kernel y (n: N, i: {down}, j: {across}, k: {outer}) "convolution, with a bias, cut at zero":
    acc = sum(c: {inner}, u: {taps}, v: {taps}) x[n, i + u - 1, j + v - 1, c else 0.0f] * w[k, c, u, v]
    z = acc + b[k]
    y[n, i, j, k] = maximum(z, 0.0f)

  kernel dx (n: N, i: {down}, j: {across}, c: {inner}) "its gradient in the image":
    acc = sum(k: {outer}, u: {taps}, v: {taps}) y[n, i - u + 1, j - v + 1, k else 0.0f] * w[k, c, u, v]
    dx[n, i, j, c] = acc

  kernel w (k: {outer}, c: {inner}, u: {taps}, v: {taps}) "a step along its gradient in the filter":
    acc = sum(n: N, i: {down}, j: {across}) y[n, i, j, k] * x[n, i + u - 1, j + v - 1, c else 0.0f]
    new = w[k, c, u, v] - 0.01f * acc
    w[k, c, u, v] = new
"""


def network(images: int = 9, down: int = 8, across: int = 8, inner: int = 16, outer: int = 17, taps: int = 3) -> str:
    return NETWORK.format(images=images, down=down, across=across, inner=inner, outer=outer, taps=taps)


def tiled(text: str) -> Program:
    before = verify(parse(text))
    after = verify(WINOGRAD.run(before), before)
    assert show(parse(show(after))) == show(after)
    return after


def names(program: Program) -> list[str]:
    return [kernel.name for kernel in kernels(program.items)]


# --- matrices ----------------------------------------------------------------------------------------------------


def times(matrix: Matrix, vector: list[Fraction]) -> list[Fraction]:
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix.rows]


@pytest.mark.parametrize("taps", [2, 3, 4, 5])
def test_the_matrices_give_the_sums_exactly(taps: int) -> None:
    rng = np.random.default_rng(taps)
    window, filters = ([Fraction(int(n)) for n in rng.integers(-99, 99, count)] for count in (SIZE, taps))
    products = [a * b for a, b in zip(times(of_windows(), window), times(of_filters(taps), filters), strict=True)]
    plain = [sum(window[i + u] * filters[u] for u in range(taps)) for i in range(SIZE + 1 - taps)]
    assert times(of_results(SIZE + 1 - taps), products) == plain


def test_the_matrix_of_windows_is_exact_in_float32() -> None:
    assert len(set(POINTS)) == SIZE - 1
    for row in (*of_windows().rows, *of_results(4).rows):
        assert all(Fraction(float(np.float32(float(value)))) == value for value in row)


@pytest.mark.parametrize("matrix", [of_windows(), of_filters(3), of_filters(4).transposed, of_results(4)])
def test_statements_multiply_by_a_matrix(matrix: Matrix) -> None:
    """With an element that is known to be zero, and sums of pairs shared."""
    elements = range(len(matrix.rows[0]))
    loads = "\n".join(f"    v{i} = x[{i}]" for i in elements)
    block = Block("float64")
    vector = [block.zero if i == 1 else Ref(f"v{i}", "float64") for i in elements]
    results = block.times(matrix, vector)
    stores = "\n".join(f"    y[{i}] = {scalar(value)}" for i, value in enumerate(results))
    lines = "\n".join(f"    {line}" for line in block_lines(block.body))
    shape = f"  buffer x: f64[{len(matrix.rows[0])}] input\n  buffer y: f64[{len(matrix.rows)}] output"
    program = verify(parse(f"program p\n{shape}\n\n  kernel y ():\n{loads}\n{lines}\n{stores}\n"))
    memory = random_memory(program, {}, np.random.default_rng(1))
    given = memory["x"].copy()
    given[1] = 0
    assert run(program, memory, {}) == 0
    np.testing.assert_allclose(memory["y"], np.array(matrix.rows, float) @ given, rtol=1e-12)


# --- programs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "down", "across", "taps"),
    [
        (9, 8, 8, 3), (3, 16, 20, 3), (3, 24, 24, 3), (4, 14, 14, 3), (9, 7, 8, 3), (7, 9, 9, 4), (9, 8, 6, 5),
        (17, 16, 16, 3), (17, 14, 13, 3),  # each image by one thread
    ],
)  # fmt: skip
def test_results_are_those_of_plain_sums(images: int, down: int, across: int, taps: int) -> None:
    """By the interpreter, on random numbers: whole tiles and cut ones, images one by one and all at once."""
    before = verify(parse(network(images, down, across, taps=taps)))
    after = tiled(network(images, down, across, taps=taps))
    assert {"y_windows", "dx_windows", "w_windows", "w_sums"} <= set(names(after))
    compare(before, after, "winograd")


def test_native_code_gives_the_same_for_any_number_of_threads() -> None:
    for sizes in ((5, 16, 16), (6, 7, 9)):
        program = tiled(network(*sizes))
        for one in PASSES[PASSES.index(WINOGRAD) + 1 :]:
            if one.name in ("operands", "names", "schedule"):
                program = one.run(program)
        given = {"N": sizes[0] - 1}
        memory = random_memory(program, given, np.random.default_rng(3))
        native, expected = Native(show(program)), {name: array.copy() for name, array in memory.items()}
        found = [native(memory, given, threads)[1] for threads in (1, 2, 3)]
        assert run(native.program, expected, given) == 0
        for name in ("y", "dx", "w"):
            assert len({one[name].tobytes() for one in found}) == 1
            np.testing.assert_allclose(found[0][name], expected[name], rtol=0, atol=5e-6 * np.abs(expected[name]).max())


def test_kernels_of_one_convolution() -> None:
    """Filters first; images with enough tiles one by one; results with all that the kernel did with them."""
    text = network(images=2, down=16, across=16).split("  kernel dx")[0]
    program = tiled(text)
    assert names(program) == ["y_filters", "y_windows", "y_products", "y"]
    _, loop = program.items
    assert isinstance(loop, Sequence)
    assert loop.axis.extent == "N"
    _, products, results = loop.items
    assert isinstance(products, Kernel)
    assert isinstance(results, Kernel)
    assert [axis.extent for axis in products.axes] == [36, 16, 17]
    down, across, channels = results.axes
    assert (down.extent, across.extent, channels.extent) == (4, 4, 17)
    lines = list(block_lines(results.body))
    assert sum(line.startswith("y[") for line in lines) == 16
    assert "z.31 = acc.31 + b[k]" in lines
    assert f"y[n, 4*{down.name} + 3, 4*{across.name} + 1, k] = maximum(z.31, 0.0f)" in lines


@pytest.mark.parametrize(
    "change",
    [
        ("i + u - 1, j + v - 1, c else", "2*i + u - 1, 2*j + v - 1, c else"),  # steps of two positions
        ("i + u - 1, j + v - 1, c else", "i + 2*u - 1, j + 2*v - 1, c else"),  # filters with gaps
        ("u: 3, v: 3) x", "u: 2, v: 3) x"),  # few taps
        ("sum(c: 16, u", "sum(c: 15, u"),  # few channels
        ('(n: N, i: 8, j: 8, k: 17) "conv', '(n: N, i: 8, j: 2, k: 17) "conv'),  # tiles of which half is not needed
        ("f32", "f64"),
        ("N <= 9", "N <= 7"),  # few tiles
    ],
)
def test_what_stays_a_plain_sum(change: tuple[str, str]) -> None:
    text = network().split("  kernel dx")[0]
    assert names(tiled(text)) == ["y_filters", "y_windows", "y_products", "y"]
    changed = text.replace(*change)
    if change[1] == "f64":
        changed = changed.replace("0.0f", "0.0")
    assert changed != text
    assert names(tiled(changed)) == ["y"]


def test_the_pass_comes_after_borders_and_not_for_the_highest_precision() -> None:
    order = [one.name for one in PASSES]
    assert ("borders", "winograd") in pairwise(order)
    assert WINOGRAD not in for_precision(PASSES, "highest")
    assert for_precision(PASSES, "float32") == PASSES
