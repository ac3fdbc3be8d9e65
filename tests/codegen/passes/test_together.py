"""Sums and loops that run as one: how often a normalisation reads its data, forward and backward together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet as sn
from codegen.llvm.nest_plan import lanes, together
from codegen.loops.grammar import Kernel, Loop, Program, Reduce, kernels
from codegen.loops.parse import parse
from codegen.loops.text import show
from codegen.target import target
from symnet.derive import grad
from tests.codegen.llvm.native import agree

Agrees = Callable[..., Program]


def passes(kernel: Kernel) -> list[int]:
    """How many sums run together in each pass over the data of a kernel; 0 stands for a loop that stores."""
    groups = [group for group in together(kernel.body) if isinstance(group[0], (Loop, Reduce))]
    return [len(group) if isinstance(group[0], Reduce) else 0 for group in groups]


@pytest.mark.parametrize(
    ("shape", "norm"),
    [
        (("N", 3, 5, 2), sn.nn.BatchNorm2d(3, track_running_stats=False, dtype="float64")),
        (("N", 40), sn.nn.LayerNorm(40, dtype="float64")),
    ],
)
def test_four_passes(shape: tuple[int | str, ...], norm: sn.nn.Module, agrees: Agrees) -> None:
    """Forward and backward: the mean, the squares, both sums of the derivative at once, both results at once."""
    x, g = sn.input("x", shape, "float64"), sn.input("g", shape, "float64")
    y = norm(x)
    outputs = {"y": y, **dict(zip("xwb", grad(sn.sum(y * g), [x, *norm.parameters()]), strict=True))}
    program = agrees(outputs, sizes={"N": 33})
    longest = max(kernels(program.items), key=lambda k: len(k.body))
    assert passes(longest) == [1, 1, 2, 0], show(program)


TEXT = """\
program p
  dim N <= 9
  buffer x: f64[N, 21] input
  buffer y: f64[N, 21] input
  buffer o: f64[N] output
  buffer q: f64[N] output
  kernel k (n: N) [parallel=1 vector=i]:
    r = sum(i: 21) x[n, i]
    s = max(j: 21) x[n, j] * y[n, j]
    a = argmax(k: 21) y[n, k]
    t = sum(l: 21) x[n, l] - r
    o[n] = r + s
    q[n] = f64(a) + t
"""


def test_one_loop_for_sums_maxima_and_positions(rng: np.random.Generator) -> None:
    (kernel,) = kernels(parse(TEXT).items)
    assert [len(group) for group in together(kernel.body)] == [3, 1, 1, 1]
    agree(TEXT, {"x": rng.normal(size=(9, 21)), "y": rng.normal(size=(9, 21))}, {"N": 9}, rtol=1e-12)


def test_sums_down_columns_take_several_registers_whatever_follows_them() -> None:
    """The update of a bias reads many arrays, but only once: lines beside each other come from each row."""
    text = """\
program bias
  dim N <= 9
  buffer g: f32[N, 96] input
  buffer p: f32[96] parameter
  buffer u: f32[96] state
  buffer v: f32[96] state
  buffer w: f32[96] state

  kernel update (i: 96) [vector=i]:
    r = sum(n: N) g[n, i]
    u[i] = u[i] + r
    v[i] = v[i] + r * r
    w[i] = w[i] * r + v[i]
    p[i] = p[i] - r * u[i] - v[i] * w[i]
"""
    (kernel,) = kernels(parse(text).items)
    machine = target("x86-64-v3")
    assert lanes(kernel.body, kernel.axes[0], machine) > machine.lanes("float32")
