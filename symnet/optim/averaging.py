"""Gradient descent whose answer is the mean of the points it passed: ASGD."""

from __future__ import annotations

from typing import ClassVar

from symnet import ops
from symnet.expr.node import Expr
from symnet.optim.base import Limits, Number, Optimizer
from symnet.optim.groups import Params
from symnet.optim.state import State

__all__ = ["ASGD"]


class ASGD(Optimizer):
    """p ← (1 - lambd·ηₜ)·p - ηₜ·g, with ηₜ₊₁ = lr / (1 + lambd·lr·t)^alpha and η₁ = lr.

    The answer is the mean of the p after step t0, in `prog.buffers["NAME.ax"]`: ax ← ax + μₜ·(p - ax) with
    μₜ₊₁ = 1 / max(1, t - t0) and μ₁ = 1; before t0 it is p. A new lr has its effect one step later, in the next η.

    weight_decay  adds weight_decay·p to g
    maximize      climbs instead of descending

    Source: Polyak, Juditsky, "Acceleration of stochastic approximation by averaging", 1992; Xu, arXiv 1107.2490.
    """

    limits: ClassVar[Limits] = {"lr": "[0, ∞)", "weight_decay": "[0, ∞)"}
    lr: Expr
    lambd: Expr
    alpha: Expr
    t0: Expr
    weight_decay: Expr
    maximize: bool

    def __init__(
        self,
        params: Params = None,
        lr: Number = 1e-2,
        lambd: Number = 1e-4,
        alpha: Number = 0.75,
        t0: Number = 1e6,
        weight_decay: Number = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, maximize=bool(maximize)
        )

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        g = (-g if self.maximize else g) + self.weight_decay * p
        for name in ("eta", "mu"):
            s.declare(name, shape=(), dtype="float64")
        first = ops.equal(t, 1.0)
        eta, mu = ops.where(first, self.lr, s.eta), ops.where(first, 1.0, s.mu)
        s.eta = self.lr / (1.0 + self.lambd * self.lr * t) ** self.alpha
        s.mu = 1.0 / ops.maximum(1.0, t - self.t0)
        new = (1.0 - self.lambd * eta) * p - eta * g
        s.ax = ops.where(ops.equal(mu, 1.0), new, s.ax + mu * (new - s.ax))
        return new
