"""Rules never make a formula slower or less accurate, and their order does not matter: a sample of the corpora.

`python -m tests.accuracy.rewriting` tries all of them.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.accuracy.formula import Formula
from tests.accuracy.rewriting import CORPORA, PAGE, RIGHT, change, corpus, order_matters, shuffled

EVERY = 11
SAMPLE = [formula for name in CORPORA for formula in corpus(name)[::EVERY]]
"""A formula in so many."""


@pytest.mark.parametrize("formula", SAMPLE, ids=lambda formula: formula.name)
def test_rules_never_make_a_formula_slower_or_less_accurate(formula: Formula) -> None:
    found = change(formula)
    assert not found.costlier, f"cost {found.cost[0]:.0f} became {found.cost[1]:.0f}"
    assert not found.less_accurate, f"{found.error[0]:.1f} ulp became {found.error[1]:.1f}"
    assert found.error[0] >= RIGHT or found.error[1] < RIGHT, "it was right"


def test_the_sample_is_large() -> None:
    assert len(SAMPLE) >= 60


@pytest.mark.parametrize("name", CORPORA)
def test_the_order_of_the_rules_does_not_matter(name: str, rng: np.random.Generator) -> None:
    """One formula in three, with its gradient, each in another order."""
    formulas = corpus(name)[::3]
    different = [formula.name for formula in formulas if order_matters(formula, [shuffled(rng)])]
    assert not different


def test_the_page_shows_formulas() -> None:
    assert PAGE.read_text(encoding="utf-8").count(" → ") >= 3 * 60
