"""Names as they are written on paper: `W1` is W₁, `alpha` is α, and a module's `0.weight` is the W of its layer."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from symnet.explain.latex import GREEK
from symnet.explain.notation import Symbol, numbered
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr

# Not Σ and Π, which are a sum and a product.
_GREEK = {name: letter for letter, name in GREEK.items() if letter not in "ΣΠ"}
_TRAILING = re.compile(r"([A-Za-z]+?)_?(\d+)\Z")
_WORDS = re.compile(r"([A-Za-z]+)_(\w+)\Z")
POSITIONS = "ijklmpq"
_positions: ContextVar[str] = ContextVar("positions", default=POSITIONS)
_pi_is_free: ContextVar[bool] = ContextVar("pi_is_free", default=True)


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


def readable(name: str) -> str:
    """The name, or what of it can stand in a formula without being read as something else: words joined by underscores.

    `x-y` is no difference but x_y, and `0.5` no number but x_0_5. Primes stay.
    """
    primes = "′" * (len(name) - len(name.rstrip("′")))
    body = name.removesuffix(primes)
    body = {"Σ": "Sigma", "Π": "Pi"}.get(body, body)
    if body.isidentifier() and body.strip("_") == body:
        return body + primes
    words = "_".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", body)))
    return (words if words.isidentifier() else f"x_{words}".rstrip("_")) + primes


@dataclass(frozen=True)
class _Role:
    """What a parameter is in its layer: its letter and subscript, and the family in which layers are numbered.

    `depth` counts the layers of a recurrent network from 1; that of other parameters is 0.
    """

    base: str
    sub: str
    family: str
    layer: str
    depth: int = 0


def layer_symbols(parameters: Iterable[Expr], above: Mapping[Expr, Sequence[Expr]]) -> dict[Expr, Symbol]:
    """Symbols for the parameters of layers, numbered in the order in which the layers come.

    `weight` is W and `bias` b; γ and β where a normalisation takes them (one of the operations `above` the parameter),
    E for a table that is looked up. What else the name says is a subscript: `weight_ih_l0` is W_ih, `in_proj_weight`
    W_in. Layers that have the same symbols are numbered; the number is left out where there is only one. Those of a
    recurrent network have their numbers above, and what runs backward has a prime: `weight_ih_l1_reverse` is W′⁽²⁾_ih.
    """
    roles: dict[Expr, _Role] = {}
    times: Counter[str] = Counter()
    parameters = list(parameters)
    normalised = {layer for name in map(str, (p.name for p in parameters)) for layer in _layer_of_statistics(name)}
    for parameter in parameters:
        name = str(parameter.name)
        if is_plain(name) and not {"weight", "bias"} & set(name.split("_")):
            continue
        repeated = str(times[name]) if is_plain(name) and times[name] else ""  # another layer that nobody named
        times[name] += 1
        users = [user.op for user in above.get(parameter, ())]
        norm = any(op.endswith("_norm") for op in users) or name.rpartition(".")[0] in normalised
        roles[parameter] = _role(name, repeated, norm, "gather" in users)
    layers: dict[str, list[str]] = {}
    for role in roles.values():
        if role.layer not in layers.setdefault(role.family, []):
            layers[role.family].append(role.layer)
    result: dict[Expr, Symbol] = {}
    deep = {(role.family, role.layer) for role in roles.values() if role.depth > 1}
    for parameter, role in roles.items():
        members = layers[role.family]
        number = str(members.index(role.layer) + 1) if len(members) > 1 else ""
        base = numbered(role.base, role.depth) if (role.family, role.layer) in deep else role.base
        result[parameter] = Symbol(base, ",".join(filter(None, (role.sub, number))))
    return result


def _layer_of_statistics(name: str) -> list[str]:
    """The layer of a mean that was collected in training: in evaluation it tells which layers are norms."""
    layer, _, role = name.rpartition(".")
    return [layer] if role == "running_mean" else []


def _role(name: str, repeated: str, norm: bool, table: bool) -> _Role:
    layer, _, role = name.rpartition(".")
    words = [word for word in role.split("_") if word]
    outer, _, own = layer.rpartition(".")
    if own.endswith("_proj"):  # a projection is a part of the layer around it
        layer, words = outer, [*words, *own.split("_")]
    depth = next((word for word in words if re.fullmatch(r"l\d+", word)), "")
    kind = "weight" if "weight" in words else "bias" if "bias" in words else ""
    backward = "reverse" in words and bool(depth)
    sub = ",".join(word for word in words if word not in (kind, "proj", depth, "reverse" if depth else ""))
    if not kind:
        plain = symbol(readable(role))
        return _Role(plain.base, plain.sub, plain.base, layer)
    if norm:
        return _Role("γ" if kind == "weight" else "β", sub, "norm", layer + repeated)
    if table and kind == "weight":
        return _Role("E", sub, "table", layer + repeated)
    letter = ("W" if kind == "weight" else "b") + "′" * backward
    return _Role(letter, sub, "part" if sub else "", layer + repeated, int(depth[1:]) + 1 if depth else 0)


def letter_of_steps(length: Dim) -> str:
    """What counts the steps of a loop: the letter of a named length, else t."""
    return length.lower() if isinstance(length, str) and length.isalpha() and len(length) == 1 else "t"


def positions() -> str:
    """The letters of axes without a name, in order: i, j, k …"""
    return _positions.get()


@contextmanager
def letters_beside(symbols: Iterable[Symbol]) -> Iterator[None]:
    """While a formula is written or read that has these symbols: no index has the letter of one of them, nor has π."""
    taken = {symbol.base for symbol in symbols if not symbol.sub}
    letters = _positions.set("".join(letter for letter in POSITIONS if letter not in taken))
    pi = _pi_is_free.set("π" not in taken)
    yield
    _positions.reset(letters)
    _pi_is_free.reset(pi)


def pi_is_free() -> bool:
    """Whether π means 3.14159…, and not one of the symbols."""
    return _pi_is_free.get()


def axis_letter(dim: Dim, axis: int) -> str:
    """The index letter of an axis: n for a named dimension N, else i, j, k… by position."""
    if isinstance(dim, str) and dim.isidentifier():
        return dim.lower()
    own = positions()
    return own[axis] if axis < len(own) else f"i{axis}"


def letters(shape: Shape) -> tuple[str, ...]:
    """The index letter of each axis: n for a named dimension N, else i, j, k… by position, nothing where the size is 1.

    Axes of size 1 are not counted, as they are not written. A second axis of the same named dimension has n′.
    """
    result: list[str] = []
    position = 0
    for dim in shape:
        letter = "" if dim == 1 else axis_letter(dim, position)
        while letter and letter in result:
            letter += "′"
        result.append(letter)
        position += dim != 1
    return tuple(result)


def axis_letters(node: Expr, axes: Iterable[int]) -> tuple[str, ...]:
    """Index letters of some axes of a node; axes of size 1 have none."""
    own = letters(node.shape)
    return tuple(own[axis] for axis in axes if own[axis])
