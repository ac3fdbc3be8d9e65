"""NumPy, which multiplies by OpenBLAS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.benchmarks.frameworks.job import Job, Setting
from tests.benchmarks.frameworks.workloads import Products, sample


def products(work: Products, setting: Setting) -> Job:
    def part(number: int) -> Callable[[], list[float]]:
        a, b = work.operands(number)
        times, out = work.times(number), np.empty((len(a), b.shape[1]), np.float32)

        def run() -> list[float]:
            for _ in range(times):
                np.matmul(a, b, out=out)
            return sample(out)

        return run

    return Job([part(number) for number in range(len(work.parts))])
