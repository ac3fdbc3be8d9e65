"""A native entry with all its arguments in place but the inputs: what a call costs beside its kernels counts here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.runtime.arrays import Array

if TYPE_CHECKING:
    from symnet.runtime.native import Pool

Wanted = tuple[str, tuple[int, ...], np.dtype[Any], int]
"""An input: its name, shape and dtype, and its slot of the table."""


class Ready:
    """Calls an entry with inputs of the shapes that a call before had.

    It holds for one arena: who moves that, or attaches other code, drops it (`symnet.runtime.instance`).
    """

    def __init__(
        self,
        call: Callable[[], int],
        table: Any,
        inputs: Sequence[Wanted],
        outputs: Sequence[tuple[str, Array]],
        pool: Pool,
        lock: threading.RLock,
    ) -> None:
        """`call` runs the entry on `table`, `outputs` are views of the arena, `lock` is that of the arena."""
        self._call, self._table, self._lock = call, table, lock
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)
        self._pool, self._sync = pool, pool.address

    def __call__(self, inputs: Mapping[str, object]) -> dict[str, Array] | None:
        """The outputs, which are the caller's; None where inputs are not just as they were, or a check fails: then
        nothing has happened that the usual way would not do again."""
        if len(inputs) != len(self._inputs):
            return None
        table = self._table
        with self._lock, self._pool.lock:
            for name, shape, kind, slot in self._inputs:
                value = inputs.get(name)
                if type(value) is not np.ndarray or value.dtype is not kind or value.shape != shape:
                    return None
                if not value.flags.c_contiguous:
                    return None
                table[slot] = value.__array_interface__["data"][0]
            if self._pool.address != self._sync or self._call():  # another process's threads, or a failed check
                return None
            return {name: view.copy() for name, view in self._outputs}
