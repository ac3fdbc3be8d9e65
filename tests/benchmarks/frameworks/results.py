"""What was measured: kept as JSON, read again, and the figures that tables and the page show."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.frameworks.process import Taken

NOTE = 36
"""How many characters of what a kernel computes are shown."""


@dataclass
class Result:
    """A workload under a setting: the figures of all that took part, symnet first, and why others did not."""

    workload: str
    kind: str
    title: str
    goal: float
    parts: list[str]
    threads: int
    target: str
    rounds: int
    taken: list[Taken]
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> Taken | None:
        return self.taken[0] if self.taken and self.taken[0].name.startswith("symnet") else None

    @property
    def peers(self) -> list[Taken]:
        return [one for one in self.taken if not one.name.startswith("symnet")]

    def best(self) -> Taken | None:
        """The fastest peer; over several parts, the one with the least geometric mean."""
        return min(self.peers, key=lambda one: geometric_mean(medians(one)), default=None)

    def eager(self) -> Taken | None:
        """PyTorch without its compiler, the first of its contestants."""
        return next((one for one in self.taken if one.name.startswith("PyTorch")), None)

    def speed(self, peer: Taken | None) -> float | None:
        """How many times as fast as the peer symnet is; over several parts, in geometric mean."""
        if self.ours is None or peer is None:
            return None
        return geometric_mean(t / o for t, o in zip(medians(peer), medians(self.ours), strict=True))

    def speeds(self) -> list[float]:
        """For each part, how many times as fast as the best peer at this part symnet is."""
        if self.ours is None or not self.peers:
            return []
        least = [min(column) for column in zip(*map(medians, self.peers), strict=True)]
        return [t / o for t, o in zip(least, medians(self.ours), strict=True)]

    def of_peak(self) -> float | None:
        """The step's floating-point operations over what multiply-adds could do in its time."""
        return self._share("flops", "peak")

    def of_copy(self) -> float | None:
        """The bytes that its kernels read and write over what a copy could move in its time."""
        return self._share("bytes", "bandwidth")

    def _share(self, work: str, most: str) -> float | None:
        if self.ours is None or not (profile := self.ours.profile) or not profile[most]:
            return None
        return float(profile[work] / sum(medians(self.ours)) / profile[most])

    def bound(self) -> str:
        """Where the time of a step goes and what keeps its longest kernels from being faster; of parts, the speeds."""
        if self.ours is None or not (profile := self.ours.profile):
            return ""
        if len(self.parts) > 1:
            speeds = zip(profile["parts"], medians(self.ours), self.parts, strict=True)
            (least, slow), *_, (most, fast) = sorted((flops / t / profile["peak"], name) for flops, t, name in speeds)
            return f"From {least:.0%} of the FMA peak at {slow} to {most:.0%} at {fast}."
        kernels = sorted(profile["kernels"], key=lambda kernel: -kernel["time"])
        total = sum(kernel["time"] for kernel in kernels) or 1.0
        shares = {kind: sum(k["time"] for k in kernels if k["bound"] == kind) / total for kind in BOUNDS}
        parts = [f"{BOUNDS[kind]} ({share:.0%})" for kind, share in shares.items() if share >= 0.005]
        longest = "; ".join(f"{_called(k)} {k['time'] / total:.0%} ({_speed(k)})" for k in kernels[:3])
        return f"The kernels' time is bound by {', '.join(parts)}. Longest: {longest}."


BOUNDS = {"compute": "arithmetic", "memory": "memory", "latency": "latency"}


def _called(kernel: dict[str, Any]) -> str:
    note = kernel["note"] if len(kernel["note"]) <= NOTE else kernel["note"][: NOTE - 1] + "…"
    return f"`{kernel['name']}: {note}`"


def _speed(kernel: dict[str, Any]) -> str:
    if kernel["bound"] == "memory":
        return f"memory, {kernel['of_bandwidth']:.0%} of the copy"
    return f"{kernel['bound']}, {kernel['of_peak']:.0%} of the peak"


def medians(taken: Taken) -> list[float]:
    return [median(seconds) for seconds in taken.seconds]


def minima(taken: Taken) -> list[float]:
    return [min(seconds) for seconds in taken.seconds]


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def save(path: Path, machine: dict[str, Any], results: Sequence[Result]) -> None:
    text = json.dumps({"machine": machine, "results": [asdict(result) for result in results]}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def load(paths: Sequence[Path]) -> tuple[dict[str, Any], list[Result]]:
    """All results; of a workload under a setting that is in several files, the last."""
    machine: dict[str, Any] = {}
    found: dict[tuple[str, int, str], Result] = {}
    for path in paths:
        data = json.loads(path.read_text(encoding="utf-8"))
        versions = machine.get("versions", {}) | data["machine"].get("versions", {})
        machine = machine | data["machine"] | {"versions": versions}
        for about in data["results"]:
            result = Result(**{**about, "taken": [Taken(**taken) for taken in about["taken"]]})
            found[result.workload, result.threads, result.target] = result
    return machine, list(found.values())
