"""docs/performance.md: made from kept results, above a part that is written by hand and stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.frameworks.process import Taken
from tests.benchmarks.frameworks.results import Result, geometric_mean, medians
from tests.benchmarks.frameworks.table import HEADER, duration, megabytes, percent, row
from tests.benchmarks.frameworks.workloads import WORKLOADS

PAGE = Path(__file__).parents[3] / "docs" / "performance.md"
MARKER = "<!-- From here on written by hand; kept when the tables above are made again. -->"
HAND = "## What was tried\n"
INTRODUCTION = """# Performance

Steps of training (forward, loss, backward, update), single operations and start-up, in symnet and in other frameworks:
float32, the same parameters and batches, figures compared before anything is timed. Each contestant is a process of its
own, which waits while the others take their turns, so that what else the machine does falls on all. *Speed* is the
median time of the fastest peer over that of symnet, *of eager* that of PyTorch: eager with its fused optimizer, in
inference mode, or with autocast where symnet rounds to bfloat16.
PyTorch also runs with a malloc that keeps its pages. The tables are made by

```sh
python -m tests.benchmarks.frameworks --json run.json  # --threads 1, --target x86-64-v3; --help tells more
python -m tests.benchmarks.frameworks --write run.json more.json
```
"""
EXPLANATION = """
*FMA peak* is the share of what multiply-adds could do in the time of the step; *copy*: the bytes that its kernels read
and write, each element once a kernel, over what a copy of as much memory could move (above 100%: from a nearer cache).
Both limits are measured in the same process, on the threads of the run, with all instructions of the machine.
*Memory* is what is resident at the peak, and in brackets, how much of it came after the framework was imported:
compiler, program, data, and of symnet the parts that are imported when they are first used. Beside it that of PyTorch.
"""


def page(machine: dict[str, Any], results: Sequence[Result], hand: str) -> str:
    """The whole page; `hand` is what stands below the marker."""
    settings = sorted({(r.target != "native", -r.threads, r.target) for r in results})
    sections = [
        section([r for r in results if (r.threads, r.target) == (-threads, target)], -threads, target)
        for _, threads, target in settings
    ]
    return "\n".join([INTRODUCTION, _machine(machine), EXPLANATION, *sections, MARKER, "", hand.strip() + "\n"])


def write(machine: dict[str, Any], results: Sequence[Result], path: Path = PAGE) -> None:
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    hand = old.partition(MARKER)[2].strip() or HAND
    path.write_text(page(machine, results, hand), encoding="utf-8")


def _machine(machine: dict[str, Any]) -> str:
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"Machine: {machine['processor']}, {machine['cores']} cores, {' '.join(machine['features'])}; {caches}.\n"
        f"Versions: {versions}."
    )


def section(results: Sequence[Result], threads: int, target: str) -> str:
    """The tables of one setting: a row for each workload, the means, and what lies behind."""
    found = {work.name: result for work in WORKLOADS for result in results if result.workload == work.name}
    restricted = "" if target == "native" else f", all restricted to {target}"
    lines = [f"## {threads} thread{'s' if threads > 1 else ''}{restricted}", ""]
    header = (
        "workload",
        "symnet",
        "best peer",
        "",
        "speed",
        "goal",
        "of eager",
        "FMA peak",
        "copy",
        "memory",
        "PyTorch",
    )
    lines += [*markdown([header, *(_row(result) for result in found.values())]), "", _means(results)]
    if missing := [work.name for work in WORKLOADS if work.name not in found]:
        lines += ["", f"Not measured: {'; '.join(missing)}."]
    lines += ["", "### What bounds it", ""]
    lines += [f"- **{r.workload}**: {r.bound()}" for r in found.values() if r.bound()]
    lines += ["", "### Every contestant", ""]
    for result in found.values():
        if len(result.parts) > 1:
            lines += [f"**{result.title}**: medians", "", *_parts(result), ""]
        else:
            lines += [
                f"**{result.title}**",
                "",
                *markdown([HEADER, *(row(t, result.taken[0]) for t in result.taken)]),
                "",
            ]
        lines += [f"- {name} left out: {_line(reason)}" for name, reason in result.left_out.items()]
        lines += [""] if result.left_out else []
    return "\n".join(lines)


def _row(result: Result) -> tuple[str, ...]:
    best, eager, ours = result.best(), result.eager(), result.ours
    several = len(result.parts) > 1
    speed = _times(geometric_mean(result.speeds()) if several and result.speeds() else result.speed(best))
    if several and result.speeds():
        speed += f" (least {min(result.speeds()):.2f})"
    return (
        result.title,
        "–" if several or ours is None else duration(medians(ours)[0]),
        "each part's" if several else "–" if best is None else duration(medians(best)[0]),
        "" if several or best is None else best.name,
        speed,
        f"{result.goal:g}",
        _times(result.speed(eager)),
        percent(result.of_peak()),
        percent(result.of_copy()),
        _memory(ours),
        _memory(eager),
    )


def _memory(taken: Taken | None) -> str:
    return "–" if taken is None else f"{megabytes(taken.peak)} ({megabytes(taken.above)})"


def _times(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _means(results: Iterable[Result]) -> str:
    steps = [result for result in results if result.kind == "train"]
    best = [speed for r in steps if (speed := r.speed(r.best())) is not None]
    eager = [speed for r in steps if (speed := r.speed(r.eager())) is not None]
    if not best:
        return "No training step was measured beside a peer."
    beside = f", {geometric_mean(eager):.2f} × PyTorch eager" if eager else ""
    return (
        f"Geometric mean over the training steps ({len(best)}): {geometric_mean(best):.2f} × the best peer{beside}; "
        f"the least is {min(best):.2f} × the best peer."
    )


def _parts(result: Result) -> list[str]:
    speeds = result.speeds() or [0.0] * len(result.parts)
    columns = [[duration(m) for m in medians(one)] for one in result.taken]
    rows = [(part, *(column[i] for column in columns), f"{speeds[i]:.2f}") for i, part in enumerate(result.parts)]
    return markdown([("", *(one.name for one in result.taken), "speed"), *rows])


def markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table whose first row is its header, texts to the left and figures to the right."""
    head, *body = rows
    rule = ["---", *("---:" for _ in head[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *body)]


def _line(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
