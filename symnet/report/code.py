"""The code of a program for its report: kernels, listings with their links, costs, the plan of the memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from symnet.expr import dims
from symnet.report.model import Assembly, Buffer, Function, FunctionRole, Kernel, Loops, Memory
from symnet.report.provenance import Ownership

if TYPE_CHECKING:
    from codegen.llvm.debug import FunctionLines
    from codegen.provenance import Listings

PERSISTENT = ("parameter", "state")


class Code:
    """The listings of an entry as the report has them; `owners` tells which symbols a node belongs to."""

    def __init__(self, listings: Listings, owners: Ownership) -> None:
        self._listings, self._owners = listings, owners
        self._numbers = {function.name: number for number, function in enumerate(listings.functions)}
        self._symbols = [owners.of_line(line.nodes) for line in listings.loops]

    # --- kernels --------------------------------------------------------------------------------------------------

    def kernels(self, threads: int) -> list[Kernel]:
        """The kernels in the order in which they run; `threads` is how many share those that are shared."""
        sizes = self._listings.dims
        result = []
        for number, kernel in enumerate(self._listings.kernels):
            first, last = kernel.lines
            work, symbols = kernel.costs, sorted({s for line in self._symbols[first:last] for s in line})
            self._symbols[first - 1] = tuple(symbols)
            result.append(
                Kernel(
                    id=number,
                    name=kernel.name,
                    note=kernel.note,
                    symbols=symbols,
                    lines=(first, last),
                    functions=[self._numbers[name] for name in kernel.functions],
                    runs=dims.evaluate(work.runs, sizes),
                    flops=dims.evaluate(work.flops, sizes),
                    functions_flops=dims.evaluate(work.functions, sizes),
                    bytes=dims.evaluate(work.bytes, sizes),
                    products=dims.evaluate(work.products, sizes),
                    dtype=work.dtype,
                    threads=threads if kernel.shared else 1,
                )
            )
        return result

    # --- listings -------------------------------------------------------------------------------------------------

    def loops(self) -> Loops:
        lines = self._listings.loops
        return Loops(
            text="\n".join(line.text for line in lines),
            symbols=self._symbols,
            kernel=[-1 if line.kernel is None else line.kernel for line in lines],
        )

    def llvm(self) -> list[Function]:
        users: dict[str, list[int]] = {}
        for number, kernel in enumerate(self._listings.kernels):
            for name in kernel.functions:
                users.setdefault(name, []).append(number)
        return [
            Function(
                id=number,
                name=function.name,
                role=self._role(function),
                kernels=users.get(function.name, ()),
                first=function.first,
                text="\n".join(function.lines),
                lines=[-1 if mark is None else mark for mark in function.marks],
            )
            for number, function in enumerate(self._listings.functions)
        ]

    def _role(self, function: FunctionLines) -> FunctionRole:
        if function.name == f"sn_{self._listings.entry}":
            return "entry"
        if function.name.startswith("sn."):
            return "math"
        last = function.name.rpartition(".")[2]
        own = any(kernel.functions[0] == function.name for kernel in self._listings.kernels)
        return "kernel" if own else "parts" if last in ("parts", "share") else "tile"

    def asm(self) -> list[Assembly]:
        return [
            Assembly(number, function.name, self._numbers[function.name], "\n".join(function.lines), function.origins)
            for number, function in enumerate(self._listings.assembly)
        ]

    # --- memory ---------------------------------------------------------------------------------------------------

    def memory(self, leaves: Mapping[str, int]) -> Memory:
        """The plan of the arena; `leaves` tells which symbols the buffers of parameters, state and the like are."""
        buffers = [
            Buffer(
                name=one.buffer.name,
                role=one.buffer.role,
                symbols=sorted({*self._owners.of_line(one.nodes), *self._leaf(one.buffer.name, leaves)}),
                offset=one.buffer.offset or 0,
                bytes=one.bytes,
                first=one.first,
                last=one.last,
                dtype=one.buffer.dtype,
                shape=dims.show(one.buffer.shape),
            )
            for one in self._listings.memory
        ]
        persistent = max((b.offset + b.bytes for b in buffers if b.role in PERSISTENT), default=0)
        return Memory(self._listings.arena, persistent, buffers)

    @staticmethod
    def _leaf(buffer: str, leaves: Mapping[str, int]) -> tuple[int, ...]:
        return (leaves[buffer],) if buffer in leaves else ()
