"""Inverses, determinants, traces: what the transposes, inverses and products inside them make of them."""

from __future__ import annotations

from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.contract import Indices, is_plain, parse_spec
from symnet.simplify.pattern import Family, attributes, computed, this, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.shapes import Axes
from symnet.simplify.tables.contractions import contraction
from symnet.simplify.vocabulary import (
    absolute,
    contract,
    det,
    inverse,
    log,
    logabsdet,
    logdet,
    one_hot,
    solve,
    solve_triangular,
    trace,
    transpose,
)

a, b, x = variables("a b x")
L, P, T, U = attributes("L P T U")

determinant = Family("determinant", frozenset(("det", "det_sign", "logdet", "logabsdet")))
logarithm = Family("logarithm", frozenset(("logdet", "logabsdet")))


@computed
def exchanges_rows(axes: Axes) -> bool:
    """Whether a permutation of axes transposes matrices and leaves what is before them."""
    rank = len(axes)
    return rank >= 2 and axes == (*range(rank - 2), rank - 1, rank - 2)


@computed
def opposite(flag: bool) -> bool:
    return not flag


@computed
def is_identity(node: Expr) -> bool:
    """Whether the one-hot vectors are those of all classes in order."""
    return _is_identity(node)


def _is_identity(node: Expr) -> bool:
    if node.op == "one_hot":
        positions, classes = node.args[0], node.attrs["classes"]
        return positions.op == "iota" and positions.attrs["size"] == classes
    if node.op == "cast" and node.args[0].op == "equal":
        rows, columns = node.args[0].args
        return rows.op == "reshape" and rows.args[0] is columns and columns.op == "iota" and rows.shape[-1] == 1
    return False


@computed
def symmetric(node: Expr) -> bool:
    """Whether matrices are known to be symmetric: x xᵀ, the identity, sums and multiples of such, their inverses."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if not part.shape or _is_identity(part) or _is_gram(part):
            continue
        repeated = part.op == "broadcast_to" and not part.args[0].shape
        if not repeated and part.op not in ("add", "subtract", "multiply", "divide", "negative", "inverse"):
            return False
        waiting.extend(part.args)
    return True


def _is_gram(node: Expr) -> bool:
    """Whether a node is x xᵀ or xᵀ x, for a matrix or a stack of them."""
    if node.op != "contract" or node.args[0] is not node.args[1] or not is_plain(node.attrs["spec"]):
        return False
    first, second, result = parse_spec(node.attrs["spec"])
    if len(result) < 2 or result[:-2] != tuple(index for index in result[:-2] if index in first and index in second):
        return False
    exchanged = {result[-2]: result[-1], result[-1]: result[-2]}
    return tuple(exchanged.get(index, index) for index in first) == second


def _as_product(node: Expr) -> tuple[Indices, Indices, Indices] | None:
    """The axes of a contraction that is the product of two stacks of square matrices, in this order."""
    if not is_plain(node.attrs["spec"]) or node.args[0].shape != node.args[1].shape:
        return None
    first, second, result = parse_spec(node.attrs["spec"])
    lead = result[:-2]
    plain = len(first) == len(result) and first[:-2] == second[:-2] == lead
    straight = plain and first[-2] == result[-2] and second[-1] == result[-1] and first[-1] == second[-2]
    return (first, second, result) if straight else None


@computed
def is_product(node: Expr) -> bool:
    return _as_product(node) is not None


@computed
def traced_product(node: Expr) -> Expr | None:
    """The trace of a contraction: its last two indices become one, which is summed."""
    if not is_plain(node.attrs["spec"]):
        return None
    first, second, result = parse_spec(node.attrs["spec"])
    row, column = result[-2:]
    one = {column: row}
    left, right = (tuple(one.get(index, index) for index in part) for part in (first, second))
    if len(set(left)) != len(left) or len(set(right)) != len(right):
        return None
    a, b = node.args
    return contraction(a, b, (left, right, result[:-2]), node)


@computed
def without_identity(node: Expr, x: Expr, position: int) -> Expr | None:
    """A contraction with the identity: the other operand, one of whose indices is called what the identity says."""
    if not is_plain(node.attrs["spec"]):
        return None
    parts = parse_spec(node.attrs["spec"])
    identity, other, result = parts[position], parts[1 - position], parts[2]
    for summed, kept in (identity, identity[::-1]):
        if summed in other and summed not in result and kept in result and kept not in other:
            named = tuple(kept if index == summed else index for index in other)
            order = tuple(named.index(index) for index in result)
            return x if order == tuple(range(len(order))) else make(lookup("transpose"), (x,), {"axes": order})
    return None


@computed
def straightened(node: Expr, position: int) -> Expr | None:
    """A product of matrices in which a symmetric factor stands on the side where it is written, and not transposed."""
    if not is_plain(node.attrs["spec"]):
        return None
    parts = parse_spec(node.attrs["spec"])
    factor, other, result = parts[position], parts[1 - position], parts[2]
    kept = [index for index in factor[-2:] if index in result[-2:]]
    summed = [index for index in factor[-2:] if index in other and index not in result]
    if len(kept) != 1 or len(summed) != 1:
        return None
    lead, leads = factor[:-2], result[-2:][0] == kept[0]
    wanted = (*lead, *kept, *summed) if leads else (*lead, *summed, *kept)
    if wanted == factor and leads == (position == 0):
        return None
    matrix, rest = node.args[position], node.args[1 - position]
    if leads:
        return contraction(matrix, rest, (wanted, other, result), node)
    return contraction(rest, matrix, (other, wanted, result), node)


@computed
def turned_inverse(x: Expr) -> Expr:
    rank = len(x.shape)
    axes = (*range(rank - 2), rank - 1, rank - 2)
    return make(lookup("transpose"), (make(lookup("inverse"), (x,)),), {"axes": axes})


@computed
def solved(node: Expr, a: Expr, b: Expr) -> Expr | None:
    """a⁻¹ b in place of the product with an inverse on its left, for one matrix a and a vector or matrix b."""
    spec = node.attrs["spec"]
    if not is_plain(spec) or len(a.shape) != 2:
        return None
    first, second, result = parse_spec(spec)
    if first[1] == second[0] and result == (first[0], *second[1:]) and len(second) in (1, 2):
        transposed = False
    elif first[0] == second[0] and result == (first[1], *second[1:]) and len(second) in (1, 2):
        transposed = True
    else:
        return None
    column = b if len(b.shape) == 2 else make(lookup("reshape"), (b,), {"shape": (*b.shape, 1)})
    found = make(lookup("solve"), (a, column), {"transposed": transposed})
    return found if len(b.shape) == 2 else make(lookup("reshape"), (found,), {"shape": b.shape})


@computed
def operand_at(node: Expr, position: int) -> Expr:
    return node.args[position]


TRANSPOSES = [
    rule("inverse-of-transpose", inverse(transpose(x, axes=P)), transpose(inverse(x), axes=P),
         condition=exchanges_rows(P), reason="(Xᵀ)⁻¹ is (X⁻¹)ᵀ"),
    rule("inverse-of-symmetric", transpose(inverse(x), axes=P), inverse(x), condition=(exchanges_rows(P), symmetric(x)),
         reason="the inverse of a symmetric matrix is symmetric"),
    rule("solve-with-transpose", solve(transpose(x, axes=P), b, transposed=T), solve(x, b, transposed=opposite(T)),
         condition=exchanges_rows(P), reason="the factors of X solve with Xᵀ as well"),
    rule("solve-with-symmetric", solve(x, b, transposed=True), solve(x, b, transposed=False), condition=symmetric(x),
         reason="a symmetric matrix is its own transpose"),
    rule("triangular-with-transpose", solve_triangular(transpose(x, axes=P), b, lower=L, transposed=T, unit=U),
         solve_triangular(x, b, lower=opposite(L), transposed=opposite(T), unit=U), condition=exchanges_rows(P),
         reason="the transpose of a lower triangle is an upper one"),
    rule("determinant-of-transpose", determinant(transpose(x, axes=P)), determinant(x), condition=exchanges_rows(P),
         reason="rows and columns count alike in a determinant"),
    rule("trace-of-transpose", trace(transpose(x, axes=P)), trace(x), condition=exchanges_rows(P),
         reason="a transpose has the same diagonal"),
]  # fmt: skip

INVERSES = [
    rule("inverse-twice", inverse(inverse(x)), x, reason="the inverse undoes itself"),
    rule("inverse-times", contract(inverse(a), b), solved(this, a, b), when_cheaper=True,
         reason="X⁻¹ b is the solution of X y = b, which takes less work and loses fewer digits than the inverse"),
    rule("solve-for-identity", solve(x, one_hot(b), transposed=False), inverse(x),
         condition=is_identity(operand_at(this, 1)), reason="X Y = I says that Y is the inverse"),
    rule("solve-with-transpose-for-identity", solve(x, one_hot(b), transposed=True), turned_inverse(x),
         condition=is_identity(operand_at(this, 1)), reason="Xᵀ Y = I says that Y is the inverse of Xᵀ"),
    rule("determinant-of-inverse", det(inverse(x)), 1 / det(x), reason="det(X⁻¹) det(X) = det(I) = 1"),
    rule("log-determinant-of-inverse", logarithm(inverse(x)), -logarithm(x),
         reason="det(X⁻¹) det(X) = det(I) = 1"),
]  # fmt: skip

PRODUCTS = [
    rule("determinant-of-product", det(contract(a, b)), det(a) * det(b), condition=is_product(operand_at(this, 0)),
         when_cheaper=True, reason="determinants multiply"),
    rule("log-determinant-of-product", logabsdet(contract(a, b)), logabsdet(a) + logabsdet(b),
         condition=is_product(operand_at(this, 0)), when_cheaper=True, reason="determinants multiply"),
    rule("trace-of-product", trace(contract(a, b)), traced_product(operand_at(this, 0)),
         reason="the trace of a product is a sum of products, in which the factors may change places"),
    rule("symmetric-inverse-times", contract(inverse(x), b), straightened(this, 0), condition=symmetric(x),
         reason="the inverse of a symmetric matrix is symmetric"),
    rule("times-symmetric-inverse", contract(a, inverse(x)), straightened(this, 1), condition=symmetric(x),
         reason="the inverse of a symmetric matrix is symmetric"),
    rule("times-identity", contract(a, one_hot(b)), without_identity(this, a, 1),
         condition=is_identity(operand_at(this, 1)), reason="a product with the identity"),
    rule("identity-times", contract(one_hot(a), b), without_identity(this, b, 0),
         condition=is_identity(operand_at(this, 0)), reason="a product with the identity"),
]  # fmt: skip

LOGARITHMS = [
    rule("log-of-determinant", log(det(x)), logdet(x), kind=stabilising,
         reason="the logarithm of a product of pivots is a sum, which cannot over- or underflow"),
    rule("log-of-determinant-size", log(absolute(det(x))), logabsdet(x), kind=stabilising,
         reason="the logarithm of a product of pivots is a sum, which cannot over- or underflow"),
]  # fmt: skip

RULES = [*TRANSPOSES, *INVERSES, *PRODUCTS, *LOGARITHMS]
