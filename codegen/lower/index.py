"""Lowering of gather and scatter_add: indices that are data. Their range is checked by kernels of their own, as are
conditions on sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from codegen.loops.grammar import Affine, Apply, Check, Index, Position, Scalar
from codegen.loops.ranges import inside
from codegen.loops.rewrite import as_index, integer
from codegen.lower.context import Lowering, Value
from codegen.lower.scalar import cast, number
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder


def gather(lowering: Lowering, node: Expr) -> Value:
    """out[b…, r…] = x with index_k[b…] on axes[k] and r… on the other axes, in order."""
    x, *indices = node.args
    axes: Sequence[int] = node.attrs["axes"]
    shape = dims.broadcast(*(i.shape for i in indices))
    for index, axis in zip(indices, axes, strict=True):
        _check_range(lowering, node, index, axis, x.shape[axis])

    def element(at: tuple[Affine, ...]) -> Scalar:
        return lowering.read(x, _places(lowering, indices, axes, x.ndim, at[: len(shape)], at[len(shape) :]))

    return lowering.map(node, element)


def scatter_add(lowering: Lowering, node: Expr) -> Value:
    """zeros(shape) with updates[b…, r…] added at index_k[b…] on axes[k] and r… on the other axes."""
    updates, *indices = node.args
    axes: Sequence[int] = node.attrs["axes"]
    count = len(dims.broadcast(*(i.shape for i in indices)))
    for index, axis in zip(indices, axes, strict=True):
        _check_range(lowering, node, index, axis, node.shape[axis])
    target = lowering.target(node)
    lowering.fill(target, node.shape, number(0, node.dtype))
    grid, at = lowering.grid(updates.shape)
    places = _places(lowering, indices, axes, node.ndim, at[:count], at[count:])
    store = lowering.store(target, places, lowering.read(updates, at), accumulate=True)
    lowering.kernel(target.buffer, grid, [store], node.op)
    return target


def _places(
    lowering: Lowering,
    indices: Sequence[Expr],
    axes: Sequence[int],
    rank: int,
    batch: tuple[Affine, ...],
    rest: tuple[Affine, ...],
) -> list[Index]:
    """The index into the array of `rank` axes: data on `axes`, `rest` on the others."""
    read = [as_index(cast(lowering.broadcast(i, batch), "int64")) for i in indices]
    chosen, others = dict(zip(axes, read, strict=True)), iter(rest)
    return [chosen[axis] if axis in chosen else next(others) for axis in range(rank)]


def _check_range(lowering: Lowering, node: Expr, index: Expr, axis: int, size: Dim) -> None:
    """A kernel that checks 0 <= index < size, unless that is known."""
    axes, at = lowering.grid(index.shape)
    value = lowering.read(index, at)
    place = as_index(cast(value, "int64"))
    if isinstance(place, Affine) and inside(place, {axis.name: axis.extent for axis in (*axes, *lowering.outer)}, size):
        return
    key = (index, size)
    if key in lowering.checked:
        return
    lowering.checked.add(key)
    wide = cast(value, "int64")
    limit: Scalar = integer(size) if isinstance(size, int) else Position(Affine((), size))
    lower = Apply("greater_equal", (wide, integer(0)), "bool")
    upper = Apply("less", (wide, limit), "bool")
    code = lowering.check(f"{_shown(index, node)}: an index into axis {axis} of size {size} is outside [0, {size})")
    within = Apply("logical_and", (lower, upper), "bool")
    lowering.kernel(f"check_{index.name or 'index'}", axes, [Check(within, code)], "check")


def _shown(index: Expr, node: Expr) -> str:
    """An index for messages: its name, or that of the one input it is computed from."""
    inputs = [part for part in postorder([index]) if part.op == "input"]
    if index.name or len(inputs) != 1:
        return index.name or f"the index of {node.op}"
    return f"an index computed from {inputs[0].name}"


def require(lowering: Lowering, node: Expr) -> Value:
    """The operand, and a kernel that checks the condition."""
    x, condition = node.args
    if (condition, 0) not in lowering.checked:
        lowering.checked.add((condition, 0))
        code = lowering.check(f"shape: {node.attrs['message']}")
        lowering.kernel("check_size", (), [Check(lowering.read(condition, ()), code)], "check")
    return lowering.value(x)


TABLE: Mapping[str, Callable[[Lowering, Expr], Value]] = {
    "gather": gather,
    "scatter_add": scatter_add,
    "require": require,
}
