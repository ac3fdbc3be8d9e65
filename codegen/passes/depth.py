"""Depth: kernels that follow each other over the same images go image by image, each image by one thread.

    for n:  h[n, i] = maximum(x[n, i], 0)                  for n parallel:  h[n, i] = maximum(x[n, i], 0)
    for n:  s[n] = sum(i) h[n, i]             becomes                       s[n] = sum(i) h[n, i]

What the first kernel writes for an image, the next one finds in the nearest caches, and nobody waits in between. Arrays
that only these kernels use shrink to one image for each thread. Loops that are parallel already take in what is before
and after them (`codegen.passes.winograd`). Inside a loop the same is done once more: heads of an attention go one by
one, so that the scores of one are all that there is of them.

It pays where arrays are larger than a second-level cache and those of an image are not. A matrix that all images are
multiplied by would come from afar for each: such products stay outside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from codegen.loops.grammar import (
    Axis,
    Index,
    Item,
    Kernel,
    Load,
    Program,
    Role,
    Sequence,
    Store,
    conditions,
    kernels,
    loads,
    stores,
)
from codegen.loops.rewrite import Place, axis_index, map_places, rename_axes_block
from codegen.lower.names import AxisNames
from codegen.passes.core import CHECKED, Pass, bound_axes, capacity, contraction, effects, is_check, storage
from codegen.passes.schedule import work
from symnet.expr.dtypes import BYTES


@dataclass(frozen=True)
class Limits:
    """When a run becomes a loop.

    several   images that there must be
    flow      bytes that must pass from one kernel to another, of all images
    near      bytes that may pass, of one image
    least     operations on one image that are worth calling the kernels for it
    before    kernels that may be done before those of a run which they stand among
    shrinks   the role of arrays that may shrink to one image
    """

    several: int
    flow: int
    near: int
    least: int
    before: int
    shrinks: Role


IMAGES = Limits(several=8, flow=1 << 20, near=2 << 20, least=50_000, before=4, shrinks="scratch")
INSIDE = Limits(several=2, flow=1 << 17, near=1 << 18, least=50_000, before=0, shrinks="local")
"""The same inside a loop: there no threads share, and a small cache is near."""


def depth(program: Program) -> Program:
    runs = _Runs(program, IMAGES)
    items = runs.collected(program.items)
    return replace(program, items=items, buffers=runs.buffers) if runs.made else program


Member = Kernel | Sequence
"""A kernel, or a loop that is parallel already."""

Access = Load | Store


@dataclass
class _Run:
    """Kernels and loops in order, each with its axis of images; what is done before them; and all as it was."""

    axis: Axis
    members: list[tuple[Member, str]] = field(default_factory=list)
    before: list[Item] = field(default_factory=list)
    original: list[Item] = field(default_factory=list)


class _Runs:
    """Collects runs along the items of a program, or of a loop over `outer`."""

    def __init__(self, program: Program, limits: Limits, outer: str = "") -> None:
        self.program, self.limits, self.outer = program, limits, outer
        self.buffers = dict(program.buffers)
        self.made = False

    def collected(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """The items with runs as loops. Of one that does not pay, all but its first item are looked at anew."""
        result: list[Item] = []
        waiting, run = deque(items), None
        while waiting or run is not None:
            item = waiting.popleft() if waiting else None
            if run is None:
                assert item is not None
                run = self.begun(item)
                if run is None:
                    result.append(item)
            elif item is None or not self.taken(run, item):
                again = [] if item is None else [item]
                if self.pays(run):
                    self.made = True
                    result += [*run.before, self.loop(run)]
                else:
                    first, *others = run.original
                    result.append(first)
                    again = [*others, *again]
                waiting.extendleft(reversed(again))
                run = None
        return tuple(result)

    # --- what belongs together ---

    def begun(self, item: Item) -> _Run | None:
        axis = next(self.axes(item), None)
        if axis is None or not isinstance(item, Member):
            return None
        return _Run(axis, [(item, axis.name)], [], [item])

    def taken(self, run: _Run, item: Item) -> bool:
        """Whether an item has become part of a run, or is done before it."""
        axis = self.joining(run, item)
        if axis and isinstance(item, Member):
            run.members.append((item, axis))
        elif len(run.before) < self.limits.before and self.independent(run, item):
            run.before.append(item)
        else:
            return False
        run.original.append(item)
        return True

    def axes(self, item: Item) -> Iterator[Axis]:
        """The axes of an item that may be that of images."""
        if isinstance(item, Sequence) and item.parallel:
            yield item.axis
        if not isinstance(item, Kernel) or is_check(item) or any(one.accumulate for one in stores(item.body)):
            return
        roles = contraction(item)
        for axis in item.axes if len(item.axes) > 1 else ():
            own = roles is None or axis.name in roles.batch
            if own and capacity(self.program, axis.extent) >= self.limits.several:
                yield axis

    def joining(self, run: _Run, item: Item) -> str:
        """The axis of an item along which it belongs to a run; empty if it does not."""
        for axis in self.axes(item):
            if axis.extent == run.axis.extent and isinstance(item, Member):
                members = [*run.members, (item, axis.name)]
                if self.apart(members) and self.flow(members) <= self.limits.near * self.several(run):
                    return axis.name
        return ""

    def apart(self, members: list[tuple[Member, str]]) -> bool:
        """Whether all that is written belongs to one image, for all who touch it."""
        places: dict[str, set[tuple[str, int]]] = {}
        written: set[str] = set()
        for member, axis in members:
            alone = axis_index(axis)
            for access in _accesses(member):
                at = access.index.index(alone) if alone in access.index else -1
                places.setdefault(storage(self.program, access.buffer), set()).add((access.buffer, at))
                if isinstance(access, Store) and (self.outer or self.program.buffers[access.buffer].role != "local"):
                    written.add(storage(self.program, access.buffer))
        return all(len(places[name]) == 1 and -1 not in {at for _, at in places[name]} for name in written)

    def independent(self, run: _Run, item: Item) -> bool:
        """Whether an item may as well come before a run."""
        own, others = effects(self.program, item), [effects(self.program, member) for member, _ in run.members]
        if CHECKED in own.reads | own.writes:
            return False
        return all(
            own.writes.isdisjoint(other.reads | other.writes) and own.reads.isdisjoint(other.writes) for other in others
        )

    # --- whether it pays ---

    def pays(self, run: _Run) -> bool:
        several = self.several(run)
        operations = sum(work(self.program, kernel) for kernel in kernels(tuple(member for member, _ in run.members)))
        return (
            len(run.members) > 1
            and self.flow(run.members) >= self.limits.flow
            and operations >= self.limits.least * several
        )

    def several(self, run: _Run) -> int:
        return capacity(self.program, run.axis.extent)

    def flow(self, members: Iterable[tuple[Member, str]]) -> int:
        """Bytes of what one member writes and another one touches, inside a loop of one of its iterations."""
        sizes: dict[str, int] = {}
        written: set[str] = set()
        for member, _ in members:
            accesses = list(_accesses(member))
            for access in accesses:
                if access.buffer in written:
                    sizes[access.buffer] = self.bytes(access)
            written |= {access.buffer for access in accesses if isinstance(access, Store)}
        return sum(size for name, size in sizes.items() if self.outer or self.program.buffers[name].role != "local")

    def bytes(self, access: Access) -> int:
        buffer = self.program.buffers[access.buffer]
        size = BYTES[buffer.dtype]
        for part, dim in zip(access.index, buffer.shape, strict=True):
            size *= 1 if self.outer and part == axis_index(self.outer) else capacity(self.program, dim)
        return size

    # --- what it becomes ---

    def loop(self, run: _Run) -> Sequence:
        used = {self.outer, *(name for member, _ in run.members for name in _axis_names(member))}
        axis = replace(run.axis, name=AxisNames((*self.program.dims, *used)).take(run.axis.extent))
        local = self.only_inside(run)
        for name, at in local.items():
            buffer = self.buffers[name]
            self.buffers[name] = replace(buffer, role="local", shape=_without(buffer.shape, at))

        def place(buffer: str, index: tuple[Index, ...]) -> Place:
            return buffer, _without(index, local[buffer]) if buffer in local else index

        items: list[Item] = []
        for member, own in run.members:
            for kernel in kernels((member,)):
                inner = _within(kernel, own, axis.name)
                items.append(replace(inner, body=map_places(inner.body, place)))
        if self.outer:
            return Sequence(axis, tuple(items))
        once_more = _Runs(replace(self.program, buffers=self.buffers, items=tuple(items)), INSIDE, axis.name)
        found = once_more.collected(tuple(items))
        self.buffers = once_more.buffers
        return Sequence(axis, found, parallel=True)

    def only_inside(self, run: _Run) -> Mapping[str, int]:
        """Arrays that nobody else uses, with the index of the images in each."""
        inside = [id(member) for member, _ in run.members]
        outside = set(conditions(self.program.items))
        for item in self.program.items:
            if id(item) not in inside:
                outside |= {access.buffer for access in _accesses(item)}
        outside |= {buffer.view_of for buffer in self.program.buffers.values() if buffer.view_of}
        found: dict[str, int] = {}
        for member, axis in run.members:
            for store in (store for kernel in kernels((member,)) for store in stores(kernel.body)):
                buffer = self.program.buffers[store.buffer]
                free = buffer.role == self.limits.shrinks and buffer.view_of is None and buffer.name not in outside
                if free and axis_index(axis) in store.index:
                    found[buffer.name] = store.index.index(axis_index(axis))
        return found


Part = TypeVar("Part")


def _without(parts: tuple[Part, ...], at: int) -> tuple[Part, ...]:
    return (*parts[:at], *parts[at + 1 :])


def _accesses(item: Item) -> Iterator[Access]:
    for kernel in kernels((item,)):
        yield from loads(kernel.body)
        yield from stores(kernel.body)


def _axis_names(member: Member) -> Iterator[str]:
    """The axes of all kernels, and of what is in them."""
    if isinstance(member, Sequence):
        yield member.axis.name
    for kernel in kernels((member,)):
        yield from (axis.name for axis in (*kernel.axes, *bound_axes(kernel.body)))


def _within(kernel: Kernel, own: str, axis: str) -> Kernel:
    """A kernel for one position of the axis that it calls `own`."""
    body = rename_axes_block(kernel.body, {own: axis})
    return replace(kernel, axes=tuple(one for one in kernel.axes if one.name != own), body=body)


DEPTH = Pass("depth", "do kernels on the same images image by image, several at the same time", depth)
