"""Times training steps of networks in symnet and in other frameworks, side by side in one run.

    python -m tests.benchmarks.frameworks [PART OF A NAME …] [--rounds 9] [--threads 2] [--only symnet PyTorch …]

All start from the same parameters and see the same batches; their losses are compared before anything is timed. Each
contestant is a process of its own, which waits while the others take their turns (an epoch of a few to some hundred
steps), so that what else the machine does falls on all of them. PyTorch also runs with a malloc that keeps its pages.
What is not installed is left out, and said.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.benchmarks.frameworks.workloads import WORKLOADS, Workload

KEEPS_PAGES = dict.fromkeys(("MALLOC_TOP_PAD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), "2000000000")
PAUSE = 0.05
"""Seconds before a turn, in which the threads of the one before stop spinning."""


@dataclass(frozen=True)
class Contestant:
    name: str
    side: str
    way: str
    environment: dict[str, str] = field(default_factory=dict)


CONTESTANTS = (
    Contestant("symnet fit", "symnet_side", "fit"),
    Contestant("symnet step", "symnet_side", "step"),
    Contestant("PyTorch eager", "torch_side", "eager"),
    Contestant("PyTorch eager, kept pages", "torch_side", "eager", KEEPS_PAGES),
    Contestant("PyTorch compiled", "torch_side", "compiled", KEEPS_PAGES),
    Contestant("JAX jit", "jax_side", "jit"),
    Contestant("JAX scan", "jax_side", "scan"),
)


class Process:
    """A contestant at one workload."""

    def __init__(self, contestant: Contestant, work: Workload, threads: int) -> None:
        self.name = contestant.name
        command = [sys.executable, "-m", "tests.benchmarks.frameworks.worker"]
        command += [contestant.side, contestant.way, work.name, str(threads)]
        environment = {**os.environ, **contestant.environment}
        for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            environment.pop(variable, None)
        self.process = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.seconds: list[float] = []
        self.memory = 0
        self.losses = np.array([])
        self.first = 0.0

    def start(self) -> str | None:
        """Wait until it has trained for one turn; what went wrong, if something did."""
        found = self._answer()
        if found is None:
            _, errors = self.process.communicate()
            return errors.strip().splitlines()[-1] if errors.strip() else "it ended without a word"
        self.losses, self.first = np.array(found["losses"]), found["first"]
        return None

    def turn(self) -> None:
        assert self.process.stdin is not None
        time.sleep(PAUSE)
        self.process.stdin.write("turn\n")
        self.process.stdin.flush()
        found = self._answer()
        assert found is not None, self.name
        self.seconds.append(found["seconds"])
        self.memory = found["memory"]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answer(self) -> dict[str, Any] | None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        return None


def compared(work: Workload, rounds: int, threads: int, wanted: list[str]) -> list[Process]:
    """The contestants after all their turns."""
    chosen = [c for c in CONTESTANTS if not wanted or any(part in c.name for part in wanted)]
    running: list[Process] = []
    try:
        for contestant in chosen:
            process = Process(contestant, work, threads)
            trouble = process.start()
            if trouble:
                print(f"  ({contestant.name} left out: {trouble[:150]})")
            else:
                running.append(process)
        _check(running)
        for _ in range(rounds):
            for process in running:
                process.turn()
    finally:
        for process in running:
            process.stop()
    return running


def _check(running: list[Process]) -> None:
    """The losses of all must agree up to rounding, which training amplifies."""
    for process in running[1:]:
        gap = np.abs(process.losses - running[0].losses) / np.abs(running[0].losses)
        if not (gap[:5].max() < 2e-4 and gap.max() < 5e-2):
            raise SystemExit(f"the losses of {process.name} and {running[0].name} differ by {gap.max():.1e}")


def show(work: Workload, found: list[Process]) -> None:
    print(f"  {'':28}{'median':>10}{'minimum':>10}{'ratio':>8}{'of minima':>11}{'memory':>10}{'first':>8}")
    base = found[0]
    for process in found:
        middle, least = statistics.median(process.seconds), min(process.seconds)
        ratio, ratio_least = middle / statistics.median(base.seconds), least / min(base.seconds)
        print(
            f"  {process.name:28}{middle * 1e6:10.1f}{least * 1e6:10.1f}{ratio:8.2f}{ratio_least:11.2f}"
            f"{process.memory / 1e6:7.0f} MB{process.first:7.1f}s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="PART", help=f"of {', '.join(work.name for work in WORKLOADS)}")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help="of the names of the contestants")
    options = parser.parse_args()
    for work in WORKLOADS:
        if not options.names or any(part.lower() in work.name.lower() for part in options.names):
            print(f"\n{work.name}, batch {work.batch}, {work.optimizer}   (µs a step)", flush=True)
            show(work, compared(work, options.rounds, options.threads, options.only))


if __name__ == "__main__":
    main()
