"""Convolutions and transposed ones: contractions with sums of two positions on the spatial axes of one array."""

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

__all__ = [
    "conv", "conv1d", "conv2d", "conv3d", "conv_transpose", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
]  # fmt: skip


def conv1d(
    input: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial | str = 0,
    dilation: Spatial = 1, groups: int = 1,
) -> Expr:  # fmt: skip
    """`conv` over one spatial axis."""
    return conv(input, weight, bias, stride, padding, dilation, groups, name="conv1d", rank=1)


def conv2d(
    input: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial | str = 0,
    dilation: Spatial = 1, groups: int = 1,
) -> Expr:  # fmt: skip
    """`conv` over two spatial axes."""
    return conv(input, weight, bias, stride, padding, dilation, groups, name="conv2d", rank=2)


def conv3d(
    input: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial | str = 0,
    dilation: Spatial = 1, groups: int = 1,
) -> Expr:  # fmt: skip
    """`conv` over three spatial axes."""
    return conv(input, weight, bias, stride, padding, dilation, groups, name="conv3d", rank=3)


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
    image, kernel = _checked(name, x, weight, rank)
    spatial = kernel.ndim - 2
    if image.ndim == spatial + 1:
        lifted = reshape(image, (1, *image.shape))
        result = conv(lifted, kernel, bias, stride, padding, dilation, groups, name=name, rank=rank)
        return reshape(result, result.shape[1:])
    steps, dilations = each(name, "stride", stride, spatial, 1), each(name, "dilation", dilation, spatial, 1)
    pads = _paddings(name, padding, steps, dilations, kernel.shape[2:])
    return _biased(name, _grouped(name, image, kernel, steps, pads, dilations, groups), bias)


def _checked(name: str, x: Operand, weight: Operand, rank: int | None) -> tuple[Expr, Expr]:
    """Image and weight of one type, with as many axes as a convolution over `rank` axes has (None: any number)."""
    image, kernel = operands(name, (x, weight), "number")
    spatial = kernel.ndim - 2 if rank is None else rank
    if kernel.ndim != spatial + 2 or spatial < 1:
        raise ShapeError(
            f"{name}: the weight is {dims.show(kernel.shape)}, expected {max(spatial, 1) + 2} axes (O, C, …)"
        )
    if image.ndim not in (spatial + 1, spatial + 2):
        raise ShapeError(
            f"{name}: the input is {dims.show(image.shape)}, expected {spatial + 2} axes (N, C, …) or, without a "
            f"batch, {spatial + 1}"
        )
    return image, kernel


def _biased(name: str, result: Expr, bias: Operand | None) -> Expr:
    if bias is None:
        return result
    offset = operands(name, (bias, result))[0]
    if offset.shape != (result.shape[1],):
        raise ShapeError(f"{name}: the bias is {dims.show(offset.shape)}, expected {dims.show((result.shape[1],))}")
    return result + reshape(offset, (-1, *(1,) * (result.ndim - 2)))


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


# --- transposed --------------------------------------------------------------------------------------------------


def conv_transpose1d(
    input: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial = 0,
    output_padding: Spatial = 0, groups: int = 1, dilation: Spatial = 1,
) -> Expr:  # fmt: skip
    """`conv_transpose` over one spatial axis."""
    return conv_transpose(
        input, weight, bias, stride, padding, output_padding, groups, dilation, name="conv_transpose1d", rank=1
    )


def conv_transpose2d(
    input: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial = 0,
    output_padding: Spatial = 0, groups: int = 1, dilation: Spatial = 1,
) -> Expr:  # fmt: skip
    """`conv_transpose` over two spatial axes."""
    return conv_transpose(
        input, weight, bias, stride, padding, output_padding, groups, dilation, name="conv_transpose2d", rank=2
    )


def conv_transpose3d(
    input: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial = 0,
    output_padding: Spatial = 0, groups: int = 1, dilation: Spatial = 1,
) -> Expr:  # fmt: skip
    """`conv_transpose` over three spatial axes."""
    return conv_transpose(
        input, weight, bias, stride, padding, output_padding, groups, dilation, name="conv_transpose3d", rank=3
    )


def conv_transpose(
    x: Operand, weight: Operand, bias: Operand | None = None, stride: Spatial = 1, padding: Spatial = 0,
    output_padding: Spatial = 0, groups: int = 1, dilation: Spatial = 1, *, name: str = "conv_transpose",
    rank: int | None = None,
) -> Expr:  # fmt: skip
    """The gradient of `conv` in its input, as an operation of its own ("deconvolution").

    x        (N, C, *spatial) or, without a batch, (C, *spatial)
    weight   (C, O / groups, *kernel);  bias (O,)
    sizes    (size - 1)·stride - 2·padding + dilation·(kernel - 1) + output_padding + 1

    out[n, o, stride·p + dilation·k - padding…] = bias[o] + Σ over c, p…, k… of x[n, c, p…] · weight[c, o, k…]
    """
    image, kernel = _checked(name, x, weight, rank)
    spatial = kernel.ndim - 2
    if image.ndim == spatial + 1:
        lifted = reshape(image, (1, *image.shape))
        result = conv_transpose(
            lifted, kernel, bias, stride, padding, output_padding, groups, dilation, name=name, rank=rank
        )
        return reshape(result, result.shape[1:])
    steps, dilations = each(name, "stride", stride, spatial, 1), each(name, "dilation", dilation, spatial, 1)
    pads = each(name, "padding", padding, spatial, 0)
    extra = each(name, "output_padding", output_padding, spatial, 0)
    if any(more >= max(step, d) for more, step, d in zip(extra, steps, dilations, strict=True)):
        raise UsageError(
            f"{name}: output_padding is {extra}, expected less than the stride {steps} or the dilation {dilations}"
        )
    sizes = [
        _transposed_size(name, *one)
        for one in zip(image.shape[2:], kernel.shape[2:], steps, pads, dilations, extra, strict=True)
    ]
    return _biased(name, _transposed(name, image, kernel, steps, pads, dilations, groups, sizes), bias)


def _transposed_size(name: str, size: Dim, kernel: Dim, stride: int, pad: int, dilation: int, extra: int) -> Dim:
    reach = dims.mul(dims.sub(kernel, 1), dilation)
    total = dims.add(dims.add(dims.mul(dims.sub(size, 1), stride), reach), extra + 1 - 2 * pad)
    if isinstance(total, int) and total < 1:
        raise ShapeError(f"{name}: an axis of {size} gives {total} elements with padding {pad}; expected at least one")
    return total


def _transposed(
    name: str, x: Expr, w: Expr, stride: Sequence[int], pads: Sequence[int], dilation: Sequence[int], groups: int,
    sizes: Sequence[Dim],
) -> Expr:  # fmt: skip
    (batch, channels, *extents), (inputs, per_group, *kernel) = x.shape, w.shape
    depth = dims.divide(inputs, groups) if isinstance(groups, int) and groups > 0 else None
    if depth is None or inputs != channels:
        raise ShapeError(
            f"{name}: {channels} channels, a weight {dims.show(w.shape)} and groups={groups!r} do not fit: expected "
            "channels divisible by groups and a weight of shape (channels, O / groups, …)"
        )
    position, offset = "pqrstuvw"[: len(sizes)], "abcdefgh"[: len(sizes)]
    spatial = " ".join(
        _affine((s, p), (d, k), -low) for s, p, d, k, low in zip(stride, position, dilation, offset, pads, strict=True)
    )
    ranges: dict[str, Dim] = {
        "N": batch,
        "G": groups,
        "C": depth,
        "O": per_group,
        **dict(zip(position, extents, strict=True)),
        **dict(zip(offset, kernel, strict=True)),
    }
    p, k = " ".join(position), " ".join(offset)
    if groups == 1:
        del ranges["G"]
        return contract(x, w, f"N C {p}, C O {k} -> N O {spatial}", ranges, (batch, per_group, *sizes))
    image = reshape(x, (batch, groups, depth, *extents))
    weight = reshape(w, (groups, depth, per_group, *kernel))
    spec = f"N G C {p}, G C O {k} -> N G O {spatial}"
    result = contract(image, weight, spec, ranges, (batch, groups, per_group, *sizes))
    return reshape(result, (batch, dims.mul(per_group, groups), *sizes))
