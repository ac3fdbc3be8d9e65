"""Sums, differences, products and quotients: neutral elements, signs, what cancels, what factors out."""

from __future__ import annotations

from symnet.expr.node import Expr
from symnet.simplify.facts import array_shaped, finite, floating, nonzero, scalar_shaped
from symnet.simplify.pattern import attributes, computed, constants, this, variables
from symnet.simplify.rule import rule
from symnet.simplify.vocabulary import reciprocal, reshape

s, t, x, y, z = variables("s t x y z")
c, d = constants("c d")
(S,) = attributes("S")


@computed
def below_zero(c: float) -> bool:
    return c < 0


@computed
def variable(x: Expr) -> bool:
    return x.op != "constant"


@computed
def unsigned(x: Expr) -> bool:
    return x.op != "negative"


@computed
def no_negative_of(x: Expr, y: Expr) -> bool:
    return x.op != "negative" or x.args[0] is not y


@computed
def different(x: Expr, y: Expr) -> bool:
    return x is not y


@computed
def opposite_numbers(c: float, d: float) -> bool:
    return c == -d


@computed
def not_inverse(x: Expr, y: Expr) -> bool:
    """Whether x is neither 1/y nor -1/y, whose product with 1/y is a square."""
    if x.op != "divide" or x.args[1] is not y or x.args[0].op != "constant" or x.args[0].shape:
        return True
    return bool(abs(x.args[0].attrs["value"]) != 1)


@computed
def divides_anything(y: Expr) -> bool:
    """Whether no rule asks for the whole numerator over y (or -y)."""
    return (y.args[0] if y.op == "negative" else y).op != "root_plus"


NEUTRAL = [
    rule("add-zero", x + 0, x, reason="0 is neutral in sums (up to the sign of a zero)"),
    rule("subtract-zero", x - 0, x, reason="0 is neutral in differences"),
    rule("zero-minus", 0 - x, -x, reason="0 - x is the negative of x (up to the sign of a zero)"),
    rule("multiply-one", x * 1, x, reason="1 is neutral in products"),
    rule("divide-one", x / 1, x, reason="1 is neutral as a divisor"),
    rule("multiply-minus-one", x * -1, -x, reason="a product with -1 is the negative"),
    rule("divide-minus-one", x / -1, -x, reason="a quotient by -1 is the negative"),
    rule(
        "multiply-zero",
        x * 0,
        0,
        condition=finite(x),
        assumption="x is finite",
        reason="a product with 0 is 0, unless the other factor is infinite or nan",
    ),
    rule(
        "zero-divided",
        0 / x,
        0,
        condition=(finite(x), nonzero(x)),
        assumption="x is finite and not 0",
        reason="0 divided by any number but 0 is 0",
    ),
]

SIGNS = [
    rule("negative-twice", -(-x), x, reason="two signs cancel"),
    rule("add-negative", x + -y, x - y, condition=no_negative_of(x, y),
         reason="adding a negative is subtracting", in_chains=True),
    rule("subtract-negative", x - -y, x + y, reason="subtracting a negative is adding", in_chains=True),
    rule("negative-minus", -x - y, -(x + y), condition=unsigned(y), reason="the common sign comes out of the sum"),
    rule("negative-difference", -(x - y), y - x, reason="turning a difference round changes its sign"),
    rule("multiply-negative", (-x) * y, -(x * y), reason="a sign comes out of a product", in_chains=True),
    rule("divide-negative", (-x) / y, -(x / y), reason="a sign comes out of a quotient", in_chains=True),
    rule("divide-by-negative", x / -y, -(x / y), reason="a sign comes out of a quotient", in_chains=True),
    rule("negative-of-scaled", -(c * x), (-c) * x, reason="a sign joins the number beside it"),
    rule("negative-fraction", (c / z) * x, -((-c / z) * x), condition=below_zero(c),
         reason="a sign comes out of a product"),
    rule("negative-scaled-difference", -(z * (x - y)), z * (y - x),
         reason="turning a difference round changes its sign"),
    rule("negative-quotient-of-difference", -((x - y) / z), (y - x) / z,
         reason="turning a difference round changes its sign"),
    rule("add-negative-multiple", x + c * y, x - (-c) * y, condition=(below_zero(c), unsigned(x)),
         reason="adding a negative is subtracting", in_chains=True),
    rule("subtract-negative-multiple", x - c * y, x + (-c) * y, condition=below_zero(c),
         reason="subtracting a negative is adding", in_chains=True),
    rule("negative-times-difference", c * (x - y), (-c) * (y - x), condition=below_zero(c),
         reason="turning a difference round changes its sign"),
    rule("negative-fraction-of-difference", (c / z) * (x - y), (-c / z) * (y - x), condition=below_zero(c),
         reason="turning a difference round changes its sign"),
    rule("negative-divided-difference", (x - y) / c, (y - x) / -c, condition=below_zero(c),
         reason="turning a difference round changes its sign"),
]  # fmt: skip

CANCEL = [
    rule(
        "subtract-itself",
        x - x,
        0,
        condition=finite(x),
        assumption="x is finite",
        reason="a value minus itself is 0",
        in_chains=True,
    ),
    rule(
        "divide-by-itself",
        x / x,
        1,
        condition=finite(x),
        assumption="x is finite",
        reason="a value divided by itself is 1, at 0 in the limit",
        in_chains=True,
    ),
    rule("add-itself", x + x, 2 * x, reason="x + x is twice x", in_chains=True),
    rule("add-multiple", c * x + x, (c + 1) * x, reason="multiples of the same value add up", in_chains=True),
    rule("add-multiples", c * x + d * x, (c + d) * x, reason="multiples of the same value add up", in_chains=True),
    rule("subtract-multiple", c * x - x, (c - 1) * x, reason="multiples of the same value add up", in_chains=True),
    rule("subtract-multiples", c * x - d * x, (c - d) * x, reason="multiples of the same value add up", in_chains=True),
    rule("subtract-from-multiple", x - c * x, (1 - c) * x, reason="multiples of the same value add up", in_chains=True),
]

QUOTIENTS = [
    rule("reciprocal", reciprocal(x), 1 / x, reason="a reciprocal is a quotient of 1"),
    rule(
        "multiply-reciprocal",
        x * (1 / y),
        x / y,
        condition=not_inverse(x, y),
        reason="a product with 1/y is a quotient by y",
        in_chains=True,
    ),
    rule(
        "multiply-minus-reciprocal",
        x * (-1 / y),
        -(x / y),
        condition=not_inverse(x, y),
        reason="a product with -1/y is the negative of a quotient by y",
        in_chains=True,
    ),
    rule(
        "divide-quotient-of-numbers",
        x / (c / d),
        x * (d / c),
        reason="dividing by a fraction multiplies by its inverse",
    ),
    rule(
        "divide-by-reciprocal",
        x / (1 / y),
        x * y,
        condition=nonzero(y),
        assumption="y is not 0",
        reason="the reciprocal of a reciprocal is the value itself",
    ),
    rule(
        "divide-numbers-twice",
        (x / c) / d,
        x / (c * d),
        condition=floating(this),
        reason="two divisions by numbers are one",
    ),
    rule("scaled-divide", (c * x) / d, (c / d) * x, condition=variable(x), reason="two numbers make one factor"),
    rule("scale-divided", c * (x / d), (c / d) * x, condition=variable(x), reason="two numbers make one factor"),
]

SCALARS = [
    rule("scalars-together", s * (x / t), (s / t) * x, condition=(scalar_shaped(s), scalar_shaped(t), array_shaped(x)),
         reason="two scalars make one factor"),
    rule("scalars-together-divided", (s * x) / t, (s / t) * x,
         condition=(scalar_shaped(s), scalar_shaped(t), array_shaped(x)), reason="two scalars make one factor"),
    rule("scalars-multiplied", s * (t * x), (s * t) * x,
         condition=(scalar_shaped(s), scalar_shaped(t), array_shaped(x)),
         reason="two scalars make one factor"),
    rule("scalars-divided", (x / s) / t, x / (s * t), condition=(scalar_shaped(s), scalar_shaped(t), array_shaped(x)),
         reason="two scalars make one divisor"),
    rule("scalar-comes-out", (s * x) * y, s * (x * y), condition=(scalar_shaped(s), array_shaped(x), array_shaped(y)),
         reason="a scalar factor comes out of a product"),
    rule("scalars-meet-in-rows", s * (reshape(t * x, shape=S) * y), reshape((s * t) * x, shape=S) * y,
         condition=(scalar_shaped(s), scalar_shaped(t), array_shaped(x)), reason="two scalars make one factor"),
    rule("scalars-meet-in-divided-rows", s * (reshape(t / x, shape=S) * y), reshape((s * t) / x, shape=S) * y,
         condition=(scalar_shaped(s), scalar_shaped(t), array_shaped(x)), reason="two scalars make one factor"),
    rule("scalar-divisor-comes-out", (x / s) * y, (x * y) / s,
         condition=(scalar_shaped(s), array_shaped(x), array_shaped(y)),
         reason="a scalar divisor comes out of a product"),
    rule("scalar-out-of-numerator", (s * x) / y, s * (x / y),
         condition=(scalar_shaped(s), array_shaped(x), array_shaped(y), divides_anything(y)),
         reason="a scalar factor comes out of a quotient"),
    rule("scalar-divisor-out-of-numerator", (x / s) / y, (x / y) / s,
         condition=(scalar_shaped(s), array_shaped(x), array_shaped(y)),
         reason="a scalar divisor comes out of a quotient"),
]  # fmt: skip

FACTOR = [
    rule(
        "factor-sum",
        x * y + x * z,
        x * (y + z),
        condition=(floating(this), different(y, z)),
        reason="a common factor comes out",
        in_chains=True,
    ),
    rule(
        "factor-difference",
        x * y - x * z,
        x * (y - z),
        condition=(floating(this), different(y, z)),
        reason="a common factor comes out",
        in_chains=True,
    ),
    rule(
        "factor-opposite-multiples",
        c * x - d * y,
        c * (x + y),
        condition=(opposite_numbers(c, d), floating(this)),
        reason="a common factor comes out, with the sign that one of the two has",
        in_chains=True,
    ),
    rule("common-divisor-sum", x / z + y / z, (x + y) / z, reason="a common divisor comes out", in_chains=True),
    rule(
        "common-divisor-of-scaled",
        x / s + (t / s) * y,
        (x + t * y) / s,
        condition=(scalar_shaped(s), scalar_shaped(t)),
        reason="a common divisor comes out",
        in_chains=True,
    ),
    rule(
        "common-divisor-minus-scaled",
        x / s - (t / s) * y,
        (x - t * y) / s,
        condition=(scalar_shaped(s), scalar_shaped(t)),
        reason="a common divisor comes out",
        in_chains=True,
    ),
    rule(
        "common-divisor-from-scaled",
        (t / s) * y - x / s,
        (t * y - x) / s,
        condition=(scalar_shaped(s), scalar_shaped(t)),
        reason="a common divisor comes out",
        in_chains=True,
    ),
    rule("common-divisor-difference", x / z - y / z, (x - y) / z, reason="a common divisor comes out", in_chains=True),
]

RULES = [*NEUTRAL, *SIGNS, *CANCEL, *QUOTIENTS, *SCALARS, *FACTOR]
