"""The innermost loop of every contraction: a tile of products summed over k, its sums in registers.

    tile[r, c] = sum over k of left[r, k] * right[k, c]        r < rows, c < vectors * lanes

Each step of k loads `vectors` vectors of the right operand, broadcasts `rows` elements of the left one and does
`rows * vectors` fused multiply-adds; nothing else but two pointer increments is in the loop. The rows of the left
operand lie a constant number of bytes apart, so that each is an offset in an instruction and needs no register.
Every element is summed in the order of k, whatever the tile: results do not depend on how work is cut up.

Where an element of either operand is a pair of bfloat16 numbers, those of two k, the multiply-add is of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from codegen.llvm.builder import LLVM_TYPE, FunctionText, vector_type
from codegen.loops.grammar import Origin
from symnet.expr.dtypes import BYTES, SHORT, is_float

Sums = dict[tuple[int, int], str]
"""The names of the sums by row and vector."""
Masks = list[str | None]

UNROLLED = 9
"""The most k that are written out one after the other, rather than run by a loop inside a loop."""


@dataclass(frozen=True)
class Walk:
    """A loop over k: how many times it runs, and the bytes from one time to the next in either operand.

    None where only the call knows, in the outermost loop.
    """

    count: int | None
    left: int | None
    right: int | None


@dataclass(frozen=True)
class Ahead:
    """Lines that are fetched while the sums are made: of so many arrays, `offsets` bytes behind pointers to them.

    steps   how many k there are for it; where a call has fewer, some lines are left out
    """

    arrays: int
    offsets: tuple[int, ...]
    steps: int

    @property
    def shift(self) -> int:
        """Every 2^shift k another line, so that there are k enough for all."""
        return max(0, (self.steps // len(self.offsets)).bit_length() - 1)

    @property
    def table(self) -> list[int]:
        """The offset for each number of k still to do, divided by 2^shift."""
        last = len(self.offsets) - 1
        return [self.offsets[min(number, last)] for number in range((self.steps >> self.shift) + 1)]


@dataclass(frozen=True)
class Microkernel:
    """One function `void @name(ptr left, ptr right, i64 steps, ptr tile, i64 left_step, i64 right_step, i64 columns)`.

    `steps` is how often the outermost loop runs, `left_step` and `right_step` are its bytes from one time to the next;
    `columns` is how many columns exist from here on. Each of the last three is a parameter only where it is not known:
    see the fields. After them come pointers to what is fetched ahead.

    left_row     bytes from one row of the left operand to the next
    tile_row     bytes from one row of the result to the next
    walks        the loops over k, outermost first
    columns      None: all vectors are full; a number: only so many columns may be read; "runtime": a parameter
    accumulates  whether the sums start from what the tile holds, instead of zero
    may_be_empty whether there can be no k at all
    fused        whether the target has fused multiply-add
    registers    vector registers of the target
    origins      of the sums, and of what stores them
    ahead        what is fetched ahead (by a microkernel with a single loop)
    pairs        whether the elements, which have the size of `dtype`, are pairs of bfloat16 numbers
    following    bytes from what the left operand reads for each k to lines that the next tile reads then, to be fetched
    """

    name: str
    dtype: str
    lanes: int
    rows: int
    vectors: int
    left_row: int
    tile_row: int
    walks: tuple[Walk, ...]
    columns: int | str | None = None
    accumulates: bool = False
    may_be_empty: bool = False
    fused: bool = True
    registers: int = 32
    origins: tuple[Origin, Origin] = (None, None)
    ahead: Ahead | None = None
    pairs: bool = False
    following: tuple[int, ...] = ()

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """(type, name) of the parameters, in order."""
        result = [("ptr readonly", "left"), ("ptr readonly", "right"), ("i64", "steps"), ("ptr", "tile")]
        if self.walks[0].left is None:
            result.append(("i64", "left_step"))
        if self.walks[0].right is None:
            result.append(("i64", "right_step"))
        if self.columns == "runtime":
            result.append(("i64", "columns"))
        if self.ahead is not None:
            result += [("ptr readonly", f"ahead{number}") for number in range(self.ahead.arrays)]
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
        self.looped = looped([walk.count for walk in micro.walks])
        self.cells = [(row, vector) for row in range(micro.rows) for vector in range(micro.vectors)]

    def text(self) -> str:
        micro, fn = self.micro, self.fn
        with fn.stemming_from(micro.origins[0]):
            results = self.sums()
        with fn.stemming_from(micro.origins[1]):
            for cell in self.cells:
                fn.do(f"store {self.kind} {results[cell]}, ptr {self.place(cell)}, align {BYTES[micro.dtype]}")
        return self.table() + fn.finish()

    def table(self) -> str:
        """Which line is fetched when, as a constant."""
        if self.micro.ahead is None:
            return ""
        table = self.micro.ahead.table
        entries = ", ".join(f"i64 {offset}" for offset in table)
        return f"@{self.fn.name}.ahead = private constant [{len(table)} x i64] [{entries}]\n\n"

    def fetch(self, todo: str) -> None:
        """Ask for the lines whose turn it is when so many k are still to do."""
        fn, ahead = self.fn, self.micro.ahead
        if ahead is None:
            return
        number = fn.value(f"lshr i64 {todo}, {ahead.shift}")
        entry = fn.value(f"getelementptr [{len(ahead.table)} x i64], ptr @{fn.name}.ahead, i64 0, i64 {number}")
        offset = fn.value(f"load i64, ptr {entry}, align 8")
        for array in range(ahead.arrays):
            at = fn.value(f"getelementptr i8, ptr %ahead{array}, i64 {offset}")
            fn.do(f"call void @llvm.prefetch.p0(ptr {at}, i32 0, i32 3, i32 1)")

    def sums(self) -> Sums:
        """The loops over k; gives the names of the sums after them."""
        micro, fn = self.micro, self.fn
        masks = self.masks()
        start = dict.fromkeys(self.cells, "zeroinitializer")
        if micro.accumulates:
            align = BYTES[micro.dtype]
            start = {cell: fn.value(f"load {self.kind}, ptr {self.place(cell)}, align {align}") for cell in self.cells}
        if not micro.may_be_empty:
            fn.do("br label %loop")
            return self.loop(0, "entry", "%left", "%right", start, masks)
        some = fn.value("icmp sgt i64 %steps, 0")
        fn.do(f"br i1 {some}, label %loop, label %done")
        sums = self.loop(0, "entry", "%left", "%right", start, masks)
        last = "loop" if self.looped == 1 else "done1"
        return {
            cell: fn.value(f"phi {self.kind} [ {start[cell]}, %entry ], [ {sums[cell]}, %{last} ]")
            for cell in self.cells
        }

    def loop(self, level: int, before: str, left: str, right: str, start: Sums, masks: Masks) -> Sums:
        """The loop number `level` with those inside it, entered from the block `before`; gives the sums after it.

        Every loop runs at least once, so the sums of the innermost one are those of all.
        """
        fn, walk, mark = self.fn, self.micro.walks[level], str(level) if level else ""
        innermost = level + 1 == self.looped
        last = f"loop{mark}" if innermost else f"done{level + 1}"
        fn.start(f"loop{mark}")
        count = "%steps" if walk.count is None else str(walk.count)
        for name, kind, first in (("left", "ptr", left), ("right", "ptr", right)):
            fn.do(f"%{name}{mark}.k = phi {kind} [ {first}, %{before} ], [ %{name}{mark}.k.next, %{last} ]")
        fn.do(f"%todo{mark} = phi i64 [ {count}, %{before} ], [ %todo{mark}.next, %{last} ]")
        sums: Sums = {}
        for row, vector in self.cells:
            name, following = f"%s{mark}{'.' if mark else ''}{row}.{vector}", f"%n{row}.{vector}"
            first = start[row, vector]
            fn.do(f"{name} = phi {self.kind} [ {first}, %{before} ], [ {following}, %{last} ]")
            sums[row, vector] = name
        if innermost:
            self.fetch(f"%todo{mark}")
            sums = self.steps(f"%left{mark}.k", f"%right{mark}.k", sums, masks)
        else:
            fn.do(f"br label %loop{level + 1}")
            sums = self.loop(level + 1, f"loop{mark}", f"%left{mark}.k", f"%right{mark}.k", sums, masks)
        for name, step in (("left", walk.left), ("right", walk.right)):
            offset = f"%{name}_step" if step is None else str(step)
            fn.do(f"%{name}{mark}.k.next = getelementptr i8, ptr %{name}{mark}.k, i64 {offset}")
        fn.do(f"%todo{mark}.next = add nsw i64 %todo{mark}, -1")
        more = fn.value(f"icmp ne i64 %todo{mark}.next, 0")
        fn.do(f"br i1 {more}, label %loop{mark}, label %done{mark}")
        fn.start(f"done{mark}")
        return sums

    def steps(self, left: str, right: str, sums: Sums, masks: Masks) -> Sums:
        """What is done in the innermost loop: one k, or all those of the short loops inside it one after the other.

        Those of the innermost one together, where they read elements of the left operand again. Where the registers do
        not suffice for that, each gets a pointer of its own, of which LLVM does not know that it is the same: it would
        keep the elements nevertheless, and sums in memory instead.
        """
        micro, short = self.micro, list(self.micro.walks[self.looped :])
        together = Walk(1, 0, 0)
        if short and shared_elements(micro.rows, micro.vectors, micro.left_row, short[-1], micro.registers):
            together = short.pop()
        places = list(product(*(range(walk.count or 0) for walk in short)))
        for number, place in enumerate(places, 1):
            from_left = sum(at * (walk.left or 0) for at, walk in zip(place, short, strict=True))
            from_right = sum(at * (walk.right or 0) for at, walk in zip(place, short, strict=True))
            last = number == len(places)
            if number > 1 and together.count == 1:
                left = self.fn.value(f'call ptr asm "", "=r,0"(ptr {left})')
            counted = range(together.count or 0)
            k = [(from_left + at * (together.left or 0), from_right + at * (together.right or 0)) for at in counted]
            sums = self.step(left, right, k, sums, masks, last)
        return sums

    def step(self, left: str, right: str, k: Sequence[tuple[int, int]], sums: Sums, masks: Masks, last: bool) -> Sums:
        """What is done for some k, whose operands lie so many bytes behind the pointers; the elements of the left one
        each read once, in such an order that every sum gets its products in the order of k."""
        micro, fn = self.micro, self.fn
        new = dict(sums)
        for from_left, offset in product((from_left for from_left, _ in k), micro.following):
            at = fn.value(f"getelementptr i8, ptr {left}, i64 {from_left + offset}")
            fn.do(f"call void @llvm.prefetch.p0(ptr {at}, i32 0, i32 3, i32 1)")
        columns = [
            [self.right(right, from_right + v * self.vector_bytes, mask) for v, mask in enumerate(masks)]
            for _, from_right in k
        ]
        uses: dict[int, list[tuple[int, int]]] = {}
        for row in range(micro.rows):
            for number, (from_left, _) in enumerate(k):
                uses.setdefault(from_left + row * micro.left_row, []).append((row, number))
        for offset in sorted(uses, reverse=k[-1][0] < k[0][0]) if len(k) > 1 else uses:
            spread = self.left(left, offset)
            for row, number in uses[offset]:
                final = last and number + 1 == len(k)
                for vector in range(micro.vectors):
                    result = f"%n{row}.{vector}" if final else f"%{fn.fresh('n')}"
                    self.multiply_add(spread, columns[number][vector], new[row, vector], result)
                    new[row, vector] = result
        return new

    def left(self, pointer: str, offset: int) -> str:
        """One element of the left operand in all lanes."""
        fn, kind = self.fn, LLVM_TYPE[self.micro.dtype]
        at = fn.value(f"getelementptr i8, ptr {pointer}, i64 {offset}")
        element = fn.value(f"load {kind}, ptr {at}, align {BYTES[self.micro.dtype]}")
        first = fn.value(f"insertelement {self.kind} poison, {kind} {element}, i64 0")
        all_lanes = f"<{self.micro.lanes} x i32> zeroinitializer"
        return fn.value(f"shufflevector {self.kind} {first}, {self.kind} poison, {all_lanes}")

    def right(self, pointer: str, offset: int, mask: str | None) -> str:
        """One vector of the right operand."""
        fn, size = self.fn, BYTES[self.micro.dtype]
        at = fn.value(f"getelementptr i8, ptr {pointer}, i64 {offset}")
        if mask is None:
            return fn.value(f"load {self.kind}, ptr {at}, align {size}")
        lanes = self.micro.lanes
        arguments = f"ptr {at}, i32 {size}, <{lanes} x i1> {mask}, {self.kind} zeroinitializer"
        return fn.value(f"call {self.kind} @llvm.masked.load.v{lanes}{SHORT[self.micro.dtype]}.p0({arguments})")

    def multiply_add(self, a: str, b: str, total: str, result: str) -> None:
        """`result = a * b + total`, one instruction where the target has it."""
        fn, kind, micro = self.fn, self.kind, self.micro
        if micro.pairs:
            pairs = ", ".join(f"<32 x bfloat> {fn.value(f'bitcast {kind} {one} to <32 x bfloat>')}" for one in (a, b))
            fn.do(f"{result} = call {kind} @llvm.x86.avx512bf16.dpbf16ps.512({kind} {total}, {pairs})")
        elif not is_float(micro.dtype):
            product = fn.value(f"mul {kind} {a}, {b}")
            fn.do(f"{result} = add {kind} {total}, {product}")
        elif micro.fused:
            intrinsic = f"@llvm.fma.v{micro.lanes}{SHORT[micro.dtype]}"
            fn.do(f"{result} = call {kind} {intrinsic}({kind} {a}, {kind} {b}, {kind} {total})")
        else:
            product = fn.value(f"fmul {kind} {a}, {b}")
            fn.do(f"{result} = fadd {kind} {total}, {product}")

    def masks(self) -> Masks:
        """For each vector, the mask of the columns that exist, None where all do."""
        micro, fn, lanes = self.micro, self.fn, self.micro.lanes
        if micro.columns is None:
            return [None] * micro.vectors
        if isinstance(micro.columns, int):
            return [_static_mask(micro.columns - vector * lanes, lanes) for vector in range(micro.vectors)]
        kind = f"<{lanes} x i64>"
        first = fn.value(f"insertelement {kind} poison, i64 %columns, i64 0")
        limit = fn.value(f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer")
        result: Masks = []
        for vector in range(micro.vectors):
            numbers = ", ".join(f"i64 {vector * lanes + lane}" for lane in range(lanes))
            result.append(fn.value(f"icmp slt {kind} <{numbers}>, {limit}"))
        return result

    def place(self, cell: tuple[int, int]) -> str:
        """Where the sums of one row and vector lie."""
        offset = cell[0] * self.micro.tile_row + cell[1] * self.vector_bytes
        return self.fn.value(f"getelementptr i8, ptr %tile, i64 {offset}")


def looped(counts: Sequence[int | None]) -> int:
    """How many of the walks with these counts (outermost first) are loops: short ones inside are written out."""
    number, written = len(counts), 1
    while number > 1 and written * (counts[number - 1] or UNROLLED + 1) <= UNROLLED:
        number -= 1
        written *= counts[number] or 1
    return number


def shared_elements(rows: int, vectors: int, left_row: int, walk: Walk, registers: int) -> int:
    """How many different elements of the left operand a short loop reads in all its k for so many rows `left_row` bytes
    apart, where some are the same, and the registers suffice for sums, all vectors of the right operand, an element,
    and one more; else 0."""
    count, step = walk.count or 0, walk.left or 0
    different = len({row * left_row + at * step for row in range(rows) for at in range(count)})
    fits = rows * vectors + count * vectors + 2 <= registers
    return different if step and fits and different < rows * count else 0


def _static_mask(active: int, lanes: int) -> str | None:
    """The first `active` lanes as a constant; None when that is all of them."""
    if active >= lanes:
        return None
    return "<" + ", ".join(f"i1 {'true' if lane < active else 'false'}" for lane in range(lanes)) + ">"
