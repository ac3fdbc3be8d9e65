"""Random kernels against the interpreter; a failure prints its program and seed."""

from __future__ import annotations

import pytest

from tests.codegen.llvm.nest_fuzz import run


@pytest.mark.parametrize("block", range(6))
def test_random_kernels(block: int, seed: int) -> None:
    for number in range(seed % 10_000_000, seed % 10_000_000 + 8):
        run(number)
