"""Branches for functions of one variable near a point: a Taylor polynomial, a limit.

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
from symnet.ops.scalar import absolute, equal, less, square, where

Number = Any
"""An mpmath number."""
Function = Callable[[Sequence[Number]], list[Number]]

DIGITS = 500
CHECKED = 150
"""Digits for comparing a branch with the function."""
NODES = 26
"""The polynomial goes through so many points …"""
STEP = 2.0**-24
"""… which are as far from the centre as this."""
DEGREE = 14
"""The highest degree of a polynomial in the result."""
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
    """The closed chain of one source as a function of numbers with as many digits as mpmath is set to."""
    from symnet.ops.exactly import evaluate

    def values(at: Sequence[Number]) -> list[Number]:
        import numpy as np
        from mpmath import mp

        column = np.empty(len(at), object)
        column[:] = list(at)
        return list(np.broadcast_to(evaluate([target], {source: column}, {POINTS: len(at)}, mp.dps)[0], len(at)))

    return values


def taylor(f: Function, centre: float) -> Taylor | None:
    """The Taylor polynomial around a point; None where the function is not analytic there."""
    from mpmath import mp

    with mp.workdps(DIGITS + 30):
        step = mp.mpf(STEP) / NODES
        offsets = [(2 * i - NODES + 1) * step for i in range(NODES)]
        found = interpolated(offsets, f([centre + t for t in offsets]))
        return None if found is None else without_zeros(centre, found)


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

    with mp.workdps(CHECKED):
        offsets = [mp.mpf(sign * radius) / 2 ** (k / 3) for k in range(7) for sign in (1, -1)]
        values = f([series.centre + t for t in offsets])
        return all(close(evaluated(kept, t) * t**series.lead, v) for t, v in zip(offsets, values, strict=True))


def close(approximate: Number, true: Number) -> bool:
    return bool(abs(approximate - true) <= 2 * NEGLIGIBLE * abs(true))


def evaluated(coefficients: Sequence[Number], t: Number) -> Number:
    from mpmath import mp

    return mp.polyval(list(reversed(coefficients)), t)


def interpolated(offsets: Sequence[Number], values: Sequence[Number]) -> list[Number] | None:
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


def without_zeros(centre: float, coefficients: Sequence[Number]) -> Taylor | None:
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
    return where(less(absolute(t), constant(radius, x.dtype)), times(t, series.lead, polynomial(t, kept)), otherwise)


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


def times(t: Expr, count: int, value: Expr) -> Expr:
    """value · t^count."""
    for _ in range(count // 2):
        value = square(t) * value
    return t * value if count % 2 else value
