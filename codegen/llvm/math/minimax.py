"""Generates `coefficients.py`: `python -m codegen.llvm.math.minimax` writes it (half a minute).

Every polynomial is declared here by what it approximates, on which interval, and which error counts (the weight makes
it the relative error of the function that is finally computed). Splitting constants into parts is done here as well.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mpmath as mp
import numpy as np

from codegen.llvm.math.remez import DIGITS, Fit, Real, fit

EDGE = 1.0 + 2.0**-10  # intervals reach a little over, because the reduced argument is rounded
HALF_LN2 = 0.34657359027997264 * EDGE
LOG_INTERVAL = (0.7071067 - 1.0, 1.4142137 - 1.0)
QUARTER_PI_SQUARED = (0.7853981633974483 * EDGE) ** 2


@dataclass(frozen=True)
class Wanted:
    """A polynomial to be found: `count` coefficients for the float32 and the float64 function (0: not needed)."""

    name: str
    comment: str
    target: Callable[[Real], Real]
    weight: Callable[[Real], Real]
    intervals: tuple[tuple[float, float], tuple[float, float]]
    counts: tuple[int, int]
    kept_in: str | None = None
    """The dtype of the coefficients where it is not the function's own."""


def _same(interval: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    return interval, interval


def _root(function: Callable[[Real], Real]) -> Callable[[Real], Real]:
    """The function of z = x * x that `function` is of x."""
    return lambda z: function(mp.sqrt(z))


TANH_SMALL = 0.55
SINH_SMALL = 1.0
ERF_SMALL = 1.0
ERFCX_MIDDLE = 3.0
ERFCX_LEVEL = 1.125


def _from_middle(function: Callable[[Real], Real]) -> Callable[[Real], Real]:
    """The function of t = (x - a)/(x + a), from -1 at x = 0 to 1 at infinity, that `function` is of x."""
    return lambda t: function(ERFCX_MIDDLE * (1 + t) / (1 - t)) if t < 1 else function(mp.mpf(10) ** 60)


def _erfcx(x: Real) -> Real:
    """(1 + 2 x) exp(x^2) erfc(x), by its continued fraction where erfc underflows."""
    if x < 40:
        return (1 + 2 * x) * mp.exp(x**2) * mp.erfc(x)
    tail = x
    for k in range(60, 0, -1):
        tail = x + mp.mpf(k) / 2 / tail
    return (1 + 2 * x) / (mp.sqrt(mp.pi) * tail)


WANTED = (
    Wanted(
        "EXP",
        "exp(r) = 1 + (r + r^2 p(r)) for |r| <= ln(2)/2; relative error of exp",
        lambda r: (mp.expm1(r) - r) / r**2,
        lambda r: r**2 / mp.exp(r),
        _same((-HALF_LN2, HALF_LN2)),
        (5, 10),
    ),
    Wanted(
        "LOG",
        "log(1 + f) = f + f^2 (-1/2 + f p(f)) for sqrt(1/2) <= 1 + f <= sqrt(2); relative error of the logarithm",
        lambda f: (mp.log1p(f) - f + f**2 / 2) / f**3,
        lambda f: f**3 / mp.log1p(f),
        _same(LOG_INTERVAL),
        (8, 19),
    ),
    Wanted(
        "TANH",
        f"tanh(x) = x + x z p(z), z = x^2, for |x| <= {TANH_SMALL}; relative error of tanh",
        _root(lambda x: (mp.tanh(x) / x - 1) / x**2),
        _root(lambda x: x**3 / mp.tanh(x)),
        _same((0.0, TANH_SMALL**2)),
        (5, 10),
    ),
    Wanted(
        "SINH",
        f"sinh(x) = x + x z p(z), z = x^2, for |x| <= {SINH_SMALL}; relative error of sinh",
        _root(lambda x: (mp.sinh(x) / x - 1) / x**2),
        _root(lambda x: x**3 / mp.sinh(x)),
        _same((0.0, SINH_SMALL**2)),
        (4, 8),
    ),
    Wanted(
        "ATAN",
        "atan(x) = x + x z p(z), z = x^2, for |x| <= 1; relative error of atan",
        _root(lambda x: (mp.atan(x) / x - 1) / x**2),
        _root(lambda x: x**3 / mp.atan(x)),
        _same((0.0, 1.0)),
        (10, 20),
    ),
    Wanted(
        "CBRT",
        "cbrt(m) = p(m) for sqrt(1/2)/2 <= m <= 2 sqrt(2); relative error, before the steps of Newton",
        mp.cbrt,
        lambda m: 1 / mp.cbrt(m),
        _same((0.3535, 2.8285)),
        (9, 9),
    ),
    Wanted(
        "ERFCX",
        f"(1 + 2 x) exp(x^2) erfc(x) = {ERFCX_LEVEL} + p(t), t = (x - {ERFCX_MIDDLE})/(x + {ERFCX_MIDDLE}), for "
        "x >= 0; relative error; both computed in float64",
        _from_middle(lambda x: _erfcx(x) - ERFCX_LEVEL),
        _from_middle(lambda x: 1 / _erfcx(x)),
        _same((-1.0, 1.0)),
        (12, 28),
        "float64",
    ),
    Wanted(
        "ERF",
        f"erf(x) = x + x p(z), z = x^2, for |x| <= {ERF_SMALL}; relative error of erf",
        _root(lambda x: mp.erf(x) / x - 1),
        _root(lambda x: x / mp.erf(x)),
        _same((0.0, ERF_SMALL**2)),
        (7, 13),
    ),
    Wanted(
        "LOG_ERFC",
        f"log(1 - erf(x)) = p(x) for x >= {ERF_SMALL} until erf(x) rounds to 1; relative error of erf",
        lambda x: mp.log(mp.erfc(x)),
        lambda x: mp.erfc(x) / mp.erf(x),
        ((ERF_SMALL, 3.95), (ERF_SMALL, 5.95)),
        (7, 18),
    ),
    Wanted(
        "SIN",
        "sin(r) = r + r z p(z), z = r^2, for |r| <= pi/4; relative error of sin",
        _root(lambda r: (mp.sin(r) / r - 1) / r**2),
        _root(lambda r: r**3 / mp.sin(r)),
        _same((0.0, QUARTER_PI_SQUARED)),
        (3, 6),
    ),
    Wanted(
        "COS",
        "cos(r) = 1 - z/2 + z^2 p(z), z = r^2, for |r| <= pi/4; relative error of cos",
        _root(lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4),
        _root(lambda r: r**4 / mp.cos(r)),
        _same((0.0, QUARTER_PI_SQUARED)),
        (3, 6),
    ),
    Wanted(
        "POW_LOG2",
        "log2(1 + f) = f p(f) for sqrt(1/2) <= 1 + f <= sqrt(2); relative error; float32 pow, computed in float64",
        lambda f: mp.log1p(f) / mp.log(2) / f,
        lambda f: f * mp.log(2) / mp.log1p(f),
        _same(LOG_INTERVAL),
        (12, 0),
        "float64",
    ),
    Wanted(
        "POW_EXP2",
        "2^r = 1 + r p(r) for |r| <= 1/2; relative error; float32 pow, computed in float64",
        lambda r: mp.expm1(r * mp.log(2)) / r,
        lambda r: r / 2**r,
        _same((-0.5 * EDGE, 0.5 * EDGE)),
        (6, 0),
        "float64",
    ),
    Wanted(
        "POW_ATANH",
        "2 atanh(s) = 2 s + s^3 (2/3 + w p(w)), w = s^2, for |s| <= (sqrt(2) - 1)^2; relative error",
        _root(lambda s: ((2 * mp.atanh(s) - 2 * s) / s**3 - mp.mpf(2) / 3) / s**2),
        _root(lambda s: s**5 / (2 * mp.atanh(s))),
        _same((0.0, 0.1716**2)),
        (0, 7),
    ),
)


def find(wanted: Wanted, dtype: str) -> Fit:
    """The polynomial for the function of `dtype`."""
    which = ("float32", "float64").index(dtype)
    return fit(wanted.target, wanted.weight, wanted.intervals[which], wanted.counts[which], wanted.kept_in or dtype)


def parts(value: Real, dtype: str, bits: tuple[int, ...]) -> tuple[float, ...]:
    """`value` as a sum of numbers of `dtype`, the leading ones with only so many significant bits each."""
    result = []
    for width in bits:
        exponent = mp.floor(mp.log(abs(value), 2)) if value else mp.mpf(0)
        unit = mp.mpf(2) ** (exponent + 1 - width)
        result.append(float(mp.nint(value / unit) * unit))
        value -= mp.mpf(result[-1])
    assert dtype != "float32" or all(float(np.float32(r)) == r for r in result)
    return tuple(result)


def two_over_pi(words: int) -> tuple[int, ...]:
    """The bits of 2/pi after the binary point in 64-bit words, after one word of zeros."""
    with mp.workprec(64 * words + 64):
        bits = int(mp.floor(2 / mp.pi * mp.mpf(2) ** (64 * words)))
    return (0, *((bits >> (64 * (words - 1 - i))) & (2**64 - 1) for i in range(words)))


def generate() -> str:
    """The text of `coefficients.py`."""
    with mp.workdps(DIGITS):
        ln2, half_pi = mp.log(2), mp.pi / 2
        split = (
            ("LN2", "ln(2) in two parts; the first times any exponent is exact", ln2, ((15, 24), (41, 53))),
            ("HALF_PI", "pi/2 in three parts", half_pi, ((24,) * 3, (53,) * 3)),
        )
        lines = [
            '"""Generated by `python -m codegen.llvm.math.minimax`: polynomial coefficients, lowest power first."""',
            "",
            "from __future__ import annotations",
            "",
            "from collections.abc import Mapping",
            "",
            f"TANH_SMALL = {TANH_SMALL}",
            f"SINH_SMALL = {SINH_SMALL}",
            f"ERF_SMALL = {ERF_SMALL}",
            f"ERFCX_MIDDLE = {ERFCX_MIDDLE}",
            f"ERFCX_LEVEL = {ERFCX_LEVEL}",
        ]
        for name, comment, value, (single, double) in split:
            lines += ["", f"# {comment}", f"{name}: Mapping[str, tuple[float, ...]] = {{"]
            lines += _entry("float32", parts(value, "float32", single))
            lines += _entry("float64", parts(value, "float64", double))
            lines += ["}"]
    for wanted in WANTED:
        lines += ["", *textwrap.wrap(wanted.comment, 117, initial_indent="# ", subsequent_indent="# ")]
        body: list[str] = []
        for dtype, count in zip(("float32", "float64"), wanted.counts, strict=True):
            if count:
                found = find(wanted, dtype)
                low, high = wanted.intervals[dtype == "float64"]
                lines.append(f"# {dtype}: error 2^{np.log2(found.error):.1f} on [{low:.7g}, {high:.7g}]")
                body += _entry(dtype, found.coefficients)
        lines += [f"{wanted.name}: Mapping[str, tuple[float, ...]] = {{", *body, "}"]
    lines += ["", "# the bits of 2/pi after the binary point, after 64 zeros", "TWO_OVER_PI: tuple[int, ...] = ("]
    lines += [f"    0x{word:016X}," for word in two_over_pi(19)]
    return "\n".join([*lines, ")"]) + "\n"


def _entry(dtype: str, values: tuple[float, ...]) -> list[str]:
    return [f'    "{dtype}": (', *(f"        {value!r}," for value in values), "    ),"]


if __name__ == "__main__":
    Path(__file__).with_name("coefficients.py").write_text(generate())
