"""What is evident about the range of dimensions and affine forms; False always means "not evident"."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.loops.grammar import Affine
from symnet.expr import dims
from symnet.expr.dims import Dim


def never_negative(dim: Dim) -> bool:
    """Whether a dimension is at least 0 whenever its names are at least 1."""
    if isinstance(dim, int):
        return dim >= 0
    moved: Dim = 0
    for names, coefficient in dims.terms(dim):
        moved = dims.add(moved, dims.mul(dims.product(dims.add(name, 1) for name in names), coefficient))
    return all(coefficient >= 0 for _, coefficient in dims.terms(moved))


def inside(form: Affine, extents: Mapping[str, Dim], size: Dim) -> bool:
    """Whether an affine form lies in [0, size) while its axes run over their extents."""
    low = high = form.offset
    for axis, coefficient in form.terms:
        if axis not in extents:
            return False
        reach = dims.mul(dims.sub(extents[axis], 1), coefficient)
        low, high = (low, dims.add(high, reach)) if coefficient > 0 else (dims.add(low, reach), high)
    return never_negative(low) and never_negative(dims.sub(dims.sub(size, 1), high))
