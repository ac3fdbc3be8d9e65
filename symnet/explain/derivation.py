"""`explain`: how a derivative was found, as formulas with names and as the list of rules that were applied.

Everything shown comes from the graphs that are compiled. The formulas are written from the simplified gradient; the
steps are the trace that differentiation and simplification left. Cotangents of named values get their names (δ₂) by
being differentiated and simplified in the same way and then recognised in the gradient by identity, so a name is only
ever given to the value it belongs to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from symnet.derive.api import Exprs, _scalar, _several
from symnet.derive.build import depends, full
from symnet.derive.reverse import pullback
from symnet.explain import html
from symnet.explain.formula import Equation, latex_lines, legend_lines, where_clauses, written
from symnet.explain.naming import (
    Names,
    find_layers,
    name_layers,
    name_leaves,
    name_shared,
)
from symnet.explain.notation import Form, Partial, Symbol
from symnet.explain.steps import StepView, views
from symnet.expr import dtypes
from symnet.expr.node import Expr
from symnet.expr.trace import Step, Trace
from symnet.expr.traverse import postorder


@dataclass(frozen=True, eq=False)
class Derivation:
    """The derivative of a loss, explained.

    formulas   one equation ∂L/∂w = … for each w, written from `gradients`
    where      equations for the named values in them: cotangents first, then the values of the forward pass
    legend     what a symbol stands for where the parameter's own name cannot stand in a formula
    steps      every rule that was applied, in order: `Step(rule, before, after, reason, kind, assumption)`
    gradients  the simplified expressions, as `sn.grad` gives them
    known      the forms that stand for values in the steps
    """

    loss: Expr
    wrt: list[Expr]
    gradients: list[Expr]
    formulas: list[Equation]
    where: list[Equation]
    legend: list[tuple[Symbol, Form]]
    steps: list[Step]
    known: dict[Expr, Form] = field(repr=False)
    loss_symbol: Symbol

    @cached_property
    def views(self) -> list[StepView]:
        """The steps as they are shown, with names for the values they mention."""
        return views(self.steps, self.known, self.loss_symbol)

    @property
    def formula(self) -> str:
        """The formulas, one a line."""
        return "\n".join(map(str, self.formulas))

    def summary(self) -> str:
        """The formulas with the equations of the values they mention, without the steps."""
        lines = [str(equation) for equation in self.formulas]
        if self.where:
            lines += ["where", *(f"  {equation}" for equation in self.where)]
        return "\n".join(lines + legend_lines(self.legend))

    def __str__(self) -> str:
        lines = [self.summary(), "", f"derivation ({len(self.views)} steps)"]
        width = len(str(len(self.views)))
        for number, view in enumerate(self.views, 1):
            lines += [f"{number:>{width + 2}}  {view.rule}: {view}", f"{'':{width + 4}}{view.reason}"]
        return "\n".join(lines)

    __repr__ = __str__

    def latex(self) -> str:
        """The formulas and their where clauses in LaTeX, without delimiters."""
        return latex_lines([equation.latex() for equation in self.formulas], self.where, self.legend)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _repr_html_(self) -> str:
        return html.fragment(self)

    def to_html(self, path: str | Path) -> Path:
        """Write a page that needs nothing else; the path is returned."""
        return html.write(self, Path(path))


def explain(loss: Expr, wrt: Exprs) -> Derivation:
    """How ∂loss/∂w is derived, for one w or for several with their where clauses in common.

    `loss` is a floating-point scalar and each w a floating-point expression, as for `sn.grad`.
    """
    scalar = _scalar(loss, "explain")
    variables, _ = _several(wrt, "explain", "wrt")
    trace = Trace()
    names, loss_symbol = _forward_names(scalar, variables)
    inner = _inner_values(names, scalar, variables)
    seed = full(1.0, scalar.shape, scalar.dtype)
    derivatives = pullback([scalar], [seed], [*inner, *variables], trace)
    adjoints = derivatives[: len(inner)]
    value, *gradients = _simplified([scalar, *derivatives[len(inner) :]], trace)

    in_steps = dict(names.forms)
    for node, derivative in zip([*inner, *variables], derivatives, strict=True):
        in_steps.setdefault(derivative, _adjoint_form(names, loss_symbol, names.forms[node]))
    _name_simplified(names, inner, adjoints, [value, *gradients], loss_symbol)
    name_shared(names, [value, *gradients])
    known = names.forms
    formulas = [
        Equation(Partial(loss_symbol, known[w]), written(gradient, known), gradient)
        for w, gradient in zip(variables, gradients, strict=True)
    ]
    where = where_clauses([*gradients, value], known, forward=[value])
    where.append(Equation(loss_symbol, written(value, known), value))
    return Derivation(
        loss=scalar,
        wrt=variables,
        gradients=gradients,
        formulas=formulas,
        where=where,
        legend=names.legend,
        steps=trace.steps,
        known={**in_steps, **known, scalar: loss_symbol},
        loss_symbol=loss_symbol,
    )


def _forward_names(loss: Expr, variables: Sequence[Expr]) -> tuple[Names, Symbol]:
    """Names of the values of the forward pass, and the symbol of the loss (L when it has no name)."""
    names = Names()
    name_leaves(names, [loss, *variables])
    form = names.forms.pop(loss, None) if loss.args else None
    name_layers(names, find_layers(loss))
    names.forms.pop(loss, None)
    for variable in variables:
        names.give(variable, names.free(Symbol("w")))
    return names, form if isinstance(form, Symbol) else names.free(Symbol("L"))


def _inner_values(names: Names, loss: Expr, variables: Sequence[Expr]) -> list[Expr]:
    """The named values between the variables and the loss, whose cotangents get names too: z first, then the others."""
    order = postorder([loss])
    active, given = depends(order, variables), set(variables)
    inner = [
        node
        for node in order
        if node in names.forms and node.args and id(node) in active and dtypes.is_float(node.dtype)
        and node not in given
    ]  # fmt: skip
    return sorted(inner, key=lambda node: not _is_z(names.forms[node]))


def _is_z(form: Form) -> bool:
    return isinstance(form, Symbol) and form.base == "z"


def _name_simplified(
    names: Names, inner: Sequence[Expr], adjoints: Sequence[Expr], roots: Sequence[Expr], loss: Symbol
) -> None:
    """Carry the names of inner values, and give those of their cotangents, to the nodes they were simplified to.

    A node gets the name only if it is that very value. The cotangent of a z is always named; another one, as on paper,
    only where it is used more than once.
    """
    uses = Counter(arg for node in postorder(roots) for arg in node.args)
    tops = set(roots)
    simplified = _simplified([*inner, *adjoints], None)
    forms = [names.forms.pop(node) for node in inner]
    for node, form in zip(simplified, forms, strict=False):
        if node.args and node is not roots[0]:
            names.give(node, form)
    for node, form in zip(simplified[len(inner) :], forms, strict=True):
        if node.args and (_is_z(form) or uses[node] > 1) and (node not in tops or uses[node]):
            names.give(node, _adjoint_form(names, loss, form))


def _adjoint_form(names: Names, loss: Symbol, form: Form) -> Form:
    """What the derivative of the loss by a named value is called: δₖ for zₖ, else ∂L/∂…."""
    delta = Symbol("δ", form.sub) if isinstance(form, Symbol) and form.base == "z" else None
    return delta if delta is not None and names.is_free(delta) else Partial(loss, form)


def _simplified(roots: list[Expr], trace: Trace | None) -> list[Expr]:
    from symnet.simplify import simplify

    return list(simplify(roots, trace=trace))
