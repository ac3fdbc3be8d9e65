"""How much work an operation is: an estimate that only serves to compare two ways to compute the same thing.

The unit is one addition of two elements. A named dimension counts as 64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from symnet.expr import dims

if TYPE_CHECKING:
    from symnet.expr.dims import Dim, Shape
    from symnet.expr.node import Expr

NOMINAL_SIZE = 64


def size(dim: Dim) -> float:
    """A dimension, with nominal sizes for named ones."""
    if isinstance(dim, int):
        return float(dim)
    return float(sum(c * NOMINAL_SIZE ** len(names) for names, c in dims.terms(dim)))


def elements(shape: Shape) -> float:
    """The number of elements, with nominal sizes for named dimensions."""
    total = 1.0
    for dim in shape:
        total *= size(dim)
    return total


def per_operand(work: float) -> Callable[[Expr], float]:
    """So much for each element of the first operand: what a reduction reads."""
    return lambda node: work * elements(node.args[0].shape)


def per_matrix(work: float) -> Callable[[Expr], float]:
    """So much times n³ for each n × n matrix, and 4 n for each element of a right side."""

    def estimate(node: Expr) -> float:
        matrix, *right = node.args
        return size(matrix.shape[-1]) * (work * elements(matrix.shape) + sum(4.0 * elements(b.shape) for b in right))

    return estimate
