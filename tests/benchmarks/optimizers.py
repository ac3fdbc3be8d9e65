"""Updates alone: microseconds for the parameters and state of one matrix, beside PyTorch's ways to run the same update.

    python -m tests.benchmarks.optimizers [--size 1000000] [--threads 2] [Adam SGD …]

For symnet it is the time of the kernel that updates the parameter, by the program's profile, with the bytes it moves
a second; for PyTorch that of `step()`: fused, foreach and one operation after the other.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import symnet as sn

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {}),
    "SGD with momentum": ("SGD", {"momentum": 0.9}),
    "Adam": ("Adam", {}),
    "AdamW": ("AdamW", {}),
    "Adam with amsgrad": ("Adam", {"amsgrad": True}),
    "NAdam": ("NAdam", {}),
    "RAdam": ("RAdam", {}),
    "Adamax": ("Adamax", {}),
    "Adagrad": ("Adagrad", {}),
    "RMSprop": ("RMSprop", {}),
    "Adadelta": ("Adadelta", {}),
    "ASGD": ("ASGD", {}),
    "Rprop": ("Rprop", {}),
    "Lion": ("Lion", {}),
}
WAYS: dict[str, dict[str, bool]] = {
    "fused": {"fused": True},
    "foreach": {"foreach": True},
    "single": {"foreach": False},
}


def ours(name: str, settings: dict[str, Any], gradient: np.ndarray, threads: int) -> tuple[float, float]:
    """Microseconds and GB/s of the kernel that reads the gradient and writes the parameter."""
    p, g = sn.parameter("p", gradient.shape, init=gradient), sn.input("g", gradient.shape)
    optimizer = getattr(sn.optim, name)(**settings)
    program = sn.compile(loss=sn.sum(p * g), optimizer=optimizer, threads=threads)
    kernels = program.profile("step", g=gradient).kernels
    update = max((kernel for kernel in kernels if kernel.name.startswith("update")), key=lambda kernel: kernel.bytes)
    return update.time, update.bytes / update.time / 1e3


def theirs(name: str, settings: dict[str, Any], gradient: np.ndarray, way: dict[str, bool]) -> float | None:
    """Microseconds of `step()`, or None where PyTorch does not have it."""
    import torch

    p = torch.tensor(gradient, requires_grad=True)
    p.grad = torch.tensor(gradient)
    try:
        optimizer = getattr(torch.optim, name)([p], **settings, **way)
    except (AttributeError, TypeError, RuntimeError):
        return None
    return seconds(optimizer.step) * 1e6


def seconds(run: Callable[[], object], turns: int = 61) -> float:
    """The first quartile: a machine that does something else now and then does not count."""
    run()
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[turns // 4]


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(SETTINGS)}")
    parser.add_argument("--size", type=int, default=1_000_000, help="numbers in the parameter")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    gradient = np.random.default_rng(0).normal(size=(given.size // 1000, 1000)).astype("float32")
    print(f"{given.size:,} float32 numbers, {given.threads} threads; microseconds")
    print(f"{'':18}{'symnet':>9}{'GB/s':>7}" + "".join(f"{'torch ' + way:>16}" for way in WAYS))
    for label, (name, settings) in SETTINGS.items():
        if given.names and label not in given.names:
            continue
        micros, rate = ours(name, settings, gradient, given.threads)
        peers = [theirs(name, settings, gradient, way) for way in WAYS.values()]
        shown = "".join(f"{'–' if t is None else f'{t:.0f} ({t / micros:.1f}×)':>16}" for t in peers)
        print(f"{label:18}{micros:9.0f}{rate:7.0f}{shown}", flush=True)


if __name__ == "__main__":
    main()
