"""What an optimizer remembers about one parameter from step to step."""

from __future__ import annotations

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import canonical_shape
from symnet.expr.node import Expr

__all__ = ["State"]


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

    def _updates(self) -> list[tuple[Expr, Expr]]:
        """Pairs (state, new value) of what was written."""
        return [(self._old[name], value) for name, value in self._new.items()]

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
