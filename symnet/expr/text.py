"""Expressions as text, one node a line, and back.

    %0 = input{dtype="float32", name="x", shape=("N", 3)} : f32[N, 3]
    %1 = constant{dtype="float32", value=0.5} : f32[]
    %2 = multiply(%0, %1) : f32[N, 3] as "half"
    return %2

`dumps` writes everything a node is, so that `loads` gives the identical node (`loads(dumps(e)) is e`). Attribute values
are written as

    numbers, "strings", true, false, none, (tuples,)
    array(f32[2], [1.0, 2.0])  array(f32[99], "base64 of its little-endian bytes")
    function {                     the body of a loop, its parameters first
      %0 = arg{…} : f32[3]
      return (%0) -> (%0)
    }

`listing` is for people: names in place of numbers, constants where they are used, nothing that the type already says.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import CompilerBug, DTypeError
from symnet.expr import dims, dtypes
from symnet.expr.function import Function
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.traverse import postorder

INDENT = "  "
SHORT_ARRAY = 16
"""Arrays of at most so many elements are written as lists."""


def dumps(exprs: Any) -> str:
    """The text of an expression, or of a list, tuple or dict of expressions."""
    roots = roots_of(exprs)
    names: dict[int, str] = {}
    lines = _lines(roots, names)
    return "\n".join([*lines, f"return {_result(exprs, names)}"]) + "\n"


def loads(text: str) -> Any:
    """What `dumps` wrote: the same expression, list, tuple or dict. Errors show the place in the text."""
    from symnet.expr.parse import parse

    return parse(text)


def roots_of(exprs: Any) -> list[Expr]:
    """The expressions in what `dumps` and `listing` accept."""
    if isinstance(exprs, Expr):
        return [exprs]
    roots = list(exprs.values()) if isinstance(exprs, Mapping) else list(exprs)
    for root in roots:
        if not isinstance(root, Expr):
            raise DTypeError(f"got {type(root).__name__}, expected an expression or a list or dict of them")
    return roots


def _result(exprs: Any, names: Mapping[int, str]) -> str:
    if isinstance(exprs, Expr):
        return names[id(exprs)]
    if isinstance(exprs, Mapping):
        return "{" + ", ".join(f"{quote(key)}: {names[id(e)]}" for key, e in exprs.items()) + "}"
    listed = ", ".join(names[id(e)] for e in exprs)
    if isinstance(exprs, tuple):
        return f"({listed},)" if len(exprs) == 1 else f"({listed})"
    return f"[{listed}]"


def _lines(roots: Iterable[Expr], names: dict[int, str], indent: str = "") -> list[str]:
    """One line (or several, where there is a function inside) for each node; fills in the names they get."""
    lines = []
    for node in postorder(roots):
        if id(node) in names:
            continue
        names[id(node)] = name = f"%{len(names)}"
        operands = f"({', '.join(names[id(a)] for a in node.args)})" if node.args else ""
        attrs = ", ".join(f"{key}={value_text(value, indent)}" for key, value in node.attrs.items())
        label = "" if node._label is None else f" as {quote(node._label)}"
        lines.append(
            f"{indent}{name} = {node.op}{operands}{f'{{{attrs}}}' if attrs else ''} : {type_text(node)}{label}"
        )
    return lines


def type_text(node: Expr) -> str:
    """`f32[N, 10]`; `tuple` for a node that is a tuple."""
    return node.dtype if node.dtype not in dtypes.SHORT else f"{dtypes.SHORT[node.dtype]}{dims.show(node.shape)}"


def quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def value_text(value: Any, indent: str = "") -> str:
    """The text of an attribute's value."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(value_text(v, indent) for v in value) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, ArrayValue):
        return _array_text(value.array)
    if isinstance(value, Function):
        return _function_text(value, indent)
    raise CompilerBug(f"an attribute holds {type(value).__name__}, which has no text form")


def _array_text(array: np.ndarray) -> str:
    kind = f"{dtypes.SHORT[array.dtype.name]}{dims.show(array.shape)}"
    values = array.ravel().tolist()
    if len(values) <= SHORT_ARRAY and not any(isinstance(v, float) and math.isnan(v) for v in values):
        return f"array({kind}, [{', '.join(value_text(v) for v in values)}])"
    data = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return f'array({kind}, "{base64.b64encode(data).decode()}")'


def _function_text(function: Function, indent: str) -> str:
    names: dict[int, str] = {}
    inner = indent + INDENT
    lines = _lines([*function.parameters, *function.results], names, inner)
    parameters = ", ".join(names[id(p)] for p in function.parameters)
    results = ", ".join(names[id(r)] for r in function.results)
    return "\n".join(["function {", *lines, f"{inner}return ({parameters}) -> ({results})", f"{indent}}}"])


# --- for people --------------------------------------------------------------------------------------------------

_SAID_BY_TYPE = ("shape", "dtype", "name", "uid", "init")


def listing(exprs: Any) -> str:
    """The graph as people read it; not to be parsed. Used in golden files: it holds no counters and no hashes."""
    names: dict[int, str] = {}
    roots = roots_of(exprs)
    lines = _listed(roots, names, "", _namer())
    return "\n".join([*lines, f"return {_result(exprs, names)}"]) + "\n"


def _namer() -> Callable[[Expr], str]:
    """Gives each node its own name with a number where it is taken, else the next %number."""
    taken: set[str] = set()
    count = 0

    def choose(node: Expr) -> str:
        nonlocal count
        if node.name is None:
            count += 1
            return f"%{count}"
        name, copy = node.name, 2
        while name in taken:
            name, copy = f"{node.name}_{copy}", copy + 1
        taken.add(name)
        return name

    return choose


def _listed(roots: Sequence[Expr], names: dict[int, str], indent: str, choose: Callable[[Expr], str]) -> list[str]:
    lines = []
    for node in postorder(roots):
        if id(node) in names:
            continue
        if node.op == "constant" and not node.shape and node.name is None:
            names[id(node)] = value_text(node.attrs["value"])
            continue
        names[id(node)] = name = choose(node)
        operands = f"({', '.join(names[id(a)] for a in node.args)})" if node.args else ""
        shown = {k: v for k, v in node.attrs.items() if k not in _SAID_BY_TYPE and v != ()}
        attrs = ", ".join(f"{key}={_listed_value(value, indent)}" for key, value in shown.items())
        lines.append(f"{indent}{name} = {node.op}{operands}{f'{{{attrs}}}' if attrs else ''} : {type_text(node)}")
    return lines


def _listed_value(value: Any, indent: str) -> str:
    if not isinstance(value, Function):
        return value_text(value, indent)
    names: dict[int, str] = {}
    inner, choose = indent + INDENT, _namer()
    lines = _listed([*value.parameters, *value.results], names, inner, choose)
    parameters = ", ".join(names[id(p)] for p in value.parameters)
    results = ", ".join(names[id(r)] for r in value.results)
    return "\n".join(["function {", *lines, f"{inner}return ({parameters}) -> ({results})", f"{indent}}}"])
