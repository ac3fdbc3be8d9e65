"""The figures of one workload as text."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.frameworks.process import Taken
from tests.benchmarks.frameworks.results import Result, geometric_mean, medians, minima


def show(result: Result) -> str:
    """A line for each contestant, or for each part a line with a column for each contestant; then what bounds it."""
    title = f"{result.title}   (threads {result.threads}, target {result.target}, rounds {result.rounds})"
    body = _parts(result) if len(result.parts) > 1 else _contestants(result)
    notes = [f"  ({name} left out: {reason})" for name, reason in result.left_out.items()]
    if result.bound():
        notes.append(f"  {percent(result.of_peak())} of the FMA peak, {percent(result.of_copy())} of the copy. "
                     f"{result.bound()}")  # fmt: skip
    return "\n".join([title, *body, *notes])


HEADER = ("", "median", "minimum", "ratio", "of minima", "memory", "above start", "first")


def _contestants(result: Result) -> list[str]:
    return aligned([HEADER, *(row(one, result.taken[0]) for one in result.taken)])


def row(one: Taken, base: Taken) -> tuple[str, ...]:
    middle, least = medians(one)[0], minima(one)[0]
    return (
        one.name, duration(middle), duration(least), f"{middle / medians(base)[0]:.2f}",
        f"{least / minima(base)[0]:.2f}", megabytes(one.peak), megabytes(one.above), duration(one.first),
    )  # fmt: skip


def _parts(result: Result) -> list[str]:
    """Times of each part; the last column is the speed relative to the best peer at this part."""
    columns, speeds = [medians(one) for one in result.taken], result.speeds()
    rows: list[tuple[str, ...]] = [("", *(one.name for one in result.taken), "speed" if speeds else "")]
    for number, part in enumerate(result.parts):
        last = f"{speeds[number]:.2f}" if speeds else ""
        rows.append((part, *(duration(column[number]) for column in columns), last))
    if speeds:
        empty = [""] * len(result.taken)
        rows += [("geometric mean", *empty, f"{geometric_mean(speeds):.2f}"), ("least", *empty, f"{min(speeds):.2f}")]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = (f"  {cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        lines.append(f"  {first:<{widths[0]}}{''.join(cells)}")
    return lines


def duration(seconds: float) -> str:
    """`9.42 µs`, `12.3 ms`, `1.50 s`: three digits."""
    unit, factor = ("µs", 1e6) if seconds < 999.5e-6 else ("ms", 1e3) if seconds < 0.9995 else ("s", 1.0)
    value = seconds * factor
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
