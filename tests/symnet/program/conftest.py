"""Small programs that the tests of this folder share."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn


def two_layers(dtype: str = "float32", hidden: int = 7) -> tuple[sn.Expr, sn.Expr]:
    """(loss, logits) of a 5-7-3 classifier over inputs x and y."""
    x = sn.input("x", ("N", 5), dtype)
    y = sn.input("y", ("N",), "int64")
    W1 = sn.parameter("W1", (5, hidden), dtype=dtype, init=sn.init.uniform(-0.7, 0.7))
    b1 = sn.parameter("b1", (hidden,), dtype=dtype, init=sn.init.zeros())
    W2 = sn.parameter("W2", (hidden, 3), dtype=dtype, init=sn.init.uniform(-0.7, 0.7))
    logits = sn.tanh(x @ W1 + b1) @ W2
    return sn.losses.cross_entropy(logits, y), logits


def data(rows: int, seed: int = 0, dtype: str = "float32") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 5)).astype(dtype)
    return {"x": x, "y": (x[:, :3].argmax(1)).astype(np.int64)}


@pytest.fixture(params=["llvm", "numpy"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
