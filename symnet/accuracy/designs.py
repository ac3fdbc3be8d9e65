"""The rows at which a row function is examined.

Each point is one draw of all sources. The points are designed: ordinary rows, tiny and huge ones, rows of equal and of
nearly equal elements, rows with one element far above the others, rows of very different elements, zeros and ones
among others. They come from generators with fixed seeds, so they are the same in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from symnet.accuracy.domains import LARGEST, as_float32

Array = np.ndarray
Draw = Callable[[int], Array]
"""A column of so many elements, one for each element of a source at one point."""

CLOSE = (2, 5, 8, 12, 16, 20)
OFFSETS = (30.0, 100.0, -1e3, 1e3, 1e4, -3e6)
DOMINATING = (4.0, 10.0, 18.0, 30.0, 60.0, 88.0, 200.0, 1e3)
SCALES = (1e-2, 1e-3, 1e-4, 1e-6, 1e-10, 1e-20, 1e-30, 1e5, 1e10, 1e20, 1e30)
ORDINARY = 24
"""So many of the points, the first, are of ordinary size."""


def rows(shapes: Sequence[tuple[int, ...]], domains: Sequence[str]) -> list[Array]:
    """Values for each source, float32 or bool, of its shape and an axis of points behind."""
    return [
        _fitted(_drawn(place, int(np.prod(shape)), len(shapes)).reshape(*shape, -1), known, place)
        for place, (shape, known) in enumerate(zip(shapes, domains, strict=True))
    ]


@lru_cache(maxsize=256)
def _drawn(place: int, size: int, count: int) -> Array:
    """The elements of the source at this place, one line for each element and one column for each point."""
    rng = np.random.default_rng([place, size])
    shared = np.random.default_rng([count, 7])  # what the sources of a point have in common
    columns = [_ordinary(rng, size, number) for number in range(ORDINARY)]
    for scale in SCALES:
        columns += [rng.normal(size=size) * scale, rng.normal(size=size) * scale * 10.0 ** rng.uniform(-3, 3)]
    for constant in (0.0, 1.0, -3.0, 1e3, 1e-20, 1e15):
        columns.append(np.full(size, constant))
    for k in CLOSE:
        centre = shared.normal() * 10.0 ** shared.uniform(-2, 4)
        columns.append(centre * (1 + rng.normal(size=size) * 2.0**-k))
    columns += [offset + rng.normal(size=size) * (1 if place else 2) for offset in OFFSETS]
    for peak in DOMINATING:
        there = np.arange(size) == int(shared.integers(1 << 30)) % max(1, size)
        columns.append(rng.normal(size=size) + peak * there)
        columns.append(1.0 * there if place else rng.normal(size=size) + peak * there)
    columns += [_signed(rng, size) * 10.0 ** rng.uniform(-reach, reach, size) for reach in (3, 3, 6, 10, 10, 20, 30)]
    columns += [rng.choice([0.0, 1.0, -1.0, rng.normal()], size) for _ in range(6)]
    return as_float32(np.stack(columns, axis=1))


def _ordinary(rng: np.random.Generator, size: int, number: int) -> Array:
    kinds = (
        lambda: rng.normal(size=size),
        lambda: rng.normal(size=size) * 10.0 ** rng.uniform(-3, 2),
        lambda: rng.uniform(-20, 20, size),
        lambda: 3 * rng.normal() + rng.normal(size=size),
    )
    return np.asarray(kinds[number % len(kinds)]())


def _signed(rng: np.random.Generator, size: int) -> Array:
    return np.asarray(rng.choice([-1.0, 1.0], size))


def _fitted(drawn: Array, known: str, place: int) -> Array:
    """Real numbers moved to where the source has its values."""
    rng = np.random.default_rng([place, 3])
    size = np.abs(drawn)
    if known == "real":
        return drawn
    if known == "bool":
        return np.asarray(rng.random(drawn.shape) < 0.6)
    if known.startswith("values"):
        values = as_float32(np.array([float(word) for word in known.split()[1:]]))
        chosen = rng.choice(values, drawn.shape)
        if values.size == drawn.shape[0] * int(np.prod(drawn.shape[1:-1])):  # the array itself: mostly as it is
            chosen[..., np.arange(drawn.shape[-1]) % 4 > 0] = values.reshape(*drawn.shape[:-1], 1)
        return chosen
    if known == "one-hot":
        chosen = rng.integers(drawn.shape[-2], size=(*drawn.shape[:-2], drawn.shape[-1]))
        return as_float32(np.moveaxis(np.eye(drawn.shape[-2])[chosen], -1, -2))
    if known == "unit":
        return as_float32(np.where(size > 1, 1 / np.maximum(size, 1e-30), size))
    if known == "count":
        return as_float32(np.floor(np.clip(size, 1, 1e6)))
    return as_float32(np.where(size == 0, 1, size) if known == "positive" else size)


def moved(column: Array, number: int) -> Array:
    """Each element one ulp up or down, at random; truth values stay."""
    if column.dtype == bool:
        return column
    up = np.random.default_rng([number, 5]).random(column.shape) < 0.5
    towards = np.where(up, np.float32(LARGEST), np.float32(-LARGEST))
    return np.asarray(np.nextafter(column, towards))
