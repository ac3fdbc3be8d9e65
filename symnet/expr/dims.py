"""Dimensions: the sizes in a shape.

A dimension is an `int`, or a `str` that holds a polynomial over named dimensions in canonical form: `"N"`, `"2*N"`,
`"N*T + 1"`. Because the form is canonical, equality of dimensions is equality of Python values, shapes are plain
tuples, and `e.shape == ("N", 784)` reads as it should. All arithmetic on dimensions goes through this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from numbers import Integral

from symnet.errors import ShapeError, UnknownName

Dim = int | str
Shape = tuple[Dim, ...]
Monomial = tuple[str, ...]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TERM = re.compile(r"\s*([+-]?)\s*([^+-]+)")


@lru_cache(maxsize=4096)
def _polynomial(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    """`2*N*T + 1` as `((("N", "T"), 2), ((), 1))`: monomials of sorted names with their coefficients."""
    if isinstance(dim, int):
        return (((), dim),) if dim else ()
    terms: dict[Monomial, int] = {}
    position = 0
    while position < len(dim) or not dim:
        match = _TERM.match(dim, position)
        if not match:
            raise ShapeError(f"cannot read the dimension {dim!r}: expected names and integers joined by +, - and *")
        position = match.end()
        coefficient, names = (-1 if match[1] == "-" else 1), []
        for factor in (part.strip() for part in match[2].split("*")):
            if factor.isdigit():
                coefficient *= int(factor)
            elif _NAME.match(factor):
                names.append(factor)
            else:
                raise ShapeError(f"cannot read the dimension {dim!r}: {factor!r} is neither a name nor an integer")
        monomial = tuple(sorted(names))
        terms[monomial] = terms.get(monomial, 0) + coefficient
    return tuple(item for item in terms.items() if item[1])


def _canonical(terms: Mapping[Monomial, int]) -> Dim:
    present = sorted(((m, c) for m, c in terms.items() if c), key=lambda item: (-len(item[0]), item[0]))
    if not present:
        return 0
    if len(present) == 1 and present[0][0] == ():
        return present[0][1]
    text = ""
    for monomial, coefficient in present:
        sign = "-" if coefficient < 0 else "+"
        factors = list(monomial) if abs(coefficient) == 1 and monomial else [str(abs(coefficient)), *monomial]
        body = "*".join(factors)
        text += f" {sign} {body}" if text else f"-{body}" if sign == "-" else body
    return text


def canonical(dim: object) -> Dim:
    """The canonical form of what a user wrote as a dimension; raises `ShapeError` when it is none."""
    if isinstance(dim, bool):
        raise ShapeError(f"a dimension is an integer or a name, got {dim!r}")
    if isinstance(dim, str):
        return _canonical(dict(_polynomial(dim)))
    try:
        size = int(dim.__index__())  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        raise ShapeError(f"a dimension is an integer or a name, got {dim!r}") from None
    if size < 0:
        raise ShapeError(f"a dimension cannot be negative, got {size}")
    return size


def canonical_shape(shape: object) -> Shape:
    """A shape as a tuple of canonical dimensions; a single dimension stands for a one-axis shape."""
    if isinstance(shape, (str, Integral)):
        return (canonical(shape),)
    if not isinstance(shape, Iterable):
        raise ShapeError(f"a shape is a tuple of integers and names, got {shape!r}")
    return tuple(canonical(dim) for dim in shape)


@lru_cache(maxsize=4096)
def add(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    terms = dict(_polynomial(a))
    for monomial, coefficient in _polynomial(b):
        terms[monomial] = terms.get(monomial, 0) + coefficient
    return _canonical(terms)


def sub(a: Dim, b: Dim) -> Dim:
    return add(a, mul(b, -1))


@lru_cache(maxsize=4096)
def mul(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    terms: dict[Monomial, int] = {}
    for left, c in _polynomial(a):
        for right, d in _polynomial(b):
            monomial = tuple(sorted(left + right))
            terms[monomial] = terms.get(monomial, 0) + c * d
    return _canonical(terms)


def product(dims: Iterable[Dim]) -> Dim:
    result: Dim = 1
    for dim in dims:
        result = mul(result, dim)
    return result


def divide(a: Dim, b: Dim) -> Dim | None:
    """`a / b` when it is a dimension for every value of the names, else None (`b` is an integer or a monomial)."""
    divisor = _polynomial(b)
    if len(divisor) != 1:
        return 1 if a == b and divisor else None
    (names, scale), terms = divisor[0], {}
    for monomial, coefficient in _polynomial(a):
        rest = list(monomial)
        for name in names:
            if name not in rest:
                return None
            rest.remove(name)
        if coefficient % scale:
            return None
        terms[tuple(rest)] = coefficient // scale
    return _canonical(terms)


def names(dim: Dim) -> frozenset[str]:
    """The named dimensions that occur in `dim`."""
    return frozenset() if isinstance(dim, int) else frozenset(n for m, _ in _polynomial(dim) for n in m)


def terms(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    """The polynomial: pairs of (names, coefficient); the empty tuple of names is the constant term."""
    return _polynomial(dim)


def evaluate(dim: Dim, sizes: Mapping[str, int]) -> int:
    """The integer that `dim` stands for when its names have these sizes; `UnknownName` when one has none."""
    if isinstance(dim, int):
        return dim
    total = 0
    for monomial, coefficient in _polynomial(dim):
        for name in monomial:
            if name not in sizes:
                raise UnknownName(f"the dimension {name!r} has no size: bind it (known: {sorted(sizes) or 'none'})")
            coefficient *= sizes[name]
        total += coefficient
    return total


def evaluate_shape(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(evaluate(dim, sizes) for dim in shape)


def show(shape: Shape) -> str:
    """`[N, 784]`, as shapes appear in text forms and messages."""
    return "[" + ", ".join(str(dim) for dim in shape) + "]"


def broadcast(*shapes: Shape) -> Shape:
    """The shape that NumPy's broadcasting gives; a named dimension fits itself and 1."""
    rank = max((len(shape) for shape in shapes), default=0)
    result: list[Dim] = [1] * rank
    for shape in shapes:
        for axis, dim in enumerate(shape, rank - len(shape)):
            if result[axis] == 1:
                result[axis] = dim
            elif dim not in (1, result[axis]):
                raise ShapeError(
                    f"shapes {' and '.join(show(s) for s in shapes)} do not broadcast: "
                    f"axis {axis - rank} is {result[axis]} and {dim}; they must be equal or one of them 1"
                )
    return tuple(result)
