"""Large results take the place of what is read for the last time, and of nothing that is read again."""

from __future__ import annotations

import numpy as np
import pytest

from codegen.loops.parse import parse
from codegen.loops.text import show
from codegen.passes import overwrite
from codegen.passes.overwrite import OVERWRITE
from codegen.passes.schedule import SCHEDULE
from tests.codegen.llvm.native import agree
from tests.codegen.passes.test_passes import through

RECURRENCE = """\
program recurrence
  dim N <= 6
  buffer v: f64[9, N, 5] input
  buffer w: f64[24, 8] parameter
  buffer g: f64[9, N, 24] output
  buffer x: f64[9, N, 24] scratch
  buffer h: f64[10, N, 8] scratch
  buffer z: f64[9, N, 24] scratch
  buffer d: f64[9, N, 24] scratch
  buffer e: f64[N, 8] scratch

  kernel x (t: 9, n: N, i: 24):
    x[t, n, i] = v[t, n, 2] * f64(@(i))
  kernel start (n: N, j: 8):
    h[0, n, j] = 0.5
    e[n, j] = 1.0
  for t: 9:
    kernel z (n: N, i: 24):
      acc = sum(j: 8) h[t, n, j] * w[i, j]
      z[t, n, i] = x[t, n, i] + acc
    kernel h (n: N, j: 8):
      h[t + 1, n, j] = tanh(z[t, n, j] + z[t, n, j + 16])
  for t: 9 reversed:
    kernel d (n: N, j: 8):
      a = e[n, j] * z[t, n, j]
      d[t, n, j] = a
      d[t, n, j + 8] = a * z[t, n, j + 8] + a
      d[t, n, j + 16] = z[t, n, j + 16]
    kernel e (n: N, j: 8):
      acc = sum(i: 24) d[t, n, i] * w[i, j]
      e[n, j] = tanh(acc)
  kernel g (t: 9, n: N, i: 24):
    g[t, n, i] = d[t, n, i]
"""


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overwrite, "LARGE", 1)


def left(text: str) -> set[str]:
    """The scratch arrays of shape [9, N, 24] that are left of x, z and d."""
    return {"x", "z", "d"} & set(through(text, OVERWRITE).buffers)


def test_the_arrays_of_a_recurrence_share_a_place(rng: np.random.Generator) -> None:
    assert left(RECURRENCE) == {"x"}
    text = show(through(RECURRENCE, OVERWRITE, SCHEDULE))
    inputs = {"v": rng.normal(size=(9, 6, 5)), "w": rng.normal(size=(24, 8))}
    agree(text, inputs, {"N": 6}, 1e-9)
    agree(text, {**inputs, "v": inputs["v"][:, :3].copy()}, {"N": 3}, 1e-9)


@pytest.mark.parametrize(
    ("old", "new", "arrays"),
    [
        # read again in the same step, in the next one, after all of them
        ("acc = sum(i: 24) d[t, n, i] * w[i, j]", "acc = sum(i: 24) z[t, n, i] * w[i, j]", {"x", "d"}),
        ("= d[t, n, i]\n", "= z[t, n, i]\n", {"x", "d"}),
        ("g[t, n, i] = d[t, n, i]", "g[t, n, i] = x[t, n, i]", {"x", "z"}),
        # an element that was overwritten in the same kernel, before or in another iteration
        ("d[t, n, j + 16] = z[t, n, j + 16]", "d[t, n, j + 16] = z[t, n, j]", {"x", "d"}),
        ("d[t, n, j + 16] = z[t, n, j + 16]", "d[t, n, j + 16] = z[t, n, 23 - j]", {"x", "d"}),
        ("a = e[n, j] * z[t, n, j]", "a = e[n, j] * z[8 - t, n, j]", {"x", "d"}),
    ],
)
def test_what_is_read_again_stays(old: str, new: str, arrays: set[str]) -> None:
    text = RECURRENCE.replace(old, new)
    assert text != RECURRENCE
    assert parse(text)
    assert left(text) == arrays
