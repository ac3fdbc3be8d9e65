"""Values as formulas have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symnet.expr.dims import Shape


@dataclass(frozen=True)
class Array:
    """A value with its shape in sizes and named dimensions; axes over which it was summed are there with size 1.

    row      marks the transpose of a vector
    repeated marks a matrix of equal columns or rows, of which one is held: u 𝟏ᵀ
    """

    value: np.ndarray
    shape: Shape
    row: bool = False
    repeated: bool = False


@dataclass(frozen=True)
class Lazy:
    """A value whose size is not written: positions along an axis, one-hot vectors. It follows from what it meets."""

    what: str
    resolve: Callable[[Shape], Array]


Operand = Array | Lazy
