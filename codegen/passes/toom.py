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
from functools import cached_property, lru_cache
from math import prod

from codegen.loops.grammar import Apply, Const, Let, Ref, Scalar, Stmt

POINTS = (Fraction(0), Fraction(5, 8), Fraction(-5, 8), Fraction(3, 2), Fraction(-3, 2))
"""The finite points."""

SIZE = len(POINTS) + 1
"""Products, and elements of a window."""

Row = tuple[Fraction, ...]
Terms = tuple[tuple[int, Fraction, float], ...]
"""A row as what to sum: place, coefficient, and its size as a number; those of 1 and -1 last, as the others are
multiply-adds then."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix of fractions, with what multiplying by it needs, prepared once."""

    rows: tuple[Row, ...]

    @cached_property
    def transposed(self) -> Matrix:
        return Matrix(tuple(zip(*self.rows, strict=True)))

    @cached_property
    def terms(self) -> tuple[Terms, ...]:
        return tuple(map(_terms, self.rows))

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Rows, two by two, that differ in signs alone."""
        sizes = [tuple(map(abs, row)) for row in self.rows]
        return tuple((one, two) for two, size in enumerate(sizes) for one in range(two) if sizes[one] == size)

    @cached_property
    def halves(self) -> tuple[tuple[int, int, Terms, Terms], ...]:
        """For each pair of rows the part in which they agree, and the part in which they do not."""
        found = []
        for one, two in self.pairs:
            both = list(zip(self.rows[one], self.rows[two], strict=True))
            same = _terms(tuple(a if a == b else Fraction(0) for a, b in both))
            found.append((one, two, same, _terms(tuple(a if a != b else Fraction(0) for a, b in both))))
        return tuple(found)

    @cached_property
    def shared(self) -> tuple[Terms, ...]:
        """The rows, for a vector with the sums and the differences of the places of columns that differ in signs."""
        columns = list(self.transposed.rows)
        for one, two in self.transposed.pairs:
            both = list(zip(columns[one], columns[two], strict=True))
            columns[one] = tuple(a if a == b else Fraction(0) for a, b in both)
            columns[two] = tuple(a if a != b else Fraction(0) for a, b in both)
        return tuple(map(_terms, zip(*columns, strict=True)))


def _terms(row: Row) -> Terms:
    terms = ((place, factor, float(abs(factor))) for place, factor in enumerate(row) if factor)
    return tuple(sorted(terms, key=lambda term: term[2] == 1))


@lru_cache(maxsize=1)
def of_windows() -> Matrix:
    """B^T: what windows are multiplied by. Each row is the product of all x - p but one, by powers of x."""
    rows = [_product([q for q in POINTS if q != p]) for p in POINTS]
    return Matrix(tuple((*row, *[Fraction(0)] * (SIZE - len(row))) for row in (*rows, _product(POINTS))))


@lru_cache
def of_filters(taps: int) -> Matrix:
    """G: what filters are multiplied by."""
    scales = [prod((p - q for q in POINTS if q != p), start=Fraction(1)) for p in POINTS]
    rows = [tuple(p**power / scale for power in range(taps)) for p, scale in zip(POINTS, scales, strict=True)]
    return Matrix((*rows, _last(taps)))


@lru_cache
def of_results(results: int) -> Matrix:
    """A^T: what the products are multiplied by."""
    return Matrix((*(tuple(p**power for power in range(results)) for p in POINTS), _last(results))).transposed


@lru_cache
def of_first_results(results: int, count: int) -> Matrix:
    """The rows of A^T for the first so many results."""
    return Matrix(of_results(results).rows[:count])


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

    @cached_property
    def zero(self) -> Const:
        """What is known to be zero takes no part in sums."""
        return Const(0.0, self.dtype)

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
        if len(matrix.rows) < len(vector):
            return self._columns_shared(matrix, vector)
        found: dict[int, Scalar] = {}
        for one, two, *parts in matrix.halves:
            same, other = (self.named(self._sum(part, vector)) for part in parts)
            found |= {one: self._apply("add", same, other), two: self._apply("sub", same, other)}
        return [
            self.named(found[number] if number in found else self._sum(row, vector))
            for number, row in enumerate(matrix.terms)
        ]

    def _columns_shared(self, matrix: Matrix, vector: Sequence[Scalar]) -> list[Scalar]:
        values = list(vector)
        for one, two in matrix.transposed.pairs:
            a, b = values[one], values[two]
            values[one], values[two] = self.named(self._apply("add", a, b)), self.named(self._apply("sub", a, b))
        return [self.named(self._sum(row, values)) for row in matrix.shared]

    def _sum(self, terms: Terms, vector: Sequence[Scalar]) -> Scalar:
        """The sum of elements by their coefficients."""
        total: Scalar = self.zero
        for place, factor, size in terms:
            value = vector[place]
            if value == self.zero:
                continue
            if total == self.zero and factor != 1:
                total = self._apply("mul", Const(float(factor), self.dtype), value)
            else:
                part = value if size == 1 else self._apply("mul", Const(size, self.dtype), value)
                total = self._apply("add" if factor > 0 else "sub", total, part)
        return total

    def _apply(self, fn: str, a: Scalar, b: Scalar) -> Scalar:
        if b == self.zero and fn != "mul":
            return a
        if a == self.zero and fn == "add":
            return b
        return Apply(fn, (a, b), self.dtype)
