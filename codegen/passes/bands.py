"""Bands: kernels that follow each other on the same rows give the same rows to the same threads.

What one kernel writes for a row, the next one reads for that row: the layers of a small network on the samples of a
batch, forward and back. Shared out each in its own way, threads would have to meet after every kernel, which takes as
long as the kernels do. In bands of equally many rows they need not meet at all.
"""

from __future__ import annotations

from dataclasses import replace

from codegen.loops.grammar import Affine, Item, Kernel, Load, Program, Sequence, Store, loads, stores
from codegen.passes.core import Pass, effects, is_check, storage, volume
from codegen.passes.schedule import iterations

MOST = 2_000_000
"""Iterations of a kernel above which meeting costs little beside it, and tiles may be chosen freely."""
PASSED = 4
"""Kernels that may be passed over within a run."""
LEAST = 50_000
"""Iterations of a run of kernels below which one thread does them."""


def bands(program: Program) -> Program:
    """Kernels in runs, with the same band in the schedule of all of a run."""
    items = _visit(program, program.items)
    return program if items == program.items else replace(program, items=items)


def _visit(program: Program, items: tuple[Item, ...]) -> tuple[Item, ...]:
    result: list[Item] = []
    waiting = list(items)
    while waiting:
        run, rest = _run(program, waiting)
        if _worth(program, run):
            result += _banded(program, run)
        else:  # as it was: the first kernels that belong together, or what is no kernel of a run
            together = next((at for at, one in enumerate(run) if one is not waiting[at]), len(run)) or 1
            result += (_inside(program, item) for item in waiting[:together])
            rest = waiting[together:]
        waiting = rest
    return tuple(result)


def _inside(program: Program, item: Item) -> Item:
    """An item with runs inside it; what one thread does is no place for any."""
    if isinstance(item, Kernel) or (isinstance(item, Sequence) and item.parallel):
        return item
    return replace(item, items=_visit(program, item.items))


def _run(program: Program, items: list[Item]) -> tuple[list[Kernel], list[Item]]:
    """The kernels of a run that begins with the first of some items, and the items that are left.

    A few kernels may be passed over where what comes after them does not need them, so that they do not end the run.
    """
    run: list[Kernel] = []
    passed: list[Item] = []
    for position, item in enumerate(items):
        if not isinstance(item, Kernel) or len(passed) > PASSED:
            return run, [*passed, *items[position:]]
        if _joins(program, run, item) and not any(_ordered(program, earlier, item) for earlier in passed):
            run.append(item)
        elif run:
            passed.append(item)
        else:
            return [], items
    return run, passed


def _ordered(program: Program, first: Item, second: Item) -> bool:
    """Whether one of two items has to stay after the other."""
    one, two = effects(program, first), effects(program, second)
    return bool(one.writes & (two.reads | two.writes) or one.reads & two.writes)


def _worth(program: Program, run: list[Kernel]) -> bool:
    return len(run) > 1 and sum(iterations(program, kernel) for kernel in run) >= LEAST


def _banded(program: Program, run: list[Kernel]) -> list[Kernel]:
    rows = volume(program, run[0].axes[:1])
    band = 16 if rows % 32 == 0 else 8
    return [replace(kernel, schedule=replace(kernel.schedule, parallel=1, band=band)) for kernel in run]


def _joins(program: Program, run: list[Kernel], kernel: Kernel) -> bool:
    """Whether a kernel works on rows one by one, those of the run if there is one, on what that has made of them."""
    if not kernel.axes or is_check(kernel) or iterations(program, kernel) > MOST:
        return False
    rows, chosen = kernel.axes[0], kernel.schedule
    if volume(program, (rows,)) < 16 or chosen.vector == rows.name or any(s.accumulate for s in stores(kernel.body)):
        return False
    if chosen.form == "contract" and (chosen.rows != (rows.name,) or chosen.batch or chosen.tile is not None):
        return False
    return all(earlier.axes[0].extent == rows.extent and _apart(program, earlier, kernel) for earlier in run)


def _apart(program: Program, first: Kernel, second: Kernel) -> bool:
    """Whether all that one of two kernels writes and the other touches belongs to the same row in both."""
    touched: dict[str, list[Load | Store]] = {}
    for access in _accesses(first):
        touched.setdefault(storage(program, access.buffer), []).append(access)
    for access in _accesses(second):
        for earlier in touched.get(storage(program, access.buffer), ()):
            if isinstance(access, Load) and isinstance(earlier, Load):
                continue
            one, two = _place(earlier, first.axes[0].name), _place(access, second.axes[0].name)
            if earlier.buffer != access.buffer or one is None or one != two:
                return False
    return True


def _accesses(kernel: Kernel) -> list[Load | Store]:
    return [*loads(kernel.body), *stores(kernel.body)]


def _place(access: Load | Store, axis: str) -> int | None:
    """Which index is the row by itself."""
    alone = Affine(((axis, 1),))
    return access.index.index(alone) if alone in access.index else None


BANDS = Pass("bands", "give the rows that several kernels work on to the same threads", bands)
