"""What others call: `simplify`, `prepare` (before differentiating), `rules`; `expand` is in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import overload

from symnet.errors import DTypeError
from symnet.expr.node import Expr
from symnet.expr.trace import Trace
from symnet.simplify.engine import COMMUTES, COMMUTES_REASON, rewrite_with
from symnet.simplify.expand import expand
from symnet.simplify.pattern import show
from symnet.simplify.plain import plainly
from symnet.simplify.rule import Rule, RuleSet
from symnet.simplify.tables import TOPICS
from symnet.simplify.verification import GAINS, METHODS

__all__ = ["RuleRecord", "expand", "prepare", "rules", "simplify"]


@dataclass(frozen=True)
class RuleRecord:
    """One rule, as text.

    verified says how the tests check that both sides are equal, gain what a stabilising rule makes of the worst error
    in float32 at extreme operands: "no number → 1 ulp" (ulp: units in the last place).
    """

    name: str
    topic: str
    pattern: str
    replacement: str
    condition: str
    assumption: str
    reason: str
    kind: str
    verified: str
    gain: str


@overload
def simplify(exprs: Expr, *, trace: Trace | None = ...) -> Expr: ...
@overload
def simplify(exprs: Sequence[Expr], *, trace: Trace | None = ...) -> list[Expr]: ...
def simplify(exprs: Expr | Sequence[Expr], *, trace: Trace | None = None) -> Expr | list[Expr]:
    """The expression (or each of several, simplified together so that they share what they can) in simplest form.

    The value is the same over the reals, under the assumptions that the applied rules state, and in floating point it
    is as good or better. `trace` collects every step: the rule, the node before and after, and why they are equal.
    """
    if isinstance(exprs, Expr):
        return rewrite_with(default_rules(), plainly([exprs], trace), trace)[0]
    for position, node in enumerate(exprs):
        if not isinstance(node, Expr):
            raise DTypeError(f"simplify: item {position} is {type(node).__name__}, expected an expression")
    return rewrite_with(default_rules(), plainly(exprs, trace), trace)


def prepare(outputs: Sequence[Expr], wrt: Sequence[Expr], trace: Trace | None = None) -> tuple[list[Expr], list[Expr]]:
    """The outputs simplified before they are differentiated, and the nodes that `wrt` have become.

    Differentiating the simplified graph gives better formulas than simplifying the derivative afterwards: the stable
    operations have derivatives that are short and stable themselves. The nodes of `wrt` survive: no rule looks into
    one or replaces one, only what it is computed from is simplified.
    """
    plain = plainly([*outputs, *wrt], trace)
    results = rewrite_with(default_rules(), plain[: len(outputs)], trace, keep=plain[len(outputs) :])
    return results[: len(outputs)], results[len(outputs) :]


@lru_cache(maxsize=1)
def default_rules() -> RuleSet:
    return RuleSet(tuple(rule for rules in TOPICS.values() for rule in rules if not rule.lowering))


@lru_cache(maxsize=1)
def rules() -> tuple[RuleRecord, ...]:
    """Every rule: name, pattern, replacement, condition, assumption, reason, kind, and how it is verified."""
    engine = RuleRecord(
        name=COMMUTES,
        topic="engine",
        pattern="f(x, y), f(y, x)",
        replacement="f(x, y)",
        condition="f is commutative",
        assumption="",
        reason=COMMUTES_REASON,
        kind="exact",
        verified="by the definition of the operations",
        gain="",
    )
    return (engine, *(_record(topic, rule) for topic, table in TOPICS.items() for rule in table))


def _record(topic: str, rule: Rule) -> RuleRecord:
    before, after = GAINS.get(rule.name, ("", ""))
    return RuleRecord(
        name=rule.name,
        topic=topic,
        pattern=show(rule.pattern),
        replacement=show(rule.replacement),
        condition=" and ".join(map(show, rule.condition)),
        assumption=rule.assumption,
        reason=rule.reason,
        kind=rule.kind,
        verified=_VERIFIED[METHODS.get(rule.name, "digits")],
        gain=f"{before} → {after}" if before else "",
    )


_VERIFIED = {
    "sympy": "by SymPy for all real operands, and with 50 digits at random ones",
    "fractions": "in exact fractions, and with 50 digits, at random operands and shapes",
    "digits": "with 50 digits at random operands and shapes",
}
