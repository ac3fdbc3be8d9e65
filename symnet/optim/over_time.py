"""The update of an optimizer as papers write it: over time, mₜ = β₁ mₜ₋₁ + (1 − β₁) gₜ, from the expressions it gives.

What is 0 by the optimizer's settings (weight decay, mostly) is left out, and said so. A factor that corrects a mean
for its start, which the compiled form multiplies into the learning rate, stands at the mean again: m̂ₜ = mₜ / (1 − β₁ᵗ).
Both are changes of the expressions, from which the lines are written as all formulas are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from symnet import ops
from symnet.errors import Unsupported
from symnet.explain.formula import definition, written
from symnet.explain.identifiers import symbol
from symnet.explain.leaves import number
from symnet.explain.naming import Forms, Names, name_shared
from symnet.explain.notation import HAT, Code, Form, Number, Partial, Sum, Symbol
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder, rewrite
from symnet.optim.around import Outside, around
from symnet.optim.base import STEP, Value
from symnet.optim.formula import USUAL, Line, Reading, UpdateFormula, changed_gradient, hyper_symbol
from symnet.optim.members import of_one_member

if TYPE_CHECKING:
    from symnet.keras.optimizers.schedules import LearningRateSchedule
    from symnet.optim.base import Optimizer
    from symnet.optim.lr_scheduler import LRScheduler

LETTERS = {**USUAL, "lr": Symbol("η")}
THETA, NEW_THETA, LOSS, TIME = Symbol("θ"), Symbol("θ′"), Symbol("L"), Symbol("t")
_STEP_BEFORE = Sum(((TIME, True), (Number("1"), False)))


def over_time(optimizer: Optimizer) -> UpdateFormula:
    """A step of a parameter θ, in the notation of papers, with the settings as they are."""
    outside = around(optimizer)
    inside = outside.inside
    reading = Reading(inside)
    zeros = [name for name, value in of_one_member(inside).defaults.items() if value == 0.0]
    values = _with_corrections(_without(reading.values, [ops.hyper(name) for name in zeros]))
    clipped = any(one.old is outside.leaves["g"] for one in outside.first)
    writing = _Writing(inside, reading, values, clipped, _at(NEW_THETA if outside.conditional else THETA, "t"))
    written = set(postorder(reading.values))
    notes = [f"{name} is 0, and left out" for name in zeros if ops.hyper(name) in written]
    first, last, legend = _surroundings(outside, optimizer)
    groups = {name: over_time(member) for name, member in outside.groups.items()}
    lines = [*first, *writing.lines(), *last]
    return UpdateFormula(lines, [*writing.legend(), *legend], [*notes, *outside.notes], groups)


def _surroundings(outside: Outside, optimizer: Optimizer) -> tuple[list[Line], list[Line], list[tuple[Form, Form]]]:
    """What is done before and after an update, as equations over time, and what their symbols are called."""
    if not outside.first and not outside.last:
        return [], [], []
    names, leaves = Names(), outside.leaves
    before, now = _at(THETA, "t−1"), _at(THETA, "t")
    own = {"p": before, "g": Partial(LOSS, before), "s": Symbol("s", "t−1"), "s′": Symbol("s′", "t")}
    own["p′"] = _at(NEW_THETA, "t") if outside.conditional else now
    for letter, leaf in leaves.items():
        names.give(leaf, own[letter])
    names.give(ops.state(STEP, (), dtype="int64"), _STEP_BEFORE)
    everything = [*outside.first, *outside.last]
    values = [one.value for one in everything]
    for one in everything:
        names.give(one.old, _at(one.letter, "t−1"))
    defaults, legend = optimizer.hyperparameters(), []
    for node in postorder(values):
        if node.op == "hyper":
            name = str(node.attrs["name"])
            names.give(node, names.free(_letter(name)))
            legend.append(_entry(names.forms[node], name, defaults))
    for one in everything:
        symbol_of_new = {"g": Symbol("g" + HAT), "p": THETA}.get(one.letter.base, one.letter)
        names.give(one.value, _at(symbol_of_new, "t"))
    name_shared(names, values, letter="c")
    written_before = postorder([one.value for one in outside.first])
    named = [node for node in postorder(values) if node.args and node in names.forms]
    lines = [(node, Line(names.forms[node], definition(node, names.forms))) for node in named]
    early = set(written_before)
    return [line for node, line in lines if node in early], [line for node, line in lines if node not in early], legend


def schedule_over_time(schedule: LRScheduler | LearningRateSchedule) -> UpdateFormula:
    """The learning rate ηₜ of a schedule at step t, which is 0 in the first, or as it follows from the one before."""
    value, before = _rate(schedule), Symbol("η", "t−1")
    names, new = Names(), Symbol("η", "t")
    for leaf in postorder([value]):
        if leaf.op == "input":
            form = {"lr_0": Symbol("η", "0"), "lr_before": before}.get(str(leaf.name), symbol(str(leaf.name)))
            names.give(leaf, form)
    if not value.args:  # it never changes
        return UpdateFormula([Line(new, written(value, names.forms))], [])
    names.give(value, new)
    for node in postorder([value]):
        if node.name is not None and node not in names.forms:
            names.give(node, symbol(str(node.name)))
    name_shared(names, [value], letter="c")
    lines = [
        Line(names.forms[n], definition(n, names.forms)) for n in postorder([value]) if n.args and n in names.forms
    ]
    return UpdateFormula(lines, [])


def _rate(schedule: LRScheduler | LearningRateSchedule) -> Expr:
    """The closed form, or where there is none, the learning rate as it follows from the one before."""
    try:
        return schedule.formula()
    except Unsupported as error:
        t, before = ops.input("t", (), "float64"), ops.input("lr_before", (), "float64")
        try:
            value: Expr = getattr(schedule, "recurrence")(t, before)  # noqa: B009 (Keras's schedules have none)
        except (AttributeError, Unsupported):
            raise error from None
        return value


class _Writing:
    """The names of everything in a step, and its lines."""

    def __init__(
        self, optimizer: Optimizer, reading: Reading, values: Sequence[Expr], clipped: bool, result: Symbol
    ) -> None:
        self.optimizer, self.reading, self.values, self.result = optimizer, reading, values, result
        self.letters = [THETA if one.old is reading.p else one.letter for one in reading.kept]
        self.old, self.new = Names(), Names()
        for one, letter in zip(reading.kept, self.letters, strict=True):
            self.old.give(one.old, _at(letter, "t−1"))
        self.changed = changed_gradient(values, reading.g)
        self.raw: Form = Symbol("g" + HAT, "t") if clipped else Partial(LOSS, _at(THETA, "t−1"))
        self.begins = not clipped and self.changed is None  # with a line that says what g is
        self.old.give(reading.g, Symbol("g", "t") if self.begins else self.raw)
        self.old.give(reading.t, TIME)
        self.old.give(ops.state(STEP, (), dtype="int64"), _STEP_BEFORE)
        found = {str(node.attrs["name"]): node for node in postorder(values) if node.op == "hyper"}
        places = {name: place for place, name in enumerate(optimizer.defaults)}
        ordered = sorted(found, key=lambda name: (places.get(name.split("[")[0], len(places)), name))
        self.hypers = {found[name]: name for name in ordered}
        bases = {letter.base for letter in self.letters}
        for node, name in self.hypers.items():
            letter = _letter(name)
            self.old.give(node, self.old.free(symbol(name) if letter.base in bases else letter))
        for node in reading.named:
            if node.op == "constant":
                self.old.give(node, symbol(str(node.name)))
        for node in postorder(values):
            if node.op == "state" and node not in self.old.forms:  # a count that a schedule looks at
                self.old.give(node, _at(symbol(str(node.name)), "t−1"))

    def lines(self) -> list[Line]:
        """Equations, each after those that it mentions."""
        known = Names(Forms(self.old.forms), _taken=set(self.old.forms.values()))
        if self.changed is not None:
            known.give(self.changed, Symbol("g", "t"))
        for letter, value in zip(self.letters, self.values, strict=True):
            known.give(value, self.result if letter is THETA else _at(letter, "t"))
        for node in postorder(self.values):
            if node.name is not None and node.args and node not in known.forms:
                known.give(node, _at(_letter(str(node.name)), "t"))
            moment = _corrected(node, self.values)
            if moment is not None:
                letter = self.letters[moment]
                known.give(node, Symbol(letter.base + HAT, _at(letter, "t").sub))
        name_shared(known, [value for value in self.values if value.args], letter="c")
        first = [Line(Symbol("g", "t"), self.raw)] if self.begins else []
        named = [node for node in postorder(self.values) if node.args and node in known.forms]
        return [*first, *(Line(known.forms[node], definition(node, known.forms)) for node in named)]

    def legend(self) -> list[tuple[Form, Form]]:
        """Where state starts from, and what hyperparameters are called and are."""
        entries: list[tuple[Form, Form]] = []
        for one, letter in zip(self.reading.kept, self.letters, strict=True):
            if one.old is not self.reading.p:
                entries.append((_at(letter, "0"), _start(one.old)))
        defaults = self.optimizer.hyperparameters()
        entries += [_entry(self.old.forms[node], name, defaults) for node, name in self.hypers.items()]
        return entries


def _entry(form: Form, name: str, defaults: Mapping[str, Value]) -> tuple[Form, Form]:
    """What a symbol of a hyperparameter is called and is."""
    base, _, place = name.partition("[")
    value = defaults.get(base)
    shown = value[int(place[:-1])] if place and isinstance(value, tuple) else value
    assert isinstance(form, Symbol)
    named = "" if form == symbol(name) else f"{name} = "
    if isinstance(shown, np.ndarray):
        return form, Code(f"{named}{', '.join(f'{number:g}' for number in shown)}, one for each member")
    return form, Code(f"{named}{shown:g}" if isinstance(shown, float) else name)


def _at(letter: Symbol, time: str) -> Symbol:
    return Symbol(letter.base, ",".join(filter(None, (letter.sub, time))))


def _letter(name: str) -> Symbol:
    return LETTERS.get(name, hyper_symbol(name))


def _start(state: Expr) -> Form:
    from symnet.nn.init import initial_value

    return number(float(np.ravel(initial_value(state, 0))[0]))


# --- the expressions -----------------------------------------------------------------------------------------------


def _without(values: Sequence[Expr], zeros: Sequence[Expr]) -> list[Expr]:
    """The values with these hyperparameters at 0, and what follows from that."""
    left_out = set(zeros)

    def visit(node: Expr) -> Expr:
        if node in left_out:
            return ops.constant(0.0, node.dtype)
        rule = _NEUTRAL.get(node.op)
        simpler = rule(*node.args) if rule is not None else None
        if node.op == "negative" and _is(node.args[0], 0):
            return node.args[0]
        return node if simpler is None else simpler

    return rewrite(values, visit)


def _is(node: Expr, value: float) -> bool:
    return node.op == "constant" and not node.shape and bool(node.attrs["value"] == value)


_NEUTRAL: Mapping[str, Callable[[Expr, Expr], Expr | None]] = {
    "add": lambda a, b: b if _is(a, 0) else a if _is(b, 0) else None,
    "subtract": lambda a, b: a if _is(b, 0) else ops.negative(b) if _is(a, 0) else None,
    "minimum": lambda a, b: b if _is(b, 0) and a.op == "maximum" and _is(a.args[1], 0) else None,
    "multiply": lambda a, b: a if _is(a, 0) or _is(b, 1) else b if _is(b, 0) or _is(a, 1) else None,
    "divide": lambda a, b: a if _is(a, 0) or _is(b, 1) else None,
    "power": lambda a, b: ops.constant(1.0, a.dtype) if _is(b, 0) else None,
}
"""What is left of an operation with 0 or 1; None where nothing becomes simpler."""


def _with_corrections(values: Sequence[Expr]) -> list[Expr]:
    """(a / c) m as a (m / c), and √v · (1/√c) as √(v / c), where c corrects for the start: it follows from t alone."""

    def visit(node: Expr) -> Expr:
        if node.op != "multiply":
            return node
        for first, second in (node.args, node.args[::-1]):
            if first.op == "divide" and _corrects(first.args[1]) and not _corrects(second) and second.args:
                corrected = ops.divide(second, first.args[1])
                return corrected if _is(first.args[0], 1) else ops.multiply(first.args[0], corrected)
            if first.op == "sqrt" and second.op == "rsqrt" and _corrects(second.args[0]):
                return ops.sqrt(ops.divide(first.args[0], second.args[0]))
        return node

    return rewrite(values, visit)


def _corrects(node: Expr) -> bool:
    """Whether a value follows from the number of the step and hyperparameters alone, and from the former indeed."""
    leaves = [leaf for leaf in postorder([node]) if not leaf.args]
    timed = any(leaf.op == "input" and leaf.name == "t" for leaf in leaves)
    return timed and all(leaf.op in ("hyper", "constant") or leaf.name == "t" for leaf in leaves)


def _corrected(node: Expr, values: Sequence[Expr]) -> int | None:
    """Which of the new values `node` is, corrected for its start."""
    if node.op != "divide" or not _corrects(node.args[1]):
        return None
    return next((place for place, value in enumerate(values) if value is node.args[0]), None)
