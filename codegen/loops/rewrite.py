"""Helpers on loop programs: arithmetic on affine forms, renaming, substitution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from operator import is_

from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Check,
    Const,
    Index,
    Let,
    Load,
    Loop,
    Origin,
    Position,
    Reduce,
    Ref,
    Scalar,
    Stmt,
    Store,
)
from symnet.expr import dims
from symnet.expr.dims import Dim

# --- affine forms ------------------------------------------------------------------------------------------------


def affine(terms: Iterable[tuple[str, int]] = (), offset: Dim = 0) -> Affine:
    """The canonical affine form: terms of one axis merged, sorted, zero coefficients dropped."""
    total: dict[str, int] = {}
    for axis, coefficient in terms:
        total[axis] = total.get(axis, 0) + coefficient
    return Affine(tuple(sorted((a, c) for a, c in total.items() if c)), offset)


@lru_cache(maxsize=1 << 12)
def axis_index(name: str) -> Affine:
    """The affine form that is one axis."""
    return Affine(((name, 1),))


def add(a: Affine, b: Affine) -> Affine:
    return affine((*a.terms, *b.terms), dims.add(a.offset, b.offset))


def scale(a: Affine, factor: int) -> Affine:
    if factor == 1:
        return a
    return affine(((axis, c * factor) for axis, c in a.terms), dims.mul(a.offset, factor))


def shift(a: Affine, offset: Dim) -> Affine:
    return Affine(a.terms, dims.add(a.offset, offset))


def compose(outer: Affine, inner: Mapping[str, Affine]) -> Affine:
    """`outer` with axes replaced by affine forms; axes not in `inner` stay."""
    if not any(axis in inner for axis, _ in outer.terms):
        return outer
    if outer.offset == 0 and len(outer.terms) == 1 and outer.terms[0][1] == 1:
        return inner[outer.terms[0][0]]
    result = Affine((), outer.offset)
    for axis, coefficient in outer.terms:
        result = add(result, scale(inner.get(axis, axis_index(axis)), coefficient))
    return result


# --- mapping over scalars and statements -------------------------------------------------------------------------


def map_scalar(scalar: Scalar, visit: Callable[[Scalar], Scalar]) -> Scalar:
    """`visit` applied bottom-up to a scalar and everything inside it; what it leaves as it is stays the same object."""
    if isinstance(scalar, Apply):
        args = tuple([map_scalar(a, visit) for a in scalar.args])
        if not all(map(is_, args, scalar.args)):
            scalar = Apply(scalar.fn, args, scalar.dtype, scalar.origin)
    elif isinstance(scalar, Load):
        index = tuple([_map_index(i, visit) for i in scalar.index])
        if not all(map(is_, index, scalar.index)):
            scalar = Load(scalar.buffer, index, scalar.dtype, scalar.fill, scalar.origin)
    return visit(scalar)


def _map_index(index: Index, visit: Callable[[Scalar], Scalar]) -> Index:
    return index if isinstance(index, Affine) else map_scalar(index, visit)


def map_stmt(stmt: Stmt, visit: Callable[[Scalar], Scalar]) -> Stmt:
    """`visit` applied to every scalar of a statement and of the blocks inside it."""
    if isinstance(stmt, Let):
        return Let(stmt.name, map_scalar(stmt.value, visit), stmt.origin)
    if isinstance(stmt, Store):
        index = tuple(_map_index(i, visit) for i in stmt.index)
        return Store(stmt.buffer, index, map_scalar(stmt.value, visit), stmt.accumulate, stmt.origin)
    if isinstance(stmt, Check):
        return Check(map_scalar(stmt.condition, visit), stmt.code, stmt.origin)
    if isinstance(stmt, Loop):
        return Loop(stmt.axes, map_block(stmt.body, visit), stmt.origin)
    body, each = map_block(stmt.body, visit), map_block(stmt.each, visit)
    value = map_scalar(stmt.value, visit)
    return Reduce(stmt.name, stmt.reducer, stmt.axes, body, value, each, stmt.reverse, stmt.origin)


def map_block(body: Iterable[Stmt], visit: Callable[[Scalar], Scalar]) -> tuple[Stmt, ...]:
    return tuple(map_stmt(stmt, visit) for stmt in body)


Place = tuple[str, tuple[Index, ...]]
"""A buffer and an index into it."""


def map_places(body: Iterable[Stmt], visit: Callable[[str, tuple[Index, ...]], Place]) -> tuple[Stmt, ...]:
    """A block with `visit` applied to the buffer and index of every load and store, inner loads first."""

    def scalar(node: Scalar) -> Scalar:
        if not isinstance(node, Load):
            return node
        return Load(*visit(node.buffer, node.index), node.dtype, node.fill, node.origin)

    def store(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Store):
            return Store(*visit(stmt.buffer, stmt.index), stmt.value, stmt.accumulate, stmt.origin)
        if isinstance(stmt, Loop):
            return Loop(stmt.axes, tuple(map(store, stmt.body)), stmt.origin)
        if isinstance(stmt, Reduce):
            inner, each = tuple(map(store, stmt.body)), tuple(map(store, stmt.each))
            return Reduce(stmt.name, stmt.reducer, stmt.axes, inner, stmt.value, each, stmt.reverse, stmt.origin)
        return stmt

    return tuple(map(store, map_block(body, scalar)))


# --- origins -----------------------------------------------------------------------------------------------------


def stemming_from(body: Iterable[Stmt], origin: Origin) -> tuple[Stmt, ...]:
    """A block whose parts stem from `origin`, those apart that have an origin already."""

    def statement(stmt: Stmt) -> Stmt:
        own = origin if stmt.origin is None else stmt.origin
        if isinstance(stmt, Loop):
            return replace(stmt, body=tuple(map(statement, stmt.body)), origin=own)
        if isinstance(stmt, Reduce):
            inner, each = tuple(map(statement, stmt.body)), tuple(map(statement, stmt.each))
            return replace(stmt, body=inner, each=each, origin=own)
        return replace(stmt, origin=own)

    return tuple(map(statement, map_block(body, lambda scalar: scalar_from(scalar, origin))))


def scalar_from(scalar: Scalar, origin: Origin) -> Scalar:
    """A scalar that stems from `origin`, if it computes or reads something and has no origin yet; without its parts."""
    if isinstance(scalar, Apply) and scalar.origin is None:
        return Apply(scalar.fn, scalar.args, scalar.dtype, origin)
    if isinstance(scalar, Load) and scalar.origin is None:
        return Load(scalar.buffer, scalar.index, scalar.dtype, scalar.fill, origin)
    return scalar


# --- substitution ------------------------------------------------------------------------------------------------


def substitute_axes(scalar: Scalar, axes: Mapping[str, Affine]) -> Scalar:
    """A scalar with axes replaced by affine forms, in loads and positions."""

    def visit(node: Scalar) -> Scalar:
        if isinstance(node, Load):
            return _reading(node, tuple([compose(i, axes) if isinstance(i, Affine) else i for i in node.index]))
        if isinstance(node, Position):
            return Position(compose(node.affine, axes))
        return node

    return map_scalar(scalar, visit)


def _reading(load: Load, index: tuple[Index, ...]) -> Load:
    """The load at another index."""
    if all(map(is_, index, load.index)):
        return load
    return Load(load.buffer, index, load.dtype, load.fill, load.origin)


def substitute_axes_block(body: Iterable[Stmt], axes: Mapping[str, Affine]) -> tuple[Stmt, ...]:
    """A block with free axes replaced, store indices included; axes bound inside the block must not occur in `axes`."""
    result: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Let):
            result.append(Let(stmt.name, substitute_axes(stmt.value, axes), stmt.origin))
        elif isinstance(stmt, Store):
            index = tuple(compose(i, axes) if isinstance(i, Affine) else substitute_axes(i, axes) for i in stmt.index)
            value = substitute_axes(stmt.value, axes)
            result.append(Store(stmt.buffer, index, value, stmt.accumulate, stmt.origin))
        elif isinstance(stmt, Check):
            result.append(Check(substitute_axes(stmt.condition, axes), stmt.code, stmt.origin))
        elif isinstance(stmt, Loop):
            result.append(Loop(stmt.axes, substitute_axes_block(stmt.body, axes), stmt.origin))
        else:
            result.append(
                Reduce(
                    stmt.name,
                    stmt.reducer,
                    stmt.axes,
                    substitute_axes_block(stmt.body, axes),
                    substitute_axes(stmt.value, axes),
                    substitute_axes_block(stmt.each, axes),
                    stmt.reverse,
                    stmt.origin,
                )
            )
    return tuple(result)


def rename_axes_block(body: Iterable[Stmt], names: Mapping[str, str]) -> tuple[Stmt, ...]:
    """A block with axes renamed, those bound inside it too."""
    forms = {old: axis_index(new) for old, new in names.items()}

    def axes(bound: tuple[Axis, ...]) -> tuple[Axis, ...]:
        return tuple(Axis(names.get(a.name, a.name), a.extent) for a in bound)

    result: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Loop):
            result.append(Loop(axes(stmt.axes), rename_axes_block(stmt.body, names), stmt.origin))
        elif isinstance(stmt, Reduce):
            result.append(
                Reduce(
                    stmt.name,
                    stmt.reducer,
                    axes(stmt.axes),
                    rename_axes_block(stmt.body, names),
                    substitute_axes(stmt.value, forms),
                    rename_axes_block(stmt.each, names),
                    stmt.reverse,
                    stmt.origin,
                )
            )
        else:
            result.extend(substitute_axes_block([stmt], forms))
    return tuple(result)


def rename_values(body: Iterable[Stmt], names: Mapping[str, str]) -> tuple[Stmt, ...]:
    """A block with bound values renamed, where they are bound and where they are used."""

    def visit(node: Scalar) -> Scalar:
        return Ref(names.get(node.name, node.name), node.dtype) if isinstance(node, Ref) else node

    result: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Let):
            result.append(Let(names.get(stmt.name, stmt.name), map_scalar(stmt.value, visit), stmt.origin))
        elif isinstance(stmt, Loop):
            result.append(Loop(stmt.axes, rename_values(stmt.body, names), stmt.origin))
        elif isinstance(stmt, Reduce):
            result.append(
                Reduce(
                    names.get(stmt.name, stmt.name),
                    stmt.reducer,
                    stmt.axes,
                    rename_values(stmt.body, names),
                    map_scalar(stmt.value, visit),
                    rename_values(stmt.each, names),
                    stmt.reverse,
                    stmt.origin,
                )
            )
        else:
            result.append(map_stmt(stmt, visit))
    return tuple(result)


# --- indices that are data ---------------------------------------------------------------------------------------


def as_scalar(index: Index) -> Scalar:
    """An index as an int64 value."""
    if not isinstance(index, Affine):
        return index
    return Const(index.offset, "int64") if not index.terms and isinstance(index.offset, int) else Position(index)


def as_index(scalar: Scalar) -> Index:
    """An int64 value as an index: affine when it is a position or a constant."""
    if isinstance(scalar, Position):
        return scalar.affine
    if isinstance(scalar, Const):
        return Affine((), int(scalar.value))
    return scalar


def combine(form: Affine, parts: Mapping[str, Index]) -> Index:
    """`form` with its axes replaced by indices; a scalar expression when one of these is a scalar."""
    if all(isinstance(parts[axis], Affine) for axis, _ in form.terms if axis in parts):
        return compose(form, {axis: part for axis, part in parts.items() if isinstance(part, Affine)})
    total: Scalar | None = None
    rest = Affine((), form.offset)
    for axis, coefficient in form.terms:
        term = as_scalar(parts.get(axis, axis_index(axis)))
        if coefficient != 1:
            term = Apply("mul", (term, Const(coefficient, "int64")), "int64")
        total = term if total is None else Apply("add", (total, term), "int64")
    assert total is not None
    return total if rest == Affine() else Apply("add", (total, as_scalar(rest)), "int64")


def substitute(scalar: Scalar, parts: Mapping[str, Index]) -> Scalar:
    """A scalar with axes replaced by indices, affine or computed."""

    def visit(node: Scalar) -> Scalar:
        if isinstance(node, Load):
            return _reading(node, tuple([combine(i, parts) if isinstance(i, Affine) else i for i in node.index]))
        return as_scalar(combine(node.affine, parts)) if isinstance(node, Position) else node

    return map_scalar(scalar, visit)


def result_dtype(fn: str, args: tuple[Scalar, ...], cast_to: str = "") -> str:
    """The dtype that a scalar function gives for these operands."""
    if fn == "cast":
        return cast_to
    if fn in COMPARISONS:
        return "bool"
    if fn == "philox" and isinstance(args[4], Const):
        return "int32" if args[4].value < 32 else "int64"
    return args[1].dtype if fn == "where" else args[0].dtype


COMPARISONS = frozenset({
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "logical_and", "logical_or", "logical_not", "isnan",
})  # fmt: skip


def integer(value: int) -> Const:
    return Const(value, "int64")
