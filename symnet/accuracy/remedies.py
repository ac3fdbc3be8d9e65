"""What can be done for an ill node of a chain of scalar operations, and which of it is worth its work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symnet.accuracy import far, series
from symnet.accuracy.measure import ILL, Judge
from symnet.accuracy.values import constants_of
from symnet.accuracy.widen import widened
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder

Array = np.ndarray

FLOAT64 = 2.5
"""How much more work an operation is in float64."""
LEVEL = 0.005
"""Forms whose ill points differ by less than this part of all points are equally good; then the cheaper is taken."""
COVERED = ILL / 4
"""A polynomial that is needed anyway covers all points near by with an error above this."""
RADII = (4.0, 1.0, 0.25, 2.0**-4, 2.0**-7, 2.0**-10, 2.0**-14, 2.0**-20)
FAR = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 1024.0, 2.0**14, 2.0**20, 2.0**27, 2.0**40, 2.0**54)


@dataclass(frozen=True)
class Form:
    """A way to compute an ill node.

    node     the closed chain
    ill      at how many points its own error is worth mending
    work     an estimate of its work, in additions in float32
    changes  how it came about: rules, each with the form that it gave
    """

    node: Expr
    ill: int
    work: float
    changes: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True, eq=False)
class Patient:
    """A node of a chain (`target`), how it and the other nodes are computed now (`forms`), and who judges that."""

    target: Expr
    forms: Mapping[Expr, Expr]
    judge: Judge

    @property
    def now(self) -> Expr:
        return self.forms[self.target]

    def plain(self) -> Form:
        """The node as it is computed now."""
        return Form(self.now, int(self.ill_at(self.now).sum()), work(self.now))

    def changed(self, base: Form, rule: str, node: Expr) -> Form:
        """What a rule made of a form."""
        return Form(node, int(self.ill_at(node).sum()), work(node), (*base.changes, (rule, node)))

    def ill_at(self, node: Expr) -> Array:
        (values,) = self.judge.values([node])
        return self.judge.ill(self.target, values)

    def variable(self) -> Variable | None:
        """The one value, as near to the sources as possible, through which the target depends on all of them."""
        order = [node for node in postorder([self.target]) if node.args or node.op == "input"]
        below: dict[int, frozenset[int]] = {}
        for node in order:
            own = frozenset([id(node)]) if node.op == "input" else frozenset[int]()
            below[id(node)] = own.union(*(below.get(id(arg), frozenset()) for arg in node.args))
        everything = below[id(self.target)]
        for node in order[:-1]:
            if below[id(node)] == everything and node.dtype == "float32" and _is_only_way(self.target, node):
                current = self.forms[node]
                return Variable(self.target, node, current, self.judge.values([current])[0])
        return None


class Variable:
    """A value that a target is a function of, and what is known of that function.

    node, now, values   what the variable means, how it is computed now, and what that gives at the points
    f                   the target as a function of it
    """

    def __init__(self, target: Expr, node: Expr, now: Expr, values: Array) -> None:
        self.node, self.now, self.values = node, now, values
        self.f = series.function(target, node)
        self._taylor: dict[float, series.Taylor | None] = {}
        self._expansion: dict[int, far.Expansion | None] = {}

    def taylor(self, centre: float) -> series.Taylor | None:
        if centre not in self._taylor:
            self._taylor[centre] = series.taylor(self.f, centre)
        return self._taylor[centre]

    def expansion(self, side: int) -> far.Expansion | None:
        if side not in self._expansion:
            self._expansion[side] = far.expansion(self.f, side)
        return self._expansion[side]


def _is_only_way(target: Expr, node: Expr) -> bool:
    """Whether the target depends on inputs through this node alone."""
    return all(other is node or other.op != "input" for other in postorder([target], [node]))


def best(patient: Patient) -> Form:
    """The form with the fewest ill points; among equally good ones, that with the least work."""
    plain = patient.plain()
    forms = [plain, *_widened(patient, plain)]
    variable = patient.variable()
    if variable is not None:
        for base in list(forms):
            forms += _with_branches(patient, variable, base)
    return _fewest(forms, patient)


def _widened(patient: Patient, plain: Form) -> list[Form]:
    """The least that has to be in float64 for float64 to do what it can, if it does anything."""
    forms = [patient.changed(plain, "wider", node) for node in widened(patient.now)]
    helping = [form for form in forms if form.ill < plain.ill]
    if not helping:
        return []
    fewest = min(form.ill for form in helping)
    return [next(form for form in helping if form.ill == fewest)]


def _with_branches(patient: Patient, variable: Variable, base: Form) -> Iterator[Form]:
    """The form with polynomials near points at which it is ill, and with the first terms far out."""
    current = base
    for grow in (_near, _far):
        better = grow(patient, variable, current)
        if better is not None:
            current = better
            yield current


def _near(patient: Patient, variable: Variable, base: Form) -> Form | None:
    """The form with a polynomial around each point where that helps."""
    x = variable.values
    current = base
    for centre in centres(patient.target):
        distance = np.abs(x.astype(np.float64) - centre)
        near = distance < RADII[0] * max(1.0, abs(centre))
        if not (patient.ill_at(current.node) & near).any():
            continue
        (values,) = patient.judge.values([current.node])
        imperfect = near & (np.nan_to_num(patient.judge.errors(patient.target, values)) > COVERED)
        found = variable.taylor(centre)
        forms = [] if found is None else _around(patient, current, variable, found, distance[imperfect], distance)
        helping = [form for form in forms if form.ill < current.ill]
        current = min([current, *helping], key=lambda form: form.ill)
    return current if current is not base else None


def _around(
    patient: Patient, base: Form, variable: Variable, found: series.Taylor, imperfect: Array, distances: Array
) -> Iterator[Form]:
    """The base with a polynomial within one radius or another, each reaching from the last imperfect point of a range
    half the way (at most twice as far) to the next point."""
    radii: dict[float, None] = {}
    for bound in RADII:
        last = float(imperfect[imperfect < bound].max(initial=0.0))
        following = float(distances[distances > last].min(initial=2 * last))
        radii[_short(float(np.sqrt(last * following)))] = None
    for radius in radii:
        node = series.near(variable.now, variable.f, found, radius, base.node) if radius else None
        if node is not None:
            yield patient.changed(base, "series", node)


def _far(patient: Patient, variable: Variable, base: Form) -> Form | None:
    """The form with the first terms of an expansion far out, on each side where that helps."""
    x = variable.values.astype(np.float64)
    if not (patient.ill_at(base.node) & (np.abs(x) > FAR[0])).any():
        return None
    parity, current = far.parity(variable.f), base
    for side in (1,) if parity else (1, -1):
        size = np.abs(x) if parity else side * x
        ill = patient.ill_at(current.node) & (size > FAR[0])
        found = variable.expansion(side) if ill.any() else None
        if found is not None:
            well = size[~ill & (size >= FAR[0]) & (size < size[ill].min())]
            forms = _from_radius(patient, current, variable, found, side, parity, well.max(initial=FAR[0]))
            current = _fewest([current, *forms], patient)
    return current if current is not base else None


def _from_radius(
    patient: Patient, base: Form, variable: Variable, found: far.Expansion, side: int, parity: int, well: float
) -> Iterator[Form]:
    """The base with the first terms from where it is still well on, or from the nearest radius from which they hold."""
    start = max(i for i, radius in enumerate(FAR) if radius <= well)
    for radius in FAR[start:]:
        node = far.beyond(variable.now, variable.f, found, side, radius, base.node, parity)
        if node is not None:
            yield patient.changed(base, "asymptote", node)
            return


def _fewest(forms: Sequence[Form], patient: Patient) -> Form:
    """The form with the fewest ill points; among equally good ones, that with the least work."""
    fewest = min(form.ill for form in forms)
    slack = LEVEL * len(patient.judge.columns[0]) if fewest else 0
    return min((form for form in forms if form.ill <= fewest + slack), key=lambda form: form.work)


def with_limits(patient: Patient, form: Form) -> Form:
    """The form, with the limit as its value at points where the chain has none."""
    variable = patient.variable()
    if variable is None:
        return form
    x = variable.values
    (values,) = patient.judge.values([form.node])
    for centre in centres(patient.target):
        at = x == np.float32(centre)
        if at.any() and np.isnan(values[at]).all() and (value := series.limit(variable.f, centre)) is not None:
            node = series.at_point(variable.now, centre, value, form.node)
            form = patient.changed(form, "limit", node)
    return form


def centres(target: Expr) -> list[float]:
    """Points around which something may happen: 0, ±1, and the numbers in the chain."""
    numbers = constants_of(target)[:4]
    return [0.0, 1.0, -1.0, *numbers, *(-n for n in numbers)]


def _short(radius: float) -> float:
    """The next number that is 1 or 1.5 times a power of two."""
    if radius == 0:
        return 0.0
    power = float(2.0 ** np.floor(np.log2(radius)))
    return next(power * factor for factor in (1.0, 1.5, 2.0) if power * factor > radius)


def work(closed: Expr) -> float:
    """An estimate of the work of a closed chain, in additions of float32."""
    total = 0.0
    for node in postorder([closed]):
        if node.args:
            cost = node.declaration.cost
            wide = any(arg.dtype == "float64" for arg in node.args)
            total += (cost if isinstance(cost, (int, float)) else 2.0 if cost else 1.0) * (FLOAT64 if wide else 1.0)
    return total
