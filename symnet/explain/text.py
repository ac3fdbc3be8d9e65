"""Formulas in Unicode, on one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from symnet.explain import notation as n
from symnet.explain import parentheses as places
from symnet.explain.notation import Form, Level
from symnet.explain.parentheses import Placed

_SUPERSCRIPTS = str.maketrans("0123456789−-+()nit", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻⁺⁽⁾ⁿⁱᵗ")
_SUBSCRIPTS = dict(zip("0123456789+-−()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True))
_SUBSCRIPTS["′"] = "′"
_RELATIONS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "and": "∧", "or": "∨"}
_PRODUCTS = {"matrix": " ", "hadamard": " ⊙ ", "scale": " ", "dot": " · ", "kron": " ⊗ "}
_BOLD = str.maketrans("0123456789", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")


def write(form: Form) -> str:
    """`form` in Unicode."""
    return _WRITERS[type(form)](form)


def subscript(text: str, joined: bool = True) -> str:
    """`text` as a subscript: in small letters where Unicode has them, else after an underscore.

    Letters in a row need no commas if `joined`: Σₙⱼ, but s_{t,m}.
    """
    if not text:
        return ""
    parts = text.split(",")
    if len(parts) == 2 and parts[0].isdigit() and re.fullmatch(r"[a-z]([+−]1)?", parts[1]):
        return subscript(parts[0]) + subscript(parts[1])  # the second of several values, at step t: u₂ₜ
    if joined and all(part[:1].isalpha() and not part[1:].strip("′") for part in parts):
        parts = ["".join(parts)]
    short = len(parts) == 1 and (len(text) <= 2 or not text.replace("′", "").isalpha() or "," in text)
    if short and all(letter in _SUBSCRIPTS for letter in parts[0]):
        return "".join(_SUBSCRIPTS[letter] for letter in parts[0])
    return f"_{text}" if text.isalnum() or text.isidentifier() else f"_{{{text}}}"


def _settings(text: str) -> str:
    return f"_{{{text}}}" if text else ""


def _place(placed: Placed) -> str:
    return f"({write(placed.form)})" if placed.fenced else write(placed.form)


def _at(form: Form, level: Level) -> str:
    return _place(places.at(form, level))


def _list(forms: tuple[Form, ...]) -> str:
    return ", ".join(map(write, forms))


def _sum(form: n.Sum) -> str:
    text = ""
    for placed, positive in places.signed_terms(form):
        sign = (" + " if positive else " − ") if text else ("" if positive else "−")
        text += sign + _place(placed)
    return text


def _product(form: n.Product) -> str:
    return _PRODUCTS[form.kind].join(map(_place, places.factors(form)))


def _power(form: n.Power) -> str:
    base, mark = _at(form.base, Level.ATOM), "∘" if form.hadamard else ""
    exponent = write(form.exponent)
    plain = isinstance(form.exponent, n.Number) and all(c in "0123456789−" for c in exponent)
    plain = plain or (isinstance(form.exponent, n.Symbol) and exponent == "t")
    if plain and (not mark or len(exponent) == 1):
        return base + mark + exponent.translate(_SUPERSCRIPTS)
    exponent = exponent if n.binding(form.exponent) == Level.ATOM else f"({exponent})"
    return f"{base}^{mark}{exponent}"


def _big(form: n.Big) -> str:
    return f"{form.sign}{subscript(','.join(form.indices))} {_at(form.body, Level.BIG)}"


def _relation(form: n.Relation) -> str:
    return f"{_at(form.left, form.inside)} {_RELATIONS.get(form.sign, form.sign)} {_at(form.right, form.inside)}"


def _root(form: n.Root) -> str:
    return "√" + (write(form.body) if isinstance(form.body, (n.Symbol, n.Number, n.Call)) else f"({write(form.body)})")


def _range(form: n.Range) -> str:
    return f"{form.start}:{form.stop}" + (f":{form.step}" if form.step else "")


def _arrow(form: n.Arrow) -> str:
    text = f"{_tuple(form.left)} ↦ {_tuple(form.right)}" if form.left else _tuple(form.right)
    equations = ", ".join(f"{write(left)} = {write(right)}" for left, right in form.where)
    return f"{{{text} with {equations}}}" if equations else text


def _tuple(forms: tuple[Form, ...]) -> str:
    return write(forms[0]) if len(forms) == 1 else f"({_list(forms)})"


def _index(form: n.Index) -> str:
    return f"{_at(form.base, Level.ATOM)}[{_list(form.parts)}]"


_WRITERS: dict[type[Form], Callable[[Any], str]] = {
    n.Symbol: lambda f: f.base + subscript(f.sub, joined=False),
    n.Number: lambda f: f.text.translate(_BOLD) if f.bold else f.text,
    n.Partial: lambda f: f"∂{write(f.top)}/∂{_place(places.variable(f))}",
    n.Sum: _sum,
    n.Product: _product,
    n.Convolution: lambda f: (
        f"{_at(f.left, Level.POSTFIX)} {f.sign}{_settings(f.settings)} {_at(f.right, Level.POSTFIX)}"
    ),
    n.Quotient: lambda f: f"{_place(places.numerator(f))} / {_place(places.denominator(f))}",
    n.Negative: lambda f: f"−{_at(f.body, Level.BIG)}",
    n.Power: _power,
    n.Transposed: lambda f: f"{_at(f.body, Level.ATOM)}ᵀ",
    n.Inverse: lambda f: f"{_at(f.body, Level.ATOM)}{'⁻ᵀ' if f.transposed else '⁻¹'}",
    n.Call: lambda f: f"{f.function}{subscript(f.sub)}({_list(f.arguments)})",
    n.Big: _big,
    n.Relation: _relation,
    n.Indicator: lambda f: f"1[{write(f.condition)}]",
    n.Fence: lambda f: f"{f.left}{write(f.body)}{f.right}{subscript(f.sub)}",
    n.Root: _root,
    n.Index: _index,
    n.Entries: lambda f: f"({write(f.body)}){subscript(','.join(f.indices))}",
    n.Range: _range,
    n.Position: lambda f: f.text,
    n.Extent: lambda f: "×".join(_at(size, Level.PRODUCT) for size in f.sizes) or "1",
    n.Vector: lambda f: f"[{_list(f.elements)}]",
    n.Arrow: _arrow,
    n.Stepwise: lambda f: f"{write(f.body)},  {f.index} = {write(f.first)} … {write(f.last)}",
    n.Code: lambda f: f.text,
    n.Words: lambda f: f.text,
    n.Cut: lambda f: "…",
}
