"""Optimizers beside keras.optimizers: float64 trajectories of three parameters, with changes of the learning rate.

The loss is Σ (cos(t)·w·p + (p - b)⁴ / 4), with fixed weights w: its gradient depends on the parameter and on the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, weights
from tests.references.keras64 import keras_in_float64

SHAPES = {"kernel": (3, 5), "bias": (7,), "scale": ()}
SIZE = sum(math.prod(shape) for shape in SHAPES.values())
SEEN = (0, 1, 2, 6, 12, 19, 23)
"""The steps after which the parameters are compared."""

Make = Callable[[Any], Any]
"""(keras.optimizers or sn.keras.optimizers) -> an optimizer."""


@dataclass(frozen=True)
class Run:
    """One optimizer and what is changed while it runs.

    rates    step -> the learning rate from there on
    size     a factor of the gradient
    sizes    step -> the factor there
    averages whether the averages are compared, too; they are finalised at the end
    loss     a factor of the loss, of which the optimizer knows; None: the one that it says
    """

    make: Make
    rates: Mapping[int, float] = field(default_factory=lambda: {7: 0.03, 13: 0.002})
    size: float = 1.0
    sizes: Mapping[int, float] = field(default_factory=dict)
    averages: bool = False
    loss: float | None = 1.0

    def inputs(self, rng: np.random.Generator) -> Arrays:
        """What the parameters start from and b, one behind the other."""
        return {"start": rng.normal(size=SIZE), "to": rng.normal(size=SIZE)}

    def ours(self, arrays: Arrays) -> Arrays:
        start, to = _parts(arrays["start"]), _parts(arrays["to"])
        parameters = {name: sn.parameter(name, SHAPES[name], "float64", init=value) for name, value in start.items()}
        wave, size = sn.input("wave", (), "float64"), sn.input("size", (), "float64")
        loss = sum(
            sn.sum(wave * sn.constant(weights(p.shape)) * p + (p - sn.constant(to[name])) ** 4 / 4)
            for name, p in parameters.items()
        )
        optimizer = self.make(sn.keras.optimizers)
        prog = sn.compile(loss=size * loss, optimizer=optimizer)
        after = []
        for step in range(max(SEEN) + 1):
            if step in self.rates:
                prog.hyper["learning_rate"] = self.rates[step]
            prog.step(wave=math.cos(step), size=self.sizes.get(step, self.size))
            if step in SEEN:
                after.append(_joined(prog.parameters[name] for name in SHAPES))
        found = {"after": np.stack(after)}
        if self.averages:
            found["average"] = _joined(prog.buffers[f"{name}.average"] for name in SHAPES)
            optimizer.finalize_variable_values(prog)
            found["final"] = _joined(prog.parameters[name] for name in SHAPES)
        return found

    def peer(self, arrays: Arrays) -> Arrays:
        with keras_in_float64() as keras:
            to = _parts(arrays["to"])
            variables = {name: keras.Variable(value, name=name) for name, value in _parts(arrays["start"]).items()}
            optimizer = self.make(keras.optimizers)
            after = []
            for step in range(max(SEEN) + 1):
                if step in self.rates:
                    optimizer.learning_rate = self.rates[step]
                scale = float(optimizer.scale_loss(1.0)) if self.loss is None else self.loss
                gradients = [scale * self._gradient(v.numpy(), to[name], step) for name, v in variables.items()]
                optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], list(variables.values()))
                if step in SEEN:
                    after.append(_joined(v.numpy() for v in variables.values()))
            found = {"after": np.stack(after)}
            if self.averages:
                found["average"] = _joined(v.numpy() for v in optimizer._model_variables_moving_average)
                optimizer.finalize_variable_values(list(variables.values()))
                found["final"] = _joined(v.numpy() for v in variables.values())
            return found

    def _gradient(self, p: np.ndarray, to: np.ndarray, step: int) -> np.ndarray:
        return np.asarray(self.sizes.get(step, self.size) * (math.cos(step) * weights(p.shape) + (p - to) ** 3))


def _parts(vector: np.ndarray) -> Arrays:
    """A vector as arrays of the parameters' shapes."""
    pieces = np.split(vector, np.cumsum([math.prod(shape) for shape in SHAPES.values()])[:-1])
    return {name: piece.reshape(shape) for (name, shape), piece in zip(SHAPES.items(), pieces, strict=True)}


def _joined(arrays: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(array) for array in arrays])


def _without_bias(k: Any) -> Any:
    optimizer = k.AdamW(learning_rate=0.05, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias", "sc.le"])
    return optimizer


STILL: dict[int, float] = {}

RUNS: dict[str, Run] = {
    "SGD()": Run(lambda k: k.SGD()),
    "SGD(momentum)": Run(lambda k: k.SGD(0.05, 0.9)),
    "SGD(momentum, nesterov, weight_decay)": Run(lambda k: k.SGD(0.05, 0.8, True, 0.03)),
    "SGD(nesterov without momentum)": Run(lambda k: k.SGD(0.05, nesterov=True)),
    "SGD(weight_decay, clipnorm)": Run(lambda k: k.SGD(0.05, weight_decay=0.1, clipnorm=0.7)),
    "SGD(clipnorm), gradients of 0": Run(lambda k: k.SGD(0.05, clipnorm=0.7), size=0.0),
    "SGD(clipnorm), small gradients": Run(lambda k: k.SGD(0.05, clipnorm=0.7), size=0.1),
    "SGD(clipvalue)": Run(lambda k: k.SGD(0.05, clipvalue=0.3)),
    "SGD(global_clipnorm)": Run(lambda k: k.SGD(0.05, 0.5, global_clipnorm=1.1)),
    "SGD(global_clipnorm), gradients of 0": Run(lambda k: k.SGD(0.05, global_clipnorm=1.1), size=0.0),
    "SGD(global_clipnorm), small gradients": Run(lambda k: k.SGD(0.05, global_clipnorm=50.0), size=0.1),
    "Adam()": Run(lambda k: k.Adam()),
    "Adam(betas, epsilon)": Run(lambda k: k.Adam(0.05, 0.8, 0.95, 1e-3)),
    "Adam(amsgrad)": Run(lambda k: k.Adam(0.05, beta_2=0.9, amsgrad=True)),
    "Adam(amsgrad, weight_decay)": Run(lambda k: k.Adam(0.05, 0.7, 0.9, 1e-5, True, 0.02)),
    "Adam(clipnorm)": Run(lambda k: k.Adam(0.05, clipnorm=0.5), size=3.0),
    "Adam(clipvalue)": Run(lambda k: k.Adam(0.05, clipvalue=0.2), size=3.0),
    "Adam(global_clipnorm)": Run(lambda k: k.Adam(0.05, global_clipnorm=0.5), size=3.0),
    "Adam(loss_scale_factor)": Run(lambda k: k.Adam(0.05, loss_scale_factor=1000.0), loss=1000.0),
    "AdamW()": Run(lambda k: k.AdamW()),
    "AdamW(weight_decay second)": Run(lambda k: k.AdamW(0.05, 0.2, 0.8, 0.95, 1e-4)),
    "AdamW(amsgrad)": Run(lambda k: k.AdamW(0.05, amsgrad=True, weight_decay=0.1)),
    "AdamW, exclude_from_weight_decay": Run(_without_bias),
    "RMSprop()": Run(lambda k: k.RMSprop()),
    "RMSprop(rho, epsilon)": Run(lambda k: k.RMSprop(0.05, 0.7, epsilon=1e-2)),
    "RMSprop(momentum)": Run(lambda k: k.RMSprop(0.02, 0.8, 0.9)),
    "RMSprop(centered)": Run(lambda k: k.RMSprop(0.02, centered=True, epsilon=1e-3)),
    "RMSprop(centered, momentum, weight_decay)": Run(
        lambda k: k.RMSprop(0.02, 0.8, 0.5, 1e-4, True, weight_decay=0.05)
    ),
    "Adagrad()": Run(lambda k: k.Adagrad()),
    "Adagrad(initial_accumulator_value, epsilon)": Run(lambda k: k.Adagrad(0.1, 0.0, 1e-2)),
    "Adagrad(weight_decay, clipnorm)": Run(lambda k: k.Adagrad(0.1, weight_decay=0.1, clipnorm=1.0)),
    "Adadelta()": Run(lambda k: k.Adadelta()),
    "Adadelta(rho, epsilon)": Run(lambda k: k.Adadelta(1.0, 0.8, 1e-3), rates={7: 0.5, 13: 2.0}),
    "Adadelta(weight_decay)": Run(lambda k: k.Adadelta(0.7, weight_decay=0.05)),
    "Adamax()": Run(lambda k: k.Adamax()),
    "Adamax(betas, epsilon)": Run(lambda k: k.Adamax(0.05, 0.7, 0.9, 1e-2)),
    "Adamax(weight_decay)": Run(lambda k: k.Adamax(0.05, weight_decay=0.1)),
    "Nadam()": Run(lambda k: k.Nadam()),
    "Nadam(betas, epsilon)": Run(lambda k: k.Nadam(0.05, 0.8, 0.95, 1e-3)),
    "Nadam(weight_decay, global_clipnorm)": Run(lambda k: k.Nadam(0.05, weight_decay=0.1, global_clipnorm=2.0)),
    "Ftrl()": Run(lambda k: k.Ftrl()),
    "Ftrl(strengths, beta)": Run(lambda k: k.Ftrl(0.1, -0.5, 0.2, 0.3, 0.4, 0.05, 0.6)),
    "Ftrl(learning_rate_power)": Run(lambda k: k.Ftrl(0.1, learning_rate_power=-0.3)),
    "Ftrl(constant rate)": Run(lambda k: k.Ftrl(0.1, learning_rate_power=0.0, l1_regularization_strength=0.01)),
    "Ftrl(weight_decay)": Run(lambda k: k.Ftrl(0.1, l1_regularization_strength=0.5, weight_decay=0.2)),
    "Lion()": Run(lambda k: k.Lion()),
    "Lion(betas, weight_decay)": Run(lambda k: k.Lion(0.01, 0.7, 0.8, 0.1)),
    "Lamb()": Run(lambda k: k.Lamb()),
    "Lamb(betas, epsilon, weight_decay)": Run(lambda k: k.Lamb(0.05, 0.8, 0.95, 1e-3, 0.02)),
    "Lamb, gradients of 0": Run(lambda k: k.Lamb(0.05), size=0.0),
    "Adafactor()": Run(lambda k: k.Adafactor()),
    "Adafactor(beta_2_decay, epsilons)": Run(
        lambda k: k.Adafactor(0.3, -0.6, 1e-6, 0.1, weight_decay=0.01), rates={7: 0.5}
    ),
    "Adafactor(clip_threshold)": Run(lambda k: k.Adafactor(0.3, clip_threshold=0.5)),
    "SGD(use_ema)": Run(lambda k: k.SGD(0.05, use_ema=True), averages=True),
    "Adam(use_ema, ema_momentum)": Run(lambda k: k.Adam(0.05, use_ema=True, ema_momentum=0.7), averages=True),
    "Adam(ema_overwrite_frequency)": Run(
        lambda k: k.Adam(0.05, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3), averages=True
    ),
    "SGD(momentum, gradient_accumulation_steps)": Run(lambda k: k.SGD(0.05, 0.9, gradient_accumulation_steps=4)),
    "Adam(gradient_accumulation_steps, clipnorm)": Run(
        lambda k: k.Adam(0.05, gradient_accumulation_steps=3, clipnorm=0.5, weight_decay=0.1)
    ),
    "Adam(gradient_accumulation_steps, global_clipnorm)": Run(
        lambda k: k.Adam(0.05, gradient_accumulation_steps=5, global_clipnorm=0.9)
    ),
    "AdamW(gradient_accumulation_steps, clipvalue, loss_scale_factor)": Run(
        lambda k: k.AdamW(0.05, gradient_accumulation_steps=2, clipvalue=0.1, loss_scale_factor=8.0), loss=8.0
    ),
    "Nadam(gradient_accumulation_steps)": Run(lambda k: k.Nadam(0.05, gradient_accumulation_steps=3)),
    "Ftrl(gradient_accumulation_steps)": Run(lambda k: k.Ftrl(0.05, gradient_accumulation_steps=3)),
    "Lamb(gradient_accumulation_steps)": Run(lambda k: k.Lamb(0.05, gradient_accumulation_steps=3)),
    "Adam(gradient_accumulation_steps, use_ema)": Run(
        lambda k: k.Adam(0.05, use_ema=True, ema_momentum=0.6, gradient_accumulation_steps=3), averages=True
    ),
    "Adam(gradient_accumulation_steps, ema_overwrite_frequency)": Run(
        lambda k: k.Adam(
            0.05, use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=2, gradient_accumulation_steps=3
        ),
        averages=True,
    ),
    "LossScaleOptimizer(SGD)": Run(
        lambda k: k.LossScaleOptimizer(k.SGD(0.05, 0.9), dynamic_growth_steps=3),
        sizes={4: math.inf, 5: math.nan, 13: math.inf},
        loss=None,
    ),
    "LossScaleOptimizer(Adam, accumulation)": Run(
        lambda k: k.LossScaleOptimizer(k.Adam(0.05, gradient_accumulation_steps=2, clipnorm=0.5), 8.0, 1),
        sizes={3: math.nan, 9: math.inf},
        loss=None,
    ),
    "SGD(ExponentialDecay)": Run(lambda k: k.SGD(k.schedules.ExponentialDecay(0.1, 5, 0.7)), STILL),
    "Adam(ExponentialDecay, staircase)": Run(lambda k: k.Adam(k.schedules.ExponentialDecay(0.1, 5, 0.7, True)), STILL),
    "Adam(PiecewiseConstantDecay)": Run(
        lambda k: k.Adam(k.schedules.PiecewiseConstantDecay([4, 9, 15], [0.1, 0.03, 0.3, 0.01])), STILL
    ),
    "Adam(PolynomialDecay)": Run(lambda k: k.Adam(k.schedules.PolynomialDecay(0.1, 12, 0.01, power=2.0)), STILL),
    "SGD(PolynomialDecay, cycle)": Run(
        lambda k: k.SGD(k.schedules.PolynomialDecay(0.1, 6, 0.001, 0.5, cycle=True)), STILL
    ),
    "Adam(InverseTimeDecay)": Run(lambda k: k.Adam(k.schedules.InverseTimeDecay(0.1, 4, 0.5)), STILL),
    "SGD(InverseTimeDecay, staircase)": Run(lambda k: k.SGD(k.schedules.InverseTimeDecay(0.1, 4, 0.5, True)), STILL),
    "Adam(CosineDecay)": Run(lambda k: k.Adam(k.schedules.CosineDecay(0.1, 15, alpha=0.1)), STILL),
    "AdamW(CosineDecay, warm-up)": Run(
        lambda k: k.AdamW(k.schedules.CosineDecay(0.0, 15, warmup_target=0.1, warmup_steps=5), 0.1), STILL
    ),
    "SGD(CosineDecayRestarts)": Run(lambda k: k.SGD(k.schedules.CosineDecayRestarts(0.1, 3)), STILL),
    "SGD(CosineDecayRestarts, t_mul, m_mul, alpha)": Run(
        lambda k: k.SGD(k.schedules.CosineDecayRestarts(0.1, 4, t_mul=1.5, m_mul=0.8, alpha=0.1)), STILL
    ),
    "SGD(CosineDecayRestarts, equal periods)": Run(
        lambda k: k.SGD(k.schedules.CosineDecayRestarts(0.1, 4, t_mul=1.0)), STILL
    ),
    "Adam(schedule, gradient_accumulation_steps)": Run(
        lambda k: k.Adam(k.schedules.ExponentialDecay(0.1, 5, 0.7), gradient_accumulation_steps=3, weight_decay=0.1),
        STILL,
    ),
    "Lamb(schedule)": Run(lambda k: k.Lamb(k.schedules.InverseTimeDecay(0.1, 4, 0.5)), STILL),
}
"""By the name of their case."""

SCHEDULES: dict[str, Make] = {
    "ExponentialDecay": lambda s: s.ExponentialDecay(0.1, 100, 0.96),
    "ExponentialDecay(staircase)": lambda s: s.ExponentialDecay(0.1, 7, 0.96, staircase=True),
    "PiecewiseConstantDecay": lambda s: s.PiecewiseConstantDecay([30, 63, 210], [1.0, 0.5, 0.25, 0.1]),
    "PolynomialDecay()": lambda s: s.PolynomialDecay(0.1, 140),
    "PolynomialDecay(power)": lambda s: s.PolynomialDecay(0.1, 300, 0.001, 2.0),
    "PolynomialDecay(cycle)": lambda s: s.PolynomialDecay(0.1, 30, 0.001, 0.5, cycle=True),
    "InverseTimeDecay": lambda s: s.InverseTimeDecay(0.1, 10, 0.5),
    "InverseTimeDecay(staircase)": lambda s: s.InverseTimeDecay(0.1, 10, 0.5, staircase=True),
    "CosineDecay": lambda s: s.CosineDecay(0.1, 280),
    "CosineDecay(alpha, warm-up)": lambda s: s.CosineDecay(0.01, 200, 0.2, warmup_target=0.1, warmup_steps=100),
    "CosineDecay(no steps of warm-up)": lambda s: s.CosineDecay(0.01, 200, warmup_target=0.1, warmup_steps=0),
    "CosineDecayRestarts": lambda s: s.CosineDecayRestarts(0.1, 7),
    "CosineDecayRestarts(t_mul, m_mul, alpha)": lambda s: s.CosineDecayRestarts(0.1, 10, 3.0, 0.7, 0.05),
    "CosineDecayRestarts(equal periods)": lambda s: s.CosineDecayRestarts(0.1, 14, t_mul=1.0, m_mul=0.9),
}


def _schedule_case(name: str, make: Make) -> Case:
    """The learning rates of a schedule over the steps, from native code."""

    def peer(arrays: Arrays) -> Arrays:
        with keras_in_float64() as keras:
            schedule = make(keras.optimizers.schedules)
            return {"rate": np.array([float(schedule(keras.ops.convert_to_tensor(int(t)))) for t in arrays["step"]])}

    def ours(arrays: Arrays) -> Arrays:
        step = sn.input("step", arrays["step"].shape, "float64")
        return {"rate": sn.function([step], make(sn.keras.optimizers.schedules)(step))(arrays["step"])}

    return Case(f"schedules.{name}", lambda rng: {"step": np.arange(0.0, 400.0, 7.0)}, peer, ours)


CASES = [
    *(Case(name, run.inputs, run.peer, run.ours) for name, run in RUNS.items()),
    *(_schedule_case(name, make) for name, make in SCHEDULES.items()),
]
