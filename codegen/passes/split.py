"""Split: a long sum with few results is taken in two stages, so that threads share the first.

    s = sum(n, i) x[n, i]     becomes     part[n] = sum(i) x[n, i]     and     s = sum(n) part[n]

The first stage often joins the kernel that computes `x`. How a sum is cut never depends on the number of threads.
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
    scalars_of,
    statements,
    subscalars,
)
from codegen.loops.rewrite import axis_index
from codegen.lower.names import Names
from codegen.passes.core import Pass, contraction, volume

FEW = 8
"""Results from which threads have enough to share."""

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
    shape = (*(axis.extent for axis in kernel.axes), outer.extent)
    part = names.fresh(f"{kernel.name}_parts")
    index = tuple(axis_index(axis.name) for axis in (*kernel.axes, outer))
    buffers[part] = Buffer(part, first.value.dtype, shape, "scratch")
    store = Store(part, index, Ref(first.name, first.value.dtype), origin=first.origin)
    rows = Kernel(part, (*kernel.axes, outer), (replace(first, axes=inner), store), note=kernel.note)
    value = Load(part, index, first.value.dtype, origin=first.origin)
    total = replace(first, axes=(outer,), body=(), value=value)
    return [rows, replace(kernel, body=(total, *kernel.body[1:]))]


def _is_long(program: Program, kernel: Kernel, first: Reduce) -> bool:
    if first.reducer not in ASSOCIATIVE or first.each or len(first.axes) < 2 or contraction(kernel) is not None:
        return False
    few, long = volume(program, kernel.axes) < FEW, volume(program, first.axes) >= LONG
    if not few or not long or volume(program, first.axes[:1]) < FEW:
        return False
    bound = {stmt.name for stmt in statements(first.body) if hasattr(stmt, "name")}
    scalars = [scalar for stmt in (*statements(first.body), first) for scalar in scalars_of(stmt)]
    return all(node.name in bound for s in scalars for node in subscalars(s) if isinstance(node, Ref))


SPLIT = Pass("split", "take long sums with few results in two stages", split)
