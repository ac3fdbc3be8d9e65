"""Operands: what a contraction would have to pack for each of its tiles is copied once, as all of them read it.

    y[n, k, i, j] = sum(c, u, v) (x[n, c, i + u - 1, j + v - 1] else 0) * w[k, c, u, v]

borders  `x` is read beyond its edges, with a test at every element. Where it cannot have room for zeros around it
         itself (an input), a copy with a border is read in place, by all contractions that reach equally far.
columns  where `k` is to run in vectors, `w` has its elements far apart. A copy has them side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from codegen.loops.grammar import (
    Apply,
    Axis,
    Buffer,
    Const,
    Item,
    Kernel,
    Load,
    Program,
    Reduce,
    Store,
    stores,
)
from codegen.loops.rewrite import axis_index
from codegen.lower.names import Names
from codegen.passes.borders import Reach, inside, reach
from codegen.passes.core import Pass, axes_in, contraction, effects, plain_axis, storage, volume
from symnet.expr.dims import Dim

COLUMNS = 512
"""In how many products every element of a copy should be that transposes."""
FEWEST = 8
"""Columns that are worth a vector."""


def operands(program: Program) -> Program:
    copying = _Copying(program)
    items = copying.items(program.items)
    return replace(program, items=items, buffers=copying.buffers) if copying.made else program


class _Copying:
    """The copies of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = Names((*program.buffers, *program.dims))
        self.buffers = dict(program.buffers)
        self.made = False

    def items(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """The items with the copies that they read, each before its first reader; what changes is copied anew."""
        result: list[Item] = []
        bordered: dict[Reach, Buffer] = {}
        for item in items:
            if isinstance(item, Kernel):
                copies, item = self.reading(item, bordered)
                result += copies
            else:
                item = replace(item, items=self.items(item.items))
            result.append(item)
            written = effects(replace(self.program, buffers=self.buffers), item).writes
            bordered = {r: copy for r, copy in bordered.items() if storage(self.program, r.buffer) not in written}
        return tuple(result)

    def reading(self, kernel: Kernel, bordered: dict[Reach, Buffer]) -> tuple[list[Kernel], Kernel]:
        """Kernels that copy what pays, and the kernel that reads the copies."""
        first = kernel.body[0] if kernel.body else None
        if contraction(kernel) is None or not isinstance(first, Reduce) or not isinstance(first.value, Apply):
            return [], kernel
        axes = (*kernel.axes, *first.axes)
        copies: list[Kernel] = []
        read = [self.operand(one, kernel, axes, bordered, copies) for one in _loads(first.value)]
        if all(new is old for new, old in zip(read, first.value.args, strict=True)):
            return [], kernel
        self.made = True
        value = replace(first.value, args=tuple(read))
        return copies, replace(kernel, body=(replace(first, value=value), *kernel.body[1:]))

    def operand(
        self, load: Load, kernel: Kernel, axes: tuple[Axis, ...], bordered: dict[Reach, Buffer], copies: list[Kernel]
    ) -> Load:
        """How an operand is read; a kernel that makes what it reads is added to `copies`."""
        beyond = reach(self.program, load, axes)
        if beyond and beyond.pays(self.program, axes):
            if beyond not in bordered:
                bordered[beyond] = self.buffer(f"{load.buffer}_border", load, beyond.shape(self.program))
                copies.append(_with_border(load, beyond, bordered[beyond]))
            return Load(bordered[beyond].name, inside(load.index, beyond.before), load.dtype, origin=load.origin)
        column = _column(kernel)
        if column is not None and self.wants_columns(load, column, axes):
            order = sorted((axis for axis in axes if axis.name in axes_in(load.index)), key=lambda axis: axis == column)
            copy = self.buffer(f"{load.buffer}_columns", load, tuple(axis.extent for axis in order))
            index = tuple(axis_index(axis.name) for axis in order)
            store = Store(copy.name, index, load, origin=load.origin)
            copies.append(Kernel(copy.name, tuple(order), (store,), note=f"the columns of {load.buffer} side by side"))
            return Load(copy.name, index, load.dtype, origin=load.origin)
        return load

    def wants_columns(self, load: Load, column: Axis, axes: tuple[Axis, ...]) -> bool:
        """Whether an operand has the columns, but not side by side, and is used often enough."""
        own = tuple(axis for axis in axes if axis.name in axes_in(load.index))
        if column not in own or plain_axis(load.index[-1]) == column.name or load.fill is not None:
            return False
        often = volume(self.program, axes) >= COLUMNS * volume(self.program, own)
        return often and volume(self.program, (column,)) >= FEWEST

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


def _column(kernel: Kernel) -> Axis | None:
    """The axis along which the results lie side by side."""
    main = next(stores(kernel.body))
    name = plain_axis(main.index[-1]) if main.index else ""
    return next((axis for axis in kernel.axes if axis.name == name), None)


OPERANDS = Pass("operands", "copy what contractions read beyond its edges, or not side by side", operands)
