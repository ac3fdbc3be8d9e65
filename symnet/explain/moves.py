"""A derivation in brief: what one would say at a blackboard.

What was done to the loss to make it stable, or recognised in it; then the chain rule from named value to named value,
each with the operations on the way and the choices at kinks; a loop as the equations of one step backward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symnet.derive.build import postorder_above
from symnet.derive.reverse import ChainStep
from symnet.explain import text
from symnet.explain.formula import Equation
from symnet.explain.notation import Form, Partial
from symnet.explain.steps import StepView
from symnet.expr.node import Expr
from symnet.expr.trace import Step
from symnet.expr.traverse import postorder

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation

_CALLED = {"contract": "product", "scan": "loop", "bernoulli_logit_nll": "cross-entropy of logits", "item": ""}
"""What operations are called where that is not their name."""
_PLAIN = frozenset({
    "add", "subtract", "multiply", "divide", "negative", "reciprocal", "square", "sqrt", "rsqrt", "power", "mean",
    "exp", "log", "abs", "maximum", "minimum", "where", "sin", "cos", "usually", "diag", "diagonal", "trace",
    "ratio_derivative", "single_entries", "unit", "per_length", "one_hot",
})  # fmt: skip
"""Functions that nobody has to recognise."""


@dataclass(frozen=True, eq=False)
class Move:
    """The chain rule, from the nearest named values above to one below.

    left      the cotangent; that of a loop has none
    right     its formula
    by        the partial derivative that `left` stands for, unless it is written as one
    lines     of a loop: the equations of a step backward, with what they begin with
    through   what the operations on the way are called, from above
    choices   what is chosen at the kinks among them
    steps     the contributions that arrive at the value, of the trace
    """

    left: Form | None
    right: Form | None
    by: Form | None
    lines: tuple[Equation, ...]
    through: tuple[str, ...]
    choices: tuple[str, ...]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        if self.left is None or self.right is None:
            return "through the steps of the loop, backward"
        by = "" if self.by is None else f" = {text.write(self.by)}"
        through = f"   through {', '.join(self.through)}" if self.through else ""
        return f"{text.write(self.left)}{by} = {text.write(self.right)}{through}"


@dataclass(frozen=True, eq=False)
class Brief:
    """A derivation in brief: telling rules on the loss, the chain rule, telling rules on the derivative, and how many
    steps of algebra beside."""

    before: list[StepView]
    chain: list[Move]
    after: list[StepView]
    algebra: int


def brief(derivation: Derivation) -> Brief:
    """The moves of a derivation."""
    views = derivation.views
    first = next((i for i, view in enumerate(views) if isinstance(view.step, ChainStep)), len(views))
    before = [view for view in views[:first] if is_telling(view.step)]
    after = [view for view in views[first:] if is_telling(view.step)]
    rules = sum(not isinstance(view.step, ChainStep) for view in views)
    return Brief(before, _chain(derivation), after, rules - len(before) - len(after))


def is_telling(step: Step) -> bool:
    """Whether a rule made something stable, or recognised a function with a name of its own."""
    if isinstance(step, ChainStep):
        return False
    return step.kind == "stabilising" or (step.before.op != "usually" and bool(_recognised(step)))


def _recognised(step: Step) -> set[str]:
    """The functions with names that a step brings in, above what both of its sides are made of."""
    shared = set(postorder([step.before])) & set(postorder([step.after]))
    new, old = ({node.op: node for node in postorder_above([side], shared)} for side in (step.after, step.before))
    return {op for op, node in new.items() if op not in old and op not in _PLAIN and _has_name(node)}


def _has_name(node: Expr) -> bool:
    declaration = node.declaration
    return declaration.kind == "composite" or (declaration.kind == "scalar" and bool(declaration.reason))


# --- the chain rule -----------------------------------------------------------------------------------------------


def _chain(derivation: Derivation) -> list[Move]:
    """A move for each cotangent that has an equation, once all contributions to it have come, and for each loop."""
    equations: dict[Form, Equation] = {}
    for equation in (*derivation.where, *derivation.formulas):
        equations.setdefault(equation.left, equation)
    loops = _loops(derivation)
    moves: list[Move] = []
    looped: set[Expr] = set()
    for target, (passed, arrived) in _through(derivation, equations).items():
        scans = [step.before for step in passed if step.before.op == "scan"]
        for scan in dict.fromkeys(scans):
            if scan not in looped and loops:
                moves.append(_loop(loops.pop(0), [step for step in passed if step.before is scan]))
            looped.add(scan)
        moves.append(_move(derivation, equations, target, passed, arrived))
    return moves


def _move(
    derivation: Derivation,
    equations: Mapping[Form, Equation],
    target: Expr,
    passed: Sequence[ChainStep],
    arrived: Sequence[ChainStep],
) -> Move:
    context = derivation.context
    form = context.cotangents[target]
    names = [_CALLED.get(step.before.op, step.before.op) for step in passed]
    chosen = [choice_of(step.reason) for step in passed if step.kind == "subgradient"]
    return Move(
        left=form,
        right=equations[form].right,
        by=None if isinstance(form, Partial) else Partial(context.loss, context.known[target]),
        lines=(),
        through=tuple(dict.fromkeys(name for name in names if name)),
        choices=tuple(dict.fromkeys(chosen)),
        steps=tuple(arrived),
    )


def choice_of(reason: str) -> str:
    """The part of a sentence about a kink that says what is chosen."""
    return reason.rpartition("; ")[2]


def _loop(lines: list[Equation], steps: Sequence[Step]) -> Move:
    return Move(None, None, None, tuple(lines), ("loop",), (), tuple(steps))


def _loops(derivation: Derivation) -> list[list[Equation]]:
    """The equations of each loop that runs backward, the last loop of the forward pass first."""
    known = derivation.context.known.loops
    found: dict[Expr, list[Equation]] = {}
    for equation in derivation.where:
        if equation.value.op == "scan" and known.of(equation.value).adjoint:
            found.setdefault(equation.value, []).append(equation)
    return list(found.values())


def _through(
    derivation: Derivation, equations: Mapping[Form, Equation]
) -> dict[Expr, tuple[list[ChainStep], list[ChainStep]]]:
    """For each value whose cotangent has an equation, in the order in which they are complete: the steps from the
    nearest such values above it, and those among them that arrive at it."""
    cotangents = derivation.context.cotangents
    found: dict[Expr, tuple[list[ChainStep], list[ChainStep]]] = {}
    passed: dict[Expr, list[ChainStep]] = {}
    arrived: dict[Expr, list[ChainStep]] = {}
    for step in derivation.steps:
        if isinstance(step, ChainStep):
            target = step.target
            before = [] if step.before in found else passed.get(step.before, [])
            here = passed.setdefault(target, [])
            here += [part for part in (*before, step) if part not in here]
            arrived.setdefault(target, []).append(step)
            if target in cotangents and cotangents[target] in equations:
                found.pop(target, None)
                found[target] = (here, arrived[target])
    return found
