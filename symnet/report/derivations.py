"""The derivation of each gradient alone, out of the one derivation of all: the steps that lead to it.

A derivation of many parameters is one trace: the loss is simplified, differentiated once, the gradients are simplified
together. A step belongs to a gradient if what it changed became a part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from symnet.explain.moves import Move as ChainMove
from symnet.explain.moves import brief, is_telling
from symnet.explain.notation import Form
from symnet.explain.steps import StepView
from symnet.expr.function import bodies
from symnet.expr.lineage import Lineage
from symnet.expr.node import Expr
from symnet.expr.trace import Stage
from symnet.expr.traverse import postorder
from symnet.report.model import Move, Step
from symnet.report.symbols import MathTable

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation
    from symnet.expr.trace import Step as Taken


class Steps:
    """The steps of a derivation as the report has them.

    steps      all of them, each with the first level that shows it
    moves      the chain rule in brief
    own        for each gradient the numbers of its steps
    own_moves  for each gradient the numbers of its moves
    """

    def __init__(self, derivation: Derivation, lineage: Lineage, math: MathTable) -> None:
        """`lineage` was recording while the derivation was made."""
        self._math = math
        visible = {id(view.step) for view in derivation.views}
        self.steps = [self._step(view, id(view.step) in visible) for view in derivation.all_views]
        numbers = {id(taken): number for number, taken in enumerate(derivation.steps)}
        moves = brief(derivation).chain
        self.moves = [self._move(move) for move in moves]
        needed = [{id(taken) for taken in own} for own in relevant(derivation, lineage)]
        self.own = [[numbers[id(taken)] for taken in derivation.steps if id(taken) in own] for own in needed]
        self.own_moves = [
            [number for number, move in enumerate(moves) if any(id(taken) in own for taken in move.steps)]
            for own in needed
        ]

    def _step(self, view: StepView, visible: bool) -> Step:
        taken = view.step
        return Step(
            rule=taken.rule,
            kind=taken.kind,
            left=self._math.add(view.left),
            sign=view.sign,
            right=self._math.add(view.right),
            through=self._number(view.through),
            reason=taken.reason,
            assumption=taken.assumption,
            level="full" if not visible else "brief" if is_telling(taken) else "normal",
        )

    def _move(self, move: ChainMove) -> Move:
        return Move(
            left=self._number(move.left),
            by=self._number(move.by),
            right=self._number(move.right),
            lines=[(self._math.add(line.left), self._math.add(line.right)) for line in move.lines],
            through=move.through,
            choices=move.choices,
        )

    def _number(self, form: Form | None) -> int | None:
        return None if form is None else self._math.add(form)


def relevant(derivation: Derivation, lineage: Lineage) -> list[list[Taken]]:
    """For each gradient the steps that lead to it, in order."""
    stages = derivation.trace.stages
    position = next(number for number, stage in enumerate(stages) if stage.kind == "differentiate")
    before, chain, after = stages[:position], stages[position], stages[position + 1 :]
    derivatives = chain.end[len(chain.end) - len(derivation.wrt) :]
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
        result.append([taken for taken in derivation.steps if id(taken) in own])
    return result


def _touching(stage: Stage, nodes: set[Expr]) -> Iterator[Taken]:
    """The steps of a stage that change one of these nodes, and those that simplify the body of one."""
    yield from (taken for taken in stage.steps if taken.before in nodes)
    if stage.bodies:
        functions = {body for node in nodes for body in bodies(node).values()}
        for body, stages in stage.bodies.items():
            if body in functions:
                yield from (taken for inner in stages for taken in _all_steps(inner))


def _all_steps(stage: Stage) -> Iterator[Taken]:
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
