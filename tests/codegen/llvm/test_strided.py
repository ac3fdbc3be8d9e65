"""Every second, third or fourth element in vector lanes, and reductions over small windows that are written out."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from codegen.target import target
from tests.codegen.llvm.native import Native, agree

LEVELS = ["native", "x86-64-v2", "x86-64-v3"]
POOL = """\
program pool
  dim N <= 3
  buffer x: {t}[N, 9, {m}] input
  buffer y: {t}[N, 4, {k}] output
  buffer z: {t}[N, 9, {m}] output
  kernel y (n: N, i: 4, j: {k}) [parallel=2 vector=j]:
    r = {reducer}(l: 2, o: {s}) x[n, 2*i + l, {s}*j + o]
    y[n, i, j] = r
  kernel clear (n: N, i: 9, j: {m}) [vector=j]:
    z[n, i, j] = -1{suffix}
  kernel z (n: N, i: 4, j: {k}) [parallel=1 vector=j]:
    z[n, 2*i, {s}*j] = y[n, i, j]
    z[n, 2*i + 1, {s}*j + 1] = y[n, i, j] + x[n, 2*i, {s}*j]
"""


def drawn(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(rng.integers(-50, 50, shape), dtype)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("step", [2, 3, 4])
def test_pools(level: str, dtype: str, step: int, rng: np.random.Generator) -> None:
    short = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64"}[dtype]
    suffix = {"float32": ".0f", "float64": ".0", "int32": "i", "int64": ""}[dtype]
    for k in (3, 21):
        text = POOL.format(t=short, m=step * k + 1, k=k, s=step, reducer="max", suffix=suffix)
        native = Native(text, target(level))
        agree(native.program, {"x": drawn(rng, dtype, (3, 9, step * k + 1))}, {"N": 3}, 0.0, native)


GUARDED = """\
program guarded
  buffer x: f32[6, 33] input
  buffer y: f32[6, 18] output
  buffer z: f32[6, 18] output
  kernel y (i: 6, j: 18) [vector=j]:
    r = max(l: 3, o: 3) x[i + l - 1, 2*j + o - 2 else -inff]
    y[i, j] = r
  kernel z (i: 6, j: 18) [vector=j]:
    s = sum(o: 3) x[i, 3*j + o - 4 else 0.5f]
    z[i, j] = s
"""


@pytest.mark.parametrize("level", LEVELS)
def test_guards(level: str, rng: np.random.Generator) -> None:
    native = Native(GUARDED, target(level))
    agree(native.program, {"x": drawn(rng, "float32", (6, 33))}, {}, 0.0, native)


ACCUMULATE = """\
program accumulate
  dim N <= 5
  buffer x: f32[N, 20] input
  buffer y: f32[41] output
  kernel clear (j: 41) [vector=j]:
    y[j] = 1.0f
  kernel y (n: N, j: 20) [vector=j]:
    y[2*j + 1] += x[n, j]
"""


@pytest.mark.parametrize("level", LEVELS)
def test_accumulation(level: str, rng: np.random.Generator) -> None:
    native = Native(ACCUMULATE, target(level))
    agree(native.program, {"x": drawn(rng, "float32", (4, 20))}, {"N": 4}, 0.0, native)


def test_small_windows_are_written_out() -> None:
    text = Native(POOL.format(t="f32", m=33, k=16, s=2, reducer="max", suffix=".0f")).text
    body = text[text.index("@pool.y(") :]
    body = body[: body.index("\n}")]
    assert body.count("@llvm.masked.load.v") == 4, "two rows of two elements"
    assert "gather" not in text
    assert "scatter" not in text
    assert body.count("phi i64") <= 2, "no loop over the window"


def test_nothing_is_read_behind_an_array() -> None:
    """The last vector of every array ends where its last page does."""
    script = """
        import ctypes, mmap
        import numpy as np
        import symnet as sn
        page = mmap.PAGESIZE
        block = mmap.mmap(-1, 2 * page)
        address = ctypes.addressof(ctypes.c_char.from_buffer(block))
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + page), page, 0) == 0
        for shape, size in (((33,), 2), ((3, 32), 2), ((2, 46), 3), ((5, 8), 4)):
            x = sn.input("x", shape)
            count = int(np.prod(shape))
            at_the_end = np.frombuffer(block, np.float32, count, page - 4 * count).reshape(shape)
            y = sn.max_pool(x, (size,))
            assert sn.function([x], [y, sn.grad(sn.sum(y), x)], threads=1)(at_the_end)[0].shape == y.shape
        print("well")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.stdout == "well\n", done.stderr
