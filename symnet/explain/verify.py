"""Every step of a derivation checked by numbers: both sides on random data.

A step of a rule: the two sides are evaluated in float64; where they differ by more than rounding explains, once more
with 50 digits, from the values at which the two sides meet. A step of the chain rule: what an operation passes on to an
operand is compared with differences of the operation itself, along a random direction. At last the gradients are
compared with differences of the loss. Nothing here knows a rule or a pullback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from symnet.derive.build import postorder_above, total
from symnet.derive.reverse import ChainStep
from symnet.errors import CompilerBug, Unsupported
from symnet.explain.sampling import LEAVES, Array, Sample, sample
from symnet.expr.node import Expr
from symnet.expr.trace import Step
from symnet.expr.traverse import postorder
from symnet.ops.interpret import run
from symnet.program.convert import to_dtype

ROUNDING = 1e-10
"""Two values of float64 that differ by less, relative to the largest element, are taken to be equal."""
CONDITIONED = 1e-6
"""The same where 50 digits cannot be had (loops, random numbers)."""
EXACT = 1e-13
"""The same with 50 digits: the numbers of a graph are themselves rounded to double precision."""
DIFFERENCES = 1e-5
"""For a derivative and differences of second order."""

EVALUATIONS = 32
"""Gradients are compared one by one up to so many, more of them in so many groups: each costs the whole loss twice."""
SYMMETRIC = ("cholesky",)
"""Operations whose derivative is that along symmetric changes of their operand."""

Values = Mapping[Expr, Array]


@dataclass(frozen=True)
class Verification:
    """What was checked: `steps` of them in `checks` comparisons; the largest relative error, and where it was.

    exactly  how many rules were decided with 50 digits
    seed     of the random data
    """

    steps: int
    checks: int
    worst: float
    where: str
    exactly: int
    seed: int

    def __str__(self) -> str:
        digits = f", {self.exactly} of them with 50 digits" if self.exactly else ""
        return (
            f"{self.steps} steps verified in {self.checks} checks{digits}; "
            f"worst relative error {self.worst:.1e} ({self.where}); seed {self.seed}"
        )


def verify(
    steps: Sequence[Step], loss: Expr, wrt: Sequence[Expr], gradients: Sequence[Expr], seed: int
) -> Verification:
    """Check every step and the gradients on data drawn with `seed`; `CompilerBug` with the first that is wrong."""
    rules = [step for step in steps if not isinstance(step, ChainStep)]
    links = [step for step in steps if isinstance(step, ChainStep)]
    sides = to_dtype([side for step in rules for side in (step.before, step.after)], "float64")
    wide_loss, *rest = to_dtype([loss, *wrt, *gradients], "float64")
    wide_links = _links(links)
    wide_wrt, wide_gradients = rest[: len(wrt)], rest[len(wrt) :]
    ends = [wide_loss, *wide_gradients]
    needed = [*sides, *ends, *wide_wrt, *chain.from_iterable(link.needed for link in wide_links)]
    rng = np.random.default_rng(seed)
    data = sample(needed, rng, ends)
    values: dict[Expr, Array] = dict(data.values)
    values.update(zip(needed, run(needed, data.values, data.sizes), strict=True))
    checks = _Checks(values, data, rng)
    for step, before, after in zip(rules, sides[::2], sides[1::2], strict=True):
        checks.rule(step, before, after)
    for link in wide_links:
        checks.link(link)
    whole = _Loss(wide_loss, data)
    pairs = list(zip(wide_wrt, wide_gradients, strict=True))
    together = -(-len(pairs) // EVALUATIONS) or 1
    for start in range(0, len(pairs), together):
        checks.gradients(whole, pairs[start : start + together])
    return Verification(len(steps), checks.count, checks.worst, checks.where, checks.exactly, seed)


@dataclass(frozen=True)
class _Link:
    """All that an operation passes on to one node, which may be several of its operands, in float64."""

    step: ChainStep
    node: Expr
    target: Expr
    cotangents: tuple[Expr | None, ...]
    after: Expr

    @property
    def needed(self) -> list[Expr]:
        return [*self.node.args, *(g for g in self.cotangents if g is not None)]


def _links(steps: Sequence[ChainStep]) -> list[_Link]:
    """The steps of the chain rule, those between the same two nodes together."""
    together: dict[tuple[Expr, Expr], list[ChainStep]] = {}
    for step in steps:
        together.setdefault((step.before, step.target), []).append(step)
    flat: list[Expr] = []
    for (before, target), parts in together.items():
        flat += [before, target, total([part.after for part in parts]), *_present(parts[0])]
    wide = iter(to_dtype(flat, "float64"))  # all at once: each of them reaches far into the graph
    found = []
    for parts in together.values():
        before, target, after = next(wide), next(wide), next(wide)
        given = parts[0].cotangent if isinstance(parts[0].cotangent, tuple) else (parts[0].cotangent,)
        cotangents = tuple(None if g is None else next(wide) for g in given)
        found.append(_Link(parts[0], before, target, cotangents, after))
    return found


def _present(step: ChainStep) -> list[Expr]:
    """The cotangents that are not zero."""
    given = step.cotangent if isinstance(step.cotangent, tuple) else (step.cotangent,)
    return [g for g in given if g is not None]


class _Loss:
    """The loss with the values of all its nodes, so that only what a variable moves is computed again.

    terms  how large what is added up in it is: rounding is relative to that, not to what remains of it
    """

    def __init__(self, loss: Expr, data: Sample) -> None:
        self.loss, self.sizes, self.order = loss, data.sizes, postorder([loss])
        self.values: dict[Expr, Any] = dict(data.values)
        run([loss], data.values, data.sizes, self.values.__setitem__)
        summed = postorder_above([loss], {node: 0 for node in self.order if node.shape})
        floats = (part for node in summed for part in _items(self.values[node]) if part.dtype.kind == "f")
        self.terms = max((float(np.sum(np.abs(part))) for part in floats), default=0.0)

    def along(self, directions: Mapping[Expr, Array]) -> Callable[[float], float]:
        """The loss as a function of the distance of variables in their directions; what stop_gradient holds stays."""
        moving = set(directions)
        for node in self.order:
            if node.op != "stop_gradient" and not moving.isdisjoint(node.args):
                moving.add(node)
        fixed = {node: value for node, value in self.values.items() if node not in moving}

        def value(distance: float) -> float:
            there = {node: self.values[node] + distance * direction for node, direction in directions.items()}
            return float(run([self.loss], {**fixed, **there}, self.sizes)[0].sum())

        return value

    def users(self, node: Expr) -> list[Expr]:
        return [user for user in self.order if any(arg is node for arg in user.args)]


class _Checks:
    """The checks, with what they found so far."""

    def __init__(self, values: Values, data: Sample, rng: np.random.Generator) -> None:
        self.values, self.data, self.rng = values, data, rng
        self.fixed = _fixed(values)
        self.count = self.exactly = 0
        self.worst, self.where = 0.0, ""

    def rule(self, step: Step, before: Expr, after: Expr) -> None:
        """The two sides of a step have the same values."""
        error, allowed = _distance(self.values[before], self.values[after]), ROUNDING
        if error > allowed:
            try:
                error, allowed = self._exact_distance(before, after), EXACT
                self.exactly += 1
            except Unsupported:
                allowed = CONDITIONED
        self._note(step, error, allowed, "its two sides differ")

    def link(self, link: _Link) -> None:
        """What an operation passes on to an operand is its derivative there, times the cotangent."""
        moved = {arg: self._off_kinks(arg) for arg in link.node.args}
        seeds = {g: self.values[g] for g in link.cotangents if g is not None and g.args}
        along = self._direction(moved[link.target], [link.node])
        error = self._error_of_link(link, moved, seeds, along)
        if error > DIFFERENCES:  # the contribution may look into its cotangent, which then follows from what moved
            error = self._error_of_link(link, moved, {}, along)
        self._note(link.step, error, DIFFERENCES, "it is not the derivative that differences give")

    def _error_of_link(self, link: _Link, moved: Values, seeds: Values, along: Array) -> float:
        given = {**self.data.values, **seeds, **moved}
        present = [g for g in link.cotangents if g is not None]
        contribution, here, *cotangents = run([link.after, link.node, *present], given, self.data.sizes)

        def value(distance: float) -> float:
            there = {**moved, link.target: moved[link.target] + distance * along}
            (result,) = run([link.node], there, self.data.sizes)
            moving = (item for item, g in zip(_items(result), link.cotangents, strict=True) if g is not None)
            return float(sum(np.vdot(item, g) for item, g in zip(moving, cotangents, strict=True)))

        size = _magnitude(moved[link.target])
        summed = sum(float(np.sum(np.abs(g))) for g in cotangents)
        return _off(value, contribution, along, size, summed * max(size, *map(_magnitude, _items(here))))

    def gradients(self, loss: _Loss, pairs: Sequence[tuple[Expr, Expr]]) -> None:
        """Gradients are what differences of the loss give, when their variables move together; if not, each alone."""
        sizes = [_magnitude(self.values[variable]) for variable, _ in pairs]
        along = [self._direction(self.values[variable], loss.users(variable)) for variable, _ in pairs]
        moved = zip(pairs, sizes, along, strict=True)
        value = loss.along({v: size * way for (v, _), size, way in moved if v in loss.values})
        slopes = [size * self.values[g].ravel() for (_, g), size in zip(pairs, sizes, strict=True)]
        error = _off(value, np.concatenate(slopes), np.concatenate([way.ravel() for way in along]), 1.0, loss.terms)
        if error > DIFFERENCES and len(pairs) > 1:
            for pair in pairs:
                self.gradients(loss, [pair])
            return
        named = ", ".join(str(variable.name or variable.op) for variable, _ in pairs)
        self._note(None, error, DIFFERENCES, f"that by {named} is not what differences give")

    def _direction(self, at: Array, users: Sequence[Expr]) -> Array:
        """A random direction; a symmetric one for what an operation on symmetric matrices takes."""
        along = self.rng.standard_normal(at.shape)
        return along + np.swapaxes(along, -1, -2) if any(user.op in SYMMETRIC for user in users) else along

    def _exact_distance(self, before: Expr, after: Expr) -> float:
        """How far the sides are apart with 50 digits, from the values of the nodes that both are made of."""
        from symnet.ops.exactly import evaluate

        shared = frozenset(postorder([before])) & frozenset(postorder([after])) - {before, after}
        meeting = [node for node in postorder_above([before, after], shared) if node in shared]
        given = dict(zip(meeting, run(meeting, self.data.values, self.data.sizes), strict=True))
        first, second = evaluate([before, after], {**self.data.values, **given}, self.data.sizes)
        return _distance(first, second)

    def _off_kinks(self, node: Expr) -> Array:
        """The value moved a little, so that no two elements tie and none is 0; as it is where it is no float, or fixed
        (a constant may stand in the derivative for its own sake)."""
        value = self.values[node]
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or node in self.fixed:
            return value
        moved = value * (1.0 + 1e-3 * self.rng.uniform(-1.0, 1.0, value.shape))
        return np.where(value == 0.0, 0.1 * _magnitude(value) * self.rng.uniform(0.5, 1.0, value.shape), moved)

    def _note(self, step: Step | None, error: float, allowed: float, what: str) -> None:
        self.count += 1
        rule = "the gradient as a whole" if step is None else step.rule
        if not error <= allowed:
            shown = "" if step is None else f" {step.before.op} became {step.after.op} because {step.reason}."
            raise CompilerBug(f"verify: {rule}: {what} by {error:.1e} (at most {allowed:.0e} is rounding).{shown}")
        if error >= self.worst:
            self.worst, self.where = error, rule


def _fixed(roots: Iterable[Expr]) -> set[Expr]:
    """The nodes that depend on no data."""
    found: set[Expr] = set()
    for node in postorder(roots):
        if node.op not in LEAVES and all(arg in found for arg in node.args):
            found.add(node)
    return found


def _items(value: Array | tuple[Array, ...]) -> tuple[Array, ...]:
    return value if isinstance(value, tuple) else (value,)


def _distance(first: Array | tuple[Array, ...], second: Array | tuple[Array, ...]) -> float:
    """The largest difference of two arrays, relative to their largest element; of float64 or of mpmath's numbers.

    Elements that are the same infinity, or both nan, are equal; a nan or an infinity beside a number is infinitely far.
    Of tuples of arrays, the largest of any two.
    """
    if isinstance(first, tuple) or isinstance(second, tuple):
        return max(map(_distance, _items(first), _items(second)), default=0.0)
    if first.size == 0:
        return 0.0
    if first.dtype.kind in "bi":
        return 0.0 if np.array_equal(first, second) else np.inf
    rough, other = first.astype("float64"), second.astype("float64")
    with np.errstate(all="ignore"):
        usual = np.isfinite(rough) & np.isfinite(other)
        same = (rough == other) | (np.isnan(rough) & np.isnan(other))
        if not np.all(usual | same):
            return np.inf
        differences = np.abs((first - second)[usual])
    if not differences.size:
        return 0.0
    scale = max(np.max(np.abs(first[usual])), np.max(np.abs(second[usual])))
    return float(np.max(differences) / scale) if scale else 0.0


def _off(value: Callable[[float], float], gradient: Array, along: Array, magnitude: float, terms: float) -> float:
    """By how much ⟨gradient, along⟩ differs from the slope of `value` at 0, relative to the gradient.

    `magnitude` is that of the variable, `terms` that of what is summed in `value`, which is rounded. The step becomes
    smaller until the two agree, so that a kink that happens to be near does no harm.
    """
    expected, scale = float(np.vdot(gradient, along)), float(np.linalg.norm(gradient))
    least = np.inf
    for step in (1e-5 * magnitude, 1e-7 * magnitude, 1e-9 * magnitude):
        slope = (value(step) - value(-step)) / (2 * step)
        noise = 1e-15 * terms / step
        least = min(least, max(0.0, abs(slope - expected) - noise) / ((scale + abs(expected)) or 1.0))
        if least <= DIFFERENCES:
            break
    return least


def _magnitude(value: Array) -> float:
    """The size of the largest finite element; 1 where all are 0."""
    return float(np.max(np.abs(value), initial=0.0, where=np.isfinite(value))) or 1.0
