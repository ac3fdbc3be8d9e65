"""What is done only on the way to the loop program, where speed counts and nobody reads the formula."""

from __future__ import annotations

from symnet.expr.node import Expr
from symnet.expr.work import elements
from symnet.simplify.facts import positive
from symnet.simplify.pattern import Rest, attributes, computed, constants, variables
from symnet.simplify.polynomials import given
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.shapes import constant_along, is_axis, single, squeezed
from symnet.simplify.tables.roots import splits
from symnet.simplify.vocabulary import (
    bernoulli_logit_slope,
    cast,
    expm1,
    gather,
    log,
    log_softmax,
    max_,
    maximum,
    reshape,
    sigmoid,
    softmax,
    softmax_residual,
    softmax_slope,
    sqrt,
    square,
    stop_gradient,
    sum_,
    tanh,
    tanh_slope,
    where,
    xlogy,
)

g, m, s, t, x, y, z = variables("g m s t x y z")
(c,) = constants("c")
A, B, K = attributes("A B K")
index = Rest("index")


@computed
def is_smaller(y: Expr, x: Expr) -> bool:
    """Whether `y` has fewer elements than `x`."""
    return elements(y.shape) < elements(x.shape)


@computed
def has_shape_of(x: Expr, s: Expr) -> bool:
    """Whether s·x has the shape of x."""
    missing = len(x.shape) - len(s.shape)
    return missing >= 0 and all(a == 1 or a == b for a, b in zip(s.shape, x.shape[missing:], strict=True))


@computed
def lowest(c: float) -> bool:
    """Whether a number is below what exponents are."""
    return c < -3e38


@computed
def same_shape(x: Expr, y: Expr) -> bool:
    return x.shape == y.shape


FAR_OUT = [
    rule("softmax-less-target", softmax(z, axis=A) - t, softmax_residual(z, 1, t, axis=A), kind=stabilising,
         condition=same_shape(z, t), lowering=True,
         reason="the other shares add up to what a share lacks to 1, which the difference loses where it rounds to 1"),
    rule("target-less-softmax", t - softmax(z, axis=A), -softmax_residual(z, 1, t, axis=A), kind=stabilising,
         condition=same_shape(z, t), lowering=True,
         reason="the other shares add up to what a share lacks to 1, which the difference loses where it rounds to 1"),
    rule("softmax-share-less-target", softmax(z, axis=A) * s - t, softmax_residual(z, s, t, axis=A), kind=stabilising,
         condition=(same_shape(z, t), constant_along(s, single(A), z)), lowering=True,
         reason="the other shares add up to what a share lacks to 1, which the difference loses where it rounds to 1"),
    rule("target-less-softmax-share", t - softmax(z, axis=A) * s, -softmax_residual(z, s, t, axis=A), kind=stabilising,
         condition=(same_shape(z, t), constant_along(s, single(A), z)), lowering=True,
         reason="the other shares add up to what a share lacks to 1, which the difference loses where it rounds to 1"),
    rule("one-less-softmax", 1 - softmax(z, axis=A), -softmax_residual(z, 1, 1, axis=A), kind=stabilising,
         lowering=True,
         reason="the other shares add up to what a share lacks to 1, which the difference loses where it rounds to 1"),
    rule("softmax-slope", softmax(z, axis=A) * (g - sum_(softmax(z, axis=A) * g, axes=B, keepdims=True)),
         softmax_slope(z, g, axis=A), kind=stabilising, condition=(is_axis(B, A), same_shape(z, g)), lowering=True,
         reason="the shares add up to 1, so g may be taken from its value at the largest share before terms cancel"),
    rule("softmax-slope-turned", softmax(z, axis=A) * (sum_(softmax(z, axis=A) * g, axes=B, keepdims=True) - g),
         -softmax_slope(z, g, axis=A), kind=stabilising, condition=(is_axis(B, A), same_shape(z, g)), lowering=True,
         reason="the shares add up to 1, so g may be taken from its value at the largest share before terms cancel"),
    rule("tanh-slope", 1 - square(tanh(x)), tanh_slope(x), kind=stabilising, lowering=True,
         reason="1 - tanh² from e⁻²ˣ keeps the digits that the difference loses where tanh rounds to 1"),
]  # fmt: skip
"""What is left of a share or a slope where softmax and tanh are nearly at their ends. These digits cost something, and
do not matter to training."""

SATURATION = [
    rule("one-less-picked-share", 1 - gather(softmax(z, axis=A), index, axes=B),
         -expm1(gather(log_softmax(z, axis=A), index, axes=B)), kind=stabilising, lowering=True,
         reason="1 - p from the logarithm of p has the digits that p has lost where it rounds to 1"),
    rule("one-less-picked-share-of-shape", 1 - reshape(gather(softmax(z, axis=A), index, axes=B), shape=K),
         -expm1(reshape(gather(log_softmax(z, axis=A), index, axes=B), shape=K)), kind=stabilising, lowering=True,
         reason="1 - p from the logarithm of p has the digits that p has lost where it rounds to 1"),
    rule("sigmoid-less-target", sigmoid(x) - t, bernoulli_logit_slope(x, t), kind=stabilising, lowering=True,
         reason="the smaller of σ(x) and 1 - σ(x) has all its digits, and is the difference where t is the other end"),
    rule("target-less-sigmoid", t - sigmoid(x), -bernoulli_logit_slope(x, t), kind=stabilising, lowering=True,
         reason="the smaller of σ(x) and 1 - σ(x) has all its digits, and is the difference where t is the other end"),
    rule("difference-of-given-squares", square(x) - square(y), (x - y) * (x + y), kind=stabilising,
         condition=given(x, y), lowering=True,
         reason="x² - y² is (x - y)·(x + y), which subtracts before it rounds"),
    rule("product-of-sum-and-difference", c - square(x), (sqrt(c) - x) * (sqrt(c) + x), kind=stabilising,
         condition=splits(c, x), lowering=True,
         reason="a² - x² is (a - x)·(a + x), which subtracts before it rounds"),
    rule("product-of-difference-and-sum", square(x) - c, (x - sqrt(c)) * (x + sqrt(c)), kind=stabilising,
         condition=splits(c, x), lowering=True,
         reason="x² - a² is (x - a)·(x + a), which subtracts before it rounds"),
    rule("square-in-float64", cast(square(x), dtype="float64"), square(cast(x, dtype="float64")), kind=stabilising,
         lowering=True, reason="the square of a float32 number is exact in float64"),
    rule("times-own-log", x * log(x), xlogy(x, x), kind=stabilising, lowering=True, reason="x log x tends to 0 with x"),
]  # fmt: skip
"""Applied before definitions are expanded, and after all derivatives are taken (that of a product of a sum and a
difference would cancel)."""

SHIFTS = [
    rule("largest-of-multiple", max_(s * x, axes=A, keepdims=K), squeezed(s, A, K, x) * max_(x, axes=A, keepdims=K),
         condition=(positive(s), constant_along(s, A, x), has_shape_of(x, s)), lowering=True,
         reason="a positive factor does not change which element is the largest"),
    rule("multiple-or-nothing", where(m, s * x, float("-inf")), s * where(m, x, float("-inf")),
         condition=(positive(s), has_shape_of(x, s)), lowering=True,
         reason="a positive multiple of -∞ is -∞"),
    rule("nothing-or-multiple", where(m, float("-inf"), s * x), s * where(m, float("-inf"), x),
         condition=(positive(s), has_shape_of(x, s)), lowering=True,
         reason="a positive multiple of -∞ is -∞"),
    rule("multiple-less-largest", s * x - maximum(max_(s * x, axes=A, keepdims=True), c),
         s * (x - maximum(max_(x, axes=A, keepdims=True), c)), kind=stabilising,
         condition=(positive(s), constant_along(s, A, x), has_shape_of(x, s), lowest(c)),
         assumption="the largest s·x is not below the range", lowering=True,
         reason="x less the largest x has no rounding error where the two are near, which their multiples have"),
    rule("multiple-less-finite-largest", s * x - where(m, 0, max_(s * x, axes=A, keepdims=True)),
         s * (x - where(m, 0, max_(x, axes=A, keepdims=True))), kind=stabilising,
         condition=(positive(s), constant_along(s, A, x), has_shape_of(x, s)), lowering=True,
         reason="x less the largest x has no rounding error where the two are near, which their multiples have"),
]  # fmt: skip
"""Shifted exponents, as in softmax(z/T): the shift comes before the factor."""

RULES = [
    *FAR_OUT,
    *SATURATION,
    *SHIFTS,
    rule("divide-by-few", x / y, x * (1 / y), condition=is_smaller(y, x), lowering=True,
         reason="one division for all elements and a product for each is faster, and differs in the last bit"),
    rule("no-more-gradients", stop_gradient(x), x, lowering=True, reason="no derivative is taken any more"),
]  # fmt: skip
