"""The update of an optimizer as formulas, written from the expressions that `update` gives.

The values that are stored appear as assignments, m ← β₁ m + (1 − β₁) g, in an order in which they can be carried out:
whatever needs the old m comes before it, and whatever needs the new one after it. `over_time.py` writes the same as
papers do, mₜ = β₁ mₜ₋₁ + (1 − β₁) gₜ; `around.py` has what stands around an update: clipping, accumulation, averages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from symnet import ops
from symnet.derive.build import postorder_above
from symnet.explain import latex, mathml, text
from symnet.explain.formula import definition, legend_lines
from symnet.explain.identifiers import symbol
from symnet.explain.naming import Forms, Names, name_shared
from symnet.explain.notation import Code, Form, Symbol
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder, users
from symnet.optim.members import of_one_member
from symnet.optim.state import State

if TYPE_CHECKING:
    from symnet.optim.base import Optimizer

__all__ = ["UpdateFormula", "formula_of"]

USUAL = {
    "eps": Symbol("ε"),
    "weight_decay": Symbol("λ"),
    "momentum": Symbol("μ"),
    "dampening": Symbol("τ"),
    "lambd": Symbol("λ"),
    "momentum_decay": Symbol("ψ"),
    "learning_rate": Symbol("η"),
    "learning_rate_power": Symbol("a"),
    "beta_2_decay": Symbol("γ"),
    "l1_regularization_strength": Symbol("λ", "1"),
    "l2_regularization_strength": Symbol("λ", "2"),
    "l2_shrinkage_regularization_strength": Symbol("λ", "s"),
}
"""Hyperparameters whose letter is not their name."""
VECTOR = (7,)
"""What stands for an array of any shape where its elements are added up."""
REDUCTIONS = ("sum", "norm", "max", "mean")
_PLURALS = {"betas": "β", "etas": "η", "step_sizes": "Δ"}


@dataclass(frozen=True, eq=False)
class Kept:
    """A leaf that a step gives a new value, and the letter for both."""

    old: Expr
    value: Expr
    letter: Symbol


@dataclass(frozen=True)
class Line:
    """left ← right for a value that is kept, left = right for one that is only used."""

    left: Form
    right: Form
    kept: bool = False

    def __str__(self) -> str:
        return f"{text.write(self.left)} {'←' if self.kept else '='} {text.write(self.right)}"

    def latex(self) -> str:
        sign = r"\leftarrow" if self.kept else "="
        return f"{latex.write(self.left)} {sign} {latex.write(self.right)}"

    def mathml(self) -> str:
        return mathml.equation(self.left, "←" if self.kept else "=", self.right)


@dataclass(frozen=True, eq=False)
class UpdateFormula:
    """One step of one parameter with its gradient.

    lines   the equations, in order
    legend  what the symbols are called in the program
    notes   sentences about the whole
    groups  the formulas of parameter groups where these have another one, by the names of the groups
    """

    lines: list[Line]
    legend: list[tuple[Form, Form]]
    notes: list[str] = field(default_factory=list)
    groups: Mapping[str, UpdateFormula] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [*map(str, self.lines), *legend_lines(self.legend), *self.notes]
        for name, formula in self.groups.items():
            parts += [f"its step in the group {name!r}", *(f"  {line}" for line in map(str, formula.lines))]
        return "\n".join(parts)

    def latex(self) -> str:
        lines = [line.latex() for line in self.lines]
        if self.legend:
            lines += [r"\text{with}", *(rf"\quad {latex.write(a)} = {latex.write(b)}" for a, b in self.legend)]
        lines += [rf"\text{{{_escaped(note)}}}" for note in self.notes]
        for name, formula in self.groups.items():
            lines.append(rf"\text{{its step in the group {_escaped(name)}}}")
            lines += [rf"\quad {line.latex()}" for line in formula.lines]
        return "\\begin{array}{l}\n" + " \\\\\n".join(lines) + "\n\\end{array}"

    def mathml(self) -> str:
        """The lines as MathML, each in a paragraph of HTML."""
        return "\n".join(f"<p>{line.mathml()}</p>" for line in self.lines)

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def _repr_html_(self) -> str:
        legend = [f"<p>{mathml.equation(left, '=', right)}</p>" for left, right in self.legend]
        return "\n".join([self.mathml(), *(["<p>with</p>", *legend] if legend else [])])


def formula_of(optimizer: Optimizer) -> UpdateFormula:
    """The formula of a step with the settings as they are; a number stands for each array."""
    from symnet.optim.around import around

    outside = around(optimizer)
    inner, names = inner_lines(outside.inside)
    lines, legend = outside.assignments(inner, optimizer)
    legend, groups = [*legend, *names.legend], {}
    for name, member in outside.groups.items():
        own_lines, own_names = inner_lines(member)
        groups[name] = UpdateFormula(own_lines, [])
        legend += [entry for entry in own_names.legend if entry not in legend]
    return UpdateFormula(lines, legend, outside.notes, groups)


def inner_lines(optimizer: Optimizer) -> tuple[list[Line], Names]:
    """The assignments of `update` alone, and the names of what they mention."""
    reading = Reading(optimizer)
    kept = list(reading.kept)
    changed = changed_gradient(reading.values, reading.g)
    if changed is not None:
        kept.insert(0, Kept(reading.g, changed, Symbol("g")))
    names = Names()
    for old in (*(one.old for one in kept), reading.g, reading.t):
        names.give(old, symbol(str(old.name).rpartition(".")[2]))
    name_hypers(names, optimizer, reading.values)
    for node in reading.named:
        if node.op == "constant":  # π
            names.give(node, symbol(node.name or ""))
    stops = Names(Forms({**names.forms, **{one.value: one.letter for one in kept}}), _taken=set(names.forms.values()))
    for node in reading.named:
        if node.args and node not in names.forms:  # a learning rate that follows from the step
            stops.give(node, stops.free(USUAL.get(node.name or "", symbol(node.name or ""))))
    name_shared(stops, [value for value in reading.values if value.args], letter="c")
    parts = {node: form for node, form in stops.forms.items() if node.args and all(node is not v.value for v in kept)}
    return in_order(kept, parts, names.forms), names


class Reading:
    """What `update` gives for one parameter, as expressions; a number stands for each array, or a vector where the
    update adds up its elements.

    kept   state and parameter with their new values; each value is a node of its own
    named  inner values that have a name: a learning rate that follows from the step, π
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._read(optimizer, ())
        if any(node.attrs.get("axes") == () and node.op in REDUCTIONS for node in postorder(self.values)):
            self._read(optimizer, VECTOR)

    def _read(self, optimizer: Optimizer, shape: tuple[int, ...]) -> None:
        self.p, self.g = ops.parameter("p", shape, dtype="float64"), ops.input("g", shape, "float64")
        self.t = ops.input("t", (), "float64")
        state = State(self.p, "p")
        new = of_one_member(optimizer).update(self.p, self.g, state, self.t)
        self.kept: list[Kept] = []
        stored = ((state._old[name], value, symbol(name)) for name, value in state._new.items())
        for old, value, letter in (*stored, (self.p, new, Symbol("p"))):
            copied = not value.args or any(value is one.value for one in self.kept)
            alone = ops.reshape(ops.reshape(value, (*value.shape, 1)), value.shape) if copied else value
            self.kept.append(Kept(old, alone, letter))
        self.values = [one.value for one in self.kept]
        leaves = {self.g, self.t, *(one.old for one in self.kept)}
        named = (node for node in postorder(self.values) if node.name is not None and node.op != "hyper")
        self.named = [node for node in named if node not in leaves]


def changed_gradient(values: Sequence[Expr], g: Expr) -> Expr | None:
    """The gradient as the rest of the update takes it: what is made of g and p alone, and used more than once."""
    above = users(values)
    if len(above.get(g, [])) != 1:
        return None
    (candidate,) = above[g]
    while len(above.get(candidate, [])) == 1 and _made_of(above[candidate][0], g):
        (candidate,) = above[candidate]
    return candidate if len(above.get(candidate, [])) > 1 and _made_of(candidate, g) else None


def _made_of(node: Expr, g: Expr) -> bool:
    """Whether the leaves under a node are g, the parameter and numbers."""
    return all(
        leaf is g or leaf.op in ("parameter", "hyper", "constant") for leaf in postorder([node]) if not leaf.args
    )


def name_hypers(names: Names, optimizer: Optimizer, values: Sequence[Expr]) -> None:
    """Symbols for the hyperparameters that occur in the values."""
    given = {node for node in postorder(values) if node.op == "hyper"}
    for name, number in of_one_member(optimizer).hyperparameters().items():
        for part in [f"{name}[{i}]" for i in range(len(number))] if isinstance(number, tuple) else [name]:
            if (node := ops.hyper(part)) in given:
                name_hyper(names, node, part)


def name_hyper(names: Names, node: Expr, name: str) -> None:
    """The usual symbol for a hyperparameter, and a line of the legend where that is not its name."""
    form = names.free(hyper_symbol(name))
    names.give(node, form)
    if form != symbol(name):
        names.legend.append((form, Code(name)))


def hyper_symbol(name: str) -> Symbol:
    """The symbol for a hyperparameter, or for one of several numbers: betas[0] is β₁."""
    base, _, place = name.partition("[")
    if place and base in _PLURALS:
        return Symbol(_PLURALS[base], str(int(place[:-1]) + 1))
    return USUAL.get(name, symbol(name))


def in_order(kept: Sequence[Kept], parts: Mapping[Expr, Form], leaves: Mapping[Expr, Form]) -> list[Line]:
    """The assignments, and the parts that they share: each after what it mentions, before what overwrites that."""
    stored = {one.value: one for one in kept}
    known: dict[Expr, Form] = {**leaves, **parts, **{value: one.letter for value, one in stored.items()}}
    todo = {node: set(postorder_above(node.args, known)) & set(known) for node in (*parts, *stored)}
    lines: list[Line] = []
    while todo:
        ready = [node for node, mentioned in todo.items() if not mentioned & (set(todo) - {node})]
        free = [node for node in ready if node not in stored or not _needed(stored[node].old, node, todo)]
        chosen = (free or ready)[0]
        if not free:  # what it overwrites gets another name first
            one = stored[chosen]
            known[one.old] = Symbol(one.letter.base, ",".join(filter(None, (one.letter.sub, "old"))))
            lines.append(Line(known[one.old], one.letter))
        lines.append(Line(known[chosen], definition(chosen, known), kept=chosen in stored))
        del todo[chosen]
    return lines


def _needed(old: Expr, by: Expr, todo: Mapping[Expr, set[Expr]]) -> bool:
    """Whether another one than `by` still mentions the old value."""
    return any(old in mentioned for node, mentioned in todo.items() if node is not by)


def _escaped(note: str) -> str:
    return note.replace("_", r"\_").replace("%", r"\%")
