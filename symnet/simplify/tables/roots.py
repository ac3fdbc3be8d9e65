"""Roots beside what they nearly cancel: conjugates in place of differences, and the roots of quadratic equations."""

from __future__ import annotations

import math

from symnet.expr.node import Expr
from symnet.simplify.facts import above_zero, is_nonnegative
from symnet.simplify.pattern import computed, constants, variables
from symnet.simplify.polynomials import distance
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.tables.arithmetic import unsigned, variable
from symnet.simplify.vocabulary import (
    absolute,
    hypot,
    hypot_plus,
    root_plus,
    sqrt,
    square,
)

x, y = variables("x y")
(c,) = constants("c")


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
         condition=(variable(y), unsigned(y)), reason="√(y² + d) - y is d/(√(y² + d) + y)"),
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
    rule("root-of-multiple-of-square", sqrt(c * square(x)), sqrt(c) * absolute(x), kind=stabilising,
         condition=splits(c, x), reason="the root of a square is the absolute value"),
]  # fmt: skip

RULES = CONJUGATES
