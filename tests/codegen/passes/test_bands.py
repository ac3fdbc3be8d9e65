"""Bands: small kernels on the same rows run on several threads without a barrier between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symnet as sn
from codegen.loops.grammar import Program, kernels
from codegen.loops.parse import parse
from codegen.passes.bands import BANDS
from codegen.passes.schedule import SCHEDULE
from symnet.runtime.spread import Spread
from tests.codegen.llvm.native import Native, agree

LAYERS = """\
program p
  dim N <= 64
  buffer x: f32[N, 48] input
  buffer w: f32[40, 48] input
  buffer v: f32[24, 40] input
  buffer h: f32[N, 40] scratch
  buffer o: f32[N, 24] output
  buffer m: f32[N] output
  buffer t: f32[24] output
  kernel hidden (n: N, i: 40):
    acc = sum(j: 48) x[n, j] * w[i, j]
    h[n, i] = maximum(acc, 0.0f)
  kernel results (n: N, i: 24):
    acc = sum(j: 40) h[n, j] * v[i, j]
    o[n, i] = acc
  kernel best (n: N):
    r = max(i: 24) o[n, i]
    m[n] = r
  kernel total (i: 24):
    r = sum(n: N) o[n, i]
    t[i] = r
"""


def scheduled() -> Program:
    return BANDS.run(SCHEDULE.run(parse(LAYERS)))


def test_rows_of_a_run_are_in_bands() -> None:
    bands = {kernel.name: kernel.schedule.band for kernel in kernels(scheduled().items)}
    assert bands == {"hidden": 16, "results": 16, "best": 16, "total": 0}


def test_threads_meet_only_where_rows_are_mixed(rng: np.random.Generator) -> None:
    compiled = Native(scheduled())
    assert compiled.sharing.barriers == {"total"}
    w, v = (rng.normal(size=shape).astype(np.float32) for shape in ((40, 48), (24, 40)))
    for rows in (64, 33, 16, 3, 1):
        memory = {"x": rng.normal(size=(rows, 48)).astype(np.float32), "w": w, "v": v}
        agree("", memory, {"N": rows}, 1e-4, compiled)


PASSED = LAYERS.replace(
    "  kernel results",
    """\
  kernel given (n: N):
    check x[n, 0] < 9.0f else 0
  kernel sum (i: 40):
    r = sum(n: N) h[n, i]
    s[i] = r
  kernel results""",
).replace("  kernel hidden", "  buffer s: f32[40] output\n  check 0: 'too much'\n  kernel hidden")


def test_what_does_not_need_a_run_does_not_end_it() -> None:
    """A check of inputs, which every thread makes by itself, and a sum that can as well come after the run."""
    program = BANDS.run(SCHEDULE.run(parse(PASSED)))
    assert [kernel.name for kernel in kernels(program.items)] == ["hidden", "results", "best", "given", "sum", "total"]
    sharing = Native(program).sharing
    assert (sharing.repeats, sharing.barriers) == ({"given"}, {"sum"})
    needed = PASSED.replace("sum(j: 40) h[n, j] * v[i, j]", "sum(j: 40) s[j] * v[i, j]")
    program = parse(needed)
    order = [kernel.name for kernel in kernels(program.items)]
    assert [kernel.name for kernel in kernels(BANDS.run(SCHEDULE.run(program)).items)] == order


def trained(threads: int) -> tuple[Any, Any]:
    """A small network after two epochs, and its history; the last batch is a part of a band."""
    x, y = sn.input("x", ("N", 128)), sn.input("y", ("N",), "int64")
    relu = sn.nn.ReLU()
    model = sn.nn.Sequential(sn.nn.Linear(128, 96), relu, sn.nn.Linear(96, 64), relu, sn.nn.Linear(64, 5))
    loss = sn.losses.cross_entropy(model(x), y)
    program = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1), batch={"N": 32}, threads=threads)
    rng = np.random.default_rng(3)
    data = {"x": rng.normal(size=(107, 128)).astype(np.float32), "y": rng.integers(0, 5, 107)}
    return program, program.fit(data, epochs=2, progress=False)


def test_the_same_bits_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spread, "next", lambda self, batches: (self.several, batches))
    (one, losses), *others = (trained(threads) for threads in (1, 2, 3))
    assert one.code("step").metadata["entries"]["step"]["parallel_repeated"]
    for program, found in others:
        assert found.losses == losses.losses
        for name in one.parameters:
            assert program.parameters[name].tobytes() == one.parameters[name].tobytes(), name
