"""What an optimizer is: a class with one method that writes the update of one parameter as expressions.

    class Momentum(sn.optim.Optimizer):
        def update(self, p, g, s, t):
            s.v = self.mu * s.v + g
            return p - self.lr * s.v

    sn.compile(loss=loss, optimizer=Momentum(lr=0.1, mu=0.9), ...)

The numbers given to the constructor become hyperparameters: float64 values that can be changed while the program runs.

What concerns all parameters at once (clipping by the norm of all gradients, accumulation, averages of the parameters)
is a change of `updates`, which gives the whole step: its gradients on the way in, its new values on the way out.
`transform.py` has those.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from symnet import ops
from symnet.errors import DTypeError, ShapeError, UnknownName, Unsupported, UsageError, nearest
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.optim.groups import Group, Params, read_groups
from symnet.optim.members import names_per_member, updates_of_members
from symnet.optim.precision import settled
from symnet.optim.state import State

if TYPE_CHECKING:
    from symnet.optim.formula import UpdateFormula

__all__ = ["Optimizer"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Schedule: TypeAlias = "Callable[[Expr], Expr | float]"
Number: TypeAlias = "float | list[float] | Array | Expr | Schedule"
Setting: TypeAlias = "Number | bool | str | tuple[float, ...] | None"
Value: TypeAlias = "float | tuple[float, ...] | Array"
Pair: TypeAlias = tuple[Expr, Expr]
Limits: TypeAlias = "Mapping[str, str | tuple[str, ...]]"

STEP = "step"
_RESERVED = frozenset(("params", "groups", "defaults", "update", "updates", "build", "check", "formula", "name"))


class Optimizer:
    """Base of all optimizers; the module's docstring shows how to write one.

    params    which parameters are trained, with groups that have settings of their own (`symnet.optim.groups`);
              None: all trainable parameters of the loss
    settings  numbers (and tuples of numbers) become hyperparameters, which `update` finds as attributes: expressions of
              type float64, for a tuple a tuple of them. A list or an array has one number for each member of an
              ensemble, whose parameters have an axis of members in front (`sn.nn.Ensemble`); `update` sees one member.
              Everything else (True, False, None, a string) is a plain attribute; it decides which formula is built.
              An expression may stand for a number: `lr=0.1 * sn.exp(…)`.
              So may a function of the number of the step, 0 in the first: `lr=lambda t: 0.1 * 0.99**t`, or one of
              `sn.keras.optimizers.schedules`. It is called once, with an expression, and is part of the program.

    In a program, `prog.hyper["lr"]` is a hyperparameter by its name here. What a group sets for itself has the group's
    name before it: `prog.hyper["head.lr"]`; the groups that set nothing share the common one.
    """

    limits: ClassVar[Limits] = {}
    """Where the numbers must lie, as intervals: {"lr": "[0, ∞)"}; for a tuple one interval for each of its numbers."""
    fixed: ClassVar[frozenset[str]] = frozenset()
    """Numbers that are built into the program instead of being hyperparameters: what state starts from, say."""

    defaults: dict[str, Value]
    groups: tuple[Group, ...]

    def __init__(self, params: Params = None, **settings: Setting) -> None:
        who = type(self).__name__
        self.groups = read_groups(params, who)
        self.defaults = {}
        self._settings = tuple(settings)
        for name, value in settings.items():
            self._set(name, value)
        self.check()
        self._members = [self._member(group) for group in self.groups]

    def check(self) -> None:
        """Raise a `UsageError` for settings that do not go together; called for each parameter group."""

    # --- settings ---------------------------------------------------------------------------------------------------

    def _set(self, name: str, value: Setting, prefix: str = "") -> None:
        """Make a setting an attribute; a number is one by its hyperparameter, whose name begins with `prefix`."""
        if name in _RESERVED or name.startswith("_"):
            raise UsageError(f"{name!r} cannot be the name of a hyperparameter")
        if callable(value):
            step = ops.cast(ops.state(STEP, (), dtype="int64"), "float64")
            value = ops.name(name, ops.constant(value(step), "float64"))
        if isinstance(value, Expr):
            if value.shape != ():
                raise ShapeError(
                    f"{type(self).__name__}: {name} has the shape {dims.show(value.shape)}, expected a scalar"
                )
            self.defaults.pop(name, None)
            setattr(self, name, value)
        elif isinstance(value, (bool, str)) or value is None:
            if name in self.limits:
                raise DTypeError(f"{type(self).__name__}: {name} is {value!r}, expected a number")
            setattr(self, name, value)
        else:
            number = self._checked(name, value)
            if name in self.fixed:
                setattr(self, name, number)
            else:
                self.defaults[name] = number
                setattr(self, name, _hyper(prefix + name, number))

    def _checked(self, name: str, value: object) -> Value:
        """A number, a tuple of numbers or the numbers of members as floats, if they are within the limits."""
        limits = self.limits.get(name)
        if isinstance(value, (list, np.ndarray)) and np.ndim(value) and not isinstance(limits, tuple):
            return self._of_members(name, value, limits)
        if isinstance(value, (tuple, list)):
            if isinstance(limits, str) or (limits and len(limits) != len(value)):
                raise UsageError(f"{type(self).__name__}: {name} is {value!r}, expected {_wanted(limits)}")
            return tuple(self._number(name, item, limits[i] if limits else None) for i, item in enumerate(value))
        if isinstance(limits, tuple):
            raise UsageError(f"{type(self).__name__}: {name} is {value!r}, expected {_wanted(limits)}")
        return self._number(name, value, limits)

    def _of_members(self, name: str, value: Any, interval: str | None) -> Array:
        """A list or an array: one number for each member of an ensemble (`symnet.optim.members`)."""
        numbers = np.array([self._number(name, item, interval) for item in np.asarray(value).ravel()])
        if np.ndim(value) != 1 or not numbers.size:
            raise ShapeError(
                f"{type(self).__name__}: {name} has the shape {dims.show(np.shape(value))}, expected one number, or a "
                "list of them with one for each member of an ensemble"
            )
        return numbers

    def _number(self, name: str, value: object, interval: str | None) -> float:
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise DTypeError(f"{type(self).__name__}: {name} is {value!r}, expected a number") from None
        if interval is not None and not _inside(number, interval):
            wanted = _shown(interval) if math.isfinite(number) else f"a number in {interval}"
            raise UsageError(f"{type(self).__name__}: {name} is {number!r}, expected {wanted}")
        return number

    def _used(self, name: str) -> bool:
        """Whether a hyperparameter that needs memory of its own (momentum) is in the formula: one that is 0 is not."""
        return bool(np.any(np.asarray(self.defaults.get(name, 1.0)) != 0.0))

    def _member(self, group: Group) -> Optimizer:
        """The optimizer with a group's settings in place of its own."""
        if not group.settings:
            return self
        member = copy.copy(self)
        member.defaults = dict(self.defaults)
        for name, value in group.settings.items():
            if name not in self._settings:
                raise UnknownName(
                    f"{type(self).__name__}: there is no setting {name!r} for the parameter group {group.name!r}"
                    f"{nearest(name, self._settings)}"
                )
            if isinstance(getattr(self, name), bool) and not isinstance(value, bool):
                raise DTypeError(
                    f"{type(self).__name__}: {name} of the parameter group {group.name!r} is {value!r}, "
                    "expected True or False"
                )
            member._set(name, value, f"{group.name}.")
        member.check()
        return member

    def hyperparameters(self) -> dict[str, Value]:
        """All hyperparameters by their names in `prog.hyper`, with their values; those of groups after the common."""
        own = {
            f"{group.name}.{name}": member.defaults[name]
            for group, member in zip(self.groups, self._members, strict=True)
            for name in group.settings
            if name in member.defaults
        }
        return {**self.defaults, **own}

    # --- the update -------------------------------------------------------------------------------------------------

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        """The new value of the parameter `p`.

        g  the gradient of the loss in p, of its shape and type
        s  what is remembered about p
        t  the number of this step, a float64 that is 1 in the first

        All values are computed in the type of p, except what follows from hyperparameters and t alone: that is float64,
        and rounded where it meets an array.
        """
        raise Unsupported(f"{type(self).__name__} has no update(); write one that returns the parameter's new value")

    def updates(self, parameters: Sequence[Expr], gradients: Sequence[Expr]) -> list[Pair]:
        """One step of all parameters, as pairs (parameter or state, new value).

        To change what every step does, override it: change the gradients and call this one, or change what it gives.
        """
        step = ops.state(STEP, (), dtype="int64", init="zeros()")
        number = step + 1
        t = ops.cast(number, "float64")
        pairs: list[Pair] = []
        for p, g, prefix in zip(parameters, gradients, names_of(parameters), strict=True):
            pairs += self._of_group(p)._updates_of(p, g, t, prefix)
        return [*pairs, (step, number)]

    def build(self, parameters: Sequence[Expr], gradients: Sequence[Expr]) -> tuple[tuple[Pair, ...], dict[str, Value]]:
        """One step of those parameters that this optimizer trains, and the hyperparameters in it with their values."""
        for p, g in zip(parameters, gradients, strict=True):
            if g.shape != p.shape:
                raise ShapeError(
                    f"the gradient of {p.name!r} has shape {dims.show(g.shape)}, the parameter {dims.show(p.shape)}"
                )
        chosen = [(p, g) for p, g in zip(parameters, gradients, strict=True) if self.trains(p)]
        if not chosen:
            known = ", ".join(str(p.name) for p in parameters[:8])
            raise UsageError(
                f"{type(self).__name__}: none of its parameters is trained by this loss, which depends on: {known}"
            )
        trained, their_gradients = [p for p, _ in chosen], [g for _, g in chosen]
        pairs = _fitted(self.updates(trained, their_gradients), their_gradients, type(self).__name__)
        return tuple(pairs), self.hyper_in(value for _, value in pairs)

    def trains(self, parameter: Expr) -> bool:
        """Whether the parameter is in one of the groups."""
        return any(group.has(parameter) for group in self.groups)

    def _of_group(self, parameter: Expr) -> Optimizer:
        return next(m for group, m in zip(self.groups, self._members, strict=True) if group.has(parameter))

    def _updates_of(self, p: Expr, g: Expr, t: Expr, prefix: str) -> Iterable[Pair]:
        if names_per_member(self):
            return updates_of_members(self, p, g, t, prefix)
        s = State(p, prefix)
        new = self.update(p, g, s, t)
        if not isinstance(new, Expr):
            raise DTypeError(
                f"{type(self).__name__}.update returned {type(new).__name__}, expected the parameter's new value"
            )
        return settled([(p, new), *s._updates()], [p, g, *s._old.values()], p.dtype, type(self).__name__)

    def hyper_in(self, values: Iterable[Expr]) -> dict[str, Value]:
        """The hyperparameters that occur in the values, in the order of the constructor."""
        present = {node.attrs["name"].partition("[")[0] for node in postorder(values) if node.op == "hyper"}
        known = self.hyperparameters()
        unknown = present - set(known)
        if unknown:
            raise UnknownName(
                f"{type(self).__name__} uses the hyperparameter {min(unknown)!r}, which has no value"
                f"{nearest(min(unknown), known)}"
            )
        return {name: value for name, value in known.items() if name in present}

    # --- printing ---------------------------------------------------------------------------------------------------

    def formula(self) -> UpdateFormula:
        """The update as formulas; `str` of it is text, `.latex()` LaTeX. `print(optimizer)` shows it too."""
        from symnet.optim.formula import formula_of

        return formula_of(self)

    def __str__(self) -> str:
        return f"{self!r}\n{self.formula()}"

    def __repr__(self) -> str:
        given = [f"{name}={self.defaults.get(name, getattr(self, name))!r}" for name in self._settings
                 if name in self.defaults or not isinstance(getattr(self, name), Expr)]  # fmt: skip
        groups = [
            f"{group.name}: {len(group.params)} parameter{'s' * (len(group.params) != 1)}"
            + "".join(f", {name}={value!r}" for name, value in group.settings.items())
            for group in self.groups
            if group.params is not None
        ]
        return f"{type(self).__name__}({', '.join([*(f'<{text}>' for text in groups), *given])})"

    def __getattr__(self, name: str) -> Any:  # only reached when no ordinary attribute has the name
        if name.startswith("_") or name in _RESERVED:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise AttributeError(
            f"{type(self).__name__} has no hyperparameter {name!r}: give it to the constructor, "
            f"{type(self).__name__}({name}=…){nearest(name, self.defaults)}"
        )


def _fitted(pairs: Sequence[Pair], gradients: Sequence[Expr], who: str) -> list[Pair]:
    """The pairs, with values in the types and shapes of their nodes, also where a change of `updates` gave others."""
    nodes = [node for node, _ in pairs]
    if len(set(nodes)) != len(nodes):
        twice = next(node for position, node in enumerate(nodes) if node in set(nodes[:position]))
        raise UsageError(f"{who}.updates gives two new values for {twice.name!r}, expected one")
    fitting = [(node, value) for node, value in pairs if (value.dtype, value.shape) == (node.dtype, node.shape)]
    others = [(node, value) for node, value in pairs if (value.dtype, value.shape) != (node.dtype, node.shape)]
    dtype = "float32" if any(node.dtype == "float32" for node in nodes) else "float64"
    return [*fitting, *settled(others, [*nodes, *gradients], dtype, who)]


def names_of(parameters: Sequence[Expr]) -> list[str]:
    """A name for each parameter, with a number behind it if another one has it too."""
    taken: set[str] = set()
    names: list[str] = []
    for position, parameter in enumerate(parameters):
        wanted = parameter.name or f"parameter{position}"
        candidate, count = wanted, 1
        while candidate in taken:
            count += 1
            candidate = f"{wanted}#{count}"
        taken.add(candidate)
        names.append(candidate)
    return names


def _hyper(name: str, value: Value) -> Expr | tuple[Expr, ...]:
    if isinstance(value, np.ndarray):
        return ops.hyper(name, value.shape)
    return tuple(ops.hyper(f"{name}[{i}]") for i in range(len(value))) if isinstance(value, tuple) else ops.hyper(name)


def _inside(number: float, interval: str) -> bool:
    low, high = (float(part.replace("∞", "inf")) for part in interval[1:-1].split(","))
    above = low <= number if interval[0] == "[" else low < number
    return above and (number <= high if interval[-1] == "]" else number < high)


def _shown(interval: str) -> str:
    low, high = interval[1:-1].split(", ")
    return f"at least {low}" if high == "∞" and interval[0] == "[" else f"a number in {interval}"


def _wanted(limits: str | tuple[str, ...]) -> str:
    """What a tuple, or no tuple, should have been."""
    if isinstance(limits, str):
        return "one number"
    counts = {2: "two", 3: "three"}
    return f"{counts.get(len(limits), len(limits))} numbers, {' and '.join(map(_shown, limits))}"
