"""The whole text of a library: every kernel once, the math functions they call, the entries, the runtime."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from codegen.llvm import math
from codegen.llvm.driver import Slots, emit_constants, emit_entry, slots
from codegen.llvm.kernel import KernelText
from codegen.llvm.nest import emit_nest
from codegen.llvm.runtime_ir import runtime_text
from codegen.llvm.sharing import Sharing, plan
from codegen.loops.grammar import Kernel, Program, kernels
from codegen.target import Target


@dataclass(frozen=True)
class LibraryText:
    """A library before it becomes machine code.

    text     the LLVM module               table    the slots of the table its entries take
    sharing  entry -> which of its kernels run on several threads, and whether that pays
    """

    text: str
    table: Slots
    sharing: Mapping[str, Sharing]


def library_text(programs: Mapping[str, Program], target: Target, profile: bool = False) -> LibraryText:
    """LLVM text for these entries, which share one table of inputs and sizes."""
    table = slots(programs.values())
    kernel_texts: dict[str, str] = {}  # text without the kernel's name -> the name under which it stands
    bodies: list[str] = []
    helpers: set[tuple[str, str, int]] = set()
    entries: list[str] = []
    sharing: dict[str, Sharing] = {}
    for program in programs.values():
        texts: dict[str, KernelText] = {}
        symbols: dict[str, str] = {}
        for kernel in kernels(program.items):
            text = texts[kernel.name] = _kernel_text(kernel, program, target)
            helpers |= text.helpers
            anonymous = re.sub(rf"@{re.escape(text.name)}(?=[.(])", "@kernel", text.text)
            if anonymous not in kernel_texts:
                kernel_texts[anonymous] = f"{program.name}.{kernel.name}"
                bodies.append(anonymous.replace("@kernel", f"@{program.name}.{kernel.name}"))
            symbols[kernel.name] = kernel_texts[anonymous]
        sharing[program.name] = plan(program)
        entries.append(emit_constants(program))
        entries.append(emit_entry(program, texts, symbols, table, sharing[program.name], profile))
    parts = [math.definitions(helpers, target.fma), *bodies, *entries, runtime_text(target.triple)]
    return LibraryText("\n".join(parts), table, sharing)


def _kernel_text(kernel: Kernel, program: Program, target: Target) -> KernelText:
    if kernel.schedule.form == "contract":
        from codegen.llvm.contract import emit_contract

        return emit_contract(kernel, program, target)
    return emit_nest(kernel, program, target)
