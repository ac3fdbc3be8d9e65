"""The law book: every rule with how it was verified, and what a stabilising one gains in float32.

    python -m tests.symnet.simplify.law_book

writes `symnet/simplify/verification.py`, which `sn.rules()` reads, and the rules in `docs/law-book.md`. A test holds
both to the tables.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import symnet as sn
from symnet.expr.node import Expr
from symnet.expr.traverse import leaves, rewrite
from symnet.ops import exactly
from symnet.simplify import simplify
from symnet.simplify.api import RuleRecord, rules
from symnet.simplify.rule import Rule
from symnet.simplify.verification import GAINS, METHODS
from tests.symnet.simplify.decide import method
from tests.symnet.simplify.samples import Instance, is_scalar, samples
from tests.symnet.simplify.test_rules import (
    EXTREME,
    IN_FLOAT64,
    LARGEST,
    RULES,
    SIZES,
    UNIT,
    apply_rule,
    draw,
    error_of,
    floor_of,
    in_float32,
    mended_derivatives,
)

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "law-book.md"
RECORD = ROOT / "symnet" / "simplify" / "verification.py"
BEGIN, END = "<!-- the rules: written by tests/symnet/simplify/law_book.py -->", "<!-- end of the rules -->"
STEPS = [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
"""Errors are rounded up to these, in units in the last place: what is left does not depend on the machine."""
NO_DIGIT, NO_NUMBER = "no digit", "no number"


def methods() -> dict[str, str]:
    """How each rule is decided; operands are drawn from the same seed every time."""
    return {rule.name: method(rule, np.random.default_rng(0)) for rule in RULES}


def gains() -> dict[str, tuple[str, str]]:
    """The worst float32 error of the left and of the right side of each stabilising rule."""
    found = [rule for rule in RULES if rule.kind == "stabilising" and rule.name not in IN_FLOAT64]
    return {rule.name: gain(rule, np.random.default_rng(0)) for rule in found}


def gain(rule: Rule, rng: np.random.Generator) -> tuple[str, str]:
    """The worst errors of both sides of `rule`; of the derivatives where only they are mended."""
    old = new = 0.0
    mended = 0
    for node, after, final, values in _applications(rule, rng):
        before_value, after_value = sn.evaluate([node, final], values, SIZES)
        (exact,) = exactly.evaluate([after], values, SIZES)
        old = max(old, error_of(before_value, exact, floor_of(rule)).max(initial=0.0))
        new = max(new, error_of(after_value, exact, floor_of(rule)).max(initial=0.0))
        mended += mended_derivatives(node, after, values)
    if in_words(old) == in_words(new) and mended:
        return "derivative is no number", "derivative is one"
    return in_words(old), in_words(new)


def _applications(rule: Rule, rng: np.random.Generator) -> Iterator[tuple[Expr, Expr, Expr, dict[str, np.ndarray]]]:
    """Left side, right side, what is left of that in the end, and extreme values."""
    if is_scalar(rule):
        for _ in range(30):
            node = Instance(rule, rng, "float32").build(rule.pattern)
            new = apply_rule(rule, node)
            assert new is not None
            yield node, new, new, _extreme(node, rng)
        return
    for scale, middle in ((1.0, 0.0), (30.0, 0.0), (200.0, 0.0), (1.0, 1000.0)):
        for sample in [*samples(rule, rng), *samples(rule, rng)]:
            (node,) = rewrite([sample], in_float32)
            new = apply_rule(rule, node)
            assert new is not None
            values = draw([node], rng, scale)
            shifted = {k: v + np.float32(middle) if v.dtype == "float32" else v for k, v in values.items()}
            yield node, new, simplify(new), shifted


def _extreme(node: Expr, rng: np.random.Generator) -> dict[str, np.ndarray]:
    numbers = np.array(EXTREME, "float32")
    return {
        leaf.attrs["name"]: np.asarray(rng.random(leaf.shape) < 0.5)
        if leaf.dtype == "bool"
        else np.asarray(rng.choice(numbers, leaf.shape))
        for leaf in leaves([node], "input")
    }


def in_words(error: float) -> str:
    """A relative error in units in the last place, rounded up."""
    if error >= LARGEST:
        return NO_NUMBER
    place = bisect.bisect_left(STEPS, error / UNIT)
    return f"{STEPS[place]:,} ulp" if place < len(STEPS) and error < 0.5 else NO_DIGIT


# --- the page ----------------------------------------------------------------------------------------------------


def page() -> str:
    """All rules by topic, in Markdown."""
    by_topic: dict[str, list[RuleRecord]] = {}
    for record in rules():
        by_topic.setdefault(record.topic, []).append(record)
    return "\n".join([BEGIN, "", _summary(), *(_topic(name, found) for name, found in by_topic.items()), END])


def _summary() -> str:
    found = rules()
    ways = Counter(record.verified.split(",")[0].split(";")[0] for record in found)
    lines = [
        f"{len(found)} rules, {sum(record.kind == 'stabilising' for record in found)} of them stabilising.",
        "",
        "| verified | rules |",
        "| --- | --- |",
        *(f"| {way} | {count} |" for way, count in ways.most_common()),
        "",
    ]
    return "\n".join(lines)


def _topic(name: str, found: list[RuleRecord]) -> str:
    return "\n".join([f"## {name.replace('_', ' ').capitalize()}", "", *map(_entry, found), ""])


def _entry(record: RuleRecord) -> str:
    """One rule: the equation, and below it why it holds, when, how that was verified, and what it gains."""
    notes = [f"{record.reason[:1].upper()}{record.reason[1:]}."]
    if record.condition:
        notes.append(f"When `{record.condition}`.")
    if record.assumption:
        notes.append(f"Assumes: {record.assumption}.")
    notes.append(f"*Verified {record.verified}.*")
    if record.gain:
        notes.append(f"**float32: {record.gain}.**")
    return f"- **{record.name}** `{record.pattern}` → `{record.replacement}`\\\n  {' '.join(notes)}"


def whole_page(old: str) -> str:
    """The page with the rules of the present tables."""
    before, rest = old.split(BEGIN)
    return before + page() + rest.split(END)[1]


def record_text(ways: dict[str, str], errors: dict[str, tuple[str, str]]) -> str:
    """The module that `sn.rules()` reads."""
    lines = ['"""How each rule was verified: written by `python -m tests.symnet.simplify.law_book`."""', ""]
    lines += ["from __future__ import annotations", "", "METHODS: dict[str, str] = {"]
    lines += [f'    "{name}": "{way}",' for name, way in ways.items() if way != "digits"]
    lines += ["}", '"""Decided by SymPy or in exact fractions; the others with 50 digits."""', ""]
    lines += ["GAINS: dict[str, tuple[str, str]] = {"]
    lines += [f'    "{name}": ("{before}", "{after}"),' for name, (before, after) in errors.items()]
    lines += ["}", '"""The worst float32 error at extreme operands before and after."""', ""]
    return "\n".join(lines)


def write() -> None:
    """Verify every rule again, and write the record and the page."""
    ways, errors = methods(), gains()
    RECORD.write_text(record_text(ways, errors), encoding="utf-8")
    METHODS.clear()
    METHODS.update(ways)
    GAINS.clear()
    GAINS.update(errors)
    rules.cache_clear()
    PAGE.write_text(whole_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
