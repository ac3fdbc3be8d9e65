"""What a user's own scalar functions (`sn.elementwise`) are, and their derivatives: equations beside a formula."""

from __future__ import annotations

from collections.abc import Sequence

from symnet.explain.formula import Equation, definition
from symnet.explain.notation import Call, Form, Symbol
from symnet.expr.node import Expr
from symnet.ops.leaves import number
from symnet.ops.meaning import postorder_with_bodies
from symnet.simplify import simplify


def own_functions(roots: Sequence[Expr], derivatives: bool = False) -> list[Equation]:
    """f(t) = … for every function of a user's own under the roots, and f′(t) = … where derivatives are wanted.

    The value of each equation is a node that applies the function.
    """
    found = {
        (node.attrs["function"], node.attrs["body"]): node
        for node in postorder_with_bodies(roots)
        if node.op == "elementwise"
    }
    return [equation for node in found.values() for equation in _equations(node, derivatives)]


def _equations(node: Expr, derivatives: bool) -> list[Equation]:
    name, body = node.attrs["function"], node.attrs["body"]
    letters = node.attrs.get("parameters") or _letters(len(body.parameters))
    known: dict[Expr, Form] = {arg: Symbol(letter) for arg, letter in zip(body.parameters, letters, strict=True)}
    arguments = tuple(known.values())
    equations = [Equation(Call(name, arguments), _written(body.results[0], known), node)]
    if derivatives:
        one = number(1, node.dtype)
        partials = simplify(list(node.attrs["partials"](*body.parameters, one)))
        for letter, partial in zip(letters, partials, strict=True):
            prime = f"{name}′" if len(letters) == 1 else f"∂{name}/∂{letter}"
            equations.append(Equation(Call(prime, arguments), _written(partial, known), node))
    return equations


def _written(value: Expr, known: dict[Expr, Form]) -> Form:
    return known[value] if value in known else definition(value, known)


def _letters(count: int) -> tuple[str, ...]:
    return ("t",) if count == 1 else tuple("abcdefgh"[:count])
