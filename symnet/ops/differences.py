"""Differences of nearly equal numbers, in forms that do not cancel: f(b + d) - f(b) from b and d, roots of quadratics.

The rules of `symnet.simplify.tables.differences` find them in formulas as they are written by hand.
"""

from __future__ import annotations

from symnet.expr.node import Expr
from symnet.ops.ratios import log1p_ratio
from symnet.ops.scalar import (
    absolute,
    divide,
    equal,
    expm1,
    greater,
    less,
    log,
    log1p,
    logical_and,
    maximum,
    negative,
    power,
    sqrt,
    where,
)
from symnet.ops.scalar_op import ScalarOp, scalar
from symnet.ops.special import hypot, in_double

__all__ = ["powm1"]

_REAL = (-1e4, 1e4)

# --- (b + d)ᵖ - bᵖ ---------------------------------------------------------------------------------------------


def _power_step(b: Expr, d: Expr, p: Expr) -> Expr:
    near = less(absolute(d), 0.5 * absolute(b))
    share = where(near, d / where(near, b, 1.0), 0.25)
    return where(near, power(b, p) * _shifted_power_minus_one(share, p), power(b + d, p) - power(b, p))


def _shifted_power_minus_one(h: Expr, p: Expr) -> Expr:
    """(1 + h)ᵖ - 1."""
    near = less(absolute(h), 0.5)
    exponent = p * log1p(where(near, h, 0.0))
    small = logical_and(near, less(absolute(exponent), 0.5))
    return where(small, expm1(where(small, exponent, 0.0)), power(1.0 + h, p) - 1.0)


power_step: ScalarOp = scalar(
    "power_step", arity=3, accepts="float", formula=lambda sp, b, d, p: (b + d) ** p - b**p,
    domain=((0.1, 10.0), (0.1, 10.0), (0.3, 3.0)), stable=in_double(_power_step),
    derivative=(
        lambda g, y, b, d, p: g * (p * power_step(b, d, p - 1.0)),
        lambda g, y, b, d, p: g * (p * power(b + d, p - 1.0)),
        lambda g, y, b, d, p: g * (y * log(b + d) + power(b, p) * log1p(d / b)),
    ),
    cost=80.0,
    reason=("∂/∂b is p times the same difference, of the power p − 1", "∂((b + d)ᵖ)/∂d = p·(b + d)ᵖ⁻¹",
            "(xᵖ)′ = xᵖ·log x, and log(b + d) = log b + log(1 + d/b)"),
    doc="(b + d)ᵖ - bᵖ, with its digits for small d",
)  # fmt: skip

# --- powers of what is nearly 1 ----------------------------------------------------------------------------------


def _powm1(x: Expr, p: Expr) -> Expr:
    near = logical_and(greater(x, 0.5), less(x, 2.0))
    exponent = p * log(where(near, x, 1.0))
    small = logical_and(near, less(absolute(exponent), 0.5))
    return where(small, expm1(where(small, exponent, 0.0)), power(x, p) - 1.0)


powm1: ScalarOp = scalar(
    "powm1", arity=2, accepts="float", formula=lambda sp, x, p: x**p - 1, domain=((1.5, 4.0), (0.5, 4.0)),
    stable=in_double(_powm1),
    derivative=(
        lambda g, y, x, p: g * (p * power(x, p - 1.0)),
        lambda g, y, x, p: where(equal(x, 0.0), 0.0, g * (power(x, p) * log(where(equal(x, 0.0), 1.0, x)))),
    ),
    cost=60.0,
    reason=("∂(xᵃ)/∂x = a·xᵃ⁻¹", "∂(xᵃ)/∂a = xᵃ·log x"),
    doc="xᵖ - 1, with its digits where xᵖ is nearly 1",
)  # fmt: skip
pow1pm1: ScalarOp = scalar(
    "pow1pm1", arity=2, accepts="float", formula=lambda sp, x, p: (1 + x) ** p - 1, domain=((0.1, 4.0), (0.5, 4.0)),
    stable=in_double(_shifted_power_minus_one),
    derivative=(
        lambda g, y, x, p: g * (p * power(1.0 + x, p - 1.0)),
        lambda g, y, x, p: g * ((1.0 + y) * log1p(x)),
    ),
    cost=60.0,
    reason=("∂((1 + x)ᵃ)/∂x = a·(1 + x)ᵃ⁻¹", "∂((1 + x)ᵃ)/∂a = (1 + x)ᵃ·log(1 + x)"),
    doc="(1 + x)ᵖ - 1, with its digits for small x",
)  # fmt: skip


def _annuity(r: Expr, n: Expr) -> Expr:
    """((1 + r)ⁿ - 1)/r; n at 0."""
    return where(equal(r, 0.0), n, _shifted_power_minus_one(r, n) / where(equal(r, 0.0), 1.0, r))


def _annuity_slope(r: Expr, n: Expr) -> Expr:
    """(n (1 + r)ⁿ⁻¹ - ((1 + r)ⁿ - 1)/r)/r; three terms of its series where that cancels."""
    near = less(absolute(r * maximum(absolute(n), 1.0)), 1e-4)
    far = where(near, 1.0, r)
    closed = (n * (1.0 + _shifted_power_minus_one(far, n - 1.0)) - _annuity(far, n)) / far
    second = n * (n - 1.0) * 0.5
    third = second * (n - 2.0) * (2.0 / 3.0)
    series = second + where(near, r, 0.0) * (third + third * (n - 3.0) * 0.375 * where(near, r, 0.0))
    return where(near, series, closed)


annuity: ScalarOp = scalar(
    "annuity", arity=2, accepts="float", formula=lambda sp, r, n: ((1 + r) ** n - 1) / r,
    domain=((0.1, 4.0), (1.5, 4.0)), stable=in_double(_annuity),
    derivative=(
        lambda g, y, r, n: g * in_double(_annuity_slope)(r, n),
        lambda g, y, r, n: g * (log1p_ratio(r) * (1.0 + r * y)),
    ),
    cost=70.0,
    reason=("∂/∂r by the quotient rule", "∂((1 + r)ⁿ)/∂n = (1 + r)ⁿ·log(1 + r)"),
    doc="((1 + r)ⁿ - 1)/r, the sum of a geometric series with quotient 1 + r, and n at r = 0",
)  # fmt: skip
geometric: ScalarOp = scalar(
    "geometric", arity=2, accepts="float", formula=lambda sp, x, n: (x**n - 1) / (x - 1),
    domain=((1.5, 4.0), (1.5, 4.0)), stable=in_double(lambda x, n: _geometric(x, n)),
    derivative=(
        lambda g, y, x, n: g * in_double(lambda x, n: _annuity_slope(x - 1.0, n))(x, n),
        lambda g, y, x, n: g * in_double(lambda x, n: log1p_ratio(x - 1.0) * power(x, n))(x, n),
    ),
    cost=70.0,
    reason=("∂/∂x by the quotient rule", "∂(xⁿ)/∂n = xⁿ·log x"),
    doc="(xⁿ - 1)/(x - 1), the sum of a geometric series, and n at x = 1",
)  # fmt: skip


def _geometric(x: Expr, n: Expr) -> Expr:
    one = equal(x, 1.0)
    return where(one, n, _powm1(x, n) / where(one, 1.0, x - 1.0))


# --- sums with roots ---------------------------------------------------------------------------------------------


def _root_of_square_plus(b: Expr, d: Expr) -> Expr:
    """√(b² + d); |b| √(1 + (d/b)/b) where b² would overflow."""
    huge = logical_and(greater(absolute(b), 1e100), less(absolute(b), float("inf")))
    large = where(huge, b, 1.0)
    small = where(huge, 1.0, b)
    return where(huge, absolute(b) * sqrt(1.0 + d / large / large), sqrt(small * small + d))


def _root_plus(b: Expr, d: Expr) -> Expr:
    """b + √(b² + d), or d/(√(b² + d) - b) where b is negative."""
    total = absolute(b) + _root_of_square_plus(b, d)
    below = logical_and(less(b, 0.0), less(total, float("inf")))
    return where(below, d / where(below, total, 1.0), total)


_root = in_double(_root_of_square_plus)

root_plus: ScalarOp = scalar(
    "root_plus", arity=2, accepts="float", formula=lambda sp, b, d: b + sp.sqrt(b**2 + d),
    domain=((0.1, 100.0), (0.1, 100.0)), stable=in_double(_root_plus),
    derivative=(lambda g, y, b, d: g * (y / _root(b, d)), lambda g, y, b, d: 0.5 * g / _root(b, d)),
    cost=16.0,
    reason=("∂(b + √(b² + d))/∂b = (b + √(b² + d))/√(b² + d)", "∂√(b² + d)/∂d = 1/(2·√(b² + d))"),
    doc="b + √(b² + d), which does not cancel for negative b",
)  # fmt: skip


def _hypot_plus(x: Expr, y: Expr) -> Expr:
    total = absolute(x) + hypot(x, y)
    below = logical_and(less(x, 0.0), greater(total, 0.0))
    small = where(equal(absolute(y), float("inf")), absolute(y), y * (y / where(below, total, 1.0)))
    return where(below, small, total)


hypot_plus: ScalarOp = scalar(
    "hypot_plus", arity=2, accepts="float", formula=lambda sp, x, y: x + sp.sqrt(x**2 + y**2),
    domain=((0.1, 100.0), (0.1, 100.0)), stable=in_double(_hypot_plus),
    derivative=(
        lambda g, v, x, y: g * _over(v, hypot(x, y)),
        lambda g, v, x, y: g * _over(y, hypot(x, y)),
    ),
    cost=18.0, finite=True, sign="nonnegative",
    reason=("∂(x + √(x² + y²))/∂x = (x + √(x² + y²))/√(x² + y²)", "∂√(x² + y²)/∂y = y/√(x² + y²)"),
    kink="the length of (0, 0) has derivative 0, a subgradient",
    doc="x + √(x² + y²), which does not cancel for negative x",
)  # fmt: skip


def _over(a: Expr, length: Expr) -> Expr:
    """a/length, 0 where the length is."""
    return where(equal(length, 0.0), 0.0, a / where(equal(length, 0.0), 1.0, length))


def _quadratic_root(a: Expr, b: Expr, c: Expr) -> Expr:
    """(b + √(b² + a c))/a, or c/(√(b² + a c) - b) where b is negative."""
    total = absolute(b) + _root_of_square_plus(b, a * c)
    below = less(b, 0.0)
    return divide(where(below, c, total), where(below, total, a))


quadratic_root: ScalarOp = scalar(
    "quadratic_root", arity=3, accepts="float", formula=lambda sp, a, b, c: (b + sp.sqrt(b**2 + a * c)) / a,
    domain=((0.1, 10.0), (0.1, 10.0), (0.1, 10.0)), stable=in_double(_quadratic_root),
    derivative=(
        lambda g, y, a, b, c: negative(0.5 * g * (y * (y / _discriminant(a, b, c)))),
        lambda g, y, a, b, c: g * (y / _discriminant(a, b, c)),
        lambda g, y, a, b, c: 0.5 * g / _discriminant(a, b, c),
    ),
    cost=24.0,
    reason=(
        "a·x² = 2·b·x + c, so x² da + 2·(a·x − b) dx = 0, and a·x − b is the root",
        "a·x² = 2·b·x + c, so 2·(a·x − b) dx = 2·x db, and a·x − b is the root",
        "a·x² = 2·b·x + c, so 2·(a·x − b) dx = dc, and a·x − b is the root",
    ),
    doc="(b + √(b² + a c))/a, the root x of a x² = 2 b x + c, which does not cancel for negative b",
)  # fmt: skip


def _discriminant(a: Expr, b: Expr, c: Expr) -> Expr:
    return in_double(lambda a, b, c: _root_of_square_plus(b, a * c))(a, b, c)
