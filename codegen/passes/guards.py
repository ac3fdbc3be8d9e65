"""Guards: reads that may leave a buffer, and when such a guard can move to what the buffer was computed from.

`y[i + 1 else 0]` where y[i] = g[i] * 2 is `g[i + 1 else 0] * 2`: outside of y the guarded loads give 0, and then the
whole value is 0. So y need not be stored.
"""

from __future__ import annotations

from collections.abc import Mapping

from codegen.loops.grammar import Affine, Apply, Axis, Const, Index, Load, Program, Scalar, subscalars
from codegen.loops.ranges import inside, never_negative
from codegen.loops.rewrite import map_scalar
from codegen.passes.core import axes_in
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape

KEEPS_ZERO = frozenset({"neg", "cast", "abs", "sign", "sqrt", "add", "sub", "mul", "maximum", "minimum"})
"""Functions that give 0 when all their operands are 0."""


def may_leave(load: Load, shape: Shape, extents: Mapping[str, Dim]) -> frozenset[int]:
    """The axes of the buffer along which a load may be outside; `extents` are those of the axes around it."""
    return frozenset(
        position
        for position, (part, dim) in enumerate(zip(load.index, shape, strict=True))
        if not (isinstance(part, Affine) and inside(part, extents, dim))
    )


def guard_moves(program: Program, value: Scalar, leaving: tuple[Axis, ...], fill: Const) -> bool:
    """Whether `value`, its loads guarded, is `fill` wherever one of the axes `leaving` is outside its extent."""
    names = {axis.name for axis in leaving}
    loads = [node for node in subscalars(value) if isinstance(node, Load) and axes_in(node.index) & names]
    affine = all(isinstance(part, Affine) for node in loads for part in node.index)
    return affine and _becomes(program, value, leaving, fill)


def _becomes(program: Program, value: Scalar, leaving: tuple[Axis, ...], fill: Const) -> bool:
    if isinstance(value, Load):
        ends = value.fill is None or value.fill == fill
        return ends and all(_ends_with(axis, value.index, program.buffers[value.buffer].shape) for axis in leaving)
    if isinstance(value, Const):
        return value.value == fill.value
    if not isinstance(value, Apply):
        return False
    if value.fn == "where":
        return all(_becomes(program, branch, leaving, fill) for branch in value.args[1:])
    if fill.value != 0 or value.fn not in (*KEEPS_ZERO, "div"):
        return False
    first, *rest = (arg for arg in value.args)
    if value.fn in ("mul", "div") and isinstance(rest[0], Const):
        return rest[0].value != 0 and _becomes(program, first, leaving, zero(first))
    return value.fn != "div" and all(_becomes(program, arg, leaving, zero(arg)) for arg in value.args)


def zero(scalar: Scalar) -> Const:
    """0 of a scalar's type."""
    return Const({"bool": False}.get(scalar.dtype, 0.0 if scalar.dtype.startswith("float") else 0), scalar.dtype)


def _ends_with(axis: Axis, index: tuple[Index, ...], shape: Shape) -> bool:
    """Whether an index leaves its buffer where the axis leaves its extent."""
    return any(
        isinstance(part, Affine)
        and len(part.terms) == 1
        and part.terms[0][0] == axis.name
        and abs(part.terms[0][1]) == 1
        and _covers(axis.extent, part, dim)
        for part, dim in zip(index, shape, strict=True)
    )


def _covers(extent: Dim, part: Affine, size: Dim) -> bool:
    """Whether every i with 0 <= ±i + offset < size has 0 <= i < extent."""
    if part.terms[0][1] == 1:
        low, high = dims.mul(part.offset, -1), dims.sub(size, part.offset)
    else:
        low, high = dims.add(dims.sub(part.offset, size), 1), dims.add(part.offset, 1)
    return never_negative(low) and never_negative(dims.sub(extent, high))


def guarded(value: Scalar, leaving: tuple[Axis, ...], fill: Const) -> Scalar:
    """`value` with a guard on every load that moves along one of the axes `leaving`."""
    names = {axis.name for axis in leaving}

    def visit(node: Scalar) -> Scalar:
        if not isinstance(node, Load) or node.fill is not None or not axes_in(node.index) & names:
            return node
        outside = fill if fill.dtype == node.dtype else zero(node)
        return Load(node.buffer, node.index, node.dtype, outside, node.origin)

    return map_scalar(value, visit)
