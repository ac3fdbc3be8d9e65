"""Operands: what a contraction would have to pack for each of its tiles is copied once, as all of them read it.

    y[n, k, i, j] = sum(c, u, v) (x[n, c, i + u - 1, j + v - 1] else 0) * w[k, c, u, v]

borders  `x` is read beyond its edges, with a test at every element. Where it cannot have room for zeros around it
         itself (an input), a copy with a border is read in place, by all contractions that reach equally far.
columns  where `k` is to run in vectors, `w` has its elements far apart. A copy has them side by side, in panels: what
         a tile of results reads is one run of memory, in which the places of a window follow each other. Weights of a
         recurrence are copied once, before its steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile

from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Const,
    Item,
    Kernel,
    Load,
    Program,
    Reduce,
    Sequence,
    Store,
    stores,
)
from codegen.loops.rewrite import add, axis_index, scale, substitute_axes, substitute_axes_block
from codegen.lower.names import Names
from codegen.passes.borders import Reach, inside, reach
from codegen.passes.core import (
    Effects,
    Pass,
    axes_in,
    bound_axes,
    capacity,
    contraction,
    effects,
    plain_axis,
    storage,
    volume,
)
from symnet.expr.dims import Dim
from symnet.expr.dtypes import BYTES

COLUMNS = 512
"""In how many products every element of a copy should be that transposes."""
FEWEST = 8
"""Columns that are worth a vector."""
LARGE = 512 * 1024
"""Bytes of an operand from which panels pay whose columns lie side by side already."""
PANEL = 32
"""Columns of a panel, where there are whole ones."""


def operands(program: Program) -> Program:
    copying = _Copying(program)
    items = copying.items(program.items)
    return replace(program, items=items, buffers=copying.buffers) if copying.made else program


@dataclass
class _Steps:
    """A sequence of steps: how many there are, the storage that they write, and what is copied before them."""

    number: int
    written: frozenset[str]
    before: list[Kernel] = field(default_factory=list)


class _Copying:
    """The copies of one program; `around` are the sequences around what is looked at, the innermost last."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = Names((*program.buffers, *program.dims))
        self.buffers = dict(program.buffers)
        self.made = False
        self.around: list[_Steps] = []

    def items(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """The items with the copies that they read, each before its first reader; what changes is copied anew."""
        result: list[Item] = []
        bordered: dict[Reach, Buffer] = {}
        for item in items:
            if isinstance(item, Kernel):
                copies, item = self.reading(item, bordered)
                result += copies
            elif isinstance(item, Sequence):
                self.around.append(_Steps(capacity(self.program, item.axis.extent), self.effects(item).writes))
                item = replace(item, items=self.items(item.items))
                result += self.around.pop().before
            else:
                item = replace(item, items=self.items(item.items))
            result.append(item)
            written = self.effects(item).writes
            bordered = {r: copy for r, copy in bordered.items() if storage(self.program, r.buffer) not in written}
        return tuple(result)

    def effects(self, item: Item) -> Effects:
        return effects(replace(self.program, buffers=self.buffers), item)

    def reading(self, kernel: Kernel, bordered: dict[Reach, Buffer]) -> tuple[list[Kernel], Kernel]:
        """Kernels that copy what pays, and the kernel that reads the copies."""
        first = kernel.body[0] if kernel.body else None
        if contraction(kernel) is None or not isinstance(first, Reduce) or not isinstance(first.value, Apply):
            return [], kernel
        if not all(isinstance(one, Load) for one in first.value.args):
            return [], kernel  # rounded ones are packed by whom they are multiplied
        axes = (*kernel.axes, *first.axes)
        copies: list[Kernel] = []
        read = [self.bordered(one, axes, bordered, copies) for one in _loads(first.value)]
        if any(new is not old for new, old in zip(read, first.value.args, strict=True)):
            self.made = True
            value = replace(first.value, args=tuple(read))
            kernel = replace(kernel, body=(replace(first, value=value), *kernel.body[1:]))
        column = _column(kernel)
        for load in read if column is not None else ():
            steps = self.steady(load, axes)
            if column is not None and self.wants_columns(load, column, axes, math.prod(one.number for one in steps)):
                self.made = True
                copy, kernel = self.side_by_side(load, column, kernel)
                (steps[-1].before if steps else copies).append(copy)
        return copies, kernel

    def steady(self, load: Load, axes: tuple[Axis, ...]) -> list[_Steps]:
        """The sequences around, from the innermost outwards, in whose steps an operand is always the same."""
        if not axes_in(load.index) <= {axis.name for axis in axes}:
            return []
        read = self.buffers[load.buffer].view_of or load.buffer
        return list(takewhile(lambda steps: read not in steps.written, reversed(self.around)))

    def side_by_side(self, load: Load, column: Axis, kernel: Kernel) -> tuple[Kernel, Kernel]:
        """A kernel that copies an operand, its columns side by side, and the kernel that reads the copy."""
        columns: tuple[Axis, ...] = (column,)
        places = {column.name: axis_index(column.name)}
        if isinstance(column.extent, int) and column.extent > PANEL and column.extent % PANEL == 0:
            panel = Axis(self.names.fresh(f"{column.name}.panel"), column.extent // PANEL)
            columns = (panel, replace(column, extent=PANEL))
            places = {column.name: add(scale(axis_index(panel.name), PANEL), axis_index(column.name))}
        own = [axis for axis in (*kernel.axes, *bound_axes(kernel.body)) if axis.name in axes_in(load.index)]
        slid = _slid(kernel)
        own.sort(key=lambda axis: axis.name in slid)
        order = (*columns[:-1], *(axis for axis in own if axis != column), columns[-1])
        copy = self.buffer(f"{load.buffer}_columns", load, tuple(axis.extent for axis in order))
        index = tuple(axis_index(axis.name) for axis in order)
        read = substitute_axes(load, places)
        first, *rest = substitute_axes_block(kernel.body, places)
        assert isinstance(first, Reduce)
        assert isinstance(first.value, Apply)
        made = Load(copy.name, index, load.dtype, origin=load.origin)
        value = replace(first.value, args=tuple(made if one == read else one for one in first.value.args))
        axes = tuple(part for axis in kernel.axes for part in (columns if axis == column else (axis,)))
        note = f"the columns of {load.buffer} side by side"
        copying = Kernel(copy.name, order, (Store(copy.name, index, read, origin=load.origin),), note=note)
        return copying, replace(kernel, axes=axes, body=(replace(first, value=value), *rest))

    def bordered(self, load: Load, axes: tuple[Axis, ...], bordered: dict[Reach, Buffer], copies: list[Kernel]) -> Load:
        """How an operand is read; if from a copy with a border that is not there yet, it is added to `copies`."""
        beyond = reach(self.program, load, axes)
        if not beyond or not beyond.pays(self.program, axes):
            return load
        if beyond not in bordered:
            bordered[beyond] = self.buffer(f"{load.buffer}_border", load, beyond.shape(self.program))
            copies.append(_with_border(load, beyond, bordered[beyond]))
        return Load(bordered[beyond].name, inside(load.index, beyond.before), load.dtype, origin=load.origin)

    def wants_columns(self, load: Load, column: Axis, axes: tuple[Axis, ...], steps: int) -> bool:
        """Whether an operand has the columns, but not side by side, and is used often enough in so many steps."""
        own = tuple(axis for axis in axes if axis.name in axes_in(load.index))
        if column not in own or load.fill is not None:
            return False
        if plain_axis(load.index[-1]) == column.name and not (steps > 1 and self.wants_panels(load, column, own)):
            return False
        often = steps * volume(self.program, axes) >= COLUMNS * volume(self.program, own)
        return often and volume(self.program, (column,)) >= FEWEST

    def wants_panels(self, load: Load, column: Axis, own: tuple[Axis, ...]) -> bool:
        """Whether columns that lie side by side are read better in panels: in place they would be far apart."""
        extent = column.extent
        if not isinstance(extent, int) or extent % PANEL or extent < 4 * PANEL:
            return False
        return volume(self.program, own) * BYTES[load.dtype] >= LARGE

    def buffer(self, name: str, load: Load, shape: tuple[Dim, ...]) -> Buffer:
        made = Buffer(self.names.fresh(name), load.dtype, shape, "scratch")
        self.buffers[made.name] = made
        return made


def _loads(product: Apply) -> Iterator[Load]:
    return (one for one in product.args if isinstance(one, Load))


def _with_border(load: Load, beyond: Reach, copy: Buffer) -> Kernel:
    """The kernel that copies an array, with zeros around it."""
    axes = tuple(Axis(f"i{number}", dim) for number, dim in enumerate(copy.shape))
    index = tuple(axis_index(axis.name) for axis in axes)
    inside = tuple(replace(part, offset=-n) for part, n in zip(index, beyond.before, strict=True))
    value = Load(load.buffer, inside, load.dtype, fill=Const(load.fill.value if load.fill else 0, load.dtype))
    store = Store(copy.name, index, replace(value, origin=load.origin), origin=load.origin)
    return Kernel(copy.name, axes, (store,), note=f"{load.buffer} with zeros around it")


def _slid(kernel: Kernel) -> set[str]:
    """The summed axes along which windows are read. The products of a window follow each other where nothing runs
    inside them, so that what neighbouring windows share need not be read again."""
    first = kernel.body[0]
    assert isinstance(first, Reduce)
    assert isinstance(first.value, Apply)
    parts = (part for load in _loads(first.value) for part in load.index if isinstance(part, Affine))
    return {axis for part in parts if len(part.terms) > 1 for axis, _ in part.terms}


def _column(kernel: Kernel) -> Axis | None:
    """The axis along which the results lie side by side."""
    main = stores(kernel.body)[0]
    name = plain_axis(main.index[-1]) if main.index else ""
    return next((axis for axis in kernel.axes if axis.name == name), None)


OPERANDS = Pass("operands", "copy what contractions read beyond its edges, or not side by side", operands)
