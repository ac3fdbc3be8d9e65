"""The innermost loop of every contraction: a tile of products summed over k, its sums in registers.

    tile[r, c] = sum over k of left[r, k] * right[k, c]        r < rows, c < vectors * lanes

Each step of k loads `vectors` vectors of the right operand, broadcasts `rows` elements of the left one and does
`rows * vectors` fused multiply-adds; nothing else but two pointer increments is in the loop. The rows of the left
operand lie a constant number of bytes apart, so that each is an offset in an instruction and needs no register.
Every element is summed in the order of k, whatever the tile: results do not depend on how work is cut up.
"""

from __future__ import annotations

from dataclasses import dataclass

from codegen.llvm.builder import LLVM_TYPE, FunctionText, vector_type
from codegen.loops.grammar import Origin
from symnet.expr.dtypes import BYTES, SHORT, is_float


@dataclass(frozen=True)
class Microkernel:
    """One function `void @name(ptr left, ptr right, i64 steps, ptr tile, i64 left_step, i64 right_step, i64 columns)`.

    The steps are the bytes from one k to the next; `columns` is how many columns exist from here on. Each of these
    three is a parameter only where it is not known: see the fields.

    left_row     bytes from one row of the left operand to the next
    tile_row     bytes from one row of the result to the next
    left_step, right_step   bytes from one k to the next, None where only the call knows
    columns      None: all vectors are full; a number: only so many columns may be read; "runtime": a parameter
    accumulates  whether the sums start from what the tile holds, instead of zero
    may_be_empty whether there can be no k at all
    fused        whether the target has fused multiply-add
    origins      of the sums, and of what stores them
    """

    name: str
    dtype: str
    lanes: int
    rows: int
    vectors: int
    left_row: int
    tile_row: int
    left_step: int | None
    right_step: int | None
    columns: int | str | None = None
    accumulates: bool = False
    may_be_empty: bool = False
    fused: bool = True
    origins: tuple[Origin, Origin] = (None, None)

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """(type, name) of the parameters, in order."""
        result = [("ptr readonly", "left"), ("ptr readonly", "right"), ("i64", "steps"), ("ptr", "tile")]
        if self.left_step is None:
            result.append(("i64", "left_step"))
        if self.right_step is None:
            result.append(("i64", "right_step"))
        if self.columns == "runtime":
            result.append(("i64", "columns"))
        return result

    def text(self) -> str:
        return _Writer(self).text()


class _Writer:
    """Writes the text of one microkernel."""

    def __init__(self, micro: Microkernel) -> None:
        self.micro = micro
        self.kind = vector_type(micro.dtype, micro.lanes)
        self.vector_bytes = micro.lanes * BYTES[micro.dtype]
        self.fn = FunctionText(micro.name, micro.parameters, attributes="nounwind noinline")
        self.cells = [(row, vector) for row in range(micro.rows) for vector in range(micro.vectors)]

    def text(self) -> str:
        micro, fn = self.micro, self.fn
        with fn.stemming_from(micro.origins[0]):
            results = self.sums()
        with fn.stemming_from(micro.origins[1]):
            for cell in self.cells:
                fn.do(f"store {self.kind} {results[cell]}, ptr {self.place(cell)}, align {BYTES[micro.dtype]}")
        return fn.finish()

    def sums(self) -> dict[tuple[int, int], str]:
        """The loop over k; gives the names of the sums after it."""
        micro, fn = self.micro, self.fn
        masks = self.masks()
        start = dict.fromkeys(self.cells, "zeroinitializer")
        if micro.accumulates:
            align = BYTES[micro.dtype]
            start = {cell: fn.value(f"load {self.kind}, ptr {self.place(cell)}, align {align}") for cell in self.cells}
        if micro.may_be_empty:
            some = fn.value("icmp sgt i64 %steps, 0")
            fn.do(f"br i1 {some}, label %loop, label %done")
        else:
            fn.do("br label %loop")
        fn.start("loop")
        for name, kind, first in (("left.k", "ptr", "%left"), ("right.k", "ptr", "%right"), ("todo", "i64", "%steps")):
            fn.do(f"%{name} = phi {kind} [ {first}, %entry ], [ %{name}.next, %loop ]")
        for row, vector in self.cells:
            first = start[row, vector]
            fn.do(f"%s{row}.{vector} = phi {self.kind} [ {first}, %entry ], [ %n{row}.{vector}, %loop ]")
        self.step(masks)
        fn.do(f"%left.k.next = getelementptr i8, ptr %left.k, i64 {_bytes(micro.left_step, '%left_step')}")
        fn.do(f"%right.k.next = getelementptr i8, ptr %right.k, i64 {_bytes(micro.right_step, '%right_step')}")
        fn.do("%todo.next = add nsw i64 %todo, -1")
        more = fn.value("icmp ne i64 %todo.next, 0")
        fn.do(f"br i1 {more}, label %loop, label %done")
        fn.start("done")
        return self.results(start)

    def step(self, masks: list[str | None]) -> None:
        """What is done for one k."""
        micro, fn = self.micro, self.fn
        size = BYTES[micro.dtype]
        right = [self.right(vector, mask) for vector, mask in enumerate(masks)]
        for row in range(micro.rows):
            at = fn.value(f"getelementptr i8, ptr %left.k, i64 {row * micro.left_row}")
            left = fn.value(f"load {LLVM_TYPE[micro.dtype]}, ptr {at}, align {size}")
            first = fn.value(f"insertelement {self.kind} poison, {LLVM_TYPE[micro.dtype]} {left}, i64 0")
            all_lanes = f"<{micro.lanes} x i32> zeroinitializer"
            left = fn.value(f"shufflevector {self.kind} {first}, {self.kind} poison, {all_lanes}")
            for vector in range(micro.vectors):
                self.multiply_add(left, right[vector], f"%s{row}.{vector}", f"%n{row}.{vector}")

    def right(self, vector: int, mask: str | None) -> str:
        """One vector of the right operand."""
        fn, size = self.fn, BYTES[self.micro.dtype]
        at = fn.value(f"getelementptr i8, ptr %right.k, i64 {vector * self.vector_bytes}")
        if mask is None:
            return fn.value(f"load {self.kind}, ptr {at}, align {size}")
        lanes = self.micro.lanes
        arguments = f"ptr {at}, i32 {size}, <{lanes} x i1> {mask}, {self.kind} zeroinitializer"
        return fn.value(f"call {self.kind} @llvm.masked.load.v{lanes}{SHORT[self.micro.dtype]}.p0({arguments})")

    def multiply_add(self, a: str, b: str, total: str, result: str) -> None:
        """`result = a * b + total`, one instruction where the target has it."""
        fn, kind, micro = self.fn, self.kind, self.micro
        if not is_float(micro.dtype):
            product = fn.value(f"mul {kind} {a}, {b}")
            fn.do(f"{result} = add {kind} {total}, {product}")
        elif micro.fused:
            intrinsic = f"@llvm.fma.v{micro.lanes}{SHORT[micro.dtype]}"
            fn.do(f"{result} = call {kind} {intrinsic}({kind} {a}, {kind} {b}, {kind} {total})")
        else:
            product = fn.value(f"fmul {kind} {a}, {b}")
            fn.do(f"{result} = fadd {kind} {total}, {product}")

    def masks(self) -> list[str | None]:
        """For each vector, the mask of the columns that exist, None where all do."""
        micro, fn, lanes = self.micro, self.fn, self.micro.lanes
        if micro.columns is None:
            return [None] * micro.vectors
        if isinstance(micro.columns, int):
            return [_static_mask(micro.columns - vector * lanes, lanes) for vector in range(micro.vectors)]
        kind = f"<{lanes} x i64>"
        first = fn.value(f"insertelement {kind} poison, i64 %columns, i64 0")
        limit = fn.value(f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer")
        result: list[str | None] = []
        for vector in range(micro.vectors):
            numbers = ", ".join(f"i64 {vector * lanes + lane}" for lane in range(lanes))
            result.append(fn.value(f"icmp slt {kind} <{numbers}>, {limit}"))
        return result

    def results(self, start: dict[tuple[int, int], str]) -> dict[tuple[int, int], str]:
        """The sums after the loop."""
        sums = {(row, vector): f"%n{row}.{vector}" for row, vector in self.cells}
        if not self.micro.may_be_empty:
            return sums
        return {
            cell: self.fn.value(f"phi {self.kind} [ {start[cell]}, %entry ], [ {sums[cell]}, %loop ]")
            for cell in self.cells
        }

    def place(self, cell: tuple[int, int]) -> str:
        """Where the sums of one row and vector lie."""
        offset = cell[0] * self.micro.tile_row + cell[1] * self.vector_bytes
        return self.fn.value(f"getelementptr i8, ptr %tile, i64 {offset}")


def _bytes(known: int | None, parameter: str) -> str:
    return parameter if known is None else str(known)


def _static_mask(active: int, lanes: int) -> str | None:
    """The first `active` lanes as a constant; None when that is all of them."""
    if active >= lanes:
        return None
    return "<" + ", ".join(f"i1 {'true' if lane < active else 'false'}" for lane in range(lanes)) + ">"
