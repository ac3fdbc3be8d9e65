"""Compiles loop programs written as text and runs them on an arena with guarded gaps, for the tests beside it."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

from codegen.library import EXPORTS
from codegen.llvm.driver import Slots
from codegen.llvm.jit import Loaded, compile_object
from codegen.llvm.module import LibraryText
from codegen.llvm.runtime_ir import SYNC_BYTES
from codegen.loops.grammar import Program, kernels, stores
from codegen.loops.interpret import run as interpret
from codegen.loops.parse import parse
from codegen.loops.verify import verify
from codegen.passes.memory import local_bytes
from codegen.target import Target, target
from symnet.expr import dims

Array = np.ndarray[Any, np.dtype[Any]]
GAP = 192
GUARD = 0xA5
MOST_THREADS = 4


def placed(program: Program) -> Program:
    """The program with a place in the arena for every buffer, gaps between them."""
    buffers, offset = {}, GAP
    for buffer in program.buffers.values():
        if buffer.view_of is None and buffer.role not in ("input", "constant") and buffer.offset is None:
            buffer = replace(buffer, offset=offset)
            offset += _bytes(buffer.shape, buffer.dtype, program.dims) + GAP
            offset += -offset % 64
        buffers[buffer.name] = buffer
    return replace(program, buffers=buffers)


def _bytes(shape: tuple[dims.Dim, ...], dtype: str, sizes: Mapping[str, int]) -> int:
    return int(np.prod(dims.evaluate_shape(shape, sizes), dtype=np.int64)) * np.dtype(dtype).itemsize


def aligned(size: int) -> Array:
    block = np.full(size + 64, GUARD, np.uint8)
    start = -block.ctypes.data % 64
    return block[start : start + size]


class Native:
    """A compiled program."""

    def __init__(self, program: str | Program, machine: Target | None = None) -> None:
        program = parse(program.replace(") :", "):")) if isinstance(program, str) else program
        self.program = verify(placed(program))
        self.target = machine or target()
        with mock.patch("codegen.llvm.sharing.SHARE_ABOVE", 0.0):  # share out even the smallest kernels
            library = LibraryText({self.program.name: self.program}, self.target)
        self.text, self.table = library.text, library.table
        self.sharing = library.sharing[self.program.name]
        names = [f"sn_{self.program.name}", *EXPORTS]
        self.code = Loaded(compile_object(self.text, self.target), names)
        self.sync = aligned(SYNC_BYTES)
        self.local = aligned(MOST_THREADS * local_bytes(self.program))
        self.function("sn_init", None, 1)(self.sync.ctypes.data)

    def function(self, name: str, result: Any, arguments: int) -> Any:
        kind = ctypes.CFUNCTYPE(result, *[ctypes.c_int64] * arguments)
        return kind(self.code.addresses[name])

    def arena(self, memory: Mapping[str, Array], sizes: Mapping[str, int]) -> Array:
        """An arena that holds what persists; everything else is guard bytes."""
        end = max([GAP, *(b.offset or 0 for b in self.program.buffers.values())])
        arena = aligned(
            end + 4 * GAP + max(_bytes(b.shape, b.dtype, self.program.dims) for b in self.program.buffers.values())
        )
        for name in self.program.buffers:
            if self.program.buffers[name].role in ("parameter", "state", "hyper") and name in memory:
                self.view(arena, name, sizes)[...] = memory[name]
        return arena

    def view(self, arena: Array, name: str, sizes: Mapping[str, int]) -> Array:
        buffer = self.program.buffers[name]
        offset = self.program.buffers[buffer.view_of or name].offset
        assert offset is not None
        shape = dims.evaluate_shape(buffer.shape, sizes)
        size = _bytes(shape, buffer.dtype, {})
        return arena[offset : offset + size].view(buffer.dtype).reshape(shape)

    def slots(self, arena: Array, memory: Mapping[str, Array], sizes: Mapping[str, int]) -> Array:
        slots = np.zeros(self.table.count, np.int64)
        slots[Slots.ARENA], slots[Slots.SYNC] = arena.ctypes.data, self.sync.ctypes.data
        slots[Slots.LOCAL] = self.local.ctypes.data
        for name in self.table.inputs:
            slots[self.table.input(name)] = memory[name].ctypes.data
        for name in self.table.dims:
            slots[self.table.dim(name)] = sizes[name]
        return slots

    def __call__(
        self, memory: Mapping[str, Array], sizes: Mapping[str, int], threads: int = 1
    ) -> tuple[int, dict[str, Array]]:
        """Run on copies of the arrays; the code, and every buffer of the arena afterwards."""
        arena = self.arena(memory, sizes)
        slots = self.slots(arena, memory, sizes)
        with Workers(self, threads):
            code = self.function("sn_run", ctypes.c_int32, 4)(
                self.sync.ctypes.data, self.code.addresses[f"sn_{self.program.name}"], slots.ctypes.data, threads
            )
        self.check_gaps(arena, sizes)
        return int(code), {
            name: self.view(arena, name, sizes).copy()
            for name, buffer in self.program.buffers.items()
            if self.program.buffers[buffer.view_of or name].offset is not None and buffer.role != "local"
        }

    def check_gaps(self, arena: Array, sizes: Mapping[str, int]) -> None:
        """Nothing was written outside the buffers, nor past what they hold at these sizes."""
        free = np.ones(arena.size, bool)
        for buffer in self.program.buffers.values():
            if buffer.offset is not None:
                free[buffer.offset : buffer.offset + _bytes(buffer.shape, buffer.dtype, sizes)] = False
        assert np.all(arena[free] == GUARD), (
            f"bytes outside the buffers were written: {np.flatnonzero(free & (arena != GUARD))[:5]}"
        )


class Workers:
    """Python threads parked in `sn_worker`."""

    def __init__(self, native: Native, threads: int) -> None:
        self.native = native
        worker = native.function("sn_worker", None, 2)
        sync = native.sync.ctypes.data
        self.threads = [threading.Thread(target=worker, args=(sync, tid)) for tid in range(1, threads)]

    def __enter__(self) -> None:
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        if self.threads:
            self.native.function("sn_stop", None, 1)(self.native.sync.ctypes.data)
            for thread in self.threads:
                thread.join()
            self.native.function("sn_init", None, 1)(self.native.sync.ctypes.data)


def agree(
    text: str, memory: Mapping[str, Array], sizes: Mapping[str, int], rtol: float = 0.0, native: Native | None = None
) -> dict[str, Array]:
    """Run natively with 1 and 2 threads and by the interpreter; all must agree. The native buffers."""
    native = native or Native(text)
    expected = {name: array.copy() for name, array in memory.items()}
    expected_code = interpret(native.program, expected, sizes)
    code, got = native(memory, sizes)
    assert code == expected_code
    code, again = native(memory, sizes, threads=2)
    assert code == expected_code
    written = {store.buffer for kernel in kernels(native.program.items) for store in stores(kernel.body)}
    for name, array in got.items():
        if not code and name in written:
            assert array.tobytes() == again[name].tobytes(), f"{name} depends on the number of threads"
            np.testing.assert_allclose(array, expected[name], rtol=rtol, atol=rtol, err_msg=name)
    return got
