"""Schedule: which axes threads share, which one runs in vector lanes, which kernels are register-tiled contractions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from codegen.loops.copies import exchanged
from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Item,
    Kernel,
    Load,
    Loop,
    Program,
    Reduce,
    Schedule,
    Sequence,
    Stmt,
    Store,
    scalars_of,
    statements,
    stores,
    subscalars,
)
from codegen.passes.core import Pass, Roles, bound_axes, contraction, cost, is_check, volume, with_items

SERIAL_WORK = 50_000
"""Operations on elements below which a kernel is not worth a barrier (about 0.3 µs): one thread runs it."""

SERIAL_MACS = 60_000
"""Multiply-adds below which the same holds for a contraction."""

CONTRACT_MACS = 512
"""Multiply-adds from which the register-tiled form pays for its packing."""

MIN_SHARES = 16
"""Shares that the parallel axes should give, so that threads come out even."""

FEWEST_SHARES = 4
"""The same where it takes more to have more."""

FULL = 8
"""Lanes that an axis should at least fill."""

GAIN = {1: 32, 2: 16, 3: 8, 4: 8}
"""What an access to every first, second, … element is worth when all lanes are filled."""

FAR = -24
"""What an access to elements far apart is worth."""


def schedule(program: Program) -> Program:
    """Every kernel with a schedule."""
    return with_items(program, _items(program, program.items, False))


def _items(program: Program, items: tuple[Item, ...], alone: bool) -> tuple[Item, ...]:
    """Items with schedules; in a parallel loop, `alone`, one thread does all of a kernel."""
    result: list[Item] = []
    for item in items:
        if not isinstance(item, Kernel):
            inside = alone or (isinstance(item, Sequence) and item.parallel)
            result.append(replace(item, items=_items(program, item.items, inside)))
        else:
            kernel = _scheduled(program, item)
            result.append(replace(kernel, schedule=replace(kernel.schedule, parallel=0)) if alone else kernel)
    return tuple(result)


def _scheduled(program: Program, kernel: Kernel) -> Kernel:
    roles = contraction(kernel)
    if roles is not None and iterations(program, kernel) >= CONTRACT_MACS and not _by_vector(program, kernel, roles):
        return _contract(program, kernel, roles)
    vector = _vector_axis(program, kernel)
    kernel = _vector_last(kernel, vector)
    return replace(kernel, schedule=Schedule("nest", _parallel(program, kernel, vector), vector))


def iterations(program: Program, kernel: Kernel) -> int:
    """Iterations of the longest loop nest of a kernel at capacity."""
    inner = [volume(program, s.axes) for s in statements(kernel.body) if isinstance(s, (Loop, Reduce))]
    return volume(program, kernel.axes) * max([1, *inner])


def work(program: Program, kernel: Kernel) -> int:
    """Operations on elements at capacity: arithmetic by its cost, loads and stores."""

    def of(body: tuple[Stmt, ...], count: int) -> int:
        total = 0
        for stmt in body:
            inner = count * volume(program, stmt.axes) if isinstance(stmt, (Loop, Reduce)) else count
            total += inner * sum(1 + cost(scalar) for scalar in scalars_of(stmt))
            if isinstance(stmt, (Loop, Reduce)):
                total += of(stmt.body, inner)
            if isinstance(stmt, Reduce):
                total += of(stmt.each, inner)
        return total

    return of(kernel.body, volume(program, kernel.axes))


# --- contractions ------------------------------------------------------------------------------------------------


def _by_vector(program: Program, kernel: Kernel, roles: Roles) -> bool:
    """Whether it is a matrix whose rows lie in memory along the sum, times one vector: then every element is used once,
    and lanes along the sum read them as they lie. (Tiles would need them the other way round.)"""
    own = {axis.name: axis for axis in kernel.axes}
    one = [volume(program, tuple(own[name] for name in side)) == 1 for side in (roles.rows, roles.cols)]
    first = kernel.body[0]
    if not any(one) or not isinstance(first, Reduce) or first.body or len(roles.inner) != 1:
        return False
    operands = [part for part in subscalars(first.value) if isinstance(part, Load)]
    along = Affine(((roles.inner[0], 1),))
    return len(operands) == 2 and all(load.index and load.index[-1] == along for load in operands)


def _contract(program: Program, kernel: Kernel, roles: Roles) -> Kernel:
    """The tiled form; the operands are exchanged when that brings the columns close together in the output.

    Where these are too few for a vector, as in the gradient of a filter, the backend chooses what runs in lanes.
    """
    main = stores(kernel.body)[0]
    last = main.index[-1] if main.index else Affine()
    close = [axis for axis, c in last.terms if c in GAIN] if isinstance(last, Affine) else []
    if any(axis in roles.rows for axis in close):
        first = kernel.body[0]
        assert isinstance(first, Reduce)
        assert isinstance(first.value, Apply)
        left, right = first.value.args
        value = Apply("mul", (right, left), first.value.dtype, first.value.origin)
        kernel = replace(kernel, body=(replace(first, value=value), *kernel.body[1:]))
        roles = Roles(roles.batch, roles.cols, roles.rows, roles.inner)
    parallel = len(kernel.axes) if iterations(program, kernel) >= SERIAL_MACS else 0
    columns = next(axis for axis in kernel.axes if axis.name == roles.cols[-1])
    vector = columns.name if volume(program, (columns,)) >= FULL else None
    chosen = Schedule("contract", parallel, vector, roles.batch, roles.rows, roles.cols, roles.inner)
    return replace(kernel, schedule=chosen)


# --- nests -------------------------------------------------------------------------------------------------------


def _vector_axis(program: Program, kernel: Kernel) -> str | None:
    """The axis along which most accesses are contiguous, each counted as often as it is executed."""
    reductions = [stmt for stmt in statements(kernel.body) if isinstance(stmt, Reduce)]
    serial = {axis.name for stmt in reductions if stmt.each for axis in stmt.axes}
    candidates = {axis.name: axis for axis in (*kernel.axes, *bound_axes(kernel.body)) if axis.extent != 1}
    filled = {name: min(volume(program, (axis,)) / FULL, 1) ** 2 for name, axis in candidates.items()}
    score = dict.fromkeys(candidates, 0.0)
    for access, times in _accesses(program, kernel.body, volume(program, kernel.axes)):
        shape = program.buffers[access.buffer].shape
        for position, part in enumerate(access.index):
            last = all(dim == 1 for dim in shape[position + 1 :])
            for axis, coefficient in part.terms if isinstance(part, Affine) else ():
                if axis in score:
                    score[axis] += times * (GAIN[coefficient] * filled[axis] if last and coefficient in GAIN else FAR)
    for store in stores(kernel.body):
        if store.accumulate:
            used = {axis for part in store.index if isinstance(part, Affine) for axis, _ in part.terms}
            score = {axis: value for axis, value in score.items() if axis in used}
    usable = {axis: value for axis, value in score.items() if axis not in serial and value > 0}
    if not usable:
        return None
    own = {axis.name for axis in kernel.axes}
    return max(usable, key=lambda axis: (usable[axis], axis not in own))


def _accesses(program: Program, body: tuple[Stmt, ...], times: int) -> Iterator[tuple[Load | Store, int]]:
    """Every load and store of a block, with how often it is executed at capacity."""
    for stmt in body:
        inner = times * volume(program, stmt.axes) if isinstance(stmt, (Loop, Reduce)) else times
        for scalar in scalars_of(stmt):
            yield from ((node, inner) for node in subscalars(scalar) if isinstance(node, Load))
        if isinstance(stmt, Store):
            yield stmt, times
        if isinstance(stmt, (Loop, Reduce)):
            yield from _accesses(program, stmt.body, inner)
        if isinstance(stmt, Reduce):
            yield from _accesses(program, stmt.each, inner)


def _vector_last(kernel: Kernel, vector: str | None) -> Kernel:
    """The vector axis innermost among the kernel's own, which are independent of each other."""
    own = [axis for axis in kernel.axes if axis.name == vector]
    if not own or any(store.accumulate for store in stores(kernel.body)):
        return kernel
    return replace(kernel, axes=(*(axis for axis in kernel.axes if axis.name != vector), *own))


def _parallel(program: Program, kernel: Kernel, vector: str | None) -> int:
    """As few leading axes as give enough shares; none for small kernels."""
    if work(program, kernel) < SERIAL_WORK or is_check(kernel):
        return 0
    limit = _unturned_axes(program, kernel)
    for store in stores(kernel.body):
        if store.accumulate:
            limit = min(limit, _leading_places(kernel.axes, store))
    for count in range(1, limit + 1):
        if volume(program, kernel.axes[:count]) >= MIN_SHARES:
            return count
    return limit


def _unturned_axes(program: Program, kernel: Kernel) -> int:
    """How many leading axes threads may share: those before two that a copy exchanges, which it does in squares, if
    they give shares at all."""
    turned = exchanged(kernel)
    if turned is None:
        return len(kernel.axes)
    before = min(map(kernel.axes.index, turned))
    return before if volume(program, kernel.axes[:before]) >= FEWEST_SHARES else len(kernel.axes)


def _leading_places(axes: tuple[Axis, ...], store: Store) -> int:
    """How many leading axes each select places of their own, so that threads never add to the same place."""
    alone = {part.terms[0][0] for part in store.index if isinstance(part, Affine) and len(part.terms) == 1}
    count = 0
    while count < len(axes) and axes[count].name in alone:
        count += 1
    return count


SCHEDULE = Pass("schedule", "choose threads, vector lanes and tiled contractions", schedule)
