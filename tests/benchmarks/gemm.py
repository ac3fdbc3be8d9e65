"""Matrix products: GFLOP/s of generated kernels, NumPy (OpenBLAS) and PyTorch, taking turns in one run.

    python -m tests.benchmarks.gemm [--threads 1] [--rounds 9] [--dtype float32] [ROWSxINNERxCOLSxLAYOUT ...]

The layout says for each operand whether it is stored transposed (NN, NT, TN, TT): a linear layer with torch's weights
is NT forward, NN for the gradient of its input, TN for that of its weights. Results are compared before anything is
timed. The last column is the plan: tile (rows x vectors), how each operand is read, the largest block of k.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

SIZES = (
    "64x784x256xNN", "64x784x256xNT", "64x256x128xNN", "64x256x128xNT", "256x64x784xTN", "784x64x256xTN",
    "64x10x128xNN", "10x64x128xTN", "32x64x32xNN", "32x64x32xNT", "32x32x64xTN", "32x32x10xNN", "32x32x10xNT",
    "1x784x256xNN", "1x784x256xNT", "100x100x100xNN", "512x512x512xNN", "512x512x512xNT", "512x512x512xTN",
    "1024x128x512xNN", "1024x128x512xNT", "1024x1024x1024xTN", "2048x2048x2048xNN", "2048x2048x2048xNT",
    "2048x2048x2048xTN",
)  # fmt: skip

QUIET = 0.25
"""Seconds until the threads of the contestant before have stopped waiting for work in a loop."""

REPEAT = """
define void @repeat(ptr %run, ptr %sync, ptr %entry, ptr %table, i64 %threads, i64 %times) {
start:
  br label %again
again:
  %i = phi i64 [ 0, %start ], [ %next, %again ]
  %code = call i32 %run(ptr %sync, ptr %entry, ptr %table, i64 %threads)
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %times
  br i1 %more, label %again, label %done
done:
  ret void
}
"""
"""Calls a program so many times: a call from Python takes longer than the smallest products."""


@dataclass
class Contestant:
    """`run(n)` computes the product n times."""

    name: str
    run: Callable[[int], object]
    seconds: float = float("inf")

    def turn(self, times: int) -> None:
        start = time.perf_counter()
        self.run(times)
        self.seconds = min(self.seconds, (time.perf_counter() - start) / times)


@dataclass(frozen=True)
class Product:
    rows: int
    inner: int
    cols: int
    layout: str

    @classmethod
    def parse(cls, text: str) -> Product:
        rows, inner, cols, layout = text.split("x")
        return cls(int(rows), int(inner), int(cols), layout)

    @property
    def flops(self) -> int:
        return 2 * self.rows * self.inner * self.cols

    def program(self, dtype: str) -> str:
        """The product as a loop program."""
        kind = {"float32": "f32", "float64": "f64"}[dtype]
        a = ("k, r", f"{self.inner}, {self.rows}") if self.layout[0] == "T" else ("r, k", f"{self.rows}, {self.inner}")
        b = ("c, k", f"{self.cols}, {self.inner}") if self.layout[1] == "T" else ("k, c", f"{self.inner}, {self.cols}")
        return f"""program t
  buffer A: {kind}[{a[1]}] input
  buffer B: {kind}[{b[1]}] input
  buffer C: {kind}[{self.rows}, {self.cols}] output

  kernel gemm (r:{self.rows}, c:{self.cols}) [contract rows=r cols=c inner=k parallel=2]:
    acc = sum(k:{self.inner}) A[{a[0]}] * B[{b[0]}]
    C[r, c] = acc
"""


def generated(
    product: Product, a: Any, b: Any, expected: Any, threads: int, parked: ExitStack
) -> tuple[Contestant, str]:
    """The compiled loop program, checked, and what its plan is; its workers wait for work until `parked` closes."""
    import numpy as np

    from codegen.llvm.contract.choose import plan
    from codegen.llvm.contract.merge import merge
    from codegen.llvm.contract.problem import contraction
    from codegen.llvm.jit import Loaded, compile_object
    from codegen.loops.grammar import kernels
    from tests.codegen.llvm.native import Native, Workers

    native = Native(product.program(a.dtype.name))
    given = {"A": a, "B": b}
    arena = native.arena(given, {})
    table = native.slots(arena, given, {})
    repeat = Loaded(compile_object(REPEAT, native.target), ["repeat"])
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(repeat.addresses["repeat"])
    first = (native.code.addresses["sn_run"], native.sync.ctypes.data, native.code.addresses["sn_t"])

    def run(times: int) -> None:
        call(*first, table.ctypes.data, threads, times)

    parked.enter_context(Workers(native, threads))
    run(1)
    error = np.abs(native.view(arena, "C", {}) - expected).max() / np.abs(expected).max()
    assert error < (1e-4 if a.dtype == np.float32 else 1e-12), f"{product}: relative error {error}"
    chosen = plan(merge(contraction(next(kernels(native.program.items)), native.program)), native.target)
    tile, depth = chosen.tile, chosen.depth
    told = f"{tile.rows}x{tile.vectors} left {chosen.left_mode}, right {chosen.right_mode}, k {depth.steps}"
    contestant = Contestant("symnet", run)
    contestant.keep = (native, arena, table, repeat, given)  # type: ignore[attr-defined]
    return contestant, told


def others(a: Any, b: Any, threads: int) -> list[Contestant]:
    """NumPy, and PyTorch where it is installed, writing into memory they already have."""
    import numpy as np

    out = np.empty((a.shape[0], b.shape[1]), a.dtype)

    def multiply(times: int) -> None:
        for _ in range(times):
            np.matmul(a, b, out=out)

    result = [Contestant("numpy", multiply)]
    try:
        import torch
    except ImportError:
        return result
    torch.set_num_threads(threads)
    x, y, z = torch.from_numpy(a), torch.from_numpy(b), torch.empty(out.shape, dtype=getattr(torch, a.dtype.name))

    def multiply_torch(times: int) -> None:
        for _ in range(times):
            torch.mm(x, y, out=z)

    return [*result, Contestant("torch", multiply_torch)]


def measure(product: Product, dtype: str, threads: int, rounds: int) -> str:
    """One line of the table."""
    import numpy as np

    rng = np.random.default_rng(0)
    turned_a, turned_b = (letter == "T" for letter in product.layout)
    shape_a, shape_b = (product.rows, product.inner), (product.inner, product.cols)
    stored_a = rng.standard_normal(shape_a[::-1] if turned_a else shape_a).astype(dtype)
    stored_b = rng.standard_normal(shape_b[::-1] if turned_b else shape_b).astype(dtype)
    a, b = stored_a.T if turned_a else stored_a, stored_b.T if turned_b else stored_b
    with ExitStack() as parked:
        ours, told = generated(product, stored_a, stored_b, a @ b, threads, parked)
        contestants = [ours, *others(a, b, threads)]
        times = max(1, int(1e10 / product.flops))
        for _ in range(rounds):
            for one in contestants:
                if threads > 1:
                    time.sleep(QUIET)
                    one.run(times)  # the threads are awake, each on a processor of its own
                one.turn(times)
    name = f"{product.rows}x{product.inner}x{product.cols} {product.layout}"
    speeds = "".join(f"{product.flops / one.seconds / 1e9:8.0f}" for one in contestants)
    ratios = "".join(f"{one.seconds / ours.seconds:8.2f}" for one in contestants[1:])
    return f"{name:20}{ours.seconds * 1e6:11.2f} µs {speeds} {ratios}   {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("products", nargs="*", default=SIZES, metavar="ROWSxINNERxCOLSxLAYOUT")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    given = parser.parse_args()
    if "numpy" in sys.modules:
        raise SystemExit("NumPy is already imported: its threads can no longer be set; run this as a script")
    for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(variable, None)
    os.environ["OPENBLAS_NUM_THREADS"] = str(given.threads)
    print(f"{given.dtype}, {given.threads} thread(s), GFLOP/s, best of {given.rounds} rounds")
    print(f"{'':20}{'time':>14} {'symnet':>8}{'numpy':>8}{'torch':>8} {'x numpy':>8}{'x torch':>8}")
    for text in given.products:
        print(measure(Product.parse(text), given.dtype, given.threads, given.rounds), flush=True)


if __name__ == "__main__":
    main()
