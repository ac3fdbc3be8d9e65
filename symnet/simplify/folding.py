"""Folding: the value of an operation on scalar constants.

A quotient of whole numbers that is not whole stays a quotient (`2 / 50`), so that formulas keep their `1/N` and nothing
is rounded early. Numbers are folded in double precision and rounded once, when they meet the data type.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from symnet.errors import SymnetError
from symnet.expr import dtypes
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.interpret import run
from symnet.ops.leaves import number

LARGEST_TERM = 2**24
"""Quotients are kept while both terms are below this (exact in float32)."""

ARITHMETIC = frozenset(("add", "subtract", "multiply", "divide", "negative"))


def is_number(node: Expr) -> bool:
    """Whether this is a scalar constant or a quotient of two."""
    if node.op == "divide":
        return all(map(_is_constant, node.args))
    return _is_constant(node)


def _is_constant(node: Expr) -> bool:
    return node.op == "constant" and not node.shape


def exact_value(node: Expr) -> Fraction | None:
    """The value of a scalar constant or a quotient of two, when it is a short fraction."""
    if not is_number(node) or node.dtype == "bool":
        return None
    if node.op == "divide":
        top, bottom = (_as_fraction(part.attrs["value"]) for part in node.args)
        return top / bottom if top is not None and bottom else None
    return _as_fraction(node.attrs["value"])


def _as_fraction(value: float) -> Fraction | None:
    if not math.isfinite(value):
        return None
    fraction = Fraction(value)
    return fraction if fraction.denominator <= 1024 and abs(fraction.numerator) < 2**53 else None


def plain_value(node: Expr) -> Any:
    """The value of a scalar constant (or a quotient of two) as a Python number, or None."""
    if _is_constant(node):
        return node.attrs["value"]
    fraction = exact_value(node)
    return None if fraction is None else float(fraction)


def fold(node: Expr) -> Expr | None:
    """The constant (or quotient of two) that an operation on scalar constants stands for; None if it is no such."""
    values = [plain_value(arg) for arg in node.args]
    if any(value is None for value in values):
        return None
    if dtypes.is_float(node.dtype) and node.op in ARITHMETIC:
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
    try:
        result = run([twin], {}, {})[0].item()
    except SymnetError:  # it fails when it runs, with a better message
        return None
    if isinstance(result, float) and math.isnan(result):
        return None
    if node.op == "cast" and node.dtype == "float32":
        result = float(np.float32(result))
    return number(result, node.dtype)
