"""Convolutions: contractions whose spatial axes are sums of an output position and a kernel position."""

from __future__ import annotations

from collections.abc import Sequence

from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.ops.coerce import operands
from symnet.ops.contract import contract
from symnet.ops.leaves import Operand
from symnet.ops.shape import reshape
from symnet.ops.window import Spatial, each, output_size

__all__ = ["conv", "conv1d", "conv2d", "conv3d"]


def conv1d(
    x: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial | str = 0,
    dilation: Spatial = 1, groups: int = 1,
) -> Expr:  # fmt: skip
    """`conv` over one spatial axis."""
    return conv(x, weight, bias, stride, padding, dilation, groups, name="conv1d", rank=1)


def conv2d(
    x: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial | str = 0,
    dilation: Spatial = 1, groups: int = 1,
) -> Expr:  # fmt: skip
    """`conv` over two spatial axes."""
    return conv(x, weight, bias, stride, padding, dilation, groups, name="conv2d", rank=2)


def conv3d(
    x: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial | str = 0,
    dilation: Spatial = 1, groups: int = 1,
) -> Expr:  # fmt: skip
    """`conv` over three spatial axes."""
    return conv(x, weight, bias, stride, padding, dilation, groups, name="conv3d", rank=3)


def conv(
    x: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial | str = 0,
    dilation: Spatial = 1, groups: int = 1, *, name: str = "conv", rank: int | None = None,
) -> Expr:  # fmt: skip
    """What PyTorch calls convolution (cross-correlation), over any number of spatial axes.

    x        (N, C, *spatial) or, without a batch, (C, *spatial)
    weight   (O, C / groups, *kernel);  bias (O,)
    padding  zeros on both sides of each axis, or "valid" (none) or "same" (the result is as large as x; stride 1)

    out[n, o, p…] = bias[o] + Σ over c, k… of x[n, c, stride·p + dilation·k - padding…] · weight[o, c, k…]
    """
    image, kernel = operands(name, (x, weight), "number")
    spatial = kernel.ndim - 2 if rank is None else rank
    if kernel.ndim != spatial + 2 or spatial < 1:
        raise ShapeError(
            f"{name}: the weight is {dims.show(kernel.shape)}, expected {max(spatial, 1) + 2} axes (O, C, …)"
        )
    if image.ndim == spatial + 1:
        lifted = reshape(image, (1, *image.shape))
        result = conv(lifted, kernel, bias, stride, padding, dilation, groups, name=name, rank=rank)
        return reshape(result, result.shape[1:])
    if image.ndim != spatial + 2:
        raise ShapeError(f"{name}: the input is {dims.show(image.shape)}, expected {spatial + 2} axes (N, C, …)")
    steps, dilations = each(name, "stride", stride, spatial, 1), each(name, "dilation", dilation, spatial, 1)
    pads = _paddings(name, padding, steps, dilations, kernel.shape[2:])
    result = _grouped(name, image, kernel, steps, pads, dilations, groups)
    if bias is None:
        return result
    offset = operands(name, (bias, result))[0]
    if offset.shape != (kernel.shape[0],):
        raise ShapeError(f"{name}: the bias is {dims.show(offset.shape)}, expected {dims.show((kernel.shape[0],))}")
    return result + reshape(offset, (-1, *(1,) * spatial))


def _grouped(
    name: str, x: Expr, w: Expr, stride: Sequence[int], pads: Sequence[tuple[int, int]], dilation: Sequence[int],
    groups: int,
) -> Expr:  # fmt: skip
    (batch, channels, *extents), (outputs, depth, *kernel) = x.shape, w.shape
    per_group = dims.divide(outputs, groups) if isinstance(groups, int) and groups > 0 else None
    if per_group is None or dims.mul(depth, groups) != channels:
        raise ShapeError(
            f"{name}: {channels} channels, a weight {dims.show(w.shape)} and groups={groups!r} do not fit: expected "
            "O divisible by groups and a weight of shape (O, channels / groups, …)"
        )
    sizes = [output_size(name, *each) for each in zip(extents, kernel, stride, pads, dilation, strict=True)]
    position, offset = "pqrstuvw"[: len(sizes)], "abcdefgh"[: len(sizes)]
    spatial = " ".join(
        _affine((s, p), (d, k), -low)
        for s, p, d, k, (low, _) in zip(stride, position, dilation, offset, pads, strict=True)
    )
    ranges: dict[str, Dim] = {
        "N": batch,
        "C": depth,
        "O": per_group,
        **dict(zip(position, sizes, strict=True)),
        **dict(zip(offset, kernel, strict=True)),
    }
    if groups == 1:
        spec = f"N C {spatial}, O C {' '.join(offset)} -> N O {' '.join(position)}"
        return contract(x, w, spec, ranges, (batch, outputs, *sizes))
    image = reshape(x, (batch, groups, depth, *extents))
    weight = reshape(w, (groups, per_group, depth, *kernel))
    spec = f"N G C {spatial}, G O C {' '.join(offset)} -> N G O {' '.join(position)}"
    result = contract(image, weight, spec, {**ranges, "G": groups}, (batch, groups, per_group, *sizes))
    return reshape(result, (batch, outputs, *sizes))


def _affine(first: tuple[int, str], second: tuple[int, str], offset: int) -> str:
    text = "+".join(letter if c == 1 else f"{c}*{letter}" for c, letter in (first, second))
    return f"{text}{offset:+d}" if offset else text


def _paddings(
    name: str, padding: Spatial | str, stride: Sequence[int], dilation: Sequence[int], kernel: Sequence[Dim]
) -> list[tuple[int, int]]:
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding == "same":
        if any(s != 1 for s in stride):
            raise UsageError(f"{name}: padding='same' needs stride 1, got {tuple(stride)}")
        totals = [d * (_fixed(name, k) - 1) for d, k in zip(dilation, kernel, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    if isinstance(padding, str):
        raise UsageError(f"{name}: padding is {padding!r}, expected numbers, 'same' or 'valid'")
    return [(p, p) for p in each(name, "padding", padding, len(kernel), 0)]


def _fixed(name: str, size: Dim) -> int:
    if isinstance(size, int):
        return size
    raise ShapeError(f"{name}: padding='same' needs a kernel of fixed size, got {size!r}")
