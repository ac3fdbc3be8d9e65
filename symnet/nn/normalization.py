"""The normalisation layers of torch.nn, with its arguments, parameters, buffers and initial values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.nn import init
from symnet.nn import normalization_functions as F
from symnet.nn.module import Buffer, Module, Parameter

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
    "LayerNorm", "LocalResponseNorm", "RMSNorm",
]  # fmt: skip


class _Normalization(Module):
    """What has a weight that starts as ones and a bias that starts as zeros, either of which may be None."""

    weight: Expr | None
    bias: Expr | None

    def _learn(self, shape: tuple[int, ...], weight: bool, bias: bool, dtype: object) -> None:
        self.weight = Parameter(shape, init.ones(), dtype) if weight else None
        self.bias = Parameter(shape, init.zeros(), dtype) if bias else None


class LayerNorm(_Normalization):
    """y = (x - mean) / √(var + eps) · weight + bias over the last axes, `normalized_shape` (Ba, Kiros, Hinton 2016)."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: object = "float32",
    ) -> None:
        self.normalized_shape, self.eps = _sizes("LayerNorm", normalized_shape), eps
        self.elementwise_affine = elementwise_affine
        self._learn(self.normalized_shape, elementwise_affine, elementwise_affine and bias, dtype)

    def forward(self, x: Any) -> Expr:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(_Normalization):
    """y = x / √(mean(x²) + eps) · weight over the last axes (Zhang, Sennrich 2019).

    An eps of None is the spacing of the floating-point numbers at 1.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: object = "float32",
    ) -> None:
        self.normalized_shape, self.eps = _sizes("RMSNorm", normalized_shape), eps
        self.elementwise_affine = elementwise_affine
        self._learn(self.normalized_shape, elementwise_affine, False, dtype)

    def forward(self, x: Any) -> Expr:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Normalization):
    """Groups of channels of each sample [N, C, …] standardized, then · weight + bias by channel (Wu, He 2018)."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: object = "float32",
    ) -> None:
        if num_groups < 1 or num_channels % num_groups:
            raise UsageError(f"GroupNorm: {num_channels} channels cannot be split into {num_groups} groups")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self._learn((num_channels,), affine, affine and bias, dtype)

    def forward(self, x: Any) -> Expr:
        x = ops.constant(x)
        _check_channels(self, x, self.num_channels, 1)
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """y = x / (k + alpha · mean of x² over `size` neighbouring channels)^beta (Krizhevsky et al. 2012)."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Any) -> Expr:
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class _WithStatistics(_Normalization):
    """A normalisation by channel that may keep a running mean and variance for inference."""

    ranks: tuple[int, ...]
    running_mean: Expr | None
    running_var: Expr | None
    num_batches_tracked: Expr | None

    def _keep(self, features: int, affine: bool, bias: bool, tracked: bool, dtype: object) -> None:
        self.num_features, self.affine, self.track_running_stats = features, affine, tracked
        self._learn((features,), affine, affine and bias, dtype)
        self.running_mean = Buffer((features,), init.zeros(), dtype) if tracked else None
        self.running_var = Buffer((features,), init.ones(), dtype) if tracked else None
        self.num_batches_tracked = Buffer((), init.zeros(), "int64") if tracked else None

    def _checked(self, x: Any) -> Expr:
        node = ops.constant(x)
        if node.ndim not in self.ranks:
            known = " or ".join(map(str, self.ranks))
            raise ShapeError(f"{type(self).__name__}: expected an operand of {known} axes, got {dims.show(node.shape)}")
        return node

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_WithStatistics):
    """Each channel standardized over the batch, then · weight + bias (Ioffe, Szegedy 2015).

    momentum  how far each training step moves running_mean and running_var towards the batch's mean and (unbiased)
              variance; None: they are the means over all batches so far
    affine    learn weight and bias            track_running_stats  False: inference uses the batch's statistics too
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: object = "float32",
    ) -> None:
        self.eps, self.momentum = eps, momentum
        self._keep(num_features, affine, bias, track_running_stats, dtype)

    def forward(self, x: Any) -> Expr:
        x = self._checked(x)
        _check_channels(self, x, self.num_features, 1)
        if self.running_mean is not None and not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return F.by_batch(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.momentum, self.eps,
            self.num_batches_tracked,
        )  # fmt: skip


class BatchNorm1d(_BatchNorm):
    __doc__ = _BatchNorm.__doc__
    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    __doc__ = _BatchNorm.__doc__
    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    __doc__ = _BatchNorm.__doc__
    ranks = (5,)


class _InstanceNorm(_WithStatistics):
    """Each channel of each sample standardized by itself, then · weight + bias (Ulyanov, Vedaldi, Lempitsky 2016).

    Arguments as for batch norm. With track_running_stats inference uses running statistics, the means over the samples.
    A sample without a batch axis is taken too.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
        dtype: object = "float32",
    ) -> None:
        self.eps, self.momentum = eps, momentum
        self._keep(num_features, affine, bias, track_running_stats, dtype)

    def forward(self, x: Any) -> Expr:
        x = self._checked(x)
        batched = x.ndim == max(self.ranks)
        if self.affine or self.track_running_stats:
            _check_channels(self, x, self.num_features, 1 if batched else 0)
        y = F.instance_norm(
            x if batched else ops.expand_dims(x, 0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return y if batched else ops.squeeze(y, 0)


class InstanceNorm1d(_InstanceNorm):
    __doc__ = _InstanceNorm.__doc__
    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    __doc__ = _InstanceNorm.__doc__
    ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    __doc__ = _InstanceNorm.__doc__
    ranks = (4, 5)


def _check_channels(layer: Module, x: Expr, channels: int, axis: int) -> None:
    if x.ndim <= axis or x.shape[axis] != channels:
        raise ShapeError(
            f"{type(layer).__name__}: expected {channels} channels on axis {axis}, got an operand {dims.show(x.shape)}"
        )


def _sizes(layer: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if not sizes or any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes):
        raise UsageError(f"{layer}: normalized_shape is {shape!r}, expected a whole number or several")
    return sizes
