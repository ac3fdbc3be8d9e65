"""The error function, its complement, and the distribution function of the normal distribution."""

from __future__ import annotations

from symnet.expr.node import Expr
from symnet.simplify.folding import plain_value
from symnet.simplify.pattern import attributes, computed, constants, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.vocabulary import (
    cast,
    erf,
    erfc,
    erfcx,
    exp,
    log,
    log_erfc,
    log_erfcx,
    log_ndtr,
    ndtr,
    sqrt,
    square,
)

x, y = variables("x y")
c, d = constants("c d")
D, E = attributes("D E")

CLOSE = 1e-14
"""Relative distance at which two numbers are one that was rounded differently: 1/√2 and √2/2."""
ROUNDED = "a number beside x that is √½ but for its last digit is √½"


def scaled(node: Expr) -> tuple[float, Expr]:
    """A number and what it multiplies."""
    factor = 1.0
    while True:
        values = [None if arg.shape else plain_value(arg) for arg in node.args]
        if node.op == "negative":
            factor, node = -factor, node.args[0]
        elif node.op == "multiply" and values[0] is not None:
            factor, node = factor * values[0], node.args[1]
        elif node.op in ("multiply", "divide") and values[1]:
            factor, node = (factor * values[1] if node.op == "multiply" else factor / values[1]), node.args[0]
        else:
            return factor, node


@computed
def is_double(c: float, d: float) -> bool:
    return c == 2.0 * d


def square_of(y: Expr, x: Expr) -> float:
    """y / x² where that is a number; 0 elsewhere."""
    (whole, power), (part, base) = scaled(y), scaled(x)
    if power.op != "square" or not part:
        return 0.0
    inner, root = scaled(power.args[0])
    return whole * (inner / part) ** 2 if root is base else 0.0


@computed
def is_square(y: Expr, x: Expr) -> bool:
    return abs(square_of(y, x) - 1.0) <= CLOSE


@computed
def is_minus_square(y: Expr, x: Expr) -> bool:
    return abs(square_of(y, x) + 1.0) <= CLOSE


COMPLEMENTS = [
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
    rule("two-minus-erfc", 2 - erfc(x), erfc(-x), kind=stabilising,
         reason="2 - erfc x is erfc(-x), which keeps its digits for large negative x"),
    rule("number-minus-erfc", c - d * erfc(x), d * erfc(-x), kind=stabilising, condition=is_double(c, d),
         reason="2 - erfc x is erfc(-x), which keeps its digits for large negative x"),
    rule("one-minus-ndtr", 1 - ndtr(x), ndtr(-x), kind=stabilising,
         reason="1 - Φ(x) is Φ(-x), which keeps its digits for large x"),
]  # fmt: skip

TAILS = [
    rule("log-of-ndtr", log(ndtr(x)), log_ndtr(x), kind=stabilising,
         reason="log Φ(x) without underflow of Φ for large negative x"),
    rule("log-of-erfc", log(erfc(x)), log_erfc(x), kind=stabilising,
         reason="log erfc x, without underflow of erfc for large x"),
    rule("log-of-half-erfc", log(0.5 * erfc(x)), log_ndtr(-(sqrt(2) * x)), kind=stabilising,
         reason="half of erfc x is Φ(-√2·x), whose logarithm has digits where Φ underflows and where it rounds to 1"),
    rule("log-of-erfcx", log(erfcx(x)), log_erfcx(x), kind=stabilising,
         reason="log erfcx x, without overflow of erfcx for negative x"),
    rule("exp-times-erfc", exp(y) * erfc(x), erfcx(x), kind=stabilising, condition=is_square(y, x), assumption=ROUNDED,
         in_chains=True, reason="exp(x²)·erfc x is a function of its own, where the product is ∞·0 for large x"),
    rule("exp-over-erfc", exp(y) / erfc(x), 1 / erfcx(x), kind=stabilising, condition=is_minus_square(y, x),
         assumption=ROUNDED, in_chains=True, reason="erfc x is exp(-x²)·erfcx(x), which is 0/0 for large x"),
    rule("number-times-exp-over-erfc", (c * exp(y)) / erfc(x), c / erfcx(x), kind=stabilising,
         condition=is_minus_square(y, x), assumption=ROUNDED,
         reason="erfc x is exp(-x²)·erfcx(x), which is 0/0 for large x"),
    rule("converted-exp-over-erfc", cast(c * exp(-square(cast(x, dtype=E))), dtype=D) / erfc(x),
         cast(c / erfcx(cast(x, dtype=E)), dtype=D), kind=stabilising,
         reason="erfc x is exp(-x²)·erfcx(x), which is 0/0 for large x"),
]  # fmt: skip

RULES = [*COMPLEMENTS, *TAILS]
