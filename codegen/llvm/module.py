"""The whole text of a library: every kernel once, the math functions they call, the entries, the runtime."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from codegen.choices import Choices
from codegen.llvm import math
from codegen.llvm.driver import Slots, emit_constants, emit_entry, slots
from codegen.llvm.kernel import KernelText
from codegen.llvm.nest import emit_nest
from codegen.llvm.runtime_ir import runtime_text
from codegen.llvm.sharing import Sharing, plan
from codegen.llvm.twins import Shape, shape_of
from codegen.loops.grammar import Kernel, Program, kernels
from codegen.target import Target


@dataclass(frozen=True)
class LibraryText:
    """A library before it becomes machine code.

    helpers  the mathematical functions    bodies   function -> the text of a kernel, which has it and others
    driver   entries and the runtime       table    the slots of the table the entries take
    sharing  entry -> which of its kernels run on several threads, and whether that pays
    symbols  entry -> its kernels in order -> the function that does their work
    """

    helpers: str
    bodies: Mapping[str, str]
    driver: str
    table: Slots
    sharing: Mapping[str, Sharing]
    symbols: Mapping[str, Mapping[str, str]]

    @property
    def text(self) -> str:
        """The LLVM module."""
        return "\n".join([self.helpers, *self.bodies.values(), self.driver])

    def pieces(self, count: int) -> list[str]:
        """The same as so many modules that take about equally long to compile; the first has the entries."""
        groups: list[dict[str, str]] = [{} for _ in range(count)]
        loads = [len(self.driver), *[0] * (count - 1)]
        for name, body in sorted(self.bodies.items(), key=lambda item: -len(item[1])):
            least = loads.index(min(loads))
            groups[least][name] = body
            loads[least] += len(body)
        shared = [_shared(name, body) for group in groups[1:] for name, body in group.items()]
        declared = [line for _, declarations in shared for line in declarations]
        texts = iter(text for text, _ in shared)
        others = ["\n".join([self.helpers, *(next(texts) for _ in group)]) for group in groups[1:]]
        return ["\n".join([self.helpers, *declared, *groups[0].values(), self.driver]), *others]


def library_text(
    programs: Mapping[str, Program],
    target: Target,
    profile: bool = False,
    marked: bool = False,
    choices: Choices | None = None,
    meets: bool = False,
) -> LibraryText:
    """LLVM text for these entries, which share one table of inputs and sizes.

    `choices` takes the place of what models decide. For `profile` and `meets` see `emit_entry`; `marked` puts the
    number of a kernel behind the lines of its entry that call it (`codegen.llvm.builder.Mark`).
    """
    table = slots(programs.values())
    choices = choices or Choices()
    kernel_texts = _Kernels(target, choices)
    entries: list[str] = []
    sharing: dict[str, Sharing] = {}
    symbols: dict[str, dict[str, str]] = {}
    for program in programs.values():
        texts = {kernel.name: kernel_texts.add(kernel, program) for kernel in kernels(program.items)}
        sharing[program.name] = plan(program, choices)
        symbols[program.name] = {name: text.name for name, text in texts.items()}
        entries.append(emit_constants(program))
        entries.append(emit_entry(program, texts, table, sharing[program.name], profile, marked, meets))
    helpers = math.definitions(kernel_texts.helpers, target.fma)
    driver = "\n".join([*entries, runtime_text(target.triple)])
    return LibraryText(helpers, kernel_texts.bodies, driver, table, sharing, symbols)


def _shared(name: str, body: str) -> tuple[str, list[str]]:
    """The text of a kernel that is called from another module, and what declares its functions there."""
    called = re.compile(rf"^define internal (\w+ @{re.escape(name)}(?:\.parts)?\(.*\)) nounwind {{$", re.MULTILINE)
    declared = [f"declare hidden {found} nounwind" for found in called.findall(body)]
    return called.sub(r"define hidden \1 nounwind {", body), declared


class _Kernels:
    """The functions of all kernels, those that do the same printed once."""

    def __init__(self, target: Target, choices: Choices) -> None:
        self.target, self.choices = target, choices
        self.bodies: dict[str, str] = {}
        self.helpers: set[tuple[str, str, int]] = set()
        self._known: dict[Hashable, tuple[Shape, KernelText]] = {}

    def add(self, kernel: Kernel, program: Program) -> KernelText:
        """How to call the kernel: its name is that of the function, which another kernel may have given."""
        shape = shape_of(kernel, program)
        if shape.key in self._known:
            first, text = self._known[shape.key]
            return shape.instance(text, first, text.name)
        text = self._text(kernel, program)
        symbol = f"{program.name}.{kernel.name}"
        body = re.sub(rf"@{re.escape(kernel.name)}(?=[.(])", f"@{symbol}", text.text)
        self.bodies[symbol] = body
        self.helpers |= text.helpers
        text = replace(text, name=symbol, text=body)
        self._known[shape.key] = shape, text
        return text

    def _text(self, kernel: Kernel, program: Program) -> KernelText:
        if kernel.schedule.form == "contract":
            from codegen.llvm.contract import emit_contract

            return emit_contract(kernel, program, self.target, self.choices.of(kernel, program).plan)
        return emit_nest(kernel, program, self.target)
