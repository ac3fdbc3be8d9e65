"""Expressions evaluated in exact fractions, where their operations are rational: both sides of an algebraic rule are
then equal or they are not.

Two rational functions that agree at random points of a large set are the same function, but for a chance that falls
with the size of the set (Schwartz 1980, Zippel 1979).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from symnet.expr import dims
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.traverse import postorder

Array = np.ndarray
Sizes = Mapping[str, int]


class Irrational(Exception):
    """An operation that leaves the rational numbers, or a value that is none of them."""


def evaluate(roots: list[Expr], values: Mapping[str, Array], sizes: Sizes) -> list[Array]:
    """The values of the roots as arrays of fractions (floats), or plain arrays (integers and conditions)."""
    known: dict[int, Array] = {}
    for node in postorder(roots):
        known[id(node)] = np.asarray(_value(node, [known[id(arg)] for arg in node.args], values, sizes))
    return [known[id(root)] for root in roots]


def _value(node: Expr, args: list[Array], values: Mapping[str, Array], sizes: Sizes) -> Array:
    if node.op == "input":
        return fractions(values[node.attrs["name"]]) if _is_float(node) else values[node.attrs["name"]]
    if node.op == "constant":
        value = node.attrs["value"]
        array = value.array if isinstance(value, ArrayValue) else np.asarray(value)
        return fractions(array) if _is_float(node) else array
    if not _is_float(node) and not any(map(_is_float, node.args)):
        return _by_numpy(node, args, sizes)
    if node.op in _ELEMENTS:
        return np.asarray(np.frompyfunc(_ELEMENTS[node.op], len(args), 1)(*args))
    if node.op in _ARRAYS:
        return _ARRAYS[node.op](node, args, sizes)
    if node.op in _MOVES:
        return _by_numpy(node, args, sizes)
    raise Irrational(node.op)


def _is_float(node: Expr) -> bool:
    return node.dtype in ("float32", "float64")


def fractions(array: Any) -> Array:
    """An array as fractions, exactly."""
    plain = np.asarray(array)
    if plain.dtype.kind == "f" and not np.isfinite(plain).all():
        raise Irrational("an infinity")
    return np.asarray(np.frompyfunc(lambda v: Fraction(v.item() if hasattr(v, "item") else v), 1, 1)(plain), object)


def _by_numpy(node: Expr, args: list[Array], sizes: Sizes) -> Array:
    assert node.declaration.numpy is not None
    return np.asarray(node.declaration.numpy(node, args, sizes))


def _power(x: Fraction, p: Fraction) -> Fraction:
    if p.denominator != 1 or (p < 0 and x == 0):
        raise Irrational("a root")
    return x ** int(p)


def _divide(a: Fraction, b: Fraction) -> Fraction:
    if b == 0:
        raise ZeroDivisionError
    return a / b


_ELEMENTS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": _divide,
    "negative": lambda a: -a,
    "absolute": abs,
    "sign": lambda a: Fraction((a > 0) - (a < 0)),
    "square": lambda a: a * a,
    "reciprocal": lambda a: _divide(Fraction(1), a),
    "power": _power,
    "minimum": min,
    "maximum": max,
    "relu": lambda a: max(a, Fraction(0)),
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "where": lambda c, a, b: a if c else b,
}


def _cast(node: Expr, args: list[Array], sizes: Sizes) -> Array:
    if not _is_float(node):
        raise Irrational("a conversion to whole numbers")
    return args[0] if _is_float(node.args[0]) else fractions(args[0])


def _dim(node: Expr, args: list[Array], sizes: Sizes) -> Array:
    return fractions(dims.evaluate(node.attrs["size"], sizes))


def _reduction(function: Callable[[list[Fraction]], Fraction]) -> Callable[[Expr, list[Array], Sizes], Array]:
    def apply(node: Expr, args: list[Array], sizes: Sizes) -> Array:
        axes, x = node.attrs["axes"], args[0]
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        rows = x.transpose([*kept, *axes]).reshape([*(x.shape[axis] for axis in kept), -1])
        result = np.empty(rows.shape[:-1], object)
        for index in np.ndindex(result.shape):
            result[index] = function(list(rows[index]))
        if node.attrs["keepdims"]:
            result = result.reshape([1 if axis in axes else size for axis, size in enumerate(x.shape)])
        return result

    return apply


def _product(row: list[Fraction]) -> Fraction:
    total = Fraction(1)
    for value in row:
        total *= value
    return total


def _one_hot(node: Expr, args: list[Array], sizes: Sizes) -> Array:
    return fractions(np.asarray(args[0])[..., None] == np.arange(dims.evaluate(node.attrs["classes"], sizes)))


def _contract(node: Expr, args: list[Array], sizes: Sizes) -> Array:
    if node.attrs["sizes"]:
        raise Irrational("an affine contraction")
    return np.asarray(np.einsum(node.attrs["spec"], *args), object)


def _place(node: Expr, args: list[Array], sizes: Sizes) -> Array:
    result = np.full(dims.evaluate_shape(node.shape, sizes), fractions(node.attrs["fill"]).item(), object)
    where = [
        [dims.evaluate(start, sizes) + step * i for i in range(count)]
        for start, step, count in zip(node.attrs["start"], node.attrs["step"], args[0].shape, strict=True)
    ]
    result[np.ix_(*where)] = args[0]
    return result


_ARRAYS: dict[str, Callable[[Expr, list[Array], Sizes], Array]] = {
    "cast": _cast,
    "dim": _dim,
    "sum": _reduction(lambda row: sum(row, Fraction(0))),
    "mean": _reduction(lambda row: sum(row, Fraction(0)) / len(row)),
    "prod": _reduction(_product),
    "max": _reduction(max),
    "min": _reduction(min),
    "one_hot": _one_hot,
    "contract": _contract,
    "place": _place,
    "trace": lambda node, args, sizes: np.trace(args[0], axis1=-2, axis2=-1),
}
_MOVES = frozenset("reshape transpose broadcast_to slice concat gather stop_gradient argmax argmin".split())
