"""The code generator: expression graphs to native programs. What is here is its front door, with `codegen.spec`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from symnet.errors import Unsupported, UsageError, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from codegen.choices import Choices
    from codegen.library import Library
    from codegen.llvm.peak import Run
    from codegen.provenance import Listings
    from codegen.spec import Deferred, Module
    from codegen.target import Target
    from symnet.expr.node import Expr
    from symnet.runtime.arrays import Array
    from symnet.runtime.code import Code
    from symnet.runtime.native import Pool
    from symnet.runtime.tuning import Tuning

__all__ = [
    "build", "cache_folder", "compile", "compile_apart", "definition_key", "host", "known_tuning", "listings",
    "remembered", "ticks", "top_bandwidth", "top_flops", "tune",
]  # fmt: skip

BACKENDS = ("llvm", "numpy")


def compile(
    module: Module | Deferred,
    *,
    only: Sequence[str] | None = None,
    target: str = "native",
    threads: int | None = None,
    backend: str = "llvm",
    profile: bool = False,
    choices: Choices | None = None,
) -> Code:
    """Code for the entries of a module, ready to run on an arena.

    only     the entries to compile now (default: all); what persists is laid out alike whichever they are
    target   "native" or a portable level ("x86-64-v3")
    threads  how many threads to use where that pays; default: SYMNET_THREADS, else all processors
    backend  "llvm", or "numpy": the reference interpreter
    profile  count processor cycles for each kernel (`llvm` only)
    choices  what `tune` decided, which changes no result (`llvm` only)
    """
    from codegen.spec import made_of
    from symnet.runtime.native import NativeCode, thread_count

    if backend not in BACKENDS:
        raise UsageError(f"there is no backend {backend!r}{nearest(backend, BACKENDS)}")
    if backend == "numpy":
        if profile:
            raise Unsupported("profile: the numpy backend has no kernels in machine code; compile with backend='llvm'")
        made = made_of(module)
        return _interpreted(made, _entries(made, only))
    count = thread_count(threads)
    library = build(module, only=only, target=target, profile=profile, choices=choices)
    return NativeCode(library.metadata, library.functions, library, _pool(library), count)


def build(
    module: Module | Deferred,
    *,
    only: Sequence[str] | None = None,
    target: str = "native",
    profile: bool = False,
    choices: Choices | None = None,
) -> Library:
    """The compiled library itself: addresses, metadata, texts."""
    from codegen.choices import Choices
    from codegen.library import Library, Request
    from codegen.target import target as find_target

    return Library(Request(module, _entries(module, only), find_target(target), profile, choices or Choices()))


def tune(
    module: Module | Deferred, entry: str, persistent: Array, seconds: float, target: str, threads: int | None
) -> tuple[Tuning, Choices]:
    """What makes an entry faster, found by measuring it for about so many seconds, and a report.

    persistent  the bytes of what persists, from the start of the arena; they are copied
    """
    from codegen.target import target as find_target
    from codegen.tuning import tuned
    from symnet.runtime.native import thread_count

    return tuned(module, entry, persistent, seconds, find_target(target), thread_count(threads), _pool)


def known_tuning(
    module: Module | Deferred, entry: str, seconds: float, target: str, threads: int | None
) -> tuple[Tuning, Choices] | None:
    """What `tune` found before in at least so many seconds, from the cache."""
    from codegen.target import target as find_target
    from codegen.tuning import known
    from symnet.runtime.native import thread_count

    return known(module, entry, seconds, find_target(target), thread_count(threads))


def listings(module: Module, entry: str, target: str = "native") -> Listings:
    """The code of an entry as it is compiled, every line with what it comes from."""
    from codegen import provenance
    from codegen.target import target as find_target

    (name,) = _entries(module, [entry])
    chosen = next(known for known in module.entries if known.name == name)
    return provenance.listings(chosen, module, find_target(target))


def _entries(module: Module | Deferred, only: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the entries to be compiled, in the module's order."""
    from codegen.spec import Deferred, made_of

    if isinstance(module, Deferred) and only is not None:
        return tuple(only)  # who defers a module knows its entries
    module = made_of(module)
    known = [entry.name for entry in module.entries]
    for name in only or ():
        if name not in known:
            raise UsageError(f"the module {module.name!r} has no entry {name!r}{nearest(name, known)}")
    return tuple(name for name in known if only is None or name in only)


def _interpreted(module: Module, only: tuple[str, ...]) -> Code:
    from codegen.metadata import metadata
    from codegen.pipeline import compile_entry
    from codegen.reference import InterpretedCode

    programs = {entry.name: compile_entry(entry, module) for entry in module.entries if entry.name in only}
    return InterpretedCode(metadata(module, programs), programs)


_shared_pool: list[Pool] = []


def _pool(library: Library) -> Pool:
    """The threads of this process, shared by all its programs; they live in the first library that was loaded."""
    from symnet.runtime.native import Pool

    if not _shared_pool:
        _shared_pool.append(Pool(library.functions, library))
    return _shared_pool[0]


def host() -> Target:
    """The processor that programs are compiled for by default."""
    from codegen.target import target

    return target()


def definition_key(roots: Sequence[Expr], *about: object) -> str | None:
    """A key for what is made of these expressions, whatever else it depends on given as `about`; None: it has none."""
    from codegen.fingerprint import definition

    return definition(roots, *about)


def compile_apart(
    key: str, make: Callable[[], object], module: Module | Deferred, entry: str, target: str, choices: Choices | None
) -> None:
    """Fill the cache in a process of its own, where it lacks what is `remembered` under the key: with that, which
    `make` finds, and with the code of an entry. See `codegen.apart`."""
    from codegen import apart, cache
    from codegen.choices import Choices
    from codegen.library import Request
    from codegen.target import target as find_target

    if not cache.remembers(key):
        apart.fill(  # the target is found there too: that loads LLVM where the cache does not know this processor
            lambda: (make(), Request(module, (entry,), find_target(target), choices=choices or Choices()).image())
        )


def remembered(key: str, make: Callable[[], Any]) -> Any:
    """`make()`, plain JSON data that follows from `key` alone; found in the cache where it was made before."""
    from codegen.cache import remembered as found

    return found(key, make)


def cache_folder() -> Path:
    """Where compiled code is kept."""
    from codegen.cache import folder

    return folder()


def ticks() -> int:
    """The counter of processor cycles that profiled programs read."""
    from codegen.llvm import peak

    return peak.ticks()


def top_flops(run: Run, threads: int, dtype: str) -> float:
    """How many floating-point operations a second this machine can do, measured."""
    from codegen.llvm import peak

    return peak.flops(run, threads, dtype)


def top_bandwidth(run: Run, threads: int, footprint: int) -> float:
    """How many bytes a second this machine can move in `footprint` bytes, measured."""
    from codegen.llvm import peak

    return peak.bandwidth(run, threads, footprint)
