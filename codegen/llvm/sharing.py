"""Where threads must wait for each other, and which kernels are worth sharing out at all.

A kernel is either run by thread 0 alone or shared out statically. A barrier is needed before a kernel that touches
memory which another thread may still be writing (or reading, if the kernel writes it): that is, when one of the
kernels since the last barrier touches the same memory, one of the two writes, and not both run on thread 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from codegen.choices import Choices
from codegen.llvm.functions import MATH
from codegen.llvm.nest_plan import partition
from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Branch,
    Check,
    Item,
    Kernel,
    Load,
    Loop,
    Program,
    Reduce,
    Sequence,
    Stmt,
    Store,
    accesses,
    kernels,
    scalars_of,
    statements,
    stores,
    subscalars,
)
from symnet.expr import dims as dimension
from symnet.expr.dtypes import BYTES

MATH_COST = 8.0
"""A transcendental function, in simple vector operations."""
SHARE_ABOVE = 3_000.0
"""The least cost at which a kernel is shared out: what is saved must exceed two barriers of some 0.3 µs."""
THREADS_ABOVE = 60_000.0
"""The least cost of the shared kernels of an entry at which more than one thread pays."""
MEETING = 1_200.0
"""What the shared kernels have to cost for each barrier (0.3 µs, as long as so many such operations) where threads are
awake, to be worth a try: which way is faster is measured as they run (`symnet.runtime.spread`, `ready`)."""
ROUND = 1
"""Barriers of each round of a loop over batches."""


def cost(kernel: Kernel, program: Program, lanes: int = 16) -> float:
    """Estimated vector operations of a kernel at the capacities; a memory access counts as one."""
    volume = _volume(kernel.axes, program)
    if kernel.schedule.form == "contract":  # fused multiply-adds on registers, two at a time
        product = next(stmt for stmt in kernel.body if isinstance(stmt, Reduce))
        rest = tuple(stmt for stmt in kernel.body if stmt is not product)
        return volume * (_volume(product.axes, program) / 2 + _block_cost(rest, program)) / lanes
    return volume * _block_cost(kernel.body, program) / (lanes if kernel.schedule.vector else 1)


def _volume(axes: tuple[Axis, ...], program: Program) -> float:
    total = 1.0
    for axis in axes:
        total *= dimension.evaluate(axis.extent, program.dims)
    return total


def _block_cost(body: tuple[Stmt, ...], program: Program) -> float:
    total = 0.0
    for stmt in body:
        own = float(isinstance(stmt, Store)) + sum(_scalar_cost(part) for part in _parts(stmt))
        if isinstance(stmt, Loop):
            total += _volume(stmt.axes, program) * _block_cost(stmt.body, program)
        elif isinstance(stmt, Reduce):
            inner = own + _block_cost(stmt.body, program) + _block_cost(stmt.each, program)
            total += _volume(stmt.axes, program) * (1.0 + inner)
        else:
            total += own
    return total


def _parts(stmt: Stmt) -> list[object]:
    return [part for scalar in scalars_of(stmt) for part in subscalars(scalar)]


def _scalar_cost(part: object) -> float:
    if isinstance(part, Load):
        return 1.0
    if isinstance(part, Apply):
        return MATH_COST if part.fn in (*MATH, "pow", "div", "sqrt", "mod", "floordiv", "philox") else 1.0
    return 0.0


@dataclass(frozen=True)
class Span:
    """Memory that a kernel touches: bytes of the arena, or a buffer that lives elsewhere."""

    place: str
    start: int
    stop: int
    writes: bool
    slabs: tuple[object, ...] | None
    """Set when share k of the kernel touches only slab k of a buffer: then equal slabs mean equal threads."""

    def meets(self, other: Span) -> bool:
        return (
            (self.writes or other.writes)
            and self.place == other.place
            and self.start < other.stop
            and other.start < self.stop
        )


def spans(kernel: Kernel, program: Program) -> list[Span]:
    """Everything a kernel touches."""
    found: dict[Span, None] = {}
    axis = _divided(kernel, program)
    for access in accesses(kernel.body):
        whole = span(program, access.buffer, isinstance(access, Store))
        slabs = None if axis is None else _slab(axis, kernel.schedule.band, access, program)
        found[replace(whole, slabs=slabs)] = None
    return list(found)


def span(program: Program, name: str, writes: bool) -> Span:
    """The memory of a buffer."""
    buffer = program.buffers[name]
    root = program.buffers[buffer.view_of or buffer.name]
    size = BYTES[root.dtype]
    for extent in dimension.evaluate_shape(root.shape, program.dims):
        size *= extent
    place, start = (root.name, 0) if root.offset is None else ("arena", root.offset)
    return Span(place, start, start + max(size, 1), writes, None)


def _divided(kernel: Kernel, program: Program) -> Axis | None:
    """The axis along which a kernel is shared out, where that is a single one: share k touches slab k of what has it
    for an index by itself."""
    if kernel.schedule.band:
        return kernel.axes[0]
    if kernel.schedule.form != "nest":
        return None
    work = partition(kernel, program)
    return work.shared[0] if len(work.shared) == 1 and work.shared[0] is not work.vector else None


def _slab(axis: Axis, band: int, access: Load | Store, program: Program) -> tuple[object, ...] | None:
    """What identifies the slabs of a buffer when threads share an axis in bands; None if it is no index by itself."""
    buffer = program.buffers[access.buffer]
    alone = Affine(((axis.name, 1),))
    if alone not in access.index:
        return None
    root = program.buffers[buffer.view_of or buffer.name]
    return axis.extent, band, root.name, buffer.shape, access.index.index(alone)


@dataclass
class Sharing:
    """The decisions for one entry.

    shared    names of the kernels that are shared out; the others run on thread 0
    barriers  names of the kernels before which all threads meet
    repeats   names of the kernels that every thread runs by itself, all of it, instead of meeting the one that did
    pays      whether running on more than one thread is worth it
    repeated  the same for an entry that is run again and again, whose threads need not be woken
    outputs_apart  whether other threads than the first write outputs
    """

    shared: frozenset[str]
    barriers: set[str] = field(default_factory=set)
    repeats: frozenset[str] = frozenset()
    pays: bool = False
    repeated: bool = False
    outputs_apart: bool = False


def plan(program: Program, choices: Choices | None = None) -> Sharing:
    """Decide for every kernel of an entry, where `choices` do not."""
    choices = choices or Choices()
    costs = {kernel.name: (kernel, cost(kernel, program)) for kernel in kernels(program.items)}
    shared = {name for name, (kernel, value) in costs.items() if _is_shared(kernel, program, value, choices)}
    total = sum(costs[name][1] for name in shared)
    for loop in parallel_loops(program.items):
        inside = {kernel.name for kernel in kernels(loop.items)}
        worth = sum(costs[name][1] for name in inside) * dimension.evaluate(loop.axis.extent, program.dims)
        if worth >= SHARE_ABOVE:
            shared |= inside
            total += worth
    repeats = frozenset(name for name, (kernel, _) in costs.items() if _checks_inputs(kernel, program))
    pays = total >= THREADS_ABOVE and program.name not in choices.alone
    result = Sharing(frozenset(shared - repeats), set(), repeats, pays)
    _walk(program, program.items, [], result)
    result.outputs_apart = any(
        program.buffers[program.buffers[store.buffer].view_of or store.buffer].role == "output"
        for kernel in kernels(program.items)
        if kernel.name in shared
        for store in stores(kernel.body)
    )
    awake = total >= MEETING * (len(result.barriers) + ROUND) and program.name not in choices.alone
    result.repeated = result.pays or awake
    return result


def _is_shared(kernel: Kernel, program: Program, cost: float, choices: Choices) -> bool:
    decided = choices.of(kernel, program).shared
    if kernel.schedule.band:  # what the threads of one kernel of a run do, those of the next rely on
        return True
    return bool(kernel.schedule.parallel) and (cost >= SHARE_ABOVE if decided is None else decided)


def _checks_inputs(kernel: Kernel, program: Program) -> bool:
    """Whether a kernel does nothing but check what the caller gave: all threads find the same."""
    if not all(isinstance(stmt, Check) for stmt in kernel.body):
        return False
    roots = (program.buffers[access.buffer].view_of or access.buffer for access in accesses(kernel.body))
    return all(program.buffers[root].role == "input" for root in roots)


def parallel_loops(items: tuple[Item, ...]) -> Iterator[Sequence]:
    """The loops whose iterations threads share."""
    for item in items:
        if isinstance(item, Sequence) and item.parallel:
            yield item
        elif not isinstance(item, Kernel):
            yield from parallel_loops(item.items)


Pending = list[tuple[bool, list[Span]]]


def _walk(program: Program, items: tuple[Item, ...], pending: Pending, result: Sharing) -> Pending:
    """Mark barriers along `items`; `pending` is what ran since the last barrier, before and (returned) after."""
    for item in items:
        if isinstance(item, Sequence) and item.parallel:
            pending = _parallel(program, item, pending, result)
            continue
        if isinstance(item, Sequence):
            # a second round sees what the end of one iteration leaves to the beginning of the next
            once = _walk(program, item.items, list(pending), result)
            pending = pending + _walk(program, item.items, once, result)
            continue
        if isinstance(item, Branch):
            pending = _branch(program, item, pending, result)
            continue
        if item.name in result.repeats:
            continue
        shared = item.name in result.shared
        touched = spans(item, program)
        if item.name in result.barriers or _conflict(pending, shared, touched):
            result.barriers.add(item.name)
            pending = []
        pending = [*pending, (shared, touched)]
        if any(isinstance(stmt, Check) for stmt in statements(item.body)):
            pending = []  # all threads meet to learn what the check found
    return pending


def _parallel(program: Program, loop: Sequence, pending: Pending, result: Sharing) -> Pending:
    """A parallel loop is shared out like a kernel over its axis; threads meet before its first one, if at all."""
    name = next(kernel.name for kernel in kernels(loop.items))
    shared = name in result.shared
    touched: dict[Span, None] = {}
    for kernel in kernels(loop.items):
        for access in accesses(kernel.body):
            if program.buffers[access.buffer].role != "local":
                whole = span(program, access.buffer, isinstance(access, Store))
                slabs = _slab(loop.axis, 0, access, program)
                touched[replace(whole, slabs=slabs)] = None
    if name in result.barriers or _conflict(pending, shared, list(touched)):
        result.barriers.add(name)
        pending = []
    return [*pending, (shared, list(touched))]


def _branch(program: Program, item: Branch, pending: Pending, result: Sharing) -> Pending:
    """All threads read the condition, so they meet before if one may still be writing it; then all go the same way."""
    asked = [span(program, item.condition, writes=False)]
    if item.condition in result.barriers or _conflict(pending, True, asked):
        result.barriers.add(item.condition)
        pending = []
    pending = [*pending, (True, asked)]
    return pending + _walk(program, item.items, list(pending), result)


def _conflict(pending: Pending, shared: bool, touched: list[Span]) -> bool:
    for earlier_shared, earlier in reversed(pending):  # what has just been written is what is read most often
        if not shared and not earlier_shared:
            continue
        for a in earlier:
            for b in touched:
                same_thread = shared and earlier_shared and a.slabs is not None and a.slabs == b.slabs
                if a.meets(b) and not same_thread:
                    return True
    return False
