"""Twenty steps of an optimizer beside PyTorch's, in float64, with changes of hyperparameters on the way.

The loss is size·Σ (cos(t)·w·p + (p - b)⁴ / 4) over a few parameters p, with fixed weights w: its gradient depends on
the parameters and on the step, and changes its sign.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, weights

SHAPES = {"weight": (9, 7), "bias": (7,), "scale": ()}
SIZE = sum(math.prod(shape) for shape in SHAPES.values())
STEPS = 20
SEEN = (0, 6, 7, 13, 19)
"""The steps after which the parameters are compared."""

Make = Callable[[Any, dict[str, Any]], Any]
"""(torch.optim or sn.optim, parameters by name) -> an optimizer."""


@dataclass(frozen=True)
class Run:
    """One optimizer and what is changed while it runs.

    make      makes it, in PyTorch and here
    changes   step -> hyperparameters that have other values from there on; "1.lr" is that of group 1 alone
    size      factor of the loss; negative for an optimizer that maximizes, or it would climb to infinity
    around    (optimizer) -> what symnet compiles instead; `peer_step` is what a PyTorch user writes instead of step(),
              and tells whether the gradients are to be cleared then
    averages  compare the averages at the end, too; `peer_averages` gives PyTorch's
    """

    make: Make
    changes: Mapping[int, Mapping[str, Any]] = field(default_factory=lambda: {7: {"lr": 0.03}, 13: {"lr": 0.002}})
    size: float = 1.0
    around: Callable[[sn.optim.Optimizer], sn.optim.Optimizer] = lambda optimizer: optimizer
    peer_step: Callable[[Any, Any, int], bool] = lambda optimizer, parameters, step: optimizer.step() or True
    averages: bool = False
    peer_averages: Callable[[Any, dict[str, Any]], dict[str, Any]] | None = None

    def case(self, name: str) -> Case:
        return Case(name, self.inputs, self.peer, self.ours)

    def inputs(self, rng: np.random.Generator) -> Arrays:
        """What the parameters start from, and b, one parameter behind the other."""
        return {"start": rng.normal(size=SIZE), "to": rng.normal(size=SIZE)}

    def ours(self, arrays: Arrays) -> Arrays:
        start, to = _parts(arrays["start"]), _parts(arrays["to"])
        parameters = {name: sn.parameter(name, SHAPES[name], "float64", init=value) for name, value in start.items()}
        wave, size = sn.input("wave", (), "float64"), sn.input("size", (), "float64")
        loss = sum(
            sn.sum(wave * sn.constant(weights(p.shape)) * p + (p - sn.constant(to[name])) ** 4 / 4)
            for name, p in parameters.items()
        )
        prog = sn.compile(loss=size * loss, optimizer=self.around(self.make(sn.optim, parameters)))
        after = []
        for step in range(STEPS):
            for change, value in self.changes.get(step, {}).items():
                for name in prog.hyper.names(change):
                    prog.hyper[name] = value
            prog.step(wave=math.cos(step), size=self.size)
            if step in SEEN:
                after.append(_joined(prog.parameters[name] for name in SHAPES))
        found = {"after": np.stack(after)}
        if self.averages:
            averages = sn.optim.averages(prog)
            found["averages"] = _joined(averages[name] for name in SHAPES)
        return found

    def peer(self, arrays: Arrays) -> Arrays:
        with torch_in_float64() as torch:
            to = {name: torch.tensor(value) for name, value in _parts(arrays["to"]).items()}
            parameters = {
                name: torch.tensor(value, requires_grad=True) for name, value in _parts(arrays["start"]).items()
            }
            optimizer = self.make(torch.optim, parameters)
            after = []
            for step in range(STEPS):
                for change, value in self.changes.get(step, {}).items():
                    group, _, name = change.rpartition(".")
                    for one in [optimizer.param_groups[int(group)]] if group else optimizer.param_groups:
                        one[name] = value
                loss = sum(
                    (math.cos(step) * torch.tensor(weights(tuple(p.shape))) * p + (p - to[name]) ** 4 / 4).sum()
                    for name, p in parameters.items()
                )
                (self.size * loss).backward()
                if self.peer_step(optimizer, list(parameters.values()), step):
                    optimizer.zero_grad()
                if step in SEEN:
                    after.append(_joined(p.detach().numpy() for p in parameters.values()))
            found = {"after": np.stack(after)}
            if self.peer_averages is not None:
                averages = self.peer_averages(optimizer, parameters)
                found["averages"] = _joined(averages[name].detach().numpy() for name in SHAPES)
            return found


@contextmanager
def torch_in_float64() -> Iterator[Any]:
    """PyTorch keeps the scalars of an optimizer (NAdam's product, ASGD's η) in its default data type."""
    import torch

    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield torch
    finally:
        torch.set_default_dtype(usual)


def _parts(vector: np.ndarray) -> Arrays:
    """A vector as arrays of the parameters' shapes."""
    pieces = np.split(vector, np.cumsum([math.prod(shape) for shape in SHAPES.values()])[:-1])
    return {name: piece.reshape(shape) for (name, shape), piece in zip(SHAPES.items(), pieces, strict=True)}


def _joined(arrays: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(array) for array in arrays])
