"""The arena: one block of memory that holds parameters, state and everything a program computes."""

from __future__ import annotations

from typing import Any

import numpy as np

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
        block = np.zeros(size + ALIGNMENT, np.uint8)  # zero pages come from the system when they are first touched
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
