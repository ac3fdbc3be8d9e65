"""TensorFlow: the whole step as a `tf.function`, by its own kernels and compiled by XLA."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped]

from tests.benchmarks.frameworks import tensorflow_networks
from tests.benchmarks.frameworks.job import Job, Setting
from tests.benchmarks.frameworks.workloads import CrossEntropy, Inference, Networked, Training, Update, sample


def function(work: Training, setting: Setting) -> Job:
    return _training(work, setting, False)


def xla(work: Training, setting: Setting) -> Job:
    return _training(work, setting, True)


def _threads(setting: Setting) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(setting.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _forward(work: Networked) -> Any:
    return partial(getattr(tensorflow_networks, work.network.func.__name__), **work.network.keywords)


def _training(work: Training, setting: Setting, jit: bool) -> Job:
    _threads(setting)
    forward = _forward(work)
    start = work.start((name, tuple(shape)) for name, shape in setting.shapes.items())
    parameters = {name: tf.Variable(value) for name, value in start.items()}
    running = {
        name: (tf.Variable(np.zeros_like(start[f"{name}.weight"])), tf.Variable(np.ones_like(start[f"{name}.weight"])))
        for name in setting.norms
    }
    update = _Updates(work.optimizer, work.settings, list(parameters.values()))

    @tf.function(jit_compile=jit)  # type: ignore[untyped-decorator]
    def step(x: Any, y: Any) -> Any:
        values, new = {name: tf.convert_to_tensor(p) for name, p in parameters.items()}, dict(running)
        with tf.GradientTape() as tape:
            tape.watch(values)
            z = forward(values, x, new)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(y, (-1,)), z))
        update([tf.convert_to_tensor(g) for g in tape.gradient(loss, values).values()])
        for name, slots in running.items():
            for slot, value in zip(slots, new[name], strict=True):
                slot.assign(value)
        return loss

    batches = [(tf.constant(x), tf.constant(y)) for x, y in work.batches()]
    return Job([lambda: [float(loss) for loss in [step(x, y) for x, y in batches]]])


class _Updates:
    """The update of all parameters by their gradients, on variables, inside a function."""

    def __init__(self, name: str, settings: dict[str, Any], parameters: list[Any]) -> None:
        self.parameters, self.rule = parameters, getattr(self, name.lower())
        self.settings, self.t = settings, tf.Variable(0.0)
        count = {"SGD": int(bool(settings.get("momentum"))), "RMSprop": 1}.get(name, 2)
        self.slots = [[tf.Variable(tf.zeros_like(p)) for _ in range(count)] for p in parameters]

    def __call__(self, gradients: list[Any]) -> None:
        t = self.t.assign_add(1.0)
        for p, slots, gradient in zip(self.parameters, self.slots, gradients, strict=True):
            self.rule(p, gradient, slots, t, **self.settings)

    def sgd(
        self, p: Any, g: Any, slots: Any, t: Any, lr: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        g = g + weight_decay * p if weight_decay else g
        p.assign_sub(lr * (slots[0].assign(momentum * slots[0] + g) if momentum else g))

    def adam(self, p: Any, g: Any, slots: Any, t: Any, lr: float, weight_decay: float = 0.0) -> None:
        m, v = slots[0].assign(0.9 * slots[0] + 0.1 * g), slots[1].assign(0.999 * slots[1] + 0.001 * g * g)
        size, spread = lr / (1 - 0.9**t), tf.math.rsqrt(1 - 0.999**t)
        p.assign(p * (1 - lr * weight_decay) - size * m / (tf.sqrt(v) * spread + 1e-8))

    adamw = adam

    def rmsprop(self, p: Any, g: Any, slots: Any, t: Any, lr: float, alpha: float) -> None:
        p.assign_sub(lr * g / (tf.sqrt(slots[0].assign(alpha * slots[0] + (1 - alpha) * g * g)) + 1e-8))


def loss(work: CrossEntropy, setting: Setting) -> Job:
    _threads(setting)
    z, y = map(tf.constant, work.data())

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def both(z: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, z))
        return value, tape.gradient(value, z)

    def run() -> list[float]:
        for _ in range(work.steps):
            value, gradient = both(z, y)
            value = float(value)
        return [value, *sample(gradient)]

    return Job([run])


def update(work: Update, setting: Setting) -> Job:
    _threads(setting)
    parameters = [tf.Variable(p) for p, _ in work.data()]
    gradients = [tf.constant(g) for _, g in work.data()]
    rule = _Updates(work.optimizer, work.settings, parameters)
    step = tf.function(lambda: rule(gradients), jit_compile=True)

    def run() -> list[float]:
        for _ in range(work.steps):
            step()
        return [value for p in parameters for value in sample(p, 50)]

    return Job([run])


def infer(work: Inference, setting: Setting) -> Job:
    _threads(setting)
    forward = _forward(work)
    start = work.start((name, tuple(shape)) for name, shape in setting.shapes.items())
    parameters = {name: tf.constant(value) for name, value in start.items()}
    call, xs = tf.function(lambda x: forward(parameters, x, {})), [tf.constant(x) for x in work.inputs()]

    def run() -> list[float]:
        for x in xs:
            values = call(x).numpy()
        return sample(values)

    return Job([run])
