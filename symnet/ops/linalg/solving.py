"""Linear systems with a square matrix, and its inverse.

Derivatives (Giles 2008; Petersen & Pedersen, The Matrix Cookbook), with ḡ the cotangent of the result:

    Y = X⁻¹        dY = −Y dX Y              X̄ = −Yᵀ ḡ Yᵀ
    Y = A⁻¹ B      dY = A⁻¹ (dB − dA Y)      B̄ = A⁻ᵀ ḡ,   Ā = −B̄ Yᵀ

so nothing is differentiated through the elimination, and the factors of the first solution serve its derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.expr.work import per_matrix
from symnet.ops.arrange import eye, matrix_transpose
from symnet.ops.coerce import operands
from symnet.ops.leaves import Operand, input
from symnet.ops.linalg.common import infer_square, infer_system, regular, square, stacked, turned
from symnet.ops.linalg.elimination import rows_at
from symnet.ops.linalg.lu import inverse_order, packed_lu
from symnet.ops.linalg.triangular import triangular
from symnet.ops.products import matmul
from symnet.ops.shape import broadcast_to, reshape

__all__ = ["inv", "inverse", "solve"]

# --- inverse -----------------------------------------------------------------------------------------------------


def inverse(x: Operand) -> Expr:
    """x⁻¹ of square matrices in the last two axes (`inv` in NumPy); inf and nan for a singular one."""
    return make(INVERSE, (square("inverse", x),))


inv = inverse


def _define_inverse(node: Expr) -> Expr:
    (x,) = node.args
    return make(SOLVE, (x, broadcast_to(eye(x.shape[-1], dtype=x.dtype), x.shape)), {"transposed": False})


def _pull_inverse(node: Expr, g: Expr) -> list[Expr | None]:
    turned_result = matrix_transpose(node)
    return [-(turned_result @ g @ turned_result)]


def _push_inverse(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    (tangent,) = tangents
    return None if tangent is None else -(node @ tangent @ node)


def _samples_inverse(rng: np.random.Generator) -> list[Expr]:
    return [inverse(regular("x", 3)), inverse(regular("x", 2, 4)), inverse(regular("x", "N"))]


INVERSE = register(
    Op(
        name="inverse",
        kind="composite",
        infer=lambda args, attrs: infer_square(args, 1),
        define=_define_inverse,
        pullback=_pull_inverse,
        pushforward=_push_inverse,
        samples=_samples_inverse,
        cost=per_matrix(6.0),
        reason="dX⁻¹ = −X⁻¹ dX X⁻¹",
        doc="The inverse of square matrices in the last two axes.",
    )
)

# --- solve -------------------------------------------------------------------------------------------------------


def solve(a: Operand, b: Operand) -> Expr:
    """The x with a x = b, for square matrices a; b is a vector if it has one axis, else a stack of matrices.

    Leading axes broadcast, as in NumPy 2 and the array API. For a singular matrix the result has inf and nan.
    """
    matrix, right = operands("solve", (a, b), "float")
    square("solve", matrix)
    vector = right.ndim == 1
    left, right = stacked("solve", matrix, reshape(right, (-1, 1)) if vector else right)
    solution = make(SOLVE, (left, right), {"transposed": False})
    return reshape(solution, solution.shape[:-1]) if vector else solution


def _define_solve(node: Expr) -> Expr:
    """With a[rows] = L U: x = U⁻¹ L⁻¹ b[rows], and for the transposed system x[rows] = L⁻ᵀ U⁻ᵀ b."""
    a, b = node.args
    packed, rows = packed_lu(a)
    if node.attrs["transposed"]:
        half = triangular(packed, b, lower=False, transposed=True)
        return rows_at(triangular(packed, half, lower=True, transposed=True, unit=True), inverse_order(rows))
    half = triangular(packed, rows_at(b, rows), lower=True, unit=True)
    return triangular(packed, half, lower=False)


def _pull_solve(node: Expr, g: Expr) -> list[Expr | None]:
    (a, _), transposed = node.args, node.attrs["transposed"]
    right = make(SOLVE, (a, g), {"transposed": not transposed})
    matrix = node @ matrix_transpose(right) if transposed else right @ matrix_transpose(node)
    return [-matrix, right]


def _push_solve(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    (a, _), (da, db) = node.args, tangents
    change = None if da is None else matmul(turned(da, node.attrs["transposed"]), node)
    moved = db if change is None else -change if db is None else db - change
    return None if moved is None else make(SOLVE, (a, moved), node.attrs)


def _samples_solve(rng: np.random.Generator) -> list[Expr]:
    a, b = regular("a", 2, 3), input("b", (2, 3, 2), "float64")
    return [
        make(SOLVE, (a, b), {"transposed": False}),
        make(SOLVE, (a, b), {"transposed": True}),
        solve(regular("a", "N"), input("b", ("N", 2), "float64")),
    ]


SOLVE = register(
    Op(
        name="solve",
        kind="composite",
        infer=lambda args, attrs: infer_system(args),
        define=_define_solve,
        pullback=_pull_solve,
        pushforward=_push_solve,
        samples=_samples_solve,
        cost=per_matrix(3.0),
        reason=("d(A⁻¹b) = −A⁻¹ dA A⁻¹b", "A⁻¹b is linear in b"),
        doc="The solution of a x = b (of aᵀ x = b if `transposed`) for square matrices in the last two axes.",
    )
)
