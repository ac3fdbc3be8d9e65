"""Formulas of expressions: equations that stop at named values, each of which has an equation of its own below.

The forms are made bottom-up without recursion, and named values keep every form small, however deep the graph is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symnet.explain import latex, mathml, text
from symnet.explain.identifiers import letters_beside
from symnet.explain.leaves import dimension
from symnet.explain.naming import Forms, Names, find_layers, name_layers, name_leaves, name_shared
from symnet.explain.naming_loops import at, timing
from symnet.explain.notation import Big, Form, Stepwise, Sum, Symbol
from symnet.explain.opened import is_opened, opened
from symnet.explain.operations import form_of
from symnet.explain.placing import Placed, chosen, named, placed
from symnet.explain.recurrences import Loops, Recurrence, has_loops, is_zero
from symnet.expr.node import Expr
from symnet.ops.usually import in_short

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Equation:
    """left = right, where right is written from the graph of `value`."""

    left: Form
    right: Form
    value: Expr

    @property
    def name(self) -> str:
        return text.write(self.left)

    @property
    def formula(self) -> str:
        return text.write(self.right)

    def __str__(self) -> str:
        return f"{self.name} = {self.formula}"

    def latex(self) -> str:
        return f"{latex.write(self.left)} = {latex.write(self.right)}"


def definition(node: Expr, known: Mapping[Expr, Form]) -> Form:
    """The form of the operation at `node`, down to the values that have a form in `known`."""
    loops = _loops(known)
    forms: dict[Expr, Placed] = {}
    with letters_beside(known.leaf_symbols() if isinstance(known, Forms) else ()):
        for inner in loops.postorder(loops.below(node), known):
            forms[inner] = (known[inner], named(inner)) if inner in known else _operation(inner, forms, loops)
        return _operation(node, forms, loops)[0]


def _operation(node: Expr, forms: Mapping[Expr, Placed], loops: Loops) -> Placed:
    """The form of one operation, whose operands have forms; of a value that a loop adds up, Σₜ."""
    if node.op == "item" and node.args[0].op == "scan":
        added = loops.added(node)
        if added is not None:
            loop = loops.of(node.args[0])
            start = loop.starts[node.attrs["index"]]
            whole = Big("Σ", (loop.letter,), forms[added][0])
            return (whole if is_zero(start) else Sum(((forms[start][0], True), (whole, True)))), named(node)
        loop, index = loops.of(node.args[0]), node.attrs["index"]
        if index in loop.letters:
            return at(loop.letters[index], timing(loop).end), named(node)
        return form_of(node, []), named(node)
    if node.op == "item" and node.args[0].op == "cond":
        sides = loops.below(node)
        return chosen(node, sides, [forms[side] for side in sides])
    if node in loops.complements:
        return forms[loops.complements[node]]
    if is_opened(node):
        return forms[opened(node)]
    return placed(node, [forms[arg] for arg in node.args])


def _loops(known: Mapping[Expr, Form]) -> Loops:
    return known.loops if isinstance(known, Forms) else Loops()


def written(node: Expr, known: Mapping[Expr, Form]) -> Form:
    """The name of `node` if it has one, else its formula."""
    return known[node] if node in known else definition(node, known)


def where_clauses(roots: Sequence[Expr], known: Mapping[Expr, Form], forward: Sequence[Expr] = ()) -> list[Equation]:
    """Equations for the named values that the formulas of `roots` mention, and for those that these mention in turn.

    They come in the order of computation, except that values outside the graphs of `forward` come before those inside:
    in a gradient the cotangents first, then the values of the forward pass. What a step of a loop computes comes
    together, after what the loop begins with.
    """
    loops = _loops(known)
    needed: set[Expr] = set()
    pending = [node for root in roots for node in ((root,) if root in known else loops.below(root))]
    while pending:
        mentioned = [node for node in loops.postorder(pending, known) if node in known and loops.below(node)]
        pending = [part for node in mentioned if node not in needed for part in loops.below(node)]
        needed.update(mentioned)
    needed -= {
        whole for whole, step, _ in loops.sliced() if step in needed and step in known and step not in loops.slices
    }
    units = _units([node for node in loops.postorder(roots) if node in needed], loops)
    passed = set(loops.postorder(forward))
    units.sort(key=lambda unit: any(node in passed for node in unit))
    return [equation for unit in units for equation in _equations(unit, known, loops)]


def _units(order: Sequence[Expr], loops: Loops) -> list[list[Expr]]:
    """The nodes of `order`, those of one loop together, each unit after those that it needs."""
    units: dict[object, list[Expr]] = {}
    for node in order:
        loop = loops.owner(node)
        units.setdefault(node if loop is None else [*loop.around, loop][0], []).append(node)
    place = {node: key for key, nodes in units.items() for node in nodes}
    done: list[object] = []
    stack: list[tuple[object, bool]] = [(key, False) for key in reversed(list(units))]
    seen: set[object] = set()
    while stack:
        key, ready = stack.pop()
        if ready:
            done.append(key)
        elif id(key) not in seen:
            seen.add(id(key))
            stack.append((key, True))
            inner = loops.postorder([part for node in units[key] for part in loops.below(node)], place)
            stack.extend((place[node], False) for node in reversed(inner) if node in place and place[node] is not key)
    return [units[key] for key in done]


def _equations(unit: Sequence[Expr], known: Mapping[Expr, Form], loops: Loops) -> list[Equation]:
    loop = loops.owner(unit[0])
    if loop is None:
        return [Equation(known[node], definition(node, known), node) for node in unit if not _is_told(node, loops)]
    return _step([*loop.around, loop][0], unit, known, loops)


def _step(loop: Recurrence, nodes: Sequence[Expr], known: Mapping[Expr, Form], loops: Loops) -> list[Equation]:
    """What a loop begins with and what a step computes; the equations of a loop inside it stand where it runs."""
    own = [node for node in nodes if loops.owner(node) is loop and not _is_sequence(node, known, loops)]
    told = dict.fromkeys(node for node in own if node not in loops.slices and loops.carry(node) is None)
    inside: dict[Recurrence, list[Expr]] = {}
    for node in nodes:
        owner = loops.owner(node)
        path = [] if owner is None else [*owner.around, owner]
        if owner is not loop:
            inside.setdefault(path[path.index(loop) + 1], []).append(node)
    lines: list[Equation] = []
    for node in loops.step_order([*told, *(one.scan for one in inside)]):
        if node in told:
            lines.append(Equation(known[node], definition(node, known), loop.scan))
        elif node.op == "scan" and (inner := loops.of(node)) in inside:
            lines += _step(inner, inside.pop(inner), known, loops)
    times, last = timing(loop), lines[-1]
    whole = Stepwise(last.right, loop.letter, dimension(times.first), dimension(times.last))
    return [*_starts(loop, own, known, loops), *lines[:-1], Equation(last.left, whole, loop.scan)]


def _is_told(node: Expr, loops: Loops) -> bool:
    """Whether the equations of a loop say what a value is: an item that is no sum."""
    return node.op == "item" and node.args[0].op == "scan" and loops.added(node) is None


def _is_sequence(node: Expr, known: Mapping[Expr, Form], loops: Loops) -> bool:
    """Whether a value is what a loop keeps, by the name that it has at each step."""
    if not _is_told(node, loops) or node.attrs["index"] < len(loops.of(node.args[0]).carried):
        return False
    whole, step = known[node], known.get(loops.result(node))
    return isinstance(whole, Symbol) and isinstance(step, Symbol) and whole.base == step.base


def _starts(loop: Recurrence, unit: Sequence[Expr], known: Mapping[Expr, Form], loops: Loops) -> list[Equation]:
    """What the carried values begin with, unless that is what it is called anyway."""
    equations = []
    for node in unit:
        carry = loops.carry(node)
        if carry is not None:
            start = Equation(
                at(loop.letters[carry[1]], timing(loop).start), written(loop.starts[carry[1]], known), loop.scan
            )
            equations += [start] if start.left != start.right else []
    return equations


@dataclass(frozen=True, eq=False)
class Formula:
    """An expression as one formula with the values it mentions."""

    value: Expr
    right: Form
    where: list[Equation]
    legend: list[tuple[Form, Form]]
    known: Forms

    def __str__(self) -> str:
        lines = [text.write(self.right)]
        if self.where:
            lines += ["where", *(f"  {equation}" for equation in self.where)]
        return "\n".join(lines + legend_lines(self.legend))

    def latex(self) -> str:
        return latex_lines([latex.write(self.right)], self.where, self.legend)

    def mathml(self) -> str:
        """The formula as a `<math>` element, without its where clauses."""
        return mathml.document(self.right)

    def evaluate(self, values: Mapping[Any, Any], sizes: Mapping[str, int] | None = None) -> np.ndarray:
        """What the formula says, computed in float64 from its text, where clauses and all, and not from the graph.

        `values` holds arrays for inputs, parameters and random draws, by name or symbol; `sizes` the named dimensions
        that do not follow from them.
        """
        from symnet.explain.read import evaluate

        found = evaluate(f"result = {self}", self.known, values, sizes, {"result": self.value.shape})
        return found["result"]


def formula(value: Expr) -> Formula:
    """The formula of an expression, from its graph as it is."""
    (value,) = in_short([value])
    names = Names()
    name_leaves(names, [value])
    name_layers(names, find_layers(value), loops=has_loops([value]))
    if value.args:
        names.forms.pop(value, None)
    name_shared(names, [value])
    return Formula(value, written(value, names.forms), where_clauses([value], names.forms), names.legend, names.forms)


def legend_lines(legend: Sequence[tuple[Form, Form]]) -> list[str]:
    """What symbols stand for, as lines of text."""
    return ["with", *(f"  {text.write(left)} = {text.write(right)}" for left, right in legend)] if legend else []


def latex_lines(formulas: Sequence[str], where: Sequence[Equation], legend: Sequence[tuple[Form, Form]]) -> str:
    """Formulas, the values they mention and the legend in LaTeX: one line alone, several below each other."""
    lines = list(formulas)
    if where:
        lines += [r"\text{where}", *(rf"\quad {equation.latex()}" for equation in where)]
    if legend:
        lines += [r"\text{with}", *(rf"\quad {latex.write(left)} = {latex.write(right)}" for left, right in legend)]
    return lines[0] if len(lines) == 1 else "\\begin{array}{l}\n" + " \\\\\n".join(lines) + "\n\\end{array}"
