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
from symnet.optim.formula import Kept, Line, in_order, inner_lines, name_hypers
from symnet.simplify import simplify

if TYPE_CHECKING:
    from symnet.optim.base import Optimizer
    from symnet.optim.groups import Group

Pair = tuple[Expr, Expr]
OLD_P, NEW_P, NEW_S = Symbol("p"), Symbol("p′"), Symbol("s′")
_ALL = (7,)  # all parameters, as one vector
_REDUCTIONS = ("sum", "norm", "max", "mean")


@dataclass(frozen=True, eq=False)
class Outside:
    """The surroundings of an update.

    inside  the optimizer whose `update` is run
    before  lines for what is done to the gradients
    after   lines for what is done with the new values; p′ is the one that the update gives, where it is not simply p
    groups  parameter groups that are updated by another formula
    """

    inside: Optimizer
    before: list[Line] = field(default_factory=list)
    after: list[Line] = field(default_factory=list)
    legend: list[tuple[Symbol, Form]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    groups: Mapping[str, Optimizer] = field(default_factory=dict)
    new_p: Symbol = OLD_P

    def renamed(self, line: Line) -> Line:
        """A line of the update itself, whose new p may have another name."""
        return replace(line, left=self.new_p, kept=self.new_p == OLD_P) if line.left == OLD_P else line


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
    p, g = ops.parameter("p", _ALL, dtype="float64"), ops.input("g", _ALL, "float64")
    s = ops.state("s", _ALL, dtype="float64")
    new_p, new_s = ops.input("p′", _ALL, "float64"), ops.input("s′", _ALL, "float64")
    stand_in = _StandIn([(p, new_p), (s, new_s)])
    outermost, innermost = _with_stand_in(optimizer, stand_in)
    pairs = dict(outermost.updates([p], [g]))
    gradient = stand_in.gradient
    assert gradient is not None
    own = [
        (old, value)
        for old, value in pairs.items()
        if all(value is not new for new in (new_p, new_s)) and old.name != "step"
    ]
    groups = _other_formulas(innermost)
    notes = [_settings(group) for group in innermost.groups if group.settings]
    if gradient is g and not own:
        return Outside(innermost, notes=notes, groups=groups)
    olds = [old for old, _ in own]
    gradient, *values = simplify([gradient, *(value for _, value in own)])
    after = [_uses(value, (new_p, new_s)) for value in values]
    conditional = pairs[p] is not new_p
    leaves = Names()
    for leaf, form in ((p, OLD_P), (g, Symbol("g")), (s, Symbol("s")), (new_s, NEW_S)):
        leaves.give(leaf, form)
    leaves.give(new_p, NEW_P if conditional else OLD_P)
    for old in olds:
        leaves.give(old, symbol(str(old.name).removeprefix("p.")))
    name_hypers(leaves, optimizer, [gradient, *values])
    stored = [Kept(old, _own_node(value), symbol(str(old.name).removeprefix("p.")))
              for old, value in zip(olds, values, strict=True)]  # fmt: skip
    first = [one for one, late in zip(stored, after, strict=True) if not late and _uses(one.value, (g,))]
    if gradient is not g:
        first.append(Kept(g, gradient, Symbol("g")))
    last = [one for one in stored if all(one is not other for other in first)]
    if any(node.op in _REDUCTIONS for node in postorder([gradient])):
        notes.append("g and p stand for all parameters together in norms and sums")
    if pairs[s] is not new_s:
        notes.append("s stands for everything that the update remembers, s′ for its new value")
    return Outside(
        innermost,
        _lines(first, leaves),
        _lines(last, leaves),
        leaves.legend,
        notes,
        groups,
        NEW_P if conditional else OLD_P,
    )


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
