"""Results larger than the caches: written past them, in one go; and what is read from memory ahead of time.

An ordinary store first reads the line it writes to. A non-temporal one does not, which saves a third of what a copy
moves; but what it wrote is in no cache afterwards. So it is for results that have left the caches anyway by the time
somebody reads them, and for lines that nobody has just read or written: notes that a kernel keeps for one row where
the row's result will be (the exponentials of a softmax) are kept on the stack instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from codegen.llvm.functions import MATH
from codegen.loops.grammar import (
    Affine,
    Apply,
    Buffer,
    Index,
    Kernel,
    Load,
    Loop,
    Program,
    Reduce,
    Scalar,
    Stmt,
    Store,
    loads,
    scalars_of,
    statements,
    stores,
    subscalars,
)
from codegen.loops.rewrite import axis_index, map_block, map_places, map_scalar
from symnet.expr import dims as dimension
from symnet.expr.dtypes import BYTES

STREAMED_FROM = 32 * 1024 * 1024
"""Bytes from which a buffer is taken to leave the caches: about a last-level cache."""
ROW = 256 * 1024
"""The most bytes of notes on the stack."""


@dataclass(frozen=True)
class Streamed:
    """A kernel as it is to be printed, and what is special about its buffers.

    written  buffers whose stores may go past the caches
    rows     buffers of `program` that are rows of notes on the stack, with their bytes
    """

    kernel: Kernel
    program: Program
    written: frozenset[str]
    rows: dict[str, int]


def streamed(kernel: Kernel, program: Program) -> Streamed:
    """The kernel with the notes of large results on the stack."""
    result = Streamed(kernel, program, frozenset(), {})
    for name in dict.fromkeys(store.buffer for store in stores(kernel.body)):
        buffer = program.buffers[name]
        root = buffer.view_of or name
        others = {program.buffers[one].view_of or one for one in _touched(kernel) if one != name}
        if _bytes(program, buffer) < STREAMED_FROM or root in others:
            continue
        if any(store.accumulate for store in stores(kernel.body) if store.buffer == name):
            continue
        if any(load.buffer == name for load in loads(kernel.body)):
            result = _with_row(result, name)
        elif sum(store.buffer == name for store in stores(kernel.body)) == 1:
            result = replace(result, written=result.written | {name})
    return result


def _touched(kernel: Kernel) -> Iterable[str]:
    yield from (load.buffer for load in loads(kernel.body))
    yield from (store.buffer for store in stores(kernel.body))


def _bytes(program: Program, buffer: Buffer) -> int:
    total = BYTES[buffer.dtype]
    for size in dimension.evaluate_shape(buffer.shape, program.dims):
        total *= size
    return total


def _with_row(state: Streamed, name: str) -> Streamed:
    """With all uses of a buffer but the last store, which writes the result, going to a row; as it was if some use is
    of another kind."""
    kernel, program = state.kernel, state.program
    buffer = program.buffers[name]
    length = buffer.shape[-1]
    size = BYTES[buffer.dtype] * length if isinstance(length, int) else ROW + 1
    users = [i for i, stmt in enumerate(kernel.body) if any(n == name for n in _touched(replace(kernel, body=(stmt,))))]
    last = kernel.body[users[-1]]
    if size > ROW or not isinstance(last, Loop) or not _same_row(kernel, name):
        return state
    written = [stmt for stmt in last.body if isinstance(stmt, Store) and stmt.buffer == name]
    if len(written) != 1 or sum(store.buffer == name for store in stores((last,))) != 1:
        return state
    after = last.body[last.body.index(written[0]) + 1 :]
    if any(load.buffer == name for load in loads(after)):
        return state
    row = f"{name}.row"

    def place(buffer: str, index: tuple[Index, ...]) -> tuple[str, tuple[Index, ...]]:
        return (row, index[-1:]) if buffer == name else (buffer, index)

    def load(scalar: Scalar) -> Scalar:
        if isinstance(scalar, Load) and scalar.buffer == name:
            return Load(*place(name, scalar.index), scalar.dtype, scalar.fill, scalar.origin)
        return scalar

    def finishing(stmt: Stmt) -> Stmt:
        if stmt is written[0]:
            return replace(written[0], value=map_scalar(written[0].value, load))
        return map_block((stmt,), load)[0]

    body = [map_places((stmt,), place)[0] for stmt in kernel.body]
    body[users[-1]] = Loop(last.axes, tuple(map(finishing, last.body)), last.origin)
    buffers = {**program.buffers, row: Buffer(row, buffer.dtype, (length,), "scratch")}
    return Streamed(
        replace(kernel, body=tuple(body)),
        replace(program, buffers=buffers),
        state.written | {name},
        {**state.rows, row: size},
    )


def _same_row(kernel: Kernel, name: str) -> bool:
    """Whether every use of a buffer is in the row that the kernel's own axes select, along an inner axis from 0 on."""
    own = {axis.name for axis in kernel.axes}
    found: set[tuple[Index, ...]] = set()
    accesses: list[Load | Store] = [*loads(kernel.body), *stores(kernel.body)]
    for access in accesses:
        if access.buffer != name:
            continue
        *lead, last = access.index
        if isinstance(access, Load) and access.fill is not None:
            return False
        if not isinstance(last, Affine) or last.offset != 0 or len(last.terms) != 1:
            return False
        if last.terms[0][1] != 1 or last.terms[0][0] in own:
            return False
        found.add(tuple(lead))
    if len(found) != 1:
        return False
    forms = [part for part in found.pop() if isinstance(part, Affine)]
    used = [axis for form in forms for axis, _ in form.terms]
    return set(used) <= own and own <= set(used)


@dataclass(frozen=True)
class Ahead:
    """What an inner loop fetches of the row after the present one, so that memory works while it computes.

    loop   the last axis of that loop        loads  what the first loop over the next row reads, at its positions
    """

    loop: str
    loads: tuple[Load, ...]


def ahead(kernel: Kernel, program: Program) -> Ahead | None:
    """For a kernel that goes through rows of much memory several times: the first pass waits for memory, a later one
    does not, the one with the slowest functions least."""
    passes = [stmt for stmt in kernel.body if isinstance(stmt, (Loop, Reduce))]
    if len(passes) < 2 or not kernel.axes:
        return None
    first = passes[0]
    later = [stmt for stmt in passes[1:] if stmt.axes[-1].extent == first.axes[-1].extent]
    costly = [stmt for stmt in later if any(one.fn in MATH for one in _functions(stmt))] or later[-1:]
    axis = first.axes[-1]
    if not costly or len(first.axes) != 1 or len(costly[0].axes) != 1 or not isinstance(axis.extent, int):
        return None
    place = costly[0].axes[-1].name
    stored = {store.buffer for store in stores(kernel.body)}
    found: dict[Load, None] = {}
    for load in loads((first,)):
        buffer = program.buffers[load.buffer]
        if load.buffer in stored or load.fill is not None or _bytes(program, buffer) < STREAMED_FROM:
            continue
        if load.index[-1] == axis_index(axis.name) and buffer.shape[-1] == axis.extent:
            index = (*load.index[:-1], Affine(((place, 1),), axis.extent))
            found[Load(load.buffer, index, load.dtype, None)] = None
    return Ahead(place, tuple(found)) if found else None


def _functions(stmt: Stmt) -> Iterable[Apply]:
    for inner in statements((stmt,)):
        for scalar in scalars_of(inner):
            yield from (part for part in subscalars(scalar) if isinstance(part, Apply))
