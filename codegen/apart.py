"""Compiling in a process of its own, which hands over its results through the cache.

Deriving, simplifying and LLVM take tens of megabytes, of code and of memory in pieces, that nothing would give back
while the program runs. A child takes them along when it ends: who compiles has afterwards no more than who finds
everything in the cache.

The child is a fork, so it begins with all that is known. That is safe as long as no other thread of Python may hold a
lock: then, and wherever there are no forks or no cache, `fill` does nothing, and the work is done by whoever finds the
cache empty. So it is after an error or a warning: what happens in the child happens again here, where the user sees it.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from codegen import cache, settings

WORKER = "symnet-worker"
"""Threads of this name wait in native code and hold nothing (`symnet.runtime.native`)."""

MOST = 4
"""Processes that compile one program."""

_NUMBER = struct.Struct("<H")
_inside: list[bool] = []
"""Not empty in a child."""


def fill(work: Callable[[], object]) -> bool:
    """Run `work`, which fills the cache, in a child process, and wait for it; whether it was done."""
    if not _possible():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some libraries warn of any fork, as locks of their own may be held
            child = os.fork()
    except OSError:  # no memory for another process, or no more of them
        return False
    if not child:
        _work(work)
    try:
        _, status = os.waitpid(child, 0)
    except ChildProcessError:  # the user has children waited for elsewhere
        return True
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    return status == 0


def inside() -> bool:
    """Whether this is a child, which ends when it has compiled."""
    return bool(_inside)


def processes() -> int:
    """How many processes share the work: several in a child that has processors to itself, as a process with threads is
    not split without need."""
    return min(len(os.sched_getaffinity(0)), MOST) if _inside else 1


def shared(count: int, work: Callable[[int], bytes]) -> Callable[[], list[bytes]]:
    """Begin `work` on the numbers below `count` in other processes, if there are any; the function that joins in, and
    gives all results in order. Each process takes the next number as soon as it is done with one."""
    others = min(processes(), count) - 1
    if others < 1:
        return lambda: [work(number) for number in range(count)]
    source, target = os.pipe()
    os.write(target, b"".join(_NUMBER.pack(number) for number in range(count)))
    os.close(target)

    def some() -> dict[int, bytes]:
        return {number: work(number) for (number,) in map(_NUMBER.unpack, iter(partial(os.read, source, 2), b""))}

    waits = [beside(lambda: pickle.dumps(some()), orelse=bytes) for _ in range(others)]

    def finish() -> list[bytes]:
        found = some()
        os.close(source)
        for wait in waits:
            part = wait()
            found |= pickle.loads(part) if part else {}
        return [found[number] if number in found else work(number) for number in range(count)]

    return finish


def beside(work: Callable[[], bytes], orelse: Callable[[], bytes] | None = None) -> Callable[[], bytes]:
    """Begin `work` in a child; the function that waits for what it gives. Where the child fails, `orelse` (or the work
    once more) is done here."""
    instead = orelse or work
    source, target = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(source)
        os.close(target)
        return instead
    if not child:
        _work(lambda: _sent(work(), target))
    os.close(target)

    def wait() -> bytes:
        with os.fdopen(source, "rb") as pipe:
            found = pipe.read()
        _, status = os.waitpid(child, 0)
        return instead() if status else found

    return wait


def _sent(data: bytes, target: int) -> None:
    with os.fdopen(target, "wb") as pipe:
        pipe.write(data)


def _possible() -> bool:
    if _inside or sys.platform != "linux" or settings.check_level() or settings.dump_folder():
        return False
    here = threading.current_thread()
    alone = all(thread is here or thread.name == WORKER for thread in threading.enumerate())
    return alone and cache.writable()


def _work(work: Callable[[], object]) -> NoReturn:
    """What the child does: nothing of it is seen but files in the cache and the status."""
    status = 1
    try:
        _inside.append(True)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with warnings.catch_warnings():
            warnings.showwarning = _give_up  # at once: what is stored after it would hide the warning from the parent
            work()
        status = 0
    finally:
        os._exit(status)


def _give_up(*about: object, **named: object) -> NoReturn:
    raise SystemExit
