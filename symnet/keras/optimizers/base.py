"""What all Keras optimizers share: weight decay, clipping, accumulation, averages, and the learning rate's schedule.

An optimizer of this kind states Keras's constructor in one line, and its formula:

    class SGD(KerasOptimizer):
        arguments = signature(learning_rate=0.01)

        def update_step(self, p, g, s, t):
            return p - self.learning_rate * g
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterable, Sequence
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, ClassVar

from symnet import ops
from symnet.errors import DTypeError, Unsupported, UsageError, nearest
from symnet.expr.node import Expr
from symnet.optim.averaging import averages
from symnet.optim.base import STEP, Limits, Optimizer, Pair, names_of
from symnet.optim.groups import Identity, identity
from symnet.optim.state import State
from symnet.optim.transform import accumulated

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["KerasOptimizer", "signature"]

COMMON = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
    "name": None,
}
"""The arguments that every optimizer has, behind its own."""
CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
WHOLE = ("ema_overwrite_frequency", "gradient_accumulation_steps")
"""Counts of steps, which are built into the program."""


def signature(**own: Any) -> Signature:
    """The constructor with these arguments and defaults, followed by the common ones."""
    arguments = {**own, **{name: value for name, value in COMMON.items() if name not in own}}
    return Signature([Parameter(n, Parameter.POSITIONAL_OR_KEYWORD, default=v) for n, v in arguments.items()])


class KerasOptimizer(Optimizer):
    """Base of the optimizers with Keras's names, arguments, defaults and formulas.

    learning_rate   a number, which is the hyperparameter `prog.hyper["learning_rate"]`, or a schedule or function of
                    the number of the step (0 in the first), which is computed inside the program
    weight_decay    p ← p - learning_rate·weight_decay·p before each update; see `exclude_from_weight_decay`
    clipnorm        g ← g·min(1, clipnorm / ‖g‖) for each parameter by itself     } at most one of the three
    global_clipnorm the same with the norm of all gradients together              }
    clipvalue       g ← each element within ±clipvalue                            }
    use_ema         keeps average ← ema_momentum·average + (1 - ema_momentum)·p of each parameter (`sn.optim.averages`);
                    the first average is p. Every `ema_overwrite_frequency` updates, p ← average
    gradient_accumulation_steps   updates at each such step only, with the mean of the gradients since the last update;
                    weight decay and clipping happen then. The averages move at every step
    loss_scale_factor   the gradients are multiplied by it and, before anything else is done with them, divided by it,
                    as those of a scaled loss; float32 and float64 need no such scaling
    name            a label, by default the class in lower case
    """

    arguments: ClassVar[Signature] = signature(learning_rate=0.001)
    """The constructor, with Keras's order and defaults."""
    limits: ClassVar[Limits] = {
        "learning_rate": "[0, ∞)",
        **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor"), "(0, ∞)"),
        "ema_momentum": "[0, 1]",
    }
    fixed: ClassVar[frozenset[str]] = frozenset(WHOLE)

    learning_rate: Expr
    weight_decay: Expr | None
    use_ema: bool

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__signature__ = cls.arguments  # type: ignore[attr-defined]  # what help() and inspect show

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        settings = self._bound(args, kwargs)
        title = type(self).__name__
        self.name = settings.pop("name") or re.sub(r"(?<!^)(?=[A-Z])", "_", title).lower()
        self.schedule = settings["learning_rate"] if callable(settings["learning_rate"]) else None
        self._excluded: tuple[frozenset[Identity], tuple[str, ...]] = (frozenset(), ())
        for name in CLIPPING + WHOLE + ("weight_decay", "loss_scale_factor"):
            if settings.get(name) is None:
                setattr(self, name, settings.pop(name, None))
        self._check_common(settings)
        if self.schedule is not None:
            settings["learning_rate"] = self._scheduled(self.schedule, settings.get("gradient_accumulation_steps"))
        super().__init__(None, **settings)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name, with the defaults of those that were not given."""
        for name in kwargs:
            if name not in self.arguments.parameters:
                raise DTypeError(
                    f"{type(self).__name__}: there is no argument {name!r}{nearest(name, self.arguments.parameters)}"
                )
        try:
            bound = self.arguments.bind(*args, **kwargs)
        except TypeError as error:
            raise DTypeError(f"{type(self).__name__}: {error}") from None
        bound.apply_defaults()
        return dict(bound.arguments)

    def _check_common(self, settings: dict[str, Any]) -> None:
        title = type(self).__name__
        clipping = [f"{name}={settings[name]}" for name in CLIPPING if name in settings]
        if len(clipping) > 1:
            raise UsageError(f"{title}: expected at most one of {', '.join(CLIPPING)}, got {' and '.join(clipping)}")
        for name, least in (("gradient_accumulation_steps", 2), ("ema_overwrite_frequency", 1)):
            value = settings.get(name, least)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UsageError(f"{title}: {name} is {value!r}, expected a whole number from {least}")
        if not settings["use_ema"]:
            self.ema_momentum = settings.pop("ema_momentum")
            if "ema_overwrite_frequency" in settings or self.ema_momentum != COMMON["ema_momentum"]:
                raise UsageError(f"{title}: ema_momentum and ema_overwrite_frequency need use_ema=True")

    def _scheduled(self, schedule: Any, accumulation: int | None) -> Expr:
        """The learning rate of a schedule at the number of the step, which counts steps that only accumulate, too."""
        if not inspect.signature(schedule).parameters:
            raise Unsupported(
                f"{type(self).__name__}: learning_rate is a function of nothing, which a compiled step cannot call; "
                "let it take the number of the step, or set prog.hyper['learning_rate'] between the steps"
            )
        step = ops.state(STEP, (), dtype="int64")
        if accumulation is not None:
            step = step * accumulation + ops.state("accumulated", (), dtype="int64")
        return ops.name("learning_rate", ops.constant(schedule(ops.cast(step, "float64")), "float64"))

    def __repr__(self) -> str:
        shown = super().__repr__()
        if self.schedule is None:
            return shown
        title, _, rest = shown.partition("(")
        return f"{title}(learning_rate={self.schedule!r}, {rest}"

    def exclude_from_weight_decay(
        self, var_list: Iterable[Expr] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Leave parameters out of weight decay: those in a list, and those whose name contains one of the texts.

        The texts are regular expressions, as in Keras. Call it before `sn.compile`.
        """
        if isinstance(var_names, str):
            raise DTypeError(f"exclude_from_weight_decay: var_names is {var_names!r}, expected a list of texts")
        self._excluded = (frozenset(identity(p) for p in var_list or ()), tuple(var_names or ()))

    # --- the update -------------------------------------------------------------------------------------------------

    def update_step(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        """The new value of the parameter `p`, which weight decay has made smaller already; see `Optimizer.update`."""
        raise Unsupported(f"{type(self).__name__} has no update_step(); write one that returns the new value")

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        if self.clipnorm is not None:
            g = g * _shrink([g], self.clipnorm)
        elif self.clipvalue is not None:
            g = ops.minimum(ops.maximum(g, -self.clipvalue), self.clipvalue)
        if self.weight_decay is not None:
            p = (1.0 - self.learning_rate * self.weight_decay) * p
        return self.update_step(p, g, s, t)

    def _of_group(self, parameter: Expr) -> Optimizer:
        """This optimizer, or what it is without weight decay for a parameter that is left out of that."""
        listed, texts = self._excluded
        if identity(parameter) not in listed and not any(re.search(text, str(parameter.name)) for text in texts):
            return self
        other = copy.copy(self)
        other.weight_decay = None
        return other

    def updates(self, parameters: Sequence[Expr], gradients: Sequence[Expr]) -> list[Pair]:
        if self.loss_scale_factor is not None:
            scale = self.loss_scale_factor
            gradients = [g * ops.cast(scale, g.dtype) / ops.cast(scale, g.dtype) for g in gradients]
        if self.gradient_accumulation_steps is None:
            pairs = self._clipped_updates(parameters, gradients)
        else:
            steps = ops.constant(self.gradient_accumulation_steps, "float64")
            pairs = accumulated(parameters, gradients, steps, lambda mean: self._clipped_updates(parameters, mean))
        return self._averaged(parameters, pairs) if self.use_ema else pairs

    def _clipped_updates(self, parameters: Sequence[Expr], gradients: Sequence[Expr]) -> list[Pair]:
        if self.global_clipnorm is not None:
            factor = _shrink(gradients, self.global_clipnorm)  # 0 for an infinite norm, which leaves nothing finite
            factor = ops.where(factor > 0, factor, ops.constant(float("nan"), factor.dtype))
            gradients = [g * ops.cast(factor, g.dtype) for g in gradients]
        return super().updates(parameters, gradients)

    def _averaged(self, parameters: Sequence[Expr], pairs: list[Pair]) -> list[Pair]:
        """The step with averages of the new values, which also replace them every ema_overwrite_frequency updates."""
        new = dict(pairs)
        updates_before = ops.state(STEP, (), dtype="int64")
        momentum = ops.where(ops.equal(updates_before, 0), 0.0, self.ema_momentum)
        averaged: list[Pair] = []
        for p, name in zip(parameters, names_of(parameters), strict=True):
            kept = ops.state(f"{name}.average", p.shape, dtype=p.dtype)
            average = ops.cast(momentum, p.dtype) * kept + ops.cast(1.0 - momentum, p.dtype) * new[p]
            averaged.append((kept, average))
            if self.ema_overwrite_frequency is not None:
                due = ops.equal(ops.mod(updates_before + 1, int(self.ema_overwrite_frequency)), 0)
                new[p] = ops.where(due, average, new[p])
        return [*new.items(), *averaged]

    def finalize_variable_values(self, program: Program) -> None:
        """Give the parameters of a program their averages, as Keras's `fit` does at its end with use_ema."""
        if self.use_ema:
            program.load_parameters(averages(program))


def _shrink(gradients: Sequence[Expr], most: Expr) -> Expr:
    """The factor min(1, most / norm), where the norm is that of all gradients as one vector."""
    squares = [ops.sum(ops.square(g)) for g in gradients]
    norm = ops.sqrt(sum(squares[1:], start=squares[0]))
    return most / ops.maximum(norm, most)
