"""What all schedulers share: they read and set the learning rate of a compiled program, one value a step."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from symnet import ops
from symnet.errors import UnknownName, Unsupported, UsageError, nearest
from symnet.expr.node import Expr
from symnet.optim.lr_scheduler.groups import Rate, groups_of
from symnet.runtime.arrays import Array

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["LRScheduler"]

_STEP, _START = "t", "lr_0"
_NOT_KEPT = ("optimizer", "_groups")
_NOT_SHOWN = ("self", "optimizer", "lr_lambda", "last_epoch")


class LRScheduler:
    """Base of all schedulers: `step()` computes the next learning rate of every group and sets it in `prog.hyper`.

    optimizer   the compiled program (what `sn.compile` gave), whose hyperparameter `lr` is set
    last_epoch  the number of the last step; -1 begins anew, and takes the present learning rate as `initial_lr`

    A scheduler is one formula in two forms. `get_lr` gives the next value from the present one, so that schedulers can
    be combined and changes made by hand stay; `closed_form` gives the value at any step `t` from the initial one, for
    reading (`print(scheduler)`, `scheduler.latex()`) and for jumping to a step. A scheduler of one's own needs only
    `get_lr`, which finds `self.last_epoch` (the number of the step that is made), `self.base_lrs` (the initial learning
    rates) and `self.lrs` (the present ones).
    """

    _functions: ClassVar[tuple[str, ...]] = ()
    """Attributes that hold functions, or lists of them."""

    def __init__(self, optimizer: Program, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        self._groups = groups_of(optimizer, type(self).__name__)
        for group in self._groups:
            if last_epoch == -1:
                group.notes.setdefault("initial_lr", group.lr)
            elif "initial_lr" not in group.notes:
                raise UsageError(
                    f"{type(self).__name__}: last_epoch={last_epoch} goes on with a schedule, but no scheduler of this "
                    "program has noted its initial learning rate; make one without last_epoch, then load_state_dict()"
                )
        self.base_lrs = [group.notes["initial_lr"] for group in self._groups]
        self.last_epoch = last_epoch
        self._initial_step()

    @property
    def lrs(self) -> list[Rate]:
        """The present learning rate of each group."""
        return [group.lr for group in self._groups]

    # --- stepping ------------------------------------------------------------------------------------------------

    def step(self, epoch: float | None = None) -> None:
        """Set the next learning rate; call it after the training step or the epoch that used the present one.

        epoch  jump to this step, by the closed form where there is one
        """
        self._step_count += 1
        self._update_lr(epoch)

    def get_lr(self) -> list[Rate]:
        """The learning rate of each group at step `last_epoch`, from the present ones."""
        raise Unsupported(f"{type(self).__name__} has no get_lr(); write one that returns a list of learning rates")

    def get_last_lr(self) -> list[Rate]:
        """The learning rates that this scheduler set last."""
        return self._last_lr

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            values = self.get_lr()
        else:
            self.last_epoch = int(epoch)
            values = self._values_at(epoch)
        self._set(values)

    def _values_at(self, epoch: float) -> list[Rate]:
        """The learning rates at a step that is jumped to; `last_epoch` is that step already."""
        if type(self).closed_form is LRScheduler.closed_form:
            return self.get_lr()
        return [self.at(epoch, lr) for lr in self.base_lrs]

    def _set(self, values: list[Rate]) -> None:
        for group, lr in zip(self._groups, values, strict=True):
            group.lr = lr
        self._last_lr = self.lrs

    def _scaled(self, factor: float) -> list[Rate]:
        return [lr * factor for lr in self.lrs]

    # --- the formula ---------------------------------------------------------------------------------------------

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        """The learning rate at step `t` (both float64 scalars), where `lr` is the initial one."""
        raise Unsupported(f"{type(self).__name__} has no closed form: each value follows from the one before")

    def at(self, t: float, lr: Rate) -> Rate:
        """The closed form at step `t` for the initial learning rate `lr`."""
        value: Array = ops.evaluate(self.closed_form(ops.constant(float(t), "float64"), ops.constant(lr, "float64")))
        return value if value.ndim else float(value)

    def recurrence(self, t: Expr, lr: Expr) -> Expr:
        """The learning rate at step `t`, where `lr` is the one before; for what has no closed form."""
        raise Unsupported(f"{type(self).__name__} has no recurrence: write recurrence(t, lr), or closed_form(t, lr)")

    def formula(self) -> Expr:
        """The learning rate as an expression of the step `t` and of the initial learning rate `lr_0`."""
        return self.closed_form(ops.input(_STEP, (), "float64"), ops.input(_START, (), "float64"))

    def latex(self) -> str:
        """The formula in LaTeX."""
        return self.formula().latex()

    def __str__(self) -> str:
        try:
            return f"lr = {self.formula()}"
        except Unsupported:
            return repr(self)

    def __repr__(self) -> str:
        arguments = inspect.signature(type(self).__init__).parameters
        kept = {name: vars(self).get(name, vars(self).get(f"{name}s")) for name in arguments}  # plural: by group
        shown = [f"{name}={value!r}" for name, value in kept.items() if name not in _NOT_SHOWN and value is not None]
        return f"{type(self).__name__}({', '.join(shown)})"

    # --- keeping -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on with the schedule: settings and counts, in plain Python values.

        Functions are not in it (a lambda has no state), only the attributes of callable objects. The present learning
        rate belongs to the program: `prog.save` keeps it.
        """
        kept = {name: value for name, value in vars(self).items() if name not in _NOT_KEPT}
        for name in self._functions:
            value = kept[name]
            kept[name] = [_state_of(item) for item in value] if isinstance(value, list) else _state_of(value)
        return kept

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave. Make the scheduler first, then `prog.load`, then this."""
        self._check_state(state_dict)
        for name, value in state_dict.items():
            if name in self._functions:
                _restore_functions(getattr(self, name), value)
            else:
                setattr(self, name, value)

    def _check_state(self, state: Mapping[str, Any]) -> None:
        own = {name for name in vars(self) if name not in _NOT_KEPT}
        for name in (*state, *own):
            if name not in own or name not in state:
                found = "is not expected" + nearest(name, own) if name in state else "is missing"
                raise UnknownName(f"{type(self).__name__}.load_state_dict: {name!r} {found}")


def _state_of(function: object) -> dict[str, Any] | None:
    plain = function is None or isinstance(function, (types.FunctionType, types.BuiltinFunctionType))
    return None if plain else dict(vars(function))


def _restore_functions(own: object, states: object) -> None:
    owners, given = (own, states) if isinstance(own, list) and isinstance(states, list) else ([own], [states])
    for function, state in zip(owners, given, strict=True):
        if state is not None:
            vars(function).update(state)
