"""Shapes: element-wise kernels on a flattened array run over its finer shape, so that they can join their neighbours.

A reshape is a view, and kernels that know the same bytes under two shapes cannot be fused. Where an element-wise kernel
meets the kernel that wrote its operand and one of the two shapes refines the other (1024 is 16·8·8), the axes of the
kernel with the coarser one are split; every other array it touches gets a view to match.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from codegen.loops.grammar import (
    Affine,
    Axis,
    Branch,
    Buffer,
    Index,
    Item,
    Kernel,
    Let,
    Load,
    Position,
    Program,
    Scalar,
    Sequence,
    Store,
    kernels,
    loads,
    scalars_of,
    statements,
    stores,
    subscalars,
)
from codegen.loops.rewrite import affine, axis_index, compose, map_block, map_places
from codegen.lower.names import AxisNames, Names
from codegen.passes.core import Pass, axes_in, bound_axes, plain_axis, storage
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape


def refine(program: Program) -> Program:
    if not any(buffer.view_of for buffer in program.buffers.values()):
        return program
    work = _Refinement(program)
    items = work.block(program.items, ())
    return _without_coarse_roots(replace(program, items=items, buffers=work.buffers))


class _Refinement:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.buffers = dict(program.buffers)
        self.names = Names((*program.buffers, *program.dims))
        self.views: dict[tuple[str, Shape], str] = {}  # an array and a shape -> its name under that shape
        for buffer in self.buffers.values():
            self.views.setdefault((self.storage(buffer.name), buffer.shape), buffer.name)

    def block(self, items: tuple[Item, ...], outer: tuple[str, ...]) -> tuple[Item, ...]:
        result: list[Item] = []
        writers: dict[str, list[int]] = {}
        for item in items:
            if isinstance(item, Sequence):
                result.append(replace(item, items=self.block(item.items, (*outer, item.axis.name))))
                continue
            if isinstance(item, Branch):
                result.append(replace(item, items=self.block(item.items, outer)))
                continue
            for load in list(loads(item.body)):
                written_by = writers.get(self.storage(load.buffer), [])
                if _is_map(item) and len(written_by) == 1:
                    writer = result[written_by[0]]
                    assert isinstance(writer, Kernel)
                    result[written_by[0]], item = self.meet(writer, item, load.buffer, outer)
            result.append(item)
            for store in stores(item.body):
                writers.setdefault(self.storage(store.buffer), []).append(len(result) - 1)
        return tuple(result)

    def storage(self, buffer: str) -> str:
        return self.buffers[buffer].view_of or buffer

    def meet(self, writer: Kernel, reader: Kernel, buffer: str, outer: tuple[str, ...]) -> tuple[Kernel, Kernel]:
        """Both kernels, the one that knows the shared array under the coarser shape with its axes split."""
        read = next((load for load in loads(reader.body) if load.buffer == buffer), None)
        stored = [s for s in stores(writer.body) if self.storage(s.buffer) == self.storage(buffer)]
        if read is None or len(stored) != 1 or stored[0].buffer == buffer or not _covers(reader, read.index):
            return writer, reader
        own, other = self.buffers[stored[0].buffer].shape, self.buffers[buffer].shape
        if (groups := grouped(own, other)) is not None:
            return self.split(writer, stored[0].index, groups, outer) or writer, reader
        if (groups := grouped(other, own)) is not None:
            return writer, self.split(reader, read.index, groups, outer) or reader
        return writer, reader

    def split(
        self, kernel: Kernel, index: tuple[Index, ...], groups: list[Shape], outer: tuple[str, ...]
    ) -> Kernel | None:
        """The kernel with the axes at `index` split as `groups` says; None when it uses them otherwise."""
        names = AxisNames((*self.program.dims, *outer, *(a.name for a in (*kernel.axes, *bound_axes(kernel.body)))))
        parts: dict[str, tuple[Axis, ...]] = {}
        for form, group in zip(index, groups, strict=True):
            if len(group) > 1:
                axis = plain_axis(form)
                if axis not in {a.name for a in kernel.axes} or axis in parts:
                    return None
                parts[axis] = tuple(Axis(names.take(dim), dim) for dim in group)
        splitting = _Splitting(self, kernel, parts)
        return splitting.kernel() if splitting.possible() else None

    def view(self, buffer: str, shape: Shape) -> str:
        """The array under this shape, made when there is none yet."""
        root = self.buffers[self.storage(buffer)]
        if (root.name, shape) not in self.views:
            name = self.views[root.name, shape] = self.names.fresh(f"{root.name}_view")
            self.buffers[name] = Buffer(name, root.dtype, shape, root.role, root.name)
        return self.views[root.name, shape]


@dataclass(frozen=True)
class _Splitting:
    """A kernel whose axes are to be replaced by several each."""

    work: _Refinement
    whole: Kernel
    parts: dict[str, tuple[Axis, ...]]

    def possible(self) -> bool:
        """Whether every use of the axes is an axis of an array of just that extent, or a position that stays affine."""
        extents = {axis.name: axis.extent for axis in self.whole.axes}
        for access in _accesses(self.whole):
            shape = self.work.buffers[access.buffer].shape
            for part, dim in zip(access.index, shape, strict=True):
                used = axes_in((part,)) & set(self.parts) if isinstance(part, Affine) else set()
                if used and (plain_axis(part) not in used or extents[plain_axis(part)] != dim):
                    return False
        fixed = all(isinstance(axis.extent, int) for axes in self.parts.values() for axis in axes[1:])
        return fixed or not any(
            isinstance(node, Position) and axes_in((node.affine,)) & set(self.parts)
            for stmt in statements(self.whole.body)
            for scalar in scalars_of(stmt)
            for node in subscalars(scalar)
        )

    def kernel(self) -> Kernel:
        axes = tuple(new for old in self.whole.axes for new in self.parts.get(old.name, (old,)))
        body = map_places(map_block(self.whole.body, self._position), self._place)
        return replace(self.whole, axes=axes, body=body)

    def _position(self, node: Scalar) -> Scalar:
        if isinstance(node, Position):
            return Position(compose(node.affine, {axis: _flat(axes) for axis, axes in self.parts.items()}))
        return node

    def _place(self, buffer: str, index: tuple[Index, ...]) -> tuple[str, tuple[Index, ...]]:
        shape: list[Dim] = []
        finer: list[Index] = []
        for part, dim in zip(index, self.work.buffers[buffer].shape, strict=True):
            axes = self.parts.get(plain_axis(part))
            shape += [axis.extent for axis in axes] if axes else [dim]
            finer += [axis_index(axis.name) for axis in axes] if axes else [part]
        return (buffer, index) if len(finer) == len(index) else (self.work.view(buffer, tuple(shape)), tuple(finer))


def _flat(axes: tuple[Axis, ...]) -> Affine:
    """The position along an axis from the positions along its parts."""
    terms: list[tuple[str, int]] = []
    step = 1
    for axis in reversed(axes):
        terms.append((axis.name, step))
        step *= axis.extent if isinstance(axis.extent, int) else 0
    return affine(terms)


def grouped(coarse: Shape, fine: Shape) -> list[Shape] | None:
    """For each axis of the coarse shape the axes of the fine one that it is made of; None when they do not fit so."""
    groups: list[Shape] = []
    position = 0
    for dim in coarse:
        start = position
        product: Dim = 1
        while product != dim and position < len(fine):
            product = dims.mul(product, fine[position])
            position += 1
        if product != dim:
            return None
        groups.append(fine[start:position])
    return groups if position == len(fine) and any(len(group) > 1 for group in groups) else None


def _is_map(kernel: Kernel) -> bool:
    *lets, last = kernel.body
    return isinstance(last, Store) and not last.accumulate and all(isinstance(stmt, Let) for stmt in lets)


def _covers(kernel: Kernel, index: tuple[Index, ...]) -> bool:
    """Whether an index is made of all axes of a kernel, each alone."""
    return sorted(filter(None, map(plain_axis, index))) == sorted(axis.name for axis in kernel.axes)


def _accesses(kernel: Kernel) -> Iterator[Load | Store]:
    yield from loads(kernel.body)
    yield from stores(kernel.body)


def _without_coarse_roots(program: Program) -> Program:
    """Scratch that is only used under one other shape has that shape."""
    used: dict[str, set[str]] = {}
    for kernel in kernels(program.items):
        for access in _accesses(kernel):
            used.setdefault(storage(program, access.buffer), set()).add(access.buffer)
    names = {
        root: next(iter(known))
        for root, known in used.items()
        if program.buffers[root].role == "scratch" and len(known) == 1 and root not in known
    }
    if not names:
        return program
    buffers = {
        name: replace(buffer, view_of=None) if name == names.get(buffer.view_of or "") else buffer
        for name, buffer in program.buffers.items()
        if name not in names and (buffer.view_of not in names or name == names[buffer.view_of])
    }
    return replace(program, buffers=buffers)


SHAPES = Pass("shapes", "split flattened axes where that lets element-wise kernels join their neighbours", refine)
