"""A closed chain is examined once: how ill it is, what mends it, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symnet.accuracy.measure import ILL, Judge, exact, matters, quick
from symnet.accuracy.remedies import LEVEL, Form, Patient, best, centres, with_limits
from symnet.errors import Unsupported
from symnet.expr.node import Expr
from symnet.expr.traverse import leaves, substitute
from symnet.runtime.lock import lock

Array = np.ndarray
Place = tuple[float | tuple[float, ...], ...]
"""A point: the values of the sources, numbers or rows."""
Changes = tuple[tuple[str, Expr], ...]
"""What came of a node: rules, each with the form that it gave."""
Remedy = Callable[[Expr, Sequence[Expr], Mapping[Expr, Expr]], Changes]

ATTEMPTS = 6
"""At most so many nodes of one chain are tried."""
JUDGED = 100
"""Ill points, and as many others, at which remedies are judged to many digits."""


@dataclass(frozen=True, eq=False)
class Treatment:
    """One node of a chain that is computed in another way now.

    target   what the node means
    before   how it was computed
    changes  what came of it
    errors   the largest error of `before` and of each form
    """

    target: Expr
    before: Expr
    changes: Changes
    errors: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What there is to say about a closed chain.

    worst       the largest error that was found, in units of what rounding may cause; at `at`, the values of sources
    ill         the part of all points at which the error is worth mending
    treatments  what was done, in order; `after` is the chain with all of it
    """

    closed: Expr
    after: Expr
    worst: float
    at: Place
    ill: float
    worst_after: float
    at_after: Place
    ill_after: float
    treatments: tuple[Treatment, ...] = ()


_verdicts: dict[tuple[int, tuple[str, ...], bool], Verdict] = {}
_lock = lock()


def examine(closed: Expr, domains: Sequence[str], training: bool = False) -> Verdict:
    """The verdict on a closed chain, from memory if an equal chain was examined before.

    training  leave the chain as it is where only digits are lost that do not matter to training (`measure.matters`)
    """
    key = (id(closed), tuple(domains), training)  # the verdict keeps the node, so that no other can get its id
    with _lock:
        if key not in _verdicts:
            _verdicts[key] = _examined(closed, tuple(domains), training)
        return _verdicts[key]


def _examined(closed: Expr, domains: Sequence[str], training: bool) -> Verdict:
    judge, nodes = quick(closed, domains)
    values = judge.values([closed])[0]
    ill, holes = judge.ill(closed, values), _holes(closed, judge, values)
    lost = np.zeros(len(ill), bool) if training else out_of_float64(judge, nodes)
    worth = (matters(judge, closed) if training and ill.any() else ill | lost).any() or holes.any()
    if not worth:
        return verdict(closed, closed, judge, ())
    chosen = np.flatnonzero(some(ill, JUDGED) | some(lost, JUDGED // 2) | some(~ill & ~lost, JUDGED) | holes)
    try:
        return _treated(closed, nodes, exact(judge.at(chosen), nodes))
    except Unsupported:  # a function of the user's without a formula
        return verdict(closed, closed, judge, ())


def _holes(closed: Expr, judge: Judge, values: Array) -> Array:
    """The points at which a chain of one source may have a limit where it has no value."""
    sources = leaves([closed], "input")
    if len(sources) != 1 or sources[0].dtype != "float32" or values.ndim > 1 or sources[0].ndim > 1:
        return np.zeros(values.shape[-1], bool)
    return np.asarray(np.isnan(values) & np.isin(judge.columns[0], np.array(centres(closed), np.float32)))


def out_of_float64(judge: Judge, nodes: Sequence[Expr]) -> Array:
    """The points at which float64 cannot tell the value, because something on the way leaves its range too."""
    left = np.any([_anywhere(np.isinf(judge.truth[id(node)])) for node in nodes], axis=0)
    return np.asarray(left & _anywhere(np.isnan(judge.truth[id(nodes[-1])])) & ~judge.skipped)


def _anywhere(found: Array) -> Array:
    """The points at which something is found in any element."""
    return np.asarray(found.reshape(-1, found.shape[-1]).any(axis=0))


def some(mask: Array, count: int) -> Array:
    """At most so many of the points of a mask, evenly spread."""
    found = np.flatnonzero(mask)
    kept = np.zeros(len(mask), bool)
    kept[found[:: max(1, -(-len(found) // count))]] = True
    return kept


def _treated(closed: Expr, nodes: Sequence[Expr], judge: Judge) -> Verdict:
    """The whole chain in one go if that mends it; else node by node."""
    patient = Patient(closed, {node: node for node in nodes}, judge)
    if patient.variable() is not None:
        form = with_limits(patient, best(patient))
        if form.changes and form.ill <= LEVEL * len(judge.columns[0]):
            return verdict(closed, form.node, judge, (described(judge, closed, closed, form.changes),))

    def remedy(target: Expr, current: Sequence[Expr], now: Mapping[Expr, Expr]) -> Changes:
        patient = Patient(target, dict(zip(nodes, current, strict=True)), judge)
        form = with_limits(patient, best(patient))
        helps = form.changes and _helps(closed, {**now, target: form.node}, current[-1], judge, form)
        return form.changes if helps else ()

    return treated_from_below(closed, nodes, judge, {}, remedy)


def treated_from_below(
    closed: Expr, nodes: Sequence[Expr], judge: Judge, start: Mapping[Expr, Expr], remedy: Remedy
) -> Verdict:
    """The lowest ill node that makes the whole ill is mended, then the next, until all is well. The last attempt goes
    to the whole.

    start   how nodes are computed already
    remedy  (node, how all nodes are computed now, which of them are changed) -> the changes that help, if any
    """
    treatments: list[Treatment] = []
    now, tried = dict(start), set[Expr]()
    for attempt in range(ATTEMPTS):
        current = substitute(nodes, now)
        target = origin(nodes, judge.values(current), judge, tried)
        if target is None:
            break
        if attempt == ATTEMPTS - 1 and closed not in tried:
            target = closed
        tried.add(target)
        changes = remedy(target, current, now)
        if changes:
            (before,) = substitute([target], now)
            treatments.append(described(judge, target, before, changes))
            now[target] = changes[-1][1]
    after, needed = without_needless(closed, substitute([closed], now)[0], judge, treatments)
    return verdict(closed, after, judge, needed)


def without_needless(
    closed: Expr, after: Expr, judge: Judge, treatments: Sequence[Treatment]
) -> tuple[Expr, tuple[Treatment, ...]]:
    """The chain without those treatments that later ones made needless."""
    needed = list(treatments)
    for treatment in treatments[:-1]:
        undo = {treatment.changes[-1][1]: treatment.before}
        (simpler,) = substitute([after], undo)
        old, new = judge.values([after, simpler])
        more = judge.ill(closed, new).mean() - judge.ill(closed, old).mean()
        if more <= LEVEL and not (np.isnan(new) & ~np.isnan(old)).any():
            needed = [_treatment(judge, t, undo) for t in needed if t is not treatment]
            after = simpler
    return after, tuple(needed)


def _treatment(judge: Judge, treatment: Treatment, undo: dict[Expr, Expr]) -> Treatment:
    """The treatment with some of the nodes in it as they were."""
    before, *forms = substitute([treatment.before, *(form for _, form in treatment.changes)], undo)
    changes = tuple((rule, form) for (rule, _), form in zip(treatment.changes, forms, strict=True))
    return described(judge, treatment.target, before, changes)


def origin(nodes: Sequence[Expr], values: Sequence[Array], judge: Judge, tried: set[Expr]) -> Expr | None:
    """The lowest node not tried yet that is ill, or has no value, where the whole chain is ill or has none."""
    lost = judge.ill(nodes[-1], values[-1]) | _holes(nodes[-1], judge, values[-1])
    for node, value in zip(nodes, values, strict=True):
        if node.args and node not in tried and (lost & (judge.ill(node, value) | _holes(node, judge, value))).any():
            return node
    return None


def _helps(closed: Expr, new: dict[Expr, Expr], before: Expr, judge: Judge, form: Form) -> bool:
    """Whether the whole chain is ill at fewer points, or has a value where it had none."""
    old, changed = judge.values([before, substitute([closed], new)[0]])
    ill_before, ill_after = judge.ill(closed, old).sum(), judge.ill(closed, changed).sum()
    filled = (np.isnan(old) & np.isfinite(changed)).any() and form.changes[-1][0] == "limit"
    return bool(ill_after < ill_before or (filled and ill_after <= ill_before))


def described(judge: Judge, target: Expr, before: Expr, changes: Changes) -> Treatment:
    computed = judge.values([before, *(form for _, form in changes)])
    return Treatment(target, before, changes, tuple(_worst(judge, target, values)[0] for values in computed))


def verdict(closed: Expr, after: Expr, judge: Judge, treatments: tuple[Treatment, ...]) -> Verdict:
    before_values, after_values = judge.values([closed, after])
    worst, at = _worst(judge, closed, before_values)
    worst_after, at_after = _worst(judge, closed, after_values)
    ill, ill_after = judge.ill(closed, before_values).mean(), judge.ill(closed, after_values).mean()
    return Verdict(closed, after, worst, at, float(ill), worst_after, at_after, float(ill_after), treatments)


def _worst(judge: Judge, node: Expr, values: Array) -> tuple[float, Place]:
    """The largest error, and the point at which it is: of several the one with the most ordinary numbers."""
    errors = judge.errors(node, values)
    if np.isnan(errors).all():
        return 0.0, ()
    worst = float(np.nanmax(errors))
    columns = [column.reshape(-1, len(errors)).astype(np.float64) for column in judge.columns]
    size = sum(np.abs(np.log(np.maximum(np.abs(c), 1e-45))).sum(axis=0) for c in columns)
    place = int(np.argmin(np.where(errors >= min(worst, max(ILL, worst / 8)), size, np.inf)))
    rows = [tuple(column[:, place].tolist()) for column in columns]
    return worst, tuple(row[0] if judge.columns[i].ndim == 1 else row for i, row in enumerate(rows))
