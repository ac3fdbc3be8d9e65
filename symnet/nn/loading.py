"""Values from outside for the parameters and buffers of a module: what `Module.load_state_dict` checks and makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symnet.errors import ShapeError
from symnet.expr import dims
from symnet.expr.node import ArrayValue, Expr, make
from symnet.runtime.arrays import as_array

__all__ = ["with_trainable", "with_values"]


def with_values(nodes: Mapping[str, Expr], given: Mapping[str, object], what: str) -> dict[Expr, Expr]:
    """For each parameter or buffer with a given value, one that starts from it and is the same otherwise."""
    new: dict[Expr, Expr] = {}
    for name, node in nodes.items():
        if name not in given:
            continue
        array = as_array(f"{what}: {name}", given[name], node.dtype)
        if array.shape != node.shape:
            raise ShapeError(f"{what}: {name} has the shape {dims.show(array.shape)}, expected {dims.show(node.shape)}")
        new[node] = make(node.declaration, (), {**node.attrs, "init": ArrayValue(array)})
    return new


def with_trainable(nodes: Sequence[Expr], trainable: bool) -> dict[Expr, Expr]:
    """The parameters as ones that are trained or not; those that cannot be learned (integers) stay as they are."""
    return {
        node: make(node.declaration, (), {**node.attrs, "trainable": trainable})
        for node in nodes
        if node.dtype in ("float32", "float64")
    }
