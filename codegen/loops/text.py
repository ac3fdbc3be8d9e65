"""Loop programs as text: `show` writes what `codegen.loops.parse` reads back to an equal program.

Scalars are written infix. Constants carry their type as in C: `0.5f` is float32, `0.5` float64, `3` int64, `3i` int32.
A gathered index stands in braces: `x[n, {y[n]}]`; a guarded load says what lies outside: `x[n, i - 1 else 0.0f]`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Branch,
    Check,
    Const,
    Index,
    Item,
    Kernel,
    Let,
    Load,
    Loop,
    Origin,
    Position,
    Program,
    Reduce,
    Ref,
    Scalar,
    Schedule,
    Sequence,
    Stmt,
    Store,
    scalars_of,
    subscalars,
)
from symnet.expr import dims
from symnet.expr.dtypes import SHORT

INFIX = {
    "equal": ("==", 1), "not_equal": ("!=", 1), "less": ("<", 1), "less_equal": ("<=", 1), "greater": (">", 1),
    "greater_equal": (">=", 1), "add": ("+", 2), "sub": ("-", 2), "mul": ("*", 3), "div": ("/", 3),
}  # fmt: skip
NEGATION, ATOM = 4, 5


NOTE = "  # "
"""Between a line and the origins of what it computes."""


def show(program: Program, origins: bool = False) -> str:
    """The text of a whole program, ending in a newline (array constants are named, not written out).

    With `origins`, each statement is followed by the nodes of the graph that it computes a part of, as a comment.
    """
    lines = [f"program {program.name}"]
    lines += [f"  dim {name} <= {size}" for name, size in program.dims.items()]
    for buffer in program.buffers.values():
        view = f" view {buffer.view_of}" if buffer.view_of else ""
        at = f" at {buffer.offset}" if buffer.offset is not None else ""
        shape = dims.show(buffer.shape)
        lines.append(f"  buffer {buffer.name}: {SHORT[buffer.dtype]}{shape} {buffer.role}{view}{at}")
    lines += [f"  check {code}: {message!r}" for code, message in enumerate(program.checks)]
    for item in program.items:
        lines += ["", *("  " + line for line in item_lines(item, origins))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def item_lines(item: Item, origins: bool = False) -> Iterator[str]:
    """The lines of a kernel, or of a loop over kernels."""
    if isinstance(item, Kernel):
        yield kernel_head(item)
        yield from _indent(map(_with_origins, lines_of(item.body)) if origins else block_lines(item.body))
        return
    yield item_head(item)
    for inner in item.items:
        yield from _indent(item_lines(inner, origins))


def kernel_head(kernel: Kernel) -> str:
    """The first line of a kernel."""
    note = f' "{kernel.note}"' if kernel.note else ""
    return f"kernel {kernel.name} ({axes(kernel.axes)}){note}{schedule(kernel.schedule)}:"


def item_head(item: Sequence | Branch) -> str:
    """The first line of a loop over kernels, or of kernels under a condition."""
    if isinstance(item, Branch):
        return f"if {'not ' if item.negated else ''}{item.condition}:"
    manner = " reversed" if item.reverse else " parallel" if item.parallel else ""
    return f"for {axes([item.axis])}{manner}:"


def schedule(chosen: Schedule) -> str:
    """` [contract rows=n cols=h …]`; empty for the default schedule."""
    words: list[str] = [chosen.form] if chosen.form != "nest" else []
    roles = {"batch": chosen.batch, "rows": chosen.rows, "cols": chosen.cols, "inner": chosen.inner}
    words += [f"{role}={','.join(names)}" for role, names in roles.items() if names]
    if chosen.tile:
        words.append(f"tile={chosen.tile[0]}x{chosen.tile[1]}")
    if chosen.parallel:
        words.append(f"parallel={chosen.parallel}")
    if chosen.band:
        words.append(f"band={chosen.band}")
    if chosen.vector:
        words.append(f"vector={chosen.vector}")
    return f" [{' '.join(words)}]" if words else ""


def block_lines(body: Iterable[Stmt]) -> Iterator[str]:
    """The lines of a block of statements."""
    return (line.text for line in lines_of(body))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a block: its text, the statement it belongs to, and the scalars that stand in it."""

    text: str
    stmt: Stmt
    scalars: tuple[Scalar, ...] = ()

    @property
    def origins(self) -> tuple[Origin, ...]:
        """What the line stems from, each once; the head of a loop from nothing by itself."""
        found = {} if isinstance(self.stmt, Loop) else {self.stmt.origin: None}
        for value in self.scalars:
            found.update((part.origin, None) for part in subscalars(value) if isinstance(part, (Apply, Load)))
        return tuple(origin for origin in found if origin is not None)


def _with_origins(line: Line) -> str:
    names = dict.fromkeys(str(getattr(one, "name", None) or getattr(one, "op", one)) for one in line.origins)
    return f"{line.text}{NOTE}{', '.join(names)}" if names else line.text


def lines_of(body: Iterable[Stmt], indent: str = "") -> Iterator[Line]:
    """The lines of a block of statements, with what each shows. The first line of a statement is its head."""
    inner = f"{indent}  "
    for stmt in body:
        if isinstance(stmt, Loop):
            yield Line(f"{indent}for {axes(stmt.axes)}:", stmt)
            yield from lines_of(stmt.body, inner)
        elif isinstance(stmt, Reduce) and (stmt.body or stmt.each):
            yield Line(f"{indent}{_reduce_head(stmt)}:", stmt)
            yield from lines_of(stmt.body, inner)
            yield Line(f"{inner}yield {scalar(stmt.value)}", stmt, (stmt.value,))
            if stmt.each:
                yield Line(f"{inner}each:", stmt)
                yield from lines_of(stmt.each, f"{inner}  ")
        else:
            yield Line(f"{indent}{_simple(stmt)}", stmt, tuple(scalars_of(stmt)))


def _simple(stmt: Let | Reduce | Store | Check) -> str:
    """A statement of one line."""
    if isinstance(stmt, Let):
        return f"{stmt.name} = {scalar(stmt.value)}"
    if isinstance(stmt, Store):
        return f"{stmt.buffer}[{indices(stmt.index)}] {'+=' if stmt.accumulate else '='} {scalar(stmt.value)}"
    if isinstance(stmt, Check):
        return f"check {scalar(stmt.condition)} else {stmt.code}"
    return f"{_reduce_head(stmt)} {scalar(stmt.value)}"


def _reduce_head(stmt: Reduce) -> str:
    return f"{stmt.name} = {stmt.reducer}({'reversed ' if stmt.reverse else ''}{axes(stmt.axes)})"


def _indent(lines: Iterable[str]) -> Iterator[str]:
    return ("  " + line for line in lines)


def axes(bound: Iterable[Axis]) -> str:
    return ", ".join(f"{axis.name}: {axis.extent}" for axis in bound)


def affine(form: Affine) -> str:
    """`2*i + j - 1`; the offset may be a dimension."""
    text = ""
    for name, coefficient in form.terms:
        sign = "-" if coefficient < 0 else "+"
        body = name if abs(coefficient) == 1 else f"{abs(coefficient)}*{name}"
        text += f" {sign} {body}" if text else (f"-{body}" if sign == "-" else body)
    if form.offset == 0 and text:
        return text
    offset = str(form.offset)
    if not text:
        return offset
    return f"{text} - {offset[1:]}" if offset.startswith("-") else f"{text} + {offset}"


def indices(index: Iterable[Index]) -> str:
    return ", ".join(affine(i) if isinstance(i, Affine) else f"{{{scalar(i)}}}" for i in index)


def constant(value: Const) -> str:
    if value.dtype == "bool":
        return "true" if value.value else "false"
    if value.dtype in ("int64", "int32"):
        return f"{value.value}{'i' if value.dtype == 'int32' else ''}"
    number = float(value.value)
    suffix = "f" if value.dtype == "float32" else ""
    if math.isnan(number):
        return f"nan{suffix}"
    return f"{number!r}{suffix}"


def scalar(value: Scalar, above: int = 0) -> str:
    """A scalar, in parentheses when its operator binds less than `above`."""
    if isinstance(value, Const):
        return constant(value)
    if isinstance(value, Ref):
        return value.name
    if isinstance(value, Position):
        return f"@({affine(value.affine)})"
    if isinstance(value, Load):
        fill = f" else {constant(value.fill)}" if value.fill else ""
        return f"{value.buffer}[{indices(value.index)}{fill}]"
    if value.fn in INFIX:
        sign, level = INFIX[value.fn]
        # comparisons do not chain; the right operand of equal level keeps its parentheses, so trees survive
        left, right = scalar(value.args[0], level + (level == 1)), scalar(value.args[1], level + 1)
        text = f"{left} {sign} {right}"
        return f"({text})" if level < above else text
    if value.fn == "neg" and not isinstance(value.args[0], Const):
        text = f"-{scalar(value.args[0], ATOM)}"
        return f"({text})" if above > NEGATION else text
    name = SHORT[value.dtype] if value.fn == "cast" else value.fn
    return f"{name}({', '.join(scalar(arg) for arg in value.args)})"
