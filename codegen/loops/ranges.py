"""What is evident about the range of dimensions and affine forms; False always means "not evident"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codegen.loops.grammar import Affine, Index
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


def extreme(form: Affine, extents: Mapping[str, Dim]) -> tuple[Dim, Dim]:
    """The least and the greatest value of an affine form while its axes run over their extents; others count as 0."""
    low = high = form.offset
    for axis, coefficient in form.terms:
        if axis in extents:
            reach = dims.mul(dims.sub(extents[axis], 1), coefficient)
            low, high = (low, dims.add(high, reach)) if coefficient > 0 else (dims.add(low, reach), high)
    return low, high


def inside(form: Affine, extents: Mapping[str, Dim], size: Dim) -> bool:
    """Whether an affine form lies in [0, size) while its axes run over their extents."""
    if not all(axis in extents for axis, _ in form.terms):
        return False
    low, high = extreme(form, extents)
    return never_negative(low) and never_negative(dims.sub(dims.sub(size, 1), high))


Places = tuple[Sequence[Index], Mapping[str, Dim]]
"""The index of an access, and the extents of the axes of its kernel (those of loops around the kernel left out)."""


def apart(one: Places, two: Places) -> bool:
    """Whether two accesses never meet: along some axis of the buffer their ranges have nothing in common.

    Axes that are in neither map belong to loops around both kernels and have the same value for both.
    """
    for a, b in zip(one[0], two[0], strict=True):
        if not isinstance(a, Affine) or not isinstance(b, Affine):
            continue
        if [t for t in a.terms if t[0] not in one[1]] != [t for t in b.terms if t[0] not in two[1]]:
            continue
        (low_a, high_a), (low_b, high_b) = extreme(a, one[1]), extreme(b, two[1])
        if any(never_negative(dims.sub(dims.sub(far, near), 1)) for near, far in ((high_a, low_b), (high_b, low_a))):
            return True
    return False
