"""Line numbers through LLVM: which line of the text an instruction of the machine code comes from.

Every instruction of the text gets a location, its own line, and LLVM carries it to the assembly as `.loc` directives.
Locations change nothing else: the code is that of the plain text, which a test holds. Functions that are always inlined
get none, so that what they become belongs to the line that calls them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.llvm.builder import MARK
from symnet.errors import CompilerBug

_FUNCTION = re.compile(r'define\b[^@]*@(?:"([^"]+)"|([\w.$-]+))\(')
_LOCATION = re.compile(r"\s+\.loc\s+\d+\s+(\d+)")
_LABEL = re.compile(r'(?:"([^"]+)"|([\w.$-]+)):')
_FUNCTION_TYPE = re.compile(r'\s+\.type\s+(?:"([^"]+)"|([\w.$-]+)),@function')
_NOT_CODE = re.compile(r"\s+\.(?!p2align)")
"""Directives; alignment apart, which stands inside the code."""
_HEAD = (
    "!llvm.dbg.cu = !{!1}",
    "!llvm.module.flags = !{!3}",
    '!0 = !DIFile(filename: "program.ll", directory: "")',
    "!1 = distinct !DICompileUnit(language: DW_LANG_C, file: !0, emissionKind: LineTablesOnly)",
    "!2 = !DISubroutineType(types: !{})",
    '!3 = !{i32 2, !"Debug Info Version", i32 3}',
)


@dataclass(frozen=True)
class FunctionLines:
    """A function of an LLVM text, its comments apart: `lines` from the `define` to the closing brace.

    first  the number of the `define` among the lines of the text, from 1
    marks  for each line the number of its `Mark`, None where it has none
    """

    name: str
    first: int
    lines: tuple[str, ...]
    marks: tuple[int | None, ...]

    @property
    def inlined(self) -> bool:
        return "alwaysinline" in self.lines[0]


@dataclass(frozen=True)
class AssemblyLines:
    """A function of an assembly text, directives apart; for each line the line of the LLVM text it comes from, or 0."""

    name: str
    lines: tuple[str, ...]
    origins: tuple[int, ...]


def functions(text: str) -> list[FunctionLines]:
    """The functions of an LLVM text in order."""
    found: list[FunctionLines] = []
    lines: list[str] = []
    marks: list[int | None] = []
    name = ""
    for number, line in enumerate(text.split("\n"), 1):
        if (head := _FUNCTION.match(line)) is not None:
            name, first, lines, marks = head[1] or head[2], number, [], []
        if name:
            plain, _, mark = line.partition(MARK)
            lines.append(plain)
            marks.append(int(mark) if mark else None)
            if line == "}":
                found.append(FunctionLines(name, first, tuple(lines), tuple(marks)))
                name = ""
    return found


def with_locations(text: str) -> str:
    """The text with a location at every instruction of every function that is not always inlined."""
    lines = [line.partition(MARK)[0] for line in text.split("\n")]
    notes, count = list(_HEAD), 4
    for function in functions(text):
        if function.inlined:
            continue
        scope, first = count, function.first - 1
        notes.append(
            f'!{scope} = distinct !DISubprogram(name: "{function.name}", scope: !0, file: !0, line: {first + 1}, '
            "type: !2, spFlags: DISPFlagDefinition, unit: !1)"
        )
        lines[first] = f"{lines[first].removesuffix(' {')} !dbg !{scope} {{"
        count += 1
        for number in range(first + 1, first + len(function.lines) - 1):
            if lines[number].startswith("  "):
                lines[number] += f", !dbg !{count}"
                notes.append(f"!{count} = !DILocation(line: {number + 1}, scope: !{scope})")
                count += 1
    return "\n".join([*lines, *notes, ""])


def assembly_functions(assembly: str) -> list[AssemblyLines]:
    """The functions of the assembly of a text with locations: instructions, labels and alignment."""
    found: list[AssemblyLines] = []
    lines: list[str] = []
    origins: list[int] = []
    name, place = "", 0
    for line in assembly.split("\n"):
        if (start := _FUNCTION_TYPE.match(line)) is not None:
            name, place, lines, origins = start[1] or start[2], 0, [], []
        elif name and line.startswith(".Lfunc_end"):
            found.append(AssemblyLines(name, tuple(lines), tuple(origins)))
            name = ""
        elif name and (location := _LOCATION.match(line)) is not None:
            place = int(location[1])
        elif name and (text := _code(line)):
            lines.append(text)
            origins.append(0 if _LABEL.match(text) else place)
    if name:
        raise CompilerBug(f"the assembly of {name} has no end")
    return found


def _code(line: str) -> str:
    """A line of assembly without its comment; empty if it is no code, or a label that only debuggers want."""
    text = line.partition("#")[0].rstrip()
    if _NOT_CODE.match(text) or text.startswith((".Ltmp", ".Lfunc_begin")):
        return ""
    return text.expandtabs(4) if text.strip() else ""


def calls(function: FunctionLines, prefix: str = "") -> Sequence[str]:
    """The functions that a function calls whose names begin with `prefix`, each once."""
    pattern = re.compile(rf"call [^@]*@({re.escape(prefix)}[\w.$-]*)\(")
    return tuple(dict.fromkeys(match[1] for line in function.lines for match in pattern.finditer(line)))
