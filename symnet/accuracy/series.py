"""Branches for chains of one source: a Taylor polynomial around a point, a limit, the first terms far out.

What is needed of the function is its values at a few points, to several hundred digits: the polynomial through many
points close together has the Taylor coefficients of the function to all digits that matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from symnet.accuracy.chains import POINTS
from symnet.expr.node import Expr
from symnet.ops.leaves import constant
from symnet.ops.scalar import absolute, divide, equal, greater, less, multiply, negative, sqrt, square, where

Number = Any
"""An mpmath number."""
Function = Callable[[Sequence[Number]], list[Number]]

DIGITS = 500
NODES = 26
"""The polynomial goes through so many points …"""
STEP = 2.0**-24
"""… which are as far from the centre as this."""
DEGREE = 14
"""The highest degree of a polynomial in the result."""
VANISHED = 2.0**-151
"""What is smaller than this is 0 in float32."""
NEGLIGIBLE = 2.0**-27
"""What a polynomial may leave out, relative to its value: far below the rounding of float32."""


@dataclass(frozen=True)
class Taylor:
    """f(centre + t) = t^lead · (c₀ + c₁ t + c₂ t² + …), with c₀ not 0 (all of them are when f is 0 there)."""

    centre: float
    lead: int
    coefficients: tuple[Number, ...]

    def kept(self, radius: float) -> list[Number] | None:
        """The coefficients that matter for |t| ≤ radius; None if those that are known do not settle it."""
        size = [abs(c) * radius**k for k, c in enumerate(self.coefficients)]
        small = float(size[0]) * NEGLIGIBLE
        count = len(size)
        while count > 1 and sum(size[count - 1 :]) <= small:
            count -= 1
        return list(self.coefficients[:count]) if count <= len(size) - 2 else None


def function(target: Expr, source: Expr) -> Function:
    """The closed chain of one source as a function of numbers with many digits."""
    from symnet.ops.exactly import evaluate

    def values(at: Sequence[Number]) -> list[Number]:
        import numpy as np

        column = np.empty(len(at), object)
        column[:] = list(at)
        return list(np.broadcast_to(evaluate([target], {source: column}, {POINTS: len(at)}, DIGITS)[0], len(at)))

    return values


def taylor(f: Function, centre: float) -> Taylor | None:
    """The Taylor polynomial around a point; None where the function is not analytic there."""
    from mpmath import mp

    with mp.workdps(DIGITS + 30):
        step = mp.mpf(STEP) / NODES
        offsets = [(2 * i - NODES + 1) * step for i in range(NODES)]
        found = _interpolated(offsets, f([centre + t for t in offsets]))
        return None if found is None else _without_zeros(centre, found)


def limit(f: Function, centre: float) -> float | None:
    """What the function tends to at a point where it has no value: from both sides the same, or from the only side on
    which it is defined; None if there is no such number."""
    from mpmath import mp

    with mp.workdps(DIGITS + 30):
        near, nearer = mp.mpf(2) ** -400, mp.mpf(2) ** -800
        values = f([centre + near, centre - near, centre + nearer, centre - nearer])
        sides = [b for a, b in ((values[0], values[2]), (values[1], values[3])) if _tends(a, b)]
        defined = [v for v in values[2:] if mp.isfinite(v)]
        if not sides or len(sides) != len(defined):
            return None
        if abs(sides[0] - sides[-1]) > mp.mpf(2) ** -100 * (1 + abs(sides[0])):
            return None
        return 0.0 if abs(sides[0]) < mp.mpf(2) ** -200 else float(sides[0])


def _tends(near: Number, nearer: Number) -> bool:
    """Whether two values closer and closer to a point tell a limit."""
    from mpmath import mp

    if not (mp.isfinite(near) and mp.isfinite(nearer)):
        return False
    return bool(abs(nearer - near) <= mp.mpf(2) ** -100 * abs(near) or abs(nearer) <= abs(near) * mp.mpf(2) ** -100)


def holds(f: Function, series: Taylor, kept: Sequence[Number], radius: float) -> bool:
    """Whether the polynomial is the function up to the radius: what the coefficients cannot tell."""
    from mpmath import mp

    with mp.workdps(DIGITS):
        offsets = [mp.mpf(sign * radius) / 2 ** (k / 3) for k in range(7) for sign in (1, -1)]
        values = f([series.centre + t for t in offsets])
        return all(_close(_value(kept, t) * t**series.lead, v) for t, v in zip(offsets, values, strict=True))


def _close(approximate: Number, true: Number) -> bool:
    return bool(abs(approximate - true) <= 2 * NEGLIGIBLE * abs(true))


def _value(coefficients: Sequence[Number], t: Number) -> Number:
    from mpmath import mp

    return mp.polyval(list(reversed(coefficients)), t)


@dataclass(frozen=True)
class Asymptote:
    """f(x) = |x|^power · (c₀ + c₁ t + c₂ t² + …) with t = 1/|x|, for x far out on one side."""

    side: int
    halves: int
    """twice the power"""
    series: Taylor


def holds_far(f: Function, found: Asymptote, kept: Sequence[Number], radius: float) -> bool:
    """Whether the first terms are the function from the radius on."""
    from mpmath import mp

    with mp.workdps(DIGITS):
        sizes = [mp.mpf(radius) * 2 ** (k / 3) for k in range(13)]
        values = f([found.side * size for size in sizes])
        terms = [_value(kept, 1 / size) * mp.sqrt(size) ** found.halves for size in sizes]
        return all(map(_close, terms, values))


def vanishes(f: Function, side: int, radius: float) -> bool:
    """Whether the function is below every float32 number from the radius on."""
    from mpmath import mp

    with mp.workdps(DIGITS):
        return all(abs(v) < VANISHED for v in f([side * mp.mpf(radius) * 2**k for k in range(0, 110, 3)]))


def asymptote(f: Function, side: int) -> Asymptote | None:
    """The behaviour for x → side · ∞, where it is that of a power of √x times a series in 1/x."""
    from mpmath import mp

    with mp.workdps(DIGITS + 30):
        far = mp.mpf(2) ** 300
        a, b = f([side * far, side * 4 * far])
        if not (mp.isfinite(a) and mp.isfinite(b)) or a == 0 or b == 0 or b / a < 0:
            return None
        power = mp.log(b / a) / mp.log(2)
        halves = int(mp.nint(power))
        if abs(power - halves) > mp.mpf(2) ** -60 or abs(halves) > 8:
            return None
        step = mp.mpf(STEP) / NODES
        offsets = [(i + 1) * step for i in range(NODES)]
        values = f([side / t for t in offsets])
        scaled = [v * mp.sqrt(t) ** halves for v, t in zip(values, offsets, strict=True)]
        found = _interpolated(offsets, scaled)
        series = None if found is None else _without_zeros(0.0, found)
        return None if series is None or series.lead else Asymptote(side, halves, series)


def _interpolated(offsets: Sequence[Number], values: Sequence[Number]) -> list[Number] | None:
    """The coefficients of the polynomial through the points, the first DEGREE + 3 of them; None where the values do not
    come from an analytic function."""
    from mpmath import mp

    if not all(mp.isfinite(v) for v in values):
        return None
    differences, count = list(values), len(values)
    for order in range(1, count):
        for i in range(count - 1, order - 1, -1):
            differences[i] = (differences[i] - differences[i - 1]) / (offsets[i] - offsets[i - order])
    result = [mp.mpf(0)] * count
    for i in range(count - 1, -1, -1):  # Newton's form, from the inside out
        for k in range(count - 1, 0, -1):
            result[k] = result[k - 1] - offsets[i] * result[k]
        result[0] = differences[i] - offsets[i] * result[0]
    reach = max(abs(t) for t in offsets)
    sizes = [abs(c) * reach**k for k, c in enumerate(result)]
    largest = max(sizes)
    if any(size > largest * mp.mpf(2) ** -40 for size in sizes[DEGREE - 2 :]):
        return None
    # What is 0 comes out as the error of the interpolation, which is far below these two bounds.
    kept = result[: DEGREE + 3]
    noise, small = largest * mp.mpf(2) ** -200, max(map(abs, kept)) * mp.mpf(2) ** -100
    return [c if abs(c) > small or abs(c) * reach**k > noise else mp.mpf(0) for k, c in enumerate(kept)]


def _without_zeros(centre: float, coefficients: Sequence[Number]) -> Taylor | None:
    lead = next((k for k, c in enumerate(coefficients) if c != 0), None)
    if lead is None or lead > DEGREE // 2:
        return None
    return Taylor(centre, lead, tuple(coefficients[lead:]))


# --- as expressions ----------------------------------------------------------------------------------------------


def at_point(x: Expr, centre: float, value: float, otherwise: Expr) -> Expr:
    """`value` where x is the centre."""
    return where(equal(x, constant(centre, x.dtype)), constant(value, x.dtype), otherwise)


def near(x: Expr, f: Function, series: Taylor, radius: float, otherwise: Expr) -> Expr | None:
    """The polynomial where x is within the radius of its centre; None if it takes too many terms."""
    kept = series.kept(radius)
    if kept is None or not holds(f, series, kept, radius):
        return None
    t = x - constant(series.centre, x.dtype) if series.centre else x
    return where(less(absolute(t), constant(radius, x.dtype)), _times(t, series.lead, polynomial(t, kept)), otherwise)


def far(x: Expr, f: Function, found: Asymptote, radius: float, otherwise: Expr) -> Expr | None:
    """The first terms where x is further out than the radius, on one side; None if it takes too many."""
    kept = found.series.kept(1.0 / radius)
    if kept is None or not holds_far(f, found, kept, radius):
        return None
    size = x if found.side > 0 else negative(x)
    t = divide(constant(1.0, x.dtype), size)
    value = polynomial(t, kept)
    if found.halves % 2:
        value = multiply(sqrt(size if found.halves > 0 else t), value)
    value = _times(size if found.halves > 0 else t, abs(found.halves) // 2, value)
    return where(greater(size, constant(radius, x.dtype)), value, otherwise)


def beyond(x: Expr, side: int, radius: float, value: float, otherwise: Expr) -> Expr:
    """A value where x is further out than the radius, on one side."""
    size = x if side > 0 else negative(x)
    return where(greater(size, constant(radius, x.dtype)), constant(value, x.dtype), otherwise)


def polynomial(t: Expr, coefficients: Sequence[Number]) -> Expr:
    """c₀ + c₁ t + …, by Horner's rule; in t² where all odd ones are 0."""
    if len(coefficients) > 2 and not any(coefficients[1::2]):
        return polynomial(square(t), coefficients[::2])
    total = constant(float(coefficients[-1]), t.dtype)
    for c in reversed(coefficients[:-1]):
        total = total * t
        if c:
            total = total + constant(float(c), t.dtype)
    return total


def _times(t: Expr, count: int, value: Expr) -> Expr:
    """value · t^count."""
    for _ in range(count // 2):
        value = square(t) * value
    return t * value if count % 2 else value
