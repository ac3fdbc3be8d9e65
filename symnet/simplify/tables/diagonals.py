"""Diagonal matrices, and the diagonals and triangles of matrices."""

from __future__ import annotations

from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.contract import contract as contracted
from symnet.simplify.facts import scalar_shaped
from symnet.simplify.pattern import Family, attributes, computed, this, variables
from symnet.simplify.rule import rule
from symnet.simplify.shapes import reshaped
from symnet.simplify.symmetry import holds_identity, letters_of
from symnet.simplify.tables.matrix_products import is_outer_product, moved
from symnet.simplify.vocabulary import (
    binary,
    broadcast_to,
    contract,
    det,
    diag,
    diagonal,
    gather,
    inverse,
    iota,
    one_hot,
    scatter_add,
    sum_,
    trace,
    transpose,
    tril,
    triu,
)

a, b, s, x, y = variables("a b s x y")
(A,) = attributes("A")
part = Family("part", frozenset(("diag", "diagonal", "tril", "triu")))


def _vector(x: Expr, size: object) -> Expr | None:
    """A vector of this size that broadcasts along the rows or the columns of a matrix, as a vector."""
    if len(x.shape) > 2 or size == 1 or [dim for dim in x.shape if dim != 1] != [size]:
        return None
    return reshaped(x, (size,))  # type: ignore[arg-type]


@computed
def on_diagonal(identity: Expr, x: Expr) -> Expr | None:
    """I ⊙ x, for a vector x: the diagonal matrix of x."""
    vector = _vector(x, identity.shape[0]) if holds_identity(identity) and len(identity.shape) == 2 else None
    return None if vector is None else make(lookup("diag"), (vector,))


@computed
def times_vector(v: Expr, x: Expr, op: str) -> Expr | None:
    """diag(v) ⊙ x or diag(v) / x, for a vector x."""
    vector = _vector(x, v.shape[0]) if len(v.shape) == 1 else None
    return None if vector is None else make(lookup("diag"), (make(lookup(op), (v, vector)),))


@computed
def identity_less(x: Expr, node: Expr, y: Expr) -> Expr | None:
    """x ⊙ (I − y) as diag(x) − x ⊙ y, for a vector x."""
    identity = node.args[0]
    vector = _vector(x, identity.shape[0]) if holds_identity(identity) and len(identity.shape) == 2 else None
    if vector is None:
        return None
    product = make(lookup("multiply"), (y, x))
    return make(lookup("subtract"), (make(lookup("diag"), (vector,)), product))


@computed
def factor_with(node: Expr, x: Expr) -> Expr:
    """The factor of a product that is not `x`."""
    return node.args[1] if node.args[0] is x else node.args[0]


@computed
def diagonal_less(x: Expr, v: Expr, y: Expr) -> Expr | None:
    """x ⊙ (diag(v) − y) as diag(x ⊙ v) − x ⊙ y, for a vector x."""
    vector = _vector(x, v.shape[0]) if len(v.shape) == 1 else None
    if vector is None:
        return None
    whole = make(lookup("diag"), (make(lookup("multiply"), (v, vector)),))
    return make(lookup("subtract"), (whole, make(lookup("multiply"), (y, x))))


@computed
def rows_summed(node: Expr, x: Expr) -> Expr | None:
    """The sum of a diagonal matrix along its rows or columns: the vector on the diagonal; along both, its sum."""
    rank = len(x.shape)
    if node.attrs["axes"] == (rank - 1, rank):
        return reshaped(sum_of_last(x), node.shape)
    return reshaped(x, node.shape) if node.attrs["axes"] in ((rank - 1,), (rank,)) else None


@computed
def scaled_rows(node: Expr, v: Expr, other: Expr, position: int) -> Expr | None:
    """A product with diag(v): the other operand, whose rows or columns are scaled by v (one factor of u wᵀ alone)."""
    letters = letters_of(node)
    if letters is None or len(v.shape) != 1 or is_outer_product(node, 1 - position):
        return None
    mine, text, result = letters[position], letters[1 - position], letters[2]
    summed = [letter for letter in mine if letter in text]
    if len(summed) != 1 or summed[0] in result:
        return None
    kept = mine.replace(summed[0], "")
    named = text.replace(summed[0], kept)
    ordered = moved(other, named, result)
    shape = tuple(dim if letter == kept else 1 for letter, dim in zip(result, node.shape, strict=True))
    return make(lookup("multiply"), (ordered, reshaped(v, shape)))


@computed
def diagonal_of_product(product: Expr, a: Expr, b: Expr) -> Expr | None:
    """The diagonal of a product of two matrices: the sums of products of rows and columns."""
    letters = letters_of(product)
    if letters is None or len(product.shape) != 2:
        return None
    row, column = letters[2][0], letters[2][1]
    left, right = (text.replace(column, row) for text in letters[:2])
    if len(set(left)) < len(left) or len(set(right)) < len(right):
        return None
    return contracted(a, b, f"{left},{right}->{row}")


@computed
def prod_last(node: Expr, x: Expr) -> Expr:
    return make(lookup("prod"), (x,), {"axes": (len(x.shape) - 1,), "keepdims": False})


@computed
def sum_last(x: Expr) -> Expr:
    return sum_of_last(x)


def sum_of_last(x: Expr) -> Expr:
    return make(lookup("sum"), (x,), {"axes": (len(x.shape) - 1,), "keepdims": False})


@computed
def traced(node: Expr, x: Expr) -> Expr | None:
    """The sum of the last axis alone of the diagonals of `x`."""
    last = node.attrs["axes"] == (len(x.shape) - 2,) and not node.attrs["keepdims"]
    return make(lookup("trace"), (x,)) if last else None


@computed
def diagonal_of_elements(node: Expr, x: Expr, y: Expr) -> Expr | None:
    """The diagonal of one square matrix f(x, y), computed element by element, from those elements of x and y alone."""
    whole = node.args[0]
    if len(whole.shape) != 2:
        return None
    return make(whole.declaration, [_diagonal_of(part, whole.shape) for part in (x, y)], whole.attrs)


def _diagonal_of(part: Expr, shape: Shape) -> Expr:
    """What an operand that broadcasts to a square matrix holds on the diagonal."""
    if part.shape == shape:
        return make(lookup("diagonal"), (part,))
    return reshaped(part, tuple(dim for dim in part.shape if dim != 1))


@computed
def picked_diagonal(node: Expr, x: Expr) -> Expr | None:
    """The diagonal of one square matrix, picked by counting positions."""
    rows, columns = node.args[1:]
    return make(lookup("diagonal"), (x,)) if rows is columns and x.shape == (*rows.shape, *rows.shape) else None


@computed
def placed_diagonal(node: Expr, x: Expr) -> Expr | None:
    rows, columns = node.args[1:]
    return make(lookup("diag"), (x,)) if rows is columns and node.shape == (*rows.shape, *rows.shape) else None


@computed
def kept_diagonal(identity: Expr, x: Expr) -> Expr | None:
    """I ⊙ X, for a square matrix X (no number, repeated): its diagonal on the diagonal."""
    square = len(x.shape) == 2 and x.shape == identity.shape
    if not square or x.op == "broadcast_to" or not holds_identity(identity):
        return None
    return make(lookup("diag"), (make(lookup("diagonal"), (x,)),))


@computed
def operand(node: Expr) -> Expr:
    return node.args[0]


@computed
def all_classes(x: Expr, node: Expr) -> Expr | None:
    """The identity, for a diagonal of ones."""
    if x.op != "constant" or x.shape or x.attrs["value"] != 1 or len(node.shape) != 2:
        return None
    index = make(lookup("iota"), (), {"size": node.shape[0]})
    return make(lookup("one_hot"), (index,), {"classes": node.shape[0], "dtype": node.dtype})


@computed
def ones(node: Expr, identity: Expr) -> float | None:
    return 1.0 if holds_identity(identity) else None


@computed
def exchanges_last(node: Expr) -> bool:
    """Whether a transposition turns matrices and leaves what is before them."""
    axes, rank = node.attrs["axes"], len(node.shape)
    return rank >= 2 and axes == (*range(rank - 2), rank - 1, rank - 2)


MAKE = [
    rule("identity-times-vector", one_hot(a) * x, on_diagonal(factor_with(this, x), x),
         reason="the identity keeps the elements of a vector that stand on the diagonal"),
    rule("identity-times-matrix", one_hot(a) * x, kept_diagonal(factor_with(this, x), x),
         reason="the identity keeps the elements that stand on the diagonal"),
    rule("vector-times-identity-less", x * (one_hot(a) - y), identity_less(x, factor_with(this, x), y),
         reason="the product with the identity is a diagonal matrix"),
    rule("vector-times-diagonal-less", x * (diag(a) - y), diagonal_less(x, a, y),
         reason="the product with a diagonal matrix is a diagonal matrix"),
    rule("diagonal-of-ones", diag(broadcast_to(x)), all_classes(x, this), reason="ones on the diagonal: the identity"),
]  # fmt: skip

SCALE = [
    rule("diagonal-times-vector", diag(a) * x, times_vector(a, x, "multiply"),
         reason="a diagonal matrix stays one when its rows or columns are scaled"),
    rule("diagonal-divided-by-vector", diag(a) / x, times_vector(a, x, "divide"),
         reason="a diagonal matrix stays one when its rows or columns are scaled"),
    rule("sum-of-diagonals", diag(a) + diag(b), diag(a + b), in_chains=True,
         reason="diagonal matrices are added on the diagonal"),
    rule("difference-of-diagonals", diag(a) - diag(b), diag(a - b), in_chains=True,
         reason="diagonal matrices are subtracted on the diagonal"),
    rule("part-of-negative", part(-x), -part(x), reason="a sign does not care where elements are"),
    rule("part-of-scaled", part(s * x), s * part(x), condition=scalar_shaped(s), reason="a number comes out"),
    rule("part-of-divided", part(x / s), part(x) / s, condition=scalar_shaped(s), reason="a number comes out"),
]  # fmt: skip

PRODUCTS = [
    rule("diagonal-matrix-times", contract(diag(x), b), scaled_rows(this, x, b, 0), when_cheaper=True,
         reason="a product with a diagonal matrix scales the rows"),
    rule("times-diagonal-matrix", contract(a, diag(x)), scaled_rows(this, x, a, 1), when_cheaper=True,
         reason="a product with a diagonal matrix scales the columns"),
    rule("diagonal-of-product", diagonal(contract(a, b)), diagonal_of_product(operand(this), a, b),
         reason="only the products that stand on the diagonal are needed"),
]  # fmt: skip

READ = [
    rule("diagonal-of-elements", diagonal(binary(a, b)), diagonal_of_elements(this, a, b), when_cheaper=True,
         reason="only the elements that stand on the diagonal are needed"),
    rule("diagonal-of-diagonal-matrix", diagonal(diag(x)), x, reason="what stands on the diagonal"),
    rule("diagonal-of-identity", diagonal(one_hot(a)), ones(this, operand(this)),
         reason="ones stand on the diagonal of the identity"),
    rule("diagonal-of-repeated", diagonal(broadcast_to(x)), x, condition=scalar_shaped(x),
         reason="all elements are equal"),
    rule("diagonal-of-transpose", diagonal(transpose(x)), diagonal(x), condition=exchanges_last(operand(this)),
         reason="a transpose has the same diagonal"),
    rule("transpose-of-diagonal-matrix", transpose(diag(x)), diag(x), condition=exchanges_last(this),
         reason="a diagonal matrix is its own transpose"),
    rule("sum-of-diagonal-matrix", sum_(diag(x)), rows_summed(this, x), reason="each row has one element that counts"),
    rule("sum-of-diagonal", sum_(diagonal(x)), traced(this, x), reason="the sum of the diagonal is the trace"),
    rule("gathered-diagonal", gather(x, iota(), iota()), picked_diagonal(this, x),
         reason="equal positions along both axes are the diagonal"),
    rule("scattered-diagonal", scatter_add(x, iota(), iota()), placed_diagonal(this, x),
         reason="equal positions along both axes are the diagonal"),
    rule("trace-of-diagonal-matrix", trace(diag(x)), sum_last(x), reason="the trace is the sum of the diagonal"),
    rule("determinant-of-diagonal-matrix", det(diag(x)), prod_last(this, x),
         reason="the determinant of a diagonal matrix is the product of its elements"),
    rule("inverse-of-diagonal-matrix", inverse(diag(x)), diag(1 / x),
         reason="a diagonal matrix is inverted element by element"),
    rule("triangle-of-diagonal-matrix", tril(diag(x), k=0), diag(x), reason="nothing stands above the diagonal"),
    rule("upper-triangle-of-diagonal-matrix", triu(diag(x), k=0), diag(x), reason="nothing stands below the diagonal"),
    rule("triangle-twice", tril(tril(x, k=A), k=A), tril(x, k=A), reason="the zeros are there already"),
    rule("upper-triangle-twice", triu(triu(x, k=A), k=A), triu(x, k=A), reason="the zeros are there already"),
]  # fmt: skip

RULES = [*MAKE, *SCALE, *PRODUCTS, *READ]
