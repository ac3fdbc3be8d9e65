"""Lowering of contractions: out[f_out(i)] += A[f_a(i)] * B[f_b(i)] over all index values, outside values dropped.

Every kernel is in gather form: one sum for each element of the output, the letters solved for by `codegen.lower.solve`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from codegen.loops.grammar import Affine, Apply, Position, Reduce, Ref, Scalar, Stmt
from codegen.loops.ranges import inside
from codegen.loops.rewrite import affine, compose, integer
from codegen.lower.context import ZERO, Lowering, Place, Value
from codegen.lower.scalar import number
from codegen.lower.solve import Plan, Spec, is_letter, pending_axes, phases_of, solve, strided_axes, unknown_letters
from symnet.errors import Unsupported
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.ops.contract import is_plain
from symnet.ops.contract import parse_spec as read_spec


def parse_spec(node: Expr) -> Spec:
    """The index forms of a contract node, and the size of every letter."""
    first, second, out = (tuple(affine(i.terms, i.offset) for i in part) for part in read_spec(node.attrs["spec"]))
    sizes: dict[str, Dim] = dict(node.attrs["sizes"])
    if is_plain(node.attrs["spec"]):
        for part, arg in zip((first, second), node.args, strict=True):
            for form, dim in zip(part, arg.shape, strict=True):
                letter = form.terms[0][0]
                sizes[letter] = dim if sizes.get(letter, 1) == 1 else sizes[letter]
    return Spec((first, second), out, sizes)


def contract(lowering: Lowering, node: Expr) -> Value:
    return gathered(lowering, node, parse_spec(node), f"contract {node.attrs['spec']}")


def gathered(lowering: Lowering, node: Expr, spec: Spec, note: str) -> Value:
    """out[f_out(i)] += the product of the operands at f(i): one kernel, or one for each combination of residue classes
    of the strided output axes."""
    target = lowering.target(node)
    if any(not unknown_letters(spec, axis) for axis in pending_axes(spec)):
        _diagonal(lowering, node, spec, target, note)
        return target
    strided = strided_axes(spec, node.shape)
    choices = list(itertools.product(*(phases_of(spec, axis, node.shape[axis]) for axis in strided)))
    if any(phase is None for choice in choices for phase in choice):
        lowering.fill(target, node.shape, number(0, node.dtype))
    for choice in choices:
        present = [phase for phase in choice if phase is not None]
        if len(present) == len(choice):
            plan = solve(lowering, node.shape, spec, dict(zip(strided, present, strict=True)))
            _emit(lowering, node, spec, plan, target, note)
    return target


def _emit(lowering: Lowering, node: Expr, spec: Spec, plan: Plan, target: Place, note: str) -> None:
    value = _product(lowering, node, spec, plan)
    body: list[Stmt] = []
    if plan.inner:
        body.append(Reduce("acc", "sum", tuple(plan.inner), (), value))
        value = Ref("acc", node.dtype)
    body.append(lowering.store(target, plan.index, value))
    lowering.kernel(target.buffer, tuple(plan.axes), body, note)


def _diagonal(lowering: Lowering, node: Expr, spec: Spec, target: Place, note: str) -> None:
    """An output whose axes are fixed by each other, such as `aa`: zeros, and a kernel that stores where they agree."""
    names = lowering.axis_names()
    plan = Plan()
    outputs = {letter for form in spec.out for letter, _ in form.terms}
    for letter, size in sorted(spec.sizes.items()):
        grid, (plan.letters[letter],) = lowering.grid((size,), names)
        (plan.axes if letter in outputs else plan.inner).extend(grid)
    plan.index = [compose(form, plan.letters) for form in spec.out]
    extents = {axis.name: axis.extent for axis in plan.axes}
    if not all(inside(i, extents, dim) for i, dim in zip(plan.index, node.shape, strict=True)):
        raise Unsupported(f"the output of {note!r} repeats an index and is not covered by it")
    lowering.fill(target, node.shape, number(0, node.dtype))
    _emit(lowering, node, spec, plan, target, note)


def _product(lowering: Lowering, node: Expr, spec: Spec, plan: Plan) -> Scalar:
    """The product of the operands at the plan's letters, zero where a letter or an index is outside its range."""
    zero = number(0, node.dtype)
    extents = {axis.name: axis.extent for axis in (*plan.axes, *plan.inner)}
    factors: list[Scalar] = []
    unchecked = set(plan.guarded)
    for forms, arg in zip(spec.operands, node.args, strict=True):
        index = [compose(form, plan.letters) for form in forms]
        index = [ZERO if dim == 1 and is_letter(f) else i for i, f, dim in zip(index, forms, arg.shape, strict=True)]
        safe = all(inside(i, extents, dim) for i, dim in zip(index, arg.shape, strict=True))
        factors.append(lowering.read(arg, index) if safe else lowering.read_guarded(arg, index, zero))
        for form, dim in zip(forms, arg.shape, strict=True):
            if is_letter(form) and spec.sizes[form.terms[0][0]] == dim:
                unchecked.discard(form.terms[0][0])
    value = factors[0]
    for factor in factors[1:]:
        value = Apply("mul", (value, factor), node.dtype)
    for letter in sorted(unchecked):
        if not inside(plan.letters[letter], extents, spec.sizes[letter]):
            value = Apply("where", (_in_range(plan.letters[letter], spec.sizes[letter]), value, zero), node.dtype)
    return value


def _in_range(form: Affine, size: Dim) -> Scalar:
    limit: Scalar = integer(size) if isinstance(size, int) else Position(Affine((), size))
    lower = Apply("greater_equal", (Position(form), integer(0)), "bool")
    return Apply("logical_and", (lower, Apply("less", (Position(form), limit), "bool")), "bool")


TABLE: Mapping[str, Callable[[Lowering, Expr], Value]] = {"contract": contract}
