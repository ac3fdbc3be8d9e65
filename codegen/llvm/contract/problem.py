"""What a contraction kernel computes, taken apart: roles of its axes, two operands, an epilogue.

    acc[g, r, c] = sum over k of left[g, r, k] * right[g, k, c]        then the epilogue, for every (g, r, c)

The operands are scalar expressions; one that is a single unguarded load at affine indices can be read in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Kernel,
    Let,
    Load,
    Position,
    Program,
    Reduce,
    Ref,
    Scalar,
    Stmt,
    Store,
    subscalars,
)
from codegen.loops.rewrite import map_scalar
from symnet.errors import CompilerBug, Unsupported
from symnet.expr import dims as dimension
from symnet.expr.dims import Dim

ROLES = ("batch", "rows", "cols", "inner")


@dataclass(frozen=True)
class Contraction:
    """A contraction kernel; immutable, rewritten by `merge`.

    roles     role -> its axes, outermost first
    product   the product of the two operands; `acc` is the name of its sum in the epilogue
    shared    names of the axes along which threads may divide the work
    vector    the axis that has to run in vector lanes; None leaves the choice
    tile      rows and columns that the register tile has to have; None leaves the choice
    band      the axis that threads divide and how many of its positions a share has; None leaves the choice
    program   knows every buffer, aliases included
    aliases   buffer under another shape -> the buffer itself
    """

    name: str
    roles: Mapping[str, tuple[Axis, ...]]
    acc: str
    product: Apply
    epilogue: tuple[Stmt, ...]
    shared: frozenset[str]
    vector: str | None
    tile: tuple[int, int] | None
    program: Program
    band: tuple[str, int] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def block(self) -> tuple[Stmt, ...]:
        """Product and epilogue as one block of statements."""
        return (Let(self.acc, self.product), *self.epilogue)

    @property
    def rounded(self) -> bool:
        """Whether both operands are rounded to bfloat16."""
        return all(isinstance(part, Apply) and part.fn == "bf16" for part in self.product.args)

    @property
    def axes(self) -> dict[str, Axis]:
        return {axis.name: axis for role in ROLES for axis in self.roles[role]}


def contraction(kernel: Kernel, program: Program) -> Contraction:
    """The parts of a kernel whose schedule says "contract"."""
    first = kernel.body[0] if kernel.body else None
    if not (isinstance(first, Reduce) and first.reducer == "sum" and not first.each):
        raise CompilerBug(f"kernel {kernel.name}: a contraction starts with a sum, got {first}")
    product = _inline(first.body, first.value)
    if not (isinstance(product, Apply) and product.fn == "mul"):
        raise CompilerBug(f"kernel {kernel.name}: a contraction sums a product, got {product}")
    if product.dtype == "bool":
        raise Unsupported(f"kernel {kernel.name}: a contraction of bool values; cast them to a number first")
    axes = {axis.name: axis for axis in (*kernel.axes, *first.axes)}
    schedule = kernel.schedule
    named = {"batch": schedule.batch, "rows": schedule.rows, "cols": schedule.cols, "inner": schedule.inner}
    roles = {role: tuple(axes[name] for name in names) for role, names in named.items()}
    if sorted(axes) != sorted(name for names in named.values() for name in names):
        raise CompilerBug(f"kernel {kernel.name}: the roles {named} must name each of {sorted(axes)} once")
    shared = frozenset(axis.name for axis in kernel.axes[: schedule.parallel])
    band = (kernel.axes[0].name, schedule.band) if schedule.band else None
    return Contraction(
        kernel.name, roles, first.name, product, kernel.body[1:], shared, schedule.vector, schedule.tile, program, band
    )


def _inline(body: tuple[Stmt, ...], value: Scalar) -> Scalar:
    """The value with the names that the block binds replaced by what they stand for."""
    bound: dict[str, Scalar] = {}

    def visit(node: Scalar) -> Scalar:
        return bound.get(node.name, node) if isinstance(node, Ref) else node

    for stmt in body:
        if not isinstance(stmt, Let):
            raise CompilerBug(f"a {type(stmt).__name__} inside the sum of a contraction")
        bound[stmt.name] = map_scalar(stmt.value, visit)
    return map_scalar(value, visit)


# --- one operand -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operand:
    """One factor of the product.

    load     the load that it is, when it can be read in place: alone, unguarded, with affine indices; else None
    strides  of that load: axis -> elements between neighbours; axes it does not depend on are absent
    offset   of that load: elements from the start of the buffer at position 0 of every axis
    """

    value: Scalar
    load: Load | None
    strides: Mapping[str, Dim]
    offset: Dim


def operand(value: Scalar, program: Program) -> Operand:
    if isinstance(value, Load) and value.fill is None and all(isinstance(part, Affine) for part in value.index):
        strides, offset = linear(value, program)
        return Operand(value, value, strides, offset)
    return Operand(value, None, {}, 0)


def linear(load: Load | Store, program: Program) -> tuple[dict[str, Dim], Dim]:
    """The position of an element as strides for each axis and an offset; data-dependent indices are left out."""
    shape = program.buffers[load.buffer].shape
    strides: dict[str, Dim] = {}
    offset: Dim = 0
    for number, part in enumerate(load.index):
        if isinstance(part, Affine):
            step = dimension.product(shape[number + 1 :])
            offset = dimension.add(offset, dimension.mul(part.offset, step))
            for axis, coefficient in part.terms:
                strides[axis] = dimension.add(strides.get(axis, 0), dimension.mul(coefficient, step))
    return {axis: stride for axis, stride in strides.items() if stride != 0}, offset


def axes_in(value: Scalar) -> frozenset[str]:
    """The axes a scalar depends on."""
    found: set[str] = set()
    for part in subscalars(value):
        forms: tuple[object, ...] = ()
        if isinstance(part, Load):
            forms = part.index
        elif isinstance(part, Position):
            forms = (part.affine,)
        found.update(axis for form in forms if isinstance(form, Affine) for axis, _ in form.terms)
    return frozenset(found)


def runs_along(value: Scalar, axis: str, program: Program) -> bool:
    """Whether everything a scalar loads lies contiguously along the axis, or does not depend on it."""
    for part in subscalars(value):
        if isinstance(part, Load):
            if any(not isinstance(index, Affine) and axis in axes_in(index) for index in part.index):
                return False
            if linear(part, program)[0].get(axis, 0) not in (0, 1):
                return False
    return True
