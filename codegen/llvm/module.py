"""A library as LLVM text: every kernel once, the math functions they call, the entries, the runtime.

It can be had whole, for people, or in modules that are compiled apart, each by whoever has time for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from codegen.choices import Choices
from codegen.llvm import math
from codegen.llvm.driver import emit_constants, emit_entry, slots
from codegen.llvm.kernel import Call, KernelText
from codegen.llvm.nest import emit_nest
from codegen.llvm.runtime_ir import BARRIER, runtime_text
from codegen.llvm.sharing import Sharing, plan
from codegen.llvm.twins import Shape, shape_of
from codegen.loops.grammar import Kernel, Program, kernels
from codegen.target import Target

TOGETHER, GROUPS = 4, 16
"""Kernels of a module, at most, and modules of a library, at least, if it has as many kernels: fewer modules leave a
process without work at the end, more cost more."""
CALLS, USUAL = 0, 2
"""Levels of LLVM's code generator: of a list of calls, and of all else."""


@dataclass(frozen=True)
class Unit:
    """A module by itself, and the level at which it is compiled."""

    text: str
    level: int = USUAL


class LibraryText:
    """A library before it becomes machine code; nothing is printed before it is asked for.

    table    the slots of the table the entries take
    symbols  entry -> its kernels in order -> the function that does their work
    """

    def __init__(
        self,
        programs: Mapping[str, Program],
        target: Target,
        profile: bool = False,
        marked: bool = False,
        choices: Choices | None = None,
        meets: bool = False,
    ) -> None:
        """LLVM text for these entries, which share one table of inputs and sizes.

        `choices` takes the place of what models decide. For `profile` and `meets` see `emit_entry`; `marked` puts the
        number of a kernel behind the lines of its entry that call it (`codegen.llvm.builder.Mark`).
        """
        self.programs, self.target, self.choices = dict(programs), target, choices or Choices()
        self._profile, self._marked, self._meets = profile, marked, meets
        self.table = slots(programs.values())
        self._kernels: dict[str, tuple[Kernel, Program]] = {}
        known: dict[Hashable, tuple[str, Shape]] = {}
        self._calls = {
            name: {kernel.name: self._call(kernel, program, known) for kernel in kernels(program.items)}
            for name, program in programs.items()
        }
        self.symbols: Mapping[str, Mapping[str, str]] = {
            entry: {name: call.name for name, call in calls.items()} for entry, calls in self._calls.items()
        }

    def _call(self, kernel: Kernel, program: Program, known: dict[Hashable, tuple[str, Shape]]) -> Call:
        """How to call the kernel: its function may be that of another one, which does the same."""
        shape = shape_of(kernel, program)
        if shape.key not in known:
            symbol = f"{program.name}.{kernel.name}"
            known[shape.key] = symbol, shape
            self._kernels[symbol] = kernel, program
        return shape.call(*known[shape.key])

    @cached_property
    def sharing(self) -> Mapping[str, Sharing]:
        """Entry -> which of its kernels run on several threads, and whether that pays."""
        return {name: plan(program, self.choices) for name, program in self.programs.items()}

    @property
    def text(self) -> str:
        """The library as one LLVM module."""
        printed = [self._printed(symbol) for symbol in self._kernels]
        return "\n".join([self._helpers(printed), *map(self._whole, printed), self._entries(), self._runtime()])

    @property
    def units(self) -> int:
        """How many modules it consists of, if it is compiled in parts: the entries, the runtime, groups of kernels."""
        return 2 + -(-len(self._kernels) // self._together)

    @property
    def _together(self) -> int:
        return max(1, min(TOGETHER, len(self._kernels) // GROUPS))

    def unit(self, number: int) -> Unit:
        """One of them."""
        if number == 0:
            calls = {call.name: call.declared for calls in self._calls.values() for call in calls.values()}
            return Unit("\n".join([BARRIER, *calls.values(), self._entries()]), CALLS)
        if number == 1:
            return Unit(self._runtime())
        symbols = list(self._kernels)[(number - 2) * self._together :][: self._together]
        printed = [self._printed(symbol) for symbol in symbols]
        return Unit("\n".join([self._helpers(printed), *map(self._whole, printed)]))

    def _entries(self) -> str:
        texts = []
        for name, program in self.programs.items():
            texts.append(emit_constants(program))
            calls, sharing = self._calls[name], self.sharing[name]
            texts.append(emit_entry(program, calls, self.table, sharing, self._profile, self._marked, self._meets))
        return "\n".join(texts)

    def _runtime(self) -> str:
        return runtime_text(self.target.triple)

    def _helpers(self, printed: list[KernelText]) -> str:
        needed = {helper for text in printed for helper in text.helpers}
        return math.definitions(needed, self.target.fma)

    def _whole(self, text: KernelText) -> str:
        """A kernel with the function that entries call."""
        return text.text + Call(text.name, text.buffers, text.dims, text.has_checks).text()

    def _printed(self, symbol: str) -> KernelText:
        kernel, program = self._kernels[symbol]
        named = replace(kernel, name=symbol)
        if kernel.schedule.form == "contract":
            from codegen.llvm.contract import emit_contract

            return emit_contract(named, program, self.target, self.choices.of(kernel, program).plan)
        return emit_nest(named, program, self.target)
