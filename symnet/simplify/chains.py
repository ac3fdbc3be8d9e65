"""Rules between two terms of a longer sum, or two factors of a longer product.

`(a + f) - a` holds the pattern `x - x`, but not as a node. For rules that say so (`in_chains`), the engine takes a sum
or product apart into signed terms and tries them on every pair of a term of the left operand with a term of the right
one (pairs within an operand were tried when that operand was settled). Only what makes the graph strictly cheaper is
kept. That is all the associativity the engine knows: no rule ever regroups a sum for its own sake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from symnet.errors import SymnetError
from symnet.expr import dtypes
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.leaves import number
from symnet.simplify.rule import Rule, RuleSet, fitted

LONGEST = 6
"""Terms of an operand that are considered; longer chains are left as they are beyond that."""

_KINDS = {"add": ("add", "subtract", 0), "subtract": ("add", "subtract", 0),
          "multiply": ("multiply", "divide", 1), "divide": ("multiply", "divide", 1)}  # fmt: skip

Signed = tuple[bool, Expr]


@dataclass(frozen=True, slots=True)
class _Chain:
    join: str  # add or multiply
    undo: str  # subtract or divide
    neutral: int


def merged_in_chain(node: Expr, rules: RuleSet, opaque: frozenset[int]) -> Iterator[tuple[Expr, Rule]]:
    """`node` with two of its terms merged by a rule, and that rule, for all pairs and rules; numbers come last."""
    if node.op not in _KINDS or not dtypes.is_float(node.dtype):
        return
    chain = _Chain(*_KINDS[node.op])
    left = _terms(node.args[0], True, chain, opaque)
    right = _terms(node.args[1], node.op == chain.join, chain, opaque)
    if len(left) + len(right) == 2:
        return
    pairs = sorted(product(range(len(left)), range(len(right))), key=lambda ij: left[ij[0]][1].op == "constant")
    for i, j in pairs:
        for merged, rule in _merged(left[i], right[j], chain, rules, opaque):
            rest = [*left[:i], merged, *left[i + 1 :], *right[:j], *right[j + 1 :]]
            new = _joined(rest, chain, node)
            if new is not None:
                yield new, rule


def _terms(node: Expr, positive: bool, chain: _Chain, opaque: frozenset[int]) -> list[Signed]:
    """The signed terms of a sum (or product), left to right."""
    found: list[Signed] = []
    stack = [(positive, node)]
    while stack:
        sign, item = stack.pop()
        inner = item.op in (chain.join, chain.undo) and id(item) not in opaque and not _is_ratio(item)
        if inner and len(found) + len(stack) + 2 <= LONGEST:
            stack.append((sign == (item.op == chain.join), item.args[1]))
            stack.append((sign, item.args[0]))
        else:
            found.append((sign, item))
    return found


def _merged(
    first: Signed, second: Signed, chain: _Chain, rules: RuleSet, opaque: frozenset[int]
) -> list[tuple[Signed, Rule]]:
    """What the rules for chains make of two terms."""
    (s, a), (t, b) = first, second
    if s == t:
        sign, op, args = s, chain.join, (a, b)
    else:
        sign, op, args = True, chain.undo, (a, b) if s else (b, a)
    try:
        pair = make(lookup(op), args)
    except SymnetError:  # two terms of a sum need not broadcast with each other alone
        return []
    results = []
    for variant in rules.candidates(pair):
        if variant.rule.in_chains:
            new = variant.try_on(pair, opaque)
            if new is not None:
                results.append(((sign, new), variant.rule))
    return results


def _joined(terms: list[Signed], chain: _Chain, node: Expr) -> Expr | None:
    """The sum of signed terms, in the shape of `node`."""
    kept = [(sign, item) for sign, item in terms if not _is_neutral(item, chain)]
    positive = [item for sign, item in kept if sign]
    negative = [item for sign, item in kept if not sign]
    if not positive:
        positive = [number(chain.neutral, node.dtype)]
    result = positive[0]
    for item in positive[1:]:
        result = make(lookup(chain.join), (result, item))
    for item in negative:
        result = make(lookup(chain.undo), (result, item))
    return fitted(result, node)


def _is_ratio(node: Expr) -> bool:
    """Whether a node is one factor, not two: 1/y, or a number such as 2/3, which no constant holds exactly."""
    first, second = node.args
    return node.op == "divide" and first.op == "constant" and (second.op == "constant" or _is_one(first))


def _is_one(node: Expr) -> bool:
    return not node.shape and bool(node.attrs["value"] == 1)


def _is_neutral(node: Expr, chain: _Chain) -> bool:
    return node.op == "constant" and not node.shape and bool(node.attrs["value"] == chain.neutral)
