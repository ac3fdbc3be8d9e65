"""What formulas evaluate to, as they are printed: the text is read back, and nothing but the text is computed.

`Formula.evaluate(values)` and `evaluate(text, …)` are the proof that what one reads is the program: they know the text,
the values of its leaves and the shapes of its symbols, and not the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from symnet.errors import UnknownName, nearest
from symnet.explain import text as unicode
from symnet.explain.identifiers import letters_beside
from symnet.explain.notation import Form, Symbol
from symnet.expr.node import ArrayValue, Expr

__all__ = ["evaluate"]


def evaluate(
    text: str,
    known: Mapping[Expr, Form],
    values: Mapping[Any, Any],
    sizes: Mapping[str, int] | None = None,
    shapes: Mapping[str, tuple[Any, ...]] | None = None,
) -> dict[str, np.ndarray]:
    """The values of all that `text` defines, by the names on the left sides; of a lone formula as `result`.

    text    equations as they are printed, with their where clauses and loops; a formula without a left side begins
            with `result = `
    known   which symbol stands for which value: its shape is taken from there, and the values of constant tables
    values  arrays for inputs, parameters, states and random draws: by their symbols, their names, or the expressions
    sizes   of named dimensions that do not follow from the values
    shapes  of further symbols
    """
    from symnet.explain.reading import Reader
    from symnet.explain.reading.document import key
    from symnet.ops.interpret import infer_sizes

    symbols = {node: unicode.write(form) for node, form in known.items() if node.dtype != "tuple"}
    given = _given(symbols, values)
    bound = infer_sizes({node: np.asarray(value) for node, value in given.items()}, dict(sizes or {}))
    reader = Reader(
        {symbols[node]: value for node, value in given.items()},
        {**{symbol: node.shape for node, symbol in symbols.items()}, **(shapes or {})},
        bound,
    )
    with letters_beside(form for node, form in known.items() if not node.args and isinstance(form, Symbol)):
        found = reader.read(text)
    lefts = [line.strip().partition(" = ")[0] for line in text.partition("\nwith\n")[0].splitlines()]
    return {left: found[key(left)] for left in lefts if key(left) in found}


def _given(symbols: Mapping[Expr, str], values: Mapping[Any, Any]) -> dict[Expr, Any]:
    """The values by the nodes they are for, with those of constant tables."""
    found: dict[Expr, Any] = {}
    for node in symbols:
        if node.op == "constant" and isinstance(node.attrs["value"], ArrayValue):
            found[node] = node.attrs["value"].array
    for name, value in values.items():
        node = _called(name, symbols)
        found[node] = value.numpy() if hasattr(value, "numpy") else value
    return found


def _called(name: Any, symbols: Mapping[Expr, str]) -> Expr:
    if isinstance(name, Expr):
        if name in symbols:
            return name
        name = name.name
    for node, symbol in symbols.items():
        if name == symbol:
            return node
    for node in symbols:
        if name == node.name and not node.args:
            return node
    raise UnknownName(f"the formula has no symbol {name!r}{nearest(str(name), _names(symbols))}")


def _names(symbols: Mapping[Expr, str]) -> Iterable[str]:
    return [*symbols.values(), *(str(node.name) for node in symbols if node.name)]
