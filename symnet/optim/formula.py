"""The update of an optimizer as formulas, written from the expressions that `update` gives.

The values that are stored appear as assignments, m ← β₁ m + (1 − β₁) g, in an order in which they can be carried out:
whatever needs the old m comes before it, and whatever needs the new one after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symnet import ops
from symnet.derive.build import postorder_above
from symnet.explain import latex, text
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

_USUAL = {
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
    kept: bool

    def __str__(self) -> str:
        return f"{text.write(self.left)} {'←' if self.kept else '='} {text.write(self.right)}"

    def latex(self) -> str:
        sign = r"\leftarrow" if self.kept else "="
        return f"{latex.write(self.left)} {sign} {latex.write(self.right)}"


@dataclass(frozen=True, eq=False)
class UpdateFormula:
    """One step of one parameter p with gradient g: lines in order, and the hyperparameters' names of the symbols."""

    lines: list[Line]
    legend: list[tuple[Symbol, Form]]

    def __str__(self) -> str:
        return "\n".join([*map(str, self.lines), *legend_lines(self.legend)])

    def latex(self) -> str:
        lines = [line.latex() for line in self.lines]
        if self.legend:
            lines += [r"\text{with}", *(rf"\quad {latex.write(a)} = {latex.write(b)}" for a, b in self.legend)]
        return "\\begin{array}{l}\n" + " \\\\\n".join(lines) + "\n\\end{array}"

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"


def formula_of(optimizer: Optimizer) -> UpdateFormula:
    """The formula of `optimizer.update` with the settings as they are; a number stands for each array."""
    p, g, t = ops.parameter("p", (), dtype="float64"), ops.input("g", (), "float64"), ops.input("t", (), "float64")
    state = State(p, "p")
    optimizer = of_one_member(optimizer)
    new = optimizer.update(p, g, state, t)
    kept: list[Kept] = []
    for old, value, letter in [*((state._old[n], v, symbol(n)) for n, v in state._new.items()), (p, new, Symbol("p"))]:
        copied = not value.args or any(value is one.value for one in kept)
        kept.append(Kept(old, ops.reshape(ops.reshape(value, (1,)), ()) if copied else value, letter))
    values = [one.value for one in kept]
    changed = _changed_gradient(values, g)
    if changed is not None:
        kept.insert(0, Kept(g, changed, Symbol("g")))
    names = Names()
    for old in (*(one.old for one in kept), g, t):
        names.give(old, symbol(str(old.name).rpartition(".")[2]))
    given = {node for node in postorder(values) if node.op == "hyper"}
    for name, number in optimizer.defaults.items():
        for part in [f"{name}[{i}]" for i in range(len(number))] if isinstance(number, tuple) else [name]:
            if (node := ops.hyper(part)) in given:
                name_hyper(names, node, part)
    called = [node for node in postorder(values) if node.name is not None and node not in names.forms]
    for node in called:
        if node.op == "constant":  # π
            names.give(node, symbol(node.name or ""))
    stops = Names(Forms({**names.forms, **{one.value: one.letter for one in kept}}), _taken=set(names.forms.values()))
    for node in called:
        if node.args:  # a learning rate that follows from the step
            stops.give(node, stops.free(_USUAL.get(node.name or "", symbol(node.name or ""))))
    name_shared(stops, [value for value in values if value.args], letter="c")
    parts = {node: form for node, form in stops.forms.items() if node.args and all(node is not v.value for v in kept)}
    return UpdateFormula(_ordered(kept, parts, names.forms), names.legend)


def _changed_gradient(values: Sequence[Expr], g: Expr) -> Expr | None:
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


def name_hyper(names: Names, node: Expr, name: str) -> None:
    """Give a hyperparameter its symbol, and the legend a line where that is not its name."""
    base, _, place = name.partition("[")
    plain = symbol(name)
    if place and base in _PLURALS:
        plain = Symbol(_PLURALS[base], str(int(place[:-1]) + 1))
    form = names.free(_USUAL.get(name, plain))
    names.give(node, form)
    if form != symbol(name):
        names.legend.append((form, Code(name)))


def _ordered(kept: Sequence[Kept], parts: Mapping[Expr, Form], leaves: Mapping[Expr, Form]) -> list[Line]:
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
            lines.append(Line(known[one.old], one.letter, kept=False))
        lines.append(Line(known[chosen], definition(chosen, known), kept=chosen in stored))
        del todo[chosen]
    return lines


def _needed(old: Expr, by: Expr, todo: Mapping[Expr, set[Expr]]) -> bool:
    """Whether another one than `by` still mentions the old value."""
    return any(old in mentioned for node, mentioned in todo.items() if node is not by)
