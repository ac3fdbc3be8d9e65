"""Sums of products as matrix products, where they are one, with transposes where the axes are crossed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import gcd

from symnet.explain.alignment import squeezed
from symnet.explain.identifiers import axis_letter, letter_of_steps, letters, positions
from symnet.explain.notation import (
    Big,
    Call,
    Entries,
    Form,
    Inverse,
    Negative,
    Number,
    Position,
    Power,
    Product,
    Quotient,
    Symbol,
    Transposed,
)
from symnet.explain.notation import Index as Indexed
from symnet.explain.parentheses import factors_of, unsigned
from symnet.explain.stacks import stacked_product
from symnet.explain.windows import convolution
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr
from symnet.ops.contract import Index, Indices, is_plain, parse_spec, renamed

Axes = tuple[str, ...]


def contraction(node: Expr, left: Form, right: Form) -> Form:
    """The formula of a `contract` node."""
    parts = parse_spec(node.attrs["spec"])
    names = _letters(node, parts)
    first, second, out = (tuple(_renamed(index, names) for index in part) for part in parts)
    if is_plain(node.attrs["spec"]):
        steps = _over_steps(node, first, second, out, left, right)
        if steps is not None:
            return steps
        left, right = (as_matrices(arg, form) for arg, form in zip(node.args, (left, right), strict=True))
        first, second, out = _visible(node, first, second, out)
        shape = node.args[0].shape if len(first) == node.args[0].ndim else squeezed(node.args[0].shape)
        form = _matrix_product(first, second, out, left, right, shape) or _elementwise(
            first, second, out, left, right, shape
        )
        form = form or stacked_product(first, second, out, left, right, _core_product)
        if form is not None:
            return form
    else:
        form = convolution(node, left, right)
        if form is not None:
            return form
    return _indexed(first, second, out, tuple(names.values()), left, right)


def _over_steps(node: Expr, first: Axes, second: Axes, out: Axes, left: Form, right: Form) -> Form | None:
    """Σₜ δₜᵀ xₜ, where a sum over the first axis is one over the steps of a loop and both factors have names."""
    lengths = [arg.args[0].attrs["length"] for arg in node.args if arg.op == "item" and arg.args[0].op == "scan"]
    if (len(first), len(second)) != (3, 3) or node.args[0].shape[0] not in lengths:
        return None
    if first[0] != second[0] or first[0] in out or not (isinstance(left, Symbol) and isinstance(right, Symbol)):
        return None
    letter = letter_of_steps(lengths[0])
    forms = (Symbol(form.base, ",".join(filter(None, (form.sub, letter)))) for form in (left, right))
    body = _core_product(first[1:], second[1:], out, *forms)
    return None if body is None else Big("Σ", (letter,), body)


def _visible(node: Expr, first: Axes, second: Axes, out: Axes) -> tuple[Axes, Axes, Axes]:
    """Without the axes of size 1, which are not written, of stacks and of two vectors: a row times a row is u · v.

    A matrix of one row is left as it is, so that a layer with one output is x Wᵀ as all others are.
    """
    pairs = [list(zip(axes, arg.shape, strict=True)) for axes, arg in zip((first, second), node.args, strict=True)]
    ones = {letter for pair in pairs for letter, size in pair if size == 1}
    vectors = all(sum(size != 1 for _, size in pair) == 1 for pair in pairs)
    if not vectors and not any(len(pair) > 2 and ones & {letter for letter, _ in pair} for pair in pairs):
        return first, second, out
    kept = [tuple(letter for letter in axes if letter not in ones) for axes in (first, second, out)]
    return kept[0], kept[1], kept[2]


def as_matrices(node: Expr, form: Form) -> Form:
    """A matrix whose rows or columns are scaled, as a factor of a product: diag(u) A diag(v), and not A ⊙ v.

    Rows without a number of their own (a batch) are left as they are.
    """
    if len(node.shape) != 2 or not all(isinstance(dim, int) and dim != 1 for dim in node.shape):
        return form
    left: list[Form] = []
    right: list[Form] = []
    while node.op == "multiply" and isinstance(form, Product) and form.kind == "hadamard" and len(form.factors) == 2:
        whole = next((i for i in (0, 1) if node.args[i].shape == node.shape), None)
        if whole is None or node.args[1 - whole].shape == node.shape:
            break
        vector, text = node.args[1 - whole], form.factors[1 - whole]
        (left if vector.shape == (node.shape[0], 1) else right).append(text)
        node, form = node.args[whole], form.factors[whole]
    sides = [Call("diag", (Product("hadamard", tuple(side)) if len(side) > 1 else side[0],)) if side else None
             for side in (left, right[::-1])]  # fmt: skip
    return product(*(part for part in (sides[0], form, sides[1]) if part is not None)) if left or right else form


def summed_product(node: Expr, form: Form) -> Form | None:
    """Σⱼ A ⊙ v, the sum over the rows or the columns of a matrix times a vector: A v."""
    (inside,), axes = node.args, node.attrs["axes"]
    hadamard = inside.op == "multiply" and isinstance(form, Product) and form.kind == "hadamard"
    if not hadamard or len(inside.shape) != 2 or len(axes) != 1:
        return None
    assert isinstance(form, Product)
    rows, columns = inside.shape
    vectors = ((columns,), (1, columns)) if axes == (1,) else ((rows, 1),)
    for i in (0, 1):
        if 1 not in inside.shape and inside.args[i].shape == inside.shape and inside.args[1 - i].shape in vectors:
            matrix = form.factors[i] if axes == (1,) else transposed(form.factors[i])
            return product(matrix, form.factors[1 - i])
    return None


def _letters(node: Expr, parts: Sequence[Indices]) -> dict[str, str]:
    """The index letters as they are written, those of the result first: n for an axis of size N, else i, j, k…"""
    sizes: dict[str, Dim] = dict(node.attrs["sizes"])
    for part, operand in zip(parts, node.args, strict=False):
        for index, size in zip(part, operand.shape, strict=True):
            if len(index.terms) == 1:
                sizes.setdefault(index.terms[0][0], size)
    written: dict[str, str] = {}
    for letter in renamed((parts[2], *parts[:2])):
        wanted = axis_letter(sizes.get(letter, 0), 0)
        others = "rstuvwxyzabcdefgh"
        free = (name for name in positions() + others if name not in written.values())
        written[letter] = wanted if wanted not in written.values() and wanted != "i" else next(free, letter)
    return written


def _renamed(index: Index, names: Mapping[str, str]) -> str:
    text = str(Index(tuple((names[letter], c) for letter, c in index.terms), index.offset))
    return re.sub(r"(\d)\*", r"\1", text).replace("-", "−")


def _matrix_product(first: Axes, second: Axes, out: Axes, left: Form, right: Form, shape: Shape) -> Form | None:
    """A product of matrices or vectors, on the last two axes as in NumPy; None if it is none.

    Leading axes may be common to both factors and the result (one product for each), common to the factors alone (the
    products are added up), or of one factor and the result (every matrix meets the same one).
    """
    stacked = min(_common_prefix(first, second, out), len(first) - 2)
    if stacked > 0 and (len(first), len(second), len(out)) == (stacked + 2,) * 3:
        return _core_product(first[stacked:], second[stacked:], out[stacked:], left, right)
    added = min(_common_prefix(first, second), len(first) - 2)
    if added > 0 and (len(first), len(second)) == (added + 2,) * 2 and len(out) == 2:
        product = _core_product(first[added:], second[added:], out, left, right)
        return None if product is None else Big("Σ", letters(shape)[:added], product)
    for one, other, swapped in ((first, second, False), (second, first, True)):
        lead = len(one) - 2
        if lead > 0 and len(other) == 2 and out[:lead] == one[:lead] and len(out) == lead + 2:
            forms = (right, left) if swapped else (left, right)
            return _core_product(one[lead:], other, out[lead:], *forms)
    return _core_product(first, second, out, left, right)


def _core_product(first: Axes, second: Axes, out: Axes, left: Form, right: Form) -> Form | None:
    """A product of two matrices, of a matrix and a vector, or of two vectors. Vectors are columns."""
    shared = set(first) & set(second)
    if not shared and (len(first), len(second)) == (1, 1):
        return product(left, transposed(right)) if out == first + second else product(right, transposed(left))
    if len(shared) != 1 or shared & set(out) or not (1 <= len(first) <= 2 and 1 <= len(second) <= 2):
        return None
    if set(out) != (set(first) | set(second)) - shared:
        return None
    k = shared.pop()
    if len(first) == len(second) == 1:
        return product(transposed(left), right)
    if (len(out) == 2 and out[0] in second) or len(first) == 1:
        return _oriented(second, first, k, right, left)
    return _oriented(first, second, k, left, right)


def _oriented(first: Axes, second: Axes, k: str, left: Form, right: Form) -> Form:
    """left · right with the summed index k last in the first and first in the second, transposing where it is not."""
    if len(first) == 2 and first[1] != k:
        left = transposed(left)
    if len(second) == 2 and second[0] != k:
        right = transposed(right)
    return product(left, right)


def product(*forms: Form) -> Form:
    """The product of matrices and vectors, its numbers and its sign in front: 2 Aᵀ x, and not Aᵀ (2 x)."""
    negative = False
    scales: list[Form] = []
    divisors: list[Form] = []
    factors: list[Form] = []
    for form in forms:
        while True:
            if isinstance(form, Negative):
                negative, form = not negative, form.body
            elif isinstance(form, Product) and form.kind == "scale":
                scales.extend(form.factors[:-1])
                form = form.factors[-1]
            elif isinstance(form, Quotient) and form.scalar and not isinstance(form.numerator, Number):
                divisors.append(form.denominator)
                form = form.numerator
            else:
                break
        factors.extend(form.factors if isinstance(form, Product) and form.kind == "matrix" else (form,))
    whole: Form = Product("matrix", tuple(factors))
    for divisor in divisors:
        whole = over(whole, divisor, scalar=True)
    for scale in reversed(scales):
        whole = Product("scale", (scale, whole))
    return Negative(whole) if negative else whole


def over(numerator: Form, denominator: Form, scalar: bool) -> Form:
    """numerator / denominator, its sign in front; by two numbers is by their product, by the same one its square."""
    negative, numerator = unsigned(numerator)
    if negative:
        return Negative(over(numerator, denominator, scalar))
    if isinstance(numerator, Number) and not numerator.bold:
        numerator, denominator = _reduced(numerator, denominator)
        if denominator == Number("1"):
            return numerator
    if scalar and isinstance(numerator, Quotient) and numerator.scalar:
        given = numerator.denominator
        base, times = (given.base, given.exponent) if isinstance(given, Power) else (given, Number("1"))
        if base == denominator and isinstance(times, Number) and times.text.isdigit():
            return Quotient(numerator.numerator, Power(base, Number(str(int(times.text) + 1))), scalar=True)
    if isinstance(numerator, Quotient) and numerator.scalar and (scalar or isinstance(numerator.numerator, Number)):
        below = Product("scale", (numerator.denominator, denominator))
        return over(numerator.numerator, below, scalar)
    return Quotient(numerator, denominator, scalar)


def _reduced(above: Number, below: Form) -> tuple[Number, Form]:
    """A fraction of whole numbers in lowest terms: 1 / N for 2 / (2 N)."""
    first, *rest = factors_of(below)
    if not (above.text.isdigit() and isinstance(first, Number) and first.text.isdigit()) or int(first.text) == 0:
        return above, below
    common = gcd(int(above.text), int(first.text))
    left = [Number(str(int(first.text) // common)), *rest]
    if left[0] == Number("1") and rest:
        left = rest
    return Number(str(int(above.text) // common)), left[0] if len(left) == 1 else Product("scale", tuple(left))


def transposed(form: Form) -> Form:
    """formᵀ: of a product the product of the transposes in the other order; of a transpose what it is made of."""
    if isinstance(form, Symbol) and form.symmetric:
        return form
    if isinstance(form, Inverse):
        return form if form.symmetric else Inverse(form.body, not form.transposed)
    if isinstance(form, Negative):
        return Negative(transposed(form.body))
    if isinstance(form, Product) and form.kind == "scale":
        return Product("scale", (*form.factors[:-1], transposed(form.factors[-1])))
    if isinstance(form, Product) and form.kind == "matrix":
        return Product("matrix", tuple(map(transposed, reversed(form.factors))))
    if isinstance(form, Product) and form.kind == "kron":
        return Product("kron", tuple(map(transposed, form.factors)))
    if isinstance(form, Quotient) and form.scalar:
        return Quotient(transposed(form.numerator), form.denominator, scalar=True)
    return form.body if isinstance(form, Transposed) else Transposed(form)


def _common_prefix(*terms: Axes) -> int:
    """How many leading axes the terms have in common."""
    length = 0
    while length < min(map(len, terms)) and len({term[length] for term in terms}) == 1:
        length += 1
    return length


def _elementwise(first: Axes, second: Axes, out: Axes, left: Form, right: Form, shape: Shape) -> Form | None:
    """Σ over some axes of a ⊙ b, where both factors have the same axes; the trace of a product."""
    if first == second and tuple(index for index in first if index in out) == out:
        own = letters(shape)
        summed = tuple(own[axis] for axis, index in enumerate(first) if index not in out)
        body = Product("hadamard", (left, right))
        return Big("Σ", summed if out else (), body) if summed else body
    if not out and len(first) == 2 and first == second[::-1]:
        return Call("tr", (product(left, right),))
    return None


def _indexed(first: Axes, second: Axes, out: Axes, letters: Axes, left: Form, right: Form) -> Form:
    """(Σ left[…] right[…])… with every index written, sums of letters (convolutions) as they are."""
    kept = "".join(out)
    summed = tuple(letter for letter in letters if letter not in kept)
    body: Form = Product("scale", (_entry(left, first), _entry(right, second)))
    if summed:
        body = Big("Σ", summed, body)
    return Entries(body, out) if out else body


def _entry(form: Form, indices: Axes) -> Form:
    parts = (Symbol(index) if index.isalpha() else Position(index) for index in indices)
    return Indexed(form, tuple(parts)) if indices else form
