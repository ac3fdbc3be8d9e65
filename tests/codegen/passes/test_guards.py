"""Guards move to what a buffer is computed from, where leaving it means the same there; and only there."""

from __future__ import annotations

import pytest

from codegen.loops.grammar import Affine, kernels
from codegen.loops.ranges import injective
from codegen.loops.rewrite import affine
from codegen.passes.dead import DEAD
from codegen.passes.fuse import HORIZONTAL
from codegen.passes.inline import INLINE
from codegen.passes.schedule import SCHEDULE
from tests.codegen.passes.test_passes import count, through

PROGRAM = """\
program guards
  dim N <= 4
  buffer x: f64[N, 5] input
  buffer k: i32[N, 5] input
  buffer w: f64[3] input
  buffer p: f64[N, 5, 3] scratch
  buffer y: f64[N, 5] output

  kernel p (n: N, i: 5, l: 3):
    p[n, i, l] = {value}

  kernel y (n: N, i: 5):
    acc = sum(l: 3) p[n, i - l + 1, l else {outside}]
    y[n, i] = acc
"""


@pytest.mark.parametrize(
    "value",
    [
        "x[n, i]",
        "-x[n, i]",
        "x[n, i] * 3.0",
        "x[n, i] / 3.0",
        "x[n, i] + x[n, i] * x[n, i]",
        "where(k[n, i] == 1i, x[n, i], 0.0)",
        "where(x[n, l] > 0.0, x[n, i], 0.0)",
        "f64(k[n, i])",
    ],
)
def test_what_is_zero_outside_needs_no_buffer(value: str) -> None:
    assert count(through(PROGRAM.format(value=value, outside="0.0"), INLINE, DEAD)) == 1


def test_a_copy_takes_any_fill() -> None:
    assert count(through(PROGRAM.format(value="x[n, i]", outside="1.5"), INLINE, DEAD)) == 1


@pytest.mark.parametrize(
    ("value", "outside"),
    [
        ("x[n, i] * 2.0", "1.0"),
        ("x[n, i] + 1.0", "0.0"),
        ("x[n, i] * w[l]", "0.0"),  # the weight may be infinite
        ("exp(x[n, i])", "0.0"),
        ("3.0 / x[n, i]", "0.0"),
        ("where(k[n, i] == 1i, x[n, i], 1.0)", "0.0"),
        ("x[n, l]", "0.0"),  # does not end where p does
        ("w[l] * 2.0", "0.0"),
    ],
)
def test_what_is_not_zero_outside_is_stored(value: str, outside: str) -> None:
    assert count(through(PROGRAM.format(value=value, outside=outside), INLINE, DEAD)) == 2


def test_an_axis_of_size_one_may_be_left_too() -> None:
    text = """\
program one
  buffer x: f64[3] input
  buffer a: f64[1] scratch
  buffer y: f64[3] output

  kernel a ():
    a[0] = x[2]

  kernel y (i: 3):
    y[i] = a[i - 1 else 0.0]
"""
    through(text, INLINE, DEAD)


OVERLAPPING = """\
program overlapping
  dim N <= 4
  buffer x: f64[N, {size}] input
  buffer e: f64[N, {size}] scratch
  buffer y: f64[N, 4] output

  kernel e (n: N, i: {size}):
    e[n, i] = exp(x[n, i])

  kernel y (n: N, i: 4):
    acc = sum(l: 2) e[n, {step}i + l]
    y[n, i] = acc
"""


def test_a_producer_is_not_repeated_for_every_window_that_reads_it() -> None:
    assert count(through(OVERLAPPING.format(size=5, step=""), INLINE, DEAD)) == 2
    assert count(through(OVERLAPPING.format(size=8, step="2*"), INLINE, DEAD)) == 1


def form(*terms: tuple[str, int], offset: int = 0) -> Affine:
    return affine(terms, offset)


def test_injective() -> None:
    extents = {"i": 4, "j": 2, "k": 3, "n": "N"}
    i, j, k, n = (form((axis, 1)) for axis in "ijkn")
    assert injective((n, i, j), extents)
    assert injective((form(("i", 2), ("j", 1)),), extents)
    assert injective((form(("n", 2), ("j", 1), offset=3),), extents)
    assert injective((form(("i", 1), ("k", -1)), k), extents)
    assert injective((form(("i", 6), ("j", 3), ("k", 1)),), extents)
    assert not injective((form(("i", 1), ("j", 1)),), extents)
    assert not injective((form(("i", 2), ("k", 1)),), extents)
    assert not injective((form(("j", 1), ("n", 1)), i), extents)
    assert not injective((form(("i", 1), ("j", 1)), form(("i", 1), ("j", -1))), extents)  # it is; not evidently


PHASES = """\
program phases
  dim N <= 4
  buffer x: f64[N, 4] input
  buffer y: f64[N, 8] output

  kernel even (n: N, i: 4):
    y[n, 2*i] = x[n, i]

  kernel odd (n: N, i: 4):
    y[n, 2*i + {odd}] = -x[n, i]
"""


def test_phases_of_one_array_are_one_kernel() -> None:
    """2·i and 2·i + 1 never meet; 2·i and 2·i + 2 do."""
    joined = through(PHASES.format(odd=1), HORIZONTAL, SCHEDULE)
    assert count(joined) == 1
    assert next(kernels(joined.items)).schedule.vector == "i"
    apart = PHASES.replace("y: f64[N, 8] output", "y: f64[N, 9] scratch")
    assert count(through(apart.format(odd=2), HORIZONTAL)) == 2
