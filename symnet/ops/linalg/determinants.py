"""Determinants and their logarithms: d det X = det X tr(X⁻¹ dX), d log |det X| = tr(X⁻¹ dX)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.expr.work import per_matrix
from symnet.ops.arrange import matrix_transpose
from symnet.ops.diagonals import diagonal
from symnet.ops.leaves import Operand, iota
from symnet.ops.linalg.common import infer_square, regular, square
from symnet.ops.linalg.lu import packed_lu
from symnet.ops.linalg.solving import INVERSE
from symnet.ops.products import TRACE, matmul
from symnet.ops.reduce import prod, sum
from symnet.ops.scalar import absolute, cast, less, log, sign, where
from symnet.ops.shape import reshape

__all__ = ["det", "logdet", "slogdet"]


class SignedLogDet(NamedTuple):
    """A determinant as `sign * exp(logabsdet)`."""

    sign: Expr
    logabsdet: Expr


def det(x: Operand) -> Expr:
    """The determinant of square matrices in the last two axes. Its derivative is nan where the matrix is singular."""
    return make(DET, (square("det", x),))


def slogdet(x: Operand) -> SignedLogDet:
    """The sign of the determinant and the logarithm of its size; 0 and -inf for a singular matrix."""
    node = square("slogdet", x)
    return SignedLogDet(make(DET_SIGN, (node,)), make(LOGABSDET, (node,)))


def logdet(x: Operand) -> Expr:
    """The logarithm of the determinant; nan where that is negative, -inf where it is 0 (torch.logdet)."""
    return make(LOGDET, (square("logdet", x),))


def _pivots(x: Expr) -> Expr:
    return diagonal(packed_lu(x)[0], axis1=-2, axis2=-1)


def _parity(x: Expr) -> Expr:
    """1 or -1: whether the order of the rows has an even number of inversions."""
    rows = packed_lu(x)[1]
    index = iota(x.shape[-1])
    inverted = (rows[..., :, None] > rows[..., None, :]) & (index[:, None] < index)
    return cast(1 - 2 * (sum(cast(inverted, "int64"), (-2, -1)) % 2), x.dtype)


def _define_det(node: Expr) -> Expr:
    return _parity(node.args[0]) * prod(_pivots(node.args[0]), -1)


def _define_sign(node: Expr) -> Expr:
    return _parity(node.args[0]) * prod(sign(_pivots(node.args[0])), -1)


def _define_logabsdet(node: Expr) -> Expr:
    return sum(log(absolute(_pivots(node.args[0]))), -1)


def _define_logdet(node: Expr) -> Expr:
    return where(less(make(DET_SIGN, node.args), 0), float("nan"), make(LOGABSDET, node.args))


def _times_inverse(g: Expr, x: Expr) -> Expr:
    """g X⁻ᵀ, with one g for each matrix."""
    return reshape(g, (*g.shape, 1, 1)) * matrix_transpose(make(INVERSE, (x,)))


def _pull_log(node: Expr, g: Expr) -> list[Expr | None]:
    return [_times_inverse(g, node.args[0])]


def _pull_det(node: Expr, g: Expr) -> list[Expr | None]:
    return [_times_inverse(g * node, node.args[0])]


def _change(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    """tr(X⁻¹ dX)."""
    (tangent,) = tangents
    return None if tangent is None else make(TRACE, (matmul(make(INVERSE, node.args), tangent),))


def _push_det(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    change = _change(node, tangents)
    return None if change is None else node * change


def _infer_scalar(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    shape, dtype = infer_square(args, 1)
    return shape[:-2], dtype


def _declare(
    name: str,
    define: Callable[[Expr], Expr],
    pullback: Callable[[Expr, Expr], Any],
    pushforward: Callable[[Expr, Sequence[Expr | None]], Expr | None],
    doc: str,
    reason: str,
) -> Op:
    def samples(rng: object) -> list[Expr]:
        return [make(op, (regular("x", *shape),)) for shape in ((3,), (2, 4), ("N",))]

    op = Op(
        name, "composite", _infer_scalar, define=define, pullback=pullback, pushforward=pushforward,
        cost=per_matrix(3.0), reason=reason, samples=samples, doc=doc,
    )  # fmt: skip
    return register(op)


DET = _declare("det", _define_det, _pull_det, _push_det, "The determinant of square matrices in the last two axes.",
               "d det(X) = det(X)·tr(X⁻¹ dX)")  # fmt: skip
DET_SIGN = _declare("det_sign", _define_sign, lambda node, g: [None], lambda node, tangents: None,
                    "The sign of a determinant: -1, 0 or 1.", "a sign does not change but in steps")  # fmt: skip
LOGABSDET = _declare("logabsdet", _define_logabsdet, _pull_log, _change, "The logarithm of the size of a determinant.",
                     "d log |det(X)| = tr(X⁻¹ dX)")  # fmt: skip
LOGDET = _declare("logdet", _define_logdet, _pull_log, _change,
                  "The logarithm of a determinant; nan where that is negative.",
                  "d log det(X) = tr(X⁻¹ dX)")  # fmt: skip
