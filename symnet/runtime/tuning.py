"""What measuring has found: `prog.tuning`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

HEADER = ("kernel", "times", "computes", "tried", "µs before", "µs after", "gain", "by default", "chosen")
LEFT = (True, False, True, False, False, False, False, True, True)
NAME_WIDTH, NOTE_WIDTH = 28, 32


@dataclass(frozen=True)
class TunedKernel:
    """A kernel, once for all places where the same is done.

    names          of these places        note     what the first computes
    tried          how many ways to run it were measured
    default, plan  how it runs by the model of costs, and as it was chosen; equal where nothing was better
    before, after  microseconds in one call of the entry, all places together, until the slowest thread is done
    """

    names: Sequence[str]
    note: str
    tried: int
    default: str
    plan: str
    before: float
    after: float


@dataclass(frozen=True)
class Tuning:
    """How an entry was tuned; `print` shows it.

    before, after  microseconds of a call, as compiled without tuning and with it
    seconds        how long was spent        complete  whether all that was thought of was measured in that time
    threads        how many were available   alone     whether the entry is faster on one of them
    note           why nothing was chosen, if something was found
    """

    entry: str
    threads: int
    seconds: float
    complete: bool
    before: float
    after: float
    alone: bool
    note: str
    kernels: Sequence[TunedKernel]

    def data(self) -> dict[str, Any]:
        """As plain JSON data."""
        return asdict(self)

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Tuning:
        return cls(**{**data, "kernels": [TunedKernel(**kernel) for kernel in data["kernels"]]})

    @property
    def changed(self) -> list[TunedKernel]:
        """The kernels that run in another way than by default."""
        return [kernel for kernel in self.kernels if kernel.plan != kernel.default]

    def __str__(self) -> str:
        rows = [HEADER, *map(_row, sorted(self.kernels, key=lambda kernel: -kernel.before))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
        lines = []
        for row in rows:
            cells = zip(row, widths, LEFT, strict=True)
            line = "  ".join(f"{text:<{width}}" if left else f"{text:>{width}}" for text, width, left in cells)
            lines.append(line.rstrip())
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([self._title(), "", *lines, *([f"\n{self.note}"] if self.note else [])])

    def _title(self) -> str:
        gain = self.before / self.after - 1 if self.after else 0.0
        spent = f"{self.seconds:.1f} s{'' if self.complete else ', not all was tried'}"
        where = ", on one thread" if self.alone else ""
        return f"{self.entry}: {self.before:.1f} µs before, {self.after:.1f} µs after{where} ({gain:+.1%}); {spent}"


def _row(kernel: TunedKernel) -> tuple[str, ...]:
    changed = kernel.plan != kernel.default
    return (
        _cut(kernel.names[0], NAME_WIDTH),
        str(len(kernel.names)),
        _cut(kernel.note, NOTE_WIDTH),
        str(kernel.tried),
        f"{kernel.before:.2f}",
        f"{kernel.after:.2f}",
        f"{kernel.before / max(kernel.after, 1e-3) - 1:+.1%}" if changed else "",
        kernel.default,
        kernel.plan if changed else "",
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
