"""Values from outside for a module, and parameters that are not trained."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, ShapeError, UnknownName
from symnet.nn.init import initial_value


def network() -> Any:
    return sn.nn.Sequential(sn.nn.Linear(4, 5), sn.nn.BatchNorm1d(5), sn.nn.Tanh(), sn.nn.Linear(5, 3))


def compiled(model: Any, optimizer: sn.optim.Optimizer | None = None, **options: Any) -> Any:
    x, y = sn.input("x", ("N", 4)), sn.input("y", ("N",), "int64")
    loss = sn.losses.cross_entropy(model(x), y)
    return sn.compile(loss=loss, optimizer=optimizer or sn.optim.Adam(lr=0.1), batch={"N": 8}, **options)


def data(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"x": rng.normal(size=(8, 4)).astype("float32"), "y": rng.integers(0, 3, 8)}


def test_a_module_starts_from_what_a_program_has_learned(rng: np.random.Generator) -> None:
    program = compiled(network(), seed=1)
    program.step(**data(rng))
    model = network()
    known = {name: program.parameters[name] for name in program.parameters}
    known |= {name: program.buffers[name] for name, _ in model.named_buffers()}
    found = model.load_state_dict(known)
    assert found == ([], [])
    assert repr(found) == "<all names match>"
    again = compiled(model, seed=2)
    for name, value in known.items():
        own = again.parameters if name in again.parameters else again.buffers
        np.testing.assert_array_equal(own[name], value, err_msg=name)


def test_a_new_head_keeps_its_own_start() -> None:
    model, weight = network(), np.arange(20, dtype="float32").reshape(5, 4)
    nodes = dict(model.named_parameters())
    found = model.load_state_dict({"0.weight": weight, "old_head.weight": weight}, strict=False)
    assert found.unexpected_keys == ["old_head.weight"]
    assert "3.weight" in found.missing_keys
    assert "1.running_mean" in found.missing_keys
    assert "0.weight" not in found.missing_keys
    np.testing.assert_array_equal(initial_value(model.get_parameter("0.weight"), 0), weight)
    assert model.get_parameter("3.weight") is nodes["3.weight"]


@pytest.mark.parametrize(
    ("given", "strict", "error", "message"),
    [
        ({"0.weight": np.ones((5, 4), "float32")}, True, UnknownName, r"missing '0.bias', .*; unexpected nothing"),
        ({"weight": 1}, True, UnknownName, "unexpected 'weight'; pass strict=False"),
        ({"0.bias": np.ones(5, "float32"), "0.weight": np.ones((4, 5), "float32")}, False, ShapeError,
         r"0.weight has the shape \[4, 5\], expected \[5, 4\]"),
        ({"0.bias": np.ones(5)}, False, DTypeError, "0.bias: expected float32, got float64"),
        ([1], False, DTypeError, "expected a mapping of names to arrays, got a list"),
    ],
)  # fmt: skip
def test_what_does_not_fit_changes_nothing(given: Any, strict: bool, error: type[Exception], message: str) -> None:
    model = network()
    before = model.parameters()
    with pytest.raises(error, match=message):
        model.load_state_dict(given, strict=strict)
    assert all(a is b for a, b in zip(model.parameters(), before, strict=True))


def test_a_torch_state_dict_fits() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    model = network()
    assert model.load_state_dict(theirs.state_dict()) == ([], [])
    program = compiled(model)
    for name, value in theirs.state_dict().items():
        own = program.parameters if name in program.parameters else program.buffers
        np.testing.assert_array_equal(own[name], value.numpy(), err_msg=name)


def test_frozen_parameters_keep_their_bits(rng: np.random.Generator) -> None:
    model = network()
    assert model[0].requires_grad_(False) is model[0]
    program = compiled(model, sn.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5))
    before = {name: program.parameters[name] for name in program.parameters}
    for _ in range(3):
        program.step(**data(rng))
    kept = {name for name, value in before.items() if np.array_equal(value, program.parameters[name])}
    assert kept == {"0.weight", "0.bias"}
    assert not [name for name in program.buffers if name.startswith("0.")]
    assert set(program.gradients(**data(rng))) == {"1.weight", "1.bias", "3.weight", "3.bias"}


def test_a_frozen_parameter_is_the_same_parameter() -> None:
    model = network()
    nodes = model.parameters()
    model.requires_grad_(False)
    assert [node.attrs["trainable"] for node in model.parameters()] == [False] * 6
    assert [name for name, _ in model.named_parameters()] == [node.name for node in model.parameters()]
    np.testing.assert_array_equal(initial_value(model.parameters()[0], 3), initial_value(nodes[0], 3))
    model.requires_grad_()
    assert all(a is b for a, b in zip(model.parameters(), nodes, strict=True))


class Tied(sn.nn.Module):
    def __init__(self) -> None:
        self.encoder, self.decoder = sn.nn.Linear(4, 4, bias=False), sn.nn.Linear(4, 4, bias=False)
        self.decoder.weight = self.encoder.weight

    def forward(self, x: Any) -> Any:
        return self.decoder(sn.tanh(self.encoder(x)))


def test_a_tied_parameter_stays_tied() -> None:
    model = Tied()
    model.encoder.requires_grad_(False)
    assert model.encoder.weight is model.decoder.weight
    assert not model.decoder.weight.attrs["trainable"]
    model.decoder.load_state_dict({"weight": np.eye(4, dtype="float32")})
    assert model.encoder.weight is model.decoder.weight
    free = copy.deepcopy(model).requires_grad_()
    assert free.encoder.weight is free.decoder.weight is not model.encoder.weight


def test_a_program_takes_what_fits_by_name() -> None:
    program = compiled(network())
    weight = np.ones((5, 4), "float32")
    found = program.load_parameters({"0.weight": weight, "head.weight": weight, "head.bias": weight}, strict=False)
    assert found.unexpected_keys == ["head.weight", "head.bias"]
    assert found.missing_keys == [name for name in program.parameters if name != "0.weight"]
    np.testing.assert_array_equal(program.parameters["0.weight"], weight)
    with pytest.raises(UnknownName, match=r"there is no parameter 'head.weight'.*strict=False leaves out"):
        program.load_parameters({"0.weight": 2 * weight, "head.weight": weight})
    np.testing.assert_array_equal(program.parameters["0.weight"], weight)
