"""What is trained: networks, their data, optimizers and starting values, the same for every framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.frameworks import networks

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Workload:
    """A network that is trained with cross-entropy.

    network    (nn) -> module; also the name and sizes by which jax_side.py builds it
    data       shape of one sample, and how many kinds there are where samples are numbers of symbols
    steps      how many different batches there are; one turn of a contestant trains on each once
    targets    how many class numbers a sample has (0: one, without an axis)
    """

    name: str
    network: partial[Any]
    sample: tuple[int, ...]
    batch: int
    steps: int
    optimizer: str
    settings: dict[str, Any] = field(default_factory=dict)
    kinds: int = 0
    classes: int = 10
    targets: int = 0

    def batches(self) -> list[tuple[Array, Array]]:
        """(x, y) of each step."""
        rng = np.random.default_rng(0)
        shape = (self.steps, self.batch, *self.sample)
        xs = rng.integers(0, self.kinds, shape) if self.kinds else rng.random(shape, np.float32)
        wanted = (self.steps, self.batch, self.targets) if self.targets else (self.steps, self.batch)
        return list(zip(xs, rng.integers(0, self.classes, wanted), strict=True))

    def start(self, shapes: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, Array]:
        """Starting values of parameters of these names and shapes: norms as usual, others uniform by their fan-in."""
        rng = np.random.default_rng(1)
        values: dict[str, Array] = {}
        for name, shape in sorted(shapes):
            if len(shape) > 1:
                table = name in ("token.weight", "position.weight")
                bound = 0.05 if table else float(np.sqrt(1 / np.prod(shape[1:])))
                values[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
            else:
                values[name] = np.full(shape, float(name.endswith("weight")), np.float32)
        return values


def _mlp(name: str, sizes: tuple[int, ...], batch: int, steps: int, optimizer: str, **settings: Any) -> Workload:
    network = partial(networks.mlp, sizes=sizes)
    return Workload(name, network, sizes[:1], batch, steps, optimizer, settings, classes=sizes[-1])


def _resnet(name: str, widths: tuple[int, ...], batch: int) -> Workload:
    settings = {"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4}
    network = partial(networks.resnet, widths=widths, blocks=1)
    return Workload(name, network, (3, 32, 32), batch, 2, "SGD", settings)


def _recurrent(name: str, kind: str, length: int, hidden: int) -> Workload:
    network = partial(networks.recurrent, kind=kind, inputs=32, hidden=hidden)
    return Workload(name, network, (length, 32), 64, 2, "RMSprop", {"lr": 1e-3, "alpha": 0.99})


def _gpt(name: str, size: int, layers: int, context: int, batch: int) -> Workload:
    network = partial(networks.gpt, kinds=96, size=size, heads=size // 32, layers=layers, context=context)
    settings = {"lr": 1e-3, "weight_decay": 0.01}
    return Workload(name, network, (context,), batch, 2, "AdamW", settings, kinds=96, classes=96, targets=context)


WORKLOADS: tuple[Workload, ...] = (
    _mlp("tiny MLP", (128, 64, 32, 10), 32, 300, "SGD", lr=0.05),
    _mlp("MLP", (784, 512, 512, 10), 128, 40, "Adam", lr=1e-3),
    _mlp("wide MLP", (1024, 4096, 4096, 1024), 256, 2, "Adam", lr=1e-4),
    Workload("CNN", partial(networks.cnn, channels=1, first=32, second=64, hidden=128), (1, 28, 28), 64, 8, "Adam",
             {"lr": 1e-3}),
    _resnet("ResNet 16-32-64", (16, 32, 64), 64),
    _resnet("ResNet 32-64-128", (32, 64, 128), 64),
    _recurrent("LSTM 128", "LSTM", 64, 128),
    _recurrent("LSTM 256", "LSTM", 128, 256),
    _recurrent("GRU 128", "GRU", 64, 128),
    _gpt("GPT 128", 128, 4, 64, 16),
    _gpt("GPT 256", 256, 4, 128, 8),
)  # fmt: skip

Epoch = Callable[[], Array]
"""Trains on all batches once and returns the losses."""
