"""A closed row function is examined once: whether it loses digits, and the smallest part that float64 has to compute.

Numbers in float32 are small change for float64: no square leaves its range, and what cancels in the 24 bits of one has
another 29 in the other. So there is one remedy, and the work is to find where it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from symnet.accuracy.examine import (
    Changes,
    Verdict,
    out_of_float64,
    some,
    treated_from_below,
    verdict,
)
from symnet.accuracy.measure import Judge, exact, matters, quick_on_rows
from symnet.accuracy.remedies import LEVEL
from symnet.accuracy.rows import Row
from symnet.accuracy.widen import widened
from symnet.errors import Unsupported
from symnet.expr.node import Expr
from symnet.expr.traverse import substitute
from symnet.runtime.lock import lock

Array = np.ndarray

JUDGED = 40
"""Ill points, and as many others, at which remedies are judged to many digits."""
ENOUGH = 0.9
"""A remedy must leave at most this part of the ill points ill."""

_verdicts: dict[tuple[object, ...], tuple[Row, Verdict]] = {}
_lock = lock()


def examine_row(row: Row, training: bool = False) -> Verdict:
    """The verdict on a row function, from memory if an equal one was examined before.

    training  leave it as it is where only digits are lost that do not matter to training (`measure.matters`)
    """
    now = tuple((id(node), id(form)) for node, form in row.now.items())  # the row keeps them, so that ids stay theirs
    key = (id(row.closed), now, row.domains, tuple(row.sizes.items()), training)
    with _lock:
        if key not in _verdicts:
            _verdicts[key] = row, _examined(row, training)
        return _verdicts[key][1]


def _examined(row: Row, training: bool) -> Verdict:
    closed = row.closed
    judge, nodes = quick_on_rows(closed, row.domains, row.sizes, training)
    (now,) = substitute([closed], row.now)
    ill = judge.ill(closed, judge.values([now])[0])
    lost = np.zeros(len(ill), bool) if training else out_of_float64(judge, nodes)
    worth = matters(judge, closed, now) if training and ill.any() else ill | lost
    if not worth.any():
        return verdict(closed, now, judge, ())
    chosen = np.flatnonzero(some(ill, JUDGED) | some(lost, JUDGED // 2) | some(~ill & ~lost, JUDGED))
    try:
        return _treated(row, nodes, exact(judge.at(chosen), nodes))
    except Unsupported:  # something without an exact meaning
        return verdict(closed, now, judge, ())


def _treated(row: Row, nodes: Sequence[Expr], judge: Judge) -> Verdict:
    def remedy(target: Expr, current: Sequence[Expr], now: Mapping[Expr, Expr]) -> Changes:
        form = _widened(target, now, judge)
        helps = form is not None and _helps(row.closed, {**now, target: form}, current[-1], judge)
        return (("wider", form),) if form is not None and helps else ()

    return treated_from_below(row.closed, nodes, judge, row.now, remedy)


def _widened(target: Expr, now: Mapping[Expr, Expr], judge: Judge) -> Expr | None:
    """The node with the least that helps in float64; what it is computed from as it is computed now."""
    plain = _ill(target, substitute([target], now)[0], judge)
    forms = [(form, _ill(target, form, judge)) for form in (substitute([w], now)[0] for w in widened(target))]
    fewest = min(ill for _, ill in forms)
    if fewest > ENOUGH * plain:
        return None
    return next(form for form, ill in forms if ill <= fewest + LEVEL * judge.columns[0].shape[-1])


def _ill(target: Expr, form: Expr, judge: Judge) -> int:
    return int(judge.ill(target, judge.values([form])[0]).sum())


def _helps(closed: Expr, new: dict[Expr, Expr], before: Expr, judge: Judge) -> bool:
    """Whether the whole is ill at fewer points."""
    return _ill(closed, substitute([closed], new)[0], judge) < _ill(closed, before, judge)
