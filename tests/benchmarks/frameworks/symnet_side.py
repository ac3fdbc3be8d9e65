"""The training step in symnet."""

from __future__ import annotations

from typing import Any

import numpy as np

import symnet as sn
from tests.benchmarks.frameworks.workloads import Epoch, Workload


def program(work: Workload, threads: int | None) -> Any:
    x = sn.input("x", ("N", *work.sample), "int64" if work.kinds else "float32")
    y = sn.input("y", ("N", work.targets) if work.targets else ("N",), "int64")
    model = work.network(sn.nn)
    loss = sn.losses.cross_entropy(model(x), y.reshape(-1))
    optimizer = getattr(sn.optim, work.optimizer)(**work.settings)
    compiled = sn.compile(loss=loss, optimizer=optimizer, batch={"N": work.batch}, threads=threads)
    compiled.load_parameters(work.start((n, tuple(map(int, p.shape))) for n, p in model.named_parameters()))
    return compiled


def fit(work: Workload, threads: int | None) -> Epoch:
    compiled = program(work, threads)
    xs, ys = (np.concatenate(part) for part in zip(*work.batches(), strict=True))

    def epoch() -> Any:
        history = compiled.fit({"x": xs, "y": ys}, batch_size=work.batch, shuffle=False, progress=False)
        return np.array(history.losses)

    return epoch


def step(work: Workload, threads: int | None) -> Epoch:
    compiled, batches = program(work, threads), work.batches()
    return lambda: np.array([compiled.step(x=x, y=y)["loss"] for x, y in batches])
