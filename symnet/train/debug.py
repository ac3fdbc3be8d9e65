"""Where a NaN or an infinity came from: the step is computed again in the reference interpreter, value by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import NotFinite
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.traverse import leaves
from symnet.ops.interpret import infer_sizes, run
from symnet.runtime.arrays import Array

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["BadStep"]

SHOWN = 4


@dataclass(frozen=True)
class BadStep:
    """What `NotFinite.report` tells of a step that made something not finite.

    epoch, batch  where it happened: the number of the epoch, and which batch of it
    values        what is not finite: "the loss", "the gradient of W", "the new value of W"
    expression    the first value that is not finite while its operands are; None where the reference computation of
                  the step stays finite
    place, found  an element of it that is not finite, and what it is there
    operands      the operands at that place, where they have one; else their largest magnitude
    inputs        the inputs of the batch
    """

    epoch: int
    batch: str
    values: tuple[str, ...]
    expression: Expr | None
    place: tuple[int, ...] = ()
    found: float = float("nan")
    operands: tuple[tuple[Expr, str], ...] = ()
    inputs: Mapping[str, Array] = field(default_factory=dict, repr=False)


def not_finite(program: Program, inputs: Mapping[str, Array], batch: str) -> NotFinite:
    """The error for a step on these inputs that is known to make something not finite; changes nothing."""
    raise NotImplementedError
