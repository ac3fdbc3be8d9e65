"""The Adam family in Keras's forms: Adam, AdamW, Adamax, Nadam, Lamb, and Lion."""

from __future__ import annotations

from typing import ClassVar

from symnet import ops
from symnet.errors import UsageError
from symnet.expr.node import Expr
from symnet.keras.optimizers.base import KerasOptimizer, signature
from symnet.optim.base import Limits
from symnet.optim.state import State

__all__ = ["Adam", "AdamW", "Adamax", "Lamb", "Lion", "Nadam"]

_LIMITS: Limits = {**KerasOptimizer.limits, "beta_1": "[0, 1)", "beta_2": "[0, 1)", "epsilon": "[0, ∞)"}


class _Moments(KerasOptimizer):
    """m ← β₁·m + (1 - β₁)·g and v ← β₂·v + (1 - β₂)·g²."""

    limits: ClassVar[Limits] = _LIMITS
    beta_1: Expr
    beta_2: Expr
    epsilon: Expr

    def _moments(self, g: Expr, s: State) -> tuple[Expr, Expr]:
        s.m = self.beta_1 * s.m + (1.0 - self.beta_1) * g
        s.v = self.beta_2 * s.v + (1.0 - self.beta_2) * ops.square(g)
        return s.m, s.v


class Adam(_Moments):
    """p ← p - α·m / (√v + epsilon), with α = learning_rate·√(1 - β₂ᵗ) / (1 - β₁ᵗ).

    m ← β₁·m + (1 - β₁)·g and v ← β₂·v + (1 - β₂)·g² are the running means. Unlike in PyTorch's form, epsilon is not
    scaled by the correction of v.

    amsgrad  divides by the largest v so far

    Source: Kingma, Ba, "Adam: a method for stochastic optimization", arXiv 1412.6980, the last lines of section 2.
    """

    arguments = signature(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False)
    amsgrad: bool

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        m, v = self._moments(g, s)
        if self.amsgrad:
            s.v_max = v = ops.maximum(s.v_max, v)
        size = self.learning_rate * ops.sqrt(1.0 - self.beta_2**t) / (1.0 - self.beta_1**t)
        return p - size * m / (ops.sqrt(v) + self.epsilon)


class AdamW(Adam):
    """Adam with weight decay by default: p ← (1 - learning_rate·weight_decay)·p before each step.

    Source: Loshchilov, Hutter, "Decoupled weight decay regularization", arXiv 1711.05101, algorithm 2.
    """

    arguments = signature(
        learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False
    )

    def check(self) -> None:
        if self.weight_decay is None:
            raise UsageError("AdamW: weight_decay is None, expected a number; without decay, use Adam")


class Adamax(KerasOptimizer):
    """p ← p - learning_rate / (1 - β₁ᵗ)·m / (u + epsilon), with u ← max(β₂·u, |g|) and m ← β₁·m + (1 - β₁)·g.

    Source: Kingma, Ba, "Adam: a method for stochastic optimization", arXiv 1412.6980, algorithm 2.
    """

    arguments = signature(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7)
    limits: ClassVar[Limits] = _LIMITS
    beta_1: Expr
    beta_2: Expr
    epsilon: Expr

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        s.m = self.beta_1 * s.m + (1.0 - self.beta_1) * g
        s.u = ops.maximum(self.beta_2 * s.u, abs(g))
        return p - self.learning_rate / (1.0 - self.beta_1**t) * s.m / (s.u + self.epsilon)


class Nadam(_Moments):
    """Adam with Nesterov's momentum: p ← p - lr·((1 - μₜ)·g / (1 - Π) + μₜ₊₁·m / (1 - Π·μₜ₊₁)) / (√v̂ + epsilon).

    μₜ = β₁·(1 - 0.96ᵗ / 2) grows towards β₁, Π = μ₁·…·μₜ, and v̂ = v / (1 - β₂ᵗ).

    Source: Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    arguments = signature(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7)

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        m, v = self._moments(g, s)
        mu, following = self._momentum(t), self._momentum(t + 1.0)
        s.declare("mu_product", init="ones()", shape=(), dtype="float64")
        s.mu_product = s.mu_product * mu
        now = self.learning_rate * (1.0 - mu) / (1.0 - s.mu_product)
        ahead = self.learning_rate * following / (1.0 - s.mu_product * following)
        return p - (now * g + ahead * m) / (ops.sqrt(v) * ops.rsqrt(1.0 - self.beta_2**t) + self.epsilon)

    def _momentum(self, t: Expr) -> Expr:
        return self.beta_1 * (1.0 - 0.5 * 0.96**t)


class Lamb(_Moments):
    """p ← p - learning_rate·‖p‖ / ‖u‖·u, with u = m̂ / (√v̂ + epsilon); where a norm is 0 their quotient counts as 1.

    m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ) as in Adam.

    Source: You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", arXiv 1904.00962.
    """

    arguments = signature(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7)

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        m, v = self._moments(g, s)
        spread = ops.sqrt(v) * ops.rsqrt(1.0 - self.beta_2**t) + self.epsilon
        u = m * (1.0 / (1.0 - self.beta_1**t)) / spread
        length, step = ops.sqrt(ops.sum(ops.square(p))), ops.sqrt(ops.sum(ops.square(u)))
        trust = ops.where(ops.logical_and(length > 0, step > 0), length / step, 1.0)
        return p - trust * self.learning_rate * u


class Lion(KerasOptimizer):
    """p ← p - learning_rate·sign(β₁·m + (1 - β₁)·g), and then m ← β₂·m + (1 - β₂)·g.

    Source: Chen et al., "Symbolic discovery of optimization algorithms", arXiv 2302.06675, algorithm 2.
    """

    arguments = signature(learning_rate=0.001, beta_1=0.9, beta_2=0.99)
    limits: ClassVar[Limits] = {**KerasOptimizer.limits, "beta_1": "(0, 1]", "beta_2": "[0, 1]"}
    beta_1: Expr
    beta_2: Expr

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        direction = ops.sign(self.beta_1 * s.m + (1.0 - self.beta_1) * g)
        s.m = self.beta_2 * s.m + (1.0 - self.beta_2) * g
        return p - self.learning_rate * direction
