"""Times of linear algebra beside NumPy's LAPACK, and of an ensemble beside its members one after the other.

    python tests/benchmarks/linear_algebra.py [--threads N]

Prints medians of one run, all in this process; nothing else should run meanwhile. Set OPENBLAS_NUM_THREADS to the
number of threads as well.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import symnet as sn


def median(run: Callable[[], Any], repeats: int = 25) -> float:
    """Microseconds."""
    run()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e6


def factorisations(threads: int) -> None:
    rng = np.random.default_rng(0)
    print(f"{'float64':>12} {'n':>5} {'symnet µs':>10} {'NumPy µs':>10} {'ratio':>6}")
    for n in (16, 32, 64, 128, 256, 512):
        matrix, right = rng.normal(size=(n, n)), rng.normal(size=(n, n))
        positive = matrix @ matrix.T + np.eye(n)
        a, b = sn.input("a", (n, n), "float64"), sn.input("b", (n, n), "float64")
        rows: list[tuple[str, list[Any], Any, Callable[[], Any]]] = [
            ("det", [a], sn.linalg.det(a), lambda m=matrix: np.linalg.det(m)),
            ("solve", [a, b], sn.linalg.solve(a, b), lambda m=matrix, r=right: np.linalg.solve(m, r)),
            ("inverse", [a], sn.linalg.inv(a), lambda m=matrix: np.linalg.inv(m)),
            ("cholesky", [a], sn.linalg.cholesky(a), lambda m=positive: np.linalg.cholesky(m)),
        ]  # fmt: skip
        for name, inputs, value, peer in rows:
            program = sn.function(inputs, value, threads=threads)
            given = [positive if name == "cholesky" else matrix, right][: len(inputs)]
            ours, theirs = median(lambda p=program, g=given: p(*g)), median(peer)  # type: ignore[misc]
            print(f"{name:>12} {n:>5} {ours:>10.0f} {theirs:>10.0f} {ours / theirs:>6.2f}")


def stacks(threads: int) -> None:
    rng = np.random.default_rng(0)
    for count, n in ((1000, 4), (100, 16)):
        matrix = rng.normal(size=(count, n, n))
        a = sn.input("a", (count, n, n), "float64")
        program = sn.function([a], sn.linalg.inv(a), threads=threads)
        ours, theirs = median(lambda: program(matrix)), median(lambda: np.linalg.inv(matrix))  # noqa: B023
        print(f"{count} x inverse {n:>5} {ours:>10.0f} {theirs:>10.0f} {ours / theirs:>6.2f}")


def ensemble(threads: int) -> None:
    """One training step of 8 networks: in one program, and one after the other."""
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(64, 64)).astype("float32"), rng.integers(0, 10, 64)
    x, y = sn.input("x", ("N", 64)), sn.input("y", ("N",), "int64")

    def network(width: int) -> sn.nn.Module:
        return sn.nn.Sequential(sn.nn.Linear(64, width), sn.nn.ReLU(), sn.nn.Linear(width, 10))

    print(f"{'8 networks':>12} {'width':>5} {'one µs':>10} {'eight µs':>10} {'ratio':>6}")
    for width in (32, 128, 512):
        logits = sn.nn.Ensemble(lambda w=width: network(w), seeds=8)(x)
        losses = sn.vmap(lambda z: sn.losses.cross_entropy(z, y))(logits)
        optimizer = sn.optim.Adam(lr=list(np.logspace(-4, -2, 8)))
        whole = sn.compile(loss=sn.sum(losses), optimizer=optimizer, batch={"N": 64}, threads=threads)
        single = [
            sn.compile(loss=sn.losses.cross_entropy(network(width)(x), y), optimizer=sn.optim.Adam(), batch={"N": 64},
                       seed=seed, threads=threads)
            for seed in range(8)
        ]  # fmt: skip
        together = median(lambda: whole.step(x=rows, y=labels))  # noqa: B023
        apart = median(lambda: [program.step(x=rows, y=labels) for program in single])  # noqa: B023
        print(f"{'':>12} {width:>5} {together:>10.0f} {apart:>10.0f} {together / apart:>6.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    factorisations(arguments.threads)
    stacks(arguments.threads)
    ensemble(arguments.threads)
