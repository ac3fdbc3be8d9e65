"""What the functions in formulas mean, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import UnknownName
from symnet.explain.alignment import squeezed, visible
from symnet.explain.identifiers import letters, positions
from symnet.explain.reading import convolutions
from symnet.explain.reading.elements import places
from symnet.explain.reading.grammar import Tree, dimension, extent
from symnet.explain.reading.values import Array, Lazy, Operand
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape

if TYPE_CHECKING:
    from symnet.explain.reading.reader import Reader


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
    axis = positions().index(subscript) if subscript else len(parts[0].shape)
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
    return positions().index(subscript)


def _total(sizes: Sequence[Dim]) -> Dim:
    total: Dim = 0
    for size in sizes:
        total = dims.add(total, size)
    return total


def _polygamma(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    """ψ, ψ₁, ψ₂, …: the derivatives of log Γ."""
    from symnet.ops.gamma_functions import polygamma
    from symnet.ops.interpret import evaluate
    from symnet.ops.leaves import input

    def function(x: Any) -> Any:
        array = np.asarray(x, np.float64)
        return evaluate(polygamma(int(subscript or 0), input("x", array.shape, "float64")), {"x": array})

    return reader.elementwise(function, reader.evaluate(arguments[0]))


# --- shapes and places -------------------------------------------------------------------------------------------


def _reshape(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    x, shape = reader.array(arguments[0]), _shape(arguments[1])
    return Array(x.value.reshape(dims.evaluate_shape(shape, reader.sizes)), shape)


def _flat(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    """flat(x): all axes but the first as one."""
    x = reader.array(arguments[0])
    shape = (x.shape[0], dims.product(x.shape[1:]))
    return Array(x.value.reshape(len(x.value), -1), shape)


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
        return " ".join(
            part if isinstance(part, str) else _plain(part) for part in tree.parts if isinstance(part, (str, Tree))
        )
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
    chosen = tuple(places(reader, part, size) for part, size in zip(target.trees(), shape, strict=False))
    result[chosen] = x.value.reshape(result[chosen].shape)
    return Array(result, shape)


def _scatter(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    """scatter(u, 7×5[:, y]): zeros of this shape, to which u is added at these places; u has the axes of y first."""
    u, target = reader.array(arguments[0]), arguments[1]
    shape = extent(target.text(0))
    result = np.zeros(dims.evaluate_shape(shape, reader.sizes))
    axes = [axis for axis, part in enumerate(target.trees()) if part.kind != "range"]
    found = [reader.evaluate(part) for part in target.trees() if part.kind != "range"]
    frame = max((one.shape for one in found if isinstance(one, Array)), key=len, default=())
    indices = [one if isinstance(one, Array) else one.resolve(frame) for one in found]
    meet = np.broadcast_arrays(*(one.value.astype(int) for one in indices))
    np.add.at(np.moveaxis(result, axes, range(len(axes))), tuple(meet), u.value)
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


FUNCTIONS: dict[str, Callable[[Reader, str, Sequence[Tree]], Operand]] = {
    "softmax": _softmax, "logsoftmax": _log_softmax, "cumsum": _cumsum, "revcumsum": _reversed_cumsum,
    "range": _range, "concat": _concat, "stack": _stack, "reshape": _reshape, "flat": _flat,
    "repeat": _repeat, "ψ": _polygamma,
    "pad": _pad, "scatter": _scatter, "onehot": _one_hot, "dropout": _dropout,
    "det": _matrix(np.linalg.det, 2), "tr": _matrix(lambda x: np.trace(x, axis1=-2, axis2=-1), 2),
    "chol": _matrix(np.linalg.cholesky), "tril": _triangle(np.tril), "triu": _triangle(np.triu), "diag": _diag,
    **convolutions.FUNCTIONS,
}  # fmt: skip
