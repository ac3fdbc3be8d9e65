"""Lowering of windows and of its transpose, overlap_add."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codegen.loops.ranges import inside
from codegen.loops.rewrite import add, affine, axis_index, scale, shift
from codegen.lower.context import Lowering, Value
from codegen.lower.contract import gathered
from codegen.lower.scalar import number
from codegen.lower.solve import Spec
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.ops.window import frame_of


def windows(lowering: Lowering, node: Expr) -> Value:
    """out[…, p…, k…] = x[…, stride·p + dilation·k + start…], or the fill outside; inlined it is a mere access."""
    (x,), frame = node.args, frame_of(node.attrs)
    lead = x.ndim - frame.rank
    fill = number(node.attrs["fill"], node.dtype)
    axes, index = lowering.grid(node.shape)
    positions, offsets = index[lead : lead + frame.rank], index[lead + frame.rank :]
    arrives = (
        shift(add(scale(p, stride), scale(k, dilation)), start)
        for p, k, stride, dilation, start in zip(
            positions, offsets, frame.stride, frame.dilation, frame.start, strict=True
        )
    )
    place = (*index[:lead], *arrives)
    extents = {axis.name: axis.extent for axis in axes}
    safe = all(inside(form, extents, dim) for form, dim in zip(place, x.shape, strict=True))
    value = lowering.read(x, place) if safe else lowering.read_guarded(x, place, fill)
    target = lowering.target(node)
    lowering.kernel(target.buffer, axes, [lowering.store(target, index, value)], node.op)
    return target


def overlap_add(lowering: Lowering, node: Expr) -> Value:
    """out[…, stride·p + dilation·k + start…] is the sum of all g[…, p…, k…] that arrive there."""
    (g,), frame = node.args, frame_of(node.attrs)
    lead = node.ndim - frame.rank
    outer = [f"l{axis}" for axis in range(lead)]
    windows, offsets = [[f"{kind}{axis}" for axis in range(frame.rank)] for kind in "pk"]
    arrives = tuple(
        affine(((p, stride), (k, dilation)), start)
        for p, k, stride, dilation, start in zip(
            windows, offsets, frame.stride, frame.dilation, frame.start, strict=True
        )
    )
    letters = tuple(map(axis_index, (*outer, *windows, *offsets)))
    sizes: dict[str, Dim] = dict(zip((*outer, *windows, *offsets), g.shape, strict=True))
    spec = Spec((letters,), (*letters[:lead], *arrives), sizes)
    return gathered(lowering, node, spec, node.op)


TABLE: Mapping[str, Callable[[Lowering, Expr], Value]] = {"windows": windows, "overlap_add": overlap_add}
