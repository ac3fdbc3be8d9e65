"""The engine: rules are applied bottom-up until none applies.

A node is looked at after its operands are as simple as they get. When a rule fires, what it built is looked at in turn,
so one pass over the graph comes to a fixed point, except for rules that were refused because the graph would have
become costlier: sharing may have changed since, so the pass is repeated while it changes anything. All walks are loops
with an explicit stack, and every node is settled once, so the time is about linear in the graph.

Of several rules that fit a node, the most specific one is tried first (`rule.specificity`): where rules stand in the
tables says nothing. The result is to be the same in any other order, too; `tests/symnet/simplify` shuffles it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from symnet.errors import CompilerBug
from symnet.expr import lineage
from symnet.expr.function import Function, with_bodies
from symnet.expr.node import Expr, label, rebuild
from symnet.expr.trace import Stage, Step, Trace
from symnet.simplify.chains import merged_in_chain
from symnet.simplify.cost import TIE
from symnet.simplify.live import Live
from symnet.simplify.pattern import COMMUTATIVE
from symnet.simplify.rule import Rule, RuleSet

COMMUTES = "commuted-twin"
COMMUTES_REASON = "the order of the operands does not matter, and the other order is already computed"
BODY = "simpler-body"
BODY_REASON = "what a loop or a choice computes is simplified as a graph of its own"


def rewrite_with(
    rules: RuleSet, roots: Sequence[Expr], trace: Trace | None = None, keep: Collection[Expr] = ()
) -> list[Expr]:
    """The roots with `rules` applied until none applies.

    Nodes in `keep` are not rewritten and no rule looks into them; only what they are computed from is. The result then
    holds their new forms after those of the roots, in order.
    """
    rewriting = Rewriting(rules, [*roots, *keep], trace, keep)
    results = rewriting.run()
    if trace is not None:
        trace.stages += rewriting.stages
    return results


class Rewriting:
    """One run over one graph."""

    def __init__(self, rules: RuleSet, roots: Sequence[Expr], trace: Trace | None, keep: Collection[Expr]) -> None:
        self.rules = rules
        self.roots = list(roots)
        self.trace = trace
        self.opaque = frozenset(map(id, keep))
        self.live = Live(self.roots)
        self.budget = 2000 + 200 * len(self.live.uses)
        self.functions: dict[Function, Function] = {}
        self.stages: list[Stage] = []
        self.bodies: dict[Function, list[Stage]] = {}
        self._start_pass()

    def _start_pass(self) -> None:
        self.final: dict[int, Expr] = {}
        self.became: dict[int, Expr] = {}
        self.rule_of: dict[int, str] = {}
        self.twins: dict[tuple[str, frozenset[int]], Expr] = {}
        self.held: list[Expr] = []
        self.changed = self.refused = False
        self.stages.append(Stage("simplify", self.roots, bodies=self.bodies))

    def run(self) -> list[Expr]:
        while True:
            self.roots = self.stages[-1].end = [self.settle(root) for root in self.roots]
            if not (self.refused and self.changed):
                return self.roots
            self._start_pass()

    def settle(self, root: Expr) -> Expr:
        """`root` in its final form, after everything it is computed from."""
        stack = [root]
        while stack:
            node = stack[-1]
            if id(node) in self.final:
                stack.pop()
                continue
            successor = self.became.get(id(node))
            if successor is not None:
                if id(successor) in self.final:
                    self.final[id(node)] = self.final[id(successor)]
                else:
                    stack.append(successor)
                continue
            waiting = [arg for arg in node.args if id(arg) not in self.final]
            if waiting:
                for arg in waiting:
                    if id(arg) in self.became:  # it waits for this very node
                        raise _endless(self._cycle(arg))
                stack.extend(reversed(waiting))
                continue
            self.held.append(node)
            new = self.step(node)
            if new is node:
                self.final[id(node)] = node
            else:
                self.held.append(new)
                self.became[id(node)] = new
                if id(new) in self.became and id(new) not in self.final:  # it waits for this very node
                    raise _endless(self._cycle(new))
        return self.final[id(root)]

    def step(self, node: Expr) -> Expr:
        """What `node` becomes next; itself when nothing applies."""
        new = rebuild(node, [self.final[id(arg)] for arg in node.args])
        if new is not node:
            self.live.rebuilt(node, new)
            if id(node) in self.opaque:
                self.opaque |= {id(new)}
            settled = self.final.get(id(new), new)
            if settled is not new:
                self.live.replace(new, settled)
            return settled
        if id(node) in self.opaque:
            return node
        if node.dtype == "tuple":
            return self._with_bodies(node)
        if node.op in COMMUTATIVE:
            twin = self.twins.setdefault((node.op, frozenset(map(id, node.args))), node)
            if twin is not node and id(twin) in self.live.uses:
                return self._replaced(node, twin, COMMUTES, COMMUTES_REASON)
        return self._apply(node)

    def _apply(self, node: Expr) -> Expr:
        for new, rule in self._proposals(node):
            settled = self.final.get(id(new), new)
            if settled is node:
                continue
            if self.live.replace(node, settled, _allowance(rule)):
                return self._record(node, new, settled, rule)
            self.refused = True
        return node

    def _proposals(self, node: Expr) -> Iterator[tuple[Expr, Rule]]:
        """What the rules would make of `node`, the most specific ones first; chains come last."""
        for variant in self.rules.candidates(node):
            new = variant.try_on(node, self.opaque)
            if new is not None:
                yield new, variant.rule
        yield from merged_in_chain(node, self.rules, self.opaque)

    def _record(self, node: Expr, new: Expr, settled: Expr, rule: Rule) -> Expr:
        """The rule made `new` of the node, which is already known to become `settled`."""
        self.changed = True
        self.rule_of[id(node)] = rule.name
        self.budget -= 1
        if self.budget < 0:
            raise _endless(list(self.rule_of.values())[-20:])
        carry_name(node, settled)
        if self.trace is not None:
            step = Step(rule.name, node, new, rule.reason, rule.kind, rule.assumption)
            self.trace.add(self.stages[-1], step)
        return settled

    def _replaced(self, node: Expr, new: Expr, name: str, reason: str) -> Expr:
        self.live.replace(node, new)
        carry_name(node, new)
        if self.trace is not None:
            self.trace.add(self.stages[-1], Step(name, node, new, reason, "exact"))
        return new

    def _with_bodies(self, node: Expr) -> Expr:
        """A loop or a choice with its body simplified (as a graph of its own)."""
        new = with_bodies(node, self._body)
        if new is node:
            return self._apply(node)
        carry_name(node, new)
        self.live.rebuilt(node, new)
        if self.trace is not None:
            self.trace.add(self.stages[-1], Step(BODY, node, new, BODY_REASON, "exact"))
        return new

    def _body(self, body: Function) -> Function:
        if body not in self.functions:
            inside = Rewriting(self.rules, body.results, self.trace, ())
            self.functions[body] = Function(body.parameters, inside.run())
            self.bodies[body] = inside.stages
            self.functions[self.functions[body]] = self.functions[body]
        return self.functions[body]

    def _cycle(self, node: Expr) -> list[str]:
        """The rules by which `node` became itself, or something made of itself."""
        names: list[str] = []
        following: Expr | None = node
        while following is not None and len(names) < 20:
            names.append(self.rule_of.get(id(following), "new operands"))
            following = self.became.get(id(following))
        return names


def _endless(names: list[str]) -> CompilerBug:
    return CompilerBug(
        f"the simplifier does not come to an end: rules undo each other ({', '.join(dict.fromkeys(names))})"
    )


def _allowance(rule: Rule) -> float:
    """By how much a rule may make the graph costlier."""
    if rule.kind == "stabilising":
        return math.inf
    return -TIE if rule.when_cheaper else TIE


def carry_name(old: Expr, new: Expr) -> None:
    """The value keeps its name, unless what replaced it has one or is a leaf (which may stand for other values too)."""
    lineage.note(old, new)
    if old.name is not None and new.name is None and new.args:
        label(new, old.name)
