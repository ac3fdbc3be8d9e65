"""What a scheduler sets: the learning rates of a compiled program, and the momenta that go with them."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from symnet.errors import DTypeError, ShapeError, UnknownName, UsageError
from symnet.runtime.arrays import Array

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["Group", "Rate", "each_group", "each_momentum", "groups_of"]

Rate: TypeAlias = "float | Array"
"""A number, or for the members of an ensemble an array with one for each."""

RATES = ("lr", "learning_rate")
"""What a learning rate is called in `prog.hyper`: PyTorch's name, Keras's name."""
MOMENTA = ("momentum", "betas", "beta_1")
"""What may be the momentum; of `betas` it is the first."""

_KNOWN: WeakKeyDictionary[Any, list[Group]] = WeakKeyDictionary()


class Group:
    """One learning rate of a program: the common one, or that of a parameter group which has its own ("head.lr").

    notes  numbers that all schedulers of the program share: `initial_lr` is the learning rate that the first of them
           found; `max_lr`, `min_lr`, `swa_lr`, … are those of one scheduler
    """

    def __init__(self, hyper: MutableMapping[str, Any], rate: str) -> None:
        self._hyper, self._rate = hyper, rate
        self.notes: dict[str, Rate] = {}

    @property
    def lr(self) -> Rate:
        return _rate(self._hyper[self._rate])

    @lr.setter
    def lr(self, value: Rate) -> None:
        self._hyper[self._rate] = _rate(value)

    @property
    def momentum_name(self) -> str:
        """The hyperparameter that holds this group's momentum, its own or the common one."""
        prefix = self._rate.rpartition(".")[0]
        own = [f"{prefix}.{name}" for name in MOMENTA] if prefix else []
        for name in (*own, *MOMENTA):
            if name in self._hyper:
                return name
        raise UnknownName(
            "cycle_momentum: the program has no momentum that could be set, its hyperparameters are "
            f"{', '.join(self._hyper)}; give the optimizer a momentum above 0, or cycle_momentum=False"
        )

    @property
    def momentum(self) -> Rate:
        value = self._hyper[self.momentum_name]
        return _rate(value[0] if isinstance(value, tuple) else value)

    @momentum.setter
    def momentum(self, value: Rate) -> None:
        name = self.momentum_name
        old = self._hyper[name]
        self._hyper[name] = (_rate(value), *old[1:]) if isinstance(old, tuple) else _rate(value)


def groups_of(program: Program, title: str) -> list[Group]:
    """The learning rates of a program, the same objects for every scheduler; `title` names the caller in errors."""
    hyper = getattr(program, "hyper", None)
    if not isinstance(hyper, MutableMapping):
        raise DTypeError(
            f"{title}: the first argument is a {type(program).__name__}, expected the compiled program whose learning "
            f"rate is scheduled: prog = sn.compile(loss=…, optimizer=…); {title}(prog, …)"
        )
    if program not in _KNOWN:
        rates = [name for name in hyper if name.rpartition(".")[2] in RATES]
        if not rates:
            raise UnknownName(
                f"{title}: the program has no learning rate that could be set, its hyperparameters are "
                f"{', '.join(hyper) or 'none'}"
            )
        _KNOWN[program] = [Group(hyper, name) for name in rates]
    return _KNOWN[program]


def each_group(name: str, value: Rate | Sequence[Rate], groups: Sequence[Group], title: str) -> list[Rate]:
    """A setting for each group: one number for all of them, or a list with one for each."""
    if not isinstance(value, (list, tuple)):
        return [_rate(value)] * len(groups)
    if len(value) != len(groups):
        raise ShapeError(f"{title}: {name} has {len(value)} values, expected one for each of {len(groups)} groups")
    return [_rate(item) for item in value]


def each_momentum(name: str, value: Rate | Sequence[Rate], groups: Sequence[Group], title: str) -> list[Rate]:
    """The same for momenta; groups that share one cannot be given different values."""
    values = each_group(name, value, groups, title)
    given: dict[str, Rate] = {}
    for group, number in zip(groups, values, strict=True):
        if not np.array_equal(given.setdefault(group.momentum_name, number), number):
            raise UsageError(f"{title}: {name} differs between groups that share the momentum {group.momentum_name!r}")
    return values


def _rate(value: Any) -> Rate:
    return value if isinstance(value, np.ndarray) and value.ndim else float(value)
