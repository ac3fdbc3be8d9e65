"""Recurrent layers beyond the reference cases: names, named sizes, padding, training, second derivatives, errors."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, ShapeError, Unsupported, UsageError
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder

LAYERS = [("RNN", {}), ("LSTM", {}), ("GRU", {}), ("LSTM", {"proj_size": 2})]


def values_of(module: sn.nn.Module, rng: np.random.Generator) -> dict[Expr, np.ndarray]:
    return {node: rng.normal(0.0, 0.5, node.shape) for node in module.parameters()}


def run(outputs: list[Expr], values: dict[Expr, np.ndarray]) -> list[np.ndarray]:
    found: list[np.ndarray] = sn.function(list(values), outputs)(*values.values())
    return found


def test_names_shapes_and_start_are_torchs() -> None:
    lstm = sn.nn.LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2, dtype="float64")
    named = dict(lstm.named_parameters())
    assert list(named) == [
        f"{kind}_l{layer}{direction}"
        for layer in (0, 1)
        for direction in ("", "_reverse")
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    ]
    assert [named[f"{kind}_l1_reverse"].shape for kind in ("weight_ih", "weight_hh", "bias_ih", "weight_hr")] == [
        (16, 4), (16, 2), (16,), (2, 4),
    ]  # fmt: skip
    for node in lstm.parameters():
        start = sn.init.initial_value(node, seed=3)
        assert start.dtype == "float64"
        assert np.abs(start).max() <= 1 / math.sqrt(4)
    assert [name for name, _ in sn.nn.GRUCell(3, 4, bias=False).named_parameters()] == ["weight_ih", "weight_hh"]


def test_repr_is_torchs() -> None:
    assert repr(sn.nn.LSTM(3, 4, 2, dropout=0.1, bidirectional=True, proj_size=2)) == (
        "LSTM(3, 4, proj_size=2, num_layers=2, dropout=0.1, bidirectional=True)"
    )
    assert repr(sn.nn.GRU(3, 4, bias=False, batch_first=True)) == "GRU(3, 4, bias=False, batch_first=True)"
    assert repr(sn.nn.RNNCell(3, 4, bias=False, nonlinearity="relu")) == "RNNCell(3, 4, bias=False, nonlinearity=relu)"


@pytest.mark.parametrize("layer", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"])
def test_copies_and_pickles(layer: str) -> None:
    made = getattr(sn.nn, layer)(3, 4)
    x = sn.input("x", (2, 3))
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert repr(other) == repr(made)
        assert [name for name, _ in other.named_parameters()] == [name for name, _ in made.named_parameters()]
        assert str(other(x)) == str(made(x))


@pytest.mark.parametrize(("layer", "settings"), LAYERS)
def test_length_and_batch_may_be_named(layer: str, settings: dict[str, int], rng: np.random.Generator) -> None:
    """One program for every length and batch: each sequence comes out as it does alone."""
    made = getattr(sn.nn, layer)(3, 4, bidirectional=True, dtype="float64", **settings)
    x, one = sn.input("x", ("T", "N", 3), "float64"), sn.input("one", ("T", 3), "float64")
    values = values_of(made, rng)
    whole = sn.function([x, *values], [made(x)[0]])
    alone = sn.function([one, *values], [made(one)[0]])
    for steps, batch in ((5, 2), (1, 3)):
        data = rng.normal(size=(steps, batch, 3))
        (together,) = whole(data, *values.values())
        for n in range(batch):
            np.testing.assert_allclose(together[:, n], alone(data[:, n], *values.values())[0], rtol=1e-13)


@pytest.mark.parametrize(("layer", "settings"), LAYERS)
def test_padding_changes_nothing(layer: str, settings: dict[str, int], rng: np.random.Generator) -> None:
    """With lengths, states and outputs are those of the sequence alone, whatever stands in the padding; 0 after it."""
    made = getattr(sn.nn, layer)(3, 4, bidirectional=True, dtype="float64", **settings)
    x, lengths = sn.input("x", (4, 2, 3), "float64"), sn.input("lengths", (2,), "int32")
    short = sn.input("short", (2, 3), "float64")
    values = values_of(made, rng)
    data = rng.normal(size=(4, 2, 3))
    output, state = made(x, lengths=lengths)
    alone, ends = made(short)
    states = list(state) if isinstance(state, tuple) else [state]
    finals = list(ends) if isinstance(ends, tuple) else [ends]
    gradient = sn.grad(sn.sum(output * output), x)
    data[2:, 0] = 1e6
    found = run([output, gradient, *states], {x: data, lengths: np.array([2, 4], "int32"), **values})
    wanted = run([alone, *finals], {short: data[:2, 0], **values})
    np.testing.assert_allclose(found[0][:2, 0], wanted[0], rtol=1e-13)
    assert not found[0][2:, 0].any()
    assert not found[1][2:, 0].any()
    assert np.isfinite(found[1]).all()
    for state, final in zip(found[2:], wanted[1:], strict=True):
        np.testing.assert_allclose(state[:, 0], final, rtol=1e-13)


def test_dropout_is_between_the_layers(rng: np.random.Generator) -> None:
    x = sn.input("x", (3, 2, 5))
    stacked = sn.nn.LSTM(5, 6, num_layers=3, dropout=0.5)
    output, _ = stacked(x)
    assert len([node for node in postorder([output]) if node.op == "dropout"]) == 2
    calm = [node for node in postorder([sn.inference(output)]) if node.op == "dropout"]
    assert not calm
    stacked.eval()
    assert not [node for node in postorder([stacked(x)[0]]) if node.op == "dropout"]
    with pytest.warns(UserWarning, match="between layers"):
        sn.nn.GRU(5, 6, dropout=0.5)


@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_the_inputs_of_all_steps_are_one_product(layer: str) -> None:
    x = sn.input("x", ("T", "N", 3))
    output, _ = getattr(sn.nn, layer)(3, 4)(x)
    loops = [node for node in postorder([output]) if node.op == "scan"]
    assert len(loops) == 1
    inside = [node for node in postorder(loops[0].attrs["body"].results) if node.op == "contract"]
    assert len(inside) == 1, "h W_hhᵀ alone depends on the step before"


@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_second_derivatives(layer: str, rng: np.random.Generator) -> None:
    """The Hessian times a direction, beside the change of the gradient along it."""
    made = getattr(sn.nn, layer)(2, 3, dtype="float64")
    x = sn.input("x", (4, 2, 2), "float64")
    output, _ = made(x)
    loss = sn.sum(output * output * sn.constant(rng.normal(size=output.shape)))
    weight = made.weight_hh_l0
    direction = rng.normal(size=weight.shape)
    second = sn.hvp(loss, weight, sn.constant(direction))
    values = {x: rng.normal(size=(4, 2, 2)), **values_of(made, rng)}
    gradient = sn.function(list(values), [sn.grad(loss, weight)])
    (found,) = run([second], values)
    slopes = []
    for h in (1e-5, -1e-5):
        moved = {**values, weight: values[weight] + h * direction}
        slopes.append(gradient(*moved.values())[0])
    np.testing.assert_allclose(found, (slopes[0] - slopes[1]) / 2e-5, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("layer", ["RNN", "LSTM", "GRU"])
def test_training_learns_to_remember(layer: str, rng: np.random.Generator) -> None:
    """The first number of a sequence is asked for at its end: the loss falls to a small part of the variance."""

    class Memory(sn.nn.Module):
        def __init__(self) -> None:
            self.layer = getattr(sn.nn, layer)(1, 12, batch_first=True)
            self.output = sn.nn.Linear(12, 1)

        def forward(self, x: Expr) -> Expr:
            output, _ = self.layer(x)
            answer: Expr = self.output(output[:, -1])[:, 0]
            return answer

    x, y = sn.input("x", ("N", "T", 1)), sn.input("y", ("N",))
    loss = sn.losses.mse_loss(Memory()(x), y)
    program = sn.compile(loss=loss, optimizer=sn.optim.Adam(lr=0.01), batch={"N": 32, "T": 4})
    losses = []
    for _ in range(300):
        data = rng.normal(size=(32, 4, 1)).astype("float32")
        losses.append(float(program.step(x=data, y=data[:, 0, 0])["loss"]))
    assert np.mean(losses[-10:]) < 0.3 * np.mean(losses[:10])


def test_what_does_not_fit_is_an_error() -> None:
    x = sn.input("x", ("T", "N", 3))
    lstm = sn.nn.LSTM(3, 4)
    with pytest.raises(ShapeError, match=r"expected an input \[T, N, 3\] or \[T, 3\], got \[T, N, 5\]"):
        lstm(sn.input("x", ("T", "N", 5)))
    with pytest.raises(DTypeError, match=r"the state is a pair \(h, c\), got Expr"):
        lstm(x, x)
    with pytest.raises(ShapeError, match=r"got a state float32\[1, N, 5\], expected float32\[1, N, 4\]"):
        lstm(x, (sn.zeros((1, "N", 5)), sn.zeros((1, "N", 4))))
    with pytest.raises(ShapeError, match=r"lengths are int64\[T\], expected integers \[N\]"):
        lstm(x, lengths=sn.input("k", ("T",), "int64"))
    with pytest.raises(UsageError, match=r"proj_size is from 0 \(no projection\) to hidden_size - 1, got 4"):
        sn.nn.LSTM(3, 4, proj_size=4)
    with pytest.raises(UsageError, match="hidden_size is a whole number from 1, got 0"):
        sn.nn.GRU(3, 0)
    with pytest.raises(UsageError, match="there is no nonlinearity 'tan'; did you mean 'tanh'"):
        sn.nn.RNN(3, 4, nonlinearity="tan")
    with pytest.raises(ShapeError, match=r"LSTMCell: expected an input \[N, 3\] or \[3\]"):
        sn.nn.LSTMCell(3, 4)(x)

    class PackedSequence:
        pass

    with pytest.raises(Unsupported, match="give the padded array and lengths="):
        lstm(PackedSequence())
