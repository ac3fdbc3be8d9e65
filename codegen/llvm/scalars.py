"""Scalars and straight-line statements of the loop program as LLVM text; shared by all kinds of kernels.

A caller makes a `Scope`, opens its loops (`scope.loop`, or its own loops inside `scope.level()`), binds the axes
(`scope.axes[name] = Value(...)`, `scope.in_lanes(...)` for the one that runs in vector lanes) and the names it computed
itself (`scope.refs[name] = Value(...)`), and hands over the statements. Example, an epilogue over one register tile:

    with scope.level():                                    # values made inside are forgotten after it
        scope.axes["n"] = Value(row, "int64", 1, scope.depth)
        with scope.in_lanes("o", Value(column, "int64", 1, scope.depth), 16, mask=None):
            scope.refs["acc"] = Value("%acc3", "float32", 16, scope.depth)
            emit_block(scope, kernel.body[1:])
"""

from __future__ import annotations

from collections.abc import Iterable

from codegen.llvm import access, functions, philox
from codegen.llvm.scope import Scope, Value, const
from codegen.loops.grammar import Check, Const, Let, Load, Position, Ref, Scalar, Stmt, Store
from symnet.errors import CompilerBug

__all__ = ["Scope", "Value", "emit_block", "emit_check", "emit_scalar", "emit_store"]


def emit_scalar(scope: Scope, scalar: Scalar) -> Value:
    """The value of a scalar expression: uniform (one lane) as long as nothing in it differs between lanes."""
    if isinstance(scalar, Const):
        return const(scalar.value, scalar.dtype)
    if isinstance(scalar, Ref):
        try:
            return scope.refs[scalar.name]
        except KeyError:
            raise CompilerBug(f"{scope.fn.name}: the name {scalar.name!r} is not bound here") from None
    if isinstance(scalar, Position):
        return access.affine(scope, scalar.affine)
    if isinstance(scalar, Load):
        return access.load(scope, scalar, emit_scalar)
    if scalar.fn == "philox":
        return philox.emit(scope, scalar, emit_scalar)
    return functions.apply(scope, scalar.fn, [emit_scalar(scope, arg) for arg in scalar.args], scalar.dtype)


def emit_store(scope: Scope, store: Store) -> None:
    """`buffer[index] = value`, or `+=`."""
    access.store(scope, store, emit_scalar(scope, store.value), emit_scalar)


def emit_check(scope: Scope, check: Check) -> None:
    """Leave the function with the status set when the condition fails in a lane that counts."""
    if scope.status is None:
        raise CompilerBug(f"{scope.fn.name}: a check, but no status to report it in")
    failed = functions.apply(scope, "logical_not", [emit_scalar(scope, check.condition)], "bool")
    if failed.lanes > 1:
        if scope.mask is not None:
            failed = scope.operate("and", failed, scope.mask)
        kind = f"v{failed.lanes}i1"
        failed = scope.emit(f"call i1 @llvm.vector.reduce.or.{kind}({failed.typed})", (failed,), "bool")
    fn = scope.fn
    with fn.when(failed.text, "fail"):
        fn.do(f"store atomic i32 {check.code + 1}, ptr {scope.status} monotonic, align 4")
        fn.do("ret void")
        fn.start(fn.fresh("unreached"))


def emit_block(scope: Scope, body: Iterable[Stmt]) -> None:
    """Statements without loops: lets, stores and checks in order. Names they bind stay bound for the caller."""
    for stmt in body:
        with scope.fn.stemming_from(stmt.origin):
            if isinstance(stmt, Let):
                scope.refs[stmt.name] = emit_scalar(scope, stmt.value)
            elif isinstance(stmt, Store):
                emit_store(scope, stmt)
            elif isinstance(stmt, Check):
                emit_check(scope, stmt)
            else:
                raise CompilerBug(f"{scope.fn.name}: a {type(stmt).__name__} where only straight lines may be")
