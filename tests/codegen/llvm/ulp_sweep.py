"""The largest errors of the math functions: `python -m tests.codegen.llvm.ulp_sweep [function ...] [options]`.

float32: every argument (or every STRIDE-th bit pattern) against the same function in float64, which is accurate to
about 2^-51; pow on random pairs. float64: random arguments against mpmath, which takes 20 to 100 µs for each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import numpy as np

from codegen.llvm import math as llvm_math
from codegen.target import Target
from codegen.target import target as named_target
from tests.codegen.llvm import math_harness as harness
from tests.codegen.llvm import math_points as points

CHUNK = 1 << 20


def float32_arguments(name: str, stride: int, rng: np.random.Generator) -> Iterator[tuple[harness.Array, ...]]:
    """All bit patterns in chunks, at the given stride from a random start; for pow as many random pairs."""
    for start in range(int(rng.integers(stride)), 1 << 32, CHUNK * stride):
        if name == "pow":
            yield points.binary(rng, "float32", CHUNK)
        else:
            bits = np.arange(start, min(1 << 32, start + CHUNK * stride), stride, dtype=np.uint64)
            yield (bits.astype(np.uint32).view(np.float32),)


def sweep_float32(name: str, stride: int, target: Target, rng: np.random.Generator) -> str:
    """One row of the table."""
    single = harness.compiled(name, "float32", 16, target)
    double = harness.compiled(name, "float64", 8)
    worst, at, count, misplaced = 0.5, "", 0, 0
    for values in float32_arguments(name, stride, rng):
        got = single(*values)
        with np.errstate(all="ignore"):  # signalling NaN among the bit patterns; overflow
            wide = double(*(v.astype(np.float64) for v in values))
            wrong = np.flatnonzero(got.view(np.int32) != wide.astype(np.float32).view(np.int32))
        count += got.size
        if not wrong.size:
            continue  # all are the float32 nearest to the exact results: half a unit at most
        errors = harness.ulp_against(got[wrong], wide[wrong])
        misplaced += int(np.isnan(errors).sum())
        i = int(np.argmax(np.nan_to_num(errors)))
        if errors[i] > worst:
            worst, at = float(errors[i]), ", ".join(repr(float(v[wrong[i]])) for v in values)
    return f"{name:6} float32 {count:>13,} points  max {worst:.3f} ulp at ({at})  NaN misplaced: {misplaced}"


def sweep_float64(name: str, count: int, target: Target, rng: np.random.Generator) -> str:
    """One row of the table."""
    values: tuple[harness.Array, ...] = points.arguments(rng, name, "float64", count)
    inside = harness.domain(name, values)
    values = tuple(v[inside] for v in values)
    errors = harness.ulp_exact(name, harness.compiled(name, "float64", 8, target)(*values), *values)
    i = int(np.argmax(errors))
    at = ", ".join(repr(float(v[i])) for v in values)
    return f"{name:6} float64 {errors.size:>13,} points  max {errors[i]:.3f} ulp at ({at})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("functions", nargs="*", default=llvm_math.FUNCTIONS)
    parser.add_argument("--stride", type=int, default=61, help="of float32 bit patterns; 1 takes minutes a function")
    parser.add_argument("--points", type=int, default=50_000, help="how many float64 arguments")
    parser.add_argument("--target", default="native", help="such as x86-64-v2, which has no fused multiply-add")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    for name in options.functions:
        for sweep, effort in ((sweep_float32, options.stride), (sweep_float64, options.points)):
            sys.stdout.write(sweep(name, effort, named_target(options.target), rng) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
