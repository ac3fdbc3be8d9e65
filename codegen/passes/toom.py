"""Short convolutions with fewer multiplications: the matrices of Toom and Cook, and sums by them as statements.

    y[i] = sum(u) d[i + u] * g[u]        for i < m, u < r        is        y = A^T ((G g) * (B^T d))

with one product for each of the m + r - 1 points at which the polynomials g and y are taken, where the plain sum has
m r. In two dimensions every matrix is applied along both. (S. Winograd, Arithmetic Complexity of Computations, 1980;
A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016.)

The sixth point is infinity. B^T depends on the points alone, so that all m + r = 7 share it. The finite ones are 0 and
two pairs ±p, whose sums are shared. How far rounding goes depends on which: of the dyadic ones, 5/8 and 3/2 are about
the best for 3 taps (0, ±1, ±2 lose twice as much); see docs/numerics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import prod

from codegen.loops.grammar import Apply, Const, Let, Ref, Scalar, Stmt

POINTS = (Fraction(0), Fraction(5, 8), Fraction(-5, 8), Fraction(3, 2), Fraction(-3, 2))
"""The finite points."""

SIZE = len(POINTS) + 1
"""Products, and elements of a window."""

Matrix = tuple[tuple[Fraction, ...], ...]


@lru_cache(maxsize=1)
def of_windows() -> Matrix:
    """B^T: what windows are multiplied by. Each row is the product of all x - p but one, by powers of x."""
    rows = [_product([q for q in POINTS if q != p]) for p in POINTS]
    return tuple((*row, *[Fraction(0)] * (SIZE - len(row))) for row in (*rows, _product(POINTS)))


@lru_cache
def of_filters(taps: int) -> Matrix:
    """G: what filters are multiplied by."""
    scales = [prod((p - q for q in POINTS if q != p), start=Fraction(1)) for p in POINTS]
    rows = [tuple(p**power / scale for power in range(taps)) for p, scale in zip(POINTS, scales, strict=True)]
    return (*rows, _last(taps))


@lru_cache
def of_results(results: int) -> Matrix:
    """A^T: what the products are multiplied by."""
    return transposed((*(tuple(p**power for power in range(results)) for p in POINTS), _last(results)))


def transposed(matrix: Sequence[tuple[Fraction, ...]]) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _product(points: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The coefficients of the product of all x - p, that of the lowest power first."""
    row = [Fraction(1)]
    for point in points:
        row = [low - point * high for low, high in zip([Fraction(0), *row], [*row, Fraction(0)], strict=True)]
    return tuple(row)


def _last(count: int) -> tuple[Fraction, ...]:
    """The row of the point at infinity: the highest power alone."""
    return (*[Fraction(0)] * (count - 1), Fraction(1))


# --- as statements -----------------------------------------------------------------------------------------------


@dataclass
class Block:
    """Statements that multiply grids of scalars of one dtype by matrices; each value that is used twice has a name."""

    dtype: str
    body: list[Stmt] = field(default_factory=list)

    def named(self, value: Scalar) -> Scalar:
        """A value under a name of its own, if it needs one."""
        if isinstance(value, Const | Ref):
            return value
        name = f"t.{len(self.body)}"
        self.body.append(Let(name, value))
        return Ref(name, self.dtype)

    def both_ways(self, down: Matrix, across: Matrix, grid: Sequence[Sequence[Scalar]]) -> list[list[Scalar]]:
        """`down grid across^T`: the rows and the columns of a grid multiplied."""
        columns = [self.times(down, column) for column in zip(*grid, strict=True)]
        return [self.times(across, row) for row in zip(*columns, strict=True)]

    def times(self, matrix: Matrix, vector: Sequence[Scalar]) -> list[Scalar]:
        """A matrix by a vector. The points ±p give two columns, or two rows, that differ in signs alone: the sum and
        the difference of two elements, or of two parts of a row, serve both."""
        if len(matrix) < len(vector):
            return self._columns_shared(matrix, vector)
        found: dict[int, Scalar] = {}
        for one, two in _pairs(matrix):
            differ = [a != b for a, b in zip(matrix[one], matrix[two], strict=True)]
            row = [
                (Fraction(0) if odd else a, a if odd else Fraction(0))
                for a, odd in zip(matrix[one], differ, strict=True)
            ]
            same, other = (self.named(self._sum(part, vector)) for part in zip(*row, strict=True))
            found |= {one: self._apply("add", same, other), two: self._apply("sub", same, other)}
        return [self.named(found.get(number, self._sum(row, vector))) for number, row in enumerate(matrix)]

    def _columns_shared(self, matrix: Matrix, vector: Sequence[Scalar]) -> list[Scalar]:
        columns = list(transposed(matrix))
        values = list(vector)
        for one, two in _pairs(columns):
            a, b = values[one], values[two]
            values[one], values[two] = self.named(self._apply("add", a, b)), self.named(self._apply("sub", a, b))
            both = list(zip(columns[one], columns[two], strict=True))
            columns[one] = tuple(a if a == b else Fraction(0) for a, b in both)
            columns[two] = tuple(a if a != b else Fraction(0) for a, b in both)
        return [self.named(self._sum(row, values)) for row in transposed(columns)]

    def _sum(self, row: Sequence[Fraction], vector: Sequence[Scalar]) -> Scalar:
        """The sum of elements by their coefficients, those of 1 and -1 last: the others are multiply-adds then."""
        terms = [one for one in zip(row, vector, strict=True) if one[0] and one[1] != self.zero]
        total: Scalar = self.zero
        for factor, value in sorted(terms, key=lambda one: abs(one[0]) == 1):
            if total == self.zero and factor != 1:
                total = self._apply("mul", Const(float(factor), self.dtype), value)
            else:
                total = self._apply("add" if factor > 0 else "sub", total, self._scaled(abs(factor), value))
        return total

    def _scaled(self, factor: Fraction, value: Scalar) -> Scalar:
        return value if factor == 1 else self._apply("mul", Const(float(factor), self.dtype), value)

    def _apply(self, fn: str, a: Scalar, b: Scalar) -> Scalar:
        if b == self.zero and fn != "mul":
            return a
        if a == self.zero and fn == "add":
            return b
        return Apply(fn, (a, b), self.dtype)

    @property
    def zero(self) -> Const:
        """What is known to be zero takes no part in sums."""
        return Const(0.0, self.dtype)


def _pairs(rows: Sequence[Sequence[Fraction]]) -> list[tuple[int, int]]:
    """Rows, two by two, that differ in signs alone."""
    sizes = [tuple(map(abs, row)) for row in rows]
    return [(one, two) for two, size in enumerate(sizes) for one in range(two) if sizes[one] == size]
