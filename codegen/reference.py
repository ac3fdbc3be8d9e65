"""The `numpy` backend: the reference interpreter behind the interface of compiled code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codegen.loops.grammar import Program
from codegen.loops.interpret import run
from symnet.errors import UsageError
from symnet.runtime.arrays import Array
from symnet.runtime.code import Code
from symnet.runtime.memory import Memory


class InterpretedCode(Code):
    """Runs loop programs on the arena with NumPy: slow, and the meaning that native code is held to."""

    def __init__(self, metadata: Mapping[str, Any], programs: Mapping[str, Program]) -> None:
        super().__init__(metadata)
        self.programs = dict(programs)

    def call(
        self,
        entry: str,
        memory: Memory,
        inputs: Mapping[str, Array],
        sizes: Mapping[str, int],
        given: Mapping[str, Array] | None = None,
    ) -> int:
        program = self.programs[entry]
        given = given or self.given_memory(entry, sizes)
        arrays: dict[str, Array] = {}
        for name, about in self.buffers.items():
            if about["buffer"] not in program.buffers:
                continue
            if about["role"] == "input":
                arrays[about["buffer"]] = inputs[name]
            elif name in given:
                arrays[about["buffer"]] = given[name]
            else:
                arrays[about["buffer"]] = self.view(name, memory, sizes)
        return run(program, arrays, sizes)

    def source(self, kind: str) -> str:
        from codegen.loops.text import show

        if kind != "loops":
            raise UsageError(f"source: the numpy backend has no {kind!r} text, only 'loops'")
        return "\n".join(show(program) for program in self.programs.values())
