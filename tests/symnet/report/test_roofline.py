"""What the machine allows: bounds that no kernel is beyond, and a roof for every cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from symnet.report.model import Kernel
from symnet.report.roofline import Limits, bounded
from tests.symnet.report.documents import data_of


def test_no_kernel_is_beyond_the_bound_that_is_stated() -> None:
    """Whatever else the machine did meanwhile; and the figures are those of `profile`."""
    found = data_of("mlp")  # measured
    machine = found["machine"]
    for kernel in found["kernels"]:
        seconds = max(kernel["time_us"], 1e-3) * 1e-6
        assert kernel["of_roof"] <= 1
        assert kernel["bound_us"] <= kernel["time_us"] * (1 + 1e-9)
        assert kernel["flops"] / seconds <= machine["flops"][kernel["dtype"]] * (1 + 1e-9)
        assert kernel["of_peak"] == pytest.approx(kernel["flops"] / seconds / machine["flops"][kernel["dtype"]])
    rates = [copy["bandwidth"] for copy in machine["copies"]]
    assert rates == sorted(rates, reverse=True), "what fits in less is copied no slower"


def limits(copy: Callable[[int, int], float]) -> Limits:
    return Limits(lambda threads, dtype: 1e9 * threads, copy)


def kernel(**figures: Any) -> Kernel:
    work = {"flops": 0, "bytes": 0, "functions_flops": 0, "products": 0, "dtype": "float32", "runs": 1, "threads": 1}
    place: dict[str, Any] = {"id": 0, "name": "k", "note": "", "symbols": (), "lines": (1, 1), "functions": ()}
    return Kernel(**{**place, **work, **figures})


def test_small_data_are_bounded_by_their_cache() -> None:
    found = limits(lambda threads, size: threads * (8e9 if size <= 1 << 16 else 1e9))
    near, far = kernel(bytes=8000), kernel(bytes=1 << 20)
    assert found.bound(near) == (pytest.approx(1e-6), "cache")
    assert found.bound(far) == (pytest.approx((1 << 20) / 1e9), "memory")
    assert found.bound(kernel(bytes=8 << 20, runs=1 << 10))[1] == "cache", "each run works on little"
    assert found.bound(kernel(bytes=8000, flops=2000)) == (pytest.approx(2e-6), "compute")


def test_a_kernel_that_beats_the_limit_is_the_limit() -> None:
    found = limits(lambda threads, size: 1e9)
    fast, computing = kernel(bytes=8000, time_us=2.0), kernel(flops=8000, bytes=8, time_us=4.0)
    slow, *_, busy = bounded([kernel(bytes=8000, time_us=8.0), fast, computing], found)
    assert (slow.of_roof, busy.of_roof) == (pytest.approx(0.25), 1.0)
    machine = found.machine(2, [fast, computing], 1 << 14)
    assert machine.flops == {"float32": pytest.approx(2e9)}
    assert machine.copies[0].bandwidth == pytest.approx(4e9)
