"""CTC against the sum over all alignments, written out; its gradient, its sizes known at run time, its errors."""

from __future__ import annotations

from itertools import groupby, product

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import symnet as sn
from symnet.errors import DTypeError, IndexOutOfRange, ShapeError, UsageError

ctc_loss = sn.losses.ctc_loss


def by_hand(logits: np.ndarray, target: list[int], blank: int = 0) -> mpmath.mpf:
    """-log Σ over all sequences of classes that become the target without repeats and blanks."""
    steps, classes = logits.shape
    log_p = []
    for row in logits:
        total = mpmath.log(mpmath.fsum(mpmath.exp(mpf(float(v))) for v in row))
        log_p.append([mpf(float(v)) - total for v in row])
    paths = product(range(classes), repeat=steps)
    matching = (path for path in paths if [key for key, _ in groupby(path) if key != blank] == target)
    chances = [mpmath.exp(mpmath.fsum(log_p[t][c] for t, c in enumerate(path))) for path in matching]
    return -mpmath.log(mpmath.fsum(chances)) if chances else mpmath.inf


@pytest.mark.parametrize("target", [[], [1], [1, 2], [2, 2], [1, 2, 1], [1, 1, 1]], ids=str)
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
def test_value_and_gradient_are_those_of_the_sum_over_all_alignments(
    target: list[int], scale: float, rng: np.random.Generator
) -> None:
    """In float32, also where all probabilities but one of each time step are 0 in float32."""
    logits = (scale * rng.uniform(-1, 1, (4, 3))).astype(np.float32)
    z = sn.input("z", (4, 3))
    loss = ctc_loss(sn.log_softmax(z, axis=-1), np.array(target, np.int64), 4, len(target), reduction="sum")
    value, gradient = sn.function([z], [loss, sn.grad(loss, z)])(logits)
    with mpmath.workdps(60):
        true = by_hand(logits, target)
        if not mpmath.isfinite(true):
            assert value == np.inf
            assert not gradient.any()
            return
        np.testing.assert_allclose(value, float(true), rtol=2e-6, atol=2e-6)
        step = 1e-12
        for t, c in np.ndindex(4, 3):
            moved = logits.astype(object)
            moved[t, c] = mpf(float(logits[t, c])) + step
            slope = (by_hand_of(moved, target) - true) / step
            assert abs(gradient[t, c] - float(slope)) < 4e-6 * max(1.0, scale * 1e-3), (t, c)


def by_hand_of(logits: np.ndarray, target: list[int]) -> mpmath.mpf:
    """`by_hand` of numbers with more digits than float64 has."""
    steps, classes = logits.shape
    total = mpf(0)
    norms = [mpmath.fsum(mpmath.exp(mpf(v)) for v in row) for row in logits]
    for path in product(range(classes), repeat=steps):
        if [key for key, _ in groupby(path) if key] == target:
            total += mpmath.exp(mpmath.fsum(mpf(logits[t, c]) for t, c in enumerate(path)))
    return mpmath.fsum(map(mpmath.log, norms)) - mpmath.log(total)


def test_sizes_may_be_known_only_at_run_time(rng: np.random.Generator) -> None:
    """Named numbers of time steps, sequences and labels, lengths as inputs; padded and concatenated targets agree."""
    z = sn.input("z", ("T", "N", 4), "float64")
    y, flat = sn.input("y", ("N", "S"), "int64"), sn.input("flat", ("M",), "int64")
    times, lengths = sn.input("times", ("N",), "int64"), sn.input("lengths", ("N",), "int32")
    losses = [ctc_loss(z, targets, times, lengths, reduction="none") for targets in (y, flat)]
    slope = sn.grad(sn.sum(losses[0]), z)
    run = sn.function([z, y, flat, times, lengths], [*losses, slope])
    logits = rng.normal(size=(5, 3, 4))
    labels, counts, spans = np.array([[1, 2], [3, 0], [2, 2]]), np.array([2, 1, 2], np.int32), np.array([5, 2, 4])
    concatenated = np.concatenate([row[:n] for row, n in zip(labels, counts, strict=True)])
    padded, other, gradient = run(logits, labels, concatenated, spans, counts)
    expected = [float(by_hand(logits[: spans[i], i], labels[i, : counts[i]].tolist())) for i in range(3)]
    np.testing.assert_allclose(padded, expected, rtol=1e-12)
    np.testing.assert_allclose(other, expected, rtol=1e-12)
    assert not gradient[2:, 1].any(), "time steps beyond the length of a sequence do not matter"
    assert np.abs(gradient.sum(axis=2)).max() < 1e-12


def test_log_probabilities_are_normalised() -> None:
    """What is not normalised is taken as logits, so the gradient is that of logits (as PyTorch's always is)."""
    z = sn.input("z", (5, 2, 4))
    targets, times, lengths = np.array([[1], [2]]), np.array([5, 5]), np.array([1, 1])
    plain, normalised = (ctc_loss(x, targets, times, lengths) for x in (z, sn.log_softmax(z, axis=-1)))
    assert sn.simplify(plain) is sn.simplify(normalised)


def test_what_does_not_fit_is_named() -> None:
    z, y, n = sn.input("z", ("T", 2, 4)), np.array([[1, 2], [3, 1]]), np.array([2, 2])
    with pytest.raises(ShapeError, match=r"log_probs \[T, N, C\] or \[T, C\], got \[4\]"):
        ctc_loss(sn.input("z", (4,)), y, n, n)
    with pytest.raises(ShapeError, match=r"target_lengths of shape \[2\], got \[3\]"):
        ctc_loss(z, y, n, np.array([1, 1, 1]))
    with pytest.raises(ShapeError, match=r"targets \[N, S\] for N = 2, or of one axis; got \[3, 2\]"):
        ctc_loss(z, np.ones((3, 2), int), n, n)
    with pytest.raises(DTypeError, match="targets of type int32 or int64, got float64"):
        ctc_loss(z, y.astype(float), n, n)
    with pytest.raises(UsageError, match="blank is one of the 4 classes, got 4"):
        ctc_loss(z, y, n, n, blank=4)
    with pytest.raises(UsageError, match=r"input_lengths are not negative and at most the 3 time steps, got \[4, 2\]"):
        ctc_loss(sn.input("z", (3, 2, 4)), y, np.array([4, 2]), n)
    too_long = ctc_loss(z, y, sn.input("n", (2,), "int64"), n)
    with pytest.raises(IndexOutOfRange):
        sn.evaluate(too_long, {"z": np.zeros((3, 2, 4), np.float32), "n": np.array([4, 3])})
