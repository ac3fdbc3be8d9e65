"""PyTensor, compiled by numba: the training step of a multilayer perceptron, its parameters shared variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor  # type: ignore[import-not-found]
import pytensor.tensor as pt  # type: ignore[import-not-found]

from tests.benchmarks.frameworks.job import Job, Setting
from tests.benchmarks.frameworks.workloads import Training


def step(work: Training, setting: Setting) -> Job:
    pytensor.config.floatX = "float32"
    start = work.start((name, tuple(shape)) for name, shape in setting.shapes.items())
    parameters = {name: pytensor.shared(value, name) for name, value in start.items()}
    x, y = pt.matrix("x", dtype="float32"), pt.vector("y", dtype="int64")
    z, layers = x, len(work.network.keywords["sizes"]) - 1
    for i in range(layers):
        z = z @ parameters[f"{2 * i}.weight"].T + parameters[f"{2 * i}.bias"]
        z = pt.maximum(z, np.float32(0)) if i < layers - 1 else z
    loss = -pt.mean(pt.special.log_softmax(z, axis=1)[pt.arange(y.shape[0]), y])
    gradients = pytensor.grad(loss, list(parameters.values()))
    rule = {"SGD": _sgd, "Adam": _adam}[work.optimizer]
    updates = rule(list(parameters.values()), gradients, **{k: np.float32(v) for k, v in work.settings.items()})
    run = pytensor.function([x, y], loss, updates=updates, mode="NUMBA")
    batches = work.batches()
    return Job([lambda: [float(run(x, y)) for x, y in batches]])


def _sgd(parameters: list[Any], gradients: list[Any], lr: Any) -> list[tuple[Any, Any]]:
    return [(p, p - lr * g) for p, g in zip(parameters, gradients, strict=True)]


def _adam(parameters: list[Any], gradients: list[Any], lr: Any) -> list[tuple[Any, Any]]:
    one, first, second = np.float32(1), np.float32(0.9), np.float32(0.999)
    old = pytensor.shared(np.float32(0))
    t = old + one
    updates: list[tuple[Any, Any]] = [(old, t)]
    size, spread = lr / (one - first**t), one / pt.sqrt(one - second**t)
    for p, g in zip(parameters, gradients, strict=True):
        m, v = (pytensor.shared(np.zeros_like(p.get_value())) for _ in range(2))
        new_m, new_v = first * m + (one - first) * g, second * v + (one - second) * g * g
        updates += [(m, new_m), (v, new_v), (p, p - size * new_m / (pt.sqrt(new_v) * spread + np.float32(1e-8)))]
    return updates
