"""The rule tables, one file a topic. The README of `symnet.simplify` is the law that they follow."""

from __future__ import annotations

from symnet.simplify.rule import Rule
from symnet.simplify.tables import (
    arithmetic,
    assumptions,
    constants,
    contractions,
    diagonals,
    differences,
    error_functions,
    exponentials,
    gamma_functions,
    hyperbolic,
    indexing,
    linear_algebra,
    lowering,
    matrix_products,
    movement,
    powers,
    quadratics,
    reductions,
    roots,
    selection,
    softmax,
    trigonometry,
)

TOPICS: dict[str, list[Rule]] = {
    "softmax": softmax.RULES,
    "exponentials": exponentials.RULES,
    "constants": constants.RULES,
    "arithmetic": arithmetic.RULES,
    "powers": powers.RULES,
    "differences": differences.RULES,
    "gamma functions": gamma_functions.RULES,
    "trigonometry": trigonometry.RULES,
    "hyperbolic": hyperbolic.RULES,
    "roots": roots.RULES,
    "error functions": error_functions.RULES,
    "quadratics": quadratics.RULES,
    "selection": selection.RULES,
    "indexing": indexing.RULES,
    "reductions": reductions.RULES,
    "movement": movement.RULES,
    "contractions": contractions.RULES,
    "linear algebra": linear_algebra.RULES,
    "matrix products": matrix_products.RULES,
    "diagonals": diagonals.RULES,
    "assumptions": assumptions.RULES,
    "lowering": lowering.RULES,
}
