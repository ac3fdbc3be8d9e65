"""How each operation is written: a form, given the forms of its operands.

Most are functions, written with the name that their declaration gives (`Op.notation`); the others are in tables.

The families `leaves`, `scalars`, `arrays` and `linear_algebra` have tables of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet.explain import arrays, leaves, linear_algebra, scalars
from symnet.explain.leaves import Writer, extent
from symnet.explain.notation import (
    Call,
    Form,
)
from symnet.expr.node import Expr


def form_of(node: Expr, args: Sequence[Form]) -> Form:
    """The form of `node`, whose operands are written as `args`: a function of them, unless the table says otherwise."""
    writer = _TABLE.get(node.op)
    return writer(node, args) if writer is not None else Call(node.declaration.notation or node.op, tuple(args))


def has_form(node: Expr) -> bool:
    """Whether there is a notation for an operation, or its name is that of a function as people write it."""
    return node.op in _TABLE or node.declaration.notation is not None or "_" not in node.op


# --- random numbers and normalisation ------------------------------------------------------------------------------


def _drawn(name: str) -> Writer:
    """Random numbers by what they are and how many: ε = normal(N×3)."""
    return lambda node, args: Call(name, (extent(node.shape),))


# --- loops -------------------------------------------------------------------------------------------------------


def _scan(node: Expr, args: Sequence[Form]) -> Form:
    """A loop as a whole, where its values are not looked at."""
    return Call("loop", ())


def _cond(node: Expr, args: Sequence[Form]) -> Form:
    from symnet.explain.loops import choice

    return choice(node, args)


def _item(node: Expr, args: Sequence[Form]) -> Form:
    from symnet.explain.loops import chosen, item_of_loop

    return chosen(node, args[0]) if node.args[0].op == "cond" else item_of_loop(node)


_TABLE: dict[str, Writer] = {
    **leaves.TABLE,
    **scalars.TABLE,
    **arrays.TABLE,
    **linear_algebra.TABLE,
    "random_bits": _drawn("bits"),
    "random_step": lambda node, args: args[0],
    "require": lambda node, args: args[0],
    "standard_uniform": _drawn("uniform"),
    "standard_normal": _drawn("normal"),
    "ratio_derivative": lambda node, args: Call(
        f"{node.attrs['ratio'].replace('_', '')}{'′' * node.attrs['order']}", tuple(args)
    ),
    "trigamma": lambda node, args: Call("ψ", tuple(args), "1"),
    "polygamma": lambda node, args: Call("ψ", tuple(args), str(node.attrs["order"])),
    "usually": lambda node, args: args[0],
    "abbreviated": lambda node, args: args[0],
    "scan": _scan,
    "cond": _cond,
    "each_member": lambda node, args: form_of(node.attrs["body"].results[0], args),
    "item": _item,
}
