"""Inverses, determinants, traces: what the transposes, inverses and products inside them make of them."""

from __future__ import annotations

from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.contract import Indices, is_plain, parse_spec
from symnet.simplify.facts import scalar_shaped
from symnet.simplify.pattern import Family, attributes, computed, this, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.shapes import Axes, count_of, covers_all
from symnet.simplify.symmetry import holds_identity, is_identity, symmetric
from symnet.simplify.tables.contractions import contraction, product
from symnet.simplify.tables.matrix_products import is_outer_product
from symnet.simplify.vocabulary import (
    absolute,
    contract,
    det,
    inverse,
    kron,
    log,
    logabsdet,
    logdet,
    norm,
    one_hot,
    power,
    solve,
    solve_triangular,
    sum_,
    trace,
    transpose,
    unit,
)

a, b, s, x, y = variables("a b s x y")
A, K, L, P, T, U = attributes("A K L P T U")

determinant = Family("determinant", frozenset(("det", "det_sign", "logdet", "logabsdet")))
logarithm = Family("logarithm", frozenset(("logdet", "logabsdet")))
given = Family("given", frozenset(("input",)))
system = Family("system", frozenset(("solve", "solve_triangular")))


@computed
def exchanges_rows(axes: Axes) -> bool:
    """Whether a permutation of axes transposes matrices and leaves what is before them."""
    rank = len(axes)
    return rank >= 2 and axes == (*range(rank - 2), rank - 1, rank - 2)


@computed
def is_square(x: Expr) -> bool:
    """Whether this is one square matrix."""
    return len(x.shape) == 2 and x.shape[0] == x.shape[1]


@computed
def lines_up_with(axes: Axes, keepdims: bool, x: Expr) -> bool:
    """Whether a reduction of `x` over `axes` meets `x` along the axes that are left."""
    return keepdims or axes == tuple(range(len(axes)))


@computed
def opposite(flag: bool) -> bool:
    return not flag


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
    """A contraction with the identity: the other operand, one of whose indices is called what the identity says.

    Of u vᵀ one factor alone meets the identity.
    """
    if not is_plain(node.attrs["spec"]) or is_outer_product(node, 1 - position):
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
def holds_multiple(node: Expr, position: int) -> bool:
    """Whether an operand is a product with the identity."""
    return any(map(holds_identity, node.args[position].args))


@computed
def rows_of(x: Expr) -> Expr:
    """The number of rows, as a value of the type of `x`."""
    return count_of(x.shape[:1], x.dtype)


@computed
def kron_of_products(node: Expr) -> Expr | None:
    """A C ⊗ B D for the product of A ⊗ B and C ⊗ D, where A and C, and B and D, can be multiplied."""
    left, right = node.args
    if node.attrs["spec"] != "ab,bc->ac" or left.args[0].shape[1] != right.args[0].shape[0]:
        return None
    pairs = zip(left.args, right.args, strict=True)
    return make(lookup("kron"), [make(lookup("contract"), pair, node.attrs) for pair in pairs])


@computed
def operand_at(node: Expr, position: int) -> Expr:
    return node.args[position]


TRANSPOSES = [
    rule("inverse-of-transpose", inverse(transpose(x, axes=P)), transpose(inverse(x), axes=P),
         condition=exchanges_rows(P), reason="(Xᵀ)⁻¹ is (X⁻¹)ᵀ"),
    rule("transpose-of-symmetric-sum", transpose(a + b, axes=P), a + b,
         condition=(exchanges_rows(P), symmetric(operand_at(this, 0))), reason="X + Xᵀ is its own transpose"),
    rule("transpose-of-symmetric-multiple", transpose(a * b, axes=P), a * b,
         condition=(exchanges_rows(P), symmetric(operand_at(this, 0))), reason="it is its own transpose"),
    rule("transpose-of-symmetric-product", transpose(product(a, b), axes=P), product(a, b),
         condition=(exchanges_rows(P), symmetric(operand_at(this, 0))), reason="it is its own transpose"),
    rule("transpose-of-symmetric", transpose(given(), axes=P), operand_at(this, 0),
         condition=(exchanges_rows(P), symmetric(operand_at(this, 0))), reason="the input is its own transpose",
         assumption="the input is symmetric, as declared"),
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
    rule("symmetric-sum-times", contract(a + x, b), straightened(this, 0), condition=symmetric(operand_at(this, 0)),
         reason="a symmetric matrix is its own transpose"),
    rule("times-symmetric-sum", contract(a, b + x), straightened(this, 1), condition=symmetric(operand_at(this, 1)),
         reason="a symmetric matrix is its own transpose"),
    rule("symmetric-times", contract(given(), b), straightened(this, 0), condition=symmetric(operand_at(this, 0)),
         assumption="the input is symmetric, as declared", reason="a symmetric matrix is its own transpose"),
    rule("times-symmetric", contract(a, given()), straightened(this, 1), condition=symmetric(operand_at(this, 1)),
         assumption="the input is symmetric, as declared", reason="a symmetric matrix is its own transpose"),
    rule("times-identity", contract(a, one_hot(b)), without_identity(this, a, 1),
         condition=is_identity(operand_at(this, 1)), reason="a product with the identity"),
    rule("identity-times", contract(one_hot(a), b), without_identity(this, b, 0),
         condition=is_identity(operand_at(this, 0)), reason="a product with the identity"),
    rule("times-multiple-of-identity", contract(a, s * one_hot(b)), s * without_identity(this, a, 1),
         condition=(scalar_shaped(s), holds_multiple(this, 1)),
         reason="a product with a multiple of the identity"),
    rule("multiple-of-identity-times", contract(s * one_hot(a), b), s * without_identity(this, b, 0),
         condition=(scalar_shaped(s), holds_multiple(this, 0)),
         reason="a product with a multiple of the identity"),
]  # fmt: skip

KRONECKER = [
    rule("trace-of-kron", trace(kron(a, b)), trace(a) * trace(b), condition=(is_square(a), is_square(b)),
         reason="the diagonal of A ⊗ B holds all products of the two diagonals"),
    rule("sum-of-kron", sum_(kron(a, b), axes=A, keepdims=False), sum_(a, axes=A, keepdims=False) *
         sum_(b, axes=A, keepdims=False), condition=covers_all(A, a), reason="A ⊗ B holds all products of elements"),
    rule("norm-of-kron", norm(kron(a, b), axes=A, keepdims=False), norm(a, axes=A, keepdims=False) *
         norm(b, axes=A, keepdims=False), condition=covers_all(A, a), reason="A ⊗ B holds all products of elements"),
    rule("determinant-of-kron", det(kron(a, b)), power(det(a), rows_of(b)) * power(det(b), rows_of(a)),
         condition=(is_square(a), is_square(b)), reason="A ⊗ B is (A ⊗ I) (I ⊗ B), and determinants multiply"),
    rule("log-determinant-of-kron", logabsdet(kron(a, b)), rows_of(b) * logabsdet(a) + rows_of(a) * logabsdet(b),
         condition=(is_square(a), is_square(b)), reason="A ⊗ B is (A ⊗ I) (I ⊗ B), and determinants multiply"),
    rule("inverse-of-kron", inverse(kron(a, b)), kron(inverse(a), inverse(b)), condition=(is_square(a), is_square(b)),
         reason="(A ⊗ B) (A⁻¹ ⊗ B⁻¹) is I ⊗ I"),
    rule("product-of-krons", contract(kron(a, b), kron(x, y)), kron_of_products(this), when_cheaper=True,
         reason="(A ⊗ B) (C ⊗ D) is A C ⊗ B D"),
]  # fmt: skip

SCALES = [
    rule("solve-negative", system(a, -b), -system(a, b), reason="a solution is linear in the right side"),
    rule("solve-scaled", system(a, s * b), s * system(a, b), condition=scalar_shaped(s),
         reason="a solution is linear in the right side"),
    rule("solve-divided", system(a, b / s), system(a, b) / s, condition=scalar_shaped(s),
         reason="a solution is linear in the right side"),
    rule("inverse-of-negative", inverse(-x), -inverse(x), reason="(−X) (−X⁻¹) is I"),
    rule("inverse-of-scaled", inverse(s * x), inverse(x) / s, condition=scalar_shaped(s),
         reason="(s X) (X⁻¹ / s) is I"),
    rule("inverse-of-divided", inverse(x / s), s * inverse(x), condition=scalar_shaped(s),
         reason="(X / s) (s X⁻¹) is I"),
    rule("trace-of-negative", trace(-x), -trace(x), reason="a sign comes out of a sum"),
    rule("trace-of-scaled", trace(s * x), s * trace(x), condition=scalar_shaped(s),
         reason="a number comes out of a sum"),
    rule("trace-of-divided", trace(x / s), trace(x) / s, condition=scalar_shaped(s),
         reason="a number comes out of a sum"),
    rule("determinant-over-itself", det(x) / det(x), 1, assumption="the matrix is regular", in_chains=True,
         reason="a value divided by itself is 1"),
    rule("norm-times-direction", norm(x, axes=A, keepdims=K) * unit(x, axes=A), x, condition=lines_up_with(A, K, x),
         in_chains=True, reason="a vector is its length times its direction, at 0 too"),
]  # fmt: skip

LOGARITHMS = [
    rule("log-of-determinant", log(det(x)), logdet(x), kind=stabilising,
         reason="the logarithm of a product of pivots is a sum, which cannot over- or underflow"),
    rule("log-of-determinant-size", log(absolute(det(x))), logabsdet(x), kind=stabilising,
         reason="the logarithm of a product of pivots is a sum, which cannot over- or underflow"),
]  # fmt: skip

RULES = [*TRANSPOSES, *INVERSES, *PRODUCTS, *KRONECKER, *SCALES, *LOGARITHMS]
