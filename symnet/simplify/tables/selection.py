"""Choices, comparisons, minima and maxima, and the zeros that masks put into gradients."""

from __future__ import annotations

from symnet.expr import dtypes
from symnet.expr.node import Expr, make
from symnet.simplify.pattern import attributes, computed, constants, this, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.vocabulary import (
    absolute,
    cast,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    not_equal,
    relu,
    where,
)

m, n, w, x, y, z = variables("m n w x y z")
c, d = constants("c d")
(D,) = attributes("D")


@computed
def boolean(x: Expr) -> bool:
    return x.dtype == "bool"


@computed
def is_float(x: Expr) -> bool:
    return dtypes.is_float(x.dtype)


def is_zero(x: Expr) -> bool:
    return x.op == "constant" and not x.shape and x.attrs["value"] == 0


def masks(x: Expr) -> int:
    """Which operand of a choice stays where the other is 0: 1 or 2; 0 for what is no mask."""
    if x.op != "where":
        return 0
    return 1 if is_zero(x.args[2]) else 2 if is_zero(x.args[1]) else 0


@computed
def unmasked(x: Expr) -> bool:
    return not masks(x)


@computed
def in_order(product: Expr, node: Expr) -> Expr:
    """The product of a masked value and a factor, these in the order in which they are in `node`."""
    turned = product.op == "multiply" and not masks(node.args[0])
    return make(product.declaration, product.args[::-1]) if turned else product


WHERE = [
    rule("where-same", where(m, x, x), x, reason="both choices are the same"),
    rule("where-true", where(True, x, y), x, reason="the condition always holds"),
    rule("where-false", where(False, x, y), y, reason="the condition never holds"),
    rule("where-not", where(logical_not(m), x, y), where(m, y, x), reason="the choices change places"),
    rule(
        "where-within-where",
        where(m, where(m, x, y), z),
        where(m, x, z),
        reason="inside, the condition is known to hold",
    ),
    rule(
        "where-within-else",
        where(m, x, where(m, y, z)),
        where(m, x, z),
        reason="inside, the condition is known to fail",
    ),
    rule("where-and", where(m, where(n, x, y), y), where(logical_and(m, n), x, y), reason="both conditions must hold"),
    rule("where-different", where(not_equal(x, y), w, z), where(equal(x, y), z, w), reason="the choices change places"),
]

# Zero times a branch that is inf or nan must stay zero: the mask goes outside.
MASKS = [
    rule("masked-product", where(m, x, 0) * where(n, y, 0), where(logical_and(m, n), x * y, 0), kind=stabilising,
         reason="what either masks out is 0 whatever it is multiplied with, even inf or nan"),
    rule("masked-product-else", where(m, 0, x) * where(n, 0, y), where(logical_or(m, n), 0, x * y), kind=stabilising,
         reason="what either masks out is 0 whatever it is multiplied with, even inf or nan"),
    rule("masked-product-mixed", where(m, x, 0) * where(n, 0, y), where(m, where(n, 0, x * y), 0), kind=stabilising,
         reason="what either masks out is 0 whatever it is multiplied with, even inf or nan"),
    rule("masked-factor", where(m, x, 0) * y, where(m, in_order(x * y, this), 0), kind=stabilising,
         condition=unmasked(y), reason="what is masked out is 0 whatever it is multiplied with, even inf or nan"),
    rule("masked-factor-else", where(m, 0, x) * y, where(m, 0, in_order(x * y, this)), kind=stabilising,
         condition=unmasked(y),
         reason="what is masked out is 0 whatever it is multiplied with, even inf or nan"),
    rule("masked-numerator", where(m, x, 0) / y, where(m, x / y, 0), kind=stabilising,
         reason="what is masked out is 0 whatever it is divided by, even 0 or nan"),
    rule("masked-numerator-else", where(m, 0, x) / y, where(m, 0, x / y), kind=stabilising,
         reason="what is masked out is 0 whatever it is divided by, even 0 or nan"),
    rule("mask-as-number", cast(m, dtype=D) * x, where(m, x, 0), kind=stabilising, condition=(boolean(m), is_float(x)),
         reason="a condition as a factor is a choice, which lets no inf or nan through"),
    rule("masked-negative", -where(m, x, 0), where(m, -x, 0), reason="the negative of 0 is 0"),
    rule("masked-negative-else", -where(m, 0, x), where(m, 0, -x), reason="the negative of 0 is 0"),
    rule("masked-sum", where(m, x, 0) + where(m, y, 0), where(m, x + y, 0), reason="both are 0 in the same places",
         in_chains=True),
    rule("both-branches", where(m, x, 0) + where(m, 0, y), where(m, x, y), reason="one is 0 where the other is not",
         in_chains=True),
]  # fmt: skip

RELU = [
    rule("relu-by-maximum", maximum(x, 0), relu(x), reason="the larger of x and 0 is relu(x)"),
    rule("relu-by-where", where(greater(x, 0), x, 0), relu(x), assumption="x is not nan",
         reason="x where positive, else 0"),
    rule("relu-by-where-equal", where(greater_equal(x, 0), x, 0), relu(x), assumption="x is not nan",
         reason="x where positive, else 0"),
    rule("relu-by-where-less", where(less(x, 0), 0, x), relu(x), reason="0 where negative, else x"),
    rule("relu-by-where-less-equal", where(less_equal(x, 0), 0, x), relu(x), reason="0 where negative, else x"),
    rule("relu-by-absolute", 0.5 * (x + absolute(x)), relu(x), reason="x + |x| is 2x for positive x and 0 for others"),
    rule("relu-twice", relu(relu(x)), relu(x), reason="there is no negative part left to cut"),
    rule("relu-is-positive", greater(relu(x), 0), greater(x, 0), reason="relu(x) is positive exactly where x is"),
    rule("absolute-by-where", where(greater(x, 0), x, -x), absolute(x), assumption="x is not nan",
         reason="x or -x, whichever is positive"),
    rule("absolute-by-where-equal", where(greater_equal(x, 0), x, -x), absolute(x),
         reason="x or -x, whichever is positive"),
    rule("absolute-by-where-less", where(less(x, 0), -x, x), absolute(x), reason="x or -x, whichever is positive"),
]  # fmt: skip

EXTREMES = [
    rule("maximum-same", maximum(x, x), x, reason="both are the same"),
    rule("minimum-same", minimum(x, x), x, reason="both are the same"),
    rule("maximum-twice", maximum(maximum(x, y), y), maximum(x, y), reason="it is there already"),
    rule("minimum-twice", minimum(minimum(x, y), y), minimum(x, y), reason="it is there already"),
    rule(
        "maximum-of-numbers",
        maximum(maximum(x, c), d),
        maximum(x, maximum(c, d)),
        reason="only the larger number counts",
    ),
    rule(
        "minimum-of-numbers",
        minimum(minimum(x, c), d),
        minimum(x, minimum(c, d)),
        reason="only the smaller number counts",
    ),
    rule("maximum-of-negatives", maximum(-x, -y), -minimum(x, y), reason="negatives are ordered the other way"),
    rule("minimum-of-negatives", minimum(-x, -y), -maximum(x, y), reason="negatives are ordered the other way"),
]

LOGIC = [
    rule("not-twice", logical_not(logical_not(m)), m, reason="two negations cancel"),
    rule("not-equal", logical_not(equal(x, y)), not_equal(x, y), reason="not equal is different"),
    rule("not-different", logical_not(not_equal(x, y)), equal(x, y), reason="not different is equal"),
    rule("and-true", logical_and(m, True), m, reason="true is neutral"),
    rule("and-false", logical_and(m, False), False, reason="false decides"),
    rule("or-false", logical_or(m, False), m, reason="false is neutral"),
    rule("or-true", logical_or(m, True), True, reason="true decides"),
    rule("and-same", logical_and(m, m), m, reason="both are the same"),
    rule("or-same", logical_or(m, m), m, reason="both are the same"),
    rule("below-infinity", less_equal(x, float("inf")), True, assumption="x is not nan", reason="nothing is above it"),
    rule("number-to-bool", not_equal(cast(m, dtype=D), 0), m, condition=boolean(m), reason="it was a condition before"),
    rule("bool-is-one", equal(cast(m, dtype=D), 1), m, condition=boolean(m), reason="it was a condition before"),
]

RULES = [*WHERE, *MASKS, *RELU, *EXTREMES, *LOGIC]
