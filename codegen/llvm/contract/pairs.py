"""Products of operands that are rounded to bfloat16, on targets with an instruction for them.

    acc[r, c] += left[r, k] * right[k, c] + left[r, k + 1] * right[k + 1, c]

Elements are rounded as they are packed, two k together as the halves of one word: a packed operand is as large as that
of half as many k, and all that lays it out stays the same. The instruction adds the product of k + 1 first, then that
of k; each product is exact, each sum rounded to the nearest float32, subnormal numbers are taken for zeros.
"""

from __future__ import annotations

from codegen.llvm.contract.problem import Contraction, Operand, operand
from codegen.llvm.scope import Scope, Value
from codegen.loops.grammar import Apply, Axis
from codegen.target import Target
from symnet.expr.dims import Dim


def in_pairs(problem: Contraction, inner: tuple[Axis, ...], target: Target) -> bool:
    """Whether a contraction sums pairs: of `inner`, the summed axes, several are cut into pairs if the last is even."""
    extent: Dim = inner[-1].extent
    even = len(inner) == 1 or (isinstance(extent, int) and extent % 2 == 0)
    return target.bf16 and even and problem.rounded


def unrounded(one: Operand, problem: Contraction) -> Operand:
    """What is rounded to give an operand."""
    assert isinstance(one.value, Apply)
    return operand(one.value.args[0], problem.program)


def pairs_along(scope: Scope, low: Value, high: Value) -> Value:
    """Pairs of neighbours: of a vector along k and the vector that follows it."""
    return _words(scope, _halves(scope, low, high))


def pairs_across(scope: Scope, low: Value, high: Value) -> Value:
    """Pairs of the elements at equal places of a vector at one k and of that at the next."""
    halves = _halves(scope, low, high)
    picked = ", ".join(f"i32 {lane // 2 + lane % 2 * 16}" for lane in range(32))
    shuffle = f"shufflevector <32 x bfloat> {halves.text}, <32 x bfloat> poison, <32 x i32> <{picked}>"
    return _words(scope, scope.emit(shuffle, (halves,), low.dtype, low.lanes))


def _halves(scope: Scope, low: Value, high: Value) -> Value:
    """The elements of two vectors of float32 rounded, side by side in one register."""
    rounding = f"call <32 x bfloat> @llvm.x86.avx512bf16.cvtne2ps2bf16.512({high.typed}, {low.typed})"
    return scope.emit(rounding, (low, high), low.dtype, low.lanes)


def _words(scope: Scope, halves: Value) -> Value:
    """The same register as words, which are moved like float32 numbers."""
    return scope.emit(f"bitcast <32 x bfloat> {halves.text} to {halves.type}", (halves,), halves.dtype, halves.lanes)
