"""A whole training step as equations: forward, loss, gradients, the update of each parameter, what else is stored.

Everything is written from the expressions that the program was built from: the derivation of its loss, the update of
its optimizer, and the new values of running statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symnet.explain import latex, mathml, text
from symnet.explain.formula import Equation, definition, legend_lines
from symnet.explain.identifiers import symbol
from symnet.explain.levels import Level
from symnet.explain.naming import Forms, Names, name_shared
from symnet.explain.notation import Form
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.ops.meaning import collect_updates
from symnet.optim.formula import Line, UpdateFormula
from symnet.optim.over_time import over_time
from symnet.simplify import prepare

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation
    from symnet.program.program import Program


@dataclass(frozen=True, eq=False)
class TrainingStep:
    """One step of a program as equations.

    derivation  of the loss by all parameters that are trained; `show`, `replay` and `verify` are its
    forward     the named values on the way to the loss, and the loss, in the order of computation
    backward    the named cotangents, and the gradient of each parameter
    update      what the optimizer does with a parameter θ and its gradient
    stored      what else a step stores: running statistics
    careful     parameters whose gradient is equal to its formula, but compiled in another form that keeps more digits
                (`sn.accuracy`)
    """

    derivation: Derivation
    forward: list[Equation]
    backward: list[Equation]
    update: UpdateFormula
    stored: list[Line]
    careful: list[Form]

    def __str__(self) -> str:
        parts = []
        for title, lines in self.sections():
            parts += [title, *(f"  {line}" for line in lines), ""]
        return "\n".join([*parts, *legend_lines(self.derivation.legend)]).rstrip("\n")

    __repr__ = __str__

    def sections(self) -> list[tuple[str, Sequence[object]]]:
        """What belongs together under one title, as things whose `str` is a line of text."""
        trained = ", ".join(text.write(form) for form in self._trained())
        named = ", ".join(map(text.write, self.careful))
        notes = [f"those by {named} are computed in a form that keeps more digits: see sn.accuracy"] if named else []
        found: list[tuple[str, Sequence[object]]] = [
            ("forward", self.forward),
            ("gradients", [*self.backward, *notes]),
            (f"update of each parameter θ ({trained})", str(self.update).splitlines()),
            ("stored beside", self.stored),
        ]
        return [(title, lines) for title, lines in found if lines]

    def latex(self) -> str:
        """The step in LaTeX, one array of lines."""
        lines = [r"\textbf{forward}", *(rf"\quad {equation.latex()}" for equation in self.forward)]
        lines += [r"\textbf{gradients}", *(rf"\quad {equation.latex()}" for equation in self.backward)]
        trained = ", ".join(latex.write(form) for form in self._trained())
        lines += [rf"\textbf{{update of each parameter }} \theta \in \{{{trained}\}}", rf"\quad {self.update.latex()}"]
        if self.stored:
            lines += [r"\textbf{stored beside}", *(rf"\quad {line.latex()}" for line in self.stored)]
        if self.derivation.legend:
            lines += [r"\text{with}"]
            lines += [rf"\quad {latex.write(left)} = {latex.write(right)}" for left, right in self.derivation.legend]
        return "\\begin{array}{l}\n" + " \\\\\n".join(lines) + "\n\\end{array}"

    def mathml(self) -> str:
        """The step in HTML, with formulas in MathML."""
        parts = []
        for title, equations in (("forward", self.forward), ("gradients", self.backward)):
            parts += [f"<h3>{title}</h3>", *(_paragraph(e.left, e.right) for e in equations)]
        parts += ["<h3>update of each parameter θ</h3>", self.update.mathml()]
        if self.stored:
            parts += ["<h3>stored beside</h3>", *(f"<p>{line.mathml()}</p>" for line in self.stored)]
        return "\n".join(parts)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _repr_html_(self) -> str:
        return self.mathml()

    def _trained(self) -> list[Form]:
        return [self.derivation.context.known[node] for node in self.derivation.wrt]


def training_step(program: Program, level: Level = "normal") -> TrainingStep:
    """The step of a program that `sn.compile` made."""
    from symnet.explain.derivation import derivation_of

    about = program.about
    plan = about.plan()
    derivation = derivation_of(plan.loss, plan.trained, level)
    passed = frozenset(postorder([derivation.value]))
    forward = [equation for equation in derivation.where if equation.value in passed]
    cotangents = [equation for equation in derivation.where if equation.value not in passed]
    return TrainingStep(
        derivation,
        forward,
        [*cotangents, *derivation.formulas],
        over_time(plan.optimizer),
        _stored(derivation),
        _careful(derivation, about.watched.gradients),
    )


def _careful(derivation: Derivation, compiled: Mapping[str, Expr]) -> list[Form]:
    """The parameters whose gradient is compiled in another form than that of the derivation."""
    pairs = zip(derivation.wrt, derivation.gradients, strict=True)
    other = [parameter for parameter, gradient in pairs if compiled[str(parameter.name)] is not gradient]
    return [derivation.context.known[parameter] for parameter in other]


def _stored(derivation: Derivation) -> list[Line]:
    """New values of state that the operations of the loss have: running statistics and the like."""
    pairs = [pair for pair in collect_updates([derivation.start]) if not str(pair[0].name).startswith("random.")]
    if not pairs:
        return []
    values, _ = prepare([value for _, value in pairs], derivation.wrt)
    known = derivation.context.known
    names = Names(Forms(known, getattr(known, "loops", None)), _taken=set(known.values()))
    letters = []
    for state, _ in pairs:
        letter = names.free(symbol(str(state.name).rpartition(".")[2]))
        names.give(state, letter)
        letters.append(names.forms[state])
    name_shared(names, values)
    return [
        Line(letter, definition(value, names.forms), kept=True) for letter, value in zip(letters, values, strict=True)
    ]


def _paragraph(left: Form, right: Form) -> str:
    return f"<p>{mathml.equation(left, '=', right)}</p>"
