"""The pools of torch.nn, Fold and Unfold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.nn import adaptive_pooling_functions as A
from symnet.nn import pooling_functions as F
from symnet.nn.module import Module
from symnet.ops.window import Spatial

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "Fold", "LPPool1d", "LPPool2d", "LPPool3d",
    "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d", "Unfold",
]  # fmt: skip

Function = Callable[..., Any]


class _Pool(Module):
    """A pool whose settings, kept under torch's names, are those of a function, in the order of the repr."""

    function: ClassVar[Function]
    shown: ClassVar[tuple[str, ...]]

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.shown)


# --- max ---------------------------------------------------------------------------------------------------------


class _MaxPool(_Pool):
    shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: Spatial,
        stride: Spatial | None = None,
        padding: Spatial = 0,
        dilation: Spatial = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, x: Any) -> Expr | tuple[Expr, Expr]:
        result: Expr | tuple[Expr, Expr] = type(self).function(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )
        return result


class MaxPool1d(_MaxPool):
    """[N, C, L] -> [N, C, L′]: the largest element of each window; with return_indices also where it was."""

    function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """[N, C, H, W] -> [N, C, H′, W′]: out[n, c, p, q] = max over i, j of x[n, c, stride·p + dilation·i - padding, …].

    The padding is -∞, the first of equal elements has the whole derivative, and NaN counts as the largest.
    """

    function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """[N, C, D, H, W] -> [N, C, D′, H′, W′]: the largest element of each window of a volume."""

    function = staticmethod(F.max_pool3d)


class _MaxUnpool(_Pool):
    shown = ("kernel_size", "stride", "padding")
    rank: ClassVar[int]

    def __init__(self, kernel_size: Spatial, stride: Spatial | None = None, padding: Spatial = 0) -> None:
        def alike(value: Spatial) -> tuple[int, ...]:
            return (value,) * self.rank if isinstance(value, int) else tuple(value)

        self.kernel_size, self.padding = alike(kernel_size), alike(padding)
        self.stride = self.kernel_size if stride is None else alike(stride)

    def forward(self, x: Any, indices: Any, output_size: Sequence[Dim] | None = None) -> Expr:
        result: Expr = type(self).function(x, indices, self.kernel_size, self.stride, self.padding, output_size)
        return result


class MaxUnpool1d(_MaxUnpool):
    """Zeros with each element where MaxPool1d(…, return_indices=True) found it."""

    function, rank = staticmethod(F.max_unpool1d), 1


class MaxUnpool2d(_MaxUnpool):
    """Zeros with each element where MaxPool2d(…, return_indices=True) found it; windows must not overlap."""

    function, rank = staticmethod(F.max_unpool2d), 2


class MaxUnpool3d(_MaxUnpool):
    """Zeros with each element where MaxPool3d(…, return_indices=True) found it."""

    function, rank = staticmethod(F.max_unpool3d), 3


# --- averages ----------------------------------------------------------------------------------------------------


class AvgPool1d(_Pool):
    """[N, C, L] -> [N, C, L′]: the mean of each window."""

    shown = ("kernel_size", "stride", "padding")

    def __init__(
        self,
        kernel_size: Spatial,
        stride: Spatial | None = None,
        padding: Spatial = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        def single(value: Spatial) -> tuple[int, ...]:
            return (value,) if isinstance(value, int) else tuple(value)

        self.kernel_size, self.padding = single(kernel_size), single(padding)
        self.stride = self.kernel_size if stride is None else single(stride)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: Any) -> Expr:
        return F.avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPool(_Pool):
    shown = ("kernel_size", "stride", "padding")

    def __init__(
        self,
        kernel_size: Spatial,
        stride: Spatial | None = None,
        padding: Spatial = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, x: Any) -> Expr:
        result: Expr = type(self).function(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip
        return result


class AvgPool2d(_AvgPool):
    """[N, C, H, W] -> [N, C, H′, W′]: the mean of each window; count_include_pad says whether its padding counts."""

    function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """[N, C, D, H, W] -> [N, C, D′, H′, W′]: the mean of each window of a volume."""

    function = staticmethod(F.avg_pool3d)


class _LPPool(_Pool):
    shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(
        self, norm_type: float, kernel_size: Spatial, stride: Spatial | None = None, ceil_mode: bool = False
    ) -> None:
        self.norm_type, self.kernel_size, self.stride = norm_type, kernel_size, stride
        self.ceil_mode = ceil_mode

    def forward(self, x: Any) -> Expr:
        settings = (float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)
        result: Expr = type(self).function(x, *settings)
        return result


class LPPool1d(_LPPool):
    """[N, C, L] -> [N, C, L′]: (Σ xᵖ)^(1/p) over each window, p = norm_type."""

    function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """[N, C, H, W] -> [N, C, H′, W′]: (Σ xᵖ)^(1/p) over each window, p = norm_type."""

    function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """[N, C, D, H, W] -> [N, C, D′, H′, W′]: (Σ xᵖ)^(1/p) over each window, p = norm_type."""

    function = staticmethod(F.lp_pool3d)


# --- adaptive ----------------------------------------------------------------------------------------------------


class _AdaptiveAvgPool(_Pool):
    shown = ("output_size",)

    def __init__(self, output_size: A.Sizes) -> None:
        self.output_size = output_size

    def forward(self, x: Any) -> Expr:
        result: Expr = type(self).function(x, self.output_size)
        return result


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """[N, C, L] -> [N, C, output_size]: means of windows that cover the axis evenly."""

    function = staticmethod(A.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """[N, C, H, W] -> [N, C, *output_size]: means of windows that cover the image evenly; None keeps a size."""

    function = staticmethod(A.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """[N, C, D, H, W] -> [N, C, *output_size]: means of windows that cover the volume evenly; None keeps a size."""

    function = staticmethod(A.adaptive_avg_pool3d)


class _AdaptiveMaxPool(_Pool):
    shown = ("output_size",)

    def __init__(self, output_size: A.Sizes, return_indices: bool = False) -> None:
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, x: Any) -> Expr | tuple[Expr, Expr]:
        result: Expr | tuple[Expr, Expr] = type(self).function(x, self.output_size, self.return_indices)
        return result


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """[N, C, L] -> [N, C, output_size]: largest elements of windows that cover the axis evenly."""

    function = staticmethod(A.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """[N, C, H, W] -> [N, C, *output_size]: largest elements of windows that cover the image evenly."""

    function = staticmethod(A.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """[N, C, D, H, W] -> [N, C, *output_size]: largest elements of windows that cover the volume evenly."""

    function = staticmethod(A.adaptive_max_pool3d)


# --- windows as columns ------------------------------------------------------------------------------------------


class Unfold(_Pool):
    """[N, C, H, W] -> [N, C·kernel, L]: the L windows of an image as columns (im2col)."""

    shown = ("kernel_size", "dilation", "padding", "stride")

    def __init__(self, kernel_size: Spatial, dilation: Spatial = 1, padding: Spatial = 0, stride: Spatial = 1) -> None:
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, x: Any) -> Expr:
        return F.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(_Pool):
    """[N, C·kernel, L] -> [N, C, *output_size]: the L columns added up where their windows overlap (col2im)."""

    shown = ("output_size", "kernel_size", "dilation", "padding", "stride")

    def __init__(
        self,
        output_size: Spatial,
        kernel_size: Spatial,
        dilation: Spatial = 1,
        padding: Spatial = 0,
        stride: Spatial = 1,
    ) -> None:
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, x: Any) -> Expr:
        return F.fold(x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)
