"""Dropout: what is dropped together, how much, what flows back, and mistakes."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn

F = sn.nn.functional


def drawn(layer: sn.nn.Module, shape: tuple[int, ...], seed: int = 3) -> np.ndarray:
    """What becomes of ones."""
    x = sn.input("x", shape, "float64")
    return np.asarray(sn.function([x, *sn.random.key()], layer(x))(np.ones(shape), seed, 0))


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_share_and_mean(p: float) -> None:
    y = drawn(sn.nn.Dropout(p), (1000, 200))
    n = y.size
    assert abs((y == 0).mean() - p) < 5 * (p * (1 - p) / n) ** 0.5
    assert abs(y.mean() - 1) < 5 * (p / (1 - p) / n) ** 0.5
    assert set(np.unique(y)) == {0.0, 1 / (1 - p)}
    for axis in (0, 1):  # no row or column is special
        share = (y == 0).mean(axis)
        assert abs(share - p).max() < 6 * (p * (1 - p) / y.shape[axis]) ** 0.5


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = sn.input("x", (2000, 100), "float64")
    values = np.random.default_rng(0).normal(size=x.shape)
    y = np.asarray(sn.function([x, *sn.random.key()], sn.nn.AlphaDropout(0.2)(x))(values, 1, 1))
    assert abs(y.mean()) < 0.01
    assert abs(y.std() - 1) < 0.01


@pytest.mark.parametrize(
    ("layer", "shape", "events"),
    [
        ("Dropout1d", (30, 20, 5), (30, 20)),
        ("Dropout1d", (200, 5), (200,)),
        ("Dropout2d", (30, 20, 3, 4), (30, 20)),
        ("Dropout2d", (30, 20, 5), (30, 20)),
        ("Dropout3d", (30, 20, 2, 3, 2), (30, 20)),
        ("Dropout3d", (200, 2, 3, 2), (200,)),
        ("FeatureAlphaDropout", (30, 20, 3, 4), (30, 20)),
    ],
)
def test_whole_channels(layer: str, shape: tuple[int, ...], events: tuple[int, ...]) -> None:
    y = drawn(getattr(sn.nn, layer)(0.4), shape).reshape(*events, -1)
    assert (y == y[..., :1]).all()
    flags = y[..., 0] == y.min()
    assert 0.25 < flags.mean() < 0.55
    assert np.unique(flags.reshape(events[0], -1), axis=0).shape[0] > 1


def test_random_slopes() -> None:
    x = sn.input("x", (100, 50), "float64")
    values = np.random.default_rng(0).normal(size=x.shape)
    y = np.asarray(sn.function([x, *sn.random.key()], sn.nn.RReLU(0.1, 0.4)(x))(values, 1, 1))
    assert (y[values > 0] == values[values > 0]).all()
    slopes = y[values < 0] / values[values < 0]
    assert slopes.min() > 0.1 - 1e-12
    assert slopes.max() < 0.4 + 1e-12
    assert abs(slopes.mean() - 0.25) < 0.01


@pytest.mark.parametrize("layer", ["Dropout", "AlphaDropout", "RReLU"])
def test_forward_and_backward_see_the_same_draws(layer: str, rng: np.random.Generator) -> None:
    """Values, gradients, Hessian-vector products and forward derivatives in one compiled function, in float64."""
    x, v = sn.input("x", (6, 5), "float64"), sn.input("v", (6, 5), "float64")
    loss = sn.random.numbered(sn.sum(sn.exp(getattr(sn.nn, layer)()(x) * sn.sin(x))))
    gradient = sn.grad(loss, x)
    outputs = [loss, gradient, sn.hvp(loss, x, v), sn.jvp(loss, x, v)]
    run = sn.function([x, v, *sn.random.key()], outputs)
    at, along, h = rng.normal(size=(6, 5)), rng.normal(size=(6, 5)), 1e-6
    value, slope, curved, forward = run(at, along, 7, 3)
    up, down = run(at + h * along, along, 7, 3), run(at - h * along, along, 7, 3)
    np.testing.assert_allclose((up[0] - down[0]) / (2 * h), np.sum(slope * along), rtol=1e-6)
    np.testing.assert_allclose(forward, np.sum(slope * along), rtol=1e-12)
    np.testing.assert_allclose((up[1] - down[1]) / (2 * h), curved, rtol=1e-6, atol=1e-7)
    assert run(at, along, 7, 4)[0] != value
    assert run(at, along, 8, 3)[0] != value


def test_what_is_kept_in_memory() -> None:
    """Forward alone keeps nothing: dropout joins what is around it. The backward pass reads a byte an element."""
    x, w = sn.input("x", ("N", 64)), sn.parameter("w", (64,))
    y = F.dropout(sn.exp(x) * w, 0.1)
    forward = sn.function([x, w, *sn.random.key()], y)
    forward(np.zeros((8, 64), "float32"), np.ones(64, "float32"), 1, 2)
    text = forward.source("loops")
    assert text.count("kernel") == 1
    assert "scratch" not in text
    prog = sn.compile(loss=sn.sum(sn.square(y)), optimizer=sn.optim.SGD(lr=0.1), batch={"N": 8})
    text = prog.source("loops")
    assert text.count("philox") == 1, text
    assert not [line for line in text.splitlines() if "buffer" in line and "i32" in line], text


def test_what_gives_the_operand_back() -> None:
    x = sn.input("x", ("N", 3))
    assert F.dropout(x, 0.0) is x
    assert F.dropout(x, 0.5, training=False) is x
    assert F.alpha_dropout(x, 0.5) is x
    assert F.feature_alpha_dropout(x, 0.5) is x
    assert F.rrelu(x) is F.leaky_relu(x, (1 / 8 + 1 / 3) / 2)
    assert F.dropout(x, 0.3) is not F.dropout(x, 0.3)


def test_mistakes() -> None:
    x = sn.input("x", ("N", 3))
    for p in (-0.1, 1.5, float("nan")):
        with pytest.raises(sn.UsageError, match="a probability from 0 to 1"):
            sn.nn.Dropout(p)
        with pytest.raises(sn.UsageError, match="a probability from 0 to 1"):
            F.dropout(x, p)
    with pytest.raises(sn.ShapeError, match=r"dropout3d: expected an operand of 5 or 4 axes, got \[N, 3\]"):
        F.dropout3d(x)
    with pytest.raises(sn.ShapeError, match="at least 2 axes"):
        F.feature_alpha_dropout(sn.input("x", (3,)), training=True)
    with pytest.raises(sn.UsageError, match="above upper"):
        sn.nn.RReLU(0.5, 0.1)


def test_names_and_repr() -> None:
    x = sn.input("x", ("N", 3))
    assert repr(sn.nn.Dropout(0.2)) == "Dropout(p=0.2, inplace=False)"
    assert repr(sn.nn.RReLU()) == "RReLU(lower=0.125, upper=0.3333333333333333)"
    assert F.dropout(x, 0.2).op == "dropout"
