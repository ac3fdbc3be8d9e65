"""A compiled module: metadata, machine code in this process, and the text of every stage on request."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codegen import cache, pipeline
from codegen.costs import Costs, costs
from codegen.fingerprint import fingerprint
from codegen.loops.grammar import PERSISTENT, Buffer, Program, kernels
from codegen.lower import bind
from codegen.spec import Module
from codegen.target import Target
from symnet.errors import UsageError, nearest
from symnet.expr import dims as dimension
from symnet.expr.dtypes import BYTES
from symnet.expr.node import Expr

FORMAT = 1
SOURCES = ("loops", "llvm", "asm")


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be compiled: the entries `only` of a module (their layout is that of the whole module)."""

    module: Module
    only: tuple[str, ...]
    target: Target
    profile: bool = False

    def programs(self) -> dict[str, Program]:
        """The scheduled loop programs of the entries."""
        chosen = (entry for entry in self.module.entries if entry.name in self.only)
        return {entry.name: pipeline.compile_entry(entry, self.module) for entry in chosen}


class Library:
    """Entries as native functions.

    metadata   plain JSON data; see `metadata`
    functions  name -> address: the entries (sn_ENTRY) and the runtime (`codegen.llvm.runtime_ir`)
    """

    def __init__(self, request: Request) -> None:
        """Compile, or take what the cache holds for the same request."""
        from codegen.llvm import jit
        from codegen.llvm.driver import profile_name
        from codegen.llvm.runtime_ir import EXPORTS

        self._request = request
        key = fingerprint(request.module, request.only, request.target, request.profile, jit.VERSION, FORMAT)
        options = pipeline.Options()
        found = None if options.dump or options.check else cache.read(key)  # those want every stage to happen
        if found is None:
            found = self._compile(options.dump)
            cache.write(key, *found)
        self.metadata, image = found
        symbols = [entry["symbol"] for entry in self.metadata["entries"].values()]
        counters = [profile_name(entry) for entry in self.metadata["entries"]] if request.profile else []
        self._code = jit.Loaded(image, [*symbols, *counters, *EXPORTS])
        self.functions: Mapping[str, int] = self._code.addresses

    def _compile(self, dump: str) -> tuple[dict[str, Any], bytes]:
        from codegen.llvm import jit
        from codegen.llvm.module import library_text

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


def metadata(module: Module, programs: Mapping[str, Program]) -> dict[str, Any]:
    """What a caller must know of compiled entries, as plain JSON data.

    format   number of this format                       arena  bytes of the arena, at the capacities
    dims     named dimension -> capacity                 hyper  names of the hyperparameters (float64 scalars)
    buffers  [{name, buffer, dtype, shape, role, offset, init}]: inputs, and what a caller reads or writes in the
             arena; `name` is the user's (an output's: that of its buffer), `buffer` the loop program's
    entries  name -> {inputs, outputs (name -> buffer), checks (messages), symbol, parallel, kernels}; `parallel` says
             whether more than one thread pays; kernels: [{name, note, shared, runs, flops, products, functions,
             bytes, dtype}] in the order in which they run: `shared` says whether several threads run it, the others
             are its `codegen.costs.Costs`
    """
    binding = bind(module)
    leaves = {buffer.name: node for node, buffer in binding.leaves.items()}
    buffers: dict[str, Buffer] = {}
    arena = 0
    entries: dict[str, Any] = {}
    for name, program in programs.items():
        for buffer in program.buffers.values():
            if buffer.role in (*PERSISTENT, "hyper", "input", "output") and buffer.view_of is None:
                buffers[buffer.name] = buffer
            if buffer.offset is not None:
                arena = max(arena, buffer.offset + _bytes(buffer, program.dims))
        outputs = next(entry.outputs for entry in module.entries if entry.name == name)
        entries[name] = {
            "inputs": [_name(b, leaves) for b in program.buffers.values() if b.role == "input" and b.view_of is None],
            "outputs": {output: binding.outputs[name, output] for output in outputs},
            "checks": list(program.checks),
            "symbol": f"sn_{name}",
            "parallel": False,
            "kernels": _kernels(program),
        }
    return {
        "format": FORMAT,
        "module": module.name,
        "arena": arena,
        "dims": dict(module.capacity),
        "hyper": [_name(buffer, leaves) for buffer in buffers.values() if buffer.role == "hyper"],
        "buffers": [_about(buffer, leaves) for buffer in buffers.values()],
        "entries": entries,
    }


def _name(buffer: Buffer, leaves: Mapping[str, Expr]) -> str:
    """What the user calls it."""
    leaf = leaves.get(buffer.name)
    return buffer.name if leaf is None or leaf.name is None else leaf.name


def _about(buffer: Buffer, leaves: Mapping[str, Expr]) -> dict[str, Any]:
    init = leaves[buffer.name].attrs.get("init") if buffer.name in leaves else None
    return {
        "name": _name(buffer, leaves),
        "buffer": buffer.name,
        "dtype": buffer.dtype,
        "shape": list(buffer.shape),
        "role": buffer.role,
        "offset": buffer.offset,
        "init": init if isinstance(init, str) else None,
    }


def _kernels(program: Program) -> list[dict[str, Any]]:
    known: Mapping[str, Costs] = costs(program)
    return [
        {"name": kernel.name, "note": kernel.note, "shared": False, **asdict(known[kernel.name])}
        for kernel in kernels(program.items)
    ]


def _bytes(buffer: Buffer, sizes: Mapping[str, int]) -> int:
    total = BYTES[buffer.dtype]
    for size in dimension.evaluate_shape(buffer.shape, sizes):
        total *= size
    return total
