"""The loop program: text round trip, verifier, interpreter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from codegen.loops.grammar import Sequence, forget, kernels, loads, stores
from codegen.loops.interpret import run
from codegen.loops.parse import parse
from codegen.loops.text import show
from codegen.loops.verify import verify
from symnet.errors import CompilerBug, UsageError

SOFTMAX = """\
program rows
  dim N <= 5
  buffer z: f32[N, 7] input
  buffer y: i64[N] input
  buffer p: f32[N, 7] output
  buffer flat: f32[7*N] output view p
  buffer loss: f32[N] scratch at 128
  check 0: 'y: class outside [0, 7)'

  kernel range (n: N):
    check logical_and(y[n] >= 0, y[n] < 7) else 0

  kernel softmax (n: N) "p = softmax(z)" [parallel=1 vector=j]:
    m = max(j: 7) z[n, j]
    s = sum(k: 7) exp(z[n, k] - m)
    for i: 7:
      p[n, i] = exp(z[n, i] - m) / s
    loss[n] = -(z[n, {y[n]}] - m - log(s)) * 1.0f
"""

CONV = """\
program conv
  buffer x: f64[9] input
  buffer w: f64[3] input
  buffer out: f64[9] output
  buffer run: f64[4, 9] output
  buffer where: i64[] output

  kernel conv (i: 9):
    t = sum(k: 3) x[i + k - 1 else 0.0] * w[k]
    out[i] = t

  for t: 4 reversed:
    kernel step (r: 1):
      c = sum(reversed i: 9):
        v = x[i] * f64(@(t + 1))
        yield v * v
        each:
          run[t, i] = c

  kernel top ():
    best = argmax(i: 9) x[-i + 8]
    where[] = best
"""


@pytest.mark.parametrize("text", [SOFTMAX, CONV])
def test_text_round_trip(text: str) -> None:
    program = verify(parse(text))
    assert show(program) == text
    assert parse(show(program)) == program


def test_softmax_rows() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(4, 7)).astype(np.float32)
    y = rng.integers(0, 7, 4)
    memory = {"z": z, "y": y}
    assert run(parse(SOFTMAX), memory, {"N": 4}) == 0
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    np.testing.assert_allclose(memory["p"], p, rtol=1e-6)
    np.testing.assert_allclose(memory["loss"], -np.log(p[np.arange(4), y]), rtol=1e-5)
    assert run(parse(SOFTMAX), {"z": z, "y": y + 6}, {"N": 4}) == 1


def test_guards_sequences_and_running_values() -> None:
    rng = np.random.default_rng(4)
    x, w = rng.normal(size=9), rng.normal(size=3)
    memory = {"x": x, "w": w}
    assert run(parse(CONV), memory, {}) == 0
    np.testing.assert_allclose(memory["out"], np.correlate(np.pad(x, 1), w, "valid"))
    np.testing.assert_allclose(memory["run"][2], np.cumsum((3 * x[::-1]) ** 2)[::-1])
    assert memory["where"] == np.argmax(x[::-1])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("p[n, i] = exp", "p[n, 3] = exp", "same place"),
        ("f32[N, 7] output", "f64[N, 7] output", "differ in dtype"),
        ("[parallel=1 vector=j]", "[parallel=1 vector=q]", "unknown axis"),
        ("f32[N] scratch", "f32[N] input", "a store to the input"),
    ],
)
def test_verifier_refuses(old: str, new: str, message: str) -> None:
    assert old in SOFTMAX
    with pytest.raises(CompilerBug, match=message):
        verify(parse(SOFTMAX.replace(old, new)))


@pytest.mark.parametrize(
    ("buffer", "change"),
    [("z", {"dtype": "float64"}), ("loss", {"role": "input"}), ("y", {"shape": ("N", 7)}), ("p", {"shape": (7,)})],
)
def test_a_kernel_over_changed_buffers_is_verified_again(buffer: str, change: dict[str, Any]) -> None:
    before = verify(parse(SOFTMAX))
    assert verify(before, before) is before
    buffers = {**before.buffers, buffer: replace(before.buffers[buffer], **change)}
    with pytest.raises(CompilerBug):
        verify(replace(before, buffers=buffers), before)
    without = {name: kept for name, kept in before.buffers.items() if name != buffer}
    with pytest.raises(CompilerBug):
        verify(replace(before, buffers=without), before)


def test_a_kernel_that_has_changed_is_verified_again() -> None:
    before = verify(parse(SOFTMAX))
    first, second = before.items
    with pytest.raises(CompilerBug, match="not in scope"):
        verify(replace(before, items=(first, replace(second, axes=()))), before)
    with pytest.raises(CompilerBug, match="another axis or dimension"):  # the same kernel inside a loop of its axis
        verify(replace(before, items=(first, Sequence(second.axes[0], (second,)))), before)


def test_loads_and_stores_are_those_of_the_block_that_is_asked() -> None:
    bodies = [kernel.body for kernel in kernels(parse(SOFTMAX).items)]
    for _ in range(2):
        assert [[load.buffer for load in loads(body)] for body in bodies] == [["y", "y"], ["z", "z", "z", "y", "z"]]
        assert [[store.buffer for store in stores(body)] for body in bodies] == [[], ["p", "loss"]]
        forget()


@pytest.mark.parametrize(("old", "new"), [("exp(z[n, i] - m)", "exq(z[n, i] - m)"), ("m = max", "m : max")])
def test_parser_shows_the_line(old: str, new: str) -> None:
    with pytest.raises(UsageError, match="line"):
        parse(SOFTMAX.replace(old, new))
