"""Jacobians, whole: one pullback for a symbolic cotangent, then the same for every cotangent of a basis at once.

Cost: the backward pass is computed with extra leading axes, those of the output, so time and memory are those of as
many backward passes as the output has elements (but one program, whatever the size, and named dimensions are allowed).
Products with a Jacobian (`vjp`, `jvp`, `hvp`) cost one pass; take them where a product is what is needed in the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet.derive.batch import batch
from symnet.derive.build import apply, full, placeholder
from symnet.derive.reverse import pullback
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.expr.trace import Trace
from symnet.expr.traverse import substitute


def jacobian_of(output: Expr, wrt: Sequence[Expr], trace: Trace | None = None) -> list[Expr]:
    """∂output/∂w for each w of `wrt`, of shape `output.shape + w.shape`."""
    if not output.shape:
        return pullback([output], [full(1.0, (), output.dtype)], wrt, trace)
    cotangent = placeholder(output.shape, output.dtype)
    rows = pullback([output], [cotangent], wrt, trace)
    for size in reversed(output.shape):
        wider = placeholder((size, *cotangent.shape), output.dtype)
        rows = batch(rows, {cotangent: wider}, size)
        cotangent = wider
    return substitute(rows, {cotangent: _basis(output)})


def _basis(output: Expr) -> Expr:
    """The unit cotangents of `output`: element [i, j, …, k, l, …] is 1 where (i, j, …) = (k, l, …), else 0.

    For a vector that is the identity, for a matrix the Jᵢⱼ, which have a single entry.
    """
    rank = len(output.shape)
    positions = [apply("iota", size=size) for size in output.shape]
    if rank == 1:
        return apply("one_hot", *positions, classes=output.shape[0], dtype=output.dtype)
    if rank == 2:
        return apply("single_entries", *positions, dtype=output.dtype)
    same = [
        apply("equal", _positions(size, axis, 2 * rank), _positions(size, axis + rank, 2 * rank))
        for axis, size in enumerate(output.shape)
    ]
    everywhere = same[0]
    for condition in same[1:]:
        everywhere = apply("logical_and", everywhere, condition)
    return apply("cast", everywhere, dtype=output.dtype)


def _positions(size: Dim, axis: int, rank: int) -> Expr:
    """The positions along one of `rank` axes, to broadcast along the others."""
    return apply("reshape", apply("iota", size=size), shape=tuple(size if a == axis else 1 for a in range(rank)))
