"""What stands around an update: what is done to all gradients before it, and to what it stores after it.

It is found by running `updates` with a stand-in for the update itself, which notes the gradient that it is given and
returns a new value that is a symbol. What comes out beside it is what the step does around the update. So an optimizer
of a user's own that overrides `updates` has its formula, too.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from symnet import ops
from symnet.explain.identifiers import symbol
from symnet.explain.naming import Forms, Names, name_shared
from symnet.explain.notation import Form, Symbol
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.optim.formula import REDUCTIONS, VECTOR, Kept, Line, in_order, inner_lines, name_hypers
from symnet.simplify import simplify

if TYPE_CHECKING:
    from symnet.optim.base import Optimizer
    from symnet.optim.groups import Group

Pair = tuple[Expr, Expr]
OLD_P, NEW_P = Symbol("p"), Symbol("p′")


@dataclass(frozen=True, eq=False)
class Outside:
    """The surroundings of an update, as expressions of p, g and s (what the update remembers), p′ and s′.

    inside  the optimizer whose `update` is run
    leaves  those five by their letters, as vectors of all parameters
    first   what is made of the gradient, itself among it as `g`, before the update
    last    what is made of the new values, after it
    groups  parameter groups that are updated by another formula
    """

    inside: Optimizer
    leaves: Mapping[str, Expr] = field(default_factory=dict)
    first: list[Kept] = field(default_factory=list)
    last: list[Kept] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    groups: Mapping[str, Optimizer] = field(default_factory=dict)

    @property
    def conditional(self) -> bool:
        """Whether the parameter does not always get the value that the update gives."""
        return any(one.old is self.leaves["p"] for one in self.last)

    def assignments(self, inner: Sequence[Line], optimizer: Optimizer) -> tuple[list[Line], list[tuple[Form, Form]]]:
        """All lines of a step, where `inner` are those of the update, and the legend of the others.

        p′ is what the update gives, where that is not simply the new p.
        """
        names = Names()
        for letter, leaf in self.leaves.items():
            names.give(leaf, OLD_P if letter == "p′" and not self.conditional else Symbol(letter))
        for one in (*self.first, *self.last):
            names.give(one.old, one.letter)
        name_hypers(names, optimizer, [one.value for one in (*self.first, *self.last)])
        update = [
            replace(line, left=NEW_P, kept=False) if self.conditional and line.left == OLD_P else line for line in inner
        ]
        return [*_lines(self.first, names), *update, *_lines(self.last, names)], names.legend


class _StandIn:
    """In the place of an update: notes the gradient, and gives new values that are symbols."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs
        self.gradient: Expr | None = None

    def _updates_of(self, p: Expr, g: Expr, t: Expr, prefix: str) -> list[Pair]:
        self.gradient = g
        return list(self.pairs)


def around(optimizer: Optimizer) -> Outside:
    """What `optimizer` does around the update of its innermost optimizer."""
    p, g = ops.parameter("p", VECTOR, dtype="float64"), ops.input("g", VECTOR, "float64")
    s = ops.state("s", VECTOR, dtype="float64")
    new_p, new_s = ops.input("p′", VECTOR, "float64"), ops.input("s′", VECTOR, "float64")
    stand_in = _StandIn([(p, new_p), (s, new_s)])
    outermost, innermost = _with_stand_in(optimizer, stand_in)
    pairs = dict(outermost.updates([p], [g]))
    assert stand_in.gradient is not None
    own = {old: value for old, value in pairs.items() if value not in {new_p, new_s} and old.name != "step"}
    gradient, *values = simplify([stand_in.gradient, *own.values()])
    stored = [
        Kept(old, _own_node(value), symbol(str(old.name).removeprefix("p.")))
        for old, value in zip(own, values, strict=True)
    ]
    first = [one for one in stored if _uses(one.value, (g,)) and not _uses(one.value, (new_p, new_s))]
    last = [one for one in stored if all(one is not other for other in first)]
    if gradient is not g:
        first.append(Kept(g, gradient, Symbol("g")))
    notes = [_settings(group) for group in innermost.groups if group.settings]
    if any(node.op in REDUCTIONS for node in postorder([gradient])):
        notes.append("norms and sums are over all parameters together")
    if pairs[s] is not new_s:
        notes.append("s stands for everything that the update remembers, s′ for its new value")
    leaves = {"p": p, "g": g, "s": s, "p′": new_p, "s′": new_s}
    return Outside(innermost, leaves, first, last, notes, _other_formulas(innermost))


def _with_stand_in(optimizer: Optimizer, stand_in: _StandIn) -> tuple[Optimizer, Optimizer]:
    """A copy of the optimizer with a stand-in for its update, and the innermost optimizer as it is."""
    outer: Any = copy.copy(optimizer)
    inner = vars(optimizer).get("optimizer")
    if inner is None:
        outer._of_group = lambda parameter: stand_in
        return outer, optimizer
    outer.optimizer, innermost = _with_stand_in(inner, stand_in)
    return outer, innermost


def _other_formulas(optimizer: Optimizer) -> dict[str, Optimizer]:
    """The groups whose settings choose another formula (a flag, a number that is 0 or is not)."""
    own = list(map(str, inner_lines(optimizer)[0]))
    found = {}
    for group, member in zip(optimizer.groups, optimizer._members, strict=True):
        alone = copy.copy(member)
        alone.groups, alone._members = (), []
        for name in group.settings:
            if isinstance(getattr(member, name), Expr):
                setattr(alone, name, ops.hyper(name))
        if group.settings and list(map(str, inner_lines(alone)[0])) != own:
            found[group.name] = alone
    return found


def _settings(group: Group) -> str:
    return f"in the group {group.name!r}: " + ", ".join(f"{name} = {value}" for name, value in group.settings.items())


def _lines(kept: Sequence[Kept], leaves: Names) -> list[Line]:
    """Assignments, with the parts that they share."""
    values = [one.value for one in kept]
    stops = Names(Forms({**leaves.forms, **{one.value: one.letter for one in kept}}), _taken=set(leaves.forms.values()))
    name_shared(stops, values, letter="c")
    parts = {
        node: form for node, form in stops.forms.items() if node.args and all(node is not value for value in values)
    }
    return in_order(kept, parts, leaves.forms)


def _own_node(value: Expr) -> Expr:
    """The value as a node of its own, where it is a mere copy of another."""
    return value if value.args else ops.reshape(ops.reshape(value, (*value.shape, 1)), value.shape)


def _uses(value: Expr, nodes: Sequence[Expr]) -> bool:
    return any(node is other for node in postorder([value]) for other in nodes)
