"""PyTorch: eager with its fused optimizer, with torch.compile around the whole step, with the channels last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tests.benchmarks.frameworks.job import Job, Setting
from tests.benchmarks.frameworks.workloads import (
    CrossEntropy,
    Inference,
    Networked,
    Products,
    Training,
    Update,
    sample,
)

FUSED = ("SGD", "Adam", "AdamW")


def _network(work: Networked) -> Any:
    model = work.network(torch.nn)
    start = work.start((name, tuple(p.shape)) for name, p in model.named_parameters())
    model.load_state_dict({name: torch.from_numpy(value) for name, value in start.items()}, strict=False)
    return model


def _training(
    work: Training, setting: Setting, layout: Any = torch.contiguous_format, rounded: bool = False
) -> tuple[Any, Any]:
    """The step, (x, y) -> loss, and the batches."""
    torch.set_num_threads(setting.threads)
    model = _network(work).to(memory_format=layout)
    ways = {"fused": True} if work.optimizer in FUSED else {"foreach": True}
    optimizer = getattr(torch.optim, work.optimizer)(model.parameters(), **work.settings, **ways)
    criterion = torch.nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    batches = [(torch.from_numpy(x), torch.from_numpy(y).reshape(-1)) for x, y in work.batches()]
    return step, [(x.to(memory_format=layout) if x.dim() == 4 else x, y) for x, y in batches]


def _epochs(step: Any, batches: Any) -> Job:
    return Job([lambda: torch.stack([step(x, y) for x, y in batches]).tolist()])


def eager(work: Training, setting: Setting) -> Job:
    return _epochs(*_training(work, setting))


def rounded(work: Training, setting: Setting) -> Job:
    return _epochs(*_training(work, setting, rounded=True))


def channels_last(work: Training, setting: Setting) -> Job:
    return _epochs(*_training(work, setting, torch.channels_last))


def compiled(work: Training, setting: Setting) -> Job:
    step, batches = _training(work, setting)
    return _epochs(torch.compile(step), batches)


def compiled_channels_last(work: Training, setting: Setting) -> Job:
    step, batches = _training(work, setting, torch.channels_last)
    return _epochs(torch.compile(step), batches)


def loss(work: CrossEntropy, setting: Setting) -> Job:
    torch.set_num_threads(setting.threads)
    numbers, labels = work.data()
    z, y = torch.from_numpy(numbers).requires_grad_(), torch.from_numpy(labels)

    def run() -> list[float]:
        for _ in range(work.steps):
            z.grad = None
            value = torch.nn.functional.cross_entropy(z, y)
            value.backward()
        assert z.grad is not None
        return [float(value.detach()), *sample(z.grad.numpy())]

    return Job([run])


def update_fused(work: Update, setting: Setting) -> Job:
    return _update(work, setting, {"fused": True})


def update_foreach(work: Update, setting: Setting) -> Job:
    return _update(work, setting, {"foreach": True})


def _update(work: Update, setting: Setting, way: dict[str, bool]) -> Job:
    torch.set_num_threads(setting.threads)
    parameters = []
    for value, gradient in work.data():
        parameters.append(torch.from_numpy(value).requires_grad_())
        parameters[-1].grad = torch.from_numpy(gradient)
    optimizer = getattr(torch.optim, work.optimizer)(parameters, **work.settings, **way)

    def run() -> list[float]:
        for _ in range(work.steps):
            optimizer.step()
        return [value for p in parameters for value in sample(p.detach().numpy(), 50)]

    return Job([run])


def infer(work: Inference, setting: Setting) -> Job:
    torch.set_num_threads(setting.threads)
    model, xs = _network(work).eval(), [torch.from_numpy(x) for x in work.inputs()]

    def run() -> list[float]:
        with torch.inference_mode():
            for x in xs:
                values = model(x)
        return sample(values)

    return Job([run])


def products(work: Products, setting: Setting) -> Job:
    torch.set_num_threads(setting.threads)

    def part(number: int) -> Callable[[], list[float]]:
        a, b = map(torch.from_numpy, work.operands(number))
        times, out = work.times(number), torch.empty((len(a), b.shape[1]))

        def run() -> list[float]:
            for _ in range(times):
                torch.mm(a, b, out=out)
            return sample(out)

        return run

    return Job([part(number) for number in range(len(work.parts))])
