"""What is made of measured figures: tables, the page, files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.frameworks.page import HAND, MARKER, PAGE, page, write
from tests.benchmarks.frameworks.process import Taken
from tests.benchmarks.frameworks.results import Result, geometric_mean, load, save
from tests.benchmarks.frameworks.table import duration, show
from tests.benchmarks.frameworks.workloads import WORKLOADS, Workload

SMALL = Path(__file__).with_name("small.json")


def test_tables_of_stored_figures(golden: Callable[[str, str], None]) -> None:
    _, results = load([SMALL])
    golden("benchmark_tables.txt", "\n\n".join(map(show, results)))


def test_page_of_stored_figures(golden: Callable[[str, str], None]) -> None:
    golden("benchmark_page.md", page(*load([SMALL]), HAND))


@pytest.mark.parametrize("work", WORKLOADS, ids=lambda work: work.name)
def test_page_tells_of_each_workload(work: Workload) -> None:
    """A row each on two threads; in the other tables a row, or that it was not measured."""
    sections = re.split(r"^## (?=\d+ thread)", PAGE.read_text(encoding="utf-8").partition(MARKER)[0], flags=re.M)[1:]
    for number, section in enumerate(sections):
        table = section.partition("###")[0]
        rows = sum(line.startswith(f"| {work.title} |") for line in table.splitlines())
        missing = re.findall(r"^Not measured: (.*)\.$", table, flags=re.M)
        told = [name for line in missing for name in line.split("; ")].count(work.name)
        assert (rows, told) in ([(1, 0)] if number == 0 else [(1, 0), (0, 1)])
    assert sections


def test_writing_keeps_what_is_written_by_hand(tmp_path: Path) -> None:
    machine, results = load([SMALL])
    path = tmp_path / "performance.md"
    write(machine, results, path)
    assert path.read_text(encoding="utf-8").rstrip().endswith(HAND.rstrip())
    path.write_text(
        path.read_text(encoding="utf-8") + "\nA tile of 3 × 7 brought nothing: 401 and 402 µs.\n", encoding="utf-8"
    )
    before = path.read_text(encoding="utf-8")
    write(machine, results, path)
    assert path.read_text(encoding="utf-8") == before


def test_the_last_file_counts(tmp_path: Path) -> None:
    machine, results = load([SMALL])
    newer = Result(**{**vars(results[0]), "rounds": 77, "taken": [Taken("symnet fit", [[1.0]])]})
    save(tmp_path / "new.json", machine | {"versions": {"other": "1.0"}}, [newer])
    merged_machine, merged = load([SMALL, tmp_path / "new.json"])
    assert len(merged) == len(results)
    assert merged[0].rounds == 77
    assert merged_machine["versions"] == machine["versions"] | {"other": "1.0"}


def test_best_peer_and_speed() -> None:
    taken = [Taken("symnet", [[2.0], [4.0]]), Taken("A", [[4.0, 4.0, 9.0], [4.0]]), Taken("B", [[3.0], [8.0]])]
    result = Result("w", "product", "w", 1.1, ["a", "b"], 2, "native", 3, taken)
    best = result.best()
    assert best is not None
    assert best.name == "A"
    assert result.speeds() == [1.5, 1.0]
    assert result.speed(best) == pytest.approx(geometric_mean([2.0, 1.0]))
    assert Result("w", "train", "w", 1, [""], 2, "native", 1, taken[1:]).speed(best) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(9.42e-6, "9.42 µs"), (0.0123, "12.3 ms"), (1.5, "1.50 s"), (999.6e-6, "1.00 ms"), (0.31449, "314 ms")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
