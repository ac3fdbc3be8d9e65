"""Reads the text form of expressions (see `symnet.expr.text`)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from symnet.errors import SymnetError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim
from symnet.expr.function import Function
from symnet.expr.node import ArrayValue, Expr, label, make
from symnet.expr.op import lookup
from symnet.expr.text import type_text

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    | (?P<node>%\d+)
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<number>-?(?:inf\b|\d+(?:\.\d+)?(?:e[+-]?\d+)?))
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<arrow>->)
    | (?P<mark>[()\[\]{},=:*+-])""",
    re.VERBOSE,
)
_WORDS = {"true": True, "false": False, "none": None, "nan": float("nan"), "inf": float("inf")}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int


def parse(text: str) -> Any:
    """The expression, list, tuple or dict that `text` returns."""
    import symnet.ops  # noqa: F401  (declares the operations)

    reader = _Reader(text)
    nodes: dict[str, Expr] = {}
    reader.statements(nodes)
    result = reader.result(nodes)
    if reader.token.kind != "end":
        reader.fail(f"expected nothing after the result, got {reader.token.text!r}")
    return result


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.token = self._next()

    # --- tokens ---

    def _next(self) -> _Token:
        while True:
            match = _TOKEN.match(self.text, self.position)
            if match is None:
                if self.position >= len(self.text):
                    return _Token("end", "the end of the text", len(self.text))
                self.fail(f"cannot read {self.text[self.position]!r}", self.position)
            start, self.position = self.position, match.end()
            if match.lastgroup != "space":
                return _Token(str(match.lastgroup), match[0], start)

    def fail(self, message: str, start: int | None = None) -> NoReturn:
        """Raises an error that shows the line with a mark under the place."""
        start = self.token.start if start is None else start
        line = self.text.count("\n", 0, start) + 1
        begin = self.text.rfind("\n", 0, start) + 1
        shown = self.text[begin:].split("\n", 1)[0]
        column = start - begin
        raise UsageError(f"line {line}, column {column + 1}: {message}\n  {shown}\n  {' ' * column}^")

    def take(self, *expected: str) -> str:
        """The current token, which must be one of the kinds or texts in `expected`."""
        if self.token.kind not in expected and self.token.text not in expected:
            self.fail(f"expected {' or '.join(repr(e) for e in expected)}, got {self.token.text!r}")
        text = self.token.text
        self.token = self._next()
        return text

    def accept(self, text: str) -> bool:
        if self.token.text != text or self.token.kind == "string":
            return False
        self.token = self._next()
        return True

    def sequence(self, opening: str, element: Callable[[], Any]) -> tuple[list[Any], bool]:
        """Elements in brackets, separated by commas; and whether a comma follows the last."""
        self.take(opening)
        found: list[Any] = []
        comma = False
        while not self.accept(_CLOSING[opening]):
            if found and not comma:
                self.fail(f"expected ',' or {_CLOSING[opening]!r}, got {self.token.text!r}")
            found.append(element())
            comma = self.accept(",")
        return found, comma

    # --- statements ---

    def statements(self, nodes: dict[str, Expr]) -> None:
        while self.token.kind == "node":
            self._statement(nodes)

    def _statement(self, nodes: dict[str, Expr]) -> None:
        start, name = self.token.start, self.take("node")
        if name in nodes:
            self.fail(f"{name} is defined twice", start)
        self.take("=")
        start = self.token.start
        op = self.take("word")
        args = self.sequence("(", lambda: self.node(nodes))[0] if self.token.text == "(" else []
        attrs = dict(self.sequence("{", self._attribute)[0]) if self.token.text == "{" else {}
        try:
            node = make(lookup(op), args, attrs)
        except (SymnetError, KeyError, TypeError, AttributeError) as error:
            missing = f"{op}: the attribute {error} is missing" if type(error) is KeyError else str(error)
            self.fail(missing, start)
        self.take(":")
        self._check_type(node)
        if self.accept("as"):
            label(node, json.loads(self.take("string")))
        nodes[name] = node

    def _attribute(self) -> tuple[str, Any]:
        name = self.take("word")
        self.take("=")
        return name, self.value()

    def _check_type(self, node: Expr) -> None:
        start = self.token.start
        kind = self.take("word")
        shape = tuple(self.sequence("[", self.dim)[0]) if self.token.text == "[" else None
        written = kind if shape is None else f"{kind}{dims.show(shape)}"
        if written != type_text(node):
            self.fail(f"{node.op} gives {type_text(node)}, the text says {written}", start)

    def node(self, nodes: dict[str, Expr]) -> Expr:
        start, name = self.token.start, self.take("node")
        if name not in nodes:
            self.fail(f"{name} is not defined before", start)
        return nodes[name]

    def result(self, nodes: dict[str, Expr]) -> Any:
        if self.token.text != "return":
            self.fail(f"expected a node or 'return', got {self.token.text!r}")
        self.take("return")
        if self.token.text == "{":
            return dict(self.sequence("{", lambda: self._entry(nodes))[0])
        if self.token.text == "[":
            return self.sequence("[", lambda: self.node(nodes))[0]
        if self.token.text == "(":
            return tuple(self.sequence("(", lambda: self.node(nodes))[0])
        return self.node(nodes)

    def _entry(self, nodes: dict[str, Expr]) -> tuple[str, Expr]:
        key = json.loads(self.take("string"))
        self.take(":")
        return key, self.node(nodes)

    # --- values ---

    def dim(self) -> Dim:
        """A dimension as shapes show it, without quotes: `2*N + 1`."""
        start = self.token.start
        while self.token.text not in (",", "]") and self.token.kind != "end":
            self.token = self._next()
        text = self.text[start : self.token.start].strip()
        try:
            return int(text) if text.isdigit() else dims.canonical(text)
        except SymnetError as error:
            self.fail(str(error), start)

    def value(self) -> Any:
        token = self.token
        if token.kind == "number":
            self.take("number")
            return int(token.text) if re.fullmatch(r"-?\d+", token.text) else float(token.text)
        if token.kind == "string":
            return json.loads(self.take("string"))
        if token.text == "(":
            return tuple(self.sequence("(", self.value)[0])
        if token.text == "array":
            return self._array()
        if token.text == "function":
            return self._function()
        if token.text in _WORDS:
            self.take("word")
            return _WORDS[token.text]
        self.fail(f"expected a value, got {token.text!r}")

    def _array(self) -> ArrayValue:
        self.take("array")
        self.take("(")
        start, short = self.token.start, self.take("word")
        if short not in dtypes.LONG:
            self.fail(f"unknown data type {short!r}; expected one of {', '.join(dtypes.LONG)}", start)
        shape = tuple(self.sequence("[", self.dim)[0])
        self.take(",")
        start = self.token.start
        if self.token.kind == "string":
            kind = np.dtype(dtypes.LONG[short]).newbyteorder("<")
            try:
                array = np.frombuffer(base64.b64decode(json.loads(self.take("string")), validate=True), kind)
            except ValueError as error:
                self.fail(f"cannot read the array: {error}", start)
        else:
            array = np.array(self.sequence("[", self.value)[0])
        try:
            array = array.astype(dtypes.LONG[short]).reshape(shape)
        except (ValueError, TypeError):
            self.fail(f"{array.size} elements do not fill the shape {dims.show(shape)}", start)
        self.take(")")
        return ArrayValue(array)

    def _function(self) -> Function:
        start = self.token.start
        self.take("function")
        self.take("{")
        nodes: dict[str, Expr] = {}
        self.statements(nodes)
        self.take("return")
        parameters = self.sequence("(", lambda: self.node(nodes))[0]
        self.take("->")
        results = self.sequence("(", lambda: self.node(nodes))[0]
        self.take("}")
        try:
            return Function(parameters, results)
        except SymnetError as error:
            self.fail(str(error), start)
