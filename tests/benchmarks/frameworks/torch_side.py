"""The training step in PyTorch: eager with its fused optimizer, and with torch.compile around all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tests.benchmarks.frameworks.workloads import Epoch, Workload

FUSED = ("SGD", "Adam", "AdamW")


def parts(work: Workload, threads: int | None) -> tuple[Callable[[Any, Any], Any], list[tuple[Any, Any]]]:
    if threads:
        torch.set_num_threads(threads)
    model = work.network(torch.nn)
    start = work.start((name, tuple(p.shape)) for name, p in model.named_parameters())
    model.load_state_dict({name: torch.from_numpy(value) for name, value in start.items()}, strict=False)
    ways = {"fused": True} if work.optimizer in FUSED else {"foreach": True}
    optimizer = getattr(torch.optim, work.optimizer)(model.parameters(), **work.settings, **ways)
    criterion = torch.nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step, [(torch.from_numpy(x), torch.from_numpy(y).reshape(-1)) for x, y in work.batches()]


def eager(work: Workload, threads: int | None) -> Epoch:
    step, batches = parts(work, threads)
    return lambda: torch.stack([step(x, y) for x, y in batches]).numpy()


def compiled(work: Workload, threads: int | None) -> Epoch:
    step, batches = parts(work, threads)
    whole = torch.compile(step)
    return lambda: torch.stack([whole(x, y) for x, y in batches]).numpy()
