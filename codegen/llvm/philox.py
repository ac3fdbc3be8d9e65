"""Philox4x32-10 as LLVM text; `symnet.ops.philox` says what it computes.

A word is kept in the low half of a 64-bit lane, whose product with a multiplier is one instruction (vpmuludq); what
collects in the high half is shifted out, or ignored by the next product.

Lanes that hold consecutive elements, as they mostly do, share blocks: 16 elements are the words of 4 blocks, put in
order by three shuffles. Where the first element is not the first of its block, twice as many blocks are computed and the
window taken out of them; the branch is decided when the code is compiled wherever LLVM sees that the place is aligned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from codegen.llvm.builder import FunctionText, vector_type
from codegen.llvm.scope import Scope, Value
from codegen.loops.grammar import Apply, Const, Position, Scalar
from symnet.errors import CompilerBug
from symnet.ops.philox import LOW, M0, M1, ROUNDS, W0, W1, WORDS

RUN, LANES = "philox_run", "philox"
HELPERS = (RUN, LANES)
"""The words of consecutive elements from the first one's number, and of one element a lane."""

# --- in kernels ------------------------------------------------------------------------------------------------------


def emit(scope: Scope, node: Apply, emit_scalar: Callable[[Scope, Scalar], Value]) -> Value:
    """The random numbers of the elements that the lanes are at."""
    *key, element, bits = node.args
    assert isinstance(bits, Const)
    first = _first_of_run(scope, element, emit_scalar) if scope.lanes % WORDS == 0 else None
    place = first if first is not None else emit_scalar(scope, element)
    lanes = scope.lanes if first is not None else place.lanes
    name = LANES if first is None else RUN
    scope.helpers.add((name, "int32", lanes))
    operands = [place, *(emit_scalar(scope, part) for part in key)]
    arguments = ", ".join(operand.typed for operand in operands)
    word = scope.emit(f"call {vector_type('int32', lanes)} @{symbol(name, lanes)}({arguments})", operands, "int32", lanes)
    if node.dtype == "int64":
        return scope.emit(f"zext {word.typed} to {vector_type('int64', lanes)}", (word,), "int64", lanes)
    return scope.operate("lshr", word, Value(str(32 - int(bits.value)), "int32"))


def _first_of_run(scope: Scope, element: Scalar, emit_scalar: Callable[[Scope, Scalar], Value]) -> Value | None:
    """The number of lane 0's element, where the lanes hold consecutive ones; else None."""
    if isinstance(element, Apply) and element.fn == "add":
        for start, rest in (element.args, element.args[::-1]):
            uniform, first = emit_scalar(scope, start), _first_of_run(scope, rest, emit_scalar)
            if uniform.lanes == 1 and first is not None:
                return scope.add(uniform, first)
        return None
    if not isinstance(element, Position) or scope.vector is None or element.affine.coefficient(scope.vector) != 1:
        return None
    positions = [(scope.axes[axis], coefficient) for axis, coefficient in element.affine.terms]
    if any(position.lanes != 1 for position, _ in positions):
        return None
    total = scope.dim(element.affine.offset)
    for position, coefficient in sorted(positions, key=lambda term: term[0].level):
        total = scope.add(total, scope.mul(position, Value(str(coefficient), "int64")))
    return total


# --- the helpers -----------------------------------------------------------------------------------------------------


def symbol(name: str, lanes: int) -> str:
    """The name of the LLVM function, without the at sign."""
    return f"sn.{name}.i32x{lanes}"


def definitions(helpers: Iterable[tuple[str, str, int]]) -> str:
    """The text of these helpers (element, seed, step, stream: i64) -> the words as <lanes x i32>."""
    return "\n".join(_run(lanes) if name == RUN else _lanes(lanes) for name, _, lanes in sorted(helpers))


def _run(lanes: int) -> str:
    if lanes % WORDS:
        raise CompilerBug(f"a run of {lanes} random numbers is not whole blocks")
    fn = _start(RUN, lanes, 1)
    blocks = lanes // WORDS
    place = fn.value("and i64 %element, 3")
    number = fn.value("lshr i64 %element, 2")
    aligned = fn.value(f"icmp eq i64 {place}, 0")
    here, apart = fn.fresh("aligned"), fn.fresh("apart")
    fn.do(f"br i1 {aligned}, label %{here}, label %{apart}")
    fn.start(here)
    fn.do(f"ret <{lanes} x i32> {_Blocks(fn, blocks).in_order(number)}")
    fn.start(apart)
    words = _Blocks(fn, 2 * blocks).in_order(number)
    chosen = ""
    for start in range(WORDS):
        window = ", ".join(f"i32 {start + lane}" for lane in range(lanes))
        part = fn.value(
            f"shufflevector <{2 * lanes} x i32> {words}, <{2 * lanes} x i32> poison, <{lanes} x i32> <{window}>"
        )
        if start == 0:
            chosen = part
            continue
        is_here = fn.value(f"icmp eq i64 {place}, {start}")
        chosen = fn.value(f"select i1 {is_here}, <{lanes} x i32> {part}, <{lanes} x i32> {chosen}")
    return fn.finish(f"<{lanes} x i32> {chosen}")


def _lanes(lanes: int) -> str:
    """Every lane computes a block of its own and takes its word."""
    fn = _start(LANES, lanes, lanes)
    blocks = _Blocks(fn, lanes)
    place = blocks.value("and", "%element", 3)
    words = blocks.words(blocks.value("lshr", "%element", 2))
    chosen = words[-1]
    for number, word in reversed(list(enumerate(words[:-1]))):
        is_here = fn.value(f"icmp eq {blocks.type} {place}, {blocks.constant(number)}")
        kind = "i1" if lanes == 1 else f"<{lanes} x i1>"
        chosen = fn.value(f"select {kind} {is_here}, {blocks.type} {word}, {blocks.type} {chosen}")
    result = vector_type("int32", lanes)
    return fn.finish(f"{result} {fn.value(f'trunc {blocks.type} {chosen} to {result}')}")


def _start(name: str, lanes: int, element_lanes: int) -> FunctionText:
    parameters = [(vector_type("int64", element_lanes), "element"), ("i64", "seed"), ("i64", "step"), ("i64", "stream")]
    return FunctionText(symbol(name, lanes), parameters, vector_type("int32", lanes), attributes="nounwind alwaysinline")


class _Blocks:
    """Blocks side by side, one in each 64-bit lane, for the key and the counter that the function was given."""

    def __init__(self, fn: FunctionText, count: int) -> None:
        self.fn, self.count, self.type = fn, count, vector_type("int64", count)

    def constant(self, number: int) -> str:
        return str(number) if self.count == 1 else f"splat (i64 {number})"

    def value(self, opcode: str, left: str, right: str | int) -> str:
        """An instruction on vectors, or on a vector and a number."""
        other = right if isinstance(right, str) else self.constant(right)
        return self.fn.value(f"{opcode} {self.type} {left}, {other}")

    def splat(self, scalar: str) -> str:
        if self.count == 1:
            return scalar
        first = self.fn.value(f"insertelement {self.type} poison, i64 {scalar}, i64 0")
        zeros = f"<{self.count} x i32> zeroinitializer"
        return self.fn.value(f"shufflevector {self.type} {first}, {self.type} poison, {zeros}")

    def words(self, number: str) -> Sequence[str]:
        """The four words of the blocks of these numbers, in the low halves of the lanes."""
        fn = self.fn
        high_seed, high_step = (fn.value(f"lshr i64 {name}, 32") for name in ("%seed", "%step"))
        c0, c1, c2, c3 = number, self.splat("%stream"), self.splat("%step"), self.splat(high_step)
        for turn in range(ROUNDS):
            keys = (("%seed", W0), (high_seed, W1))
            k0, k1 = (self.splat(fn.value(f"add i64 {word}, {turn * weyl & LOW}")) for word, weyl in keys)
            first, second = (self.value("mul", self.value("and", c, LOW), m) for c, m in ((c0, M0), (c2, M1)))
            c0, c1, c2, c3 = (
                self.value("xor", self.value("lshr", second, 32), self.value("xor", c1, k0)),
                second,
                self.value("xor", self.value("lshr", first, 32), self.value("xor", c3, k1)),
                first,
            )
        return c0, c1, c2, c3

    def in_order(self, number: str) -> str:
        """The words of `count` blocks from this one on, one after the other, as <4 count x i32>."""
        if self.count == 1:
            base = number
        else:
            lanes = "<" + ", ".join(f"i64 {lane}" for lane in range(self.count)) + ">"
            base = self.value("add", self.splat(number), lanes)
        w0, w1, w2, w3 = self.words(base)
        pairs = [
            self.value("or", self.value("and", low, LOW), self.value("shl", high, 32))
            for low, high in ((w0, w1), (w2, w3))
        ]
        if self.count == 1:
            pairs = [self.fn.value(f"insertelement <1 x i64> poison, i64 {pair}, i64 0") for pair in pairs]
        order = ", ".join(f"i32 {lane + half * self.count}" for lane in range(self.count) for half in (0, 1))
        wide, narrow = f"<{2 * self.count} x i64>", f"<{self.count} x i64>"
        mask = f"<{2 * self.count} x i32> <{order}>"
        joined = self.fn.value(f"shufflevector {narrow} {pairs[0]}, {narrow} {pairs[1]}, {mask}")
        return self.fn.value(f"bitcast {wide} {joined} to <{WORDS * self.count} x i32>")
