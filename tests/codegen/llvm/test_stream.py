"""Large results written past the caches, notes on the stack, rows fetched ahead: the same numbers as ever."""

from __future__ import annotations

import numpy as np
import pytest

from codegen.llvm import stream
from codegen.target import target
from tests.codegen.llvm.native import Native, agree


def softmax(columns: int) -> str:
    """Softmax by rows, with its exponentials where the result will be, minus a one-hot row."""
    return f"""\
program p
  dim N <= 9
  buffer x: f32[N, {columns}] input
  buffer y: i64[N] input
  buffer o: f32[N, {columns}] output
  kernel k (i: N) [parallel=1 vector=a]:
    r = max(a: {columns}) x[i, a]
    for b: {columns}:
      e = exp(x[i, b] - r)
      o[i, b] = e
    s = sum(c: {columns}) o[i, c]
    t = sum(d: {columns}) where(o[i, d] == 1.0f, 1.0f, 0.0f)
    for g: {columns}:
      o[i, g] = o[i, g] / s - f32(y[i] == @(g)) + t
"""


@pytest.mark.parametrize("columns", [128, 37, 16])
def test_rows(columns: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STREAMED_FROM", 64)
    native = Native(softmax(columns))
    assert ("!nontemporal" in native.text) == (columns % 16 == 0)
    assert "prefetch" in native.text or columns * 4 < target().vector_bytes
    assert "alloca [" in native.text
    for rows in (1, 9):
        x = rng.normal(size=(rows, columns)).astype(np.float32) * 3
        y = rng.integers(-2, columns + 2, rows)  # some are no column
        y[0] = 2**40 + 1
        agree("", {"x": x, "y": y}, {"N": rows}, 1e-5, native)


def test_elements(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STREAMED_FROM", 64)
    native = Native(
        """\
program p
  dim N <= 300
  buffer x: f32[N] input
  buffer a: f32[N] output
  buffer b: f32[N] output
  kernel k (i: N) [parallel=1 vector=i]:
    a[i] = x[i] + 1.0f
    b[i] = x[i]
    b[i] = b[i] * 2.0f
"""
    )
    assert native.text.count("!nontemporal") == 1  # what is read back goes through the caches
    for size in (1, 16, 300):
        agree("", {"x": rng.normal(size=size).astype(np.float32)}, {"N": size}, native=native)


def test_small_results_stay_in_the_caches() -> None:
    assert "!nontemporal" not in Native(softmax(128)).text
