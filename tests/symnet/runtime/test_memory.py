"""Memory lent for results: a caller's array is never written to again, and what nobody holds serves again."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from symnet.runtime.memory import ALIGNMENT, KEPT, Lent


def test_free_memory_serves_again() -> None:
    lent = Lent()
    first = lent.array((3, 5), "float32")
    assert (first.shape, first.dtype, first.ctypes.data % ALIGNMENT) == ((3, 5), np.float32, 0)
    place = first.ctypes.data
    part = first[1:]
    del first
    assert lent.array((3, 5), "float32").ctypes.data != place  # a part of it is held
    del part
    places = {lent.array((3, 5), "float32").ctypes.data for _ in range(5)}
    assert len(places) == 1


def test_held_memory_is_left_alone() -> None:
    lent = Lent()
    held = [lent.array((4,), "int64") for _ in range(KEPT + 3)]
    for number, array in enumerate(held):
        array[:] = number
    assert [int(array[0]) for array in held] == list(range(KEPT + 3))
    assert lent.array((0,), "float32").shape == (0,)


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_large_outputs_are_the_callers(backend: str, rng: np.random.Generator) -> None:
    x = sn.input("x", ("N", 1024))
    twice = sn.function([x], [2 * x, sn.sum(x)], backend=backend)
    given = rng.normal(size=(300, 1024)).astype(np.float32)
    first, total = twice(given)
    second, _ = twice(given + 1)
    part, _ = twice(given[:3])
    np.testing.assert_array_equal(first, 2 * given)
    np.testing.assert_array_equal(second, 2 * (given + 1))
    np.testing.assert_array_equal(part, 2 * given[:3])
    np.testing.assert_allclose(total, given.sum(dtype=np.float64), atol=0.05)
    first[:] = 0  # it can be written to


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_large_outputs_that_nobody_wants(backend: str, rng: np.random.Generator) -> None:
    """Without memory for them they are lost; what else the entry gives is there."""
    x = sn.input("x", ("N", 1024))
    twice = sn.function([x], [2 * x, sn.max(x)], backend=backend)
    given = rng.normal(size=(300, 1024)).astype(np.float32)
    sizes = {"N": 300}
    code, memory = twice._compiled(sizes), twice._instance.memory
    assert [code.buffers[name]["offset"] is None for name in ("out0", "out1")] == [True, False]
    assert code.call("call", memory, {"in0": given}, sizes) == 0
    assert code.view("out1", memory, sizes) == given.max()
