"""What a formula of the corpora is: how a user writes it with NumPy's names, and the points at which it is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
Point = tuple[Array, ...]


@dataclass(frozen=True)
class Formula:
    """One formula.

    name      unique in its corpus
    function  (np, *arrays) -> array, written naively; np is a namespace with NumPy's names (symnet, jax.numpy, …)
    points    operands, benign ones first
    wrt       how many of the operands, from the first on, are differentiated by (float32 ones; None: all of them)
    family    what it is an example of
    limits    values that count as right where the formula has none (0/0, 0·inf), by the number of the point; without
              an entry the limit from both sides is taken, as far as there is one
    """

    name: str
    function: Callable[..., Any]
    points: tuple[Point, ...]
    family: str = ""
    wrt: int | None = None
    limits: Any = None


def f(*numbers: float) -> Array:
    """A float32 vector."""
    return np.array(numbers, np.float32)


def rows(*lines: list[float]) -> Array:
    """A float32 matrix."""
    return np.array(lines, np.float32)


def classes(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


def mask(*lines: str) -> Array:
    """Conditions, written as rows of 1 and 0; a vector when there is one row."""
    found = np.array([[c == "1" for c in line] for line in lines])
    return found[0] if len(lines) == 1 else found


def over(*vectors: Array) -> tuple[Point, ...]:
    """Points of one operand."""
    return tuple((vector,) for vector in vectors)


# Operands that functions of one real number are measured at.
BENIGN = f(-2.3, -0.7, 0.4, 1.9)
TINY = f(1e-3, -2e-5, 3e-8, -1e-12, 1e-30)
WIDE = f(-30.0, -11.0, 12.0, 25.0)
FAR = f(-100.0, -89.0, 90.0, 200.0)
HUGE = f(-2e3, -3e2, 5e2, 2e3)
ASTRONOMIC = f(-1e30, -1e20, 1e19, 3e25)
ZERO = f(0.0)

REAL = over(BENIGN, TINY, WIDE, FAR, HUGE, ZERO)
"""Any finite number of the size that networks see."""
ALL_REAL = over(BENIGN, TINY, WIDE, FAR, HUGE, ASTRONOMIC, ZERO)
SMALL = over(BENIGN, TINY, ZERO)
UNIT = over(f(0.2, 0.5, 0.9), f(1e-3, 1e-7, 1e-20), f(0.999, 0.99999, 0.9999999))
"""Inside (0, 1)."""
POSITIVE = over(f(0.3, 1.0, 2.7, 9.0), f(1e-4, 1e-10, 1e-30), f(1e4, 1e15, 1e30))
