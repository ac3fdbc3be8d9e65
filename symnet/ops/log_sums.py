"""Logarithms of sums of exponentials, with and without factors, that neither over- nor underflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.expr.work import per_operand
from symnet.ops.coerce import arity, check_axes, same_dtype, without
from symnet.ops.composite import stop_gradient
from symnet.ops.leaves import input
from symnet.ops.reduce import max, restore, sum, unbroadcast
from symnet.ops.scalar import (
    absolute,
    clip,
    equal,
    erf,
    exp,
    greater,
    less,
    log,
    log1p,
    logical_and,
    maximum,
    minimum,
    negative,
    not_equal,
    sigmoid,
    square,
    where,
)
from symnet.ops.scalar_op import ScalarOp, scalar
from symnet.ops.shape import reshape
from symnet.ops.special import TWO_OVER_SQRT_PI, erfc, erfcx, erfcx_slope, in_double

__all__: list[str] = []

LOG_2 = 0.6931471805599453


def _log_add_exp(a: Expr, b: Expr) -> Expr:
    """The larger one and what the other adds to it. Two equal infinities have no distance: they give themselves."""
    larger, distance = maximum(a, b), absolute(a - b)
    return where(equal(a, b), larger + LOG_2, larger + log1p(exp(negative(distance))))


log_add_exp: ScalarOp = scalar(
    "logaddexp", arity=2, accepts="float", domain=((-1e4, 1e4), (-1e4, 1e4)), stable=_log_add_exp,
    formula=lambda sp, a, b: sp.log(sp.exp(a) + sp.exp(b)),
    derivative=(lambda g, y, a, b: g * sigmoid(a - b), lambda g, y, a, b: g * sigmoid(b - a)),
    cost=20.0, finite=True,
    reason=("∂log(eᵃ + eᵇ)/∂a = σ(a − b)", "∂log(eᵃ + eᵇ)/∂b = σ(b − a)"),
    doc="log(exp(a) + exp(b)), without overflow",
)  # fmt: skip


def _log_blend(a: Expr, s: Expr, b: Expr, t: Expr) -> Expr:
    """log(s eᵃ + t eᵇ), both exponents less the larger one of those that have a factor."""
    lowest = float("-inf")
    largest = maximum(where(not_equal(s, 0), a, lowest), where(not_equal(t, 0), b, lowest))
    shift = where(equal(absolute(largest), float("inf")), 0, largest)
    return log(where(equal(s, 0), 0, s * exp(a - shift)) + where(equal(t, 0), 0, t * exp(b - shift))) + shift


def _part(y: Expr, exponent: Expr, factor: Expr) -> Expr:
    """factor · e^(exponent - y), 0 for the factor 0."""
    return where(equal(factor, 0), 0, factor * exp(exponent - y))


log_blend: ScalarOp = scalar(
    "log_blend", arity=4, accepts="float", domain=((-50.0, 50.0), (0.1, 10.0), (-50.0, 50.0), (0.1, 10.0)),
    stable=_log_blend,
    formula=lambda sp, a, s, b, t: sp.log(s * sp.exp(a) + t * sp.exp(b)),
    derivative=(
        lambda g, y, a, s, b, t: g * _part(y, a, s),
        lambda g, y, a, s, b, t: g * exp(a - y),
        lambda g, y, a, s, b, t: g * _part(y, b, t),
        lambda g, y, a, s, b, t: g * exp(b - y),
    ),
    cost=40.0,
    reason=("∂y/∂a = s·eᵃ⁻ʸ for y = log(s eᵃ + t eᵇ)", "∂y/∂s = eᵃ⁻ʸ", "∂y/∂b = t·eᵇ⁻ʸ", "∂y/∂t = eᵇ⁻ʸ"),
    doc="log(s·exp(a) + t·exp(b)), without over- or underflow of the exponentials; a factor may be 0",
)  # fmt: skip


# --- of what leaves the range ------------------------------------------------------------------------------------


def _below_half(x: Expr) -> Expr:
    """log(erfc x) for x < 1/2, where erfc x is between 0.4 and 2, and 1 - erf x near 0."""
    near, below = clip(x, -0.5, 0.5), minimum(x, 0.5)
    return where(greater(x, -0.5), log1p(negative(erf(near))), log(erfc(below)))


def _log_erfc(x: Expr) -> Expr:
    above = maximum(x, 0.5)
    return where(less(x, 0.5), _below_half(x), log(erfcx(above)) - square(above))


log_erfc: ScalarOp = scalar(
    "log_erfc", accepts="float", domain=((-1e4, 1e4),), formula=lambda sp, x: sp.log(sp.erfc(x)),
    stable=in_double(_log_erfc),
    derivative=(lambda g, y, x: g * in_double(lambda x: -TWO_OVER_SQRT_PI / erfcx(x))(x),),
    cost=60.0,
    reason="(log erfc)′ = erfc′/erfc, which is −2/√π/erfcx(x)",
    notation="logerfc",
    doc="log(erfc(x)), without underflow of erfc for large x",
)  # fmt: skip


def _log_erfcx(x: Expr) -> Expr:
    return where(less(x, 0.5), _below_half(x) + square(minimum(x, 0.5)), log(erfcx(maximum(x, 0.5))))


def _log_erfcx_slope(x: Expr) -> Expr:
    below, above = minimum(x, 0.0), maximum(x, 0.0)
    return where(less(x, 0.0), 2.0 * below - TWO_OVER_SQRT_PI / erfcx(below), erfcx_slope(above) / erfcx(above))


log_erfcx: ScalarOp = scalar(
    "log_erfcx", accepts="float", domain=((-1e4, 9.0),), formula=lambda sp, x: x**2 + sp.log(sp.erfc(x)),
    stable=in_double(_log_erfcx),
    derivative=(lambda g, y, x: g * in_double(_log_erfcx_slope)(x),),
    cost=60.0,
    reason="(log erfcx)′ = 2·x − 2/√π/erfcx(x)",
    notation="logerfcx",
    doc="log(exp(x²)·erfc(x)), without overflow for negative x",
)  # fmt: skip


def _log_hypot(x: Expr, y: Expr) -> Expr:
    """Near 1 from x² - 1 = (x - 1)·(x + 1) of the larger one; elsewhere the larger one comes out."""
    larger, smaller = maximum(absolute(x), absolute(y)), minimum(absolute(x), absolute(y))
    near = logical_and(greater(larger, 0.5), less(larger, 2.0))
    inside = logical_and(greater(larger, 0.0), less(larger, float("inf")))
    ratio = where(inside, smaller / where(inside, larger, 1.0), 0.0)
    beyond = where(near, (larger - 1.0) * (larger + 1.0) + square(smaller), square(ratio))
    return where(near, 0.0, log(where(near, 1.0, larger))) + 0.5 * log1p(beyond)


log_hypot: ScalarOp = scalar(
    "log_hypot", arity=2, accepts="float", domain=((0.1, 100.0), (0.1, 100.0)),
    formula=lambda sp, x, y: sp.log(x**2 + y**2) / 2, stable=in_double(_log_hypot),
    derivative=(
        lambda g, v, x, y: g * in_double(lambda x, y: x / (square(x) + square(y)))(x, y),
        lambda g, v, x, y: g * in_double(lambda x, y: y / (square(x) + square(y)))(x, y),
    ),
    cost=60.0,
    reason=("∂log √(x² + y²)/∂x = x/(x² + y²)", "∂log √(x² + y²)/∂y = y/(x² + y²)"),
    notation="loghypot",
    doc="log √(x² + y²), without over- or underflow of the squares, and with its digits where the length is nearly 1",
)  # fmt: skip

# --- over axes -------------------------------------------------------------------------------------------------------


def weighted_logsumexp(z: Expr, w: Expr, axes: tuple[int, ...], keepdims: bool) -> Expr:
    """log Σ w exp(z) over `axes`, without over- or underflow of the exponentials; `w` has the shape of `z`."""
    return make(WEIGHTED, (z, w), {"axes": axes, "keepdims": keepdims})


def _infer(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 2)
    z = args[0]
    return without(z.shape, check_axes(attrs["axes"], z.ndim), attrs["keepdims"]), same_dtype(args)


def _define(node: Expr) -> Expr:
    """Shifted by the largest exponent that has a weight."""
    (z, w), axes = node.args, node.attrs["axes"]
    largest = stop_gradient(max(where(not_equal(w, 0), z, float("-inf")), axes, keepdims=True))
    shift = where(equal(absolute(largest), float("inf")), 0, largest)
    powers = where(equal(w, 0), 0, w * exp(z - shift))
    total = log(sum(powers, axes, keepdims=True)) + shift
    return total if node.attrs["keepdims"] else reshape(total, node.shape)


def _pull(node: Expr, g: Expr) -> list[Expr | None]:
    """w · e^(z - y) for z and e^(z - y) for w, y the result."""
    (z, w), axes, keepdims = node.args, node.attrs["axes"], node.attrs["keepdims"]
    y, spread = restore(node, axes, keepdims, z.shape), restore(g, axes, keepdims, z.shape)
    return [spread * _part(y, z, w), unbroadcast(spread * exp(z - y), w.shape)]


def _samples(rng: np.random.Generator) -> list[Expr]:
    def one(shape: tuple[Any, ...], axes: tuple[int, ...], keepdims: bool, dtype: str) -> Expr:
        weights = exp(input("w", shape, dtype))  # positive, as the logarithm wants
        return weighted_logsumexp(input("z", shape, dtype), weights, axes, keepdims)

    return [
        one((3, "N"), (1,), False, "float64"),
        one((3, 4, 5), (0, 2), True, "float64"),
        one((3, 4), (0,), False, "float32"),
    ]


WEIGHTED = register(
    Op(
        name="weighted_logsumexp",
        kind="composite",
        infer=_infer,
        define=_define,
        pullback=_pull,
        samples=_samples,
        cost=per_operand(24.0),
        reason=("∂y/∂zᵢ = wᵢ·e^(zᵢ − y) for y = log Σ w e^z", "∂y/∂wᵢ = e^(zᵢ − y)"),
        doc="The logarithm of a weighted sum of exponentials over axes; weights may be 0.",
    )
)
