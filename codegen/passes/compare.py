"""Runs a program before and after a pass on the same random data and compares what comes out."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from codegen.loops.grammar import Program
from codegen.loops.interpret import run
from codegen.loops.text import show
from symnet.errors import CompilerBug
from symnet.expr import dims

TOLERANCE = {"float32": 1e-3, "float64": 1e-9}

Memory = dict[str, np.ndarray[Any, np.dtype[Any]]]


def compare(before: Program, after: Program, name: str) -> None:
    """`CompilerBug` with both texts when outputs or persistent memory differ beyond rounding."""
    seed = zlib.crc32(f"{before.name}.{name}".encode())
    sizes = {dim: max(1, limit - 1) for dim, limit in before.dims.items()}
    memory = random_memory(before, sizes, np.random.default_rng(seed))
    one, two = dict(memory), {key: array.copy() for key, array in memory.items()}
    codes = run(before, one, sizes), run(after, two, sizes)
    differing = [] if codes[0] == codes[1] else [f"the codes {codes}"]
    for buffer in before.buffers.values():
        if buffer.role in ("output", "parameter", "state") and buffer.view_of is None and codes == (0, 0):
            close = TOLERANCE.get(buffer.dtype, 0.0)
            if not np.allclose(one[buffer.name], two[buffer.name], rtol=close, atol=close, equal_nan=True):
                differing.append(buffer.name)
    if differing:
        raise CompilerBug(
            f"the pass {name!r} changed {', '.join(differing)} (sizes {sizes}, seed {seed})\n\n"
            f"before:\n{show(before)}\nafter:\n{show(after)}"
        )


def random_memory(program: Program, sizes: dict[str, int], rng: np.random.Generator) -> Memory:
    """Arrays for everything that a program is given: normal floats, small non-negative integers."""
    memory: Memory = {}
    for buffer in program.buffers.values():
        if buffer.view_of is None and buffer.role in ("input", "hyper", "parameter", "state"):
            shape = dims.evaluate_shape(buffer.shape, sizes)
            if buffer.dtype.startswith("float"):
                memory[buffer.name] = rng.normal(size=shape).astype(buffer.dtype)
            else:
                memory[buffer.name] = rng.integers(0, 2, shape).astype(buffer.dtype)
    return memory
