"""Schedulers made of schedulers: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet import ops
from symnet.errors import DTypeError, Unsupported, UsageError
from symnet.expr.node import Expr
from symnet.optim.lr_scheduler.base import LRScheduler
from symnet.optim.lr_scheduler.groups import groups_of
from symnet.optim.lr_scheduler.plateau import ReduceLROnPlateau

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["ChainedScheduler", "SequentialLR"]

_TRIED = 20
"""Steps at which a scheduler is asked whether it multiplies."""


class _Composed(LRScheduler):
    """A scheduler with parts, whose state holds theirs."""

    _schedulers: list[LRScheduler]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"_schedulers": [part.state_dict() for part in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self._check_state(state_dict)
        states = state_dict["_schedulers"]
        if len(states) != len(self._schedulers):
            raise UsageError(
                f"{type(self).__name__}.load_state_dict: the state is of {len(states)} schedulers, expected "
                f"{len(self._schedulers)}"
            )
        for part, state in zip(self._schedulers, states, strict=True):
            part._check_state(state)
        super().load_state_dict({**state_dict, "_schedulers": self._schedulers})
        for part, state in zip(self._schedulers, states, strict=True):
            part.load_state_dict(state)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._schedulers))})"


class SequentialLR(_Composed):
    """Runs the first scheduler up to the first milestone, then the second from its start, and so on.

    milestones  the steps at which the next scheduler takes over, one fewer than there are schedulers

    Warm-up, then cosine annealing, for 100 epochs:

        warmup = LinearLR(prog, start_factor=0.01, total_iters=5)
        cosine = CosineAnnealingLR(prog, T_max=95)
        scheduler = SequentialLR(prog, [warmup, cosine], milestones=[5])
    """

    def __init__(
        self, optimizer: Program, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        _check_parts("SequentialLR", schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise UsageError(
                f"SequentialLR: {len(schedulers)} schedulers and {len(milestones)} milestones, expected "
                f"{len(schedulers) - 1} milestones: one between each two schedulers"
            )
        for i, part in enumerate(schedulers):
            if i and isinstance(part, _Composed):
                raise UsageError(
                    f"SequentialLR: {type(part).__name__} (number {i}) can only be the first in the list: it cannot "
                    "begin anew in the middle of a run"
                )
        self.optimizer, self._groups = optimizer, groups_of(optimizer, "SequentialLR")
        self._schedulers, self._milestones = list(schedulers), list(milestones)
        self.last_epoch = last_epoch + 1
        for group in self._groups:
            group.lr = group.notes["initial_lr"]
        self._undo_first_steps()
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def _undo_first_steps(self) -> None:
        """Every scheduler made its first step when it was made; here they make it when their turn comes."""
        pending: list[LRScheduler] = [self]
        while pending:
            scheduler = pending.pop()
            if isinstance(scheduler, _Composed):
                pending.extend(scheduler._schedulers)
            else:
                scheduler.last_epoch -= 1

    def step(self, epoch: float | None = None) -> None:
        """Set the next learning rate."""
        _no_jump(self, epoch)
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        if isinstance(self._schedulers[0], _Composed):
            inner = type(self._schedulers[0]).__name__
            raise Unsupported(f"SequentialLR: a {inner} in it begins a step early, as PyTorch's; there is no formula")
        starts = [0, *self._milestones]
        forms = [part.closed_form(t - start if start else t, lr)
                 for part, start in zip(self._schedulers, starts, strict=True)]  # fmt: skip
        value = forms[-1]
        for milestone, form in zip(reversed(self._milestones), reversed(forms[:-1]), strict=True):
            value = ops.where(t < milestone, form, value)
        return value


class ChainedScheduler(_Composed):
    """Steps all schedulers at once: each changes the learning rate that the one before it left."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Program | None = None) -> None:
        _check_parts("ChainedScheduler", schedulers, optimizer)
        self._schedulers, self.optimizer = list(schedulers), schedulers[0].optimizer
        self._groups = schedulers[0]._groups
        self._last_lr = self.lrs

    def step(self, epoch: float | None = None) -> None:
        """Step every scheduler."""
        _no_jump(self, epoch)
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self.lrs

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        """The closed forms inside each other, if each multiplies the learning rate by a factor."""
        for part in self._schedulers:
            twice, once = (np.array([part.at(step, lr) for step in range(_TRIED)]) for lr in (2.0, 1.0))
            if np.any(np.abs(twice - 2.0 * once) > 1e-9):
                raise Unsupported(f"ChainedScheduler: {part!r} does more than to multiply, so there is no closed form")
            lr = part.closed_form(t, lr)
        return lr


def _no_jump(scheduler: LRScheduler, epoch: float | None) -> None:
    if epoch is not None:
        raise UsageError(f"{type(scheduler).__name__}: step({epoch}) is not possible, only step()")


def _check_parts(title: str, schedulers: Sequence[LRScheduler], program: Program | None) -> None:
    if not schedulers:
        raise UsageError(f"{title}: there is no scheduler in the list")
    for i, part in enumerate(schedulers):
        if not isinstance(part, LRScheduler):
            raise DTypeError(f"{title}: number {i} in the list is a {type(part).__name__}, expected a scheduler")
        if isinstance(part, ReduceLROnPlateau):
            raise UsageError(f"{title}: ReduceLROnPlateau (number {i}) needs a figure at each step; step it by itself")
        if part.optimizer is not (schedulers[0].optimizer if program is None else program):
            raise UsageError(f"{title}: {part!r} (number {i}) schedules another program")
