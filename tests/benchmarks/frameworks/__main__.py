"""Times symnet and other frameworks side by side in one run.

    python -m tests.benchmarks.frameworks [PART OF A NAME …] [--rounds 9] [--threads 2] [--target x86-64-v3]
        [--only symnet PyTorch …] [--slow] [--python tensorflow=PATH pytensor=PATH onnxruntime=PATH] [--json FILE]
    python -m tests.benchmarks.frameworks --write FILE …

All start from the same parameters and see the same batches; their figures are compared before anything is timed. Each
contestant is a process of its own, which waits while the others take their turns, so that what else the machine does
falls on all of them. What is not installed is left out, and said. Peers that need another environment are given its
Python. `--json` keeps the figures, after each workload and beside those that the file has; `--write` makes
docs/performance.md from such files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.frameworks.contestants import chosen
from tests.benchmarks.frameworks.job import Setting
from tests.benchmarks.frameworks.machine import about
from tests.benchmarks.frameworks.page import PAGE, write
from tests.benchmarks.frameworks.process import RESTRICTIONS, compared
from tests.benchmarks.frameworks.results import Result, load, save
from tests.benchmarks.frameworks.table import show
from tests.benchmarks.frameworks.workloads import WORKLOADS, Workload

NAMES = [work.name for work in WORKLOADS]


def measured(work: Workload, options: argparse.Namespace) -> Result:
    setting = Setting(options.threads, options.target)
    contestants = chosen(work.kind, work.name, options.only, options.slow)
    taken, left_out = compared(work, contestants, setting, options.interpreters, options.rounds)
    return Result(work.name, work.kind, work.title, work.goal, list(work.parts), options.threads, options.target,
                  options.rounds, taken, left_out)  # fmt: skip


def main() -> None:
    options = parsed()
    if options.write:
        write(*load(options.write))
        print(f"wrote {PAGE}")
        return
    for work in WORKLOADS:
        if not options.names or any(selects(part, work.name) for part in options.names):
            result = measured(work, options)
            print(f"\n{show(result)}", flush=True)
            if options.json:
                kept = load([options.json])[1] if options.json.exists() else []
                same = (result.workload, result.threads, result.target)
                others = [one for one in kept if (one.workload, one.threads, one.target) != same]
                save(options.json, about(options.interpreters), [*others, result])


def selects(text: str, name: str) -> bool:
    """A whole name selects one workload, a part of names all that have it."""
    return text == name if text in NAMES else text.lower() in name.lower()


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="PART", help=f"or whole, of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--target", default="native", choices=list(RESTRICTIONS))
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help="of the names of the contestants")
    parser.add_argument("--slow", action="store_true", help="also what takes minutes, as XLA does for recurrences")
    parser.add_argument("--python", nargs="*", default=[], metavar="PEER=PATH", help="the Python of a peer")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep the figures")
    parser.add_argument("--write", type=Path, nargs="*", metavar="FILE", help="make the page from such files")
    options = parser.parse_args()
    options.interpreters = dict(given.split("=", 1) for given in options.python)
    return options


if __name__ == "__main__":
    main()
