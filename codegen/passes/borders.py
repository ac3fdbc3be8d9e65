"""Borders: arrays of scratch that contractions read beyond their edges get room for the zeros around them.

    r[n, i, j, c] = maximum(h[n, i, j, c], 0)            zeros in r[n, 0, …], r[n, H+1, …], r[n, …, 0, c], …
    y = sum(…) (r[n, i + u - 1, …] else 0) * w   becomes   r[n, i + 1, j + 1, c] = maximum(h[n, i, j, c], 0)
                                                           y = sum(…) r[n, i + u, …] * w

Who makes the array writes it in its place inside the border, so that a convolution reads its windows without a test
for every element and nobody makes a copy. All who read the array find it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Const,
    Index,
    Item,
    Kernel,
    Load,
    Loop,
    Program,
    Reduce,
    Scalar,
    Store,
    kernels,
    loads,
    stores,
)
from codegen.loops.ranges import extreme, never_negative
from codegen.loops.rewrite import Place, axis_index, map_block, map_places, shift
from codegen.lower.names import Names
from codegen.passes.core import Pass, bound_axes, contraction, map_kernels, volume
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape

PRODUCTS = 16
"""In how many products of one contraction every element should be."""


@dataclass(frozen=True)
class Reach:
    """How far beyond its first and last element an array is read, along each of its axes."""

    buffer: str
    before: tuple[int, ...]
    after: tuple[int, ...]

    def __bool__(self) -> bool:
        return any((*self.before, *self.after))

    def shape(self, program: Program) -> Shape:
        """The shape of the array with the border."""
        own = program.buffers[self.buffer].shape
        return tuple(dims.add(dim, a + b) for dim, a, b in zip(own, self.before, self.after, strict=True))

    def pays(self, program: Program, axes: tuple[Axis, ...]) -> bool:
        """Whether a contraction over these axes uses the elements often enough."""
        shape = tuple(Axis(str(number), dim) for number, dim in enumerate(self.shape(program)))
        return volume(program, axes) >= PRODUCTS * volume(program, shape)

    def __or__(self, other: Reach) -> Reach:
        before, after = zip(self.before, other.before, strict=True), zip(self.after, other.after, strict=True)
        return Reach(self.buffer, tuple(map(max, before)), tuple(map(max, after)))


def reach(program: Program, load: Load, axes: Iterable[Axis]) -> Reach | None:
    """How far a load that stands inside these axes reaches; None where the places beyond are not known, or not 0."""
    extents = {axis.name: axis.extent for axis in axes}
    before, after = [], []
    for part, dim in zip(load.index, program.buffers[load.buffer].shape, strict=True):
        if load.fill is None:
            before.append(0)
            after.append(0)
            continue
        if load.fill.value != 0 or not isinstance(part, Affine) or not all(axis in extents for axis, _ in part.terms):
            return None
        low, high = extreme(part, extents)
        ends = _beyond(dims.sub(0, low)), _beyond(dims.sub(high, dims.sub(dim, 1)))
        if ends[0] is None or ends[1] is None:
            return None
        before.append(ends[0])
        after.append(ends[1])
    return Reach(load.buffer, tuple(before), tuple(after))


def _beyond(distance: Dim) -> int | None:
    if isinstance(distance, int):
        return max(distance, 0)
    return 0 if never_negative(dims.sub(0, distance)) else None


def inside(index: tuple[Index, ...], before: tuple[int, ...]) -> tuple[Index, ...]:
    """The index in an array that begins so much earlier along each axis."""
    return tuple(shift(part, n) if isinstance(part, Affine) else part for part, n in zip(index, before, strict=True))


def borders(program: Program) -> Program:
    reaches = _reaches(program)
    if not reaches:
        return program
    buffers = {
        name: replace(buffer, shape=reaches[name].shape(program)) if name in reaches else buffer
        for name, buffer in program.buffers.items()
    }

    def unguarded(node: Scalar) -> Scalar:
        return replace(node, fill=None) if isinstance(node, Load) and node.buffer in reaches else node

    def place(buffer: str, index: tuple[Index, ...]) -> Place:
        return buffer, inside(index, reaches[buffer].before) if buffer in reaches else index

    def moved(kernel: Kernel) -> Kernel:
        return replace(kernel, body=map_places(map_block(kernel.body, unguarded), place))

    zeros = _Zeros(program, reaches)
    items = [new for item in program.items for new in (*zeros.before(item), *map_kernels((item,), moved))]
    return replace(program, items=tuple(items), buffers=buffers)


def _reaches(program: Program) -> dict[str, Reach]:
    """The arrays that get a border, all of whose elements and zeros are at known places."""
    viewed = {buffer.view_of for buffer in program.buffers.values()}
    free = {b.name for b in program.buffers.values() if b.role == "scratch" and not b.view_of and b.name not in viewed}
    found: dict[str, Reach] = {}
    worth: set[str] = set()
    for kernel in kernels(program.items):
        axes = (*kernel.axes, *bound_axes(kernel.body))
        for load in loads(kernel.body):
            if load.buffer not in free:
                continue
            here = reach(program, load, axes)
            if here is None or not all(isinstance(part, Affine) for part in load.index):
                free.discard(load.buffer)
                continue
            found[load.buffer] = found[load.buffer] | here if load.buffer in found else here
            if here and _is_operand(kernel, load) and here.pays(program, axes):
                worth.add(load.buffer)
        free -= {s.buffer for s in stores(kernel.body) if not all(isinstance(part, Affine) for part in s.index)}
    return {name: found[name] for name in found if name in free & worth}


def _is_operand(kernel: Kernel, load: Load) -> bool:
    first = kernel.body[0]
    if contraction(kernel) is None or not isinstance(first, Reduce) or not isinstance(first.value, Apply):
        return False
    return any(arg is load for arg in first.value.args)


class _Zeros:
    """Makes the kernels that fill borders, each before the first item that touches its array."""

    def __init__(self, program: Program, reaches: Mapping[str, Reach]) -> None:
        self.program, self.waiting = program, dict(reaches)
        self.names = Names((*program.dims, *(kernel.name for kernel in kernels(program.items))))

    def before(self, item: Item) -> Iterator[Kernel]:
        for kernel in kernels((item,)):
            accesses: list[Load | Store] = [*loads(kernel.body), *stores(kernel.body)]
            for access in accesses:
                if access.buffer in self.waiting:
                    yield self.kernel(self.waiting.pop(access.buffer))

    def kernel(self, reach: Reach) -> Kernel:
        """Zeros in all that lies around an array; an axis along which it has no border comes first, for threads."""
        buffer = self.program.buffers[reach.buffer]
        shape = reach.shape(self.program)
        axes = tuple(Axis(f"i{number}", dim) for number, dim in enumerate(buffer.shape))
        outer = axes[:1] if shape[0] == buffer.shape[0] else ()
        body: list[Loop] = []
        for number, (strip, starts) in enumerate(_strips(reach, axes)):
            own = tuple(replace(axis, name=f"{axis.name}_{number}") for axis in strip[len(outer) :])
            body.append(Loop(own, (self.zero(buffer, (*outer, *own), starts),)))
        return Kernel(self.names.fresh(f"{buffer.name}_zeros"), outer, tuple(body), note=f"zeros around {buffer.name}")

    def zero(self, buffer: Buffer, strip: tuple[Axis, ...], starts: tuple[Dim, ...]) -> Store:
        index = tuple(shift(axis_index(axis.name), start) for axis, start in zip(strip, starts, strict=True))
        return Store(buffer.name, index, Const(0.0, buffer.dtype))


def _strips(reach: Reach, axes: tuple[Axis, ...]) -> Iterator[tuple[tuple[Axis, ...], tuple[Dim, ...]]]:
    """Boxes that together are the border: axes with their extents, and where each box begins.

    What lies before and after the array along an axis: whole along later axes, without borders along earlier ones.
    """
    whole = [
        replace(axis, extent=dims.add(axis.extent, a + b))
        for axis, a, b in zip(axes, reach.before, reach.after, strict=True)
    ]
    for number, axis in enumerate(axes):
        for start, width in (
            (0, reach.before[number]),
            (dims.add(axis.extent, reach.before[number]), reach.after[number]),
        ):
            if width:
                box = (*axes[:number], replace(axis, extent=width), *whole[number + 1 :])
                begin: tuple[Dim, ...] = (*reach.before[:number], start, *(0 for _ in axes[number + 1 :]))
                yield box, begin


BORDERS = Pass("borders", "give arrays that are read beyond their edges room for zeros around them", borders)
