"""The formulas of what a training step stores: new values of parameters and of the optimizer's state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from symnet.derive.build import postorder_above
from symnet.explain.formula import definition
from symnet.explain.identifiers import symbol
from symnet.explain.naming import Forms, Names
from symnet.explain.notation import Form, Symbol
from symnet.expr.node import Expr
from symnet.optim.formula import name_hyper
from symnet.report.symbols import LEAF_ROLES, SymbolTable

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation
    from symnet.program.plan import Plan

_NOT_WRITTEN = ("cast", "broadcast_to", "reshape")
_NAMED_FROM = 3
"""Operations from which on a part that several formulas share has a name of its own."""


def add_updates(table: SymbolTable, derivation: Derivation, plan: Plan) -> list[tuple[Form, Form]]:
    """What a step stores: the new values as the optimizer writes them.

    Gives what the symbols of hyperparameters stand for, where that is not what they are called.
    """
    names = Names(Forms(derivation.context.known), _taken=set(derivation.context.known.values()))
    _name_gradients(names, table, derivation, plan)
    values = [value for _, value in plan.written]
    _name_leaves(names, derivation, values)
    for old, value in plan.written:
        if old in names.forms and value.args and value not in names.forms:
            names.give(value, _primed(names.forms[old]))
    _name_shared(names, values)
    order = [node for node in postorder_above(values, set(table.by_node)) if node in names.forms]
    order = [node for node in order if node not in table.by_node]
    for node in order:
        if node.op in LEAF_ROLES:
            table.add(node, names.forms[node], LEAF_ROLES[node.op])
    old_of = {value: old for old, value in plan.written}
    stored = [(table.add(node, names.forms[node], "update"), node) for node in order if node not in table.by_node]
    for number, node in stored:
        parts = postorder_above(node.args, names.forms)
        table.define(number, definition(node, names.forms), (part for part in parts if part not in names.forms))
        if node in old_of:
            table.update(number, of=table.by_node.get(old_of[node]))
    return names.legend


def _name_gradients(names: Names, table: SymbolTable, derivation: Derivation, plan: Plan) -> None:
    """The gradients as the program has them, which may have come about by other steps than those of the derivation."""
    for node, equation in zip(derivation.wrt, derivation.formulas, strict=True):
        computed = plan.watched.gradients[str(node.name)]
        names.forms[computed] = names.forms[equation.value] = equation.left
        if computed not in table.by_node:
            table.by_node[computed] = table.by_node[equation.value]
            table.also.append((table.by_node[equation.value], computed))


def _name_leaves(names: Names, derivation: Derivation, values: Sequence[Expr]) -> None:
    """Symbols of hyperparameters and of state."""
    owners = {str(node.name): names.forms[node] for node in derivation.wrt if node in names.forms}
    for node in postorder_above(values, names.forms):
        if node.op == "hyper" and node not in names.forms:
            name_hyper(names, node, str(node.attrs["name"]))
        elif node.op == "state" and node not in names.forms:
            names.give(node, names.free(_state_name(str(node.name), owners)))


def _state_name(name: str, owners: Mapping[str, Form]) -> Symbol:
    """`0.weight.m` beside the parameter W₁ is m with the subscript W,1."""
    path, _, last = name.rpartition(".")
    plain, owner = symbol(last), owners.get(path)
    if not isinstance(owner, Symbol):
        return plain
    return Symbol(plain.base, ",".join(part for part in (plain.sub, owner.base, owner.sub) if part))


def _primed(form: Form) -> Form:
    """The name of a new value."""
    return Symbol(f"{form.base}′", form.sub) if isinstance(form, Symbol) else form


def _name_shared(names: Names, values: Sequence[Expr]) -> None:
    """A letter for what several new values have in common, as the correction of Adam's bias."""
    order = postorder_above([arg for value in values for arg in value.args], names.forms)
    open_nodes = dict.fromkeys([node for node in (*order, *values) if node not in names.forms] + list(values))
    uses = Counter(arg for node in open_nodes for arg in set(node.args))
    shared = [node for node in order if uses[node] > 1 and node not in names.forms]
    shared = [node for node in shared if _operations(node, names.forms) >= _NAMED_FROM]
    for number, node in enumerate(shared, 1):
        names.give(node, names.free(Symbol("c", str(number) if len(shared) > 1 else "")))


def _operations(node: Expr, known: Mapping[Expr, Form]) -> int:
    """The operations in a formula that stops at known values."""
    inside = (part for part in postorder_above([node], known) if part not in known)
    return sum(bool(part.args) and part.op not in _NOT_WRITTEN for part in inside)
