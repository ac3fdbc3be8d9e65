"""Trees of expressions: what a loop carries, what a branch returns, what `vmap` maps over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from symnet.errors import DTypeError
from symnet.expr.node import Expr
from symnet.ops.coerce import to_expr

Tree = Any
"""An expression, or a tuple, list or dict of such."""


def flatten(what: str, tree: Tree) -> tuple[list[Expr], Any]:
    """The expressions in a tree, and its form (nested tuples, lists and dicts of None)."""
    if tree is None:
        return [], ()
    if isinstance(tree, dict):
        parts = [flatten(f"{what}[{key!r}]", tree[key]) for key in tree]
        return [e for found, _ in parts for e in found], dict(zip(tree, (form for _, form in parts), strict=True))
    if isinstance(tree, (tuple, list)):
        parts = [flatten(f"{what}[{i}]", part) for i, part in enumerate(tree)]
        return [e for found, _ in parts for e in found], type(tree)(form for _, form in parts)
    node = to_expr(tree, what)
    if node.dtype == "tuple":
        raise DTypeError(f"{what}: got a loop node, expected an array: take one of its items")
    return [node], None


def restore(form: Any, nodes: Iterable[Expr]) -> Tree:
    """The tree of this form that holds these expressions."""
    remaining = iter(nodes)

    def build(part: Any) -> Tree:
        if part is None:
            return next(remaining)
        if isinstance(part, dict):
            return {key: build(value) for key, value in part.items()}
        return type(part)(build(value) for value in part)

    return None if form == () else build(form)
