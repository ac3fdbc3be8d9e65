"""Several networks of one architecture as one: their parameters stacked, their values computed together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import DTypeError, UnknownName, UsageError
from symnet.expr.dims import Shape
from symnet.expr.node import Expr
from symnet.nn.init import initial_value
from symnet.nn.module import Buffer, Module, Parameter
from symnet.ops import constant, random

__all__ = ["Ensemble"]


class Ensemble(Module):
    """`len(seeds)` networks that `make` makes, called as one.

    make     makes one network; called once
    seeds    one for each member, which starts from the values that the network by itself would have in a program with
             this seed, and draws the same random numbers (dropout); a number n stands for the seeds 0, 1, …, n - 1
    in_axes  which axis of each argument has the data of the members, as for `sn.vmap`; None: all see the same

        members = sn.nn.Ensemble(make_model, seeds=[0, 1, 2])
        logits = members(x)                                                        # (3, N, 10)
        losses = sn.vmap(lambda z: sn.losses.cross_entropy(z, y))(logits)          # (3,)
        prog = sn.compile(loss=sn.sum(losses), optimizer=sn.optim.Adam(lr=[1e-2, 1e-3, 1e-4]), …)

    Parameters and buffers have the network's names and an axis of members in front. The sum of the losses has the
    gradient of its own loss for each member, so with an optimizer that works element by element the members train as
    they would alone. A setting of the optimizer that is a list has a number for each member.
    """

    def __init__(self, make: Callable[[], Module], seeds: int | Sequence[int], in_axes: Any = None) -> None:
        self.seeds = _seeds(seeds)
        self.in_axes = in_axes
        one = make()
        if not isinstance(one, Module):
            raise DTypeError(f"Ensemble: make() returned {type(one).__name__}, expected a module")
        self.__dict__["_one"] = one  # not a part: its values are those of no member
        self._take_over(one)

    def _take_over(self, one: Module) -> None:
        """Become a module of the same structure, with the values of all members stacked."""
        whole = copy.deepcopy(one)
        for (_, old), (_, new) in zip(one.named_modules(), whole.named_modules(), strict=True):
            for name, node in old._parameters.items():
                new._parameters[name] = Parameter(*self._values(node), trainable=node.attrs["trainable"])
            for name, node in old._buffers.items():
                new._buffers[name] = Buffer(*self._values(node))
        for name, part in (*whole._parameters.items(), *whole._buffers.items(), *whole._modules.items()):
            setattr(self, name, part)

    def _values(self, node: Expr) -> tuple[Shape, np.ndarray, str]:
        """Shape, first values and type of a parameter or buffer of all members."""
        values = np.stack([initial_value(node, seed) for seed in self.seeds])
        return values.shape, values, node.dtype

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The values of all members, with an axis of members in front of each."""
        from symnet.derive.vmap import mapped

        one: Module = self.__dict__["_one"]
        for (_, module), (_, own) in zip(one.named_modules(), self.named_modules(), strict=True):
            module.training = own.training
        kept = dict([*self.named_parameters(), *self.named_buffers()])
        stacked = {node: kept[name] for name, node in (*one.named_parameters(), *one.named_buffers())}
        stacked[random.key()[0]] = constant(np.array(self.seeds, "int64"))
        return mapped(lambda *given: one(*given, **kwargs), args, {}, self.in_axes, 0, len(self.seeds), True, stacked)

    def state_of(self, member: int, parameters: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The values of one member by the network's names, from `prog.parameters` (or `prog.buffers`)."""
        if not -len(self.seeds) <= member < len(self.seeds):
            raise UnknownName(f"Ensemble: there is no member {member}, only {len(self.seeds)}")
        own = [name for name, _ in (*self.named_parameters(), *self.named_buffers()) if name in parameters]
        return {name: np.asarray(parameters[name])[member] for name in own}

    def extra_repr(self) -> str:
        return f"seeds={self.seeds}"


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    listed = list(range(seeds)) if isinstance(seeds, int) else [int(seed) for seed in seeds]
    if not listed:
        raise UsageError("Ensemble: got no seeds, expected one for each member")
    return listed
