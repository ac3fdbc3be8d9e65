"""Lowering of what has no memory of its own (constants, positions, sizes) and of scalar functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import symnet.ops  # noqa: F401  (declares the operations)
from codegen.loops.grammar import Affine, Apply, Const, Position, Scalar
from codegen.loops.rewrite import as_scalar, result_dtype
from codegen.lower.context import Inline, Lowering, Value
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.op import REGISTRY
from symnet.ops.scalar_op import ScalarOp

FUNCTION_OF: Mapping[str, str] = {
    name: op.loop for name, op in REGISTRY.items() if isinstance(op, ScalarOp) and op.loop is not None
}
"""The scalar operations that are functions of the loop program; `symnet.simplify.expand` replaces all others."""


def number(value: object, dtype: str) -> Const:
    """A Python or NumPy number as a constant of `dtype`."""
    if dtype == "bool":
        return Const(bool(value), dtype)
    return Const(float(value) if dtype.startswith("float") else int(value), dtype)  # type: ignore[arg-type, call-overload]


def cast(value: Scalar, dtype: str) -> Scalar:
    if value.dtype == dtype:
        return value
    if isinstance(value, Const) and value.dtype != "float32":
        return number(value.value, dtype)
    return Apply("cast", (value,), dtype)


def elementwise(lowering: Lowering, node: Expr) -> Value:
    """out[i] = f(a[i], b[i], …), operands broadcast."""
    fn = FUNCTION_OF[node.op]

    def element(index: tuple[Affine, ...]) -> Scalar:
        args = tuple(lowering.broadcast(arg, index) for arg in node.args)
        return cast(args[0], node.dtype) if fn == "cast" else Apply(fn, args, result_dtype(fn, args))

    return lowering.map(node, element)


def constant(lowering: Lowering, node: Expr) -> Value:
    value = node.attrs["value"]
    if isinstance(value, ArrayValue):
        return lowering.constant(node, value.array)
    scalar = number(value, node.dtype)
    return Inline(lambda index: scalar)


def iota(lowering: Lowering, node: Expr) -> Value:
    """out[i] = i."""
    return Inline(lambda index: as_scalar(index[0]))


def dim(lowering: Lowering, node: Expr) -> Value:
    """The size of a dimension, as a value."""
    size = node.attrs["size"]
    value: Scalar = Const(size, "int64") if isinstance(size, int) else Position(Affine((), size))
    return Inline(lambda index: cast(value, node.dtype))


TABLE: Mapping[str, Callable[[Lowering, Expr], Value]] = {
    **dict.fromkeys(FUNCTION_OF, elementwise),
    "constant": constant,
    "iota": iota,
    "dim": dim,
}
