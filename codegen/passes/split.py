"""Split: a long sum with few results is taken in two stages, so that threads share the first.

    s = sum(n, i) x[n, i]     becomes     part[n] = sum(i) x[n, i]     and     s = sum(n) part[n]

The first stage often joins the kernel that computes `x`. How a sum is cut never depends on the number of threads.

    s[c] = sum(n, i) x[n, i, c]     becomes     part[n, c] = sum(i) x[n, i, c]     and     s[c] = sum(n) part[n, c]

Here few results lie side by side, as with the channels of a batch norm: threads that shared the results would each
read a part of every line of memory. Now each reads whole images.
"""

from __future__ import annotations

from dataclasses import replace

from codegen.loops.grammar import (
    Buffer,
    Item,
    Kernel,
    Load,
    Program,
    Reduce,
    Ref,
    Store,
    loads,
    scalars_of,
    statements,
    subscalars,
)
from codegen.loops.rewrite import axis_index
from codegen.lower.names import Names
from codegen.passes.core import Pass, axes_in, contraction, plain_axis, volume

FEW = 8
"""Results from which threads have enough to share."""

NARROW = 256
"""The same, of results that lie side by side."""

LONG = 4096
"""Elements of a sum from which two stages pay."""

ASSOCIATIVE = ("sum", "prod", "max", "min", "any", "all")


def split(program: Program) -> Program:
    names = Names((*program.buffers, *program.dims))
    buffers = dict(program.buffers)

    def visit(items: tuple[Item, ...]) -> tuple[Item, ...]:
        result: list[Item] = []
        for item in items:
            if not isinstance(item, Kernel):
                result.append(replace(item, items=visit(item.items)))
            else:
                result += _stages(program, item, buffers, names)
        return tuple(result)

    items = visit(program.items)
    return program if items == program.items else replace(program, items=items, buffers=buffers)


def _stages(program: Program, kernel: Kernel, buffers: dict[str, Buffer], names: Names) -> list[Kernel]:
    """The kernel, after one that does the first stage of its sum if that is long."""
    first = kernel.body[0]
    if not isinstance(first, Reduce) or not _is_long(program, kernel, first):
        return [kernel]
    outer, inner = first.axes[0], first.axes[1:]
    axes = (outer, *kernel.axes) if _side_by_side(kernel, first) else (*kernel.axes, outer)
    shape = tuple(axis.extent for axis in axes)
    part = names.fresh(f"{kernel.name}_parts")
    index = tuple(axis_index(axis.name) for axis in axes)
    buffers[part] = Buffer(part, first.value.dtype, shape, "scratch")
    store = Store(part, index, Ref(first.name, first.value.dtype), origin=first.origin)
    rows = Kernel(part, axes, (replace(first, axes=inner), store), note=kernel.note)
    value = Load(part, index, first.value.dtype, origin=first.origin)
    total = replace(first, axes=(outer,), body=(), value=value)
    return [rows, replace(kernel, body=(total, *kernel.body[1:]))]


def _is_long(program: Program, kernel: Kernel, first: Reduce) -> bool:
    if first.reducer not in ASSOCIATIVE or first.each or len(first.axes) < 2 or contraction(kernel) is not None:
        return False
    few = volume(program, kernel.axes) < (NARROW if _side_by_side(kernel, first) else FEW)
    if not few or volume(program, first.axes) < LONG or volume(program, first.axes[:1]) < FEW:
        return False
    bound = {stmt.name for stmt in statements(first.body) if hasattr(stmt, "name")}
    scalars = [scalar for stmt in (*statements(first.body), first) for scalar in scalars_of(stmt)]
    return all(node.name in bound for s in scalars for node in subscalars(s) if isinstance(node, Ref))


def _side_by_side(kernel: Kernel, first: Reduce) -> bool:
    """Whether the results lie along the last axis of what is summed."""
    if not kernel.axes:
        return False
    last = kernel.axes[-1].name
    read = [load for load in loads((first,)) if axes_in(load.index) >= {last, first.axes[0].name}]
    return bool(read) and all(plain_axis(load.index[-1]) == last for load in read)


SPLIT = Pass("split", "take long sums with few results in two stages", split)
