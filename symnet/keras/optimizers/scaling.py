"""Loss scaling that finds its own factor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, ClassVar

from symnet import ops
from symnet.errors import UsageError
from symnet.expr.node import Expr
from symnet.keras.optimizers.base import KerasOptimizer
from symnet.optim.base import Limits, Optimizer, Pair
from symnet.optim.transform import Transform

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["LossScaleOptimizer"]


class LossScaleOptimizer(Transform):
    """Leaves out steps whose scaled gradients are not finite, and adapts the scale.

    The gradients are multiplied by the scale, as those of a scaled loss. If all are finite, they are divided by it
    again and the inner optimizer makes its step; after `dynamic_growth_steps` such steps the scale is doubled. If not,
    nothing is updated, and the scale is halved. It is kept in `prog.buffers["dynamic_scale"]`.

    Both numbers are built into the program.
    """

    limits: ClassVar[Limits] = {"initial_scale": "(0, ∞)", "dynamic_growth_steps": "[1, ∞)"}
    fixed: ClassVar[frozenset[str]] = frozenset(("initial_scale", "dynamic_growth_steps"))
    initial_scale: float
    dynamic_growth_steps: float

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
    ) -> None:
        super().__init__(inner_optimizer, initial_scale=initial_scale, dynamic_growth_steps=dynamic_growth_steps)
        self.name = name or "loss_scale_optimizer"
        if isinstance(inner_optimizer, KerasOptimizer) and inner_optimizer.loss_scale_factor is not None:
            raise UsageError("LossScaleOptimizer: the inner optimizer has a loss_scale_factor; leave that out")

    def updates(self, parameters: Sequence[Expr], gradients: Sequence[Expr]) -> list[Pair]:
        scale = ops.state("dynamic_scale", (), init=f"constant(val={self.initial_scale!r})")
        count = ops.state("step_counter", (), dtype="int64")
        scaled = [g * ops.cast(scale, g.dtype) for g in gradients]
        finite = reduce(ops.logical_and, [ops.all(ops.isfinite(g)) for g in scaled])
        pairs = self.optimizer.updates(parameters, [g / ops.cast(scale, g.dtype) for g in scaled])
        grown = ops.equal(count, int(self.dynamic_growth_steps) - 1)
        return [
            *((node, ops.where(finite, value, node)) for node, value in pairs),
            (scale, scale * ops.where(finite, ops.where(grown, 2.0, 1.0), 0.5)),
            (count, ops.where(ops.logical_and(finite, ops.logical_not(grown)), count + 1, 0)),
        ]

    def finalize_variable_values(self, program: Program) -> None:
        """Give the parameters of a program their averages, if the inner optimizer keeps some."""
        if isinstance(self.optimizer, KerasOptimizer):
            self.optimizer.finalize_variable_values(program)
