"""Linear systems with a triangular matrix.

Y = T⁻¹ B has dY = T⁻¹ (dB − dT Y), so B̄ = T⁻ᵀ ḡ, and T̄ is the triangle of −B̄ Yᵀ that is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import UsageError
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.expr.work import per_matrix
from symnet.ops.arrange import matrix_transpose
from symnet.ops.coerce import operands
from symnet.ops.diagonals import tril, triu
from symnet.ops.leaves import Operand, input
from symnet.ops.linalg.common import infer_system, regular, square, stacked, turned
from symnet.ops.linalg.elimination import substitute
from symnet.ops.products import matmul
from symnet.ops.shape import reshape

__all__ = ["solve_triangular"]

_PLAIN = {0: False, "N": False, 1: True, "T": True, 2: True, "C": True}


def solve_triangular(
    a: Operand, b: Operand, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Expr:
    """The x with a x = b for a triangular matrix a, of which only one triangle is read; SciPy's arguments.

    trans          0 or "N": a x = b; 1, "T", 2 or "C": aᵀ x = b
    lower          whether the lower triangle of a is read (else the upper one)
    unit_diagonal  the diagonal is taken to be ones and not read

    Leading axes broadcast; b is a vector if it has one axis. A 0 on the diagonal divides.
    """
    matrix, right = operands("solve_triangular", (a, b), "float")
    square("solve_triangular", matrix)
    if trans not in _PLAIN:
        raise UsageError(f"solve_triangular: trans is {trans!r}, expected 0, 1, 2, 'N', 'T' or 'C'")
    vector = right.ndim == 1
    left, right = stacked("solve_triangular", matrix, reshape(right, (-1, 1)) if vector else right)
    solution = triangular(left, right, lower=bool(lower), transposed=_PLAIN[trans], unit=bool(unit_diagonal))
    return reshape(solution, solution.shape[:-1]) if vector else solution


def triangular(t: Expr, b: Expr, *, lower: bool, transposed: bool = False, unit: bool = False) -> Expr:
    """The node for t⁻¹ b, or t⁻ᵀ b; `lower` tells which triangle of t (as it is stored) is read."""
    return make(SOLVE_TRIANGULAR, (t, b), {"lower": lower, "transposed": transposed, "unit": unit})


def _define_triangular(node: Expr) -> Expr:
    (t, b), transposed = node.args, node.attrs["transposed"]
    return substitute(turned(t, transposed), b, node.attrs["lower"] != transposed, node.attrs["unit"])


def _pull_triangular(node: Expr, g: Expr) -> list[Expr | None]:
    (t, _), transposed = node.args, node.attrs["transposed"]
    right = make(SOLVE_TRIANGULAR, (t, g), {**node.attrs, "transposed": not transposed})
    matrix = node @ matrix_transpose(right) if transposed else right @ matrix_transpose(node)
    return [-_triangle(matrix, node.attrs), right]


def _push_triangular(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    (t, _), (dt, db) = node.args, tangents
    change = None if dt is None else matmul(turned(_triangle(dt, node.attrs), node.attrs["transposed"]), node)
    moved = db if change is None else -change if db is None else db - change
    return None if moved is None else make(SOLVE_TRIANGULAR, (t, moved), node.attrs)


def _triangle(x: Expr, attrs: Mapping[str, Any]) -> Expr:
    """The part of a matrix that is read."""
    apart = int(attrs["unit"])
    return tril(x, -apart) if attrs["lower"] else triu(x, apart)


def _samples_triangular(rng: np.random.Generator) -> list[Expr]:
    t, b = regular("t", 2, 3), input("b", (2, 3, 2), "float64")
    named, right = regular("t", "N"), input("b", ("N", 2), "float64")
    return [
        triangular(t, b, lower=True),
        triangular(t, b, lower=False, unit=True),
        triangular(named, right, lower=True, transposed=True),
        triangular(named, right, lower=False, transposed=True, unit=True),
    ]


SOLVE_TRIANGULAR = register(
    Op(
        name="solve_triangular",
        kind="composite",
        infer=lambda args, attrs: infer_system(args),
        define=_define_triangular,
        pullback=_pull_triangular,
        pushforward=_push_triangular,
        samples=_samples_triangular,
        cost=per_matrix(0.0),
        reason=("d(T⁻¹b) = −T⁻¹ dT T⁻¹b, in the triangle that is read", "T⁻¹b is linear in b"),
        doc="The solution of t x = b (of tᵀ x = b if `transposed`), where one triangle of t is read.",
    )
)
