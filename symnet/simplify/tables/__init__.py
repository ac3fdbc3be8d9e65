"""The rule tables, one file a topic. The README of `symnet.simplify` is the law that they follow."""

from __future__ import annotations

from symnet.simplify.rule import Rule
from symnet.simplify.tables import (
    arithmetic,
    constants,
    contractions,
    exponentials,
    indexing,
    lowering,
    movement,
    powers,
    reductions,
    selection,
    softmax,
)

TOPICS: dict[str, list[Rule]] = {
    "softmax": softmax.RULES,
    "exponentials": exponentials.RULES,
    "constants": constants.RULES,
    "arithmetic": arithmetic.RULES,
    "powers": powers.RULES,
    "selection": selection.RULES,
    "indexing": indexing.RULES,
    "reductions": reductions.RULES,
    "movement": movement.RULES,
    "contractions": contractions.RULES,
    "lowering": lowering.RULES,
}
