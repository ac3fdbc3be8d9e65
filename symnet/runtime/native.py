"""Native code behind the `Code` interface: ctypes calls, a pool of waiting threads, the native loop over batches.

Nothing here compiles anything. The addresses of the functions come from the code generator in process, or from a
shared library; `codegen.llvm.runtime_ir` documents what the functions do and the layout of what they are given.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from symnet.errors import UsageError
from symnet.runtime.arrays import READABLE, Array, address
from symnet.runtime.code import Code
from symnet.runtime.lock import lock
from symnet.runtime.memory import Lent, Memory
from symnet.runtime.ready import Ready
from symnet.runtime.spread import Spread

_POINTER, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_RUN = ctypes.CFUNCTYPE(_I32, _POINTER, _POINTER, _POINTER, _I64)
_EPOCH = ctypes.CFUNCTYPE(_I32, _POINTER, _POINTER, _I64)
_AGAIN = ctypes.CFUNCTYPE(_I32, _POINTER)
_SYNC = ctypes.CFUNCTYPE(None, _POINTER)
_WORKER = ctypes.CFUNCTYPE(None, _POINTER, _I64)

SYNC_BYTES = 1024
MOST_THREADS = 1024
ARGUMENTS = (
    "sync", "entry", "table", "slots", "rows", "batch", "first", "last", "dim_slot", "order", "arrays", "records",
    "reached", "apart",
)  # fmt: skip
"""The argument block of sn_epoch: one 8-byte slot each; the arrays are described from slot ARRAYS on, four slots each
(base, bytes of a row, table slot, staging buffer), then the records (source, bytes, target, kind)."""
ARRAYS, COPY_EACH = 16, 0
FIRST, LAST = ARGUMENTS.index("first"), ARGUMENTS.index("last")


def thread_count(wanted: int | None) -> int:
    """How many threads to use: as asked, else SYMNET_THREADS, else the processors this process may run on."""
    if wanted is None:
        text = os.environ.get("SYMNET_THREADS", "")
        if not text:
            return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MOST_THREADS:
            raise UsageError(f"SYMNET_THREADS is {text!r}, expected an integer from 1 to {MOST_THREADS}")
        return int(text)
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= MOST_THREADS:
        raise UsageError(f"threads is {wanted!r}, expected an integer from 1 to {MOST_THREADS}")
    return wanted


class Pool:
    """Threads parked inside native code, and the memory through which they are given work.

    The workers are daemon threads of Python that wait without the interpreter's lock. One call at a time uses the pool.
    A fork waits for the call that runs, so that the child finds memory that no call is halfway through; it starts
    workers of its own when it first needs them.
    """

    def __init__(self, functions: Mapping[str, int], owner: object) -> None:
        """`owner` keeps the machine code alive as long as threads may run in it."""
        self._init, self._work = _SYNC(functions["sn_init"]), _WORKER(functions["sn_worker"])
        self._owner = owner
        self.lock = lock()
        self.address = self._workers = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self.lock.acquire, after_in_parent=self.lock.release, after_in_child=self._forked
            )

    def _forked(self) -> None:
        """In a child process: the threads did not come along."""
        self.address = self._workers = 0

    def ready(self, threads: int) -> int:
        """The address of the sync area, with at least `threads - 1` workers waiting on it."""
        if not self.address:
            self._block = np.zeros(SYNC_BYTES + 64, np.uint8)
            start = self._block.ctypes.data
            self.address = start + -start % 64
            self._init(self.address)
        while self._workers < threads - 1:
            self._workers += 1
            arguments = (self.address, self._workers)
            worker = threading.Thread(target=self._work, args=arguments, daemon=True, name="symnet-worker")
            try:
                worker.start()
            except RuntimeError as error:
                self._workers -= 1
                most = self._workers + 1
                raise UsageError(f"no more than {most} threads can run here: set SYMNET_THREADS={most}") from error
        return self.address


class NativeCode(Code):
    """Machine code and the metadata that describes it.

    functions  name -> address: the entries by their symbols, and the runtime's (sn_run, sn_epoch, …)
    owner      keeps the code alive
    """

    def __init__(
        self, metadata: Mapping[str, Any], functions: Mapping[str, int], owner: Any, pool: Pool, threads: int
    ) -> None:
        super().__init__(metadata)
        self._owner, self._pool = owner, pool
        self._run, self._epoch = _RUN(functions["sn_run"]), _EPOCH(functions["sn_epoch"])
        self._again = _AGAIN(functions["sn_again"])
        entries = metadata["entries"]
        self._entry = {name: functions[about["symbol"]] for name, about in entries.items()}
        self._threads = {name: threads if about["parallel"] else 1 for name, about in entries.items()}
        self._spread = {
            name: Spread(threads)
            for name, about in entries.items()
            if about["parallel_repeated"] and not about["parallel"] and threads > 1
        }
        self._slot = {name: i for i, name in enumerate(metadata["table"])}
        self._inputs = {n.removeprefix("input:"): i for n, i in self._slot.items() if n.startswith("input:")}
        self._given_slots = {n.removeprefix("output:"): i for n, i in self._slot.items() if n.startswith("output:")}
        self._dims = {n.removeprefix("dim:"): i for n, i in self._slot.items() if n.startswith("dim:")}
        self._local = Memory() if metadata["local"] else None
        self._most = threads
        self._table = (_I64 * len(self._slot))()
        self._address = ctypes.addressof(self._table)

    def source(self, kind: str) -> str:
        """The text of a stage, from the code generator."""
        return str(self._owner.source(kind))

    def _fill(self, memory: Memory, inputs: Mapping[str, Array], sizes: Mapping[str, int], threads: int) -> int:
        """Write the table; its address."""
        table = self._table
        table[self._slot["arena"]] = memory.address
        table[self._slot["sync"]] = self._pool.ready(threads)
        if self._local is not None:
            self._local.reserve(self.metadata["local"] * self._most, keep=0)
            table[self._slot["local"]] = self._local.address
        for name, array in inputs.items():
            table[self._inputs[name]] = address(array)
        for name, place in self._dims.items():
            if name in sizes:
                table[place] = sizes[name]
        return self._address

    def threads(self, entry: str) -> int:
        """How many threads an entry runs on."""
        return self._threads[entry]

    def cycles(self, entry: str) -> list[int]:
        """What was spent in each kernel and in the whole entry since this was last asked; compiled with `profile`."""
        return list(self._owner.cycles(entry))

    def run_native(self, function: int, table: int, threads: int) -> int:
        """Run any function with the signature of an entry, by its address, on the threads that entries run on."""
        with self._pool.lock:
            return int(self._run(self._pool.ready(threads), function, table, threads))

    def call(
        self,
        entry: str,
        memory: Memory,
        inputs: Mapping[str, Array],
        sizes: Mapping[str, int],
        given: Mapping[str, Array] | None = None,
    ) -> int:
        threads = self._threads[entry]
        if self._given[entry] and not given:
            given = self.given_memory(entry, sizes)  # nobody looks at these outputs, but they are written
        with self._pool.lock:
            table = self._fill(memory, inputs, sizes, threads)
            for name in self._given[entry]:
                self._table[self._given_slots[name]] = address((given or {})[name])
            return int(self._run(self._pool.address, self._entry[entry], table, threads))

    def ready(
        self,
        entry: str,
        memory: Memory,
        inputs: Mapping[str, Array],
        sizes: Mapping[str, int],
        lock: threading.RLock,
    ) -> Ready | None:
        if self._given[entry] or not READABLE:
            return None
        ways = [self._threads[entry]]
        if entry in self._spread:
            ways.append(self._spread[entry].several)
        with self._pool.lock:
            self._fill(memory, inputs, sizes, max(ways))
            table = type(self._table)(*self._table)
        block = (self._pool.address, self._entry[entry], ctypes.addressof(table))
        wanted = [(name, array.shape, array.dtype, self._inputs[name]) for name, array in inputs.items()]
        outputs = self._views(entry, memory, sizes)
        named = [(name, outputs[buffer]) for name, buffer in self._outputs[entry]]
        return Ready(self._again, block, ways, wanted, named, self._pool, lock, table)

    def epoch(
        self,
        entry: str,
        memory: Memory,
        data: Mapping[str, Array],
        fixed: Mapping[str, Array],
        rows: Array,
        batch: int,
        dim: str,
    ) -> tuple[dict[str, Array], int]:
        count = len(rows)
        steps = -(-count // batch)
        sizes = self.sizes_of(entry, {**data, **fixed})
        outputs = self.metadata["entries"][entry]["outputs"]
        left = {name: self.view(buffer, memory, sizes) for name, buffer in outputs.items()}
        kept = {name: np.zeros((steps, *value.shape), value.dtype) for name, value in left.items()}
        in_order = _is_run(rows)
        skipped = int(rows[0]) if in_order else 0
        staging = {} if in_order else {name: _staging(array, batch) for name, array in data.items()}
        with self._pool.lock:
            table = self._fill(memory, {**data, **fixed}, sizes, self._threads[entry])
            arrays = [
                value
                for name, array in data.items()
                for value in (
                    address(array) + skipped * (array.nbytes // len(array)),
                    array.nbytes // len(array),
                    self._inputs[name],
                    address(staging[name]) if staging else 0,
                )
            ]
            records = [
                number
                for name, value in left.items()
                for number in (value.ctypes.data, value.nbytes, kept[name].ctypes.data, COPY_EACH)
            ]
            values = {
                "sync": self._pool.address,
                "entry": self._entry[entry],
                "table": table,
                "slots": len(self._table),
                "rows": count,
                "batch": batch,
                "first": 0,
                "last": steps,
                "dim_slot": self._dims.get(dim, -1),
                "order": 0 if in_order else rows.ctypes.data,
                "arrays": len(data),
                "records": len(kept),
                "reached": 0,
                "apart": self.metadata["entries"][entry]["outputs_apart"],
            }
            block = np.zeros(ARRAYS + len(arrays) + len(records), np.int64)
            block[: len(ARGUMENTS)] = [values[name] for name in ARGUMENTS]
            block[ARRAYS:] = arrays + records
            code = self._loop(entry, block, steps)
            reached = int(block[ARGUMENTS.index("reached")])
            return {name: values[:reached] for name, values in kept.items()}, code

    def _loop(self, entry: str, block: Array, steps: int) -> int:
        """Run the batches that an argument block describes, until one fails; 0 or its code."""
        spread, address, reached = self._spread.get(entry), block.ctypes.data, 0
        if spread is None:
            return int(self._epoch(self._pool.address, address, self._threads[entry]))
        while reached < steps:
            threads, count = spread.next(steps - reached)
            block[FIRST], block[LAST] = reached, reached + count
            sync = self._pool.ready(threads)
            started = time.perf_counter()
            if code := int(self._epoch(sync, address, threads)):
                return code
            spread.took(threads, count, time.perf_counter() - started)
            reached += count
        return 0


def _staging(array: Array, batch: int) -> Array:
    """Room for the rows of two batches."""
    return Lent().array((2 * batch, *array.shape[1:]), array.dtype.name)


def _is_run(rows: Array) -> bool:
    """Whether row numbers follow each other: such batches are read where they lie."""
    return int(rows[-1]) - int(rows[0]) == len(rows) - 1 and bool((np.diff(rows) == 1).all())
