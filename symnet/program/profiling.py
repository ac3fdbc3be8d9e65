"""Runs an entry that counts its kernels' time, and makes a `Profile` of the counts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from symnet.errors import Unsupported
from symnet.expr import dims
from symnet.runtime.arrays import Array
from symnet.runtime.code import Code
from symnet.runtime.memory import Memory
from symnet.runtime.native import NativeCode
from symnet.runtime.profile import Counted, Machine, Profile, make

SECONDS = 0.3
"""How long an entry is run."""
ROUND = 20
"""Calls between two resets of the memory, so that training on does not lead to other values than the user's."""
LEAST, MOST = 11, 2000
"""Bounds of the number of calls."""


def profile(
    code: Code, entry: str, persistent: Array, inputs: Mapping[str, Array], sizes: Mapping[str, int]
) -> Profile:
    """The profile of an entry of `code`, which was compiled with `profile`.

    persistent  the bytes of what persists, from the start of the arena; left as they are
    """
    if not isinstance(code, NativeCode):
        raise Unsupported("profile: only native code can be profiled; compile with backend='llvm'")
    calls, tick = _run(code, entry, persistent, inputs, sizes)
    *times, step = (_middle(column) * tick * 1e6 for column in zip(*calls, strict=True))
    threads = code.threads(entry)
    kernels = []
    for about, spent in zip(code.metadata["entries"][entry]["kernels"], times, strict=True):
        work = {name: dims.evaluate(about[name], sizes) for name in ("runs", "flops", "products", "functions", "bytes")}
        shared = threads if about["shared"] else 1
        kernels.append(Counted(about["name"], about["note"], threads=shared, time=spent, dtype=about["dtype"], **work))
    footprint = code.metadata["arena"] + sum(array.nbytes for array in inputs.values())
    machine = _machine(code, threads, footprint, {kernel.dtype for kernel in kernels})
    return make(entry, sizes, len(calls), kernels, step, machine)


def _run(
    code: NativeCode, entry: str, persistent: Array, inputs: Mapping[str, Array], sizes: Mapping[str, int]
) -> tuple[list[list[int]], float]:
    """The counters of every call (of the kernels, then of the whole entry), and how many seconds one tick is."""
    from codegen import ticks

    memory = Memory()
    memory.reserve(max(code.metadata["arena"], persistent.size), keep=0)
    given = code.given_memory(entry, sizes)
    calls: list[list[int]] = []
    ticks()  # the first time, this compiles the function that reads the counter
    started, first = time.perf_counter(), ticks()
    while len(calls) < LEAST or (time.perf_counter() < started + SECONDS and len(calls) < MOST):
        if len(calls) % ROUND == 0:
            memory.bytes[: persistent.size] = persistent
            code.run(entry, memory, inputs, sizes)  # not counted: it finds the caches as the reset leaves them
            code.cycles(entry)
        code.call(entry, memory, inputs, sizes, given)
        calls.append(code.cycles(entry))
    while time.perf_counter() < started + SECONDS / 10:  # long enough to tell the rate of the counter
        pass
    return calls, (time.perf_counter() - started) / (ticks() - first)


def _middle(values: Sequence[int]) -> float:
    """The mean of the middle half: as deaf to disturbances as the median, and finer than the counter's steps."""
    ordered = sorted(values)
    middle = ordered[len(ordered) // 4 : -(len(ordered) // 4)]
    return sum(middle) / len(middle)


def _machine(code: NativeCode, threads: int, footprint: int, dtypes: set[str]) -> Machine:
    import codegen

    flops = {dtype: codegen.top_flops(code.run_native, threads, dtype) for dtype in sorted(dtypes)}
    return Machine(threads, flops, codegen.top_bandwidth(code.run_native, threads, footprint), footprint)
