"""What simplification does to the corpora: operations, cost and float32 error before and after, in any order of rules.

    python -m tests.accuracy.rewriting [--corpus NAME] [--family NAME] [--name PART] [--orders N] [--all] [--write]

Each formula is taken with its gradient. Before: the nodes as they were written, and the derivative as differentiation
leaves it. After: the formula simplified, differentiated and simplified, and for its error the rules of lowering too, as
a program computes it. Both are evaluated by the reference interpreter, so that rules alone make the difference. A
formula may cost more afterwards only if a stabilising rule was applied to it, and may not be less accurate. `--orders`
tries the rules of the engine in random orders in place of its own. `--write` puts the tables of the page
docs/simplification.md there.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mpmath
import numpy as np

import symnet as sn
from symnet.expr.node import Expr
from symnet.expr.trace import Trace
from symnet.expr.traverse import postorder
from symnet.simplify.api import default_rules
from symnet.simplify.cost import cost
from symnet.simplify.engine import rewrite_with
from symnet.simplify.expand import expand
from symnet.simplify.rule import RuleSet
from tests.accuracy.formula import Formula, Point
from tests.accuracy.measure import SYMNET, joined, operands, variables, weights_of
from tests.accuracy.measure import is_elementwise as elementwise
from tests.accuracy.truth import Truth

CORPORA = ("formulas", "further", "hard", "blind")
PAGE = Path(__file__).parents[2] / "docs" / "simplification.md"
BEGIN, END = "<!-- the table: written by python -m tests.accuracy.rewriting --write -->", "<!-- end -->"
SHOWN = 5
"""One formula in so many is shown on the page."""

UNIT = float(np.finfo("float32").eps)
SMALLEST = float(np.finfo("float32").smallest_normal)
LARGEST = float(np.finfo("float32").max)
LOST = 1 / UNIT
"""The error of what has no digit right, in units in the last place."""
RIGHT = 2e-5 / UNIT
"""The error up to which a result counts as right, as in `measure`."""
ROUNDING, FACTOR = 32.0, 4.0
"""Errors are the same if both are below so many units, or one below so many times the other: operations were rounded
in another order."""


AT_KINKS = {"sparse share"}
"""Formulas with a point at a kink, where the documented derivative of the right side counts: that of relu at 0 is 0."""


def corpus(name: str) -> list[Formula]:
    found: list[Formula] = importlib.import_module(f"tests.accuracy.{name}").FORMULAS
    return found


@dataclass
class Graphs:
    """A formula over inputs with its gradients, before and after."""

    inputs: list[Expr]
    before: list[Expr]
    after: list[Expr]
    trace: Trace

    @property
    def stabilised(self) -> list[str]:
        """The stabilising rules that were applied."""
        return sorted({step.rule for step in self.trace.steps if step.kind == "stabilising"})


@dataclass
class Change:
    """Before and after: the number of operations, the cost, the worst error in units in the last place."""

    formula: Formula
    operations: tuple[int, int]
    cost: tuple[float, float]
    error: tuple[float, float]
    stabilised: list[str]

    @property
    def costlier(self) -> bool:
        """Whether it costs more (by half a percent, as far as estimates tell) without being stabler."""
        return self.cost[1] > self.cost[0] * 1.005 + 0.5 and not self.stabilised

    @property
    def less_accurate(self) -> bool:
        return self.error[1] > max(FACTOR * self.error[0], ROUNDING) and self.formula.name not in AT_KINKS


def graphs(formula: Formula, point: Point, rules: RuleSet | None = None) -> Graphs:
    inputs = operands(point)
    value = formula.function(SYMNET, *inputs)
    weights = weights_of(value, elementwise(value))
    by = variables(formula, inputs)

    def loss(of: Expr) -> Expr:
        return sn.sum(of * sn.constant(weights)) if of.shape else of

    trace = Trace()
    apply = rules or default_rules()
    before = [value, *sn.grad(loss(value), by, simplify=False)]
    prepared = rewrite_with(apply, [value], trace)[0]
    slopes = sn.grad(loss(prepared), by, simplify=False)
    return Graphs(inputs, before, rewrite_with(apply, [prepared, *slopes], trace), trace)


def count(roots: Sequence[Expr]) -> int:
    """Operations that compute something: neither leaves nor views."""
    return sum(cost(node) >= 1.0 for node in postorder(roots))


def total_cost(roots: Sequence[Expr]) -> float:
    return sum(map(cost, postorder(roots)))


# --- accuracy ------------------------------------------------------------------------------------------------------


def errors(
    roots: Sequence[Expr], true: Sequence[Sequence[object]], given: dict[str, np.ndarray], single: bool
) -> float:
    """The worst error of all roots, each beside the values that count as right; of gradients whose elements mix,
    relative to the largest element."""
    worst = 0.0
    with np.errstate(all="ignore"):
        values = sn.evaluate(list(roots), given)
    for place, (got, wanted) in enumerate(zip(values, true, strict=True)):
        sides = [_errors_beside(np.ravel(got), np.ravel(np.asarray(w, object)), single or not place) for w in wanted]
        worst = max([worst, *map(min, zip(*sides, strict=True))])
    return worst


def _errors_beside(got: np.ndarray, exact: np.ndarray, single: bool) -> list[float]:
    sizes = [abs(v) for v in exact if mpmath.isfinite(v) and abs(v) < LARGEST]
    scale = mpmath.mpf(0) if single else max(sizes, default=mpmath.mpf(0))
    return [ulps(float(a), b, scale) for a, b in zip(got, exact, strict=True)]


def ulps(computed: float, exact: mpmath.mpf, scale: mpmath.mpf) -> float:
    if mpmath.isnan(exact):
        return 0.0
    if abs(exact) > LARGEST:
        return 0.0 if np.isinf(computed) and computed * float(mpmath.sign(exact)) > 0 else LOST
    if not np.isfinite(computed):
        return LOST
    return min(LOST, float(abs(computed - exact) / max(abs(exact), scale, mpmath.mpf(SMALLEST) / UNIT)) / UNIT)


def change(formula: Formula) -> Change:
    """The change of one formula over all its points."""
    worst = [0.0, 0.0]
    for point, _ in joined(formula):
        made = graphs(formula, point)
        single = elementwise(made.before[0])
        weights = weights_of(made.before[0], single)
        truth = Truth(made.inputs, variables(formula, made.inputs), made.before[0], weights, single)
        value, *slopes = truth.at(point)
        true = [[value], *zip(*slopes, strict=True)]
        given = {node.attrs["name"]: array for node, array in zip(made.inputs, point, strict=True)}
        for side, roots in enumerate((made.before, expand(made.after))):
            worst[side] = max(worst[side], errors(roots, true, given, single))
    return Change(
        formula,
        (count(made.before), count(made.after)),
        (total_cost(made.before), total_cost(made.after)),
        (worst[0], worst[1]),
        made.stabilised,
    )


# --- the order of rules --------------------------------------------------------------------------------------------


def shuffled(rng: np.random.Generator) -> RuleSet:
    """The rules in a random order in place of that of the engine."""
    rules = default_rules().rules
    place = dict(zip(rules, rng.permutation(len(rules)).tolist(), strict=True))
    return RuleSet(rules, key=place.__getitem__)


def order_matters(formula: Formula, orders: Sequence[RuleSet]) -> bool:
    """Whether another order of the rules gives other nodes."""
    point = joined(formula)[0][0]
    wanted = graphs(formula, point).after
    return any(
        any(a is not b for a, b in zip(graphs(formula, point, rules).after, wanted, strict=True)) for rules in orders
    )


# --- the page ------------------------------------------------------------------------------------------------------


def page(found: dict[str, list[Change]]) -> str:
    """The tables of the page: all corpora in numbers, and one formula in so many of the first."""
    lines = [
        BEGIN,
        "",
        "| corpus | formulas | operations | cost | within 2·10⁻⁵ | costlier | less accurate |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(f"| {name} | {len(changes)} | {' | '.join(_summary(changes))} |" for name, changes in found.items()),
        "",
        "| formula | operations | cost | worst error in ulp |",
        "| --- | --- | --- | --- |",
        *map(_row, found[CORPORA[0]][::SHOWN]),
        "",
        END,
    ]
    return "\n".join(lines)


def _summary(changes: Sequence[Change]) -> Iterator[str]:
    def mean(of: Callable[[Change], tuple[float, float]]) -> str:
        before, after = (sum(of(item)[i] for item in changes) / len(changes) for i in (0, 1))
        return f"{before:.0f} → {after:.0f}"

    yield mean(lambda item: item.operations)
    yield mean(lambda item: item.cost)
    right = [sum(item.error[i] < RIGHT for item in changes) for i in (0, 1)]
    yield f"{right[0]} → {right[1]}"
    yield str(sum(item.costlier for item in changes))
    yield str(sum(item.less_accurate for item in changes))


def _row(item: Change) -> str:
    cells = (_ends(item.operations), _ends(item.cost), " → ".join(map(in_ulps, item.error)))
    return f"| {item.formula.name} | {' | '.join(cells)} |"


def _ends(numbers: tuple[float, float]) -> str:
    return f"{numbers[0]:.0f} → {numbers[1]:.0f}"


def in_ulps(error: float) -> str:
    """An error as it is read: "none right" where no digit is, else one that does not change from machine to machine."""
    if error >= LOST / 2:
        return "none right"
    return next((f"≤ {step:,}" for step in (1, 4, 16, 64, 256, 1024, 16384) if error <= step), "> 16,384")


def write(found: dict[str, list[Change]]) -> None:
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(before + page(found) + rest.split(END)[1], encoding="utf-8")


# --- the command ---------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy.rewriting", description=__doc__)
    parser.add_argument("--corpus", choices=CORPORA, action="append", help="which ones; all unless told")
    parser.add_argument("--family", default="")
    parser.add_argument("--name", default="")
    parser.add_argument("--orders", type=int, default=2, help="how many orders of the rules are tried")
    parser.add_argument("--all", action="store_true", help="a line for each formula, not only for bad ones")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/simplification.md")
    chosen = parser.parse_args()
    orders = [shuffled(np.random.default_rng(seed)) for seed in range(chosen.orders)]
    found: dict[str, list[Change]] = {}
    for name in chosen.corpus or CORPORA:
        wanted = [f for f in corpus(name) if chosen.family in f.family and chosen.name in f.name]
        found[name] = [_told(formula, orders, chosen.all) for formula in wanted]
    for name, changes in found.items():
        if changes:
            print(f"{name:10} {len(changes):4} formulas | operations, cost, within 2e-5, costlier, less accurate: "  # noqa: T201
                  f"{' | '.join(_summary(changes))}")  # fmt: skip
    if chosen.write:
        write(found)


def _told(formula: Formula, orders: Sequence[RuleSet], always: bool) -> Change:
    """The change of a formula, with a line about it if anything is wrong."""
    item = change(formula)
    notes = [
        note
        for note, holds in (
            ("COSTLIER", item.costlier),
            ("LESS ACCURATE", item.less_accurate),
            ("ORDER", order_matters(formula, orders)),
        )
        if holds
    ]
    if notes or always:
        print(f"{formula.name:44} operations {item.operations[0]:3} {item.operations[1]:3}   "  # noqa: T201
              f"cost {item.cost[0]:7.0f} {item.cost[1]:7.0f}   ulp {item.error[0]:9.3g} {item.error[1]:9.3g}   "
              f"{' '.join(notes)}", flush=True)  # fmt: skip
    return item


if __name__ == "__main__":
    main()
