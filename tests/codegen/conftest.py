"""What the tests of lowering and of the passes share: run expressions as loop programs, compare with their meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import symnet.ops
from codegen.loops.grammar import Program
from codegen.loops.interpret import run
from codegen.loops.text import show
from codegen.loops.verify import verify
from codegen.lower import bind, lower
from codegen.passes.core import Pass
from codegen.pipeline import PASSES
from codegen.spec import Entry, Module
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.ops.interpret import run as meaning
from symnet.simplify.expand import expand_definitions

Array = np.ndarray[Any, np.dtype[Any]]
LEAVES = ("input", "parameter", "state", "hyper")
TOLERANCE = {"float32": 2e-5, "float64": 1e-11}


def module_of(outputs: Mapping[str, Expr], updates: Mapping[Expr, Expr] | None = None) -> Module:
    """One entry with definitions expanded; named dimensions may be up to 9."""
    updates = updates or {}
    roots = expand_definitions([*outputs.values(), *updates.values()])
    results = dict(zip(outputs, roots, strict=False))
    pairs = tuple(zip(updates, roots[len(outputs) :], strict=True))
    names = {name for root in [*roots, *updates] for node in postorder([root]) for name in _names(node)}
    return Module("module", (Entry("entry", results, pairs),), dict.fromkeys(sorted(names), 9))


def _names(node: Expr) -> set[str]:
    found = {name for dim in node.shape for name in dims.names(dim)}
    for value in node.attrs.values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, str) and node.op in ("dim", "iota", "scan", "slice", "place"):
                found |= dims.names(part)
            if isinstance(part, tuple) and len(part) == 2 and node.op == "contract":
                found |= dims.names(part[1])
    return found


def values_for(module: Module, sizes: Mapping[str, int], rng: np.random.Generator) -> dict[Expr, Array]:
    """Random values for everything a module is given; integers are 0 or 1, so that they are indices of most axes."""
    values: dict[Expr, Array] = {}
    for leaf, buffer in bind(module).leaves.items():
        shape = dims.evaluate_shape(leaf.shape, sizes)
        if buffer.dtype.startswith("float"):
            values[leaf] = np.asarray(rng.normal(size=shape), buffer.dtype)
        else:
            values[leaf] = np.asarray(rng.integers(0, 2, shape), buffer.dtype)
    return values


class Agreement:
    """Compares the loop program of expressions, at every stage, with `symnet.ops`."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def __call__(
        self,
        outputs: Mapping[str, Expr],
        updates: Mapping[Expr, Expr] | None = None,
        passes: tuple[Pass, ...] = PASSES,
        sizes: Mapping[str, int] | None = None,
        given: Mapping[Expr, Any] | None = None,
        every: bool = False,
    ) -> Program:
        """The program after all passes; fails with its text when it (or with `every` one before) computes otherwise."""
        module = module_of(outputs, updates)
        (entry,) = module.entries
        known = dict.fromkeys(module.capacity, 6) | dict(sizes or {})
        values = values_for(module, known, self.rng) | {k: np.asarray(v, k.dtype) for k, v in (given or {}).items()}
        expected = meaning([*entry.outputs.values(), *(new for _, new in entry.updates)], values, known)
        binding = bind(module)
        names = [binding.outputs["entry", name] for name in entry.outputs]
        names += [binding.leaves[node].name for node, _ in entry.updates]
        program = verify(lower(entry, module))
        stages = [("lower", program)]
        for step in passes:
            program = verify(step.run(program))
            stages.append((step.name, program))
        for stage, at in stages if every else (stages[0], stages[-1]):
            memory = {binding.leaves[leaf].name: value.copy() for leaf, value in values.items()}
            code = run(at, memory, known)
            assert code == 0, f"check failed: {at.checks[code - 1]}\n{show(at)}"
            for name, value in zip(names, expected, strict=True):
                close = TOLERANCE.get(at.buffers[name].dtype, 0.0)
                message = f"{name} after {stage}, sizes {known}\n{show(at)}"
                np.testing.assert_allclose(memory[name], value, rtol=close, atol=close, err_msg=message)
        return program


@pytest.fixture
def agrees(rng: np.random.Generator) -> Agreement:
    """`agrees({"out": expression})` compares naive and optimised program with the meaning of the expression."""
    return Agreement(rng)


@pytest.fixture
def kernels_of() -> Callable[[Program], list[str]]:
    """The names of a program's kernels in order."""
    from codegen.loops.grammar import kernels

    return lambda program: [kernel.name for kernel in kernels(program.items)]


assert symnet.ops is not None
