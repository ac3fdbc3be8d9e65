"""Philox4x32-10 in vector lanes; `symnet.ops.philox` says what it computes.

A word is kept in the low half of a 64-bit lane, whose product with a multiplier is one instruction (vpmuludq); what
collects in the high half is shifted out, or ignored by the next product. What is the same for all lanes is combined
first, so that `Scope` puts it before the loops.

Lanes that hold consecutive elements, as they mostly do, share blocks: 16 elements are the words of 4 blocks, put in
order by shuffles. Where it is not known that the first element begins a block, a whole further set of blocks is
computed, and the window taken out of both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codegen.llvm.scope import Scope, Value, index
from codegen.loops.grammar import Affine, Apply, Const, Position, Scalar
from symnet.expr import dims
from symnet.ops.philox import LOW, M0, M1, ROUNDS, W0, W1, WORDS

EmitScalar = Callable[[Scope, Scalar], Value]


def emit(scope: Scope, node: Apply, emit_scalar: EmitScalar) -> Value:
    """The random numbers of the elements that the lanes are at."""
    seed, step, stream, element, bits = node.args
    assert isinstance(bits, Const)
    key = _Key(scope, *(emit_scalar(scope, part) for part in (seed, step, stream)))
    first = _first_of_run(scope, element, emit_scalar) if scope.lanes % WORDS == 0 else None
    if first is None:
        word = _of_lanes(scope, key, emit_scalar(scope, element))
    elif scope.aligned and _is_multiple(element):
        word = _in_order(scope, key, scope.operate("lshr", first, index(2)), scope.lanes // WORDS)
    else:
        word = _window(scope, key, first)
    if node.dtype == "int64":
        return scope.emit(f"zext {word.typed} to {Value('', 'int64', word.lanes).type}", (word,), "int64", word.lanes)
    return scope.operate("lshr", word, Value(str(32 - int(bits.value)), "int32"))


# --- where the lanes are ---------------------------------------------------------------------------------------------


def _first_of_run(scope: Scope, element: Scalar, emit_scalar: EmitScalar) -> Value | None:
    """The number of lane 0's element, where the lanes hold consecutive ones; else None."""
    if isinstance(element, Apply) and element.fn == "add":
        start, rest = element.args
        uniform, first = emit_scalar(scope, start), _first_of_run(scope, rest, emit_scalar)
        return scope.add(uniform, first) if uniform.lanes == 1 and first is not None else None
    if not isinstance(element, Position) or scope.vector is None or element.affine.coefficient(scope.vector) != 1:
        return None
    positions = [(scope.axes[axis], coefficient) for axis, coefficient in element.affine.terms]
    if any(position.lanes != 1 for position, _ in positions):
        return None
    total = scope.dim(element.affine.offset)
    for position, coefficient in sorted(positions, key=lambda term: term[0].level):
        total = scope.add(total, scope.mul(position, index(coefficient)))
    return total


def _is_multiple(element: Scalar) -> bool:
    """Whether the first lane's element begins a block if the vector axis is at a multiple of the lanes."""
    if not isinstance(element, Position):
        return False
    form: Affine = element.affine
    others = [coefficient for _, coefficient in form.terms if coefficient != 1]
    one = len(form.terms) - len(others) == 1
    return one and all(c % WORDS == 0 for c in others) and dims.divide(form.offset, WORDS) is not None


# --- words -----------------------------------------------------------------------------------------------------------


def _of_lanes(scope: Scope, key: _Key, element: Value) -> Value:
    """Every lane computes a block of its own and takes its word."""
    words = key.words(scope.operate("lshr", element, index(2)))
    place = scope.operate("and", element, index(3))
    chosen = words[-1]
    for number, word in reversed(list(enumerate(words[:-1]))):
        chosen = scope.select(scope.operate("icmp eq", place, index(number), "bool"), word, chosen)
    kind = Value("", "int32", chosen.lanes).type
    return scope.emit(f"trunc {chosen.typed} to {kind}", (chosen,), "int32", chosen.lanes)


def _in_order(scope: Scope, key: _Key, number: Value, blocks: int) -> Value:
    """The words of so many blocks from this number on, one after the other, as int32 lanes."""
    words = [scope.splat(word, blocks) for word in key.words(scope.positions(number, blocks))]
    halves = [_bitcast(scope, word, "int32", 2 * blocks) for word in words]
    low = [2 * block for block in range(blocks)]  # where the words are among the halves
    pairs = [_interleaved(scope, first, second, low) for first, second in (halves[:2], halves[2:])]
    left, right = (_bitcast(scope, pair, "int64", blocks) for pair in pairs)
    return _interleaved(scope, left, right, list(range(blocks)))


def _window(scope: Scope, key: _Key, first: Value) -> Value:
    """The words from the one of element `first` on, out of blocks that begin with its own."""
    lanes = scope.lanes
    words = _in_order(scope, key, scope.operate("lshr", first, index(2)), 2 * lanes // WORDS)
    place = scope.operate("and", first, index(3))
    chosen = _shuffled(scope, words, words, list(range(lanes)))
    for start in range(1, WORDS):
        here = scope.operate("icmp eq", place, index(start), "bool")
        part = _shuffled(scope, words, words, [start + lane for lane in range(lanes)])
        instruction = f"select {here.typed}, {part.typed}, {chosen.typed}"
        chosen = scope.emit(instruction, (here, part, chosen), "int32", lanes)
    return chosen


def _interleaved(scope: Scope, a: Value, b: Value, lanes: Sequence[int]) -> Value:
    """These lanes of `a` and of `b` in turn, as int32 lanes."""
    joined = _shuffled(scope, a, b, [lane + start for lane in lanes for start in (0, a.lanes)])
    return joined if joined.dtype == "int32" else _bitcast(scope, joined, "int32", 2 * joined.lanes)


def _shuffled(scope: Scope, a: Value, b: Value, order: Sequence[int]) -> Value:
    mask = ", ".join(f"i32 {lane}" for lane in order)
    instruction = f"shufflevector {a.typed}, {b.typed}, <{len(order)} x i32> <{mask}>"
    return scope.emit(instruction, (a, b), a.dtype, len(order))


def _bitcast(scope: Scope, value: Value, dtype: str, lanes: int) -> Value:
    kind = f"<{lanes} x {'i32' if dtype == 'int32' else 'i64'}>"
    return scope.emit(f"bitcast {value.typed} to {kind}", (value,), dtype, lanes)


class _Key:
    """What the words of all elements have in common: the key, and the counter but for its first word."""

    def __init__(self, scope: Scope, seed: Value, step: Value, stream: Value) -> None:
        self.scope, self.seed, self.step, self.stream = scope, seed, step, stream

    def words(self, number: Value) -> list[Value]:
        """The four words of the blocks of these numbers, in the low halves of int64 lanes."""
        counter = [number, self.stream, self.step, self._high(self.step)]
        keys = self.seed, self._high(self.seed)
        for turn in range(ROUNDS):
            first, second = self._product(counter[0], M0), self._product(counter[2], M1)
            k0, k1 = (self._turned(key, turn * weyl & LOW) for key, weyl in zip(keys, (W0, W1), strict=True))
            counter = [
                self._mixed(self._high(second), counter[1], k0),
                second,
                self._mixed(self._high(first), counter[3], k1),
                first,
            ]
        return counter

    def _product(self, word: Value, multiplier: int) -> Value:
        return self.scope.operate("mul", self.scope.operate("and", word, index(LOW)), index(multiplier))

    def _turned(self, key: Value, increment: int) -> Value:
        return self.scope.operate("add", key, index(increment)) if increment else key

    def _high(self, word: Value) -> Value:
        return self.scope.operate("lshr", word, index(32))

    def _mixed(self, *words: Value) -> Value:
        """The exclusive or, of what is the same for all lanes first."""
        uniform, *rest = sorted(words, key=lambda word: (word.lanes, word.level))
        for word in rest:
            uniform = self.scope.operate("xor", uniform, word)
        return uniform
