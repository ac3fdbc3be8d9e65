"""The meaning of every operation written in PyTorch: a second opinion on values and derivatives of any order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from symnet.expr import dims
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.traverse import postorder
from symnet.ops.contract import is_plain, parse_spec

Tensor = torch.Tensor
Sizes = Mapping[str, int]
torch.set_num_threads(1)  # tiny tensors, and the tests run side by side
TYPES = {"float32": torch.float32, "float64": torch.float64, "int32": torch.int32, "int64": torch.int64,
         "bool": torch.bool}  # fmt: skip


def evaluate(roots: Sequence[Expr], leaves: Mapping[str, Tensor], sizes: Sizes) -> list[Tensor]:
    """The roots as tensors, differentiable in the leaves."""
    values: dict[int, Any] = {}
    for node in postorder(roots):
        args = [values[id(arg)] for arg in node.args]
        if node.op == "input":
            values[id(node)] = leaves[node.name]
        elif node.op in SCALAR:
            values[id(node)] = SCALAR[node.op](*args)
        elif node.op == "elementwise":
            (values[id(node)],) = evaluate_definition(node, args, sizes)
        elif node.op in OPERATIONS:
            values[id(node)] = OPERATIONS[node.op](node, args, sizes)
        else:
            (values[id(node)],) = evaluate_definition(node, args, sizes)
    return [values[id(root)] for root in roots]


def evaluate_definition(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> list[Tensor]:
    """A composite, or a user's scalar function, through its definition."""
    from symnet.expr.node import make
    from symnet.ops import input as make_input

    fresh = [make_input(f"a{i}", arg.shape, arg.dtype) for i, arg in enumerate(node.args)]
    copy = make(node.declaration, fresh, node.attrs)
    assert node.declaration.define is not None
    return evaluate([node.declaration.define(copy)], {f"a{i}": arg for i, arg in enumerate(args)}, sizes)


def _sizes(shape: dims.Shape, sizes: Sizes) -> tuple[int, ...]:
    return dims.evaluate_shape(shape, sizes)


def _where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(condition, a, b)


F = torch.nn.functional
SCALAR: Mapping[str, Callable[..., Tensor]] = {
    "add": torch.add, "subtract": torch.subtract, "multiply": torch.multiply, "divide": torch.divide,
    "floor_divide": lambda a, b: torch.floor(a / b), "mod": torch.remainder, "negative": torch.negative,
    "absolute": torch.abs,
    "sign": torch.sign, "floor": torch.floor, "ceil": torch.ceil, "round": torch.round, "square": torch.square,
    "reciprocal": torch.reciprocal, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "power": torch.pow, "exp": torch.exp,
    "expm1": torch.expm1, "log": torch.log, "log1p": torch.log1p, "sin": torch.sin, "cos": torch.cos,
    "tanh": torch.tanh, "erf": torch.erf, "sigmoid": torch.sigmoid, "log_sigmoid": F.logsigmoid,
    "softplus": lambda x: F.softplus(x, threshold=50), "relu": torch.relu, "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "minimum": torch.minimum,
    "maximum": torch.maximum, "clip": lambda x, low, high: torch.minimum(torch.maximum(x, low), high),
    "equal": torch.eq, "not_equal": torch.ne, "less": torch.lt, "less_equal": torch.le, "greater": torch.gt,
    "greater_equal": torch.ge, "logical_and": torch.logical_and, "logical_or": torch.logical_or,
    "logical_not": torch.logical_not, "isnan": torch.isnan, "where": _where,
}  # fmt: skip


def _constant(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    value = node.attrs["value"]
    return torch.tensor(np.array(value.array) if isinstance(value, ArrayValue) else value, dtype=TYPES[node.dtype])


def _slice(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    x = args[0]
    for axis, index in enumerate(_positions(node, "size", sizes)):
        x = torch.index_select(x, axis, index)
    return x


def _place(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    x, shape = args[0], _sizes(node.attrs["shape"], sizes)
    whole = torch.full(shape, node.attrs["fill"], dtype=x.dtype)
    steps = zip(node.attrs["start"], node.attrs["step"], x.shape, strict=True)
    places = [dims.evaluate(start, sizes) + step * torch.arange(size) for start, step, size in steps]
    return whole.index_put(torch.meshgrid(*places, indexing="ij"), x) if places else x


def _positions(node: Expr, what: str, sizes: Sizes) -> list[Tensor]:
    parts = zip(node.attrs["start"], node.attrs["step"], node.attrs[what], strict=True)
    return [dims.evaluate(a, sizes) + step * torch.arange(dims.evaluate(n, sizes)) for a, step, n in parts]


def _extreme(pick: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda node, args, sizes: pick(args[0], dim=node.attrs["axes"], keepdim=node.attrs["keepdims"])


def _prod(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    x = args[0]
    for axis in reversed(node.attrs["axes"]):
        x = torch.prod(x, dim=axis, keepdim=node.attrs["keepdims"])
    return x


def _each_axis(pick: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
        x = args[0]
        for axis in reversed(node.attrs["axes"]):
            x = pick(x, dim=axis, keepdim=node.attrs["keepdims"])
        return x

    return run


def _arg(pick: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda node, args, sizes: pick(args[0], dim=node.attrs["axis"], keepdim=node.attrs["keepdims"])


def _cumsum(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    axis = node.attrs["axis"]
    if not node.attrs["reverse"]:
        return torch.cumsum(args[0], axis)
    return torch.flip(torch.cumsum(torch.flip(args[0], [axis]), axis), [axis])


def _gather(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    x, indices, axes = args[0], list(args[1:]), node.attrs["axes"]
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    return x.permute(*axes, *rest)[tuple(indices)]


def _scatter_add(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    updates, indices, axes, shape = args[0], list(args[1:]), node.attrs["axes"], _sizes(node.shape, sizes)
    rest = [axis for axis in range(len(shape)) if axis not in axes]
    moved = torch.zeros([shape[a] for a in (*axes, *rest)], dtype=updates.dtype)
    moved = moved.index_put(tuple(i.long() for i in torch.broadcast_tensors(*indices)), updates, accumulate=True)
    order = [*axes, *rest]
    return moved.permute(*[order.index(axis) for axis in range(len(shape))])


def _contract(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    if is_plain(node.attrs["spec"]):
        return torch.einsum(node.attrs["spec"], *args)
    extents = {letter: dims.evaluate(size, sizes) for letter, size in node.attrs["sizes"]}
    grids = dict(zip(extents, torch.meshgrid(*map(torch.arange, extents.values()), indexing="ij"), strict=True))
    shapes = [*(tuple(arg.shape) for arg in args), _sizes(node.shape, sizes)]
    inside, flat = torch.tensor(True), []
    for indices, shape in zip(parse_spec(node.attrs["spec"]), shapes, strict=True):
        position = torch.tensor(0)
        for index, size in zip(indices, shape, strict=True):
            at = sum((c * grids[letter] for letter, c in index.terms), torch.tensor(index.offset))
            inside = inside & (at >= 0) & (at < size)
            position = position * size + at.clamp(0, size - 1)
        flat.append(position)
    a, b, out = (torch.broadcast_to(position, inside.shape)[inside] for position in flat)
    result = torch.zeros(int(np.prod(shapes[2])), dtype=args[0].dtype)
    return result.index_add(0, out, args[0].reshape(-1)[a] * args[1].reshape(-1)[b]).reshape(shapes[2])


def _scan(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> tuple[Tensor, ...]:
    body, consts, carries = node.attrs["body"], node.attrs["consts"], node.attrs["carries"]
    fixed, carry, xs = list(args[:consts]), list(args[consts : consts + carries]), args[consts + carries :]
    steps = range(dims.evaluate(node.attrs["length"], sizes))
    kept: list[list[Tensor]] = [[] for _ in body.results[carries:]]
    for t in reversed(steps) if node.attrs["reverse"] else steps:
        given = [*fixed, *carry, *(x[t] for x in xs)]
        results = _apply(body, given, sizes)
        carry = results[:carries]
        for column, value in zip(kept, results[carries:], strict=True):
            column.append(value)
    if node.attrs["reverse"]:
        kept = [column[::-1] for column in kept]
    return (*carry, *(torch.stack(column) for column in kept))


def _apply(body: Any, given: Sequence[Tensor], sizes: Sizes) -> list[Tensor]:
    from symnet.ops import input as make_input

    leaves = [make_input(f"p{i}", p.shape, p.dtype) for i, p in enumerate(body.parameters)]
    return evaluate(list(body(*leaves)), {f"p{i}": value for i, value in enumerate(given)}, sizes)


def _mean(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    return (
        torch.mean(args[0], dim=node.attrs["axes"], keepdim=node.attrs["keepdims"]) if node.attrs["axes"] else args[0]
    )


def _sum(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    return torch.sum(args[0], dim=node.attrs["axes"], keepdim=node.attrs["keepdims"]) if node.attrs["axes"] else args[0]


def _var(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    attrs = node.attrs
    return torch.var(args[0], dim=attrs["axes"], correction=attrs["correction"], keepdim=attrs["keepdims"])


def _random_bits(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    assert node.declaration.numpy is not None
    drawn = node.declaration.numpy(node, [arg.numpy() for arg in args], sizes)
    return torch.tensor(np.asarray(drawn), dtype=TYPES[node.dtype])


def _cond(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> tuple[Tensor, ...]:
    return tuple(_apply(node.attrs["then" if args[0] else "otherwise"], args[1:], sizes))


def _places(node: Expr, extents: Sequence[int], sizes: Sizes) -> tuple[Tensor, Tensor]:
    """For every window and every offset in it, where it is in the flattened array, and whether it is inside."""
    keys = ("stride", "dilation", "start", "count", "size")
    axes = [[dims.evaluate(value, sizes) for value in one] for one in zip(*(node.attrs[k] for k in keys), strict=True)]
    flat, inside = torch.tensor(0), torch.tensor(True)
    for axis, ((step, gap, start, count, size), extent) in enumerate(zip(axes, extents, strict=True)):
        shape = [1] * (2 * len(axes))
        shape[axis], shape[len(axes) + axis] = count, size
        place = (step * torch.arange(count)[:, None] + gap * torch.arange(size) + start).reshape(shape)
        flat, inside = flat * extent + place.clamp(0, extent - 1), inside & (place >= 0) & (place < extent)
    return flat, inside


def _windows(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    x, rank = args[0], len(node.attrs["size"])
    flat, inside = _places(node, x.shape[-rank:], sizes)
    found = x.flatten(x.ndim - rank)[..., flat]
    return torch.where(inside, found, torch.tensor(node.attrs["fill"], dtype=x.dtype))


def _overlap_add(node: Expr, args: Sequence[Tensor], sizes: Sizes) -> Tensor:
    g, rank = args[0], len(node.attrs["size"])
    extents = _sizes(node.shape, sizes)
    flat, inside = _places(node, extents[len(extents) - rank :], sizes)
    held = torch.where(inside, g, torch.zeros((), dtype=g.dtype)).flatten(g.ndim - 2 * rank)
    whole = torch.zeros((*held.shape[:-1], math.prod(extents[len(extents) - rank :])), dtype=g.dtype)
    return whole.index_add(-1, flat.expand(inside.shape).flatten(), held).reshape(extents)


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "random_bits": _random_bits,
    "windows": _windows,
    "overlap_add": _overlap_add,
    "cond": _cond,
    "require": lambda node, args, sizes: args[0],
    "constant": _constant,
    "iota": lambda node, args, sizes: torch.arange(dims.evaluate(node.attrs["size"], sizes)),
    "dim": lambda node, args, sizes: torch.tensor(dims.evaluate(node.attrs["size"], sizes), dtype=TYPES[node.dtype]),
    "cast": lambda node, args, sizes: args[0].to(TYPES[node.dtype]),
    "reshape": lambda node, args, sizes: args[0].reshape(_sizes(node.shape, sizes)),
    "transpose": lambda node, args, sizes: args[0].permute(*node.attrs["axes"]),
    "broadcast_to": lambda node, args, sizes: torch.broadcast_to(args[0], _sizes(node.shape, sizes)),
    "slice": _slice,
    "place": _place,
    "concat": lambda node, args, sizes: torch.cat(list(args), dim=node.attrs["axis"]),
    "sum": _sum,
    "prod": _prod,
    "max": _extreme(torch.amax),
    "min": _extreme(torch.amin),
    "any": _each_axis(torch.any),
    "all": _each_axis(torch.all),
    "argmax": _arg(torch.argmax),
    "argmin": _arg(torch.argmin),
    "cumsum": _cumsum,
    "stop_gradient": lambda node, args, sizes: args[0].detach(),
    "contract": _contract,
    "gather": _gather,
    "scatter_add": _scatter_add,
    "scan": _scan,
    "item": lambda node, args, sizes: args[0][node.attrs["index"]],
    "mean": _mean,
    "var": _var,
    "logsumexp": lambda node, args, sizes: torch.logsumexp(args[0], node.attrs["axes"], node.attrs["keepdims"]),
    "softmax": lambda node, args, sizes: torch.softmax(args[0], node.attrs["axis"]),
    "log_softmax": lambda node, args, sizes: torch.log_softmax(args[0], node.attrs["axis"]),
    "one_hot": lambda node, args, sizes: F.one_hot(args[0], node.attrs["classes"]).to(TYPES[node.dtype]),
}
