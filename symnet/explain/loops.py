"""How loops and choices are written.

A choice is cond(condition, one value, the other). A loop is scanₜ(c ↦ (new c, output), first c), where the body stands
in place.

Slices are written xs[t], carries c; what the body takes from outside is written as it is outside. What occurs in the
body more than once gets the letter u.
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet.explain.formula import where_clauses, written
from symnet.explain.naming import Names, name_leaves, name_shared
from symnet.explain.notation import Arrow, Call, Form, Index, Symbol, Vector
from symnet.expr.function import Function
from symnet.expr.node import Expr


def loop(node: Expr, args: Sequence[Form]) -> Form:
    """The formula of a `scan` node whose operands are written as `args`."""
    body: Function = node.attrs["body"]
    consts, carries = node.attrs["consts"], node.attrs["carries"]
    carried = tuple(Symbol("c", str(i + 1) if carries > 1 else "") for i in range(carries))
    slices = tuple(Index(form, (Symbol("t"),)) for form in args[consts + carries :])
    names = Names()
    for parameter, form in zip(body.parameters, (*args[:consts], *carried, *slices), strict=True):
        names.give(parameter, form)
    name_leaves(names, body.results)
    name_shared(names, body.results, letter="u")
    results = tuple(written(result, names.forms) for result in body.results)
    where = tuple((clause.left, clause.right) for clause in where_clauses(body.results, names.forms))
    arrow = Arrow(carried, results, where)
    return Call("scan", (arrow, *args[consts : consts + carries]), "t,reversed" if node.attrs["reverse"] else "t")


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
