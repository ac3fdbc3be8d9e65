"""Jacobians, whole: one pullback for a symbolic cotangent, then the same for every cotangent of a basis at once.

Cost: the backward pass is computed with an extra leading axis of as many elements as the output has, so time and memory
are those of that many backward passes (but one program, whatever the size, and named dimensions are allowed). Products
with a Jacobian (`vjp`, `jvp`, `hvp`) cost one pass; take them where a product is what is needed in the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet.derive.batch import batch
from symnet.derive.build import apply, full, placeholder
from symnet.derive.reverse import pullback
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.trace import Trace


def jacobian_of(output: Expr, wrt: Sequence[Expr], trace: Trace | None = None) -> list[Expr]:
    """∂output/∂w for each w of `wrt`, of shape `output.shape + w.shape`."""
    if not output.shape:
        return pullback([output], [full(1.0, (), output.dtype)], wrt, trace)
    cotangent = placeholder(output)
    size = dims.product(output.shape)
    rows = batch(pullback([output], [cotangent], wrt, trace), {cotangent: _basis(output)}, size)
    return [apply("reshape", row, shape=(*output.shape, *w.shape)) for row, w in zip(rows, wrt, strict=True)]


def _basis(output: Expr) -> Expr:
    """The unit cotangents of `output`, stacked: element [i, …] is 1 where … is the i-th position in row-major order."""
    size = dims.product(output.shape)
    position = apply("iota", size=size)
    row = apply("reshape", position, shape=(size, 1))
    identity = apply("cast", apply("equal", row, position), dtype=output.dtype)
    return identity if len(output.shape) == 1 else apply("reshape", identity, shape=(size, *output.shape))
