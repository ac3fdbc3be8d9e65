"""Small programs that the tests of this folder share: compiled once, set back before each use."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import symnet as sn

ROWS, BATCH = 21, 8
Make = Callable[[], Any]


def rows(count: int = ROWS, seed: int = 0) -> dict[str, np.ndarray]:
    """Three classes that can be told apart by which feature is largest."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 5)).astype("float32")
    return {"x": x, "y": x[:, :3].argmax(1).astype(np.int64)}


def numbers(count: int = ROWS, seed: int = 0) -> dict[str, np.ndarray]:
    """A regression: t is nearly a linear function of x."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 5)).astype("float32")
    return {"x": x, "t": (x @ np.arange(5.0) + rng.normal(size=count)).astype("float32")}


def classifier() -> sn.Program:
    """Inputs x and y, output logits; Adam."""
    x, y = sn.input("x", ("N", 5)), sn.input("y", ("N",), "int64")
    h = sn.tanh(x @ sn.parameter("W1", (5, 7), init=sn.init.uniform(-0.7, 0.7)))
    z = h @ sn.parameter("W2", (7, 3), init=sn.init.uniform(-0.7, 0.7))
    return sn.compile(sn.losses.cross_entropy(z, y), sn.optim.Adam(lr=0.05), {"logits": z}, {"N": BATCH})


def regression() -> sn.Program:
    """Inputs x and t, output guess; the loss is the mean of squares of t - guess, SGD."""
    x, t = sn.input("x", ("N", 5)), sn.input("t", ("N",))
    guess = x @ sn.parameter("w", (5,), init=sn.init.zeros())
    return sn.compile(sn.mean((t - guess) ** 2), sn.optim.SGD(lr=0.05), {"guess": guess}, {"N": BATCH})


@lru_cache(maxsize=None)
def _shared(make: Make) -> tuple[Any, np.ndarray]:
    program = make()
    return program, program.instance.snapshot()


@pytest.fixture
def fresh() -> Callable[[Make], Any]:
    """`fresh(classifier)`: the shared program of that kind as it was after compiling."""

    def give(make: Make) -> Any:
        program, start = _shared(make)
        program.instance.restore(start)
        program.epochs_done, program.rows_at_once, program.history, program.seed = 0, 0, None, 0
        return program

    return give


@pytest.fixture
def program(fresh: Callable[[Make], Any]) -> Any:
    return fresh(classifier)
