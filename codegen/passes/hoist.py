"""Hoist: contractions leave the loops over kernels that repeat them, and become one large contraction.

before the loop  a contraction that needs nothing the loop computes (the input projection of a recurrent network, and
                 what its reverse computes again from the states that the forward loop kept) gets the step as an axis
after the loop   a carry that is only added to (the gradient of a weight) becomes one sum over all steps

What a step kept for itself is then kept for every step: a scratch array gets the step as a leading axis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Index,
    Item,
    Kernel,
    Load,
    Program,
    Reduce,
    Ref,
    Scalar,
    Sequence,
    Stmt,
    Store,
    conditions,
    kernels,
    loads,
    stores,
)
from codegen.loops.rewrite import Place, axis_index, map_places, rename_axes_block
from codegen.lower.names import AxisNames, Names
from codegen.passes.core import (
    CHECKED,
    Pass,
    axes_in,
    bound_axes,
    contraction,
    effects,
    is_check,
    plain_axis,
    storage,
)
from codegen.passes.history import Rows
from codegen.passes.merge import mergeable
from symnet.expr import dims


def hoist(program: Program) -> Program:
    """The program with every outermost loop over kernels relieved of what can be done for all steps at once."""
    position = 0
    while position < len(program.items):
        item = program.items[position]
        parts: tuple[Item, ...] = (item,)
        if isinstance(item, Sequence):
            work = _Distribution(program, item)
            parts = work.parts()
            if parts != (item,):
                items = (*program.items[:position], *parts, *program.items[position + 1 :])
                program = replace(program, items=tuple(map(work.rewritten, items)), buffers=work.new_buffers())
        position += len(parts)
    return program


@dataclass(frozen=True)
class Accumulation:
    """`carry[new, i] = carry[old, i] + term`: a carry that is only added to.

    kernel    the kernel that adds
    producer  the kernel that computes the term, if the term is an element of an array of its own
    """

    kernel: Kernel
    store: Store
    old: Load
    term: Scalar
    producer: Kernel | None


class _Distribution:
    """One loop over kernels, and what can be done before and after it."""

    def __init__(self, program: Program, loop: Sequence) -> None:
        self.program, self.loop = program, loop
        self.t = loop.axis.name
        self.rows = Rows.of(loop)
        self.direct = [item for item in loop.items if isinstance(item, Kernel) and mergeable(item)]
        inside = list(kernels(loop.items))
        names = {kernel.name for kernel in inside}
        self.inside = _accesses(program, inside)
        self.outside = _accesses(program, (kernel for kernel in kernels(program.items) if kernel.name not in names))
        self.writers: dict[str, list[Kernel]] = {}
        for kernel in inside:
            for store in stores(kernel.body):
                self.writers.setdefault(storage(program, store.buffer), []).append(kernel)
        self.has_checks = any(is_check(kernel) for kernel in inside)
        self.asked = set(conditions(program.items))
        self.expanded: set[str] = set()
        self.totals: dict[str, str] = {}  # a carry that became a sum -> the array of its first row

    def parts(self) -> tuple[Item, ...]:
        """What stands for the loop: kernels before it, the loop (if something is left), kernels after it."""
        after: list[Kernel] = []
        gone: set[str] = set()
        for kernel in self.direct:
            found = self._accumulation(kernel)
            if found is not None and (total := self._total(found)) is not None:
                after.append(total)
                gone |= {k.name for k in (found.kernel, found.producer) if k is not None}
        before = self._independent([kernel for kernel in self.direct if kernel.name not in gone])
        if not before and not after:
            return (self.loop,)
        gone |= {kernel.name for kernel in before}
        hoisted = [replace(kernel, axes=(self.loop.axis, *kernel.axes)) for kernel in before]
        left = tuple(item for item in self.loop.items if not (isinstance(item, Kernel) and item.name in gone))
        return (*hoisted, *([replace(self.loop, items=left)] if left else []), *after)

    # --- arrays --------------------------------------------------------------------------------------------------

    def _is_temporary(self, name: str) -> bool:
        """Whether an array is scratch of a single step: it can be kept for every step instead."""
        moving = any(self.t in axes_in(access.index) for access in self.inside.get(name, ()))
        known = name in self.outside or name in self.asked
        return self.program.buffers[name].role == "scratch" and not known and not moving

    def _row(self, access: Load | Store) -> bool:
        """Whether an access goes to the row of the step, at a fixed distance, along the first axis."""
        if not access.index or self.t in axes_in(access.index[1:]):
            return False
        first = access.index[0]
        return isinstance(first, Affine) and first.terms == ((self.t, 1),)

    def _kept(self, load: Load) -> bool:
        """Whether what a step reads can still be read after the loop; temporaries are then kept for every step."""
        name = storage(self.program, load.buffer)
        if name not in self.writers or self._is_temporary(name):
            return True
        written = [access for access in self.inside[name] if isinstance(access, Store)]
        return self._row(load) and all(self._row(s) and s.buffer == load.buffer for s in written)

    def new_buffers(self) -> dict[str, Buffer]:
        """The arrays of the program, temporaries of moved kernels kept for every step, sums without steps."""
        length = self.loop.axis.extent
        result: dict[str, Buffer] = {}
        for name, buffer in self.program.buffers.items():
            if storage(self.program, name) in self.expanded:
                buffer = replace(buffer, shape=(length, *buffer.shape))
            elif name in self.totals:
                buffer = replace(buffer, shape=buffer.shape[1:])
                result[self.totals[name]] = replace(buffer, name=self.totals[name])
            result[name] = buffer
        return result

    def rewritten(self, item: Item) -> Item:
        """An item of the program with the places of its accesses as `new_buffers` has them."""
        if not isinstance(item, Kernel):
            return replace(item, items=tuple(map(self.rewritten, item.items)))

        def place(buffer: str, index: tuple[Index, ...]) -> Place:
            if buffer in self.totals:
                return (self.totals[buffer] if index[0] == self.rows.begin else buffer), index[1:]
            kept = storage(self.program, buffer) in self.expanded
            return buffer, (axis_index(self.t), *index) if kept else index

        return replace(item, body=map_places(item.body, place))

    # --- after the loop ------------------------------------------------------------------------------------------

    def _accumulation(self, kernel: Kernel) -> Accumulation | None:
        """The kernel as one that only adds to a carry."""
        if len(kernel.body) != 1 or not isinstance(store := kernel.body[0], Store):
            return None
        if not isinstance(store.value, Apply) or store.value.fn != "add" or store.buffer not in self.inside:
            return None
        for old, term in (store.value.args, store.value.args[::-1]):
            if not isinstance(old, Load) or old.buffer != store.buffer or not store.index:
                continue
            steps = old.index == (self.rows.old, *store.index[1:]) and store.index[0] == self.rows.new
            if steps and self._only_added(store, old):
                return Accumulation(kernel, store, old, term, self._producer(kernel, term))
        return None

    def _only_added(self, store: Store, old: Load) -> bool:
        """Whether the carry is used for nothing else: outside the loop only its first and last rows are touched."""
        ends = (self.rows.begin, self.rows.end)
        name = store.buffer
        buffer = self.program.buffers[name]
        if buffer.view_of or any(other.view_of == name for other in self.program.buffers.values()):
            return False
        if dims.add(self.loop.axis.extent, 1) != buffer.shape[0]:
            return False
        inside = [access for access in self.inside[name] if access is not store and access is not old]
        return not inside and all(access.index[0] in ends for access in self.outside.get(name, ()))

    def _producer(self, kernel: Kernel, term: Scalar) -> Kernel | None:
        """The kernel whose result the term is an element of, if nothing else reads that."""
        if not isinstance(term, Load) or not self._is_temporary(storage(self.program, term.buffer)):
            return None
        name = storage(self.program, term.buffer)
        readers = [access for access in self.inside[name] if isinstance(access, Load)]
        if len(readers) != 1 or len(self.writers[name]) != 1:
            return None
        (writer,) = self.writers[name]
        last = writer.body[-1]
        plain = isinstance(last, Store) and last.buffer == term.buffer and _plain_axes(last.index, writer)
        single = len(writer.body) == 1 or (len(writer.body) == 2 and _is_sum(writer.body[0], last))
        return writer if plain and single and _plain_axes(term.index, kernel) and writer in self.direct else None

    def _total(self, found: Accumulation) -> Kernel | None:
        """The sum over all steps, added to the first row and stored to the last one; None when it cannot be moved."""
        kernel, term = found.kernel, found.term
        axes: tuple[Axis, ...] = (self.loop.axis,)
        body: tuple[Stmt, ...] = ()
        origin = found.store.origin
        if found.producer is not None:
            last = found.producer.body[-1]
            assert isinstance(last, Store)
            assert isinstance(term, Load)
            pairs = [(plain_axis(i), plain_axis(j)) for i, j in zip(last.index, term.index, strict=True)]
            names = {there: here for there, here in pairs if there}
            renamed = rename_axes_block(found.producer.body, _apart(found.producer, kernel, names))
            first, last = renamed[0], renamed[-1]
            assert isinstance(last, Store)
            term = last.value
            if isinstance(first, Reduce):
                axes, body, term, origin = (*axes, *first.axes), first.body, first.value, first.origin
        total = Reduce("acc", "sum", axes, body, term, origin=origin)
        moved = [load for load in loads((total,)) if load.buffer != found.store.buffer]
        if len(moved) != len(list(loads((total,)))) or not all(self._kept(load) for load in moved):
            return None
        read = {storage(self.program, load.buffer) for load in moved}
        self.expanded |= {name for name in read if name in self.writers and self._is_temporary(name)}
        name = found.store.buffer
        self.totals[name] = Names(self.program.buffers).fresh(f"{name}_first")
        rest = found.store.index[1:]
        begin = replace(found.old, index=(self.rows.begin, *rest))
        value = Apply("add", (begin, Ref("acc", term.dtype)), found.old.dtype, found.store.origin)
        store = replace(found.store, index=(self.rows.end, *rest), value=value)
        note = (found.producer or kernel).note
        return Kernel(kernel.name, kernel.axes, (total, store), note=note)

    # --- before the loop -----------------------------------------------------------------------------------------

    def _independent(self, candidates: list[Kernel]) -> list[Kernel]:
        """The contractions that need nothing the loop computes, and the kernels they need; all in order.

        A kernel is independent when all that writes what it reads is independent and stands before it in the loop.
        """
        free: dict[str, Kernel] = {}
        barred: set[str] = set()
        while True:
            free.clear()
            for kernel in candidates:
                written_by = {w.name for name in self._read(kernel) for w in self._of(name)}
                if kernel.name not in barred and written_by <= set(free) and self._writes_apart(kernel):
                    free[kernel.name] = kernel
            shared = {name for name, kernel in free.items() if not self._writers_beside(kernel) <= set(free)}
            if not shared:
                break
            barred |= shared
        needed: set[str] = set()
        for kernel in reversed(list(free.values())):
            if contraction(kernel) is not None or kernel.name in needed:
                needed |= {kernel.name, *(w.name for name in self._read(kernel) for w in self._of(name))}
        for kernel in free.values():
            if kernel.name not in needed and self._continues(kernel, needed):
                needed.add(kernel.name)
        chosen = [kernel for kernel in free.values() if kernel.name in needed]
        for kernel in chosen:
            self.expanded |= {name for name in self._written(kernel) if self._is_temporary(name)}
        return chosen

    def _continues(self, kernel: Kernel, needed: set[str]) -> bool:
        """Whether a kernel maps what leaves the loop element by element, so that it can join the kernel before it."""
        if len(kernel.body) != 1 or not isinstance(last := kernel.body[0], Store):
            return False
        inside = [load for load in loads(kernel.body) if storage(self.program, load.buffer) in self.writers]
        writers = {w.name for load in inside for w in self._of(storage(self.program, load.buffer))}
        shape = self.program.buffers[last.buffer].shape
        same = all(load.index == last.index and self.program.buffers[load.buffer].shape == shape for load in inside)
        return bool(inside) and writers <= needed and same

    def _writers_beside(self, kernel: Kernel) -> set[str]:
        """The kernels of the loop that write the same arrays."""
        return {writer.name for name in self._written(kernel) for writer in self._of(name)}

    def _of(self, name: str) -> list[Kernel]:
        return self.writers.get(name, [])

    def _read(self, kernel: Kernel) -> set[str]:
        return {storage(self.program, load.buffer) for load in loads(kernel.body)}

    def _written(self, kernel: Kernel) -> set[str]:
        return {storage(self.program, store.buffer) for store in stores(kernel.body)}

    def _writes_apart(self, kernel: Kernel) -> bool:
        """Whether different steps write to different places, or can; and no check in the loop has to come first."""
        if self.has_checks and CHECKED in effects(self.program, kernel).reads:
            return False
        return all(self._row(s) or self._is_temporary(storage(self.program, s.buffer)) for s in stores(kernel.body))


def _accesses(program: Program, found: Iterable[Kernel]) -> dict[str, list[Load | Store]]:
    """Loads and stores by storage."""
    result: dict[str, list[Load | Store]] = {}
    for kernel in found:
        touched: list[Load | Store] = [*loads(kernel.body), *stores(kernel.body)]
        for access in touched:
            result.setdefault(storage(program, access.buffer), []).append(access)
    return result


def _plain_axes(index: tuple[Index, ...], kernel: Kernel) -> bool:
    """Whether an index is made of all axes of a kernel, each alone; 0 along axes of size 1."""
    axes = sorted(axis.name for axis in kernel.axes)
    return sorted(filter(None, map(plain_axis, index))) == axes and all(plain_axis(i) or i == Affine() for i in index)


def _is_sum(first: Stmt, last: Stmt) -> bool:
    if not isinstance(first, Reduce) or first.reducer != "sum" or first.each or not isinstance(last, Store):
        return False
    return last.value == Ref(first.name, first.value.dtype)


def _apart(producer: Kernel, kernel: Kernel, names: dict[str, str]) -> dict[str, str]:
    """How the producer's axes are renamed: its own as the kernel's, those of its sum apart from all others."""
    fresh = AxisNames((*(axis.name for axis in kernel.axes), *(axis.name for axis in producer.axes)))
    for axis in bound_axes(producer.body):
        if axis.name in {a.name for a in kernel.axes}:
            names[axis.name] = fresh.take(axis.extent)
        else:
            fresh.taken.add(axis.name)
    return {old: new for old, new in names.items() if old != new}


HOIST = Pass("hoist", "take contractions out of the loops that repeat them", hoist)
