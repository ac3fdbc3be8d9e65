"""What `symnet doctor` tells: what is installed, what the machine is, and whether programs compile and run on it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from symnet import __version__
from symnet.errors import UsageError

EXTRAS = {
    "plot": ("matplotlib",),
    "torch": ("torch",),
    "onnx": ("onnx",),
    "cuda": ("cuda-core", "cuda-bindings", "nvidia-cuda-nvrtc"),
    "mpi": ("mpi4py",),
}
REQUIRED = ("numpy", "sympy", "llvmlite", "tqdm")


@dataclass(frozen=True)
class Finding:
    """One line of the report. `trouble` is empty when all is well; `fatal` trouble keeps programs from running."""

    title: str
    text: str
    trouble: str = ""
    fatal: bool = False


def report() -> tuple[str, bool]:
    """The report as text, and whether programs can be compiled and run here."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python, _packages, _llvm, _processor, _threads, _cache, _linker, _extras, _program,
    )  # fmt: skip
    findings = [check() for check in checks]
    lines = [f"symnet {__version__}"]
    for finding in findings:
        lines.append(f"  {finding.title:10} {finding.text}")
        if finding.trouble:
            lines.append(f"  {'':10} {'✗' if finding.fatal else '!'} {finding.trouble}")
    healthy = not any(finding.fatal for finding in findings)
    lines.append("programs compile and run here" if healthy else "programs cannot run here: see the lines with ✗")
    return "\n".join(lines), healthy


def _python() -> Finding:
    text = f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}"
    return Finding("Python", text)


def _packages() -> Finding:
    versions = {name: _version(name) for name in REQUIRED}
    missing = [name for name, version in versions.items() if version is None]
    text = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    return Finding("packages", text, f"pip install {' '.join(missing)}" if missing else "", fatal=bool(missing))


def _llvm() -> Finding:
    try:
        import llvmlite.binding as llvm
    except (ImportError, OSError) as error:
        return Finding("LLVM", "not usable", f"llvmlite cannot be loaded: {error}", fatal=True)
    return Finding("LLVM", ".".join(map(str, llvm.llvm_version_info)) + f", for {llvm.get_process_triple()}")


def _processor() -> Finding:
    try:
        import codegen

        machine = codegen.host()
    except (ImportError, OSError) as error:
        return Finding("processor", platform.processor() or platform.machine(), f"not recognised: {error}", fatal=True)
    bits, lanes = 8 * machine.vector_bytes, machine.lanes("float32")
    model = f"{name}, " if (name := _model_name()) else ""
    caches = f"caches {machine.l1_bytes // 1024} kB and {machine.l2_bytes // 1024} kB"
    return Finding("processor", f"{model}{machine.cpu}: vectors of {bits} bits ({lanes} × float32), {caches}")


def _model_name() -> str:
    """What the maker calls the processor, as Linux tells it; else empty."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _threads() -> Finding:
    from symnet.runtime.native import thread_count

    try:
        count = thread_count(None)
    except UsageError as error:
        return Finding("threads", "unknown", str(error), fatal=True)
    how = "as SYMNET_THREADS says" if os.environ.get("SYMNET_THREADS") else "set SYMNET_THREADS to use fewer"
    return Finding("threads", f"{count} ({how})")


def _cache() -> Finding:
    import codegen

    if os.environ.get("SYMNET_CACHE", "").lower() == "off":
        return Finding("cache", "off (SYMNET_CACHE): every run compiles anew")
    place = codegen.cache_folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        advice = f"cannot write there ({error.strerror}); every run compiles anew: set SYMNET_CACHE to another folder"
        return Finding("cache", str(place), advice)
    sizes = [path.stat().st_size for path in place.rglob("*") if path.is_file()]
    return Finding("cache", f"{place}, writable, {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")


def _linker() -> Finding:
    wanted = [os.environ.get("CC"), "cc", "gcc", "clang", "ld"]
    found = next((path for name in wanted if name and (path := shutil.which(name.split()[0]))), None)
    if found is None and _version("ziglang"):
        found = "the ziglang package"
    if found is None:
        return Finding("linker", "none", "programs run, but none can be exported as a library: install a C compiler")
    return Finding("linker", found)


def _extras() -> Finding:
    shown = []
    for extra, packages in EXTRAS.items():
        versions = [_version(name) for name in packages]
        shown.append(f"{extra} {versions[0]}" if all(versions) else f"{extra} –")
    return Finding("extras", ", ".join(shown) + "   (pip install 'symnet[NAME]')")


def _program() -> Finding:
    """Compile and run the smallest program, and check what it gives."""
    import numpy as np

    import symnet as sn

    started = time.perf_counter()
    try:
        x = sn.input("x", ("N",))
        given = np.linspace(-3.0, 3.0, 1001, dtype=np.float32)
        result = sn.function([x], [sn.exp(x) * x])(given)[0]
    except Exception as error:  # whatever it is, this is the place that is there to tell
        return Finding("native", "a test program failed", f"{type(error).__name__}: {error}", fatal=True)
    worst = float(np.abs(result - np.exp(given.astype(np.float64)) * given).max())
    if not worst < 1e-4:
        return Finding("native", "a test program ran", f"its results are off by {worst:.2g}", fatal=True)
    return Finding("native", f"a test program ran and was right ({time.perf_counter() - started:.2f} s)")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
