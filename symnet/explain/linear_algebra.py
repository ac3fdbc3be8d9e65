"""How the operations of linear algebra are written: X⁻¹, X⁻ᵀ b, det(X), tr(X), A ⊗ B."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symnet.explain.contraction import over, product
from symnet.explain.identifiers import axis_letters
from symnet.explain.leaves import core, is_number, number
from symnet.explain.notation import (
    Call,
    Fence,
    Form,
    Inverse,
    Negative,
    Number,
    Product,
    Sum,
    Symbol,
    Transposed,
)
from symnet.explain.parentheses import unsigned
from symnet.explain.scalars import scaled
from symnet.expr.node import Expr
from symnet.simplify.symmetry import is_symmetric


def _solve(node: Expr, args: Sequence[Form]) -> Form:
    """a⁻¹ b, whichever way it is computed."""
    matrix, right = args
    return product(inverted(node.args[0], matrix, node.attrs["transposed"]), right)


def inverted(node: Expr, matrix: Form, turned: bool = False) -> Form:
    """The inverse of `node`, written as `matrix`, or of its transpose: X⁻¹, X⁻ᵀ."""
    if isinstance(matrix, Transposed):
        return Inverse(matrix.body, not turned)
    if is_symmetric(node):
        return Inverse(matrix, symmetric=True)
    return Inverse(matrix, turned)


def _triangular(node: Expr, args: Sequence[Form]) -> Form:
    """As of any matrix; the triangle that is read is told where the matrix is made no triangle."""
    name = "tril" if node.attrs["lower"] else "triu"
    part = Call(name, (args[0],)) if _is_packed(node) else args[0]
    if node.attrs["unit"]:  # with ones on the diagonal
        strict = Call(name, (args[0], number(-1 if node.attrs["lower"] else 1)))
        part = Sum(((strict, True), (Symbol("I"), True)))
    return _solve(node, (part, args[1]))


def _is_packed(node: Expr) -> bool:
    """Whether more than a triangle stands in the matrix."""
    return node.attrs["unit"] or node.args[0].op != "cholesky"


def _part(name: str) -> Callable[[Expr, Sequence[Form]], Form]:
    """tril(X), with the number of the diagonal where it is not the main one."""
    return lambda node, args: Call(name, (args[0], number(node.attrs["k"])) if node.attrs["k"] else tuple(args))


def is_scaled_identity(node: Expr) -> bool:
    """Whether a node is a matrix with equal numbers on its diagonal, written c I."""
    return node.op == "diag" and len(node.args[0].shape) == 1 and is_number(core(node.args[0]))


def _diag(node: Expr, args: Sequence[Form]) -> Form:
    """diag(v); the diagonal of a matrix X on a diagonal, which is X ⊙ I."""
    (vector,) = args
    if is_scaled_identity(node):
        negative, scale = unsigned(Number(vector.text) if isinstance(vector, Number) else vector)
        identity = scaled(scale, Symbol("I"))
        return Negative(identity) if negative else identity
    front: list[Form] = []
    if isinstance(vector, Product) and vector.kind == "scale" and node.args[0].args[-1].op == "diagonal":
        *front, vector = vector.factors
    if isinstance(vector, Call) and (front or node.args[0].op == "diagonal"):
        whole = Product("hadamard", (vector.arguments[0], Symbol("I")))
        return Product("scale", (*front, whole)) if front else whole
    return Call("diag", tuple(args))


def _per_length(node: Expr, args: Sequence[Form]) -> Form:
    """g / ‖x‖; 0 where x is 0 is not said, as of x / ‖x‖."""
    (_, x), axes = node.args, node.attrs["axes"]
    rest = [axis for axis, dim in enumerate(x.shape) if axis not in axes and dim != 1]
    along = ",".join(axis_letters(x, axes)) if rest else ""
    return over(args[0], Fence("‖", "‖", args[1], along), scalar=not along)


def _logabsdet(node: Expr, args: Sequence[Form]) -> Form:
    return Call("log", (Fence("|", "|", Call("det", tuple(args))),))


TABLE: dict[str, Callable[[Expr, Sequence[Form]], Form]] = {
    "inverse": lambda node, args: inverted(node.args[0], args[0]),
    "solve": _solve,
    "solve_triangular": _triangular,
    "logabsdet": _logabsdet,
    "logdet": lambda node, args: Call("log", (Call("det", tuple(args)),)),
    "det_sign": lambda node, args: Call("sign", (Call("det", tuple(args)),)),
    "per_length": _per_length,
    "diag": _diag,
    "single_entries": lambda node, args: Symbol("J", "ij"),
    "tril": _part("tril"),
    "triu": _part("triu"),
    "lu_rows": lambda node, args: Call("pivots", tuple(args)),
    "kron": lambda node, args: Product("kron", tuple(args)),
}
