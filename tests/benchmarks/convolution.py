"""Times convolutions, pools and a whole training step of a small CNN in symnet and in PyTorch, side by side in one run.

    python tests/benchmarks/convolution.py [--threads N] [--rounds 20]

The contestants take turns, so that what else the machine does falls on both; medians and minima in milliseconds. An
operation is timed with the gradients of all its operands. PyTorch runs eagerly, with its fused Adam.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import symnet as sn

F, T = sn.nn.functional, torch.nn.functional

OPERATIONS: list[tuple[str, str, tuple[int, ...], tuple[int, ...] | None, dict[str, Any]]] = [
    ("conv2d", "1 to 16 channels, 28×28, 3×3", (64, 1, 28, 28), (16, 1, 3, 3), {"padding": 1}),
    ("conv2d", "16 to 32 channels, 14×14, 5×5", (64, 16, 14, 14), (32, 16, 5, 5), {"padding": 2}),
    ("conv2d", "64 to 64 channels, 28×28, 3×3", (16, 64, 28, 28), (64, 64, 3, 3), {"padding": 1}),
    ("conv2d", "64 to 128 channels, 3×3, stride 2", (16, 64, 28, 28), (128, 64, 3, 3), {"padding": 1, "stride": 2}),
    ("max_pool2d", "28×28, 2×2", (64, 16, 28, 28), None, {"kernel_size": 2}),
    ("max_pool2d", "14×14, 2×2", (64, 32, 14, 14), None, {"kernel_size": 2}),
    ("max_pool2d", "56×56, 3×3, stride 2", (16, 64, 56, 56), None, {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("avg_pool2d", "28×28, 2×2", (64, 16, 28, 28), None, {"kernel_size": 2}),
    ("avg_pool2d", "28×28, 3×3, padded", (64, 16, 28, 28), None, {"kernel_size": 3, "stride": 1, "padding": 1}),
]  # fmt: skip


def compare(name: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> None:
    """One line: both medians and minima, and how many times as long PyTorch takes."""
    times: list[list[float]] = [[], []]
    for number in range(rounds + 3):
        for run, kept in zip((ours, theirs), times, strict=True):
            begin = time.perf_counter()
            run()
            if number >= 3:
                kept.append(1e3 * (time.perf_counter() - begin))
    (mine, least), (other, fewest) = ((statistics.median(t), min(t)) for t in times)
    print(f"{name:62} {mine:8.3f} {least:8.3f} {other:8.3f} {fewest:8.3f} {other / mine:6.2f} {fewest / least:6.2f}")


def operation(index: int, threads: int, rounds: int) -> None:
    function, what, x_shape, w_shape, settings = OPERATIONS[index]
    rng = np.random.default_rng(index)
    arrays = [rng.normal(size=shape).astype("float32") for shape in (x_shape, w_shape) if shape]
    inputs = [sn.input(letter, array.shape) for letter, array in zip("xw", arrays, strict=False)]
    y = getattr(F, function)(*inputs, **settings)
    g = sn.input("g", y.shape)
    weights = rng.normal(size=y.shape).astype("float32")
    run = sn.function([*inputs, g], [y, *(sn.vjp(y, x, g) for x in inputs)], threads=threads)
    tensors, weight = [torch.tensor(array, requires_grad=True) for array in arrays], torch.tensor(weights)

    def theirs() -> object:
        return torch.autograd.grad(getattr(T, function)(*tensors, **settings), tensors, weight)

    for mine, other in zip(run(*arrays, weights)[1:], theirs(), strict=True):  # type: ignore[call-overload]
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-3 * np.abs(mine).max())
    compare(f"{function}: {what}", lambda: run(*arrays, weights), theirs, rounds)


def network(nn: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 49, 10),
    )  # fmt: skip


def step(threads: int, rounds: int) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(64, 1, 28, 28)).astype("float32"), rng.integers(0, 10, 64)
    x, y = sn.input("x", ("N", 1, 28, 28)), sn.input("y", ("N",), "int64")
    loss = sn.losses.cross_entropy(network(sn.nn)(x), y)
    program = sn.compile(loss=loss, optimizer=sn.optim.Adam(lr=1e-3), batch={"N": 64}, threads=threads)
    model = network(torch.nn)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    inputs, targets = torch.tensor(images), torch.tensor(labels)

    def theirs() -> None:
        optimizer.zero_grad()
        T.cross_entropy(model(inputs), targets).backward()
        optimizer.step()

    compare(
        "training step: 28×28, 16 and 32 channels, batch 64, Adam",
        lambda: program.step(x=images, y=labels),
        theirs,
        rounds,
    )
    print(program.profile(x=images, y=labels))


def main() -> None:
    parser = argparse.ArgumentParser(description="Convolutions, pools and a small CNN beside PyTorch.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"{'':62} {'symnet':>8} {'(least)':>8} {'PyTorch':>8} {'(least)':>8} {'ratio':>6} {'least':>6}")
    for index in range(len(OPERATIONS)):
        operation(index, chosen.threads, chosen.rounds)
    step(chosen.threads, chosen.rounds)


if __name__ == "__main__":
    main()
