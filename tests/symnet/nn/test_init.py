"""Initial values: the texts, the distributions, and what they depend on."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from symnet.errors import ShapeError, UsageError
from symnet.expr.node import ArrayValue
from symnet.nn import init

SHAPE = (120, 90)

SPECS = {
    "zeros": (init.zeros(), lambda t, w: t.zeros_(w)),
    "ones": (init.ones(), lambda t, w: t.ones_(w)),
    "constant": (init.constant(0.3), lambda t, w: t.constant_(w, 0.3)),
    "eye": (init.eye(), lambda t, w: t.eye_(w)),
    "uniform": (init.uniform(-2.0, 0.5), lambda t, w: t.uniform_(w, -2.0, 0.5)),
    "normal": (init.normal(0.5, 2.0), lambda t, w: t.normal_(w, 0.5, 2.0)),
    "trunc_normal": (init.trunc_normal(0.1, 0.8, -1.0, 1.5), lambda t, w: t.trunc_normal_(w, 0.1, 0.8, -1.0, 1.5)),
    "xavier_uniform": (init.xavier_uniform(1.5), lambda t, w: t.xavier_uniform_(w, 1.5)),
    "xavier_normal": (init.xavier_normal(), lambda t, w: t.xavier_normal_(w)),
    "kaiming_uniform": (init.kaiming_uniform(5**0.5), lambda t, w: t.kaiming_uniform_(w, 5**0.5)),
    "kaiming_uniform_relu": (
        init.kaiming_uniform(mode="fan_out", nonlinearity="relu"),
        lambda t, w: t.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu"),
    ),
    "kaiming_normal": (
        init.kaiming_normal(0.2, mode="fan_out"),
        lambda t, w: t.kaiming_normal_(w, 0.2, mode="fan_out"),
    ),
    "orthogonal": (init.orthogonal(2.0), lambda t, w: t.orthogonal_(w, 2.0)),
}


def _values(text: str, shape: tuple[int, ...] = SHAPE, dtype: str = "float64", seed: int = 0) -> np.ndarray:
    return init.materialise(text, shape, dtype, init.generator(seed, "w"))


@pytest.mark.parametrize("name", SPECS)
def test_the_distribution_is_pytorchs(name: str, seed: int) -> None:
    torch = pytest.importorskip("torch")
    text, fill = SPECS[name]
    torch.manual_seed(seed)
    theirs = fill(torch.nn.init, torch.empty(*SHAPE, dtype=torch.float64)).numpy()
    ours = _values(text, seed=seed)
    assert ours.shape == theirs.shape
    spread = theirs.std()
    count = ours.size
    # Six standard errors of each statistic; constants must agree exactly.
    assert ours.mean() == pytest.approx(theirs.mean(), abs=6 * spread * (2 / count) ** 0.5)
    assert ours.std() == pytest.approx(spread, rel=6 / (2 * count) ** 0.5 * 2**0.5)
    if name not in ("normal", "xavier_normal", "kaiming_normal", "orthogonal"):
        assert ours.min() == pytest.approx(theirs.min(), abs=0.02 * spread)
        assert ours.max() == pytest.approx(theirs.max(), abs=0.02 * spread)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (4, 2, 3)])
def test_orthogonal_is_orthogonal(shape: tuple[int, ...]) -> None:
    w = _values(init.orthogonal(), shape).reshape(shape[0], -1)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-12)


def test_fans_count_the_window() -> None:
    w = _values(init.kaiming_uniform(nonlinearity="linear"), (8, 3, 5, 5))
    assert np.abs(w).max() <= (3 / 75) ** 0.5
    assert np.abs(w).max() > 0.95 * (3 / 75) ** 0.5


def test_gains_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for name in ("linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "selu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu") == torch.nn.init.calculate_gain("leaky_relu")
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)
    with pytest.raises(UsageError, match="did you mean 'relu'"):
        init.calculate_gain("relu_")


def test_texts_leave_defaults_out() -> None:
    assert init.kaiming_uniform(a=5**0.5) == "kaiming_uniform(a=2.23606797749979)"
    assert init.kaiming_normal(mode="fan_out") == "kaiming_normal(mode=fan_out)"
    assert init.zeros() == "zeros()"
    assert init.constant(3) == "constant(val=3.0)"


def test_texts_are_read_in_any_order_and_spacing() -> None:
    a = _values(" uniform( b = 2.0,a=1 ) ")
    assert np.array_equal(a, _values(init.uniform(1.0, 2.0)))
    assert _values("zeros").max() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zeros(", "expected a form like"),
        ("kaiming(a=1)", "there is no initialiser 'kaiming'"),
        ("uniform(c=1)", "has no argument 'c'"),
        ("uniform(a=x)", "expected a number, got 'x'"),
        ("constant()", "needs a value for val"),
        ("uniform(a=2, b=1)", "a <= b"),
        ("normal(std=-1)", "negative"),
        ("trunc_normal(a=9, b=10)", "next to nothing"),
        ("kaiming_uniform(mode=fan)", "'fan_in' or 'fan_out'"),
    ],
)
def test_a_wrong_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _values(text)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least two axes"):
        _values(init.xavier_uniform(), (3,))
    with pytest.raises(ShapeError, match="matrix"):
        _values(init.eye(), (3,))
    with pytest.raises(ShapeError, match=r"\[2\] for a parameter of shape \[3\]"):
        init.materialise(ArrayValue(np.zeros(2)), (3,), "float32", init.generator(0, "w"))


def test_values_depend_on_seed_and_name_only() -> None:
    def drawn(seed: int, name: str) -> np.ndarray:
        return init.materialise("normal()", (5,), "float64", init.generator(seed, name))

    assert np.array_equal(drawn(1, "0.weight"), drawn(1, "0.weight"))
    assert not np.array_equal(drawn(1, "0.weight"), drawn(2, "0.weight"))
    assert not np.array_equal(drawn(1, "0.weight"), drawn(1, "1.weight"))
    with pytest.raises(UsageError, match="seed"):
        init.generator(-1, "w")


def test_float32_values_are_the_rounded_float64_values() -> None:
    assert np.array_equal(_values("normal()", dtype="float32"), _values("normal()").astype(np.float32))


def test_a_layer_starts_as_in_pytorch() -> None:
    layer = sn.nn.Linear(100, 200)
    sn.nn.Sequential(layer)
    weight, bias = (init.initial_value(node, seed=0) for node in (layer.weight, layer.bias))
    for values in (weight, bias):
        assert values.dtype == np.float32
        assert np.abs(values).max() <= 0.1
        assert np.abs(values).max() > 0.097
    assert not np.array_equal(weight, init.initial_value(layer.weight, seed=1))


def test_a_parameter_may_start_from_an_array(rng: np.random.Generator) -> None:
    given = rng.normal(size=(2, 3))
    node = sn.parameter("w", (2, 3), dtype="float64", init=given)
    assert np.array_equal(init.initial_value(node, seed=0), given)
