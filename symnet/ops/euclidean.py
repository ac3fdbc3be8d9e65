"""The Euclidean norm and the direction of a vector: operations of their own because of what they mean at 0.

√(Σ x²) has no derivative where x is 0, and the chain rule through the root gives 0·inf there. Every vector of length
up to 1 is a subgradient; 0 is taken, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import ShapeError
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.expr.work import elements, per_operand
from symnet.ops.coerce import Axes, axes_of, show
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


def _lengths(x: Expr, axes: tuple[int, ...]) -> tuple[Expr, Expr]:
    """Where the norm over `axes` is 0, and the norm, 1 there."""
    length = euclidean_norm(x, axes, keepdims=True)
    zero = equal(length, 0)
    return zero, where(zero, 1, length)


def _define_unit(node: Expr) -> Expr:
    _, length = _lengths(node.args[0], node.attrs["axes"])
    return node.args[0] / length


def _define_per_length(node: Expr) -> Expr:
    g, x = node.args
    zero, length = _lengths(x, node.attrs["axes"])
    return where(zero, 0, g / length)


def _infer_per_length(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    _, dtype = infer_reduction(args[1:], {**attrs, "keepdims": True})
    g, x = args
    if g.dtype != dtype or g.shape[g.ndim - x.ndim :] != x.shape:
        raise ShapeError(f"got {show(g)} and {show(x)}, expected the same type and the same last axes")
    return g.shape, dtype


def _per_length_samples(rng: np.random.Generator) -> list[Expr]:
    g, x = input("g", (3, 4), "float64"), input("x", (3, 4), "float64")
    more = input("h", ("N", 3, 4), "float64")
    return [make(PER_LENGTH, (top, x), {"axes": axes}) for top, axes in ((g, (0, 1)), (g, (1,)), (more, (0,)))]


def _pull_unit(node: Expr, g: Expr) -> list[Expr | None]:
    """(g - u (u·g)) / ‖x‖, the part of g across the direction u; 0 where x is 0."""
    across = g - node * sum(node * g, node.attrs["axes"], keepdims=True)
    return [make(PER_LENGTH, (across, node.args[0]), node.attrs)]


NORM = register(
    Op(
        name="norm",
        kind="composite",
        infer=infer_reduction,
        define=_define_norm,
        pullback=_pull_norm,
        samples=reduction_samples(euclidean_norm),
        cost=lambda node: 2.0 + 2.0 * elements(node.args[0].shape),
        finite=True,
        sign="nonnegative",
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
        cost=per_operand(4.0),
        finite=True,
        reason="∂(x/‖x‖)/∂x keeps the part across x, divided by ‖x‖",
        doc="The operand divided by its Euclidean norm over axes, 0 where it is 0.",
    )
)
PER_LENGTH = register(
    Op(
        name="per_length",
        kind="composite",
        infer=_infer_per_length,
        define=_define_per_length,
        samples=_per_length_samples,
        cost=1.5,
        finite=True,
        doc="The first operand divided by the norm of the second over axes, 0 where that is 0.",
    )
)
