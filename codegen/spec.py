"""What symnet hands to the code generator: named outputs and state updates, as expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from symnet.expr.node import Expr


@dataclass(frozen=True, eq=False)
class Entry:
    """One thing a program can do (a training step, an evaluation).

    outputs  name -> value returned to the caller
    updates  (parameter or state node, its new value); all new values are computed from the old ones
    """

    name: str
    outputs: Mapping[str, Expr]
    updates: tuple[tuple[Expr, Expr], ...] = ()


@dataclass(frozen=True, eq=False)
class Module:
    """Entries that share parameters, state and hyperparameters; `capacity` bounds the size of each named dimension.

    prepare    what is done to an entry before it is lowered; its leaves and the names of its outputs stay
    precision  of float32: "highest" if every result is a plain sum of products; "float32" if convolutions may go by
               tiles; "bf16" if, too, what large matrix products multiply is rounded to bfloat16
    """

    name: str
    entries: tuple[Entry, ...]
    capacity: Mapping[str, int] = field(default_factory=dict)
    prepare: Callable[[Entry], Entry] | None = None
    precision: str = "float32"

    def prepared(self, entry: Entry) -> Entry:
        """The entry as it is lowered."""
        return entry if self.prepare is None else self.prepare(entry)


@dataclass(frozen=True, eq=False)
class Deferred:
    """A module that is made when it is needed: not for entries that the cache holds.

    key   equal for definitions that make the same module (`codegen.fingerprint.definition`)
    make  gives the module
    """

    key: str
    make: Callable[[], Module]


def made_of(given: Module | Deferred) -> Module:
    """The module itself."""
    return given.make() if isinstance(given, Deferred) else given
