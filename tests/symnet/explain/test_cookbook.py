"""The Matrix Cookbook's identities: values, finite differences, how they are printed; the page that shows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import symnet as sn
from symnet.explain import formula
from symnet.expr.node import Expr
from symnet.expr.traverse import leaves
from tests.symnet.explain.cookbook import BOOK, CASES, EVERYDAY, Case

PAGE = Path(__file__).parents[3] / "docs" / "matrix-calculus.md"
Values = dict[Expr, np.ndarray]


def named(case: Case) -> str:
    return case.number


def values_of(case: Case, rng: np.random.Generator) -> Values:
    """Square matrices are regular, with positive determinants; those declared symmetric are."""
    found: Values = {}
    for leaf in sorted(leaves([case.derivative(case.spellings[0]), case.book, *case.spellings], "input"), key=str):
        value = np.asarray(rng.normal(size=[int(dim) for dim in leaf.shape]))
        if len(leaf.shape) == 2 and leaf.shape[0] == leaf.shape[1]:
            value = value + 4 * np.eye(len(value))
        found[leaf] = value + value.T if leaf.attrs.get("symmetric") else value
    return found


def run(expression: Expr, values: Values) -> np.ndarray:
    return np.asarray(sn.evaluate(expression, {leaf: values[leaf] for leaf in leaves([expression], "input")}))


def differences(case: Case, values: Values) -> np.ndarray:
    """The derivative by central differences."""
    function, step = case.spellings[0], 1e-6
    if case.kind == "hessian":
        function = sn.grad(function, case.wrt[0])
    if case.kind == "differential":
        moved = []
        for sign in (step, -step):
            moves = {v: values[v] + sign * values[tangent] for v, tangent in tangents(case, values).items()}
            moved.append(run(function, {**values, **moves}))
        return np.asarray(moved[0] - moved[1]) / (2 * step)
    (variable,) = case.wrt
    columns = []
    for index in np.ndindex(values[variable].shape):
        sides = []
        for sign in (step, -step):
            value = values[variable].copy()
            value[index] += sign
            sides.append(run(function, {**values, variable: value}))
        columns.append((sides[0] - sides[1]) / (2 * step))
    return np.stack(columns, -1).reshape(*columns[0].shape, *values[variable].shape)


def tangents(case: Case, values: Values) -> dict[Expr, Expr]:
    names = {str(leaf.name): leaf for leaf in values}
    return {variable: names[f"d{variable.name}"] for variable in case.wrt}


@pytest.mark.parametrize("case", CASES, ids=named)
def test_derivatives_have_the_values_of_the_book(case: Case, rng: np.random.Generator) -> None:
    values = values_of(case, rng)
    book = run(case.book, values)
    for spelling in case.spellings:
        derivative = case.derivative(spelling)
        found = run(derivative, values)
        expected = np.broadcast_to(book, found.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9, err_msg=str(derivative))
    scale = 1 + np.abs(book).max()
    np.testing.assert_allclose(differences(case, values), expected, rtol=0, atol=2e-7 * scale)


# --- how they are printed ----------------------------------------------------------------------------------------


@lru_cache(maxsize=None)
def one_line(expression: Expr) -> str:
    """The formula, with what its letters stand for behind it."""
    first, *rest = str(expression).splitlines()
    return ", where ".join([first, ", ".join(line.strip() for line in rest if line != "where")] if rest else [first])


def inlined(text: str) -> str:
    """The formula with what its letters stand for in their places."""
    formula, _, where = text.partition(", where ")
    for clause in reversed(where.split(", ")) if where else []:
        letter, _, meaning = clause.partition(" = ")
        formula = re.sub(rf"(?<![^\W\d_]){letter}(?![₀-₉\w(])", f"({meaning})", formula)
    return formula


def bag(text: str) -> list[str]:
    """What is written, in any order and without parentheses; the first term has its sign, too."""
    whole = inlined(text).translate(str.maketrans("", "", "() "))
    return sorted(whole if whole.startswith("−") else f"+{whole}")


def comparison(case: Case) -> str:
    """How the printed derivative compares with the book's right side."""
    ours = one_line(case.derivative(case.spellings[0]))
    if case.text in (ours, ours.partition(", where ")[0]):
        return "as printed"
    return "as printed, but for the order" if bag(ours) == bag(case.text) else case.how


@pytest.mark.parametrize("case", CASES, ids=named)
def test_derivatives_are_printed_as_in_the_book(case: Case) -> None:
    """Up to the order of terms, unless it is said what differs; and never by indices or by the names of operations."""
    ours = one_line(case.derivative(case.spellings[0]))
    assert comparison(case), f"{ours} differs from {case.text}"
    assert bool(case.how) != comparison(case).startswith("as printed"), f"{ours}, {case.text}: {case.how!r}"
    for mark in ("reshape", "where(", "transpose", "gather", "scatter", "1[", "[i"):
        assert mark not in ours
    assert not re.search(r"\)[ᵢⱼₖₗ]{1,4}", ours)


@pytest.mark.parametrize("case", [case for case in CASES if len(case.spellings) > 1], ids=named)
def test_formulas_do_not_depend_on_the_spelling(case: Case) -> None:
    first, *others = [one_line(case.derivative(spelling)) for spelling in case.spellings]
    for other, spelling in zip(others, case.spellings[1:], strict=True):
        assert bag(other) == bag(first), f"{spelling}: {other}, not {first}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_what_is_printed_evaluates_to_what_the_graph_does(case: Case, rng: np.random.Generator) -> None:
    """The text is read and evaluated without the graph (where its indices are not those of what it stands in)."""
    values = values_of(case, rng)
    for expression in (case.derivative(case.spellings[0]), *case.spellings):
        shown = formula(expression)
        if "Jᵢⱼ" not in str(shown):
            found = shown.evaluate({leaf: value for leaf, value in values.items() if leaf in shown.known})
            np.testing.assert_allclose(found, run(expression, values), rtol=1e-8, atol=1e-9, err_msg=str(shown))


def test_enough_of_the_book_is_covered() -> None:
    compared = [comparison(case) for case in BOOK]
    assert len(BOOK) >= 60
    assert sum(text.startswith("as printed") for text in compared) >= 45
    assert len(EVERYDAY) >= 20


# --- the golden file and the page ----------------------------------------------------------------------------------


def test_formulas_and_latex(golden: Callable[[str, str], None]) -> None:
    lines = []
    for case in CASES:
        derivative = case.derivative(case.spellings[0])
        lines += [f"{case.number}: {left_side(case)}", f"  {one_line(derivative)}", f"  book: {case.text}"]
        lines += [f"  {line}" for line in derivative.latex().splitlines()]
    golden("cookbook.txt", "\n".join(lines))


def left_side(case: Case) -> str:
    """What is differentiated, and by what."""
    expression = one_line(case.spellings[0])
    by = ", ".join(str(variable.name) for variable in case.wrt)
    if case.kind == "differential":
        return f"d({expression})"
    sign = "∂²" if case.kind == "hessian" else "∂"
    return f"{sign}({expression})/∂{by}{'²' if case.kind == 'hessian' else ''}"


def test_the_page_shows_all(request: pytest.FixtureRequest) -> None:
    """docs/matrix-calculus.md between its marks; --update-golden writes it."""
    page = PAGE.read_text(encoding="utf-8")
    for mark, cases in (("book", BOOK), ("everyday", EVERYDAY)):
        begin, end = f"<!-- table: {mark} -->\n", "<!-- end -->"
        start = page.index(begin) + len(begin)
        page = page[:start] + table(cases) + page[page.index(end, start) :]
    compared = [comparison(case) for case in BOOK]
    counts = {text: compared.count(text) for text in ("as printed", "as printed, but for the order")}
    counted = (
        f"Of {len(BOOK)} identities {counts['as printed']} are printed exactly so, "
        f"{counts['as printed, but for the order']} but for the order of terms, "
        f"{len(BOOK) - sum(counts.values())} in another form, which is said."
    )
    page = re.sub(r"Of \d+ identities .*? which is said\.", counted, page, flags=re.DOTALL)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(page, encoding="utf-8")
    assert page == PAGE.read_text(encoding="utf-8"), "the page is not up to date; --update-golden writes it"


def table(cases: list[Case]) -> str:
    rows = ["| | derivative of | symnet | the book | compared |", "| --- | --- | --- | --- | --- |"]
    for case in cases:
        cells = [left_side(case), one_line(case.derivative(case.spellings[0])), case.text]
        code = " | ".join(f"`{cell.replace('|', chr(92) + '|')}`" for cell in cells)
        rows.append(f"| {case.number} | {code} | {comparison(case)} |")
    return "\n".join(rows) + "\n"
