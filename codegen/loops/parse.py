"""Reads the text that `codegen.loops.text` writes.

A line-based recursive reader: indentation gives the blocks, one tokenizer serves all lines. Errors show the line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from codegen.loops.grammar import (
    FUNCTIONS,
    REDUCERS,
    Affine,
    Apply,
    Axis,
    Branch,
    Buffer,
    Check,
    Const,
    Index,
    Item,
    Kernel,
    Let,
    Load,
    Loop,
    Position,
    Program,
    Reduce,
    Ref,
    Scalar,
    Schedule,
    Sequence,
    Stmt,
    Store,
)
from codegen.loops.rewrite import affine, result_dtype
from codegen.loops.text import INFIX, NEGATION, NOTE
from symnet.errors import UsageError
from symnet.expr import dims
from symnet.expr.dtypes import LONG

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+|\d+|inf|nan)[fi]?(?![A-Za-z0-9_.]))"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<sign><=|>=|==|!=|\+=|[-+*/<>=()\[\]{}:,@|]))"
)
_SIGNS = {sign: (fn, level) for fn, (sign, level) in INFIX.items()}


def parse(text: str, constants: Mapping[str, object] | None = None) -> Program:
    """The program with this text; `constants` supplies the arrays of constant buffers. `UsageError` names bad lines."""
    return _Reader(text).program(constants or {})


def _without_note(line: str) -> str:
    """A line without the origins behind it; in the message of a check, such a sign is a part of it."""
    return line if line.lstrip().startswith("check ") and line.endswith("'") else line.partition(NOTE)[0]


class _Reader:
    def __init__(self, text: str) -> None:
        rows = [(number, _without_note(line)) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        self.rows = [(number, len(line) - len(line.lstrip()), line.strip()) for number, line in rows]
        self.at = 0
        self.buffers: dict[str, Buffer] = {}
        self.dims: dict[str, int] = {}
        self.values: dict[str, str] = {}  # bound name -> dtype
        self.axes: set[str] = set()

    # --- lines ---------------------------------------------------------------------------------------------------

    def fail(self, message: str) -> UsageError:
        number, _, line = self.rows[min(self.at, len(self.rows) - 1)] if self.rows else (0, 0, "")
        return UsageError(f"loop program, line {number}: {message}\n  {line}")

    def peek(self, indent: int) -> str | None:
        """The next line if it belongs to a block at `indent`."""
        if self.at < len(self.rows) and self.rows[self.at][1] == indent:
            return self.rows[self.at][2]
        return None

    def block_indent(self, outer: int) -> int:
        """The indentation of the block under the line just read; `outer` when there is none."""
        if self.at < len(self.rows) and self.rows[self.at][1] > outer:
            return self.rows[self.at][1]
        return outer + 1

    def program(self, constants: Mapping[str, object]) -> Program:
        if not self.rows or not self.rows[0][2].startswith("program "):
            raise self.fail("expected 'program NAME'")
        name = self.rows[0][2].split(None, 1)[1]
        self.at, checks = 1, []
        indent = self.block_indent(0)
        while (line := self.peek(indent)) is not None:
            if match := re.fullmatch(r"dim (\w+) <= (\d+)", line):
                self.dims[match[1]] = int(match[2])
            elif line.startswith("buffer "):
                self.buffer(line)
            elif match := re.fullmatch(r"check \d+: (.*)", line):
                checks.append(ast.literal_eval(match[1]))
            else:
                break
            self.at += 1
        items = self.items(indent)
        if self.at < len(self.rows):
            raise self.fail("unexpected line or indentation")
        return Program(name, self.dims, self.buffers, items, tuple(checks), dict(constants))

    def buffer(self, line: str) -> None:
        match = re.fullmatch(
            r"buffer (?P<name>[\w.]+): (?P<dtype>\w+)\[(?P<shape>.*?)\] (?P<role>\w+)"
            r"(?: view (?P<view>[\w.]+))?(?: at (?P<at>\d+))?",
            line,
        )
        if not match or match["dtype"] not in LONG:
            raise self.fail("expected 'buffer NAME: DTYPE[SHAPE] ROLE [view NAME] [at OFFSET]'")
        shape = tuple(_dim(part) for part in match["shape"].split(",") if part.strip())
        at = int(match["at"]) if match["at"] else None
        role = match["role"]
        self.buffers[match["name"]] = Buffer(match["name"], LONG[match["dtype"]], shape, role, match["view"], at)  # type: ignore[arg-type]

    def items(self, indent: int) -> tuple[Item, ...]:
        result: list[Item] = []
        while (line := self.peek(indent)) is not None:
            if line.startswith("kernel "):
                result.append(self.kernel(line, indent))
            elif match := re.fullmatch(r"for (\w+): (.+?)(?: (reversed|parallel))?:", line):
                axis = Axis(match[1], _dim(match[2]))
                self.at += 1
                self.axes.add(axis.name)
                inner = self.items(self.block_indent(indent))
                result.append(Sequence(axis, inner, match[3] == "reversed", match[3] == "parallel"))
                self.axes.discard(axis.name)
            elif match := re.fullmatch(r"if (not )?([\w.]+):", line):
                self.at += 1
                result.append(Branch(match[2], self.items(self.block_indent(indent)), bool(match[1])))
            else:
                raise self.fail("expected a kernel, a loop over kernels or a branch")
        return tuple(result)

    def kernel(self, line: str, indent: int) -> Kernel:
        match = re.fullmatch(r'kernel ([\w.]+) \((.*?)\)(?: "([^"]*)")?(?: \[(.*)\])?:', line)
        if not match:
            raise self.fail("expected 'kernel NAME (AXES) [SCHEDULE]:'")
        axes = self.bind_axes(match[2])
        self.at += 1
        outer = dict(self.values)
        body = self.block(self.block_indent(indent))
        self.values = outer
        self.axes -= {axis.name for axis in axes}
        return Kernel(match[1], axes, body, _schedule(match[4] or ""), match[3] or "")

    def bind_axes(self, text: str) -> tuple[Axis, ...]:
        axes = []
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, colon, extent = part.partition(":")
            if not colon:
                raise self.fail(f"expected 'AXIS: EXTENT', got {part!r}")
            axes.append(Axis(name.strip(), _dim(extent)))
        self.axes |= {axis.name for axis in axes}
        return tuple(axes)

    # --- statements ----------------------------------------------------------------------------------------------

    def block(self, indent: int) -> tuple[Stmt, ...]:
        result: list[Stmt] = []
        while (line := self.peek(indent)) is not None and not line.startswith("yield ") and line != "each:":
            result.append(self.statement(line, indent))
        return tuple(result)

    def statement(self, line: str, indent: int) -> Stmt:
        if match := re.fullmatch(r"for (.*):", line):
            axes = self.bind_axes(match[1])
            self.at += 1
            outer = dict(self.values)
            body = self.block(self.block_indent(indent))
            self.values = outer
            self.axes -= {axis.name for axis in axes}
            return Loop(axes, body)
        if match := re.fullmatch(rf"([\w.]+) = ({'|'.join(REDUCERS)})\((reversed )?(.*?)\)(.*)", line):
            return self.reduction(match, indent)
        if match := re.fullmatch(r"check (.*) else (\d+)", line):
            condition = _Scalars(self, match[1]).whole()
            self.at += 1
            return Check(condition, int(match[2]))
        if match := re.fullmatch(r"([\w.]+) = (.*)", line):
            value = _Scalars(self, match[2]).whole()
            self.at += 1
            self.values[match[1]] = value.dtype
            return Let(match[1], value)
        reader = _Scalars(self, line)
        store = reader.store()
        self.at += 1
        return store

    def reduction(self, match: re.Match[str], indent: int) -> Reduce:
        name, reducer, reverse, rest = match[1], match[2], bool(match[3]), match[5].strip()
        axes = self.bind_axes(match[4])
        outer = dict(self.values)
        body: tuple[Stmt, ...] = ()
        each: tuple[Stmt, ...] = ()
        if rest == ":":
            self.at += 1
            inner = self.block_indent(indent)
            body = self.block(inner)
            line = self.peek(inner)
            if line is None or not line.startswith("yield "):
                raise self.fail("expected 'yield VALUE' at the end of the reduction's block")
            value = _Scalars(self, line[len("yield ") :]).whole()
            dtype = "int64" if reducer.startswith("arg") else value.dtype
            self.at += 1
            if self.peek(inner) == "each:":
                self.at += 1
                self.values = {**outer, name: dtype}
                each = self.block(self.block_indent(inner))
        else:
            value = _Scalars(self, rest).whole()
            dtype = "int64" if reducer.startswith("arg") else value.dtype
            self.at += 1
        self.axes -= {axis.name for axis in axes}
        self.values = {**outer, name: dtype}
        return Reduce(name, reducer, axes, body, value, each, reverse)


class _Scalars:
    """Precedence climbing over the tokens of one line."""

    def __init__(self, reader: _Reader, text: str) -> None:
        self.reader = reader
        self.tokens: list[tuple[str, str]] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise reader.fail(f"cannot read {text[position:]!r}")
            position = match.end()
            self.tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        self.at = 0

    def next(self) -> tuple[str, str]:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ("end", "")

    def ahead(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def expect(self, sign: str) -> None:
        _, got = self.next()
        if got != sign:
            raise self.reader.fail(f"expected {sign!r}, got {got or 'the end of the line'!r}")

    def whole(self) -> Scalar:
        value = self.scalar()
        if self.at < len(self.tokens):
            raise self.reader.fail(f"unexpected {self.ahead()!r}")
        return value

    def store(self) -> Store:
        _, name = self.next()
        self.expect("[")
        index, _ = self.index_list()
        _, sign = self.next()
        if sign not in ("=", "+="):
            raise self.reader.fail(f"expected '=' or '+=' after the stored element, got {sign!r}")
        return Store(name, index, self.whole(), sign == "+=")

    def scalar(self, level: int = 0) -> Scalar:
        left = self.prefix()
        while (sign := self.ahead()) in _SIGNS and _SIGNS[sign][1] >= max(level, 1):
            fn, own = _SIGNS[sign]
            self.next()
            args = (left, self.scalar(own + 1))
            left = Apply(fn, args, result_dtype(fn, args))
        return left

    def prefix(self) -> Scalar:
        kind, token = self.next()
        if kind == "number":
            return _number(token)
        if token == "-":
            if self.at < len(self.tokens) and self.tokens[self.at][0] == "number":
                constant = _number(self.next()[1])
                return Const(-constant.value, constant.dtype)
            operand = self.scalar(NEGATION)
            return Apply("neg", (operand,), operand.dtype)
        if token == "(":
            value = self.scalar()
            self.expect(")")
            return value
        if token == "@":
            self.expect("(")
            form = self.affine(")")
            return Position(form)
        if kind == "name":
            return self.named(token)
        raise self.reader.fail(f"expected a value, got {token or 'the end of the line'!r}")

    def named(self, name: str) -> Scalar:
        if name in ("true", "false"):
            return Const(name == "true", "bool")
        if self.ahead() == "[":
            self.next()
            if name not in self.reader.buffers:
                raise self.reader.fail(f"there is no buffer {name!r}")
            index, fill = self.index_list()
            return Load(name, index, self.reader.buffers[name].dtype, fill)
        if self.ahead() == "(" and (name in FUNCTIONS or name in LONG):
            self.next()
            args = [self.scalar()]
            while self.ahead() == ",":
                self.next()
                args.append(self.scalar())
            self.expect(")")
            fn = "cast" if name in LONG else name
            if len(args) != FUNCTIONS[fn]:
                raise self.reader.fail(f"{name} takes {FUNCTIONS[fn]} operands, got {len(args)}")
            return Apply(fn, tuple(args), result_dtype(fn, tuple(args), LONG.get(name, "")))
        if name in self.reader.values:
            return Ref(name, self.reader.values[name])
        raise self.reader.fail(f"the name {name!r} is not bound here")

    def index_list(self) -> tuple[tuple[Index, ...], Const | None]:
        index: list[Index] = []
        fill: Const | None = None
        while self.ahead() != "]":
            if self.ahead() == "{":
                self.next()
                index.append(self.scalar())
                self.expect("}")
            else:
                index.append(self.affine())
            if self.ahead() == "else":
                self.next()
                value = self.scalar()
                if not isinstance(value, Const):
                    raise self.reader.fail("the value outside the buffer must be a constant")
                fill = value
            if self.ahead() == ",":
                self.next()
        self.expect("]")
        return tuple(index), fill

    def affine(self, closing: str | None = None) -> Affine:
        """Terms up to `,`, `]`, `else` or the closing sign (which is consumed)."""
        terms: list[tuple[str, int]] = []
        offset: dims.Dim = 0
        sign = 1
        while self.ahead() not in (",", "]", "else", "", closing):
            _, token = self.next()
            if token in "+-":
                sign = -1 if token == "-" else 1
                continue
            factors = [token]
            while self.ahead() == "*":
                self.next()
                factors.append(self.next()[1])
            axis = [f for f in factors if f in self.reader.axes]
            rest = dims.product(_dim(f) for f in factors if f not in axis)
            if axis and isinstance(rest, int) and len(axis) == 1:
                terms.append((axis[0], sign * rest))
            elif not axis:
                offset = dims.add(offset, dims.mul(rest, sign))
            else:
                raise self.reader.fail(f"{'*'.join(factors)} is not affine")
            sign = 1
        if closing:
            self.expect(closing)
        return affine(terms, offset)


def _dim(text: str) -> dims.Dim:
    text = text.strip()
    return int(text) if text.lstrip("-").isdigit() else dims.canonical(text)


def _number(token: str) -> Const:
    if token.endswith("f") and token not in ("inf",):
        return Const(float(token[:-1]), "float32")
    if token.endswith("i"):
        return Const(int(token[:-1]), "int32")
    if token.isdigit():
        return Const(int(token), "int64")
    return Const(float(token), "float64")


def _schedule(text: str) -> Schedule:
    chosen: dict[str, object] = {}
    for word in text.split():
        key, _, value = word.partition("=")
        if key == "contract":
            chosen["form"] = "contract"
        elif key == "tile":
            chosen["tile"] = tuple(map(int, value.split("x")))
        elif key in ("parallel", "band"):
            chosen[key] = int(value)
        elif key == "vector":
            chosen["vector"] = value
        else:
            chosen[key] = tuple(value.split(","))
    return Schedule(**chosen)  # type: ignore[arg-type]
