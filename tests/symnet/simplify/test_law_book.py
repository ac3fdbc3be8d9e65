"""The law book is up to date: every rule verified by the method that is recorded, the page written from the tables."""

from __future__ import annotations

from symnet.simplify.api import rules
from symnet.simplify.verification import GAINS, METHODS
from tests.symnet.simplify import law_book
from tests.symnet.simplify.test_rules import RULES

AGAIN = "write it again: python -m tests.symnet.simplify.law_book"


def test_every_rule_is_decided_as_recorded() -> None:
    """By SymPy for all operands, or in exact fractions; a rule that either finds wrong raises here."""
    found = {name: way for name, way in law_book.methods().items() if way != "digits"}
    assert found == METHODS, f"{set(found.items()) ^ set(METHODS.items())}; {AGAIN}"


def test_stabilising_rules_gain_what_is_recorded() -> None:
    """In float32, up to what differs between machines: two steps of 1, 2, 5, 10."""
    steps = [law_book.in_words(step * law_book.UNIT) for step in law_book.STEPS]
    found = law_book.gains()
    assert set(found) == set(GAINS), AGAIN
    for name, (_, after) in found.items():
        if after in steps:
            recorded = GAINS[name][1]
            assert steps.index(after) <= steps.index(recorded) + 2, f"{name}: {after}, recorded {recorded}; {AGAIN}"
        else:
            assert after == GAINS[name][1], f"{name}; {AGAIN}"


def test_the_page_holds_every_rule() -> None:
    text = law_book.PAGE.read_text(encoding="utf-8")
    assert text == law_book.whole_page(text), AGAIN
    assert all(f"**{record.name}**" in text for record in rules())


def test_the_book_is_as_long_as_it_says() -> None:
    """At least 120 rules, most of them decided without random numbers of finite precision."""
    assert len(RULES) >= 500
    assert len(METHODS) >= 0.5 * len(RULES)
