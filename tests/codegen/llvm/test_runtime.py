"""The runtime inside a library: threads, barriers, the loop over batches; and which kernels wait for which."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from codegen.llvm import sharing
from codegen.llvm.runtime_ir import ARRAY_SLOTS, ARRAYS, EPOCH_SLOTS, RECORD_KINDS, RECORD_SLOTS
from codegen.loops.parse import parse
from symnet.runtime import native as runtime
from tests.codegen.llvm.native import Array, Native, Workers, placed

TRAIN = """\
program train
  dim N <= 8
  buffer x: f32[N, 21] input
  buffer y: i64[N] input
  buffer w: f32[21] parameter
  buffer p: f32[N] scratch
  buffer g: f32[21] scratch
  buffer loss: f32[] output
  buffer hits: f64[] output
  check 0: 'y is negative'
  kernel range (n: N) [parallel=1 vector=n]:
    check y[n] >= 0 else 0
  kernel predict (n: N) [parallel=1 vector=j]:
    a = sum(j: 21) x[n, j] * w[j]
    p[n] = a - f32(y[n])
  kernel gradient (j: 21) [parallel=1 vector=j]:
    a = sum(n: N) p[n] * x[n, j]
    g[j] = a / f32(@(N))
  kernel update (j: 21) [parallel=1 vector=j]:
    w[j] = w[j] - 0.01f * g[20 - j]
  kernel loss () [vector=n]:
    a = sum(n: N) p[n] * p[n]
    loss[] = a / f32(@(N))
    hits[] = f64(@(N))
"""


@pytest.fixture(scope="module")
def train() -> Native:
    return Native(TRAIN)


def reference(x: Array, y: Array, w: Array, order: Array, batch: int) -> tuple[list[float], Array]:
    losses = []
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        p = x[rows] @ w - y[rows]
        losses.append(float((p * p).mean()))
        w = w - 0.01 * (p @ x[rows] / len(rows))[::-1]
    return losses, w


class Epoch:
    """The argument block of sn_epoch for TRAIN."""

    def __init__(self, native: Native, memory: Mapping[str, Array], order: Array | None, batch: int) -> None:
        self.native, self.memory, rows = native, memory, len(memory["y"])
        self.arena = native.arena(memory, {"N": batch})
        self.table = native.slots(self.arena, memory, {"N": batch})
        self.steps = -(-rows // batch)
        self.losses, self.hits = np.zeros(self.steps, np.float32), np.zeros(1)
        self.staging = [np.zeros((2 * batch, *memory[name].shape[1:]), memory[name].dtype) for name in ("x", "y")]
        self.args = np.zeros(ARRAYS + 2 * len(ARRAY_SLOTS) + 2 * len(RECORD_SLOTS), np.int64)
        entry, order_at = native.code.addresses["sn_train"], 0 if order is None else order.ctypes.data
        values = {
            "sync": native.sync.ctypes.data, "entry": entry, "table": self.table.ctypes.data, "slots": self.table.size,
            "rows": rows, "batch": batch, "first": 0, "last": self.steps, "dim_slot": native.table.dim("N"),
            "order": order_at, "arrays": 2, "records": 2,
        }  # fmt: skip
        for name, value in values.items():
            self.args[EPOCH_SLOTS[name]] = value
        described: list[int] = []
        for name, staging in zip(("x", "y"), self.staging, strict=True):
            array = memory[name]
            described += [array.ctypes.data, array[0].nbytes, native.table.input(name), staging.ctypes.data]
        sizes = {"N": batch}
        described += [self.address("loss", sizes), 4, self.losses.ctypes.data, RECORD_KINDS["each"]]
        described += [self.address("hits", sizes), 8, self.hits.ctypes.data, RECORD_KINDS["sum_float64"]]
        self.args[ARRAYS:] = described

    def address(self, name: str, sizes: Mapping[str, int]) -> int:
        return int(self.native.view(self.arena, name, sizes).ctypes.data)

    def run(self, threads: int = 1) -> int:
        with Workers(self.native, threads):
            function = self.native.function("sn_epoch", ctypes.c_int32, 3)
            return int(function(self.native.sync.ctypes.data, self.args.ctypes.data, threads))

    @property
    def weights(self) -> Array:
        return self.native.view(self.arena, "w", {"N": 1})


def data(rng: np.random.Generator, rows: int = 43) -> dict[str, Any]:
    x, w = rng.normal(size=(rows, 21)).astype(np.float32), rng.normal(size=21).astype(np.float32)
    return {"x": x, "y": rng.integers(0, 4, rows), "w": w}


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
def test_epoch(train: Native, shuffled: bool, apart: bool, threads: int, rng: np.random.Generator) -> None:
    """Every batch, the short last one too, in order or not; more threads than processors as well."""
    memory = data(rng)
    order = rng.permutation(43) if shuffled else None
    epoch = Epoch(train, memory, order, 8)
    epoch.args[EPOCH_SLOTS["apart"]] = apart
    assert epoch.run(threads) == 0
    assert epoch.args[EPOCH_SLOTS["reached"]] == 6
    losses, w = reference(memory["x"], memory["y"], memory["w"], np.arange(43) if order is None else order, 8)
    np.testing.assert_allclose(epoch.losses, losses, rtol=1e-4)
    np.testing.assert_allclose(epoch.weights, w, rtol=1e-4, atol=1e-5)
    assert epoch.hits[0] == 5 * 64 + 9  # the mean count of rows of a batch, weighted by its rows


def test_part_of_an_epoch(train: Native, rng: np.random.Generator) -> None:
    memory = data(rng)
    whole, parts = Epoch(train, memory, None, 8), Epoch(train, memory, None, 8)
    whole.run()
    for first, last in ((0, 2), (2, 5), (5, 6)):
        parts.args[EPOCH_SLOTS["first"]], parts.args[EPOCH_SLOTS["last"]] = first, last
        assert parts.run(2) == 0
        assert parts.args[EPOCH_SLOTS["reached"]] == last
    assert parts.losses.tobytes() == whole.losses.tobytes()
    assert parts.weights.tobytes() == whole.weights.tobytes()


@pytest.mark.parametrize("threads", [1, 2])
def test_epoch_stops_at_a_failed_check(train: Native, threads: int, rng: np.random.Generator) -> None:
    memory = data(rng)
    memory["y"][30] = -1
    epoch = Epoch(train, memory, None, 8)
    assert epoch.run(threads) == 1
    assert epoch.args[EPOCH_SLOTS["reached"]] == 3
    losses, w = reference(memory["x"][:24], memory["y"][:24], memory["w"], np.arange(24), 8)
    np.testing.assert_allclose(epoch.losses[:3], losses, rtol=1e-4)
    np.testing.assert_allclose(epoch.weights, w, rtol=1e-4, atol=1e-5)
    assert epoch.losses[3] == 0


def test_workers_wake_from_sleep(train: Native, rng: np.random.Generator) -> None:
    """Many calls, some long after the workers stopped spinning; always the same bits."""
    memory = data(rng, 8)
    sizes = {"N": 8}
    run = train.function("sn_run", ctypes.c_int32, 4)
    expected = None
    with Workers(train, 3):
        for call in range(60):
            arena = train.arena(memory, sizes)
            table = train.slots(arena, memory, sizes)
            threads = 1 + call % 3
            assert run(train.sync.ctypes.data, train.code.addresses["sn_train"], table.ctypes.data, threads) == 0
            weights = train.view(arena, "w", sizes).tobytes()
            expected = expected or weights
            assert weights == expected
            if call % 10 == 0:
                time.sleep(0.01)


def test_python_side_agrees_on_the_layout() -> None:
    """symnet.runtime must not import the code generator, so it states the layout again."""
    assert {name: slot for slot, name in enumerate(runtime.ARGUMENTS)} == EPOCH_SLOTS
    assert runtime.ARRAYS == ARRAYS
    assert RECORD_KINDS["each"] == runtime.COPY_EACH


# --- who waits for whom ------------------------------------------------------------------------------------------

CHAIN = """\
program chain
  dim N <= 4000
  buffer x: f32[N, 64] input
  buffer a: f32[N, 64] scratch
  buffer b: f32[N] scratch
  buffer c: f32[64] output
  buffer d: f32[64] output
  buffer e: f32[] output
  kernel a (n: N) [parallel=1 vector=j]:
    s = sum(j: 64) x[n, j]
    for k: 64:
      a[n, k] = exp(x[n, k]) - s
  kernel b (n: N) [parallel=1 vector=j]:
    s = sum(j: 64) a[n, j]
    b[n] = s
  kernel c (j: 64) [parallel=1 vector=j]:
    s = sum(n: N) a[n, j] * b[n]
    c[j] = s
  kernel d (j: 64) [parallel=1 vector=j]:
    s = sum(n: N) a[n, j] + b[n]
    d[j] = s
  kernel e () [vector=j]:
    s = max(j: 64) c[j]
    e[] = s
  kernel f ():
    e[] = e[] * 2.0f
"""


def test_barriers_only_where_data_crosses() -> None:
    chosen = sharing.plan(placed(parse(CHAIN)))
    assert chosen.shared == {"a", "b", "c", "d"}
    # b reads the rows this thread wrote; d touches nothing of c; f follows e on thread 0
    assert chosen.barriers == {"c", "e"}
    assert chosen.pays


def test_small_programs_stay_on_one_thread() -> None:
    chosen = sharing.plan(placed(parse(TRAIN)))
    assert not chosen.shared
    assert not chosen.barriers
    assert not chosen.pays


def test_barriers_around_the_end_of_an_iteration() -> None:
    """What the end of one iteration writes is read by the beginning of the next."""
    text = """\
program loop
  dim T <= 4
  buffer a: f32[100000] state
  buffer b: f32[100000] state
  for t: T:
    kernel one (j: 100000) [parallel=1 vector=j]:
      a[j] = b[99999 - j] + f32(@(t))
    kernel two (j: 100000) [parallel=1 vector=j]:
      b[j] = a[j] * 2.0f
"""
    chosen = sharing.plan(placed(parse(text)))
    assert chosen.barriers == {"one", "two"}
