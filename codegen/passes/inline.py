"""Inline: kernels that map element by element vanish into the kernels that read them.

What only moves elements (transpose, slice, padding, broadcast) is substituted wherever the access stays affine. What
computes is substituted where that repeats nothing dear: into its only reader, or into several if it is nearly free;
never inside a loop that would repeat it, never as an operand of a contraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from codegen.loops.grammar import (
    Affine,
    Axis,
    Index,
    Item,
    Kernel,
    Let,
    Load,
    Loop,
    Program,
    Reduce,
    Ref,
    Scalar,
    Stmt,
    Store,
    loads,
    scalars_of,
    statements,
    stores,
    subscalars,
)
from codegen.loops.ranges import injective
from codegen.loops.rewrite import map_scalar, substitute
from codegen.passes.core import Pass, axes_in, bound_axes, contraction, cost, map_kernels, storage, with_items
from codegen.passes.guards import guard_moves, guarded, may_leave
from symnet.expr.dims import Dim, Shape

NEARLY_FREE = 2
"""What may be computed once for every reader."""

SCALAR_COST = 4
"""What a scalar may cost to be computed by every kernel that reads it (outside its loops)."""

MOST_LETS = 16
"""Statements that a producer may have; longer ones join their readers in other passes, which copy less."""

MOST_NESTED = 12
"""Operations in one expression, beyond which a value gets a name."""


@dataclass(frozen=True)
class Producer:
    """A kernel that computes `buffer[i…] = value` for every element.

    axes  for each axis of the buffer the axis of the kernel; None for a size of 1
    """

    buffer: str
    axes: tuple[Axis | None, ...]
    lets: tuple[Let, ...]
    value: Scalar
    cost: int

    @property
    def loads(self) -> list[Load]:
        return [node for stmt in self.lets for node in _loads_in(stmt.value)] + _loads_in(self.value)


@dataclass(frozen=True)
class Site:
    """A place where a kernel reads a producer's buffer: in a loop that repeats it, as an operand of a contraction,
    with a guard that is needed along the axes `leaving` of the buffer."""

    load: Load
    repeated: bool
    operand: bool
    leaving: frozenset[int]


def inline(program: Program) -> Program:
    """The program with producers substituted; their kernels stay until nothing reads them (`dead` removes them)."""
    return _Inliner(program).run()


class _Inliner:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.kernels: list[Kernel] = []
        self.path: list[tuple[int, ...]] = []
        self.readers: dict[str, dict[int, None]] = {}
        self.writers: dict[str, list[int]] = {}
        self.views = {buffer.view_of for buffer in program.buffers.values()}
        self._collect(program.items, ())

    def _collect(self, items: tuple[Item, ...], path: tuple[int, ...]) -> None:
        for position, item in enumerate(items):
            if not isinstance(item, Kernel):
                self._collect(item.items, (*path, position))
                continue
            number = len(self.kernels)
            self.kernels.append(item)
            self.path.append(path)
            self._note_reads(number)
            for store in stores(item.body):
                self.writers.setdefault(storage(self.program, store.buffer), []).append(number)

    def _note_reads(self, number: int) -> None:
        for load in loads(self.kernels[number].body):
            self.readers.setdefault(load.buffer, {})[number] = None

    def run(self) -> Program:
        for number in range(len(self.kernels)):
            producer = self._producer(number)
            if producer is None:
                continue
            for reader in self._chosen(number, producer):
                self.kernels[reader] = self._substituted(self.kernels[reader], producer)
                del self.readers[producer.buffer][reader]
                self._note_reads(reader)
        numbered = iter(self.kernels)
        return with_items(self.program, map_kernels(self.program.items, lambda _: next(numbered)))

    def _substituted(self, kernel: Kernel, producer: Producer) -> Kernel:
        shape = self.program.buffers[producer.buffer].shape
        return replace(kernel, body=_Substitution(kernel, producer, shape).block(kernel.body, {}))

    # --- what can be substituted ---

    def _producer(self, number: int) -> Producer | None:
        """The kernel as a producer of a scratch buffer, if that is all it does."""
        kernel = self.kernels[number]
        *lets, last = kernel.body
        if not isinstance(last, Store) or last.accumulate or not all(isinstance(stmt, Let) for stmt in lets):
            return None
        buffer = self.program.buffers[last.buffer]
        if buffer.role != "scratch" or buffer.view_of or buffer.name in self.views:
            return None
        if len(lets) > MOST_LETS or self.writers[buffer.name] != [number] or buffer.name not in self.readers:
            return None
        extents = {axis.name: axis for axis in kernel.axes}
        axes: list[Axis | None] = []
        for part, dim in zip(last.index, buffer.shape, strict=True):
            axis = extents.pop(part.terms[0][0], None) if isinstance(part, Affine) and part.terms else None
            whole = axis is not None and part == Affine(((axis.name, 1),)) and axis.extent == dim
            if not (whole or (dim == 1 and part == Affine())):
                return None
            axes.append(axis)
        if extents:
            return None
        values = [stmt for stmt in lets if isinstance(stmt, Let)]
        total = sum(cost(stmt.value) for stmt in values) + cost(last.value)
        return Producer(buffer.name, tuple(axes), tuple(values), last.value, total)

    def _chosen(self, number: int, producer: Producer) -> list[int]:
        """The readers that the producer is substituted into."""
        readers = [r for r in self.readers[producer.buffer] if self._unchanged(number, r, producer)]
        shape = self.program.buffers[producer.buffer].shape
        sites = {r: list(_sites(self.kernels[r], producer.buffer, shape)) for r in readers}
        if producer.cost == 0:
            return [r for r in readers if all(self._can_move(producer, site) for site in sites[r])]
        every = [site for reader in readers for site in sites[reader]]
        if len(readers) < len(self.readers[producer.buffer]) or any(s.operand for s in every):
            return []
        if any(s.load.fill is not None and (producer.lets or not self._guard_moves(producer, s)) for s in every):
            return []
        if not any(producer.axes):
            return readers if producer.cost <= SCALAR_COST else []
        if any(site.repeated for site in every):
            return []
        if len({(reader, site.load) for reader in readers for site in sites[reader]}) == 1:
            return readers
        return readers if producer.cost <= NEARLY_FREE and self._reads_little(number, producer) else []

    def _reads_little(self, number: int, producer: Producer) -> bool:
        """Whether reading what the producer reads costs its readers no more than reading its result.

        That is so when it reads one array of its size, and that array stays in memory anyway: if only the producer
        reads it, the producer had better join the kernel that computes it.
        """
        own = {axis.name for axis in producer.axes if axis}
        large = {load.buffer for load in producer.loads if own <= axes_in(load.index)}
        if len(large) > 1:
            return False
        return not any(self._is_own(number, buffer) for buffer in large)

    def _is_own(self, number: int, buffer: str) -> bool:
        """Whether a kernel is the only one that reads a scratch buffer."""
        role = self.program.buffers[storage(self.program, buffer)].role
        return role == "scratch" and set(self.readers[buffer]) == {number}

    def _can_move(self, producer: Producer, site: Site) -> bool:
        """Whether a producer that computes nothing can stand where its buffer is read."""
        source = producer.value
        if isinstance(source, Load):
            if not all(isinstance(part, Affine) for part in source.index) and (site.operand or site.repeated):
                return False
            return site.load.fill is None or self._guard_moves(producer, site)
        return site.load.fill is None and not site.operand

    def _guard_moves(self, producer: Producer, site: Site) -> bool:
        """Whether leaving the producer's buffer is the same as leaving what it is computed from."""
        assert site.load.fill is not None
        if any(producer.axes[position] is None for position in site.leaving):
            return False
        return guard_moves(self.program, producer.value, _leaving(producer, site.leaving), site.load.fill)

    def _unchanged(self, number: int, reader: int, producer: Producer) -> bool:
        """Whether what the producer reads has the same values when the reader runs."""
        if reader < number:
            return False
        here, there = self.path[number], self.path[reader]
        if there[: len(here)] != here:
            return False
        for load in producer.loads:
            for writer in self.writers.get(storage(self.program, load.buffer), []):
                inside = len(there) > len(here) and self.path[writer][: len(there)] == there[: len(here) + 1]
                if number < writer <= reader or inside:
                    return False
        return True


def _leaving(producer: Producer, positions: frozenset[int]) -> tuple[Axis, ...]:
    """The producer's axes at these positions of its buffer."""
    return tuple(axis for position, axis in enumerate(producer.axes) if axis is not None and position in positions)


# --- where it is read --------------------------------------------------------------------------------------------


def _loads_in(scalar: Scalar) -> list[Load]:
    return [node for node in subscalars(scalar) if isinstance(node, Load)]


def _sites(kernel: Kernel, buffer: str, shape: Shape) -> Iterator[Site]:
    """Every read of the buffer in a kernel."""
    product, extents = contraction(kernel), _extents(kernel)

    def visit(body: tuple[Stmt, ...], axes: tuple[Axis, ...]) -> Iterator[Site]:
        for stmt in body:
            inner = (*axes, *stmt.axes) if isinstance(stmt, (Loop, Reduce)) else axes
            for scalar in scalars_of(stmt):
                for load in _loads_in(scalar):
                    if load.buffer == buffer:
                        used = axes_in(load.index)
                        unused = any(axis.name not in used for axis in inner if axis.extent != 1)
                        repeated = unused or not _once(load.index, extents)
                        operand = product is not None and stmt is kernel.body[0]
                        yield Site(load, repeated, operand, may_leave(load, shape, extents))
            if isinstance(stmt, (Loop, Reduce)):
                yield from visit(stmt.body, inner)
            if isinstance(stmt, Reduce):
                yield from visit(stmt.each, inner)

    return visit(kernel.body, kernel.axes)


def _once(index: tuple[Index, ...], extents: dict[str, Dim]) -> bool:
    """Whether an element is evidently read once: the affine parts of the index alone tell all positions apart. (A class
    that is picked from each row: [n, {y[n]}].)"""
    affine = tuple(part for part in index if isinstance(part, Affine))
    return injective(affine, extents) and axes_in(index) <= axes_in(affine)


def _extents(kernel: Kernel) -> dict[str, Dim]:
    return {axis.name: axis.extent for axis in (*kernel.axes, *bound_axes(kernel.body))}


# --- substitution ------------------------------------------------------------------------------------------------


class _Substitution:
    """Replaces the reads of a producer's buffer in one kernel; each index is computed once in a block."""

    def __init__(self, kernel: Kernel, producer: Producer, shape: Shape) -> None:
        self.producer, self.shape, self.extents = producer, shape, _extents(kernel)
        self.taken = {s.name for s in statements(kernel.body) if isinstance(s, (Let, Reduce))}
        reads = [load for load in loads(kernel.body) if load.buffer == producer.buffer]
        self.count = {load: reads.count(load) for load in reads}

    def block(self, body: tuple[Stmt, ...], known: dict[Load, Scalar]) -> tuple[Stmt, ...]:
        known, result = dict(known), list[Stmt]()
        for stmt in body:
            if isinstance(stmt, Loop):
                result.append(Loop(stmt.axes, self.block(stmt.body, known), stmt.origin))
            elif isinstance(stmt, Reduce):
                result.append(self._reduce(stmt, known))
            else:
                result += self._simple(stmt, known)
        return tuple(result)

    def _reduce(self, stmt: Reduce, known: dict[Load, Scalar]) -> Reduce:
        inner = list(self.block(stmt.body, known))
        value = self._scalar(stmt.value, dict(known), inner)
        return replace(stmt, body=tuple(inner), value=value, each=self.block(stmt.each, known))

    def _simple(self, stmt: Stmt, known: dict[Load, Scalar]) -> list[Stmt]:
        before: list[Stmt] = []
        if isinstance(stmt, Let):
            stmt = Let(stmt.name, self._scalar(stmt.value, known, before), stmt.origin)
        elif isinstance(stmt, Store):
            index = tuple(i if isinstance(i, Affine) else self._scalar(i, known, before) for i in stmt.index)
            value = self._scalar(stmt.value, known, before)
            stmt = Store(stmt.buffer, index, value, stmt.accumulate, stmt.origin)
        else:
            assert not isinstance(stmt, (Loop, Reduce))
            stmt = replace(stmt, condition=self._scalar(stmt.condition, known, before))
        return [*before, stmt]

    def _scalar(self, scalar: Scalar, known: dict[Load, Scalar], before: list[Stmt]) -> Scalar:
        def visit(node: Scalar) -> Scalar:
            if not isinstance(node, Load) or node.buffer != self.producer.buffer:
                return node
            if node not in known:
                known[node] = self._value(node, before)
            return known[node]

        return map_scalar(scalar, visit)

    def _value(self, load: Load, before: list[Stmt]) -> Scalar:
        """The producer's value at the index of a load; what has a name or is used again is bound in `before`."""
        producer = self.producer
        parts = {axis.name: i for axis, i in zip(producer.axes, load.index, strict=True) if axis is not None}
        bound: dict[str, Scalar] = {}

        def renamed(scalar: Scalar) -> Scalar:
            scalar = substitute(scalar, parts)
            return map_scalar(scalar, lambda n: bound.get(n.name, n) if isinstance(n, Ref) else n) if bound else scalar

        for let in producer.lets:
            name = self._fresh(let.name)
            before.append(Let(name, renamed(let.value), let.origin))
            bound[let.name] = Ref(name, let.value.dtype)
        value = producer.value
        if load.fill is not None:
            value = guarded(value, _leaving(producer, may_leave(load, self.shape, self.extents)), load.fill)
        value = renamed(value)
        once = self.count.get(load, 2) == 1 and producer.cost <= MOST_NESTED
        if producer.cost == 0 or not any(producer.axes) or once:
            return value
        name = self._fresh(producer.buffer)
        before.append(Let(name, value))
        return Ref(name, value.dtype)

    def _fresh(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name


INLINE = Pass("inline", "substitute element-wise kernels into those that read them", inline)
