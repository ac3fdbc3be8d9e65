"""symnet and PyTorch compute the same in every workload: without that, their times could not be compared."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import numpy as np
import pytest

from tests.benchmark_harness.tiny import different
from tests.benchmarks.frameworks.contestants import CONTESTANTS, KEEPS_PAGES, Contestant
from tests.benchmarks.frameworks.job import Setting
from tests.benchmarks.frameworks.workloads import WORKLOADS, Workload, sample

TINY = different()


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def figures(contestant: Contestant, work: Workload) -> list[list[float]]:
    module, _, function = contestant.make.partition(":")
    job = getattr(importlib.import_module(f"tests.benchmarks.frameworks.{module}"), function)(work, Setting(threads=1))
    return [list(part()) for part in job.parts]


@pytest.mark.parametrize("name", list(TINY))
def test_symnet_and_pytorch_agree(name: str) -> None:
    work = TINY[name]
    sides = [
        one
        for one in CONTESTANTS
        if one.kind == work.kind and one.make.startswith(("symnet_side", "torch_side")) and not one.slow
        if one.environment != KEEPS_PAGES or (one.only and any(part in name for part in one.only))
    ]
    expected = figures(sides[0], work)
    assert sides[0].ours
    assert len(sides) > 1
    close = 3e-2 if work.kind == "rounded" else 2e-4
    for side in sides[1:]:
        for got, wanted in zip(figures(side, work), expected, strict=True):
            assert np.isfinite(got).all()
            np.testing.assert_allclose(got, wanted, rtol=close, atol=2e-5, err_msg=side.name)


def test_names_are_unique() -> None:
    names = [work.name for work in WORKLOADS]
    assert len(set(names)) == len(names)
    assert len({(one.kind, one.name) for one in CONTESTANTS}) == len(CONTESTANTS)


def test_every_kind_has_symnet_first_and_a_peer() -> None:
    for kind in {work.kind for work in WORKLOADS}:
        first, *others = (one for one in CONTESTANTS if one.kind == kind)
        assert first.ours, kind
        assert any(not one.ours for one in others), kind


def test_sample_spreads_over_the_whole_array() -> None:
    assert sample(np.arange(6).reshape(2, 3)) == [0, 1, 2, 3, 4, 5]
    assert sample(np.arange(1000), 4) == [0, 250, 500, 750]
