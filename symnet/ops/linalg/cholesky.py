"""The Cholesky factorisation a = L Lᵀ.

With Φ(M) the lower triangle of M with its diagonal halved, dL = L Φ(L⁻¹ da L⁻ᵀ), so the cotangent of a is the symmetric
part of L⁻ᵀ Φ(Lᵀ ḡ) L⁻¹ (Murray, Differentiation of the Cholesky decomposition, 2016, eq. 8 to 10).
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.expr.work import per_matrix
from symnet.ops.arrange import eye, matrix_transpose
from symnet.ops.diagonals import tril
from symnet.ops.leaves import Operand, input
from symnet.ops.linalg import elimination
from symnet.ops.linalg.common import infer_square, square
from symnet.ops.linalg.triangular import triangular
from symnet.ops.products import matmul

__all__ = ["cholesky"]


def cholesky(a: Operand, upper: bool = False) -> Expr:
    """The lower triangular L with a = L Lᵀ, for symmetric positive definite matrices in the last two axes.

    Only the lower triangle of a is read. With `upper` the result is Lᵀ. Where a is not positive definite the result
    has nan. The derivative is taken along symmetric changes of a, so gradients are symmetric, as PyTorch's.
    """
    factor = make(CHOLESKY, (square("cholesky", a),))
    return matrix_transpose(factor) if upper else factor


def _half_lower(x: Expr) -> Expr:
    """Φ: the lower triangle, its diagonal halved."""
    return tril(x) - 0.5 * (eye(x.shape[-1], dtype=x.dtype) * x)


def _between(factor: Expr, x: Expr, transposed: bool) -> Expr:
    """L⁻¹ x L⁻ᵀ, or L⁻ᵀ x L⁻¹."""
    left = triangular(factor, x, lower=True, transposed=transposed)
    return matrix_transpose(triangular(factor, matrix_transpose(left), lower=True, transposed=transposed))


def _pull_cholesky(node: Expr, g: Expr) -> list[Expr | None]:
    middle = _half_lower(matmul(matrix_transpose(node), tril(g)))
    changed = _between(node, middle, transposed=True)
    return [0.5 * (changed + matrix_transpose(changed))]


def _push_cholesky(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    (tangent,) = tangents
    if tangent is None:
        return None
    symmetric = 0.5 * (tangent + matrix_transpose(tangent))
    return matmul(node, _half_lower(_between(node, symmetric, transposed=False)))


def _positive(*shape: int | str) -> Expr:
    x = input("x", (*shape, shape[-1]), "float64")
    return matmul(x, matrix_transpose(x)) + 2.0 * eye(shape[-1], dtype="float64")


CHOLESKY: Op = register(
    Op(
        name="cholesky",
        kind="composite",
        infer=lambda args, attrs: infer_square(args, 1),
        define=lambda node: elimination.cholesky(node.args[0]),
        pullback=_pull_cholesky,
        pushforward=_push_cholesky,
        samples=lambda rng: [make(CHOLESKY, (_positive(*shape),)) for shape in ((3,), (2, 3), ("N",))],
        cost=per_matrix(1.5),
        reason="dL = L·Φ(L⁻¹ dA L⁻ᵀ), where Φ takes the lower triangle with half the diagonal",
        notation="chol",
        doc="The lower triangular factor L of symmetric positive definite matrices a = L Lᵀ.",
    )
)
