"""Normalisation: values moved and scaled by their own mean and size, over axes of one array or over a whole batch.

`standardize` is what they share, and has a short derivative of its own. The others keep their names in formulas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import DTypeError, ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.ops.coerce import arity, check_axes, same_dtype, show
from symnet.ops.composite import element_count, mean, var
from symnet.ops.leaves import dim, input, state
from symnet.ops.reduce import sum
from symnet.ops.require import require
from symnet.ops.scalar import cast, greater, rsqrt, square
from symnet.ops.shape import reshape

__all__: list[str] = []


# --- over axes of one array ------------------------------------------------------------------------------------------


def _infer_same(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    if args[0].dtype not in dtypes.FLOATS:
        raise DTypeError(f"the operand is {show(args[0])}, expected float32 or float64")
    check_axes(attrs["axes"], args[0].ndim)
    return args[0].shape, args[0].dtype


def _over_axes_samples(name: str) -> Any:
    return lambda rng: [
        make(op_of(name), (input("x", shape, dtype),), {"axes": axes, "eps": 0.01})
        for shape, dtype, axes in (
            (("N", 5), "float64", (1,)),
            ((3, 4, 5), "float64", (0, 2)),
            ((7, 3), "float32", (0,)),
        )
    ]


def op_of(name: str) -> Op:
    return {"standardize": STANDARDIZE, "scale_to_unit": SCALE_TO_UNIT}[name]


def _define_standardize(node: Expr) -> Expr:
    (x,), axes = node.args, node.attrs["axes"]
    centred = x - mean(x, axes, keepdims=True)
    return centred * inverse_deviation(node)


def inverse_deviation(node: Expr) -> Expr:
    """1 / √(variance + eps) of a `standardize`."""
    (x,), axes = node.args, node.attrs["axes"]
    return rsqrt(var(x, axes, keepdims=True) + node.attrs["eps"])


def _pull_standardize(node: Expr, g: Expr) -> list[Expr | None]:
    """The cotangent without its mean and without what it has in common with the result, over the deviation."""
    axes = node.attrs["axes"]
    along = mean(g * node, axes, keepdims=True)
    return [inverse_deviation(node) * (g - mean(g, axes, keepdims=True) - node * along)]


def standardize(x: Expr, axes: tuple[int, ...], eps: float) -> Expr:
    """(x - mean) / √(variance + eps), mean and variance over `axes`."""
    return make(STANDARDIZE, (x,), {"axes": axes, "eps": float(eps)})


STANDARDIZE: Op = register(
    Op(
        name="standardize",
        kind="composite",
        infer=_infer_same,
        define=_define_standardize,
        pullback=_pull_standardize,
        samples=_over_axes_samples("standardize"),
        reason="moving and scaling x changes nothing: the cotangent loses its mean and its part along the result",
        doc="The distance from the mean over axes, in standard deviations.",
    )
)


def _inverse_size(node: Expr) -> Expr:
    (x,), axes = node.args, node.attrs["axes"]
    eps = node.attrs["eps"] if node.attrs["eps"] is not None else float(np.finfo(node.dtype).eps)
    return rsqrt(mean(square(x), axes, keepdims=True) + eps)


def _pull_scale_to_unit(node: Expr, g: Expr) -> list[Expr | None]:
    along = mean(g * node, node.attrs["axes"], keepdims=True)
    return [_inverse_size(node) * (g - node * along)]


def scale_to_unit(x: Expr, axes: tuple[int, ...], eps: float | None) -> Expr:
    """x / √(mean of x² + eps), the mean over `axes`; an eps of None is the spacing of the type's numbers at 1."""
    return make(SCALE_TO_UNIT, (x,), {"axes": axes, "eps": None if eps is None else float(eps)})


SCALE_TO_UNIT: Op = register(
    Op(
        name="scale_to_unit",
        kind="composite",
        infer=_infer_same,
        define=lambda node: node.args[0] * _inverse_size(node),
        pullback=_pull_scale_to_unit,
        samples=_over_axes_samples("scale_to_unit"),
        reason="scaling x changes nothing: the cotangent loses its part along the result",
        doc="Values over their root mean square over axes.",
    )
)


# --- with a learned scale and shift ----------------------------------------------------------------------------------


def scaled(x: Expr, weight: Expr | None, bias: Expr | None, axis: int | None = None) -> Expr:
    """x·weight + bias, either of which may be missing; they run along the last axes of x or along the one `axis`."""

    def along(node: Expr) -> Expr:
        return node if axis is None else reshape(node, (node.shape[0], *(1,) * (x.ndim - axis - 1)))

    x = x if weight is None else x * along(weight)
    return x if bias is None else x + along(bias)


def _infer_affine(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1 + attrs["weight"] + attrs["bias"])
    if same_dtype(args) not in dtypes.FLOATS:
        raise DTypeError(f"the operand is {show(args[0])}, expected float32 or float64")
    return args[0].shape, args[0].dtype


def _parts(node: Expr) -> tuple[Expr, Expr | None, Expr | None]:
    """x, weight and bias of a node whose attributes say which of them there are."""
    rest = list(node.args[1:])
    weight = rest.pop(0) if node.attrs["weight"] else None
    return node.args[0], weight, rest.pop(0) if node.attrs["bias"] else None


def _with_affine(op: Op, x: Expr, weight: Expr | None, bias: Expr | None, **attrs: Any) -> Expr:
    operands = [x, *(part for part in (weight, bias) if part is not None)]
    return make(op, operands, {**attrs, "weight": weight is not None, "bias": bias is not None})


def _affine_samples(build: Any, channels: tuple[Any, ...]) -> Any:
    """A call with weight and bias, one with the weight alone and one without either, on float64 and float32."""

    def samples(rng: np.random.Generator) -> list[Expr]:
        shape = ("N", 4, 3)
        return [
            build(input("x", shape, dtype), *(input(n, channels, dtype) if given else None for n, given in parts))
            for dtype, parts in (
                ("float64", (("weight", True), ("bias", True))),
                ("float64", (("weight", True), ("bias", False))),
                ("float32", (("weight", False), ("bias", False))),
            )
        ]

    return samples


_AFFINE_REASON = (
    "moving and scaling x changes nothing, so the cotangent, times γ, loses its mean and its part along x̂",
    "∂(γ·x̂ + β)/∂γ = x̂",
    "∂(γ·x̂ + β)/∂β = 1",
)


def _last(x: Expr, count: int) -> tuple[int, ...]:
    return tuple(range(x.ndim - count, x.ndim))


def layer_norm(x: Expr, weight: Expr | None, bias: Expr | None, axes: int, eps: float) -> Expr:
    """`standardize` over the last `axes` axes, then ·weight + bias (Ba, Kiros, Hinton 2016)."""
    return _with_affine(LAYER_NORM, x, weight, bias, axes=axes, eps=float(eps))


def _define_layer_norm(node: Expr) -> Expr:
    x, weight, bias = _parts(node)
    return scaled(standardize(x, _last(x, node.attrs["axes"]), node.attrs["eps"]), weight, bias)


LAYER_NORM = register(
    Op(
        name="layer_norm",
        kind="composite",
        infer=_infer_affine,
        define=_define_layer_norm,
        reason=_AFFINE_REASON,
        samples=_affine_samples(lambda x, w, b: layer_norm(x, w, b, 2, 1e-3), (4, 3)),
        doc="Each sample standardized over its last axes, scaled and shifted.",
    )
)


def rms_norm(x: Expr, weight: Expr | None, axes: int, eps: float | None) -> Expr:
    """`scale_to_unit` over the last `axes` axes, then ·weight (Zhang, Sennrich 2019)."""
    return _with_affine(RMS_NORM, x, weight, None, axes=axes, eps=None if eps is None else float(eps))


def _define_rms_norm(node: Expr) -> Expr:
    x, weight, _ = _parts(node)
    return scaled(scale_to_unit(x, _last(x, node.attrs["axes"]), node.attrs["eps"]), weight, None)


RMS_NORM = register(
    Op(
        name="rms_norm",
        kind="composite",
        infer=_infer_affine,
        define=_define_rms_norm,
        reason=("scaling x changes nothing, so the cotangent, times γ, loses its part along x̂", "∂(γ·x̂)/∂γ = x̂"),
        samples=_affine_samples(lambda x, w, b: rms_norm(x, w, 2, None), (4, 3)),
        doc="Each sample over its root mean square over its last axes, scaled.",
    )
)


def group_norm(x: Expr, groups: int, weight: Expr | None, bias: Expr | None, eps: float) -> Expr:
    """Each group of channels of each sample standardized, then ·weight + bias a channel (Wu, He 2018)."""
    return _with_affine(GROUP_NORM, x, weight, bias, groups=groups, eps=float(eps))


def _define_group_norm(node: Expr) -> Expr:
    x, weight, bias = _parts(node)
    groups = node.attrs["groups"]
    split = dims.divide(x.shape[1], groups)
    if split is None:
        raise ShapeError(f"{x.shape[1]} channels cannot be split into {groups} groups")
    grouped = reshape(x, (x.shape[0], groups, split, *x.shape[2:]))
    return scaled(
        reshape(standardize(grouped, _last(grouped, grouped.ndim - 2), node.attrs["eps"]), x.shape), weight, bias, 1
    )


GROUP_NORM = register(
    Op(
        name="group_norm",
        kind="composite",
        infer=_infer_affine,
        define=_define_group_norm,
        reason=_AFFINE_REASON,
        samples=_affine_samples(lambda x, w, b: group_norm(x, 2, w, b, 1e-3), (4,)),
        doc="Each group of channels of each sample standardized, scaled and shifted by channel.",
    )
)


# --- with running statistics -----------------------------------------------------------------------------------------

OPTIONAL = ("weight", "bias", "mean", "var", "count")
"""Operands after x, each of which may be missing: a scale and shift by channel, the running mean and variance, and how
many batches they have seen."""


def _infer_channels(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1 + len(attrs["given"]))
    x = args[0]
    for name, part in zip(attrs["given"], args[1:], strict=True):
        wanted = ((), "int64") if name == "count" else ((x.shape[1],), x.dtype)
        if (part.shape, part.dtype) != wanted:
            raise ShapeError(f"the {name} is {show(part)}, expected {wanted[1]}{dims.show(wanted[0])} for {show(x)}")
    return x.shape, x.dtype


def _given(node: Expr) -> dict[str, Expr]:
    return dict(zip(node.attrs["given"], node.args[1:], strict=True))


def _statistics_axes(node: Expr) -> tuple[int, ...]:
    """The axes that batch norm averages over; instance norm leaves out the samples."""
    return tuple(axis for axis in range(node.ndim) if axis != 1 and not (axis == 0 and node.op == "instance_norm"))


def _define_by_channel(node: Expr) -> Expr:
    given = _given(node)
    core = standardize(_more_than_one(node), _statistics_axes(node), node.attrs["eps"])
    return scaled(core, given.get("weight"), given.get("bias"), 1)


def _more_than_one(node: Expr) -> Expr:
    """The operand, where each mean is over more than one value: one value has no variance."""
    x, count = node.args[0], dims.product(node.shape[axis] for axis in _statistics_axes(node))
    if isinstance(count, int):
        return x
    what = "channel" if node.op == "batch_norm" else "channel of a sample"
    message = f"{node.op}: expected more than 1 value per {what} in training, an operand {dims.show(x.shape)} has 1"
    return require(x, greater(dim(count), 1), message)


def _pull_by_channel(node: Expr, g: Expr) -> list[Expr | None]:
    """With x̂ = standardize(x): γ/σ (g - mean(g) - x̂ mean(g x̂)) for x, Σ g x̂ for γ, Σ g for β.

    The scale is the same wherever a mean is taken, so the two sums serve all three.
    """
    x, axes, given = _more_than_one(node), _statistics_axes(node), _given(node)
    core = standardize(x, axes, node.attrs["eps"])
    total, along = sum(g, axes, keepdims=True), sum(g * core, axes, keepdims=True)
    count = element_count(x, axes)
    scale = scaled(inverse_deviation(core), given.get("weight"), None, 1)
    found = {"weight": _over_samples(along), "bias": _over_samples(total)}
    return [scale * (g - total / count - core * (along / count)), *(found.get(name) for name in given)]


def _over_samples(sums: Expr) -> Expr:
    """Sums by channel (axis 1) of what may be sums by sample."""
    return reshape(sum(sums, 0), (sums.shape[1],)) if sums.shape[0] != 1 else reshape(sums, (sums.shape[1],))


def _inference_by_channel(node: Expr) -> Expr:
    given = _given(node)
    if "mean" not in given:
        return node
    return by_running_statistics(
        node.args[0], given["mean"], given["var"], given.get("weight"), given.get("bias"), node.attrs["eps"]
    )


def by_running_statistics(
    x: Expr, running_mean: Expr, running_var: Expr, weight: Expr | None, bias: Expr | None, eps: float
) -> Expr:
    """(x - running_mean) / √(running_var + eps) · weight + bias, by channel (axis 1)."""
    mean, scale = (reshape(s, (s.shape[0], *(1,) * (x.ndim - 2))) for s in (running_mean, rsqrt(running_var + eps)))
    return scaled((x - mean) * scale, weight, bias, 1)


def _updates_by_channel(node: Expr) -> list[tuple[Expr, Expr]]:
    """Each running statistic moves towards that of the batch by the momentum; the variance is the unbiased one."""
    given, momentum = _given(node), node.attrs["momentum"]
    if "mean" not in given:
        return []
    new: list[tuple[Expr, Expr]] = []
    if "count" in given:
        seen = given["count"] + 1
        new.append((given["count"], seen))
        momentum = 1.0 / cast(seen, node.dtype) if momentum is None else momentum
    x, axes = _more_than_one(node), _statistics_axes(node)
    unbiased = element_count(x, axes) / element_count(x, axes, less=1)
    # as `standardize` computes them, so that they are computed once
    batch = {"mean": mean(x, axes, keepdims=True), "var": unbiased * var(x, axes, keepdims=True)}
    for name, value in batch.items():
        moved = momentum * (mean(value, 0) if node.op == "instance_norm" else value)
        new.append((given[name], (1.0 - momentum) * given[name] + reshape(moved, (x.shape[1],))))
    return new


def _by_channel(op: Op, x: Expr, eps: float, momentum: float | None, **parts: Expr | None) -> Expr:
    given = {name: parts[name] for name in OPTIONAL if parts.get(name) is not None}
    attrs = {"given": tuple(given), "eps": float(eps), "momentum": momentum}
    return make(op, (x, *(part for part in given.values() if part is not None)), attrs)


def batch_norm(x: Expr, eps: float, momentum: float | None, **parts: Expr | None) -> Expr:
    """Each channel (axis 1) standardized over the batch, then ·weight + bias (Ioffe, Szegedy 2015).

    parts  `weight`, `bias`; the running statistics `mean` and `var` (state, which a training step moves by
    `momentum`, and
           which inference uses in place of the batch's own) and `count`, how many batches they have seen. A momentum of
           None stands for 1 / count: the mean of all batches.
    """
    return _by_channel(BATCH_NORM, x, eps, momentum, **parts)


def instance_norm(x: Expr, eps: float, momentum: float, **parts: Expr | None) -> Expr:
    """As `batch_norm`, with each channel of each sample standardized by itself (Ulyanov, Vedaldi, Lempitsky 2016)."""
    return _by_channel(INSTANCE_NORM, x, eps, momentum, **parts)


def _channel_op(name: str, doc: str, momentum: float | None) -> Op:
    def samples(rng: np.random.Generator) -> list[Expr]:
        made = []
        for dtype, parts in (("float64", OPTIONAL), ("float64", ("weight", "bias")), ("float32", ())):
            shapes = {part: ((), "int64") if part == "count" else ((4,), dtype) for part in parts}
            leaf = {p: (state if p in ("mean", "var", "count") else input)(p, *shapes[p]) for p in parts}
            made.append(_by_channel(op, input("x", ("N", 4, 3), dtype), 1e-3, momentum, **leaf))
        return made

    op = Op(
        name=name,
        kind="composite",
        infer=_infer_channels,
        define=_define_by_channel,
        pullback=_pull_by_channel,
        inference=_inference_by_channel,
        updates=_updates_by_channel,
        reason=(
            "moving and scaling a channel changes nothing, so the cotangent loses its mean and its part along x̂",
            "∂(γ·x̂ + β)/∂γ = x̂",
            "∂(γ·x̂ + β)/∂β = 1",
        ),
        samples=samples,
        doc=doc,
    )
    return register(op)


BATCH_NORM = _channel_op("batch_norm", "Each channel standardized over the batch, scaled and shifted.", None)
INSTANCE_NORM = _channel_op("instance_norm", "Each channel of each sample standardized, scaled and shifted.", 0.1)
