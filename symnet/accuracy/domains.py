"""The points at which a chain is examined: what its sources may be, and values over the whole range of float32.

The same points for the same chain in every process: they come from generators with fixed seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from symnet.expr.node import ArrayValue, Expr
from symnet.simplify.facts import is_nonnegative, is_positive

Array = np.ndarray

UNIT = frozenset(("softmax", "sigmoid", "one_hot", "uniform"))
"""Operations with results between 0 and 1."""
SPECIAL = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 10.0, -10.0, 100.0, -100.0, 1000.0, -1000.0)
LARGEST = float(np.finfo(np.float32).max)


def domain(source: Expr) -> str:
    """What is known of the values of a source: "real", "positive", "nonnegative", "unit", "count", "bool", or the
    "values" of a constant array."""
    if source.dtype == "bool":
        return "bool"
    if source.op == "constant" and isinstance(source.attrs["value"], ArrayValue):
        distinct = np.unique(source.attrs["value"].array)
        return "values " + " ".join(map(repr, distinct[:: max(1, len(distinct) // 16)].tolist()))
    if source.op in UNIT:
        return "unit"
    if source.op in ("dim", "iota") or (source.op == "cast" and source.args[0].dtype in ("int32", "int64")):
        return "count"
    return "positive" if is_positive(source) else "nonnegative" if is_nonnegative(source) else "real"


def points(domains: Sequence[str], constants: Sequence[float]) -> list[Array]:
    """Values for each source, float32 or bool; those of one position belong together.

    constants  numbers that occur in the chain: for a single source there are points near them
    """
    if len(domains) == 1:
        columns = [_alone(tuple(constants))]
    else:
        columns = _together(len(domains))
    return [_fitted(column, known, place) for place, (column, known) in enumerate(zip(columns, domains, strict=True))]


@lru_cache(maxsize=64)
def _alone(constants: tuple[float, ...]) -> Array:
    """Half of the points between 10⁻⁴ and 10⁴, the others further out, near special values, and those themselves."""
    rng = np.random.default_rng(1)
    near = [c * (1 + s * 2.0**-k) for c in (1.0, -1.0, *constants[:6]) for k in range(1, 23, 2) for s in (-1.0, 1.0)]
    magnitudes = 10.0 ** np.concatenate([rng.uniform(-4, 4, 160), rng.uniform(-12, 12, 80), rng.uniform(-38, 38.5, 80)])
    signed = magnitudes * rng.choice([-1.0, 1.0], magnitudes.size)
    return as_float32(np.concatenate([SPECIAL, constants[:6], np.negative(constants[:6]), near, signed]))


@lru_cache(maxsize=16)
def _together(count: int) -> list[Array]:
    """Joint points: independent ones of three ranges, nearly equal ones, and ones of very different sizes; zeros and
    ones among small numbers, and numbers at the end of the range among ordinary ones."""
    rng = np.random.default_rng(count)
    size = 120

    def spread(low: float, high: float) -> Array:
        return np.asarray(10.0 ** rng.uniform(low, high, (count, size)) * rng.choice([-1.0, 1.0], (count, size)))

    scale = 10.0 ** rng.uniform(-6, 6, size)
    close = scale * (1 + rng.choice([-1.0, 1.0], (count, size)) * 2.0 ** -rng.uniform(1, 22, (count, size)))
    apart = scale * rng.choice([-1.0, 1.0], (count, size)) * 10.0 ** rng.uniform(-12, 12, (count, size))
    exact = np.where(rng.random((count, size)) < 0.4, rng.choice([-1.0, 0.0, 1.0], (count, size)), spread(-6, 1))
    far = np.where(rng.random((count, size)) < 0.3, spread(36, 38.5), spread(-3, 2))
    blocks = [spread(-3, 2), spread(-3, 2), spread(-10, 10), spread(-30, 30), close, apart, exact, far[:, : size // 2]]
    return [as_float32(column) for column in np.concatenate(blocks, axis=1)]


def _fitted(column: Array, known: str, place: int) -> Array:
    """A column of real numbers moved to where the source has its values."""
    if known == "real":
        return column
    if known == "bool":
        return np.asarray(np.random.default_rng(place).random(column.size) < 0.5)
    if known.startswith("values"):
        values = as_float32(np.array([float(word) for word in known.split()[1:]]))
        return np.random.default_rng(place).choice(values, column.size)
    size = np.abs(column)
    if known == "unit":
        return as_float32(np.where(size > 1, 1 / np.maximum(size, 1e-30), size))
    if known == "count":
        return as_float32(np.floor(np.clip(size, 1, 1e6)))
    return as_float32(np.where(size == 0, 1, size) if known == "positive" else size)


def as_float32(values: Array) -> Array:
    return np.asarray(np.clip(np.asarray(values, np.float64), -LARGEST, LARGEST), np.float32)


def neighbours(column: Array) -> Array:
    """The next number away from 0 (towards it at the end of the range); truth values stay."""
    if column.dtype == bool:
        return column
    towards = np.where(np.abs(column) < LARGEST, np.copysign(np.inf, column), 0).astype(np.float32)
    return np.asarray(np.nextafter(column, towards))
