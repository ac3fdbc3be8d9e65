"""Random numbers as machine code: the same bits as the reference at every width, place, alignment and target."""

from __future__ import annotations

import numpy as np
import pytest

from codegen.target import target
from symnet.expr.dims import evaluate
from symnet.ops import philox
from tests.codegen.llvm.native import Native, agree

SCHEDULES = ("", "[vector=j]", "[parallel=1 vector=j]", "[parallel=2 vector=j]", "[parallel=1 vector=i]")
PLACES = {
    "@(j + 41*i)": (41, 1, 0),  # aligned if rows merge, else not
    "@(j + 64*i)": (64, 1, 0),
    "@(j + 64*i + 4)": (64, 1, 4),
    "@(j + 64*i + 3)": (64, 1, 3),
    "@(2*j + i)": (1, 2, 0),
    "@(i + 5*j)": (1, 5, 0),
    "@(i)": (1, 0, 0),
}


def program(place: str, schedule: str, bits: int = 31, out: str = "i32") -> str:
    return f"""\
program p
  dim N <= 7
  buffer seed: i64[] input
  buffer step: i64[] input
  buffer o: {out}[N, 41] output
  kernel k (i: N, j: 41) {schedule}:
    o[i, j] = philox(seed[], step[], 9, {place}, {bits})
"""


def key(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: rng.integers(-(2**62), 2**62, ()) for name in ("seed", "step")}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("place", PLACES)
def test_same_bits_at_every_place(place: str, schedule: str, rng: np.random.Generator) -> None:
    memory = key(rng)
    got = agree(program(place, schedule), memory, {"N": 7})
    row, column, start = PLACES[place]
    element = row * np.arange(7)[:, None] + column * np.arange(41) + start
    assert (got["o"] == philox.words(memory["seed"], memory["step"], 9, element, 31)).all()


@pytest.mark.parametrize("bits", [1, 24, 31, 32])
def test_upper_bits(bits: int, rng: np.random.Generator) -> None:
    got = agree(program("@(j + 41*i)", "[vector=j]", bits, "i64" if bits == 32 else "i32"), key(rng), {"N": 3})
    assert got["o"].min() >= 0
    assert got["o"].max() < 2**bits
    assert got["o"].max() >= 2 ** (bits - 1)


@pytest.mark.parametrize("level", ["x86-64-v2", "x86-64-v3", "x86-64-v4"])
@pytest.mark.parametrize("place", ["@(j + 64*i)", "@(j + 64*i + 3)", "@(2*j + i)"])
def test_targets(level: str, place: str, rng: np.random.Generator) -> None:
    machine = target(level)
    agree("", key(rng), {"N": 5}, native=Native(program(place, "[vector=j]"), machine))


def test_among_floats_of_both_widths(rng: np.random.Generator) -> None:
    """The numbers do not depend on what else is in the kernel, which decides how many lanes there are."""
    text = """\
program p
  dim N <= 90
  buffer seed: i64[] input
  buffer step: i64[] input
  buffer a: f32[N] input
  buffer b: f64[N] input
  buffer x: f32[N] output
  buffer y: f64[N] output
  buffer z: f32[] output
  kernel k (i: N) [parallel=1 vector=i]:
    x[i] = where(philox(seed[], step[], 1, @(i), 31) < 1000000000i, 0.0f, a[i])
  kernel l (i: N) [parallel=1 vector=i]:
    y[i] = where(philox(seed[], step[], 1, @(i), 31) < 1000000000i, 0.0, b[i])
  kernel m () [vector=r]:
    s = sum(r: N) where(philox(seed[], step[], 1, @(r), 31) < 1000000000i, 0.0f, a[r])
    z[] = s
"""
    memory = {**key(rng), "a": np.arange(1, 91, dtype="float32"), "b": np.arange(1.0, 91.0)}
    got = agree(text, memory, {"N": evaluate(90, {})})
    assert (got["x"] == got["y"]).all()
    assert got["z"] == got["x"].sum()
