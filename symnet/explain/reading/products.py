"""Products as they are read: of matrices and vectors, Kronecker's, convolutions; transposes, inverses and powers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import ShapeError
from symnet.explain.alignment import squeezed, visible
from symnet.explain.reading.convolutions import windowed
from symnet.explain.reading.grammar import Tree
from symnet.explain.reading.values import Array, Lazy, Operand
from symnet.expr import dims

if TYPE_CHECKING:
    from symnet.explain.reading.reader import Reader


ONES = Tree("bold", ("1",))


def factor_of(tree: Tree) -> Callable[..., Any]:
    """The product of numbers; 0 log 0 is 0, as everybody means by t log p, and what 1[…] leaves out is 0."""
    if tree.tree(1).kind == "indicator":
        return lambda a, b: np.where(b == 0, 0.0, a * b)
    if tree.tree(1).kind == "call" and tree.tree(1).text(0) == "log":
        return lambda a, b: np.where(a == 0, 0, a * np.where(a == 0, 0, b))
    return np.multiply


def times(reader: Reader, tree: Tree) -> Operand:
    """A number times the rest, or a product of matrices; a factor 𝟏 is a vector of ones of the length that fits."""
    if ONES in tree.parts or Tree("transposed", (ONES,)) in tree.parts:
        return _with_ones(reader, tree)
    left, right = reader.evaluate(tree.tree(0)), reader.evaluate(tree.tree(1))
    for identity, other in ((left, right), (right, left)):
        matrix = isinstance(other, Array) and squeezed(other.shape)
        if isinstance(identity, Lazy) and identity.what == "I" and matrix:
            return other  # (a number times I is I scaled)
    if isinstance(left, Lazy) or isinstance(right, Lazy):
        return reader.elementwise(factor_of(tree), left, right)
    if not squeezed(left.shape) or not squeezed(right.shape):
        scaled = reader.elementwise(factor_of(tree), left, right)
        assert isinstance(scaled, Array)
        return Array(scaled.value, scaled.shape, row=left.row or right.row)
    return _matrix_product(reader.squeeze(left), reader.squeeze(right))


def _with_ones(reader: Reader, tree: Tree) -> Operand:
    """u 𝟏ᵀ is a matrix with all columns u, 𝟏 vᵀ one with all rows v; A 𝟏 has the sums of rows, 𝟏ᵀ A of columns."""
    left, right = tree.tree(0), tree.tree(1)
    if left == ONES:
        row = reader.squeeze(reader.array(right))
        return Array(row.value[None], (1, *row.shape), repeated=True) if row.shape else Array(row.value, ())
    if right == Tree("transposed", (ONES,)):
        column = reader.squeeze(reader.array(left))
        if not column.shape:
            return Array(column.value, ())
        return Array(column.value[..., None], (*column.shape, 1), repeated=True)
    if right == ONES:
        matrix = reader.squeeze(reader.array(left))
        return Array(matrix.value.sum(axis=-1), matrix.shape[:-1]) if matrix.shape else matrix
    matrix = reader.squeeze(reader.array(right))
    if len(matrix.shape) == 1:
        return Array(matrix.value.sum(), ())
    return Array(matrix.value.sum(axis=-2), (*matrix.shape[:-2], matrix.shape[-1]), row=True)


def _matrix_product(left: Array, right: Array) -> Array:
    """Rows times columns, on the last two axes; a vector is a column, its transpose a row."""
    one, other = len(left.shape) == 1, len(right.shape) == 1
    if one and other and right.row and not left.row:
        return Array(np.outer(left.value, right.value), (*left.shape, *right.shape))
    if one and other:
        return Array(np.dot(left.value, right.value), ())
    stacks = (left.shape[:-2], right.shape[:-2])
    lead = max(stacks, key=len)
    if any(stack not in ((), lead) for stack in stacks):
        raise ShapeError(f"no product of {dims.show(left.shape)} and {dims.show(right.shape)}")
    value = np.matmul(left.value, right.value)
    if one:
        return Array(value, (*lead, right.shape[-1]), row=left.row)
    return Array(value, (*lead, left.shape[-2], *(() if other else right.shape[-1:])))


def dot(reader: Reader, tree: Tree) -> Operand:
    left, right = reader.array(tree.tree(0)), reader.array(tree.tree(1))
    if not squeezed(left.shape) or not squeezed(right.shape):
        return reader.elementwise(np.multiply, left, right)
    return Array(np.dot(left.value.ravel(), right.value.ravel()), ())


def kron(reader: Reader, tree: Tree) -> Operand:
    left, right = reader.array(tree.tree(0)), reader.array(tree.tree(1))
    shape = tuple(map(dims.mul, left.shape, right.shape))
    return Array(np.kron(left.value, right.value), shape)


def convolved(reader: Reader, tree: Tree) -> Operand:
    return windowed(tree.kind, reader.array(tree.tree(0)), reader.array(tree.tree(1)), tree.text(2), reader.sizes)


def transposed(reader: Reader, tree: Tree) -> Operand:
    array = reader.array(tree.tree(0))
    axes = visible(array.shape)
    if len(axes) < 2:
        return Array(array.value, array.shape, row=not array.row)
    order = list(range(len(array.shape)))
    order[axes[-1]], order[axes[-2]] = axes[-2], axes[-1]
    return Array(array.value.transpose(order), tuple(array.shape[axis] for axis in order))


def inverse(reader: Reader, tree: Tree) -> Operand:
    base = reader.array(tree.tree(0))
    if len(squeezed(base.shape)) < 2:
        return reader.elementwise(np.reciprocal, base)
    return Array(np.linalg.inv(base.value), base.shape)


def power(reader: Reader, tree: Tree) -> Operand:
    base, exponent = reader.evaluate(tree.tree(0)), reader.evaluate(tree.tree(1))
    matrix = isinstance(base, Array) and len(squeezed(base.shape)) >= 2
    if matrix and not tree.text(2):
        assert isinstance(base, Array)
        assert isinstance(exponent, Array)
        return Array(np.linalg.matrix_power(base.value, int(exponent.value)), base.shape)
    return reader.elementwise(np.power, base, exponent)
