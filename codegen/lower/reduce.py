"""Lowering of reductions and running sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codegen.loops.grammar import Apply, Axis, Const, Reduce, Ref, Scalar, Stmt
from codegen.loops.rewrite import axis_index
from codegen.lower.context import Lowering, Value
from codegen.lower.scalar import number
from symnet.expr.node import Expr


def reduction(lowering: Lowering, node: Expr) -> Value:
    """out[i] = reducer over r of x[i, r]."""
    (x,) = node.args
    removed = set(node.attrs["axes"])
    names = lowering.axis_names()
    kept, index = lowering.grid(tuple(1 if a in removed else dim for a, dim in enumerate(x.shape)), names)
    inner, inner_index = lowering.grid(tuple(dim if a in removed else 1 for a, dim in enumerate(x.shape)), names)
    place = [inner_index[a] if a in removed else index[a] for a in range(x.ndim)]
    value = lowering.read(x, place)
    if node.op in ("any", "all") and value.dtype != "bool":
        value = Apply("not_equal", (value, number(0, value.dtype)), "bool")
    target = lowering.target(node)
    out = index if node.attrs["keepdims"] else [index[a] for a in range(x.ndim) if a not in removed]
    if inner:
        result = Ref("r", value.dtype)
        body: list[Stmt] = [Reduce("r", node.op, inner, (), value), lowering.store(target, out, result)]
        lowering.kernel(target.buffer, kept, body, node.op)
    else:
        lowering.kernel(target.buffer, kept, [lowering.store(target, out, value)], node.op)
    return target


def arg_reduction(lowering: Lowering, node: Expr) -> Value:
    """out[i] = the first position along one axis where x[i, ·] is extreme, an int64."""
    (x,) = node.args
    axis = node.attrs["axis"]
    names = lowering.axis_names()
    kept, index = lowering.grid(tuple(1 if a == axis else dim for a, dim in enumerate(x.shape)), names)
    target = lowering.target(node)
    out = index if node.attrs["keepdims"] else [i for a, i in enumerate(index) if a != axis]
    if x.shape[axis] == 1:
        lowering.kernel(target.buffer, kept, [lowering.store(target, out, Const(0, "int64"))], node.op)
        return target
    inner = Axis(names.take(x.shape[axis]), x.shape[axis])
    value = lowering.read(x, [axis_index(inner.name) if a == axis else i for a, i in enumerate(index)])
    body: list[Stmt] = [Reduce("r", node.op, (inner,), (), value), lowering.store(target, out, Ref("r", "int64"))]
    lowering.kernel(target.buffer, kept, body, node.op)
    return target


def cumsum(lowering: Lowering, node: Expr) -> Value:
    """out[i, j] = sum of x[i, k] over k <= j (k >= j when reversed)."""
    (x,) = node.args
    axis = node.attrs["axis"]
    names = lowering.axis_names()
    kept, index = lowering.grid(tuple(1 if a == axis else dim for a, dim in enumerate(x.shape)), names)
    target = lowering.target(node)
    if x.shape[axis] == 1:
        lowering.kernel(target.buffer, kept, [lowering.store(target, index, lowering.read(x, index))], node.op)
        return target
    running = Axis(names.take(x.shape[axis]), x.shape[axis])
    place = [axis_index(running.name) if a == axis else i for a, i in enumerate(index)]
    value: Scalar = lowering.read(x, place)
    each = lowering.store(target, place, Ref("r", value.dtype))
    body: list[Stmt] = [Reduce("r", "sum", (running,), (), value, (each,), bool(node.attrs["reverse"]))]
    lowering.kernel(target.buffer, kept, body, node.op)
    return target


TABLE: Mapping[str, Callable[[Lowering, Expr], Value]] = {
    **dict.fromkeys(("sum", "prod", "max", "min", "any", "all"), reduction),
    "argmax": arg_reduction,
    "argmin": arg_reduction,
    "cumsum": cumsum,
}
