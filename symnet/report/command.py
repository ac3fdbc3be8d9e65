"""`symnet explain MODEL.py`: the formulas of a script's loss as text, or its report as a page."""

from __future__ import annotations

from collections.abc import Sequence

from symnet.explain.levels import Level
from symnet.model_file import run
from symnet.report.writing import by_all_parameters, report


def explain(
    script: str, arguments: Sequence[str], html: str | None, name: str | None, level: Level, measure: bool
) -> str:
    """Run the script; the text that the command prints: the derivation, or where the page is that it has written.

    name  the loss or program that is meant, where the script defines several
    """
    model = run(script, arguments)
    if html is None:
        return str(by_all_parameters(model.loss(name)).show(level))
    path = report(model.program(name), html, title=model.path.stem, measure=measure)
    return f"{path}: {path.stat().st_size / 1000:,.0f} kB"
