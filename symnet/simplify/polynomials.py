"""Small polynomials over the parts of an expression: what is left of a difference, and what divides what.

Sums, differences, products, squares and whole powers are multiplied out with fractions as coefficients; everything else
is a variable. Only what has a few terms is looked at, so that asking is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symnet.expr import dtypes
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops import scalar as s
from symnet.ops.leaves import number
from symnet.simplify.folding import exact_value
from symnet.simplify.pattern import computed

LARGEST, DEEPEST, HIGHEST = 12, 6, 4
"""Terms of a polynomial, levels of an expression, and whole powers beyond which nothing is multiplied out."""
LEAVES = frozenset(("input", "parameter", "state", "hyper", "arg"))

Monomial = tuple[tuple[int, int], ...]
"""Pairs of a variable (the id of its node) and its power, in order of the ids; () is 1."""


@dataclass
class Polynomial:
    """Coefficients by monomial, and the nodes of the variables by id."""

    terms: dict[Monomial, Fraction] = field(default_factory=dict)
    nodes: dict[int, Expr] = field(default_factory=dict)

    def add(self, other: Polynomial, sign: int = 1) -> Polynomial:
        terms = dict(self.terms)
        for monomial, coefficient in other.terms.items():
            terms[monomial] = terms.get(monomial, Fraction(0)) + sign * coefficient
        return Polynomial({m: c for m, c in terms.items() if c}, {**self.nodes, **other.nodes})

    def times(self, other: Polynomial) -> Polynomial | None:
        if len(self.terms) * len(other.terms) > LARGEST:
            return None
        product = Polynomial({}, {**self.nodes, **other.nodes})
        for m, c in self.terms.items():
            for n, d in other.terms.items():
                product = product.add(Polynomial({_product(m, n): c * d}))
        return product


def _product(m: Monomial, n: Monomial) -> Monomial:
    powers = dict(m)
    for variable, power in n:
        powers[variable] = powers.get(variable, 0) + power
    return tuple(sorted((v, p) for v, p in powers.items() if p))


def polynomial(node: Expr, depth: int = 0) -> Polynomial:
    """`node` multiplied out; itself as a variable where that would be too much."""
    return _multiplied_out(node, depth) or Polynomial({((id(node), 1),): Fraction(1)}, {id(node): node})


def _multiplied_out(node: Expr, depth: int) -> Polynomial | None:
    value = exact_value(node)
    if value is not None:
        return Polynomial({(): value} if value else {})
    if depth >= DEEPEST or node.op not in _OPERATIONS:
        return None
    first = polynomial(node.args[0], depth + 1)
    if node.op == "negative":
        return Polynomial().add(first, -1)
    if node.op == "square":
        return first.times(first)
    if node.op == "power":
        return _whole_power(first, exact_value(node.args[1]))
    if node.op == "divide":
        divisor = exact_value(node.args[1])
        return first.times(Polynomial({(): 1 / divisor})) if divisor else None
    second = polynomial(node.args[1], depth + 1)
    if node.op == "multiply":
        return first.times(second)
    total = first.add(second, 1 if node.op == "add" else -1)
    return total if len(total.terms) <= LARGEST else None


_OPERATIONS = frozenset(("add", "subtract", "negative", "multiply", "square", "power", "divide"))


def _whole_power(base: Polynomial, exponent: Fraction | None) -> Polynomial | None:
    if exponent is None or exponent.denominator != 1 or not 1 <= exponent <= HIGHEST:
        return None
    result: Polynomial | None = base
    for _ in range(int(exponent) - 1):
        result = None if result is None else result.times(base)
    return result


# --- expressions again -------------------------------------------------------------------------------------------


def expression(polynomial: Polynomial, dtype: str) -> Expr:
    """The sum of the terms, positive ones first."""
    terms = sorted(polynomial.terms.items(), key=lambda item: item[1] < 0)
    total: Expr | None = None
    if terms and not terms[0][0] and len(terms) == 1:
        return number(float(terms[0][1]), dtype)
    for monomial, coefficient in terms:
        term = _term(monomial, abs(coefficient), polynomial.nodes, dtype)
        if total is None:
            total = term if coefficient > 0 else make(lookup("negative"), (term,))
        else:
            total = make(lookup("add" if coefficient > 0 else "subtract"), (total, term))
    return number(0.0, dtype) if total is None else total


def _term(monomial: Monomial, coefficient: Fraction, nodes: Mapping[int, Expr], dtype: str) -> Expr:
    result: Expr | None = None
    for variable, power in monomial:
        for factor in _power(nodes[variable], power):
            result = factor if result is None else make(lookup("multiply"), (result, factor))
    if result is None:
        return number(float(coefficient), dtype)
    return result if coefficient == 1 else make(lookup("multiply"), (number(float(coefficient), dtype), result))


def _power(node: Expr, power: int) -> list[Expr]:
    squares = [make(lookup("square"), (node,))] * (power // 2)
    return squares + [node] * (power % 2)


# --- what rules ask ----------------------------------------------------------------------------------------------


def remainder(x: Expr, y: Expr) -> Polynomial | None:
    """x - y where terms of the two cancel and few are left; None elsewhere."""
    if x is y or x.dtype != y.dtype or not dtypes.is_float(x.dtype):
        return None
    first, second = polynomial(x), polynomial(y)
    if all(first.terms.get(m) != c for m, c in second.terms.items()):
        return None
    left = first.add(second, -1)
    return left if left.terms and len(left.terms) < max(len(first.terms), len(second.terms)) else None


@computed
def distance(x: Expr, y: Expr | float) -> Expr | None:
    """x - y without the terms that cancel; refused where none does."""
    left = remainder(x, y if isinstance(y, Expr) else number(y, x.dtype))
    return None if left is None else expression(left, x.dtype)


@computed
def given(x: Expr, y: Expr) -> bool:
    """Whether both are inputs, parameters or the like, which are known exactly."""
    return x is not y and x.op in LEAVES and y.op in LEAVES


@computed
def half_cancelled(x: Expr, y: Expr) -> Expr | None:
    """x - y where y, given, is a part of the sum x of given numbers: one rounding of what is left.

    (a + b + c)/2 - a is (b + c - a)/2; of three float32 numbers and more the sum is taken in float64.
    """
    if y.op not in LEAVES or x.op not in _OPERATIONS or not dtypes.is_float(x.dtype) or x.dtype != y.dtype:
        return None
    sum_of_given = polynomial(x)
    own: Monomial = ((id(y), 1),)
    if own not in sum_of_given.terms or not 0 < sum_of_given.terms[own] < 1 or len(sum_of_given.terms) > 4:
        return None
    if any(len(m) != 1 or m[0][1] != 1 or sum_of_given.nodes[m[0][0]].op not in LEAVES for m in sum_of_given.terms):
        return None
    left = sum_of_given.add(polynomial(y), -1)
    if len(left.terms) < 3 or x.dtype == "float64":
        return expression(left, x.dtype)
    wide = Polynomial(left.terms, {i: _cast(node, "float64") for i, node in left.nodes.items()})
    return _cast(expression(wide, "float64"), x.dtype)


def _cast(node: Expr, dtype: str) -> Expr:
    return make(lookup("cast"), (node,), {"dtype": dtype})


@computed
def law_of_cosines(a: Expr, b: Expr, twice_product: Expr) -> Expr | None:
    """a² + b² - 2 a b cos γ as (|a| - |b|)² + 4 |a b| sin²(γ/2), or with cos²(γ/2) where a b is negative."""
    terms = polynomial(twice_product)
    if len(terms.terms) != 1 or a is b:
        return None
    ((monomial, coefficient),) = terms.terms.items()
    rest = [(variable, power) for variable, power in monomial if variable not in (id(a), id(b))]
    if coefficient != 2 or len(rest) != 1 or rest[0][1] != 1 or {(id(a), 1), (id(b), 1), rest[0]} != set(monomial):
        return None
    cosine = terms.nodes[rest[0][0]]
    if cosine.op != "cos":
        return None
    angle, product = s.multiply(0.5, cosine.args[0]), s.multiply(a, b)
    # The sizes of a and b count: of opposite signs, the angle is counted from π.
    half = s.where(s.greater(product, 0.0), s.sin(angle), s.cos(angle))
    sizes = s.subtract(s.absolute(a), s.absolute(b))
    return s.add(s.square(sizes), s.multiply(4.0, s.multiply(s.absolute(product), s.square(half))))


@computed
def based_on(x: Expr, y: Expr) -> bool:
    """Whether x is computed from y, rather than y from x: it has as many terms or more."""
    return len(polynomial(x).terms) >= len(polynomial(y).terms)


@computed
def based_on_second(x: Expr, y: Expr) -> bool:
    return len(polynomial(x).terms) < len(polynomial(y).terms)


@computed
def near(x: Expr, y: Expr) -> bool:
    """Whether terms of x - y cancel."""
    return remainder(x, y) is not None


@computed
def unmirrored(x: Expr, y: Expr) -> bool:
    """Whether x + y is more than a number."""
    return not set(polynomial(x).add(polynomial(y)).terms) <= {()}


@computed
def twice(x: Expr, y: Expr) -> bool:
    """Whether x is 2 y."""
    return x is not y and not polynomial(x).add(polynomial(y).add(polynomial(y)), -1).terms


@computed
def quotient_of(x: Expr, y: Expr) -> Expr | None:
    """x / y where that is a polynomial; refused elsewhere."""
    return _quotient(x, y)


def _quotient(x: Expr, y: Expr) -> Expr | None:
    if x.dtype != y.dtype:
        return None
    divisor = polynomial(y)
    if len(divisor.terms) != 1:
        return None
    ((monomial, coefficient),) = divisor.terms.items()
    if not monomial:
        return None
    inverse = tuple((variable, -power) for variable, power in monomial)
    dividend = polynomial(x)
    terms = {_product(m, inverse): c / coefficient for m, c in dividend.terms.items()}
    if not terms or any(power < 0 for m in terms for _, power in m):
        return None
    return expression(Polynomial(terms, {**dividend.nodes, **divisor.nodes}), x.dtype)


@computed
def is_product(x: Expr) -> bool:
    """Whether x is a product of several variables."""
    terms = polynomial(x).terms
    return all(m for m in terms) and max((sum(p for _, p in m) for m in terms), default=0) > 1


@computed
def multiple_of(x: Expr, y: Expr) -> Expr | None:
    """The number x / y; refused where it is none."""
    quotient: Expr | None = _quotient(x, y)
    return quotient if quotient is not None and exact_value(quotient) is not None else None


# --- sums of fractions -------------------------------------------------------------------------------------------

Fractions = list[tuple[int, Expr, Expr | None]]
"""Signed terms: the sign, the numerator, and the denominator if there is one."""
MOST_FRACTIONS = 4


def _fractions(node: Expr) -> Fractions | None:
    """The terms of a sum; None if there are too many."""
    found: Fractions = []
    stack = [(1, node)]
    while stack:
        sign, item = stack.pop()
        if item.op in ("add", "subtract"):
            stack += [(sign if item.op == "add" else -sign, item.args[1]), (sign, item.args[0])]
        elif item.op == "negative":
            stack.append((-sign, item.args[0]))
        elif item.op == "divide" and exact_value(item) is None and exact_value(item.args[1]) is None:
            found.append((sign, item.args[0], item.args[1]))
        else:
            found.append((sign, item, None))
        if len(found) + len(stack) > MOST_FRACTIONS:
            return None
    return found


@computed
def over_common_denominator(node: Expr) -> Expr | None:
    """A sum of fractions as one, where terms of the numerator cancel and at most two are left."""
    terms = _fractions(node)
    if terms is None or any(arg.op == "negative" for arg in node.args):  # whose sign is for other rules
        return None
    below: list[Expr] = []
    for _, _, denominator in terms:
        if denominator is not None and not any(denominator is other for other in below):
            below.append(denominator)
    numerator, cancelled = Polynomial(), False
    for sign, above, denominator in terms:
        product: Polynomial | None = polynomial(above)
        for other in below:
            if product is not None and other is not denominator:
                product = product.times(polynomial(other))
        if product is None:
            return None
        cancelled |= any(numerator.terms.get(m) == -sign * c for m, c in product.terms.items())
        numerator = numerator.add(product, sign)
    # Two terms of what may be infinite, exponentials say, could be inf - inf where the fractions are numbers.
    used = {numerator.nodes[variable].op for monomial in numerator.terms for variable, _ in monomial}
    if not cancelled or not 1 <= len(numerator.terms) <= (2 if used <= LEAVES else 1):
        return None
    return _interleaved(numerator, below, node.dtype)


def _interleaved(numerator: Polynomial, below: list[Expr], dtype: str) -> Expr:
    """The numerator over all denominators; the factors of a product are divided one by one, before they underflow."""
    factors = [expression(numerator, dtype)]
    if len(numerator.terms) == 1:
        ((monomial, coefficient),) = numerator.terms.items()
        variables = [numerator.nodes[variable] for variable, power in monomial for _ in range(power)]
        factors = [_term((), coefficient, {}, dtype), *variables] if coefficient != 1 or not variables else variables
    result = factors[0]
    for place in range(max(len(factors) - 1, len(below))):
        if place < len(below):
            result = make(lookup("divide"), (result, below[place]))
        if place + 1 < len(factors):
            result = make(lookup("multiply"), (result, factors[place + 1]))
    return result
