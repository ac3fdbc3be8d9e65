"""The pools of torch.nn.functional, unfold and fold, as expressions over `sn.windows`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symnet import ops
from symnet.errors import ShapeError, Unsupported, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.ops.coerce import to_expr
from symnet.ops.index import along, scatter_add
from symnet.ops.leaves import Operand
from symnet.ops.pool import argmax, flat_positions, pool
from symnet.ops.window import Frame, Spatial, each, frame, view

__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "fold", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d",
    "max_pool2d", "max_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d", "unfold",
]  # fmt: skip


def spatial(name: str, input: Operand, rank: int) -> Expr:
    """The operand, which is (N, C, *spatial) or (C, *spatial)."""
    node = to_expr(input, name)
    if node.ndim not in (rank + 1, rank + 2):
        raise ShapeError(
            f"{name}: the input is {dims.show(node.shape)}, expected {rank + 2} axes (N, C, …) or, without a batch, "
            f"{rank + 1}"
        )
    return node


def _pool_frame(
    name: str, x: Expr, rank: int, kernel_size: Spatial, stride: Spatial | None, padding: Spatial, dilation: Spatial,
    ceil_mode: bool,
) -> Frame:  # fmt: skip
    size = each(name, "kernel_size", kernel_size, rank, 1)
    step = size if stride is None or stride == () else each(name, "stride", stride, rank, 1)
    pads, gaps = each(name, "padding", padding, rank, 0), each(name, "dilation", dilation, rank, 1)
    if any(2 * p > (k - 1) * d + 1 for p, k, d in zip(pads, size, gaps, strict=True)):
        raise UsageError(f"{name}: padding is {pads}, expected at most half of the window {size} (dilation {gaps})")
    return frame(name, x.shape, size, step, pads, gaps, ceil_mode)


# --- max ---------------------------------------------------------------------------------------------------------


def max_pool1d(
    input: Operand, kernel_size: Spatial, stride: Spatial | None = None, padding: Spatial = 0, dilation: Spatial = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Expr | tuple[Expr, Expr]:  # fmt: skip
    """The largest element of each window, and with `return_indices` where it is (for `max_unpool1d`)."""
    return _max_pool("max_pool1d", input, 1, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Operand, kernel_size: Spatial, stride: Spatial | None = None, padding: Spatial = 0, dilation: Spatial = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Expr | tuple[Expr, Expr]:  # fmt: skip
    """The largest element of each window of an image, and with `return_indices` its position in the flattened image.

    The padding is -∞; the first of equal elements has the whole derivative; NaN counts as the largest.
    """
    return _max_pool("max_pool2d", input, 2, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Operand, kernel_size: Spatial, stride: Spatial | None = None, padding: Spatial = 0, dilation: Spatial = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Expr | tuple[Expr, Expr]:  # fmt: skip
    """The largest element of each window of a volume, and with `return_indices` its flattened position."""
    return _max_pool("max_pool3d", input, 3, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _max_pool(
    name: str, x: Operand, rank: int, kernel_size: Spatial, stride: Spatial | None, padding: Spatial,
    dilation: Spatial, ceil_mode: bool, return_indices: bool,
) -> Expr | tuple[Expr, Expr]:  # fmt: skip
    node = spatial(name, x, rank)
    given = _pool_frame(name, node, rank, kernel_size, stride, padding, dilation, ceil_mode)
    largest = pool(node, given)
    return (largest, flat_positions(argmax(node, given), given, node.shape[-rank:])) if return_indices else largest


def max_unpool1d(
    input: Operand, indices: Operand, kernel_size: Spatial, stride: Spatial | None = None, padding: Spatial = 0,
    output_size: Sequence[Dim] | None = None,
) -> Expr:  # fmt: skip
    """Zeros with each element at the position where `max_pool1d` found it."""
    return _max_unpool("max_unpool1d", input, indices, 1, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Operand, indices: Operand, kernel_size: Spatial, stride: Spatial | None = None, padding: Spatial = 0,
    output_size: Sequence[Dim] | None = None,
) -> Expr:  # fmt: skip
    """Zeros with each element at the position where `max_pool2d` found it; windows must not overlap.

    output_size  of the last axes; (size - 1)·stride - 2·padding + kernel_size by default
    """
    return _max_unpool("max_unpool2d", input, indices, 2, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Operand, indices: Operand, kernel_size: Spatial, stride: Spatial | None = None, padding: Spatial = 0,
    output_size: Sequence[Dim] | None = None,
) -> Expr:  # fmt: skip
    """Zeros with each element at the position where `max_pool3d` found it; windows must not overlap."""
    return _max_unpool("max_unpool3d", input, indices, 3, kernel_size, stride, padding, output_size)


def _max_unpool(
    name: str, x: Operand, indices: Operand, rank: int, kernel_size: Spatial, stride: Spatial | None,
    padding: Spatial, output_size: Sequence[Dim] | None,
) -> Expr:  # fmt: skip
    node, places = spatial(name, x, rank), to_expr(indices, name)
    size = each(name, "kernel_size", kernel_size, rank, 1)
    step = size if stride is None or stride == () else each(name, "stride", stride, rank, 1)
    pads = each(name, "padding", padding, rank, 0)
    if any(s < k for s, k in zip(step, size, strict=True)):
        raise Unsupported(
            f"{name}: windows {size} with stride {step} overlap, and two of them may claim the same position; use a "
            "stride of at least the window, or sn.unpool, which adds them up"
        )
    if places.shape != node.shape:
        raise ShapeError(f"{name}: positions {dims.show(places.shape)} for values {dims.show(node.shape)}")
    lead, counts = node.shape[:-rank], node.shape[-rank:]
    usual = [
        dims.add(dims.mul(dims.sub(count, 1), s), k - 2 * p)
        for count, s, k, p in zip(counts, step, size, pads, strict=True)
    ]
    extents = _unpooled_size(name, usual, step, output_size)
    flat = ops.reshape(node, (*lead, dims.product(counts)))
    at = ops.reshape(places, flat.shape)
    own = [ops.reshape(ops.iota(d), along(axis, flat.ndim, d)) for axis, d in enumerate(lead)]
    spread = scatter_add(flat, range(flat.ndim), [*own, at], (*lead, dims.product(extents)))
    return ops.reshape(spread, (*lead, *extents))


def _unpooled_size(
    name: str, usual: Sequence[Dim], step: Sequence[int], output_size: Sequence[Dim] | None
) -> Sequence[Dim]:
    if output_size is None:
        return usual
    wanted = dims.canonical_shape(tuple(output_size))[-len(usual) :]
    differences = [dims.sub(want, size) for want, size in zip(wanted, usual, strict=True)]
    if any(not isinstance(d, int) or not -s < d < s for d, s in zip(differences, step, strict=True)):
        raise ShapeError(
            f"{name}: output_size is {dims.show(wanted)}, expected {dims.show(tuple(usual))} or less than a stride "
            f"{tuple(step)} from it"
        )
    return wanted


# --- averages ----------------------------------------------------------------------------------------------------


def avg_pool1d(
    input: Operand, kernel_size: Spatial, stride: Spatial | None = None, padding: Spatial = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Expr:  # fmt: skip
    """The mean of each window; zeros of the padding count unless `count_include_pad` is False."""
    return _avg_pool("avg_pool1d", input, 1, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Operand, kernel_size: Spatial, stride: Spatial | None = None, padding: Spatial = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Expr:  # fmt: skip
    """The mean of each window of an image: its sum divided by `divisor_override`, or by the number of its elements.

    Those of the padding count unless `count_include_pad` is False; what `ceil_mode` adds beyond it never does.
    """
    return _avg_pool(
        "avg_pool2d", input, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    input: Operand, kernel_size: Spatial, stride: Spatial | None = None, padding: Spatial = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Expr:  # fmt: skip
    """The mean of each window of a volume, counted as in `avg_pool2d`."""
    return _avg_pool(
        "avg_pool3d", input, 3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def _avg_pool(
    name: str, x: Operand, rank: int, kernel_size: Spatial, stride: Spatial | None, padding: Spatial, ceil_mode: bool,
    count_include_pad: bool, divisor_override: int | None,
) -> Expr:  # fmt: skip
    node = spatial(name, x, rank)
    given = _pool_frame(name, node, rank, kernel_size, stride, padding, 1, ceil_mode)
    total = ops.sum(view(node, given), given.offsets)
    if divisor_override is not None:
        if not isinstance(divisor_override, int) or divisor_override == 0:
            raise UsageError(f"{name}: divisor_override is {divisor_override!r}, expected an integer other than 0")
        return total / divisor_override
    for axis in range(rank):
        counted = _counted(given, axis, node.shape[axis - rank], count_include_pad)
        total = total / (counted if isinstance(counted, int) else ops.cast(counted, total.dtype))
    return total


def _counted(given: Frame, axis: int, extent: Dim, count_include_pad: bool) -> int | Expr:
    """How many elements along an axis count in each window: one number, or one for each window."""
    size, stride, start, count = given.size[axis], given.stride[axis], given.start[axis], given.count[axis]
    high = dims.add(dims.mul(dims.sub(count, 1), stride), start + size)
    spare = dims.sub(dims.sub(extent, start) if count_include_pad else extent, high)
    if isinstance(spare, int) and spare >= 0 and (count_include_pad or start >= 0):
        return size
    begin = ops.iota(count) * stride + start
    end = ops.minimum(begin + size, _number(dims.sub(extent, start) if count_include_pad else extent))
    counted = end - (begin if count_include_pad else ops.maximum(begin, 0))
    return ops.reshape(counted, (-1, *(1,) * (given.rank - 1 - axis)))


def _number(dim: Dim) -> int | Expr:
    return dim if isinstance(dim, int) else ops.dim(dim, "int64")


def lp_pool1d(
    input: Operand, norm_type: float, kernel_size: Spatial, stride: Spatial | None = None, ceil_mode: bool = False
) -> Expr:
    """(Σ xᵖ)^(1/p) over each window, p = `norm_type`; the derivative at a sum of 0 is 0."""
    return _lp_pool("lp_pool1d", input, 1, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Operand, norm_type: float, kernel_size: Spatial, stride: Spatial | None = None, ceil_mode: bool = False
) -> Expr:
    """(Σ xᵖ)^(1/p) over each window of an image, p = `norm_type`; the derivative at a sum of 0 is 0.

    A window that `ceil_mode` lets reach beyond the image is scaled up to its full size.
    """
    return _lp_pool("lp_pool2d", input, 2, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Operand, norm_type: float, kernel_size: Spatial, stride: Spatial | None = None, ceil_mode: bool = False
) -> Expr:
    """(Σ xᵖ)^(1/p) over each window of a volume, p = `norm_type`; the derivative at a sum of 0 is 0."""
    return _lp_pool("lp_pool3d", input, 3, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(
    name: str, x: Operand, rank: int, norm_type: float, kernel_size: Spatial, stride: Spatial | None, ceil_mode: bool
) -> Expr:
    node = spatial(name, x, rank)
    if not math.isfinite(norm_type) or norm_type == 0:
        raise UsageError(f"{name}: norm_type is {norm_type!r}, expected a finite number other than 0")
    size = each(name, "kernel_size", kernel_size, rank, 1)
    powers = ops.power(node, norm_type)
    total = _avg_pool(name, powers, rank, kernel_size, stride, 0, ceil_mode, True, None) * math.prod(size)
    return ops.where(total == 0, 0, ops.power(ops.where(total == 0, 1, total), 1 / norm_type))


# --- windows as columns ------------------------------------------------------------------------------------------


def unfold(
    input: Operand, kernel_size: Spatial, dilation: Spatial = 1, padding: Spatial = 0, stride: Spatial = 1
) -> Expr:
    """The windows of an image as columns: (N, C, H, W) -> (N, C·kernel, number of windows)."""
    node = spatial("unfold", input, 2)
    size = each("unfold", "kernel_size", kernel_size, 2, 1)
    given = frame("unfold", node.shape, size, stride, padding, dilation)
    seen, lead = view(node, given), node.ndim - 2
    columns = ops.transpose(seen, (*range(lead), lead + 2, lead + 3, lead, lead + 1))
    channels = dims.mul(node.shape[-3], math.prod(size))
    return ops.reshape(columns, (*node.shape[:-3], channels, dims.product(given.count)))


def fold(
    input: Operand, output_size: Spatial, kernel_size: Spatial, dilation: Spatial = 1, padding: Spatial = 0,
    stride: Spatial = 1,
) -> Expr:  # fmt: skip
    """The transpose of `unfold`: columns added up where their windows overlap, (N, C·kernel, L) -> (N, C, H, W)."""
    node = spatial("fold", input, 1)
    extents = each("fold", "output_size", output_size, 2, 1)
    size = each("fold", "kernel_size", kernel_size, 2, 1)
    given = frame("fold", extents, size, stride, padding, dilation)
    channels = dims.divide(node.shape[-2], math.prod(size))
    if channels is None or node.shape[-1] != dims.product(given.count):
        raise ShapeError(
            f"fold: the input is {dims.show(node.shape)}, expected (N, C·{math.prod(size)}, "
            f"{dims.product(given.count)}) for windows {size} of an image {extents}"
        )
    lead = node.ndim - 1
    columns = ops.reshape(node, (*node.shape[:-2], channels, *size, *given.count))
    seen = ops.transpose(columns, (*range(lead), lead + 2, lead + 3, lead, lead + 1))
    return ops.overlap_add(seen, extents, stride, padding, dilation)
