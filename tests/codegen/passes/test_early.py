"""Updates go right after what they need, with what only they read; nothing else changes its place."""

from __future__ import annotations

import numpy as np
import pytest

from codegen.loops.grammar import Kernel, Program
from codegen.loops.interpret import run
from codegen.loops.parse import parse
from codegen.loops.text import show
from codegen.passes import early
from codegen.passes.compare import random_memory
from codegen.passes.early import EARLY
from codegen.passes.schedule import SCHEDULE
from tests.codegen.llvm.native import agree
from tests.codegen.passes.test_passes import through

TWO_LAYERS = """\
program step
  dim N <= 5
  buffer w1: f64[7, 3] parameter
  buffer w2: f64[7, 7] parameter
  buffer step: i64[] state
  buffer x: f64[N, 3] input
  buffer y: i64[N] input
  buffer loss: f64[] output
  buffer h1: f64[N, 7] scratch
  buffer h2: f64[N, 7] scratch
  buffer d2: f64[N, 7] scratch
  buffer d1: f64[N, 7] scratch
  buffer rate: f64[] scratch
  check 0: 'y is outside'

  kernel h1 (n: N, i: 7):
    acc = sum(j: 3) x[n, j] * w1[i, j]
    h1[n, i] = maximum(acc, 0.0)
  kernel h2 (n: N, i: 7):
    acc = sum(j: 7) h1[n, j] * w2[i, j]
    h2[n, i] = acc
  kernel check_y (n: N):
    check logical_and(y[n] >= 0, y[n] < 7) else 0
  kernel loss ():
    r = sum(n: N) h2[n, {y[n]}]
    loss[] = r
  kernel d2 (n: N, i: 7):
    d2[n, i] = tanh(h2[n, i])
  kernel d1 (n: N, j: 7):
    acc = sum(i: 7) d2[n, i] * w2[i, j]
    d1[n, j] = where(h1[n, j] > 0.0, acc, 0.0)
  kernel dx_of_loss ():
    r = sum(n: N) d1[n, 0]
    loss[] = loss[] + r
  kernel rate ():
    rate[] = 1.0 / (1.0 + f64(step[]))
  kernel update_w1 (i: 7, j: 3):
    acc = sum(n: N) d1[n, i] * x[n, j]
    w1[i, j] = w1[i, j] - rate[] * acc
  kernel update_w2 (i: 7, j: 7):
    acc = sum(n: N) d2[n, i] * h1[n, j]
    w2[i, j] = w2[i, j] - rate[] * acc
  kernel update_step ():
    step[] = step[] + 1
"""


@pytest.fixture(autouse=True)
def nothing_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "FAR", 0)


def order(program: Program) -> list[str]:
    return [item.name for item in program.items if isinstance(item, Kernel)]


def test_updates_follow_their_gradients() -> None:
    """`w2` is still read by d1, which is what its update waits for; the rate goes before whoever multiplies by it,
    and nothing that persists is written before what is checked."""
    found = order(through(TWO_LAYERS, EARLY))
    backward = [name for name in found if not name.startswith("update") and name != "rate"]
    assert backward == ["h1", "h2", "check_y", "loss", "d2", "d1", "dx_of_loss"]
    assert found.index("d1") < found.index("update_w2") < found.index("dx_of_loss")
    assert found.index("d1") < found.index("update_w1") < found.index("dx_of_loss")
    assert found.index("check_y") < found.index("update_step")
    assert found.index("rate") < min(found.index(name) for name in ("update_w1", "update_w2", "update_step"))


def test_who_needs_everything_stays_last() -> None:
    """Updates that read a value made of all gradients, such as a norm to clip by, have no earlier place."""
    clipped = TWO_LAYERS.replace("rate[] = 1.0 / (1.0 + f64(step[]))", "rate[] = loss[] / (1.0 + f64(step[]))")
    found = order(through(clipped, EARLY))
    assert found == order(parse(clipped))


def test_small_programs_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "FAR", 4 << 20)
    program = parse(TWO_LAYERS)
    assert EARLY.run(program) is program


def test_again_changes_nothing() -> None:
    once = through(TWO_LAYERS, EARLY)
    assert EARLY.run(once) is once


def test_native_code() -> None:
    """The same bits by one thread and by two, and what the interpreter computes."""
    program = through(TWO_LAYERS, EARLY, SCHEDULE)
    agree(show(program), random_memory(program, {"N": 5}, np.random.default_rng(3)), {"N": 5}, rtol=1e-12)


def test_a_failing_check_leaves_everything_as_it_was() -> None:
    program = through(TWO_LAYERS, EARLY)
    memory = random_memory(program, {"N": 5}, np.random.default_rng(3))
    memory["y"][...] = [0, 6, 7, 3, 1]
    before = {name: memory[name].copy() for name in ("w1", "w2", "step")}
    assert run(program, memory, {"N": 5}) != 0
    for name, array in before.items():
        np.testing.assert_array_equal(memory[name], array, err_msg=name)
