"""The hard corpus: formulas of one or a few numbers that cancel, overflow or meet 0/0.

Many are as books on numerical analysis pose them (Hamming, Numerical Methods for Scientists and Engineers, chapter 3;
Higham, Accuracy and Stability of Numerical Algorithms, chapter 1; notes of Kahan), others come up in physics, geometry
and finance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.accuracy.formula import Formula, Point, f, over

PI = float(np.pi)

# Where functions of one number are measured.
COUNTS = over(f(0.5, 3.0, 40.0), f(1e3, 1e5, 1e8), f(1e12, 1e16), f(1e-3, 1e-6, 1e-10))
"""Positive numbers of every size."""
LARGE = over(f(2.0, 7.0, 40.0), f(1e3, 1e5, 1e8), f(1e12, 1e15))
NEAR_ZERO = over(f(-1.3, -0.4, 0.7, 1.1), f(1e-2, -1e-3, 3e-5), f(1e-7, -1e-12, 1e-20))
ANGLES = over(f(-1.3, 0.4, 1.1, 3.0, 10.0), f(1e-2, -1e-3, 3e-5), f(1e-7, -1e-12))
EXPONENTS = over(f(-2.0, -0.3, 0.5, 3.0), f(1e-3, -1e-5, 1e-9), f(-30.0, 15.0, 40.0))


def pairs(*groups: tuple[tuple[float, ...], tuple[float, ...]]) -> tuple[Point, ...]:
    """Points of two operands."""
    return tuple((f(*a), f(*b)) for a, b in groups)


def triples(*groups: tuple[tuple[float, ...], ...]) -> tuple[Point, ...]:
    """Points of three operands."""
    return tuple(tuple(f(*numbers) for numbers in group) for group in groups)


# x and a small step e.
STEPS = pairs(
    ((0.5, 2.0, -1.0), (0.3, 0.01, 0.5)), ((1.0, 0.3, 2.5), (1e-4, 1e-6, 1e-9)), ((10.0, 0.7), (1e-12, -1e-7))
)
POSITIVE_STEPS = pairs(
    ((0.5, 2.0, 9.0), (0.3, 0.01, 0.5)), ((1.0, 300.0, 2.5), (1e-4, 1e-3, 1e-9)), ((1e6, 1e12), (1.0, 3.0))
)


def of(family: str, points: tuple[Point, ...], **functions: Callable[..., Any]) -> list[Formula]:
    """Formulas of one family that are measured at the same points."""
    return [Formula(name.replace("_", " "), function, points, family) for name, function in functions.items()]


DIFFERENCES = [
    *of(
        "differences",
        COUNTS,
        sqrt_next=lambda np, x: np.sqrt(x + 1) - np.sqrt(x),
        reciprocal_next=lambda np, x: 1 / (x + 1) - 1 / x,
        reciprocal_roots=lambda np, x: 1 / np.sqrt(x) - 1 / np.sqrt(x + 1),
        log_next=lambda np, x: np.log(x + 1) - np.log(x),
        arctan_next=lambda np, x: np.arctan(x + 1) - np.arctan(x),
        cube_root_next=lambda np, x: (x + 1) ** (1 / 3) - x ** (1 / 3),
        fifth_root_next=lambda np, x: (x + 1) ** 0.2 - x**0.2,
        square_next=lambda np, x: (x + 1) ** 2 - x**2,
        inverse_square_next=lambda np, x: 1 / x**2 - 1 / (x + 1) ** 2,
        x_times_root_difference=lambda np, x: x * (np.sqrt(x + 1) - np.sqrt(x)),
        entropy_next=lambda np, x: (x + 1) * np.log(x + 1) - x * np.log(x) - 1,
        log_ratio_next=lambda np, x: np.log((x + 1) / x),
        root_over_shift=lambda np, x: np.sqrt(x + 4) - np.sqrt(x - 0.0),
        midpoint_root=lambda np, x: np.sqrt(x**2 + x) - x,
        root_of_square_plus_one=lambda np, x: np.sqrt(x**2 + 1) - x,
    ),
    *of(
        "differences",
        LARGE,
        three_fractions=lambda np, x: 1 / (x + 1) - 2 / x + 1 / (x - 1),
        two_fractions=lambda np, x: 1 / (x - 1) - 1 / (x + 1),
        asymptote=lambda np, x: x / (x + 1) - (x + 1) / (x - 1),
        root_of_square_minus_one=lambda np, x: x - np.sqrt(x**2 - 1),
        log_of_quotient=lambda np, x: np.log(x / (x - 1)),
        arccosh_by_log=lambda np, x: np.log(x + np.sqrt(x**2 - 1)),
    ),
    *of(
        "differences",
        STEPS,
        sin_step=lambda np, x, e: np.sin(x + e) - np.sin(x),
        cos_step=lambda np, x, e: np.cos(x + e) - np.cos(x),
        tan_step=lambda np, x, e: np.tan(x + e) - np.tan(x),
        exp_step=lambda np, x, e: np.exp(x + e) - np.exp(x),
        tanh_step=lambda np, x, e: np.tanh(x + e) - np.tanh(x),
        arctan_step=lambda np, x, e: np.arctan(x + e) - np.arctan(x),
        square_step=lambda np, x, e: (x + e) ** 2 - x**2,
        cube_step=lambda np, x, e: (x + e) ** 3 - x**3,
        sine_slope=lambda np, x, e: (np.sin(x + e) - np.sin(x)) / e,
    ),
    *of(
        "differences",
        POSITIVE_STEPS,
        sqrt_step=lambda np, x, e: np.sqrt(x + e) - np.sqrt(x),
        log_step=lambda np, x, e: np.log(x + e) - np.log(x),
        reciprocal_step=lambda np, x, e: 1 / (x + e) - 1 / x,
    ),
    *of(
        "differences",
        pairs(((3.0, 2.0), (1.0, 1.5)), ((1.0001, 100.0), (1.0, 99.99)), ((1e10, 4096.0), (9.9e9, 4095.5))),
        difference_of_squares=lambda np, a, b: a * a - b * b,
        log_of_two=lambda np, a, b: np.log(a / b),
        root_difference=lambda np, a, b: np.sqrt(a) - np.sqrt(b),
        cube_difference=lambda np, a, b: a**3 - b**3,
        relative_log=lambda np, a, b: np.log(a) - np.log(b),
    ),
]

TRIGONOMETRY = [
    *of(
        "trigonometry",
        ANGLES,
        one_minus_cos=lambda np, x: 1 - np.cos(x),
        one_minus_cos_over_square=lambda np, x: (1 - np.cos(x)) / x**2,
        one_minus_cos_over_x=lambda np, x: (1 - np.cos(x)) / x,
        half_angle=lambda np, x: (1 - np.cos(x)) / np.sin(x),
        sinc=lambda np, x: np.sin(x) / x,
        sine_over_one_plus_cos=lambda np, x: np.sin(x) / (1 + np.cos(x)),
        tan_over_x=lambda np, x: np.tan(x) / x,
        cotangent=lambda np, x: 1 / x - 1 / np.tan(x),
        sine_and_tangent=lambda np, x: (x - np.sin(x)) / (x - np.tan(x)),
        x_minus_sine=lambda np, x: x - np.sin(x),
        tangent_minus_sine=lambda np, x: np.tan(x) - np.sin(x),
        secant_minus_one=lambda np, x: 1 / np.cos(x) - 1,
        cos_squared_minus_sin_squared=lambda np, x: np.cos(x) ** 2 - np.sin(x) ** 2,
        root_of_one_minus_sin_squared=lambda np, x: np.sqrt(1 - np.sin(x) ** 2),
    ),
    *of(
        "trigonometry",
        pairs(((0.9, -0.4, 2.0), (0.3, 0.2, 1.5)), ((1.0, 0.5), (1.0001, 0.49999)), ((1e-3, 1e-6), (2e-3, 3e-6))),
        haversine=lambda np, a, b: 2 * np.arcsin(np.sqrt(np.sin((a - b) / 2) ** 2 + np.cos(a) * np.cos(b) * 0.25)),
        cos_difference=lambda np, a, b: np.cos(a) - np.cos(b),
        chord=lambda np, a, b: np.sqrt(2 - 2 * np.cos(a - b)),
        small_haversine=lambda np, a, b: 2 * np.arcsin(np.sqrt(np.sin((a - b) / 2) ** 2)),
    ),
]

EXPONENTIALS = [
    *of(
        "exponentials",
        EXPONENTS,
        expm1=lambda np, x: np.exp(x) - 1,
        expm1_over_x=lambda np, x: (np.exp(x) - 1) / x,
        bernoulli=lambda np, x: x / (np.exp(x) - 1),
        exp_over_expm1=lambda np, x: np.exp(x) / (np.exp(x) - 1),
        second_difference=lambda np, x: np.exp(x) - 2 + np.exp(-x),
        sinh=lambda np, x: (np.exp(x) - np.exp(-x)) / 2,
        cosh_minus_one=lambda np, x: (np.exp(x) + np.exp(-x)) / 2 - 1,
        tanh=lambda np, x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
        root_of_ratio=lambda np, x: np.sqrt((np.exp(2 * x) - 1) / (np.exp(x) - 1)),
        half_expm1=lambda np, x: 3.0 * np.exp(0.5 * x) - 3.0,
        logistic_difference=lambda np, x: 2 / (1 + np.exp(-2 * x)) - 1,
        exp_minus_linear=lambda np, x: np.exp(x) - 1 - x,
        coth_minus_reciprocal=lambda np, x: (np.exp(2 * x) + 1) / (np.exp(2 * x) - 1) - 1 / x,
        gudermann=lambda np, x: 2 * np.arctan(np.exp(x)) - PI / 2,
    ),
    *of(
        "exponentials",
        pairs(((0.5, -1.0, 2.0), (0.7, 0.3, -0.4)), ((1e-3, 1e-5), (1.0, 2.0)), ((1e-8, 1e-12), (3.0, -1.0))),
        scaled_expm1=lambda np, x, a: np.exp(a * x) - 1,
        difference_of_exponentials=lambda np, x, a: np.exp(x * a) - np.exp(x),
        growth=lambda np, x, a: (np.exp(a * x) - 1) / (np.exp(x) - 1),
    ),
    *of(
        "exponentials",
        triples(
            ((0.5, 1.0), (0.7, 0.3), (0.9, 0.2)), ((1e-4, 1e-6), (1.0, 2.0), (0.5, 3.0)), ((1e-9,), (1.0,), (2.0,))
        ),
        quotient_of_expm1=lambda np, e, a, b: (
            e * (np.exp((a + b) * e) - 1) / ((np.exp(a * e) - 1) * (np.exp(b * e) - 1))
        ),
    ),
    *of(
        "exponentials",
        pairs(
            ((2.0, 0.1, -3.0), (1.0, 0.05, -4.0)),
            ((50.0, 100.0, -200.0), (49.0, 10.0, -300.0)),
            ((1.0, 5.0), (0.9999, 4.999)),
        ),
        log_sub_exp=lambda np, a, b: np.log(np.exp(a) - np.exp(b)),
        log_add_exp=lambda np, a, b: np.log(np.exp(a) + np.exp(b)),
    ),
]

FRACTIONS_OF_ONE = over(f(0.1, 0.5, -0.7), f(1e-3, -1e-5, 1e-8), f(0.999, -0.9999, 0.99999))

LOGARITHMS = [
    *of(
        "logarithms",
        FRACTIONS_OF_ONE,
        log_of_ratio=lambda np, x: np.log((1 + x) / (1 - x)),
        log_quotient=lambda np, x: np.log(1 - x) / np.log(1 + x),
        log1p_over_x=lambda np, x: np.log(1 + x) / x,
        arctanh_by_log=lambda np, x: 0.5 * np.log((1 + x) / (1 - x)),
        arctanh_by_two_logs=lambda np, x: 0.5 * (np.log(1 + x) - np.log(1 - x)),
        lorentz_minus_one=lambda np, x: 1 / np.sqrt(1 - x**2) - 1,
        circle=lambda np, x: np.sqrt(1 - x**2),
        sagitta=lambda np, x: 1 - np.sqrt(1 - x**2),
        log_plus_and_minus=lambda np, x: np.log(1 + x) + np.log(1 - x),
        doppler=lambda np, x: np.sqrt((1 + x) / (1 - x)) - 1,
        inverse_shift=lambda np, x: 1 / (1 + x) - 1,
        log1p_minus_x=lambda np, x: np.log(1 + x) - x,
        root_plus_and_minus=lambda np, x: np.sqrt(1 + x) - np.sqrt(1 - x),
    ),
    *of(
        "logarithms",
        NEAR_ZERO + over(f(100.0, -300.0), f(1e8, -1e12), f(-1e20)),
        arcsinh_by_log=lambda np, x: np.log(x + np.sqrt(x**2 + 1)),
        pseudo_huber=lambda np, x: np.sqrt(1 + x**2) - 1,
        slow_root=lambda np, x: x / (1 + np.sqrt(1 + x * x)),
        root_minus_x=lambda np, x: np.sqrt(x**2 + 1) - x,
    ),
    *of(
        "logarithms",
        over(f(0.2, 0.5, 0.8), f(1e-4, 1e-10, 0.999, 0.99999), f(0.49999, 0.5000001)),
        logit=lambda np, p: np.log(p / (1 - p)),
        binary_entropy=lambda np, p: -p * np.log(p) - (1 - p) * np.log(1 - p),
    ),
]

POWERS = [
    *of(
        "powers",
        pairs(
            ((0.5, 0.1, 2.0), (3.0, 10.0, 2.5)), ((1e-3, 1e-5, 1e-7), (12.0, 365.0, 30.0)), ((1e-9, 0.05), (5.0, 40.0))
        ),
        interest=lambda np, r, n: (1 + r) ** n - 1,
        compound=lambda np, r, n: (1 + r / n) ** n - 1,
        annuity=lambda np, r, n: ((1 + r) ** n - 1) / r,
        mortgage=lambda np, r, n: r / (1 - (1 + r) ** (-n)),
        growth_factor=lambda np, r, n: (1 + r / n) ** n,
    ),
    *of(
        "powers",
        pairs(
            ((0.5, 2.0, 0.9), (3.0, 4.0, 7.0)),
            ((1.001, 0.9999, 1.00001), (5.0, 20.0, 8.0)),
            ((1.0000001, 0.9999999), (3.0, 11.0)),
        ),
        geometric_sum=lambda np, x, n: (1 - x**n) / (1 - x),
        box_cox=lambda np, x, n: (x**n - 1) / n,
        power_minus_one=lambda np, x, n: x**n - 1,
    ),
    *of(
        "powers",
        over(f(0.5, 2.0, 0.9), f(1.001, 0.9999, 1.00001)),
        geometric_sum_of_five=lambda np, x: (x**5 - 1) / (x - 1),
        cubic_ratio=lambda np, x: (x**3 - 1) / (x - 1),
        polynomial_at_one=lambda np, x: x**3 - 3 * x**2 + 3 * x - 1,
    ),
]

QUADRATICS = triples(
    ((1.0, 2.0, 0.5), (5.0, -7.0, 3.0), (2.0, 3.0, 0.4)),
    ((1.0, 1.0, 1e-3), (1e4, -1e5, 300.0), (1.0, 3.0, 1.0)),
    ((1.0, 2.0, 1.0), (1e8, -1e9, -1e10), (1.0, -1.0, 5.0)),
)

ROOTS = [
    *of(
        "roots",
        QUADRATICS,
        quadratic_plus=lambda np, a, b, c: (-b + np.sqrt(b * b - 4 * a * c)) / (2 * a),
        quadratic_minus=lambda np, a, b, c: (-b - np.sqrt(b * b - 4 * a * c)) / (2 * a),
        quadratic_inverted=lambda np, a, b, c: (2 * c) / (-b + np.sqrt(b * b - 4 * a * c)),
        quadratic_half=lambda np, a, b, c: (-b + np.sqrt(b * b - a * c)) / a,
    ),
    *of(
        "roots",
        pairs(
            ((3.0, -4.0, 0.5), (4.0, 3.0, 0.2)),
            ((1e4, -1e4, 1e8), (1.0, 1.0, 1e-2)),
            ((1e20, -1e25, 1e-25), (1e20, 1e19, 1e-24)),
        ),
        hypotenuse=lambda np, x, y: np.sqrt(x * x + y * y),
        hypotenuse_minus_leg=lambda np, x, y: np.sqrt(x * x + y * y) - x,
        hypotenuse_plus_leg=lambda np, x, y: np.sqrt(x * x + y * y) + x,
        complex_root=lambda np, x, y: np.sqrt((np.sqrt(x * x + y * y) + x) / 2),
        complex_root_imaginary=lambda np, x, y: np.sqrt((np.sqrt(x * x + y * y) - x) / 2),
        log_modulus=lambda np, x, y: np.log(np.sqrt(x * x + y * y)),
    ),
    *of(
        "roots",
        triples(((3.0, 9.0), (4.0, 8.0), (5.0, 2.0)), ((1e4, 5.0), (1e4, 5.0), (1e-3, 1e-5))),
        triangle_area=lambda np, a, b, c: np.sqrt(
            (a + b + c) / 2 * ((a + b + c) / 2 - a) * ((a + b + c) / 2 - b) * ((a + b + c) / 2 - c)
        ),
        norm_of_three=lambda np, a, b, c: np.sqrt(a * a + b * b + c * c),
        law_of_cosines=lambda np, a, b, c: np.sqrt(a * a + b * b - 2 * a * b * np.cos(c * 1e-3)),
    ),
]

MORE = [
    *of(
        "physics and statistics",
        pairs(((1.0, 0.5, 3.0), (2.0, 0.3, 1.0)), ((1e-3, 1e-5), (1.0, 2.0)), ((1e-8,), (3.0,))),
        free_fall=lambda np, k, t: (1 - np.exp(-k * t)) / k,
        drag_height=lambda np, k, t: np.log((np.exp(k * t) + np.exp(-k * t)) / 2) / k,
        planck=lambda np, x, t: x**3 / (np.exp(x * t) - 1),
        bose=lambda np, x, t: 1 / (np.exp(x * t) - 1),
        kinetic=lambda np, v, m: m * (1 / np.sqrt(1 - (v / 10) ** 2) - 1),
        discount=lambda np, r, t: (1 - (1 + r) ** (-t)) / r,
        kepler=lambda np, e, m: m - e * np.sin(m),
        variance_of_two=lambda np, a, b: (a**2 + b**2) / 2 - ((a + b) / 2) ** 2,
        reduced_mass=lambda np, a, b: 1 / (1 / a + 1 / b),
        parallel=lambda np, a, b: a * b / (a + b),
        log_mean=lambda np, a, b: (a - b) / (np.log(a) - np.log(b)),
    ),
]

SECOND = [
    *of(
        "second set",
        COUNTS,
        reciprocal_square_roots_product=lambda np, x: np.sqrt(x) * (1 / np.sqrt(x) - 1 / np.sqrt(x + 1)),
        root_of_two_apart=lambda np, x: np.sqrt(x + 2) - np.sqrt(x + 1),
        exp_of_log_difference=lambda np, x: np.log(2 * x + 1) - np.log(2 * x),
        ratio_minus_one=lambda np, x: (x + 1) / x - 1,
        hyperbola=lambda np, x: x - x**2 / (x + 1),
        scaled_arctan=lambda np, x: x * (np.arctan(x + 1) - np.arctan(x)),
        fourth_root=lambda np, x: (x + 1) ** 0.25 - x**0.25,
        inverse_cube=lambda np, x: 1 / x**3 - 1 / (x + 1) ** 3,
        log_of_root=lambda np, x: np.log(np.sqrt(x + 1) - np.sqrt(x)),
        twice_root=lambda np, x: np.sqrt(4 * x + 1) - 2 * np.sqrt(x),
        michaelis=lambda np, x: 1 - x / (1 + x),
        power_of_root=lambda np, x: (x + 1) ** 1.5 - x**1.5,
    ),
    *of(
        "second set",
        EXPONENTS,
        softplus_difference=lambda np, x: np.log(1 + np.exp(x)) - x,
        sech=lambda np, x: 2 / (np.exp(x) + np.exp(-x)),
        sinh_over_x=lambda np, x: (np.exp(x) - np.exp(-x)) / (2 * x),
        exp_square_difference=lambda np, x: np.exp(2 * x) - 2 * np.exp(x) + 1,
        logit_of_tanh=lambda np, x: 0.5 * np.log((1 + np.tanh(x)) / (1 - np.tanh(x))),
        einstein=lambda np, x: x**2 * np.exp(x) / (np.exp(x) - 1) ** 2,
        one_minus_exp=lambda np, x: 1 - np.exp(-x * x),
        sigmoid_less_half=lambda np, x: 1 / (1 + np.exp(-x)) - 0.5,
        log_of_expm1=lambda np, x: np.log(np.abs(np.exp(x) - 1)),
    ),
    *of(
        "second set",
        ANGLES,
        versine_ratio=lambda np, x: (1 - np.cos(x)) / (1 + np.cos(x)),
        x_over_sine=lambda np, x: x / np.sin(x),
        cosine_minus_cosine_of_double=lambda np, x: np.cos(x) - np.cos(2 * x),
        sine_squared_by_cosine=lambda np, x: 1 - np.cos(x) ** 2,
        cotangent_half=lambda np, x: (1 + np.cos(x)) / np.sin(x),
        sine_double=lambda np, x: np.sin(2 * x) - 2 * np.sin(x),
        chord_of_angle=lambda np, x: np.sqrt(2 - 2 * np.cos(x)),
    ),
    *of(
        "second set",
        FRACTIONS_OF_ONE,
        gamma_factor=lambda np, x: 1 / np.sqrt(1 - x * x),
        rapidity=lambda np, x: 0.5 * np.log((1 + x) / (1 - x)),
        one_minus_square=lambda np, x: 1 - x * x,
        arccos_like=lambda np, x: np.sqrt((1 - x) / (1 + x)),
        square_root_minus_one=lambda np, x: np.sqrt(1 + x) - 1,
        cube_of_one_plus=lambda np, x: (1 + x) ** 3 - 1,
        inverse_root_series=lambda np, x: 1 / np.sqrt(1 + x) - 1,
        log_ratio_scaled=lambda np, x: np.log(1 + x) / np.log(1 + 2 * x * x + 1e-3),
    ),
    *of(
        "second set",
        POSITIVE_STEPS,
        cube_root_step=lambda np, x, e: (x + e) ** (1 / 3) - x ** (1 / 3),
        relative_change=lambda np, x, e: (x + e) / x - 1,
        log_slope=lambda np, x, e: (np.log(x + e) - np.log(x)) / e,
        mean_minus_root=lambda np, x, e: np.sqrt(x * x + e) - x,
        sigmoid_step=lambda np, x, e: 1 / (1 + np.exp(-(x + e))) - 1 / (1 + np.exp(-x)),
        inverse_root_step=lambda np, x, e: 1 / np.sqrt(x) - 1 / np.sqrt(x + e),
    ),
]

FORMULAS: list[Formula] = [
    *DIFFERENCES,
    *TRIGONOMETRY,
    *EXPONENTIALS,
    *LOGARITHMS,
    *POWERS,
    *ROOTS,
    *MORE,
    *SECOND,
]
