"""What symnet hands to the code generator: named outputs and state updates, as expressions."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Entries that share parameters, state and hyperparameters; `capacity` bounds the size of each named dimension."""

    name: str
    entries: tuple[Entry, ...]
    capacity: Mapping[str, int] = field(default_factory=dict)
