"""Where the time of an entry goes: what `prog.profile(...)` and `f.profile(...)` give."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

FUNCTION_FLOPS = 32
"""What a division, a root or a transcendental function counts for in `KernelProfile.bound`: about as many
multiply-adds, times two, as a vector processor does in the time of one. It is in no figure that is shown."""
CERTAIN = 1.0
"""Microseconds from which the counted time of a kernel is good enough to tell what the machine can do."""
NEAR = 0.25
"""A kernel is bound by arithmetic or by memory when it reaches this share of what the machine can do there."""

BUSY = 0.25
"""Threads that wait for longer than this share of a call make the table say so."""


@dataclass(frozen=True)
class Machine:
    """What the machine can do, as measured in this process on `threads` threads together.

    flops      dtype -> floating-point operations a second in multiply-adds (two each); or in a kernel, if one has more
    bandwidth  bytes read plus bytes written a second in copying
    footprint  bytes of memory the entry works on; the copy is of as many, so it happens in the same cache
    """

    threads: int
    flops: Mapping[str, float]
    bandwidth: float
    footprint: int


@dataclass(frozen=True)
class Counted:
    """One kernel, its work and its time in one call of the entry, in which it may run several times.

    name, note  its name in the loop program, and what it computes
    runs        how often it runs: more than once inside a sequential loop
    threads     how many threads share it
    time        microseconds on the first thread, the mean over the middle half of the calls
    flops       floating-point operations; a multiply-add is two, functions are not among them
    products    those of the flops that belong to sums of products: 2 M N K of an M×K by K×N product
    functions   divisions, roots, transcendental functions
    bytes       of the elements it reads and of those it writes, each once in each run
    dtype       of most of the flops; "bf16": of what is multiplied, summed in float32
    """

    name: str
    note: str
    runs: int
    threads: int
    time: float
    flops: int
    products: int
    functions: int
    bytes: int
    dtype: str


@dataclass(frozen=True)
class KernelProfile(Counted):
    """One kernel compared with the others and with the machine.

    number        its place in the order in which kernels run, from 0
    share         of the time of all kernels
    gflops, gbs   10⁹ flops and 10⁹ bytes a second
    of_peak       flops a second as a share of the multiply-adds of all threads
    of_bandwidth  bytes a second as a share of the copy by all threads (above 1 from a nearer cache)
    bound         "compute": the arithmetic alone, at the peak of its own threads, takes at least a quarter of the time
                  (a function counts `FUNCTION_FLOPS`); "memory": moving its bytes does, and takes longer than the
                  arithmetic; "latency": neither, the time goes into chains of operations that wait for each other,
                  short loops, instructions around the arithmetic, and calls
    """

    number: int
    share: float
    gflops: float
    gbs: float
    of_peak: float
    of_bandwidth: float
    bound: str


@dataclass(frozen=True)
class Profile:
    """The kernels of an entry, in the order in which they run; `print` shows them, the longest first.

    entry, sizes  what was called, with which sizes of the named dimensions
    calls         how many calls were made
    step          microseconds of a call on the first thread, likewise: all kernels and what is between them
    machine       what the shares are of
    """

    entry: str
    sizes: Mapping[str, int]
    calls: int
    kernels: Sequence[KernelProfile]
    step: float
    machine: Machine

    @property
    def total(self) -> float:
        """Microseconds of all kernels. What is missing to `step` is waiting for other threads, calls and counting."""
        return sum(kernel.time for kernel in self.kernels)

    @property
    def flops(self) -> int:
        return sum(kernel.flops for kernel in self.kernels)

    @property
    def bytes(self) -> int:
        return sum(kernel.bytes for kernel in self.kernels)

    def __str__(self) -> str:
        rows = self._rows()
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
        lines = []
        for row in rows:
            cells = zip(row, widths, LEFT, strict=True)
            lines.append("  ".join(f"{text:<{width}}" if left else f"{text:>{width}}" for text, width, left in cells))
        rule = "-" * max(map(len, lines))
        table = [lines[0], rule, *lines[1:-FOOTER], rule, *lines[-FOOTER:]]
        return "\n".join([self._title(), "", *(line.rstrip() for line in table), "", *self._notes()])

    def _repr_html_(self) -> str:
        def cells(row: Sequence[str], tag: str) -> str:
            return "".join(
                f'<{tag} style="text-align: {"left" if left else "right"}">{html.escape(text)}</{tag}>'
                for text, left in zip(row, LEFT, strict=True)
            )

        head, *body = self._rows()
        rows = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in body)
        notes = "<br>".join(map(html.escape, self._notes()))
        table = f"<table><thead><tr>{cells(head, 'th')}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<p>{html.escape(self._title())}</p>{table}<p>{notes}</p>"

    def _title(self) -> str:
        sizes = "".join(f", {name} = {size}" for name, size in self.sizes.items())
        threads, calls = _plural(self.machine.threads, "thread"), _plural(self.calls, "call")
        return f"{self.entry}{sizes}: {threads}, {calls}"

    def _notes(self) -> list[str]:
        peaks = " and ".join(f"{value / 1e9:.0f} GFLOP/s in {dtype}" for dtype, value in self.machine.flops.items())
        threads, copied = _plural(self.machine.threads, "thread"), _binary(self.machine.footprint)
        notes = [
            f"peak: {peaks} multiply-adds on {threads}, measured here",
            f"copy: {self.machine.bandwidth / 1e9:.0f} GB/s within {copied}, as many as the entry works on",
            "time: of the first thread, the mean over the middle half of the calls",
        ]
        waiting = 1 - self.total / self.step if self.step else 0.0
        if self.machine.threads > 1 and waiting > BUSY:
            notes.append(
                f"{waiting:.0%} of the time goes into waiting: if other programs keep the processors busy, "
                "neither the times nor the shares of peak tell much"
            )
        return notes

    def _rows(self) -> list[tuple[str, ...]]:
        """The header, a row for each kernel, the longest first, and `FOOTER` rows of sums."""
        longest_first = sorted(self.kernels, key=lambda kernel: -kernel.time)
        functions = sum(kernel.functions for kernel in self.kernels)
        rest, empty = self.step - self.total, [""] * 5
        sums = [_decimal(self.flops), _decimal(functions), _decimal(self.bytes)]
        return [
            HEADER,
            *map(_row, longest_first),
            ("", "kernels", "", "", _time(self.total), "100%", *sums, *empty),
            ("", "between them", "waiting, calls", "", _time(rest), "", "", "", "", *empty),
            ("", self.entry, "", "", _time(self.step), "", "", "", "", *empty),
        ]


HEADER = ("#", "kernel", "computes", "threads", "µs", "share", "flops", "functions", "bytes", "GFLOP/s", "of peak",
          "GB/s", "of copy", "bound by")  # fmt: skip
LEFT = (False, True, True, *[False] * 10, True)
FOOTER = 3
NAME_WIDTH, NOTE_WIDTH = 32, 36


def make(
    entry: str, sizes: Mapping[str, int], calls: int, kernels: Sequence[Counted], step: float, machine: Machine
) -> Profile:
    """The profile of an entry from what was counted and measured."""
    total = sum(kernel.time for kernel in kernels)
    machine = _at_least(machine, kernels)
    found = [_kernel(kernel, number, total, machine) for number, kernel in enumerate(kernels)]
    return Profile(entry, dict(sizes), calls, found, step, machine)


def _at_least(machine: Machine, kernels: Sequence[Counted]) -> Machine:
    """What a kernel has done, the machine can do, also where less was measured (other programs ran meanwhile).

    Kernels of less than `CERTAIN` tell nothing: the time of one that takes less than a tick is no time at all.
    """
    flops = dict(machine.flops)
    for kernel in (kernel for kernel in kernels if kernel.time >= CERTAIN):
        flops[kernel.dtype] = max(flops[kernel.dtype], kernel.flops / _seconds(kernel))
    return replace(machine, flops=flops)


def _seconds(kernel: Counted) -> float:
    return max(kernel.time, 1e-3) * 1e-6  # a kernel that takes less than a tick


def _kernel(kernel: Counted, number: int, total: float, machine: Machine) -> KernelProfile:
    seconds = _seconds(kernel)
    peak = machine.flops[kernel.dtype]
    return KernelProfile(
        **vars(kernel),
        number=number,
        share=kernel.time / total if total else 0.0,
        gflops=kernel.flops / seconds * 1e-9,
        gbs=kernel.bytes / seconds * 1e-9,
        of_peak=kernel.flops / seconds / peak,
        of_bandwidth=kernel.bytes / seconds / machine.bandwidth,
        bound=_bound(kernel, seconds, machine),
    )


def _bound(kernel: Counted, seconds: float, machine: Machine) -> str:
    """What keeps the kernel from being faster; the rule is in `KernelProfile`."""
    own = kernel.threads / machine.threads
    compute = (kernel.flops + FUNCTION_FLOPS * kernel.functions) / (machine.flops[kernel.dtype] * own)
    memory = kernel.bytes / (machine.bandwidth * own)
    if max(compute, memory) < NEAR * seconds:
        return "latency"
    return "compute" if compute >= memory else "memory"


# --- text ---------------------------------------------------------------------------------------------------------


def _row(kernel: KernelProfile) -> tuple[str, ...]:
    return (
        str(kernel.number),
        _cut(kernel.name, NAME_WIDTH),
        _cut(kernel.note if kernel.runs == 1 else f"{kernel.runs} × {kernel.note}", NOTE_WIDTH),
        str(kernel.threads),
        _time(kernel.time),
        f"{kernel.share:.1%}",
        _decimal(kernel.flops),
        _decimal(kernel.functions),
        _decimal(kernel.bytes),
        f"{kernel.gflops:.1f}",
        f"{kernel.of_peak:.0%}",
        f"{kernel.gbs:.1f}",
        f"{kernel.of_bandwidth:.0%}",
        kernel.bound,
    )


def _time(microseconds: float) -> str:
    return f"{microseconds:.2f}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _decimal(value: float) -> str:
    """`25.7 M`: three digits and a power of a thousand."""
    for unit in ("", " k", " M", " G", " T"):
        if value < 999.5 or unit == " T":
            break
        value /= 1000
    return f"{value:.0f}{unit}" if not unit or value >= 99.95 else f"{value:#.3g}{unit}"


def _binary(size: int) -> str:
    """`4.0 MiB`."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
