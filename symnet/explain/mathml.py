"""Formulas in MathML (Core), which browsers show without any library."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from symnet.explain import notation as n
from symnet.explain import parentheses as places
from symnet.explain.notation import Form, Level
from symnet.explain.parentheses import Placed

_RELATIONS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "and": "∧", "or": "∨"}
_TRANSPOSED = '<mi mathvariant="normal">T</mi>'
_PRODUCTS = {"matrix": "⁢", "hadamard": "⊙", "scale": "⁢", "dot": "·", "kron": "⊗"}


def document(form: Form) -> str:
    """A `<math>` element."""
    return f"<math>{write(form)}</math>"


def equation(left: Form, sign: str, right: Form) -> str:
    """left sign right as a `<math>` element."""
    return f"<math>{row(write(left), operator(sign), write(right))}</math>"


def write(form: Form) -> str:
    """`form` as one MathML element."""
    return _WRITERS[type(form)](form)


def row(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def operator(sign: str) -> str:
    return f"<mo>{escape(sign)}</mo>"


def _identifier(text: str) -> str:
    if text.endswith((n.BAR, n.HAT)):
        return f"<mover>{_identifier(text[:-1])}<mo>{'¯' if text.endswith(n.BAR) else '^'}</mo></mover>"
    letter, primes, number = n.base_parts(text)
    if primes or number:  # a letter with a prime is still a letter, so it is set in italics
        return f"<msup>{_identifier(letter)}{_raised(primes, number)}</msup>"
    return f"<mi>{escape(text)}</mi>"


def _raised(primes: str, number: str) -> str:
    parts = [operator(primes)] if primes else []
    return row(*parts, _fenced(_number(number))) if number else parts[0]


def _number(text: str) -> str:
    return f"<mn>{escape(text)}</mn>"


def _fenced(*parts: str, left: str = "(", right: str = ")") -> str:
    return row(operator(left), *parts, operator(right))


def _with_subscript(base: str, sub: str) -> str:
    if not sub:
        return base
    return f"<msub>{base}{_subscript(sub)}</msub>"


def _symbol(form: n.Symbol) -> str:
    letter, primes, number = n.base_parts(form.base)
    if not form.sub or not (primes or number):
        return _with_subscript(_identifier(form.base), form.sub)
    return f"<msubsup>{_identifier(letter)}{_subscript(form.sub)}{_raised(primes, number)}</msubsup>"


def _subscript(sub: str) -> str:
    return row(*_separated([_index(part) for part in sub.split(",")]))


def _index(part: str) -> str:
    """A part of a subscript: a name, or a sum as in t−1."""
    if re.search("[+−]", part):
        return row(*map(_piece, n.Position(part).pieces))
    return _number(part) if part.isdigit() else _identifier(part)


def _separated(parts: list[str]) -> list[str]:
    return [piece for i, part in enumerate(parts) for piece in (([operator(",")] if i else []) + [part])]


def _place(placed: Placed) -> str:
    return _fenced(write(placed.form)) if placed.fenced else write(placed.form)


def _at(form: Form, level: Level) -> str:
    return _place(places.at(form, level))


def _list(forms: tuple[Form, ...]) -> list[str]:
    return _separated([write(form) for form in forms])


def _sum(form: n.Sum) -> str:
    parts: list[str] = []
    for placed, positive in places.signed_terms(form):
        if parts or not positive:
            parts.append(operator("+" if positive else "−"))
        parts.append(_place(placed))
    return row(*parts)


def _product(form: n.Product) -> str:
    parts: list[str] = []
    for position, placed in enumerate(places.factors(form)):
        sign = _PRODUCTS[form.kind]
        parts += [operator(sign)] if position else []
        parts.append(_place(placed))
        if position < len(form.factors) - 1 and sign == "⁢":
            parts.append('<mspace width="0.17em"/>')
    return row(*parts)


def _convolution(form: n.Convolution) -> str:
    sign = operator(form.sign[0])
    if form.sign.endswith("ᵀ"):
        sign = f"<msup>{sign}{_TRANSPOSED}</msup>"
    return row(_at(form.left, Level.POSTFIX), _with_subscript(sign, form.settings), _at(form.right, Level.POSTFIX))


def _call(form: n.Call) -> str:
    name = _with_subscript(_identifier(form.function), form.sub)
    return row(name, operator("⁡"), _fenced(*_list(form.arguments)))


def _big(form: n.Big) -> str:
    sign = operator({"Σ": "∑"}.get(form.sign, form.sign))
    if form.indices:
        sign = f"<munder>{sign}{row(*_separated([_identifier(index) for index in form.indices]))}</munder>"
    return row(sign, _at(form.body, Level.BIG))


def _relation(form: n.Relation) -> str:
    sign = operator(_RELATIONS.get(form.sign, form.sign))
    return row(_at(form.left, form.inside), sign, _at(form.right, form.inside))


def _partial(form: n.Partial) -> str:
    top, bottom = row(operator("∂"), write(form.top)), row(operator("∂"), _place(places.variable(form)))
    return f"<mfrac>{top}{bottom}</mfrac>"


def _power(form: n.Power) -> str:
    exponent = row(operator("∘"), write(form.exponent)) if form.hadamard else write(form.exponent)
    return f"<msup>{_at(form.base, Level.ATOM)}{exponent}</msup>"


def _range(form: n.Range) -> str:
    parts = [form.start, form.stop, *([form.step] if form.step else [])]
    return row(operator(":").join(_identifier(part) if part else "" for part in parts))


def _piece(piece: str) -> str:
    return _identifier(piece) if piece.isalpha() else _number(piece) if piece.isdigit() else operator(piece)


def _arrow(form: n.Arrow) -> str:
    parts = [*([_tuple(form.left), operator("↦")] if form.left else []), _tuple(form.right)]
    for position, (left, right) in enumerate(form.where):
        parts += ["<mtext> with </mtext>" if position == 0 else operator(",")]
        parts += [write(left), operator("="), write(right)]
    return _fenced(*parts, left="{", right="}") if form.where else row(*parts)


def _tuple(forms: tuple[Form, ...]) -> str:
    return write(forms[0]) if len(forms) == 1 else _fenced(*_list(forms))


_WRITERS: dict[type[Form], Callable[[Any], str]] = {
    n.Symbol: _symbol,
    n.Number: lambda f: f'<mn style="font-weight:bold">{escape(f.text)}</mn>' if f.bold else _number(f.text),
    n.Partial: _partial,
    n.Sum: _sum,
    n.Product: _product,
    n.Convolution: _convolution,
    n.Quotient: lambda f: f"<mfrac>{write(f.numerator)}{write(f.denominator)}</mfrac>",
    n.Negative: lambda f: row(operator("−"), _at(f.body, Level.BIG)),
    n.Power: _power,
    n.Transposed: lambda f: f"<msup>{_at(f.body, Level.ATOM)}{_TRANSPOSED}</msup>",
    n.Inverse: lambda f: (
        f"<msup>{_at(f.body, Level.ATOM)}{row(operator('−'), _TRANSPOSED if f.transposed else _number('1'))}</msup>"
    ),
    n.Call: _call,
    n.Big: _big,
    n.Relation: _relation,
    n.Indicator: lambda f: row(_number("𝟏"), _fenced(write(f.condition), left="[", right="]")),
    n.Fence: lambda f: _with_subscript(_fenced(write(f.body), left=f.left, right=f.right), f.sub),
    n.Root: lambda f: f"<msqrt>{write(f.body)}</msqrt>",
    n.Index: lambda f: row(_at(f.base, Level.ATOM), _fenced(*_list(f.parts), left="[", right="]")),
    n.Entries: lambda f: _with_subscript(_fenced(write(f.body)), ",".join(f.indices)),
    n.Range: _range,
    n.Position: lambda f: row(*map(_piece, f.pieces)),
    n.Extent: lambda f: row(operator("×").join(_at(size, Level.PRODUCT) for size in f.sizes) or _number("1")),
    n.Vector: lambda f: _fenced(*_list(f.elements), left="[", right="]"),
    n.Arrow: _arrow,
    n.Stepwise: lambda f: row(
        write(f.body),
        '<mo>,</mo><mspace width="1em"/>',
        _identifier(f.index),
        operator("="),
        write(f.first),
        operator(","),
        operator("…"),
        operator(","),
        write(f.last),
    ),
    n.Code: lambda f: f'<mtext style="font-family:monospace">{escape(f.text)}</mtext>',
    n.Words: lambda f: f"<mtext>{escape(f.text)}</mtext>",
    n.Cut: lambda f: operator("…"),
}
