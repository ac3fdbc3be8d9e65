"""Taylor polynomials, limits and expansions far out, of functions whose series are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from mpmath import mp

import symnet as sn
from symnet.accuracy.chains import POINTS
from symnet.accuracy.far import Exponential, Nothing, Powers, beyond, expansion, parity
from symnet.accuracy.series import Function, at_point, function, limit, near, polynomial, taylor
from symnet.accuracy.values import Evaluator
from symnet.expr.node import Expr

x = sn.input("s0", (POINTS,))


def of(formula: Callable[[Expr], Expr]) -> Function:
    return function(formula(x), x)


def value(expression: Expr, *at: float) -> np.ndarray:
    return Evaluator([expression], [x])([np.array(at, "float32")])[0]


@pytest.mark.parametrize(
    ("formula", "centre", "lead", "coefficients"),
    [
        (sn.exp, 0.0, 0, [1 / math.factorial(k) for k in range(12)]),
        (lambda v: 1 - sn.cos(v), 0.0, 2, [1 / 2, 0, -1 / 24, 0, 1 / 720]),
        (lambda v: sn.sin(v) / v, 0.0, 0, [1, 0, -1 / 6, 0, 1 / 120]),
        (lambda v: sn.log(v) / (v - 1), 1.0, 0, [(-1) ** k / (k + 1) for k in range(12)]),
        (lambda v: 1 / (1 - 1000 * v), 0.0, 0, [1000.0**k for k in range(12)]),
        (lambda v: v * 0 + 3, 0.0, 0, [3, 0, 0, 0, 0]),
    ],
)
def test_taylor_polynomials(
    formula: Callable[[Expr], Expr], centre: float, lead: int, coefficients: list[float]
) -> None:
    found = taylor(of(formula), centre)
    assert found is not None
    assert (found.centre, found.lead) == (centre, lead)
    np.testing.assert_allclose([float(c) for c in found.coefficients[: len(coefficients)]], coefficients, rtol=1e-15)


@pytest.mark.parametrize("formula", [sn.absolute, sn.sqrt, sn.log, lambda v: 1 / v, lambda v: sn.floor(v)])
def test_no_taylor_polynomial_where_a_function_is_not_analytic(formula: Callable[[Expr], Expr]) -> None:
    assert taylor(of(formula), 0.0) is None


def test_a_polynomial_keeps_the_terms_that_matter() -> None:
    found = taylor(of(sn.exp), 0.0)
    assert found is not None
    few, many = found.kept(1e-3), found.kept(0.25)
    assert few is not None
    assert many is not None
    assert len(few) < len(many)
    assert found.kept(64.0) is None


def test_a_polynomial_is_refused_where_it_is_not_the_function() -> None:
    bump = of(lambda v: sn.where(sn.absolute(v) < 0.01, sn.exp(v), sn.cos(v)))
    found = taylor(bump, 0.0)
    assert found is not None
    assert near(x, bump, found, 0.005, x) is not None
    assert near(x, bump, found, 0.125, x) is None


def test_polynomials_are_horners_and_in_squares_where_they_can_be() -> None:
    np.testing.assert_allclose(value(polynomial(x, [mp.mpf(1), mp.mpf(-2), mp.mpf(3)]), 0.5, 2), [0.75, 9], rtol=1e-6)
    even = polynomial(x, [mp.mpf(1), mp.mpf(0), mp.mpf(-2), mp.mpf(0), mp.mpf(5)])
    np.testing.assert_allclose(value(even, 0.5, 2), [1 - 0.5 + 5 / 16, 73], rtol=1e-6)
    assert "square" in sn.dumps(even)


@pytest.mark.parametrize(
    ("formula", "centre", "expected"),
    [
        (lambda v: sn.sin(v) / v, 0.0, 1.0),
        (lambda v: v * sn.log(v), 0.0, 0.0),
        (lambda v: (v * v - 4) / (v - 2), 2.0, 4.0),
        (lambda v: sn.exp(-1 / (v * v)) / v, 0.0, 0.0),
        (lambda v: 1 / v, 0.0, None),
        (lambda v: v / sn.absolute(v), 0.0, None),
        (sn.log, 0.0, None),
    ],
)
def test_limits(formula: Callable[[Expr], Expr], centre: float, expected: float | None) -> None:
    assert limit(of(formula), centre) == expected
    if expected is not None:
        assert value(at_point(x, centre, expected, formula(x)), centre)[0] == expected


@pytest.mark.parametrize(
    ("formula", "side", "kind"),
    [
        (lambda v: sn.sqrt(v + 1) - sn.sqrt(v), 1, Powers),
        (lambda v: v / (1 + v * v), -1, Powers),
        (lambda v: sn.exp(2 * v) / sn.square(1 + sn.exp(v)), 1, Powers),
        (lambda v: 1 - sn.square(sn.tanh(v)), 1, Exponential),
        (lambda v: 0.5 + 0.5 * sn.tanh(v / 2), -1, Exponential),
        (lambda v: v * sn.exp(v) / (1 + sn.exp(v)), -1, Exponential),
        (lambda v: sn.exp(-v * v) * (1 - sn.cos(v)), 1, Nothing),
        (sn.sin, 1, type(None)),
        (sn.log, 1, type(None)),
    ],
)
def test_expansions_far_out(formula: Callable[[Expr], Expr], side: int, kind: type) -> None:
    f = of(formula)
    found = expansion(f, side)
    assert type(found) is kind
    if found is None:
        return
    branch = beyond(x, f, found, side, 32.0, x * 0)
    assert branch is not None
    sizes = np.array([33.0, 40.0, 85.0, 1000.0], "float32")
    with mp.workdps(100):
        true = [float(v) for v in f([mpmath.mpf(float(side * size)) for size in sizes])]
    np.testing.assert_allclose(value(branch, *(side * sizes)), np.array(true, "float32"), rtol=2e-6, atol=1e-38)
    assert value(branch, side * 31.0)[0] == 0


@pytest.mark.parametrize(
    ("formula", "expected"),
    [(sn.cos, 1), (lambda v: v / (1 + v * v), -1), (sn.exp, 0), (lambda v: v * 0 + 1, 1), (sn.log, 0)],
)
def test_parity(formula: Callable[[Expr], Expr], expected: int) -> None:
    f = of(formula)
    assert parity(f) == expected
    found = expansion(f, 1)
    if expected and found is not None:
        branch = beyond(x, f, found, 1, 64.0, x * 0, expected)
        assert branch is not None
        np.testing.assert_allclose(value(branch, -100, 100), value(formula(x), -100, 100), rtol=1e-6)


def test_an_expansion_is_refused_where_it_does_not_hold_yet() -> None:
    f = of(lambda v: sn.exp(2 * v) / sn.square(1 + sn.exp(v)))  # 1 − 2 exp(−x) + …, for which no power stands
    found = expansion(f, 1)
    assert found is not None
    assert beyond(x, f, found, 1, 8.0, x) is None
    assert beyond(x, f, found, 1, 32.0, x) is not None
