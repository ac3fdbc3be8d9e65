"""Where to look at the math functions: all bit patterns at random, and densely where formulas change or end."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

WIDTH = {"float32": 32, "float64": 64}
SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1e30, -1e30, np.inf, -np.inf, np.nan)
HARDEST = (6381956970095103.0 * 2.0**797, 5.319372648326541e255, 1.6e22)
"""Arguments of sin and cos that lie extremely close to a multiple of pi/2."""

INTERESTING: dict[str, tuple[float, ...]] = {
    "exp": (-745.13, -708.4, -103.97, -87.34, 0.0, 0.34657, 1.0, 88.0, 88.7228, 709.78),
    "expm1": (-37.43, -17.33, -1.0, -0.34657, 0.34657, 1e-3, 0.5, 88.7228, 709.78),
    "log": (0.7071067811865476, 1.0, 1.4142135623730951, 2.0, 0.5, 1e-30, 1e30),
    "log1p": (-1.0, -0.5, -0.2928932188134524, 1e-5, 0.41421356237309515, 1.0, 1e7, 1e16),
    "tanh": (0.55, 0.1, 1.0, 9.01, 19.06),
    "erf": (1.0, 0.1, 2.0, 3.83, 5.86),
    "tan": (0.7853981633974483, 1.5707963267948966, 3.141592653589793, 2.0**17, 2.0**28, 1e5, 1e22),
    "atan": (1.0, 0.5, 1e-3, 1e7, 1e16),
    "sinh": (1.0, 0.1, 0.34657, 88.7, 89.4, 710.4),
    "cosh": (1.0, 0.1, 1e-3, 88.7, 89.4, 710.4),
    "cbrt": (1.0, 0.5, 2.0, 8.0, 1e-30, 1e30),
    "erfc": (1.0, 0.1, 3.0, 9.1, 10.05, 26.5, 27.2),
    "erfcx": (1.0, 0.1, 3.0, 9.3, 26.6, 1e3, 1e20),
    "lgamma": (0.5, 1.0, 2.0, 6.0, 1e-3, 2.4570247, 3.1435808, 1e10, 1e30),
    "digamma": (1.0, 1.4616321449683622, 6.0, 1e-3, 0.5040830, 1.5734984, 1e10, 1e30),
    "trigamma": (1.0, 0.5, 6.0, 1e-3, 1.5, 1e10, 1e30),
    "sin": (0.7853981633974483, 1.5707963267948966, 3.141592653589793, 2.0**17, 2.0**28, 1e5, 1e22),
    "cos": (0.7853981633974483, 1.5707963267948966, 3.141592653589793, 2.0**17, 2.0**28, 1e5, 1e22),
}


def patterns(rng: np.random.Generator, dtype: str, count: int) -> Array:
    """Numbers of every size, sign and kind: uniform over bit patterns."""
    unsigned = np.dtype(f"uint{WIDTH[dtype]}")
    bits = rng.integers(0, np.iinfo(unsigned).max, count, dtype=unsigned, endpoint=True)
    numbers: Array = bits.view(dtype)
    return numbers


def around(rng: np.random.Generator, dtype: str, centres: tuple[float, ...], count: int) -> Array:
    """Numbers from 1 unit in the last place to a few percent away from each centre, and its opposite."""
    centre = np.repeat(np.array(centres, dtype), -(-count // len(centres)))
    digits = {"float32": 20, "float64": 48}[dtype]
    step = centre * rng.choice([-1.0, 1.0], centre.size) * 2.0 ** -rng.uniform(4, digits + 4, centre.size)
    points: Array = np.where(rng.random(centre.size) < 0.25, -1.0, 1.0) * (centre + step)
    return points.astype(dtype)


def unary(rng: np.random.Generator, name: str, dtype: str, count: int) -> Array:
    """About `count` arguments of a function of one operand, special ones included."""
    scale = {"float32": 110.0, "float64": 760.0}[dtype]
    parts = [
        np.array(SPECIAL, dtype),
        patterns(rng, dtype, count // 4),
        rng.normal(size=count // 4).astype(dtype),
        rng.uniform(-scale, scale, count // 8).astype(dtype),
        around(rng, dtype, INTERESTING[name], count // 4),
        np.ldexp(rng.uniform(1.0, 2.0, count // 8), rng.integers(-30, 31, count // 8)).astype(dtype),
    ]
    if name in ("sin", "cos", "tan"):
        parts += [
            np.array(HARDEST, dtype) if dtype == "float64" else np.empty(0, dtype),
            quarters(rng, dtype, min(count // 8, 2000)),
        ]
    return np.concatenate(parts)


def quarters(rng: np.random.Generator, dtype: str, count: int) -> Array:
    """The numbers closest to multiples of pi/2."""
    exponents = rng.uniform(0, 60 if dtype == "float32" else 300, count)
    with mp.workprec(500):
        return np.array([float(int(mp.mpf(2) ** float(e)) * mp.pi / 2) for e in exponents]).astype(dtype)


def binary(rng: np.random.Generator, dtype: str, count: int) -> tuple[Array, Array]:
    """About `count` pairs for pow, special ones included."""
    largest = {"float32": 88.0, "float64": 709.0}[dtype]
    special = np.array([*SPECIAL, 1e-30, 1e38, 5.0, -5.0, 2.5, 2.0**24 - 1, 2.0**53 - 1], dtype)
    x, y = (grid.ravel() for grid in np.meshgrid(special, special))
    near_one = (1.0 + rng.choice([-1.0, 1.0], count // 4) * 2.0 ** -rng.uniform(1, 22, count // 4)).astype(dtype)
    base = np.exp(rng.normal(size=count // 4) * 3.0).astype(dtype)
    with np.errstate(all="ignore"):
        edge = rng.uniform(-1.1, 1.1, count // 4) * largest
        pairs = [
            (x, y),
            (patterns(rng, dtype, count // 4), patterns(rng, dtype, count // 4)),
            (near_one, (edge / np.log(near_one.astype("float64"))).astype(dtype)),
            (base, (edge / np.log(base.astype("float64"))).astype(dtype)),
            (-np.round(base) - 1, rng.integers(-40, 41, count // 4).astype(dtype)),
        ]
    return np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])


def arguments(rng: np.random.Generator, name: str, dtype: str, count: int) -> tuple[Array, ...]:
    """About `count` points for any of the functions."""
    return binary(rng, dtype, count) if name == "pow" else (unary(rng, name, dtype, count),)
