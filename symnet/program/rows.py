"""How the outputs of a program on many rows follow from its outputs on pieces of them.

`evaluate` and `predict` take any number of rows and run them in pieces of the compiled batch. That is right for an
output in which every row stands for itself, and for sums and means over such rows. It is not for the largest of all
rows, or a softmax down the batch. `joins` tells which is which from the graph, and says "whole" wherever it does not
know: such an output is computed for all rows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import numpy as np

from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.ops.contract import Index, parse_spec
from symnet.runtime.arrays import Array

Join = int | Literal["same", "sum", "mean", "whole"]
"""An axis along which the pieces are concatenated, or what is done with their values."""


@dataclass(frozen=True)
class Rows:
    """The axis runs over the rows (several places a row if it is longer), each place depending on its own row alone.

    `numbers` is for positions along such an axis of that size: the places select from, and point at, their own rows.
    """

    axis: int
    numbers: dims.Dim | None = None


class Kind(Enum):
    """What does not have the rows along an axis."""

    FREE = "does not depend on the rows"
    TOTAL = "a sum over the rows"
    MEAN = "a sum over the rows, divided by how many there are"
    COUNT = "a multiple of the number of rows"
    INVERSE = "a number divided by that"
    MIXED = "anything else"


Status = Rows | Kind
FREE, TOTAL, MEAN, COUNT, INVERSE, MIXED = Kind
_JOINS: Mapping[Kind, Join] = {FREE: "same", TOTAL: "sum", MEAN: "mean"}


def joins(roots: Sequence[Expr], dim: str) -> list[Join]:
    """For each (expanded) root, how its value for all rows follows from those for pieces along the dimension `dim`."""
    return [_join(status) for status in _statuses(roots, dim, {})]


def joined(pieces: Sequence[Array], counts: Sequence[int], join: Join) -> Array:
    """One output from the outputs of consecutive pieces of so many rows."""
    if isinstance(join, int):
        return np.concatenate(pieces, axis=join)
    if join == "same":
        return pieces[0]
    stacked, kind = np.stack(pieces), pieces[0].dtype
    total = stacked.sum(axis=0) if join == "sum" else np.average(stacked, axis=0, weights=counts)
    return np.asarray(total, dtype=kind)


def _join(status: Status) -> Join:
    if isinstance(status, Rows):
        return status.axis if status.numbers is None else "whole"
    return _JOINS.get(status, "whole")


def _statuses(roots: Sequence[Expr], dim: str, known: dict[int, Status]) -> list[Status]:
    """The status of each root; `known` are those of leaves, by the node's id."""
    found = dict(known)
    loops: dict[int, list[Status]] = {}
    for node in postorder(roots):
        if id(node) in found:
            continue
        args = [found[id(arg)] for arg in node.args]
        if node.op == "scan":
            loops[id(node)] = _scan(node, args, dim)
            found[id(node)] = MIXED
        elif node.op == "cond":
            loops[id(node)] = _cond(node, args, dim)
            found[id(node)] = MIXED
        elif node.op == "item":
            found[id(node)] = _checked(node, loops[id(node.args[0])][node.attrs["index"]], dim)
        else:
            found[id(node)] = _checked(node, _status(node, args, dim), dim)
    return [found[id(root)] for root in roots]


def _checked(node: Expr, status: Status, dim: str) -> Status:
    """The status, if the shape bears it out: the dimension is that of the rows' axis and of no other."""
    axis = status.axis if isinstance(status, Rows) else None
    others = (size for i, size in enumerate(node.shape) if i != axis)
    if any(dim in dims.names(size) for size in others):
        return MIXED
    return MIXED if axis is not None and dims.divide(node.shape[axis], dim) is None else status


def _status(node: Expr, args: Sequence[Status], dim: str) -> Status:
    if not node.args:
        return _leaf(node, dim)
    if MIXED in args:
        return MIXED
    if node.op == "broadcast_to":
        return _broadcast_to(node, args[0], dim)
    if all(arg is FREE for arg in args):
        return FREE
    if node.declaration.kind == "scalar":
        return _scalar(node, args)
    rule = _RULES.get(node.op)
    return MIXED if rule is None else rule(node, args, dim)


def _leaf(node: Expr, dim: str) -> Status:
    if node.op == "input" and node.shape and node.shape[0] == dim:
        return Rows(0)
    if node.op in ("iota", "dim") and dim in dims.names(size := node.attrs["size"]):
        return Rows(0, numbers=size) if node.op == "iota" else MIXED if dims.divide(size, dim) is None else COUNT
    return FREE


# --- element by element -------------------------------------------------------------------------------------------


def _scalar(node: Expr, args: Sequence[Status]) -> Status:
    if not any(isinstance(arg, Rows) for arg in args):
        return _arithmetic(node, args)
    rank = len(node.shape)
    places = {_place(arg, operand, rank) for arg, operand in zip(args, node.args, strict=True) if arg is not FREE}
    place = places.pop()
    return MIXED if places or place is None else Rows(place)


def _place(status: Status, operand: Expr, rank: int) -> int | None:
    """Where the rows of an operand are in a result of `rank` axes, or None where it has none (or their numbers)."""
    if not isinstance(status, Rows) or status.numbers is not None:
        return None
    return status.axis + rank - len(operand.shape)


def _arithmetic(node: Expr, args: Sequence[Status]) -> Status:
    """Sums and means stay what they are under what is linear in them."""
    if node.op == "negative" or (node.op == "cast" and dtypes.is_float(node.dtype)):
        return args[0]
    return _ARITHMETIC.get((node.op, *args), MIXED)


_ARITHMETIC: Mapping[tuple[str | Status, ...], Kind] = {
    **{(op, kind, kind): kind for op in ("add", "subtract") for kind in (TOTAL, MEAN)},
    **{(op, *pair): MEAN for op in ("add", "subtract") for pair in ((MEAN, FREE), (FREE, MEAN))},
    **{("multiply", *pair): kind for kind in (TOTAL, MEAN, COUNT, INVERSE) for pair in ((kind, FREE), (FREE, kind))},
    **{("divide", kind, FREE): kind for kind in (TOTAL, MEAN, COUNT, INVERSE)},
    ("multiply", TOTAL, INVERSE): MEAN,
    ("multiply", INVERSE, TOTAL): MEAN,
    ("divide", TOTAL, COUNT): MEAN,
    ("divide", FREE, COUNT): INVERSE,
    ("reciprocal", COUNT): INVERSE,
}


# --- shapes -------------------------------------------------------------------------------------------------------


def _broadcast_to(node: Expr, status: Status, dim: str) -> Status:
    added = len(node.shape) - len(node.args[0].shape)
    if isinstance(status, Rows):
        return Rows(status.axis + added, status.numbers)
    places = [axis for axis, size in enumerate(node.shape) if dim in dims.names(size)]
    if status is FREE and places:  # the same for every row
        return Rows(places[0])
    return MIXED if places else status


def _reshape(node: Expr, args: Sequence[Status], dim: str) -> Status:
    status = args[0]
    if not isinstance(status, Rows):
        return status
    before = dims.product(node.args[0].shape[: status.axis])
    for axis, size in enumerate(node.shape):
        if dims.product(node.shape[:axis]) == before and dim in dims.names(size):
            return Rows(axis, status.numbers)
    return MIXED


def _transpose(node: Expr, args: Sequence[Status], dim: str) -> Status:
    status = args[0]
    return Rows(node.attrs["axes"].index(status.axis), status.numbers) if isinstance(status, Rows) else status


def _slice(node: Expr, args: Sequence[Status], dim: str) -> Status:
    status = args[0]
    if not isinstance(status, Rows):
        return status
    return _kept_whole(node, status, node.attrs["size"][status.axis], dim)


def _place_in(node: Expr, args: Sequence[Status], dim: str) -> Status:
    status = args[0]
    return _kept_whole(node, status, node.shape[status.axis], dim) if isinstance(status, Rows) else MIXED


def _kept_whole(node: Expr, status: Rows, size: dims.Dim, dim: str) -> Status:
    """A slice or its transpose is along other axes, and does not depend there on how many rows there are."""
    axis, start = status.axis, node.attrs["start"]
    length = node.args[0].shape[axis]
    whole = (start[axis], node.attrs["step"][axis], size) == (0, 1, length)
    fixed = not any(dim in dims.names(at) for at in start)
    return Rows(axis) if whole and fixed and status.numbers is None else MIXED


def _concat(node: Expr, args: Sequence[Status], dim: str) -> Status:
    first = args[0]
    if any(arg != first for arg in args):
        return MIXED
    if isinstance(first, Rows):
        return MIXED if first.axis == node.attrs["axis"] or first.numbers is not None else first
    return first if first in (TOTAL, MEAN) else MIXED


# --- sums and selections ------------------------------------------------------------------------------------------


def _reduced(node: Expr, args: Sequence[Status], dim: str) -> Status:
    status = args[0]
    axes = node.attrs["axes"] if "axes" in node.attrs else (node.attrs["axis"],)
    if not isinstance(status, Rows):
        return status if node.op == "sum" and status in (TOTAL, MEAN) else MIXED
    if status.numbers is not None:
        return MIXED
    if status.axis in axes:
        return TOTAL if node.op == "sum" else MIXED
    return Rows(status.axis - (0 if node.attrs["keepdims"] else sum(axis < status.axis for axis in axes)))


def _cumsum(node: Expr, args: Sequence[Status], dim: str) -> Status:
    status = args[0]
    apart = isinstance(status, Rows) and status.numbers is None and status.axis != node.attrs["axis"]
    return status if apart or status in (TOTAL, MEAN) else MIXED


def _contract(node: Expr, args: Sequence[Status], dim: str) -> Status:
    if not any(isinstance(arg, Rows) for arg in args):
        kinds = [arg for arg in args if arg is not FREE]
        return kinds[0] if len(kinds) == 1 and kinds[0] in (TOTAL, MEAN) else MIXED
    first, second, out = parse_spec(node.attrs["spec"])
    letters: set[Index] = set()
    for status, part in zip(args, (first, second), strict=True):
        if isinstance(status, Rows) and status.numbers is None:
            letters.add(part[status.axis])
        elif status is not FREE:
            return MIXED
    index = letters.pop()
    if letters or index.offset or len(index.terms) != 1 or index.terms[0][1] != 1:
        return MIXED
    if any(_also_uses(other, index) for part in (first, second, out) for other in part):
        return MIXED
    if any(index in part for part, status in zip((first, second), args, strict=True) if status is FREE):
        return MIXED
    return Rows(out.index(index)) if index in out else TOTAL


def _also_uses(other: Index, index: Index) -> bool:
    """Whether another axis runs with the rows without being theirs."""
    return other != index and index.letters[0] in other.letters


def _gather(node: Expr, args: Sequence[Status], dim: str) -> Status:
    """Rows of indices select within their own rows, or from what is the same for all."""
    data, axes, rank = args[0], node.attrs["axes"], len(node.args[0].shape)
    lead = max(len(index.shape) for index in node.args[1:])
    places: set[int] = set()
    for axis, status, index in zip(axes, args[1:], node.args[1:], strict=True):
        own = isinstance(data, Rows) and data.axis == axis
        if status is FREE and not own:
            continue
        if not isinstance(status, Rows) or own != (status.numbers is not None):
            return MIXED
        if own and status.numbers != node.args[0].shape[axis]:
            return MIXED
        places.add(status.axis + lead - len(index.shape))
    if isinstance(data, Rows) and data.axis not in axes:
        if places or data.numbers is not None:
            return MIXED
        kept = [axis for axis in range(rank) if axis not in axes]
        return Rows(lead + kept.index(data.axis))
    if not isinstance(data, Rows) and data is not FREE:
        return data if not places and data in (TOTAL, MEAN) else MIXED
    return Rows(places.pop()) if len(places) == 1 else MIXED


# --- loops --------------------------------------------------------------------------------------------------------


def _scan(node: Expr, args: Sequence[Status], dim: str) -> list[Status]:
    """The statuses of a loop's items, for a loop whose carries keep theirs from step to step."""
    body, consts, carries = node.attrs["body"], node.attrs["consts"], node.attrs["carries"]
    nothing: list[Status] = [MIXED] * len(body.results)
    inner: list[Status] = []
    for position, status in enumerate(args):
        if position >= consts + carries and isinstance(status, Rows):
            status = Rows(status.axis - 1, status.numbers) if status.axis else MIXED
        if status is not FREE and not (isinstance(status, Rows) and status.numbers is None):
            return nothing
        inner.append(status)
    if dim in dims.names(node.attrs["length"]):
        return nothing
    known = {id(parameter): status for parameter, status in zip(body.parameters, inner, strict=True)}
    results = _statuses(body.results, dim, known)
    if results[:carries] != inner[consts : consts + carries]:
        return nothing
    stacked = [Rows(s.axis + 1) if isinstance(s, Rows) else s if s is FREE else MIXED for s in results[carries:]]
    return [*results[:carries], *stacked]


def _cond(node: Expr, args: Sequence[Status], dim: str) -> list[Status]:
    """The statuses of a choice's results: those on which both sides agree, if all rows choose the same side."""
    sides = []
    for side in (node.attrs["then"], node.attrs["otherwise"]):
        known = {id(parameter): status for parameter, status in zip(side.parameters, args[1:], strict=True)}
        sides.append(_statuses(side.results, dim, known))
    agreed = zip(*sides, strict=True)
    return [one if one == other and args[0] is FREE else MIXED for one, other in agreed]


_RULES: Mapping[str, Callable[[Expr, Sequence[Status], str], Status]] = {
    **dict.fromkeys(("sum", "prod", "max", "min", "any", "all", "argmax", "argmin"), _reduced),
    "reshape": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "place": _place_in,
    "concat": _concat,
    "cumsum": _cumsum,
    "contract": _contract,
    "gather": _gather,
    "stop_gradient": lambda node, args, dim: args[0],
}
