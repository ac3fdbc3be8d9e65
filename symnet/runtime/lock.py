"""Locks that survive a fork: in the child they are free, whichever thread of the parent held them."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

_locks: weakref.WeakSet[Any] = weakref.WeakSet()


def lock() -> threading.RLock:
    """A lock for one thread at a time, which may take it again."""
    made = threading.RLock()
    _locks.add(made)
    return made


def _renew() -> None:
    for made in list(_locks):
        made._at_fork_reinit()  # what the standard library does to its own locks


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
