"""Before anything else, the plain form of what has one for usual data (`symnet.ops.usually`).

The rule `usually` says the same. Applied by the engine, it would come after both forms had been simplified.
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet.expr.node import Expr
from symnet.expr.trace import Stage, Step, Trace
from symnet.ops.meaning import rewrite_with_bodies
from symnet.simplify.engine import carry_name
from symnet.simplify.tables.assumptions import USUALLY

__all__ = ["plainly"]


def plainly(roots: Sequence[Expr], trace: Trace | None) -> list[Expr]:
    """The roots with every expression in its plain form, each a step of the trace."""
    stage = Stage("plain", roots)

    def visit(node: Expr) -> Expr:
        if node.op != "usually":
            return node
        plain = node.args[0]
        carry_name(node, plain)
        if trace is not None:
            trace.add(stage, Step(USUALLY.name, node, plain, USUALLY.reason, USUALLY.kind, USUALLY.assumption))
        return plain

    stage.end = rewrite_with_bodies(roots, visit)
    if trace is not None and stage.steps:
        trace.begin(stage)
    return list(stage.end)
