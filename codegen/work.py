"""How much a kernel does: arithmetic operations and bytes, as polynomials over the named dimensions."""

from __future__ import annotations

from codegen.llvm.signature import accesses
from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Kernel,
    Load,
    Loop,
    Program,
    Reduce,
    Stmt,
    Store,
    scalars_of,
    statements,
    subscalars,
)
from symnet.expr import dims as dimension
from symnet.expr.dims import Dim
from symnet.expr.dtypes import BYTES

NOT_ARITHMETIC = {"cast", "where", "isnan", "logical_and", "logical_or", "logical_not", "equal", "not_equal", "less",
                  "less_equal", "greater", "greater_equal"}  # fmt: skip


def operations(kernel: Kernel) -> Dim:
    """Arithmetic operations of a kernel; a function such as exp counts as one, a multiply-add as two."""
    return dimension.mul(_volume(kernel.axes), _block(kernel.body))


def traffic(kernel: Kernel, program: Program) -> Dim:
    """Bytes of the buffers a kernel reads plus those it writes, each once and whole (of a gather: what it takes)."""
    extents = {axis.name: axis.extent for axis in kernel.axes}
    for stmt in statements(kernel.body):
        if isinstance(stmt, (Loop, Reduce)):
            extents.update({axis.name: axis.extent for axis in stmt.axes})
    touched: dict[tuple[str, bool], Dim] = {}
    for access in accesses(kernel.body):
        dtype = program.buffers[access.buffer].dtype
        key = access.buffer, isinstance(access, Store)
        touched[key] = dimension.mul(_elements(access, extents, program), BYTES[dtype])
    total: Dim = 0
    for size in touched.values():
        total = dimension.add(total, size)
    return total


def _volume(axes: tuple[Axis, ...]) -> Dim:
    return dimension.product(axis.extent for axis in axes)


def _block(body: tuple[Stmt, ...]) -> Dim:
    total: Dim = 0
    for stmt in body:
        own: Dim = sum(
            isinstance(part, Apply) and part.fn not in NOT_ARITHMETIC
            for scalar in scalars_of(stmt)
            for part in subscalars(scalar)
        )
        if isinstance(stmt, Loop):
            own = dimension.mul(_volume(stmt.axes), _block(stmt.body))
        elif isinstance(stmt, Reduce):
            inner = dimension.add(dimension.add(own, 1), dimension.add(_block(stmt.body), _block(stmt.each)))
            own = dimension.mul(_volume(stmt.axes), inner)
        total = dimension.add(total, own)
    return total


def _elements(access: Load | Store, extents: dict[str, Dim], program: Program) -> Dim:
    """How many elements an access touches: whole axes where indices are affine, else one for each iteration."""
    shape = program.buffers[access.buffer].shape
    if all(isinstance(part, Affine) for part in access.index):
        moving = [any(part.terms) for part in access.index if isinstance(part, Affine)]
        return dimension.product(size for size, moves in zip(shape, moving, strict=True) if moves)
    names = {name for part in access.index if isinstance(part, Affine) for name, _ in part.terms}
    for part in access.index:
        if not isinstance(part, Affine):
            for inner in subscalars(part):
                if isinstance(inner, Load):
                    names |= {name for i in inner.index if isinstance(i, Affine) for name, _ in i.terms}
    return dimension.product(extents.get(name, 1) for name in sorted(names))
