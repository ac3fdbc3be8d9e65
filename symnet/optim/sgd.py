"""Stochastic gradient descent."""

from __future__ import annotations

from typing import ClassVar

from symnet import ops
from symnet.errors import UsageError
from symnet.expr.node import Expr
from symnet.optim.base import Limits, Number, Optimizer
from symnet.optim.groups import Params
from symnet.optim.state import State

__all__ = ["SGD"]


class SGD(Optimizer):
    """p ← p - lr·v with v ← momentum·v + (1 - dampening)·g; the first v is g.

    weight_decay  adds weight_decay·p to g
    nesterov      steps along g + momentum·v instead of v
    maximize      climbs instead of descending

    Source: Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum in deep learning",
    2013, with the velocity not scaled by lr, as in torch.optim.SGD.
    """

    limits: ClassVar[Limits] = {"lr": "[0, ∞)", "momentum": "[0, ∞)", "weight_decay": "[0, ∞)"}
    lr: Expr
    momentum: Expr
    dampening: Expr
    weight_decay: Expr
    nesterov: bool
    maximize: bool

    def __init__(
        self,
        params: Params = None,
        lr: Number = 1e-3,
        momentum: Number = 0,
        dampening: Number = 0,
        weight_decay: Number = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=bool(nesterov),
            maximize=bool(maximize),
        )

    def check(self) -> None:
        if self.nesterov and (not self._used("momentum") or self._used("dampening")):
            raise UsageError("SGD: nesterov needs a momentum above 0 and no dampening")

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        g = (-g if self.maximize else g) + self.weight_decay * p
        if self._used("momentum"):
            new = ops.where(ops.equal(t, 1.0), 1.0, 1.0 - self.dampening) * g if self._used("dampening") else g
            s.v = self.momentum * s.v + new
            g = g + self.momentum * s.v if self.nesterov else s.v
        return p - self.lr * g
