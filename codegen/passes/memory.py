"""Memory: one arena, planned from lifetimes at capacity.

What persists comes first, in the order in which every program of a module holds it, so that all of them agree on its
place. Outputs follow, alive until the end. Scratch takes the smallest gap that is free for as long as it lives. A large
output has no place in the arena: it is written to memory that the caller gives, and need not be copied from here.
Local buffers are in memory that each thread has of its own.
"""

from __future__ import annotations

from dataclasses import replace

from codegen.loops.grammar import Buffer, Item, Kernel, Program, Sequence, conditions, loads, stores
from codegen.loops.grammar import kernels as kernels_of
from codegen.passes.core import Pass, capacity, storage
from symnet.expr.dtypes import BYTES

OWN_OUTPUT = 1 << 20
"""Bytes from which an output is the caller's memory."""

KEPT_APART = 256 * 1024
"""Bytes of scratch up to which no two buffers share a place where kernels are in bands, which then need not wait."""

PAGE = 4096

ALIGNMENT = 128
"""Bytes: two cache lines, so that a line fetched with its neighbour belongs to one buffer."""

LARGE, STAGGER = 8192, 3 * ALIGNMENT
"""Large buffers are followed by some bytes more: arrays whose sizes are powers of two would otherwise begin at the same
place of a page and of the caches, and elements of the same number, which are used together, drive each other out."""


def plan(program: Program) -> Program:
    """The program with an offset for every buffer that lives in the arena."""
    offsets: dict[str, int] = {}
    end = 0
    for group in (("parameter", "state", "hyper"), ("output",)):
        for buffer in program.buffers.values():
            given = buffer.role == "output" and size(program, buffer) >= OWN_OUTPUT
            if buffer.role in group and buffer.view_of is None and not given:
                offsets[buffer.name] = end
                end += size(program, buffer)
    offsets.update(_place_scratch(program, end))
    offsets.update(_place_local(program, program.items))
    buffers = {
        name: replace(buffer, offset=offsets.get(name)) if buffer.view_of is None else buffer
        for name, buffer in program.buffers.items()
    }
    return replace(program, buffers=buffers)


def size(program: Program, buffer: Buffer) -> int:
    """Bytes that a buffer takes in the arena."""
    elements = 1
    for dim in buffer.shape:
        elements *= capacity(program, dim)
    aligned = -(-max(elements, 1) * BYTES[buffer.dtype] // ALIGNMENT) * ALIGNMENT
    return aligned + STAGGER if aligned >= LARGE else aligned


def lifetimes(program: Program) -> dict[str, tuple[int, int]]:
    """For each scratch buffer the first and last item that touches it; a loop over kernels is one item, and so are
    kernels in bands that follow each other, as threads are at different ones of them at the same time."""
    found: dict[str, tuple[int, int]] = {}
    position, banded = -1, False
    for item in program.items:
        before, banded = banded, isinstance(item, Kernel) and item.schedule.band > 0
        position += not (before and banded)
        touched: dict[str, None] = {}
        touched.update((storage(program, name), None) for name in conditions((item,)))
        for kernel in kernels_of((item,)):
            touched.update((storage(program, access.buffer), None) for access in stores(kernel.body))
            touched.update((storage(program, access.buffer), None) for access in loads(kernel.body))
        for name in touched:
            if program.buffers[name].role == "scratch":
                found[name] = (found.get(name, (position, 0))[0], position)
    return found


def _place_scratch(program: Program, base: int) -> dict[str, int]:
    """Best fit, the largest buffers first: each takes the smallest gap among those alive at the same time."""
    alive = lifetimes(program)
    sizes = {name: size(program, program.buffers[name]) for name in alive}
    banded = any(kernel.schedule.band for kernel in kernels_of(program.items))
    if banded and sum(sizes.values()) <= KEPT_APART:
        alive = dict.fromkeys(alive, (0, len(program.items)))
    order = sorted(alive, key=lambda name: (-sizes[name], alive[name]))
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first, last
    offsets: dict[str, int] = {}
    for name in order:
        first, last = alive[name]
        taken = sorted((begin, end) for begin, end, f, l in placed if f <= last and first <= l)
        offset = _best_gap(taken, sizes[name], base)
        offsets[name] = offset
        placed.append((offset, offset + sizes[name], first, last))
    return offsets


def _place_local(program: Program, items: tuple[Item, ...]) -> dict[str, int]:
    """The local buffers of each parallel loop one after the other, from the start of a thread's memory."""
    offsets: dict[str, int] = {}
    for item in items:
        if isinstance(item, Kernel):
            continue
        offsets |= _place_local(program, item.items)
        if isinstance(item, Sequence) and item.parallel:
            end = 0
            for name in dict.fromkeys(
                store.buffer for kernel in kernels_of(item.items) for store in stores(kernel.body)
            ):
                if program.buffers[name].role == "local":
                    offsets[name] = end
                    end += size(program, program.buffers[name])
    return offsets


def _best_gap(taken: list[tuple[int, int]], wanted: int, base: int) -> int:
    best: tuple[int, int] | None = None
    at = base
    for begin, end in taken:
        if begin - at >= wanted and (best is None or begin - at < best[0]):
            best = (begin - at, at)
        at = max(at, end)
    return best[1] if best else at


def arena_bytes(program: Program) -> int:
    """The size of the arena that the program's plan needs."""
    return _end(program, [buffer for buffer in program.buffers.values() if buffer.role != "local"])


def local_bytes(program: Program) -> int:
    """How much memory each thread needs beside the arena: whole pages."""
    end = _end(program, [buffer for buffer in program.buffers.values() if buffer.role == "local"])
    return -(-end // PAGE) * PAGE


def _end(program: Program, buffers: list[Buffer]) -> int:
    return max((b.offset + size(program, b) for b in buffers if b.offset is not None), default=0)


MEMORY = Pass("memory", "give every buffer its place in one arena", plan)
