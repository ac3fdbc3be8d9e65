"""Gradient descent in Keras's forms: SGD, Ftrl."""

from __future__ import annotations

from typing import ClassVar

from symnet import ops
from symnet.expr.node import Expr
from symnet.keras.optimizers.base import KerasOptimizer, signature
from symnet.optim.base import Limits
from symnet.optim.state import State

__all__ = ["SGD", "Ftrl"]


class SGD(KerasOptimizer):
    """p ← p + v with v ← momentum·v - learning_rate·g; a momentum of 0 is left out of the formula.

    nesterov  p ← p + momentum·v - learning_rate·g
    """

    arguments = signature(learning_rate=0.01, momentum=0.0, nesterov=False)
    limits: ClassVar[Limits] = {**KerasOptimizer.limits, "momentum": "[0, 1]"}
    momentum: Expr
    nesterov: bool

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        if not self._used("momentum"):
            return p - self.learning_rate * g
        s.v = self.momentum * s.v - self.learning_rate * g
        return p + self.momentum * s.v - self.learning_rate * g if self.nesterov else p + s.v


class Ftrl(KerasOptimizer):
    """Follow the regularized leader: p ← (clip(z, -λ₁, λ₁) - z) / (n^(-a) / lr + 2·λ₂ + β / lr), with a the power.

    z ← z + g + 2·shrinkage·p - (n^(-a) - n₀^(-a)) / lr·p, where n ← n + g² and n₀ is n before.

    learning_rate_power                   a, at most 0
    initial_accumulator_value             what n starts from; it is built into the program
    l1_regularization_strength            λ₁, which makes parameters 0
    l2_regularization_strength            λ₂
    l2_shrinkage_regularization_strength  decays p in the gradient alone, not in n
    beta                                  β

    Source: McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013.
    """

    arguments = signature(
        learning_rate=0.001,
        learning_rate_power=-0.5,
        initial_accumulator_value=0.1,
        l1_regularization_strength=0.0,
        l2_regularization_strength=0.0,
        l2_shrinkage_regularization_strength=0.0,
        beta=0.0,
    )
    limits: ClassVar[Limits] = {
        **KerasOptimizer.limits,
        "learning_rate_power": "(-∞, 0]",
        "initial_accumulator_value": "[0, ∞)",
        "l1_regularization_strength": "[0, ∞)",
        "l2_regularization_strength": "[0, ∞)",
        "l2_shrinkage_regularization_strength": "[0, ∞)",
    }
    fixed: ClassVar[frozenset[str]] = KerasOptimizer.fixed | {"initial_accumulator_value"}
    learning_rate_power: Expr
    initial_accumulator_value: float
    l1_regularization_strength: Expr
    l2_regularization_strength: Expr
    l2_shrinkage_regularization_strength: Expr
    beta: Expr

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        lr, power, l1 = self.learning_rate, -self.learning_rate_power, self.l1_regularization_strength
        s.declare("n", init=f"constant(val={self.initial_accumulator_value!r})")
        before = s.n
        s.n = before + ops.square(g)
        pull = (s.n**power - before**power) / lr
        s.z = s.z + g + 2.0 * self.l2_shrinkage_regularization_strength * p - pull * p
        curvature = s.n**power / lr + 2.0 * self.l2_regularization_strength + self.beta / lr
        return (ops.minimum(ops.maximum(s.z, -l1), l1) - s.z) / curvature
