"""Branches for functions of one variable far out: what is left of them, as the first terms of an expansion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from symnet.accuracy.series import (
    CHECKED,
    DIGITS,
    NODES,
    STEP,
    Function,
    Number,
    Taylor,
    close,
    evaluated,
    interpolated,
    polynomial,
    times,
    without_zeros,
)
from symnet.expr.node import Expr
from symnet.ops.leaves import constant
from symnet.ops.scalar import absolute, divide, exp, greater, multiply, negative, sign, sqrt, where

VANISHED = 2.0**-151
"""What is smaller than this is 0 in float32."""


class Expansion(Protocol):
    """What a function is like on one side, in terms of the size of its variable."""

    def terms(self, radius: float) -> list[Number] | None:
        """The coefficients that matter from the radius on; None if too many do."""

    def number(self, size: Number, terms: Sequence[Number]) -> Number:
        """Its value, with many digits."""

    def expression(self, size: Expr, terms: Sequence[Number]) -> Expr:
        """The same as an expression."""


@dataclass(frozen=True)
class Powers:
    """f = size^(halves / 2) · (c₀ + c₁ t + c₂ t² + …) with t = 1 / size."""

    halves: int
    series: Taylor

    def terms(self, radius: float) -> list[Number] | None:
        return self.series.kept(1.0 / radius)

    def number(self, size: Number, terms: Sequence[Number]) -> Number:
        from mpmath import mp

        return evaluated(terms, 1 / size) * mp.sqrt(size) ** self.halves

    def expression(self, size: Expr, terms: Sequence[Number]) -> Expr:
        t = divide(constant(1.0, size.dtype), size)
        value = polynomial(t, terms)
        base = size if self.halves > 0 else t
        if self.halves % 2:
            value = multiply(sqrt(base), value)
        return times(base, abs(self.halves) // 2, value)


@dataclass(frozen=True)
class Exponential:
    """f = size^power · exp(−rate · size) · (c₀ + c₁ w + c₂ w² + …) with w = exp(−step · size)."""

    power: int
    rate: Number
    step: Number
    series: Taylor

    def terms(self, radius: float) -> list[Number] | None:
        from mpmath import mp

        return self.series.kept(float(mp.exp(-self.step * radius)))

    def number(self, size: Number, terms: Sequence[Number]) -> Number:
        from mpmath import mp

        return evaluated(terms, mp.exp(-self.step * size)) * mp.exp(-self.rate * size) * size**self.power

    def expression(self, size: Expr, terms: Sequence[Number]) -> Expr:
        w = exp(multiply(constant(-float(self.step), size.dtype), size))
        value = polynomial(w, terms)
        decay = w if self.rate == self.step else exp(multiply(constant(-float(self.rate), size.dtype), size))
        value = multiply(decay, value)
        base = size if self.power > 0 else divide(constant(1.0, size.dtype), size)
        return times(base, abs(self.power), value)


@dataclass(frozen=True)
class Nothing:
    """f is 0 in float32."""

    def terms(self, radius: float) -> list[Number] | None:
        return [0]

    def number(self, size: Number, terms: Sequence[Number]) -> Number:
        return size * 0

    def expression(self, size: Expr, terms: Sequence[Number]) -> Expr:
        return constant(0.0, size.dtype)


def beyond(
    x: Expr, f: Function, found: Expansion, side: int, radius: float, otherwise: Expr, parity: int = 0
) -> Expr | None:
    """The first terms where x is further out than the radius, on one side, or on both if the function is even (parity
    1) or odd (-1); None if they do not settle it."""
    terms = found.terms(radius)
    if terms is None or not _holds(f, found, terms, side, radius):
        return None
    size = absolute(x) if parity else x if side > 0 else negative(x)
    value = found.expression(size, terms)
    if parity < 0:
        value = multiply(sign(x), value)
    return where(greater(size, constant(radius, x.dtype)), value, otherwise)


def parity(f: Function) -> int:
    """1 for an even function, -1 for an odd one, 0 for others."""
    from mpmath import mp

    with mp.workdps(CHECKED):
        sizes = [mp.mpf(k) / 7 for k in (1, 5, 12, 60)]
        right, left = f(sizes), f([-size for size in sizes])
        for factor in (1, -1):
            if all(abs(a - factor * b) <= mp.mpf(2) ** -200 * abs(a) for a, b in zip(right, left, strict=True)):
                return factor
        return 0


def _holds(f: Function, found: Expansion, terms: Sequence[Number], side: int, radius: float) -> bool:
    """Whether the terms are the function from the radius on, as far as float32 can tell."""
    from mpmath import mp

    with mp.workdps(CHECKED):
        sizes = [mp.mpf(radius) * 2 ** (k / 3) for k in range(10)]
        if isinstance(found, Nothing):
            sizes += [mp.mpf(radius) * 2**k for k in range(5, 110, 7)]
        pairs = zip((found.number(size, terms) for size in sizes), f([side * size for size in sizes]), strict=True)
        return all(close(a, v) or max(abs(a), abs(v)) < VANISHED for a, v in pairs)


def expansion(f: Function, side: int) -> Expansion | None:
    """What the function is like far out on one side, if it is one of these."""
    from mpmath import mp

    with mp.workdps(DIGITS + 30):
        found = _powers(f, side) or _exponential(f, side)
        if found is None and all(abs(v) < VANISHED for v in f([side * mp.mpf(2) ** k for k in (20, 60, 100, 120)])):
            return Nothing()
        return found


def _powers(f: Function, side: int) -> Powers | None:
    from mpmath import mp

    far = mp.mpf(2) ** 130
    a, b = f([side * far, side * 4 * far])
    if not _same_sign(a, b):
        return None
    power = mp.log(b / a) / mp.log(2)
    halves = int(mp.nint(power))
    if abs(power - halves) > mp.mpf(2) ** -60 or abs(halves) > 8:
        return None
    offsets = _offsets()
    values = f([side / t for t in offsets])
    series = _series(offsets, [v * mp.sqrt(t) ** halves for v, t in zip(values, offsets, strict=True)])
    return None if series is None else Powers(halves, series)


def _exponential(f: Function, side: int) -> Exponential | None:
    """The logarithm at three sizes tells power and rate, what is left at two more the step of the series."""
    from mpmath import mp

    for h in (50, 400):
        sizes = [mp.mpf(size) for size in (h, 2 * h, 4 * h, 4 * h + 1, 3 * h, 3 * h + 1)]
        values = f([side * size for size in sizes])
        if not all(_same_sign(values[0], v) for v in values):
            continue
        a, b, c, d = (mp.log(abs(v)) for v in values[:4])
        rate = (2 * b - a - c) / h
        power = int(mp.nint((b - a + rate * h) / mp.log(2)))
        if abs((b - a + rate * h) / mp.log(2) - power) > 1e-6 or abs(power) > 3:
            continue
        rate = _simple(c - d + power * mp.log(sizes[3] / sizes[2]))
        if rate != 0:
            left = [v * mp.exp(rate * x) * x**-power for v, x in zip(values, sizes, strict=True)]
            return Exponential(power, rate, *_corrections(f, side, power, rate, left[2], left[4], left[5]))
    return None


def _corrections(
    f: Function, side: int, power: int, rate: Number, last: Number, first: Number, second: Number
) -> tuple[Number, Taylor]:
    """Step and coefficients of the series, from what is left of the function when power and rate are taken out: at the
    end (`last`), and earlier at two sizes that differ by 1."""
    from mpmath import mp

    alone = Taylor(0.0, 0, (last, mp.mpf(0), mp.mpf(0)))
    if abs(first - last) < mp.mpf(2) ** -900 * abs(last) or not _same_sign(first - last, second - last):
        return abs(rate), alone
    step = _simple(-mp.log((second - last) / (first - last)))
    if step <= 0:
        return abs(rate), alone
    offsets = _offsets()
    sizes = [-mp.log(w) / step for w in offsets]
    values = f([side * size for size in sizes])
    scaled = [v * mp.exp(rate * size) * size**-power for v, size in zip(values, sizes, strict=True)]
    return step, _series(offsets, scaled) or alone


def _simple(number: Number) -> Number:
    """A multiple of 1/8 where the number is as good as one."""
    from mpmath import mp

    rounded = mp.nint(8 * number) / 8
    return rounded if abs(number - rounded) < 1e-9 else number


def _offsets() -> list[Number]:
    from mpmath import mp

    return [(i + 1) * mp.mpf(STEP) / NODES for i in range(NODES)]


def _series(offsets: Sequence[Number], values: Sequence[Number]) -> Taylor | None:
    found = interpolated(offsets, values)
    series = None if found is None else without_zeros(0.0, found)
    return None if series is None or series.lead else series


def _same_sign(a: Any, b: Any) -> bool:
    from mpmath import mp

    return bool(mp.isfinite(a) and mp.isfinite(b) and a != 0 and b != 0 and b / a > 0)
