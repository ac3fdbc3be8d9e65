"""The arena: one block of memory that holds parameters, state and everything a program computes."""

from __future__ import annotations

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
