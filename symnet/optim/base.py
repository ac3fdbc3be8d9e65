"""What an optimizer is: a class with one method that writes the update of one parameter as expressions.

    class Momentum(sn.optim.Optimizer):
        def update(self, p, g, s, t):
            s.v = self.mu * s.v + g
            return p - self.lr * s.v

    sn.compile(loss=loss, optimizer=Momentum(lr=0.1, mu=0.9), ...)

The numbers given to the constructor become hyperparameters: float64 values that can be changed while the program runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from symnet import ops
from symnet.errors import DTypeError, ShapeError, UnknownName, Unsupported, UsageError, nearest
from symnet.expr import dims, dtypes
from symnet.expr.dims import canonical_shape
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.optim.precision import in_dtype

__all__ = ["Optimizer", "State"]

Setting = float | int | bool | str | None | tuple[float, ...] | Expr
Updates = tuple[tuple[Expr, Expr], ...]

STEP = "step"


class State:
    """What an optimizer remembers about one parameter: `s.v` is the old value until `s.v = …` gives the new one.

    A name that is read or written first becomes an array of the parameter's shape and type that starts as zeros;
    `s.declare` says otherwise.
    """

    _owner: Expr
    _prefix: str
    _old: dict[str, Expr]
    _new: dict[str, Expr]

    def __init__(self, owner: Expr, prefix: str) -> None:
        write = super().__setattr__
        write("_owner", owner)
        write("_prefix", prefix)
        write("_old", {})
        write("_new", {})

    def declare(self, name: str, init: object = "zeros()", shape: object = None, dtype: object = None) -> Expr:
        """State with another start, shape or type than the usual; returns its old value.

        The new value of float64 state is computed in float64, also beside a float32 parameter.
        """
        if name in self._old:
            raise UsageError(f"the optimizer state {name!r} is declared after it was used")
        self._old[name] = ops.state(
            f"{self._prefix}.{name}",
            self._owner.shape if shape is None else canonical_shape(shape),
            dtype=self._owner.dtype if dtype is None else dtypes.canonical(dtype),
            init=init,
        )
        return self._old[name]

    def __getattr__(self, name: str) -> Expr:
        if name.startswith("_"):
            raise AttributeError(f"the name of optimizer state cannot begin with an underscore: {name!r}")
        if name in self._new:
            return self._new[name]
        return self._old[name] if name in self._old else self.declare(name)

    def __setattr__(self, name: str, value: object) -> None:
        old = getattr(self, name)
        new = ops.constant(value)  # type: ignore[arg-type]
        if dims.broadcast(new.shape, old.shape) != old.shape:
            raise ShapeError(
                f"the optimizer state {name!r} of {self._prefix!r} has shape {dims.show(old.shape)}, "
                f"its new value {dims.show(new.shape)}; declare it with s.declare({name!r}, shape=…)"
            )
        self._new[name] = new

    def _updates(self) -> list[tuple[Expr, Expr]]:
        return [(self._old[name], value) for name, value in self._new.items()]


class Optimizer:
    """Base of all optimizers; the module's docstring shows how to write one.

    Numbers (and tuples of numbers) given to the constructor become hyperparameters, which `update` finds as attributes:
    expressions of type float64, for a tuple a tuple of them. Everything else (True, False, None, a string) is a plain
    attribute; it decides which formula is built. An expression may stand for a number: `lr=0.1 * sn.exp(…)`.
    """

    def __init__(self, **settings: Setting) -> None:
        self.defaults: dict[str, float | tuple[float, ...]] = {}
        for name, value in settings.items():
            setattr(self, name, self._setting(name, value))

    def _setting(self, name: str, value: Setting) -> object:
        if name in ("defaults", "update", "build"):
            raise UsageError(f"{name!r} cannot be the name of a hyperparameter")
        if isinstance(value, Expr):
            if value.shape != ():
                raise ShapeError(
                    f"{type(self).__name__}: {name} has the shape {dims.show(value.shape)}, expected a scalar"
                )
            return value
        if isinstance(value, (bool, str)) or value is None:
            return value
        if isinstance(value, (tuple, list)):
            self.defaults[name] = tuple(self._number(name, item) for item in value)
            return tuple(ops.hyper(f"{name}[{i}]") for i in range(len(value)))
        self.defaults[name] = self._number(name, value)
        return ops.hyper(name)

    def _number(self, name: str, value: object) -> float:
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise DTypeError(f"{type(self).__name__}: {name} is {value!r}, expected a number") from None

    def _require(self, name: str, low: float, high: float | None = None) -> None:
        """Refuse a hyperparameter outside [low, high)."""
        given = getattr(self, name)
        if name not in self.defaults and not isinstance(given, Expr):
            raise DTypeError(f"{type(self).__name__}: {name} is {given!r}, expected a number")
        value = self.defaults.get(name, ())
        for number in value if isinstance(value, tuple) else (value,):
            if not number >= low or (high is not None and not number < high):
                expected = f"at least {low:g}" if high is None else f"in [{low:g}, {high:g})"
                raise UsageError(f"{type(self).__name__}: {name} is {number!r}, expected {expected}")

    def _used(self, name: str) -> bool:
        """Whether a hyperparameter that needs memory of its own (momentum) is in the formula: one that is 0 is not."""
        return self.defaults.get(name, 1.0) != 0.0

    def update(self, p: Expr, g: Expr, s: State, t: Expr) -> Expr:
        """The new value of the parameter `p`.

        g  the gradient of the loss in p, of its shape and type
        s  what is remembered about p
        t  the number of this step, a float64 that is 1 in the first

        All values are computed in the type of p, except what follows from hyperparameters and t alone: that is float64,
        and rounded where it meets an array.
        """
        raise Unsupported(f"{type(self).__name__} has no update(); write one that returns the parameter's new value")

    def build(
        self, parameters: Sequence[Expr], gradients: Sequence[Expr]
    ) -> tuple[Updates, dict[str, float | tuple[float, ...]]]:
        """One step as pairs (parameter or state, new value), and the hyperparameters in it with their values."""
        step = ops.state(STEP, (), dtype="int64", init="zeros()")
        number = step + 1
        t = ops.cast(number, "float64")
        updates: list[tuple[Expr, Expr]] = []
        taken: set[str] = set()
        for position, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            if g.shape != p.shape:
                raise ShapeError(
                    f"the gradient of {p.name!r} has shape {dims.show(g.shape)}, the parameter {dims.show(p.shape)}"
                )
            updates += self._updates_of(p, g, t, _unique(p.name or f"parameter{position}", taken))
        updates.append((step, number))
        return tuple(updates), self._hyper_in(value for _, value in updates)

    def _updates_of(self, p: Expr, g: Expr, t: Expr, prefix: str) -> Iterable[tuple[Expr, Expr]]:
        s = State(p, prefix)
        new = self.update(p, g, s, t)
        if not isinstance(new, Expr):
            raise DTypeError(
                f"{type(self).__name__}.update returned {type(new).__name__}, expected the parameter's new value"
            )
        pairs = [(p, new), *s._updates()]
        for node, value in pairs:
            if dims.broadcast(value.shape, node.shape) != node.shape:
                raise ShapeError(
                    f"{type(self).__name__}: the new value of {node.name!r} has shape {dims.show(value.shape)}, "
                    f"expected {dims.show(node.shape)}"
                )
        own = [node for node in (p, g, *s._old.values()) if node.dtype != "float64"]
        rounded = [(node, value) for node, value in pairs if node.dtype != "float64"]
        exact = [(node, value) for node, value in pairs if node.dtype == "float64"]
        values = in_dtype(p.dtype, own, [value for _, value in rounded])
        settled = [*zip((node for node, _ in rounded), values, strict=True), *exact]
        return [(node, ops.broadcast_to(ops.cast(value, node.dtype), node.shape)) for node, value in settled]

    def _hyper_in(self, values: Iterable[Expr]) -> dict[str, float | tuple[float, ...]]:
        """The hyperparameters that occur in the values, in the order of the constructor."""
        present = {node.attrs["name"].partition("[")[0] for node in postorder(values) if node.op == "hyper"}
        unknown = present - set(self.defaults)
        if unknown:
            raise UnknownName(
                f"{type(self).__name__} uses the hyperparameter {min(unknown)!r}, which has no value"
                f"{nearest(min(unknown), self.defaults)}"
            )
        return {name: value for name, value in self.defaults.items() if name in present}

    def __repr__(self) -> str:
        shown = {
            name: self.defaults.get(name, value)
            for name, value in vars(self).items()
            if name != "defaults" and (name in self.defaults or not isinstance(value, Expr))
        }
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def __getattr__(self, name: str) -> Any:  # only reached when no ordinary attribute has the name
        if name.startswith("_") or name == "defaults":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise AttributeError(
            f"{type(self).__name__} has no hyperparameter {name!r}: give it to the constructor, "
            f"{type(self).__name__}({name}=…){nearest(name, self.defaults)}"
        )


def _unique(name: str, taken: set[str]) -> str:
    """`name`, with a number behind it if another parameter of the program has it too."""
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}#{count}"
    taken.add(candidate)
    return candidate
