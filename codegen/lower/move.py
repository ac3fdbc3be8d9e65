"""Lowering of what only moves elements: reshape, transpose, broadcast, slice, place, concat.

A reshape is another view of the same bytes. The others are written as kernels that copy; the inliner makes most of
them vanish into the kernels that read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from codegen.loops.grammar import Affine, Scalar
from codegen.loops.rewrite import add, axis_index, scale, shift
from codegen.lower.context import ZERO, Inline, Lowering, Place, Value, moved, slot, slots
from codegen.lower.scalar import number
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr


def stop_gradient(lowering: Lowering, node: Expr) -> Value:
    return lowering.value(node.args[0])


def reshape(lowering: Lowering, node: Expr) -> Value:
    (x,) = node.args
    source = lowering.value(x)
    if [dim for dim in x.shape if dim != 1] == [dim for dim in node.shape if dim != 1]:
        return _drop_ones(source, x.shape, node.shape)
    place = lowering.place(x)
    prefix = _dense_prefix(lowering, place, x.shape)
    if prefix is None:
        name = lowering.buffer(lowering.names.fresh(f"{place.buffer}_copy"), node.dtype, x.shape)
        place, prefix = Place(name, slots(x.ndim)), 0
        lowering.copy(x, place)
    root = lowering.buffers[place.buffer]
    name = lowering.names.fresh(node.name or f"{root.view_of or root.name}_view")
    lowering.buffer(name, node.dtype, (*root.shape[:prefix], *node.shape), root.role, root.view_of or root.name)
    return Place(name, (*place.index[:prefix], *slots(node.ndim)))


def _drop_ones(source: Value, old: Shape, new: Shape) -> Value:
    """The same elements in the same order under a shape that differs only by axes of size 1."""
    kept = [axis for axis, dim in enumerate(new) if dim != 1]
    positions = iter(kept)
    take = [None if dim == 1 else next(positions) for dim in old]
    if isinstance(source, Place):
        return moved(source, [ZERO if axis is None else axis_index(slot(axis)) for axis in take])
    return Inline(lambda index: source.at(tuple(ZERO if axis is None else index[axis] for axis in take)))


def _dense_prefix(lowering: Lowering, place: Place, shape: Shape) -> int | None:
    """How many leading axes of the buffer are fixed, when the node is all of the rest in order; else None."""
    buffer = lowering.buffers[place.buffer]
    prefix = 0
    while prefix < len(place.index) and not any(axis.startswith("#") for axis, _ in place.index[prefix].terms):
        prefix += 1
    wanted = [(axis_index(slot(axis)), dim) for axis, dim in enumerate(shape) if dim != 1]
    found = [
        (form, dim)
        for form, dim in zip(place.index[prefix:], buffer.shape[prefix:], strict=True)
        if not (dim == 1 and form in (ZERO, *slots(len(shape))))
    ]
    return prefix if found == wanted else None


def transpose(lowering: Lowering, node: Expr) -> Value:
    """out[i0, i1, …] = x[…] with axis k of the result being axis axes[k] of x."""
    (x,) = node.args
    axes: Sequence[int] = node.attrs["axes"]

    def element(index: tuple[Affine, ...]) -> Scalar:
        place = [ZERO] * x.ndim
        for position, axis in enumerate(axes):
            place[axis] = index[position]
        return lowering.read(x, place)

    return lowering.map(node, element)


def broadcast_to(lowering: Lowering, node: Expr) -> Value:
    (x,) = node.args
    return lowering.map(node, lambda index: lowering.broadcast(x, index))


def slice_(lowering: Lowering, node: Expr) -> Value:
    """out[i] = x[start + step * i]."""
    (x,) = node.args
    start, step = node.attrs["start"], node.attrs["step"]

    def element(index: tuple[Affine, ...]) -> Scalar:
        return lowering.read(x, [shift(scale(i, k), s) for i, k, s in zip(index, step, start, strict=True)])

    return lowering.map(node, element)


def place(lowering: Lowering, node: Expr) -> Value:
    """out full of `fill`, with x[i] at start + step * i."""
    (x,) = node.args
    start: Sequence[Dim] = node.attrs["start"]
    step: Sequence[int] = node.attrs["step"]
    fill = number(node.attrs["fill"], node.dtype)
    if all(abs(k) == 1 or dim == 1 for k, dim in zip(step, x.shape, strict=True)):

        def element(index: tuple[Affine, ...]) -> Scalar:
            back = [
                scale(shift(i, dims.mul(s, -1)), -1 if k == -1 else 1)
                for i, k, s in zip(index, step, start, strict=True)
            ]
            return lowering.read_guarded(x, back, fill)

        return lowering.map(node, element)
    target = lowering.target(node)
    lowering.fill(target, node.shape, fill)
    axes, index = lowering.grid(x.shape)
    out = [shift(scale(i, k), s) for i, k, s in zip(index, step, start, strict=True)]
    lowering.kernel(target.buffer, axes, [lowering.store(target, out, lowering.read(x, index))], node.op)
    return target


def concat(lowering: Lowering, node: Expr) -> Value:
    """The operands one after the other along an axis, a kernel for each."""
    axis = node.attrs["axis"]
    target = lowering.target(node)
    offset: Dim = 0
    for part in node.args:
        axes, index = lowering.grid(part.shape)
        out = [add(i, Affine((), offset)) if a == axis else i for a, i in enumerate(index)]
        lowering.kernel(target.buffer, axes, [lowering.store(target, out, lowering.read(part, index))], node.op)
        offset = dims.add(offset, part.shape[axis])
    return target


TABLE: Mapping[str, Callable[[Lowering, Expr], Value]] = {
    "stop_gradient": stop_gradient,
    "reshape": reshape,
    "transpose": transpose,
    "broadcast_to": broadcast_to,
    "slice": slice_,
    "place": place,
    "concat": concat,
}
