"""How numbers, dimensions and the leaves of a graph are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from symnet.explain.constants import known_constant
from symnet.explain.identifiers import axis_letter, pi_is_free, symbol
from symnet.explain.notation import (
    Call,
    Extent,
    Form,
    Negative,
    Number,
    Product,
    Sum,
    Symbol,
    Vector,
)
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import ArrayValue, Expr

Writer = Callable[[Expr, Sequence[Form]], Form]


def number(value: float | int | bool) -> Number:
    """A number as people write it."""
    if isinstance(value, bool):
        return Number(str(value))
    text = _digits(value) if isinstance(value, float) else str(value)
    mantissa, _, exponent = text.partition("e")
    text = f"{mantissa}e{int(exponent)}" if exponent else text
    return Number(text.replace("inf", "∞").replace("-", "−"))


def _digits(value: float) -> str:
    """Nine digits, or twelve where a number has more than those of float32."""
    short = f"{value:.9g}"
    return short if float(short) == value or float(np.float32(value)) == value else f"{value:.12g}"


def is_number(node: Expr) -> bool:
    """Whether a node holds one number (all its axes have size 1), maybe repeated by broadcasting."""
    return all(dim == 1 for dim in core(node).shape)


def core(node: Expr) -> Expr:
    """What a node has the elements of, repeated or in another shape."""
    while node.op in ("broadcast_to", "reshape", "cast"):
        node = node.args[0]
    return node


def _named(node: Expr, args: Sequence[Form]) -> Form:
    return symbol(str(node.name))


def _constant(node: Expr, args: Sequence[Form]) -> Form:
    value = node.attrs["value"]
    if not isinstance(value, ArrayValue):
        known = known_constant(abs(value), pi_is_free()) if isinstance(value, float) else None
        return number(value) if known is None else known if value > 0 else Negative(known)
    array = value.array
    if array.size and (array == array.flat[0]).all():
        plain = number(array.flat[0].item())
        return Number(plain.text, bold=bool(array.shape))
    if array.ndim == 1 and array.size <= _WRITTEN_OUT:
        return Vector(tuple(number(entry) for entry in array.tolist()))
    return Call("array", (extent(array.shape),))


def is_table(node: Expr) -> bool:
    """Whether a constant is an array that is not written out: it has a name and a line in the legend."""
    value = node.attrs["value"]
    if not isinstance(value, ArrayValue) or not value.array.size:
        return False
    array = value.array
    return not ((array == array.flat[0]).all() or (array.ndim == 1 and array.size <= _WRITTEN_OUT))


_WRITTEN_OUT = 4


def _iota(node: Expr, args: Sequence[Form]) -> Form:
    """Positions along an axis: n for that of a named dimension N, else range(5)."""
    size = node.attrs["size"]
    if size == 1:
        return Number("0")
    return Symbol(axis_letter(size, 0)) if is_named(size) else Call("range", (dimension(size),))


def is_named(dim: Dim) -> bool:
    """Whether an axis has a letter of its own, that of its named dimension."""
    return isinstance(dim, str) and dim.isidentifier()


def _dim(node: Expr, args: Sequence[Form]) -> Form:
    return dimension(node.attrs["size"])


def dimension(dim: Dim) -> Form:
    """The size of an axis as a formula: N, or the polynomial 2 N T + 1."""
    if isinstance(dim, int):
        return number(dim)
    terms = []
    for names, coefficient in dims.terms(dim):
        factors: list[Form] = [symbol(name) for name in names]
        if abs(coefficient) != 1 or not names:
            factors.insert(0, number(abs(coefficient)))
        terms.append((factors[0] if len(factors) == 1 else Product("scale", tuple(factors)), coefficient > 0))
    return terms[0][0] if len(terms) == 1 and terms[0][1] else Sum(tuple(terms))


def extent(shape: Shape) -> Form:
    return Extent(tuple(map(dimension, shape)))


def _arg(node: Expr, args: Sequence[Form]) -> Form:
    return Symbol("a", str(node.attrs["index"]))


TABLE: dict[str, Writer] = {
    **dict.fromkeys(("input", "parameter", "state", "hyper"), _named),
    "constant": _constant,
    "iota": _iota,
    "dim": _dim,
    "arg": _arg,
}
