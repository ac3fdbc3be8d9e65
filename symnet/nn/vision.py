"""The layers of torch.nn that move pixels between channels and space, and those that resize."""

from __future__ import annotations

from typing import Any

from symnet.expr.node import Expr
from symnet.nn import vision_functions as F
from symnet.nn.module import Module

__all__ = [
    "ChannelShuffle", "PixelShuffle", "PixelUnshuffle", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
]  # fmt: skip


class PixelShuffle(Module):
    """[N, C·r², H, W] -> [N, C, H·r, W·r]: channels become pixels (Shi et al. 2016)."""

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = upscale_factor

    def forward(self, x: Any) -> Expr:
        return F.pixel_shuffle(x, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """[N, C, H·r, W·r] -> [N, C·r², H, W]: pixels become channels."""

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = downscale_factor

    def forward(self, x: Any) -> Expr:
        return F.pixel_unshuffle(x, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """[N, C, …] with the channels of `groups` groups interleaved (Zhang et al. 2017)."""

    def __init__(self, groups: int) -> None:
        self.groups = groups

    def forward(self, x: Any) -> Expr:
        return F.channel_shuffle(x, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class Upsample(Module):
    """[N, C, *spatial] resized to `size` or by `scale_factor`; `functional.interpolate` says how."""

    def __init__(
        self,
        size: F.Size = None,
        scale_factor: F.Scale = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        def number(value: Any) -> Any:
            return tuple(map(float, value)) if isinstance(value, (tuple, list)) else value and float(value)

        self.size, self.scale_factor, self.mode = size, number(scale_factor), mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, x: Any) -> Expr:
        return F.interpolate(
            x, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        how = f"size={self.size!r}" if self.scale_factor is None else f"scale_factor={self.scale_factor!r}"
        return f"{how}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """An image resized by repeating pixels."""

    def __init__(self, size: F.Size = None, scale_factor: F.Scale = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """An image resized by weighing four neighbours; the corners stay where they are."""

    def __init__(self, size: F.Size = None, scale_factor: F.Scale = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
