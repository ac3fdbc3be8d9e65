"""Decisions about a loop nest before it is printed: which axes run in lanes, how many lanes, which axes are one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from codegen.llvm.functions import MATH
from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Const,
    Kernel,
    Let,
    Load,
    Loop,
    Position,
    Program,
    Reduce,
    Ref,
    Scalar,
    Stmt,
    Store,
    accesses,
    loads,
    positions,
    scalars_of,
    statements,
    subscalars,
)
from codegen.loops.rewrite import map_block, rename_axes_block
from codegen.target import Target
from symnet.errors import CompilerBug
from symnet.expr import dims as dimension
from symnet.expr.dims import Dim
from symnet.expr.dtypes import BYTES, is_float

WIDTHS = (8, 4, 2, 1)
"""Vectors of accumulators that a cheap reduction may keep, to hide the latency of adding and to read long runs."""
PASS_COST = 2
"""What one more pass over the data costs besides its vectors, in vectors."""
UNROLLED = 32
"""Iterations up to which a reduction inside a vector is written out: the windows of pools and small filters."""


@dataclass(frozen=True)
class Partition:
    """How the axes of a kernel are dealt with: `shared` ones are flattened into shares, `rest` are loops inside one.

    vector  the one of them that runs in lanes, if any       merged  axes that became part of it, 0 throughout
    band    positions of the one shared axis in a share
    """

    shared: tuple[Axis, ...]
    rest: tuple[Axis, ...]
    vector: Axis | None
    merged: tuple[str, ...]
    band: int = 1


def partition(kernel: Kernel, program: Program) -> Partition:
    """The kernel's axes as shared out, looped over, run in lanes and merged."""
    axes, parallel = kernel.axes, kernel.schedule.parallel
    merged: tuple[str, ...] = ()
    chosen = vector_axes(kernel)
    if parallel > len(axes):
        raise CompilerBug(f"kernel {kernel.name}: {parallel} parallel axes of {len(axes)}")
    if kernel.schedule.band:  # the shared axis stays what it is
        if axes[1:] and axes[-1].name in chosen:
            rest, merged = merge(program, kernel.body, axes[1:])
            axes = (axes[0], *rest)
    elif axes and axes[-1].name in chosen:
        axes, merged = merge(program, kernel.body, axes)
    vector = next((axis for axis in axes if axis.name in chosen), None)
    parallel = min(parallel, len(axes))
    return Partition(axes[:parallel], axes[parallel:], vector, merged, max(1, kernel.schedule.band))


def vector_axes(kernel: Kernel) -> frozenset[str]:
    """The axes that run in lanes: the scheduled one and, if that is an inner one, the others like it beside it.

    A kernel such as a softmax over rows has several inner loops of the same extent one after another; the schedule
    names one of them and means all.
    """
    vector = kernel.schedule.vector
    if vector is None:
        return frozenset()
    chosen = {vector}
    inner = [stmt for stmt in statements(kernel.body) if isinstance(stmt, (Loop, Reduce))]
    extents = {stmt.axes[-1].extent for stmt in inner if any(axis.name == vector for axis in stmt.axes)}
    for stmt in inner:
        nested = any(isinstance(s, (Loop, Reduce)) for s in statements(stmt.body))
        if stmt.axes and stmt.axes[-1].extent in extents and not nested:
            chosen.add(stmt.axes[-1].name)
    return frozenset(chosen)


def together(body: tuple[Stmt, ...]) -> Iterator[tuple[Stmt, ...]]:
    """The statements one by one, but sums that run as one loop in one tuple, with the axes of the first of them.

    These are reductions one after the other over equal ranges, none of which needs another.
    """
    group: list[Reduce] = []
    for stmt in body:
        if group and isinstance(stmt, Reduce) and _joins(group, stmt):
            names = zip((axis.name for axis in stmt.axes), (axis.name for axis in group[0].axes), strict=True)
            (renamed,) = rename_axes_block((stmt,), dict(names))
            assert isinstance(renamed, Reduce)
            group.append(renamed)
            continue
        if group:
            yield tuple(group)
            group = []
        if isinstance(stmt, Reduce):
            group = [stmt]
        else:
            yield (stmt,)
    if group:
        yield tuple(group)


def riding(loop: Stmt, group: tuple[Stmt, ...]) -> tuple[Reduce, ...]:
    """The sums of a group as they run inside a loop over the same range that stands before them, on what it has just
    stored; none when they need more than that, or when the loop has no slow functions to hide them behind."""
    sums = [stmt for stmt in group if isinstance(stmt, Reduce) and not stmt.each]
    if not isinstance(loop, Loop) or not sums or any(isinstance(s, (Loop, Reduce)) for s in loop.body):
        return ()
    if [a.extent for a in loop.axes] != [a.extent for a in sums[0].axes] or not _costly(loop):
        return ()
    stored = {(s.buffer, s.index): s.value for s in loop.body if isinstance(s, Store) and not s.accumulate}
    buffers = {s.buffer for s in loop.body if isinstance(s, Store)}
    names = zip((axis.name for axis in sums[0].axes), (axis.name for axis in loop.axes), strict=True)

    def known(scalar: Scalar) -> Scalar:
        return stored.get((scalar.buffer, scalar.index), scalar) if isinstance(scalar, Load) else scalar

    result = map_block(rename_axes_block(sums, dict(names)), known)
    if any(load.buffer in buffers for load in loads(result)):
        return ()
    return tuple(stmt for stmt in result if isinstance(stmt, Reduce))


def _costly(loop: Loop) -> bool:
    scalars = [part for stmt in loop.body for scalar in scalars_of(stmt) for part in subscalars(scalar)]
    return any(isinstance(part, Apply) and part.fn in MATH for part in scalars)


def _joins(group: list[Reduce], stmt: Reduce) -> bool:
    first, bound = group[0], {other.name for other in group}
    if first.each or stmt.each or [a.extent for a in first.axes] != [a.extent for a in stmt.axes]:
        return False
    parts = (part for s in statements((stmt,)) for scalar in scalars_of(s) for part in subscalars(scalar))
    return not any(isinstance(part, Ref) and part.name in bound for part in parts)


def lanes(body: tuple[Stmt, ...], axis: Axis, target: Target) -> int:
    """How many lanes run over `axis` around (or in) these statements: a power of two, at least one vector register.

    The widest float that differs between lanes fills one register; without floats the widest integer does. Several
    registers at once where sums would otherwise wait for each other, as long as the extent fills them.
    """
    varying, all_of = _varying(body, axis.name), list(statements(body))
    dtypes = {scalar.dtype for scalar in varying} or {"float32"}
    floats = [dtype for dtype in dtypes if is_float(dtype)]
    width = max(BYTES[dtype] for dtype in floats or dtypes)
    count = max(1, min(target.vector_bytes, 64) // width)
    accumulates = any(isinstance(stmt, Reduce) and (_over(stmt, axis.name) or not unrolled(stmt)) for stmt in all_of)
    functions = {scalar.fn for scalar in varying if isinstance(scalar, Apply)}
    costly = not functions.isdisjoint((*MATH, "pow", "mod", "floordiv", "philox"))
    if "philox" in functions and not _shorter(axis, target.vector_bytes // 2):
        return max(count, target.vector_bytes // 2)  # the 4 words of blocks that fill a register with 64-bit lanes
    # what is done once, after a sum, may need many registers
    repeated = _varying(tuple(stmt for stmt in body if isinstance(stmt, (Loop, Reduce))) or body, axis.name)
    if not accumulates or costly or width == 1 or sum(isinstance(scalar, Load) for scalar in repeated) > 4:
        return count
    if dimension.names(axis.extent):
        return 4 * count
    vectors = -(-dimension.evaluate(axis.extent, {}) // count)
    return count * min(WIDTHS, key=lambda factor: -(-vectors // factor) * (factor + PASS_COST))


def _shorter(axis: Axis, count: int) -> bool:
    return not dimension.names(axis.extent) and dimension.evaluate(axis.extent, {}) < count


def unrolled(stmt: Reduce) -> bool:
    """Whether a reduction is so short that every iteration is written out, its addresses constants."""
    straight = not stmt.each and not any(isinstance(inner, (Loop, Reduce)) for inner in statements(stmt.body))
    count = dimension.product(axis.extent for axis in stmt.axes)
    return straight and isinstance(count, int) and count <= UNROLLED


def _varying(body: tuple[Stmt, ...], axis: str) -> list[Scalar]:
    """The scalars in a block whose value differs along `axis`."""
    names: set[str] = set()
    found: list[Scalar] = []

    def differs(scalar: Scalar) -> bool:
        if isinstance(scalar, Const):
            return False
        if isinstance(scalar, Ref):
            return scalar.name in names
        if isinstance(scalar, Position):
            return scalar.affine.coefficient(axis) != 0
        parts = scalar.args if isinstance(scalar, Apply) else scalar.index
        result = False
        for part in parts:  # every part is visited, so that all that differ are found
            differing = part.coefficient(axis) != 0 if isinstance(part, Affine) else differs(part)
            result = differing or result
        if result:
            found.append(scalar)
        return result

    for stmt in _inner_first(body):
        for scalar in scalars_of(stmt):
            differing = differs(scalar)
            if differing and (isinstance(stmt, Let) or (isinstance(stmt, Reduce) and not _over(stmt, axis))):
                names.add(stmt.name)
    return found


def _over(stmt: Reduce, axis: str) -> bool:
    return any(own.name == axis for own in stmt.axes)


def _inner_first(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """Statements in the order in which their values become known: the block of a reduction before its value."""
    for stmt in body:
        if isinstance(stmt, Loop):
            yield from _inner_first(stmt.body)
        elif isinstance(stmt, Reduce):
            yield from _inner_first(stmt.body)
            yield stmt
            yield from _inner_first(stmt.each)
        else:
            yield stmt


def merge(program: Program, body: tuple[Stmt, ...], axes: tuple[Axis, ...]) -> tuple[tuple[Axis, ...], tuple[str, ...]]:
    """`axes` with as many as possible of those before the last one merged into it; and the names of the merged ones.

    A merged axis is 0 throughout and the last one runs over the product of the extents: where every access moves along
    the outer axis by extent times what it moves along the inner one, the addresses are the same, and short rows need
    no masked tail each.
    """
    kept, merged = list(axes), []
    while len(kept) > 1 and _mergeable(program, body, kept[-2], kept[-1]):
        outer, inner = kept[-2:]
        merged.append(outer.name)
        kept[-2:] = [Axis(inner.name, dimension.mul(outer.extent, inner.extent))]
    return tuple(kept), tuple(merged)


def _mergeable(program: Program, body: tuple[Stmt, ...], outer: Axis, inner: Axis) -> bool:
    for part in positions(body):
        if part.affine.coefficient(outer.name) != dimension.mul(inner.extent, part.affine.coefficient(inner.name)):
            return False
    for access in accesses(body):
        outer_step, inner_step = (_step(program, access, axis.name) for axis in (outer, inner))
        if outer_step != dimension.mul(inner.extent, inner_step):
            return False
        if isinstance(access, Load) and access.fill is not None and (outer_step or inner_step):
            return False
    return True


def _step(program: Program, access: Load | Store, axis: str) -> Dim:
    """Elements by which an access moves along an axis."""
    shape = program.buffers[access.buffer].shape
    total: Dim = 0
    for position, part in enumerate(access.index):
        if isinstance(part, Affine) and (coefficient := part.coefficient(axis)):
            stride = dimension.product(shape[position + 1 :])
            total = dimension.add(total, dimension.mul(coefficient, stride))
    return total
