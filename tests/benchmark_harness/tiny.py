"""The workloads of the benchmarks, as small as their kinds allow."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from tests.benchmarks.frameworks.workloads import (
    WORKLOADS,
    CrossEntropy,
    Inference,
    Products,
    StartUp,
    Training,
    Update,
    Workload,
)


def tiny(work: Workload) -> Workload:
    """The same kind of workload with a few odd sizes."""
    match work:
        case Training() | Inference():
            network, given = smaller(work.network)
            batch = 3 if isinstance(work, Training) else 1
            given = {"network": network, "batch": batch, "steps": 2, **given}
            return replace(work, **{k: v for k, v in given.items() if hasattr(work, k)})
        case CrossEntropy():
            return replace(work, rows=3, classes=7, steps=1)
        case Update():
            return replace(work, shapes=((5, 3), (7,)), steps=2)
        case Products():
            return replace(work, parts=("3x5x7xNN", "1x4x9xNT", "6x2x3xTN"), flops=1.0)
    raise AssertionError(work)


def smaller(network: partial[Any]) -> tuple[partial[Any], dict[str, Any]]:
    """The network with small layers, and the fields of the workload that follow from them."""
    build = network.func
    match build.__name__:
        case "mlp":
            return partial(build, sizes=(9, 7, 5)), {"sample": (9,), "classes": 5}
        case "cnn":
            return partial(build, channels=1, first=2, second=3, hidden=5), {}
        case "resnet":
            return partial(build, widths=(2, 3), blocks=1), {}
        case "recurrent":
            return partial(build, kind=network.keywords["kind"], inputs=3, hidden=5), {"sample": (4, 3)}
        case "gpt":
            sizes = {"kinds": 11, "size": 8, "heads": 2, "layers": 1, "context": 5}
            return partial(build, **sizes), {"sample": (5,), "kinds": 11, "classes": 11, "targets": 5}
    raise AssertionError(build)


def different() -> dict[str, Workload]:
    """Name -> tiny workload: one of those that become the same, without start-ups, which train as others do."""
    found: dict[str, Workload] = {}
    for work in WORKLOADS:
        if not isinstance(work, StartUp):
            small = tiny(work)
            found.setdefault(repr(replace(small, name="", goal=1.0)), small)
    return {work.name: work for work in found.values()}
