"""One more leading axis for part of a graph: what was computed for one value is computed for many at once.

`batch` replaces some leaves by arrays with an extra axis 0 and gives every node above them the same extra axis, so one
pullback for a symbolic cotangent becomes the pullbacks of a whole basis: a Jacobian; and a function of one example
becomes one of many (`symnet.derive.vmap`). Nodes that do not depend on the replaced leaves are left alone and shared.

An operation has a rule here, or is followed through its definition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from symnet.derive.build import apply, postorder_above
from symnet.errors import Unsupported
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.function import Function, bodies
from symnet.expr.node import Expr, make
from symnet.ops.contract import LETTERS, contract

# What is known of a node: its value with the extra axis (the values, of a tuple that became several), or None where it
# does not depend on the replaced leaves.
Batched = Expr | None
Value = Expr | tuple[Expr, ...]
Fresh = Callable[[Expr], Batched]
Rule = Callable[[Expr, Sequence[Any], "Batching"], Value]


def batch(roots: Sequence[Expr], replaced: Mapping[Expr, Expr], size: Dim, fresh: Fresh | None = None) -> list[Expr]:
    """Each root with an extra axis 0 of `size`, when the keys of `replaced` become its values, which have that axis.

    `fresh` is asked for a value with the extra axis of every node that does not depend on the replaced ones; it gives
    that to what differs from member to member of itself (random numbers), and None to all else.
    """
    return Batching(size, fresh).whole(roots, replaced)


class Batching:
    """The extra axis: its size, and what has it of itself."""

    def __init__(self, size: Dim, fresh: Fresh | None = None) -> None:
        self.size, self.fresh = size, fresh

    def whole(self, roots: Sequence[Expr], replaced: Mapping[Expr, Expr]) -> list[Expr]:
        """Each root with the extra axis."""
        found = self.values(roots, replaced)
        return [self.repeated(root, value) for root, value in zip(roots, found, strict=True)]

    def values(self, roots: Sequence[Expr], replaced: Mapping[Expr, Expr]) -> list[Batched]:
        """Each root with the extra axis, or None where it is the same for all."""
        known: dict[int, Value] = {id(old): new for old, new in replaced.items()}
        for node in postorder_above(roots, replaced):
            if id(node) in known:
                continue
            args = [known.get(id(arg)) for arg in node.args]
            if any(value is not None for value in args):
                known[id(node)] = _rule(node)(node, args, self)
            elif (value := self._of_itself(node)) is not None:
                known[id(node)] = value
        return [known.get(id(root)) for root in roots]  # type: ignore[misc]  # no root is a tuple

    def _of_itself(self, node: Expr) -> Value | None:
        """A node none of whose operands has the extra axis, if something in it has."""
        if self.fresh is None:
            return None
        if node.dtype == "tuple" and self._draws(node):
            return _rule(node)(node, [None] * len(node.args), self)
        return self.fresh(node)

    def _draws(self, node: Expr) -> bool:
        """Whether a loop or a choice has values in it that differ from member to member."""
        found = (value for body in bodies(node).values() for value in self.values(body.results, {}))
        return any(value is not None for value in found)

    def repeated(self, node: Expr, value: Batched) -> Expr:
        """The value with the extra axis, repeated along it where it is the same for all."""
        return value if value is not None else apply("broadcast_to", node, shape=(self.size, *node.shape))


def _rule(node: Expr) -> Rule:
    declaration = node.declaration
    if declaration.kind == "scalar":
        return _elementwise
    if node.op in _RULES:
        return _RULES[node.op]
    if declaration.inference is not None or declaration.updates is not None:
        return _mapped
    if declaration.define is not None:
        return _composite
    raise Unsupported(
        f"{node.op}: no way is known to compute this for many values at once (a Jacobian, sn.vmap); sn.vjp or sn.jvp "
        "for single directions do work"
    )


def _aligned(node: Expr, value: Batched, rank: int) -> Expr:
    """`value` (or the node itself) with axes of size 1 after the extra axis, to broadcast against `rank` axes."""
    if value is None:
        return node
    missing = rank - len(node.shape)
    return apply("reshape", value, shape=(value.shape[0], *(1,) * missing, *node.shape)) if missing else value


def _elementwise(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    rank = len(node.shape)
    operands = [_aligned(arg, value, rank) for arg, value in zip(node.args, args, strict=True)]
    return make(node.declaration, operands, node.attrs)


def _composite(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    assert node.declaration.define is not None
    replaced = {arg: value for arg, value in zip(node.args, args, strict=True) if value is not None}
    definition = node.declaration.define(node)
    return b.repeated(definition, b.values([definition], replaced)[0])


def _mapped(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    """What means something else in inference, or stores something in training, keeps that."""
    from symnet.ops.members import members

    return members(node, args, b.size)


def _stack(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    """Operations on matrices in the last axes, which take a stack of them as it is."""
    operands = [b.repeated(arg, value) for arg, value in zip(node.args, args, strict=True)]
    return make(node.declaration, operands, node.attrs)


def _system(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    """Many right sides of one matrix are more columns; otherwise there is a matrix for each."""
    matrix, right = args
    if matrix is not None or right is None or len(node.shape) != 2:
        return _stack(node, args, b)
    rows, columns = node.shape
    wide = apply("transpose", right, axes=(1, 0, 2))
    flat = apply("reshape", wide, shape=(rows, dims.mul(b.size, columns)))
    solved = make(node.declaration, (node.args[0], flat), node.attrs)
    return apply("transpose", apply("reshape", solved, shape=(rows, b.size, columns)), axes=(1, 0, 2))


def _same(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    return make(node.declaration, _first(args), node.attrs)


def _shifted_axes(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    return make(node.declaration, _first(args), {**node.attrs, "axes": tuple(a + 1 for a in node.attrs["axes"])})


def _shifted_axis(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    return make(node.declaration, _first(args), {**node.attrs, "axis": node.attrs["axis"] + 1})


def _per_length(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    """Every member divided by the same norm, or by one of its own."""
    top, x = args
    if x is None:
        return make(node.declaration, (*_first(args), node.args[1]), node.attrs)
    axes = tuple(axis + 1 for axis in node.attrs["axes"])
    if len(node.shape) != len(node.args[1].shape):
        return _composite(node, args, b)
    return make(node.declaration, (b.repeated(node.args[0], top), x), {"axes": axes})


def _first(args: Sequence[Batched]) -> tuple[Expr]:
    assert args[0] is not None
    return (args[0],)


def _reshape(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    return apply("reshape", *_first(args), shape=(b.size, *node.shape))


def _transpose(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    return apply("transpose", *_first(args), axes=(0, *(axis + 1 for axis in node.attrs["axes"])))


def _broadcast_to(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    return apply("broadcast_to", _aligned(node.args[0], args[0], len(node.shape)), shape=(b.size, *node.shape))


def _slice(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    start, step, sizes = (node.attrs[name] for name in ("start", "step", "size"))
    return apply("slice", *_first(args), start=(0, *start), step=(1, *step), size=(b.size, *sizes))


def _place(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    start, step, shape = (node.attrs[name] for name in ("start", "step", "shape"))
    return apply(
        "place", *_first(args), start=(0, *start), step=(1, *step), shape=(b.size, *shape), fill=node.attrs["fill"]
    )


def _concat(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    operands = [b.repeated(arg, value) for arg, value in zip(node.args, args, strict=True)]
    return apply("concat", *operands, axis=node.attrs["axis"] + 1)


def _gather(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    """Positions with the extra axis pick, of an array that has it too, from the member of their own."""
    array, *positions = args
    axes = node.attrs["axes"]
    index_rank = len(node.shape) - (len(node.args[0].shape) - len(axes))
    if all(position is None for position in positions):
        gathered = apply("gather", *_first(args), *node.args[1:], axes=tuple(axis + 1 for axis in axes))
        return _axis_to_front(gathered, index_rank)
    places = [_aligned(arg, value, index_rank) for arg, value in zip(node.args[1:], positions, strict=True)]
    if array is None:
        return apply("gather", node.args[0], *places, axes=axes)
    return apply("gather", array, _members(b, index_rank), *places, axes=(0, *(axis + 1 for axis in axes)))


def _scatter_add(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    _, *positions = args
    updates = b.repeated(node.args[0], args[0])
    axes, shape = node.attrs["axes"], (b.size, *node.shape)
    index_rank = len(node.args[0].shape) - (len(node.shape) - len(axes))
    if all(position is None for position in positions):
        moved = _axis_from_front(updates, index_rank)
        return apply("scatter_add", moved, *node.args[1:], axes=tuple(axis + 1 for axis in axes), shape=shape)
    places = [_aligned(arg, value, index_rank) for arg, value in zip(node.args[1:], positions, strict=True)]
    axes = (0, *(axis + 1 for axis in axes))
    return apply("scatter_add", updates, _members(b, index_rank), *places, axes=axes, shape=shape)


def _members(b: Batching, rank: int) -> Expr:
    """The number of each member along the extra axis, to broadcast against positions of `rank` axes."""
    return apply("reshape", apply("iota", size=b.size), shape=(b.size, *(1,) * rank))


def _axis_to_front(value: Expr, axis: int) -> Expr:
    rank = len(value.shape)
    return apply("transpose", value, axes=(axis, *(a for a in range(rank) if a != axis))) if axis else value


def _axis_from_front(value: Expr, axis: int) -> Expr:
    rank = len(value.shape)
    order = [*range(1, axis + 1), 0, *range(axis + 1, rank)]
    return apply("transpose", value, axes=tuple(order)) if axis else value


def _contract(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    """The extra axis is one more index letter, of the factors that have it and of the result."""
    spec: str = node.attrs["spec"]
    *factors, out = re.split("->|,", spec)
    gap = " " if " " in spec else ""
    letter = next(letter for letter in LETTERS if letter not in spec)
    terms = [term if value is None else letter + gap + term for term, value in zip(factors, args, strict=True)]
    first, second = (arg if value is None else value for arg, value in zip(node.args, args, strict=True))
    sizes = {**dict(node.attrs["sizes"]), letter: b.size} if gap else None
    return contract(
        first, second, f"{','.join(terms)}->{letter}{gap}{out}", sizes, (b.size, *node.shape) if gap else ()
    )


def _scan(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    """The loop with the extra axis in the carries that come to differ; what is sliced along axis 0 has it as axis 1."""
    body: Function = node.attrs["body"]
    consts, carries = node.attrs["consts"], node.attrs["carries"]
    differs = {i for i, value in enumerate(args) if value is not None}
    while True:
        replaced = {
            old: apply("arg", index=i, shape=(b.size, *old.shape), dtype=old.dtype)
            for i, old in enumerate(body.parameters)
            if i in differs
        }
        found = b.values(body.results, replaced)
        more = {consts + i for i in range(carries) if found[i] is not None} - differs
        if not more:
            break
        differs |= more
    results = [
        result if value is None and i < carries and consts + i not in differs else b.repeated(result, value)
        for i, (result, value) in enumerate(zip(body.results, found, strict=True))
    ]
    operands = []
    for i, (arg, value) in enumerate(zip(node.args, args, strict=True)):
        operand = b.repeated(arg, value) if i in differs else arg
        operands.append(_axis_from_front(operand, 1) if i in differs and i >= consts + carries else operand)
    parameters = [replaced.get(old, old) for old in body.parameters]
    return make(node.declaration, operands, {**node.attrs, "body": Function(parameters, results)})


def _require(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    """A condition that holds for every member."""
    x, condition = args
    whole = node.args[1] if condition is None else apply("all", condition, axes=(0,), keepdims=False)
    return make(node.declaration, (b.repeated(node.args[0], x), whole), node.attrs)


def _random_bits(node: Expr, args: Sequence[Batched], b: Batching) -> Expr:
    """One draw for each of several seeds or steps."""
    if not isinstance(b.size, int):
        raise Unsupported(f"random numbers from {b.size} seeds: the number of seeds must be known")
    drawn = []
    for member in range(b.size):
        key = [arg if value is None else value[member] for arg, value in zip(node.args, args, strict=True)]
        drawn.append(apply("reshape", make(node.declaration, key, node.attrs), shape=(1, *node.shape)))
    return apply("concat", *drawn, axis=0)


def _cond(node: Expr, args: Sequence[Batched], b: Batching) -> Value:
    """One choice for all members where the condition is the same; else both sides, of which each member takes one."""
    condition, *operands = args
    replaced = {
        i: apply("arg", index=i, shape=(b.size, *arg.shape), dtype=arg.dtype)
        for i, (arg, value) in enumerate(zip(node.args[1:], operands, strict=True))
        if value is not None
    }

    def side(function: Function) -> Function:
        own = {old: replaced[i] for i, old in enumerate(function.parameters) if i in replaced}
        parameters = [own.get(old, old) for old in function.parameters]
        return Function(parameters, b.whole(function.results, own))

    sides = {name: side(function) for name, function in bodies(node).items()}
    values = [arg if value is None else value for arg, value in zip(node.args[1:], operands, strict=True)]
    if condition is None:
        return make(node.declaration, (node.args[0], *values), sides)
    pairs = zip(sides["then"](*values), sides["otherwise"](*values), strict=True)
    return tuple(
        apply("where", apply("reshape", condition, shape=(b.size, *(1,) * (len(one.shape) - 1))), one, other)
        for one, other in pairs
    )


def _item(node: Expr, args: Sequence[Value], b: Batching) -> Expr:
    (whole,) = args
    if isinstance(whole, tuple):
        chosen: Expr = whole[node.attrs["index"]]
        return chosen
    value = apply("item", whole, index=node.attrs["index"])
    if len(value.shape) == len(node.shape):
        return b.repeated(value, None)
    stacked = whole.op == "scan" and node.attrs["index"] >= whole.attrs["carries"]
    return _axis_to_front(value, 1) if stacked else value


_RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("inverse", "cholesky", "lu", "lu_rows", "det", "det_sign", "logdet", "logabsdet", "trace"), _stack
    ),
    **dict.fromkeys(("solve", "solve_triangular"), _system),
    **dict.fromkeys(("norm", "unit"), _shifted_axes),
    "per_length": _per_length,
    **dict.fromkeys(("windows", "overlap_add", "one_hot", "diag", "diagonal", "tril", "triu"), _same),
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
    "cond": _cond,
    "random_bits": _random_bits,
    "require": _require,
    "item": _item,
}
