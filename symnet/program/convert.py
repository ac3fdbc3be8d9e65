"""A program in another floating-point type: every float of a graph, leaves and casts alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symnet.errors import DTypeError
from symnet.expr import dtypes
from symnet.expr.function import Function
from symnet.expr.node import ArrayValue, Expr, label, make
from symnet.expr.traverse import postorder


def to_dtype(roots: Sequence[Expr], dtype: str) -> list[Expr]:
    """The same graphs with all floats of `dtype`; integers, bools and hyperparameters (float64) stay."""
    wanted = dtypes.canonical(dtype)
    if not dtypes.is_float(wanted):
        raise DTypeError(f"dtype: a program computes in float32 or float64, got {dtype!r}")
    new: dict[int, Expr] = {}
    for node in postorder(roots):
        args = [new[id(arg)] for arg in node.args]
        result = make(node.declaration, args, _attrs(node, wanted))
        if result is not node and node._label is not None:
            label(result, node._label)
        new[id(node)] = result
    return [new[id(root)] for root in roots]


def _attrs(node: Expr, dtype: str) -> Mapping[str, Any]:
    attrs = dict(node.attrs)
    if attrs.get("dtype") in dtypes.FLOATS:
        attrs["dtype"] = dtype
    for name, value in attrs.items():
        if isinstance(value, ArrayValue) and value.array.dtype.name in dtypes.FLOATS:
            attrs[name] = ArrayValue(value.array.astype(dtype))
        elif isinstance(value, Function):
            converted = to_dtype([*value.parameters, *value.results], dtype)
            count = len(value.parameters)
            attrs[name] = Function(converted[:count], converted[count:])
    return attrs
