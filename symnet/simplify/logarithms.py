"""Logarithms and quotients of products and sums of exponentials, taken apart: computed parts of rules.

A *factor* is what a tree of products and quotients is made of. A *power of e* is a product with at least one factor
exp(x), x no constant, whose other factors are exponentials and positive constants: it may over- or underflow where its
logarithm does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.leaves import number
from symnet.simplify.facts import is_logs_well, is_positive_constant
from symnet.simplify.pattern import computed
from symnet.simplify.shapes import kept_shape, reshaped

PASSED = frozenset("add subtract negative max maximum minimum where reshape broadcast_to multiply divide".split())
"""Operations between an exponent and what was taken off of it."""
LOWEST, HIGHEST = float("-inf"), 80.0
LONGEST = 12
"""Factors or terms that are looked at."""


def apply(op: str, *args: Expr) -> Expr:
    return make(lookup(op), args)


def factors(node: Expr) -> list[tuple[bool, Expr]] | None:
    """The factors of a product or quotient, each with whether it stands above the line; None if there are many."""
    found: list[tuple[bool, Expr]] = []
    stack = [(True, node)]
    while stack:
        above, item = stack.pop()
        if item.op in ("multiply", "divide"):
            stack.append((above == (item.op == "multiply"), item.args[1]))
            stack.append((above, item.args[0]))
        else:
            found.append((above, item))
        if len(found) + len(stack) > LONGEST:
            return None
    return found


def product(parts: Sequence[tuple[bool, Expr]], dtype: str) -> Expr:
    above = [part for over, part in parts if over] or [number(1, dtype)]
    below = [part for over, part in parts if not over]
    result = above[0]
    for part in above[1:]:
        result = apply("multiply", result, part)
    for part in below:
        result = apply("divide", result, part)
    return result


def total(parts: Sequence[tuple[bool, Expr]]) -> Expr:
    """The sum of signed terms."""
    parts = sorted(parts, key=lambda part: not part[0])
    positive, result = parts[0]
    result = result if positive else apply("negative", result)
    for positive, part in parts[1:]:
        result = apply("add" if positive else "subtract", result, part)
    return result


# --- the logarithm of a product --------------------------------------------------------------------------------------


def _exponent(power: Expr) -> float | None:
    """The exponent of a power with a constant one, of a square."""
    if power.op == "square":
        return 2.0
    exponent = power.args[1] if power.op == "power" else None
    if exponent is None or exponent.op != "constant" or exponent.shape:
        return None
    return float(exponent.attrs["value"])


def logarithm_of_factor(factor: Expr) -> Expr | None:
    """log(factor) for a factor that is never negative and that over- or underflows before its logarithm does."""
    if is_logs_well(factor) or sums_shares(factor) or (factor.op in ("add", "sum") and grows_plainly(factor)):
        return None if factor.op == "constant" else apply("log", factor)
    exponent = _exponent(factor)
    if exponent is None:
        return None
    base = factor.args[0]
    if exponent % 2 == 1:
        return None  # the factor has the sign of its base
    size = apply("absolute", base) if exponent % 2 == 0 else base
    return apply("multiply", number(exponent, factor.dtype), apply("log", size))


@computed
def factors_out(node: Expr) -> Expr | None:
    """The logarithm `node` with the factors that may over- or underflow in logarithms of their own."""
    return _factors_out(node)


@computed
def keeps_factors(node: Expr) -> bool:
    """Whether no factor comes out of the logarithm."""
    return _factors_out(node) is None


def _factors_out(node: Expr) -> Expr | None:
    parts = factors(node.args[0])
    if parts is None:
        return None
    apart = [(above, logarithm_of_factor(factor)) for above, factor in parts]
    logs = [(above, log) for above, log in apart if log is not None]
    rest = [part for part, (_, log) in zip(parts, apart, strict=True) if log is None]
    if not logs:
        return None
    if rest:
        above = any(over for over, _ in rest)  # else the logarithm of a reciprocal, which is taken of the divisors
        whole = product(rest if above else [(True, part) for _, part in rest], node.dtype)
        logs.append((above, apply("log", whole)))
    return total(logs)


# --- sums of exponentials --------------------------------------------------------------------------------------------


MOVES = frozenset("reshape transpose slice gather broadcast_to diagonal".split())


def exponent_of(factor: Expr) -> Expr | None:
    """The exponent of an exponential, or of one whose elements were moved (moved alike); None for anything else."""
    moves: list[Expr] = []
    while factor.op in MOVES:
        moves.append(factor)
        factor = factor.args[0]
    if factor.op != "exp":
        return None
    exponent = factor.args[0]
    for move in reversed(moves):
        exponent = make(move.declaration, (exponent, *move.args[1:]), move.attrs)
    return exponent


def is_exponential(factor: Expr) -> bool:
    while factor.op in MOVES:
        factor = factor.args[0]
    return factor.op == "exp"


def is_power_of_e(node: Expr) -> bool:
    """Whether this is a product of exponentials and positive constants, with an exponent that is no constant."""
    parts = factors(node)
    if parts is None or not all(is_exponential(f) or is_positive_constant(f) for _, f in parts):
        return False
    return any(is_exponential(factor) for _, factor in parts)


def is_sum_of_powers(node: Expr) -> bool:
    """A power of e, or a sum of such over axes (with positive constants as factors of the sum)."""
    parts = factors(node)
    if parts is None:
        return False
    sums = [f for above, f in parts if f.op == "sum" and above]
    others = [f for above, f in parts if not (f.op == "sum" and above)]
    if not all(is_exponential(f) or is_positive_constant(f) for f in others):
        return False
    summed = len(sums) <= 1 and all(is_power_of_e(f.args[0]) for f in sums)
    return summed and (bool(sums) or any(map(is_exponential, others)))


def terms(node: Expr) -> Iterator[Expr]:
    """The terms of a sum, of which there are no more than `LONGEST`."""
    stack, count = [node], 0
    while stack:
        item = stack.pop()
        count += 1
        if item.op == "add" and count < LONGEST:
            stack.extend(reversed(item.args))
        else:
            yield item


@computed
def grows(x: Expr) -> bool:
    """Whether this is a sum of exponentials, which may overflow."""
    return grows_plainly(x)


@computed
def sums_exponentials(x: Expr, y: Expr) -> bool:
    """Whether x + y is a sum of exponentials, products of such with positive constants, and positive constants."""
    if any(part.op == "constant" and not part.shape for part in (x, y)):
        return False  # the number comes out of the logarithm
    found = [*terms(x), *terms(y)]
    return any(map(is_sum_of_powers, found)) and all(is_sum_of_powers(t) or is_positive_constant(t) for t in found)


@computed
def blends(x: Expr, s: Expr, y: Expr, t: Expr) -> bool:
    """Whether x and y are shares or exponentials, and s and t factors that are not both numbers."""
    if is_logs_well(s) and is_logs_well(t):
        return False  # their products have logarithms of their own
    return all(is_logs_well(part) and part.op != "constant" for part in (x, y))


@computed
def both_underflow(x: Expr, y: Expr) -> bool:
    """Whether both have stable logarithms and are no numbers: shares, say, which may underflow together."""
    return any(map(is_share, (x, y))) and all(is_share(part) or grows_plainly(part) for part in (x, y))


def is_share(x: Expr) -> bool:
    """A product of what has stable logarithms, with more than exponentials in it."""
    parts = factors(x) or []
    return bool(parts) and all(is_logs_well(f) for _, f in parts) and not grows_plainly(x) and x.op != "constant"


def sums_shares(x: Expr) -> bool:
    return x.op == "add" and all(map(is_share, x.args))


def grows_plainly(x: Expr) -> bool:
    return all(map(is_sum_of_powers, terms(x)))


# --- quotients of sums of exponentials -------------------------------------------------------------------------------


def _weights(term: Expr) -> list[Expr]:
    """The factors of a term that are neither exponentials, nor sums of such, nor positive numbers: they may be 0."""
    return [
        f for above, f in factors(term) or []
        if above and not is_exponential(f) and not is_positive_constant(f) and not weighs_exponentials(f)
    ]  # fmt: skip


def _bound(term: Expr) -> Expr | None:
    """The exponent of a term, the largest one of a sum over axes; None for a number, -inf where a weight is 0."""
    found: list[tuple[bool, Expr]] = []
    for above, factor in factors(term) or []:
        exponent = exponent_of(factor)
        if exponent is not None:
            found.append((above, exponent))
        elif factor.op == "sum":
            inner = _bound(factor.args[0])
            if inner is not None:
                found.append((above, make(lookup("max"), (_full(inner, factor.args[0]),), factor.attrs)))
    if not found:
        return None
    bound = total(found)
    for weight in _weights(term):
        bound = apply("where", apply("not_equal", weight, number(0.0, weight.dtype)), bound, number(LOWEST, term.dtype))
    return bound


def _full(inner: Expr, whole: Expr) -> Expr:
    return inner if inner.shape == whole.shape else make(lookup("broadcast_to"), (inner,), {"shape": whole.shape})


def _scaled(term: Expr, shift: Expr) -> Expr:
    """term · exp(-shift), with the shift inside of its exponential (or of those it sums)."""
    parts, weighted = factors(term) or [(True, term)], bool(_weights(term))
    for position, (above, factor) in enumerate(parts):
        moved = _with_shift(factor, shift, weighted) if above else None
        if moved is not None:
            return product([*parts[:position], (True, moved), *parts[position + 1 :]], term.dtype)
    return apply("multiply", term, apply("exp", apply("negative", shift)))


def _with_shift(factor: Expr, shift: Expr, weighted: bool) -> Expr | None:
    """The factor divided by the exponential of the shift; an exponential with weight 0 may be above it, and is cut."""
    exponent = exponent_of(factor)
    if exponent is not None:
        less = apply("subtract", exponent, shift)
        return apply("exp", apply("minimum", less, number(HIGHEST, less.dtype)) if weighted else less)
    if factor.op == "sum" and has_exponential(factor.args[0]):
        return make(factor.declaration, (_scaled(factor.args[0], _kept(shift, factor)),), factor.attrs)
    return None


def has_exponential(term: Expr) -> bool:
    return any(above and is_exponential(factor) for above, factor in factors(term) or [])


def weighs_exponentials(term: Expr) -> bool:
    """Whether this is a product with an exponential, or with a sum of such products over axes."""
    return any(
        above and (is_exponential(factor) or (factor.op == "sum" and has_exponential(factor.args[0])))
        for above, factor in factors(term) or []
    )


def _kept(shift: Expr, node: Expr) -> Expr:
    """The shift of a sum over axes, as it meets what is summed."""
    if node.attrs["keepdims"] or not shift.shape:
        return shift
    return reshaped(shift, kept_shape(node.args[0].shape, node.attrs["axes"]))


def _sum_of(parts: Sequence[Expr]) -> Expr:
    result = parts[0]
    for part in parts[1:]:
        result = apply("add", result, part)
    return result


@computed
def shifted_quotient(x: Expr, y: Expr) -> Expr | None:
    """x / y for a sum y of exponentials, both divided by the exponential of the largest exponent in y."""
    below, above = list(terms(y)), list(terms(x))
    if len(below) == 2 and any(term is x for term in below) and not any(map(has_sum, below)):
        return None  # a share of two, for which there is a rule
    if len(below) == 1 and any(_makes_softmax(factor, below[0]) for factor in _above(x)):
        return None  # for which there is a rule, too
    bounds = [bound for term in below if (bound := _bound(term)) is not None]
    if any(map(is_shifted, bounds)):
        return None
    largest = bounds[0]
    for bound in bounds[1:]:
        largest = apply("maximum", largest, bound)
    least = 0.0 if len(bounds) < len(below) else float(np.finfo(y.dtype).min)  # the exponent of a number; or -inf's
    if largest.shape != y.shape:
        return None
    shift = apply("stop_gradient", apply("maximum", largest, number(least, y.dtype)))
    if len(above) > 1 and not all(map(has_exponential, above)):
        above = [x]
    return apply("divide", _sum_of([_scaled(t, shift) for t in above]), _sum_of([_scaled(t, shift) for t in below]))


def is_shifted(bound: Expr) -> bool:
    """Whether an exponent has something taken off of which no derivative is taken: the rule was here before."""
    seen, stack = set[int](), [bound]
    while stack:
        item = stack.pop()
        if item.op == "stop_gradient":
            return True
        if id(item) not in seen and item.op in PASSED:
            seen.add(id(item))
            stack.extend(item.args)
    return False


def _above(x: Expr) -> list[Expr]:
    return [factor for above, factor in factors(x) or [] if above]


def _makes_softmax(factor: Expr, below: Expr) -> bool:
    """Whether a factor divided by a sum is a softmax, perhaps with its axis brought to the front."""
    if below.op != "sum" or len(below.attrs["axes"]) != 1:
        return False
    inner, (axis,) = below.args[0], below.attrs["axes"]
    if factor.op == "transpose" and factor.args[0] is inner:
        return bool(factor.attrs["axes"] == (axis, *(a for a in range(inner.ndim) if a != axis)))
    return factor is inner and (below.attrs["keepdims"] or axis == 0)


@computed
def exponentials_below(x: Expr, y: Expr) -> bool:
    """Whether y is a sum of several exponentials, with any factors, and perhaps positive constants."""
    found = list(terms(y))
    weighed = list(map(weighs_exponentials, found))
    if not any(weighed) or not all(w or is_positive_constant(t) for w, t in zip(weighed, found, strict=True)):
        return False
    if len(found) == 2 and any(is_positive_constant(t) and not t.shape for t in found):
        return any(map(has_sum, found))  # a sigmoid otherwise
    return len(found) > 1 or has_sum(found[0])


def has_sum(term: Expr) -> bool:
    return any(factor.op == "sum" for _, factor in factors(term) or [])


@computed
def sums_plainly(x: Expr) -> bool:
    """Whether x is a sum of exponentials and positive constants, several terms at least."""
    found = list(terms(x))
    return (
        len(found) > 1
        and any(map(is_sum_of_powers, found))
        and all(is_sum_of_powers(t) or is_positive_constant(t) for t in found)
    )


@computed
def scaled_power(x: Expr) -> bool:
    """Whether x is an exponential with factors."""
    return x.op in ("multiply", "divide") and is_power_of_e(x)


@computed
def holds_no(y: Expr, x: Expr) -> bool:
    """Whether x is no factor of y."""
    return y is not x and all(factor is not x for factor in _above(y))


@computed
def two_powers(x: Expr, y: Expr) -> bool:
    """Whether x is an exponential with or without factors, and y one too, or a positive number."""
    return is_power_of_e(x) and (is_power_of_e(y) or (is_positive_constant(y) and not y.shape))
