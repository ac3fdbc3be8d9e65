"""The autotuner: what models of costs decide, decided again by measuring, for one entry on this machine.

    search   which ways to run each kernel are looked at, and which of them wins
    trial    the entry compiled in one way, and its kernels timed where they are: in the step, with its caches

No result depends on it: every sum is taken in the order of k, whatever the plan of a contraction and the threads.
What was found is kept in the cache, under all it depends on: definition, sizes, compiler, processor, threads. A program
takes it from there only when it asks for tuning again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from codegen import cache, toolchain
from codegen.choices import Choices
from codegen.fingerprint import fingerprint
from codegen.spec import Deferred, Module
from codegen.target import Target
from symnet.runtime.tuning import Tuning

if TYPE_CHECKING:
    from codegen.library import Library
    from symnet.runtime.arrays import Array
    from symnet.runtime.native import Pool

__all__ = ["known", "tuned"]


def known(
    module: Module | Deferred, entry: str, seconds: float, target: Target, threads: int
) -> tuple[Tuning, Choices] | None:
    """What was found before, if it took as long or nothing was left to try."""
    stored = cache.read(_key(module, entry, target, threads))
    if stored is None:
        return None
    data: dict[str, Any] = stored[0]
    enough = data["tuning"]["complete"] or data["allowed"] >= seconds
    return (Tuning.of_data(data["tuning"]), Choices.of_data(data["choices"])) if enough else None


def tuned(
    module: Module | Deferred,
    entry: str,
    persistent: Array,
    seconds: float,
    target: Target,
    threads: int,
    pool: Callable[[Library], Pool],
) -> tuple[Tuning, Choices]:
    """What makes the entry faster, found in about so many seconds; see `codegen.tuning`."""
    from codegen.tuning.search import search

    tuning, choices = search(module, entry, persistent, seconds, target, threads, pool)
    data = {"tuning": tuning.data(), "choices": choices.data(), "allowed": seconds}
    cache.write(_key(module, entry, target, threads), data, b"")
    return tuning, choices


def _key(module: Module | Deferred, entry: str, target: Target, threads: int) -> str:
    return fingerprint(module, "tuning", entry, target, threads, toolchain.version())
