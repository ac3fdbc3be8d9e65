"""Formulas as HTML: fragments for notebooks, and the page of a derivation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from symnet.explain import mathml, text

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation
    from symnet.explain.formula import Equation, Formula


def write(derivation: Derivation, path: Path) -> Path:
    """Write the page of a report, without machine code; `FileError` when it cannot be written."""
    from symnet.report import derivation_document
    from symnet.report.page import write as write_page

    title = f"Derivative of {text.write(derivation.context.loss)}"
    return write_page(derivation_document(derivation, title), path)


def fragment(derivation: Derivation) -> str:
    """The formulas and what they mention."""
    parts = [*map(_equation, derivation.formulas)]
    if derivation.where:
        parts += ["<h2>where</h2>", *map(_equation, derivation.where)]
    if derivation.legend:
        parts.append("<h2>with</h2>")
        parts += [f'<p class="equation">{mathml.equation(left, "=", right)}</p>' for left, right in derivation.legend]
    return "\n".join(parts)


def formula(value: Formula) -> str:
    """One expression's formula, with what it mentions."""
    lines = [f"<p>{mathml.document(value.right)}</p>"]
    if value.where:
        lines += ["<p>where</p>", *map(_equation, value.where)]
    return "\n".join(lines)


def _equation(equation: Equation) -> str:
    return f'<p class="equation">{mathml.equation(equation.left, "=", equation.right)}</p>'
