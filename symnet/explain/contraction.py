"""Sums of products as matrix products, where they are one, with transposes where the axes are crossed."""

from __future__ import annotations

import re
from collections import Counter

from symnet.explain.notation import Big, Entries, Form, Index, Product, Symbol, Transposed
from symnet.expr.node import Expr


def contraction(node: Expr, left: Form, right: Form) -> Form:
    """The formula of a `contract` node."""
    first, second, out = split_spec(node.attrs["spec"])
    if not all(map(_is_letter, (*first, *second, *out))):
        return _indexed(first, second, out, left, right)
    return (
        _matrix_product("".join(first), "".join(second), "".join(out), left, right)
        or _elementwise("".join(first), "".join(second), "".join(out), left, right)
        or _indexed(first, second, out, left, right)
    )


def split_spec(spec: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The indices of both factors and of the result, one for each axis."""
    factors, out = spec.split("->")
    first, second = factors.split(",")
    gaps = " " in spec
    parts = [term.split() if gaps else list(term) for term in (first, second, out)]
    return tuple(parts[0]), tuple(parts[1]), tuple(parts[2])


def _is_letter(index: str) -> bool:
    return len(index) == 1 and index.isalpha()


def _matrix_product(first: str, second: str, out: str, left: Form, right: Form) -> Form | None:
    """A product of matrices or vectors, with common leading axes (a batch of products) allowed; None if it is none."""
    if any(max(Counter(term).values(), default=1) > 1 for term in (first, second, out)):
        return None
    batch = _common_prefix(first, second, out)
    first, second, out = (term[len(batch) :] for term in (first, second, out))
    shared = set(first) & set(second)
    if batch and (len(first), len(second), len(out)) != (2, 2, 2):
        return None
    if not shared and (len(first), len(second)) == (1, 1):
        outer = (left, right) if out == first + second else (right, left)
        return None if batch else Product("matrix", (outer[0], Transposed(outer[1])))
    if len(shared) != 1 or shared & set(out) or not (1 <= len(first) <= 2 and 1 <= len(second) <= 2):
        return None
    if set(out) != (set(first) | set(second)) - shared or len(out) > 2:
        return None
    k = shared.pop()
    if len(first) == len(second) == 1:
        return Product("dot", (left, right))
    if len(out) == 2 and out[0] in second:
        return _oriented(second, first, k, right, left)
    return _oriented(first, second, k, left, right)


def _oriented(first: str, second: str, k: str, left: Form, right: Form) -> Form:
    """left · right with the summed index k last in the first and first in the second, transposing where it is not."""
    if len(first) == 2 and first[1] != k:
        left = transposed(left)
    if len(second) == 2 and second[0] != k:
        right = transposed(right)
    return Product("matrix", (left, right))


def transposed(form: Form) -> Form:
    """formᵀ, or the form itself where that is a transpose already."""
    return form.body if isinstance(form, Transposed) else Transposed(form)


def _common_prefix(*terms: str) -> str:
    length = 0
    while length < min(map(len, terms)) - 1 and len({term[length] for term in terms}) == 1:
        length += 1
    return terms[0][:length]


def _elementwise(first: str, second: str, out: str, left: Form, right: Form) -> Form | None:
    """Σ over some axes of the element-by-element product, where both factors have the same axes."""
    if first != second or len(set(first)) != len(first) or not set(out) <= set(first):
        return None
    if "".join(index for index in first if index in out) != out:
        return None
    letters = "ijklmpq"
    summed = tuple(letters[axis] for axis, index in enumerate(first) if index not in out)
    body = Product("hadamard", (left, right))
    if not summed:
        return body
    return Big("Σ", summed if out else (), body)


def _indexed(
    first: tuple[str, ...], second: tuple[str, ...], out: tuple[str, ...], left: Form, right: Form
) -> Form:
    """(Σ left[…] right[…])… with every index written; affine indices (convolutions) as they are."""
    letters: dict[str, None] = {}
    for index in (*out, *first, *second):
        letters.update(dict.fromkeys(re.findall("[A-Za-z]", index)))
    kept = {letter for index in out for letter in re.findall("[A-Za-z]", index)}
    summed = tuple(letter for letter in letters if letter not in kept)
    body: Form = Product("scale", (_entry(left, first), _entry(right, second)))
    if summed:
        body = Big("Σ", summed, body)
    return Entries(body, tuple(map(_shown, out))) if out else body


def _entry(form: Form, indices: tuple[str, ...]) -> Form:
    return Index(form, tuple(Symbol(_shown(index)) for index in indices)) if indices else form


def _shown(index: str) -> str:
    return re.sub(r"(\d)\*", r"\1", index).replace("-", "−")


