"""The record of what derivation and simplification did: the one source of every explanation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from symnet.expr.node import Expr

StepKind = Literal["chain", "exact", "stabilising", "subgradient"]


@dataclass(frozen=True, eq=False)
class Step:
    """One application of one rule: the node `before` became `after`.

    rule        the unique name of the rule, or "chain rule" for a step of differentiation
    reason      one sentence that says why the two are equal
    kind        chain: a pullback; exact: algebra; stabilising: equal over the reals and better in floating point;
                subgradient: a choice at a kink
    assumption  what must hold of the values for the step to be valid; empty when nothing
    """

    rule: str
    before: Expr
    after: Expr
    reason: str
    kind: StepKind
    assumption: str = ""


@dataclass(eq=False)
class Trace:
    """Steps in the order in which they were taken."""

    steps: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        self.steps.append(step)
