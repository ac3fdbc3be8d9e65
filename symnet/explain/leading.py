"""The steps that lead to one gradient, out of the one record of the derivation of many.

The loss is simplified, differentiated once, and the gradients are simplified together. A step belongs to a gradient if
what it changed became a part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from symnet.expr.function import bodies
from symnet.expr.lineage import Lineage
from symnet.expr.node import Expr
from symnet.expr.trace import Stage, Step, Trace
from symnet.expr.traverse import postorder


def leading(trace: Trace, count: int, lineage: Lineage) -> list[list[Step]]:
    """For each of the `count` gradients that a trace leads to, its steps in order.

    `lineage` was recording while the trace was made.
    """
    stages = trace.stages
    position = next(number for number, stage in enumerate(stages) if stage.kind == "differentiate")
    before, chain, after = stages[:position], stages[position], stages[position + 1 :]
    derivatives = chain.end[len(chain.end) - count :]
    came_from = lineage.ancestors()
    result = []
    for derivative in derivatives:
        parts = set(postorder([derivative]))
        contributions = [taken for taken in chain.steps if taken.after in parts]
        forward = _made_of({*parts, *(taken.before for taken in contributions)}, came_from)
        becoming = _becoming(parts, lineage)
        own = {id(taken) for taken in contributions}
        own |= {id(taken) for stage in before for taken in _touching(stage, forward)}
        own |= {id(taken) for stage in after for taken in _touching(stage, becoming)}
        result.append([taken for taken in trace.steps if id(taken) in own])
    return result


def _touching(stage: Stage, nodes: set[Expr]) -> Iterator[Step]:
    """The steps of a stage that change one of these nodes, and those that simplify the body of one."""
    yield from (taken for taken in stage.steps if taken.before in nodes)
    if stage.bodies:
        functions = {body for node in nodes for body in bodies(node).values()}
        for body, stages in stage.bodies.items():
            if body in functions:
                yield from (taken for inner in stages for taken in _all_steps(inner))


def _all_steps(stage: Stage) -> Iterator[Step]:
    """The steps of a stage, those inside loops too."""
    yield from stage.steps
    for stages in stage.bodies.values():
        for inner in stages:
            yield from _all_steps(inner)


def _becoming(start: set[Expr], lineage: Lineage) -> set[Expr]:
    """The nodes of `start`, what became of them, and what that is made of."""
    seen, pending = set(start), list(start)
    while pending:
        node = pending.pop()
        for new in (*lineage.became(node), *node.args):
            if new not in seen:
                seen.add(new)
                pending.append(new)
    return seen


def _made_of(end: set[Expr], came_from: Mapping[Expr, Sequence[Expr]]) -> set[Expr]:
    """The nodes of `end`, what they came from, and what that was made of."""
    seen, pending = set(end), list(end)
    while pending:
        node = pending.pop()
        for old in (*came_from.get(node, ()), *node.args):
            if old not in seen:
                seen.add(old)
                pending.append(old)
    return seen
