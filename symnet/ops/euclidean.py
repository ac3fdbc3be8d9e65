"""The Euclidean norm and the direction of a vector: operations of their own because of what they mean at 0.

√(Σ x²) has no derivative where x is 0, and the chain rule through the root gives 0·inf there. Every vector of length
up to 1 is a subgradient; 0 is taken, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.expr.work import elements, per_operand
from symnet.ops.coerce import Axes, axes_of
from symnet.ops.composite import floating, infer_reduction, reduction_samples
from symnet.ops.leaves import Operand, input
from symnet.ops.reduce import restore, sum
from symnet.ops.scalar import cast, equal, sqrt, square, where

__all__: list[str] = []


def euclidean_norm(x: Operand, axis: Axes = None, keepdims: bool = False) -> Expr:
    """‖x‖ = √(Σ x²) over `axis` (None: all). Where it is 0 its derivative is 0."""
    node = floating("norm", x)
    return make(NORM, (node,), {"axes": axes_of("norm", axis, node.ndim), "keepdims": bool(keepdims)})


def unit(x: Operand, axis: Axes = None) -> Expr:
    """x / ‖x‖ over `axis` (None: all), and 0 where x is 0."""
    node = floating("unit", x)
    return make(UNIT, (node,), {"axes": axes_of("unit", axis, node.ndim)})


def _define_norm(node: Expr) -> Expr:
    """In float64, where the square of no float32 number over- or underflows; it takes no longer."""
    total = sum(square(cast(node.args[0], "float64")), node.attrs["axes"], node.attrs["keepdims"])
    return cast(sqrt(total), node.dtype)


def _pull_norm(node: Expr, g: Expr) -> list[Expr | None]:
    (x,), axes = node.args, node.attrs["axes"]
    return [restore(g, axes, node.attrs["keepdims"], x.shape) * unit(x, axes)]


def _lengths(node: Expr) -> tuple[Expr, Expr]:
    """Where the norm of the operand is 0, and the norm, 1 there."""
    length = euclidean_norm(node.args[0], node.attrs["axes"], keepdims=True)
    zero = equal(length, 0)
    return zero, where(zero, 1, length)


def _define_unit(node: Expr) -> Expr:
    _, length = _lengths(node)
    return node.args[0] / length


def _pull_unit(node: Expr, g: Expr) -> list[Expr | None]:
    """(g - u (u·g)) / ‖x‖, the part of g across the direction u; 0 where x is 0."""
    zero, length = _lengths(node)
    across = g - node * sum(node * g, node.attrs["axes"], keepdims=True)
    return [where(zero, 0, across / length)]


NORM = register(
    Op(
        name="norm",
        kind="composite",
        infer=infer_reduction,
        define=_define_norm,
        pullback=_pull_norm,
        samples=reduction_samples(euclidean_norm),
        cost=lambda node: 2.0 + 2.0 * elements(node.args[0].shape), finite=True, sign="nonnegative",
        reason="∂‖x‖/∂x = x/‖x‖, and 0 where x is 0, a subgradient",
        doc="The square root of the sum of squares over axes.",
    )
)


def _infer_unit(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    _, dtype = infer_reduction(args, {**attrs, "keepdims": True})
    return args[0].shape, dtype


def _unit_samples(rng: np.random.Generator) -> list[Expr]:
    x = input("x", (3, 4, 5), "float64")
    return [unit(x, 1), unit(x, (0, 2)), unit(x), unit(input("y", ("N", 3)), 1)]


UNIT = register(
    Op(
        name="unit",
        kind="composite",
        infer=_infer_unit,
        define=_define_unit,
        pullback=_pull_unit,
        samples=_unit_samples,
        cost=per_operand(4.0), finite=True,
        reason="∂(x/‖x‖)/∂x keeps the part across x, divided by ‖x‖",
        doc="The operand divided by its Euclidean norm over axes, 0 where it is 0.",
    )
)
