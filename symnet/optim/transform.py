"""What is done to all gradients before an update, or to all new values after it, around any optimizer.

    optimizer = sn.optim.ClipGradNorm(sn.optim.Adam(lr=1e-3), max_norm=1.0)

Each is an optimizer itself, so they can be nested; the outermost sees the gradients first. All of it is part of the one
compiled step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from symnet import ops
from symnet.errors import DTypeError, Unsupported, UsageError
from symnet.expr.node import Expr
from symnet.optim.base import Limits, Number, Optimizer, Pair, Setting, Value, names_of
from symnet.optim.clip import NormType, clip_grad_norm, clip_grad_value, norm_order

__all__ = ["Accumulate", "Averaged", "ClipGradNorm", "ClipGradValue", "Transform"]


class Transform(Optimizer):
    """Base of what changes the steps of another `optimizer`: override `updates`, and call `self.optimizer.updates`.

    Settings are numbers; a list with one for each member of an ensemble is for the optimizer inside.
    """

    optimizer: Optimizer

    def __init__(self, optimizer: Optimizer, **settings: Setting) -> None:
        who = type(self).__name__
        if not isinstance(optimizer, Optimizer):
            raise DTypeError(f"{who}: expected the optimizer whose steps to change, got {optimizer!r}")
        for name, value in settings.items():
            if not isinstance(value, Expr) and np.ndim(value):  # type: ignore[arg-type]
                raise Unsupported(f"{who}: {name} is {value!r}; all members of an ensemble share one number here")
        super().__init__(None, **settings)
        self.optimizer = optimizer
        both = set(self.defaults) & set(optimizer.hyperparameters())
        if both:
            raise UsageError(
                f"{who}: {optimizer!r} has a hyperparameter {min(both)!r} too; prog.hyper needs one of each"
            )

    def hyperparameters(self) -> dict[str, Value]:
        return {**self.optimizer.hyperparameters(), **self.defaults}

    def trains(self, parameter: Expr) -> bool:
        return self.optimizer.trains(parameter)

    def __repr__(self) -> str:
        own = super().__repr__().partition("(")[2]
        return f"{type(self).__name__}({self.optimizer!r}, {own}"


class ClipGradNorm(Transform):
    """Scales all gradients together, so that their norm is at most `max_norm`; see `clip_grad_norm`.

    What torch.nn.utils.clip_grad_norm_ does between backward and step. The norm before clipping is kept in
    `prog.buffers["grad_norm"]`.
    """

    limits: ClassVar[Limits] = {"max_norm": "[0, ∞]"}
    fixed: ClassVar[frozenset[str]] = frozenset(("norm_type",))
    max_norm: Expr
    norm_type: float

    def __init__(self, optimizer: Optimizer, max_norm: Number, norm_type: NormType = 2.0) -> None:
        super().__init__(optimizer, max_norm=max_norm, norm_type=norm_order(norm_type))

    def updates(self, parameters: Sequence[Expr], gradients: Sequence[Expr]) -> list[Pair]:
        clipped, norm = clip_grad_norm(gradients, self.max_norm, self.norm_type)
        kept = ops.state("grad_norm", (), dtype=norm.dtype)
        return [*self.optimizer.updates(parameters, clipped), (kept, norm)]


class ClipGradValue(Transform):
    """Clips each element of the gradients to [-clip_value, clip_value], as torch.nn.utils.clip_grad_value_ does."""

    limits: ClassVar[Limits] = {"clip_value": "[0, ∞]"}
    clip_value: Expr

    def __init__(self, optimizer: Optimizer, clip_value: Number) -> None:
        super().__init__(optimizer, clip_value=clip_value)

    def updates(self, parameters: Sequence[Expr], gradients: Sequence[Expr]) -> list[Pair]:
        return self.optimizer.updates(parameters, clip_grad_value(gradients, self.clip_value))


class Accumulate(Transform):
    """Updates the parameters at each `steps`-th step, with the mean of the gradients since the last update.

    With batches of equal size and a loss that is a mean, that is the update of one batch `steps` times as large.

    steps  may be changed while the program runs: `prog.hyper["steps"]`
    mean   False takes the sum instead of the mean, as several backward() in PyTorch do

    What has been collected is kept in `prog.buffers["NAME.collected"]` and saved with the program. An accumulation that
    an epoch leaves unfinished goes on in the next one.
    """

    limits: ClassVar[Limits] = {"steps": "[1, ∞)"}
    steps: Expr
    mean: bool

    def __init__(self, optimizer: Optimizer, steps: Number, *, mean: bool = True) -> None:
        super().__init__(optimizer, steps=steps, mean=bool(mean))

    def updates(self, parameters: Sequence[Expr], gradients: Sequence[Expr]) -> list[Pair]:
        def update(collected: list[Expr]) -> list[Pair]:
            return self.optimizer.updates(parameters, collected)

        return accumulated(parameters, gradients, self.steps, update, self.mean)


class Averaged(Transform):
    """Keeps a running average of each parameter in `prog.buffers["NAME.average"]`, beside the parameter itself.

    decay  None: the mean of all values averaged so far (stochastic weight averaging, arXiv 1803.05407);
           a number: average ← decay·average + (1 - decay)·p, the exponential moving average
    start  the first steps, after which nothing is averaged yet
    every  steps from one averaging to the next; from `start` on

    The average begins as the first value that it is given, as in torch.optim.swa_utils.AveragedModel, whose
    `update_parameters` this does. `sn.optim.averages` gives the averages by the names of the parameters, and within
    `sn.optim.use_averages` a program computes with them.
    """

    limits: ClassVar[Limits] = {"decay": "[0, 1]", "start": "[0, ∞)", "every": "[1, ∞)"}
    decay: Expr | None
    start: Expr
    every: Expr

    def __init__(
        self, optimizer: Optimizer, decay: Number | None = None, *, start: Number = 0, every: Number = 1
    ) -> None:
        given = {} if decay is None else {"decay": decay}
        super().__init__(optimizer, **given, start=start, every=every)
        if decay is None:
            self.decay = None

    def updates(self, parameters: Sequence[Expr], gradients: Sequence[Expr]) -> list[Pair]:
        pairs = self.optimizer.updates(parameters, gradients)
        steps, count = (ops.state(name, (), dtype="int64") for name in ("average_steps", "averaged"))
        after = ops.cast(steps + 1, "float64") - self.start
        due = ops.logical_and(after > 0.0, ops.equal(ops.mod(after, self.every), 0.0))
        first = ops.equal(count, 0)
        weight = 1.0 / ops.cast(count + 1, "float64") if self.decay is None else 1.0 - self.decay
        new = dict(pairs)
        for p, name in zip(parameters, names_of(parameters), strict=True):
            average = ops.state(f"{name}.average", p.shape, dtype=p.dtype)
            blend = average + ops.cast(weight, p.dtype) * (new[p] - average)
            pairs.append((average, ops.where(first, new[p], ops.where(due, blend, average))))
        return [*pairs, (steps, steps + 1), (count, count + ops.cast(due, "int64"))]


def accumulated(
    parameters: Sequence[Expr],
    gradients: Sequence[Expr],
    steps: Expr,
    update: Callable[[list[Expr]], list[Pair]],
    mean: bool = True,
) -> list[Pair]:
    """A step that adds the gradients to what was collected, and does `update(collected)` once there are `steps`.

    Until then all that `update` would change stays as it is.
    """
    count = ops.state("accumulated", (), dtype="int64")
    number = ops.cast(count + 1, "float64")
    due = number >= steps
    sums = [
        ops.state(f"{name}.collected", p.shape, dtype=p.dtype)
        for p, name in zip(parameters, names_of(parameters), strict=True)
    ]
    totals = [kept + g for kept, g in zip(sums, gradients, strict=True)]
    collected = [total / ops.cast(number, total.dtype) for total in totals] if mean else totals
    return [
        *((node, ops.where(due, value, node)) for node, value in update(collected)),
        *((kept, ops.where(due, 0.0, total)) for kept, total in zip(sums, totals, strict=True)),
        (count, ops.where(due, 0, count + 1)),
    ]
