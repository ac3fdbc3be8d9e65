"""The convolution layers of torch.nn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.nn import init
from symnet.nn.module import Module, Parameter
from symnet.nn.padding_functions import pad
from symnet.ops.convolution import conv, conv_transpose
from symnet.ops.window import Spatial, each

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}
"""The names of padding modes in layers, and in `functional.pad`."""


class _Convolution(Module):
    """What convolutions and transposed ones have in common: settings, a weight, a bias, and how they are shown.

    weight  uniform within ±1/√fan_in (kaiming_uniform with a = √5), and so the bias
    """

    rank: ClassVar[int]
    weight: Expr
    bias: Expr | None
    padding_mode: str

    def _configure(
        self, in_channels: int, out_channels: int, kernel_size: Spatial, stride: Spatial, dilation: Spatial, groups: int
    ) -> None:
        name = type(self).__name__
        for what, count in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise UsageError(f"{name}: {what} is a whole number from 1, got {count!r}")
        for what, count in (("in_channels", in_channels), ("out_channels", out_channels)):
            if count % groups:
                raise UsageError(f"{name}: {what} is {count}, expected a multiple of groups={groups}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = each(name, "kernel_size", kernel_size, self.rank, 1)
        self.stride = each(name, "stride", stride, self.rank, 1)
        self.dilation = each(name, "dilation", dilation, self.rank, 1)

    def _learn(self, outer: int, inner: int, bias: bool, dtype: object) -> None:
        """The weight [outer, inner, *kernel_size] and the bias."""
        self.weight = Parameter((outer, inner, *self.kernel_size), init.kaiming_uniform(a=math.sqrt(5.0)), dtype)
        bound = 1 / math.sqrt(inner * math.prod(self.kernel_size))
        self.bias = Parameter((self.out_channels,), init.uniform(-bound, bound), dtype) if bias else None

    def _channels(self, x: Any) -> Expr:
        node = ops.constant(x)
        fits = node.ndim in (self.rank + 1, self.rank + 2) and node.shape[-self.rank - 1] == self.in_channels
        if not fits:
            shape = f"[N, {self.in_channels}, {', '.join('DHW'[3 - self.rank :])}]"
            raise ShapeError(
                f"{type(self).__name__}: expected an operand of shape {shape}, with or without the batch, got "
                f"{dims.show(node.shape)} for the weight {self.weight.name!r} {dims.show(self.weight.shape)}"
            )
        return node

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        zeros, ones = (0,) * self.rank, (1,) * self.rank
        for name, usual in (("padding", zeros), ("dilation", ones), ("output_padding", zeros), ("groups", 1)):
            if getattr(self, name, usual) != usual:
                parts.append(f"{name}={getattr(self, name)}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_Convolution):
    padding: str | tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Spatial,
        stride: Spatial = 1,
        padding: Spatial | str = 0,
        dilation: Spatial = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: object = "float32",
    ) -> None:
        self._configure(in_channels, out_channels, kernel_size, stride, dilation, groups)
        name = type(self).__name__
        if padding_mode not in PADDING_MODES:
            raise UsageError(f"{name}: padding_mode is {padding_mode!r}, expected one of {', '.join(PADDING_MODES)}")
        if isinstance(padding, str) and padding not in ("valid", "same"):
            raise UsageError(f"{name}: padding is {padding!r}, expected numbers, 'same' or 'valid'")
        if padding == "same" and self.stride != (1,) * self.rank:
            raise UsageError(f"{name}: padding='same' needs stride 1, got {self.stride}")
        self.padding = padding if isinstance(padding, str) else each(name, "padding", padding, self.rank, 0)
        self.padding_mode = padding_mode
        self._learn(out_channels, in_channels // groups, bias, dtype)

    def forward(self, x: Any) -> Expr:
        node, padding = self._channels(x), self.padding
        if self.padding_mode != "zeros":
            node, padding = pad(node, self._sides(), PADDING_MODES[self.padding_mode]), (0,)
        name = type(self).__name__
        return conv(
            node, self.weight, self.bias, self.stride, padding, self.dilation, self.groups, name=name, rank=self.rank
        )

    def _sides(self) -> list[int]:
        """What is added before and after each axis, the last axis first, as `functional.pad` takes it."""
        if self.padding == "valid":
            pairs = [(0, 0)] * self.rank
        elif self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            pairs = [(total // 2, total - total // 2) for total in totals]
        else:
            pairs = [(p, p) for p in self.padding if isinstance(p, int)]
        return [width for pair in reversed(pairs) for width in pair]


class Conv1d(_Conv):
    """[N, C, L] -> [N, O, L′]: every output is the sum of products of a filter with a window of all input channels.

    out[n, o, p] = bias[o] + Σ over c, k of x[n, c, stride·p + dilation·k - padding] · weight[o, c, k]
    """

    rank = 1


class Conv2d(_Conv):
    """[N, C, H, W] -> [N, O, H′, W′]: the convolution (cross-correlation) of images with learned filters.

    out[n, o, p, q] = bias[o] + Σ over c, i, j of x[n, c, stride·p + dilation·i - padding, …q, j…] · weight[o, c, i, j]
    """

    rank = 2


class Conv3d(_Conv):
    """[N, C, D, H, W] -> [N, O, D′, H′, W′]: the convolution of volumes with learned filters."""

    rank = 3


class _ConvTranspose(_Convolution):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Spatial,
        stride: Spatial = 1,
        padding: Spatial = 0,
        output_padding: Spatial = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Spatial = 1,
        padding_mode: str = "zeros",
        *,
        dtype: object = "float32",
    ) -> None:
        name = type(self).__name__
        if padding_mode != "zeros":
            raise UsageError(f"{name}: padding_mode is {padding_mode!r}, only 'zeros' has a meaning here")
        self._configure(in_channels, out_channels, kernel_size, stride, dilation, groups)
        self.padding_mode = padding_mode
        self.padding = each(name, "padding", padding, self.rank, 0)
        self.output_padding = each(name, "output_padding", output_padding, self.rank, 0)
        self._learn(in_channels, out_channels // groups, bias, dtype)

    def forward(self, x: Any, output_size: Sequence[int] | None = None) -> Expr:
        """`output_size`, the last axes of the result, replaces `output_padding`."""
        node = self._channels(x)
        extra = self.output_padding if output_size is None else self._extra(node, output_size)
        return conv_transpose(
            node, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation,
            name=type(self).__name__, rank=self.rank,
        )  # fmt: skip

    def _extra(self, node: Expr, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output_padding that gives a result of `output_size`."""
        wanted, extra = tuple(output_size)[-self.rank :], []
        for want, size, kernel, stride, low, dilation in zip(
            wanted, node.shape[-self.rank :], self.kernel_size, self.stride, self.padding, self.dilation, strict=True
        ):
            least = dims.add(dims.mul(dims.sub(size, 1), stride), dilation * (kernel - 1) + 1 - 2 * low)
            more = dims.sub(want, least)
            if not isinstance(more, int) or not 0 <= more < stride:
                raise ShapeError(
                    f"{type(self).__name__}: output_size asks for {want} elements of an axis; expected from {least} to "
                    f"{dims.add(least, stride - 1)}"
                )
            extra.append(more)
        return tuple(extra)


class ConvTranspose1d(_ConvTranspose):
    """[N, C, L] -> [N, O, L′]: the transpose (the gradient) of a convolution from O to C channels."""

    rank = 1


class ConvTranspose2d(_ConvTranspose):
    """[N, C, H, W] -> [N, O, H′, W′]: the transpose of a convolution; each input paints its filter into the output.

    out[n, o, stride·p + dilation·i - padding, …] = bias[o] + Σ over c, p, q, i, j of x[n, c, p, q] · weight[c, o, i, j]
    """

    rank = 2


class ConvTranspose3d(_ConvTranspose):
    """[N, C, D, H, W] -> [N, O, D′, H′, W′]: the transpose of a convolution of volumes."""

    rank = 3
