"""A condition on sizes that only a run can tell: the program stops with an error unless it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import DTypeError, ShapeError
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, Sizes, register
from symnet.ops.coerce import arity, show
from symnet.ops.leaves import dim, input
from symnet.ops.scalar import greater

__all__: list[str] = []


def _infer_require(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 2)
    if args[1].shape or args[1].dtype != "bool":
        raise DTypeError(f"the condition is {show(args[1])}, expected one bool")
    return args[0].shape, args[0].dtype


def _numpy_require(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    if not arrays[1]:
        raise ShapeError(node.attrs["message"])
    return arrays[0]


def require(x: Expr, condition: Expr, message: str) -> Expr:
    """`x`; a program that uses it stops with a `ShapeError` of this message where the condition does not hold."""
    return make(REQUIRE, (x, condition), {"message": message})


REQUIRE = register(
    Op(
        name="require",
        kind="primitive",
        infer=_infer_require,
        numpy=_numpy_require,
        pullback=lambda node, g: [g, None],
        pushforward=lambda node, tangents: tangents[0],
        samples=lambda rng: [require(input("x", ("N", 3), "float64"), greater(dim("N"), 1), "N is at most 1")],
        doc="The operand, where a condition holds.",
    )
)
