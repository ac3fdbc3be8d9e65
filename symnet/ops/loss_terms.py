"""The scalar functions that losses are made of, each with the derivative and the evaluation that it needs."""

from __future__ import annotations

import math

import numpy as np

from symnet.expr.dims import Shape
from symnet.expr.node import Expr
from symnet.ops.leaves import input
from symnet.ops.scalar import (
    absolute,
    clip,
    divide,
    equal,
    exp,
    expm1,
    greater,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    maximum,
    minimum,
    multiply,
    negative,
    sigmoid,
    subtract,
    tanh,
    where,
)
from symnet.ops.scalar_op import ScalarOp, scalar

__all__ = ["xlogy"]

# --- logarithms weighted by probabilities ------------------------------------------------------------------------

LEAST_LOG = -100.0
"""What the logarithms of `bernoulli_nll` are limited to, as PyTorch's."""
LEAST_VARIANCE = 9.999999960041972e-13
"""What p (1 - p) is limited to in its derivative: 1e-12, which PyTorch keeps in single precision."""


def _xlogy(x: Expr, y: Expr) -> Expr:
    return where(equal(x, 0), 0, x * log(y))


xlogy: ScalarOp = scalar(
    "xlogy", arity=2, accepts="float", formula=lambda sp, x, y: x * sp.log(y), domain=((-1e4, 1e4), (1e-30, 1e30)),
    stable=_xlogy,
    derivative=(
        lambda g, y, a, b: where(logical_and(equal(a, 0), less_equal(b, 0)), 0, g * log(b)),
        lambda g, y, a, b: where(equal(a, 0), 0, g * divide(a, b)),
    ),
    cost=10.0,
    reason=("∂(a·log b)/∂a = log b", "∂(a·log b)/∂b = a/b"),
    doc="x log y, and 0 for x = 0 whatever y is",
)  # fmt: skip


def _limited(logarithm: Expr) -> Expr:
    return maximum(logarithm, LEAST_LOG)


def _bernoulli_nll(p: Expr, t: Expr) -> Expr:
    return (t - 1.0) * _limited(log1p(negative(p))) - t * _limited(log(p))


def _samples(rng: np.random.Generator) -> list[Expr]:
    """Of sigmoids, which are probabilities."""
    shapes: list[tuple[Shape, Shape]] = [((5, 3), (5, 3)), (("N", 3), (3,)), ((), ())]
    return [
        bernoulli_nll(sigmoid(input("a", a, dtype)), input("b", b, dtype))
        for dtype in ("float64", "float32")
        for a, b in shapes
    ]


bernoulli_nll: ScalarOp = scalar(
    "bernoulli_nll", arity=2, accepts="float", domain=((1e-6, 1.0 - 1e-6), (0.0, 1.0)), stable=_bernoulli_nll,
    formula=lambda sp, p, t: -t * sp.log(p) - (1 - t) * sp.log(1 - p),
    # (p - t) / (p (1 - p)) in one piece, so that it is exact at p = t = 0; and finite at the ends, as the value is.
    derivative=(
        lambda g, y, p, t: g * divide(subtract(p, t), maximum(multiply(p, 1.0 - p), LEAST_VARIANCE)),
        lambda g, y, p, t: g * subtract(_limited(log1p(negative(p))), _limited(log(p))),
    ),
    samples=_samples,
    cost=22.0,
    reason=(
        "(−t·log p − (1 − t)·log(1 − p))′ = (p − t)/(p·(1 − p))",
        "∂(−t·log p − (1 − t)·log(1 − p))/∂t = log(1 − p) − log p",
    ),
    doc="-t log p - (1 - t) log(1 - p) for probabilities p and targets t; the logarithms end at -100",
)  # fmt: skip


def _bernoulli_logit_slope(x: Expr, t: Expr) -> Expr:
    """From the smaller of σ(x) and 1 - σ(x), which has all its digits: for t = 1 and large x it is the result."""
    smaller = sigmoid(negative(absolute(x)))
    return where(greater(x, 0), (1.0 - t) - smaller, smaller - t)


bernoulli_logit_slope: ScalarOp = scalar(
    "bernoulli_logit_slope", arity=2, accepts="float", domain=((-30.0, 30.0), (0.0, 1.0)),
    formula=lambda sp, x, t: 1 / (1 + sp.exp(-x)) - t, stable=_bernoulli_logit_slope,
    derivative=(lambda g, y, x, t: g * multiply(sigmoid(x), sigmoid(negative(x))), lambda g, y, x, t: negative(g)),
    cost=14.0, finite=True,
    reason=("σ′ = σ·(1 − σ)", "∂(σ(x) − t)/∂t = −1"),
    doc="sigmoid(x) - t, the derivative of bernoulli_logit_nll, with its digits where both are nearly 1",
)  # fmt: skip


def _bernoulli_logit_nll(x: Expr, t: Expr) -> Expr:
    return where(greater(x, 0), (1.0 - t) * x, negative(t * x)) + log1p(exp(negative(absolute(x))))


bernoulli_logit_nll: ScalarOp = scalar(
    "bernoulli_logit_nll", arity=2, accepts="float", domain=((-1e4, 1e4), (0.0, 1.0)), stable=_bernoulli_logit_nll,
    formula=lambda sp, x, t: sp.log(1 + sp.exp(x)) - t * x,
    derivative=(lambda g, y, x, t: g * bernoulli_logit_slope(x, t), lambda g, y, x, t: negative(g * x)),
    cost=20.0, finite=True,
    reason=("(softplus(x) − t·x)′ = σ(x) − t", "∂(softplus(x) − t·x)/∂t = −x"),
    doc="softplus(x) - t x: bernoulli_nll of p = sigmoid(x), as a sum of terms that are not negative",
)  # fmt: skip

# --- differences that count less when they are large -------------------------------------------------------------


def _huber(d: Expr, delta: Expr) -> Expr:
    size = absolute(d)
    return where(less_equal(size, delta), 0.5 * d * d, delta * (size - 0.5 * delta))


huber: ScalarOp = scalar(
    "huber", arity=2, accepts="float", domain=((-1e4, 1e4), (1e-3, 1e3)), stable=_huber,
    formula=lambda sp, d, c: sp.Piecewise((d**2 / 2, sp.Abs(d) <= c), (c * (sp.Abs(d) - c / 2), True)),
    derivative=(
        lambda g, y, d, c: g * clip(d, negative(c), c),
        lambda g, y, d, c: g * maximum(absolute(d) - c, 0.0),
    ),
    cost=6.0, finite=True,
    reason=(
        "huber′ is the difference itself, limited to the range from −delta to delta",
        "∂huber/∂delta = max(|d| − delta, 0)",
    ),
    doc="d²/2 where |d| ≤ delta, else delta (|d| - delta/2)",
)  # fmt: skip


def _log_cosh(x: Expr) -> Expr:
    """Near 0, log(1 + 2 sinh²(x/2)); else |x| less a number below log 2."""
    size = absolute(x)
    half = 0.5 * minimum(size, 1.0)
    sinh = 0.5 * (expm1(half) - expm1(negative(half)))
    return where(less(size, 1), log1p(2.0 * sinh * sinh), size + log1p(exp(-2.0 * size)) - math.log(2.0))


log_cosh: ScalarOp = scalar(
    "log_cosh", accepts="float", domain=((-1e4, 1e4),), formula=lambda sp, x: sp.log(sp.cosh(x)), stable=_log_cosh,
    derivative=(lambda g, y, x: g * tanh(x),), doc="log cosh x, without overflow",
    cost=30.0, finite=True,
    reason="(log cosh x)′ = tanh x",
    notation="logcosh",
)  # fmt: skip
