"""Fewer and longer axes: a contraction rewritten so that its tiles have more to choose from.

Three rewritings that keep the meaning and the order of every element's sum:

    axes of one position    replaced by that position
    guards that never fail  dropped, so that the operand can be read in place
    neighbouring axes       `x[t, u]` under t and u, wherever either occurs, becomes `x[tu]` under one axis

A buffer that is seen under another shape gets another name here, an alias of the same memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from codegen.llvm.contract.problem import ROLES, Contraction
from codegen.llvm.signature import affine_forms
from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Index,
    Let,
    Load,
    Position,
    Program,
    Scalar,
    Stmt,
    Store,
    accesses,
    scalars_of,
    subscalars,
)
from codegen.loops.rewrite import axis_index, map_block, substitute_axes_block
from symnet.expr import dims as dimension


def merge(problem: Contraction) -> Contraction:
    """The contraction with as few axes as the three rewritings give."""
    problem = _without_guards(_without_units(problem))
    while pair := _mergeable_pair(problem):
        problem = _merge_pair(problem, *pair)
    return problem


def _with_block(problem: Contraction, block: Iterable[Stmt]) -> Contraction:
    first, *epilogue = block
    assert isinstance(first, Let)
    assert isinstance(first.value, Apply)
    return replace(problem, product=first.value, epilogue=tuple(epilogue))


# --- axes of one position ----------------------------------------------------------------------------------------


def _without_units(problem: Contraction) -> Contraction:
    units = {axis.name: Affine() for axis in problem.axes.values() if axis.extent == 1}
    if not units:
        return problem
    roles = {role: tuple(axis for axis in problem.roles[role] if axis.name not in units) for role in ROLES}
    vector = None if problem.vector in units else problem.vector
    block = substitute_axes_block(problem.block, units)
    return replace(_with_block(problem, block), roles=roles, vector=vector, shared=problem.shared - set(units))


# --- guards ------------------------------------------------------------------------------------------------------


def _without_guards(problem: Contraction) -> Contraction:
    def visit(node: Scalar) -> Scalar:
        if isinstance(node, Load) and node.fill is not None and _stays_inside(problem, node):
            return Load(node.buffer, node.index, node.dtype)
        return node

    return _with_block(problem, map_block(problem.block, visit))


def _stays_inside(problem: Contraction, load: Load) -> bool:
    """Whether every index of a guarded load is in range at every position, as far as that is evident."""
    shape = problem.program.buffers[load.buffer].shape
    pairs = zip(load.index, shape, strict=True)
    return all(isinstance(part, Affine) and _within(problem, part, dim) for part, dim in pairs)


def _within(problem: Contraction, form: Affine, dim: dimension.Dim) -> bool:
    axes = problem.axes
    if len(form.terms) == 1 and form.terms[0] == (form.terms[0][0], 1) and form.offset == 0:
        axis = axes.get(form.terms[0][0])
        if axis is not None and axis.extent == dim:
            return True
    low = high = form.offset
    for name, coefficient in form.terms:
        extent = axes[name].extent if name in axes else None
        if not (isinstance(extent, int) and isinstance(low, int) and isinstance(high, int)):
            return False
        reach = coefficient * (extent - 1)
        low, high = (low, high + reach) if coefficient > 0 else (low + reach, high)
    return isinstance(low, int) and isinstance(high, int) and isinstance(dim, int) and low >= 0 and high < dim


# --- merging -----------------------------------------------------------------------------------------------------


def _mergeable_pair(problem: Contraction) -> tuple[Axis, Axis] | None:
    """Two axes of one role that may become one."""
    for role in ROLES:
        for outer in problem.roles[role]:
            for inner in problem.roles[role]:
                if outer != inner and _may_merge(problem, outer, inner):
                    return outer, inner
    return None


def _may_merge(problem: Contraction, outer: Axis, inner: Axis) -> bool:
    """Whether the two occur only as neighbouring indices of buffers in which `inner` covers its whole dimension."""
    pair = {outer.name, inner.name}
    if pair & _positions_of(problem.block) or (outer.name in problem.shared) != (inner.name in problem.shared):
        return False
    for access in accesses(problem.block):
        mentions = [number for number, part in enumerate(access.index) if _axes_of(part) & pair]
        if mentions and not _neighbours(problem.program, access, mentions[0], outer, inner):
            return False
        if len(mentions) > 2:
            return False
    return True


def _neighbours(program: Program, access: Load | Store, at: int, outer: Axis, inner: Axis) -> bool:
    together = access.index[at : at + 2] == (axis_index(outer.name), axis_index(inner.name))
    return together and program.buffers[access.buffer].shape[at + 1] == inner.extent


def _axes_of(part: Index) -> set[str]:
    return {axis for axis, _ in part.terms} if isinstance(part, Affine) else set()


def _positions_of(block: tuple[Stmt, ...]) -> set[str]:
    """Axes whose position is used as a value."""
    return {
        axis
        for stmt in block
        for scalar in scalars_of(stmt)
        for part in subscalars(scalar)
        if isinstance(part, Position)
        for axis, _ in part.affine.terms
    }


def _merge_pair(problem: Contraction, outer: Axis, inner: Axis) -> Contraction:
    together = Axis(_unused_name(problem, outer, inner), dimension.mul(outer.extent, inner.extent))
    buffers, aliases = dict(problem.program.buffers), dict(problem.aliases)

    def join(buffer: str, index: tuple[Index, ...]) -> tuple[str, tuple[Index, ...]]:
        if axis_index(outer.name) not in index:
            return buffer, index
        at = index.index(axis_index(outer.name))
        seen, root = buffers[buffer], aliases.get(buffer, buffer)
        shape = (*seen.shape[:at], dimension.mul(seen.shape[at], seen.shape[at + 1]), *seen.shape[at + 2 :])
        alias = f"{root}:{','.join(map(str, shape))}"
        buffers[alias] = replace(seen, name=alias, shape=shape)
        aliases[alias] = root
        return alias, (*index[:at], axis_index(together.name), *index[at + 2 :])

    def visit(node: Scalar) -> Scalar:
        return Load(*join(node.buffer, node.index), node.dtype, node.fill) if isinstance(node, Load) else node

    block = [
        Store(*join(stmt.buffer, stmt.index), stmt.value, stmt.accumulate, stmt.origin)
        if isinstance(stmt, Store)
        else stmt
        for stmt in map_block(problem.block, visit)
    ]
    roles = {
        role: tuple(together if axis == outer else axis for axis in problem.roles[role] if axis != inner)
        for role in ROLES
    }
    pair = {outer.name, inner.name}
    return replace(
        _with_block(problem, block),
        roles=roles,
        shared=problem.shared - pair | ({together.name} if outer.name in problem.shared else set()),
        vector=together.name if problem.vector in pair else problem.vector,
        program=replace(problem.program, buffers=buffers),
        aliases=aliases,
    )


def _unused_name(problem: Contraction, outer: Axis, inner: Axis) -> str:
    taken = set(problem.axes) | {axis for form in affine_forms(problem.block) for axis, _ in form.terms}
    name = f"{outer.name}.{inner.name}"
    while name in taken:
        name += "."
    return name
