"""What an expression can do by itself: operators, indexing, methods with NumPy's names. Attached to Expr on import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np

from symnet.errors import DTypeError, IndexOutOfRange, ShapeError
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.ops import arrange, composite, diagonals, index, products, reduce, scalar, shape
from symnet.ops.coerce import to_expr
from symnet.ops.leaves import Operand
from symnet.ops.shape import reshape, take_slice, transpose

__all__ = ["getitem"]

# --- operators ---------------------------------------------------------------------------------------------------


def _power(x: Operand, p: Any) -> Expr:
    """`x ** p`; the square has an operation of its own."""
    return scalar.square(x) if isinstance(p, (int, float)) and p == 2 else scalar.power(x, p)


def _logical(symbol: str, function: Callable[..., Expr]) -> Callable[..., Expr]:
    """The operator on conditions; on anything else it would mean the bits of integers."""

    def apply(*values: Operand) -> Expr:
        for value in values:
            dtype = to_expr(value, symbol).dtype
            if dtype != "bool":
                raise DTypeError(
                    f"{symbol} combines conditions, got {dtype}: expected bool (write a comparison in brackets; "
                    "operations on the bits of integers are not supported)"
                )
        return function(*values)

    return apply


_BINARY: dict[str, Callable[[Any, Any], Expr]] = {
    "add": scalar.add,
    "sub": scalar.subtract,
    "mul": scalar.multiply,
    "truediv": scalar.divide,
    "floordiv": scalar.floor_divide,
    "mod": scalar.mod,
    "pow": _power,
    "matmul": products.matmul,
    "and": _logical("&", scalar.logical_and),
    "or": _logical("|", scalar.logical_or),
    "xor": _logical("^", scalar.not_equal),
}
_COMPARISONS: dict[str, Callable[[Any, Any], Expr]] = {
    "eq": scalar.equal,
    "ne": scalar.not_equal,
    "lt": scalar.less,
    "le": scalar.less_equal,
    "gt": scalar.greater,
    "ge": scalar.greater_equal,
}
_UNARY: dict[str, Callable[[Any], Expr]] = {
    "neg": scalar.negative,
    "pos": lambda x: x,
    "abs": scalar.absolute,
    "invert": _logical("~", scalar.logical_not),
}

# --- indexing ----------------------------------------------------------------------------------------------------


def getitem(x: Expr, key: Any) -> Expr:
    """`x[key]` as NumPy means it: integers, slices, None, Ellipsis, arrays of integers and integer expressions."""
    entries = _expand_ellipsis(x, key if isinstance(key, tuple) else (key,))
    start: list[Dim] = []
    step: list[int] = []
    size: list[Dim] = []
    layout: list[str] = []  # for each axis of the sliced array: kept, dropped, indexed; and new axes between them
    arrays: list[tuple[int, Operand]] = []
    axis = 0
    for entry in entries:
        if entry is None:
            layout.append("new")
            continue
        length = x.shape[axis]
        if isinstance(entry, slice):
            first, stride, count = _slice(entry, length, axis)
            layout.append("kept")
        elif _is_integer(entry):
            first, stride, count = _position(int(entry), length, axis), 1, 1
            layout.append("dropped")
        else:
            first, stride, count = 0, 1, length
            arrays.append((axis, _index_array(entry)))
            layout.append("indexed")
        start.append(first)
        step.append(stride)
        size.append(count)
        axis += 1
    sliced = take_slice(x, start, step, size)
    if not arrays:
        kept = [d for d, what in _axes_with(layout, size) if what != "dropped"]
        return reshape(sliced, tuple(kept))
    return _advanced(sliced, layout, arrays)


def _axes_with(layout: Sequence[str], size: Sequence[Dim]) -> list[tuple[Dim, str]]:
    """Each entry of the layout with the size of its axis; a new axis has size 1."""
    sizes = iter(size)
    return [(1 if what == "new" else next(sizes), what) for what in layout]


def _advanced(sliced: Expr, layout: Sequence[str], arrays: Sequence[tuple[int, Operand]]) -> Expr:
    """Arrays of positions: their common shape stands where they stood if they are adjacent, else first, as in NumPy."""
    axes = [axis for axis, _ in arrays]
    indices = [index.positions("indexing", value, sliced.shape[axis]) for axis, value in arrays]
    # An integer beside arrays of positions counts as one of them in NumPy: it must not lie between them.
    spots = [i for i, what in enumerate(layout) if what in ("indexed", "dropped")]
    adjacent = spots == list(range(spots[0], spots[-1] + 1))
    gathered = index.gather(sliced, axes, indices)
    common = dims.broadcast(*(i.shape for i in indices))
    rest = [(d, what) for d, what in _axes_with(layout, sliced.shape) if what != "indexed"]
    kept = tuple(d for d, what in rest if what != "dropped")
    result = reshape(gathered, (*common, *kept))
    if not adjacent:
        return result
    before = len([what for what in layout[: spots[0]] if what != "dropped"])
    front = list(range(len(common), len(common) + before))
    return transpose(result, [*front, *range(len(common)), *range(len(common) + before, result.ndim)])


def _expand_ellipsis(x: Expr, key: tuple[Any, ...]) -> list[Any]:
    entries = list(key)
    dots = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    if len(dots) > 1:
        raise ShapeError("indexing: more than one '...'")
    used = len([entry for entry in entries if entry is not None and entry is not Ellipsis])
    if used > x.ndim:
        raise IndexOutOfRange(f"indexing: {used} positions for an array of {x.ndim} axes {dims.show(x.shape)}")
    missing = [slice(None)] * (x.ndim - used)
    where_to = dots[0] if dots else len(entries)
    return [*entries[:where_to], *missing, *entries[where_to + 1 :]]


def _is_integer(entry: object) -> bool:
    return isinstance(entry, (int, np.integer)) and not isinstance(entry, bool)


def _index_array(entry: Any) -> Operand:
    if isinstance(entry, list):
        return np.asarray(entry, None if entry else np.int64)
    if isinstance(entry, (Expr, np.ndarray)):
        return entry
    if hasattr(entry, "__array__") and not isinstance(entry, (bool, np.bool_, float)):
        return np.asarray(entry)
    raise DTypeError(
        f"indexing: got {type(entry).__name__}, expected integers, slices, None, '...' or arrays of integers "
        "(sn.where(mask, x, 0) takes the place of a boolean mask)"
    )


def _position(position: int, length: Dim, axis: int) -> Dim:
    if isinstance(length, int) and not -length <= position < length:
        raise IndexOutOfRange(f"indexing: position {position} is outside axis {axis} of size {length}")
    return dims.add(length, position) if position < 0 else position


def _slice(entry: slice, length: Dim, axis: int) -> tuple[Dim, int, Dim]:
    """First position, step and number of positions of a slice."""
    stride = 1 if entry.step is None else entry.step
    if not _is_integer(stride) or stride == 0:
        raise DTypeError(f"indexing: the step {stride!r} along axis {axis} is not an integer other than 0")
    for bound in (entry.start, entry.stop):
        if bound is not None and not _is_integer(bound) and not isinstance(bound, str):
            raise DTypeError(f"indexing: the bound {bound!r} along axis {axis} is not an integer or a dimension")
    if isinstance(length, int) and not isinstance(entry.start, str) and not isinstance(entry.stop, str):
        positions = range(length)[entry]
        return (positions.start if len(positions) else 0), stride, len(positions)
    low = _bound(entry.start, length, 0 if stride > 0 else dims.sub(length, 1))
    high = _bound(entry.stop, length, length if stride > 0 else -1)
    span = dims.sub(high, low) if stride > 0 else dims.sub(low, high)
    return low, int(stride), _count(span, abs(stride), axis)


def _bound(bound: int | str | None, length: Dim, default: Dim) -> Dim:
    if bound is None:
        return default
    if isinstance(bound, str):
        return dims.canonical(bound)
    return dims.add(length, int(bound)) if bound < 0 else int(bound)


def _count(span: Dim, stride: int, axis: int) -> Dim:
    if isinstance(span, int):
        return max(-(-span // stride), 0)
    count = dims.divide(span, stride) if stride > 1 else span
    if count is None:
        raise ShapeError(
            f"indexing: {span} positions of axis {axis} with a step of {stride} are no whole number for every size; "
            "give the axis a fixed size, or one that the step divides (such as '2*N')"
        )
    return count


# --- methods -----------------------------------------------------------------------------------------------------


def _size(x: Expr) -> Dim:
    """The number of elements, as a dimension."""
    return dims.product(x.shape)


def _transpose_method(x: Expr, *axes: Any) -> Expr:
    """`x.transpose()`, `x.transpose(1, 0)` and `x.transpose((1, 0))`."""
    order = axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes
    return transpose(x, order or None)


_METHODS: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(reduce, name)
        for name in ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin", "cumsum")
    },
    **{name: getattr(composite, name) for name in ("mean", "var", "std", "softmax", "log_softmax", "logsumexp")},
    **{name: getattr(scalar, name) for name in ("exp", "log", "sqrt", "tanh", "sigmoid", "relu", "clip", "round")},
    **{name: getattr(arrange, name) for name in ("squeeze", "swapaxes", "ravel", "repeat")},
    "__getitem__": getitem,
    "reshape": shape.reshape,
    "flatten": arrange.ravel,
    "transpose": _transpose_method,
    "broadcast_to": shape.broadcast_to,
    "astype": scalar.cast,
    "take": index.take,
    "diagonal": diagonals.diagonal,
    "trace": products.trace,
    "dot": products.dot,
}
_PROPERTIES: dict[str, Callable[..., Any]] = {"T": transpose, "mT": arrange.matrix_transpose, "size": _size}


def _attach() -> None:
    for name, function in _BINARY.items():
        _set(f"__{name}__", function)
        _set(f"__r{name}__", _swapped(function))
    for name, comparison in _COMPARISONS.items():
        _set(f"__{name}__", comparison)
    for name, unary in _UNARY.items():
        _set(f"__{name}__", unary)
    for name, method in _METHODS.items():
        _set(name, method)
    for name, getter in _PROPERTIES.items():
        setattr(Expr, name, property(getter))


def _swapped(function: Callable[[Any, Any], Expr]) -> Callable[[Any, Any], Expr]:
    return lambda x, y: function(y, x)


def _set(name: str, function: Callable[..., Any]) -> None:
    """Attaches a plain function, which a class binds; operations are callable objects, which it would not."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    setattr(Expr, name, update_wrapper(method, function, assigned=("__doc__", "__name__"), updated=()))


_attach()
