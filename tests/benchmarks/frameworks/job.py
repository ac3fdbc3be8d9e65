"""What a side gives for a workload, and under which conditions it works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Part = Callable[[], Sequence[float]]
"""Does a part of the workload as often as one turn wants; gives figures by which contestants are compared."""


@dataclass(frozen=True)
class Setting:
    """threads  how many may work at once
    target   "native", or the level of instructions that all are restricted to
    shapes   name -> shape of the network's parameters, for sides that write the network as a function of them
    norms    names of its batch norms
    """

    threads: int = 2
    target: str = "native"
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    norms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """The parts of a workload, ready to run.

    profile  tells where the time of one step goes, if the side can tell
    seconds  runs a step and measures it, where the clock around a part would count more than the workload
    """

    parts: Sequence[Part]
    profile: Callable[[], dict[str, Any]] | None = None
    seconds: Callable[[], float] | None = None
