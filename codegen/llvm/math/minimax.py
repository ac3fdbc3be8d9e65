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
GAMMA_MIDDLE = 2.0
GAMMA_LARGE = 6.0
"""From here on log Γ and its derivatives are computed by their asymptotic series, whose rests are fitted."""
LGAMMA_LEVEL = 1.75
DIGAMMA_LEVEL = 3.5
TRIGAMMA_LEVEL = 1.125
SETTINGS = (
    "TANH_SMALL", "SINH_SMALL", "ERF_SMALL", "ERFCX_MIDDLE", "ERFCX_LEVEL", "GAMMA_MIDDLE", "GAMMA_LARGE",
    "LGAMMA_LEVEL", "DIGAMMA_LEVEL", "TRIGAMMA_LEVEL",
)  # fmt: skip
"""What the functions have to know beside the coefficients."""
DIGAMMA_ZERO = "1.46163214496836234126265954232572132846819620400644629512959840859878644"


def _from_middle(function: Callable[[Real], Real], middle: float = ERFCX_MIDDLE) -> Callable[[Real], Real]:
    """The function of t = (x - a)/(x + a), from -1 at x = 0 to 1 at infinity, that `function` is of x."""
    return lambda t: function(middle * (1 + t) / (1 - t)) if t < 1 else function(mp.mpf(10) ** 60)


def _middle(x: float) -> float:
    """t of x, for the functions of the gamma family."""
    return (x - GAMMA_MIDDLE) / (x + GAMMA_MIDDLE)


def _large(function: Callable[[Real], Real]) -> Callable[[Real], Real]:
    """The function of z = 1/x² that `function` is of x."""
    return lambda z: function(1 / mp.sqrt(z))


def _lgamma_ratio(x: Real) -> Real:
    return mp.loggamma(x) * (x + GAMMA_MIDDLE) / ((x - 1) * (x - 2))


def _digamma_ratio(x: Real) -> Real:
    return mp.psi(0, x) * (x + GAMMA_MIDDLE) / (x - mp.mpf(DIGAMMA_ZERO))


def _lgamma_rest(x: Real) -> Real:
    return (mp.loggamma(x) - (x - 0.5) * mp.log(x) + x - mp.log(2 * mp.pi) / 2) * x


def _digamma_rest(x: Real) -> Real:
    return (mp.log(x) - 0.5 / x - mp.psi(0, x)) * x**2


def _trigamma_rest(x: Real) -> Real:
    return (mp.psi(1, x) - 1 / x - 0.5 / x**2) * x**3


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
        "LGAMMA",
        f"lgamma(x) (x + {GAMMA_MIDDLE})/((x - 1)(x - 2)) = {LGAMMA_LEVEL} + p(t), "
        f"t = (x - {GAMMA_MIDDLE})/(x + {GAMMA_MIDDLE}), for 1/2 <= x <= {GAMMA_LARGE}; relative error",
        _from_middle(lambda x: _lgamma_ratio(x) - LGAMMA_LEVEL, GAMMA_MIDDLE),
        _from_middle(lambda x: 1 / _lgamma_ratio(x), GAMMA_MIDDLE),
        _same((_middle(0.5), _middle(GAMMA_LARGE))),
        (0, 32),
    ),
    Wanted(
        "DIGAMMA",
        f"digamma(x) (x + {GAMMA_MIDDLE})/(x - x0) = {DIGAMMA_LEVEL} + p(t), x0 its zero, t as before, for 1 <= x <= "
        f"{GAMMA_LARGE}; relative error",
        _from_middle(lambda x: _digamma_ratio(x) - DIGAMMA_LEVEL, GAMMA_MIDDLE),
        _from_middle(lambda x: 1 / _digamma_ratio(x), GAMMA_MIDDLE),
        _same((_middle(1.0), _middle(GAMMA_LARGE))),
        (0, 27),
    ),
    Wanted(
        "TRIGAMMA",
        f"x trigamma(x) = {TRIGAMMA_LEVEL} + p(t), t as before, for 1 <= x <= {GAMMA_LARGE}; relative error",
        _from_middle(lambda x: x * mp.psi(1, x) - TRIGAMMA_LEVEL, GAMMA_MIDDLE),
        _from_middle(lambda x: 1 / (x * mp.psi(1, x)), GAMMA_MIDDLE),
        _same((_middle(1.0), _middle(GAMMA_LARGE))),
        (0, 27),
    ),
    Wanted(
        "LGAMMA_REST",
        f"lgamma(x) = (x - 1/2) log(x) - x + log(2 pi)/2 + p(z)/x, z = 1/x^2, for x >= {GAMMA_LARGE}; relative error",
        _large(_lgamma_rest),
        _large(lambda x: 1 / (x * mp.loggamma(x))),
        _same((0.0, GAMMA_LARGE**-2)),
        (0, 7),
    ),
    Wanted(
        "DIGAMMA_REST",
        f"digamma(x) = log(x) - 1/(2 x) - z p(z), z = 1/x^2, for x >= {GAMMA_LARGE}; relative error",
        _large(_digamma_rest),
        _large(lambda x: 1 / (x**2 * mp.psi(0, x))),
        _same((0.0, GAMMA_LARGE**-2)),
        (0, 8),
    ),
    Wanted(
        "TRIGAMMA_REST",
        f"trigamma(x) = 1/x + z/2 + z p(z)/x, z = 1/x^2, for x >= {GAMMA_LARGE}; relative error",
        _large(_trigamma_rest),
        _large(lambda x: 1 / (x**3 * mp.psi(1, x))),
        _same((0.0, GAMMA_LARGE**-2)),
        (0, 9),
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
            ("DIGAMMA_ZERO", "the positive zero of digamma in two parts", mp.mpf(DIGAMMA_ZERO), ((24,) * 2, (53,) * 2)),
        )
        lines = [
            '"""Generated by `python -m codegen.llvm.math.minimax`: polynomial coefficients, lowest power first."""',
            "",
            "from __future__ import annotations",
            "",
            "from collections.abc import Mapping",
            "",
            *(f"{name} = {globals()[name]}" for name in SETTINGS),
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
