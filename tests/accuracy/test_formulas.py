"""Some of the formulas of the corpus are right in value and gradient; `python -m tests.accuracy.measure` tries all."""

from __future__ import annotations

import pytest

from tests.accuracy.formula import Formula
from tests.accuracy.formulas import FORMULAS
from tests.accuracy.known import KNOWN
from tests.accuracy.measure import judged, run_symnet

EVERY = 7
"""One formula in so many is tried in the suite."""


def cases() -> list[object]:
    def expected(name: str) -> list[pytest.MarkDecorator]:
        return [pytest.mark.xfail(reason=KNOWN[name], strict=True)] if name in KNOWN else []

    return [pytest.param(x, id=x.name, marks=expected(x.name)) for x in FORMULAS[::EVERY]]


@pytest.mark.parametrize("formula", cases())
def test_formulas_are_right(formula: Formula) -> None:
    wrong = judged(formula, run_symnet)
    assert not wrong, "\n".join(map(str, wrong[:8]))


def test_names_tell_formulas_apart() -> None:
    names = [formula.name for formula in FORMULAS]
    assert len(set(names)) == len(names)
    assert set(KNOWN) <= set(names)
