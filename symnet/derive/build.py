"""What derivatives need of their own: sums of contributions, constants, and walks that stop at a boundary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import count

from symnet.expr import dtypes
from symnet.expr.dims import Shape
from symnet.expr.function import bodies
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup


def apply(op: str, *args: Expr, **attrs: object) -> Expr:
    """The node of the operation `op` on `args`."""
    return make(lookup(op), args, attrs)


def full(value: float, shape: Shape, dtype: str) -> Expr:
    """An array of `shape` with every element `value`."""
    scalar = apply("constant", value=float(value), dtype=dtype)
    return apply("broadcast_to", scalar, shape=shape) if shape else scalar


def zeros_like(node: Expr) -> Expr:
    return full(0.0, node.shape, node.dtype)


# Nodes at which a walk stops: a set or a mapping. (Never a list: `in` would compare expressions with `==`.)
Boundary = AbstractSet[Expr] | Mapping[Expr, object]

# Placeholders are arguments with numbers beyond those of any Function's parameters, each used once.
_numbers = count(10**9)


def placeholder(shape: Shape, dtype: str) -> Expr:
    """A leaf like no other that stands for a cotangent until it is replaced."""
    return apply("arg", index=next(_numbers), shape=shape, dtype=dtype)


def total(contributions: Sequence[Expr]) -> Expr:
    """The sum of one or more expressions of equal shape and type, added from left to right."""
    result = contributions[0]
    for contribution in contributions[1:]:
        result = apply("add", result, contribution)
    return result


def carries_derivative(node: Expr) -> bool:
    """Whether a derivative can flow through this value: floating point, or a tuple that may hold some."""
    return dtypes.is_float(node.dtype) or node.dtype == "tuple"


def item_count(node: Expr) -> int:
    """How many items a tuple-valued node has: as many as its body has results."""
    return len(next(iter(bodies(node).values())).results)


def postorder_above(roots: Iterable[Expr], boundary: Boundary) -> list[Expr]:
    """As `traverse.postorder`, but nothing below a node of `boundary` is visited (the boundary itself is)."""
    order: list[Expr] = []
    seen: set[int] = set()
    stack: list[tuple[Expr, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            if node not in boundary:
                stack.extend((arg, False) for arg in reversed(node.args) if id(arg) not in seen)
    return order


def depends(order: Iterable[Expr], sources: Iterable[Expr], boundary: Boundary = frozenset()) -> set[int]:
    """The ids of the nodes of `order` (a postorder) on a path from `sources` along which a derivative can flow."""
    active = {id(source) for source in sources if carries_derivative(source)}
    for node in order:
        if node not in boundary and carries_derivative(node) and any(id(arg) in active for arg in node.args):
            active.add(id(node))
    return active
