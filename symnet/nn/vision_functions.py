"""Moving pixels between channels and space, and resizing, as in torch.nn.functional."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from symnet import ops
from symnet.errors import ShapeError, Unsupported, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.nn.adaptive_pooling_functions import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    weighted_sums,
)
from symnet.ops.coerce import static, to_expr
from symnet.ops.leaves import Operand

__all__ = ["channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle", "upsample"]

# --- shuffles ----------------------------------------------------------------------------------------------------


def _image(name: str, x: Operand) -> Expr:
    node = to_expr(x, name)
    if node.ndim < 3:
        raise ShapeError(f"{name}: the input is {dims.show(node.shape)}, expected at least 3 axes (…, C, H, W)")
    return node


def _factor(name: str, what: str, value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{name}: {what} is {value!r}, expected an integer from 1")
    return value


def _part(name: str, size: Dim, factor: int, what: str) -> Dim:
    part = dims.divide(size, factor)
    if part is None:
        raise ShapeError(f"{name}: {size} {what} cannot be divided into parts of {factor}")
    return part


def pixel_shuffle(input: Operand, upscale_factor: int) -> Expr:
    """(…, C·r², H, W) -> (…, C, H·r, W·r): r² channels become the pixels of an image r times as large."""
    node, r = _image("pixel_shuffle", input), _factor("pixel_shuffle", "upscale_factor", upscale_factor)
    (*lead, channels, height, width), n = node.shape, node.ndim - 3
    part = _part("pixel_shuffle", channels, r * r, "channels")
    apart = ops.reshape(node, (*lead, part, r, r, height, width))
    moved = ops.transpose(apart, (*range(n + 1), n + 3, n + 1, n + 4, n + 2))
    return ops.reshape(moved, (*lead, part, dims.mul(height, r), dims.mul(width, r)))


def pixel_unshuffle(input: Operand, downscale_factor: int) -> Expr:
    """(…, C, H·r, W·r) -> (…, C·r², H, W): the way back from `pixel_shuffle`."""
    node, r = _image("pixel_unshuffle", input), _factor("pixel_unshuffle", "downscale_factor", downscale_factor)
    (*lead, channels, height, width), n = node.shape, node.ndim - 3
    rows, columns = (_part("pixel_unshuffle", size, r, "pixels") for size in (height, width))
    apart = ops.reshape(node, (*lead, channels, rows, r, columns, r))
    moved = ops.transpose(apart, (*range(n + 1), n + 2, n + 4, n + 1, n + 3))
    return ops.reshape(moved, (*lead, dims.mul(channels, r * r), rows, columns))


def channel_shuffle(input: Operand, groups: int) -> Expr:
    """Channels dealt out in turn to `groups`: (N, g·C, …) seen as [g, C] and transposed."""
    node, count = _image("channel_shuffle", input), _factor("channel_shuffle", "groups", groups)
    batch, channels, *rest = node.shape
    part = _part("channel_shuffle", channels, count, "channels")
    apart = ops.reshape(node, (batch, count, part, *rest))
    return ops.reshape(ops.swapaxes(apart, 1, 2), node.shape)


# --- resizing ----------------------------------------------------------------------------------------------------

Size = int | Sequence[int] | None
Scale = float | Sequence[float] | None
AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}
RANKS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
"""How many spatial axes the modes take that are not for any number."""
CUBIC = -0.75
"""The slope parameter of the cubic kernel (Keys 1981), as PyTorch has it."""


def interpolate(
    input: Operand, size: Size = None, scale_factor: Scale = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Expr:  # fmt: skip
    """(N, C, *spatial) resized to `size`, or by `scale_factor`.

    mode           "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"
    align_corners  whether the centres of the corner pixels, rather than their outer edges, stay where they are
    recompute_scale_factor  take the scale from the sizes, where scale_factor gives no whole number of pixels
    """
    node = to_expr(input, "interpolate")
    rank = node.ndim - 2
    if rank not in (1, 2, 3):
        raise ShapeError(f"interpolate: the input is {dims.show(node.shape)}, expected 3 to 5 axes (N, C, …)")
    if antialias:
        raise Unsupported("interpolate: antialias=True is not supported; average before making an image smaller")
    if mode not in ("nearest", "nearest-exact", "area", *RANKS):
        raise UsageError(
            f"interpolate: unknown mode {mode!r}; expected nearest, nearest-exact, area, {', '.join(RANKS)}"
        )
    if RANKS.get(mode, rank) != rank:
        raise ShapeError(f"interpolate: mode {mode!r} takes {RANKS[mode] + 2} axes, got {dims.show(node.shape)}")
    if align_corners is not None and mode not in RANKS:
        raise UsageError(f"interpolate: align_corners has no meaning for mode {mode!r}")
    extents = [static("interpolate", d, "an axis to resize") for d in node.shape[2:]]
    sizes, scales = _sizes(extents, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return AREA[rank](node, sizes)
    for axis, (old, new, scale) in enumerate(zip(extents, sizes, scales, strict=True), 2):
        node = _resized(node, axis, old, new, scale, mode, bool(align_corners))
    return node


def upsample(
    input: Operand, size: Size = None, scale_factor: Scale = None, mode: str = "nearest",
    align_corners: bool | None = None,
) -> Expr:  # fmt: skip
    """`interpolate` under its older name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def _sizes(
    extents: Sequence[int], size: Size, scale_factor: Scale, recompute: bool | None
) -> tuple[list[int], list[float | None]]:
    """The new size of each axis, and what the positions are divided by where the sizes do not say it."""
    if (size is None) == (scale_factor is None):
        raise UsageError("interpolate: give either size or scale_factor")
    rank = len(extents)
    if size is not None:
        if recompute:
            raise UsageError("interpolate: recompute_scale_factor=True has no meaning with size")
        sizes = [size] * rank if isinstance(size, int) else list(size)
        if len(sizes) != rank or any(not isinstance(s, int) or s < 1 for s in sizes):
            raise UsageError(f"interpolate: size is {size!r}, expected {rank} integers from 1, or one")
        return sizes, [None] * rank
    assert scale_factor is not None
    factors = [float(scale_factor)] * rank if isinstance(scale_factor, (int, float)) else list(scale_factor)
    if len(factors) != rank or any(isinstance(f, bool) or not f > 0 for f in factors):
        raise UsageError(f"interpolate: scale_factor is {scale_factor!r}, expected {rank} positive numbers, or one")
    sizes = [math.floor(extent * factor) for extent, factor in zip(extents, factors, strict=True)]
    if any(s < 1 for s in sizes):
        raise ShapeError(f"interpolate: scale_factor {scale_factor!r} leaves nothing of {dims.show(tuple(extents))}")
    return sizes, [None] * rank if recompute else [float(f) for f in factors]


def _resized(node: Expr, axis: int, old: int, new: int, scale: float | None, mode: str, corners: bool) -> Expr:
    ratio = old / new if scale is None else 1 / scale
    if mode.startswith("nearest"):
        return _picked(node, axis, _nearest(old, new, ratio, mode == "nearest-exact", flat=node.ndim == 3))
    if old == new and (scale is None or scale == 1):
        return node
    if corners:
        place = np.arange(new) * ((old - 1) / (new - 1) if new > 1 else 0.0)
    else:
        place = (np.arange(new) + 0.5) * ratio - 0.5
    taps, weights = _cubic(place) if mode == "bicubic" else _linear(place, old)
    matrix = np.zeros((new, old))
    np.add.at(matrix, (np.arange(new)[:, None], np.clip(taps, 0, old - 1)), weights)
    return weighted_sums(node, axis, matrix)


def _nearest(old: int, new: int, ratio: float, exact: bool, flat: bool) -> np.ndarray:
    """The position that each new one shows: ⌊i·ratio⌋, or ⌊(i + 1/2)·ratio⌋ for nearest-exact.

    As PyTorch does for float32 images, they are counted in float32, and except along a single axis (`flat`) the ratio
    is forgotten where an axis keeps its size or becomes twice as long.
    """
    if not (exact or flat) and new in (old, 2 * old):
        return np.arange(new) // (new // old)
    count = np.arange(new, dtype=np.float32) + np.float32(0.5 if exact else 0.0)
    place: np.ndarray = np.minimum(np.floor(count * np.float32(ratio)), old - 1)
    return place.astype(np.int64)


def _picked(node: Expr, axis: int, positions: np.ndarray) -> Expr:
    """The elements at these positions of an axis; repeated evenly, by broadcasting."""
    old = node.shape[axis]
    times = len(positions) // old if isinstance(old, int) else 0
    if times and np.array_equal(positions, np.repeat(np.arange(old), times)):
        return ops.repeat(node, times, axis)
    return ops.take(node, positions, axis)


def _linear(place: np.ndarray, old: int) -> tuple[np.ndarray, np.ndarray]:
    """The two neighbours of each place, and their weights."""
    place = np.maximum(place, 0.0)
    first = np.minimum(np.floor(place).astype(int), old - 1)
    second = np.minimum(place - first, 1.0)
    return np.stack([first, first + 1], axis=1), np.stack([1.0 - second, second], axis=1)


def _cubic(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The four neighbours of each place, and their weights by cubic convolution."""
    first = np.floor(place).astype(int)
    t, a = place - first, CUBIC
    near: Callable[[np.ndarray], np.ndarray] = lambda d: ((a + 2) * d - (a + 3)) * d * d + 1  # noqa: E731
    far: Callable[[np.ndarray], np.ndarray] = lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a  # noqa: E731
    weights = np.stack([far(t + 1), near(t), near(1 - t), far(2 - t)], axis=1)
    return first[:, None] + np.arange(-1, 3), weights
