"""Roots beside what they nearly cancel: conjugates in place of differences, and the roots of quadratic equations."""

from __future__ import annotations

import math

from symnet.expr.node import Expr
from symnet.simplify.facts import above_zero, is_nonnegative
from symnet.simplify.pattern import attributes, computed, constants, variables
from symnet.simplify.polynomials import distance
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.tables.arithmetic import variable
from symnet.simplify.vocabulary import (
    absolute,
    cast,
    erf,
    erfc,
    erfcx,
    exp,
    hypot,
    hypot_plus,
    log,
    log_ndtr,
    ndtr,
    root_plus,
    sqrt,
    square,
)

x, y = variables("x y")
(c,) = constants("c")
D, E = attributes("D E")


@computed
def may_be_negative(x: Expr) -> bool:
    return not is_nonnegative(x)


@computed
def splits(c: float, x: Expr) -> bool:
    """Whether c is the square of a short number (1, 4, 0.25), and x no function with a better rule for its square."""
    root = math.sqrt(c) if c > 0 else 0.0
    return c > 0 and root * root == c and (root * 2**10).is_integer() and x.op not in _OWN_RULES


_OWN_RULES = frozenset(("tanh", "sin", "cos", "constant"))


CONJUGATES = [
    rule("root-minus-number", sqrt(x) - c, distance(x, square(c)) / (sqrt(x) + c), kind=stabilising,
         condition=above_zero(c), reason="√x - c is (x - c²)/(√x + c)"),
    rule("number-minus-root", c - sqrt(x), -(distance(x, square(c)) / (sqrt(x) + c)), kind=stabilising,
         condition=above_zero(c), reason="√x - c is (x - c²)/(√x + c)"),
    rule("root-minus", sqrt(x) - y, root_plus(-y, distance(x, square(y))), kind=stabilising,
         condition=variable(y), reason="√(y² + d) - y is d/(√(y² + d) + y)"),
    rule("minus-root", y - sqrt(x), -root_plus(-y, distance(x, square(y))), kind=stabilising,
         condition=variable(y), reason="√(y² + d) - y is d/(√(y² + d) + y)"),
    rule("root-plus", sqrt(x) + y, root_plus(y, distance(x, square(y))), kind=stabilising,
         condition=may_be_negative(y), reason="y + √(y² + d) is d/(√(y² + d) - y) where y is negative"),
    rule("length-minus-first", hypot(x, y) - x, hypot_plus(-x, y), kind=stabilising,
         reason="√(x² + y²) - x is y²/(√(x² + y²) + x)"),
    rule("length-minus-second", hypot(y, x) - x, hypot_plus(-x, y), kind=stabilising,
         reason="√(x² + y²) - x is y²/(√(x² + y²) + x)"),
    rule("first-minus-length", x - hypot(x, y), -hypot_plus(-x, y), kind=stabilising,
         reason="√(x² + y²) - x is y²/(√(x² + y²) + x)"),
    rule("second-minus-length", x - hypot(y, x), -hypot_plus(-x, y), kind=stabilising,
         reason="√(x² + y²) - x is y²/(√(x² + y²) + x)"),
    rule("length-plus-first", hypot(x, y) + x, hypot_plus(x, y), kind=stabilising, condition=may_be_negative(x),
         reason="x + √(x² + y²) is y²/(√(x² + y²) - x) where x is negative"),
    rule("length-plus-second", hypot(y, x) + x, hypot_plus(x, y), kind=stabilising, condition=may_be_negative(x),
         reason="x + √(x² + y²) is y²/(√(x² + y²) - x) where x is negative"),
    rule("product-of-sum-and-difference", c - square(x), (sqrt(c) - x) * (sqrt(c) + x), kind=stabilising,
         condition=splits(c, x), reason="a² - x² is (a - x)·(a + x), which subtracts before it rounds"),
    rule("product-of-difference-and-sum", square(x) - c, (x - sqrt(c)) * (x + sqrt(c)), kind=stabilising,
         condition=splits(c, x), reason="x² - a² is (x - a)·(x + a), which subtracts before it rounds"),
    rule("root-of-multiple-of-square", sqrt(c * square(x)), sqrt(c) * absolute(x), kind=stabilising,
         condition=splits(c, x), reason="the root of a square is the absolute value"),
]  # fmt: skip

ERRORS = [
    rule("one-minus-erf", 1 - erf(x), erfc(x), kind=stabilising,
         reason="1 - erf x is erfc x, which keeps its digits for large x"),
    rule("one-plus-erf", 1 + erf(x), erfc(-x), kind=stabilising,
         reason="1 + erf x is erfc(-x), which keeps its digits for large negative x"),
    rule("one-minus-erfc", 1 - erfc(x), erf(x), kind=stabilising,
         reason="1 - erfc x is erf x, which keeps its digits for small x"),
    rule("number-minus-erf", c - c * erf(x), c * erfc(x), kind=stabilising,
         reason="1 - erf x is erfc x, which keeps its digits for large x"),
    rule("number-plus-erf", c + c * erf(x), c * erfc(-x), kind=stabilising,
         reason="1 + erf x is erfc(-x), which keeps its digits for large negative x"),
    rule("log-of-ndtr", log(ndtr(x)), log_ndtr(x), kind=stabilising,
         reason="log Φ(x) without underflow of Φ for large negative x"),
    rule("exp-over-erfc", exp(-square(x)) / erfc(x), 1 / erfcx(x), kind=stabilising,
         reason="erfc x is exp(-x²)·erfcx(x), which is 0/0 for large x"),
    rule("number-times-exp-over-erfc", (c * exp(-square(x))) / erfc(x), c / erfcx(x), kind=stabilising,
         reason="erfc x is exp(-x²)·erfcx(x), which is 0/0 for large x"),
    rule("converted-exp-over-erfc", cast(c * exp(-square(cast(x, dtype=E))), dtype=D) / erfc(x),
         cast(c / erfcx(cast(x, dtype=E)), dtype=D), kind=stabilising,
         reason="erfc x is exp(-x²)·erfcx(x), which is 0/0 for large x"),
]  # fmt: skip

RULES = [*CONJUGATES, *ERRORS]
