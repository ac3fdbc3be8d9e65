"""Cyclical learning rates and the one-cycle policy.

Leslie Smith, 2017 (arXiv:1506.01186); Smith and Topin, 2018 (arXiv:1708.07120). Both move the momentum against the
learning rate, and their `step` belongs after every batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

import numpy as np

from symnet import ops
from symnet.errors import Unsupported, UsageError
from symnet.expr.node import Expr
from symnet.optim.lr_scheduler.base import LRScheduler
from symnet.optim.lr_scheduler.groups import Group, Rate, each_group, each_momentum, groups_of

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["CyclicLR", "OneCycleLR"]

Numbers: TypeAlias = "Rate | Sequence[Rate]"


class CyclicLR(LRScheduler):
    """lr = base_lr + (max_lr - base_lr)·h·s: up in step_size_up steps, down in step_size_down, and again.

    h rises from 0 to 1 and falls back on a line in every cycle; the momentum is max_momentum - (max_momentum -
    base_momentum)·h·s.

    mode            s: "triangular" 1, "triangular2" 1 / 2^(cycle - 1), "exp_range" gamma^t
    scale_fn        s as a function of one's own; `mode` is then not used
    scale_mode      what scale_fn is given: "cycle", the number of the cycle from 1, or "iterations", t
    cycle_momentum  whether the momentum (of Adam: the first of its betas) is moved as well
    base_lr, max_lr, base_momentum, max_momentum   a number, or a list with one for each group
    """

    _functions: ClassVar[tuple[str, ...]] = ("_scale_fn_custom",)

    def __init__(
        self,
        optimizer: Program,
        base_lr: Numbers,
        max_lr: Numbers,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Numbers = 0.8,
        max_momentum: Numbers = 0.9,
        last_epoch: int = -1,
    ) -> None:
        groups = groups_of(optimizer, "CyclicLR")
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise UsageError(f"CyclicLR: mode is {mode!r}, expected 'triangular', 'triangular2' or 'exp_range'")
        if scale_mode not in ("cycle", "iterations"):
            raise UsageError(f"CyclicLR: scale_mode is {scale_mode!r}, expected 'cycle' or 'iterations'")
        base_lrs = each_group("base_lr", base_lr, groups, "CyclicLR")
        self.max_lrs = each_group("max_lr", max_lr, groups, "CyclicLR")
        self.step_size_up = float(step_size_up)
        self.step_size_down = self.step_size_up if step_size_down is None else float(step_size_down)
        if not (self.step_size_up > 0 and self.step_size_down >= 0):
            raise UsageError(
                f"CyclicLR: step_size_up is {step_size_up} and step_size_down {step_size_down}, expected above 0"
            )
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if last_epoch == -1:
            for group, lr in zip(groups, base_lrs, strict=True):
                group.lr = lr
        if cycle_momentum:
            self.base_momentums = each_momentum("base_momentum", base_momentum, groups, "CyclicLR")
            self.max_momentums = each_momentum("max_momentum", max_momentum, groups, "CyclicLR")
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    @property
    def total_size(self) -> float:
        """How many steps a cycle has."""
        return self.step_size_up + self.step_size_down

    @property
    def step_ratio(self) -> float:
        """The share of a cycle in which the learning rate rises."""
        return self.step_size_up / self.total_size

    def get_lr(self) -> list[Rate]:
        """The learning rates at step `last_epoch`; sets the momenta, too."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self._scale(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self._groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in bounds:
                group.momentum = high - (high - low) * height * scale
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def _scale(self, x: float) -> float:
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return float(self.gamma**x)
        return 1.0 if self.mode == "triangular" else 1 / 2.0 ** (x - 1)

    def _values_at(self, epoch: float) -> list[Rate]:
        return self.get_lr()

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        """The learning rate of the first group at step `t`; the bounds are this scheduler's own, not `lr`."""
        if self._scale_fn_custom is not None:
            raise Unsupported("CyclicLR: a schedule with a scale_fn of one's own has no formula to show")
        up, down, total = self.step_size_up, self.step_size_down, self.total_size
        s = ops.name("s", ops.mod(t, total))
        low, high = self.base_lrs[0], self.max_lrs[0]
        rise = (high - low) * (ops.where(s <= up, s / up, (total - s) / down) if down else s / up)
        if self.mode != "triangular":
            rise = rise * (self.gamma**t if self.mode == "exp_range" else 0.5 ** ops.floor(t / total))
        return low + rise


class _Phase(NamedTuple):
    """Part of a cycle: up to which step, and between which of the group's notes learning rate and momentum move."""

    end: float
    lr: tuple[str, str]
    momentum: tuple[str, str]


class OneCycleLR(LRScheduler):
    """From lr₀ = max_lr / div_factor up to max_lr, then down to lr₀ / final_div_factor, in `total_steps` steps.

    total_steps      or epochs and steps_per_epoch, whose product it is
    pct_start        the share of the steps in which the learning rate rises
    anneal_strategy  "cos": from a to b by b + (a - b)·(1 + cos(π·share)) / 2, or "linear"
    cycle_momentum   moves the momentum (of Adam: the first of its betas) from max_momentum to base_momentum, and back
    three_phase      down to lr₀ as fast as up, then on to lr₀ / final_div_factor
    max_lr, base_momentum, max_momentum   a number, or a list with one for each group
    """

    def __init__(
        self,
        optimizer: Program,
        max_lr: Numbers,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Numbers = 0.85,
        max_momentum: Numbers = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        groups = groups_of(optimizer, "OneCycleLR")
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if not 0 <= pct_start <= 1:
            raise UsageError(f"OneCycleLR: pct_start is {pct_start}, expected a share from 0 to 1")
        if anneal_strategy not in ("cos", "linear"):
            raise UsageError(f"OneCycleLR: anneal_strategy is {anneal_strategy!r}, expected 'cos' or 'linear'")
        self.anneal_strategy, self.cycle_momentum, self.pct_start = anneal_strategy, cycle_momentum, pct_start
        self.three_phase = three_phase
        tops = each_group("max_lr", max_lr, groups, "OneCycleLR")
        if last_epoch == -1:
            for group, top in zip(groups, tops, strict=True):
                start = top / div_factor
                group.notes |= {"initial_lr": start, "max_lr": top, "min_lr": start / final_div_factor}
        if cycle_momentum and last_epoch == -1:
            lows = each_momentum("base_momentum", base_momentum, groups, "OneCycleLR")
            highs = each_momentum("max_momentum", max_momentum, groups, "OneCycleLR")
            for group, low, high in zip(groups, lows, highs, strict=True):
                group.notes |= {"base_momentum": low, "max_momentum": high}
                group.momentum = high
        super().__init__(optimizer, last_epoch)

    def _phases(self) -> list[_Phase]:
        rise, last = self.pct_start * self.total_steps, self.total_steps - 1
        up = _Phase(rise - 1, ("initial_lr", "max_lr"), ("max_momentum", "base_momentum"))
        if not self.three_phase:
            return [up, _Phase(last, ("max_lr", "min_lr"), ("base_momentum", "max_momentum"))]
        down = _Phase(2 * rise - 2, ("max_lr", "initial_lr"), ("base_momentum", "max_momentum"))
        return [up, down, _Phase(last, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum"))]

    def get_lr(self) -> list[Rate]:
        """The learning rates at step `last_epoch`; sets the momenta, too."""
        step, phases = self.last_epoch, self._phases()
        if step > self.total_steps:
            raise UsageError(f"OneCycleLR: step {step} is beyond the schedule, which has {self.total_steps} steps")
        at = next((i for i, phase in enumerate(phases) if step <= phase.end), len(phases) - 1)
        begin, phase = phases[at - 1].end if at else 0.0, phases[at]
        if phase.end == begin:
            raise UsageError(
                f"OneCycleLR: pct_start={self.pct_start} of {self.total_steps} steps leaves no way between two steps; "
                "choose another share"
            )
        share = (step - begin) / (phase.end - begin)
        if self.cycle_momentum:
            for group in self._groups:
                group.momentum = self._between(group, phase.momentum, share)
        return [self._between(group, phase.lr, share) for group in self._groups]

    def _between(self, group: Group, ends: tuple[str, str], share: float) -> Rate:
        start, end = group.notes[ends[0]], group.notes[ends[1]]
        if self.anneal_strategy == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (1 + math.cos(math.pi * share))

    def _values_at(self, epoch: float) -> list[Rate]:
        return self.get_lr()

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        """The learning rate of the first group at step `t`; the bounds are this scheduler's own, not `lr`."""
        notes, begin, pieces = self._groups[0].notes, 0.0, list[tuple[float, Expr]]()
        for phase in self._phases():
            start, end = notes[phase.lr[0]], notes[phase.lr[1]]
            pieces.append((phase.end, self._curve(start, end, t - begin if begin else t, phase.end - begin)))
            begin = phase.end
        value = pieces[-1][1]
        for end, curve in reversed(pieces[:-1]):
            value = ops.where(t <= end, curve, value)
        return value

    def _curve(self, start: Rate, end: Rate, step: Expr, steps: float) -> Expr:
        """The way from one learning rate to another, written so that no difference is negative."""
        up = bool(np.all(np.greater_equal(end, start)))
        height = end - start if up else start - end
        if self.anneal_strategy == "linear":
            way = height * step / steps
            return start + way if up else start - way
        way = height * (1 + ops.cos(ops.name("pi", ops.constant(math.pi, "float64")) * step / steps)) / 2
        return end - way if up else end + way


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    given = {"total_steps": total_steps} if total_steps is not None else {
        "epochs": epochs, "steps_per_epoch": steps_per_epoch
    }  # fmt: skip
    for name, value in given.items():
        if value is None:
            raise UsageError("OneCycleLR: expected total_steps, or epochs and steps_per_epoch")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError(f"OneCycleLR: {name} is {value!r}, expected a positive whole number")
    return math.prod(value for value in given.values() if value is not None)
