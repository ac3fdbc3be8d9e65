"""Holds graphs to what every node promises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from symnet.errors import CompilerBug, SymnetError
from symnet.expr import dims, dtypes
from symnet.expr.function import Function
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.op import REGISTRY
from symnet.expr.text import type_text
from symnet.expr.traverse import postorder


def verify(roots: Iterable[Expr], where: str = "") -> None:
    """Checks every node under `roots`, inside loops too; raises `CompilerBug` that names the first broken one.

    Shape and dtype must be what the operation infers, dimensions canonical, attribute values of the permitted kinds,
    and parameters of functions occur nowhere but in functions.
    """
    pending: list[tuple[list[Expr], frozenset[int] | None]] = [(list(roots), None)]
    while pending:
        group, parameters = pending.pop()
        for node in postorder(group):
            try:
                _check(node, parameters)
            except SymnetError as error:
                place = f" {where}" if where else ""
                raise CompilerBug(f"a node is broken{place}: {node.op} : {type_text(node)}: {error}") from None
            bodies = [value for value in node.attrs.values() if isinstance(value, Function)]
            pending.extend(([*f.parameters, *f.results], frozenset(map(id, f.parameters))) for f in bodies)


def _check(node: Expr, parameters: frozenset[int] | None) -> None:
    """`parameters`: ids of the parameters of the function the node is in; None outside."""
    declaration = REGISTRY.get(node.op)
    if declaration is None:
        raise CompilerBug("the operation is not declared")
    for name, value in node.attrs.items():
        _check_value(name, value)
    shape, dtype = declaration.infer(node.args, node.attrs)
    if (shape, dtype) != (node.shape, node.dtype):
        raise CompilerBug(f"its operation infers {dtype}{dims.show(shape)}")
    if dtype != "tuple" and dtype not in dtypes.DTYPES:
        raise CompilerBug(f"there is no data type {dtype!r}")
    for dim in shape:
        if dims.canonical(dim) != dim:
            raise CompilerBug(f"the dimension {dim!r} is not in canonical form {dims.canonical(dim)!r}")
    if node.op == "arg" and (parameters is None or id(node) not in parameters):
        raise CompilerBug(f"the parameter arg[{node.attrs['index']}] is used outside its function")


def _check_value(name: str, value: Any) -> None:
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, tuple):
            pending.extend(part)
        elif part is not None and not isinstance(part, (bool, int, float, str, ArrayValue, Function)):
            raise CompilerBug(f"the attribute {name!r} holds {type(part).__name__}, which is no permitted value")
