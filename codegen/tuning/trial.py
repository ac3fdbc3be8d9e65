"""An entry compiled in one way and timed: kernel by kernel, or as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from codegen.choices import Choices
from codegen.library import Library, Request
from codegen.spec import Deferred, Module
from codegen.target import Target
from symnet.errors import UsageError
from symnet.expr import dims
from symnet.runtime.memory import Memory
from symnet.runtime.native import NativeCode

if TYPE_CHECKING:
    from codegen.llvm.module import LibraryText
    from codegen.loops.grammar import Program
    from symnet.runtime.arrays import Array
    from symnet.runtime.native import Pool

ROUND = 20
"""Calls after which what persists is set back, so that training on does not lead to other values than the user's."""
LEAST = 3
"""Calls of a measurement, at least."""


@dataclass(frozen=True, eq=False)
class _Once(Request):
    """A request for given loop programs that is not kept in the cache.

    With `profile`, threads meet after every kernel.
    """

    made: Mapping[str, Program] | None = None

    def programs(self) -> dict[str, Program]:
        return dict(self.made or {})

    def text(self, programs: Mapping[str, Program]) -> LibraryText:
        from codegen.llvm.module import LibraryText

        return LibraryText(programs, self.target, self.profile, choices=self.choices, meets=self.profile)

    def image(self) -> tuple[dict[str, Any], bytes]:
        return self.compiled()


class Bench:
    """Memory and inputs on which all trials of an entry run, and its loop program."""

    def __init__(
        self,
        module: Module | Deferred,
        entry: str,
        persistent: Array,
        target: Target,
        threads: int,
        pool: Callable[[Library], Pool],
    ) -> None:
        """`persistent` is copied; inputs are made up: fractions, and zeros, valid as indices, for whole numbers."""
        request = Request(module, (entry,), target)
        self.module, self.entry, self.target = request.module, entry, target
        self.threads, self._persistent, self._pool = threads, persistent, pool
        self.program = request.programs()[entry]
        self.memory = Memory()
        self.inputs: dict[str, Array] = {}
        self.sizes: dict[str, int] = dict(self.program.dims)

    def library(self, choices: Choices, profile: bool) -> Library:
        made = {self.entry: self.program}
        return Library(_Once(self.module, (self.entry,), self.target, profile, choices, made))

    def code(self, library: Library, threads: int | None = None) -> NativeCode:
        code = NativeCode(library.metadata, library.functions, library, self._pool(library), threads or self.threads)
        self.memory.reserve(max(library.metadata["arena"], self._persistent.size), keep=0)
        self.inputs = self.inputs or self._made_up(code)
        return code

    def reset(self) -> None:
        self.memory.bytes[: self._persistent.size] = self._persistent

    def _made_up(self, code: NativeCode) -> dict[str, Array]:
        rng = np.random.default_rng(0)
        found: dict[str, Array] = {}
        for name, (shape, dtype) in code.signature(self.entry).items():
            sizes = dims.evaluate_shape(shape, self.sizes)
            floating = dtype.startswith("float")
            found[name] = rng.random(sizes, np.float32).astype(dtype) if floating else np.zeros(sizes, dtype)
        return found


class Trial:
    """The entry, compiled with some choices; `times` are the least ticks so far of each kernel, then of all."""

    def __init__(self, bench: Bench, choices: Choices) -> None:
        self.bench, self.choices = bench, choices
        self.library = bench.library(choices, profile=True)
        self.code = bench.code(self.library)
        self.times: list[int] = []

    def measure(self, seconds: float) -> None:
        """Run it for so long."""
        bench, found = self.bench, list[list[int]]()
        given = self.code.given_memory(bench.entry, bench.sizes)
        started = time.perf_counter()
        while len(found) < LEAST or time.perf_counter() < started + seconds:
            if len(found) % ROUND == 0:
                bench.reset()
                self._call(given)  # not counted: it finds the caches as the reset leaves them
                self.library.cycles(bench.entry)
            self._call(given)
            found.append(self.library.cycles(bench.entry))
        self.times = [min(column) for column in zip(*([self.times] if self.times else []), *found, strict=True)]

    def _call(self, given: Mapping[str, Array]) -> None:
        bench = self.bench
        if self.code.call(bench.entry, bench.memory, bench.inputs, bench.sizes, given):
            raise UsageError(
                f"tune: {bench.entry} refuses the made-up inputs it is measured with (fractions from 0 to 1, "
                "zeros for whole numbers); compile without tune"
            )


class Whole:
    """The entry as it is run, without counters."""

    def __init__(self, bench: Bench, choices: Choices) -> None:
        self.bench, self.choices = bench, choices
        self.code = bench.code(bench.library(choices, profile=False))
        self.seconds: list[float] = []

    def measure(self, seconds: float) -> None:
        """Run it for so long."""
        bench, number = self.bench, 0
        given = self.code.given_memory(bench.entry, bench.sizes)
        started = now = time.perf_counter()
        while number < LEAST or now < started + seconds:
            if number % ROUND == 0:
                bench.reset()
                self.code.call(bench.entry, bench.memory, bench.inputs, bench.sizes, given)
            before = time.perf_counter()
            self.code.call(bench.entry, bench.memory, bench.inputs, bench.sizes, given)
            now, number = time.perf_counter(), number + 1
            self.seconds.append(now - before)

    @property
    def time(self) -> float:
        """Microseconds of a call: a low quartile, which bursts of other programs do not reach."""
        return sorted(self.seconds)[len(self.seconds) // 4] * 1e6
