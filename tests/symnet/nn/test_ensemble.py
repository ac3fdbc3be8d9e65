"""Ensembles: several networks trained as one program against each of them trained alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import ShapeError, UnknownName, UsageError
from symnet.nn import Module

SEEDS, RATES = [3, 1, 7], [1e-2, 1e-3, 3e-2]
OPTIMIZERS: dict[str, Callable[[Any], sn.optim.Optimizer]] = {
    "adam": lambda lr: sn.optim.Adam(lr=lr, weight_decay=0.01),
    "sgd": lambda lr: sn.optim.SGD(lr=lr, momentum=0.9),
    "nadam": lambda lr: sn.optim.NAdam(lr=lr),  # has state that is one number for each parameter
}


def network() -> Module:
    linear = sn.nn.Linear
    return sn.nn.Sequential(
        linear(8, 6, bias=False, dtype="float64"), sn.nn.BatchNorm1d(6, dtype="float64"), sn.nn.ReLU(),
        sn.nn.Dropout(0.3), linear(6, 4, dtype="float64"),
    )  # fmt: skip


x, y = sn.input("x", ("N", 8), "float64"), sn.input("y", ("N",), "int64")


def trained(program: sn.program.Program, rng: np.random.Generator) -> list[Any]:
    data, labels = rng.normal(size=(40, 8)), rng.integers(0, 4, 40)
    rows = [np.arange(k * 7, k * 7 + 10) % 40 for k in range(20)]
    return [program.step(x=data[i], y=labels[i])["loss"] for i in rows]


def members_program(optimizer: sn.optim.Optimizer) -> tuple[sn.nn.Ensemble, Any]:
    members = sn.nn.Ensemble(network, seeds=SEEDS)
    logits = members(x)
    losses = sn.vmap(lambda z: sn.losses.cross_entropy(z, y))(logits)
    outputs = {"logits": logits, "losses": losses}
    return members, sn.compile(loss=sn.sum(losses), optimizer=optimizer, outputs=outputs, batch={"N": 16})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_members_train_as_they_would_alone(name: str, seed: int) -> None:
    """From the same values, with the same dropout, to the same parameters and statistics; a learning rate each."""
    members, program = members_program(OPTIMIZERS[name](RATES))
    total = trained(program, np.random.default_rng(seed))
    alone = []
    for i, (own_seed, lr) in enumerate(zip(SEEDS, RATES, strict=True)):
        loss = sn.losses.cross_entropy(network()(x), y)
        one = sn.compile(loss=loss, optimizer=OPTIMIZERS[name](lr), batch={"N": 16}, seed=own_seed)
        alone.append(trained(one, np.random.default_rng(seed)))
        for values in (program.parameters, program.buffers):
            for own, value in members.state_of(i, values).items():
                known = one.parameters if own in one.parameters else one.buffers
                np.testing.assert_allclose(value, known[own], rtol=1e-12, atol=1e-14, err_msg=own)
    np.testing.assert_allclose(total, np.sum(alone, 0), rtol=1e-12)


def test_names_shapes_and_first_values() -> None:
    members = sn.nn.Ensemble(network, seeds=SEEDS)
    one = dict(network().named_parameters())
    assert {name: node.shape for name, node in members.named_parameters()} == {
        name: (3, *node.shape) for name, node in one.items()
    }
    for name, node in members.named_parameters():
        values = sn.nn.init.initial_value(node, 99)
        for i, own_seed in enumerate(SEEDS):
            alone = sn.nn.init.materialise(
                one[name].attrs["init"], one[name].shape, "float64", sn.nn.init.generator(own_seed, name)
            )
            np.testing.assert_array_equal(values[i], alone)
    assert [name for name, _ in members.named_buffers()] == [name for name, _ in network().named_buffers()]
    assert "BatchNorm1d" in repr(members)


def test_evaluation_has_the_inference_meaning(rng: np.random.Generator) -> None:
    _, program = members_program(sn.optim.SGD(lr=RATES))
    rows = rng.normal(size=(5, 8))
    first, again = (program.predict("logits", x=rows) for _ in range(2))
    assert first.shape == (3, 5, 4)
    np.testing.assert_array_equal(first, again)


def test_hyperparameters_of_members() -> None:
    _, program = members_program(sn.optim.Adam(lr=RATES, betas=(0.9, 0.99)))
    np.testing.assert_array_equal(program.hyper["lr"], RATES)
    assert program.hyper["betas"] == (0.9, 0.99)
    program.hyper["lr"] *= 0.1
    np.testing.assert_allclose(program.hyper["lr"], np.array(RATES) * 0.1)
    program.hyper["lr"] = 0.5
    np.testing.assert_array_equal(program.hyper["lr"], [0.5] * 3)
    with pytest.raises(ShapeError, match="'lr' has 3 numbers, one for each member"):
        program.hyper["lr"] = [0.1, 0.2]
    with pytest.raises(ShapeError, match="lr has 2 numbers, one for each member of an ensemble, but"):
        members_program(sn.optim.Adam(lr=[0.1, 0.2]))
    with pytest.raises(ShapeError, match="lr has 3, weight_decay has 2"):
        members_program(sn.optim.Adam(lr=RATES, weight_decay=[0.1, 0.2]))
    with pytest.raises(ShapeError, match="expected one number, or a list"):
        sn.optim.Adam(lr=[[0.1], [0.2]])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="expected at least 0"):
        sn.optim.Adam(lr=[0.1, -0.2])


def test_the_formula_is_that_of_one_member() -> None:
    assert str(sn.optim.Adam(lr=[0.1, 0.2]).formula()) == str(sn.optim.Adam(lr=0.1).formula())


def test_text_of_a_hyperparameter_with_a_shape() -> None:
    node = sn.hyper("rates", (3,)) * 2.0
    assert sn.loads(sn.dumps(node)) is node
    assert node.shape == (3,)


def test_data_of_each_member(rng: np.random.Generator) -> None:
    """With `in_axes` every member sees its own rows."""
    members = sn.nn.Ensemble(lambda: sn.nn.Linear(8, 2, dtype="float64"), seeds=2, in_axes=0)
    own = sn.input("own", (2, "N", 8), "float64")
    weight, bias = (node for _, node in members.named_parameters())
    rows, w, b = rng.normal(size=(2, 5, 8)), rng.normal(size=(2, 2, 8)), rng.normal(size=(2, 2))
    found = sn.evaluate(members(own), {own: rows, weight: w, bias: b})
    np.testing.assert_allclose(found, np.einsum("mni,moi->mno", rows, w) + b[:, None], rtol=1e-12)


def test_mistakes_are_told() -> None:
    members = sn.nn.Ensemble(network, seeds=2)
    with pytest.raises(UnknownName, match="there is no member 2"):
        members.state_of(2, {})
    with pytest.raises(UsageError, match="got no seeds"):
        sn.nn.Ensemble(network, seeds=[])
    with pytest.raises(TypeError, match=r"make\(\) returned int"):
        sn.nn.Ensemble(lambda: 3, seeds=2)  # type: ignore[arg-type, return-value]
