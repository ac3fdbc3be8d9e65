"""Formulas whose digits cancel, in the manner of textbooks, written without a look at the rules."""

from __future__ import annotations

import math

from tests.accuracy.blind_losses import F
from tests.accuracy.blind_scalars import ABOVE, XX, X
from tests.accuracy.formula import Point, f, over, rows

NEAR = over(f(0.5, -1.3, 2.2), f(1e-3, -1e-5, 1e-8), f(1e-20, -1e-30), f(0.0))
NEAR_GROWING = over(*(p[0] for p in NEAR), f(9, -9, 20), f(80, -80))
FROM_ONE = over(f(1.5, 2.0, 7.0), f(1e3, 1e6, 1e10), f(1e18, 1e30))
PAIR: tuple[Point, ...] = (
    (f(1.5, 0.3, 2.0), f(0.4, 0.9, 1.1)),
    (f(1.0, 2.0, 0.7), f(1e-6, 1e-9, 1e-12)),
    (f(0.3, 2.0, 1.0), f(1e-20, 1e-30, 1e-7)),
)
"""A place and a small step."""
CLOSE: tuple[Point, ...] = ((f(1.5, 0.3, 2.0), f(0.4, 0.9, 1.1)), (f(1.0, 2.0, 0.5), f(1.000001, 2.00001, 0.4999999)),
                            (f(3.0, 1e3, 1e-3), f(1e-3, 1e-2, 1e3)))  # fmt: skip
ABC: tuple[Point, ...] = (
    (f(1.0, 2.0, -1.0), f(5.0, -7.0, 3.0), f(2.0, 3.0, 1.0)),
    (f(1.0, 1.0, 1.0), f(1e4, -1e4, 1e6), f(1.0, 1.0, 1.0)),
    (f(1e-6, 1e-10), f(1.0, -2.0), f(1.0, 1.0)),
    (f(1.0, 1.0), f(1e25, -1e25), f(1.0, 3.0)),
)
SIDES: tuple[Point, ...] = (
    (f(3.0, 1.0, -2.0), f(4.0, 0.5, 1.0)), (f(1e-25, 1e25, 1e30), f(2e-25, 1e24, 1.0)), (f(1.0, 1e-8), f(1e-8, 1.0)),
)  # fmt: skip

HARDER = [
    F("2sqrt", lambda np, x: np.sqrt(x + 1) - np.sqrt(x), ABOVE),
    F("2isqrt", lambda np, x: 1 / np.sqrt(x) - 1 / np.sqrt(x + 1), ABOVE[:1] + ABOVE[2:3]),
    F("2frac", lambda np, x: 1 / (x + 1) - 1 / x, ABOVE[:1] + ABOVE[2:]),
    F("3frac", lambda np, x: 1 / (x + 1) - 2 / x + 1 / (x - 1), over(f(2, 3.5, 10), f(1e3, 1e6), f(1e10, 1e12))),
    F("2cbrt", lambda np, x: np.cbrt(x + 1) - np.cbrt(x), ABOVE),
    F("2cbrt by power", lambda np, x: (x + 1) ** (1 / 3) - x ** (1 / 3), ABOVE[:1] + ABOVE[2:3]),
    F("2log", lambda np, x: np.log(x + 1) - np.log(x), ABOVE),
    F("2atan", lambda np, x: np.arctan(x + 1) - np.arctan(x), ABOVE),
    F("2sin", lambda np, x, e: np.sin(x + e) - np.sin(x), PAIR),
    F("2cos", lambda np, x, e: np.cos(x + e) - np.cos(x), PAIR),
    F("2tan", lambda np, x, e: np.tan(x + e) - np.tan(x), PAIR[:2]),
    F("2exp", lambda np, x, e: np.exp(x + e) - np.exp(x), PAIR),
    F("2pow", lambda np, x, e: (x + e) ** 3 - x**3, PAIR),
    F("2inv", lambda np, x, e: 1 / (x + e) - 1 / x, PAIR),
    F("2sigmoid", lambda np, x, e: 1 / (1 + np.exp(-x - e)) - 1 / (1 + np.exp(-x)), PAIR),
    F("2tanh", lambda np, x, e: np.tanh(x + e) - np.tanh(x), PAIR),
    F("2sqrt of steps", lambda np, x, e: np.sqrt(x + e) - np.sqrt(x), PAIR),
    F("2log of steps", lambda np, x, e: np.log(x + e) - np.log(x), PAIR),
    F("difference quotient", lambda np, x, e: ((x + e) ** 2 - x**2) / e, PAIR),
    F("exp less one", lambda np, x: np.exp(x) - 1, NEAR_GROWING),
    F("exp less tangent", lambda np, x: np.exp(x) - 1 - x, NEAR_GROWING),
    F("exp ratio", lambda np, x: (np.exp(x) - 1) / x, NEAR_GROWING),
    F("inverse exp ratio", lambda np, x: x / (np.exp(x) - 1), NEAR_GROWING),
    F("exp ratio of second order", lambda np, x: (np.exp(x) - 1 - x) / x**2, NEAR),
    F("one less cos", lambda np, x: 1 - np.cos(x), NEAR),
    F("one less cos over sin", lambda np, x: (1 - np.cos(x)) / np.sin(x), NEAR),
    F("one less cos over square", lambda np, x: (1 - np.cos(x)) / x**2, NEAR),
    F("sin less x", lambda np, x: np.sin(x) - x, NEAR),
    F("tan less sin", lambda np, x: np.tan(x) - np.sin(x), NEAR),
    F("ratio of those", lambda np, x: (x - np.sin(x)) / (x - np.tan(x)), NEAR),
    F("sin over x", lambda np, x: np.sin(x) / x, NEAR),
    F("cot less inverse", lambda np, x: 1 / x - 1 / np.tan(x), NEAR),
    F("langevin", lambda np, x: 1 / np.tanh(x) - 1 / x, NEAR_GROWING),
    F("sinh by exponentials", lambda np, x: (np.exp(x) - np.exp(-x)) / 2, NEAR_GROWING),
    F("cosh less one", lambda np, x: (np.exp(x) + np.exp(-x)) / 2 - 1, NEAR_GROWING),
    F("sinh over x", lambda np, x: np.sinh(x) / x, NEAR_GROWING),
    F("sinh less x", lambda np, x: np.sinh(x) - x, NEAR_GROWING),
    F("coth less one", lambda np, x: (np.exp(x) + np.exp(-x)) / (np.exp(x) - np.exp(-x)) - 1, over(f(0.5, 2.2), f(9,
        20), f(
        1e-3, 1e-8))),
    F("asinh", lambda np, x: np.log(x + np.sqrt(x**2 + 1)), XX),
    F("acosh", lambda np, x: np.log(x + np.sqrt(x**2 - 1)), FROM_ONE),
    F("atanh", lambda np, x: 0.5 * np.log((1 + x) / (1 - x)), over(f(0.5, -0.3), f(1e-4, -1e-9, 1e-25), f(0.9999,
        -0.99999),
                                                                  f(0))),
    F("root of square less one", lambda np, x: x - np.sqrt(x**2 - 1), FROM_ONE),
    F("root of square plus one", lambda np, x: np.sqrt(x**2 + 1) - x, XX),
    F("log of one plus", lambda np, x: np.log(1 + x), over(f(0.5, -0.3, 3), f(1e-4, -1e-9, 1e-25), f(1e10, 1e30),
        f(0))),
    F("log ratio", lambda np, x: np.log((1 - x) / (1 + x)), over(f(0.5, -0.3), f(1e-4, -1e-9, 1e-25), f(0))),
    F("log of one plus over x", lambda np, x: np.log(1 + x) / x, over(f(0.5, -0.3, 3), f(1e-4, -1e-9, 1e-25), f(1e10,
        1e30))),
    F("log of both sides", lambda np, x: np.log(1 - x) / np.log(1 + x), over(f(0.5, -0.3), f(1e-4, -1e-9, 1e-25))),
    F("x log x tail", lambda np, x: (x + 1) * np.log(x + 1) - x * np.log(x) - 1, ABOVE[:1] + ABOVE[2:3]),
    F("quadratic, plus", lambda np, a, b, c: (-b + np.sqrt(b**2 - 4 * a * c)) / (2 * a), ABC),
    F("quadratic, minus", lambda np, a, b, c: (-b - np.sqrt(b**2 - 4 * a * c)) / (2 * a), ABC),
    F("quadratic, halved", lambda np, b, c: -b + np.sqrt(b * b - c), ((f(5, 3), f(2, 1)), (f(1e4, 1e6), f(1, 1)),
        (f(1e25, 1e20), f(
        1, 1)))),
    F("citardauq", lambda np, a, b, c: 2 * c / (-b - np.sqrt(b * b - 4 * a * c)), ABC[:3]),
    F("difference of squares", lambda np, a, b: a**2 - b**2, CLOSE),
    F("difference of cubes", lambda np, a, b: a**3 - b**3, CLOSE),
    F("relative difference", lambda np, a, b: (a - b) / (a + b), CLOSE),
    F("log of a ratio near one", lambda np, a, b: np.log(a / b), CLOSE),
    F("logarithmic mean", lambda np, a, b: (a - b) / (np.log(a) - np.log(b)), CLOSE),
    F("sigmoid of difference", lambda np, a, b: np.exp(a) / (np.exp(a) + np.exp(b)), ((f(1, -2), f(0.5, 3)), (f(100,
        -100),
        f(-100, 100)), (f(1000, 1000), f(999, 1001)))),
    F("magnitude", lambda np, a, b: np.sqrt(a**2 + b**2), SIDES),
    F("real part of a quotient", lambda np, a, b: (a * 2 + b * 3) / (a * a + b * b), SIDES),
    F("log of magnitude", lambda np, a, b: np.log(np.sqrt(a**2 + b**2)), SIDES),
    F("real part of a root", lambda np, a, b: np.sqrt((np.sqrt(a**2 + b**2) + a) / 2), ((f(3, 1, -2), f(4, 0.5, 1)),
        (f(-1, -5),
        f(1e-4, 1e-6)), (f(1e20, -1e25), f(1e18, 1e25)))),
    F("compound interest", lambda np, r: (1 + r / 365) ** 365, over(f(0.05, 0.2, -0.1), f(1e-4, 1e-7), f(3, 10))),
    F("annuity", lambda np, r: (1 - (1 + r) ** -30) / r, over(f(0.05, 0.2), f(1e-4, 1e-7, 1e-12))),
    F("loan payment", lambda np, r: r * (1 + r) ** 12 / ((1 + r) ** 12 - 1), over(f(0.05, 0.2), f(1e-4, 1e-7, 1e-12))),
    F("interest gained", lambda np, r: (1 + r) ** 10 - 1, over(f(0.05, 0.2, -0.1), f(1e-4, 1e-7, -1e-12))),
    F("haversine", lambda np, a,
        b: 2 * np.arcsin(np.sqrt(np.sin((a - b) / 2) ** 2 + np.cos(a) * np.cos(b) * math.sin(0.1) ** 2)),
      ((f(0.3, 1.0), f(0.5, -0.2)), (f(0.3, 1e-5), f(0.300001, 2e-5)))),
    F("angle by arccos", lambda np, a, b: np.arccos(a / np.sqrt(a**2 + b**2)), ((f(3, 1, -2), f(4, 0.5, 1)), (f(1, 5),
        f(1e-4, 1e-6)))),
    F("arccos near one", lambda np, x: np.arccos(1 - x), over(f(0.5, 1.2), f(1e-4, 1e-9, 1e-20))),
    F("arcsin near one", lambda np, x: math.pi / 2 - np.arcsin(1 - x), over(f(0.5, 1.2), f(1e-4, 1e-9, 1e-20))),
    F("square of sin and cos", lambda np, x: np.cos(x) ** 2 - np.sin(x) ** 2, NEAR),
    F("power near one", lambda np, x: x**0.01 - 1, over(f(0.5, 2), f(1.000001, 0.99999), f(1e10, 1e-10), f(1))),
    F("box-cox", lambda np, x: (x**0.001 - 1) / 0.001, over(f(0.5, 2), f(1.000001, 0.99999), f(1e10, 1e-10), f(1))),
    F("root of one plus less one", lambda np, x: np.sqrt(1 + x) - 1, over(f(0.5, 3, -0.4), f(1e-5, -1e-8, 1e-20),
        f(1e10, 1e30))),
    F("root over itself", lambda np, x: (np.sqrt(1 + x) - 1) / x, over(f(0.5, 3, -0.4), f(1e-5, -1e-8, 1e-20), f(1e10,
        1e30))),
    F("rational", lambda np, x: (x**2 - 1) / (x - 1), over(f(0.5, 3, -0.4), f(1.00001, 0.9999), f(1e-9, 1e15))),
    F("rational far out", lambda np, x: x**3 / (1 + x**3), ABOVE),
    F("one less rational", lambda np, x: 1 - x / (1 + x), ABOVE),
    F("exp of a difference", lambda np, a, b: np.exp(a) * np.exp(-b), ((f(1, -2), f(0.5, 3)), (f(100, -100), f(99,
        -101)), (f(
        1000, 1000), f(999, 1001)))),
    F("log of exp difference", lambda np, a, b: np.log(np.exp(a) - np.exp(b)), ((f(1, 3), f(0.5, -3)), (f(100, -100),
        f(99, -101)), (f(
        1000, 1.0), f(999, 0.9999999)))),
    F("exp minus exp negative over two x", lambda np, x: (np.exp(x) - np.exp(-x)) / (2 * x), NEAR_GROWING),
    F("erf tail", lambda np, x: 1 - np.erf(x), X[:2] + over(f(2, 4, 6), f(9, 20, 100))),
    F("erfc scaled", lambda np, x: np.exp(x**2) * np.erfc(x), over(f(0.5, 1, 3), f(5, 9, 20), f(1e3, 1e4), f(1e-8,
        0))),
    F("planck", lambda np, x: x**3 / (np.exp(x) - 1), over(f(0.5, 2, 9), f(1e-4, 1e-9), f(60, 100, 300))),
    F("bose", lambda np, x: 1 / (np.exp(x) - 1), over(f(0.5, 2, 9), f(1e-4, 1e-9, 1e-20), f(60, 100, 300))),
    F("debye length", lambda np, x: np.exp(-x) / (1 - np.exp(-x)), over(f(0.5, 2, 9), f(1e-4, 1e-9, 1e-20), f(60, 100,
        300))),
    F("lorentz less one", lambda np, v: 1 / np.sqrt(1 - v**2) - 1, over(f(0.5, 0.9), f(1e-3, 1e-6, 1e-12), f(0))),
    F("entropy near a half", lambda np, x: math.log(2) + (0.5 + x) * np.log(0.5 + x) + (0.5 - x) * np.log(0.5 - x),
        over(f(0.3, -0.2), f(
        1e-3, -1e-5, 1e-8))),
    F("sample variance", lambda np, x: np.sum(x**2, axis=1) / 3 - (np.sum(x, axis=1) / 3) ** 2, over(rows([1, 2, 4],
        [0.1, -3, 2]), rows(
        [1000, 1001, 1000.5], [1e4, 1e4, 1e4 + 1]))),
    F("heron", lambda np, a, b: np.sqrt((a + b + 1) * (a + b - 1) * (a - b + 1) * (1 + b - a)) / 4, ((f(0.9, 1.2),
        f(0.8, 1.3)), (f(
        1.0, 2.0), f(1.0, 2.0)))),
    F("midpoint in logs", lambda np, a, b: np.sqrt(a * b), ((f(1, 2), f(0.5, 3)), (f(1e30, 1e-30), f(1e25, 1e-25)),
        (f(1e-20, 1e20), f(
        1e20, 1e20)))),
    F("harmonic", lambda np, a, b: 1 / (1 / a + 1 / b), ((f(1, 2), f(0.5, 3)), (f(1e30, 1e-30), f(1e25, 1e-25)),
        (f(1e-20, 1e20), f(
        1e20, 1e20)))),
]  # fmt: skip
