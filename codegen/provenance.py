"""From the nodes of a graph to assembly and back: the code of an entry as listings whose lines know their origin.

    node ─► line of the loop program ─► line of the LLVM text ─► line of the assembly

The first link is the `origin` that lowering puts on every scalar and statement and the passes hand on. For the second,
the statements of every kernel are numbered, and the numbers come back as marks behind the instructions. The third is
LLVM's own: line numbers for debuggers (`codegen.llvm.debug`). The code is that of the ordinary compilation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from codegen import pipeline
from codegen.costs import Costs, costs
from codegen.llvm import jit
from codegen.llvm.builder import Mark
from codegen.llvm.debug import AssemblyLines, FunctionLines, assembly_functions, calls, functions, with_locations
from codegen.llvm.module import LibraryText
from codegen.loops.grammar import (
    Buffer,
    Item,
    Kernel,
    Loop,
    Program,
    Reduce,
    Stmt,
    kernels,
    stores,
)
from codegen.loops.text import item_head, kernel_head, lines_of
from codegen.passes.core import map_kernels, storage
from codegen.passes.memory import arena_bytes, lifetimes, size
from codegen.spec import Entry, Module
from codegen.target import Target
from symnet.expr.node import Expr

COMPANIONS = ("share", "parts", "tile", "row")
"""What follows the name of a kernel's function in the names of those that only it calls."""

Nodes = tuple[Expr, ...]


@dataclass(frozen=True)
class LoopLine:
    """A line of the loop program, the number of its kernel (None outside), the nodes that it computes a part of."""

    text: str
    kernel: int | None
    nodes: Nodes


@dataclass(frozen=True)
class KernelLines:
    """A kernel in the listings.

    lines      its first and last line in the loop program, from 1
    functions  the functions of the LLVM text that do its work; those of kernels that do the same are the same
    shared     whether several threads share it
    """

    name: str
    note: str
    lines: tuple[int, int]
    functions: tuple[str, ...]
    shared: bool
    costs: Costs


@dataclass(frozen=True)
class Rectangle:
    """A buffer in the arena, alive from the first to the last kernel (by number); `nodes` are stored in it."""

    buffer: Buffer
    nodes: Nodes
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Listings:
    """The code of one entry.

    loops      the loop program line by line
    functions  of the LLVM text, those of the runtime apart; the marks of a kernel's function are lines of the kernel,
               counted from its head (0), those of the entry the numbers of the kernels it calls
    assembly   of the same functions, where they have code of their own
    arena      bytes
    """

    entry: str
    kernels: tuple[KernelLines, ...]
    loops: tuple[LoopLine, ...]
    functions: tuple[FunctionLines, ...]
    assembly: tuple[AssemblyLines, ...]
    memory: tuple[Rectangle, ...]
    arena: int
    dims: Mapping[str, int]
    target: Target


def listings(entry: Entry, module: Module, target: Target) -> Listings:
    """The listings of an entry of a module."""
    program = pipeline.compile_entry(entry, module)
    loops = _LoopText(program)
    marked = replace(program, items=map_kernels(program.items, numbered))
    library = LibraryText({program.name: marked}, target, marked=True)
    found = {function.name: function for function in functions(library.text)}
    symbols = library.symbols[program.name]
    own = {symbol: _functions_of(symbol, found) for symbol in dict.fromkeys(symbols.values())}
    shown = {f"sn_{program.name}", *(name for names in own.values() for name in names)}
    assembly = assembly_functions(jit.assembly(with_locations(library.text), target))
    known, sharing = costs(program), library.sharing[program.name]
    return Listings(
        entry=program.name,
        kernels=tuple(
            KernelLines(
                kernel.name,
                kernel.note,
                loops.places[number],
                own[symbols[kernel.name]],
                sharing.pays and kernel.name in sharing.shared,
                known[kernel.name],
            )
            for number, kernel in enumerate(kernels(program.items))
        ),
        loops=tuple(loops.lines),
        functions=tuple(function for name, function in found.items() if name in shown),
        assembly=tuple(function for function in assembly if function.name in shown),
        memory=tuple(_rectangles(program)),
        arena=arena_bytes(program),
        dims=dict(program.dims),
        target=target,
    )


def _functions_of(symbol: str, found: Mapping[str, FunctionLines]) -> tuple[str, ...]:
    """The function of a kernel, its companions (`.parts`, `.tile`), and the math functions that these need."""
    own = dict.fromkeys(name for name in (symbol, *(f"{symbol}.{part}" for part in COMPANIONS)) if name in found)
    pending = list(own)
    while pending:
        needed = [name for name in calls(found[pending.pop()], "sn.") if name not in own]
        own.update(dict.fromkeys(needed))
        pending += needed
    return tuple(own)


# --- loops --------------------------------------------------------------------------------------------------------


class _LoopText:
    """The lines of a program, and for each kernel its first and last line."""

    def __init__(self, program: Program) -> None:
        self.lines: list[LoopLine] = []
        self.places: list[tuple[int, int]] = []
        for item in program.items:
            if self.lines:
                self.lines.append(LoopLine("", None, ()))
            self._item(item, "")

    def _item(self, item: Item, indent: str) -> None:
        if not isinstance(item, Kernel):
            self.lines.append(LoopLine(indent + item_head(item), None, ()))
            for inner in item.items:
                self._item(inner, f"{indent}  ")
            return
        number, first = len(self.places), len(self.lines) + 1
        self.lines.append(LoopLine(indent + kernel_head(item), number, nodes_of(item)))
        for line in lines_of(item.body, f"{indent}  "):
            self.lines.append(LoopLine(line.text, number, line.origins))
        self.places.append((first, len(self.lines)))


def nodes_of(kernel: Kernel) -> Nodes:
    """The nodes that a kernel computes, or computes a part of."""
    return tuple(dict.fromkeys(node for line in lines_of(kernel.body) for node in line.origins))


def numbered(kernel: Kernel) -> Kernel:
    """The kernel with marks as the origins of its statements: the number of their first line after the head."""
    return replace(kernel, body=_numbered(kernel.body, 1)[0])


def _numbered(body: tuple[Stmt, ...], line: int) -> tuple[tuple[Stmt, ...], int]:
    """A block that begins at a line, and the line after it."""
    result: list[Stmt] = []
    for stmt in body:
        mark, line = Mark(line), line + 1
        if isinstance(stmt, Loop):
            inner, line = _numbered(stmt.body, line)
            stmt = replace(stmt, body=inner)
        elif isinstance(stmt, Reduce) and (stmt.body or stmt.each):
            inner, line = _numbered(stmt.body, line)
            each, line = _numbered(stmt.each, line + (2 if stmt.each else 1))
            stmt = replace(stmt, body=inner, each=each)
        result.append(replace(stmt, origin=mark))
    return tuple(result), line


# --- memory -------------------------------------------------------------------------------------------------------


def _rectangles(program: Program) -> Iterator[Rectangle]:
    """The plan of the arena over time; what runs in a loop over kernels is alive for all of the loop."""
    numbers: list[tuple[int, int]] = []
    count = 0
    for item in program.items:
        inside = 1 if isinstance(item, Kernel) else sum(1 for _ in kernels((item,)))
        numbers.append((count, count + inside - 1))
        count += inside
    alive, stored = lifetimes(program), dict[str, dict[Expr, None]]()
    for kernel in kernels(program.items):
        for store in stores(kernel.body):
            stored.setdefault(storage(program, store.buffer), {})[store.origin] = None
    for buffer in program.buffers.values():
        if buffer.offset is not None:
            first, last = alive.get(buffer.name, (0, len(numbers) - 1))
            nodes = tuple(stored.get(buffer.name, ()))
            yield Rectangle(buffer, nodes, size(program, buffer), numbers[first][0], numbers[last][1])
