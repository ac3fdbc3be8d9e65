"""Keras's losses: its arguments and defaults, how losses are reduced and weighted, losses of one's own, errors."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import IndexOutOfRange, ShapeError, UsageError

K = sn.keras.losses
CLASSES = {name: value for name, value in vars(K).items() if inspect.isclass(value)}
FUNCTIONS = {name: value for name, value in vars(K).items() if inspect.isfunction(value)}
y, p, w = (sn.input(name, shape, "float64") for name, shape in (("y", ("N", 3)), ("p", ("N", 3)), ("w", ("N",))))
RNG = np.random.default_rng(0)
VALUES = {"y": RNG.random((4, 3)), "p": RNG.random((4, 3)), "w": np.array([0.5, 0.0, 2.0, 1.0])}


def value(loss: sn.Expr, **others: Any) -> np.ndarray:
    result: np.ndarray = sn.evaluate(loss, {**VALUES, **others})
    return result


@pytest.mark.parametrize("name", [*CLASSES, *FUNCTIONS])
def test_arguments_and_defaults_are_those_of_keras(name: str) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    theirs = inspect.signature(getattr(keras.losses, name)).parameters
    ours = inspect.signature(getattr(K, name)).parameters
    assert list(ours) == list(theirs)
    assert {key: v.default for key, v in ours.items()} == {key: v.default for key, v in theirs.items()}


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("sum_over_batch_size", lambda each, w: np.sum(each * w) / 4),
        ("mean", lambda each, w: np.sum(each * w) / 4),
        ("mean_with_sample_weight", lambda each, w: np.sum(each * w) / np.sum(w)),
        ("sum", lambda each, w: np.sum(each * w)),
        ("none", lambda each, w: each * w),
        (None, lambda each, w: each * w),
    ],
)
def test_reductions(reduction: str | None, expected: Any) -> None:
    each = np.mean((VALUES["y"] - VALUES["p"]) ** 2, axis=1)
    loss = K.MeanSquaredError(reduction=reduction)
    np.testing.assert_allclose(value(loss(y, p, sample_weight=w)), expected(each, VALUES["w"]))
    np.testing.assert_allclose(value(loss(y, p)), expected(each, np.ones(4)))
    if reduction != "mean_with_sample_weight":
        assert value(loss(y, p, sample_weight=2.0)) == pytest.approx(2 * value(loss(y, p)))


def test_no_weight_at_all_gives_0_not_nan() -> None:
    loss = K.MeanSquaredError(reduction="mean_with_sample_weight")(y, p, sample_weight=w)
    gradient = sn.grad(loss, p)
    assert value(loss, w=np.zeros(4)) == 0
    assert not value(gradient, w=np.zeros(4)).any()


def test_what_is_ignored_does_not_count_in_the_average() -> None:
    labels = sn.input("labels", ("N",), "int64")
    given = {"labels": np.array([0, -1, 2, -1])}
    chosen = -np.log(VALUES["p"] / VALUES["p"].sum(1, keepdims=True))[[0, 2], [0, 2]]
    loss = K.SparseCategoricalCrossentropy(ignore_class=-1)
    assert value(loss(labels, p), **given) == pytest.approx(chosen.mean())
    with pytest.raises(IndexOutOfRange, match="-1"):
        value(K.SparseCategoricalCrossentropy()(labels, p), **given)
    nothing = value(sn.grad(loss(labels, p), p), labels=np.full(4, -1))
    assert not nothing.any()


def test_a_loss_of_ones_own() -> None:
    class QuarticError(K.Loss):
        def call(self, y_true: sn.Expr, y_pred: sn.Expr) -> sn.Expr:
            each: sn.Expr = sn.mean((y_true - y_pred) ** 4, axis=-1)
            return each

    loss = QuarticError(reduction="sum")
    assert loss.name == "quartic_error"
    expected = np.sum(VALUES["w"] * np.mean((VALUES["y"] - VALUES["p"]) ** 4, axis=1))
    assert value(loss(y, p, w)) == pytest.approx(expected)
    with pytest.raises(NotImplementedError, match="call"):
        K.Loss()(y, p)


def test_types() -> None:
    """The type of the predictions, unless `dtype` says otherwise; integer targets take it."""
    single = sn.input("s", ("N", 3))
    counts = sn.input("k", ("N", 3), "int64")
    assert K.MeanSquaredError()(counts, single).dtype == "float32"
    assert K.MeanSquaredError()(y, single).dtype == "float32"
    assert K.MeanSquaredError(dtype="float64")(counts, single).dtype == "float64"


def test_names_and_settings() -> None:
    assert K.Huber().name == "huber_loss"
    assert K.Huber(name=None).name == "huber"
    assert K.BinaryCrossentropy(True, 0.1, 1).settings == {"from_logits": True, "label_smoothing": 0.1, "axis": 1}
    assert repr(K.Hinge()) == "Hinge(reduction='sum_over_batch_size', name='hinge', dtype=None)"


def test_formulas_read_as_in_a_book() -> None:
    assert str(sn.simplify(K.BinaryCrossentropy(from_logits=True)(y, p))) == "mean(softplus(p) − y ⊙ p)"
    assert str(sn.grad(K.BinaryCrossentropy(from_logits=True)(y, p), p)) == "(σ(p) − y) / (3 N)"
    assert str(sn.grad(K.LogCosh()(y, p), p)) == "tanh(p − y) / (3 N)"
    assert str(sn.grad(K.Huber(2.0)(y, p), p)) == "clip(p − y, −2, 2) / (3 N)"


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(UsageError, match="no reduction 'avg'"):
        K.MeanSquaredError(reduction="avg")
    with pytest.raises(ShapeError, match=r"mean_squared_error: expected y_true of y_pred's shape \[N, 3\], got \[N\]"):
        K.MeanSquaredError()(w, p)
    with pytest.raises(ShapeError, match=r"class indices of shape \[N\] for y_pred \[N, 3\], got \[N, 3\]"):
        K.SparseCategoricalCrossentropy()(y, p)
    with pytest.raises(ShapeError, match=r"ctc: expected y_true \[N, S\] and y_pred \[N, T, C\]"):
        K.CTC()(y, p)
