"""What a formula and its gradient really are: with 1000 digits, and by limits where the formula itself has no value."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath
import numpy as np
from mpmath import mp

import symnet as sn
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.ops import exactly

Array = np.ndarray

DIGITS = 1000
"""Enough for 1 - sigmoid(2000), which naive formulas ask for."""
LIMIT_DIGITS = 1200
STEP = mpmath.mpf(10) ** -60
"""How far from a point limits and difference quotients are taken."""
AGREE = mpmath.mpf(10) ** -25
LEAST = mpmath.mpf(10) ** -50
"""What is smaller counts as 0 when a step is chosen."""


def finite(array: Array) -> Array:
    return np.asarray(np.frompyfunc(lambda v: bool(mpmath.isfinite(v)), 1, 1)(array), bool)


class Truth:
    """A formula over inputs, with its gradient of Σ weights · value; everything with `DIGITS` digits."""

    def __init__(
        self, inputs: Sequence[Expr], by: Sequence[Expr], value: Expr, weights: Array, elementwise: bool
    ) -> None:
        self.inputs, self.by, self.value = list(inputs), list(by), value
        self.weights, self.elementwise = weights, elementwise
        self._varied = set(map(id, by))
        loss = sn.sum(value * sn.constant(weights)) if value.shape else value
        self.gradients = sn.grad(loss, self.by, simplify=False)
        self.conditions = [node for node in postorder([value]) if node.dtype == "bool" and node.args]

    def at(self, point: Sequence[Array]) -> tuple[Array, list[Array], list[Array]]:
        """The value and the gradients at a point, as arrays of mpmath numbers; nan where there is no limit either.

        The gradients come twice: those of the function, and those of the branches that are taken at the point (they
        differ where a guard puts a number into a hole, and both count as right).
        """
        given = dict(zip(self.inputs, point, strict=True))
        value, *gradients = exactly.evaluate([self.value, *self.gradients], given, digits=DIGITS)
        if not finite(value).all():
            value = self._limit(given, value)
        guarded = list(gradients)
        taken: dict[Expr, Array] = {}
        for position, node in enumerate(self.by):
            if not finite(gradients[position]).all():
                gradients[position] = guarded[position] = self._quotients(given, node, gradients[position], {})
                if self.conditions:
                    found = exactly.evaluate(self.conditions, given, digits=DIGITS)
                    taken = dict(zip(self.conditions, found, strict=True))
                    known = np.full(guarded[position].shape, mpmath.nan, object)
                    guarded[position] = self._quotients(given, node, known, taken)
        return value, gradients, guarded

    def _values(self, given: dict[Expr, Array], steps: dict[Expr, Array], taken: dict[Expr, Array]) -> Array:
        """The values a step away, with the conditions `taken` as they are."""
        with mp.workdps(LIMIT_DIGITS):
            moved = {node: _wide(array) + steps[node] if node in steps else array for node, array in given.items()}
        (value,) = exactly.evaluate([self.value], {**moved, **taken}, digits=LIMIT_DIGITS)
        return value

    def _limit(self, given: dict[Expr, Array], value: Array) -> Array:
        """The value from both sides of the point, where they agree or one of them is not defined."""
        sides = []
        for sign in (1, -1):
            with mp.workdps(LIMIT_DIGITS):
                steps = {node: sign * _step(given[node]) for node in self.by}
            sides.append(self._values(given, steps, {}))
        return _where_not_finite(value, np.frompyfunc(_meeting, 2, 1)(*sides))

    def _quotients(self, given: dict[Expr, Array], node: Expr, known: Array, taken: dict[Expr, Array]) -> Array:
        """Difference quotients in the elements of `node`, where they are not `known`, with conditions as `taken`."""
        shape, found = known.shape, np.array(known, object)
        base = self._base(given, taken)
        if self.elementwise:
            places = [np.ones(shape, bool)]
        else:
            places = [_only(shape, index) for index in np.argwhere(~finite(known))]
        for place in places:
            with mp.workdps(LIMIT_DIGITS):
                slopes = [self._slope(base, node, place, sign, taken) for sign in (1, -1)]
                between = np.frompyfunc(_between, 2, 1)(*slopes)
            found = np.where(place & ~finite(found), between, found)
        return found

    def _slope(self, base: dict[Expr, Array], node: Expr, place: Array, sign: int, taken: dict[Expr, Array]) -> Array:
        """The change of Σ weights · value on one side of the point, infinite where it grows as the steps shrink."""
        found = []
        for power in (1, 2):
            step = sign * (_step(base[node]) * place) * STEP ** (power - 1)
            near, far = (self._values(base, {node: part * step}, taken) for part in (1, 2))
            change = (far - near) * self.weights
            if self.elementwise:
                found.append(change / step)
            else:
                found.append(np.full(place.shape, _total(change) / _total(step), object))
        return np.asarray(np.frompyfunc(_settled, 2, 1)(*found), object)

    def _base(self, given: dict[Expr, Array], taken: dict[Expr, Array]) -> dict[Expr, Array]:
        """The point, a little beside itself where the formula has no value there."""
        if finite(self._values(given, {}, taken)).all():
            return {node: _wide(array) if id(node) in self._varied else array for node, array in given.items()}
        moved = {}
        for sign in (1, -1):
            with mp.workdps(LIMIT_DIGITS):
                moved = {
                    node: _wide(array) + sign * STEP**2 * _step(array) if id(node) in self._varied else array
                    for node, array in given.items()
                }
            if finite(self._values(moved, {}, taken)).all():
                break
        return moved


def _settled(slope: mpmath.mpf, nearer: mpmath.mpf) -> mpmath.mpf:
    """A slope, infinite when a smaller step makes it larger."""
    grows = mpmath.isfinite(nearer) and abs(nearer) > 1 and abs(nearer) > 1.4 * abs(slope)
    return mpmath.sign(nearer) * mpmath.inf if grows else slope


def _wide(array: Array) -> Array:
    return np.asarray(
        np.frompyfunc(lambda v: v if isinstance(v, mpmath.mpf) else mpmath.mpf(float(v)), 1, 1)(array), object
    )


def _step(array: Array) -> Array:
    return np.asarray(np.frompyfunc(lambda v: STEP * (abs(v) if abs(v) > LEAST else 1), 1, 1)(_wide(array)), object)


def _only(shape: tuple[int, ...], index: Array) -> Array:
    place = np.zeros(shape, bool)
    place[tuple(index)] = True
    return place


def _total(changes: Array) -> object:
    return sum(np.asarray(changes, object).ravel().tolist(), mpmath.mpf(0))


def _where_not_finite(known: Array, other: Array) -> Array:
    return np.where(finite(known), known, other)


def _meeting(a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    """The limit of which `a` and `b` are the neighbours."""
    if mpmath.isnan(a) or mpmath.isnan(b):
        return b if mpmath.isnan(a) else a
    if a == b or abs(a - b) <= AGREE * max(1, abs(a)):
        return a
    return mpmath.nan


def _between(a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    """The slope, from those on both sides; half way at a kink, as the documented derivatives of |x| and norms."""
    if mpmath.isnan(a) or mpmath.isnan(b):
        return b if mpmath.isnan(a) else a
    return (a + b) / 2 if mpmath.isfinite(a + b) else a
