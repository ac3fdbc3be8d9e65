"""What is evident about the range of dimensions and affine forms; False always means "not evident"."""

from __future__ import annotations

import math
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


def injective(index: Sequence[Index], extents: Mapping[str, Dim]) -> bool:
    """Whether an index evidently differs at all positions of its axes: [2·i + j] for j < 2, [i - j, j], not [i + j]."""
    forms = [part for part in index if isinstance(part, Affine)]
    known: set[str] = set()
    while waiting := [form for form in forms if not known.issuperset(axis for axis, _ in form.terms)]:
        solved = [form for form in waiting if _graded([term for term in form.terms if term[0] not in known], extents)]
        if not solved:
            return False
        known.update(axis for form in solved for axis, _ in form.terms)
    return len(forms) == len(index)


def _graded(terms: Sequence[tuple[str, int]], extents: Mapping[str, Dim]) -> bool:
    """Whether each term steps beyond all that the smaller ones can reach, as the digits of a number do."""
    reach: Dim = 0
    for axis, coefficient in sorted(terms, key=lambda term: abs(term[1])):
        if not never_negative(dims.sub(abs(coefficient) - 1, reach)):
            return False
        reach = dims.add(reach, dims.mul(dims.sub(extents.get(axis, 1), 1), abs(coefficient)))
    return True


Places = tuple[Sequence[Index], Mapping[str, Dim]]
"""The index of an access, and the extents of the axes of its kernel (those of loops around the kernel left out)."""


def apart(one: Places, two: Places) -> bool:
    """Whether two accesses never meet: along some axis of the buffer they have nothing in common.

    Axes that are in neither map belong to loops around both kernels and have the same value for both.
    """
    for a, b in zip(one[0], two[0], strict=True):
        if not isinstance(a, Affine) or not isinstance(b, Affine):
            continue
        if [t for t in a.terms if t[0] not in one[1]] != [t for t in b.terms if t[0] not in two[1]]:
            continue
        if _interleaved(a, b):
            return True
        (low_a, high_a), (low_b, high_b) = extreme(a, one[1]), extreme(b, two[1])
        if any(never_negative(dims.sub(dims.sub(far, near), 1)) for near, far in ((high_a, low_b), (high_b, low_a))):
            return True
    return False


def _interleaved(a: Affine, b: Affine) -> bool:
    """Whether two forms never have the same value because they leave different remainders, as 2·i and 2·j + 1."""
    distance = dims.sub(a.offset, b.offset)
    step = math.gcd(*(coefficient for _, coefficient in (*a.terms, *b.terms)))
    return isinstance(distance, int) and step > 1 and distance % step != 0
