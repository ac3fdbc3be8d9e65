"""Squares, roots, powers and absolute values."""

from __future__ import annotations

from symnet.expr import dims
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.leaves import number
from symnet.simplify.facts import above_zero, is_positive_constant, nonnegative, positive
from symnet.simplify.logarithms import MOVES
from symnet.simplify.pattern import Family, attributes, computed, constants, this, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.shapes import Axes, axes_summed, count_along, lines_up, summed_axes
from symnet.simplify.vocabulary import (
    absolute,
    contract,
    exp,
    hypot,
    log,
    maximum,
    mean,
    norm,
    power,
    prod,
    relu,
    rsqrt,
    sign,
    sqrt,
    square,
    sum_,
    unit,
)

x, y = variables("x y")
c, d = constants("c d")
A, B, K = attributes("A B K")
reduced = Family("reduced", frozenset(("sum", "mean")))


@computed
def below_one(c: float) -> bool:
    return c < 1.0


@computed
def is_share(x: Expr) -> bool:
    """Whether x is of a softmax or a sigmoid, or elements of one."""
    while x.op in MOVES:
        x = x.args[0]
    return x.op in ("softmax", "sigmoid")


@computed
def sums_squares(x: Expr) -> bool:
    """Whether the root of `x` is a length."""
    if x.op == "contract":
        return x.args[0] is x.args[1] and not x.attrs["sizes"] and axes_summed(x.attrs["spec"]) is not None
    if x.op == "add":
        return all(part.op == "square" or sums_plainly(part) or is_positive_constant(part) for part in x.args)
    return sums_plainly(x)


def sums_plainly(x: Expr) -> bool:
    return x.op in ("sum", "mean") and x.args[0].op == "square"


@computed
def sums_over(spec: str, axes: Axes) -> bool:
    """Whether a contraction is the sum over `axes` of the products of equal elements."""
    return axes_summed(spec) == axes


@computed
def whole(x: Expr, y: Expr) -> bool:
    """Whether a product with `y` has the shape of `x`."""
    return dims.broadcast(x.shape, y.shape) == x.shape


POWERS = [
    rule("product-with-itself", x * x, square(x), reason="x·x is the square of x"),
    rule("power-zero", power(x, 0), 1, reason="every number to the power 0 is 1"),
    rule("power-one", power(x, 1), x, reason="the first power is the value itself"),
    rule("power-two", power(x, 2), square(x), reason="the second power is the square"),
    rule("power-three", power(x, 3), x * square(x), reason="the third power is two products"),
    rule("power-four", power(x, 4), square(square(x)), reason="the fourth power is the square of the square"),
    rule("power-minus-one", power(x, -1), 1 / x, reason="the power -1 is the reciprocal"),
    rule("power-minus-two", power(x, -2), 1 / square(x), reason="the power -2 is the reciprocal of the square"),
    rule("power-half", power(x, 0.5), sqrt(x), assumption="x is not -inf", reason="the power 1/2 is the square root"),
    rule(
        "power-minus-half",
        power(x, -0.5),
        rsqrt(x),
        assumption="x is not -inf",
        reason="the power -1/2 is the reciprocal of the square root",
    ),
]

ROOTS = [
    rule(
        "root-of-square",
        sqrt(square(x)),
        absolute(x),
        kind=stabilising,
        reason="the root of a square is the absolute value; the square does not over- or underflow on the way",
    ),
    rule("square-of-root", square(sqrt(x)), x, condition=nonnegative(x), reason="the square undoes the root"),
    rule(
        "divide-by-own-root",
        x / sqrt(x),
        sqrt(x),
        kind=stabilising,
        reason="x is the square of its root; 0/0 does not arise at 0",
    ),
    rule("root-divided-by-own", sqrt(x) / x, rsqrt(x), reason="x is the square of its root"),
    rule("reciprocal-of-root", 1 / sqrt(x), rsqrt(x), reason="the reciprocal of a root is one operation"),
    rule("multiply-by-own-rsqrt", x * rsqrt(x), sqrt(x), kind=stabilising,
         reason="x is the square of its root; 0·inf does not arise at 0"),
    rule("square-of-rsqrt", square(rsqrt(x)), 1 / x, reason="the square undoes the root", condition=nonnegative(x)),
    rule("norm", sqrt(sum_(square(x), axes=A, keepdims=K)), norm(x, axes=A, keepdims=K), kind=stabilising,
         reason="the root of a sum of squares is the Euclidean norm, which cannot over- or underflow on the way, and "
                "whose derivative at 0 is 0 and not 0·inf"),
    rule("norm-of-dot", sqrt(contract(x, x, spec=A, sizes=(), shape=())), norm(x, axes=summed_axes(A), keepdims=False),
         kind=stabilising, reason="the root of a vector's product with itself is its Euclidean norm"),
    rule("root-mean-square", sqrt(mean(square(x), axes=A, keepdims=K)),
         norm(x, axes=A, keepdims=K) / sqrt(count_along(x, A)), kind=stabilising,
         reason="a mean is a sum divided by the count; the norm's derivative at 0 is 0 and not 0·inf"),
    rule("rsqrt-of-squares", rsqrt(x), 1 / sqrt(x), kind=stabilising, condition=sums_squares(x),
         reason="the root of a sum of squares is a length, whose squares cannot over- or underflow"),
    rule("norm-of-one", norm(x, axes=()), absolute(x), reason="the length of a number is its size"),
    rule("direction", x / norm(x, axes=A, keepdims=K), unit(x, axes=A), kind=stabilising, in_chains=True,
         condition=lines_up(A, K), reason="a vector over its length is its direction, however short or long it is"),
    rule("product-over-length", sum_(x * y, axes=A, keepdims=K) / norm(x, axes=A, keepdims=K),
         sum_(unit(x, axes=A) * y, axes=A, keepdims=K), kind=stabilising, condition=whole(x, y), in_chains=True,
         reason="the length goes to its vector, so that the products neither over- nor underflow"),
    rule("dot-over-length", contract(x, y, spec=A, sizes=(), shape=()) / norm(x, axes=B, keepdims=False),
         contract(unit(x, axes=B), y, spec=A, sizes=(), shape=()), kind=stabilising, condition=sums_over(A, B),
         in_chains=True, reason="the length goes to its vector, so that the products neither over- nor underflow"),
    rule("dot-over-second-length", contract(x, y, spec=A, sizes=(), shape=()) / norm(y, axes=B, keepdims=False),
         contract(x, unit(y, axes=B), spec=A, sizes=(), shape=()), kind=stabilising, condition=sums_over(A, B),
         in_chains=True, reason="the length goes to its vector, so that the products neither over- nor underflow"),
    rule("length-of-two", sqrt(square(x) + square(y)), hypot(x, y), kind=stabilising,
         reason="the length of (x, y), whose squares cannot over- or underflow"),
    rule("length-with-number", sqrt(square(x) + c), hypot(x, sqrt(c)), kind=stabilising, condition=above_zero(c),
         reason="the length of (x, √c), whose squares cannot over- or underflow"),
    rule("length-of-sum-with-number", sqrt(sum_(square(x), axes=A, keepdims=K) + c),
         hypot(norm(x, axes=A, keepdims=K), sqrt(c)), kind=stabilising, condition=above_zero(c),
         reason="the length of (‖x‖, √c), whose squares cannot over- or underflow"),
    rule("length-of-mean-with-number", sqrt(mean(square(x), axes=A, keepdims=K) + c),
         hypot(norm(x, axes=A, keepdims=K) / sqrt(count_along(x, A)), sqrt(c)), kind=stabilising,
         condition=above_zero(c), reason="the length of (‖x‖/√n, √c), whose squares cannot over- or underflow"),
    rule("square-of-norm", square(norm(x, axes=A, keepdims=K)), sum_(square(x), axes=A, keepdims=K),
         reason="the square undoes the root"),
    rule("root-of-exp", sqrt(exp(x)), exp(x / 2), kind=stabilising,
         reason="the root of eˣ halves the exponent, before it overflows"),
]  # fmt: skip


@computed
def sums_anything(x: Expr, y: Expr) -> bool:
    """Whether one of them is a sum over axes, whose root may be a length."""
    return any(part.op in ("sum", "mean", "contract") for part in (x, y))


def is_high_power(x: Expr) -> bool:
    """A power above the second, also written as products with squares."""
    if x.op == "power":
        return x.args[1].op == "constant" and not x.args[1].shape and x.args[1].attrs["value"] > 2
    if x.op == "square":
        return x.args[0].op == "square"
    return x.op == "multiply" and any(
        a.op == "square" and (a.args[0] is b or (b.op == "absolute" and b.args[0] is a.args[0]))
        for a, b in (x.args, x.args[::-1])
    )


@computed
def raises(x: Expr) -> bool:
    return x.dtype == "float32" and is_high_power(x)


@computed
def in_double(node: Expr) -> Expr:
    """A root of a sum of powers, from the base on in float64."""
    total, exponent = node.args[0], node.args[1:]
    powers = total.args[0]
    base = min(powers.args, key=lambda part: part.op == "square") if powers.op == "multiply" else powers.args[0]
    wide = make(lookup("cast"), (base.args[0] if base.op == "square" else base,), {"dtype": "float64"})
    square_of = make(lookup("square"), (wide,))
    if powers.op == "power":
        inner = make(lookup("power"), (wide, number(powers.args[1].attrs["value"], "float64")))
    else:
        inner = make(powers.declaration, (square_of,) if powers.op == "square" else (wide, square_of))
    summed = make(total.declaration, (inner,), total.attrs)
    root = make(node.declaration, (summed, *(number(e.attrs["value"], "float64") for e in exponent)), node.attrs)
    return make(lookup("cast"), (root,), {"dtype": node.dtype})


@computed
def no_sign(x: Expr) -> bool:
    return x.op not in ("sign", "constant", "broadcast_to")


QUOTIENTS = [
    rule("quotient-of-squares", square(x) / square(y), square(x / y), kind=stabilising,
         reason="the quotient of squares is the square of the quotient, which over- and underflows later"),
    rule("square-of-reciprocal-times-own", square(1 / x) * x, 1 / x, in_chains=True,
         reason="one of the two divisors cancels"),
    rule("power-of-square", power(square(x), c), power(absolute(x), 2 * c), kind=stabilising,
         reason="exponents multiply; the square does not over- or underflow on the way"),
    rule("root-of-product", sqrt(x * y), sqrt(x) * sqrt(y), kind=stabilising,
         condition=(nonnegative(x), nonnegative(y), sums_anything(x, y)),
         reason="the root is taken of both factors, before their product over- or underflows"),
    rule("root-of-quotient", sqrt(x / y), sqrt(x) / sqrt(y), kind=stabilising,
         condition=(nonnegative(x), nonnegative(y), sums_anything(x, y)),
         reason="the root is taken of both terms, before their quotient over- or underflows"),
    rule("square-over-square-plus", square(x) / (square(x) + c), square(x / hypot(x, sqrt(c))), kind=stabilising,
         condition=above_zero(c), reason="x over the length of (x, √c), squared: neither over- nor underflows"),
    rule("squares-over-squares-plus", sum_(square(x), axes=A, keepdims=K) / (sum_(square(x), axes=A, keepdims=K) + c),
         square(norm(x, axes=A, keepdims=K) / hypot(norm(x, axes=A, keepdims=K), sqrt(c))), kind=stabilising,
         condition=above_zero(c), reason="‖x‖ over the length of (‖x‖, √c), squared: neither over- nor underflows"),
    rule("root-of-sum-of-powers", power(reduced(x), c), in_double(this), kind=stabilising,
         condition=raises(x), reason="powers of float32 numbers do not over- or underflow in float64"),
    rule("square-root-of-sum-of-powers", sqrt(reduced(x)), in_double(this), kind=stabilising,
         condition=raises(x), reason="powers of float32 numbers do not over- or underflow in float64"),
    rule("log-of-sum-of-squares", log(sum_(square(x), axes=A, keepdims=K)), 2 * log(norm(x, axes=A, keepdims=K)),
         kind=stabilising, reason="a sum of squares is a squared length, and the length does not over- or underflow"),
    rule("log-of-own-dot", log(contract(x, x, spec=A, sizes=(), shape=())),
         2 * log(norm(x, axes=summed_axes(A), keepdims=False)), kind=stabilising,
         reason="a vector's product with itself is its squared length, and the length does not over- or underflow"),
    rule("log-of-prod", log(prod(x, axes=A, keepdims=K)),
         sum_(log(absolute(x)), axes=A, keepdims=K) + log(prod(sign(x), axes=A, keepdims=K)), kind=stabilising,
         condition=no_sign(x),
         reason="the logarithm of a product is the sum of logarithms; the product of signs is 1, or there is none"),
    rule("power-of-prod", power(prod(x, axes=A, keepdims=K), c),
         exp(c * sum_(log(absolute(x)), axes=A, keepdims=K)) * power(prod(sign(x), axes=A, keepdims=K), c),
         kind=stabilising, condition=no_sign(x),
         reason="the power is taken of the logarithms, before the product over- or underflows"),
]  # fmt: skip

SIGNS = [
    rule("square-of-negative", square(-x), square(x), reason="a square forgets the sign"),
    rule("square-of-absolute", square(absolute(x)), square(x), reason="a square forgets the sign"),
    rule("absolute-of-negative", absolute(-x), absolute(x), reason="an absolute value forgets the sign"),
    rule("absolute-of-nonnegative", absolute(x), x, condition=nonnegative(x), reason="the value has no sign to forget"),
    rule("absolute-twice", absolute(absolute(x)), absolute(x), reason="there is no sign left to forget"),
    rule("sign-times-absolute", sign(x) * absolute(x), x, reason="a number is its sign times its size"),
    rule(
        "sign-over-absolute",
        sign(x) / absolute(x),
        1 / x,
        assumption="x is not 0",
        in_chains=True,
        reason="a number is its size times its sign, which is its own reciprocal",
    ),
    rule("sign-times-itself", sign(x) * x, absolute(x), reason="the sign undoes itself"),
    rule(
        "sign-of-positive", sign(x), 1, condition=positive(x), assumption="x is not nan", reason="the value is positive"
    ),
    rule("relu-of-nonnegative", relu(x), x, condition=nonnegative(x), reason="there is no negative part to cut"),
    rule("maximum-with-negative", maximum(x, -x), absolute(x), reason="the larger of x and -x is |x|"),
]

LOGS = [
    rule("log-of-reciprocal", log(1 / x), -log(x), reason="the logarithm of a reciprocal is the negative logarithm"),
    rule(
        "log-of-power",
        log(power(x, y)),
        y * log(x),
        condition=positive(x),
        reason="the logarithm brings the exponent down, before the power over- or underflows",
    ),
]

SHARES = [
    rule("power-of-share", power(x, c), exp(c * log(x)), kind=stabilising, condition=(below_one(c), is_share(x)),
         reason="shares have logarithms where they underflow, and their roots may not; the slope is no ∞·0"),
    rule("root-of-share", sqrt(x), exp(0.5 * log(x)), kind=stabilising, condition=is_share(x),
         reason="shares have logarithms where they underflow, and their roots may not; the slope is no ∞·0"),
]  # fmt: skip

RULES = [*POWERS, *ROOTS, *QUOTIENTS, *SIGNS, *LOGS, *SHARES]
