"""Steps that follow the sign of the gradient: Rprop, Lion."""

from __future__ import annotations

from typing import ClassVar

from symnet import ops
from symnet.expr.node import Expr
from symnet.optim.base import Limits, Number, Optimizer
from symnet.optim.groups import Params
from symnet.optim.state import State

__all__ = ["Lion", "Rprop"]


class Rprop(Optimizer):
    """p ← p - sign(g)·η, where each element's step size η grows by etas[1] while its gradient keeps its sign.

    Where the sign changed, η shrinks by etas[0], the step is left out, and so is the next comparison. The step sizes
    start from lr (which has no effect after the first step) and stay within `step_sizes`.

    maximize  climbs instead of descending

    Source: Riedmiller, Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm",
    1993, in the variant iRprop⁻ (Igel, Hüsken, 2000), for whole batches.
    """

    limits: ClassVar[Limits] = {"lr": "[0, ∞)", "etas": ("(0, 1)", "(1, ∞)"), "step_sizes": ("[0, ∞]", "[0, ∞]")}
    lr: Expr
    etas: tuple[Expr, Expr]
    step_sizes: tuple[Expr, Expr]
    maximize: bool

    def __init__(
        self,
        params: Params = None,
        lr: Number = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, etas=etas, step_sizes=step_sizes, maximize=bool(maximize))

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        g = -g if self.maximize else g
        (shrink, grow), (smallest, largest) = self.etas, self.step_sizes
        agreement = g * s.before
        factor = ops.where(agreement > 0, grow, ops.where(agreement < 0, shrink, 1.0))
        size = ops.where(ops.equal(t, 1.0), self.lr, s.size)
        s.size = ops.minimum(ops.maximum(size * factor, smallest), largest)
        s.before = ops.where(agreement < 0, 0.0, g)
        return p - ops.sign(s.before) * s.size


class Lion(Optimizer):
    """p ← (1 - lr·weight_decay)·p - lr·sign(β₁·m + (1 - β₁)·g), and then m ← β₂·m + (1 - β₂)·g.

    maximize  climbs instead of descending

    Source: Chen et al., "Symbolic discovery of optimization algorithms", arXiv 2302.06675, algorithm 2.
    """

    limits: ClassVar[Limits] = {"lr": "[0, ∞)", "betas": ("[0, 1)", "[0, 1)"), "weight_decay": "[0, ∞)"}
    lr: Expr
    betas: tuple[Expr, Expr]
    weight_decay: Expr
    maximize: bool

    def __init__(
        self,
        params: Params = None,
        lr: Number = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: Number = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, weight_decay=weight_decay, maximize=bool(maximize))

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        g = -g if self.maximize else g
        beta1, beta2 = self.betas
        direction = ops.sign(beta1 * s.m + (1.0 - beta1) * g)
        s.m = beta2 * s.m + (1.0 - beta2) * g
        return (1.0 - self.lr * self.weight_decay) * p - self.lr * direction
