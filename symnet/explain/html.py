"""A derivation as HTML: one page that needs nothing else, or a fragment for notebooks."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from symnet.errors import FileError
from symnet.explain import mathml, text

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation
    from symnet.explain.formula import Equation, Formula
    from symnet.explain.steps import StepView

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
math { font-size: 1.1em; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.equation { margin: .5rem 0 .5rem 1rem; }
ol li { margin: .7rem 0; }
.rule { font-weight: 600; } .reason { color: #666; } .through { color: #666; margin-left: 1rem; }
.stabilising .rule { color: #06638a; } .subgradient .rule { color: #9a5b00; }
"""


def write(derivation: Derivation, path: Path) -> Path:
    """Write the page; `FileError` when that is not possible."""
    title = f"Derivative of {escape(text.write(derivation.context.loss))}"
    body = f"<h1>{title}</h1>\n{fragment(derivation)}\n{_steps(derivation.views)}"
    page = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise FileError(f"cannot write the report {str(path)!r}: {error.strerror or error}") from error
    return path


def fragment(derivation: Derivation) -> str:
    """The formulas and what they mention."""
    parts = [*map(_equation, derivation.formulas)]
    if derivation.where:
        parts += ["<h2>where</h2>", *map(_equation, (*derivation.where, *derivation.functions))]
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


def _steps(views: list[StepView]) -> str:
    items = "\n".join(map(_step, views))
    return f"<h2>Derivation ({len(views)} steps)</h2>\n<ol>\n{items}\n</ol>"


def _step(view: StepView) -> str:
    through = f'<span class="through">from {mathml.document(view.through)}</span>' if view.through is not None else ""
    return (
        f'<li class="{view.step.kind}"><span class="rule">{escape(view.rule)}</span>: '
        f"{mathml.equation(view.left, view.sign, view.right)}{through}<br>"
        f'<span class="reason">{escape(view.reason)}</span></li>'
    )
