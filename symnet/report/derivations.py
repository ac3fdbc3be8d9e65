"""The steps of a derivation in full and in brief, and those of each gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symnet.explain.leading import leading
from symnet.explain.moves import Move as ChainMove
from symnet.explain.moves import brief, is_telling
from symnet.explain.notation import Form
from symnet.explain.steps import StepView
from symnet.expr.lineage import Lineage
from symnet.report.model import Move, Step
from symnet.report.symbols import MathTable

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation


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
        needed = [{id(taken) for taken in own} for own in leading(derivation.trace, len(derivation.wrt), lineage)]
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
