"""How a derivative was found, as formulas with names and as the list of rules that were applied.

Everything shown comes from the graphs that are compiled. The formulas are written from the simplified gradient; the
steps are the trace that differentiation and simplification left. Cotangents of named values get their names (δ₂) by
being differentiated and simplified in the same way and then recognised in the gradient by identity, so a name is only
ever given to the value it belongs to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from operator import is_
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symnet.derive.api import of_usual_data
from symnet.derive.arguments import Variable, Variables, check_dependence, scalar_loss, variables_in
from symnet.derive.build import depends, full
from symnet.derive.reverse import pullback
from symnet.errors import CompilerBug
from symnet.explain import html, text
from symnet.explain.formula import Equation, latex_lines, legend_lines, where_clauses, written
from symnet.explain.functions import own_functions
from symnet.explain.identifiers import is_plain, symbol
from symnet.explain.inside import names_inside
from symnet.explain.leading import leading
from symnet.explain.levels import Level, check_level, lines_of
from symnet.explain.naming import (
    Forms,
    Names,
    find_layers,
    name_layers,
    name_leaves,
    name_shared,
)
from symnet.explain.notation import Form, Partial, Symbol
from symnet.explain.recurrences import has_loops
from symnet.explain.replay import replay
from symnet.explain.sampling import check_seed, check_values
from symnet.explain.steps import Context, StepView, views
from symnet.expr import dtypes
from symnet.expr.lineage import recording
from symnet.expr.node import Expr
from symnet.expr.trace import Step, Trace
from symnet.expr.traverse import postorder
from symnet.ops.usually import in_short
from symnet.simplify import prepare

if TYPE_CHECKING:
    import numpy as np

    from symnet.explain.flow import Flow
    from symnet.explain.verify import Verification


@dataclass(frozen=True, eq=False)
class Derivation:
    """The derivative of a loss, explained.

    formulas   one equation ∂L/∂w = … for each w, written from `gradients`
    where      equations for the named values in them: cotangents first, then the values of the forward pass
    value      the loss, simplified together with the gradients
    start      the loss as it was differentiated: with what is abbreviated in formulas in its short form
    functions  what the user's own functions in them are, with their derivatives
    legend     what a symbol stands for where the parameter's own name cannot stand in a formula
    steps      every rule that was applied, in order: `Step(rule, before, after, reason, kind, assumption)`
    trace      the steps in their stages, from which `replay` makes the gradients again
    gradients  the simplified expressions, as `sn.grad` gives them
    context    the names of values in the steps
    among      what the record is the derivative by, where `wrt` is a part of it
    own        of such a record the steps that lead to the gradients by `wrt`; None: all
    level      how much of the steps is shown: "brief", "normal" or "full" (see `symnet.explain.levels`)
    """

    loss: Expr
    start: Expr
    value: Expr
    wrt: list[Expr]
    gradients: list[Expr]
    formulas: list[Equation]
    where: list[Equation]
    functions: list[Equation]
    legend: list[tuple[Form, Form]]
    trace: Trace
    context: Context
    among: list[Expr]
    own: list[Step] | None = None
    level: Level = "normal"

    def show(self, level: Level = "normal") -> Derivation:
        """The same derivation, shown in less or more detail when it is printed: "brief", "normal" or "full"."""
        return replace(self, level=check_level(level))

    @property
    def steps(self) -> list[Step]:
        return self.trace.steps if self.own is None else self.own

    def replay(self) -> list[Expr]:
        """The gradients, made again from the loss by applying the recorded steps one by one: the very same nodes.

        `CompilerBug` if the record does not lead there.
        """
        found = dict(zip(self.among, replay(self.trace, self.start, self.among), strict=True))
        replayed = [found[variable] for variable in self.wrt]
        if not all(map(is_, replayed, self.gradients)):
            raise CompilerBug("replay: the steps lead to another graph than the gradients that are compiled")
        return replayed

    def verify(self, seed: int = 0) -> Verification:
        """Both sides of every step, and at last the gradients, compared by numbers on random data drawn with `seed`.

        `CompilerBug` names the first step that is wrong. See `symnet.explain.verify` for what is compared with what.
        """
        from symnet.explain.verify import verify

        check_seed(seed, "verify")
        return verify(self.steps, self.value, self.wrt, self.gradients, seed)

    def evaluate(self, values: Mapping[Any, Any], sizes: Mapping[str, int] | None = None) -> dict[str, np.ndarray]:
        """The gradients and the loss, by the names on the left sides, computed in float64 from the printed text alone.

        `values` holds arrays for inputs, parameters and random draws, by name or symbol (see `symnet.explain.read`).
        """
        from symnet.explain.read import evaluate

        check_values(values, "evaluate")
        shapes = {equation.name: equation.value.shape for equation in (*self.formulas, self.where[-1])}
        return evaluate(self.summary(), self.context.known, values, sizes, shapes)

    def flow(self, values: Mapping[str, Any]) -> Flow:
        """The size of the gradient at every layer and parameter, at the point that `values` says (arrays by name)."""
        from symnet.explain.flow import flow

        return flow(self.loss, values)

    @cached_property
    def views(self) -> list[StepView]:
        """The steps that change something that is written, with names for the values they mention."""
        return [view for view in self.all_views if text.write(view.left) != text.write(view.right)]

    @cached_property
    def all_views(self) -> list[StepView]:
        """All steps, with names for the values they mention."""
        return views(self.steps, self.context, names_inside(self.trace, self.context.known))

    @property
    def formula(self) -> str:
        """The formulas, one a line."""
        return "\n".join(map(str, self.formulas))

    def summary(self) -> str:
        """The formulas with the equations of the values they mention, without the steps."""
        lines = [str(equation) for equation in self.formulas]
        if self.where or self.functions:
            lines += ["where", *(f"  {equation}" for equation in (*self.where, *self.functions))]
        return "\n".join(lines + legend_lines(self.legend))

    def __str__(self) -> str:
        return "\n".join([self.summary(), "", *lines_of(self, self.level)])

    __repr__ = __str__

    def latex(self) -> str:
        """The formulas and their where clauses in LaTeX, without delimiters."""
        where = [*self.where, *self.functions]
        return latex_lines([equation.latex() for equation in self.formulas], where, self.legend)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _repr_html_(self) -> str:
        return html.fragment(self)

    def to_html(self, path: str | Path) -> Path:
        """Write a page that needs nothing else; the path is returned."""
        from symnet.report.writing import page_path

        return html.write(self, page_path(path, "to_html"))


def derivation_of(loss: Expr, wrt: Variable | Variables, level: Level = "normal") -> Derivation:
    """How ∂loss/∂w is derived, for one w or for several with their where clauses in common; see `sn.explain`."""
    scalar = scalar_loss(loss, "explain")
    variables, _ = variables_in(wrt, "explain", scalar)
    check_dependence(scalar, variables, "explain")
    return Derived(scalar, variables).by(variables, level)


class Derived:
    """A loss differentiated by several variables at once, of which each can be explained by itself.

    What gradients share decides about the form of each: the gradient of one parameter in a training step is that of the
    derivation by all parameters, which may be another graph than the gradient by it alone.

    follow  remember what became of what, so that the steps that lead to some of the gradients can be told apart
    """

    def __init__(self, loss: Expr, variables: Sequence[Expr], follow: bool = False) -> None:
        self.loss, self.variables, self.trace = loss, list(variables), Trace()
        self._places = {variable: place for place, variable in enumerate(self.variables)}
        forward: list[_Forward] = []

        def derive(outputs: list[Expr], wrt_now: list[Expr], steps: Trace | None) -> list[Expr]:
            forward.append(_Forward(outputs[0], wrt_now, loss.name, steps))
            return [outputs[0], *forward[0].gradients]

        (self.start,) = in_short([loss])
        with recording() if follow else nullcontext() as self._lineage:
            self.value, *self.gradients = of_usual_data([self.start], self.variables, self.trace, derive)
        self._seen = forward[0]
        self._known = self._seen.names_of([self.value, *self.gradients])

    def by(self, wrt: Sequence[Expr], level: Level = "normal") -> Derivation:
        """The derivation by some of the variables."""
        seen, known, places = self._seen, self._known, [self._places[variable] for variable in wrt]
        gradients = [self.gradients[place] for place in places]
        formulas = [
            Equation(Partial(seen.symbol, seen.wrt_forms[place]), written(gradient, known), gradient)
            for place, gradient in zip(places, gradients, strict=True)
        ]
        where = where_clauses([*gradients, self.value], known, forward=[self.value])
        where.append(Equation(seen.symbol, written(self.value, known), self.value))
        return Derivation(
            loss=self.loss,
            start=self.start,
            value=self.value,
            wrt=list(wrt),
            gradients=gradients,
            formulas=formulas,
            where=where,
            functions=own_functions([self.start], derivatives=True),
            legend=seen.names.legend + _meaning_of_deltas(where, seen.symbol),
            trace=self.trace,
            context=Context(
                Forms({self.loss: seen.symbol, **seen.known, **known}, known.loops),
                seen.cotangents,
                seen.symbol,
                {equation.left: equation.right for equation in (*where, *formulas)},
            ),
            among=self.variables,
            own=None if self._lineage is None else self._own(places),
            level=level,
        )

    def _own(self, places: Sequence[int]) -> list[Step]:
        """The steps that lead to some of the gradients."""
        wanted = {id(step) for place in places for step in self._leading[place]}
        return [step for step in self.trace.steps if id(step) in wanted]

    @cached_property
    def _leading(self) -> list[list[Step]]:
        assert self._lineage is not None
        return leading(self.trace, len(self.variables), self._lineage)


class _Forward:
    """The loss as it is differentiated: its gradients, the names of its values and of their cotangents.

    The named values between the variables and the loss are differentiated by, too, so that their cotangents are known.
    """

    def __init__(self, loss: Expr, wrt: Sequence[Expr], loss_name: str | None, trace: Trace | None) -> None:
        self.wrt = wrt
        self.names = Names()
        name_leaves(self.names, [loss, *wrt])
        name_layers(self.names, find_layers(loss), loops=has_loops([loss]))
        if loss.args:
            self.names.forms.pop(loss, None)
        for variable in wrt:
            self.names.give(variable, self.names.free(Symbol("w")))
        own_name = loss_name if loss.args and loss_name and is_plain(loss_name) else None
        self.symbol = symbol(own_name) if own_name else self.names.free(Symbol("L"))
        self.wrt_forms = [self.names.forms[variable] for variable in wrt]
        self.inner = self._inner_values(loss)
        self.cotangents = {node: self._cotangent_form(self.names.forms[node]) for node in self.inner}
        self.cotangents.update((node, Partial(self.symbol, self.names.forms[node])) for node in wrt)
        derivatives = pullback([loss], [full(1.0, loss.shape, loss.dtype)], [*self.inner, *wrt], trace)
        self.adjoints, self.gradients = derivatives[: len(self.inner)], derivatives[len(self.inner) :]
        self.known = {loss: self.symbol, **self.names.forms}
        for node, derivative in zip((*self.inner, *wrt), derivatives, strict=True):
            self.known.setdefault(derivative, self.cotangents[node])

    def names_of(self, roots: Sequence[Expr]) -> Forms:
        """The names of the values of the simplified loss and gradients.

        Inner values and their cotangents are simplified in the same way and recognised in the result by identity. The
        cotangent of a z is always named; another one, as on paper, only where it is used more than once.
        """
        names, forms = self.names, [self.names.forms.pop(node) for node in self.inner]
        uses = Counter(arg for node in postorder(roots) for arg in node.args)
        simplified, _ = prepare([*self.inner, *self.adjoints], self.wrt)
        tops = set(roots)
        for node, form in zip(simplified, forms, strict=False):
            if node.args and node is not roots[0]:
                names.give(node, form)
        for node, form in zip(simplified[len(forms) :], forms, strict=True):
            if (node.args and (uses[node] if _is_z(form) else uses[node] > 1)) or (node in tops and _is_z(form)):
                names.give(node, self._cotangent_form(form))
        name_shared(names, roots)
        return names.forms

    def _inner_values(self, loss: Expr) -> list[Expr]:
        """The named values between the variables and the loss: z first, then the others."""
        order = postorder([loss])
        active, given = depends(order, self.wrt), set(self.wrt)
        named = [node for node in order if node in self.names.forms and node.args and node not in given]
        inner = [node for node in named if id(node) in active and dtypes.is_float(node.dtype)]
        return sorted(inner, key=lambda node: not _is_z(self.names.forms[node]))

    def _cotangent_form(self, form: Form) -> Form:
        """What the derivative of the loss by a named value is called: δₖ for zₖ, else ∂L/∂…."""
        if isinstance(form, Symbol) and form.base == "z" and self.names.is_free(Symbol("δ", form.sub)):
            return Symbol("δ", form.sub)
        return Partial(self.symbol, form)


def _is_z(form: Form) -> bool:
    return isinstance(form, Symbol) and form.base == "z"


def _meaning_of_deltas(where: Sequence[Equation], loss: Symbol) -> list[tuple[Form, Form]]:
    """A line of the legend that says what the δ are: one for all, with k for their numbers."""
    deltas = [equation.left for equation in where if isinstance(equation.left, Symbol) and equation.left.base == "δ"]
    if not deltas:
        return []
    index = deltas[0].sub if len(deltas) == 1 else "k"
    return [(Symbol("δ", index), Partial(loss, Symbol("z", index)))]
