"""Composites: operations defined by others, which keep their name in formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import DTypeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.expr.work import per_operand
from symnet.ops.coerce import Axes, arity, as_type, axes_of, axis_of, check_axes, to_expr, without
from symnet.ops.leaves import Operand, dim, input, iota, number
from symnet.ops.reduce import max, restore, spread, sum
from symnet.ops.scalar import absolute, cast, equal, exp, log1p, maximum, sqrt, square, where
from symnet.ops.shape import reshape

__all__ = [
    "log_softmax", "logsumexp", "mean", "one_hot", "softmax", "std", "stop_gradient", "var",
]  # fmt: skip


def infer_reduction(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x = args[0]
    if x.dtype not in dtypes.FLOATS:
        raise DTypeError(f"the operand is {x.dtype}, expected float32 or float64 (cast first)")
    return without(x.shape, check_axes(attrs["axes"], x.ndim), attrs["keepdims"]), x.dtype


def _infer_along(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    x = args[0]
    check_axes((attrs["axis"],), x.ndim)
    if x.dtype not in dtypes.FLOATS:
        raise DTypeError(f"the operand is {x.dtype}, expected float32 or float64 (cast first)")
    return x.shape, x.dtype


def floating(op: str, x: Operand) -> Expr:
    node = to_expr(x, op)
    return node if node.dtype in dtypes.FLOATS else as_type(node, "float32")


def _reduced(op: Op, x: Operand, axis: Axes, keepdims: bool, **attrs: Any) -> Expr:
    node = floating(op.name, x)
    return make(op, (node,), {"axes": axes_of(op.name, axis, node.ndim), "keepdims": bool(keepdims), **attrs})


def _along(op: Op, x: Operand, axis: int) -> Expr:
    node = floating(op.name, x)
    return make(op, (node,), {"axis": axis_of(op.name, axis, node.ndim)})


def reduction_samples(function: Callable[..., Expr], **options: Any) -> Callable[[np.random.Generator], list[Expr]]:
    x, named = ("x", (3, 4, 5), "float64"), ("x", (3, "N"), "float64")
    return lambda rng: [
        function(input(*named), 1, **options),
        function(input(*x), (0, 2), **options),
        function(input(*x), 1, keepdims=True, **options),
        function(input(*x), **options),
        function(input("x", (3, 4)), 0, **options),
    ]


def _along_samples(function: Callable[..., Expr]) -> Callable[[np.random.Generator], list[Expr]]:
    return lambda rng: [
        function(input("x", (3, "N"), "float64"), 1),
        function(input("x", (3, 4, 5), "float64"), 1),
        function(input("x", (3, 4)), 0),
    ]


def element_count(node: Expr, axes: Sequence[int], less: int = 0) -> Expr:
    """How many elements a reduction of `node` over `axes` sees, minus `less`, as a number of its type."""
    count = dims.sub(dims.product(node.shape[a] for a in axes), less)
    return number(count, node.dtype) if isinstance(count, int) else dim(count, node.dtype)


# --- mean and variance -------------------------------------------------------------------------------------------


def _define_mean(node: Expr) -> Expr:
    (x,), axes = node.args, node.attrs["axes"]
    return sum(x, axes, node.attrs["keepdims"]) / element_count(x, axes)


def _pull_mean(node: Expr, g: Expr) -> list[Expr | None]:
    (x,), axes = node.args, node.attrs["axes"]
    return [spread(g / element_count(x, axes), axes, node.attrs["keepdims"], x.shape)]


def mean(x: Operand, axis: Axes = None, keepdims: bool = False) -> Expr:
    """The mean over `axis` (None: all); integers give float32."""
    return _reduced(MEAN, x, axis, keepdims)


MEAN = register(
    Op(
        name="mean",
        kind="composite",
        infer=infer_reduction,
        define=_define_mean,
        pullback=_pull_mean,
        linear=(0,),
        samples=reduction_samples(mean),
        cost=per_operand(1.0),
        finite=True,
        sign="kept",
        reason="each of the n elements counts 1/n",
        doc="The sum over axes divided by the number of elements.",
    )
)


def _divisor(node: Expr) -> Expr:
    return element_count(node.args[0], node.attrs["axes"], node.attrs["correction"])


def _define_var(node: Expr) -> Expr:
    (x,), axes = node.args, node.attrs["axes"]
    return sum(square(x - mean(x, axes, keepdims=True)), axes, node.attrs["keepdims"]) / _divisor(node)


def _pull_var(node: Expr, g: Expr) -> list[Expr | None]:
    (x,), axes = node.args, node.attrs["axes"]
    scaled = restore(g, axes, node.attrs["keepdims"], x.shape) * (2.0 / _divisor(node))
    return [scaled * (x - mean(x, axes, keepdims=True))]


def var(x: Operand, axis: Axes = None, keepdims: bool = False, correction: int = 0) -> Expr:
    """The mean squared distance from the mean, with n - `correction` in place of n (1: the unbiased estimate).

    As in NumPy and the array API the default is 0; torch.var has 1.
    """
    if not isinstance(correction, int) or isinstance(correction, bool):
        raise DTypeError(f"var: the correction is {correction!r}, expected an integer")
    return _reduced(VAR, x, axis, keepdims, correction=correction)


VAR = register(
    Op(
        name="var",
        kind="composite",
        infer=infer_reduction,
        define=_define_var,
        pullback=_pull_var,
        samples=reduction_samples(var, correction=1),
        cost=per_operand(4.0),
        finite=True,
        sign="nonnegative",
        reason="∂var/∂xᵢ = 2·(xᵢ − mean)/(n − correction)",
        doc="The variance over axes; the sum of squared distances is divided by n - correction.",
    )
)


def std(x: Operand, axis: Axes = None, keepdims: bool = False, correction: int = 0) -> Expr:
    """The square root of `var`. Where all elements are equal the derivative is 0, as PyTorch's."""
    variance = var(x, axis, keepdims, correction)
    # The root's slope at 0 is infinite; it must not meet the 0 that flows on from there.
    constant = equal(variance, 0)
    return where(constant, 0, sqrt(where(constant, 1, variance)))


# --- softmax and its family --------------------------------------------------------------------------------------


def stop_gradient(x: Operand) -> Expr:
    """`x` itself, through which no derivative flows."""
    node = to_expr(x, "stop_gradient")
    return make(STOP_GRADIENT, (node,)) if node.dtype in dtypes.FLOATS else node


def _infer_stop(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    return args[0].shape, args[0].dtype


STOP_GRADIENT = register(
    Op(
        name="stop_gradient",
        kind="primitive",
        infer=_infer_stop,
        numpy=lambda node, arrays, sizes: arrays[0],
        pullback=lambda node, g: [None],
        pushforward=lambda node, tangents: None,
        samples=lambda rng: [stop_gradient(input("x", (3, "N"), "float64"))],
        exempt={"derivative": "its derivative is zero by definition, whatever finite differences give"},
        cost=0.0,
        finite=True,
        sign="kept",
        reason="nothing flows through stop_gradient",
        notation="stop",
        doc="The operand, taken as constant by derivatives.",
    )
)


def _define_logsumexp(node: Expr) -> Expr:
    """m + log Σ exp(x - m): with m the largest no exponential overflows; m = 0 where the largest is infinite.

    Where m is 0 and the others are far below, the logarithm is as small as their exponentials, and keeps their digits.
    """
    (x,), axes, keepdims = node.args, node.attrs["axes"], node.attrs["keepdims"]
    largest = stop_gradient(max(x, axes, keepdims=True))
    shift = where(equal(absolute(largest), float("inf")), 0, largest)
    total = log1p(_beyond_one(exp(x - shift), axes)) + shift
    return total if keepdims else reshape(total, without(x.shape, axes, False))


def _pull_logsumexp(node: Expr, g: Expr) -> list[Expr | None]:
    """g · softmax(x), over several axes written g · exp(x - y); where every x is -inf the derivative is 0."""
    (x,), axes, keepdims = node.args, node.attrs["axes"], node.attrs["keepdims"]
    if len(axes) == 1:
        shares = softmax(x, axes[0])
    else:
        y = restore(node, axes, keepdims, x.shape)
        shares = exp(x - where(equal(y, float("-inf")), 0, y))
    return [restore(g, axes, keepdims, x.shape) * shares]


def logsumexp(x: Operand, axis: Axes = None, keepdims: bool = False) -> Expr:
    """log Σ exp(x) over `axis`, without overflow."""
    return _reduced(LOGSUMEXP, x, axis, keepdims)


LOGSUMEXP = register(
    Op(
        name="logsumexp",
        kind="composite",
        infer=infer_reduction,
        define=_define_logsumexp,
        pullback=_pull_logsumexp,
        samples=reduction_samples(logsumexp),
        cost=per_operand(11.0),
        finite=True,
        reason="∂logsumexp(x)/∂x = softmax(x)",
        doc="The logarithm of the sum of exponentials over axes, without overflow.",
    )
)


def _shifted(x: Expr, axis: int) -> Expr:
    """x less its largest element along `axis`; -inf stays -inf, also in a row that has nothing else."""
    largest = stop_gradient(max(x, axis, keepdims=True))
    return x - maximum(largest, float(np.finfo(x.dtype).min))


def _beyond_one(powers: Expr, axes: Axes) -> Expr:
    """Σ powers - 1, with the digits that the sum would lose where all but the largest, a 1, are small: the ones are
    counted apart."""
    ones = equal(powers, 1)
    rest = sum(where(ones, 0, powers), axes, keepdims=True)
    return rest + (sum(where(ones, 1.0, 0.0), axes, keepdims=True) - 1)


def softmax_parts(x: Expr, axis: int) -> tuple[Expr, Expr]:
    """softmax(x) along `axis`, and what the largest share lacks to 1, which is the sum of the others."""
    powers = exp(_shifted(x, axis))
    others = maximum(_beyond_one(powers, axis), 0)
    return powers / (1.0 + others), others / (1.0 + others)


def _define_softmax(node: Expr) -> Expr:
    """The sum is at least 1, the exponential of the largest, but for a row that is -inf throughout."""
    (x,), axis = node.args, node.attrs["axis"]
    powers = exp(_shifted(x, axis))
    return powers / maximum(sum(powers, axis, keepdims=True), 1)


def _pull_softmax(node: Expr, g: Expr) -> list[Expr | None]:
    return [node * (g - sum(g * node, node.attrs["axis"], keepdims=True))]


def softmax(x: Operand, axis: int = -1) -> Expr:
    """exp(x) / Σ exp(x) along `axis`, without overflow.

    An element that is -inf is left out: it gets 0, and so does its derivative. Where all are, nothing is left to share
    the 1, and all get 0 (as in PyTorch's attention; its softmax gives nan).
    """
    return _along(SOFTMAX, x, axis)


SOFTMAX = register(
    Op(
        name="softmax",
        kind="composite",
        infer=_infer_along,
        define=_define_softmax,
        pullback=_pull_softmax,
        samples=_along_samples(softmax),
        cost=per_operand(12.0),
        finite=True,
        sign="positive",
        reason="∂pᵢ/∂zⱼ = pᵢ·(1[i = j] − pⱼ)",
        doc="Exponentials along an axis, divided by their sum.",
    )
)


def _define_log_softmax(node: Expr) -> Expr:
    (x,), axis = node.args, node.attrs["axis"]
    shifted = _shifted(x, axis)
    return shifted - log1p(maximum(_beyond_one(exp(shifted), axis), 0))


def _pull_log_softmax(node: Expr, g: Expr) -> list[Expr | None]:
    (x,), axis = node.args, node.attrs["axis"]
    return [g - softmax(x, axis) * sum(g, axis, keepdims=True)]


def log_softmax(x: Operand, axis: int = -1) -> Expr:
    """The logarithm of softmax along `axis`, which keeps its digits where softmax underflows."""
    return _along(LOG_SOFTMAX, x, axis)


LOG_SOFTMAX = register(
    Op(
        name="log_softmax",
        kind="composite",
        infer=_infer_along,
        define=_define_log_softmax,
        pullback=_pull_log_softmax,
        samples=_along_samples(log_softmax),
        cost=per_operand(12.0),
        finite=True,
        reason="∂(log pᵢ)/∂zⱼ = 1[i = j] − pⱼ",
        doc="The logarithm of softmax, computed without it.",
    )
)

# --- one-hot -----------------------------------------------------------------------------------------------------


def _infer_one_hot(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    if args[0].dtype not in dtypes.INTS:
        raise DTypeError(f"class indices are {args[0].dtype}, expected int32 or int64")
    return (*args[0].shape, dims.canonical(attrs["classes"])), dtypes.canonical(attrs["dtype"])


def _define_one_hot(node: Expr) -> Expr:
    (x,) = node.args
    classes = as_type(iota(node.attrs["classes"]), x.dtype)
    return cast(equal(reshape(x, (*x.shape, 1)), classes), node.dtype)


def one_hot(indices: Operand, classes: Dim, dtype: object = "float32") -> Expr:
    """A new last axis of size `classes`, 1 at the index and 0 elsewhere (all 0 for an index that is no class)."""
    if not isinstance(classes, (int, str)):
        raise UsageError(f"one_hot: the number of classes is {classes!r}, expected an integer or a named dimension")
    attrs = {"classes": dims.canonical(classes), "dtype": dtypes.canonical(dtype)}
    return make(ONE_HOT, (to_expr(indices, "one_hot"),), attrs)


ONE_HOT = register(
    Op(
        name="one_hot",
        kind="composite",
        infer=_infer_one_hot,
        define=_define_one_hot,
        pullback=lambda node, g: [None],
        samples=lambda rng: [
            one_hot(input("k", ("N",), "int64"), 5, "float64"),
            one_hot(input("k", (2, 3), "int32"), "N"),
        ],
        cost=1.0,
        finite=True,
        sign="nonnegative",
        doc="1 at a class index, 0 elsewhere, along a new last axis.",
    )
)
