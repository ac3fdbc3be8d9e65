"""On the way to the loop program: every operation that it does not have is replaced by its definition.

What remains are primitives and the scalar functions of `codegen.loops.grammar.FUNCTIONS`. The result is simplified
again, with the rules that bring none of the expanded operations back and with those made for lowering.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from symnet.errors import CompilerBug
from symnet.expr.function import Function, with_bodies
from symnet.expr.node import Expr, label
from symnet.expr.op import REGISTRY, Op
from symnet.expr.traverse import rewrite
from symnet.ops.sink import sink
from symnet.ops.tidy import tidy_loops
from symnet.simplify.engine import rewrite_with
from symnet.simplify.rule import RuleSet
from symnet.simplify.tables import TOPICS
from symnet.simplify.tables.lowering import FAR_OUT, SATURATION

UNDONE_IN_LOWERING = frozenset((
    "multiply-reciprocal", "multiply-minus-reciprocal", "reciprocal",  # prefer divisions, for the sake of formulas
    "one-hot-by-comparison", "scatter-one-a-row",  # compute a one_hot, which lowering has just expanded
    "shifted-exponentials",  # has been applied; what tells so, the stopped gradient, is gone
))  # fmt: skip
"""Rules that would undo what lowering has done."""


def expand(roots: Sequence[Expr], far_out: bool = True) -> list[Expr]:
    """The roots in terms of primitives and scalar functions of the loop program, ready for lowering.

    far_out  keep the digits of 1 - tanh², of shares less a target and of their slopes where softmax and tanh are at
             their ends (the rules `FAR_OUT`), which costs something
    """
    whole = rewrite_with(saturation_rules(far_out), sink(tidy_loops(roots)))
    simple = rewrite_with(lowering_rules(), expand_definitions(whole, far_out))
    return expand_definitions(simple, far_out)  # a rule may have computed what no table can tell: a one_hot, say


def expand_definitions(roots: Sequence[Expr], far_out: bool = True) -> list[Expr]:
    """The roots with every operation that has a definition replaced by it, without simplifying."""
    current, bodies = list(roots), _Bodies(far_out)
    for _ in range(64):
        new = rewrite(current, bodies.visit)
        if all(a is b for a, b in zip(new, current, strict=True)):
            return new
        current = new
    raise CompilerBug("definitions of operations go round in a circle: " + ", ".join(sorted(_with_definition(current))))


class _Bodies:
    """Replaces a node by its definition, and the bodies of loops by theirs."""

    def __init__(self, far_out: bool) -> None:
        self.far_out = far_out
        self.expanded: dict[Function, Function] = {}

    def visit(self, node: Expr) -> Expr:
        declaration = node.declaration
        if expands(declaration):
            assert declaration.define is not None
            defined = declaration.define(node)
            if node.name is not None and defined.name is None and defined.args:
                label(defined, node.name)
            return defined
        return with_bodies(node, self._body)

    def _body(self, body: Function) -> Function:
        if body not in self.expanded:
            self.expanded[body] = Function(body.parameters, expand(body.results, self.far_out))
            self.expanded[self.expanded[body]] = self.expanded[body]
        return self.expanded[body]


def expands(op: Op) -> bool:
    """Whether lowering replaces this operation by its definition."""
    return op.define is not None


def _with_definition(roots: Sequence[Expr]) -> set[str]:
    found: set[str] = set()

    def look(node: Expr) -> Expr:
        if expands(node.declaration):
            found.add(node.op)
        return node

    rewrite(roots, look)
    return found


@lru_cache(maxsize=2)
def saturation_rules(far_out: bool) -> RuleSet:
    """The rules that put operations in the place of differences, before these are expanded with the rest."""
    return RuleSet((*FAR_OUT, *SATURATION) if far_out else tuple(SATURATION))


@lru_cache(maxsize=1)
def lowering_rules() -> RuleSet:
    """The rules that may run after the expansion."""
    return RuleSet(
        tuple(
            rule
            for rules in TOPICS.values()
            for rule in rules
            if rule.name not in UNDONE_IN_LOWERING
            and not any(expands(REGISTRY[op]) for op in rule.operations if op in REGISTRY)
        )
    )
