"""Formulas in LaTeX (amsmath)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from symnet.explain import notation as n
from symnet.explain import parentheses as places
from symnet.explain.notation import Form, Level
from symnet.explain.parentheses import Placed

GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma",
    "τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta",
    "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_RELATIONS = {
    "==": "=", "!=": r"\neq", "<=": r"\leq", ">=": r"\geq", "<": "<", ">": ">", "and": r"\wedge", "or": r"\vee",
    "mod": r"\;\mathrm{mod}\;",
}  # fmt: skip
_PRODUCTS = {"matrix": r" \, ", "hadamard": r" \odot ", "scale": r" \, ", "dot": r" \cdot ", "kron": r" \otimes "}
_FENCES = {"|": "|", "‖": r"\|", "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil"}
_BUILT_IN = {"exp", "log", "sin", "cos", "tanh", "max", "min"}
_ESCAPES = str.maketrans({**{c: "\\" + c for c in "_%&#${}"}, "′": "'"})


def write(form: Form) -> str:
    """`form` in LaTeX, without delimiters."""
    return _WRITERS[type(form)](form)


def name(text: str) -> str:
    """A name: one letter in italics, a Greek letter by its command, a word upright."""
    if text in GREEK:
        return "\\" + GREEK[text]
    if "×" in text:
        return r" \times ".join(map(name, text.split("×")))
    if len(text) == 1 or text.isdigit():
        return text.translate(_ESCAPES)
    letter, primes, number = n.base_parts(text)
    if primes or number:
        return name(letter) + "'" * len(primes) + (f"^{{({number})}}" if number else "")
    if text.endswith((n.BAR, n.HAT)):
        return rf"\{'bar' if text.endswith(n.BAR) else 'hat'}{{{name(text[:-1])}}}"
    if "ℓ" in text:
        text = text.replace("ℓ", "l")
    return rf"\mathrm{{{text.translate(_ESCAPES)}}}"


def escaped(text: str) -> str:
    """Plain text for LaTeX."""
    return text.translate(_ESCAPES)


def _subscript(text: str) -> str:
    if not text:
        return ""
    return "_{" + ",".join(_position(part) for part in text.split(",")) + "}"


def _position(text: str) -> str:
    """A part of a subscript: a name, or a sum as in t−1."""
    return "".join(map(_piece, n.Position(text).pieces)) if re.search("[+−]", text) else name(text)


def _fenced(body: str) -> str:
    return rf"\left({body}\right)"


def _place(placed: Placed) -> str:
    return _fenced(write(placed.form)) if placed.fenced else write(placed.form)


def _at(form: Form, level: Level) -> str:
    return _place(places.at(form, level))


def _list(forms: tuple[Form, ...]) -> str:
    return ", ".join(map(write, forms))


def _number(form: n.Number) -> str:
    text = form.text.replace("−", "-").replace("∞", r"\infty ").replace("nan", r"\mathrm{nan}")
    mantissa, _, exponent = text.partition("e")
    if exponent:
        text = rf"{mantissa} \cdot 10^{{{exponent}}}"
    return rf"\mathbf{{{text}}}" if form.bold else text


def _sum(form: n.Sum) -> str:
    text = ""
    for placed, positive in places.signed_terms(form):
        sign = (" + " if positive else " - ") if text else ("" if positive else "-")
        text += sign + _place(placed)
    return text


def _call(form: n.Call) -> str:
    letter = form.function.removeprefix("log")
    if letter in GREEK:
        function = "\\" + GREEK[letter] if letter == form.function else "\\log\\" + GREEK[letter]
    elif form.function in _BUILT_IN:
        function = "\\" + form.function
    else:
        function = rf"\operatorname{{{form.function.translate(_ESCAPES)}}}"
    return rf"{function}{_subscript(form.sub)}{_fenced(_list(form.arguments))}"


def _convolution(form: n.Convolution) -> str:
    sign = {"∗": r"\ast", "∗ᵀ": r"\ast^{\mathsf{T}}", "⋆": r"\star"}[form.sign]
    return rf"{_at(form.left, Level.POSTFIX)} {sign}{_subscript(form.settings)} {_at(form.right, Level.POSTFIX)}"


def _quotient(form: n.Quotient) -> str:
    return rf"\frac{{{write(form.numerator)}}}{{{write(form.denominator)}}}"


def _power(form: n.Power) -> str:
    mark = r"\circ " if form.hadamard else ""
    return f"{_raised(form.base)}^{{{mark}{write(form.exponent)}}}"


def _raised(base: Form) -> str:
    """What carries a superscript: in braces unless it is a symbol that has none itself."""
    plain = isinstance(base, n.Symbol) and not any(n.base_parts(base.base)[1:])
    return write(base) if plain else f"{{{_at(base, Level.ATOM)}}}"


def _big(form: n.Big) -> str:
    sign = {"Σ": r"\sum", "∏": r"\prod"}[form.sign]
    return f"{sign}{_subscript(','.join(form.indices))} {_at(form.body, Level.BIG)}"


def _relation(form: n.Relation) -> str:
    return f"{_at(form.left, form.inside)} {_RELATIONS[form.sign]} {_at(form.right, form.inside)}"


def _fence(form: n.Fence) -> str:
    return rf"\left{_FENCES[form.left]} {write(form.body)} \right{_FENCES[form.right]}{_subscript(form.sub)}"


def _range(form: n.Range) -> str:
    parts = [form.start, form.stop, *([form.step] if form.step else [])]
    return "{:}".join(part.replace("−", "-").replace("*", r" \cdot ") for part in parts)


def _piece(piece: str) -> str:
    return name(piece) if piece.isalpha() else piece.replace("−", "-")


def _arrow(form: n.Arrow) -> str:
    text = rf"{_tuple(form.left)} \mapsto {_tuple(form.right)}" if form.left else _tuple(form.right)
    equations = ",\\; ".join(f"{write(left)} = {write(right)}" for left, right in form.where)
    return rf"\left\{{{text} \;\text{{with}}\; {equations}\right\}}" if equations else text


def _tuple(forms: tuple[Form, ...]) -> str:
    return write(forms[0]) if len(forms) == 1 else _fenced(_list(forms))


def _partial(form: n.Partial) -> str:
    return rf"\frac{{\partial {write(form.top)}}}{{\partial {_place(places.variable(form))}}}"


_WRITERS: dict[type[Form], Callable[[Any], str]] = {
    n.Symbol: lambda f: name(f.base) + _subscript(f.sub),
    n.Number: _number,
    n.Partial: _partial,
    n.Sum: _sum,
    n.Product: lambda f: _PRODUCTS[f.kind].join(map(_place, places.factors(f))),
    n.Convolution: _convolution,
    n.Quotient: _quotient,
    n.Negative: lambda f: f"-{_at(f.body, Level.BIG)}",
    n.Power: _power,
    n.Transposed: lambda f: f"{_raised(f.body)}^{{\\mathsf{{T}}}}",
    n.Inverse: lambda f: _raised(f.body) + (r"^{-\mathsf{T}}" if f.transposed else "^{-1}"),
    n.Call: _call,
    n.Big: _big,
    n.Relation: _relation,
    n.Indicator: lambda f: rf"\mathbf{{1}}\left[{write(f.condition)}\right]",
    n.Fence: _fence,
    n.Root: lambda f: rf"\sqrt{{{write(f.body)}}}",
    n.Index: lambda f: rf"{_at(f.base, Level.ATOM)}\left[{_list(f.parts)}\right]",
    n.Entries: lambda f: _fenced(write(f.body)) + _subscript(",".join(f.indices)),
    n.Range: _range,
    n.Position: lambda f: "".join(_piece(piece) for piece in f.pieces),
    n.Extent: lambda f: r" \times ".join(_at(size, Level.PRODUCT) for size in f.sizes) or "1",
    n.Vector: lambda f: rf"\left[{_list(f.elements)}\right]",
    n.Arrow: _arrow,
    n.Stepwise: lambda f: rf"{write(f.body)}, \quad {name(f.index)} = {write(f.first)}, \ldots, {write(f.last)}",
    n.Code: lambda f: rf"\texttt{{{escaped(f.text)}}}",
    n.Words: lambda f: rf"\text{{{escaped(f.text)}}}",
    n.Cut: lambda f: r"\ldots",
}
