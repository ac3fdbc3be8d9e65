"""Steps scaled by the size of earlier gradients, in Keras's forms: Adagrad, RMSprop, Adadelta, Adafactor."""

from __future__ import annotations

from typing import ClassVar

from symnet import ops
from symnet.errors import Unsupported
from symnet.expr.node import Expr
from symnet.keras.optimizers.base import KerasOptimizer, signature
from symnet.optim.base import Limits
from symnet.optim.state import State

__all__ = ["Adadelta", "Adafactor", "Adagrad", "RMSprop"]


class Adagrad(KerasOptimizer):
    """p ← p - learning_rate·g / √(sum + epsilon), with sum ← sum + g².

    initial_accumulator_value  what sum starts from; it is built into the program

    Source: Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
    JMLR 12, 2011.
    """

    arguments = signature(learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7)
    limits: ClassVar[Limits] = {**KerasOptimizer.limits, "initial_accumulator_value": "[0, ∞)", "epsilon": "[0, ∞)"}
    fixed: ClassVar[frozenset[str]] = KerasOptimizer.fixed | {"initial_accumulator_value"}
    initial_accumulator_value: float
    epsilon: Expr

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        s.declare("sum", init=f"constant(val={self.initial_accumulator_value!r})")
        s.sum = s.sum + ops.square(g)
        return p - self.learning_rate * g / ops.sqrt(s.sum + self.epsilon)


class RMSprop(KerasOptimizer):
    """p ← p - learning_rate·g / √(v + epsilon), with v ← rho·v + (1 - rho)·g².

    momentum  steps along b ← momentum·b + learning_rate·g / √(v + epsilon) instead; 0 is left out of the formula
    centered  divides by √(v - a² + epsilon), where a ← rho·a + (1 - rho)·g: by the standard deviation

    Source: Tieleman, Hinton, "Lecture 6.5: rmsprop", Neural networks for machine learning, 2012; centered: Graves,
    arXiv 1308.0850.
    """

    arguments = signature(learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False)
    limits: ClassVar[Limits] = {
        **KerasOptimizer.limits, "rho": "[0, 1]", "momentum": "[0, 1]", "epsilon": "[0, ∞)"
    }  # fmt: skip
    rho: Expr
    momentum: Expr
    epsilon: Expr
    centered: bool

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        s.v = variance = self.rho * s.v + (1.0 - self.rho) * ops.square(g)
        if self.centered:
            s.a = self.rho * s.a + (1.0 - self.rho) * g
            variance = variance - ops.square(s.a)
        step = self.learning_rate * g / ops.sqrt(variance + self.epsilon)
        if not self._used("momentum"):
            return p - step
        s.b = self.momentum * s.b + step
        return p - s.b


class Adadelta(KerasOptimizer):
    """p ← p - learning_rate·d, with d = √(u + epsilon) / √(v + epsilon)·g and then u ← rho·u + (1 - rho)·d².

    v ← rho·v + (1 - rho)·g², before.

    Source: Zeiler, "ADADELTA: an adaptive learning rate method", arXiv 1212.5701.
    """

    arguments = signature(learning_rate=0.001, rho=0.95, epsilon=1e-7)
    limits: ClassVar[Limits] = {**KerasOptimizer.limits, "rho": "[0, 1]", "epsilon": "[0, ∞)"}
    rho: Expr
    epsilon: Expr

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        s.v = self.rho * s.v + (1.0 - self.rho) * ops.square(g)
        step = ops.sqrt(s.u + self.epsilon) * g / ops.sqrt(s.v + self.epsilon)
        s.u = self.rho * s.u + (1.0 - self.rho) * ops.square(step)
        return p - self.learning_rate * step


class Adafactor(KerasOptimizer):
    """p ← p - α·u / max(1, rms(u) / clip_threshold), with u = g / √v and α = max(epsilon_2, rms(p))·min(lr, 1 / √t).

    v ← (1 - γ)·v + γ·(g² + epsilon_1) with γ = t^beta_2_decay. Of a parameter with two or more axes, only the means
    of v over the last axis (r) and over the one before it (c) are kept, and v = r / mean(r)·c.

    relative_step  Keras computes the same with False, so it is not taken: the smaller of lr and 1 / √t counts always

    Source: Shazeer, Stern, "Adafactor: adaptive learning rates with sublinear memory cost", arXiv 1804.04235.
    """

    arguments = signature(
        learning_rate=0.001, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, clip_threshold=1.0, relative_step=True
    )
    limits: ClassVar[Limits] = {**KerasOptimizer.limits, "epsilon_1": "[0, ∞)", "epsilon_2": "[0, ∞)"}
    beta_2_decay: Expr
    epsilon_1: Expr
    epsilon_2: Expr
    clip_threshold: Expr
    relative_step: bool

    def check(self) -> None:
        if not self.relative_step:
            raise Unsupported("Adafactor: relative_step=False computes what True does, in Keras; leave it out")

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        size = ops.maximum(_rms(p), self.epsilon_2) * ops.minimum(self.learning_rate, ops.rsqrt(t))
        u = g / ops.sqrt(self._spread(g, s, t))
        return p - size * u / ops.maximum(_rms(u) / self.clip_threshold, 1.0)

    def _spread(self, g: Expr, s: State, t: Expr) -> Expr:
        fresh = t**self.beta_2_decay
        square = ops.square(g) + self.epsilon_1
        if len(g.shape) < 2:
            s.v = (1.0 - fresh) * s.v + fresh * square
            return s.v
        s.declare("r", shape=g.shape[:-1])
        s.declare("c", shape=g.shape[:-2] + g.shape[-1:])
        s.r = (1.0 - fresh) * s.r + fresh * ops.mean(square, axis=-1)
        s.c = (1.0 - fresh) * s.c + fresh * ops.mean(square, axis=-2)
        return (s.r / ops.mean(s.r, axis=-1, keepdims=True))[..., None] * s.c[..., None, :]


def _rms(x: Expr) -> Expr:
    return ops.sqrt(ops.mean(ops.square(x)))
