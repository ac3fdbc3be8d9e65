"""One contestant in a process of its own: it does a part of the workload for each line that it reads.

A process each, because the settings of memory allocators and thread pools hold for a whole process, and so that the
peak of its memory is its own.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy.random  # noqa: F401, which makes the data of all: not part of what a contestant needs

from tests.benchmarks.frameworks.job import Job, Setting
from tests.benchmarks.frameworks.workloads import WORKLOADS

TURN = 0.25
"""Seconds of a turn: threads and processors that have slept while others had theirs take some milliseconds to be as
fast as they can, which a turn that is over sooner would be charged with."""


def memory(field: str) -> int:
    """Resident memory of this process in bytes: VmRSS (now) or VmHWM (the peak)."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def answer(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def turn(part: Callable[[], Any]) -> float:
    """Seconds of one repetition of a part, the mean over TURN seconds, of what is fast after one that is not timed."""
    started = time.perf_counter()
    part()
    first = time.perf_counter() - started
    if first > TURN:
        return first
    times, started = 0, time.perf_counter()
    while not times or time.perf_counter() - started < TURN:
        part()
        times += 1
    return (time.perf_counter() - started) / times


def main(make: str, name: str, setting: Setting) -> None:
    work = next(work for work in WORKLOADS if work.name == name)
    module, _, function = make.partition(":")
    maker = getattr(importlib.import_module(f"tests.benchmarks.frameworks.{module}"), function)
    before, started = memory("VmRSS"), time.perf_counter()
    job: Job = maker(work, setting)
    figures = [list(map(float, job.parts[0]()))]
    first = time.perf_counter() - started
    answer(first=first, peak=memory("VmHWM"), above=memory("VmHWM") - before)
    answer(figures=figures + [list(map(float, part())) for part in job.parts[1:]])
    most = memory("VmHWM")
    for line in sys.stdin:
        if line.strip() == "profile":
            answer(profile=job.profile() if job.profile else None)
            continue
        part = int(line)
        if job.seconds:
            seconds = job.seconds()
        else:
            seconds = turn(job.parts[part]) / work.times(part)
            most = memory("VmHWM")
        answer(seconds=seconds, peak=most, above=most - before)


if __name__ == "__main__":
    given = json.loads(sys.argv[3])
    chosen = Setting(**given)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: chosen.threads])  # thread pools count the cores
    main(sys.argv[1], sys.argv[2], chosen)
