"""Inverse, hyperbolic and normal functions in native code: units in the last place, edges, names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import symnet as sn

Real = Any
INF, NAN = math.inf, math.nan

WHOLE = [-1e30, -1e4, -30.0, -3.0, -0.7, -1e-3, -1e-9, 1e-9, 1e-3, 0.4, 1.0, 2.5, 9.0, 80.0, 1e6, 1e30]
UNIT = [-0.999999, -0.9, -0.3, -1e-4, -1e-12, 1e-12, 1e-4, 0.2, 0.5, 0.75, 0.99, 0.9999999]
FUNCTIONS: dict[str, tuple[Callable[[Real], Real], list[float]]] = {
    "tan": (mp.tan, WHOLE),
    "atan": (mp.atan, WHOLE),
    "asinh": (mp.asinh, WHOLE),
    "sinh": (mp.sinh, [v for v in WHOLE if abs(v) <= 80]),
    "cosh": (mp.cosh, [v for v in WHOLE if abs(v) <= 80]),
    "cbrt": (lambda x: mp.sign(x) * mp.cbrt(abs(x)), WHOLE),
    "erfc": (mp.erfc, [-5.0, -0.5, -1e-9, 1e-9, 0.3, 0.8, 2.0, 6.0, 9.0]),
    "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), [-5.0, -0.5, -1e-9, 1e-9, 0.3, 0.8, 2.0, 6.0, 9.0]),
    "asin": (mp.asin, UNIT),
    "acos": (mp.acos, UNIT),
    "atanh": (mp.atanh, UNIT),
    "erfinv": (mp.erfinv, UNIT),
    "acosh": (mp.acosh, [1.0000001, 1.001, 1.5, 3.0, 1e4, 1e20, 1e30]),
    "ndtr": (mp.ncdf, [-13.0, -9.0, -3.0, -1e-6, 0.5, 2.0, 6.0]),
    "log_ndtr": (lambda x: mp.log(mp.ncdf(x)), [-1e4, -100.0, -9.0, -3.0, -1.0, -1e-6, 0.5, 2.0, 6.0, 9.0]),
    "log1mexp": (lambda x: mp.log(-mp.expm1(-x)), [1e-30, 1e-6, 0.1, 0.69, 0.7, 3.0, 20.0, 60.0]),
    "logit": (lambda x: mp.log(x / (1 - x)), [1e-20, 1e-4, 0.2, 0.4999, 0.6, 0.9, 0.9999999]),
    "exprel": (lambda x: mp.expm1(x) / x, [-50.0, -2.0, -1e-5, 1e-9, 0.3, 1.0, 5.0, 60.0]),
}
LIMITS = {"float32": 3.0, "float64": 6.0}
ROUNDED_ARGUMENT = {"ndtr", "log_ndtr"}
"""Of x/√2, which is rounded before the function that falls like exp(-x²/2) is taken; in float64 that shows."""


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_units_in_the_last_place(name: str, dtype: str) -> None:
    exact, points = FUNCTIONS[name]
    values = np.array(points, dtype)
    x = sn.input("x", values.shape, dtype)
    got = np.asarray(sn.function([x], getattr(sn, name)(x), accuracy="off")(values))
    with mp.workdps(60):
        for value, result in zip(values.tolist(), got.tolist(), strict=True):
            wanted = exact(mp.mpf(value))
            unit = mp.mpf(float(np.spacing(np.array(abs(float(wanted)), dtype))))
            allowed = LIMITS[dtype] + (value * value if name in ROUNDED_ARGUMENT and dtype == "float64" else 0)
            assert abs(mp.mpf(result) - wanted) <= allowed * unit, (name, value, result, float(wanted))


EDGES: dict[str, dict[float, float]] = {
    "asin": {1.0: math.pi / 2, -1.0: -math.pi / 2, 1.5: NAN},
    "acos": {1.0: 0.0, -1.0: math.pi, 1.5: NAN},
    "atan": {INF: math.pi / 2, -INF: -math.pi / 2},
    "asinh": {INF: INF, -INF: -INF, 0.0: 0.0},
    "acosh": {1.0: 0.0, INF: INF, 0.5: NAN},
    "atanh": {1.0: INF, -1.0: -INF, 1.5: NAN},
    "erfinv": {1.0: INF, -1.0: -INF, 0.0: 0.0, 1.5: NAN},
    "logit": {0.0: -INF, 1.0: INF, 0.5: 0.0},
    "ndtr": {INF: 1.0, -INF: 0.0, 0.0: 0.5},
    "log1mexp": {0.0: -INF, INF: 0.0},
    "cbrt": {-8.0: -2.0, 0.0: 0.0, INF: INF},
    "exprel": {0.0: 1.0, INF: INF, -INF: 0.0},
    "sinc": {0.0: 1.0, 0.5: 2 / math.pi},
}


@pytest.mark.parametrize("name", EDGES)
def test_edges(name: str) -> None:
    x = sn.input("x", (len(EDGES[name]),), "float64")
    got = sn.function([x], getattr(sn, name)(x))(np.array(list(EDGES[name])))
    np.testing.assert_allclose(got, list(EDGES[name].values()), rtol=1e-14)


def test_atan2_in_every_quadrant() -> None:
    special = [-INF, -2.0, -0.0, 0.0, 3.0, INF]
    y, x = (np.array(v) for v in zip(*[(a, b) for a in special for b in special], strict=True))
    a, b = sn.input("a", y.shape, "float64"), sn.input("b", x.shape, "float64")
    np.testing.assert_allclose(sn.function([a, b], sn.atan2(a, b))(y, x), np.arctan2(y, x), rtol=1e-15)


def test_hypot_neither_over_nor_underflows() -> None:
    values = {"a": [3e200, 3e-200, 0.0, INF, -5.0], "b": [4e200, 4e-200, 0.0, -INF, 12.0]}
    a, b = sn.input("a", (5,), "float64"), sn.input("b", (5,), "float64")
    got = sn.function([a, b], [sn.hypot(a, b), *sn.grad(sn.sum(sn.hypot(a, b)), [a, b])])
    length, by_a, _ = got(*map(np.array, values.values()))
    np.testing.assert_allclose(length, [5e200, 5e-200, 0.0, INF, 13.0], rtol=1e-15)
    np.testing.assert_allclose(by_a[:3], [0.6, 0.6, 0.0], rtol=1e-15)


PLAIN = {
    "fmod": ([5.5, -5.5, 7.0], [2.0, 2.0, -3.0]),
    "fmax": ([1.0, NAN, 3.0], [2.0, 2.0, NAN]),
    "fmin": ([1.0, NAN, 3.0], [2.0, 2.0, NAN]),
    "copysign": ([1.0, -2.0, 3.0], [-0.0, 2.0, -3.0]),
    "heaviside": ([-1.0, 0.0, 2.0], [0.5, 0.5, 0.5]),
    "logaddexp2": ([1.0, 200.0, -3.0], [2.0, 2000.0, -3.0]),
    "deg2rad": ([180.0, 90.0, -45.0],),
    "rad2deg": ([1.0, 2.0, -3.0],),
    "arcsinh": ([1.0, 2.0, -3.0],),
    "arctan2": ([1.0, 2.0, -3.0], [1.0, -2.0, 0.5]),
}


@pytest.mark.parametrize("name", PLAIN)
def test_functions_of_numpy(name: str) -> None:
    arrays = [np.array(v) for v in PLAIN[name]]
    inputs = [sn.input("ab"[i], array.shape, "float64") for i, array in enumerate(arrays)]
    got = sn.evaluate(getattr(sn, name)(*inputs), dict(zip("ab", arrays, strict=False)))
    np.testing.assert_allclose(got, getattr(np, name)(*arrays), rtol=1e-14)


def test_derivatives_of_ratios_near_zero() -> None:
    """By their series: sinc″(0) is -1/3, of (eˣ - 1)/x it is 1/3, of log(1 + x)/x it is 2/3."""
    from symnet.ops.ratios import log1p_ratio, sin_ratio, sinh_ratio

    x = sn.input("x", (3,), "float64")
    for op, wanted in ((sin_ratio, -1 / 3), (sinh_ratio, 1 / 3), (sn.exprel, 1 / 3), (log1p_ratio, 2 / 3)):
        first = sn.grad(sn.sum(op(x)), x)
        second = sn.evaluate(sn.grad(sn.sum(first), x), {"x": [0.0, 1e-9, -1e-7]})
        np.testing.assert_allclose(second, wanted, rtol=1e-6)
