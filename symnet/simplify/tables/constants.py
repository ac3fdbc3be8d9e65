"""Constants: folding (see `folding.py`), casts, and the sizes of axes as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim
from symnet.expr.node import ArrayValue, Expr
from symnet.ops.leaves import iota as iota_node
from symnet.simplify.folding import fold
from symnet.simplify.pattern import attributes, computed, constants, operation, this, variables
from symnet.simplify.rule import rule
from symnet.simplify.shapes import has_dtype
from symnet.simplify.vocabulary import binary, broadcast_to, cast, dim, stop_gradient, unary, where

x, y, z = variables("x y z")
c, d, e = constants("c d e")
D, E, S, T, V = attributes("D E S T V")
constant = operation("constant")

folded = computed(fold)


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
