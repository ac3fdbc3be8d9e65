"""Whole training steps beside PyTorch, in float64: every parameter after five steps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import symnet as sn

torch = pytest.importorskip("torch")

OPTIMIZERS = {
    "SGD": {"lr": 0.05},
    "SGD-momentum": {"lr": 0.05, "momentum": 0.9, "dampening": 0.1, "weight_decay": 1e-3},
    "SGD-nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    "Adam": {"lr": 1e-2, "betas": (0.8, 0.99), "weight_decay": 1e-2},
    "AdamW": {"lr": 1e-2, "weight_decay": 0.1},
}


def both(sizes: list[int], optimizer: str, settings: dict, batch: int, steps: int, last: int, seed: int) -> None:
    """Train the same MLP in both; the last batch has `last` rows. Parameters must agree to 1e-10 relative."""
    rng = np.random.default_rng(seed)
    layers: list[sn.nn.Module] = []
    peers: list[torch.nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [sn.nn.Linear(n_in, n_out, dtype="float64"), sn.nn.ReLU()]
        peers += [torch.nn.Linear(n_in, n_out, dtype=torch.float64), torch.nn.ReLU()]
    model, peer = sn.nn.Sequential(*layers[:-1]), torch.nn.Sequential(*peers[:-1])
    x = sn.input("x", ("N", sizes[0]), "float64")
    y = sn.input("y", ("N",), "int64")
    prog = sn.compile(
        loss=sn.losses.CrossEntropyLoss()(model(x), y),
        optimizer=getattr(sn.optim, optimizer.split("-")[0])(**settings),
        batch={"N": batch},
        seed=seed,
    )
    prog.load_parameters({name: value.detach().numpy() for name, value in peer.state_dict().items()})
    updater = getattr(torch.optim, optimizer.split("-")[0])(peer.parameters(), **settings)
    for step in range(steps):
        rows = last if step == steps - 1 else batch
        xb, yb = rng.normal(size=(rows, sizes[0])), rng.integers(0, sizes[-1], rows)
        updater.zero_grad()
        loss = torch.nn.functional.cross_entropy(peer(torch.from_numpy(xb)), torch.from_numpy(yb))
        loss.backward()
        updater.step()
        ours = prog.step(x=xb, y=yb)["loss"]
        assert ours == pytest.approx(loss.item(), rel=1e-12), f"loss of step {step}, seed {seed}"
    for name, value in peer.state_dict().items():
        wanted, got = value.numpy(), prog.parameters[name]
        error = np.abs(got - wanted).max() / np.abs(wanted).max()
        assert error < 1e-10, f"{name}: relative error {error:.1e}, seed {seed}"


def test_the_mlp_of_the_readme() -> None:
    both([784, 256, 128, 10], "Adam", {"lr": 1e-3}, batch=64, steps=5, last=64, seed=0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_at_odd_sizes(optimizer: str) -> None:
    both([13, 7, 5, 3], optimizer, OPTIMIZERS[optimizer], batch=11, steps=6, last=4, seed=len(optimizer))
