"""The arena: one block of memory that holds parameters, state and everything a program computes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from symnet.errors import UsageError

Array = np.ndarray[Any, np.dtype[Any]]
ALIGNMENT = 4096


class Memory:
    """An aligned, zeroed block that can grow. Growing keeps the first bytes, where what persists lives."""

    def __init__(self) -> None:
        self._block = np.zeros(ALIGNMENT, np.uint8)
        self.bytes = np.zeros(0, np.uint8)
        self.address = 0

    def reserve(self, size: int, keep: int) -> None:
        """Make the arena at least `size` bytes long; its first `keep` bytes keep their values."""
        if size <= self.bytes.size:
            return
        try:
            block = np.zeros(size + ALIGNMENT, np.uint8)  # zero pages come from the system when they are first touched
        except (MemoryError, ValueError) as error:
            wanted = f"{size / 2**30:,.1f} GiB"
            raise UsageError(f"a program of these sizes needs {wanted} of memory, which there is not") from error
        start = -block.ctypes.data % ALIGNMENT
        grown = block[start : start + size]
        grown[:keep] = self.bytes[:keep]
        self._block, self.bytes, self.address = block, grown, block.ctypes.data + start

    def view(self, offset: int, shape: tuple[int, ...], dtype: str) -> Array:
        """An array over the arena's bytes; it must not outlive the next `reserve`."""
        kind = np.dtype(dtype)
        count = 1
        for size in shape:
            count *= size
        return self.bytes[offset : offset + count * kind.itemsize].view(kind).reshape(shape)


KEPT = 2
"""Blocks that are kept: one that the caller still holds from the call before, and one for this call."""


class Lent:
    """Memory for results, given to the caller without a copy and used again once nobody holds it.

    New pages cost more than computing what is written to them. A block serves again when only this object refers to it:
    every array that shares its memory refers to the block that owns it.
    """

    def __init__(self) -> None:
        self._blocks: list[Array] = []

    def array(self, shape: tuple[int, ...], dtype: str) -> Array:
        """An array with any values in it, on memory that nobody else uses; it begins at a multiple of `ALIGNMENT`."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        free = [number for number in range(len(self._blocks)) if sys.getrefcount(self._blocks[number]) == UNUSED]
        fitting = [number for number in free if size <= self._blocks[number].size - ALIGNMENT <= 2 * size]
        if fitting:
            block = self._blocks[fitting[0]]
        else:
            block = np.empty(size + ALIGNMENT, np.uint8)
            held = [one for number, one in enumerate(self._blocks) if number not in free]
            self._blocks = [*held[1 - KEPT :], block]
        start = -block.ctypes.data % ALIGNMENT
        return block[start : start + size].view(kind).reshape(shape)


UNUSED = 2
"""References to a block that nobody uses: that of the list, and the argument of the question."""
