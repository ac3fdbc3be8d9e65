"""What is known about the values of an expression without running it: the conditions of rules.

What holds for an operation is declared with it (`Op.finite`, `Op.sign`). All answers are on the safe side: False means
"not known". Inputs, parameters and state are taken to be finite, and finite operands of sums and products to give
finite results.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping

from symnet.expr import dtypes
from symnet.expr.node import ArrayValue, Expr
from symnet.simplify.pattern import computed


class _Fact:
    """A property of values, worked out once for each node, operands first.

    `judge` says yes or no, or None: the property holds if it holds for all operands.
    """

    def __init__(self, judge: Callable[[Expr], bool | None]) -> None:
        self.judge = judge
        # By id, with a weak reference that forgets the entry with its node (== of nodes builds a node).
        self.known: dict[int, tuple[bool, weakref.ref[Expr]]] = {}

    def __call__(self, node: Expr) -> bool:
        known, stack = self.known, [node]
        while stack:
            item = stack[-1]
            if id(item) in known:
                stack.pop()
                continue
            verdict = self.judge(item)
            if verdict is None:
                unknown = [arg for arg in item.args if id(arg) not in known]
                if unknown:
                    stack.extend(unknown)
                    continue
                verdict = all(known[id(arg)][0] for arg in item.args)
            self._remember(item, verdict)
            stack.pop()
        return known[id(node)][0]

    def _remember(self, node: Expr, verdict: bool) -> None:
        key, known = id(node), self.known
        known[key] = (verdict, weakref.ref(node, lambda _: known.pop(key, None)))


def _constant(node: Expr, holds: Callable[[float], bool]) -> bool:
    value = node.attrs["value"]
    if isinstance(value, ArrayValue):
        return value.array.size <= 4096 and all(holds(v) for v in value.array.ravel().tolist())
    return holds(value)


def _judge_finite(item: Expr) -> bool | None:
    if not dtypes.is_float(item.dtype) or (item.declaration.kind == "leaf" and item.op != "constant"):
        return True
    if item.op == "constant":
        return _constant(item, math.isfinite)
    if item.op == "divide":
        return None if is_nonzero(item.args[1]) else False
    if item.op == "sqrt":
        return None if is_nonnegative(item.args[0]) else False
    if item.op in ("rsqrt", "reciprocal", "log"):
        return None if is_positive(item.args[0]) else False
    if item.op in ("place", "windows"):
        return None if math.isfinite(item.attrs["fill"]) else False
    return None if item.declaration.finite else False


def _judge_nonnegative(item: Expr) -> bool | None:
    if item.dtype == "bool" or item.declaration.sign in ("positive", "nonnegative"):
        return True
    if item.op == "constant":
        return _constant(item, lambda value: value >= 0)
    return None if item.declaration.sign == "kept" or item.op == "cast" else False


def _judge_positive(item: Expr) -> bool | None:
    if item.declaration.sign == "positive":
        return True
    if item.op == "constant":
        return _constant(item, lambda value: value > 0)
    if item.op == "add" and any(map(is_positive_constant, item.args)) and all(map(is_nonnegative, item.args)):
        return True
    return None if item.declaration.sign == "kept" else False


is_finite = _Fact(_judge_finite)
is_nonnegative = _Fact(_judge_nonnegative)
is_positive = _Fact(_judge_positive)


def is_positive_constant(node: Expr) -> bool:
    return node.op == "constant" and _constant(node, lambda value: value > 0)


def is_nonzero(node: Expr) -> bool:
    if node.op == "constant":
        return _constant(node, lambda value: value != 0)
    return is_positive(node)


@computed
def above_zero(c: float) -> bool:
    return c > 0


@computed
def finite(x: Expr) -> bool:
    return is_finite(x)


@computed
def nonnegative(x: Expr) -> bool:
    return is_nonnegative(x)


@computed
def positive(x: Expr) -> bool:
    return is_positive(x)


@computed
def nonzero(x: Expr) -> bool:
    return is_nonzero(x)


@computed
def floating(x: Expr) -> bool:
    return dtypes.is_float(x.dtype)


@computed
def scalar_shaped(x: Expr) -> bool:
    return x.shape == ()


@computed
def array_shaped(x: Expr) -> bool:
    return x.shape != ()


LOGS_WELL: Mapping[str, int] = {
    "exp": 0, "softmax": 0, "sigmoid": 0, "erfcx": 0, "ndtr": 0, "reshape": 1,
    "transpose": 1, "broadcast_to": 1, "slice": 1, "gather": 1, "diagonal": 1,
}  # fmt: skip
"""Operations whose logarithm has a form of its own (0), and those that pass that on from their first operand (1)."""


def is_logs_well(x: Expr) -> bool:
    """Whether log(x) can be written without taking the logarithm of what may over- or underflow."""
    while LOGS_WELL.get(x.op) == 1:
        x = x.args[0]
    if x.op == "constant":
        return is_positive(x)
    if x.op in ("sum", "add"):
        return all(arg.op == "exp" for arg in x.args)
    return x.op in LOGS_WELL


@computed
def logs_well(x: Expr) -> bool:
    return is_logs_well(x)
