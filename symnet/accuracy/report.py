"""`sn.accuracy(e)`: which parts of an expression lose digits in float32, and what the compiler does about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from symnet.accuracy.examine import Place, Treatment
from symnet.accuracy.improve import Finding, improved
from symnet.accuracy.measure import ILL
from symnet.errors import DTypeError
from symnet.expr.node import Expr
from symnet.expr.trace import Step

REASONS = {
    "wider": "a part in float64 keeps the digits that cancel and the range that overflows",
    "series": "near the point where terms cancel, the first terms of the Taylor series say the same",
    "asymptote": "far out, the first terms of the expansion in 1/x say the same",
    "limit": "where the formula is 0/0 or 0·∞ its limit is the value that makes it continuous",
}


SHOWN = 6
"""Of a row no more elements than this are printed."""


@dataclass(frozen=True, eq=False)
class ChainReport:
    """One chain of element-wise operations.

    expression   the value that it computes, and `after`, the way in which that is computed instead
    sources      what it is computed from
    error        the largest error found in float32, in units of what rounding of result and sources may cause there
    at           the values of the sources where that is
    ill          the part of the points looked at where the error is 16 units or more
    error_after, at_after, ill_after   the same for `after`
    steps        what was done: rules "wider", "series", "asymptote", "limit"
    """

    expression: Expr
    after: Expr
    sources: tuple[Expr, ...]
    error: float
    at: Place
    ill: float
    error_after: float
    at_after: Place
    ill_after: float
    steps: tuple[Step, ...]

    @property
    def mended(self) -> bool:
        return bool(self.steps)

    def __str__(self) -> str:
        names = [str(source) for source in self.sources]
        lines = [str(self.expression), f"  float32: {_error(self.error, names, self.at)}{_share(self.ill)}"]
        lines += [f"  {step.rule}: {step.reason}" for step in self.steps]
        if self.mended:
            lines.append(f"  now: {_error(self.error_after, names, self.at_after)}{_share(self.ill_after)}")
        elif self.ill:
            lines.append("  nothing here mends it: it is computed as it reads")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class AccuracyReport:
    """What the accuracy pass finds in expressions: `chains`, those it looked at; `expressions`, what is compiled."""

    chains: tuple[ChainReport, ...]
    expressions: tuple[Expr, ...]

    @property
    def steps(self) -> list[Step]:
        """Everything that was changed, in order."""
        return [step for chain in self.chains for step in chain.steps]

    def __str__(self) -> str:
        telling = [chain for chain in self.chains if chain.ill or chain.mended]
        fine = len(self.chains) - len(telling)
        rest = f"{fine} of {len(self.chains)} chains looked at {'keeps its' if fine == 1 else 'keep their'} digits"
        if not self.chains:
            return "no chain of operations here can lose digits"
        return "\n".join([*map(str, telling), *([rest] if fine else [])])


@overload
def accuracy(exprs: Expr, *, training: bool = ...) -> AccuracyReport: ...
@overload
def accuracy(exprs: Sequence[Expr], *, training: bool = ...) -> AccuracyReport: ...
def accuracy(exprs: Expr | Sequence[Expr], *, training: bool = False) -> AccuracyReport:
    """Look for digits that an expression (or several) loses in float32 after simplification, and for remedies.

    `print(sn.accuracy(e))` tells where the error of a chain of element-wise operations is far above what rounding its
    operands causes, and what is done about it by `sn.function` (unless it gets `accuracy="off"`).

    training  what `sn.compile` does: digits that do not matter to training stay lost
    """
    from symnet.simplify import simplify

    if not isinstance(exprs, (Expr, list, tuple)):
        raise DTypeError(f"accuracy: got {type(exprs).__name__}, expected an expression or a list of them")
    given = [exprs] if isinstance(exprs, Expr) else list(exprs)
    for position, node in enumerate(given):
        if not isinstance(node, Expr):
            raise DTypeError(f"accuracy: item {position} is {type(node).__name__}, expected an expression")
    findings: list[Finding] = []
    after = improved(simplify(given), training, findings)
    return AccuracyReport(tuple(map(_chain, findings)), tuple(after))


def _chain(finding: Finding) -> ChainReport:
    part, v = finding.part, finding.verdict
    steps = [step for treatment in v.treatments for step in _steps(treatment, finding)]
    return ChainReport(
        part.root, finding.form(v.after, part.sources) if steps else part.root, part.sources,
        v.worst, v.at, v.ill, v.worst_after, v.at_after, v.ill_after, tuple(steps),
    )  # fmt: skip


def _steps(treatment: Treatment, finding: Finding) -> list[Step]:
    """A step for each form that a node went through."""
    steps, before = [], treatment.before
    for place, (rule, after) in enumerate(treatment.changes):
        was, now = treatment.errors[place], treatment.errors[place + 1]
        reason = REASONS[rule] if rule == "limit" else f"{REASONS[rule]}; error {_number(was)} → {_number(now)}"
        old, new = (finding.form(form, finding.sources) for form in (before, after))
        steps.append(Step(rule, old, new, reason, "stabilising"))
        before = after
    return steps


def _error(error: float, names: Sequence[str], at: Place) -> str:
    place = ", ".join(f"{name} = {_shown(value)}" for name, value in zip(names, at, strict=False))
    return f"error {_number(error)} units of rounding" + (f" (at {place})" if error >= ILL and place else "")


def _shown(value: float | tuple[float, ...]) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "[" + ", ".join(f"{v:.6g}" for v in value[:SHOWN]) + (", …]" if len(value) > SHOWN else "]")


def _share(ill: float) -> str:
    return f", {100 * ill:.0f} % of the points are worth mending" if ill else ""


def _number(error: float) -> str:
    return "∞" if error == float("inf") else f"{error:.2g}" if error < 1e4 else f"{error:.0e}"
