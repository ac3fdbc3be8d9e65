"""Histories: a carry of a loop over kernels whose past nobody reads keeps one row instead of one for every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from codegen.loops.grammar import (
    Affine,
    Branch,
    Buffer,
    Index,
    Item,
    Kernel,
    Load,
    Loop,
    Program,
    Reduce,
    Sequence,
    Stmt,
    Store,
    scalars_of,
    subscalars,
)
from codegen.loops.ranges import apart
from codegen.loops.rewrite import Place, map_places
from codegen.passes.core import Pass, bound_axes, map_kernels, with_items
from symnet.expr import dims


@dataclass(frozen=True, eq=False)
class Access:
    """One access to a buffer: by which kernel (numbered in textual order), inside which loops over kernels."""

    number: int
    kernel: Kernel
    around: tuple[int, ...]
    access: Load | Store

    @property
    def row(self) -> Index:
        """The index along the first axis of the buffer."""
        return self.access.index[0]


def shorten(program: Program) -> Program:
    accesses: dict[str, list[Access]] = {}
    loops: dict[int, Sequence] = {}
    for found in _accesses(program.items, loops):
        accesses.setdefault(found.access.buffer, []).append(found)
    viewed = {buffer.view_of for buffer in program.buffers.values()}
    short = {
        name
        for name, found in accesses.items()
        if name not in viewed and _keeps_one_row(program.buffers[name], found, loops)
    }
    return _without_rows(program, short) if short else program


def _accesses(items: tuple[Item, ...], loops: dict[int, Sequence]) -> Iterator[Access]:
    """Every access in textual order; `loops` is filled with the loops over kernels by number."""
    number = 0
    stack: list[tuple[Iterator[Item], tuple[int, ...]]] = [(iter(items), ())]
    while stack:
        rest, around = stack[-1]
        item = next(rest, None)
        if item is None:
            stack.pop()
        elif isinstance(item, Sequence):
            loops[len(loops)] = item
            stack.append((iter(item.items), (*around, len(loops) - 1)))
        elif isinstance(item, Branch):
            stack.append((iter(item.items), around))
        else:
            for access in _in_order(item.body):
                yield Access(number, item, around, access)
            number += 1


def _in_order(body: tuple[Stmt, ...]) -> Iterator[Load | Store]:
    """Loads and stores as they are executed."""
    for stmt in body:
        if isinstance(stmt, (Loop, Reduce)):
            yield from _in_order(stmt.body)
        for scalar in scalars_of(stmt):
            yield from (node for node in subscalars(scalar) if isinstance(node, Load))
        if isinstance(stmt, Reduce):
            yield from _in_order(stmt.each)
        if isinstance(stmt, Store):
            yield stmt


@dataclass(frozen=True)
class Rows:
    """The rows of a carry, as indices into the first axis of its buffer."""

    old: Affine
    new: Affine
    begin: Affine
    end: Affine

    @classmethod
    def of(cls, loop: Sequence) -> Rows:
        t, length = ((loop.axis.name, 1),), loop.axis.extent
        if loop.reverse:
            return cls(Affine(t, 1), Affine(t), Affine((), length), Affine())
        return cls(Affine(t), Affine(t, 1), Affine(), Affine((), length))


def _keeps_one_row(buffer: Buffer, found: list[Access], loops: dict[int, Sequence]) -> bool:
    """Whether each step reads only the row of the step before, before it overwrites it; the last one is the result."""
    if buffer.role != "scratch" or buffer.view_of or not buffer.shape:
        return False
    inside = [a for a in found if any(_moves_with(a, loops[n].axis.name) for n in a.around)]
    if not inside or len({a.around for a in inside}) != 1:
        return False
    around = inside[0].around
    loop = loops[around[-1]]
    rows = Rows.of(loop)
    written = [a for a in inside if isinstance(a.access, Store)]
    if len(written) != 1 or written[0].row != rows.new or dims.add(loop.axis.extent, 1) != buffer.shape[0]:
        return False
    (store,) = written
    outside = [a for a in found if a not in inside]
    return all(a.row == rows.new or (a.row == rows.old and _read_before(a, store)) for a in inside) and all(
        a.around == around[:-1] and _at_the_ends(a, store, rows) for a in outside
    )


def _at_the_ends(a: Access, store: Access, rows: Rows) -> bool:
    """Whether an access outside the loop fills the first row before it, or reads the last row after it."""
    if isinstance(a.access, Store):
        return a.row == rows.begin and a.number < store.number
    return a.row == rows.end and a.number > store.number


def _moves_with(a: Access, axis: str) -> bool:
    return isinstance(a.row, Affine) and a.row.coefficient(axis) != 0


def _read_before(read: Access, store: Access) -> bool:
    """Whether the old row is read before it is overwritten: by an earlier kernel, or element for element."""
    if read.number != store.number:
        return read.number < store.number
    extents = {axis.name: axis.extent for axis in (*read.kernel.axes, *bound_axes(read.kernel.body))}
    one, two = read.access.index[1:], store.access.index[1:]
    order = [access for access in _in_order(read.kernel.body) if access is read.access or access is store.access]
    return order[0] is read.access and (one == two or apart((one, extents), (two, extents)))


def _without_rows(program: Program, short: set[str]) -> Program:
    """The program with the first axis of these buffers gone."""

    def place(buffer: str, index: tuple[Index, ...]) -> Place:
        return buffer, index[1:] if buffer in short else index

    buffers = {
        name: replace(buffer, shape=buffer.shape[1:]) if name in short else buffer
        for name, buffer in program.buffers.items()
    }
    items = map_kernels(program.items, lambda kernel: replace(kernel, body=map_places(kernel.body, place)))
    return with_items(replace(program, buffers=buffers), items)


HISTORY = Pass("history", "keep one row of a carry whose past nobody reads", shorten)
