"""What `fit` knows of a program beside its code: inputs, outputs, and steps that report on themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from symnet import ops
from symnet.expr import dtypes
from symnet.expr.node import Expr
from symnet.expr.traverse import leaves

if TYPE_CHECKING:
    from codegen.spec import Entry
    from symnet.program.plan import Plan

NORM = "norm of "
"""What the norm of a gradient is called among the outputs of a step, before the parameter's name."""
FINITE = "finite"
STEPS: Mapping[tuple[bool, bool], str] = {
    (False, False): "step",
    (True, False): "step_with_norms",
    (False, True): "step_checked",
    (True, True): "step_with_norms_checked",
}
"""(with norms of the gradients, with the check for NaN and infinity) -> the entry."""


@dataclass(frozen=True)
class Watched:
    """A training step and the gradients in it, by the names of the parameters.

    `entry` gives the step with more outputs: it computes and stores the same, and is compiled when it is asked for.
    """

    step: Entry
    gradients: Mapping[str, Expr]

    def entry(self, name: str) -> Entry:
        """One of `STEPS`: with the norm of each gradient (float64), and with whether the loss, every gradient and every
        new value are finite (one bool)."""
        from codegen.spec import Entry

        norms, checked = next(parts for parts, entry in STEPS.items() if entry == name)
        outputs = dict(self.step.outputs)
        if norms:
            outputs |= {NORM + name: _norm(gradient) for name, gradient in self.gradients.items()}
        if checked:
            flags = [ops.all(ops.isfinite(value)) for value in self.values().values()]
            outputs[FINITE] = reduce(ops.logical_and, flags)
        return Entry(name, outputs, self.step.updates)

    def values(self) -> dict[str, Expr]:
        """The floats that a step computes, by what they are called: the loss, gradients, new values."""
        stored = {f"the new value of {node.name}": value for node, value in self.step.updates}
        gradients = {f"the gradient of {name}": gradient for name, gradient in self.gradients.items()}
        values = {"the loss": self.step.outputs["loss"], **gradients, **stored}
        return {name: value for name, value in values.items() if dtypes.is_float(value.dtype)}


def _norm(gradient: Expr) -> Expr:
    return ops.sqrt(ops.sum(ops.square(ops.cast(gradient, "float64"))))


@dataclass(frozen=True)
class About:
    """What `fit` and the report know of a program.

    inputs   of a step, in the order in which they were defined
    outputs  name -> what metrics want to know
    made     gives the expressions that were compiled
    plan     makes them, and all that the compiler gets, once more: the same nodes, for those who want to watch
    """

    inputs: tuple[str, ...]
    outputs: Mapping[str, Output]
    made: Callable[[], Plan]
    plan: Callable[[], Plan]

    @property
    def watched(self) -> Watched:
        """The step as expressions."""
        return self.made().watched


@dataclass(frozen=True)
class Output:
    """What metrics want to know of an output.

    inputs         the names of the inputs that it depends on
    probabilities  whether it is a sigmoid or a softmax, possibly in another shape or type
    """

    inputs: frozenset[str]
    probabilities: bool


_SAME_NUMBERS = ("reshape", "transpose", "slice", "cast", "broadcast_to")


def about_output(simplified: Expr) -> Output:
    """What there is to know of a simplified output."""
    node = simplified
    while node.op in _SAME_NUMBERS:
        node = node.args[0]
    inputs = frozenset(str(leaf.name) for leaf in leaves([simplified], "input"))
    return Output(inputs, node.op in ("sigmoid", "softmax"))
