"""What a formula and its gradient really are: with 1000 digits, and by limits where the formula itself has no value."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath
import numpy as np
from mpmath import mp

import symnet as sn
from symnet.expr.node import Expr
from symnet.ops import exactly

Array = np.ndarray

DIGITS = 1000
"""Enough for 1 - sigmoid(2000), which naive formulas ask for."""
LIMIT_DIGITS = 1200
STEP = mpmath.mpf(10) ** -60
"""How far from a point limits and difference quotients are taken."""
AGREE = mpmath.mpf(10) ** -25
BEYOND = mpmath.mpf(10) ** 25
"""What is larger at the distance `STEP` is infinite at the point itself."""


def finite(array: Array) -> Array:
    return np.asarray(np.frompyfunc(lambda v: bool(mpmath.isfinite(v)), 1, 1)(array), bool)


class Truth:
    """A formula over inputs, with its gradient of Σ weights · value; everything with `DIGITS` digits."""

    def __init__(
        self, inputs: Sequence[Expr], by: Sequence[Expr], value: Expr, weights: Array, elementwise: bool
    ) -> None:
        self.inputs, self.by, self.value = list(inputs), list(by), value
        self.weights, self.elementwise = weights, elementwise
        loss = sn.sum(value * sn.constant(weights)) if value.shape else value
        self.gradients = sn.grad(loss, self.by, simplify=False)

    def at(self, point: Sequence[Array]) -> tuple[Array, list[Array]]:
        """The value and the gradients at a point, as arrays of mpmath numbers; nan where there is no limit either."""
        given = dict(zip(self.inputs, point, strict=True))
        value, *gradients = exactly.evaluate([self.value, *self.gradients], given, digits=DIGITS)
        if not finite(value).all():
            value = self._limit(given, value)
        for position, node in enumerate(self.by):
            if not finite(gradients[position]).all():
                gradients[position] = self._quotients(given, node, gradients[position])
        return value, gradients

    def _values(self, given: dict[Expr, Array], steps: dict[Expr, Array]) -> Array:
        with mp.workdps(LIMIT_DIGITS):
            moved = {node: _wide(array) + steps[node] if node in steps else array for node, array in given.items()}
        (value,) = exactly.evaluate([self.value], moved, digits=LIMIT_DIGITS)
        return value

    def _limit(self, given: dict[Expr, Array], value: Array) -> Array:
        """The value from both sides of the point, where they agree or one of them is not defined."""
        sides = []
        for sign in (1, -1):
            with mp.workdps(LIMIT_DIGITS):
                steps = {node: sign * _step(given[node]) for node in self.by}
            sides.append(self._values(given, steps))
        return _where_not_finite(value, np.frompyfunc(_meeting, 2, 1)(*sides))

    def _quotients(self, given: dict[Expr, Array], node: Expr, known: Array) -> Array:
        """Difference quotients in the elements of `node`, for the elements that are not `known`."""
        shape, found = known.shape, np.array(known, object)
        if self.elementwise:
            places = [np.ones(shape, bool)]
        else:
            places = [_only(shape, index) for index in np.argwhere(~finite(known))]
        middle = self._limit(given, self._values(given, {}))
        for place in places:
            with mp.workdps(LIMIT_DIGITS):
                step = _step(given[node]) * place
                ahead, behind = (self._values(given, {node: sign * step}) for sign in (1, -1))
                size = step if self.elementwise else np.sum(step)
                change = [(side - middle) * self.weights / size for side in (ahead, behind)]
                change[1] = -change[1]
                if not self.elementwise:
                    change = [np.full(shape, _total(c), object) for c in change]
                slopes = np.frompyfunc(_between, 2, 1)(*change)
            found = np.where(place & ~finite(found), slopes, found)
        return found


def _wide(array: Array) -> Array:
    return np.asarray(np.frompyfunc(lambda v: mpmath.mpf(float(v)), 1, 1)(array), object)


def _step(array: Array) -> Array:
    return np.asarray(np.frompyfunc(lambda v: STEP * (abs(mpmath.mpf(float(v))) or 1), 1, 1)(array), object)


def _only(shape: tuple[int, ...], index: Array) -> Array:
    place = np.zeros(shape, bool)
    place[tuple(index)] = True
    return place


def _total(changes: Array) -> object:
    return sum(np.asarray(changes, object).ravel().tolist(), mpmath.mpf(0))


def _where_not_finite(known: Array, other: Array) -> Array:
    return np.where(finite(known), known, other)


def _large(v: mpmath.mpf) -> mpmath.mpf:
    return mpmath.sign(v) * mpmath.inf if abs(v) > BEYOND else v


def _meeting(a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    """The limit of which `a` and `b` are the neighbours."""
    if mpmath.isnan(a) or mpmath.isnan(b):
        return b if mpmath.isnan(a) else a
    if a == b or abs(a - b) <= AGREE * max(1, abs(a)):
        return a
    return mpmath.nan


def _between(a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    """The slope, from those on both sides; half way at a kink, as the documented derivatives of |x| and norms."""
    a, b = _large(a), _large(b)
    if mpmath.isnan(a) or mpmath.isnan(b):
        return b if mpmath.isnan(a) else a
    return (a + b) / 2 if mpmath.isfinite(a + b) else a
