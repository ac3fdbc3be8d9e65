"""The record of what derivation and simplification did: the one source of every explanation.

A trace is complete: `symnet.explain.replay` makes the derivative again from its start and its steps alone. Steps belong
to stages, each of which is one walk over a graph; what a walk does by itself, without a rule, is to make the operation
of a node again on what became of its operands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from symnet.expr.function import Function
from symnet.expr.node import Expr

StepKind = Literal["chain", "exact", "stabilising", "subgradient"]
StageKind = Literal["plain", "simplify", "differentiate", "restore"]


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
class Stage:
    """One walk over a graph.

    kind    plain: what has a plain form for usual data is put in it, everywhere, inside loops too;
            simplify: rules, bottom-up, each node until none applies;
            differentiate: the chain rule from the outputs down: the steps are contributions to cotangents;
            restore: the variables in the place of what they have become
    start   the roots before (differentiate: the outputs)
    end     the roots after (differentiate: the derivatives by `wrt`)
    steps   in the order in which they were taken
    bodies  the stages of the bodies of loops and choices that became simpler
    seeds   differentiate: the cotangents of the outputs, None for a zero
    wrt     differentiate: the variables
    """

    kind: StageKind
    start: Sequence[Expr]
    end: Sequence[Expr] = ()
    steps: list[Step] = field(default_factory=list)
    bodies: Mapping[Function, list[Stage]] = field(default_factory=dict)
    seeds: Sequence[Expr | None] = ()
    wrt: Sequence[Expr] = ()


@dataclass(eq=False)
class Trace:
    """Steps in the order in which they were taken, and the stages that they make up.

    steps   all of them, those in the bodies of loops before the step that changes the loop
    stages  without those of bodies, which are in the stage of the loop
    """

    steps: list[Step] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    def begin(self, stage: Stage) -> Stage:
        """Open a stage on the way of the whole graph."""
        self.stages.append(stage)
        return stage

    def add(self, stage: Stage, step: Step) -> None:
        stage.steps.append(step)
        self.steps.append(step)


def replaced(
    trace: Trace | None, pairs: Iterable[tuple[Expr, Expr]], start: Sequence[Expr], end: Sequence[Expr]
) -> None:
    """Record that variables were put in the place of what they had become."""
    changed = [(old, new) for old, new in pairs if old is not new]
    if trace is not None and changed:
        stage = trace.begin(Stage("restore", start, end))
        for old, new in changed:
            trace.add(stage, Step("restore-variable", old, new, RESTORED, "exact"))


RESTORED = "the derivative is written in the variable as it was given, which has the same value"
