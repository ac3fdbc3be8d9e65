"""What simplification does to the corpora: operations, cost and float32 error before and after, in any order of rules.

    python -m tests.accuracy.rewriting [--family NAME] [--name PART] [--orders N] [--all]

Each formula is taken with its gradient. Before: the nodes as they were written, and the derivative as differentiation
leaves it. After: the formula simplified, differentiated and simplified, as a program computes it. Both are evaluated by
the reference interpreter, so that rules alone make the difference. A formula may cost more afterwards only if a
stabilising rule was applied to it, and may not be less accurate.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import mpmath
import numpy as np

import symnet as sn
from symnet.expr.node import Expr
from symnet.expr.trace import Trace
from symnet.expr.traverse import postorder
from symnet.simplify.api import default_rules
from symnet.simplify.cost import cost
from symnet.simplify.engine import rewrite_with
from symnet.simplify.rule import RuleSet
from tests.accuracy.formula import Formula, Point
from tests.accuracy.formulas import FORMULAS
from tests.accuracy.measure import SYMNET, joined, operands, variables, weights_of
from tests.accuracy.measure import is_elementwise as elementwise
from tests.accuracy.truth import Truth

UNIT = float(np.finfo("float32").eps)
SMALLEST = float(np.finfo("float32").smallest_normal)
LARGEST = float(np.finfo("float32").max)
LOST = 1 / UNIT
"""The error of what has no digit right, in units in the last place."""


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

    operations: tuple[int, int]
    cost: tuple[float, float]
    error: tuple[float, float]
    stabilised: list[str]


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


def errors(roots: Sequence[Expr], true: Sequence[object], given: dict[str, np.ndarray], single: bool) -> float:
    """The worst error of all roots; of gradients whose elements mix, relative to the largest element."""
    worst = 0.0
    with np.errstate(all="ignore"):
        values = sn.evaluate(list(roots), given)
    for place, (got, wanted) in enumerate(zip(values, true, strict=True)):
        exact = np.ravel(np.asarray(wanted, object))
        sizes = [abs(v) for v in exact if mpmath.isfinite(v) and abs(v) < LARGEST]
        scale = mpmath.mpf(0) if single or not place else max(sizes, default=mpmath.mpf(0))
        worst = max([worst, *(ulps(float(a), b, scale) for a, b in zip(np.ravel(got), exact, strict=True))])
    return worst


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
        is_single = elementwise(made.before[0])
        weights = weights_of(made.before[0], is_single)
        value, slopes = Truth(made.inputs, variables(formula, made.inputs), made.before[0], weights, is_single).at(
            point
        )
        given = {node.attrs["name"]: array for node, array in zip(made.inputs, point, strict=True)}
        for side, roots in enumerate((made.before, made.after)):
            worst[side] = max(worst[side], errors(roots, [value, *slopes], given, is_single))
    return Change(
        (count(made.before), count(made.after)),
        (total_cost(made.before), total_cost(made.after)),
        (worst[0], worst[1]),
        made.stabilised,
    )


def shuffled(rng: np.random.Generator) -> RuleSet:
    """The rules in another order."""
    rules = default_rules().rules
    return RuleSet(tuple(rules[i] for i in rng.permutation(len(rules))))


def depends_on_order(formula: Formula, orders: Sequence[RuleSet]) -> bool:
    """Whether another order of the rules gives other nodes."""
    point = joined(formula)[0][0]
    wanted = graphs(formula, point).after
    return any(
        any(a is not b for a, b in zip(graphs(formula, point, rules).after, wanted, strict=True)) for rules in orders
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy.rewriting", description=__doc__)
    parser.add_argument("--family", default="")
    parser.add_argument("--name", default="")
    parser.add_argument("--orders", type=int, default=2, help="how many orders of the rules are tried")
    parser.add_argument("--all", action="store_true", help="a line for each formula, not only for bad ones")
    chosen = parser.parse_args()
    orders = [shuffled(np.random.default_rng(seed)) for seed in range(chosen.orders)]
    rows: dict[str, list[Change]] = defaultdict(list)
    for formula in FORMULAS:
        if chosen.family not in formula.family or chosen.name not in formula.name:
            continue
        seen = change(formula)
        rows[formula.family].append(seen)
        notes = []
        if seen.cost[1] > seen.cost[0] * 1.001 + 0.5 and not seen.stabilised:
            notes.append("COSTLIER")
        if seen.error[1] > max(4 * seen.error[0], 32.0):
            notes.append("LESS ACCURATE")
        if depends_on_order(formula, orders):
            notes.append("ORDER")
        if notes or chosen.all:
            print(f"{formula.name:44} operations {seen.operations[0]:3} {seen.operations[1]:3}   "  # noqa: T201
                  f"cost {seen.cost[0]:7.0f} {seen.cost[1]:7.0f}   ulp {seen.error[0]:9.3g} {seen.error[1]:9.3g}   "
                  f"{' '.join(notes)}")  # fmt: skip
    for family, found in [*rows.items(), ("all", [seen for some in rows.values() for seen in some])]:
        a, b = (sum(seen.operations[i] for seen in found) / len(found) for i in (0, 1))
        c, d = (sum(seen.cost[i] for seen in found) / len(found) for i in (0, 1))
        right = [sum(seen.error[i] < 170 for seen in found) for i in (0, 1)]
        print(f"{family:20} {len(found):4} formulas   operations {a:6.1f} → {b:6.1f}   cost {c:7.0f} → {d:7.0f}   "  # noqa: T201
              f"within 2e-5: {right[0]:3} → {right[1]:3}")  # fmt: skip


if __name__ == "__main__":
    main()
