"""Names as they are written on paper: `W1` is W₁, `alpha` is α, and a module's `0.weight` is the W of its layer."""

from __future__ import annotations

import re
from collections.abc import Iterable

from symnet.explain.latex import GREEK
from symnet.explain.notation import Symbol
from symnet.expr.dims import Dim
from symnet.expr.node import Expr

_GREEK = {name: letter for letter, name in GREEK.items()}
_TRAILING = re.compile(r"([A-Za-z]+?)_?(\d+)\Z")
_WORDS = re.compile(r"([A-Za-z]+)_(\w+)\Z")
_AXIS_LETTERS = "ijklmpq"


def symbol(name: str) -> Symbol:
    """The symbol for a name: trailing digits and what follows an underscore become the subscript."""
    match = _TRAILING.match(name)
    if match is None and len(name) > 2:
        match = _WORDS.match(name) if len(name.partition("_")[0]) == 1 or name.partition("_")[0] in _GREEK else None
    base, sub = (match[1], match[2].replace("_", ",")) if match else (name, "")
    return Symbol(_GREEK.get(base, base), sub)


def is_plain(name: str) -> bool:
    """Whether a name can stand in a formula as it is."""
    return name.isidentifier()


def layer_symbols(parameters: Iterable[Expr]) -> dict[Expr, Symbol]:
    """Symbols for parameters whose names are paths in a module (`encoder.0.weight`), numbered in order of their layers.

    The last part of the path says what the parameter is: `weight` is W, `bias` is b, `weight_ih_l0` is W with the
    subscript ih,l0. The number of the layer is left out where there is only one.
    """
    named = {parameter: str(parameter.name) for parameter in parameters if not is_plain(str(parameter.name))}
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in named.values()))
    result: dict[Expr, Symbol] = {}
    for parameter, name in named.items():
        layer, _, role = name.rpartition(".")
        base, rest = _role(role)
        number = str(layers.index(layer) + 1) if len(layers) > 1 else ""
        result[parameter] = Symbol(base, ",".join(part for part in (rest, number) if part))
    return result


def _role(role: str) -> tuple[str, str]:
    words = [word for word in role.split("_") if word]
    for word, base in (("weight", "W"), ("bias", "b")):
        if word in words:
            words.remove(word)
            return base, ",".join(words)
    plain = symbol(role)
    return plain.base, plain.sub


def axis_letter(dim: Dim, axis: int) -> str:
    """The index letter of an axis: n for a named dimension N, else i, j, k… by position."""
    if isinstance(dim, str) and dim.isidentifier():
        return dim.lower()
    return _AXIS_LETTERS[axis] if axis < len(_AXIS_LETTERS) else f"i{axis}"


def axis_letters(node: Expr, axes: Iterable[int]) -> tuple[str, ...]:
    """Index letters of some axes of a node; axes of size 1 have none."""
    return tuple(axis_letter(node.shape[axis], axis) for axis in axes if node.shape[axis] != 1)
