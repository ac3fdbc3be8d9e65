"""What compiles, and what it compiles for, known without loading it.

LLVM takes tens of milliseconds to load and 60 MB of memory: a process that finds its program in the cache does without.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from codegen import apart, cache
from symnet.errors import UsageError

_SAME = ("vendor_id", "cpu family", "model", "stepping", "flags", "CPU ", "Features")
"""What the lines of /proc/cpuinfo begin with that tell one processor from another of other features."""


@lru_cache(maxsize=None)
def version() -> str:
    """Changes whenever llvmlite, and so LLVM, does."""
    spec = find_spec("llvmlite")
    if spec is None or spec.origin is None:
        raise UsageError("symnet compiles with llvmlite, which is not installed here: pip install llvmlite")
    folder = Path(spec.origin).parent
    files = [folder / "_version.py"]
    with os.scandir(folder / "binding") as entries:
        files += sorted(Path(entry.path) for entry in entries if "llvmlite" in entry.name)
    facts = [os.stat(file) for file in files]
    return ";".join(f"{f.name} {about.st_size} {about.st_mtime_ns}" for f, about in zip(files, facts, strict=True))


def host() -> tuple[str, str, dict[str, bool]]:
    """LLVM's names for this machine: triple, processor, and which features it has."""
    processor = _processor()
    if not processor:
        return _asked()
    key = f"host; {version()}; {processor}"
    if not cache.remembers(key):
        apart.fill(lambda: cache.remembered(key, _asked))
    triple, cpu, features = cache.remembered(key, _asked)
    return triple, cpu, features


def _asked() -> tuple[str, str, dict[str, bool]]:
    import llvmlite.binding as llvm

    return llvm.get_process_triple(), llvm.get_host_cpu_name(), dict(llvm.get_host_cpu_features())


def _processor() -> str:
    """What tells this processor from others, or nothing where the system does not say."""
    if sys.platform != "linux":
        return ""
    lines = []
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:  # the first of them
                if not line.strip():
                    break
                lines.append(line)
    except OSError:
        return ""
    known = [line for line in lines if line.startswith(_SAME)]
    return f"{os.uname().machine}; {''.join(known)}" if known else ""
