"""Names that the user gives to values."""

from __future__ import annotations

from symnet.errors import UsageError
from symnet.expr.node import Expr, label
from symnet.ops.coerce import to_expr
from symnet.ops.leaves import Operand

__all__ = ["name"]


def name(text: str, x: Operand) -> Expr:
    """`x`, called `text` in formulas: `h = sn.name("h", sn.relu(z))`."""
    if not isinstance(text, str) or not text:
        raise UsageError(f"name: the name is {text!r}, expected a non-empty string")
    return label(to_expr(x, "name"), text)
