"""Philox4x32-10 in vector lanes; `symnet.ops.philox` says what it computes.

A word is kept in the low half of a 64-bit lane, whose product with a multiplier is one instruction; what collects in
the high half is shifted out or ignored by the next product.
"""

from __future__ import annotations

from collections.abc import Sequence

from codegen.llvm.scope import Scope, Value, index
from symnet.ops.philox import LOW, M0, M1, ROUNDS, W0, W1

Block = tuple[Value, Value, Value, Value]


def philox(scope: Scope, args: Sequence[Value], dtype: str) -> Value:
    """The random numbers of the elements in the lanes: every lane computes its block and takes its word."""
    seed, step, stream, element, bits = args
    words = block(scope, (scope.operate("lshr", element, index(2)), stream, step, _high(scope, step)), seed)
    place = scope.operate("and", element, index(3))
    chosen = words[3]
    for number in (2, 1, 0):
        here = scope.operate("icmp eq", place, index(number), "bool")
        chosen = scope.select(here, words[number], chosen)
    return _number(scope, chosen, int(bits.text), dtype)


def block(scope: Scope, counter: Sequence[Value], seed: Value) -> Block:
    """The four words of a block for each lane of the counter, in the low halves of int64 lanes."""
    c0, c1, c2, c3 = counter
    for number in range(ROUNDS):
        k0, k1 = (_round_key(scope, part, number) for part in ((seed, W0), (_high(scope, seed), W1)))
        first = scope.operate("mul", _low(scope, c0), index(M0))
        second = scope.operate("mul", _low(scope, c2), index(M1))
        # what is the same for all lanes is combined first, and so before the loop
        c0, c1, c2, c3 = (
            _mixed(scope, _high(scope, second), c1, k0),
            second,
            _mixed(scope, _high(scope, first), c3, k1),
            first,
        )
    return c0, c1, c2, c3


def _round_key(scope: Scope, part: tuple[Value, int], number: int) -> Value:
    word, increment = part
    return scope.operate("add", word, index(number * increment & LOW)) if number else word


def _mixed(scope: Scope, varying: Value, word: Value, key: Value) -> Value:
    return scope.operate("xor", varying, scope.operate("xor", word, key))


def _low(scope: Scope, word: Value) -> Value:
    return scope.operate("and", word, index(LOW))


def _high(scope: Scope, value: Value) -> Value:
    return scope.operate("lshr", value, index(32))


def _number(scope: Scope, word: Value, bits: int, dtype: str) -> Value:
    """The upper bits of a word as a number of `dtype`."""
    shifted = scope.operate("lshr", _low(scope, word), index(32 - bits)) if bits < 32 else _low(scope, word)
    if dtype == "int64":
        return shifted
    kind = Value("", dtype, shifted.lanes).type
    return scope.emit(f"trunc {shifted.typed} to {kind}", (shifted,), dtype, shifted.lanes)
