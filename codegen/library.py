"""A compiled module: metadata, machine code in this process, and the text of every stage on request.

When the cache holds what is asked for, nothing of the compiler is needed: it is imported only to compile.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen import cache, settings
from codegen.fingerprint import fingerprint
from codegen.spec import Deferred, Module, made_of
from codegen.target import Target
from symnet.errors import UsageError, nearest

if TYPE_CHECKING:
    from codegen.loops.grammar import Program

SOURCES = ("loops", "llvm", "asm")
EXPORTS = ("sn_init", "sn_worker", "sn_run", "sn_stop", "sn_epoch")
"""The functions of the runtime (`codegen.llvm.runtime_ir`) that are called from outside."""


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be compiled: the entries `only` of a module (their layout is that of the whole module)."""

    given: Module | Deferred
    only: tuple[str, ...]
    target: Target
    profile: bool = False

    @property
    def module(self) -> Module:
        return made_of(self.given)

    def programs(self) -> dict[str, Program]:
        """The scheduled loop programs of the entries."""
        from codegen import pipeline

        module = self.module
        chosen = (entry for entry in module.entries if entry.name in self.only)
        return {entry.name: pipeline.compile_entry(entry, module) for entry in chosen}


class Library:
    """Entries as native functions.

    metadata   plain JSON data; see `metadata`
    functions  name -> address: the entries (sn_ENTRY) and the runtime (`codegen.llvm.runtime_ir`)
    """

    def __init__(self, request: Request) -> None:
        """Compile, or take what the cache holds for the same request."""
        from codegen.llvm import jit

        self._request = request
        key = fingerprint(request.given, request.only, request.target, request.profile, jit.VERSION)
        dump, check = settings.dump_folder(), settings.check_level()
        found = None if dump or check else cache.read(key)  # those want every stage to happen
        if found is None:
            found = self._compile(dump)
            cache.write(key, *found)
        self.metadata, image = found
        symbols = [entry["symbol"] for entry in self.metadata["entries"].values()]
        self._code = jit.Loaded(image, [*symbols, *self._counters(), *EXPORTS])
        self.functions: Mapping[str, int] = self._code.addresses

    def _counters(self) -> list[str]:
        """The symbols of the kernels' counters, where there are any."""
        if not self._request.profile:
            return []
        from codegen.llvm.driver import profile_name

        return [profile_name(entry) for entry in self.metadata["entries"]]

    def _compile(self, dump: str) -> tuple[dict[str, Any], bytes]:
        from codegen.llvm import jit
        from codegen.llvm.module import library_text
        from codegen.metadata import metadata

        request, programs = self._request, self._request.programs()
        library = library_text(programs, request.target, request.profile)
        about = metadata(request.module, programs)
        names = {buffer["buffer"]: buffer["name"] for buffer in about["buffers"]}
        about["table"] = library.table.names(names)
        for name, sharing in library.sharing.items():
            about["entries"][name]["parallel"] = sharing.pays
            for kernel in about["entries"][name]["kernels"]:
                kernel["shared"] = sharing.pays and kernel["name"] in sharing.shared
        about["target"] = {"name": request.target.name, "triple": request.target.triple, "cpu": request.target.cpu}
        if dump:
            stem = Path(dump) / f"{request.module.name}.{'-'.join(request.only)}"
            stem.with_name(f"{stem.name}.ll").write_text(library.text, encoding="utf-8")
            stem.with_name(f"{stem.name}.s").write_text(jit.assembly(library.text, request.target), encoding="utf-8")
        return about, jit.compile_object(library.text, request.target)

    def address(self, entry: str) -> int:
        """The native function of an entry."""
        return self.functions[self.metadata["entries"][entry]["symbol"]]

    def cycles(self, entry: str) -> list[int]:
        """What thread 0 spent in each kernel of an entry, then in all of it, since this was last asked.

        In ticks of the processor's counter (`codegen.llvm.peak` tells how long one is), the kernels in the order of the
        metadata. Needs a library that was compiled with `profile`.
        """
        from codegen.llvm.driver import profile_name

        if not self._request.profile:
            raise UsageError("this library counts no cycles: compile it with profile=True")
        count = len(self.metadata["entries"][entry]["kernels"]) + 1
        counters = (ctypes.c_int64 * count).from_address(self.functions[profile_name(entry)])
        found = list(counters)
        ctypes.memset(counters, 0, ctypes.sizeof(counters))
        return found

    def source(self, kind: str) -> str:
        """The text of a stage: "loops", "llvm" or "asm"."""
        from codegen.llvm import jit
        from codegen.llvm.module import library_text
        from codegen.loops.text import show

        if kind not in SOURCES:
            raise UsageError(f"source: there is no text {kind!r}{nearest(kind, SOURCES)}")
        programs = self._request.programs()
        if kind == "loops":
            return "\n".join(show(program) for program in programs.values())
        text = library_text(programs, self._request.target, self._request.profile).text
        return text if kind == "llvm" else jit.assembly(text, self._request.target)
