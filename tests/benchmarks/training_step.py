"""Times one training step of two networks in symnet, PyTorch and JAX, side by side in one run.

    python tests/benchmarks/training_step.py [--rounds 15] [--threads N]

All start from the same parameters and see the same batches; their losses are compared before anything is timed. The
contestants take turns, an epoch each, so that what else the machine does falls on all of them. PyTorch runs eagerly
with its fused optimizer, on one thread and on all; JAX both as one compiled step called in a loop and as a compiled
loop over a whole epoch. What is not installed is left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(variable, None)

import numpy as np  # noqa: E402

import symnet as sn  # noqa: E402

Array = np.ndarray[Any, np.dtype[Any]]
Epoch = Callable[[], Array]
"""Trains on all batches once and returns the loss of each."""


@dataclass(frozen=True)
class Workload:
    """A multilayer perceptron with ReLU between its layers, trained with cross-entropy."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    steps: int
    optimizer: str
    lr: float

    def data(self) -> tuple[Array, Array]:
        rng = np.random.default_rng(0)
        rows = self.batch * self.steps
        return rng.random((rows, self.sizes[0]), np.float32), rng.integers(0, self.sizes[-1], rows)

    def parameters(self) -> list[tuple[Array, Array]]:
        """Weight [out, in] and bias [out] of each layer."""
        rng = np.random.default_rng(1)
        return [
            (
                rng.uniform(-1, 1, (n_out, n_in)).astype(np.float32) / np.float32(np.sqrt(n_in)),
                rng.uniform(-1, 1, n_out).astype(np.float32) / np.float32(np.sqrt(n_in)),
            )
            for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False)
        ]


WORKLOADS = (
    Workload("MLP 64-32-10, batch 32, SGD", (64, 32, 10), 32, 500, "SGD", 0.05),
    Workload("MLP 784-256-128-10, batch 64, Adam", (784, 256, 128, 10), 64, 60, "Adam", 1e-3),
)


# --- the contestants --------------------------------------------------------------------------------------------------


def symnet_program(work: Workload, threads: int | None) -> Any:
    x = sn.input("x", ("N", work.sizes[0]))
    y = sn.input("y", ("N",), dtype="int64")
    layers: list[sn.nn.Module] = []
    for n_in, n_out in zip(work.sizes, work.sizes[1:], strict=False):
        layers += [sn.nn.Linear(n_in, n_out), sn.nn.ReLU()]
    loss = sn.losses.cross_entropy(sn.nn.Sequential(*layers[:-1])(x), y)
    optimizer = getattr(sn.optim, work.optimizer)(lr=work.lr)
    program = sn.compile(loss=loss, optimizer=optimizer, batch={"N": work.batch}, threads=threads)
    for layer, (weight, bias) in enumerate(work.parameters()):
        program.parameters[f"{2 * layer}.weight"] = weight
        program.parameters[f"{2 * layer}.bias"] = bias
    return program


def symnet_fit(work: Workload, threads: int | None) -> Epoch:
    program, (x, y) = symnet_program(work, threads), work.data()

    def epoch() -> Array:
        history = program.fit({"x": x, "y": y}, batch_size=work.batch, shuffle=False, progress=False)
        return np.array(history.losses)

    return epoch


def symnet_step(work: Workload, threads: int | None) -> Epoch:
    program, batches = symnet_program(work, threads), _batches(work)
    return lambda: np.array([program.step(x=x, y=y)["loss"] for x, y in batches])


def torch_eager(work: Workload, threads: int | None) -> Epoch:
    import torch

    layers: list[torch.nn.Module] = []
    for weight, bias in work.parameters():
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
        layers += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = getattr(torch.optim, work.optimizer)(model.parameters(), lr=work.lr, fused=True)
    criterion = torch.nn.CrossEntropyLoss()
    batches = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in _batches(work)]
    chosen = threads or 1

    def epoch() -> Array:
        torch.set_num_threads(chosen)
        losses = []
        for x, y in batches:
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).numpy()

    return epoch


def jax_step(work: Workload, threads: int | None) -> Epoch:
    import jax

    step, start = _jax_step(work)
    compiled = jax.jit(step, donate_argnums=0)
    batches = [(jax.device_put(x), jax.device_put(y)) for x, y in _batches(work)]
    state = [start]

    def epoch() -> Array:
        losses = []
        for batch in batches:
            state[0], loss = compiled(state[0], batch)
            losses.append(loss)
        return np.array([float(loss) for loss in losses])

    return epoch


def jax_scan(work: Workload, threads: int | None) -> Epoch:
    import jax

    step, start = _jax_step(work)
    compiled = jax.jit(lambda state, data: jax.lax.scan(step, state, data), donate_argnums=0)
    xs, ys = (np.stack(part) for part in zip(*_batches(work), strict=True))
    data = (jax.device_put(xs), jax.device_put(ys))
    state = [start]

    def epoch() -> Array:
        state[0], losses = compiled(state[0], data)
        return np.asarray(losses)

    return epoch


def _jax_step(work: Workload) -> tuple[Callable[[Any, Any], tuple[Any, Any]], Any]:
    """One step, (state, batch) -> (state, loss), and the state to start from."""
    import jax
    import jax.numpy as jnp

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        for weight, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weight.T + bias)
        weight, bias = parameters[-1]
        log_p = jax.nn.log_softmax(x @ weight.T + bias)
        return -jnp.mean(jnp.take_along_axis(log_p, y[:, None], axis=1))

    def sgd(state: Any, batch: Any) -> tuple[Any, Any]:
        loss, grads = jax.value_and_grad(loss_of)(state, *batch)
        return jax.tree.map(lambda p, g: p - work.lr * g, state, grads), loss

    def adam(state: Any, batch: Any) -> tuple[Any, Any]:
        parameters, m, v, t = state
        loss, grads = jax.value_and_grad(loss_of)(parameters, *batch)
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
        size, spread = work.lr / (1 - 0.9**t), 1 / jnp.sqrt(1 - 0.999**t)
        parameters = jax.tree.map(lambda p, m, v: p - size * m / (jnp.sqrt(v) * spread + 1e-8), parameters, m, v)
        return (parameters, m, v, t), loss

    parameters = jax.device_put(work.parameters())
    if work.optimizer == "SGD":
        return sgd, parameters
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return adam, (parameters, zeros, jax.tree.map(jnp.zeros_like, parameters), jnp.zeros((), jnp.float32))


def _batches(work: Workload) -> list[tuple[Array, Array]]:
    x, y = work.data()
    return [(x[i : i + work.batch], y[i : i + work.batch]) for i in range(0, len(x), work.batch)]


# --- timing -----------------------------------------------------------------------------------------------------------


def contestants(work: Workload, threads: int | None) -> dict[str, Epoch]:
    """Everything that is installed, by name; symnet's `fit` first."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    makers: dict[str, tuple[Callable[[Workload, int | None], Epoch], int | None]] = {
        "symnet fit": (symnet_fit, threads),
        "symnet step": (symnet_step, threads),
        "PyTorch eager, 1 thread": (torch_eager, 1),
        f"PyTorch eager, {cores} threads": (torch_eager, cores),
        "JAX jit step": (jax_step, None),
        "JAX scan of an epoch": (jax_scan, None),
    }
    found: dict[str, Epoch] = {}
    for name, (maker, count) in makers.items():
        try:
            found[name] = maker(work, count)
        except ImportError as error:
            print(f"  ({name} left out: {error})")
    return found


def compare_losses(epochs: dict[str, Epoch]) -> None:
    """One epoch of each from the same start: the losses must agree up to rounding, which training amplifies."""
    first = {name: epoch() for name, epoch in epochs.items()}
    reference_name, reference = next(iter(first.items()))
    for name, losses in first.items():
        gap = np.abs(losses - reference) / np.abs(reference)
        if not (gap[:10].max() < 1e-4 and gap.max() < 2e-2):
            raise SystemExit(f"the losses of {name} and {reference_name} differ by {gap.max():.1e}: not one training")


def time_workload(work: Workload, rounds: int, threads: int | None) -> None:
    print(f"\n{work.name}   ({work.steps} steps an epoch, {rounds} rounds; µs a step)")
    epochs = contestants(work, threads)
    compare_losses(epochs)
    times: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(rounds):
        for name, epoch in epochs.items():
            started = time.perf_counter()
            epoch()
            times[name].append((time.perf_counter() - started) / work.steps * 1e6)
    base = times["symnet fit"]
    print(f"  {'':28}{'median':>10}{'minimum':>10}{'ratio of medians':>20}{'of minima':>12}")
    for name, taken in times.items():
        ratio, ratio_min = statistics.median(taken) / statistics.median(base), min(taken) / min(base)
        print(f"  {name:28}{statistics.median(taken):10.1f}{min(taken):10.1f}{ratio:20.2f}{ratio_min:12.2f}")


STARTUP = """
import time
begin = time.perf_counter()
import symnet as sn
imported = time.perf_counter()
import sys; sys.path.insert(0, sys.argv[1])
from training_step import WORKLOADS, symnet_program, _batches
work = WORKLOADS[int(sys.argv[2])]
x, y = _batches(work)[0]
import numpy
start = time.perf_counter()
symnet_program(work, None).step(x=x, y=y)
print(imported - begin, time.perf_counter() - start)
"""


def time_startup(repeats: int) -> None:
    """Import, and definition to the end of the first step, in fresh processes without and with the object cache."""
    print(f"\nstart-up, seconds in a fresh process (median and minimum of {repeats})")
    here = os.path.dirname(os.path.abspath(__file__))
    imports: list[float] = []
    for number, work in enumerate(WORKLOADS):
        for label, keep in (("without cache", False), ("with cache", True)):
            times: list[float] = []
            with tempfile.TemporaryDirectory() as shared:
                for repeat in range(repeats + keep):  # the first one with the cache fills it
                    with tempfile.TemporaryDirectory() as own:
                        environment = {**os.environ, "SYMNET_CACHE": shared if keep else own}
                        command = [sys.executable, "-c", STARTUP, here, str(number)]
                        out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                    import_time, first_step = map(float, out.stdout.split()[-2:])
                    imports.append(import_time)
                    if repeat or not keep:
                        times.append(first_step)
            median = statistics.median(times)
            print(f"  {work.name + ', first step ' + label:60}{median:8.3f}{min(times):8.3f}")
    print(f"  {'import symnet':60}{statistics.median(imports):8.3f}{min(imports):8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="epochs that each contestant is timed for")
    parser.add_argument("--threads", type=int, default=None, help="of symnet (default: as SYMNET_THREADS says)")
    options = parser.parse_args()
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > 1:
        print(f"other work is running here (load average {load:.1f}): do not trust figures of several threads")
    for work in WORKLOADS:
        time_workload(work, options.rounds, options.threads)
    time_startup(min(5, options.rounds))


if __name__ == "__main__":
    main()
