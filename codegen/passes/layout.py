"""Layout: arrays of scratch that convolutions work on are kept with their channels last.

    y[n, k, i, j] = sum(c, u, v) x[n, c, i + u, j + v] * w[k, c, u, v]

Along the channels, `x` and `y` of any size are whole vectors, and windows read next to each other whatever their
stride. So the axis of such arrays that is also one of the filter's goes last; arrays beside them in other kernels
follow. Arrays that are seen from outside, or under another shape, stay as they are; who reads them transposes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TypeVar

from codegen.loops.grammar import Affine, Apply, Index, Kernel, Load, Program, Reduce, Store, kernels, loads, stores
from codegen.loops.rewrite import Place, map_places
from codegen.passes.core import Pass, bound_axes, capacity, contraction, map_kernels, plain_axis, with_items


def layout(program: Program) -> Program:
    every = list(kernels(program.items))
    viewed = {buffer.view_of for buffer in program.buffers.values()}
    free = {
        name
        for name, buffer in program.buffers.items()
        if buffer.role == "scratch" and buffer.view_of is None and name not in viewed and len(buffer.shape) > 2
    }
    last: dict[str, int] = {}
    for kernel in every:
        for buffer, position in _channels(program, kernel):
            if buffer in free:
                last.setdefault(buffer, position)
    if not last:
        return program
    followed = {kernel.name: kernel for kernel in every if contraction(kernel) is None}
    while found := {b: p for kernel in followed.values() for b, p in _beside(kernel, last) if b in free - last.keys()}:
        last |= found
    return _permuted(program, last)


Access = Load | Store


def _channels(program: Program, kernel: Kernel) -> list[tuple[str, int]]:
    """The arrays of a convolution, without its filter, each with the position of its channels."""
    first = kernel.body[0] if kernel.body else None
    if contraction(kernel) is None or not isinstance(first, Reduce) or not isinstance(first.value, Apply):
        return []
    accesses: list[Access] = [one for one in first.value.args if isinstance(one, Load)]
    main = stores(kernel.body)[0]
    extents = {axis.name: capacity(program, axis.extent) for axis in (*kernel.axes, *bound_axes(kernel.body))}
    windowed = [one for one in (*accesses, main) if any(len(_axes(part)) > 1 for part in one.index)]
    if len(windowed) != 1:
        return []
    together = {axis for part in windowed[0].index if len(_axes(part)) > 1 for axis in _axes(part)}
    others = sorted(
        (one for one in (*accesses, main) if one is not windowed[0]),
        key=lambda one: sum(extents.get(axis, 0) for part in one.index for axis in _axes(part) if axis in together),
    )
    filter_, image = others
    shared = {axis for part in filter_.index for axis in _axes(part)} - together
    found = []
    for one in (windowed[0], image):
        places = [at for at, part in enumerate(one.index) if plain_axis(part) in shared]
        if len(places) == 1:
            found.append((one.buffer, places[0]))
    return found


def _axes(part: Index) -> tuple[str, ...]:
    return tuple(axis for axis, _ in part.terms) if isinstance(part, Affine) else ()


def _beside(kernel: Kernel, last: dict[str, int]) -> list[tuple[str, int]]:
    """Arrays that a kernel reads or writes along the axis that is last for most of what it touches."""
    accesses: list[Access] = [*loads(kernel.body), *stores(kernel.body)]
    votes = Counter(plain_axis(one.index[last[one.buffer]]) for one in accesses if one.buffer in last)
    axis = votes.most_common(1)[0][0] if votes else ""
    if not axis:
        return []
    found = []
    for one in accesses:
        places = [at for at, part in enumerate(one.index) if plain_axis(part) == axis]
        if len(places) == 1:
            found.append((one.buffer, places[0]))
    return found


Part = TypeVar("Part")


def _moved(parts: tuple[Part, ...], position: int) -> tuple[Part, ...]:
    """One part after all others."""
    return (*parts[:position], *parts[position + 1 :], parts[position])


def _permuted(program: Program, last: dict[str, int]) -> Program:
    """The program with one axis of some buffers after all others."""

    def place(buffer: str, index: tuple[Index, ...]) -> Place:
        return buffer, _moved(index, last[buffer]) if buffer in last else index

    buffers = {
        name: replace(buffer, shape=_moved(buffer.shape, last[name])) if name in last else buffer
        for name, buffer in program.buffers.items()
    }
    items = map_kernels(program.items, lambda kernel: replace(kernel, body=map_places(kernel.body, place)))
    return with_items(replace(program, buffers=buffers), items)


LAYOUT = Pass("layout", "keep what convolutions work on with the channels last", layout)
