"""Python's search for unreachable cycles, put off while something large is built."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for cycles inside.

    Graphs and programs have none, and live until they are compiled; looking through all of them again whenever they
    have grown takes a quarter of the time of compiling a deep network.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
