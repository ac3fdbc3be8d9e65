"""In which type an update computes.

Hyperparameters are float64, and so is what follows from them alone: a bias correction 1 - β₂ᵗ loses four digits in
float32. Arrays are of the parameter's type. By the ordinary rule a float64 number that meets a float32 array would turn
the whole update into float64; here it is the number that gives way.
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet import ops
from symnet.errors import ShapeError
from symnet.expr import dims
from symnet.expr.node import Expr, rebuild

__all__ = ["in_dtype", "settled"]


def settled(
    pairs: Sequence[tuple[Expr, Expr]], arrays: Sequence[Expr], dtype: str, who: str
) -> list[tuple[Expr, Expr]]:
    """Pairs (parameter or state, new value) with each value in the type and shape of what it is stored in.

    arrays  the parameter, its gradient and its state; with float64 ones left out they are of type `dtype`
    who     whose update it is, for the message when a shape does not fit
    """
    for node, value in pairs:
        if dims.broadcast(value.shape, node.shape) != node.shape:
            raise ShapeError(
                f"{who}: the new value of {node.name!r} has shape {dims.show(value.shape)}, "
                f"expected {dims.show(node.shape)}"
            )
    rounded = [(node, value) for node, value in pairs if node.dtype != "float64"]
    exact = [(node, value) for node, value in pairs if node.dtype == "float64"]
    own = [node for node in arrays if node.dtype != "float64"]
    values = in_dtype(dtype, own, [value for _, value in rounded])
    found = [*zip((node for node, _ in rounded), values, strict=True), *exact]
    return [(node, ops.broadcast_to(ops.cast(value, node.dtype), node.shape)) for node, value in found]


def in_dtype(dtype: str, own: Sequence[Expr], values: Sequence[Expr]) -> list[Expr]:
    """The new `values` of a parameter and its state, computed in the parameter's `dtype`.

    own  the parameter, its gradient and its state: what depends on them is an array, even for a scalar parameter

    Casts of arrays to float64 are undone, and where float64 values that depend on no array meet one, they are cast to
    `dtype`. State that was declared as float64 is left out of `own`: it yields in the same way.
    """
    if dtype == "float64":
        return list(values)
    arrays = {id(node) for node in own}
    new: dict[int, Expr] = {}
    for node in _inside(values, frozenset(arrays)):
        if id(node) in arrays or not any(id(arg) in arrays for arg in node.args):
            new[id(node)] = node
        else:
            arrays.add(id(node))
            new[id(node)] = _rebuilt(node, [_met(arg, new[id(arg)], arrays, dtype) for arg in node.args], dtype)
    return [new[id(value)] for value in values]


def _met(old: Expr, new: Expr, arrays: set[int], dtype: str) -> Expr:
    """An operand as an array meets it."""
    if new.dtype != "float64" or id(old) in arrays:
        return new
    if new.op == "constant" and not new.shape:
        return ops.constant(new.attrs["value"], dtype)
    return ops.cast(new, dtype)


def _rebuilt(node: Expr, args: list[Expr], dtype: str) -> Expr:
    if node.op == "cast" and node.attrs["dtype"] in ("float64", dtype):
        return ops.cast(args[0], dtype)
    return rebuild(node, args)


def _inside(roots: Sequence[Expr], leaves: frozenset[int]) -> list[Expr]:
    """The nodes under the roots, operands first, without going into those that count as leaves (the gradient)."""
    order: list[Expr] = []
    seen: set[int] = set()
    stack: list[tuple[Expr, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            if id(node) not in leaves:
                stack.extend((arg, False) for arg in reversed(node.args))
    return order
