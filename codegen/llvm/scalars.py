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
from codegen.loops.grammar import Affine, Apply, Check, Const, Let, Load, Position, Ref, Scalar, Stmt, Store
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
    if scalar.fn in ("equal", "not_equal"):
        found = _at_position(scope, scalar)
        if found is not None:
            return found
    return functions.apply(scope, scalar.fn, [emit_scalar(scope, arg) for arg in scalar.args], scalar.dtype)


def _at_position(scope: Scope, scalar: Apply) -> Value | None:
    """Whether each lane is (or is not) at the position that one number names, as in a one-hot row: the lane's number is
    compared, which is narrower than the position."""
    positions = [arg for arg in scalar.args if isinstance(arg, Position)]
    others = [arg for arg in scalar.args if not isinstance(arg, Position)]
    vector = scope.vector
    if len(positions) != 1 or vector is None or scope.axes[vector].lanes != 1:
        return None
    form = positions[0].affine
    if form.coefficient(vector) != 1:
        return None
    wanted = emit_scalar(scope, others[0])
    if wanted.lanes != 1:
        return None
    first = scope.axes[vector]
    rest = access.affine(scope, Affine(tuple(term for term in form.terms if term[0] != vector), form.offset))
    if rest.lanes != 1:
        return None
    lane = wanted
    for part in (rest, first):
        lane = lane if part.text == "0" else scope.operate("sub", lane, part)  # below 0 it is a huge number
    lane = scope.call("@llvm.umin.i64", (lane, Value(str(scope.lanes), "int64")), "int64")
    narrow = scope.emit(f"trunc {lane.typed} to i32", (lane,), "int32")
    iota = Value("<" + ", ".join(f"i32 {number}" for number in range(scope.lanes)) + ">", "int32", scope.lanes)
    return functions.compare(scope, scalar.fn, iota, narrow)


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
