"""The formulas of a report: every named value with its equation, every step of a derivation, each text once."""

from __future__ import annotations

from collections import Counter
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
from symnet.expr.node import Expr
from symnet.report.model import Math, Role, Symbol

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation
    from symnet.explain.formula import Equation
    from symnet.program.build import Plan

_LEAF_ROLES: Mapping[str, Role] = {"input": "input", "parameter": "parameter", "state": "state", "hyper": "hyper"}


_NOT_WRITTEN = ("cast", "broadcast_to", "reshape")
_NAMED_FROM = 3
"""Operations from which on a part that several formulas share has a name of its own."""


class MathTable:
    """Formulas by number, each once."""

    def __init__(self) -> None:
        self.entries: list[Math] = []
        self._numbers: dict[Form | Math, int] = {}

    def add(self, form: Form) -> int:
        if form not in self._numbers:
            entry = Math(text.write(form), mathml.document(form))
            if entry not in self._numbers:
                self._numbers[entry] = len(self.entries)
                self.entries.append(entry)
            self._numbers[form] = self._numbers[entry]
        return self._numbers[form]


@dataclass(frozen=True)
class Entry:
    """A symbol, and the node it names."""

    symbol: Symbol
    node: Expr


class SymbolTable:
    """The symbols in order.

    by_node  which one a value of a formula is shown as
    also     (symbol, node) for other nodes that hold what a symbol stands for: the array of what a loop takes at step t
    inside   (symbol, node) for the nodes in the formula of a symbol that have no name
    """

    def __init__(self, math: MathTable) -> None:
        self.math = math
        self.entries: list[Entry] = []
        self.by_node: dict[Expr, int] = {}
        self.also: list[tuple[int, Expr]] = []
        self.inside: list[tuple[int, Expr]] = []
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

    def alias(self, name: Form, node: Expr) -> None:
        """Another name for the symbol of a node, if it has one."""
        if node in self.by_node:
            self._by_name.setdefault(name, self.by_node[node])

    def define(self, number: int, formula: Form, nodes: Iterable[Expr]) -> None:
        """Give a symbol its formula, of these `nodes`, once all that it mentions are symbols."""
        self.inside += ((number, node) for node in nodes)
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


def _passes(equations: Sequence[Equation], named: _Named, passed: set[Expr]) -> tuple[list[Equation], list[Equation]]:
    """The equations of the forward and of the backward pass; what a loop begins with goes with what follows it."""
    parts: tuple[list[Equation], list[Equation]] = ([], [])
    backward = False
    for equation in reversed(equations):
        node = named.node(equation)
        backward = backward if node.dtype == "tuple" else node not in passed
        parts[backward].insert(0, equation)
    return parts


class _Named:
    """The nodes behind the names of a derivation, those in loops by their values at step t."""

    def __init__(self, known: Forms) -> None:
        self._known, self._loops = known, known.loops
        self._nodes = {form: node for node, form in known.items()}

    def node(self, equation: Equation) -> Expr:
        """What an equation is the definition of."""
        inside = equation.value.dtype == "tuple"  # a line of the equations of a loop
        return self._nodes.get(equation.left, equation.value) if inside else equation.value

    def in_loops(self) -> Iterator[tuple[Form, Expr]]:
        """Other names of the values of a loop: hₜ₋₁, h_T and h, which all stand for what hₜ is defined to be."""
        for node, form in self._known.items():
            carry = self._loops.carry(node)
            if carry is not None:
                yield form, carry[0].new(carry[1])
            elif node.op == "item" and node.args[0].op == "scan":
                yield form, self._loops.result(node)
            elif node in self._loops.slices:
                yield form, self._loops.slices[node]


def add_derivation(table: SymbolTable, derivation: Derivation) -> Gradients:
    """Leaves, the values of the where clauses in the order of computation, the loss, the gradients."""
    known = derivation.context.known
    loops = known.loops
    *inner, loss = derivation.where
    for node in loops.postorder([*derivation.gradients, loss.value]):
        if node in known and node.op in _LEAF_ROLES:
            table.add(node, known[node], _LEAF_ROLES[node.op])
    named = _Named(known)
    forward, backward = _passes(inner, named, set(loops.postorder([loss.value])))
    roles: list[tuple[Role, list[Equation]]] = [
        ("forward", forward), ("loss", [loss]), ("backward", backward), ("gradient", derivation.formulas)
    ]  # fmt: skip
    numbers = [(table.add(named.node(e), e.left, role), e) for role, equations in roles for e in equations]
    for form, node in named.in_loops():
        table.alias(form, node)
    for whole, step, _ in loops.sliced():
        if step in table.by_node:
            table.also.append((table.by_node[step], whole))
    for number, equation in numbers:
        parts = loops.postorder(loops.below(table.entries[number].node), known)
        table.define(number, equation.right, (part for part in parts if part not in known))
    _pair(table, derivation, numbers)
    found = [number for number, _ in numbers[len(numbers) - len(derivation.formulas) :]]
    clauses = [named.node(equation) for equation in derivation.where]
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
        computed = plan.watched.gradients[str(node.name)]
        names.forms[computed] = names.forms[equation.value] = equation.left
        if computed not in table.by_node:  # the same by other steps
            gradient = table.by_node[equation.value]
            table.by_node[computed] = gradient
            table.also.append((gradient, computed))
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
        parts = postorder_above(node.args, names.forms)
        table.define(number, definition(node, names.forms), (part for part in parts if part not in names.forms))
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
    order = postorder_above([arg for value in values for arg in value.args], names.forms)
    open_nodes = dict.fromkeys([node for node in (*order, *values) if node not in names.forms] + list(values))
    uses = Counter(arg for node in open_nodes for arg in set(node.args))
    shared = [node for node in order if uses[node] > 1 and node not in names.forms]
    shared = [node for node in shared if _operations(node, names.forms) >= _NAMED_FROM]
    for number, node in enumerate(shared, 1):
        names.give(node, names.free(Name("c", str(number) if len(shared) > 1 else "")))


def _operations(node: Expr, known: Mapping[Expr, Form]) -> int:
    """The operations in a formula that stops at known values."""
    inside = (part for part in postorder_above([node], known) if part not in known)
    return sum(bool(part.args) and part.op not in _NOT_WRITTEN for part in inside)
