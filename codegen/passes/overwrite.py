"""Overwrite: a kernel that reads a large array for the last time writes its result in its place.

    for t:           z[t, n, i] = x[t, n, i] + sum(j) h[t, n, j] * w[i, j]         z takes the place of x
    for t reversed:  d[t, n, i] = e[n, i] * (1 - tanh(z[t, n, i])^2)               d takes the place of both

Lines that were read are written without being fetched again, and the arrays of a recurrent network, which has a row of
each of them for every step, take a half or a third of the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from codegen.loops.grammar import (
    Axis,
    Branch,
    Buffer,
    Item,
    Kernel,
    Load,
    Loop,
    Program,
    Reduce,
    Sequence,
    Stmt,
    Store,
    conditions,
    scalars_of,
    subscalars,
)
from codegen.loops.ranges import apart, injective
from codegen.loops.rewrite import map_places
from codegen.passes.core import Pass, axes_in, bound_axes, capacity, map_kernels, plain_axis, with_items
from symnet.expr.dtypes import BYTES

LARGE = 1 << 20
"""Bytes of an array from which its place matters: those of a second-level cache."""


@dataclass(frozen=True, eq=False)
class Access:
    """One access to an array.

    item    the number of the item of the program      order   of execution, inside one iteration of everything around
    steps   the axes of loops over kernels around it   axes    those and all axes of the kernel around it
    """

    item: int
    order: int
    kernel: Kernel
    steps: tuple[Axis, ...]
    axes: tuple[Axis, ...]
    access: Load | Store

    @property
    def stores(self) -> bool:
        return isinstance(self.access, Store)


def overwrite(program: Program) -> Program:
    """The program with large scratch arrays in the place of others of the same shape that they are made of."""
    large = _large(program)
    if len(large) < 2:
        return program
    uses: dict[str, list[Access]] = {name: [] for name in large}
    read_by: dict[str, list[str]] = {}
    for use in _accesses(program.items):
        if (name := use.access.buffer) in large:
            uses[name].append(use)
            if not use.stores:
                read_by.setdefault(use.kernel.name, []).append(name)
    place: dict[str, str] = {}
    for name in large:
        writers = [use.kernel.name for use in uses[name] if use.stores][:1]
        for old in dict.fromkeys(place.get(one, one) for writer in writers for one in read_by.get(writer, ())):
            if old != name and _alike(large[old], large[name]) and _last_use(uses[old], uses[name]):
                uses[old] += uses.pop(name)
                place[name] = old
                break
    if not place:
        return program
    items = map_kernels(program.items, lambda kernel: _renamed(kernel, place))
    buffers = {name: buffer for name, buffer in program.buffers.items() if name not in place}
    return with_items(replace(program, buffers=buffers), items)


def _large(program: Program) -> dict[str, Buffer]:
    """The scratch arrays that are large, have no other names, and are not asked as conditions."""
    viewed = {buffer.view_of for buffer in program.buffers.values()} | set(conditions(program.items))
    found: dict[str, Buffer] = {}
    for name, buffer in program.buffers.items():
        size = BYTES[buffer.dtype]
        for dim in buffer.shape:
            size *= capacity(program, dim)
        if buffer.role == "scratch" and not buffer.view_of and name not in viewed and size >= LARGE:
            found[name] = buffer
    return found


def _alike(one: Buffer, two: Buffer) -> bool:
    return (one.shape, one.dtype) == (two.shape, two.dtype)


def _renamed(kernel: Kernel, place: dict[str, str]) -> Kernel:
    return replace(kernel, body=map_places(kernel.body, lambda buffer, index: (place.get(buffer, buffer), index)))


# --- accesses ----------------------------------------------------------------------------------------------------


def _accesses(items: tuple[Item, ...]) -> Iterator[Access]:
    for number, item in enumerate(items):
        for kernel, steps in _kernels(item, ()):
            around = (*steps, *kernel.axes)
            for order, (access, axes) in enumerate(_in_order(kernel.body, around)):
                yield Access(number, order, kernel, steps, axes, access)


def _kernels(item: Item, steps: tuple[Axis, ...]) -> Iterator[tuple[Kernel, tuple[Axis, ...]]]:
    if isinstance(item, Kernel):
        yield item, steps
    elif isinstance(item, (Sequence, Branch)):
        inside = (*steps, item.axis) if isinstance(item, Sequence) else steps
        for inner in item.items:
            yield from _kernels(inner, inside)


def _in_order(body: tuple[Stmt, ...], around: tuple[Axis, ...]) -> Iterator[tuple[Load | Store, tuple[Axis, ...]]]:
    """Loads and stores as they are executed, with the axes around each."""
    for stmt in body:
        axes = (*around, *stmt.axes) if isinstance(stmt, (Loop, Reduce)) else around
        if isinstance(stmt, (Loop, Reduce)):
            yield from _in_order(stmt.body, axes)
        for scalar in scalars_of(stmt):
            yield from ((node, axes) for node in subscalars(scalar) if isinstance(node, Load))
        if isinstance(stmt, Reduce):
            yield from _in_order(stmt.each, axes)
        if isinstance(stmt, Store):
            yield stmt, axes


# --- whether it is the last use ----------------------------------------------------------------------------------


def _last_use(old: list[Access], new: list[Access]) -> bool:
    """Whether the one kernel that writes `new` is the last to read `old`, each element before it writes that."""
    written = [use for use in new if use.stores]
    if not written or any(use.kernel is not written[0].kernel for use in written):
        return False
    first = written[0]
    if any(isinstance(use.access, Store) and use.access.accumulate for use in written):
        return False
    if any(use.item < first.item or (use.kernel is first.kernel and not use.stores) for use in new):
        return False
    reads = [use for use in old if use.kernel is first.kernel]
    if any(use.stores for use in reads) or any(use.item >= first.item for use in old if use not in reads):
        return False
    return all(_alone(store) and _before(read, store) for store in written for read in reads)


def _alone(store: Access) -> bool:
    """Whether a store writes to another place in every iteration of all that is around it."""
    extents = {axis.name: axis.extent for axis in store.axes}
    index = store.access.index
    return injective(index, extents) and axes_in(index) >= {axis.name for axis in store.axes if axis.extent != 1}


def _before(read: Access, store: Access) -> bool:
    """Whether what is read has not been overwritten: it is read earlier in the same iteration, or is never written."""
    one, two = read.access.index, store.access.index
    if one == two:
        return read.order < store.order
    for axis in read.steps:  # what earlier and later steps write is elsewhere
        if not any(a == b and plain_axis(a) == axis.name for a, b in zip(one, two, strict=True)):
            return False
    extents = {axis.name: axis.extent for axis in (*read.kernel.axes, *bound_axes(read.kernel.body))}
    return apart((one, extents), (two, extents))


OVERWRITE = Pass("overwrite", "write large results in the place of what is read for the last time", overwrite)
