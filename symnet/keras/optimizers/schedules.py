"""Keras's schedules: learning rates as expressions of the number of the step, inside the compiled program.

sn.keras.optimizers.Adam(learning_rate=sn.keras.optimizers.schedules.CosineDecay(1e-3, decay_steps=1000))
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symnet import ops
from symnet.errors import Unsupported, UsageError
from symnet.expr.node import Expr
from symnet.optim.lr_scheduler.cosine import restarts_after

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
]

Step = Expr | float


class LearningRateSchedule:
    """Base of all schedules: called with the number of the step (0 in the first), gives the learning rate.

    One of one's own overrides `__call__` and writes the value as an expression of `step`, a float64.
    """

    def __call__(self, step: Step) -> Expr:
        """The learning rate at a step."""
        raise Unsupported(f"{type(self).__name__} has no __call__(step); write one that returns the learning rate")

    def at(self, step: float) -> float:
        """The learning rate at a step as a number."""
        return float(ops.evaluate(self(_float(step))))

    def formula(self) -> Expr:
        """The learning rate as an expression of the step `t`."""
        return self(ops.input("t", (), "float64"))

    def latex(self) -> str:
        """The formula in LaTeX."""
        return self.formula().latex()

    def __str__(self) -> str:
        return f"learning_rate = {self.formula()}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class ExponentialDecay(LearningRateSchedule):
    """learning_rate = initial_learning_rate·decay_rate^(t / decay_steps); the exponent is rounded down if staircase."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, _positive("decay_steps", decay_steps)
        self.decay_rate, self.staircase, self.name = decay_rate, staircase, name

    def __call__(self, step: Step) -> Expr:
        share = _float(step) / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (ops.floor(share) if self.staircase else share)


class PiecewiseConstantDecay(LearningRateSchedule):
    """learning_rate = values[i], where i is the first with t ≤ boundaries[i]; the last value after all boundaries."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1 or not boundaries:
            raise UsageError(
                f"PiecewiseConstantDecay: {len(boundaries)} boundaries and {len(values)} values, expected at least one "
                "boundary and one value more than there are boundaries"
            )
        self.boundaries, self.values, self.name = list(boundaries), list(values), name

    def __call__(self, step: Step) -> Expr:
        value = _float(self.values[-1])
        for boundary, earlier in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            value = ops.where(_float(step) <= boundary, _float(earlier), value)
        return value


class PolynomialDecay(LearningRateSchedule):
    """learning_rate = end + (initial - end)·(1 - min(t, n) / n)^power, with n = decay_steps.

    cycle  instead of staying at the end, goes on with the next multiple of decay_steps for n
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, _positive("decay_steps", decay_steps)
        self.end_learning_rate, self.power, self.cycle, self.name = end_learning_rate, power, cycle, name

    def __call__(self, step: Step) -> Expr:
        t = _float(step)
        if self.cycle:
            left = 1 - t / (self.decay_steps * ops.maximum(ops.ceil(t / self.decay_steps), 1.0))
        else:
            left = 1 - ops.minimum(t, float(self.decay_steps)) / self.decay_steps
        fall = self.initial_learning_rate - self.end_learning_rate
        return self.end_learning_rate + fall * (left if self.power == 1 else left**self.power)


class InverseTimeDecay(LearningRateSchedule):
    """learning_rate = initial_learning_rate / (1 + decay_rate·t / decay_steps); t / n is rounded down if staircase."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, _positive("decay_steps", decay_steps)
        self.decay_rate, self.staircase, self.name = decay_rate, staircase, name

    def __call__(self, step: Step) -> Expr:
        share = _float(step) / self.decay_steps
        return self.initial_learning_rate / (1 + (ops.floor(share) if self.staircase else share) * self.decay_rate)


class CosineDecay(LearningRateSchedule):
    """learning_rate = top·(alpha + (1 - alpha)·(1 + cos(π·min(t, n) / n)) / 2), with n = decay_steps.

    top            initial_learning_rate, or with a warm-up its target
    warmup_target  first goes from initial_learning_rate to this on a line, in `warmup_steps` steps; t counts from there
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, _positive("decay_steps", decay_steps)
        self.alpha, self.name, self.warmup_target, self.warmup_steps = alpha, name, warmup_target, warmup_steps

    def __call__(self, step: Step) -> Expr:
        t, start = _float(step), self.initial_learning_rate
        if self.warmup_target is None:
            return self._decay(t, start)
        decay = self._decay(t - self.warmup_steps, self.warmup_target)
        if not self.warmup_steps:
            return decay
        rise = (self.warmup_target - start) * t / self.warmup_steps
        return ops.where(t < self.warmup_steps, start + rise if start else rise, decay)

    def _decay(self, t: Expr, top: float) -> Expr:
        wave = 1 + ops.cos(_pi() * ops.minimum(t, float(self.decay_steps)) / self.decay_steps)
        return _between(top, self.alpha, wave)


class CosineDecayRestarts(LearningRateSchedule):
    """learning_rate = initial·(alpha + (1 - alpha)·mⁱ·(1 + cos(π·s)) / 2), where s goes from 0 to 1 in each period.

    The first period has `first_decay_steps` steps; after i restarts it is t_mul^i times as long, and mⁱ is m_mul^i.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = _positive("first_decay_steps", first_decay_steps)
        self.t_mul, self.m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name

    def __call__(self, step: Step) -> Expr:
        periods, growth = _float(step) / self.first_decay_steps, self.t_mul - 1
        if growth == 0:
            restarts = ops.name("i", ops.floor(periods))
            share = _pi() * (periods - restarts)
        else:
            restarts = ops.name("i", restarts_after(periods, self.t_mul))
            length = self.t_mul**restarts
            over = length - 1 if growth == 1 else (length - 1) / growth
            share = _pi() * (periods - over) / length
        wave = 1 + ops.cos(share)
        return _between(
            self.initial_learning_rate, self.alpha, wave if self.m_mul == 1 else self.m_mul**restarts * wave
        )


def _float(value: Step) -> Expr:
    return ops.constant(value, "float64")


def _pi() -> Expr:
    return ops.name("pi", _float(math.pi))


def _between(top: float, alpha: float, wave: Expr) -> Expr:
    """From `top` where the wave is 2 down to alpha·top where it is 0."""
    return top * (alpha + (1 - alpha) * wave / 2) if alpha else top * wave / 2


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise UsageError(f"{name} is {value}, expected above 0")
    return value
