"""How far the float32 value of a closed chain is from what it means.

The error at a point is counted in units of what rounding can do there at best: half an ulp for the result and one ulp
for each source, `ulp(f) + Σᵢ |f(xᵢ moved by one ulp) − f(x)|`. So a function that is ill-conditioned at a point is not
blamed for it, and only digits that the way of computing loses count. Where the true value is not a finite float32
number, nothing is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from symnet.accuracy.chains import POINTS
from symnet.accuracy.domains import LARGEST, neighbours, points
from symnet.accuracy.values import Evaluator, constants_of, in_float64
from symnet.expr.node import Expr
from symnet.expr.traverse import leaves, postorder

Array = np.ndarray

ILL = 16.0
"""Errors from here on are worth mending. Chains of a dozen well-behaved operations stay far below."""
DIGITS = 120
"""The digits with which what is true is worked out, where float64 may not know."""
TINY = float(np.finfo(np.float32).tiny)
EPSILON = float(np.finfo(np.float32).eps)
SCALES = tuple(2.0**-k for k in (0, 1, 2, 3, 5, 8, 12, 17, 23))
ORDINARY = 1e8
"""The largest size, and one over the smallest, of numbers in training."""
FEW = 3
"""Products of so many values may leave the range and count; see `_out_of_range`."""
SMALLEST = TINY / ILL
"""No unit is smaller than this: an error below the smallest normal number is no error."""
RELIABLE = 1e-10
"""Where float64 is as close as this (relative) to the truth, it is good enough to see what moving a source does."""


@dataclass(eq=False)
class Judge:
    """The truth about every float32 node of a closed chain at some points.

    columns  the values of the sources at the points
    doubles  all nodes of the chain in float64, as functions of the sources
    skipped  points that do not count (see `_out_of_range`)
    truth    by node (id): its true values, as float64
    unit     by node (id): what counts as one unit of error
    """

    inputs: Sequence[Expr]
    columns: Sequence[Array]
    doubles: Evaluator
    skipped: Array
    truth: dict[int, Array] = field(default_factory=dict)
    unit: dict[int, Array] = field(default_factory=dict)

    def values(self, nodes: Sequence[Expr]) -> list[Array]:
        """The values of closed nodes as they are computed, at the points."""
        return Evaluator(nodes, self.inputs)(self.columns)

    def errors(self, node: Expr, values: Array) -> Array:
        """The errors of `values`, computed in place of `node`; nan where nothing is counted."""
        truth, unit = self.truth[id(node)], self.unit[id(node)]
        counted = np.isfinite(truth) & (np.abs(truth) <= LARGEST) & ~self.skipped
        with np.errstate(all="ignore"):
            found = np.abs(values.astype(np.float64) - truth) / unit
        return np.where(counted, np.where(np.isnan(found), np.inf, found), np.nan)

    def ill(self, node: Expr, values: Array) -> Array:
        """Where the error of `values` is worth mending."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.errors(node, values) > ILL)

    def at(self, chosen: Array) -> Judge:
        """The same for some of the points, still to be told the truth about."""
        return Judge(self.inputs, [column[chosen] for column in self.columns], self.doubles, self.skipped[chosen])


def quick(closed: Expr, domains: Sequence[str]) -> tuple[Judge, list[Expr]]:
    """A judge who takes float64 for the truth, and the float32 nodes of the chain, operands first."""
    inputs = sorted(leaves([closed], "input"), key=lambda node: int(str(node.name)[1:]))
    columns = points(domains, constants_of(closed))
    nodes = [node for node in postorder([closed]) if node.dtype == "float32" and node.op != "constant"]
    doubles = Evaluator(in_float64(nodes).values(), in_float64(inputs).values())
    judge = Judge(inputs, columns, doubles, np.zeros(len(columns[0]), bool))
    truth = doubles(columns)
    _settle(judge, nodes, truth, _moved(columns, truth, doubles))
    if len(inputs) > FEW:
        judge.skipped = _out_of_range(nodes, judge.values(nodes), truth)
    return judge, nodes


def _out_of_range(nodes: Sequence[Expr], values: Sequence[Array], truth: Sequence[Array]) -> Array:
    """The points at which a product or quotient of *different* values leaves the range of float32. Values are sampled
    independently, and when they are many it says nothing that some of them together are out of range; a square or an
    exponential that leaves the range does so by itself."""
    below: dict[int, frozenset[str]] = {}
    left = np.zeros(len(values[0]), bool)
    for node, value, true in zip(nodes, values, truth, strict=True):
        own = {str(node.name)} if node.op == "input" else set()
        below[id(node)] = frozenset(own.union(*(below.get(id(arg), ()) for arg in node.args)))
        if node.op in ("multiply", "divide"):
            a, b = (below.get(id(arg)) for arg in node.args)
            if a and b and a != b:
                tiny = (np.abs(value) < TINY) & (true != 0)
                left |= (~np.isfinite(value) | tiny) & np.isfinite(true)
    return left


def matters(judge: Judge, closed: Expr) -> Array:
    """Where an ill chain is ill in a way that can matter to training.

    Sources are of ordinary size, and the error is not small beside the values that the chain takes when some of its
    sources are nearer to 0: what 1 − tanh² loses where it has died away is lost in the sum with others anyway.
    """
    (values,) = judge.values([closed])
    found = judge.ill(closed, values)
    for column in judge.columns:
        if column.dtype != bool:
            found &= (np.abs(column) <= ORDINARY) & ((np.abs(column) >= 1 / ORDINARY) | (column == 0))
    places = np.flatnonzero(found)
    columns = [column[places] for column in judge.columns]
    error = np.abs(values[places].astype(np.float64) - judge.truth[id(closed)][places])
    for chosen in _groups(columns):
        if not len(error):
            break
        scaled = [
            np.concatenate([column * np.float32(scale) if i in chosen else column for scale in SCALES])
            for i, column in enumerate(columns)
        ]
        near = judge.doubles(scaled)[-1].reshape(len(SCALES), -1)
        largest = np.max(np.where(np.isfinite(near), np.abs(near), 0), axis=0)
        large = ~(error <= ILL * EPSILON * largest)
        places, error, columns = places[large], error[large], [column[large] for column in columns]
    return np.asarray(np.isin(np.arange(len(found)), places))


def _groups(columns: Sequence[Array]) -> Iterator[frozenset[int]]:
    """Sets of sources that may move to 0 together: all, each alone, and some at random."""
    numbers = [i for i, column in enumerate(columns) if column.dtype != bool]
    yield frozenset(numbers)
    if len(numbers) > 1:
        yield from (frozenset([i]) for i in numbers)
        rng = np.random.default_rng(len(numbers))
        for _ in range(4 * len(numbers)):
            yield frozenset(i for i in numbers if rng.random() < 0.5)


def exact(judge: Judge, nodes: Sequence[Expr]) -> Judge:
    """The judge, told the truth to many digits."""
    from symnet.ops.exactly import evaluate

    def true(columns: Sequence[Array], wanted: Sequence[Expr]) -> list[Array]:
        values = dict(zip(judge.inputs, columns, strict=True))
        size = {POINTS: len(columns[0])}
        return [np.broadcast_to(_to_float64(v), len(columns[0])) for v in evaluate(wanted, values, size, DIGITS)]

    truth = true(judge.columns, nodes)
    doubles = judge.doubles(judge.columns)
    slack = _moved(judge.columns, doubles, judge.doubles)
    unknown = np.zeros(len(judge.columns[0]), bool)
    with np.errstate(all="ignore"):
        for t, d in zip(truth, doubles, strict=True):
            unknown |= np.isfinite(t) & ~(np.abs(d - t) <= RELIABLE * np.abs(t))
    if unknown.any():
        there = [t[unknown] for t in truth]
        columns = [column[unknown] for column in judge.columns]
        for known, better in zip(slack, _moved(columns, there, lambda c: true(c, nodes)), strict=True):
            known[unknown] = better
    _settle(judge, nodes, truth, slack)
    return judge


def _moved(
    columns: Sequence[Array], values: Sequence[Array], evaluate: Callable[[Sequence[Array]], list[Array]]
) -> list[Array]:
    """For each value, the sum over the sources of how much it changes when the source moves by one ulp."""
    numbers = [i for i, column in enumerate(columns) if column.dtype != bool]
    if not numbers:
        return [np.zeros(len(value)) for value in values]
    moved = evaluate([
        np.concatenate([neighbours(column) if i == place else column for i in numbers])
        for place, column in enumerate(columns)
    ])  # fmt: skip
    totals = []
    with np.errstate(all="ignore"):
        for new, old in zip(moved, values, strict=True):
            change = np.abs(new.reshape(-1, len(old)) - old)
            totals.append(np.where(np.isnan(change), 0, change).sum(axis=0))
    return totals


def _settle(judge: Judge, nodes: Sequence[Expr], truth: Sequence[Array], slack: Sequence[Array]) -> None:
    for node, true, moved in zip(nodes, truth, slack, strict=True):
        size = np.minimum(np.abs(np.where(np.isfinite(true), true, 0)), LARGEST / 2).astype(np.float32)
        judge.truth[id(node)] = true
        judge.unit[id(node)] = np.maximum(np.spacing(size).astype(np.float64) + moved, SMALLEST)


def _to_float64(values: Array) -> Array:
    """mpmath's numbers rounded to float64."""
    with np.errstate(all="ignore"):
        return np.asarray(np.frompyfunc(_double, 1, 1)(values), np.float64)


def _double(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")  # type: ignore[operator]
