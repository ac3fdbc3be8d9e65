"""What lgamma, digamma and trigamma mean, for arrays of NumPy: by their series, which have few terms far from 0.

log Γ(2 + z) = (1 − γ) z + Σ (−1)ⁿ (ζ(n) − 1) zⁿ/n, which is 0 at z = 0 as it should be;
ψ(x) = (x − x₀) Σ 1/((x + k)(x₀ + k)) has its zero x₀. All three are reflected for negative arguments.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

EULER = 0.5772156649015329
ZERO, ZERO_LOW = 1.4616321449683622, 9.549995429965697e-17
"""The positive zero of ψ, in two parts."""
FAR = 12.0
"""From here on the asymptotic series are used."""
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798)
"""B₂, B₄, …"""


def _zeta_less_one(n: int) -> float:
    """ζ(n) − 1, by the formula of Euler and Maclaurin from the twentieth term on."""
    last = 20.0
    terms = [k**-n for k in range(2, 20)] + [last ** (1 - n) / (n - 1), last**-n / 2]
    rising = n * last ** (-n - 1)
    for k, number in enumerate(BERNOULLI[:6]):
        terms.append(number / math.factorial(2 * k + 2) * rising)
        rising *= (n + 2 * k + 1) * (n + 2 * k + 2) / last**2
    return math.fsum(float(t) for t in terms)


SERIES = [(-1) ** n * _zeta_less_one(n) / n for n in range(2, 46)]
"""The coefficients of z², z³, … of log Γ(2 + z)."""


def _series(z: Array) -> Array:
    total = np.zeros_like(z)
    for coefficient in reversed(SERIES):
        total = (total + coefficient) * z
    return (total + (1.0 - EULER)) * z


def _log_gamma(x: Array) -> Array:
    """For x > 0."""
    far = np.maximum(x, FAR)
    inverse = 1.0 / far
    stirling = (far - 0.5) * (np.log(far) - 1.0) + 0.5 * (math.log(2.0 * math.pi) - 1.0)
    for k, number in enumerate(BERNOULLI):
        stirling += number / ((2 * k + 1) * (2 * k + 2)) * inverse ** (2 * k + 1)
    near, product = np.minimum(x, FAR), np.ones_like(x)
    for _ in range(int(FAR) - 2):
        near, product = np.where(near > 2.5, near - 1.0, near), np.where(near > 2.5, product * (near - 1.0), product)
    up = np.where(near < 1.35, near, 1.0)  # Γ(x + 1) = x Γ(x), once or twice
    again = np.where(near < 0.5, near, 0.0)
    z = np.where(near < 0.5, near, np.where(near < 1.35, near - 1.0, near - 2.0))
    return np.where(x > FAR, stirling, _series(z) + np.log(product) - np.log(up) - np.log1p(again))


def lgamma_of_array(x: Array) -> Array:
    """log |Γ(x)|; infinite at 0, −1, −2, …"""
    x = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        size = np.abs(x)
        small = size < 1.0
        lost = np.log(math.pi / (np.where(small, 1.0, size) * np.abs(_sine_of_pi(size))))
        result = np.where(x < 0.0, lost - _log_gamma(np.where(small, size + 1.0, size)), _log_gamma(size))
        return np.asarray(np.where((size == 0.0) | np.isinf(x) | ((x < 0.0) & (x == np.floor(x))), np.inf, result))


def _sine_of_pi(x: Array) -> Array:
    """sin(π x), but for its sign."""
    return np.asarray(np.sin(math.pi * (x - np.round(x))))


def _digamma(x: Array) -> Array:
    """For x ≥ 1. Beyond `FAR` by the asymptotic series, before it by differences from the zero."""
    far = np.maximum(x, FAR)
    asymptotic = np.log(far) - 0.5 / far
    for k, number in enumerate(BERNOULLI):
        asymptotic -= number / (2 * k + 2) * far ** -(2.0 * k + 2)
    near = np.minimum(x, FAR)
    step = (near - ZERO) - ZERO_LOW
    total = sum((1.0 / ((near + k) * (ZERO + k)) for k in range(int(FAR))), np.zeros_like(x))
    a, b = near + FAR, ZERO + FAR  # what is left: the differences of the terms of the asymptotic series, over the step
    total += np.where(step == 0.0, 1.0 / b, np.log1p(step / b) / np.where(step == 0.0, 1.0, step))
    slope = -1.0 / (a * b)  # of 1/x, then of 1/x², …
    total -= 0.5 * slope
    for k, number in enumerate(BERNOULLI):
        slope = slope / a - b ** -(2 * k + 2) / a
        total -= number / (2 * k + 2) * slope
        slope = slope / a - b ** -(2 * k + 3) / a
    return np.where(x > FAR, asymptotic, step * total)


def digamma_of_array(x: Array) -> Array:
    """ψ(x), the derivative of log Γ(x); −∞ at 0, +∞ at −0, nan at −1, −2, …"""
    x = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        size = np.abs(x)
        above = _digamma(np.where(size < 1.0, size + 1.0, size))
        turn = size - np.round(size)
        turned = above + np.where(size < 1.0, 0.0, 1.0 / size) + math.pi / np.tan(math.pi * turn)
        turned = np.where((turn == 0.0) & (size > 0.0) | np.isinf(x), np.nan, turned)
        return np.where(x < 0.0, turned, np.where(size < 1.0, above - 1.0 / x, above))


def _trigamma(x: Array) -> Array:
    """For x > 0."""
    total = np.zeros_like(x)
    for k in range(int(FAR)):
        total += 1.0 / ((x + k) * (x + k))
    far = x + FAR
    total += 1.0 / far + 0.5 / far**2
    for k, number in enumerate(BERNOULLI):
        total += number * far ** -(2.0 * k + 3)
    return total


def trigamma_of_array(x: Array) -> Array:
    """ψ₁(x), the derivative of ψ(x); infinite at 0, −1, −2, …"""
    x = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        size = np.abs(x)
        reflected = (math.pi / _sine_of_pi(size)) ** 2 - _trigamma(size + 1.0)
        return np.where(x < 0.0, reflected, _trigamma(size))
