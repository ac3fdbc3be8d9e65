"""The steps of a derivation as they are shown: named values by their names, everything else a few operations deep."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from symnet.derive.reverse import ChainStep
from symnet.explain import latex, text
from symnet.explain.naming import Forms
from symnet.explain.notation import Cut, Form, Partial, Relation, Symbol, Words
from symnet.explain.operations import form_of
from symnet.expr.node import Expr
from symnet.expr.trace import Step

_DEPTH = 6


@dataclass(frozen=True, eq=False)
class StepView:
    """One step: `left sign right`, for the chain rule with the forward operation it went `through`."""

    step: Step
    left: Form
    sign: str
    right: Form
    through: Form | None = None

    @property
    def rule(self) -> str:
        return self.step.rule

    @property
    def reason(self) -> str:
        assumption = f" (assuming {self.step.assumption})" if self.step.assumption else ""
        return f"{self.step.reason}{assumption}"

    def __str__(self) -> str:
        through = f"   from {text.write(self.through)}" if self.through is not None else ""
        return f"{text.write(self.left)} {self.sign} {text.write(self.right)}{through}"

    def latex(self) -> str:
        sign = {"→": r"\to", "+=": r"\mathrel{+}=", "=": "="}[self.sign]
        through = rf" \quad\text{{from}}\quad {latex.write(self.through)}" if self.through is not None else ""
        return f"{latex.write(self.left)} {sign} {latex.write(self.right)}{through}"


@dataclass(frozen=True, eq=False)
class Context:
    """What the steps of a derivation are shown with.

    known      the forms that stand for values, and the loops among these, opened
    cotangents what the derivative of the loss by a forward value is called, where it has a name
    loss       the symbol of the loss
    equations  what the names of values in formulas are equal to
    """

    known: Forms
    cotangents: dict[Expr, Form]
    loss: Symbol
    equations: Mapping[Form, Form]

    def cotangent(self, node: Expr, form: Form) -> Form:
        """The derivative of the loss by `node`, which is written `form`."""
        return self.cotangents.get(node, Partial(self.loss, form))


def views(steps: Sequence[Step], context: Context, inside: Mapping[int, Mapping[Expr, Form]]) -> list[StepView]:
    """How the steps are shown; some change nothing that is written (axes of size 1, broadcasting).

    inside  for steps in the bodies of loops (by their id), the forms of the parameters of these
    """
    parts = Counter(step.target for step in steps if isinstance(step, ChainStep))
    return [
        _chain(step, context, parts[step.target] > 1)
        if isinstance(step, ChainStep)
        else _rewrite(step, context, inside.get(id(step), {}))
        for step in steps
    ]


def _chain(step: ChainStep, context: Context, several: bool) -> StepView:
    """∂L/∂operand = contribution (+= where the operand is used by several operations), from the operation."""
    known: MutableMapping[Expr, Form] = context.known
    operand = step.target
    left = context.cotangent(operand, _bounded(operand, context.known, _DEPTH))
    if step.before.op == "scan":
        return _through_loop(step, context, left, several)
    operation = _opened(step.before, known)
    through = Relation("==", known[step.before], operation) if step.before in known else operation
    if isinstance(step.cotangent, Expr) and step.cotangent.args and step.cotangent not in known:
        own = context.cotangent(step.before, known.get(step.before, operation))
        known = ChainMap({step.cotangent: own}, known)
    right = known.get(step.after)
    if right is None or right == left:
        right = _opened(step.after, _without(known, left, step.after))
    return StepView(step, left, "+=" if several else "=", right, through)


def _through_loop(step: ChainStep, context: Context, left: Form, several: bool) -> StepView:
    """∂L/∂operand of a loop: its formula, which is made of what the loop backward computes at each step."""
    whole = None if several else context.equations.get(left)
    right = Words("what the loop backward gives it") if whole is None else whole
    through = Words(f"the loop over {step.before.attrs['length']} steps")
    return StepView(step, left, "+=" if several else "=", right, through)


def _without(known: MutableMapping[Expr, Form], form: Form, node: Expr) -> Mapping[Expr, Form]:
    """The names without `form` for the operands of `node`: they are about to be multiplied up to what it names."""
    hidden = [arg for arg in node.args if arg.args and known.get(arg) == form]
    return {other: name for other, name in known.items() if name != form} if hidden else known


def _rewrite(step: Step, context: Context, inside: Mapping[Expr, Form]) -> StepView:
    known = ChainMap({**inside}, context.known) if inside else context.known
    before = step.before.args[1] if step.before.op == "usually" else step.before  # its exact form
    return StepView(step, _opened(before, known), "→", _opened(step.after, known))


def _bounded(node: Expr, known: Mapping[Expr, Form], depth: int) -> Form:
    """The form of `node` down to the values of `known` (and leaves), broken off with … below `depth` operations."""
    if node in known:
        return known[node]
    if node.args and depth == 0:
        return Cut()
    return form_of(node, [_bounded(arg, known, depth - 1) for arg in node.args])


def _opened(node: Expr, known: Mapping[Expr, Form]) -> Form:
    """The operation at `node` itself, even where the value has a name; leaves by their names."""
    if not node.args:
        return _bounded(node, known, _DEPTH)
    return form_of(node, [_bounded(arg, known, _DEPTH - 1) for arg in node.args])
