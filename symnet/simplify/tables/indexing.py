"""Elements at computed positions: gather, its transpose scatter_add, and one-hot vectors.

The canonical way to pick one element of each row is `gather(x, iota, y)`, positions without axes of size 1; the
canonical way to put one value into each row is a product with a one-hot vector, which is element by element and fuses.
"""

from __future__ import annotations

from typing import Any

from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import ArrayValue, Expr, make
from symnet.expr.op import lookup
from symnet.ops.index import gather as make_gather
from symnet.ops.leaves import iota as iota_node
from symnet.simplify.pattern import Rest, attributes, computed, operation, this, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.shapes import Axes, kept_shape, only, reshaped, without_axes
from symnet.simplify.vocabulary import (
    broadcast_to,
    cast,
    equal,
    gather,
    iota,
    log_softmax,
    logsumexp,
    one_hot,
    reshape,
    scatter_add,
    square,
    sum_,
    where,
)

u, v, x, y = variables("u v x y")
A, B, C, D, S, V = attributes("A B C D S V")
index = Rest("index")
constant = operation("constant")


def counts_along(node: Expr, shape: Shape) -> int | None:
    """The axis of `shape` along which these positions are 0, 1, 2, … (the same for all other axes), or None."""
    if node.op == "broadcast_to":
        return counts_along(node.args[0], shape)
    base = node.args[0] if node.op == "reshape" else node
    if base.op != "iota":
        return None
    long = [i for i, dim in enumerate(node.shape) if dim != 1]
    if len(long) != 1:
        return None
    axis = long[0] + len(shape) - len(node.shape)
    return axis if shape[axis] == base.shape[0] else None


def unit_axes_of(index: tuple[Expr, ...]) -> tuple[Shape, Shape]:
    """The shape in which positions meet, and the same without its axes of size 1."""
    shape = dims.broadcast(*(i.shape for i in index))
    return shape, tuple(dim for dim in shape if dim != 1)


def squeezed_positions(index: tuple[Expr, ...]) -> list[Expr] | None:
    """The positions without the axes of size 1 of the shape in which they meet; None if there are none."""
    shape, short = unit_axes_of(index)
    if shape == short:
        return None
    kept = [i for i, dim in enumerate(shape) if dim != 1]
    result = []
    for node in index:
        missing = len(shape) - len(node.shape)
        own = [node.shape[i - missing] if i >= missing else 1 for i in kept]
        while own and own[0] == 1:
            own.pop(0)
        result.append(reshaped(node, tuple(own)))
    return result


@computed
def gathered_squeezed(node: Expr, x: Expr, index: tuple[Expr, ...], axes: Axes) -> Expr | None:
    """A gather without axes of size 1 in its positions, reshaped to have them."""
    positions = squeezed_positions(index)
    return None if positions is None else reshaped(make_gather(x, axes, positions), node.shape)


@computed
def scattered_squeezed(node: Expr, u: Expr, index: tuple[Expr, ...], axes: Axes, shape: Shape) -> Expr | None:
    """A scatter_add without axes of size 1 in its positions."""
    positions = squeezed_positions(index)
    if positions is None:
        return None
    _, short = unit_axes_of(index)
    rest = tuple(dim for a, dim in enumerate(shape) if a not in axes)
    updates = reshaped(u, (*short, *rest))
    return make(lookup("scatter_add"), (updates, *positions), {"axes": axes, "shape": shape})


@computed
def scattered_one_hot(u: Expr, index: tuple[Expr, ...], axes: Axes, shape: Shape) -> Expr | None:
    """One value put into each row: the values times a one-hot vector along the axis of the computed positions.

    All axes are indexed; all positions but one count along an axis of their own, in order, so no two coincide. Axes of
    size 1 have but one place.
    """
    meet = dims.broadcast(*(i.shape for i in index))
    long = [axis for axis, dim in enumerate(shape) if dim != 1]
    if len(axes) == len(shape) > len(long) and dims.broadcast(*(index[axis].shape for axis in long)) == meet:
        inner = one_hot_rows(u, tuple(index[axis] for axis in long), tuple(shape[axis] for axis in long))
        return None if inner is None else reshaped(inner, shape)
    return one_hot_rows(u, index, shape) if len(axes) == len(shape) else None


def one_hot_rows(u: Expr, index: tuple[Expr, ...], shape: Shape) -> Expr | None:
    """`scattered_one_hot` where all axes are indexed."""
    meet = dims.broadcast(*(i.shape for i in index))
    if len(meet) != len(shape) - 1:
        return None
    counting = [counts_along(i, meet) for i in index]
    free = [a for a, axis in enumerate(counting) if axis is None]
    if len(free) != 1 or [axis for axis in counting if axis is not None] != list(range(len(meet))):
        return None
    (a,) = free
    picked = index[a]
    if any(shape[b] != meet[axis] for b, axis in enumerate(counting) if axis is not None):
        return None
    if picked.shape != meet:
        picked = make(lookup("broadcast_to"), (picked,), {"shape": meet})
    marks = make(lookup("one_hot"), (picked,), {"classes": shape[a], "dtype": u.dtype})
    product = make(lookup("multiply"), (marks, reshaped(u, (*meet, 1))))
    if a == len(shape) - 1:
        return product
    order = (*range(a), len(shape) - 1, *range(a, len(shape) - 1))
    return make(lookup("transpose"), (product,), {"axes": order})


@computed
def picked_by_one_hot(node: Expr, y: Expr, v: Expr, classes: Dim) -> Expr | None:
    return pick(node, y, v, classes)


def pick(node: Expr, y: Expr, v: Expr, classes: Dim) -> Expr | None:
    """The element of each row of `v` that a one-hot vector selects, in the shape of `node`."""
    axes, rank = node.attrs["axes"], len(y.shape)
    if rank not in axes or v.shape != (*y.shape, classes):
        return None
    rows = []
    for axis, size in enumerate(y.shape):
        rows.append(reshaped(iota_node(size), (size, *[1] * (rank - 1 - axis))))
    picked = make_gather(v, tuple(range(rank + 1)), [*rows, y])
    if len(axes) > 1:
        picked = make(lookup("sum"), (picked,), {"axes": axes[:-1], "keepdims": False})
    return reshaped(picked, node.shape)


@computed
def one_hot_of_comparison(y: Expr, positions: Expr, dtype: str, shape: Shape) -> Expr | None:
    """`one_hot(y)` written as a comparison of `y[..., None]` with 0, 1, …, C-1."""
    classes = compared_classes(y, positions, shape)
    return None if classes is None else make(lookup("one_hot"), (y,), {"classes": classes, "dtype": dtype})


def compared_classes(y: Expr, positions: Expr, shape: Shape) -> Dim | None:
    """C, when `positions` are 0, 1, …, C-1 and `shape` is that of `y[..., None]`."""
    plain = positions.args[0] if positions.op == "cast" else positions
    fits = plain.op == "iota" and shape == (*y.shape, 1) and y.dtype in ("int32", "int64")
    return plain.attrs["size"] if fits else None


@computed
def picked_by_comparison(node: Expr, y: Expr, positions: Expr, shape: Shape, v: Expr) -> Expr | None:
    """As `picked_by_one_hot`, where the choice is written as a comparison."""
    classes = compared_classes(y, positions, shape)
    return None if classes is None else pick(node, y, v, classes)


@computed
def repeated_in_rows(s: Expr, node: Expr) -> bool:
    """Whether `s` has one value for each row (last axis) of `node`."""
    return not s.shape or s.shape[-1] == 1 or len(node.shape) == 0


@computed
def type_of(x: Expr) -> str:
    return x.dtype


@computed
def rows_of_identity(value: Any, y: Expr) -> Expr | None:
    """Rows of an identity matrix are one-hot vectors."""
    if not isinstance(value, ArrayValue) or value.array.ndim != 2 or value.array.shape[0] > 4096:
        return None
    array = value.array
    n, m = array.shape
    if n != m or n < 2 or int((array != 0).sum()) != n or not (array.diagonal() == 1).all():
        return None
    return make(lookup("one_hot"), (y,), {"classes": n, "dtype": array.dtype.name})


@computed
def within_rank(axes: Axes, y: Expr) -> bool:
    return axes[-1] < len(y.shape)


@computed
def is_int64(y: Expr) -> bool:
    return y.dtype == "int64"


@computed
def all_zero(x: Expr) -> bool:
    while x.op == "broadcast_to":
        x = x.args[0]
    return x.op == "constant" and not x.shape and x.attrs["value"] == 0


@computed
def gathered_before_repeating(node: Expr, x: Expr, index: tuple[Expr, ...], axes: Axes) -> Expr | None:
    """A gather from `broadcast_to(x, …)`: positions along repeated axes do not matter."""
    whole = node.args[0].shape
    full = (1,) * (len(whole) - len(x.shape)) + x.shape
    gone = [a for a in axes if full[a] == 1 and whole[a] != 1]
    if not gone:
        return None
    left = [a for a in range(len(whole)) if a not in gone]
    source = reshaped(x, tuple(full[a] for a in left))
    kept = [(left.index(a), i) for a, i in zip(axes, index, strict=True) if a not in gone]
    picked = make_gather(source, [a for a, _ in kept], [i for _, i in kept]) if kept else source
    lead = len(dims.broadcast(*(i.shape for i in index)))
    own = len(dims.broadcast(*(i.shape for _, i in kept))) if kept else 0
    return reshaped(picked, (1,) * (lead - own) + picked.shape)


@computed
def gathered_in_order(x: Expr, index: tuple[Expr, ...], axes: Axes) -> Expr | None:
    """`x` with the one indexed axis in front, when its positions are 0, 1, 2, … to the end."""
    if len(axes) != 1 or index[0].op != "iota" or index[0].shape != (x.shape[axes[0]],):
        return None
    order = (*axes, *(axis for axis in range(len(x.shape)) if axis not in axes))
    return x if axes == (0,) else make(lookup("transpose"), (x,), {"axes": order})


@computed
def one_of_each_row(x: Expr, index: tuple[Expr, ...], axes: Axes, reduced: Axes) -> bool:
    """Whether a gather takes one element of each row along the one `reduced` axis, in the order of the rows."""
    if len(reduced) != 1 or len(axes) != len(x.shape):
        return False
    rows = without_axes(x.shape, reduced)
    if dims.broadcast(*(i.shape for i in index)) != rows:
        return False
    counting = [counts_along(i, rows) for axis, i in zip(axes, index, strict=True) if axis not in reduced]
    return counting == list(range(len(rows)))


@computed
def keeps_axes(node: Expr, x: Expr, axes: Axes) -> bool:
    """Whether a difference has the shape of a reduction of `x` over `axes` that keeps them."""
    return node.shape == kept_shape(x.shape, axes)


RULES = [
    rule("picked-log-share", gather(x, index, axes=A) - logsumexp(x, axes=B, keepdims=False),
         gather(log_softmax(x, axis=only(B)), index, axes=A), kind=stabilising,
         condition=one_of_each_row(x, index, A, B), in_chains=True,
         reason="a logit minus the log-sum-exp of its row is its log softmax, taken before large numbers are rounded"),
    rule("log-share-picked", logsumexp(x, axes=B, keepdims=False) - gather(x, index, axes=A),
         -gather(log_softmax(x, axis=only(B)), index, axes=A), kind=stabilising,
         condition=one_of_each_row(x, index, A, B), in_chains=True,
         reason="a logit minus the log-sum-exp of its row is its log softmax, taken before large numbers are rounded"),
    rule("picked-log-share-kept", reshape(gather(x, index, axes=A), shape=S) - logsumexp(x, axes=B, keepdims=True),
         reshape(gather(log_softmax(x, axis=only(B)), index, axes=A), shape=S), kind=stabilising,
         condition=(one_of_each_row(x, index, A, B), keeps_axes(this, x, B)), in_chains=True,
         reason="a logit minus the log-sum-exp of its row is its log softmax, taken before large numbers are rounded"),
    rule("log-share-picked-kept", logsumexp(x, axes=B, keepdims=True) - reshape(gather(x, index, axes=A), shape=S),
         -reshape(gather(log_softmax(x, axis=only(B)), index, axes=A), shape=S), kind=stabilising,
         condition=(one_of_each_row(x, index, A, B), keeps_axes(this, x, B)), in_chains=True,
         reason="a logit minus the log-sum-exp of its row is its log softmax, taken before large numbers are rounded"),
    rule("gather-in-order", gather(x, index, axes=A), gathered_in_order(x, index, A),
         reason="the elements at all positions in order are the array itself"),
    rule("gather-from-repeated", gather(broadcast_to(x), index, axes=A), gathered_before_repeating(this, x, index, A),
         reason="positions along axes that repeat the same values do not matter", assumption="every index is in range"),
    rule("gather-of-negative", gather(-x, index, axes=A), -gather(x, index, axes=A),
         reason="a sign does not care where elements are"),
    rule("gather-unit-axes", gather(x, index, axes=A), gathered_squeezed(this, x, index, A),
         reason="axes of size 1 in the positions can be added afterwards"),
    rule("scatter-unit-axes", scatter_add(u, index, axes=A, shape=S), scattered_squeezed(this, u, index, A, S),
         reason="axes of size 1 in the positions do not change where the values go"),
    rule("scatter-one-a-row", scatter_add(u, index, axes=A, shape=S), scattered_one_hot(u, index, A, S),
         reason="one value goes into each row, so the row is that value times a one-hot vector",
         assumption="every index is a class"),
    rule("scatter-zeros", scatter_add(u, index), 0, condition=all_zero(u), reason="adding zeros changes nothing"),
    rule("one-hot-selects", sum_(one_hot(y, classes=C) * v), picked_by_one_hot(this, y, v, C),
         reason="only the term of the index survives in the sum",
         assumption="every index is a class (checked at run time)"),
    rule("one-hot-squared", square(one_hot(y, classes=C, dtype=D)), one_hot(y, classes=C, dtype=D),
         reason="0 and 1 are their own squares"),
    rule("one-hot-by-comparison", cast(equal(reshape(y, shape=S), x), dtype=D), one_hot_of_comparison(y, x, D, S),
         reason="1 where the class is the index, else 0"),
    rule("one-hot-by-choice", where(equal(reshape(y, shape=S), x), v, 0),
         one_hot_of_comparison(y, x, type_of(v), S) * v, condition=repeated_in_rows(v, this),
         reason="the value where the class is the index, else 0"),
    rule("choice-selects", sum_(where(equal(reshape(y, shape=S), x), v, 0)), picked_by_comparison(this, y, x, S, v),
         reason="only the term of the index survives in the sum",
         assumption="every index is a class (checked at run time)"),
    rule("gather-of-one-hot", gather(one_hot(y, classes=C, dtype=D), index, axes=A),
         one_hot(gather(y, index, axes=A), classes=C, dtype=D), condition=within_rank(A, y),
         reason="rows of one-hot vectors are the one-hot vectors of rows"),
    rule("position-of-position", gather(iota(), y, axes=(0,)), y, condition=is_int64(y),
         assumption="every index is in range", reason="the element at position i of 0, 1, 2, … is i"),
    rule("one-hot-cast", cast(one_hot(y, classes=C), dtype=D), one_hot(y, classes=C, dtype=D),
         reason="0 and 1 are the same in every type"),
    rule("row-of-identity", gather(constant(value=V), y, axes=(0,)), rows_of_identity(V, y),
         reason="row i of an identity matrix is the one-hot vector of i"),
]  # fmt: skip
