"""What was given to `compile`, before anything is derived from it: enough to find what was made of it before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from symnet.errors import UsageError
from symnet.expr import dtypes
from symnet.expr.node import Expr, make
from symnet.expr.traverse import substitute
from symnet.ops.leaves import INPUT, definition_number
from symnet.program.names import leaves_by_name

if TYPE_CHECKING:
    from symnet.optim import Optimizer

Pair = tuple[Expr, Expr]


class Definition:
    """A loss, outputs, and the step of an optimizer, as expressions.

    trainable  name -> parameter
    trained    the parameters that the optimizer is given: those through which the loss can change
    stand_ins  for each of them an input of its shape and type, in the place of the gradient
    written    (parameter or state, new value) as the optimizer writes them, with the stand-ins
    hyper      name -> value of the hyperparameters that occur there
    """

    def __init__(
        self,
        loss: Expr,
        outputs: Mapping[str, Expr],
        optimizer: Optimizer,
        capacity: Mapping[str, int],
        accuracy: str,
        precision: str = "float32",
    ) -> None:
        self.loss, self.outputs, self.optimizer = loss, dict(outputs), optimizer
        self.capacity, self.accuracy, self.precision = dict(capacity), accuracy, precision
        parameters = leaves_by_name(self.values, "parameter")
        leaves_by_name(self.values, "input", "parameter", "state")  # names are unique across kinds
        self.trainable = {name: node for name, node in parameters.items() if node.attrs["trainable"]}
        reached = _reached(loss)
        self.trained = [node for node in self.trainable.values() if node in reached]
        if not self.trained:
            raise UsageError("compile: the loss depends on no trainable parameter, so there is nothing to train")
        self.stand_ins = [_stand_in(node) for node in self.trained]
        self.written, _ = optimizer.build(self.trained, self.stand_ins)
        self.hyper = optimizer.hyper_in([loss, *(value for _, value in self.written)])

    @property
    def values(self) -> list[Expr]:
        """The loss and the outputs."""
        return [self.loss, *self.outputs.values()]

    def updates(self, gradients: Sequence[Expr]) -> tuple[Pair, ...]:
        """What the optimizer writes, for these gradients of `trained`."""
        new = substitute((value for _, value in self.written), dict(zip(self.stand_ins, gradients, strict=True)))
        return tuple(zip((node for node, _ in self.written), new, strict=True))

    @property
    def roots(self) -> list[Expr]:
        """Everything that was given or written."""
        return [*self.values, *(node for pair in self.written for node in pair)]

    @cached_property
    def leaves(self) -> Mapping[str, Expr]:
        """Parameters and state by name."""
        return leaves_by_name(self.roots, "parameter", "state")

    def in_order(self, inputs: Iterable[str]) -> tuple[str, ...]:
        """These inputs in the order in which the user defined them."""
        known = leaves_by_name(self.roots, "input")
        return tuple(sorted(inputs, key=lambda name: definition_number(known[name])))

    @cached_property
    def key(self) -> str | None:
        """Equal for definitions of the same programs; None where nothing tells (`codegen.definition_key`)."""
        import codegen

        about = (list(self.outputs), sorted(self.capacity.items()), self.accuracy, self.precision, list(self.hyper))
        return codegen.definition_key([*self.roots, *self.stand_ins], *about)


@dataclass(frozen=True)
class Facts:
    """What it takes to run a program, beside its code; plain JSON data, kept in the cache.

    inputs   names of the inputs of a step
    leaves   names of the parameters and the state in all entries
    hyper    names of the hyperparameters on which the update depends
    outputs  name -> [names of the inputs it depends on, whether it is a probability]
    """

    inputs: list[str]
    leaves: list[str]
    hyper: list[str]
    outputs: dict[str, tuple[list[str], bool]]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Facts:
        return cls(**data)


def _stand_in(parameter: Expr) -> Expr:
    name = f"gradient of {parameter.name}"
    return make(INPUT, (), {"name": name, "shape": parameter.shape, "dtype": parameter.dtype, "stands_in": True})


def _reached(loss: Expr) -> set[Expr]:
    """The nodes through which a derivative can come: what lies behind `stop_gradient` or an integer is not trained."""
    seen: set[Expr] = set()
    pending: list[Expr] = [loss]
    while pending:
        node = pending.pop()
        if node not in seen and node.op != "stop_gradient" and node.dtype in (*dtypes.FLOATS, "tuple"):
            seen.add(node)
            pending.extend(node.args)
    return seen
