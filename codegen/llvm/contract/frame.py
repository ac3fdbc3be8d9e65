"""The state that the writers of a contraction share: the scope, scratch memory, and where in the loops they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from codegen.llvm.builder import MEMORY_TYPE, FunctionText
from codegen.llvm.contract.plan import Plan
from codegen.llvm.contract.problem import Contraction, Operand, linear
from codegen.llvm.scope import Scope, Value, index
from codegen.loops.grammar import Axis, Load
from symnet.expr.dtypes import BYTES


@dataclass(frozen=True)
class Span:
    """A tile along one axis: its number in the share, the position where it starts, and of its rows (or columns) the
    first that belongs to it and the one after the last."""

    number: Value
    start: Value
    first: Value
    stop: Value


@dataclass
class Frame:
    """What the parts of one kernel's text need to know of each other.

    k_from, k_to  for each inner axis, the first position of the present block of k and the one after its last
    """

    scope: Scope
    problem: Contraction
    plan: Plan
    k_from: dict[str, Value] = field(default_factory=dict)
    k_to: dict[str, Value] = field(default_factory=dict)

    @property
    def fn(self) -> FunctionText:
        return self.scope.fn

    @property
    def dtype(self) -> str:
        return self.problem.product.dtype

    @property
    def size(self) -> int:
        return BYTES[self.dtype]

    # --- numbers ---

    def extent(self, axis: Axis) -> Value:
        return self.scope.dim(axis.extent)

    def here(self, text: str) -> Value:
        """An int64 of the present level, such as a loop's counter."""
        return Value(text, "int64", 1, self.scope.depth)

    def steps(self) -> Value:
        """How many k the present block has."""
        return self.count(self.plan.inner[self.plan.depth.split :])

    def count(self, axes: tuple[Axis, ...]) -> Value:
        """How many positions of some inner axes the present block has."""
        total = index(1)
        for axis in axes:
            total = self.scope.mul(total, self.scope.sub(self.k_to[axis.name], self.k_from[axis.name]))
        return total

    def times(self, value: Value, factor: int) -> Value:
        return self.scope.mul(value, index(factor))

    def ceil_div(self, value: Value, by: int) -> Value:
        if value.is_constant:
            return index(-(-int(value.text) // by))
        if by == 1:
            return value
        return self.scope.operate("udiv", self.scope.add(value, index(by - 1)), index(by))

    def at_least(self, value: Value, number: int) -> Value:
        if value.is_constant:
            return index(max(int(value.text), number))
        least = index(number)
        return self.scope.select(self.scope.operate("icmp sgt", value, least, "bool"), value, least)

    # --- memory ---

    def scratch(self, size: int) -> Value:
        """So many bytes of stack; to be called before any loop is open."""
        return Value(self.fn.value(f"alloca [{size} x i8], align 64", "scratch"), "int64")

    def at(self, pointer: Value, offset: Value) -> Value:
        """A pointer so many bytes further."""
        if offset.text == "0":
            return pointer
        instruction = f"getelementptr i8, ptr {pointer.text}, i64 {offset.text}"
        return self.scope.emit(instruction, (pointer, offset), "int64", stem="p")

    def address(self, buffer: str, strides: dict[str, Value], offset: Value) -> Value:
        """Where an element of a buffer is, at the present position of every axis: outer axes' terms first."""
        pointer = Value(self.scope.pointers[buffer], "int64")
        kind = MEMORY_TYPE[self.scope.buffer(buffer).dtype]
        terms = [self.scope.mul(self.scope.axes[axis], stride) for axis, stride in strides.items()]
        for term in sorted((offset, *terms), key=lambda value: value.level):
            if term.text != "0":
                instruction = f"getelementptr {kind}, ptr {pointer.text}, i64 {term.text}"
                pointer = self.scope.emit(instruction, (pointer, term), "int64", stem="p")
        return pointer

    def operand_address(self, operand: Operand) -> Value:
        """Where an operand that is read in place begins, at the present positions."""
        assert operand.load is not None
        strides = {axis: self.scope.dim(stride) for axis, stride in operand.strides.items()}
        return self.address(operand.load.buffer, strides, self.scope.dim(operand.offset))

    def load_address(self, load: Load) -> Value:
        """Where a load with affine indices reads at the present position of every axis."""
        strides, offset = linear(load, self.problem.program)
        terms = {axis: self.scope.dim(stride) for axis, stride in strides.items()}
        return self.address(load.buffer, terms, self.scope.dim(offset))

    # --- loops ---

    @contextmanager
    def loop(self, start: Value, stop: Value, step: int = 1, stem: str = "i") -> Iterator[Value]:
        """A loop that is not over the positions of an axis."""
        with self.scope.level(), self.fn.loop(start.text, stop.text, str(step), stem=stem) as counter:
            yield self.here(counter)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """What is inside runs only where an i1 holds; nothing emitted inside moves out."""
        with self.scope.level(), self.fn.when(condition.text):
            yield
