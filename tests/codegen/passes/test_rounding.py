"""Which contractions multiply what they round, and that rounding changes nothing else."""

from __future__ import annotations

import pytest

from codegen.loops.grammar import kernels
from codegen.loops.parse import parse
from codegen.loops.text import show
from codegen.loops.verify import verify
from codegen.passes.core import contraction
from codegen.passes.rounding import ROUNDING
from codegen.passes.schedule import SCHEDULE
from codegen.pipeline import PASSES, with_rounding

PROGRAM = """\
program p
  dim N <= {most}
  buffer x: {kind}[N, {inner}] input
  buffer w: {kind}[{columns}, {inner}] input
  buffer b: {kind}[{columns}] input
  buffer y: {kind}[N, {columns}] output

  kernel y (n: N, o: {columns}):
    acc = sum(i: {inner}) x[n, i] * w[o, i]
    y[n, o] = acc + b[o]
"""


@pytest.mark.parametrize(
    ("most", "inner", "columns", "kind", "rounds"),
    [
        (64, 48, 40, "f32", True),
        (32, 32, 32, "f32", True),
        (31, 48, 40, "f32", False),  # few rows
        (64, 31, 40, "f32", False),  # few products in a sum
        (64, 48, 31, "f32", False),  # few columns
        (64, 48, 40, "f64", False),
    ],
)
def test_which_products_round(most: int, inner: int, columns: int, kind: str, rounds: bool) -> None:
    before = parse(PROGRAM.format(most=most, inner=inner, columns=columns, kind=kind))
    after = verify(ROUNDING.run(before), before)
    text = show(before)
    expected = text.replace("x[n, i] * w[o, i]", "bf16(x[n, i]) * bf16(w[o, i])") if rounds else text
    assert show(after) == expected
    assert show(parse(show(after))) == expected
    (kernel,) = kernels(SCHEDULE.run(after).items)
    assert contraction(kernel) is not None
    assert kernel.schedule.form == "contract"


def test_windows_and_edges_do_not_round() -> None:
    image = """\
program p
  buffer x: f32[40, 40, 64] input
  buffer w: f32[3, 64, 64] input
  buffer y: f32[40, {columns}, 64] output

  kernel y (n: 40, i: {columns}, k: 64):
    acc = sum(u: 3, c: 64) x[n, {where}, c{fill}] * w[u, c, k]
    y[n, i, k] = acc
"""
    for columns, where, fill in ((38, "i + u", ""), (40, "i + u - 1", " else 0.0f")):
        program = parse(image.format(columns=columns, where=where, fill=fill))
        assert show(ROUNDING.run(program)) == show(program)


def test_where_it_is_in_the_pipeline() -> None:
    names = [step.name for step in with_rounding(PASSES)]
    assert names.index("rounding") < min(names.index(later) for later in ("borders", "operands", "schedule"))
    assert not ROUNDING.exact
    assert all(step.exact for step in PASSES)
