"""Optimizers compiled into a training step, against PyTorch: a small network in float64 and float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import symnet as sn
from tests.references.trajectories import torch_in_float64

torch = pytest.importorskip("torch")

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.03, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.02}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "amsgrad": True}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.02}),
    ("RMSprop", {"lr": 0.02, "centered": True, "momentum": 0.5, "eps": 1e-3}),
    ("Adadelta", {"lr": 0.5, "eps": 1e-3}),
    ("ASGD", {"lr": 0.05, "lambd": 0.1}),
]


def _loss(dtype: str) -> sn.Expr:
    x, y = sn.input("x", ("N", 5), dtype=dtype), sn.input("y", ("N", 3), dtype=dtype)
    model = sn.nn.Sequential(sn.nn.Linear(5, 7, dtype=dtype), sn.nn.Tanh(), sn.nn.Linear(7, 3, dtype=dtype))
    return sn.losses.mse_loss(model(x), y)


@pytest.fixture(autouse=True)
def _exact_scalars() -> Iterator[None]:
    """PyTorch keeps the scalars of an optimizer (NAdam's product, ASGD's η) in its default data type."""
    with torch_in_float64():
        yield


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_ten_steps_are_pytorchs(name: str, settings: dict[str, Any], dtype: str, rng: np.random.Generator) -> None:
    loss = _loss(dtype)
    program = sn.compile(loss=loss, optimizer=getattr(sn.optim, name)(**settings), batch={"N": 9})
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3)).to(
        getattr(torch, dtype)
    )
    theirs.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in program.parameters.items()})
    optimizer = getattr(torch.optim, name)(theirs.parameters(), **settings)
    tolerance = 1e-11 if dtype == "float64" else 2e-5
    for step in range(10):
        rows = 9 - step % 3
        x, y = (rng.normal(size=(rows, size)).astype(dtype) for size in (5, 3))
        if step == 5:  # changed while it runs
            program.hyper["lr"] = optimizer.param_groups[0]["lr"] = 0.02
            program.hyper["weight_decay"] = optimizer.param_groups[0]["weight_decay"] = 0.1
        optimizer.zero_grad()
        their_loss = torch.nn.functional.mse_loss(theirs(torch.from_numpy(x)), torch.from_numpy(y))
        their_loss.backward()
        optimizer.step()
        assert program.step(x=x, y=y)["loss"] == pytest.approx(their_loss.item(), rel=tolerance)
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(program.parameters[key], value.numpy(), rtol=tolerance, atol=tolerance, err_msg=key)


def test_the_learning_rate_may_be_a_schedule_written_as_an_expression(rng: np.random.Generator) -> None:
    class Decaying(sn.optim.Optimizer):
        def update(self, p: Any, g: Any, s: Any, t: Any) -> Any:
            return p - self.lr * sn.exp(-self.decay * (t - 1.0)) * g

    loss = _loss("float64")
    program = sn.compile(loss=loss, optimizer=Decaying(lr=0.1, decay=0.5), batch={"N": 4})
    data = {"x": rng.normal(size=(4, 5)), "y": rng.normal(size=(4, 3))}
    for step in range(4):
        before, gradient = np.array(program.parameters["0.weight"]), program.gradients(**data)["0.weight"]
        program.step(**data)
        change = np.array(program.parameters["0.weight"]) - before
        np.testing.assert_allclose(change, -0.1 * np.exp(-0.5 * step) * gradient, rtol=1e-9, atol=1e-15)


OTHERS = {
    "SGD": {"momentum": 0.9, "dampening": 0.1},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "Adam": {"amsgrad": True},
}


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Adagrad", "Adadelta",
                                  "Rprop", "Lion", "ASGD"])  # fmt: skip
def test_an_update_is_one_pass_over_memory(name: str) -> None:
    p, g = sn.parameter("p", (999,)), sn.input("g", (999,))
    optimizer = getattr(sn.optim, name)(**OTHERS.get(name, {}))
    program = sn.compile(loss=sn.sum(p * g), optimizer=optimizer)
    kernels = program.source("loops").split("\n  kernel ")[1:]
    touching = [kernel for kernel in kernels if "g[" in kernel]
    assert len(touching) == 2, "the loss, and the update with all its state"
    written = {line.split("[")[0].strip() for line in touching[1].splitlines() if "[i] = " in line}
    assert len(written) == 1 + sum(program.buffers[state].shape == (999,) for state in program.buffers)
