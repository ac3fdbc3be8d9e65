"""Hyperparameters with one number for each member of an ensemble.

Where a setting is a list or an array, the parameters have an axis of members in front, and the update is that of one
member, as `update` writes it, mapped over the members (`sn.vmap`, with the state of each).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from symnet import ops
from symnet.derive.batch import batch
from symnet.derive.build import placeholder
from symnet.errors import ShapeError
from symnet.expr import dims
from symnet.expr.node import ArrayValue, Expr

if TYPE_CHECKING:
    from symnet.optim.base import Optimizer

__all__: list[str] = []


def names_per_member(optimizer: Optimizer) -> list[str]:
    """The settings that have a number for each member."""
    return [name for name, value in optimizer.defaults.items() if isinstance(value, np.ndarray)]


def of_one_member(optimizer: Optimizer) -> Optimizer:
    """The same optimizer with one number for each of its settings."""
    one = copy.copy(optimizer)
    one.defaults = dict(optimizer.defaults)
    for name in names_per_member(optimizer):
        one.defaults[name] = float(optimizer.defaults[name][0])  # type: ignore[index]
        setattr(one, name, ops.hyper(getattr(optimizer, name).attrs["name"]))
    return one


def updates_of_members(optimizer: Optimizer, p: Expr, g: Expr, t: Expr, prefix: str) -> Sequence[tuple[Expr, Expr]]:
    """The update of one parameter of all members, as pairs (parameter or state, new value)."""
    names = names_per_member(optimizer)
    count = _count(optimizer, names)
    if p.shape[:1] != (count,):
        raise ShapeError(
            f"{type(optimizer).__name__}: {names[0]} has {count} numbers, one for each member of an ensemble, but "
            f"{p.name!r} has shape {dims.show(p.shape)}; expected a first axis of {count} (see sn.nn.Ensemble)"
        )
    one = of_one_member(optimizer)
    own, gradient = placeholder(p.shape[1:], p.dtype), placeholder(g.shape[1:], g.dtype)
    pairs = list(one._updates_of(own, gradient, t, prefix))
    stacked = {old: p if old is own else _stacked(old, count) for old, _ in pairs}
    rates = {getattr(one, name): getattr(optimizer, name) for name in names}
    new = batch([value for _, value in pairs], {gradient: g, **stacked, **rates}, count)
    return [(stacked[old], value) for (old, _), value in zip(pairs, new, strict=True)]


def _count(optimizer: Optimizer, names: Sequence[str]) -> int:
    sizes = {name: len(optimizer.defaults[name]) for name in names}  # type: ignore[arg-type]
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise ShapeError(f"{type(optimizer).__name__}: {told}; expected as many numbers, one for each member")
    return sizes[names[0]]


def _stacked(state: Expr, count: int) -> Expr:
    """The state of every member, each of which begins as that of one."""
    init = state.attrs["init"]
    if isinstance(init, ArrayValue):
        init = np.broadcast_to(init.array, (count, *init.array.shape))
    return ops.state(state.attrs["name"], (count, *state.shape), dtype=state.dtype, init=init)
