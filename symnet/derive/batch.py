"""One more leading axis for part of a graph: what was computed for one value is computed for many at once.

`batch` replaces some leaves by arrays with an extra axis 0 and gives every node above them the same extra axis, so one
pullback for a symbolic cotangent becomes the pullbacks of a whole basis: a Jacobian. Nodes that do not depend on the
replaced leaves are left alone and shared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from symnet.derive.build import apply, postorder_above
from symnet.errors import Unsupported
from symnet.expr.dims import Dim
from symnet.expr.function import Function
from symnet.expr.node import Expr, make
from symnet.ops.contract import LETTERS, contract

# What is known of a node: its value with the extra axis, or None where it does not depend on the replaced leaves.
Batched = Expr | None
Rule = Callable[[Expr, Sequence[Batched], Dim], Expr]


def batch(roots: Sequence[Expr], replaced: Mapping[Expr, Expr], size: Dim) -> list[Expr]:
    """Each root with an extra axis 0 of `size`, when the keys of `replaced` become its values, which have that axis."""
    found = _batch(roots, replaced, size)
    return [_whole(root, value, size) for root, value in zip(roots, found, strict=True)]


def _batch(roots: Sequence[Expr], replaced: Mapping[Expr, Expr], size: Dim) -> list[Batched]:
    known: dict[int, Expr] = {id(old): new for old, new in replaced.items()}
    for node in postorder_above(roots, replaced):
        if id(node) in known or all(id(arg) not in known for arg in node.args):
            continue
        args = [known.get(id(arg)) for arg in node.args]
        known[id(node)] = _rule(node)(node, args, size)
    return [known.get(id(root)) for root in roots]


def _rule(node: Expr) -> Rule:
    declaration = node.declaration
    if declaration.kind == "scalar":
        return _elementwise
    if node.op in _RULES:
        return _RULES[node.op]
    if declaration.define is not None:
        return _composite
    raise Unsupported(
        f"{node.op}: a Jacobian through this operation is not known; sn.vjp or sn.jvp for single directions do work"
    )


def _whole(node: Expr, value: Batched, size: Dim) -> Expr:
    """The value with the extra axis, repeated along it where the node does not depend on it."""
    return value if value is not None else apply("broadcast_to", node, shape=(size, *node.shape))


def _aligned(node: Expr, value: Batched, rank: int) -> Expr:
    """`value` (or the node itself) with axes of size 1 after the extra axis, to broadcast against `rank` axes."""
    if value is None:
        return node
    missing = rank - len(node.shape)
    return apply("reshape", value, shape=(value.shape[0], *(1,) * missing, *node.shape)) if missing else value


def _elementwise(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    rank = len(node.shape)
    operands = [_aligned(arg, value, rank) for arg, value in zip(node.args, args, strict=True)]
    return make(node.declaration, operands, node.attrs)


def _composite(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    assert node.declaration.define is not None
    replaced = {arg: value for arg, value in zip(node.args, args, strict=True) if value is not None}
    definition = node.declaration.define(node)
    return _whole(definition, _batch([definition], replaced, size)[0], size)


def _same(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    return make(node.declaration, _first(args), node.attrs)


def _shifted_axes(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    return make(node.declaration, _first(args), {**node.attrs, "axes": tuple(a + 1 for a in node.attrs["axes"])})


def _shifted_axis(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    return make(node.declaration, _first(args), {**node.attrs, "axis": node.attrs["axis"] + 1})


def _first(args: Sequence[Batched]) -> tuple[Expr]:
    assert args[0] is not None
    return (args[0],)


def _reshape(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    return apply("reshape", *_first(args), shape=(size, *node.shape))


def _transpose(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    return apply("transpose", *_first(args), axes=(0, *(axis + 1 for axis in node.attrs["axes"])))


def _broadcast_to(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    return apply("broadcast_to", _aligned(node.args[0], args[0], len(node.shape)), shape=(size, *node.shape))


def _slice(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    start, step, sizes = (node.attrs[name] for name in ("start", "step", "size"))
    return apply("slice", *_first(args), start=(0, *start), step=(1, *step), size=(size, *sizes))


def _place(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    start, step, shape = (node.attrs[name] for name in ("start", "step", "shape"))
    return apply(
        "place", *_first(args), start=(0, *start), step=(1, *step), shape=(size, *shape), fill=node.attrs["fill"]
    )


def _concat(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    operands = [_whole(arg, value, size) for arg, value in zip(node.args, args, strict=True)]
    return apply("concat", *operands, axis=node.attrs["axis"] + 1)


def _gather(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    """The indices are whole numbers and never depend on a cotangent, so only the array has the extra axis."""
    axes = tuple(axis + 1 for axis in node.attrs["axes"])
    gathered = apply("gather", *_first(args), *node.args[1:], axes=axes)
    index_rank = len(node.shape) - (len(node.args[0].shape) - len(axes))
    return _axis_to_front(gathered, index_rank)


def _scatter_add(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    updates = _first(args)[0]
    axes = tuple(axis + 1 for axis in node.attrs["axes"])
    index_rank = len(node.args[0].shape) - (len(node.shape) - len(axes))
    updates = _axis_from_front(updates, index_rank)
    return apply("scatter_add", updates, *node.args[1:], axes=axes, shape=(size, *node.shape))


def _axis_to_front(value: Expr, axis: int) -> Expr:
    rank = len(value.shape)
    return apply("transpose", value, axes=(axis, *(a for a in range(rank) if a != axis))) if axis else value


def _axis_from_front(value: Expr, axis: int) -> Expr:
    rank = len(value.shape)
    order = [*range(1, axis + 1), 0, *range(axis + 1, rank)]
    return apply("transpose", value, axes=tuple(order)) if axis else value


def _contract(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    """The extra axis is one more index letter, of the factors that have it and of the result."""
    spec: str = node.attrs["spec"]
    *factors, out = re.split("->|,", spec)
    gap = " " if " " in spec else ""
    letter = next(letter for letter in LETTERS if letter not in spec)
    terms = [term if value is None else letter + gap + term for term, value in zip(factors, args, strict=True)]
    first, second = (arg if value is None else value for arg, value in zip(node.args, args, strict=True))
    sizes = {**dict(node.attrs["sizes"]), letter: size} if gap else None
    return contract(first, second, f"{','.join(terms)}->{letter}{gap}{out}", sizes, (size, *node.shape) if gap else ())


def _scan(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    """The loop with the extra axis in every carry; what is sliced along axis 0 has it as axis 1."""
    body: Function = node.attrs["body"]
    consts, carries = node.attrs["consts"], node.attrs["carries"]
    operands: list[Expr] = []
    parameters: list[Expr] = []
    replaced: dict[Expr, Expr] = {}
    for position, (arg, value, old) in enumerate(zip(node.args, args, body.parameters, strict=True)):
        batched = value is not None or consts <= position < consts + carries
        operand = _whole(arg, value, size) if batched else arg
        operands.append(_axis_from_front(operand, 1) if batched and position >= consts + carries else operand)
        if batched:
            replaced[old] = apply("arg", index=position, shape=(size, *old.shape), dtype=old.dtype)
        parameters.append(replaced.get(old, old))
    results = batch(body.results, replaced, size)
    return make(node.declaration, operands, {**node.attrs, "body": Function(parameters, results)})


def _item(node: Expr, args: Sequence[Batched], size: Dim) -> Expr:
    value = apply("item", *_first(args), index=node.attrs["index"])
    stacked = node.args[0].op == "scan" and node.attrs["index"] >= node.args[0].attrs["carries"]
    return _axis_to_front(value, 1) if stacked else value


_RULES: dict[str, Rule] = {
    **dict.fromkeys(("sum", "prod", "max", "min", "any", "all", "mean", "var", "logsumexp"), _shifted_axes),
    **dict.fromkeys(("argmax", "argmin", "cumsum", "softmax", "log_softmax"), _shifted_axis),
    "stop_gradient": _same,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "slice": _slice,
    "place": _place,
    "concat": _concat,
    "gather": _gather,
    "scatter_add": _scatter_add,
    "contract": _contract,
    "scan": _scan,
    "item": _item,
}
