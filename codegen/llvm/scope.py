"""Where instructions go and what is known: the state behind the emission of one function's scalars.

Levels follow the nesting of loops. Every value knows the level from which it is available, and an instruction is put
at the deepest level of its operands: what does not depend on a loop lands before it, whoever asked for it. Within a
level the same instruction is emitted once (the text of an instruction names its operands, so equal text is an equal
value). Uniform values stay scalar until an operation needs them in lanes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from codegen.llvm.builder import LLVM_TYPE, FunctionText, constant, vector_type
from codegen.loops.grammar import Buffer, Program
from codegen.target import Target
from symnet.errors import CompilerBug
from symnet.expr import dims as dimension
from symnet.expr.dims import Dim


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a register: one for all lanes (`lanes` 1), or one a lane; available from nesting level `level` on."""

    text: str
    dtype: str
    lanes: int = 1
    level: int = 0

    @property
    def type(self) -> str:
        return vector_type(self.dtype, self.lanes)

    @property
    def typed(self) -> str:
        """The value with its type before it, as operands are written."""
        return f"{vector_type(self.dtype, self.lanes)} {self.text}"

    @property
    def is_constant(self) -> bool:
        return self.text[0] != "%"


def const(value: float | int | bool, dtype: str) -> Value:
    """A constant, uniform over lanes."""
    return Value(constant(value, dtype), dtype)


def index(value: int) -> Value:
    """An int64 constant."""
    return Value(str(value), "int64")


@dataclass(slots=True)
class _Level:
    place: list[str]  # before the level's loop: where the level around it can still add instructions
    known: dict[str, Value] = field(default_factory=dict)


class Scope:
    """Everything the emission of scalars needs to know, and the function it writes to.

    pointers  buffer name -> pointer value ("%x")       dims   dimension or sequence axis -> i64 value ("%N")
    axes      axis -> its i64 position (of lane 0 for the vector axis); a `Value` with lanes is a position a lane
    refs      name bound by a statement -> value        stored buffers the function writes: their loads stay in place
    vector    the axis that runs in lanes (or None), `lanes` of them; `mask` is the i1 vector of the lanes that count
              (None: all; the masked lanes are a prefix); `aligned`: lane 0 is at a multiple of `lanes`
    helpers   math functions the text calls, as (function, dtype, lanes)
    streamed  written buffers that are larger than the caches (`codegen.llvm.stream`)
    status    pointer to the i32 that a failed check writes, or None where no check can occur
    """

    def __init__(
        self,
        fn: FunctionText,
        program: Program,
        target: Target,
        pointers: Mapping[str, str],
        dims: Mapping[str, str],
        stored: Iterable[str] = (),
        status: str | None = None,
    ) -> None:
        self.fn, self.program, self.target = fn, program, target
        self.pointers = dict(pointers)
        self.dims = dict(dims)
        self.stored = frozenset(stored)
        self.streamed: frozenset[str] = frozenset()
        self.status = status
        self.axes: dict[str, Value] = {}
        self.refs: dict[str, Value] = {}
        self.vector: str | None = None
        self.lanes = 1
        self.mask: Value | None = None
        self.aligned = False
        self.helpers: set[tuple[str, str, int]] = set()
        self._levels = [_Level([])]

    # --- levels ---

    @property
    def depth(self) -> int:
        """The present level; what must not move out of the present block is given it."""
        return len(self._levels) - 1

    @contextmanager
    def level(self) -> Iterator[None]:
        """Open a level before emitting a loop or a conditional block; names and values made inside end with it."""
        axes, refs = dict(self.axes), dict(self.refs)
        self._levels.append(_Level(self.fn.place()))
        yield
        self._levels.pop()
        self.axes, self.refs = axes, refs

    @contextmanager
    def fixed(self, axes: Mapping[str, Value]) -> Iterator[None]:
        """Axes that stand at given positions; the names bound inside end with it."""
        before, refs = dict(self.axes), dict(self.refs)
        self.axes.update(axes)
        yield
        self.axes, self.refs = before, refs

    @contextmanager
    def loop(self, axis: str, start: Value, stop: Value, step: int = 1, reverse: bool = False) -> Iterator[Value]:
        """A loop over positions of `axis`; `reverse` runs from stop - 1 down to start (step 1)."""
        with self.level(), self.fn.loop(start.text, stop.text, str(step), stem=self._stem()) as counter:
            position = Value(counter, "int64", 1, self.depth)
            if reverse:
                last = self.sub(stop, index(1))
                position = self.add(self.sub(last, position), start)
            self.axes[axis] = position
            yield position

    @contextmanager
    def in_lanes(self, axis: str, base: Value, lanes: int, mask: Value | None, aligned: bool = False) -> Iterator[None]:
        """`axis` runs in lanes from position `base` on; `mask` says which lanes count.

        `aligned` says that `base` is known to be a multiple of `lanes`.
        """
        before = self.vector, self.lanes, self.mask, self.axes.get(axis)
        outer, self.aligned = self.aligned, aligned
        self.vector, self.lanes, self.mask, self.axes[axis] = axis, lanes, mask, base
        yield
        self.vector, self.lanes, self.mask = before[:3]
        self.aligned = outer
        if before[3] is not None:
            self.axes[axis] = before[3]

    def _stem(self) -> str:
        """Loops are named i, j, k, … by depth, not by axis, so that equal kernels give equal text."""
        return "ijklmnopqrst"[min(self.depth, 12) - 1]

    # --- instructions ---

    def emit(self, instruction: str, operands: Iterable[Value], dtype: str, lanes: int = 1, stem: str = "t") -> Value:
        """The result of a pure instruction, put at the outermost level where all its operands are known."""
        level = max((operand.level for operand in operands), default=0)
        known = self._levels[level].known
        found = known.get(instruction)
        if found is not None:
            return found
        if level == self.depth:
            name = self.fn.value(instruction, stem)
        else:
            name = self.fn.value_at(self._levels[level + 1].place, instruction, stem)
        value = known[instruction] = Value(name, dtype, lanes, level)
        return value

    def here(self, instruction: str, dtype: str, lanes: int = 1, stem: str = "t") -> Value:
        """The result of an instruction that must be executed at this very point (it reads memory that is written)."""
        return Value(self.fn.value(instruction, stem), dtype, lanes, self.depth)

    def splat(self, value: Value, lanes: int) -> Value:
        """The value in `lanes` lanes."""
        if value.lanes == lanes:
            return value
        if value.lanes != 1:
            raise CompilerBug(f"a value of {value.lanes} lanes where {lanes} are in use: {value}")
        kind, scalar = vector_type(value.dtype, lanes), LLVM_TYPE[value.dtype]
        if value.is_constant:
            return Value(f"splat ({scalar} {value.text})", value.dtype, lanes, 0)
        first = self.emit(f"insertelement {kind} poison, {value.typed}, i64 0", (value,), value.dtype, lanes)
        shuffle = f"shufflevector {first.typed}, {kind} poison, <{lanes} x i32> zeroinitializer"
        return self.emit(shuffle, (first,), value.dtype, lanes, stem="splat")

    def unify(self, *values: Value) -> tuple[Value, ...]:
        """The operands of one operation with the same number of lanes."""
        lanes = max(value.lanes for value in values)
        return tuple(self.splat(value, lanes) for value in values)

    def operate(self, opcode: str, a: Value, b: Value, dtype: str | None = None) -> Value:
        """A two-operand instruction (`fadd contract`, `icmp slt`); `dtype` of the result where the operands' is not."""
        a, b = self.unify(a, b)
        return self.emit(f"{opcode} {a.typed}, {b.text}", (a, b), dtype or a.dtype, a.lanes)

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        condition, yes, no = self.unify(condition, yes, no)
        return self.emit(
            f"select {condition.typed}, {yes.typed}, {no.typed}", (condition, yes, no), yes.dtype, yes.lanes
        )

    def call(self, function: str, operands: Iterable[Value], dtype: str, flags: str = "") -> Value:
        """A call of a pure function (an intrinsic or a math function)."""
        values = self.unify(*operands)
        lanes = values[0].lanes
        arguments = ", ".join(value.typed for value in values)
        return self.emit(f"call {flags}{vector_type(dtype, lanes)} {function}({arguments})", values, dtype, lanes)

    # --- integers, folded where they are known ---

    def add(self, a: Value, b: Value) -> Value:
        if a.text == "0":
            return b
        if b.text == "0":
            return a
        if a.is_constant and b.is_constant and a.lanes == b.lanes == 1:
            return index(int(a.text) + int(b.text))
        return self.operate("add nsw", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        if b.text == "0":
            return a
        if a.is_constant and b.is_constant and a.lanes == b.lanes == 1:
            return index(int(a.text) - int(b.text))
        return self.operate("sub nsw", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        for value, other in ((a, b), (b, a)):
            if value.text == "0":
                return value
            if value.text == "1":
                return other
        if a.is_constant and b.is_constant and a.lanes == b.lanes == 1:
            return index(int(a.text) * int(b.text))
        return self.operate("mul nsw", a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        if a.is_constant and b.is_constant:
            return index(min(int(a.text), int(b.text)))
        return self.select(self.operate("icmp slt", a, b, "bool"), a, b)

    def dim(self, dim: Dim) -> Value:
        """The value of a dimension at the sizes of this call."""
        total = index(0)
        for names, coefficient in dimension.terms(dim):
            term = index(coefficient)
            for name in names:
                if name not in self.dims:
                    raise CompilerBug(f"the dimension {name!r} is not passed to {self.fn.name}")
                term = self.mul(term, Value(self.dims[name], "int64"))
            total = self.add(total, term)
        return total

    def positions(self, base: Value, lanes: int) -> Value:
        """`base`, `base + 1`, … in lanes."""
        iota = Value("<" + ", ".join(f"i64 {lane}" for lane in range(lanes)) + ">", "int64", lanes)
        return iota if base.text == "0" else self.operate("add nsw", self.splat(base, lanes), iota)

    def prefix_mask(self, active: Value, lanes: int) -> Value:
        """The mask of the first `active` lanes (an int64 from 0 to `lanes` or more)."""
        iota = Value("<" + ", ".join(f"i32 {lane}" for lane in range(lanes)) + ">", "int32", lanes)
        narrow = active if active.is_constant else self.emit(f"trunc {active.typed} to i32", (active,), "int32")
        limit = Value(narrow.text, "int32", 1, narrow.level)
        return self.operate("icmp slt", iota, self.splat(limit, lanes), "bool")

    # --- buffers ---

    def buffer(self, name: str) -> Buffer:
        return self.program.buffers[name]

    def strides(self, name: str) -> tuple[Dim, ...]:
        """Elements between neighbours along each axis of a buffer: row-major at the sizes of the call."""
        shape = self.program.buffers[name].shape
        return tuple(dimension.product(shape[axis + 1 :]) for axis in range(len(shape)))
