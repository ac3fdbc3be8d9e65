"""A native entry with all its arguments in place but the inputs: what a call costs beside its kernels counts here.

Calls that follow each other at once find threads awake that would else have to be woken, which takes longer than what
a short entry gains by them. Whether it gains, `Succession` finds out as it goes; the results are the same bits.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.runtime.arrays import Array

if TYPE_CHECKING:
    from symnet.runtime.native import Pool

Wanted = tuple[str, tuple[int, ...], np.dtype[Any], int]
"""An input: its name, shape and dtype, and its slot of the table."""

THREADS, OBJECTS = 3, 5
"""Slots of the argument block of sn_again (`codegen.llvm.runtime_ir`) that change from call to call: the number of
threads, and the first of the places of the arrays' objects, which native code compares with those of before."""
ASLEEP = 5e-5
"""Seconds between two calls after which threads may have gone to sleep."""
TRIAL, WARM, LONG = 80, 16, 20_000
"""Calls of a trial, those of them at its beginning that are not counted, and calls after which there is another one."""
SLOW = 20
"""Threads that the system has put on one processor, beside other programs, wait for each other for milliseconds: a call
that takes so many times as long as one alone ends what was begun."""


class Succession:
    """Which of two ways to make calls that follow each other is faster: 0, or 1, which wants threads to be awake.

    Each is tried, and the faster one kept for a while; after a pause, way 0 begins again.
    """

    def __init__(self) -> None:
        self._ended, self._seconds = float("-inf"), [0.0, 0.0]
        self._begin(0)

    def _begin(self, stage: int) -> None:
        """The stages are a trial of each way, and the time in which the faster one is kept."""
        self._stage, self._most = stage, float("inf")
        if stage:
            self._most = SLOW * self._seconds[0] / (TRIAL - WARM)
        if stage < 2:
            self._way, self._left, self._seconds[stage] = stage, TRIAL, 0.0
        else:
            self._way, self._left = int(self._seconds[1] < self._seconds[0]), LONG

    def way(self, began: float) -> int:
        """The way of a call that begins at this time."""
        if began - self._ended > ASLEEP:
            self._begin(0)
        return self._way

    def took(self, began: float, ended: float) -> None:
        """Take note of a call."""
        self._ended = ended
        self._left -= 1
        if self._stage == 2 and self._left and ended - began <= self._most:
            return
        counted = self._left < TRIAL - WARM
        if self._stage < 2 and counted:
            self._seconds[self._stage] += ended - began
        if ended - began > self._most and (counted or self._stage == 2):
            self._seconds[1] = float("inf")
            self._begin(2 if self._stage == 1 else 0)
        elif not self._left:
            self._begin((self._stage + 1) % 3)


class Ready:
    """Calls an entry with inputs of the shapes that a call before had.

    It holds for one arena: who moves that, or attaches other code, drops it (`symnet.runtime.instance`).
    """

    def __init__(
        self,
        again: Callable[[int], int],
        block: Sequence[int],
        threads: Sequence[int],
        inputs: Sequence[Wanted],
        outputs: Sequence[tuple[str, Array]],
        pool: Pool,
        lock: threading.RLock,
        keep: object,
    ) -> None:
        """`outputs` are views of the arena, `lock` is that of the arena.

        again    runs an entry on what is at the address of a block (sn_again), 0 for success
        block    its first slots: sync area, entry and table
        threads  on how many it runs; where there are two numbers, on what is faster
        keep     owns what the block points to
        """
        self._inputs = tuple((name, OBJECTS + number) for number, (name, *_) in enumerate(inputs))
        wanted: list[int] = []
        for _, shape, kind, slot in inputs:
            wanted += [slot, id(np.ndarray), id(kind), len(shape), *shape]
        values = [*block, threads[0], len(inputs), *[0] * len(inputs), *wanted]
        self._block = (ctypes.c_int64 * len(values))(*values)
        self._again, self._address = again, ctypes.addressof(self._block)
        self._threads, self._succession = tuple(threads), Succession() if len(threads) > 1 else None
        self._outputs = tuple((name, view.copy) for name, view in outputs)
        self._pool, self._sync, self._lock = pool, pool.address, lock
        self._kept = keep, [kind for _, _, kind, _ in inputs]

    def __call__(self, inputs: Mapping[str, object]) -> dict[str, Array] | None:
        """The outputs, which are the caller's; None where inputs are not just as they were, or a check fails: then
        nothing has happened that the usual way would not do again."""
        if len(inputs) != len(self._inputs):
            return None
        block, pool = self._block, self._pool
        with self._lock, pool.lock:
            for name, place in self._inputs:
                if name not in inputs:
                    return None
                block[place] = id(inputs[name])
            if pool.address != self._sync:  # another process's threads
                return None
            if self._again(self._address) if self._succession is None else self._in_succession(self._succession):
                return None
            return {name: copy() for name, copy in self._outputs}

    def _in_succession(self, succession: Succession) -> int:
        began = perf_counter()
        self._block[THREADS] = self._threads[succession.way(began)]
        code = self._again(self._address)
        succession.took(began, perf_counter())
        return code
