"""Machine code in this process, from the image that `codegen.link` made of it.

Code can be run and not written, data written and not run. The memory is given back when nothing holds the image any
more, except at the end of the process, when threads may still wait in it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import sys
import weakref
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from symnet.errors import CompilerBug

_READ, _WRITE, _EXECUTE = 1, 2, 4
_RIGHTS = (_READ | _EXECUTE, _READ, _READ | _WRITE)
"""Of code, constants and data."""
_LIBRARIES = (None, "libm.so.6", "libc.so.6")
"""Where functions are looked for: first what the process has anyway."""


class Image:
    """A library of code.

    addresses  name -> where it is, of what was asked for
    """

    def __init__(self, about: Mapping[str, Any], content: bytes, names: Iterable[str]) -> None:
        """`about` and `content` are what `codegen.link.linked` gave."""
        ends, symbols = about["ends"], about["symbols"]
        imports = [(at, function(name)) for at, name in about["imports"]]
        base = _reserved(ends[-1])
        try:
            ctypes.memmove(base, content, len(content))
            for at, value in (*((at, base + place) for at, place in about["relative"]), *imports):
                ctypes.memmove(base + at, struct.pack("<Q", value), 8)
            for begin, end, rights in zip((0, *ends), ends, _RIGHTS, strict=False):
                if end > begin and _system().mprotect(base + begin, end - begin, rights):
                    raise _refused("make compiled code executable")
            self.addresses: dict[str, int] = {name: base + symbols[name] for name in names}
        except BaseException:
            _system().munmap(base, ends[-1])
            raise
        weakref.finalize(self, _system().munmap, base, ends[-1]).atexit = False


def function(name: str) -> int:
    """The address of a function of the C library."""
    for library in _LIBRARIES:
        try:
            return int(ctypes.cast(getattr(ctypes.CDLL(library), name), ctypes.c_void_p).value or 0)
        except (OSError, AttributeError):
            continue
    raise CompilerBug(
        f"compiled code calls {name!r}: expected a function of the C library, which has none of that name on "
        f"{sys.platform}; compile for the native target, and report this program"
    )


@lru_cache(maxsize=None)
def _system() -> ctypes.CDLL:
    system = ctypes.CDLL(None, use_errno=True)
    address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    system.mmap.argtypes, system.mmap.restype = (address, size, number, number, number, ctypes.c_int64), address
    system.mprotect.argtypes, system.munmap.argtypes = (address, size, number), (address, size)
    return system


def _reserved(size: int) -> int:
    """The address of so many bytes of fresh memory."""
    base = _system().mmap(None, size, _READ | _WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if base in (None, ctypes.c_void_p(-1).value):
        raise _refused(f"reserve {size} bytes for compiled code")
    return int(base)


def _refused(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"the system does not let symnet {what} ({os.strerror(number)})")
