"""Operands in the places where they are written: parentheses, signs, and what stands in front.

All alphabets write forms by these functions, so that they put parentheses in the same places and no more than needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from symnet.explain.notation import (
    Call,
    Form,
    Inverse,
    Level,
    Negative,
    Number,
    Partial,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    Transposed,
    binding,
)


@dataclass(frozen=True)
class Placed:
    """An operand in its place: whether it needs parentheses there."""

    form: Form
    fenced: bool


def factors(product: Product) -> list[Placed]:
    """The factors of a product, each with or without parentheses.

    A product of the same kind needs none inside another (both are associative). A product scaled by a number needs none
    in front. Matrix products and element-by-element products are kept apart by parentheses. Equal factors of a matrix
    product that stand side by side are a power: X X is X², and Xᵀ Xᵀ is (X²)ᵀ.
    """
    placed = []
    written = _powers(product.factors) if product.kind == "matrix" else _flat(product)
    for position, factor in enumerate(written):
        bare = binding(factor) >= Level.POSTFIX
        if isinstance(factor, Product):
            first = position == 0 and factor.kind == "scale" and binding(factor.factors[-1]) >= Level.POSTFIX
            scaled = product.kind == "scale" and position == len(written) - 1 and factor.kind != "dot"
            joins = factor.kind == product.kind and factor.kind != "dot" and not (position and _begins_scaled(factor))
            bare = joins or first or scaled
        placed.append(Placed(factor, not bare))
    return placed


def _begins_scaled(product: Product) -> bool:
    """Whether the first of all factors is a number times something, 2 a ⊙ b, which stands in front only."""
    first: Form = product
    while isinstance(first, Product) and first.kind == product.kind:
        first = first.factors[0]
    return isinstance(first, Product) and first.kind == "scale"


def factors_of(form: Form) -> tuple[Form, ...]:
    """The numbers that a form is the product of, those in digits first; else the form."""
    return _flat(form) if isinstance(form, Product) and form.kind == "scale" else (form,)


def _flat(product: Product) -> tuple[Form, ...]:
    """The factors of a product; of numbers in front of another, each for itself, and those in digits first."""
    if product.kind != "scale":
        return product.factors
    flat: list[Form] = []
    for factor in product.factors:
        flat.extend(_flat(factor) if isinstance(factor, Product) and factor.kind == "scale" else (factor,))
    *front, last = flat
    ordered = sorted(front, key=lambda factor: not isinstance(factor, Number))
    runs = [(factor, len(list(run))) for factor, run in groupby(ordered)]
    return (*(factor if count == 1 else Power(factor, Number(str(count))) for factor, count in runs), last)


def _powers(factors: tuple[Form, ...]) -> tuple[Form, ...]:
    """The factors of a matrix product with runs of equal ones as powers."""
    found: list[Form] = []
    for factor, run in groupby(factors):
        count = len(list(run))
        if count == 1 or isinstance(factor, Inverse):
            found.extend([factor] * count)
        elif isinstance(factor, Transposed):
            found.append(Transposed(Power(factor.body, Number(str(count)))))
        else:
            found.append(Power(factor, Number(str(count))))
    return tuple(found)


def numerator(quotient: Quotient) -> Placed:
    """The numerator, as it stands in front of a slash."""
    form = quotient.numerator
    bare = binding(form) >= (Level.PRODUCT if quotient.scalar else Level.POSTFIX) and not isinstance(form, Quotient)
    return Placed(form, not (bare or isinstance(form, Number)))


def denominator(quotient: Quotient) -> Placed:
    """The denominator, as it stands behind a slash."""
    return Placed(quotient.denominator, binding(quotient.denominator) < Level.POSTFIX)


def variable(partial: Partial) -> Placed:
    """What a partial derivative is taken by."""
    return Placed(partial.bottom, not isinstance(partial.bottom, (Symbol, Call, Partial)))


def at(form: Form, level: Level) -> Placed:
    """`form` where something binding at least as tightly as `level` is asked for."""
    return Placed(form, binding(form) < level)


def unsigned(form: Form) -> tuple[bool, Form]:
    """Whether a form is a negative, and its opposite then: −(y / N) ⊙ m for (−y / N) ⊙ m."""
    if isinstance(form, Negative):
        return True, form.body
    if isinstance(form, Number) and form.text.startswith("−"):
        return True, Number(form.text[1:], form.bold)
    if isinstance(form, Quotient):
        negative, above = unsigned(form.numerator)
        return (True, Quotient(above, form.denominator, form.scalar)) if negative else (False, form)
    if isinstance(form, Product) and form.kind != "dot":
        negative, first = unsigned(form.factors[0])
        rest = form.factors[1:]
        if negative and form.kind == "scale" and first == Number("1"):
            return True, rest[0] if len(rest) == 1 else Product("scale", rest)
        return (True, Product(form.kind, (first, *rest))) if negative else (False, form)
    return False, form


def signed_terms(total: Sum) -> list[tuple[Placed, bool]]:
    """The terms of a sum with their signs, a negative term turned into its opposite with the other sign.

    A sum does not begin with a minus where it need not: b − a for −a + b.
    """
    found = _signed(total)
    first = next((place for place, (_, positive) in enumerate(found) if positive), 0)
    return [found[first], *found[:first], *found[first + 1 :]]


def _signed(total: Sum) -> list[tuple[Placed, bool]]:
    result: list[tuple[Placed, bool]] = []
    for term, positive in total.terms:
        if isinstance(term, Sum) and positive:
            result.extend(_signed(term))
            continue
        negative, bare = unsigned(term)
        result.append((at(bare, Level.BIG), positive != negative))
    return result
