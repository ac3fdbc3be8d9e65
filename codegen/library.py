"""A compiled module: metadata, machine code in this process, and the text of every stage on request.

When the cache holds what is asked for, nothing of the compiler is needed: it is imported only to compile.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen import apart, cache, settings, toolchain
from codegen.choices import Choices
from codegen.fingerprint import fingerprint
from codegen.spec import Deferred, Module, made_of
from codegen.target import Target
from symnet.errors import UsageError, nearest

if TYPE_CHECKING:
    from codegen.llvm.jit import Loaded
    from codegen.llvm.module import LibraryText
    from codegen.loops.grammar import Program
    from symnet.runtime.image import Image

SOURCES = ("loops", "llvm", "asm")
EXPORTS = ("sn_init", "sn_worker", "sn_run", "sn_stop", "sn_epoch", "sn_again")
"""The functions of the runtime (`codegen.llvm.runtime_ir`) that are called from outside."""


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be compiled: the entries `only` of a module (their layout is that of the whole module).

    choices  what was decided by measurement
    """

    given: Module | Deferred
    only: tuple[str, ...]
    target: Target
    profile: bool = False
    choices: Choices = field(default_factory=Choices)

    @property
    def module(self) -> Module:
        return made_of(self.given)

    def programs(self) -> dict[str, Program]:
        """The scheduled loop programs of the entries."""
        from codegen import pipeline

        module = self.module
        chosen = (entry for entry in module.entries if entry.name in self.only)
        return {entry.name: pipeline.compile_entry(entry, module) for entry in chosen}

    def text(self, programs: Mapping[str, Program]) -> LibraryText:
        """The library of these programs before it becomes machine code."""
        from codegen.llvm.module import LibraryText

        return LibraryText(programs, self.target, self.profile, choices=self.choices)

    def key(self) -> str:
        """Under which the cache keeps the library."""
        decided = (self.choices.data(),) if self.choices else ()
        return fingerprint(self.given, self.only, self.target, self.profile, *decided, toolchain.version())

    def compiled(self, dump: str = "") -> tuple[dict[str, Any], bytes]:
        """The metadata and the machine code: the linked image that it tells about as "image", or object files one after
        the other, whose sizes it tells as "objects". Texts go to `dump`."""
        from codegen.link import linked
        from codegen.llvm import jit
        from codegen.metadata import metadata

        programs = self.programs()
        library = self.text(programs)
        objects = jit.compile_units(library, self.target)
        about = metadata(self.module, programs)
        names = {buffer["buffer"]: buffer["name"] for buffer in about["buffers"]}
        about["table"] = library.table.names(names)
        for name, sharing in library.sharing.items():
            about["entries"][name] |= {
                "parallel": sharing.pays,
                "parallel_repeated": sharing.repeated,
                "outputs_apart": sharing.outputs_apart,
            }
            for kernel in about["entries"][name]["kernels"]:
                kernel["shared"] = sharing.pays and kernel["name"] in sharing.shared
        about["target"] = {"name": self.target.name, "triple": self.target.triple, "cpu": self.target.cpu}
        if dump:
            stem = Path(dump) / f"{self.module.name}.{'-'.join(self.only)}"
            stem.with_name(f"{stem.name}.ll").write_text(library.text, encoding="utf-8")
            stem.with_name(f"{stem.name}.s").write_text(jit.assembly(library.text, self.target), encoding="utf-8")
        images = objects()
        if (found := linked(images)) is not None:
            return {**about, "image": found[0]}, found[1]
        return {**about, "objects": list(map(len, images))}, b"".join(images)

    def image(self) -> tuple[dict[str, Any], bytes]:
        """What `compiled` gives, from the cache where it is there."""
        dump, check = settings.dump_folder(), settings.check_level()
        key = self.key()
        found = None if dump or check else cache.read(key)  # those want every stage to happen
        if found is None and apart.fill(lambda: cache.write(key, *self.compiled())):
            found = cache.read(key)
        if found is None:
            found = self.compiled(dump)
            cache.write(key, *found)
        return found


class Library:
    """Entries as native functions.

    metadata   plain JSON data; see `metadata`
    functions  name -> address: the entries (sn_ENTRY) and the runtime (`codegen.llvm.runtime_ir`)
    """

    def __init__(self, request: Request) -> None:
        """Compile, or take what the cache holds for the same request."""
        self._request = request
        self.metadata, image = request.image()
        symbols = [entry["symbol"] for entry in self.metadata["entries"].values()]
        self._code = _loaded(self.metadata, image, [*symbols, *self._counters(), *EXPORTS])
        self.functions: Mapping[str, int] = self._code.addresses

    def _counters(self) -> list[str]:
        """The symbols of the kernels' counters, where there are any."""
        if not self._request.profile:
            return []
        from codegen.llvm.driver import profile_name

        return [profile_name(entry) for entry in self.metadata["entries"]]

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
        from codegen.loops.text import show

        if kind not in SOURCES:
            raise UsageError(f"source: there is no text {kind!r}{nearest(kind, SOURCES)}")
        programs = self._request.programs()
        if kind == "loops":
            return "\n".join(show(program) for program in programs.values())
        text = self._request.text(programs).text
        return text if kind == "llvm" else jit.assembly(text, self._request.target)


def _loaded(about: Mapping[str, Any], content: bytes, names: Sequence[str]) -> Image | Loaded:
    """The machine code in this process; LLVM is needed only for objects that `codegen.link` does not know."""
    if "image" in about:
        from symnet.runtime.image import Image

        return Image(about["image"], content, names)
    from codegen.llvm.jit import Loaded

    first, *others = (content[begin:end] for begin, end in pairwise([0, *accumulate(about["objects"])]))
    return Loaded(first, names, others)
