"""How factors and triangular solutions are computed: elimination, column by column within a block of columns.

Everything here is a plain expression, so every backend has it and named sizes work. A matrix whose size is known is cut
into blocks: inside a block a `scan` eliminates one column after the other, and what a block does to the rest of the
matrix is one product of matrices, where most of the arithmetic is. A matrix of named size is one block.

A step of a scan is given the column (and the pivot row) that it eliminates with by the step before, so it reads nothing
of the matrix but the element that it overwrites, and the matrix is changed in place.

Axes before the last two are a stack of matrices. Nothing is checked: a zero pivot divides, and what cannot be factored
becomes inf or nan.
"""

from __future__ import annotations

from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.ops.arrange import matrix_transpose, moveaxis, ones
from symnet.ops.index import take, take_along_axis
from symnet.ops.leaves import dim as number_of
from symnet.ops.leaves import iota
from symnet.ops.loops import scan
from symnet.ops.products import matmul
from symnet.ops.reduce import argmax
from symnet.ops.scalar import absolute, equal, maximum, minimum, sqrt, where
from symnet.ops.shape import concat, place, take_slice

BLOCK = 32
"""Columns that are eliminated one by one before the rest of the matrix is changed by one product."""

MOST_BLOCKS = 8
"""Blocks of a large matrix, which are wider then."""


def lu(a: Expr) -> tuple[Expr, Expr]:
    """The factors of a square matrix with its rows in another order, and that order: a[rows] = L U.

    Gives the packed factors (L, whose diagonal of ones is not stored, below U) and the rows as int64. In each column
    the largest remaining element is the pivot (the first of several; nan counts as largest). Rows are not exchanged:
    those that have been a pivot are marked, and all are put in order at the end.

    Where no pivot but 0 is left, nothing is eliminated, so that U has a 0 on its diagonal, as LAPACK's.
    """
    spans = _spans(a.shape[-1])
    free, rest = ones(a.shape[:-1], "bool"), a
    order, lower, upper = [], [], []
    for start, width in spans:
        pivots, panel, free = _eliminate(_part(rest, -1, 0, width), free)
        corner = rows_at(panel, pivots)
        if len(spans) == 1:
            return corner, pivots
        if (start, width) != spans[-1]:
            rest = _part(rest, -1, width)
            right = substitute(corner, rows_at(rest, pivots), lower=True, unit=True)
            rest = rest - matmul(where(free[..., None], panel, 0), right)
            corner = concat([corner, right], -1)
        order.append(pivots)
        lower.append(panel)
        upper.append(_after_zeros(corner, -1, start))
    rows = concat(order, -1)
    index = iota(a.shape[-1])
    return where(index[:, None] > index, rows_at(concat(lower, -1), rows), concat(upper, -2)), rows


def _eliminate(panel: Expr, free: Expr) -> tuple[Expr, Expr, Expr]:
    """The rows chosen as pivots of a block of columns, the block with L and U in it, and the rows still free."""
    height, width = panel.shape[-2:]
    rows, columns = iota(height), iota(width)

    def pivot(matrix: Expr, column: Expr, free: Expr) -> tuple[Expr, Expr]:
        chosen = argmax(where(free, absolute(column), -1), -1)
        return chosen, _row(matrix, chosen)

    def step(carry: tuple[Expr, ...], at: tuple[Expr, Expr]) -> tuple[tuple[Expr, ...], Expr]:
        (matrix, free, column, chosen, row), (now, after) = carry, at
        free = free & (rows != chosen[..., None])
        best = take(row, now, -1)[..., None]
        factors = where(free & (best != 0), column / where(equal(best, 0), 1, best), 0)
        changed = matrix - factors[..., None] * where(columns > now, row, 0)[..., None, :]
        changed = where(free[..., None] & (columns == now), factors[..., None], changed)
        column = take(changed, after, -1)
        return (changed, free, column, *pivot(changed, column, free)), chosen

    first = panel[..., 0]
    begin = (panel, free, first, *pivot(panel, first, free))
    chosen, (panel, free, *_) = scan(step, begin, (columns, _next(columns, width)))
    return moveaxis(chosen, 0, -1), panel, free


def cholesky(a: Expr) -> Expr:
    """The lower triangular L with L Lᵀ = a, of which only the lower triangle is read."""
    rest, columns = a, []
    for start, width in _spans(a.shape[-1]):
        panel = _part(rest, -1, 0, width)
        column = corner = _cholesky_block(_part(panel, -2, 0, width))
        if panel.shape[-2] != width:
            below = _part(panel, -2, width)
            below = matrix_transpose(substitute(corner, matrix_transpose(below), lower=True))
            rest = _part(_part(rest, -1, width), -2, width) - matmul(below, matrix_transpose(below))
            column = concat([corner, below], -2)
        columns.append(_after_zeros(column, -2, start))
    return concat(columns, -1)


def _cholesky_block(a: Expr) -> Expr:
    size = a.shape[-1]
    rows = iota(size)

    def step(carry: tuple[Expr, Expr], at: tuple[Expr, Expr]) -> tuple[tuple[Expr, Expr], Expr]:
        (matrix, column), (now, after) = carry, at
        column = where(rows >= now, column / sqrt(take(column, now, -1))[..., None], 0)
        matrix = matrix - column[..., None] * column[..., None, :]
        return (matrix, take(matrix, after, -1)), column

    columns, _ = scan(step, (a, a[..., 0]), (rows, _next(rows, size)))
    return moveaxis(columns, 0, -1)


def substitute(t: Expr, b: Expr, lower: bool, unit: bool = False) -> Expr:
    """The solution x of t x = b, of which triangular matrix only the triangle is read (without its diagonal if `unit`).

    The rows of x are found from the first (`lower`) or the last one on, a block at a time.
    """
    spans = _spans(t.shape[-1])
    solved: list[Expr] = []
    for start, width in spans if lower else reversed(spans):
        rows, right = _part(t, -2, start, width), _part(b, -2, start, width)
        if solved:
            known = _part(rows, -1, 0, start) if lower else _part(rows, -1, dims.add(start, width))
            right = right - matmul(known, concat(solved, -2))
        found = _substitute_block(_part(rows, -1, start, width), right, lower, unit)
        solved = [*solved, found] if lower else [found, *solved]
    return concat(solved, -2)


def _substitute_block(t: Expr, b: Expr, lower: bool, unit: bool) -> Expr:
    size = t.shape[-1]
    rows = iota(size)

    def step(carry: tuple[Expr, Expr], at: tuple[Expr, Expr, Expr]) -> tuple[tuple[Expr, Expr], Expr]:
        (rest, row), (column, now, after) = carry, at
        x = row if unit else row / take(column, now, -1)[..., None]
        factors = where(rows > now if lower else rows < now, column, 0)
        rest = rest - factors[..., None] * x[..., None, :]
        return (rest, take(rest, after, -2)), x

    begin = (b, b[..., 0 if lower else -1, :])
    after = _next(rows, size) if lower else maximum(rows - 1, 0)
    solved, _ = scan(step, begin, (moveaxis(t, -1, 0), rows, after), reverse=not lower)
    return moveaxis(solved, 0, -2)


# --- parts of matrices -------------------------------------------------------------------------------------------


def _spans(size: Dim) -> list[tuple[int, Dim]]:
    """Where blocks begin, and how wide they are; not more than `MOST_BLOCKS`, for the sake of short programs."""
    if not isinstance(size, int):
        return [(0, size)]
    width = max(BLOCK, -(-size // MOST_BLOCKS))
    return [(start, min(width, size - start)) for start in range(0, size, width)]


def _part(x: Expr, axis: int, start: Dim, width: Dim | None = None) -> Expr:
    """`width` places (None: all that follow) along one axis, from `start` on."""
    axis += x.ndim
    width = dims.sub(x.shape[axis], start) if width is None else width
    size = [width if a == axis else dim for a, dim in enumerate(x.shape)]
    return take_slice(x, [start if a == axis else 0 for a in range(x.ndim)], [1] * x.ndim, size)


def _after_zeros(x: Expr, axis: int, count: int) -> Expr:
    """`x` after `count` zeros along one axis."""
    if not count:
        return x
    axis += x.ndim
    shape = [dims.add(dim, count) if a == axis else dim for a, dim in enumerate(x.shape)]
    return place(x, [count if a == axis else 0 for a in range(x.ndim)], [1] * x.ndim, shape)


def rows_at(x: Expr, index: Expr) -> Expr:
    """The rows of each matrix at its positions."""
    return take(x, index, -2) if index.ndim == 1 else take_along_axis(x, index[..., None], -2)


def _row(x: Expr, index: Expr) -> Expr:
    """One row of each matrix."""
    return take(x, index, -2) if index.ndim == 0 else take_along_axis(x, index[..., None, None], -2)[..., 0, :]


def _next(positions: Expr, size: Dim) -> Expr:
    """The position after each; the last one again after itself, where what is read there is not used."""
    return minimum(positions + 1, _last(size))


def _last(size: Dim) -> Expr | int:
    return size - 1 if isinstance(size, int) else number_of(size) - 1
