"""Minimax polynomials with coefficients that are floating-point numbers (Remez's exchange in mpmath).

Only the generator of the coefficient table (`codegen.llvm.math.minimax`) and its test use this module.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np

Real = Any
"""A number of mpmath, which has no type annotations."""
DIGITS = 60
NEGLIGIBLE = 1e-25
"""Points of less than this part of the largest weight, close to 0, are left out: they make the system singular."""


@dataclass(frozen=True)
class Fit:
    """Coefficients, lowest power first, and the largest weighted error that they leave on the interval."""

    coefficients: tuple[float, ...]
    error: float


def fit(
    target: Callable[[Real], Real],
    weight: Callable[[Real], Real],
    interval: tuple[float, float],
    count: int,
    dtype: str,
) -> Fit:
    """The polynomial p of `count` coefficients for which max |weight(x) (p(x) - target(x))| is least, nearly.

    The coefficients are rounded to `dtype` one after the other from the lowest, and what is left of the target is
    fitted anew after each, so that the later ones make up for the rounding of the earlier ones. Zero, where targets
    such as (exp(x) - 1) / x are 0/0, is never sampled.
    """
    with mp.workdps(DIGITS):
        points = _chebyshev_points(interval, 40 * (count + 2))
        values = [target(x) for x in points]
        weights: list[Real] = [abs(weight(x)) for x in points]
        samples = list(zip(points, values, weights, strict=True))
        coefficients: list[float] = []
        # The samples lie as the extrema of Chebyshev's polynomials do; a further fit starts from where the last ended.
        reference = [points[round((len(points) - 1) * i / count)] for i in range(count + 1)]
        for remaining in range(count, 0, -1):
            heaviest = max(weight for _, _, weight in samples)
            samples = [sample for sample in samples if sample[2] > heaviest * NEGLIGIBLE]
            best, extrema = _remez(samples, remaining, reference)
            coefficients.append(_round(best[0], dtype))
            nearest = min(extrema, key=abs)
            reference = [x for x in extrema if x is not nearest]
            samples = [(x, (value - coefficients[-1]) / x, weight * abs(x)) for x, value, weight in samples]
        errors = [w * abs(_evaluate(coefficients, x) - v) for x, v, w in zip(points, values, weights, strict=True)]
        return Fit(tuple(coefficients), float(max(errors)))


def _chebyshev_points(interval: tuple[float, float], count: int) -> list[Real]:
    """Points that lie denser towards the ends, in rising order, none of them 0."""
    low, high = mp.mpf(interval[0]), mp.mpf(interval[1])
    points = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / (count - 1)) for i in range(count)]
    return [x for x in points if abs(x) > (high - low) * mp.mpf(10) ** -9]


def _remez(
    samples: Sequence[tuple[Real, Real, Real]], count: int, start: Sequence[Real]
) -> tuple[list[Real], list[Real]]:
    """Coefficients of the best approximation to samples (point, value, weight), and the count + 1 points of its largest
    errors, which are looked for from the points `start` on."""
    places = [x for x, _, _ in samples]
    reference = _distinct([bisect.bisect_left(places, x) for x in start], len(places) - 1)
    found: tuple[Real, list[Real], list[int]] | None = None
    idle = 0
    for _ in range(30):
        system = mp.matrix(count + 1, count + 1)
        right = mp.matrix(count + 1, 1)
        for row, i in enumerate(reference):
            x, right[row], weight = samples[i]
            power = mp.mpf(1)
            for column in range(count):
                system[row, column] = power
                power *= x
            system[row, count] = (-1) ** row / weight
        solution = mp.lu_solve(system, right)
        best, level = [solution[i] for i in range(count)], abs(solution[count])
        errors = [w * (_evaluate(best, x) - v) for x, v, w in samples]
        worst = max(map(abs, errors))
        if found is None or worst < found[0] * mp.mpf("0.999"):
            found, idle = (worst, best, reference), 0
        else:
            idle += 1  # an exchange may lead away again, for a while
        reference = _exchange(errors, count + 1)
        if worst <= level * mp.mpf("1.001") or idle == 4:
            break
    assert found is not None
    return found[1], [places[i] for i in found[2]]


def _distinct(positions: Sequence[int], last: int) -> list[int]:
    """Rising positions up to `last`, moved apart where some coincide (points that are samples no longer)."""
    result = list(positions)
    for i in range(1, len(result)):
        result[i] = max(result[i], result[i - 1] + 1)
    for i in range(len(result) - 1, -1, -1):
        result[i] = min(result[i], last - (len(result) - 1 - i))
    return result


def _exchange(errors: Sequence[Real], count: int) -> list[int]:
    """The positions of `count` extrema of alternating sign, the largest of all among them."""
    extrema: list[int] = []
    for i, error in enumerate(errors):
        if extrema and (error > 0) == (errors[extrema[-1]] > 0):
            if abs(error) > abs(errors[extrema[-1]]):
                extrema[-1] = i
        else:
            extrema.append(i)
    while len(extrema) > count:
        if len(extrema) == count + 1:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        else:  # drop the smallest together with its neighbour, so that the signs go on alternating
            gap = min(range(len(extrema) - 1), key=lambda j: max(abs(errors[extrema[j]]), abs(errors[extrema[j + 1]])))
            del extrema[gap : gap + 2]
    return extrema


def _evaluate(coefficients: Sequence[Real], x: Real) -> Real:
    result = mp.mpf(0)
    for coefficient in reversed(coefficients):
        result = result * x + coefficient
    return result


def _round(value: Real, dtype: str) -> float:
    """The nearest value of `dtype`; a float32 is first rounded to float64, which is exact enough here."""
    return float(np.float32(float(value))) if dtype == "float32" else float(value)
