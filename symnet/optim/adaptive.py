"""Steps scaled by the size of earlier gradients: Adagrad, RMSprop, Adadelta."""

from __future__ import annotations

from typing import ClassVar

from symnet import ops
from symnet.expr.node import Expr
from symnet.optim.base import Limits, Number, Optimizer
from symnet.optim.groups import Params
from symnet.optim.state import State

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


class Adagrad(Optimizer):
    """p ← p - lr / (1 + (t - 1)·lr_decay)·g / (√sum + eps), with sum ← sum + g².

    initial_accumulator_value  what sum starts from; it is built into the program
    weight_decay               adds weight_decay·p to g
    maximize                   climbs instead of descending

    Source: Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
    JMLR 12, 2011.
    """

    limits: ClassVar[Limits] = dict.fromkeys(
        ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"), "[0, ∞)"
    )
    fixed: ClassVar[frozenset[str]] = frozenset(("initial_accumulator_value",))
    lr: Expr
    lr_decay: Expr
    weight_decay: Expr
    initial_accumulator_value: float
    eps: Expr
    maximize: bool

    def __init__(
        self,
        params: Params = None,
        lr: Number = 1e-2,
        lr_decay: Number = 0,
        weight_decay: Number = 0,
        initial_accumulator_value: float = 0,
        eps: Number = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
            maximize=bool(maximize),
        )

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        g = (-g if self.maximize else g) + self.weight_decay * p
        s.declare("sum", init=f"constant(val={self.initial_accumulator_value!r})")
        s.sum = s.sum + ops.square(g)
        return p - self.lr / (1.0 + (t - 1.0) * self.lr_decay) * g / (ops.sqrt(s.sum) + self.eps)


class RMSprop(Optimizer):
    """p ← p - lr·g / (√v + eps), with v ← α·v + (1 - α)·g².

    momentum      steps along buf ← momentum·buf + g / (√v + eps) instead; a momentum of 0 is left out of the formula
    centered      divides by √(v - a²) + eps, where a ← α·a + (1 - α)·g: by the standard deviation
    weight_decay  adds weight_decay·p to g
    maximize      climbs instead of descending

    Source: Tieleman, Hinton, "Lecture 6.5: rmsprop", Neural networks for machine learning, 2012; centered: Graves,
    arXiv 1308.0850.
    """

    limits: ClassVar[Limits] = dict.fromkeys(("lr", "alpha", "eps", "weight_decay", "momentum"), "[0, ∞)")
    lr: Expr
    alpha: Expr
    eps: Expr
    weight_decay: Expr
    momentum: Expr
    centered: bool
    maximize: bool

    def __init__(
        self,
        params: Params = None,
        lr: Number = 1e-2,
        alpha: Number = 0.99,
        eps: Number = 1e-8,
        weight_decay: Number = 0,
        momentum: Number = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=bool(centered),
            maximize=bool(maximize),
        )

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        g = (-g if self.maximize else g) + self.weight_decay * p
        s.v = self.alpha * s.v + (1.0 - self.alpha) * ops.square(g)
        variance = s.v
        if self.centered:
            s.a = self.alpha * s.a + (1.0 - self.alpha) * g
            variance = s.v - ops.square(s.a)
        step = g / (ops.sqrt(variance) + self.eps)
        if self._used("momentum"):
            s.buf = step = self.momentum * s.buf + step
        return p - self.lr * step


class Adadelta(Optimizer):
    """p ← p - lr·Δ, with Δ = √(u + eps) / √(v + eps)·g, v ← ρ·v + (1 - ρ)·g² before and u ← ρ·u + (1 - ρ)·Δ² after it.

    weight_decay  adds weight_decay·p to g
    maximize      climbs instead of descending

    Source: Zeiler, "ADADELTA: an adaptive learning rate method", arXiv 1212.5701, algorithm 1.
    """

    limits: ClassVar[Limits] = {"lr": "[0, ∞)", "rho": "[0, 1]", "eps": "[0, ∞)", "weight_decay": "[0, ∞)"}
    lr: Expr
    rho: Expr
    eps: Expr
    weight_decay: Expr
    maximize: bool

    def __init__(
        self,
        params: Params = None,
        lr: Number = 1.0,
        rho: Number = 0.9,
        eps: Number = 1e-6,
        weight_decay: Number = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=bool(maximize))

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        g = (-g if self.maximize else g) + self.weight_decay * p
        s.v = self.rho * s.v + (1.0 - self.rho) * ops.square(g)
        delta = ops.sqrt(s.u + self.eps) / ops.sqrt(s.v + self.eps) * g
        s.u = self.rho * s.u + (1.0 - self.rho) * ops.square(delta)
        return p - self.lr * delta
