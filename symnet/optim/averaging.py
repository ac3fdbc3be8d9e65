"""Averages of parameters that a program keeps: ASGD, whose answer they are, and how to read and use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from symnet import ops
from symnet.errors import UsageError
from symnet.expr.node import Expr
from symnet.optim.base import Limits, Number, Optimizer
from symnet.optim.groups import Params
from symnet.optim.state import State

if TYPE_CHECKING:
    from symnet.program.program import Program
    from symnet.runtime.arrays import Array

__all__ = ["ASGD", "averages", "use_averages"]


class ASGD(Optimizer):
    """p ← (1 - lambd·ηₜ)·p - ηₜ·g, with ηₜ₊₁ = lr / (1 + lambd·lr·t)^alpha and η₁ = lr.

    The answer is the mean of the p after step t0, in `prog.buffers["NAME.average"]` (see `sn.optim.averages`):
    average ← average + μₜ·(p - average), with μₜ₊₁ = 1 / max(1, t - t0) and μ₁ = 1; up to step t0 it is p.
    A new lr has its effect one step later, in the next η.

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
        s.average = ops.where(ops.equal(mu, 1.0), new, s.average + mu * (new - s.average))
        return new


_SUFFIX = ".average"


def averages(program: Program) -> dict[str, Array]:
    """The averages that `sn.optim.Averaged` or `sn.optim.ASGD` keeps, by the names of the parameters.

    Before the first step there are none, and the parameters stand for them.
    """
    names = [name.removesuffix(_SUFFIX) for name in program.buffers if name.endswith(_SUFFIX)]
    known = [name for name in names if name in program.parameters]
    if not known:
        raise UsageError(
            "this program keeps no averages; compile it with sn.optim.Averaged(optimizer) or sn.optim.ASGD"
        )
    counter = "average_steps" if "average_steps" in program.buffers else "step"
    if not program.buffers[counter]:
        return {name: program.parameters[name] for name in known}
    return {name: program.buffers[name + _SUFFIX] for name in known}


@contextmanager
def use_averages(program: Program) -> Iterator[None]:
    """Within `with sn.optim.use_averages(prog):` the parameters are their averages; afterwards what they were."""
    kept = {name: program.parameters[name] for name in averages(program)}
    program.load_parameters(averages(program))
    try:
        yield
    finally:
        program.load_parameters(kept)
