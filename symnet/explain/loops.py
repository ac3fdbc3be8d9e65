"""How choices are written, cond(condition, one value, the other), and values of loops outside their equations."""

from __future__ import annotations

from collections.abc import Sequence

from symnet.explain.formula import where_clauses, written
from symnet.explain.naming import Names, name_shared
from symnet.explain.notation import Arrow, Call, Form, Index, Symbol, Vector
from symnet.expr.function import Function
from symnet.expr.node import Expr


def item_of_loop(node: Expr) -> Form:
    """An item of a loop that has no name of its own: h_T for what it carries last, h for what it keeps."""
    loop, index = node.args[0], node.attrs["index"]
    kept = index >= loop.attrs["carries"]
    name = node.name or "h"
    return Symbol(name) if kept else Symbol(name, "0" if loop.attrs["reverse"] else str(loop.attrs["length"]))


def choice(node: Expr, args: Sequence[Form]) -> Form:
    """The formula of a `cond` node: the sides with their operands in place, several results as a vector."""
    return Call("cond", (args[0], _side(node.attrs["then"], args[1:]), _side(node.attrs["otherwise"], args[1:])))


def _side(side: Function, operands: Sequence[Form]) -> Form:
    names = Names()
    for parameter, form in zip(side.parameters, operands, strict=True):
        names.give(parameter, form)
    name_shared(names, side.results, letter="u")
    results = tuple(written(result, names.forms) for result in side.results)
    whole = results[0] if len(results) == 1 else Vector(results)
    where = tuple((clause.left, clause.right) for clause in where_clauses(side.results, names.forms))
    return Arrow((), (whole,), where) if where else whole


def chosen(node: Expr, whole: Form) -> Form:
    """One result of a choice: the choice between the two values it may have."""
    index: int = node.attrs["index"]
    if len(node.args[0].attrs["then"].results) == 1:
        return whole
    if isinstance(whole, Call):
        condition, *sides = whole.arguments
        if all(isinstance(side, Vector) for side in sides):
            picked = [side.elements[index] for side in sides if isinstance(side, Vector)]
            return Call("cond", (condition, *picked))
    return Index(whole, (Symbol(str(index)),))
