"""Computed parts of rules that are about axes and shapes. All return None where they have no value."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.leaves import dim as dim_node
from symnet.ops.leaves import number
from symnet.simplify.pattern import computed

Axes = tuple[int, ...]


def reshaped(x: Expr, shape: Shape) -> Expr:
    while x.op == "reshape" and x.shape != shape:
        x = x.args[0]
    return x if x.shape == shape else make(lookup("reshape"), (x,), {"shape": shape})


def without_axes(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(dim for i, dim in enumerate(shape) if i not in axes)


def kept_shape(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(1 if i in axes else dim for i, dim in enumerate(shape))


# --- conditions --------------------------------------------------------------------------------------------------


@computed
def same_shape(x: Expr, y: Expr) -> bool:
    return x.shape == y.shape


@computed
def has_shape(x: Expr, shape: Shape) -> bool:
    return x.shape == shape


@computed
def has_dtype(x: Expr, dtype: str) -> bool:
    return x.dtype == dtype


@computed
def covers_all(axes: Axes, x: Expr) -> bool:
    """Whether these are all axes of `x`."""
    return len(axes) == len(x.shape)


@computed
def unit_axes(axes: Axes, x: Expr) -> bool:
    """Whether `x` has size 1 along all these axes."""
    return all(x.shape[a] == 1 for a in axes)


@computed
def constant_along(s: Expr, axes: Axes, x: Expr) -> bool:
    """Whether `s`, broadcast to the shape of `x`, has the same value everywhere along `axes`."""
    missing = len(x.shape) - len(s.shape)
    return missing >= 0 and all(a < missing or s.shape[a - missing] == 1 for a in axes)


@computed
def lines_up(axes: Axes, keepdims: bool) -> bool:
    """Whether a reduction over `axes` broadcasts back to where it came from."""
    return keepdims or axes == tuple(range(len(axes)))


@computed
def is_axis(axes: Axes, axis: int) -> bool:
    return axes == (axis,)


@computed
def is_count(d: Expr, x: Expr, axes: Axes) -> bool:
    """Whether `d` is the number of elements of `x` along `axes`."""
    count = dims.product(x.shape[a] for a in axes)
    if d.op == "constant":
        return not d.shape and d.attrs["value"] == count and count != 0
    while d.op == "cast":
        d = d.args[0]
    return d.op == "dim" and d.attrs["size"] == count


@computed
def is_squeezed(w: Expr, m: Expr, axes: Axes, keepdims: bool, x: Expr) -> bool:
    """Whether `w` is `m`, constant along the `axes` of `x`, as it meets a reduction of `x` over them."""
    if keepdims or w is m:
        return w is m
    if w.op == "reshape" and w.args[0] is m:
        return w.shape == _squeezed(m, axes, x).shape
    if m.op == "stop_gradient":
        return w.op == "stop_gradient" and w.args[0] is _squeezed(m.args[0], axes, x)
    return w is _squeezed(m, axes, x)


# --- values ------------------------------------------------------------------------------------------------------


@computed
def only(axes: Axes) -> int | None:
    """The one axis of `axes`."""
    return axes[0] if len(axes) == 1 else None


@computed
def single(axis: int) -> Axes:
    return (axis,)


@computed
def compose(first: Axes, second: Axes) -> Axes:
    """The permutation that does `first`, then `second`."""
    return tuple(first[a] for a in second)


@computed
def shape_of(x: Expr) -> Shape:
    return x.shape


@computed
def count_along(x: Expr, axes: Axes) -> Expr:
    """The number of elements along `axes`, as a value of the type of `x`."""
    return count_of([x.shape[a] for a in axes], x.dtype)


def count_of(sizes: Sequence[Dim], dtype: str) -> Expr:
    count = dims.product(sizes)
    return number(count, dtype) if isinstance(count, int) else dim_node(count, dtype)


@computed
def squeezed(s: Expr, axes: Axes, keepdims: bool, x: Expr) -> Expr:
    """`s`, constant along the `axes` of `x`, as it meets a reduction of `x` over them."""
    return s if keepdims else _squeezed(s, axes, x)


def _squeezed(s: Expr, axes: Axes, x: Expr) -> Expr:
    missing = len(x.shape) - len(s.shape)
    shape = tuple(dim for i, dim in enumerate(s.shape, missing) if i not in axes)
    if shape == s.shape:
        return s
    if s.attrs.get("keepdims") and "axes" in s.attrs and s.attrs["axes"] == tuple(a - missing for a in axes):
        return make(s.declaration, s.args, {**s.attrs, "keepdims": False})
    return reshaped(s, shape)


@computed
def merged_axes(inner: Axes, inner_keepdims: bool, outer: Axes, x: Expr) -> Axes:
    """The axes of `x` that reducing over `inner` and then over `outer` (of the result) reduces."""
    left = range(len(x.shape)) if inner_keepdims else [a for a in range(len(x.shape)) if a not in inner]
    return tuple(sorted({*inner, *(list(left)[a] for a in outer)}))


@computed
def moved_axes(permutation: Axes, axes: Axes) -> Axes:
    """Where the `axes` of a transposed array come from, sorted."""
    return tuple(sorted(permutation[a] for a in axes))


@computed
def left_order(permutation: Axes, axes: Axes, keepdims: bool) -> Axes:
    """How to permute what is left after reducing before the transposition instead of after it."""
    if keepdims:
        return permutation
    kept = [p for a, p in enumerate(permutation) if a not in axes]
    return tuple(sorted(kept).index(p) for p in kept)


@computed
def moves_units_only(permutation: Axes, x: Expr) -> bool:
    """Whether the axes that are longer than 1 stay in order."""
    return all(a < b for a, b in pairwise(p for p in permutation if x.shape[p] != 1))


def axes_summed(spec: str) -> Axes | None:
    """The axes over which a contraction "ab,ab->a" sums the products of equal elements; None for any other."""
    operands, kept = spec.split("->")
    first, second = operands.split(",")
    if first != second or len(set(first)) < len(first) or [a for a in first if a in kept] != list(kept):
        return None
    return tuple(axis for axis, letter in enumerate(first) if letter not in kept) or None


summed_axes = computed(axes_summed)


@computed
def axes_before_reshape(x: Expr, shape: Shape, axes: Axes) -> Axes | None:
    """The axes of `x` whose reduction is that of `axes` of `reshape(x, shape)`; None when they do not correspond."""
    found: list[int] = []
    for old, new in blocks(x.shape, shape) or [([], list(axes))]:
        inside = [a in axes for a in new if shape[a] != 1]
        if any(inside):
            if not all(inside) or not old:
                return None
            found.extend(old)
    return tuple(found)


def blocks(old: Shape, new: Shape) -> list[tuple[list[int], list[int]]] | None:
    """Shortest runs of axes of equal product, in order: `[6, 5]` and `[2, 3, 5]` give `([0], [0, 1]), ([1], [2])`."""
    result: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        left, right = ([i], old[i]) if i < len(old) else ([], 1), ([j], new[j]) if j < len(new) else ([], 1)
        (a, p), (b, q) = (list(left[0]), left[1]), (list(right[0]), right[1])
        i, j = i + len(a), j + len(b)
        if p != q and p == 1:
            result.append((a, []))
            j -= len(b)
            continue
        if p != q and q == 1:
            result.append(([], b))
            i -= len(a)
            continue
        while p != q:
            grow_left = j >= len(new) or (i < len(old) and _smaller(p, q))
            if grow_left and i < len(old):
                a.append(i)
                p, i = dims.mul(p, old[i]), i + 1
            elif j < len(new):
                b.append(j)
                q, j = dims.mul(q, new[j]), j + 1
            else:
                return None
        result.append((a, b))
    return result


def _smaller(p: Dim, q: Dim) -> bool:
    if isinstance(p, int) and isinstance(q, int):
        return p < q
    return dims.divide(q, p) is not None
