"""What the functions in formulas mean, in NumPy: tables for `read.py`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import UnknownName, UsageError
from symnet.explain.alignment import squeezed, visible
from symnet.explain.grammar import Tree, dimension, extent
from symnet.explain.identifiers import POSITIONS, letters
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape

if TYPE_CHECKING:
    from symnet.explain.read import Reader


@dataclass(frozen=True)
class Array:
    """A value with its shape in sizes and named dimensions; axes over which it was summed are there with size 1.

    `row` marks the transpose of a vector.
    """

    value: np.ndarray
    shape: Shape
    row: bool = False


@dataclass(frozen=True)
class Lazy:
    """A value whose size is not written: positions along an axis, one-hot vectors. It follows from what it meets."""

    what: str
    resolve: Callable[[Shape], Array]


Operand = Array | Lazy


# --- functions of each element -----------------------------------------------------------------------------------


def scalar_function(name: str) -> Callable[..., Any]:
    """The function of this name, element by element: one of these, else that of the scalar operation so written."""
    if name in _SCALAR:
        return _SCALAR[name]
    from symnet.expr.op import REGISTRY

    for op in REGISTRY.values():
        if op.kind == "scalar" and (op.notation or op.name) == name:
            return _meaning(op.name)
    raise UnknownName(f"the formula has the function {name}, which means nothing here")


def _meaning(op: str) -> Callable[..., Any]:
    """A scalar operation in float64, by its definition."""

    def function(*values: Any) -> Any:
        from symnet.expr.node import make
        from symnet.expr.op import lookup
        from symnet.ops.interpret import evaluate
        from symnet.ops.leaves import input

        arrays = [np.asarray(value, np.float64) for value in np.broadcast_arrays(*values)]
        operands = [input(f"x{i}", array.shape, "float64") for i, array in enumerate(arrays)]
        node = make(lookup(op), operands, {})
        return evaluate(node, {f"x{i}": array for i, array in enumerate(arrays)})

    return function


def _sigmoid(x: Any) -> Any:
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def _huber(x: Any, limit: Any = 1.0) -> Any:
    return np.where(np.abs(x) <= limit, x * x / 2, limit * (np.abs(x) - limit / 2))


_erf = np.vectorize(math.erf, otypes=[float])

_SCALAR: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "log": np.log, "expm1": np.expm1, "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "tanh": np.tanh, "sinh": np.sinh, "cosh": np.cosh, "sign": np.sign, "round": np.round, "trunc": np.trunc,
    "σ": _sigmoid, "logσ": lambda x: -np.logaddexp(0, -x), "softplus": lambda x: np.logaddexp(0, x),
    "relu": lambda x: np.maximum(x, 0), "erf": _erf, "gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "silu": lambda x: x * _sigmoid(x), "where": np.where, "not": np.logical_not, "isnan": np.isnan,
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high), "stop": lambda x: x, "huber": _huber,
    "logcosh": lambda x: np.logaddexp(x, -x) - math.log(2), "max": np.maximum, "min": np.minimum,
    "cond": lambda condition, one, other: np.where(condition, one, other),
}  # fmt: skip


# --- functions along axes ----------------------------------------------------------------------------------------


def _over(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction of NumPy over one axis, for several: they are put together first."""

    def apply(x: np.ndarray, axis: Sequence[int], keepdims: bool) -> np.ndarray:
        rest = [i for i in range(x.ndim) if i not in axis]
        moved = x.transpose([*rest, *axis]).reshape(*(x.shape[i] for i in rest), -1)
        found = np.asarray(function(moved, axis=-1))
        return found.reshape([1 if i in axis else size for i, size in enumerate(x.shape)])

    return apply


def _logsumexp(x: np.ndarray, axis: Sequence[int], keepdims: bool) -> np.ndarray:
    top = np.max(x, axis=tuple(axis), keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    return np.asarray(np.log(np.sum(np.exp(x - top), axis=tuple(axis), keepdims=True)) + top)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "mean": np.mean, "var": np.var, "max": np.max, "min": np.min, "any": np.any, "all": np.all,
    "argmax": _over(np.argmax), "argmin": _over(np.argmin), "logsumexp": _logsumexp,
    "norm": lambda x, axis, keepdims: np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims)),
}  # fmt: skip


def _axis(array: Array, subscript: str) -> int:
    """The axis with this letter; the last one without."""
    return letters(array.shape).index(subscript) if subscript else visible(array.shape)[-1]


def _softmax(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    x = reader.array(arguments[0])
    axis = _axis(x, subscript) if squeezed(x.shape) else 0
    if not squeezed(x.shape):
        return Array(np.ones_like(x.value), x.shape)
    powers = np.exp(x.value - _finite(np.max(x.value, axis=axis, keepdims=True)))
    total = np.sum(powers, axis=axis, keepdims=True)
    return Array(powers / np.where(total > 0, total, 1), x.shape)


def _finite(top: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(top), top, 0)


def _log_softmax(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    x = reader.array(arguments[0])
    axis = (_axis(x, subscript),)
    return Array(x.value - _logsumexp(x.value, axis, True), x.shape)


def _cumsum(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    x = reader.array(arguments[0])
    return Array(np.cumsum(x.value, axis=_axis(x, subscript)), x.shape)


def _reversed_cumsum(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    x = reader.array(arguments[0])
    axis = _axis(x, subscript)
    return Array(np.flip(np.cumsum(np.flip(x.value, axis), axis=axis), axis), x.shape)


def _concat(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    """concatⱼ(a, b); a part without an axis that the others have is one element along it."""
    parts = [reader.squeeze(reader.array(argument)) for argument in arguments]
    rank = max(len(part.shape) for part in parts)
    axis = _common_axis(parts, subscript, rank)
    parts = [part if len(part.shape) == rank else _with_axis(part, axis) for part in parts]
    shape = list(parts[0].shape)
    shape[axis] = _total([part.shape[axis] for part in parts])
    return Array(np.concatenate([part.value for part in parts], axis=axis), tuple(shape))


def _stack(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    """stackⱼ(a, b): a and b side by side along a new axis j."""
    parts = [reader.squeeze(reader.array(argument)) for argument in arguments]
    axis = POSITIONS.index(subscript) if subscript else len(parts[0].shape)
    whole = np.stack([part.value for part in parts], axis=axis)
    return Array(whole, (*parts[0].shape[:axis], len(parts), *parts[0].shape[axis:]))


def _with_axis(part: Array, axis: int) -> Array:
    return Array(np.expand_dims(part.value, axis), (*part.shape[:axis], 1, *part.shape[axis:]))


def _common_axis(parts: Sequence[Array], subscript: str, rank: int) -> int:
    if not subscript:
        return rank - 1
    for part in parts:
        if subscript in letters(part.shape) and len(part.shape) == rank:
            return letters(part.shape).index(subscript)
    return POSITIONS.index(subscript)


def _total(sizes: Sequence[Dim]) -> Dim:
    total: Dim = 0
    for size in sizes:
        total = dims.add(total, size)
    return total


# --- shapes and places -------------------------------------------------------------------------------------------


def _reshape(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    x, shape = reader.array(arguments[0]), _shape(arguments[1])
    return Array(x.value.reshape(dims.evaluate_shape(shape, reader.sizes)), shape)


def _repeat(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    return reader.conform(reader.evaluate(arguments[0]), _shape(arguments[1]))


def _shape(tree: Tree) -> Shape:
    if tree.kind == "extent":
        return extent(tree.text(0))
    if tree.kind in ("name", "number"):
        return extent(tree.text(0))
    return (dimension(_plain(tree)),)


def _plain(tree: Tree) -> str:
    """A size as text: products and sums of named dimensions."""
    if tree.kind == "times":
        return f"{_plain(tree.tree(0))}*{_plain(tree.tree(1))}"
    if tree.kind == "sum":
        return " ".join(part if isinstance(part, str) else _plain(part) for part in tree.parts if isinstance(part, (str, Tree)))
    return tree.text(0)


def _range(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    (size,) = _shape(arguments[0])
    return Array(np.arange(dims.evaluate(size, reader.sizes)), (size,))


def _pad(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    """pad(x, 7×5[1:6:2, :]): an array of this shape with x in these places and 0, or a third argument, elsewhere."""
    x, target = reader.array(arguments[0]), arguments[1]
    shape = extent(target.text(0))
    fill = reader.array(arguments[2]).value if len(arguments) > 2 else 0.0
    result = np.full(dims.evaluate_shape(shape, reader.sizes), fill, np.float64)
    places = tuple(reader.places(part, size) for part, size in zip(target.trees(), shape, strict=False))
    result[places] = x.value.reshape(result[places].shape)
    return Array(result, shape)


def _scatter(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    """scatter(u, 7×5[:, y]): zeros of this shape, to which u is added at these places; u has the axes of y first."""
    u, target = reader.array(arguments[0]), arguments[1]
    shape = extent(target.text(0))
    result = np.zeros(dims.evaluate_shape(shape, reader.sizes))
    axes = [axis for axis, part in enumerate(target.trees()) if part.kind != "range"]
    indices = [reader.array(part) for part in target.trees() if part.kind != "range"]
    places = np.broadcast_arrays(*(one.value.astype(int) for one in indices))
    np.add.at(np.moveaxis(result, axes, range(len(axes))), tuple(places), u.value)
    return Array(result, shape)


def _one_hot(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    """onehot₅(y) has 5 classes; without a number as many as what it meets has in its last axis."""
    y = reader.array(arguments[0])

    def of(classes: Dim) -> Array:
        own = np.eye(dims.evaluate(classes, reader.sizes))
        known = (y.value >= 0) & (y.value < len(own))
        picked = own[np.where(known, y.value, 0).astype(int)]
        return Array(np.where(known[..., None], picked, 0), (*y.shape, classes))

    return of(dimension(subscript)) if subscript else Lazy("onehot", lambda shape: of(shape[-1]))


def _dropout(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    """dropout(x, p, ξ): 0 where the bits ξ, as a number in [0, 2³²), are below p 2³², and x / (1 − p) elsewhere."""
    p = float(reader.array(arguments[1]).value)
    return reader.elementwise(
        lambda x, bits: np.where(np.asarray(bits).astype(np.uint32) < p * 2**32, 0, x / (1 - p)),
        reader.evaluate(arguments[0]), reader.evaluate(arguments[2]),
    )  # fmt: skip


# --- matrices ----------------------------------------------------------------------------------------------------


def _matrix(function: Callable[[np.ndarray], Any], drops: int = 0) -> Callable[..., Operand]:
    """A function of the last two axes, of which it drops some."""

    def apply(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
        x = reader.squeeze(reader.array(arguments[0]))
        return Array(np.asarray(function(x.value)), x.shape[: len(x.shape) - drops])

    return apply


def _triangle(function: Callable[..., Any]) -> Callable[..., Operand]:
    """tril(x, k): what is below diagonal k, 0 without."""

    def apply(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
        x = reader.squeeze(reader.array(arguments[0]))
        k = int(reader.array(arguments[1]).value) if len(arguments) > 1 else 0
        return Array(function(x.value, k), x.shape)

    return apply


def _diag(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    """The diagonal of a matrix, and the matrix with a vector on its diagonal."""
    x = reader.squeeze(reader.array(arguments[0]))
    if len(x.shape) == 1:
        return Array(np.diag(x.value), (*x.shape, *x.shape))
    return Array(np.diagonal(x.value, axis1=-2, axis2=-1), x.shape[:-1])


# --- windows -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """The subscript of a pool or a convolution: `sizes` of the windows and what the letters say."""

    sizes: tuple[int, ...]
    given: dict[str, tuple[Any, ...]]
    groups: bool

    def each(self, letter: str, rank: int, usual: Any) -> tuple[Any, ...]:
        values = self.given.get(letter, (usual,) if not isinstance(usual, tuple) else usual)
        return tuple(values) * rank if len(values) == 1 else tuple(values)


def settings(subscript: str) -> Settings:
    """2×2,s2,p1×0 as numbers."""
    sizes: tuple[int, ...] = ()
    given: dict[str, tuple[Any, ...]] = {}
    parts = [part for part in subscript.split(",") if part]
    for part in parts:
        if re.match(r"[spdnok]", part):
            given[part[0]] = tuple(dimension(value) if value[0] != "−" else -int(value[1:]) for value in part[1:].split("×"))
        elif part != "g":
            sizes = tuple(int(value) for value in part.split("×"))
    return Settings(sizes, given, "g" in parts)


def _places(count: int, size: int, stride: int, padding: int, dilation: int) -> np.ndarray:
    """The place of element k of window n, [n, k]."""
    return stride * np.arange(count)[:, None] + dilation * np.arange(size) - padding


def _count(extent: Dim, size: int, stride: int, padding: int, dilation: int, sizes: Mapping[str, int]) -> Dim:
    span = dims.sub(dims.add(extent, 2 * padding), dilation * (size - 1) + 1)
    if isinstance(span, int):
        return span // stride + 1
    whole = dims.divide(span, stride)
    if whole is None:
        return (dims.evaluate(span, sizes)) // stride + 1
    return dims.add(whole, 1)


def _view(x: Array, own: Settings, stride: Any, fill: float, sizes: Mapping[str, int]) -> tuple[np.ndarray, tuple[Dim, ...]]:
    """All windows over the last axes: [*lead, *counts, *sizes], and the counts."""
    rank = len(own.sizes)
    strides, pads, steps = own.each("s", rank, stride), own.each("p", rank, 0), own.each("d", rank, 1)
    extents = x.shape[len(x.shape) - rank :]
    usual = tuple(map(lambda e, k, s, p, d: _count(e, k, s, p, d, sizes), extents, own.sizes, strides, pads, steps))
    counts = own.each("n", rank, usual)
    lead = x.value.shape[: x.value.ndim - rank]
    numbers = tuple(dims.evaluate(count, sizes) for count in counts)
    places = [_places(*one) for one in zip(numbers, own.sizes, strides, pads, steps, strict=True)]
    result = np.full((*lead, *numbers, *own.sizes), fill, np.float64)
    for at in product(*(np.ndindex(*one.shape) for one in places)):
        source = tuple(int(one[index]) for one, index in zip(places, at, strict=True))
        if all(0 <= i < size for i, size in zip(source, x.value.shape[x.value.ndim - rank :], strict=True)):
            result[(..., *(i[0] for i in at), *(i[1] for i in at))] = x.value[(..., *source)]
    return result, tuple(counts)


def _pool(choice: str) -> Callable[..., Operand]:
    def apply(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
        x, own = reader.array(arguments[0]), settings(subscript)
        seen, counts = _view(x, own, own.sizes, -np.inf, reader.sizes)
        flat = seen.reshape(*seen.shape[: seen.ndim - len(own.sizes)], -1)
        value = flat.max(axis=-1) if choice == "max" else flat.argmax(axis=-1)
        return Array(value, (*x.shape[: len(x.shape) - len(own.sizes)], *counts))

    return apply


def _windows(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    x, own = reader.array(arguments[0]), settings(subscript)
    fill = float(reader.array(arguments[1]).value) if len(arguments) > 1 else 0.0
    seen, counts = _view(x, own, 1, fill, reader.sizes)
    return Array(seen, (*x.shape[: len(x.shape) - len(own.sizes)], *counts, *own.sizes))


def _overlap_add(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    g, own = reader.array(arguments[0]), settings(subscript)
    rank = len(own.sizes)
    return _added_up(g.value, g.shape[len(g.shape) - 2 * rank : -rank], g.shape[: -2 * rank], own, 1, reader.sizes)


def _unpool(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    g, chosen, own = reader.array(arguments[0]), reader.array(arguments[1]), settings(subscript)
    rank = len(own.sizes)
    spread = np.where(chosen.value[..., None] == np.arange(math.prod(own.sizes)), g.value[..., None], 0)
    spread = spread.reshape(*g.value.shape, *own.sizes)
    return _added_up(spread, g.shape[len(g.shape) - rank :], g.shape[:-rank], own, own.sizes, reader.sizes)


def _added_up(
    g: np.ndarray, counts: Shape, lead: Shape, own: Settings, stride: Any, sizes: Mapping[str, int]
) -> Array:
    """What windows hold, added up in the array that they lie in."""
    rank = len(own.sizes)
    strides, pads, steps = own.each("s", rank, stride), own.each("p", rank, 0), own.each("d", rank, 1)
    usual = tuple(
        dims.add(dims.mul(dims.sub(n, 1), s), d * (k - 1) + 1 - 2 * p)
        for n, k, s, p, d in zip(counts, own.sizes, strides, pads, steps, strict=True)
    )
    extents = own.each("o", rank, usual)
    numbers = dims.evaluate_shape(tuple(extents), sizes)
    places = [
        _places(dims.evaluate(n, sizes), *one) for n, *one in zip(counts, own.sizes, strides, pads, steps, strict=True)
    ]
    result = np.zeros((*dims.evaluate_shape(lead, sizes), *numbers))
    for at in product(*(np.ndindex(*one.shape) for one in places)):
        target = tuple(int(one[index]) for one, index in zip(places, at, strict=True))
        if all(0 <= i < size for i, size in zip(target, numbers, strict=True)):
            result[(..., *target)] += g[(..., *(i[0] for i in at), *(i[1] for i in at))]
    return Array(result, (*lead, *extents))


def windowed(sign: str, left: Array, right: Array, subscript: str, sizes: Mapping[str, int]) -> Array:
    """A convolution: x ∗ W, δ ∗ᵀ W, x ⋆ δ; images [n, (g,) c, …], kernels [(g,) o, c, …], maps [n, (g,) o, …]."""
    own = settings(subscript)
    if not own.groups:
        left = Array(left.value[:, None], (left.shape[0], 1, *left.shape[1:]))
        right_axis = 1 if sign == "⋆" else 0
        right = Array(
            np.expand_dims(right.value, right_axis), (*right.shape[:right_axis], 1, *right.shape[right_axis:])
        )
    rank = len(left.shape) - 3
    if len(right.shape) != len(left.shape):
        raise UsageError(f"{sign} joins {dims.show(left.shape)} and {dims.show(right.shape)}")
    result = _CONVOLUTIONS[sign](left, right, own, rank, sizes)
    if own.groups:
        return result
    axis = 0 if sign == "⋆" else 1
    return Array(result.value.squeeze(axis), (*result.shape[:axis], *result.shape[axis + 1 :]))


def _convolved(x: Array, w: Array, own: Settings, rank: int, sizes: Mapping[str, int]) -> Array:
    kernel = Settings(tuple(int(size) for size in w.shape[3:]), own.given, own.groups)
    seen, counts = _view(x, kernel, 1, 0.0, sizes)
    y, k = "uvw"[:rank], "xyz"[:rank]
    value = np.einsum(f"ngc{y}{k},goc{k}->ngo{y}", seen, w.value)
    return Array(value, (x.shape[0], w.shape[0], w.shape[1], *counts))


def _spread(d: Array, w: Array, own: Settings, rank: int, sizes: Mapping[str, int]) -> Array:
    y, k = "uvw"[:rank], "xyz"[:rank]
    held = np.einsum(f"ngo{y},goc{k}->ngc{y}{k}", d.value, w.value)
    kernel = Settings(tuple(int(size) for size in w.shape[3:]), own.given, own.groups)
    return _added_up(held, d.shape[3:], (d.shape[0], d.shape[1], w.shape[2]), kernel, 1, sizes)


def _correlated(x: Array, d: Array, own: Settings, rank: int, sizes: Mapping[str, int]) -> Array:
    strides, pads, steps = own.each("s", rank, 1), own.each("p", rank, 0), own.each("d", rank, 1)
    usual = []
    for extent, count, s, p, step in zip(x.shape[3:], d.shape[3:], strides, pads, steps, strict=True):
        span = dims.evaluate(extent, sizes) + 2 * p - s * (dims.evaluate(count, sizes) - 1) - 1
        usual.append(span // step + 1)
    kernel = Settings(own.each("k", rank, tuple(usual)), {**own.given, "n": d.shape[3:]}, own.groups)
    seen, _ = _view(x, kernel, 1, 0.0, sizes)
    y, k = "uvw"[:rank], "xyz"[:rank]
    value = np.einsum(f"ngc{y}{k},ngo{y}->goc{k}", seen, d.value)
    return Array(value, (x.shape[1], d.shape[2], x.shape[2], *kernel.sizes))


_CONVOLUTIONS = {"∗": _convolved, "∗ᵀ": _spread, "⋆": _correlated}

FUNCTIONS: dict[str, Callable[[Reader, str, Sequence[Tree]], Operand]] = {
    "softmax": _softmax, "logsoftmax": _log_softmax, "cumsum": _cumsum, "revcumsum": _reversed_cumsum,
    "range": _range, "concat": _concat, "stack": _stack, "reshape": _reshape, "repeat": _repeat, "pad": _pad, "scatter": _scatter, "onehot": _one_hot, "dropout": _dropout,
    "det": _matrix(np.linalg.det, 2), "tr": _matrix(lambda x: np.trace(x, axis1=-2, axis2=-1), 2),
    "chol": _matrix(np.linalg.cholesky), "tril": _triangle(np.tril), "triu": _triangle(np.triu), "diag": _diag,
    "maxpool": _pool("max"), "argmaxpool": _pool("argmax"), "windows": _windows, "overlapadd": _overlap_add,
    "unpool": _unpool,
}  # fmt: skip
