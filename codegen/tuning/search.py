"""Which ways to run the kernels of an entry are measured, and which are taken.

In every round each kernel runs in one way that was not tried yet, all in the same trial: a round costs one compilation
and some calls of the entry, and every time is that of a kernel in its place, with the caches as its neighbours leave
them. In the end the winners of all rounds run together against the default, in turns: a kernel keeps its way if it is
still faster by more than the noise, and the entry its choices if it is faster as a whole.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from codegen.choices import Choices, Decision, kernel_key
from codegen.llvm.contract.choose import promising, variants
from codegen.llvm.contract.merge import merge
from codegen.llvm.contract.plan import Choice
from codegen.llvm.contract.problem import Contraction, contraction
from codegen.llvm.peak import ticks
from codegen.loops.grammar import Kernel, kernels
from codegen.spec import Deferred, Module
from codegen.target import Target
from codegen.tuning.trial import Bench, Trial, Whole
from symnet.runtime.tuning import TunedKernel, Tuning

if TYPE_CHECKING:
    from codegen.library import Library
    from symnet.runtime.arrays import Array
    from symnet.runtime.native import Pool

NOISE = 0.97
"""What is faster takes at most this share of the time."""
PLANS, VARIANTS = 14, 6
"""Ways of a contraction that are tried, and of the best of them with other shares and blocks of k."""
SMALL = 0.004
"""Kernels with a smaller share of the time are left as they are."""
TURN, TURNS = 0.2, 5
"""Seconds of a measurement at most, and how often those who compete in the end take turns."""


@dataclass(eq=False)
class _Group:
    """Kernels that do the same.

    places   their numbers in the order of the entry        problem  of a contraction
    waiting  ways not tried yet                             tried    way -> the least ticks of all places together
    """

    key: str
    kernel: Kernel
    problem: Contraction | None
    names: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    shared: bool = False
    default: Decision = field(default_factory=Decision)
    waiting: list[Decision] = field(default_factory=list)
    tried: dict[Decision, int] = field(default_factory=dict)
    varied: bool = False

    def time(self, trial: Trial) -> int:
        return sum(trial.times[place] for place in self.places)

    @property
    def best(self) -> Decision:
        return min(self.tried, key=lambda way: self.tried[way])

    def shown(self, decision: Decision) -> str:
        plan = decision.plan or self.default.plan
        shared = self.shared if decision.shared is None else decision.shared
        where = "all threads" if shared else "one thread"
        return f"{plan}, {where}" if plan else where


def search(
    module: Module | Deferred,
    entry: str,
    persistent: Array,
    seconds: float,
    target: Target,
    threads: int,
    pool: Callable[[Library], Pool],
) -> tuple[Tuning, Choices]:
    """What makes an entry faster, and a report; takes about `seconds`, or as long as a few calls need."""
    started = time.perf_counter()
    bench = Bench(module, entry, persistent, target, threads, pool)
    return _Search(bench, started, seconds).run()


class _Search:
    def __init__(self, bench: Bench, started: float, seconds: float) -> None:
        self.bench, self.started, self.seconds = bench, started, seconds
        self.groups = _groups(bench)
        self.random = random.Random(0)

    def run(self) -> tuple[Tuning, Choices]:
        with _Bar(self.bench.entry, self.seconds) as bar:
            self.first = Trial(self.bench, Choices())
            self.first.measure(self.turn)
            self._start()
            complete = True
            for round_, spent in enumerate(self._rounds()):
                bar.at(self._elapsed)
                # what is left has to do for the end: a trial, two or three compilations, and their turns
                if self._elapsed + 4 * spent + 5 * TURNS * self.turn > self.seconds and round_:
                    complete = not any(group.waiting for group in self.groups)
                    break
            return self._finish(complete)

    @property
    def _elapsed(self) -> float:
        return time.perf_counter() - self.started

    @cached_property
    def turn(self) -> float:
        return min(TURN, self.seconds / 60)

    def _start(self) -> None:
        """Note how all kernels do by default, and what is to be tried."""
        about = self.first.library.metadata["entries"][self.bench.entry]
        least = SMALL * self.first.times[-1]
        for group in self.groups:
            group.shared = about["kernels"][group.places[0]]["shared"]
            plans: Sequence[Choice] = []
            if group.problem is not None:
                plans = promising(group.problem, self.bench.target, PLANS)
                group.default = Decision(plans[0])
            group.tried[group.default] = group.time(self.first)
            if group.tried[group.default] < least:
                group.varied = True
                continue
            if self.bench.threads > 1 and about["parallel"] and group.kernel.schedule.parallel:
                group.waiting.append(Decision(group.default.plan, not group.shared))
            group.waiting += [Decision(plan) for plan in plans[1:]]

    def _rounds(self) -> Iterator[float]:
        """Make one round after the other; gives the seconds that each took."""
        while any(group.waiting for group in self.groups):
            began = time.perf_counter()
            ways = {group: group.waiting.pop(0) for group in self.groups if group.waiting}
            trial = Trial(self.bench, Choices({group.key: way for group, way in ways.items()}))
            trial.measure(self.turn)
            for group, way in ways.items():
                group.tried[way] = group.time(trial)
            for group in self.groups:
                self._vary(group)
            yield time.perf_counter() - began

    def _vary(self, group: _Group) -> None:
        """Once all plans were tried, the best comes again in other shares."""
        if group.waiting or group.varied or group.problem is None:
            return
        group.varied = True
        best = group.best
        assert best.plan is not None
        others = variants(group.problem, self.bench.target, best.plan, VARIANTS)
        group.waiting += [way for plan in others if (way := Decision(plan, best.shared)) not in group.tried]

    # --- the end ---

    def _finish(self, complete: bool) -> tuple[Tuning, Choices]:
        winners = {
            group: group.best for group in self.groups if group.tried[group.best] < NOISE * group.tried[group.default]
        }
        together = Trial(self.bench, _choices(winners)) if winners else self.first
        tick = self._compete([self.first, together] if winners else [self.first])
        kept = {group: way for group, way in winners.items() if group.time(together) < NOISE * group.time(self.first)}
        choices, before, after, note = self._as_a_whole(_choices(kept))
        if not choices.kernels:
            kept = {}
        tuned = [self._report(group, kept.get(group), together, tick * 1e6) for group in self.groups]
        bench = self.bench
        alone = bench.entry in choices.alone
        about = Tuning(bench.entry, bench.threads, self._elapsed, complete, before, after, alone, note, tuned)
        return about, choices

    def _compete(self, all_: Sequence[Trial]) -> float:
        """Measure in turns; the seconds of a tick."""
        started, first = time.perf_counter(), ticks()
        for _ in range(TURNS):
            for trial in self.random.sample(all_, len(all_)):
                trial.measure(self.turn)
        return (time.perf_counter() - started) / (ticks() - first)

    def _as_a_whole(self, choices: Choices) -> tuple[Choices, float, float, str]:
        """The choices if they are faster as a whole, or on one thread; µs by default and with them; a note."""
        bench = self.bench
        default = Whole(bench, Choices())
        several = default.code.threads(bench.entry) > 1
        ways = [choices] if choices else []
        ways += [Choices(choices.kernels, frozenset([bench.entry]))] if several else []
        rivals = [Whole(bench, way) for way in ways]
        for _ in range(TURNS):
            for one in self.random.sample([default, *rivals], 1 + len(rivals)):
                one.measure(self.turn)
        if not rivals:
            return Choices(), default.time, default.time, ""
        best = min(rivals, key=lambda one: one.time)
        enough = NOISE if best.choices.alone else 1.0
        if best.time < enough * default.time:
            return best.choices, default.time, best.time, ""
        note = "single kernels gain, but not the entry as a whole: nothing was chosen" if choices else ""
        return Choices(), default.time, default.time, note

    def _report(self, group: _Group, way: Decision | None, together: Trial, scale: float) -> TunedKernel:
        before = group.time(self.first) * scale
        after = before if way is None else group.time(together) * scale
        default, plan = group.shown(group.default), group.shown(way or group.default)
        return TunedKernel(group.names, group.kernel.note, len(group.tried), default, plan, before, after)


def _groups(bench: Bench) -> list[_Group]:
    found: dict[str, _Group] = {}
    for place, kernel in enumerate(kernels(bench.program.items)):
        key = kernel_key(kernel, bench.program)
        if key not in found:
            tiled = kernel.schedule.form == "contract"
            problem = merge(contraction(kernel, bench.program)) if tiled else None
            found[key] = _Group(key, kernel, problem)
        found[key].names.append(kernel.name)
        found[key].places.append(place)
    return list(found.values())


def _choices(ways: Mapping[_Group, Decision]) -> Choices:
    return Choices({group.key: way for group, way in ways.items()})


class _Bar:
    """A bar over the seconds that may be spent, where somebody looks."""

    def __init__(self, entry: str, seconds: float) -> None:
        self.bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=round(seconds), desc=f"tuning {entry}", unit="s", leave=False)

    def __enter__(self) -> _Bar:
        return self

    def at(self, elapsed: float) -> None:
        if self.bar is not None:
            self.bar.update(min(int(elapsed), self.bar.total) - self.bar.n)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
