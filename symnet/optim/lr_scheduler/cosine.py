"""Cosine annealing (Loshchilov, Hutter 2017, arXiv:1608.03983): one fall, restarts, the end of a training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from symnet import ops
from symnet.errors import UsageError
from symnet.expr.node import Expr
from symnet.optim.lr_scheduler.base import LRScheduler
from symnet.optim.lr_scheduler.groups import Rate, each_group, groups_of

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["SWALR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts"]

_ROUNDING = 1e-11


class CosineAnnealingLR(LRScheduler):
    """lr = η + (lr₀ - η)·(1 + cos(π·t / T)) / 2, with η = eta_min and T = T_max.

    Each value is computed from the one before: (lr - η) is multiplied by the quotient of successive 1 + cos(…).
    """

    def __init__(self, optimizer: Program, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if not T_max > 0:
            raise UsageError(f"CosineAnnealingLR: T_max is {T_max}, expected above 0")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        t, period = self.last_epoch, self.T_max
        if self._is_initial:
            return self.lrs
        if self._step_count == 1 and t > 0:
            return [self.at(t, base) for base in self.base_lrs]
        if (t - 1 - period) % (2 * period) == 0:  # the value before was eta_min: there is no quotient
            rise = (1 - math.cos(math.pi / period)) / 2
            return [lr + (base - self.eta_min) * rise for base, lr in zip(self.base_lrs, self.lrs, strict=True)]
        quotient = (1 + math.cos(math.pi * t / period)) / (1 + math.cos(math.pi * (t - 1) / period))
        return [quotient * (lr - self.eta_min) + self.eta_min for lr in self.lrs]

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        return _annealed(lr, self.eta_min, t, self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = η + (lr₀ - η)·(1 + cos(π·t′ / T)) / 2, where t′ counts the steps since the last restart.

    The first period T is T_0; at each restart it is multiplied by T_mult. η is eta_min.
    """

    def __init__(
        self, optimizer: Program, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise UsageError(f"CosineAnnealingWarmRestarts: {name} is {value!r}, expected a positive whole number")
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        self.T_i: int = T_0
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        fall = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (lr - self.eta_min) * fall for lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the next learning rate, or jump to `epoch`, which may be a fraction: `step(epoch + batch / batches)`."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
            self.last_epoch += 1
        elif epoch < 0:
            raise UsageError(f"CosineAnnealingWarmRestarts: step({epoch}) is before the first step, 0")
        else:
            self._jump(epoch)
            self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())

    def _values_at(self, epoch: float) -> list[Rate]:
        return self.get_lr()

    def _jump(self, epoch: float) -> None:
        first, factor = self.T_0, self.T_mult
        if epoch < first:
            self.T_i, self.T_cur = first, epoch
        elif factor == 1:
            self.T_cur = epoch % first
        else:
            restarts = int(math.log(epoch / first * (factor - 1) + 1, factor))
            self.T_cur = epoch - first * (factor**restarts - 1) / (factor - 1)
            self.T_i = first * factor**restarts

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        if self.T_mult == 1:
            return _annealed(lr, self.eta_min, ops.mod(t, float(self.T_0)), self.T_0)
        first, factor = float(self.T_0), float(self.T_mult)
        restarts = ops.name("n", restarts_after(t / first, factor))
        begun = first / (factor - 1) * (factor**restarts - 1)
        return _annealed(lr, self.eta_min, t - begun, first * factor**restarts)


class SWALR(LRScheduler):
    """Anneals from the present learning rate to `swa_lr`, and stays there: the end of a training with averaged weights.

    lr = lr_swa·α(t) + lr₀·(1 - α(t)), with α = (1 - cos(π·t / n)) / 2, or t / n for the strategy "linear", up to
    n = anneal_epochs (Izmailov et al. 2018, arXiv:1803.05407)

    swa_lr  one number, or a list with one for each group
    """

    def __init__(
        self,
        optimizer: Program,
        swa_lr: Rate | list[Rate],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        groups = groups_of(optimizer, "SWALR")
        for group, lr in zip(groups, each_group("swa_lr", swa_lr, groups, "SWALR"), strict=True):
            group.notes["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise UsageError(f"SWALR: anneal_strategy is {anneal_strategy!r}, expected 'cos' or 'linear'")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise UsageError(f"SWALR: anneal_epochs is {anneal_epochs!r}, expected a whole number from 0")
        self.anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def formula(self) -> Expr:
        t, lr = ops.input("t", (), "float64"), ops.input("lr_0", (), "float64")
        if not self.anneal_epochs:
            return ops.constant(float(np.ravel(self._groups[0].notes["swa_lr"])[0]), "float64")
        share = ops.minimum(t, float(max(1, self.anneal_epochs))) / float(max(1, self.anneal_epochs))
        pi = ops.name("pi", ops.constant(math.pi, "float64"))
        alpha = ops.name("alpha", share if self.anneal_strategy == "linear" else (1 - ops.cos(pi * share)) / 2)
        return alpha * float(np.ravel(self._groups[0].notes["swa_lr"])[0]) + (1 - alpha) * lr

    def _alpha(self, step: int) -> float:
        share = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return share if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * share)) / 2

    def get_lr(self) -> list[Rate]:
        step = self._step_count - 1 if self.anneal_epochs else max(1, self._step_count - 1)
        before, alpha = self._alpha(step - 1), self._alpha(step)
        values: list[Rate] = []
        for group in self._groups:
            target = group.notes["swa_lr"]
            start = target if before == 1 else (group.lr - before * target) / (1 - before)
            values.append(target * alpha + start * (1 - alpha))
        return values


def restarts_after(periods: Expr, factor: float) -> Expr:
    """How many periods are over after so many first periods, when each is `factor` times as long as the one before.

    At a restart the quotient of the logarithms is a whole number, up to rounding; what is added lifts it onto that.
    """
    grown = 1 + (periods if factor == 2 else (factor - 1) * periods)
    return ops.floor(ops.log(grown) / ops.log(ops.constant(factor, "float64")) + _ROUNDING)


def _annealed(lr: Expr, lowest: float, step: Expr, period: float | Expr) -> Expr:
    """lowest + (lr - lowest)·(1 + cos(π·step / period)) / 2."""
    pi = ops.name("pi", ops.constant(math.pi, "float64"))
    wave = 1 + ops.cos(pi * step / period)
    return lowest + (lr - lowest) * wave / 2 if lowest else lr * wave / 2
