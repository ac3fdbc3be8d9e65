"""What this machine can do at most, measured: multiply-adds in registers, copying memory; and its counter of cycles.

Both loops have the signature of an entry, so they run on the threads that programs use. The figures are what these
loops reach, not bounds that no program can pass: the clock of a processor changes with its load, and what lies in a
nearer cache than the copied block is read faster.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from codegen.llvm.builder import FunctionText, vector_type
from codegen.llvm.jit import Loaded, compile_object
from codegen.target import Target, target

Array = np.ndarray[Any, np.dtype[Any]]
Run = Callable[[int, int, int], int]
"""(address of a function with an entry's signature, address of its table, threads): run it on that many threads."""

DTYPES = ("float32", "float64", "bf16")
"""Of what is multiplied; the sums of bf16 are float32."""
CHAINS = 12
"""Independent multiply-adds: enough to hide how long one takes, few enough for sixteen registers."""
CHUNK = 256
"""Bytes that one iteration of the copy reads, and bytes that it writes."""
SMALLEST_BLOCK, LARGEST_BLOCK = 1 << 14, 1 << 27
SHOT, LEAST, MOST = 0.001, 0.05, 0.5
"""Seconds: of one shot at least, and of a measurement, of which the best shot counts."""
STEADY, BETTER = 60, 0.99
"""A measurement ends when so many shots brought none that takes less than this share of the best one's time: it takes
the system some milliseconds to give a thread that has slept a processor of its own."""

_MEMORY, _REPEATS, _CHUNKS = range(3)
"""The slots of the table: memory to work on, how often, how many chunks to copy."""
_PER_THREAD = 4096

_measured: dict[tuple[int, str, int], float] = {}


def flops(run: Run, threads: int, dtype: str) -> float:
    """Floating-point operations a second in multiply-adds of `dtype` (two each), on `threads` threads together.

    "bf16" is float32 where the target has no instruction for products of bfloat16.
    """
    key = threads, dtype, 0
    if key not in _measured:
        memory = _aligned(_PER_THREAD * threads)
        memory.view(_sums(dtype))[:] = 0.5  # x * 0.5 + 0.5 stays where it is fast, and so does x + 0.5 * 0.5
        once = _fastest(run, f"sn_peak_{dtype}", threads, memory, 0)
        together = 2 if dtype == "bf16" and target().bf16 else 1
        _measured[key] = 2 * CHAINS * target().lanes(_sums(dtype)) * together * threads / once
    return _measured[key]


def bandwidth(run: Run, threads: int, footprint: int) -> float:
    """Bytes read plus bytes written a second while `threads` threads copy one half of a block of memory to the other.

    The block is the next power of two from `footprint` bytes (16 KiB to 128 MiB), so the figure is that of the cache,
    or of the memory, in which a program of this footprint lives.
    """
    block = min(max(1 << (footprint - 1).bit_length(), SMALLEST_BLOCK), LARGEST_BLOCK)
    key = threads, "copy", block
    if key not in _measured:
        memory = _aligned(block)
        memory[:] = 1  # so that every page is there
        _measured[key] = block / _fastest(run, "sn_peak_copy", threads, memory, block // 2 // CHUNK)
    return _measured[key]


def ticks() -> int:
    """The processor's counter, in whose cycles a profiled library counts; its rate is found with a clock."""
    return int(_clock()())


def _sums(dtype: str) -> str:
    return "float32" if dtype == "bf16" else dtype


def _aligned(size: int) -> Array:
    block = np.zeros(size + _PER_THREAD, np.uint8)
    start = -block.ctypes.data % _PER_THREAD
    return block[start : start + size]


def _fastest(run: Run, name: str, threads: int, memory: Array, chunks: int) -> float:
    """Seconds of one repetition, in the best of many shots."""
    address, table, repeats, best = _loops().addresses[name], np.zeros(3, np.int64), 1, float("inf")
    table[[_MEMORY, _CHUNKS]] = memory.ctypes.data, chunks
    begin, steady = time.perf_counter(), 0
    while (spent := time.perf_counter() - begin) < LEAST or (steady < STEADY and spent < MOST):
        table[_REPEATS] = repeats
        started = time.perf_counter()
        run(address, table.ctypes.data, threads)
        seconds = time.perf_counter() - started
        if seconds < SHOT:
            repeats *= 2
        else:
            steady = 0 if seconds / repeats < BETTER * best else steady + 1
            best = min(best, seconds / repeats)
    return best


# --- the loops ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=None)
def _loops() -> Loaded:
    names = [*(f"sn_peak_{dtype}" for dtype in DTYPES), "sn_peak_copy", "sn_ticks"]
    return Loaded(compile_object(text(target()), target()), names)


@lru_cache(maxsize=None)
def _clock() -> Any:
    return ctypes.CFUNCTYPE(ctypes.c_int64)(_loops().addresses["sn_ticks"])


def text(machine: Target) -> str:
    """The loops and the clock as an LLVM module."""
    return "\n".join([*(_multiply_adds(dtype, machine) for dtype in DTYPES), _copy(machine), _ticks()])


def _entry(name: str) -> tuple[FunctionText, list[str]]:
    """A function with an entry's signature, and the values of the slots of its table."""
    fn = FunctionText(name, [("ptr", "table"), ("i64", "tid"), ("i64", "n")], "i32", linkage="")
    places = [fn.value(f"getelementptr i64, ptr %table, i64 {slot}") for slot in (_MEMORY, _REPEATS, _CHUNKS)]
    kinds = ("ptr", "i64", "i64")
    return fn, [fn.value(f"load {kind}, ptr {place}") for kind, place in zip(kinds, places, strict=True)]


def _multiply_adds(dtype: str, machine: Target) -> str:
    """Every chain, a vector each: x = x * m + c, or of pairs in m and c: x = x + m * c."""
    fn, (memory, repeats, _) = _entry(f"sn_peak_{dtype}")
    vector, pairs = vector_type(_sums(dtype), machine.lanes(_sums(dtype))), dtype == "bf16" and machine.bf16
    start = fn.value(f"mul i64 %tid, {_PER_THREAD}")
    own = fn.value(f"getelementptr i8, ptr {memory}, i64 {start}")
    places = [fn.value(f"getelementptr {vector}, ptr {own}, i64 {k}") for k in range(CHAINS + 2)]
    values = [fn.value(f"load {vector}, ptr {place}") for place in places]
    chains = [fn.value(f"alloca {vector}") for _ in range(CHAINS)]
    for chain, value in zip(chains, values, strict=False):
        fn.do(f"store {vector} {value}, ptr {chain}")
    factors = [fn.value(f"bitcast {vector} {value} to <32 x bfloat>") for value in values[-2:]] if pairs else []
    with fn.loop("0", repeats):
        for chain in chains:
            before = fn.value(f"load {vector}, ptr {chain}")
            if pairs:
                arguments = ", ".join((f"{vector} {before}", *(f"<32 x bfloat> {factor}" for factor in factors)))
                after = fn.value(f"call {vector} @llvm.x86.avx512bf16.dpbf16ps.512({arguments})")
            else:
                product = fn.value(f"fmul contract {vector} {before}, {values[-2]}")
                after = fn.value(f"fadd contract {vector} {product}, {values[-1]}")
            fn.do(f"store {vector} {after}, ptr {chain}")
    for chain, place in zip(chains, places, strict=False):
        fn.do(f"store {vector} {fn.value(f'load {vector}, ptr {chain}')}, ptr {place}")
    return fn.finish("i32 0")


def _copy(machine: Target) -> str:
    """The first half of the memory to the second, each thread its share."""
    fn, (memory, repeats, chunks) = _entry("sn_peak_copy")
    vector, size = f"<{machine.vector_bytes} x i8>", fn.value(f"mul i64 {chunks}, {CHUNK}")
    target_half = fn.value(f"getelementptr i8, ptr {memory}, i64 {size}")
    low, high = (
        fn.value(f"udiv i64 {fn.value(f'mul i64 {chunks}, {thread}')}, %n")
        for thread in ("%tid", fn.value("add i64 %tid, 1"))
    )
    with fn.loop("0", repeats), fn.loop(low, high) as chunk:
        start = fn.value(f"mul i64 {chunk}, {CHUNK}")
        for offset in range(0, CHUNK, machine.vector_bytes):
            place = fn.value(f"add i64 {start}, {offset}")
            source = fn.value(f"getelementptr i8, ptr {memory}, i64 {place}")
            value = fn.value(f"load {vector}, ptr {source}, align {machine.vector_bytes}")
            goal = fn.value(f"getelementptr i8, ptr {target_half}, i64 {place}")
            fn.do(f"store {vector} {value}, ptr {goal}, align {machine.vector_bytes}")
    return fn.finish("i32 0")


def _ticks() -> str:
    fn = FunctionText("sn_ticks", [], "i64", linkage="")
    return fn.finish(f"i64 {fn.value('call i64 @llvm.readcyclecounter()')}")
