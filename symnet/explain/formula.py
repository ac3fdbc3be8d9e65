"""Formulas of expressions: equations that stop at named values, each of which has an equation of its own below.

The forms are made bottom-up without recursion, and named values keep every form small, however deep the graph is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symnet.derive.build import postorder_above
from symnet.explain import latex, text
from symnet.explain.naming import Names, find_layers, name_layers, name_leaves, name_shared
from symnet.explain.notation import Form, Symbol
from symnet.explain.operations import form_of
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.ops.usually import in_short


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
    forms: dict[Expr, Form] = {}
    for inner in postorder_above(node.args, known):
        forms[inner] = known[inner] if inner in known else form_of(inner, [forms[arg] for arg in inner.args])
    return form_of(node, [forms[arg] for arg in node.args])


def written(node: Expr, known: Mapping[Expr, Form]) -> Form:
    """The name of `node` if it has one, else its formula."""
    return known[node] if node in known else definition(node, known)


def where_clauses(roots: Sequence[Expr], known: Mapping[Expr, Form], forward: Sequence[Expr] = ()) -> list[Equation]:
    """Equations for the named values that the formulas of `roots` mention, and for those that these mention in turn.

    They come in the order of computation, except that values outside the graphs of `forward` come before those inside:
    in a gradient the cotangents first, then the values of the forward pass.
    """
    needed: set[Expr] = set()
    pending = [node for root in roots for node in ((root,) if root in known else root.args)]
    while pending:
        mentioned = [node for node in postorder_above(pending, known) if node in known and node.args]
        pending = [arg for node in mentioned if node not in needed for arg in node.args]
        needed.update(mentioned)
    passed = set(postorder(forward))
    order = [node for node in postorder(roots) if node in needed]
    order = [node for node in order if node not in passed] + [node for node in order if node in passed]
    return [Equation(known[node], definition(node, known), node) for node in order]


@dataclass(frozen=True, eq=False)
class Formula:
    """An expression as one formula with the values it mentions."""

    value: Expr
    right: Form
    where: list[Equation]
    legend: list[tuple[Symbol, Form]]

    def __str__(self) -> str:
        lines = [text.write(self.right)]
        if self.where:
            lines += ["where", *(f"  {equation}" for equation in self.where)]
        return "\n".join(lines + legend_lines(self.legend))

    def latex(self) -> str:
        return latex_lines([latex.write(self.right)], self.where, self.legend)


def formula(value: Expr) -> Formula:
    """The formula of an expression, from its graph as it is."""
    (value,) = in_short([value])
    names = Names()
    name_leaves(names, [value])
    name_layers(names, find_layers(value))
    known = {node: form for node, form in names.forms.items() if node is not value or not node.args}
    names.forms = known
    name_shared(names, [value])
    return Formula(value, written(value, names.forms), where_clauses([value], names.forms), names.legend)


def legend_lines(legend: Sequence[tuple[Symbol, Form]]) -> list[str]:
    """What symbols stand for, as lines of text."""
    return ["with", *(f"  {text.write(left)} = {text.write(right)}" for left, right in legend)] if legend else []


def latex_lines(formulas: Sequence[str], where: Sequence[Equation], legend: Sequence[tuple[Symbol, Form]]) -> str:
    """Formulas, the values they mention and the legend in LaTeX: one line alone, several below each other."""
    lines = list(formulas)
    if where:
        lines += [r"\text{where}", *(rf"\quad {equation.latex()}" for equation in where)]
    if legend:
        lines += [r"\text{with}", *(rf"\quad {latex.write(left)} = {latex.write(right)}" for left, right in legend)]
    return lines[0] if len(lines) == 1 else "\\begin{array}{l}\n" + " \\\\\n".join(lines) + "\n\\end{array}"
