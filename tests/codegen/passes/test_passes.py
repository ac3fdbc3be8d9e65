"""Each pass on small programs written as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codegen.loops.grammar import Program, kernels
from codegen.loops.interpret import run
from codegen.loops.parse import parse
from codegen.loops.text import show
from codegen.loops.verify import verify
from codegen.passes.compare import random_memory
from codegen.passes.core import Pass
from codegen.passes.dead import DEAD
from codegen.passes.fuse import EPILOGUE, HORIZONTAL, ROWS
from codegen.passes.history import HISTORY
from codegen.passes.inline import INLINE
from codegen.passes.loops import LOOPS
from codegen.passes.memory import ALIGNMENT, MEMORY, lifetimes, size
from codegen.passes.registers import REGISTERS
from codegen.passes.schedule import SCHEDULE
from codegen.pipeline import Options, optimise
from symnet.errors import CompilerBug


def through(text: str, *passes: Pass) -> Program:
    """The program after the passes; each must leave what it computes unchanged."""
    program = verify(parse(text))
    for step in passes:
        after = verify(step.run(program))
        assert parse(show(after)) == after
        memory = random_memory(program, {"N": 3}, np.random.default_rng(5))
        one, two = dict(memory), {name: array.copy() for name, array in memory.items()}
        assert run(program, one, {"N": 3}) == run(after, two, {"N": 3})
        for buffer in program.buffers.values():
            if buffer.role in ("output", "parameter", "state"):
                np.testing.assert_allclose(two[buffer.name], one[buffer.name], rtol=1e-12, err_msg=show(after))
        program = after
    return program


def count(program: Program) -> int:
    return len(list(kernels(program.items)))


GUARDS = """\
program guards
  dim N <= 4
  buffer x: f64[N, 4] input
  buffer padded: f64[N, 6] scratch
  buffer y: f64[N, 6] output

  kernel pad (n: N, i: 6):
    padded[n, i] = x[n, i - 1 else 0.0]

  kernel conv (n: N, i: 6):
    acc = sum(k: 3) padded[n, i + k - 1 else {outside}]
    y[n, i] = acc
"""


def test_guards_compose_when_the_fills_agree() -> None:
    assert count(through(GUARDS.format(outside="0.0"), INLINE, DEAD)) == 1
    assert count(through(GUARDS.format(outside="1.0"), INLINE, DEAD)) == 2


def test_a_slice_read_beyond_its_end_stays() -> None:
    """Outside the slice lies the fill, not the rest of the array it was cut from."""
    text = GUARDS.format(outside="0.0").replace("x[n, i - 1 else 0.0]", "x[n, -i + 3 else 0.0]")
    assert count(through(text, INLINE, DEAD)) == 1, "its two readings leave x exactly where they leave the slice"
    text = text.replace("f64[N, 4] input", "f64[N, 9] input").replace("-i + 3 else 0.0", "i")
    assert count(through(text, INLINE, DEAD)) == 2


IN_PLACE = """\
program update
  dim N <= 4
  buffer w: f64[3, 3] parameter
  buffer x: f64[N, 3] input
  buffer g: f64[3, 3] scratch
  buffer new: f64[3, 3] scratch
  buffer y: f64[N, 3] output

  kernel g (i: 3, j: 3):
    acc = sum(n: N) x[n, i] * x[n, j]
    g[i, j] = acc

  kernel new (i: 3, j: 3):
    new[i, j] = {w} - g[i, j]

  kernel y (n: N, i: 3):
    acc = sum(j: 3) x[n, j] * w[j, i]
    y[n, i] = acc

  kernel copy (i: 3, j: 3):
    w[i, j] = new[i, j]
"""


def test_an_update_moves_behind_the_last_reader() -> None:
    program = through(IN_PLACE.format(w="w[i, j]"), EPILOGUE, REGISTERS, DEAD)
    assert [kernel.name for kernel in kernels(program.items)] == ["y", "g"]


def test_an_update_that_reads_other_places_is_not_in_place() -> None:
    program = through(IN_PLACE.format(w="w[j, i]"), INLINE, EPILOGUE, REGISTERS, DEAD)
    assert count(program) == 3
    assert "new" in program.buffers


CYCLE = """\
program cycle
  dim N <= 4
  buffer x: f64[N, 3] input
  buffer a: f64[N, 3] scratch
  buffer total: f64[3] scratch
  buffer y: f64[N, 3] output

  kernel a (n: N, i: 3):
    a[n, i] = exp(x[n, i])

  kernel total (i: 3):
    acc = sum(n: N) a[n, i]
    total[i] = acc

  kernel y (n: N, i: 3):
    y[n, i] = a[n, i] / total[i]
"""


def test_nothing_is_joined_around_a_kernel_between() -> None:
    assert count(through(CYCLE, EPILOGUE, HORIZONTAL)) == 3


ROW_TEXT = """\
program rows
  dim N <= 40
  buffer x: f64[N, 3] input
  buffer top: f64[N] scratch
  buffer y: f64[N, 3] output
  buffer z: f64[N, 3] output

  kernel top (n: N):
    acc = max(i: 3) x[n, i]
    top[n] = acc

  kernel y (n: N, i: 3):
    y[n, i] = x[n, i] - top[n]

  kernel z (a: N, b: 3):
    z[a, b] = x[a, b] * top[a]
"""


def test_rows_and_their_loops_are_joined() -> None:
    program = through(ROW_TEXT, ROWS, LOOPS, REGISTERS, DEAD)
    (kernel,) = kernels(program.items)
    assert show(program).count("for ") == 1
    assert "top" not in program.buffers
    assert len(kernel.axes) == 1


def test_horizontal_joins_scalars_and_equal_reads() -> None:
    text = """\
program side
  dim N <= 40
  buffer x: f64[N, 3] input
  buffer lr: f64[] hyper
  buffer a: f64[3] output
  buffer b: f64[3] output
  buffer c: f64[] output
  buffer d: f64[] output

  kernel a (i: 3):
    s = sum(n: N) x[n, i]
    a[i] = s

  kernel c ():
    c[] = lr[] * 2.0

  kernel b (j: 3):
    s = sum(n: N) x[n, j] * x[n, j]
    b[j] = s

  kernel d ():
    d[] = lr[] + 1.0
"""
    assert count(through(text, HORIZONTAL)) == 2


def test_dead_code_goes_through_loops_of_kernels() -> None:
    text = """\
program dead
  dim N <= 4
  buffer x: f64[N] input
  buffer a: f64[3, N] scratch
  buffer unused: f64[N] scratch
  buffer y: f64[N] output

  for t: 2:
    kernel a (n: N):
      v = x[n] * 2.0
      w = exp(v)
      a[t + 1, n] = a[t, n] + v
      unused[n] = w
  kernel y (n: N):
    y[n] = x[n]
"""
    program = through(text, DEAD)
    assert [kernel.name for kernel in kernels(program.items)] == ["y"]
    assert list(program.buffers) == ["x", "y"]


def test_a_carry_keeps_one_row_only_when_its_past_is_not_read() -> None:
    text = """\
program carry
  dim N <= 4
  buffer x: f64[5, N] input
  buffer c: f64[6, N] scratch
  buffer y: f64[N] output

  kernel start (n: N):
    c[0, n] = x[0, n]

  for t: 5:
    kernel step (n: N):
      c[t + 1, n] = c[t, {other}] * 0.5 + x[t, n]

  kernel y (n: N):
    y[n] = c[{last}, n]
"""
    assert through(text.format(other="n", last=5), HISTORY).buffers["c"].shape == ("N",)
    assert through(text.format(other="n", last=4), HISTORY).buffers["c"].shape == (6, "N")
    assert through(text.format(other="-n + N - 1", last=5), HISTORY).buffers["c"].shape == (6, "N")


@pytest.mark.parametrize("seed", range(6))
def test_memory_never_overlaps_while_alive(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 30
    lines = ["program memory", "  dim N <= 7", "  buffer b0: f32[N] input", "  buffer p: f32[100] parameter"]
    lines += [f"  buffer b{i}: f32[N, {rng.integers(1, 90)}] scratch" for i in range(1, count)]
    lines += ["  buffer out: f32[N] output"]
    for i in range(1, count):
        source = int(rng.integers(max(1, i - 5), i)) if i > 1 else 0
        read = f"b{source}[n, 0]" if source else "b0[n]"
        width = lines[3 + i].split(", ")[1].split("]")[0]
        lines += ["", f"  kernel k{i} (n: N, i: {width}):", f"    b{i}[n, i] = {read}"]
    lines += ["", "  kernel last (n: N):", f"    out[n] = b{count - 1}[n, 0]"]
    program = verify(MEMORY.run(parse("\n".join(lines) + "\n")))
    alive = lifetimes(program)
    placed = [b for b in program.buffers.values() if b.offset is not None]
    assert program.buffers["p"].offset == 0
    for a in placed:
        assert a.offset is not None
        assert a.offset % ALIGNMENT == 0
        for b in placed:
            assert b.offset is not None
            if a.name < b.name and a.offset < b.offset + size(program, b) and b.offset < a.offset + size(program, a):
                (f1, l1), (f2, l2) = alive[a.name], alive[b.name]
                assert l1 < f2 or l2 < f1, f"{a.name} and {b.name} share memory while both live"
    total = max(b.offset + size(program, b) for b in placed if b.offset is not None)
    assert total < sum(size(program, b) for b in placed), "nothing is reused"


def test_large_buffers_do_not_begin_at_the_same_place_of_a_page() -> None:
    """Arrays of 64 KB, one after the other: elements of the same number must not drive each other out of a cache."""
    lines = ["program memory", *(f"  buffer b{i}: f32[128, 128] state" for i in range(6))]
    lines += ["  kernel all (i: 128, j: 128):", "    b0[i, j] = " + " + ".join(f"b{i}[i, j]" for i in range(1, 6))]
    program = MEMORY.run(parse("\n".join(lines) + "\n"))
    places = {(buffer.offset or 0) % 4096 for buffer in program.buffers.values()}
    assert len(places) == 6


def test_memory_holds_the_capacity_whatever_the_sign_of_a_dimension() -> None:
    text = """\
program sizes
  dim N <= 10
  buffer x: f32[N] input
  buffer a: f32[50 - N] scratch
  buffer y: f32[50 - N] output

  kernel a (i: 50 - N):
    a[i] = x[0]

  kernel y (i: 50 - N):
    y[i] = a[i]
"""
    program = MEMORY.run(parse(text))
    assert size(program, program.buffers["a"]) >= 49 * 4


def test_schedule_chooses_lanes_where_access_is_contiguous() -> None:
    text = """\
program lanes
  dim N <= 512
  buffer x: f32[N, 300] input
  buffer rows: f32[N] output
  buffer cols: f32[300] output
  buffer t: f32[300, N] output

  kernel rows (n: N):
    s = sum(i: 300) x[n, i]
    rows[n] = s

  kernel cols (i: 300):
    s = sum(n: N) x[n, i]
    cols[i] = s

  kernel t (n: N, i: 300):
    t[i, n] = x[n, i] * 2.0f
"""
    rows, cols, turned = kernels(through(text, SCHEDULE).items)
    assert (rows.schedule.vector, rows.schedule.parallel) == ("i", 1)
    assert (cols.schedule.vector, cols.schedule.parallel) == ("i", 1)
    assert turned.axes[-1].name == turned.schedule.vector


def test_schedule_names_the_roles_of_a_contraction() -> None:
    text = """\
program roles
  dim N <= 512
  buffer x: f32[4, N, 30] input
  buffer w: f32[4, 20, 30] input
  buffer y: f32[4, 20, N] output

  kernel y (b: 4, i: 20, n: N):
    acc = sum(k: 30) w[b, i, k] * x[b, n, k]
    y[b, i, n] = acc
"""
    (kernel,) = kernels(through(text, SCHEDULE).items)
    chosen = kernel.schedule
    assert chosen.form == "contract"
    assert (chosen.batch, chosen.rows, chosen.cols, chosen.inner) == (("b",), ("i",), ("n",), ("k",))


def test_every_stage_is_dumped_and_compared(tmp_path: Path) -> None:
    optimise(parse(CYCLE), Options(check=2, dump=str(tmp_path)), "cycle")
    texts = sorted(path.name for path in tmp_path.iterdir())
    assert texts[0] == "cycle.00-lower.loops"
    assert len(texts) == 1 + len(Options().passes)
    assert parse((tmp_path / texts[0]).read_text()) == parse(CYCLE)


def test_a_pass_that_changes_results_is_caught() -> None:
    wrong = Pass("wrong", "swaps an operator", lambda program: parse(show(program).replace("exp(", "log(")))
    with pytest.raises(CompilerBug, match="wrong"):
        optimise(parse(CYCLE), Options(passes=(wrong,), check=2))
