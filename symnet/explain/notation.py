"""Formulas as trees: what is written, before it is decided in which alphabet.

The operations of the graph become these few forms (`operations.py`), and `text.py`, `latex.py` and `mathml.py` write
them down. How tightly each form binds is settled here, and by `parentheses.py` what stands in parentheses.

What changes no value is not written: a cast between number types, axes of size 1, broadcasting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar

BAR = "\u0304"  # ends the letter of a cotangent: h̄
HAT = "\u0302"  # ends the letter of an estimate, m̂, and of what is standardized, x̂
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_BASE = re.compile(r"(?P<letter>[^′⁽]+)(?P<primes>′*)(⁽(?P<number>[⁰¹²³⁴⁵⁶⁷⁸⁹]+)⁾)?")
_PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


class Level(IntEnum):
    """How tightly a form binds; an operand that binds less tightly than its place asks for gets parentheses."""

    OR = 0
    AND = 1
    COMPARE = 2
    SUM = 3
    NEGATIVE = 4
    BIG = 5  # Σₙ …
    PRODUCT = 6
    POSTFIX = 8  # xᵀ, x²
    ATOM = 9


@dataclass(frozen=True)
class Form:
    """Any formula."""

    level: ClassVar[Level] = Level.ATOM


@dataclass(frozen=True)
class Symbol(Form):
    """A name: `base` with an optional subscript; of a `symmetric` matrix no transpose is written.

    The base is a letter or a word, maybe with primes and the number of a layer: h′⁽²⁾.
    """

    base: str
    sub: str = ""
    symmetric: bool = field(default=False, compare=False)


def numbered(base: str, number: int) -> str:
    """The letter of layer `number`: h⁽²⁾."""
    return f"{base}⁽{str(number).translate(_RAISED)}⁾"


def base_parts(base: str) -> tuple[str, str, str]:
    """The letter of a symbol's base (with its bar or hat), its primes, and the number of its layer or nothing."""
    match = _BASE.fullmatch(base)
    return (match["letter"], match["primes"], (match["number"] or "").translate(_PLAIN)) if match else (base, "", "")


def barred(base: str) -> str:
    """The base with a bar over its letter: h̄′⁽²⁾."""
    letter = base_parts(base)[0]
    return letter + BAR + base[len(letter) :]


@dataclass(frozen=True)
class Number(Form):
    """A constant as written; `bold` for an array filled with it."""

    text: str
    bold: bool = False

    @property
    def binds(self) -> Level:
        return Level.NEGATIVE if self.text.startswith("−") else Level.ATOM


@dataclass(frozen=True)
class Partial(Form):
    """∂top/∂bottom."""

    top: Symbol
    bottom: Form


@dataclass(frozen=True)
class Sum(Form):
    """Terms with their signs: (a, +), (b, −) is a − b."""

    terms: tuple[tuple[Form, bool], ...]
    level = Level.SUM


@dataclass(frozen=True)
class Product(Form):
    """Factors side by side.

    kind: "matrix" (a b), "hadamard" (a ⊙ b, element by element), "scale" (a number times the rest: α b),
    "dot" (u · v, the inner product of two vectors) or "kron" (a ⊗ b, the Kronecker product).
    """

    kind: str
    factors: tuple[Form, ...]
    level = Level.PRODUCT


@dataclass(frozen=True)
class Convolution(Form):
    """left ∗ right, or one of the adjoints ∗ᵀ and ⋆; `settings` says where the windows lie (`windows.py`)."""

    sign: str
    left: Form
    right: Form
    settings: str
    level = Level.PRODUCT


@dataclass(frozen=True)
class Quotient(Form):
    """numerator / denominator; `scalar` when the denominator is a number, so that it applies to a whole product."""

    numerator: Form
    denominator: Form
    scalar: bool
    level = Level.PRODUCT


@dataclass(frozen=True)
class Negative(Form):
    """−body."""

    body: Form
    level = Level.NEGATIVE


@dataclass(frozen=True)
class Power(Form):
    """base to the exponent, element by element (`∘` marks it for matrices, where A² means A A)."""

    base: Form
    exponent: Form
    hadamard: bool = False
    level = Level.POSTFIX


@dataclass(frozen=True)
class Transposed(Form):
    """bodyᵀ."""

    body: Form
    level = Level.POSTFIX


@dataclass(frozen=True)
class Inverse(Form):
    """body⁻¹, the inverse of a matrix; `transposed` makes it body⁻ᵀ (of a `symmetric` body that is body⁻¹ as well)."""

    body: Form
    transposed: bool = False
    symmetric: bool = False
    level = Level.POSTFIX


@dataclass(frozen=True)
class Call(Form):
    """function(arguments), with an optional subscript on the function's name."""

    function: str
    arguments: tuple[Form, ...]
    sub: str = ""


@dataclass(frozen=True)
class Big(Form):
    """Σ or ∏ over `indices` (shown below the sign) of the body."""

    sign: str
    indices: tuple[str, ...]
    body: Form
    level = Level.BIG


@dataclass(frozen=True)
class Relation(Form):
    """left sign right; `level` depends on the sign: comparisons, and, or."""

    sign: str
    left: Form
    right: Form

    @property
    def binds(self) -> Level:
        return {"and": Level.AND, "or": Level.OR}.get(self.sign, Level.COMPARE)

    @property
    def inside(self) -> Level:
        """What the operands are asked for: (t - 20) mod 14, but t - 20 < 14."""
        return {"and": Level.AND, "or": Level.OR, "mod": Level.POSTFIX}.get(self.sign, Level.SUM)


@dataclass(frozen=True)
class Indicator(Form):
    """1 where the condition holds and 0 elsewhere."""

    condition: Form


@dataclass(frozen=True)
class Fence(Form):
    """The body between two signs, with an optional subscript behind them: |x|, ⌊x⌋, ‖x‖ⱼ."""

    left: str
    right: str
    body: Form
    sub: str = ""


@dataclass(frozen=True)
class Root(Form):
    """√body."""

    body: Form


@dataclass(frozen=True)
class Index(Form):
    """base[parts]: elements of an array."""

    base: Form
    parts: tuple[Form, ...]


@dataclass(frozen=True)
class Entries(Form):
    """The array whose entry at `indices` is the body: (Σₖ …)ᵢⱼ."""

    body: Form
    indices: tuple[str, ...]


@dataclass(frozen=True)
class Range(Form):
    """start:stop:step in an index; empty parts are not written."""

    start: str = ""
    stop: str = ""
    step: str = ""


@dataclass(frozen=True)
class Position(Form):
    """An index that is a sum of others, written without spaces: 2j+l−1."""

    text: str

    @property
    def pieces(self) -> list[str]:
        """Its letters, numbers and signs."""
        return re.findall(r"[^\W\d]+|\d+|[+−]", self.text)


@dataclass(frozen=True)
class Extent(Form):
    """The shape of an array: N×10."""

    sizes: tuple[Form, ...]


@dataclass(frozen=True)
class Vector(Form):
    """A short array with its elements written out."""

    elements: tuple[Form, ...]


@dataclass(frozen=True)
class Arrow(Form):
    """left ↦ right, the body of a loop, with equations for what it repeats; without left, right alone."""

    left: tuple[Form, ...]
    right: tuple[Form, ...]
    where: tuple[tuple[Form, Form], ...] = ()
    level = Level.OR


@dataclass(frozen=True)
class Stepwise(Form):
    """body, index = first … last: the last equation of a loop."""

    body: Form
    index: str
    first: Form
    last: Form
    level = Level.OR


@dataclass(frozen=True)
class Code(Form):
    """A name as it is in a program, where it cannot be a symbol: 0.weight."""

    text: str


@dataclass(frozen=True)
class Words(Form):
    """A few words, in a legend."""

    text: str


@dataclass(frozen=True)
class Cut(Form):
    """… where a formula is broken off in a step of a derivation."""


def binding(form: Form) -> Level:
    """How tightly `form` binds."""
    return form.binds if isinstance(form, (Number, Relation)) else form.level
