"""On how many threads a loop over batches runs, where only a measurement can tell.

Small steps are twice as fast on two threads that are awake, and many times slower on two that the system has put on one
processor, beside other programs. So the loop is run in pieces, on one thread and on all of them, and goes on with what
was faster; results are the same bits. The other way is tried again now and then, as other programs come and go.
"""

from __future__ import annotations

AWAKE = 3e-4
"""Seconds of a loop from which it pays to wake threads."""
PIECE, LONGEST = 2e-3, 2e-2
"""Seconds of a trial, and the most that is run before it is looked at again."""
SELDOM = 40
"""After how many times the seconds of a trial the other way is tried again."""
FIRST = 8
"""Batches of the first piece of all."""


class Spread:
    """What is known about one loop, and what follows for the next batches.

    several  the number of threads there are
    """

    def __init__(self, several: int) -> None:
        self.several = several
        self._each: dict[int, float] = {}  # threads -> seconds of a batch, when it was last measured
        self._until = 0.0  # seconds to spend the faster way before the other one is tried again

    def next(self, batches: int) -> tuple[int, int]:
        """How many threads run how many of so many batches."""
        alone = self._each.get(1)
        if alone is None:
            return 1, min(batches, FIRST)
        if batches * alone < AWAKE or self.several == 1:
            return 1, batches
        threads = self._threads()
        trial = threads not in self._each or self._until <= 0
        seconds = PIECE if trial else LONGEST
        return threads, max(1, min(batches, int(seconds / self._each.get(threads, alone))))

    def took(self, threads: int, batches: int, seconds: float) -> None:
        """Take note of how long batches took that `next` asked for."""
        known = self._each.get(threads)
        if known is not None and batches * min(self._each.values()) < AWAKE:
            return  # too short to tell
        if known is None or self._until <= 0:
            self._until = SELDOM * seconds
        self._each[threads] = seconds / batches
        self._until -= seconds

    def _threads(self) -> int:
        """The faster number of threads as far as is known, or the other one where its time has come."""
        if self.several not in self._each:
            return self.several
        faster = min(self._each, key=lambda threads: self._each[threads])
        return faster if self._until > 0 else self.several + 1 - faster
