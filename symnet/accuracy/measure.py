"""How far the float32 value of a closed chain is from what it means.

The error at a point is counted in units of what rounding can do there at best: half an ulp for the result and one ulp
for each source, `ulp(f) + Σᵢ |f(xᵢ moved by one ulp) − f(x)|`. So a function that is ill-conditioned at a point is not
blamed for it, and only digits that the way of computing loses count. Where the true value is not a finite float32
number, nothing is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from symnet.accuracy.chains import POINTS
from symnet.accuracy.designs import moved, rows
from symnet.accuracy.domains import LARGEST, neighbours, points
from symnet.accuracy.values import NO_SIZES, Evaluator, constants_of, in_float64, shape_of
from symnet.expr.dims import evaluate_shape
from symnet.expr.node import Expr
from symnet.expr.traverse import leaves, postorder
from symnet.simplify.engine import rewrite_with
from symnet.simplify.expand import saturation_rules
from symnet.simplify.rule import RuleSet

Array = np.ndarray

ILL = 16.0
"""Errors from here on are worth mending. Chains of a dozen well-behaved operations stay far below."""
DIGITS = 120
"""The digits with which what is true is worked out, where float64 may not know."""
TINY = float(np.finfo(np.float32).tiny)
EPSILON = float(np.finfo(np.float32).eps)
SCALES = tuple(2.0**-k for k in (0, 1, 2, 3, 5, 8, 12, 17, 23))
FLIPS = 3
"""So often the elements of rows get signs at random."""
ORDINARY = 1e8
"""The largest size, and one over the smallest, of numbers in training."""
FEW = 3
"""Products of so many values may leave the range and count; see `_out_of_range`."""
SMALLEST = TINY / ILL
"""No unit is smaller than this: an error below the smallest normal number is no error."""
ROWS = 4
"""What counts as a unit of error in a row function, in ulp of the result: sums round more often than one operation."""
DRAWS = 4
"""How often the elements of sources of rows are moved at random."""
RELIABLE = 1e-10
"""Where float64 is as close as this (relative) to the truth, it is good enough to see what moving a source does."""


@dataclass(eq=False)
class Judge:
    """The truth about every float32 node of a closed chain, or of a closed row function, at some points.

    columns  the values of the sources at the points, which are the last axis
    doubles  all nodes of the chain in float64, as functions of the sources
    skipped  points that do not count (see `_out_of_range`)
    sizes    of the named axes of a row function
    along    whether an error counts against the largest element of a row, rather than against its own
    lowered  the rules that lowering applies before values are computed, as far as they matter here
    forgiving  whether what moving the sources does counts as rounding
    truth    by node (id): its true values, as float64
    unit     by node (id): what counts as one unit of error
    """

    inputs: Sequence[Expr]
    columns: Sequence[Array]
    doubles: Evaluator
    skipped: Array
    sizes: Mapping[str, int] = field(default_factory=dict)
    along: bool = False
    lowered: RuleSet | None = None
    forgiving: bool = True
    truth: dict[int, Array] = field(default_factory=dict)
    unit: dict[int, Array] = field(default_factory=dict)

    def values(self, nodes: Sequence[Expr]) -> list[Array]:
        """The values of closed nodes as they are computed, at the points."""
        computed = nodes if self.lowered is None else rewrite_with(self.lowered, nodes)
        return Evaluator(computed, self.inputs, self.sizes)(self.columns)

    def errors(self, node: Expr, values: Array) -> Array:
        """The errors of `values`, computed in place of `node`, by points; nan where nothing is counted."""
        truth, unit = self.truth[id(node)], self.unit[id(node)]
        counted = np.isfinite(truth) & (np.abs(truth) <= LARGEST) & ~self.skipped
        with np.errstate(all="ignore"):
            found = np.abs(values.astype(np.float64) - truth) / unit
        found = np.where(counted, np.where(np.isnan(found), np.inf, found), np.nan)
        return np.asarray(np.fmax.reduce(found.reshape(-1, found.shape[-1])))

    def ill(self, node: Expr, values: Array) -> Array:
        """Where the error of `values` is worth mending."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.errors(node, values) > ILL)

    def at(self, chosen: Array) -> Judge:
        """The same for some of the points, still to be told the truth about."""
        columns = [column[..., chosen] for column in self.columns]
        skipped = self.skipped[chosen]
        return replace(self, columns=columns, skipped=skipped, truth={}, unit={})


def quick(closed: Expr, domains: Sequence[str]) -> tuple[Judge, list[Expr]]:
    """A judge who takes float64 for the truth, and the float32 nodes of the chain, operands first."""
    inputs = _inputs(closed)
    judge, nodes = _judge(closed, inputs, points(domains, constants_of(closed)))
    truth = _settle_quickly(judge, nodes)
    if len(inputs) > FEW:
        judge.skipped = _out_of_range(nodes, judge.values(nodes), truth)
    return judge, nodes


def quick_on_rows(
    closed: Expr, domains: Sequence[str], sizes: Mapping[str, int], training: bool
) -> tuple[Judge, list[Expr]]:
    """The same for a closed row function.

    Outside of training, sources are taken as exact: a mean of large numbers is worth its digits beyond the last one of
    each. In training errors count against the largest element of the result, and of the sources.
    """
    inputs = _inputs(closed)
    shapes = [evaluate_shape(node.shape[:-1], sizes) for node in inputs]
    columns = rows(shapes, domains)
    if training:
        ordinary = np.all([_ordinary(column) for column in columns], axis=0)
        columns = [column[..., ordinary] for column in columns]
    judge, nodes = _judge(closed, inputs, columns, sizes)
    judge.along = judge.forgiving = training
    judge.lowered = saturation_rules(not training)
    _settle_quickly(judge, nodes)
    return judge, nodes


def _inputs(closed: Expr) -> list[Expr]:
    return sorted(leaves([closed], "input"), key=lambda node: int(str(node.name)[1:]))


def _judge(
    closed: Expr, inputs: Sequence[Expr], columns: Sequence[Array], sizes: Mapping[str, int] = NO_SIZES
) -> tuple[Judge, list[Expr]]:
    nodes = [node for node in postorder([closed]) if node.dtype == "float32" and node.op != "constant"]
    doubles = Evaluator(in_float64(nodes).values(), in_float64(inputs).values(), sizes)
    return Judge(inputs, columns, doubles, np.zeros(columns[0].shape[-1], bool), sizes), nodes


def _settle_quickly(judge: Judge, nodes: Sequence[Expr]) -> list[Array]:
    """Tell a judge what float64 says, which is returned."""
    truth = judge.doubles(judge.columns)
    slack = _moved(judge.columns, truth, judge.doubles) if judge.forgiving else truth
    _settle(judge, nodes, truth, slack)
    return truth


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


def matters(judge: Judge, closed: Expr, now: Expr | None = None) -> Array:
    """Where an ill chain is ill in a way that can matter to training.

    Sources are of ordinary size, and the error is not small beside the values that the chain takes when some of its
    sources are nearer to 0: what 1 − tanh² loses where it has died away is lost in the sum with others anyway. Nor is
    it small beside those of rows with other signs: what Σ (g − mean g) loses is nothing beside the g that are summed.
    """
    (values,) = judge.values([closed if now is None else now])
    found = judge.ill(closed, values)
    for column in judge.columns:
        found &= _ordinary(column)
    if not found.any():
        return found
    places = np.flatnonzero(found)
    columns = [column[..., places] for column in judge.columns]
    error = np.abs(values[..., places].astype(np.float64) - judge.truth[id(closed)][..., places])
    error = np.nan_to_num(error.reshape(-1, len(places)), nan=np.inf).max(axis=0)
    for chosen in _groups(columns):
        if not len(error):
            break
        near = judge.doubles([
            np.concatenate(_varied(column, i) if i in chosen else [column] * (len(SCALES) + FLIPS), axis=-1)
            for i, column in enumerate(columns)
        ])[-1].reshape(-1, len(SCALES) + FLIPS, len(places))  # fmt: skip
        largest = np.max(np.where(np.isfinite(near), np.abs(near), 0), axis=(0, 1))
        large = ~(error <= ILL * EPSILON * largest)
        places, error, columns = places[large], error[large], [column[..., large] for column in columns]
    return np.asarray(np.isin(np.arange(len(found)), places))


def _ordinary(column: Array) -> Array:
    """The points at which all elements are of a size as in training."""
    size = np.abs(column.astype(np.float64)).reshape(-1, column.shape[-1])
    return np.asarray(((size <= ORDINARY) & ((size >= 1 / ORDINARY) | (size == 0))).all(axis=0))


def _varied(column: Array, place: int) -> list[Array]:
    """A column nearer to 0, and with other signs where there are rows."""
    rng = np.random.default_rng([place, 11])
    flips = [
        column * rng.choice(np.array([-1, 1], np.float32), column.shape) if column.ndim > 1 else column
        for _ in range(FLIPS)
    ]
    return [*(column * np.float32(scale) for scale in SCALES), *flips]


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
        sizes = {**judge.sizes, POINTS: columns[0].shape[-1]}
        found = evaluate(wanted, values, sizes, DIGITS)
        return [np.broadcast_to(_to_float64(v), shape_of(n, sizes)) for v, n in zip(found, wanted, strict=True)]

    truth = true(judge.columns, nodes)
    if not judge.forgiving:
        _settle(judge, nodes, truth, truth)
        return judge
    doubles = judge.doubles(judge.columns)
    slack = _moved(judge.columns, doubles, judge.doubles)
    unknown = np.zeros(judge.columns[0].shape[-1], bool)
    with np.errstate(all="ignore"):
        for t, d in zip(truth, doubles, strict=True):
            wrong = np.isfinite(t) & ~(np.abs(d - t) <= RELIABLE * np.abs(t))
            unknown |= wrong.reshape(-1, len(unknown)).any(axis=0)
    if unknown.any():
        there = [t[..., unknown] for t in truth]
        columns = [column[..., unknown] for column in judge.columns]
        for known, better in zip(slack, _moved(columns, there, lambda c: true(c, nodes)), strict=True):
            known[..., unknown] = better
    _settle(judge, nodes, truth, slack)
    return judge


def _moved(
    columns: Sequence[Array], values: Sequence[Array], evaluate: Callable[[Sequence[Array]], list[Array]]
) -> list[Array]:
    """For each value, the sum over the sources of how much it changes when the source moves by one ulp."""
    if any(column.ndim > 1 for column in columns):
        return _moved_at_random(columns, values, evaluate)
    numbers = [i for i, column in enumerate(columns) if column.dtype != bool]
    if not numbers:
        return [np.zeros(len(value)) for value in values]
    next_to = neighbours if len(columns) == 1 else _neighbours_of_inexact
    shifted = evaluate([
        np.concatenate([next_to(column) if i == place else column for i in numbers])
        for place, column in enumerate(columns)
    ])  # fmt: skip
    totals = []
    with np.errstate(all="ignore"):
        for new, old in zip(shifted, values, strict=True):
            change = np.abs(new.reshape(-1, len(old)) - old)
            totals.append(np.where(np.isnan(change), 0, change).sum(axis=0))
    return totals


def _neighbours_of_inexact(column: Array) -> Array:
    """The next numbers but for 0 and ±1, which among other values are labels, masks and signs, and mean themselves."""
    return np.where((column == 0) | (np.abs(column) == 1), column, neighbours(column))


def _moved_at_random(
    columns: Sequence[Array], values: Sequence[Array], evaluate: Callable[[Sequence[Array]], list[Array]]
) -> list[Array]:
    """The same for sources of many elements, which move all together, each at random: the largest change of a few
    draws."""
    new = evaluate([np.concatenate([moved(column, k + DRAWS * i) for k in range(DRAWS)], axis=-1)
                    for i, column in enumerate(columns)])  # fmt: skip
    totals = []
    with np.errstate(all="ignore"):
        for change, old in zip(new, values, strict=True):
            changes = np.abs(change.reshape(*old.shape[:-1], DRAWS, -1) - old[..., None, :])
            totals.append(np.where(np.isnan(changes), 0, changes).max(axis=-2))
    return totals


def _settle(judge: Judge, nodes: Sequence[Expr], truth: Sequence[Array], slack: Sequence[Array]) -> None:
    for node, true, change in zip(nodes, truth, slack, strict=True):
        size = np.minimum(np.abs(np.where(np.isfinite(true), true, 0)), LARGEST / 2).astype(np.float32)
        if judge.along:
            size = np.max(size, axis=tuple(range(size.ndim - 1)), keepdims=True)
        judge.truth[id(node)] = true
        rounding = np.spacing(size).astype(np.float64)
        judge.unit[id(node)] = np.maximum(rounding + change if judge.forgiving else ROWS * rounding, SMALLEST)


def _to_float64(values: Array) -> Array:
    """mpmath's numbers rounded to float64."""
    with np.errstate(all="ignore"):
        return np.asarray(np.frompyfunc(_double, 1, 1)(values), np.float64)


def _double(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")  # type: ignore[operator]
