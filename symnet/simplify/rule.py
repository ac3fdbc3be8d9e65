"""Rules as data, and how one is tried on a node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Literal

from symnet.errors import CompilerBug, SymnetError
from symnet.expr import dims
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.simplify.matching import Bindings, Matcher, Refused, build, compile_pattern, evaluate
from symnet.simplify.pattern import (
    Apply,
    Call,
    Rest,
    Term,
    TermLike,
    head_ops,
    operations_of,
    orientations,
    renamed,
    show,
    term,
    variables_of,
    weight,
)

Kind = Literal["exact", "stabilising"]
exact: Kind = "exact"
stabilising: Kind = "stabilising"


@dataclass(frozen=True, eq=False)
class Rule:
    """An equation read from left to right.

    name         unique; traces cite it
    pattern      what a node must look like
    replacement  what takes its place; the engine broadcasts it to the node's shape, and refuses another data type
    kind         exact: algebra that holds up to rounding; stabilising: equal over the reals, better in floating point,
                 and applied even where it costs more
    condition    computed terms that must all hold
    assumption   what must hold of the values and is not checked; empty when nothing
    reason       one sentence: why the two sides are equal
    in_chains    also tried between two terms of a longer sum, or two factors of a longer product
    when_cheaper applied only where the graph becomes cheaper, not where the cost stays the same
    lowering     applied only by `expand`, on the way to the loop program
    """

    name: str
    pattern: Apply
    replacement: Term
    kind: Kind
    condition: tuple[Call, ...]
    assumption: str
    reason: str
    in_chains: bool
    when_cheaper: bool
    lowering: bool

    @property
    def operations(self) -> frozenset[str]:
        """The operations of the replacement."""
        return operations_of(self.replacement)

    def __str__(self) -> str:
        when = f" if {' and '.join(map(show, self.condition))}" if self.condition else ""
        return f"{self.name}: {show(self.pattern)} -> {show(self.replacement)}{when}"


def rule(
    name: str,
    pattern: Apply,
    replacement: TermLike,
    *,
    reason: str,
    kind: Kind = exact,
    condition: Call | tuple[Call, ...] = (),
    assumption: str = "",
    in_chains: bool = False,
    when_cheaper: bool = False,
    lowering: bool = False,
) -> Rule:
    """Declare a rule; `CompilerBug` when its replacement or condition mentions what the pattern does not bind."""
    conditions = (condition,) if isinstance(condition, Call) else condition
    bound = variables_of(pattern) | {"this"}
    for part in (term(replacement), *conditions):
        if loose := variables_of(part) - bound:
            raise CompilerBug(
                f"rule {name!r}: {', '.join(sorted(loose))} does not occur in the pattern {show(pattern)}"
            )
    return Rule(
        name, pattern, term(replacement), kind, conditions, assumption, reason, in_chains, when_cheaper, lowering
    )


@dataclass(frozen=True, eq=False, slots=True)
class Variant:
    """One orientation of a rule's pattern, compiled."""

    rule: Rule
    matches: Matcher
    arg_heads: tuple[frozenset[str] | None, ...]
    open_ended: bool

    def try_on(self, node: Expr, opaque: frozenset[int]) -> Expr | None:
        """What the rule makes of `node`, or None when it does not apply."""
        env: Bindings = {}
        if not self.matches(node, env, opaque):
            return None
        env["this"] = node
        rule = self.rule
        try:
            if not all(evaluate(part, env) for part in rule.condition):
                return None
            new = build(rule.replacement, env, node.dtype)
        except Refused:
            return None
        except SymnetError as error:
            raise CompilerBug(f"rule {rule.name!r} built an ill-formed replacement for {node.op}: {error}") from error
        return fitted(new, node)


def fitted(new: Expr, node: Expr) -> Expr | None:
    """`new` in the shape of the `node` it replaces; None when it is no substitute for it."""
    if new.dtype != node.dtype:
        return None
    if new.shape == node.shape:
        return new
    try:
        shape = dims.broadcast(new.shape, node.shape)
    except SymnetError:
        return None
    if shape != node.shape:
        return None
    return make(lookup("broadcast_to"), (new,), {"shape": node.shape})


def _distinct(item: Rule) -> list[Apply]:
    """The orientations of a pattern, without those that only rename the variables of another (unless a condition
    tells them apart)."""
    found = orientations(item.pattern)
    if frozenset[str]().union(*map(variables_of, item.condition)) - {"this"}:
        return found
    kept: dict[str, Apply] = {}
    for pattern in found:
        kept.setdefault(renamed(pattern), pattern)
    return list(kept.values())


def _may_match(pattern: Apply, node: Expr) -> bool:
    """Whether each operation that the pattern asks for is that of some operand: a cheap look before compiling it."""
    return all(
        heads is None or any(arg.op in heads for arg in node.args) for heads in map(head_ops, pattern.args)
    )  # fmt: skip


@lru_cache(maxsize=None)
def variants(item: Rule) -> tuple[Variant, ...]:
    """The orientations of a rule, compiled: when its operation first occurs in a graph, and once for all sets."""
    return tuple(map(partial(_compiled, item), _distinct(item)))


def _compiled(item: Rule, pattern: Apply) -> Variant:
    open_ended = bool(pattern.args) and isinstance(pattern.args[-1], Rest)
    args = pattern.args[:-1] if open_ended else pattern.args
    return Variant(item, compile_pattern(pattern), tuple(map(head_ops, args)), open_ended)


@lru_cache(maxsize=None)
def specificity(item: Rule) -> tuple[int, int, str]:
    """The place of a rule among those that fit the same node: the pattern that asks for more is tried first; of equal
    ones that with more conditions; then the name decides, so that no two rules have the same place."""
    return -weight(item.pattern), -len(item.condition), item.name


@dataclass(eq=False)
class RuleSet:
    """Rules indexed by the operations at the top of their patterns.

    key  the place of a rule among those that fit the same node; where the rules stand in the tables says nothing
    """

    rules: tuple[Rule, ...]
    key: Callable[[Rule], Any] = specificity
    _by_head: dict[str, list[Rule]] = field(default_factory=dict)
    _candidates: dict[tuple[str, ...], tuple[Variant, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for item in self.rules:
            if item.name in seen:
                raise CompilerBug(f"two rules are called {item.name!r}")
            seen.add(item.name)
            for op in head_ops(item.pattern) or ():
                self._by_head.setdefault(op, []).append(item)

    def candidates(self, node: Expr) -> tuple[Variant, ...]:
        """The variants that may match `node`, judged by its operation and those of its operands."""
        key = (node.op, *[arg.op for arg in node.args])
        found = self._candidates.get(key)
        if found is None:
            found = self._candidates[key] = tuple(
                variant
                for item in sorted(self._by_head.get(node.op, ()), key=self.key)
                if _may_match(item.pattern, node)
                for variant in variants(item)
                if (len(variant.arg_heads) == len(node.args) or variant.open_ended)
                and all(heads is None or arg.op in heads for heads, arg in zip(variant.arg_heads, node.args))  # noqa: B905
            )
        return found
