"""How long the math functions take: `python -m tests.benchmarks.math_functions [function ...] [--target x86-64-v3]`.

Nanoseconds an element on one core, the best of several rounds over arrays that fit in the first-level cache, beside
NumPy where it has the function.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections.abc import Callable

import numpy as np

from codegen.llvm import jit
from codegen.llvm import math as llvm_math
from codegen.target import Target
from codegen.target import target as named_target
from tests.codegen.llvm import math_harness as harness

SIZE = 2048
REPEATS = 500
ROUNDS = 15


def repeated_text(name: str, dtype: str, lanes: int, target: Target) -> str:
    """The loop over arrays, and `void @repeat(ptr x.., ptr out, i64 vectors, i64 times)` around it."""
    pointers = ", ".join(f"ptr %p{i}" for i in range(2 if name in llvm_math.UNARY else 3))
    return (
        harness.loop_text(name, dtype, lanes, target)
        + f"""
define void @repeat({pointers}, i64 %vectors, i64 %times) {{
entry:
  br label %again
again:
  %i = phi i64 [ 0, %entry ], [ %next, %again ]
  call void @loop({pointers}, i64 %vectors) noinline
  call void asm sideeffect "", "~{{memory}}"()
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %times
  br i1 %more, label %again, label %done
done:
  ret void
}}
"""
    )


def best(run: Callable[[], object], repeats: int) -> float:
    """Nanoseconds an element, when `run` does `repeats` passes over the arrays."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times) / repeats / SIZE * 1e9


def operands(name: str, dtype: str) -> list[harness.Array]:
    """Ordinary arguments, one array for each operand, aligned as an arena is."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=SIZE) * 2.0
    drawn = [np.abs(first) + 0.01 if name in ("log", "log1p", "pow") else first]
    return [aligned(values.astype(dtype)) for values in drawn + [rng.normal(size=SIZE)] * (name == "pow")]


def aligned(values: harness.Array) -> harness.Array:
    room = np.empty(values.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    result = room[start : start + values.nbytes].view(values.dtype)
    result[:] = values
    return result


def measure(name: str, dtype: str, target: Target) -> tuple[float, float | None]:
    """Our time and NumPy's."""
    lanes = target.lanes(dtype)
    library = jit.Loaded(jit.compile_object(repeated_text(name, dtype, lanes, target), target), ["repeat"])
    arrays = operands(name, dtype)
    out = aligned(np.zeros(SIZE, dtype))
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(arrays) + 1), ctypes.c_int64, ctypes.c_int64)
    native = kind(library.addresses["repeat"])
    pointers = [array.ctypes.data for array in (*arrays, out)]
    ours = best(lambda: native(*pointers, SIZE // lanes, REPEATS), REPEATS)
    function = getattr(np, {"pow": "power"}.get(name, name), None)
    if function is None:
        return ours, None
    return ours, best(lambda: [function(*arrays, out=out) for _ in range(20)], 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("functions", nargs="*", default=llvm_math.FUNCTIONS)
    parser.add_argument("--target", default="native", help="an x86-64 level instead of this machine")
    options = parser.parse_args()
    print("ns an element: ours (NumPy's)")
    for dtype in ("float32", "float64"):
        for name in options.functions:
            ours, numpy = measure(name, dtype, named_target(options.target))
            print(f"{name:6} {dtype}  {ours:6.3f}" + (f"  ({numpy:.2f})" if numpy else ""), flush=True)


if __name__ == "__main__":
    main()
