"""The fixtures of conftest.py do what tests/README.md says."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makepyfile('def test_text(golden): golden("text.txt", "one\\ntwo")')
    return pytester


def test_a_missing_golden_file_fails_and_names_the_option(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*there is no tests/golden/text.txt; write it with --update-golden*"])


def test_update_writes_it_and_a_difference_shows_as_a_diff(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("--update-golden").assert_outcomes(passed=1)
    path = project.path / "golden" / "text.txt"
    assert path.read_text() == "one\ntwo\n"
    project.runpytest_inprocess().assert_outcomes(passed=1)
    path.write_text("one\nthree\n")
    result = project.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*accept it with --update-golden*", "*-three*", "*+two*"])


def test_a_failure_prints_the_seed_and_the_seed_can_be_given(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makepyfile("def test_number(rng, seed): assert rng.integers(1 << 62) == seed")
    result = pytester.runpytest_inprocess("--seed", "5")
    result.stdout.fnmatch_lines(["*seed 5: run the test again with --seed 5*"])
