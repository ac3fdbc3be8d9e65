"""Copies that exchange two axes, and squares of vectors whose rows become their columns."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.llvm import access
from codegen.llvm.builder import FunctionText, vector_type
from codegen.llvm.scalars import emit_scalar
from codegen.llvm.scope import Scope, Value, index
from codegen.loops.grammar import Axis, Kernel, Store


def turned(fn: FunctionText, rows: Sequence[str], dtype: str) -> list[str]:
    """A square of as many vectors as lanes, rows and columns exchanged.

    Halves are exchanged between rows 1, 2, 4, … apart: log2(lanes) rounds of two-operand shuffles.
    """
    result, lanes = list(rows), len(rows)
    kind, apart = vector_type(dtype, lanes), 1
    while apart < lanes:
        low = [e - apart + lanes if e & apart else e for e in range(lanes)]
        high = [e + lanes if e & apart else e + apart for e in range(lanes)]
        for one in (number for number in range(lanes) if not number & apart):
            pair = f"{kind} {result[one]}, {kind} {result[one + apart]}"
            result[one], result[one + apart] = (
                fn.value(f"shufflevector {pair}, {_lane_mask(mask)}") for mask in (low, high)
            )
        apart *= 2
    return result


def _lane_mask(lanes: list[int]) -> str:
    return f"<{len(lanes)} x i32> <" + ", ".join(f"i32 {lane}" for lane in lanes) + ">"


def copy_turned(scope: Scope, kernel: Kernel, along: Axis, across: Axis) -> None:
    """All of a copy (see `exchanged`) at the present positions of its other axes: squares are read along one axis and
    written along the other."""
    (store,) = kernel.body
    assert isinstance(store, Store)
    lanes = scope.target.lanes(store.value.dtype)
    with (
        scope.loop(across.name, index(0), scope.dim(across.extent), lanes) as row,
        scope.loop(along.name, index(0), scope.dim(along.extent), lanes) as column,
    ):
        rows: list[str] = []
        for number in range(lanes):
            scope.axes[across.name] = scope.add(row, index(number))
            with scope.in_lanes(along.name, column, lanes, None, aligned=True):
                rows.append(emit_scalar(scope, store.value).text)
        for number, text in enumerate(turned(scope.fn, rows, store.value.dtype)):
            scope.axes[along.name] = scope.add(column, index(number))
            value = Value(text, store.value.dtype, lanes, scope.depth)
            with scope.in_lanes(across.name, row, lanes, None, aligned=True):
                access.store(scope, store, value, emit_scalar)
