"""Stacks of matrix products whose stacking axes stand anywhere: (Q[n, :, h] K[n, :, h]ᵀ)ₙₕ, one product for each n, h.

An index of the brackets is written out in the factors, a colon stands for an axis of the matrices. The indices behind
the brackets say where the axes of the result are: those with a letter, and with a colon those of the product.
"""

from __future__ import annotations

from collections.abc import Callable

from symnet.explain.notation import Entries, Form, Index, Range, Symbol

Axes = tuple[str, ...]
Core = Callable[[Axes, Axes, Axes, Form, Form], Form | None]


def stacked_product(first: Axes, second: Axes, out: Axes, left: Form, right: Form, core: Core) -> Form | None:
    """The contraction as a stack of the products that `core` writes; None where it is none."""
    stacking = [letter for letter in out if letter in first and letter in second]
    rows, columns, rest = (tuple(letter for letter in axes if letter not in stacking) for axes in (first, second, out))
    if not stacking or not all(letter.isalpha() for letter in (*first, *second, *out)):
        return None
    product = core(rows, columns, rest, _slice(left, first, stacking), _slice(right, second, stacking))
    if product is None or not rest:
        return None if product is None else Entries(product, out)
    indices = [letter if letter in stacking else ":" for letter in out]
    while indices[-1] == ":":
        indices.pop()
    return Entries(product, tuple(indices))


def _slice(form: Form, axes: Axes, stacking: list[str]) -> Form:
    parts: list[Form] = [Symbol(letter) if letter in stacking else Range() for letter in axes]
    while isinstance(parts[-1], Range):
        parts.pop()
    return Index(form, tuple(parts))
