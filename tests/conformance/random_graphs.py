"""Random graphs over all operations: native code, NumPy, finite differences and PyTorch must agree.

    python -m tests.conformance.random_graphs --count 500            graphs of seeds 0 to 499
    python -m tests.conformance.random_graphs --first 17 --count 1   one of them again, with its text

For each graph: the value of a scalar loss, its gradient g in every input, and the gradient of a weighted sum of g (the
second order) are computed by the compiled program and by the reference interpreter (at two sizes of the named
dimension, the second below what the program was compiled for), along random directions by finite differences, and by
PyTorch's autograd where it is installed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import symnet as sn
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from tests.conformance.graphs import RandomGraph

Arrays = Mapping[str, np.ndarray]
STEP = 1e-5


@dataclass
class Case:
    """A random graph with its first and second derivatives."""

    graph: RandomGraph
    loss: Expr
    weighted: Expr
    first: list[Expr]
    second: list[Expr]

    @staticmethod
    def of(seed: int) -> Case:
        graph = RandomGraph(seed)
        loss = sn.random.numbered(graph.loss())
        first = sn.grad(loss, graph.inputs)
        rng = np.random.default_rng([seed, 99])
        weighted = sn.stack([sn.sum(g * float(rng.uniform(0.5, 1.5))) for g in first])
        weighted = sn.sum(weighted)
        return Case(graph, loss, weighted, first, sn.grad(weighted, graph.inputs))

    @property
    def roots(self) -> list[Expr]:
        return [self.loss, self.weighted, *self.first, *self.second]

    def weights(self) -> list[float]:
        rng = np.random.default_rng([self.graph.seed, 99])
        return [float(rng.uniform(0.5, 1.5)) for _ in self.graph.inputs]


def check(seed: int, use_torch: bool) -> set[str]:
    """All comparisons for one seed; the operations that the compiled graphs contain. `AssertionError` tells which."""
    case = Case.of(seed)
    leaves = [*case.graph.inputs, *case.graph.indices]
    program = sn.function(leaves, case.roots)
    for n in (4, 3):
        values = case.graph.values(n)
        wanted = sn.evaluate(case.roots, values, sizes={"N": n})
        native = program(*(values[leaf.name] for leaf in leaves))
        for i, (got, want) in enumerate(zip(native, wanted, strict=True)):
            _close(got, want, 1e-9, f"seed {seed}, N = {n}, native against NumPy, root {i}")
    operations = {node.op for node in postorder(case.roots)}
    if "stop_gradient" not in operations:  # its derivative is not that of its values, by definition
        _finite_differences(case, values, wanted, seed)
    if use_torch:
        _torch(case, values, wanted, seed)
    return operations


def _close(got: object, want: object, tolerance: float, what: str) -> None:
    a, b = np.asarray(got, float), np.asarray(want, float)
    scale = max(1.0, float(np.abs(b).max(initial=0.0)))
    assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
    assert np.isfinite(b).all(), f"{what}: the expected value is not finite"
    error = float(np.abs(a - b).max(initial=0.0))
    assert error <= tolerance * scale, f"{what}: off by {error:.2e} at a scale of {scale:.2e}"


def _finite_differences(case: Case, values: Arrays, wanted: list[np.ndarray], seed: int) -> None:
    """Central differences along a random direction; a point where the two sides differ is a kink and says nothing."""
    rng = np.random.default_rng([seed, 7])
    direction = {x.name: rng.normal(size=values[x.name].shape) for x in case.graph.inputs}
    count = len(case.graph.inputs)
    gradients = (wanted[2 : 2 + count], wanted[2 + count :])
    for order, root in enumerate((case.loss, case.weighted)):
        below, here, above = (_moved(root, values, direction, step) for step in (-STEP, 0.0, STEP))
        left, right = (here - below) / STEP, (above - here) / STEP
        if abs(left - right) > 1e-2 * max(1.0, abs(left), abs(right)):
            continue
        analytic = sum(
            float(np.sum(g * direction[x.name])) for g, x in zip(gradients[order], case.graph.inputs, strict=True)
        )
        _close(
            analytic, (left + right) / 2, 2e-4, f"seed {seed}, order {order + 1}, gradient against finite differences"
        )


def _moved(root: Expr, values: Arrays, direction: Arrays, step: float) -> float:
    moved = {name: array + step * direction[name] if name in direction else array for name, array in values.items()}
    return float(sn.evaluate(root, moved, sizes={"N": len(values["rows"])}))


def _torch(case: Case, values: Arrays, wanted: list[np.ndarray], seed: int) -> None:
    import torch

    from tests.conformance.torch_meaning import evaluate

    leaves = {name: torch.tensor(array) for name, array in values.items()}
    inputs = [leaves[x.name].requires_grad_() for x in case.graph.inputs]
    (loss,) = evaluate([case.loss], leaves, {"N": len(values["rows"])})
    first = torch.autograd.grad(loss, inputs, create_graph=True, allow_unused=True, materialize_grads=True)
    weighted = sum(w * g.sum() for w, g in zip(case.weights(), first, strict=True))
    if weighted.requires_grad:
        second = torch.autograd.grad(weighted, inputs, allow_unused=True, materialize_grads=True)
    else:
        second = tuple(torch.zeros_like(x) for x in inputs)
    for i, (got, want) in enumerate(zip((loss, weighted, *first, *second), wanted, strict=True)):
        _close(want, got.detach().numpy(), 1e-8, f"seed {seed}, against PyTorch, root {i}")


def torch_is_there() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--count", type=int, default=500, help="how many graphs (default 500)")
    options = parser.parse_args()
    use_torch, failed, seen, started = torch_is_there(), 0, set[str](), time.perf_counter()
    for seed in range(options.first, options.first + options.count):
        try:
            seen |= check(seed, use_torch)
        except Exception as error:
            failed += 1
            print(f"FAILED seed {seed}: {type(error).__name__}: {error}", flush=True)  # noqa: T201
        if options.count == 1:
            print(sn.dumps(Case.of(seed).loss))  # noqa: T201
    print(  # noqa: T201
        f"{options.count} graphs from seed {options.first}: {options.count - failed} agree, {failed} do not; "
        f"{len(seen)} operations; PyTorch {'compared' if use_torch else 'is not installed'}; "
        f"{time.perf_counter() - started:.0f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
