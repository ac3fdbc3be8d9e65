"""The formulas of a report: every named value with its equation, every step of a derivation, each text once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from symnet.derive.build import postorder_above
from symnet.explain import mathml, text
from symnet.explain.formula import definition
from symnet.explain.naming import Forms, Names
from symnet.explain.notation import Form
from symnet.explain.notation import Symbol as Name
from symnet.expr import dims
from symnet.expr.function import bodies
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.report.model import Math, Role, Symbol

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation
    from symnet.explain.formula import Equation
    from symnet.program.build import Plan

_LEAF_ROLES: Mapping[str, Role] = {"input": "input", "parameter": "parameter", "state": "state", "hyper": "hyper"}


class MathTable:
    """Formulas by number, each once."""

    def __init__(self) -> None:
        self.entries: list[Math] = []
        self._numbers: dict[Form, int] = {}

    def add(self, form: Form) -> int:
        if form not in self._numbers:
            self._numbers[form] = len(self.entries)
            self.entries.append(Math(text.write(form), mathml.document(form)))
        return self._numbers[form]


@dataclass(frozen=True)
class Entry:
    """A symbol, and the node it names."""

    symbol: Symbol
    node: Expr


class SymbolTable:
    """The symbols in order; `by_node` tells which one a value of a formula is shown as."""

    def __init__(self, math: MathTable) -> None:
        self.math = math
        self.entries: list[Entry] = []
        self.by_node: dict[Expr, int] = {}
        self._by_name: dict[Form, int] = {}

    def add(self, node: Expr, name: Form, role: Role) -> int:
        """A new symbol, without a formula; the first one of a node is what others mean when they mention it."""
        number = len(self.entries)
        label = node.name if not node.args or (node.name and node.name != text.write(name)) else None
        symbol = Symbol(
            id=number,
            name=self.math.add(name),
            role=role,
            formula=None,
            op=node.op,
            label=label,
            shape=dims.show(node.shape),
            dtype=node.dtype,
            cluster=None,
            uses=(),
        )
        self.entries.append(Entry(symbol, node))
        self.by_node.setdefault(node, number)
        self._by_name.setdefault(name, number)
        return number

    def define(self, number: int, formula: Form) -> None:
        """Give a symbol its formula, once all that it mentions are symbols."""
        uses = tuple(dict.fromkeys(used for used in self.mentioned(formula) if used != number))
        self.update(number, formula=self.math.add(formula), uses=uses)

    def named(self, name: Form) -> int | None:
        """The symbol of this name."""
        return self._by_name.get(name)

    def mentioned(self, form: Form) -> Iterator[int]:
        """The symbols whose names stand in a formula."""
        pending: list[object] = [form]
        while pending:
            part = pending.pop()
            if isinstance(part, Form) and part in self._by_name:
                yield self._by_name[part]
            elif isinstance(part, Form):
                pending += reversed([getattr(part, field.name) for field in fields(part)])
            elif isinstance(part, tuple):
                pending += reversed(part)

    def update(self, number: int, **changes: object) -> None:
        entry = self.entries[number]
        self.entries[number] = replace(entry, symbol=replace(entry.symbol, **changes))  # type: ignore[arg-type]

    @property
    def symbols(self) -> list[Symbol]:
        return [entry.symbol for entry in self.entries]


@dataclass(frozen=True)
class Gradients:
    """The symbols of a derivation: for each variable those of itself, of its gradient, of its `where` clauses."""

    variables: Sequence[int]
    gradients: Sequence[int]
    where: Sequence[Sequence[int]]


def everything(roots: Iterable[Expr]) -> list[Expr]:
    """Every node under the roots once, with those in the bodies of loops and choices."""
    found: dict[Expr, None] = {}
    pending = [list(roots)]
    while pending:
        for node in postorder(pending.pop()):
            if node not in found:
                found[node] = None
                pending += [list(body.results) for body in bodies(node).values()]
    return list(found)


def add_derivation(table: SymbolTable, derivation: Derivation) -> Gradients:
    """Leaves, the values of the where clauses in the order of computation, the loss, the gradients."""
    known = derivation.context.known
    *inner, loss = derivation.where
    for node in everything([*derivation.gradients, loss.value]):
        if node in known and node.op in _LEAF_ROLES:
            table.add(node, known[node], _LEAF_ROLES[node.op])
    passed = set(everything([loss.value]))
    roles: list[tuple[Role, list[Equation]]] = [
        ("forward", [equation for equation in inner if equation.value in passed]),
        ("loss", [loss]),
        ("backward", [equation for equation in inner if equation.value not in passed]),
        ("gradient", derivation.formulas),
    ]
    numbers = [(table.add(e.value, e.left, role), e) for role, equations in roles for e in equations]
    for number, equation in numbers:
        table.define(number, equation.right)
    _pair(table, derivation, numbers)
    found = [number for number, _ in numbers[len(numbers) - len(derivation.formulas) :]]
    clauses = [equation.value for equation in derivation.where]
    return Gradients(
        [table.by_node.get(variable, -1) for variable in derivation.wrt],
        found,
        [_reached(table, number, [table.by_node[node] for node in clauses]) for number in found],
    )


def _pair(table: SymbolTable, derivation: Derivation, numbers: Sequence[tuple[int, Equation]]) -> None:
    """Tell of every derivative what it is the derivative by."""
    known, named = derivation.context.known, {text.write(entry.left): number for number, entry in numbers}
    for node, form in derivation.context.cotangents.items():
        number, of = named.get(text.write(form)), table.named(known[node]) if node in known else None
        if number is not None and of is not None:
            table.update(number, of=of)


def _reached(table: SymbolTable, number: int, clauses: Sequence[int]) -> list[int]:
    """Those of `clauses` that a formula mentions, and that these mention."""
    seen: set[int] = set()
    pending = [number]
    while pending:
        for used in table.entries[pending.pop()].symbol.uses:
            if used not in seen:
                seen.add(used)
                pending.append(used)
    return [clause for clause in clauses if clause in seen]


# --- updates ------------------------------------------------------------------------------------------------------


def add_updates(table: SymbolTable, derivation: Derivation, plan: Plan) -> list[tuple[Name, Form]]:
    """What a step stores: the new values as the optimizer writes them.

    Gives what the symbols of hyperparameters stand for, where that is not what they are called.
    """
    from symnet.optim.formula import name_hyper

    names = Names(Forms(derivation.context.known), _taken=set(derivation.context.known.values()))
    for node, equation in zip(derivation.wrt, derivation.formulas, strict=True):
        names.forms[plan.watched.gradients[str(node.name)]] = names.forms[equation.value] = equation.left
    values = [value for _, value in plan.written]
    owners = {str(node.name): names.forms[node] for node in derivation.wrt if node in names.forms}
    for node in postorder_above(values, names.forms):
        if node.op == "hyper" and node not in names.forms:
            name_hyper(names, node, str(node.attrs["name"]))
        elif node.op == "state" and node not in names.forms:
            names.give(node, names.free(_state_name(str(node.name), owners)))
    for old, value in plan.written:
        if old in names.forms and value.args and value not in names.forms:
            names.give(value, _primed(names.forms[old]))
    _name_shared(names, values)
    order = postorder_above(values, set(table.by_node))
    for node in order:
        if node in names.forms and node not in table.by_node and node.op in _LEAF_ROLES:
            table.add(node, names.forms[node], _LEAF_ROLES[node.op])
    stored = [node for node in order if node in names.forms and node not in table.by_node]
    old_of = {value: old for old, value in plan.written}
    for number, node in [(table.add(node, names.forms[node], "update"), node) for node in stored]:
        table.define(number, definition(node, names.forms))
        table.update(number, of=table.by_node.get(old_of.get(node, node)) if node in old_of else None)
    return names.legend


def _state_name(name: str, owners: Mapping[str, Form]) -> Name:
    """`0.weight.m` beside the parameter W₁ is m with the subscript W,1."""
    from symnet.explain.identifiers import symbol

    path, _, last = name.rpartition(".")
    plain, owner = symbol(last), owners.get(path)
    if not isinstance(owner, Name):
        return plain
    return Name(plain.base, ",".join(part for part in (plain.sub, owner.base, owner.sub) if part))


def _primed(form: Form) -> Form:
    """The name of a new value."""
    return Name(f"{form.base}′", form.sub) if isinstance(form, Name) else form


def _name_shared(names: Names, values: Sequence[Expr]) -> None:
    """A letter for what several new values have in common, as the correction of Adam's bias."""
    order = postorder_above(values, names.forms)
    uses: dict[Expr, int] = {}
    for node in order:
        if node not in names.forms:
            for arg in set(node.args):
                uses[arg] = uses.get(arg, 0) + 1
    for node in order:
        if uses.get(node, 0) > 1 and node not in names.forms and any(arg.args for arg in node.args):
            names.give(node, names.free(Name("c")))
