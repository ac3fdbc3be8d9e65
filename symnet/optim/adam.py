"""Adam and AdamW: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from symnet import ops
from symnet.errors import UsageError
from symnet.expr.node import Expr
from symnet.optim.base import Optimizer, State

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """p ← p - lr·m̂ / (√v̂ + eps), with m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ).

    m ← β₁·m + (1 - β₁)·g and v ← β₂·v + (1 - β₂)·g² are the running means.

    weight_decay  adds weight_decay·p to g
    amsgrad       divides by the largest v so far
    maximize      climbs instead of descending
    """

    lr: Expr
    betas: tuple[Expr, Expr]
    eps: Expr
    weight_decay: Expr
    amsgrad: bool
    maximize: bool

    def __init__(
        self,
        lr: float | Expr = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float | Expr = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise UsageError(f"{type(self).__name__}: betas is {betas!r}, expected two numbers")
        super().__init__(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=bool(amsgrad),
            maximize=bool(maximize),
        )
        for name in ("lr", "eps", "weight_decay"):
            self._require(name, 0.0)
        self._require("betas", 0.0, 1.0)

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        if self.maximize:
            g = -g
        return p - self._step(g + self.weight_decay * p, s, t)

    def _step(self, g: Expr, s: State, t: Expr) -> Expr:
        """lr·m̂ / (√v̂ + eps), with what is the same for all elements worked out first."""
        beta1, beta2 = self.betas
        s.m = beta1 * s.m + (1.0 - beta1) * g
        s.v = beta2 * s.v + (1.0 - beta2) * ops.square(g)
        largest = s.v
        if self.amsgrad:
            s.v_max = largest = ops.maximum(s.v_max, s.v)
        size = self.lr / (1.0 - beta1**t)
        spread = ops.sqrt(largest) * ops.rsqrt(1.0 - beta2**t)
        return size * s.m / (spread + self.eps)


class AdamW(Adam):
    """Adam with weight decay taken from the parameter instead of added to the gradient: p ← (1 - lr·weight_decay)·p."""

    def __init__(
        self,
        lr: float | Expr = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float | Expr = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        if self.maximize:
            g = -g
        return (1.0 - self.lr * self.weight_decay) * p - self._step(g, s, t)
