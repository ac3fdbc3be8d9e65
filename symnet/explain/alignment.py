"""How the axes of operands meet in a formula, where axes of size 1 and broadcasting are not written.

Operands of equal sizes meet element by element. Else they are broadcast as in NumPy, the last axes together; a sum over
an axis (a mean, a norm) leaves an axis of size 1 in its place, so x − meanⱼ(x) is meant as everybody reads it. Where
that does not fit, the operand with the most axes has the axes of all others in their order, in one way only: x ⊙ c with
x of N×3 and c of N.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from symnet.errors import ShapeError
from symnet.expr import dims
from symnet.expr.dims import Shape


def visible(shape: Shape) -> tuple[int, ...]:
    """The axes that are written: those of another size than 1."""
    return tuple(axis for axis, dim in enumerate(shape) if dim != 1)


def squeezed(shape: Shape) -> Shape:
    """The sizes of the axes that are written."""
    return tuple(dim for dim in shape if dim != 1)


def align(shapes: Sequence[Shape], repeated: bool = False) -> tuple[Shape, list[Shape]]:
    """The shape in which all operands meet, and each operand's shape with axes of size 1 where it has none.

    `repeated` says that axes of size 1 are meant as such: u 𝟏ᵀ + v. `ShapeError` where there is not one way only.
    """
    arrays = [shape for shape in shapes if squeezed(shape)]
    if not repeated and len({squeezed(shape) for shape in arrays}) <= 1:
        frame = max(arrays, key=len, default=())
        return frame, [frame if squeezed(shape) else (1,) * len(frame) for shape in shapes]
    try:
        frame = dims.broadcast(*shapes)
        return frame, [(1,) * (len(frame) - len(shape)) + shape for shape in shapes]
    except ShapeError:
        frame = max(arrays, key=lambda shape: len(squeezed(shape)))
        return frame, [embedded(shape, frame) for shape in shapes]


def embedded(shape: Shape, frame: Shape) -> Shape:
    """`shape` with axes of size 1 between its own, so that it broadcasts to `frame`; only if there is one way."""
    sizes, places = squeezed(shape), visible(frame)
    found = [
        chosen
        for chosen in combinations(places, len(sizes))
        if all(frame[axis] == size for axis, size in zip(chosen, sizes, strict=True))
    ]
    if len(found) != 1:
        raise ShapeError(f"{dims.show(shape)} meets {dims.show(frame)} in {len(found) or 'no'} ways")
    return tuple(dim if axis in found[0] else 1 for axis, dim in enumerate(frame))
