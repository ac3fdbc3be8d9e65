"""In which type an update computes.

Hyperparameters are float64, and so is what follows from them alone: a bias correction 1 - β₂ᵗ loses four digits in
float32. Arrays are of the parameter's type. By the ordinary rule a float64 number that meets a float32 array would turn
the whole update into float64; here it is the number that gives way.
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet import ops
from symnet.expr.node import Expr, rebuild

__all__ = ["in_dtype"]


def in_dtype(p: Expr, g: Expr, values: Sequence[Expr]) -> list[Expr]:
    """`values`, expressions of the parameter `p` and its gradient `g`, computed in the type of p.

    A value that depends on p, g or state is an array (of any shape, a scalar parameter's too); one that does not is a
    number. Casts of arrays to float64 are undone, and where a float64 number meets an array it is cast to p's type.
    """
    if p.dtype == "float64":
        return list(values)
    new: dict[int, Expr] = {}
    arrays: set[int] = set()
    for node in _inside(values, g):
        if node is g or node is p or node.op in ("state", "input", "parameter"):
            arrays.add(id(node))
            new[id(node)] = ops.cast(node, p.dtype) if node.dtype == "float64" else node
        elif not any(id(arg) in arrays for arg in node.args):
            new[id(node)] = node
        else:
            arrays.add(id(node))
            new[id(node)] = _rebuilt(node, [_met(arg, new[id(arg)], arrays, p.dtype) for arg in node.args])
    return [new[id(value)] for value in values]


def _met(old: Expr, new: Expr, arrays: set[int], dtype: str) -> Expr:
    """An operand as an array meets it."""
    if new.dtype != "float64" or id(old) in arrays:
        return new
    if new.op == "constant" and not new.shape:
        return ops.constant(new.attrs["value"], dtype)
    return ops.cast(new, dtype)


def _rebuilt(node: Expr, args: list[Expr]) -> Expr:
    if node.op == "cast" and node.attrs["dtype"] in ("float64", args[0].dtype):
        return args[0]
    return rebuild(node, args)


def _inside(roots: Sequence[Expr], g: Expr) -> list[Expr]:
    """The nodes under the roots, operands first, without going into the gradient."""
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
            if node is not g:
                stack.extend((arg, False) for arg in reversed(node.args))
    return order
