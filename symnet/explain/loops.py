"""How a loop is written: scanₜ(c ↦ (new c, output), first c), where the body stands in place.

Slices are written xs[t], carries c; what the body takes from outside is written as it is outside. What occurs in the
body more than once gets the letter u.
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet.explain.formula import where_clauses, written
from symnet.explain.naming import Names, name_shared
from symnet.explain.notation import Arrow, Call, Form, Index, Symbol
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
    name_shared(names, body.results, letter="u")
    results = tuple(written(result, names.forms) for result in body.results)
    where = tuple((clause.left, clause.right) for clause in where_clauses(body.results, names.forms))
    arrow = Arrow(carried, results, where)
    return Call("scan", (arrow, *args[consts : consts + carries]), "t,reversed" if node.attrs["reverse"] else "t")
