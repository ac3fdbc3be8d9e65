"""The LU factorisation with partial pivoting: a[rows] = L U.

L and U are kept in one array (L below the diagonal, where its ones are not stored), as an operation of its own beside
that of the rows; both are defined by the same elimination, which runs once.

With F = L⁻¹ da[rows] U⁻¹ the factors change by dL = L tril₋₁(F) and dU = triu(F) U; the pullback is the transpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.expr.work import per_matrix
from symnet.ops.arrange import eye, matrix_transpose
from symnet.ops.composite import one_hot
from symnet.ops.diagonals import tril, triu
from symnet.ops.leaves import Operand, iota
from symnet.ops.linalg import elimination
from symnet.ops.linalg.common import infer_square, regular, square
from symnet.ops.linalg.triangular import triangular
from symnet.ops.products import matmul
from symnet.ops.reduce import argmax
from symnet.ops.scalar import cast

__all__ = ["lu"]


def lu(a: Operand) -> tuple[Expr, Expr, Expr]:
    """P, L and U with a = P L U: a permutation, a lower triangle with ones on its diagonal, an upper triangle."""
    node = square("lu", a)
    packed, rows = packed_lu(node)
    size, dtype = node.shape[-1], node.dtype
    return (
        matrix_transpose(one_hot(rows, size, dtype)),
        tril(packed, -1) + eye(size, dtype=dtype),
        triu(packed),
    )


def packed_lu(a: Expr) -> tuple[Expr, Expr]:
    """L and U in one array, and the order of the rows."""
    return make(LU, (a,)), make(LU_ROWS, (a,))


def inverse_order(rows: Expr) -> Expr:
    """Where each row went."""
    return argmax(cast(rows[..., :, None] == iota(rows.shape[-1]), "int32"), -2)


def _pull_lu(node: Expr, g: Expr) -> list[Expr | None]:
    (a,) = node.args
    unit = tril(node, -1) + eye(node.shape[-1], dtype=node.dtype)
    inner = tril(matmul(matrix_transpose(unit), tril(g, -1)), -1) + triu(matmul(triu(g), matrix_transpose(triu(node))))
    left = triangular(node, inner, lower=True, transposed=True, unit=True)
    changed = matrix_transpose(triangular(node, matrix_transpose(left), lower=False))
    return [elimination.rows_at(changed, inverse_order(make(LU_ROWS, (a,))))]


def _infer_rows(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    return infer_square(args, 1)[0][:-1], "int64"


LU: Op = register(
    Op(
        name="lu",
        kind="composite",
        infer=lambda args, attrs: infer_square(args, 1),
        define=lambda node: elimination.lu(node.args[0])[0],
        pullback=_pull_lu,
        samples=lambda rng: [make(LU, (regular("x", *shape),)) for shape in ((3,), (2, 4), ("N",))],
        cost=per_matrix(3.0),
        doc="The factors of square matrices whose rows were put in the order `lu_rows`: L below U in one array.",
    )
)
LU_ROWS: Op = register(
    Op(
        name="lu_rows",
        kind="composite",
        infer=_infer_rows,
        define=lambda node: elimination.lu(node.args[0])[1],
        pullback=lambda node, g: [None],
        samples=lambda rng: [make(LU_ROWS, (regular("x", *shape),)) for shape in ((3,), (2, 4), ("N",))],
        cost=per_matrix(3.0),
        doc="The order of the rows that partial pivoting chooses: the largest element of each column comes first.",
    )
)
