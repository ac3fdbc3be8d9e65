"""Two kernels as one: which axes correspond, whether that is legal, and the merged kernel.

Kernels are merged along common axes. What either has beyond these becomes a loop inside. It is legal when every place
that one of them writes and the other touches belongs to one iteration of the common axes: then doing all of the first
kernel's work for an iteration before the second's changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from codegen.loops.grammar import (
    Affine,
    Axis,
    Index,
    Kernel,
    Let,
    Load,
    Loop,
    Program,
    Reduce,
    Stmt,
    Store,
    loads,
    statements,
    stores,
)
from codegen.loops.ranges import apart
from codegen.loops.rewrite import axis_index, compose, rename_axes_block, rename_values
from codegen.lower.names import AxisNames
from codegen.passes.core import bound_axes, contraction, is_check, storage
from symnet.expr.dims import Dim

MOST_STATEMENTS = 240
"""Statements beyond which a kernel does not grow."""

Matching = Mapping[str, str]
"""Axes of the second kernel -> axes of the first."""


def corresponding_axes(first: Kernel, second: Kernel) -> Matching:
    """The axes along which the second kernel reads what the first one writes, element for element."""
    own = {axis.name: axis.extent for axis in first.axes}
    other = {axis.name: axis.extent for axis in second.axes}
    written: dict[str, list[Store]] = {}
    for store in stores(first.body):
        written.setdefault(store.buffer, []).append(store)
    found: dict[str, str] = {}
    for load in loads(second.body):
        for store in written.get(load.buffer, ()):
            for there, here in zip(load.index, store.index, strict=True):
                a, b = _single(here), _single(there)
                if a in own and b in other and own[a] == other[b] and here == compose_one(there, b, a):
                    found.setdefault(b, a)
    return found if len(set(found.values())) == len(found) else {}


def positional_axes(first: Kernel, second: Kernel) -> Matching:
    """The axes in order, when both kernels have the same extents."""
    if [axis.extent for axis in first.axes] != [axis.extent for axis in second.axes]:
        return {}
    return {b.name: a.name for a, b in zip(first.axes, second.axes, strict=True)}


def _single(part: Index) -> str:
    return part.terms[0][0] if isinstance(part, Affine) and len(part.terms) == 1 else ""


def compose_one(part: Index, old: str, new: str) -> Index:
    return compose(part, {old: axis_index(new)}) if isinstance(part, Affine) else part


# --- legality ----------------------------------------------------------------------------------------------------


def mergeable(kernel: Kernel) -> bool:
    """Whether a kernel can be merged with others at all."""
    return not is_check(kernel) and not any(store.accumulate for store in stores(kernel.body))


def legal(program: Program, first: Kernel, second: Kernel, matching: Matching) -> bool:
    """Whether every place that one kernel writes and the other touches belongs to one iteration of the common axes."""
    common = {a for a in matching.values() if next(x.extent for x in first.axes if x.name == a) != 1}
    own, other = _extents(first), _extents(second)
    touched: dict[str, list[Load | Store]] = {}
    for access in _accesses(first):
        touched.setdefault(storage(program, access.buffer), []).append(access)
    forms = {b: axis_index(a) for b, a in matching.items()}
    for access in _accesses(second):
        for earlier in touched.get(storage(program, access.buffer), ()):
            if isinstance(access, Load) and isinstance(earlier, Load):
                continue
            index = tuple(compose(part, forms) if isinstance(part, Affine) else part for part in access.index)
            if access.buffer != earlier.buffer:
                return False
            if not _same_iteration(earlier.index, index, common) and not apart(
                (earlier.index, own), (access.index, other)
            ):
                return False
    return True


def _extents(kernel: Kernel) -> dict[str, Dim]:
    return {axis.name: axis.extent for axis in (*kernel.axes, *bound_axes(kernel.body))}


def _accesses(kernel: Kernel) -> Iterator[Load | Store]:
    yield from loads(kernel.body)
    yield from stores(kernel.body)


def _same_iteration(one: tuple[Index, ...], two: tuple[Index, ...], common: set[str]) -> bool:
    """Whether equal places imply equal positions along every common axis."""
    pinned = {_single(a) for a, b in zip(one, two, strict=True) if a == b}
    return common <= pinned


def keeps_contraction(first: Kernel, second: Kernel, matching: Matching) -> bool:
    """Whether contractions stay contractions: nothing before their sum, only straight-line code after it."""
    if contraction(second) is not None:
        return False
    if contraction(first) is None:
        return True
    straight = not any(isinstance(stmt, (Loop, Reduce)) for stmt in second.body)
    return straight and is_full(first, second, matching)


def is_full(first: Kernel, second: Kernel, matching: Matching) -> bool:
    """Whether the common axes are all axes of both kernels."""
    return len(matching) == len(first.axes) == len(second.axes)


# --- the merged kernel -------------------------------------------------------------------------------------------


def merge(program: Program, outer: tuple[str, ...], first: Kernel, second: Kernel, matching: Matching) -> Kernel:
    """One kernel over the common axes that does the first one's work, then the second's."""
    common = tuple(axis for axis in first.axes if axis.name in matching.values())
    taken = AxisNames((*program.dims, *outer, *(axis.name for axis in (*first.axes, *bound_axes(first.body)))))
    names = dict(matching)
    for axis in (*second.axes, *bound_axes(second.body)):
        if axis.name not in names:
            clash = axis.name in taken.taken
            names[axis.name] = taken.take(axis.extent) if clash else axis.name
            taken.taken.add(names[axis.name])
    second_body = rename_axes_block(second.body, {old: new for old, new in names.items() if old != new})
    second_body = _apart_from(first.body, second_body)
    first_body = _wrapped(tuple(axis for axis in first.axes if axis not in common), first.body)
    rest = tuple(Axis(names[axis.name], axis.extent) for axis in second.axes if axis.name not in matching)
    body = (*first_body, *_wrapped(rest, second_body))
    note = first.note if second.note in first.note.split(", ") else ", ".join(filter(None, (first.note, second.note)))
    return replace(first, axes=common, body=body, note=note)


def _wrapped(axes: tuple[Axis, ...], body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    return (Loop(axes, body),) if axes else body


def _apart_from(first: tuple[Stmt, ...], second: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The second block with its values renamed where the first one binds the same name."""
    taken = {stmt.name for stmt in statements(first) if isinstance(stmt, (Let, Reduce))}
    names: dict[str, str] = {}
    for stmt in statements(second):
        if isinstance(stmt, (Let, Reduce)) and stmt.name in taken:
            count = 2
            while f"{stmt.name}_{count}" in taken:
                count += 1
            names[stmt.name] = f"{stmt.name}_{count}"
            taken.add(names[stmt.name])
        elif isinstance(stmt, (Let, Reduce)):
            taken.add(stmt.name)
    return rename_values(second, names) if names else second


def statement_count(kernel: Kernel) -> int:
    return sum(1 for _ in statements(kernel.body))
