"""Constants: folding, quotients of whole numbers, casts, and the sizes of axes as numbers.

A quotient of whole numbers that is not whole stays a quotient (`2 / 50`), so that formulas keep their `1/N` and nothing
is rounded early. Numbers are folded in double precision and rounded once, when they meet the data type.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim
from symnet.expr.node import ArrayValue, Expr, make
from symnet.expr.op import lookup
from symnet.ops.interpret import run
from symnet.ops.leaves import iota as iota_node
from symnet.ops.leaves import number
from symnet.simplify.facts import finite
from symnet.simplify.pattern import attributes, computed, constants, operation, this, variables
from symnet.simplify.rule import rule
from symnet.simplify.shapes import has_dtype
from symnet.simplify.vocabulary import binary, broadcast_to, cast, dim, equal, stop_gradient, unary, where

x, y, z = variables("x y z")
c, d, e = constants("c d e")
D, E, S, T, V = attributes("D E S T V")
constant = operation("constant")

LARGEST_TERM = 2**24
"""Quotients are kept while both terms are below this (exact in float32)."""


def exact_value(node: Expr) -> Fraction | None:
    """The value of a scalar constant or a quotient of two, when it is a short fraction."""
    if node.op == "divide" and not node.shape:
        top, bottom = exact_value(node.args[0]), exact_value(node.args[1])
        return top / bottom if top is not None and bottom else None
    if node.op != "constant" or node.shape or node.dtype == "bool":
        return None
    value = node.attrs["value"]
    if isinstance(value, ArrayValue) or not math.isfinite(value):
        return None
    fraction = Fraction(value)
    return fraction if fraction.denominator <= 1024 and abs(fraction.numerator) < 2**53 else None


def plain_value(node: Expr) -> Any:
    """The value of a scalar constant (or a quotient of two) as a Python number, or None."""
    if node.op == "constant" and not node.shape and not isinstance(node.attrs["value"], ArrayValue):
        return node.attrs["value"]
    fraction = exact_value(node)
    return None if fraction is None else float(fraction)


@computed
def folded(node: Expr) -> Expr | None:
    """The value of an operation on constants."""
    values = [plain_value(arg) for arg in node.args]
    if any(value is None for value in values):
        return None
    if dtypes.is_float(node.dtype) and node.op in ("add", "subtract", "multiply", "divide", "negative"):
        fractions = [exact_value(arg) for arg in node.args]
        if all(fraction is not None for fraction in fractions):
            quotient = node.op == "divide" or any(arg.op == "divide" for arg in node.args)
            exactly = _exactly(node, [f for f in fractions if f is not None], quotient)
            if exactly is not None:
                return exactly
    return _numerically(node, values)


def _exactly(node: Expr, values: list[Fraction], quotient: bool) -> Expr | None:
    if node.op == "negative":
        result = -values[0]
    elif node.op == "add":
        result = values[0] + values[1]
    elif node.op == "subtract":
        result = values[0] - values[1]
    elif node.op == "multiply":
        result = values[0] * values[1]
    elif values[1] == 0:
        return None
    else:
        result = values[0] / values[1]
    short = abs(result.numerator) < LARGEST_TERM and result.denominator < LARGEST_TERM
    if quotient and result.denominator != 1 and short:
        return make(lookup("divide"), (number(result.numerator, node.dtype), number(result.denominator, node.dtype)))
    return number(float(result), node.dtype)


def _numerically(node: Expr, values: list[Any]) -> Expr | None:
    wide = ["float64" if dtypes.is_float(arg.dtype) else arg.dtype for arg in node.args]
    attrs = {**node.attrs, "dtype": "float64"} if node.op == "cast" and dtypes.is_float(node.dtype) else node.attrs
    twin = make(node.declaration, [number(v, t) for v, t in zip(values, wide, strict=True)], attrs)
    result = run([twin], {}, {})[0].item()
    if isinstance(result, float) and math.isnan(result):
        return None
    if node.op == "cast" and node.dtype == "float32":
        result = float(np.float32(result))
    return number(result, node.dtype)


@computed
def one_value(value: Any) -> float | int | bool | None:
    """The value of which an array constant is full."""
    if not isinstance(value, ArrayValue) or not value.array.size:
        return None
    array = value.array
    first = array.flat[0]
    return first.item() if array.tobytes() == first.tobytes() * array.size else None


@computed
def as_iota(value: Any) -> Expr | None:
    """0, 1, …, n-1 as an array constant."""
    if not isinstance(value, ArrayValue):
        return None
    array = value.array
    counts = array.dtype == np.int64 and array.ndim == 1 and array.size > 1
    return iota_node(array.size) if counts and np.array_equal(array, np.arange(array.size)) else None


@computed
def shape_of_value(value: Any) -> tuple[int, ...]:
    return tuple(value.array.shape)


_EXACT_IN = {
    "bool": ("int32", "int64", "float32", "float64"),
    "int32": ("int64", "float64"),
    "float32": ("float64",),
}


@computed
def holds_all_of(dtype: str, source: Expr) -> bool:
    """Whether `dtype` represents every value of the type of `source` exactly."""
    return dtype == source.dtype or dtype in _EXACT_IN.get(source.dtype, ())


@computed
def whole_size(size: Dim) -> int | None:
    return size if isinstance(size, int) else None


@computed
def product_of(a: Dim, b: Dim) -> Dim:
    return dims.mul(a, b)


@computed
def infinite(c: float) -> bool:
    return math.isinf(c)


@computed
def is_constant(x: Expr) -> bool:
    return x.op in ("constant", "iota") or not dtypes.is_float(x.dtype)


RULES = [
    rule("fold-unary", unary(c), folded(this), reason="a function of a constant is a constant"),
    rule("fold-binary", binary(x, y), folded(this), reason="an operation on constants is a constant", in_chains=True),
    rule("fold-where", where(c, d, e), folded(this), reason="a choice between constants is a constant"),
    rule("negative-quotient", -(c / d), (-c) / d, reason="the sign of a quotient of numbers belongs to its numerator"),
    rule(
        "constant-of-one-value",
        constant(value=V),
        broadcast_to(one_value(V), shape=shape_of_value(V)),
        reason="an array of equal elements is one number, repeated",
    ),
    rule("constant-counting", constant(value=V), as_iota(V), reason="0, 1, 2, … are the positions along an axis"),
    rule(
        "finite-is-not-infinite",
        equal(x, c),
        False,
        condition=(infinite(c), finite(x)),
        assumption="x is finite",
        reason="a finite number equals no infinity",
    ),
    rule("cast-to-itself", cast(x, dtype=D), x, condition=has_dtype(x, D), reason="the value has that type already"),
    rule(
        "cast-twice",
        cast(cast(x, dtype=D), dtype=E),
        cast(x, dtype=E),
        condition=holds_all_of(D, x),
        reason="the type between holds every value exactly",
    ),
    rule("cast-of-size", cast(dim(size=S), dtype=D), dim(size=S, dtype=D), reason="a size can be written in any type"),
    rule("size-known", dim(size=S), whole_size(S), reason="the axis has a fixed size"),
    rule(
        "product-of-sizes",
        dim(size=S) * dim(size=T, dtype=D),
        dim(size=product_of(S, T), dtype=D),
        reason="a product of sizes is the size of a product",
    ),
    rule(
        "stop-gradient-of-constant",
        stop_gradient(x),
        x,
        condition=is_constant(x),
        reason="no derivative flows through constants and whole numbers anyway",
    ),
    rule(
        "stop-gradient-twice",
        stop_gradient(stop_gradient(x)),
        stop_gradient(x),
        reason="nothing flows through the inner one already",
    ),
]
