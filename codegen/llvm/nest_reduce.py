"""Accumulators: where reductions keep their running value, how they combine, and what the lanes come to in the end.

An accumulator lives in a stack slot that LLVM turns into registers. In lanes each lane reduces its own share; at the
end the upper half of the lanes is combined with the lower half until one is left, always in that order.
"""

from __future__ import annotations

from codegen.llvm import functions
from codegen.llvm.builder import vector_type
from codegen.llvm.scope import Scope, Value, const, index
from symnet.errors import CompilerBug
from symnet.expr.dtypes import is_float

LOWEST = {"float32": float("-inf"), "float64": float("-inf"), "int32": -(2**31), "int64": -(2**63), "bool": False}
HIGHEST = {"float32": float("inf"), "float64": float("inf"), "int32": 2**31 - 1, "int64": 2**63 - 1, "bool": True}


def neutral(reducer: str, dtype: str) -> Value:
    """What a reduction over nothing gives."""
    if reducer in ("max", "argmax"):
        return const(LOWEST[dtype], dtype)
    if reducer in ("min", "argmin"):
        return const(HIGHEST[dtype], dtype)
    return const({"sum": 0, "prod": 1, "any": False, "all": True}[reducer], dtype)


def combine(scope: Scope, reducer: str, value: Value, running: Value) -> Value:
    """The running value with one more value."""
    if reducer in ("max", "min"):
        return functions.extreme(scope, "maximum" if reducer == "max" else "minimum", value, running)
    if reducer == "any" or (reducer == "sum" and value.dtype == "bool"):
        return scope.operate("or", running, value)
    if reducer == "all" or (reducer == "prod" and value.dtype == "bool"):
        return scope.operate("and", running, value)
    if reducer in ("sum", "prod"):
        opcode = "add" if reducer == "sum" else "mul"
        return scope.operate(f"f{opcode} contract" if is_float(value.dtype) else opcode, running, value)
    raise CompilerBug(f"no such reducer: {reducer!r}")


class Accumulator:
    """The running value of one reduction, in lanes or not."""

    def __init__(self, scope: Scope, entry: list[str], reducer: str, dtype: str, lanes: int, across: bool) -> None:
        """`entry` is a spot in the function's first block, where stack slots are made; `across`: lanes are combined."""
        self.scope, self.reducer, self.dtype, self.lanes, self.across = scope, reducer, dtype, lanes, across
        self.slot = scope.fn.value_at(entry, f"alloca {vector_type(dtype, lanes)}", "acc")
        self._set(self.slot, scope.splat(neutral(reducer, dtype), lanes))

    def update(self, value: Value, axis: str) -> None:
        """Take one more value (a value a lane), at the present position of `axis`; masked lanes do not count."""
        scope = self.scope
        value = scope.splat(value, self.lanes)
        if scope.mask is not None and self.across:
            value = scope.select(scope.mask, value, neutral(self.reducer, self.dtype))
        self._set(self.slot, combine(scope, self.reducer, value, self.value()))

    def value(self) -> Value:
        """The running value, one a lane."""
        kind = vector_type(self.dtype, self.lanes)
        return self.scope.here(f"load {kind}, ptr {self.slot}", self.dtype, self.lanes)

    def result(self) -> Value:
        """What the reduction came to."""
        value = self.value()
        while self.across and value.lanes > 1:
            low, high = halves(self.scope, value)
            value = combine(self.scope, self.reducer, high, low)
        return value

    def _set(self, slot: str, value: Value) -> None:
        self.scope.fn.do(f"store {value.typed}, ptr {slot}")


class Arg(Accumulator):
    """The position of the first extreme value: the value and its position are kept side by side.

    Lanes start at the lowest value and at their own first position, so a lane that saw nothing bigger, or nothing at
    all, loses every tie against the lane that holds the first element.
    """

    def __init__(self, scope: Scope, entry: list[str], reducer: str, dtype: str, lanes: int, across: bool) -> None:
        # as integers, booleans need no cases of their own
        super().__init__(scope, entry, reducer, "int32" if dtype == "bool" else dtype, lanes, across)
        self.where = scope.fn.value_at(entry, f"alloca {vector_type('int64', lanes)}", "acc")
        start = scope.positions(index(0), lanes) if across and lanes > 1 else scope.splat(index(0), lanes)
        self._set(self.where, start)

    def update(self, value: Value, axis: str) -> None:
        scope = self.scope
        value = scope.splat(functions.cast(scope, value, self.dtype), self.lanes)
        position = scope.axes[axis]
        if axis == scope.vector:
            position = scope.positions(position, self.lanes)
        best = self.value()
        better = self._beats(value, best)
        if scope.mask is not None and self.across:
            better = scope.operate("and", better, scope.mask)
        self._set(self.slot, scope.select(better, value, best))
        self._set(self.where, scope.select(better, position, self._position()))

    def result(self) -> Value:
        scope, value, position = self.scope, self.value(), self._position()
        while self.across and value.lanes > 1:
            (low, high), (first, second) = halves(scope, value), halves(scope, position)
            beaten = self._beats(low, high)
            tie = scope.operate("xor", scope.operate("or", beaten, self._beats(high, low)), const(True, "bool"))
            earlier = scope.operate("icmp slt", second, first, "bool")
            take = scope.operate("or", self._beats(high, low), scope.operate("and", tie, earlier))
            value, position = scope.select(take, high, low), scope.select(take, second, first)
        return position

    def _position(self) -> Value:
        kind = vector_type("int64", self.lanes)
        return self.scope.here(f"load {kind}, ptr {self.where}", "int64", self.lanes)

    def _beats(self, a: Value, b: Value) -> Value:
        """Whether `a` is more extreme than `b`; NaN is the most extreme, and no NaN beats another."""
        scope = self.scope
        order = "greater" if self.reducer == "argmax" else "less"
        stronger = functions.compare(scope, order, a, b)
        if not is_float(a.dtype):
            return stronger
        number = scope.operate("fcmp ord", b, b, "bool")
        return scope.operate("or", stronger, scope.operate("and", functions.isnan(scope, a), number))


def halves(scope: Scope, value: Value) -> tuple[Value, Value]:
    """The lower and the upper half of the lanes."""
    half = value.lanes // 2
    result = []
    for start in (0, half):
        if half == 1:
            part = scope.emit(f"extractelement {value.typed}, i64 {start}", (value,), value.dtype)
        else:
            mask = ", ".join(f"i32 {lane}" for lane in range(start, start + half))
            shuffle = f"shufflevector {value.typed}, {value.type} poison, <{half} x i32> <{mask}>"
            part = scope.emit(shuffle, (value,), value.dtype, half)
        result.append(part)
    return result[0], result[1]
