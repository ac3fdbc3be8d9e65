"""Reuse: what a kernel notes down only for itself is written where its result will be.

A softmax stores the exponentials of a row, then reads them and stores the quotients. When the loop that reads the notes
for the last time stores a result of the same shape at the same places, one array serves for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from codegen.loops.grammar import (
    Kernel,
    Load,
    Loop,
    Program,
    Reduce,
    Stmt,
    Store,
    conditions,
    kernels,
    loads,
    scalars_of,
    stores,
    subscalars,
)
from codegen.loops.rewrite import map_places
from codegen.passes.core import Pass, map_kernels, with_items


@dataclass(frozen=True, eq=False)
class Touch:
    """An access: `place` is the number of the kernel's statement it belongs to, `inner` its order inside."""

    place: int
    inner: int
    access: Load | Store

    def before(self, other: Touch) -> bool:
        return (self.place, self.inner) < (other.place, other.inner)


def reuse(program: Program) -> Program:
    used_by: dict[str, set[str]] = {}
    written_by: dict[str, set[str]] = {}
    for kernel in kernels(program.items):
        for load in loads(kernel.body):
            used_by.setdefault(load.buffer, set()).add(kernel.name)
        for store in stores(kernel.body):
            used_by.setdefault(store.buffer, set()).add(kernel.name)
            written_by.setdefault(store.buffer, set()).add(kernel.name)
    views = {buffer.view_of for buffer in program.buffers.values() if buffer.view_of}
    free = {b.name for b in program.buffers.values() if b.view_of is None and b.name not in views}
    private = {name for name, users in used_by.items() if len(users) == 1 and name in free}
    private = {name for name in private if program.buffers[name].role == "scratch"}
    private -= set(conditions(program.items))
    results = {name for name, writers in written_by.items() if len(writers) == 1 and name in free}
    results = {name for name in results if program.buffers[name].role in ("scratch", "output")}
    items = map_kernels(program.items, lambda kernel: _shared(program, kernel, private, results))
    return program if items == program.items else with_items(program, items)


def _shared(program: Program, kernel: Kernel, private: set[str], results: set[str]) -> Kernel:
    if not any(isinstance(stmt, Loop) for stmt in kernel.body):
        return kernel
    touches: dict[str, list[Touch]] = {}
    for touch in _touches(kernel.body):
        touches.setdefault(touch.access.buffer, []).append(touch)
    for notes in sorted(private & set(touches)):
        for result in sorted(results & set(touches) - {notes}):
            one, two = program.buffers[notes], program.buffers[result]
            if (one.shape, one.dtype) == (two.shape, two.dtype) and _follows(touches[notes], touches[result]):
                return _shared(program, _renamed(kernel, notes, result), private - {notes}, results)
    return kernel


def _touches(body: tuple[Stmt, ...]) -> Iterator[Touch]:
    """Every access; those in nested loops count as one statement's, told apart by their order."""
    for place, stmt in enumerate(body):
        for inner, access in enumerate(_accesses((stmt,))):
            yield Touch(place, inner, access)


def _accesses(body: tuple[Stmt, ...]) -> Iterator[Load | Store]:
    for stmt in body:
        if isinstance(stmt, (Loop, Reduce)):
            yield from _accesses(stmt.body)
        for scalar in scalars_of(stmt):
            yield from (node for node in subscalars(scalar) if isinstance(node, Load))
        if isinstance(stmt, Reduce):
            yield from _accesses(stmt.each)
        if isinstance(stmt, Store):
            yield stmt


def _follows(notes: list[Touch], result: list[Touch]) -> bool:
    """Whether the result is first stored, once for each place, where the notes are read for the last time."""
    stored = [touch for touch in result if isinstance(touch.access, Store)]
    if len(stored) != 1 or any(touch.before(stored[0]) for touch in result):
        return False
    store = stored[0]
    for touch in notes:
        if touch.place >= store.place:
            same = isinstance(touch.access, Load) and touch.access.index == store.access.index
            if touch.place > store.place or not same or not touch.before(store):
                return False
    return True


def _renamed(kernel: Kernel, old: str, new: str) -> Kernel:
    body = map_places(kernel.body, lambda buffer, index: (new if buffer == old else buffer, index))
    return replace(kernel, body=body)


REUSE = Pass("reuse", "write a kernel's own notes where its result will be", reuse)
