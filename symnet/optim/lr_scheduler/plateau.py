"""Lower the learning rate when a figure stops getting better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, SupportsFloat

import numpy as np

from symnet import ops
from symnet.errors import UsageError
from symnet.expr.node import Expr
from symnet.optim.lr_scheduler.base import LRScheduler
from symnet.optim.lr_scheduler.groups import Rate, each_group, groups_of

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """lr ← max(lr·factor, min_lr) once the figure given to `step` was not better for more than `patience` steps.

    mode            "min": smaller is better; "max": larger
    factor          below 1
    threshold       how much better counts: with threshold_mode "rel" the figure must be below best·(1 - threshold),
                    with "abs" below best - threshold; for "max" above best·(1 + threshold), best + threshold
    cooldown        how many steps after a change are not counted
    min_lr          a number, or a list with one for each group
    eps             a change smaller than this is not made
    """

    def __init__(
        self,
        optimizer: Program,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: Rate | Sequence[Rate] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise UsageError(f"ReduceLROnPlateau: factor is {factor}, expected below 1")
        if mode not in ("min", "max"):
            raise UsageError(f"ReduceLROnPlateau: mode is {mode!r}, expected 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise UsageError(f"ReduceLROnPlateau: threshold_mode is {threshold_mode!r}, expected 'rel' or 'abs'")
        self.optimizer, self._groups = optimizer, groups_of(optimizer, "ReduceLROnPlateau")
        self.min_lrs = each_group("min_lr", min_lr, self._groups, "ReduceLROnPlateau")
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown, self.eps = threshold, threshold_mode, cooldown, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = self.num_bad_epochs = self.last_epoch = 0
        self._last_lr = self.lrs

    def recurrence(self, t: Expr, lr: Expr) -> Expr:
        bad = ops.input("steps without a better figure", (), "float64")
        return ops.where(bad > self.patience, ops.maximum(self.factor * lr, float(np.max(self.min_lrs[0]))), lr)

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take note of the figure (a validation loss, say); `epoch` is the number of this step, by default the next."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self.lrs

    @property
    def in_cooldown(self) -> bool:
        """Whether the steps after a change are still not counted."""
        return self.cooldown_counter > 0

    def _is_better(self, current: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        bound = self.best * (1 + sign * self.threshold) if self.threshold_mode == "rel" else (
            self.best + sign * self.threshold
        )  # fmt: skip
        return current < bound if self.mode == "min" else current > bound

    def _reduce(self) -> None:
        for group, lowest in zip(self._groups, self.min_lrs, strict=True):
            new = np.maximum(group.lr * self.factor, lowest)
            group.lr = np.where(group.lr - new > self.eps, new, group.lr)
