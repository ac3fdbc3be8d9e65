"""Dead code: stores to scratch that nobody reads, values that nobody uses, kernels that do nothing, unused buffers."""

from __future__ import annotations

from dataclasses import replace
from operator import is_

from codegen.loops.grammar import (
    Branch,
    Item,
    Kernel,
    Let,
    Loop,
    Program,
    Reduce,
    Ref,
    Sequence,
    Stmt,
    Store,
    kernels,
    loads,
    scalars_of,
    stores,
    subscalars,
)
from codegen.passes.core import Pass, effects, storage


def eliminate(program: Program) -> Program:
    """The program without what has no effect, found in one walk from the end."""
    items = _walk(program, program.items, set())
    return _without_unused_buffers(replace(program, items=items))


def _walk(program: Program, items: tuple[Item, ...], read: set[str]) -> tuple[Item, ...]:
    """The items that matter when the storages in `read` are read after them; `read` then holds those read before."""
    kept: list[Item] = []
    for item in reversed(items):
        if isinstance(item, Sequence):
            repeated = _repeated(program, item, read)
            if repeated is not None:
                read |= effects(program, repeated).reads
                kept.append(repeated)
            continue
        if isinstance(item, Branch):
            inside = set(read)
            if inner := _walk(program, item.items, inside):
                read |= inside | {storage(program, item.condition)}
                kept.append(item if inner == item.items else replace(item, items=inner))
            continue
        body = _live_body(program, item, read)
        if body:
            kernel = item if body == item.body else replace(item, body=body)
            read |= effects(program, kernel).reads
            kept.append(kernel)
    return tuple(reversed(kept))


def _repeated(program: Program, loop: Sequence, read: set[str]) -> Sequence | None:
    """A loop over kernels, whose every step may read what the one before wrote."""
    needed = set(read)
    while True:
        found = set(needed)
        items = _walk(program, loop.items, found)
        if not items:
            return None
        if found <= needed:
            return loop if items == loop.items else replace(loop, items=items)
        needed = found


def _live_body(program: Program, kernel: Kernel, read: set[str]) -> tuple[Stmt, ...]:
    """The statements of a kernel that matter when the storages in `read` are read after it.

    What a kernel stores for itself alone matters only if it reads it for something that does.
    """
    dead = {
        store.buffer: place
        for store in stores(kernel.body)
        if (place := storage(program, store.buffer)) not in read and program.buffers[place].role == "scratch"
    }
    while True:
        body, _ = _live(kernel.body, set(dead), set())
        own = {storage(program, load.buffer) for load in loads(body)}
        if own.isdisjoint(dead.values()):
            return body
        dead = {buffer: place for buffer, place in dead.items() if place not in own}


def _live(body: tuple[Stmt, ...], dead: set[str], needed: set[str]) -> tuple[tuple[Stmt, ...], set[str]]:
    """The statements of a block that matter, when `needed` names are used after it; and all names they use."""
    kept: list[Stmt] = []
    needed = set(needed)
    for stmt in reversed(body):
        if isinstance(stmt, Store):
            if stmt.buffer in dead:
                continue
        elif isinstance(stmt, Let):
            if stmt.name not in needed:
                continue
        elif isinstance(stmt, Loop):
            inner, needed = _live(stmt.body, dead, needed)
            if not inner:
                continue
            stmt = stmt if inner == stmt.body else Loop(stmt.axes, inner, stmt.origin)
        elif isinstance(stmt, Reduce):
            each, after = _live(stmt.each, dead, needed)
            if stmt.name not in after and not each:
                continue
            inner, needed = _live(stmt.body, dead, after | _names(stmt))
            if each != stmt.each or inner != stmt.body:
                stmt = replace(stmt, body=inner, each=each)
        needed |= _names(stmt)
        kept.append(stmt)
    kept.reverse()
    same = len(kept) == len(body) and all(map(is_, kept, body))
    return body if same else tuple(kept), needed


def _names(stmt: Stmt) -> set[str]:
    return {node.name for scalar in scalars_of(stmt) for node in subscalars(scalar) if isinstance(node, Ref)}


def _without_unused_buffers(program: Program) -> Program:
    """What persists and what comes out stays, used or not; so do inputs, which callers give."""
    used: set[str] = set()
    for kernel in kernels(program.items):
        used.update(load.buffer for load in loads(kernel.body))
        used.update(store.buffer for store in stores(kernel.body))
    used |= {storage(program, name) for name in used}
    buffers = {
        name: buffer
        for name, buffer in program.buffers.items()
        if name in used or (buffer.view_of is None and buffer.role not in ("scratch", "constant"))
    }
    if len(buffers) == len(program.buffers):
        return program
    constants = {name: array for name, array in program.constants.items() if name in buffers}
    return replace(program, buffers=buffers, constants=constants)


DEAD = Pass("dead", "drop what nobody reads", eliminate)
