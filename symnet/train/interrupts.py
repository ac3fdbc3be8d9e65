"""Ctrl-C between two stretches of a training run: the native call ends, and what it gave is kept."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Interrupts:
    """While it is entered, the first Ctrl-C waits for `check`; a second one does not wait.

    Only in the main thread, and only where nobody else handles the signal.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: object = None

    def __enter__(self) -> Interrupts:
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if exception[0] is None:
            self.check()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def check(self) -> None:
        """Raise the `KeyboardInterrupt` that was asked for."""
        if self.asked:
            raise KeyboardInterrupt
