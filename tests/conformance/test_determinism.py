"""The same bits from run to run, and for any number of threads."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

import symnet as sn

SIZES = (70, 65, 33, 10)


def trained(threads: int, optimizer: sn.optim.Optimizer, rows: int = 250, batch: int = 64) -> dict[str, np.ndarray]:
    """Parameters and optimizer state of an MLP after three epochs; the last batch of each is short."""
    rng = np.random.default_rng(5)
    layers: list[sn.nn.Module] = []
    for n_in, n_out in itertools.pairwise(SIZES):
        layers += [sn.nn.Linear(n_in, n_out), sn.nn.GELU()]
    model = sn.nn.Sequential(*layers[:-1])
    x, y = sn.input("x", ("N", SIZES[0])), sn.input("y", ("N",), "int64")
    loss = sn.losses.cross_entropy(model(x), y)
    prog = sn.compile(loss=loss, optimizer=optimizer, batch={"N": batch}, threads=threads, seed=1)
    data = {"x": rng.normal(size=(rows, SIZES[0])).astype(np.float32), "y": rng.integers(0, 10, rows)}
    losses = prog.fit(data, epochs=3, progress=False).losses
    return {**{name: prog.instance.read(name) for name in prog.instance.persistent}, "losses": np.asarray(losses)}


def assert_same_bits(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert value.tobytes() == b[name].tobytes(), name


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_change_a_bit(threads: int) -> None:
    assert_same_bits(trained(1, sn.optim.Adam(lr=1e-2)), trained(threads, sn.optim.Adam(lr=1e-2)))


def test_a_large_program_with_threads() -> None:
    """Large enough that the work is really shared."""
    results = []
    for threads in (1, 2, 2):
        model = sn.nn.Sequential(sn.nn.Linear(500, 301), sn.nn.Tanh(), sn.nn.Linear(301, 200))
        x, t = sn.input("x", ("N", 500)), sn.input("t", ("N", 200))
        loss = sn.losses.mse_loss(model(x), t)
        optimizer = sn.optim.SGD(lr=0.1, momentum=0.9)
        prog = sn.compile(loss=loss, optimizer=optimizer, batch={"N": 129}, threads=threads)
        assert prog.instance.codes["step"].metadata["entries"]["step"]["parallel"]
        rng = np.random.default_rng(2)
        for rows in (129, 128, 77):
            prog.step(x=rng.normal(size=(rows, 500)).astype(np.float32), t=np.ones((rows, 200), np.float32))
        results.append({name: prog.instance.read(name) for name in prog.instance.persistent})
    assert_same_bits(results[0], results[1])
    assert_same_bits(results[1], results[2])


def test_another_process_gives_the_same_bits() -> None:
    script = (
        "import hashlib, symnet as sn\n"
        "from tests.conformance.test_determinism import trained\n"
        "print(hashlib.sha256(b''.join(v.tobytes() for v in trained(2, sn.optim.Adam(lr=1e-2)).values())).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (0, 1, 2)
    }
    assert len(digests) == 1
