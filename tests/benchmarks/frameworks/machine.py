"""The machine and the versions of what takes part, as the page tells them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TOLD = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "asimd", "sve")
"""Features of processors that matter here."""
PACKAGES = {
    "": ("numpy", "llvmlite", "torch", "jax"),
    "tensorflow": ("tensorflow_cpu", "tensorflow"),
    "onnxruntime": ("onnxruntime",),
    "pytensor": ("pytensor", "numba"),
}
VERSIONS = """
import sys
from importlib.metadata import PackageNotFoundError, version
for name in sys.argv[1:]:
    try:
        print(name, version(name))
    except PackageNotFoundError:
        pass
"""


def about(interpreters: Mapping[str, str]) -> dict[str, Any]:
    """{"processor", "cores", "features", "caches", "versions"}"""
    fields: dict[str, str] = {}
    information = Path("/proc/cpuinfo")
    for line in information.read_text(encoding="utf-8").splitlines() if information.exists() else ():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    return {
        "processor": fields.get("model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "features": [name for name in TOLD if name in flags],
        "caches": _caches(),
        "versions": _versions(interpreters),
    }


def _caches() -> dict[str, str]:
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found[f"L{level}"] = size
    return found


def _versions(interpreters: Mapping[str, str]) -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for peer, packages in PACKAGES.items():
        python = interpreters.get(peer) if peer else sys.executable
        if python:
            out = subprocess.run([python, "-c", VERSIONS, *packages], capture_output=True, text=True, check=True)
            found.update((name, number) for name, number in map(str.split, out.stdout.splitlines()))
    return found
