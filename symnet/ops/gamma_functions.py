"""The gamma function and its relatives: what the densities of statistics are normalised by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import UsageError
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import REGISTRY, Op, register
from symnet.expr.work import per_operand
from symnet.ops.coerce import arity, operands
from symnet.ops.gamma_arrays import BERNOULLI, digamma_of_array, lgamma_of_array, trigamma_of_array
from symnet.ops.leaves import Operand, input
from symnet.ops.scalar import (
    absolute,
    equal,
    exp,
    floor,
    greater,
    greater_equal,
    less,
    log,
    log1p,
    logical_and,
    logical_not,
    maximum,
    minimum,
    mod,
    negative,
    power,
    round,
    sin,
    square,
    where,
)
from symnet.ops.scalar_op import ScalarOp, scalar
from symnet.ops.special import copysign, in_double, tan

__all__ = [
    "beta", "betaln", "digamma", "factorial", "gamma", "gammaln", "lgamma", "multigammaln", "polygamma", "psi",
    "trigamma",
]  # fmt: skip


def _positive(name: str, shape: Shape, dtype: str) -> Expr:
    return 0.5 + square(input(name, shape, dtype))


def _of_positive(name: str, count: int = 1) -> Callable[[np.random.Generator], list[Expr]]:
    """Samples of an operation at positive operands, away from poles."""

    def samples(rng: np.random.Generator) -> list[Expr]:
        op = REGISTRY[name]
        shapes: list[list[Shape]] = [[(5, 3)] * 2, [("N", 3), (3,)], [()] * 2]
        return [
            make(op, tuple(_positive("ab"[i], shape, dtype) for i, shape in enumerate(group[:count])))
            for dtype in ("float64", "float32")
            for group in shapes
        ]

    return samples


lgamma: ScalarOp = scalar(
    "lgamma", lgamma_of_array, loop="lgamma", accepts="float", samples=_of_positive("lgamma"),
    formula=lambda sp, x: sp.loggamma(x), domain=((1e-3, 1e6),),
    derivative=(lambda g, y, x: g * digamma(x),),
    cost=40.0,
    reason="(log Γ)′ = ψ, the digamma function",
    notation="logΓ",
    doc="log |Γ(x)|, with its digits around its zeros 1 and 2",
)  # fmt: skip
digamma: ScalarOp = scalar(
    "digamma", digamma_of_array, loop="digamma", accepts="float", samples=_of_positive("digamma"),
    formula=lambda sp, x: sp.digamma(x), domain=((1e-3, 1e6),),
    derivative=(lambda g, y, x: g * trigamma(x),),
    cost=40.0,
    reason="ψ′ = ψ₁, the trigamma function",
    notation="ψ",
    doc="ψ(x), the derivative of log Γ(x)",
)  # fmt: skip
trigamma: ScalarOp = scalar(
    "trigamma", trigamma_of_array, loop="trigamma", accepts="float", samples=_of_positive("trigamma"),
    formula=lambda sp, x: sp.polygamma(1, x), domain=((1e-3, 1e6),),
    derivative=(lambda g, y, x: g * polygamma(2, x),),
    cost=30.0, sign="positive",
    reason="ψ₁′ = ψ₂, the next derivative of log Γ",
    notation="ψ₁",
    doc="ψ₁(x), the second derivative of log Γ(x)",
)  # fmt: skip
gammaln = lgamma
psi = digamma


# --- derivatives of higher order ---------------------------------------------------------------------------------


def _infer_polygamma(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    return args[0].shape, args[0].dtype


def _define_polygamma(node: Expr) -> Expr:
    order = node.attrs["order"]
    return in_double(lambda x: _polygamma(order, x))(node.args[0])


def _polygamma(n: int, x: Expr) -> Expr:
    """(−1)ⁿ ψₙ(1 − x) − π dⁿ/dxⁿ cot(π x) for x < 0, where the derivative is a polynomial of the cotangent."""
    below = less(x, 0.0)
    above = _polygamma_of_positive(n, where(below, 1.0 - x, x))
    cotangent = _cotangent_of_pi(where(below, x - round(x), 0.25))
    coefficients = [0.0, 1.0]
    for _ in range(n):  # (d/dx) p(c) = −π (1 + c²) p′(c)
        slope = [k * c for k, c in enumerate(coefficients)][1:]
        coefficients = [-(a + b) for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    total: Expr = cotangent * 0.0 + coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = total * cotangent + coefficient
    return where(below, (-1.0) ** n * above - math.pi ** (n + 1) * total, above)


def _cotangent_of_pi(r: Expr) -> Expr:
    """cot(π r) for |r| ≤ 1/2, with all digits where it is small, too."""
    size = absolute(r)
    steep = less(size, 0.25)
    tangent = tan(math.pi * where(steep, size, 0.5 - size))
    return copysign(where(steep, 1.0 / tangent, tangent), r)


def _polygamma_of_positive(n: int, x: Expr) -> Expr:
    """n! Σ 1/(x + k)ⁿ⁺¹, but for the sign of −(−1)ⁿ: the first terms, and the asymptotic series for the others."""
    count = 10 + n
    far = x + float(count)
    inverse = 1.0 / far
    series: Expr = inverse * 0.0
    for k, number in reversed(list(enumerate(BERNOULLI, 1))):
        series = series * square(inverse) + number * math.factorial(2 * k + n - 1) / math.factorial(2 * k)
    total = _power(inverse, n) * (math.factorial(n - 1) + inverse * (0.5 * math.factorial(n) + inverse * series))
    for k in reversed(range(count)):
        total = total + math.factorial(n) * _power(1.0 / (x + float(k)), n + 1)
    return -((-1.0) ** n) * total


def _power(x: Expr, n: int) -> Expr:
    """xⁿ for a whole number n ≥ 1, by products."""
    result = x
    for _ in range(n - 1):
        result = result * x
    return result


def polygamma(n: int, x: Operand) -> Expr:
    """ψₙ(x), the n-th derivative of digamma, for a whole number n."""
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise UsageError(f"polygamma: the order, which comes first, is {n!r}; expected a whole number from 0 on")
    (node,) = operands("polygamma", (x,), "float")
    return digamma(node) if n == 0 else trigamma(node) if n == 1 else make(POLYGAMMA, (node,), {"order": n})


POLYGAMMA = register(
    Op(
        name="polygamma",
        kind="composite",
        infer=_infer_polygamma,
        define=_define_polygamma,
        pullback=lambda node, g: [g * polygamma(node.attrs["order"] + 1, node.args[0])],
        cost=per_operand(80.0),
        reason="the next derivative of log Γ",
        samples=lambda rng: [
            polygamma(2, _positive("x", ("N", 3), "float64")),
            polygamma(3, _positive("x", (5,), "float32")),
        ],
        doc="ψₙ(x), the (n + 1)-th derivative of log Γ(x)",
    )
)


# --- Γ, and what is made of it -----------------------------------------------------------------------------------


def _gamma(x: Expr) -> Expr:
    """Γ(x) = π/(sin(π x) |x| Γ(|x|)) for x < 0; no number at −1, −2, …"""
    size = absolute(x)
    above = _gamma_of_positive(size)
    nearest = round(x)
    sine = sin(math.pi * (x - nearest)) * (1.0 - 2.0 * mod(nearest, 2.0))
    below = where(equal(nearest, x), float("nan"), math.pi / (sine * size * above))
    return where(less(x, 0.0), below, where(equal(x, 0.0), 1.0 / x, above))


def _gamma_of_positive(x: Expr) -> Expr:
    """Up to 12 a product times Γ of a number from 1 to 2; beyond it Stirling's formula, with the power in two parts."""
    near, product = minimum(x, 12.0), x * 0.0 + 1.0
    for _ in range(10):
        high = greater_equal(near, 2.0)
        product, near = where(high, product * (near - 1.0), product), where(high, near - 1.0, near)
    small = less(near, 1.0)
    middle = exp(lgamma(where(small, near + 1.0, near))) * product / where(small, near, 1.0)
    far = minimum(maximum(x, 12.0), 200.0)  # where Γ is infinite
    root = power(far, 0.5 * far - 0.25)
    large = root * exp(negative(far)) * root * (math.sqrt(2.0 * math.pi) * exp(_stirling_rest(1.0 / far)))
    return where(less(x, 12.0), middle, large)


def _gamma_ratio(x: Expr, y: Expr) -> Expr:
    """exp(log |Γ(x)| − log |Γ(y)|), with the sign: Γ is negative between −1 and 0, −3 and −2, …"""
    sign_of = [where(less(value, 0.0), 1.0 - 2.0 * mod(floor(value), 2.0), 1.0) for value in (x, y)]
    return sign_of[0] * sign_of[1] * exp(_lgamma_between(y, x, x - y))


STIRLING = [number / (2 * k * (2 * k - 1)) for k, number in enumerate(BERNOULLI[:8], 1)]
"""log Γ(x) = (x − 1/2) log x − x + log(2π)/2 + Σ STIRLING[k] / x²ᵏ⁺¹."""


def _stirling_rest(inverse: Expr) -> Expr:
    """What Stirling's formula lacks to log Γ(x), of 1/x."""
    total: Expr = inverse * 0.0 + STIRLING[-1]
    for coefficient in reversed(STIRLING[:-1]):
        total = total * square(inverse) + coefficient
    return total * inverse


gamma: ScalarOp = scalar(
    "gamma", accepts="float", samples=_of_positive("gamma"),
    formula=lambda sp, x: sp.gamma(x), domain=((1e-3, 30.0),), stable=in_double(_gamma),
    derivative=(lambda g, y, x: g * (y * digamma(x)),),
    cost=80.0,
    reason="Γ′ = Γ·ψ",
    notation="Γ",
    doc="Γ(x), of negative numbers too",
)  # fmt: skip


def _lgamma_between(x: Expr, y: Expr, d: Expr) -> Expr:
    """log |Γ(y)| − log |Γ(x)|, where d = y − x is known. If d is small beside x, both are positive, and the difference
    is that of Stirling's formula, term by term; before 10 after ten steps up. Elsewhere nothing cancels."""
    close = less(absolute(d), 0.5 * x)
    base, step = where(close, x, 20.0), where(close, d, 1.0)
    short = less(base, 10.0)
    low, part = where(short, base, 1.0), where(short, step, 0.0)
    product = part * 0.0  # Π (1 + d/(x + k)) − 1
    for k in range(10):
        product = product + (1.0 + product) * (part / (low + float(k)))
    near = _stirling_step(where(short, base + 10.0, base), step) - log1p(product)
    return where(close, near, lgamma(where(close, 1.0, y)) - lgamma(where(close, 1.0, x)))


def _stirling_step(x: Expr, d: Expr) -> Expr:
    """The difference of Stirling's formula at x + d and at x, for large x and x + d."""
    y = x + d
    a, b = 1.0 / y, 1.0 / x
    slope = negative(a * b)  # (1/y − 1/x)/d, then that of the cubes, …
    total = STIRLING[0] * slope
    high = b
    for coefficient in STIRLING[1:]:
        for _ in range(2):
            slope, high = slope * a - high * (a * b), high * b
        total = total + coefficient * slope
    return (x - 0.5) * log1p(d / x) + d * (log(y) - 1.0) + d * total


lgamma_step: ScalarOp = scalar(
    "lgamma_step", arity=2, accepts="float", domain=((0.1, 30.0), (1.0, 3.0)),
    stable=in_double(lambda x, d: _lgamma_between(x, x + d, d)), samples=_of_positive("lgamma_step", 2),
    formula=lambda sp, x, d: sp.loggamma(x + d) - sp.loggamma(x),
    derivative=(lambda g, y, x, d: g * digamma_step(x, d), lambda g, y, x, d: g * digamma(x + d)),
    cost=120.0,
    reason=("(log Γ)′ = ψ, of which the same difference is taken", "(log Γ)′ = ψ"),
    doc="lgamma(x + d) − lgamma(x), with its digits for large x and small d",
)  # fmt: skip


def _digamma_step(x: Expr, d: Expr) -> Expr:
    """ψ(x + d) − ψ(x), ten steps up and then by the asymptotic series for both, term by term."""
    y = x + d
    plain = logical_not(logical_and(logical_and(greater(x, 0.0), greater(y, 0.0)), less(y, float("inf"))))
    low, high, step = where(plain, 1.0, x), where(plain, 2.0, y), where(plain, 1.0, d)
    total = 1.0 / (low * high)
    for k in range(1, 10):
        total = total + 1.0 / ((low + float(k)) * (high + float(k)))
    low, high = low + 10.0, high + 10.0
    a, b = 1.0 / high, 1.0 / low
    slope = negative(a * b)  # (1/y − 1/x)/d, then that of the squares, …
    total, power = total - 0.5 * slope, b
    for k, number in enumerate(BERNOULLI[:8], 1):
        slope, power = slope * a - power * (a * b), power * b
        total = total - number / (2 * k) * slope
        slope, power = slope * a - power * (a * b), power * b
    long = greater(absolute(step), 0.5 * low)
    logarithm = where(long, log(high / low), log1p(where(long, 0.0, step / low)))
    far = digamma(where(plain, y, 1.0)) - digamma(where(plain, x, 1.0))
    return where(plain, far, logarithm + step * total)


digamma_step: ScalarOp = scalar(
    "digamma_step", arity=2, accepts="float", domain=((0.1, 30.0), (1.0, 3.0)), stable=in_double(_digamma_step),
    samples=_of_positive("digamma_step", 2),
    formula=lambda sp, x, d: sp.digamma(x + d) - sp.digamma(x),
    derivative=(lambda g, y, x, d: g * (trigamma(x + d) - trigamma(x)), lambda g, y, x, d: g * trigamma(x + d)),
    cost=100.0,
    reason=("ψ′ = ψ₁, of which the same difference is taken", "ψ′ = ψ₁"),
    doc="digamma(x + d) − digamma(x), with its digits for large x and small d",
)  # fmt: skip


def _betaln(a: Expr, b: Expr) -> Expr:
    """log Γ(s) less the step of log Γ from l to l + s, for the smaller s and the larger l of the two."""
    small, large = minimum(a, b), maximum(a, b)
    return lgamma(small) - _lgamma_between(large, large + small, small)


betaln: ScalarOp = scalar(
    "betaln", arity=2, accepts="float", domain=((0.1, 3.0), (3.0, 30.0)), stable=in_double(_betaln),
    samples=_of_positive("betaln", 2),
    formula=lambda sp, a, b: sp.loggamma(a) + sp.loggamma(b) - sp.loggamma(a + b),
    derivative=(
        lambda g, y, a, b: negative(g * digamma_step(a, b)),
        lambda g, y, a, b: negative(g * digamma_step(b, a)),
    ),
    cost=150.0,
    reason=("∂(log B(a, b))/∂a = ψ(a) − ψ(a + b)", "∂(log B(a, b))/∂b = ψ(b) − ψ(a + b)"),
    notation="logB",
    doc="log B(a, b) = log(Γ(a)·Γ(b)/Γ(a + b)), for positive a and b",
)  # fmt: skip


gamma_ratio: ScalarOp = scalar(
    "gamma_ratio", arity=2, accepts="float", domain=((0.5, 3.0), (0.5, 3.0)), stable=in_double(_gamma_ratio),
    samples=_of_positive("gamma_ratio", 2),
    formula=lambda sp, x, y: sp.gamma(x) / sp.gamma(y),
    derivative=(lambda g, y, a, b: g * (y * digamma(a)), lambda g, y, a, b: negative(g * (y * digamma(b)))),
    cost=150.0,
    reason=("Γ′ = Γ·ψ", "(1/Γ)′ = −ψ/Γ"),
    doc="Γ(x)/Γ(y), where either may overflow",
)  # fmt: skip


def beta(a: Operand, b: Operand) -> Expr:
    """B(a, b) = Γ(a)·Γ(b)/Γ(a + b), for positive a and b."""
    return exp(betaln(a, b))


def factorial(x: Operand) -> Expr:
    """x! = Γ(x + 1)."""
    (node,) = operands("factorial", (x,), "float")
    return gamma(node + 1.0)


def multigammaln(a: Operand, d: int) -> Expr:
    """The logarithm of the multivariate gamma function of dimension d: d (d − 1)/4 log π + Σ log Γ(a − i/2), i < d."""
    if not isinstance(d, int) or isinstance(d, bool) or d < 1:
        raise UsageError(f"multigammaln: the dimension is {d!r}, expected a positive whole number")
    (node,) = operands("multigammaln", (a,), "float")
    total = lgamma(node)
    for i in range(1, d):
        total = total + lgamma(node - 0.5 * i)
    return total + 0.25 * d * (d - 1) * math.log(math.pi) if d > 1 else total
