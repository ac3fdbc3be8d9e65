"""Copies that exchange two axes go in squares of vectors, transposed in registers."""

from __future__ import annotations

import pytest

from codegen.llvm.nest import emit_nest
from codegen.loops.grammar import Kernel
from codegen.loops.parse import parse
from codegen.loops.text import show
from codegen.passes.schedule import schedule
from codegen.target import target
from tests.codegen.llvm.native import agree
from tests.codegen.llvm.test_contract import memory

COPY = """program t
  buffer x: {0}[{1}, {2}] input
  buffer y: {0}[4, {2}, {3}] output

  kernel copy (p: 4, j: {3}, k: {2}):
    y[p, k, j] = x[j + {3}*p, k]
"""


@pytest.mark.parametrize("dtype", ["f32", "f64", "i64"])
@pytest.mark.parametrize(("panel", "depth"), [(16, 16), (32, 48), (32, 1024), (17, 48), (32, 50)])
def test_exchanged_axes(dtype: str, panel: int, depth: int) -> None:
    """Whole vectors both ways, and those that are not; bit for bit."""
    program = schedule(parse(COPY.format(dtype, 4 * panel, depth, panel)))
    agree(show(program), memory(program), {}, rtol=0)


def test_squares_stay_with_one_thread() -> None:
    """Threads share the panels; only then is a panel copied in squares, by shuffles and whole vectors."""
    program = schedule(parse(COPY.format("f32", 128, 1024, 32)))
    (kernel,) = (item for item in program.items if isinstance(item, Kernel))
    assert kernel.schedule.parallel == 1
    text = emit_nest(kernel, program, target("x86-64-v3")).text
    assert text.count("shufflevector") == 8 * 3
    assert "extractelement" not in text
