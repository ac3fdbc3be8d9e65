"""One contestant in a process of its own: it takes a turn for each line that it reads.

A process each, because the settings of memory allocators and thread pools hold for a whole process, and so that the
peak of its memory is its own.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

import numpy as np

from tests.benchmarks.frameworks.workloads import WORKLOADS


def memory(field: str) -> int:
    """Resident memory of this process in bytes: VmRSS (now) or VmHWM (the peak)."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def answer(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def main(side: str, way: str, name: str, threads: str) -> None:
    work = next(work for work in WORKLOADS if work.name == name)
    maker = getattr(importlib.import_module(f"tests.benchmarks.frameworks.{side}"), way)
    before, started = memory("VmRSS"), time.perf_counter()
    epoch = maker(work, int(threads) or None)
    losses = np.asarray(epoch(), np.float64).tolist()
    answer(losses=losses, first=time.perf_counter() - started)
    for _ in sys.stdin:
        started = time.perf_counter()
        epoch()
        answer(seconds=(time.perf_counter() - started) / work.steps, memory=memory("VmHWM") - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
