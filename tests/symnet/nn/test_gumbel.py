"""Draws of a class that have a derivative."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn


def test_draws_have_the_right_frequencies() -> None:
    logits = np.log(np.array([0.1, 0.6, 0.3], "float32"))
    z = sn.input("z", (3,))
    rows = sn.broadcast_to(z, (40_000, 3))
    hard, soft = (sn.nn.functional.gumbel_softmax(rows, tau=0.5, hard=flag) for flag in (True, False))
    drawn, shares = sn.evaluate([hard, soft], {"z": logits})
    np.testing.assert_allclose(drawn.mean(axis=0), [0.1, 0.6, 0.3], atol=0.01)
    np.testing.assert_allclose(drawn.max(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-5)
    first = np.bincount(shares.argmax(axis=1), minlength=3) / len(shares)
    np.testing.assert_allclose(first, [0.1, 0.6, 0.3], atol=0.01)


def test_the_hard_draw_has_the_derivative_of_the_soft_one() -> None:
    z = sn.input("z", (5, 4), "float64")
    weight = np.cos(np.arange(20.0)).reshape(5, 4)
    hard = sn.nn.functional.gumbel_softmax(z, tau=0.7, hard=True)
    values = {"z": np.sin(np.arange(20.0)).reshape(5, 4)}
    gradient = sn.evaluate(sn.grad(sn.sum(hard * weight), z), values)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 1e-3


def test_arguments() -> None:
    z = sn.input("z", (5, 4))
    with pytest.raises(sn.UsageError, match="tau is 0"):
        sn.nn.functional.gumbel_softmax(z, tau=0)
    with pytest.raises(sn.UsageError, match="dim=-1"):
        sn.nn.functional.softmax(z)
