"""The formulas of a derivation for its report: every named value with its equation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symnet.explain import text
from symnet.explain.formula import Equation, definition
from symnet.explain.naming import Forms
from symnet.explain.naming_loops import at, timing
from symnet.explain.notation import Form
from symnet.expr.node import Expr
from symnet.report.model import Role
from symnet.report.symbols import LEAF_ROLES, SymbolTable, parts_of

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation


@dataclass(frozen=True)
class Gradients:
    """The symbols of a derivation: for each variable those of itself, of its gradient, of its `where` clauses."""

    variables: Sequence[int]
    gradients: Sequence[int]
    where: Sequence[Sequence[int]]


def _with_slices(equations: Sequence[Equation], named: _Named) -> list[Equation]:
    """The equations, each after those of the arrays that it takes values of at step t."""
    known = {equation.left for equation in equations}
    result: list[Equation] = []
    for equation in equations:
        for whole in named.sliced(equation.right):
            if whole.left not in known:
                known.add(whole.left)
                result.append(whole)
        result.append(equation)
    return result


def _passes(equations: Sequence[Equation], named: _Named, passed: set[Expr]) -> tuple[list[Equation], list[Equation]]:
    """The equations of the forward and of the backward pass; what a loop begins with goes with what follows it."""
    parts: tuple[list[Equation], list[Equation]] = ([], [])
    backward = False
    for equation in reversed(equations):
        if equation.left not in named.starts:
            backward = named.node(equation) not in passed
        parts[backward].insert(0, equation)
    return parts


class _Named:
    """The nodes behind the names of a derivation, those in loops by their values at step t."""

    def __init__(self, known: Forms) -> None:
        self._known, self._loops = known, known.loops
        self._nodes = {form: node for node, form in known.items()}

        carried = [place for node in known if (place := known.loops.carry(node)) is not None]
        self.starts = {
            at(loop.letters[index], timing(loop).start): (loop.starts[index], loop.new(index))
            for loop, index in carried
            if index in loop.letters
        }

    def node(self, equation: Equation) -> Expr:
        """What an equation is the definition of."""
        if equation.value.dtype != "tuple":
            return equation.value
        if equation.left in self.starts:  # what a loop begins with
            return self.starts[equation.left][0]
        return self._nodes.get(equation.left, equation.value)

    def sliced(self, right: Form) -> Iterator[Equation]:
        """Equations for the arrays of which a formula has the values at step t: x for xₜ."""
        for form in parts_of(right, self._nodes):
            whole = self._loops.slices.get(self._nodes[form])
            if whole is not None and whole.args and whole in self._known:
                yield Equation(self._known[whole], definition(whole, self._known), whole)

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
    named = _Named(known)
    *inner, loss = _with_slices(derivation.where, named)
    for node in loops.postorder([*derivation.gradients, loss.value]):
        if node in known and node.op in LEAF_ROLES:
            table.add(node, known[node], LEAF_ROLES[node.op])
    for variable in derivation.wrt:
        if not variable.args and variable not in table.by_node:  # the loss turned out not to depend on it
            table.add(variable, known[variable], LEAF_ROLES.get(variable.op, "parameter"))
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
    for name, (_, new) in named.starts.items():
        table.use(new, name)
    _pair(table, derivation, numbers)
    found = [number for number, _ in numbers[len(numbers) - len(derivation.formulas) :]]
    number_of = {equation.left: number for number, equation in numbers}
    clauses = [number_of[equation.left] for equation in (*inner, loss)]
    return Gradients(
        [_variable(table, variable, known) for variable in derivation.wrt],
        found,
        [_reached(table, number, clauses) for number in found],
    )


def _variable(table: SymbolTable, variable: Expr, known: Forms) -> int:
    """The symbol of what was differentiated by; a value inside the loss may have changed its form since."""
    if variable in table.by_node:
        return table.by_node[variable]
    number = table.named(known[variable])
    return table.add(variable, known[variable], "forward") if number is None else number


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
