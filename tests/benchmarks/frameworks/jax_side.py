"""JAX: one compiled step called in a loop, and a compiled loop over all steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.benchmarks.frameworks import jax_networks
from tests.benchmarks.frameworks.job import Job, Setting
from tests.benchmarks.frameworks.workloads import (
    CrossEntropy,
    Inference,
    Networked,
    Products,
    Training,
    Update,
    sample,
)

Tree = dict[str, Any]


def sgd(p: Any, g: Any, s: Any, t: Any, lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> tuple[Any, Any]:
    g = g + weight_decay * p if weight_decay else g
    if not momentum:
        return p - lr * g, s
    v = momentum * s[0] + g
    return p - lr * v, (v,)


def adam(p: Any, g: Any, s: Any, t: Any, lr: float, weight_decay: float = 0.0) -> tuple[Any, Any]:
    m, v = 0.9 * s[0] + 0.1 * g, 0.999 * s[1] + 0.001 * g * g
    p = p * (1 - lr * weight_decay)
    return p - lr / (1 - 0.9**t) * m / (jnp.sqrt(v) / jnp.sqrt(1 - 0.999**t) + 1e-8), (m, v)


def rmsprop(p: Any, g: Any, s: Any, t: Any, lr: float, alpha: float) -> tuple[Any, Any]:
    v = alpha * s[0] + (1 - alpha) * g * g
    return p - lr * g / (jnp.sqrt(v) + 1e-8), (v,)


UPDATES: dict[str, tuple[Callable[..., tuple[Any, Any]], int]] = {
    "SGD": (sgd, 1), "Adam": (adam, 2), "AdamW": (adam, 2), "RMSprop": (rmsprop, 1),
}  # fmt: skip
"""Each with how many arrays of the parameter's shape it keeps."""


def _forward(work: Networked) -> Any:
    return partial(getattr(jax_networks, work.network.func.__name__), **work.network.keywords)


def _training(work: Training, setting: Setting) -> tuple[Callable[[Any, Any], tuple[Any, Any]], Any]:
    """One step, (state, batch) -> (state, loss), and the state to start from."""
    forward = _forward(work)
    rule, count = UPDATES[work.optimizer]
    update = partial(rule, **work.settings)
    start = work.start((name, tuple(shape)) for name, shape in setting.shapes.items())
    running = {
        name: (np.zeros_like(start[f"{name}.weight"]), np.ones_like(start[f"{name}.weight"])) for name in setting.norms
    }

    def loss_of(parameters: Tree, running: Tree, x: Any, y: Any) -> tuple[Any, Tree]:
        new = dict(running)
        return _cross_entropy(forward(parameters, x, new), y.reshape(-1)), new

    def step(state: Any, batch: Any) -> tuple[Any, Any]:
        parameters, slots, running, t = state
        (loss, running), slopes = jax.value_and_grad(loss_of, has_aux=True)(parameters, running, *batch)
        t = t + 1
        new = {name: update(p, slopes[name], slots[name], t) for name, p in parameters.items()}
        return ({n: p for n, (p, _) in new.items()}, {n: s for n, (_, s) in new.items()}, running, t), loss

    slots = {name: tuple(np.zeros_like(value) for _ in range(count)) for name, value in start.items()}
    return step, jax.device_put((start, slots, running, np.float32(0)))


def _cross_entropy(z: Any, y: Any) -> Any:
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1))


def jit(work: Training, setting: Setting) -> Job:
    step, start = _training(work, setting)
    compiled, state = jax.jit(step, donate_argnums=0), [start]
    batches = [(jax.device_put(x), jax.device_put(y)) for x, y in work.batches()]

    def epoch() -> list[float]:
        losses = []
        for batch in batches:
            state[0], loss = compiled(state[0], batch)
            losses.append(loss)
        return [float(loss) for loss in losses]

    return Job([epoch])


def scan(work: Training, setting: Setting) -> Job:
    step, start = _training(work, setting)
    compiled, state = jax.jit(lambda state, data: jax.lax.scan(step, state, data), donate_argnums=0), [start]
    data = tuple(jax.device_put(np.stack(part)) for part in zip(*work.batches(), strict=True))

    def epoch() -> list[float]:
        state[0], losses = compiled(state[0], data)
        return [float(loss) for loss in np.asarray(losses)]

    return Job([epoch])


def loss(work: CrossEntropy, setting: Setting) -> Job:
    compiled, (z, y) = jax.jit(jax.value_and_grad(_cross_entropy)), map(jax.device_put, work.data())

    def run() -> list[float]:
        for _ in range(work.steps):
            value, gradient = jax.block_until_ready(compiled(z, y))
        return [float(value), *sample(gradient)]

    return Job([run])


def update(work: Update, setting: Setting) -> Job:
    rule, count = UPDATES[work.optimizer]
    one = partial(rule, **work.settings)

    def step(state: Any, gradients: Any) -> Any:
        parameters, slots, t = state
        new = [one(p, g, s, t + 1) for p, g, s in zip(parameters, gradients, slots, strict=True)]
        return [p for p, _ in new], [s for _, s in new], t + 1

    parameters, gradients = (list(column) for column in zip(*work.data(), strict=True))
    slots = [tuple(np.zeros_like(p) for _ in range(count)) for p in parameters]
    state = [jax.device_put((parameters, slots, np.float32(0)))]
    given, compiled = jax.device_put(gradients), jax.jit(step, donate_argnums=0)

    def run() -> list[float]:
        for _ in range(work.steps):
            state[0] = jax.block_until_ready(compiled(state[0], given))
        return [value for p in state[0][0] for value in sample(p, 50)]

    return Job([run])


def infer(work: Inference, setting: Setting) -> Job:
    forward = _forward(work)
    parameters = jax.device_put(work.start((name, tuple(shape)) for name, shape in setting.shapes.items()))
    compiled, xs = jax.jit(lambda p, x: forward(p, x, {})), list(work.inputs())

    def run() -> list[float]:
        for x in xs:
            values = np.asarray(compiled(parameters, x))
        return sample(values)

    return Job([run])


def products(work: Products, setting: Setting) -> Job:
    def part(number: int) -> Callable[[], list[float]]:
        turned = [letter == "T" for letter in work.sizes(number)[-1]]
        a, b = (jax.device_put(x.T if t else x) for x, t in zip(work.operands(number), turned, strict=True))
        compiled = jax.jit(lambda a, b: (a.T if turned[0] else a) @ (b.T if turned[1] else b))
        times = work.times(number)

        def run() -> list[float]:
            for _ in range(times):
                product = compiled(a, b)
            return sample(product.block_until_ready())

        return run

    return Job([part(number) for number in range(len(work.parts))])
