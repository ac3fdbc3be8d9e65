"""The Adam family: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from typing import ClassVar

from symnet import ops
from symnet.expr.node import Expr
from symnet.optim.base import Limits, Number, Optimizer
from symnet.optim.groups import Params
from symnet.optim.state import State

__all__ = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]

_LIMITS: Limits = {"lr": "[0, ∞)", "betas": ("[0, 1)", "[0, 1)"), "eps": "[0, ∞)", "weight_decay": "[0, ∞)"}


class _Moments(Optimizer):
    """What the family has in common: m ← β₁·m + (1 - β₁)·g and v ← β₂·v + (1 - β₂)·g², and weight decay."""

    limits: ClassVar[Limits] = _LIMITS
    lr: Expr
    betas: tuple[Expr, Expr]
    eps: Expr
    weight_decay: Expr
    decoupled_weight_decay: bool
    maximize: bool

    def _decayed(self, p: Expr, g: Expr) -> tuple[Expr, Expr]:
        """The parameter and the gradient with weight decay in one of them."""
        g = -g if self.maximize else g
        if self.decoupled_weight_decay:
            return (1.0 - self.lr * self.weight_decay) * p, g
        return p, g + self.weight_decay * p

    def _moments(self, g: Expr, s: State) -> tuple[Expr, Expr]:
        beta1, beta2 = self.betas
        s.m = beta1 * s.m + (1.0 - beta1) * g
        s.v = beta2 * s.v + (1.0 - beta2) * ops.square(g)
        return s.m, s.v


class Adam(_Moments):
    """p ← p - lr·m̂ / (√v̂ + eps), with m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ).

    m ← β₁·m + (1 - β₁)·g and v ← β₂·v + (1 - β₂)·g² are the running means.

    weight_decay            adds weight_decay·p to g; with decoupled_weight_decay it shrinks p instead, as in `AdamW`
    amsgrad                 divides by the largest v so far (Reddi, Kale, Kumar, arXiv 1904.09237)
    maximize                climbs instead of descending

    Source: Kingma, Ba, "Adam: a method for stochastic optimization", arXiv 1412.6980, algorithm 1.
    """

    amsgrad: bool

    def __init__(
        self,
        params: Params = None,
        lr: Number = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-8,
        weight_decay: Number = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=bool(amsgrad),
            maximize=bool(maximize),
            decoupled_weight_decay=bool(decoupled_weight_decay),
        )

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        p, g = self._decayed(p, g)
        m, v = self._moments(g, s)
        if self.amsgrad:
            s.v_max = v = ops.maximum(s.v_max, v)
        beta1, beta2 = self.betas  # what is the same for all elements comes first
        return p - self.lr / (1.0 - beta1**t) * m / (ops.sqrt(v) * ops.rsqrt(1.0 - beta2**t) + self.eps)


class AdamW(Adam):
    """Adam with weight decay taken from the parameter instead of added to the gradient: p ← (1 - lr·weight_decay)·p.

    Source: Loshchilov, Hutter, "Decoupled weight decay regularization", arXiv 1711.05101, algorithm 2.
    """

    def __init__(
        self,
        params: Params = None,
        lr: Number = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-8,
        weight_decay: Number = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


class NAdam(_Moments):
    """Adam with Nesterov's momentum: p ← p - lr·((1 - μₜ)·g / (1 - Π) + μₜ₊₁·m / (1 - Π·μₜ₊₁)) / (√v̂ + eps).

    μₜ = β₁·(1 - 0.96^(t·momentum_decay) / 2) grows towards β₁, and Π = μ₁·…·μₜ.

    weight_decay            adds weight_decay·p to g; with decoupled_weight_decay: p ← (1 - lr·weight_decay)·p
    maximize                climbs instead of descending

    Source: Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    limits: ClassVar[Limits] = {**_LIMITS, "momentum_decay": "[0, ∞)"}
    momentum_decay: Expr

    def __init__(
        self,
        params: Params = None,
        lr: Number = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-8,
        weight_decay: Number = 0,
        momentum_decay: Number = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            momentum_decay=momentum_decay,
            decoupled_weight_decay=bool(decoupled_weight_decay),
            maximize=bool(maximize),
        )

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        p, g = self._decayed(p, g)
        m, v = self._moments(g, s)
        mu, following = self._momentum(t), self._momentum(t + 1.0)
        s.declare("mu_product", init="ones()", shape=(), dtype="float64")
        s.mu_product = s.mu_product * mu
        now = self.lr * (1.0 - mu) / (1.0 - s.mu_product)
        ahead = self.lr * following / (1.0 - s.mu_product * following)
        spread = ops.sqrt(v) * ops.rsqrt(1.0 - self.betas[1] ** t)
        return p - (now * g + ahead * m) / (spread + self.eps)

    def _momentum(self, t: Expr) -> Expr:
        return self.betas[0] * (1.0 - 0.5 * 0.96 ** (t * self.momentum_decay))


class RAdam(_Moments):
    """Adam that waits until v can be trusted: p ← p - lr·m̂·r·√(1 - β₂ᵗ) / (√v + eps) if ρₜ > 5, else p ← p - lr·m̂.

    ρₜ = ρ∞ - 2t·β₂ᵗ / (1 - β₂ᵗ) with ρ∞ = 2 / (1 - β₂) - 1 is how many gradients v averages, and
    r = √((ρₜ - 4)(ρₜ - 2)·ρ∞ / ((ρ∞ - 4)(ρ∞ - 2)·ρₜ)) rectifies its variance.

    weight_decay            adds weight_decay·p to g; with decoupled_weight_decay: p ← (1 - lr·weight_decay)·p
    maximize                climbs instead of descending

    Source: Liu et al., "On the variance of the adaptive learning rate and beyond", arXiv 1908.03265, algorithm 2.
    """

    def __init__(
        self,
        params: Params = None,
        lr: Number = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-8,
        weight_decay: Number = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            decoupled_weight_decay=bool(decoupled_weight_decay),
            maximize=bool(maximize),
        )

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        p, g = self._decayed(p, g)
        m, v = self._moments(g, s)
        beta1, beta2 = self.betas
        size, correction = self.lr / (1.0 - beta1**t), 1.0 - beta2**t
        longest = 2.0 / (1.0 - beta2) - 1.0
        length = longest - 2.0 * t * beta2**t / correction
        rectified = (length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length)
        scale = ops.sqrt(rectified) * ops.sqrt(correction)
        return p - size * m * ops.where(length > 5.0, scale / (ops.sqrt(v) + self.eps), 1.0)


class Adamax(Optimizer):
    """p ← p - lr / (1 - β₁ᵗ)·m / u, with m ← β₁·m + (1 - β₁)·g and u ← max(β₂·u, |g| + eps).

    weight_decay  adds weight_decay·p to g
    maximize      climbs instead of descending

    Source: Kingma, Ba, "Adam: a method for stochastic optimization", arXiv 1412.6980, algorithm 2.
    """

    limits: ClassVar[Limits] = _LIMITS
    lr: Expr
    betas: tuple[Expr, Expr]
    eps: Expr
    weight_decay: Expr
    maximize: bool

    def __init__(
        self,
        params: Params = None,
        lr: Number = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-8,
        weight_decay: Number = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=bool(maximize))

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        beta1, beta2 = self.betas
        g = (-g if self.maximize else g) + self.weight_decay * p
        s.m = beta1 * s.m + (1.0 - beta1) * g
        s.u = ops.maximum(beta2 * s.u, abs(g) + self.eps)
        return p - self.lr / (1.0 - beta1**t) * s.m / s.u
