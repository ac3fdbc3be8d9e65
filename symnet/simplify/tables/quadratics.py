"""The quadratic formula, in either form: both roots with all their digits, whichever sign the coefficients have."""

from __future__ import annotations

from symnet.simplify.pattern import variables
from symnet.simplify.polynomials import quotient_of
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.vocabulary import quadratic_root, root_plus

b, d, x = variables("b d x")

RULES = [
    rule("quadratic-formula", root_plus(b, d) / x, quadratic_root(x, b, quotient_of(d, x)), kind=stabilising,
         reason="(b + √(b² + a·c))/a is the root of a·x² = 2·b·x + c"),
    rule("quadratic-formula-inverted", x / root_plus(b, d), quadratic_root(quotient_of(d, x), -b, x), kind=stabilising,
         reason="c/(b + √(b² + a·c)) is (√(b² + a·c) - b)/a"),
]  # fmt: skip
