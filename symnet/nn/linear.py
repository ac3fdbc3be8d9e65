"""Linear and Bilinear, and the layers that only reshape or pass through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.nn import init
from symnet.nn.linear_functions import bilinear, linear
from symnet.nn.module import Module, Parameter

__all__ = ["Bilinear", "Flatten", "Identity", "Linear", "Unflatten"]


class Linear(Module):
    """y = x Wᵀ + b: x [..., in_features] -> y [..., out_features], with weight [out_features, in_features]."""

    weight: Expr
    bias: Expr | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dtype: object = "float32") -> None:
        for name, size in (("in_features", in_features), ("out_features", out_features)):
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise UsageError(f"Linear: {name} is a whole number from 0, got {size!r}")
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter((out_features, in_features), init.kaiming_uniform(a=math.sqrt(5.0)), dtype)
        bound = 1 / math.sqrt(in_features) if in_features else 0.0
        self.bias = Parameter((out_features,), init.uniform(-bound, bound), dtype) if bias else None

    def forward(self, x: Any) -> Expr:
        x = ops.constant(x)
        if not x.shape or x.shape[-1] != self.in_features:
            raise ShapeError(
                f"Linear: expected an operand of shape [..., {self.in_features}], got {dims.show(x.shape)} "
                f"for the weight {self.weight.name!r} {dims.show(self.weight.shape)}"
            )
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """y_o = x₁ᵀ W_o x₂ + b_o: x₁ [..., in1_features], x₂ [..., in2_features] -> y [..., out_features]."""

    weight: Expr
    bias: Expr | None

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, *, dtype: object = "float32"
    ) -> None:
        if in1_features < 1:
            raise UsageError(f"Bilinear: in1_features is a whole number from 1, got {in1_features!r}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        start = init.uniform(-1 / math.sqrt(in1_features), 1 / math.sqrt(in1_features))
        self.weight = Parameter((out_features, in1_features, in2_features), start, dtype)
        self.bias = Parameter((out_features,), start, dtype) if bias else None

    def forward(self, x1: Any, x2: Any) -> Expr:
        x1, x2 = ops.constant(x1), ops.constant(x2)
        sizes = (self.in1_features, self.in2_features)
        if not x1.ndim or not x2.ndim or (x1.shape[-1], x2.shape[-1]) != sizes or x1.shape[:-1] != x2.shape[:-1]:
            raise ShapeError(
                f"Bilinear: expected operands [..., {sizes[0]}] and [..., {sizes[1]}], "
                f"got {dims.show(x1.shape)} and {dims.show(x2.shape)}"
            )
        return bilinear(x1, x2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Flatten(Module):
    """The axes start_dim … end_dim (both included) as one: [N, C, H, W] -> [N, C·H·W]."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Expr:
        x = ops.constant(x)
        rank = max(x.ndim, 1)
        for axis in (self.start_dim, self.end_dim):
            if not -rank <= axis < rank:
                raise ShapeError(f"Flatten: axis {axis} does not exist in {dims.show(x.shape)}")
        start, end = self.start_dim % rank, self.end_dim % rank
        if start > end:
            raise ShapeError(
                f"Flatten: start_dim={self.start_dim} comes after end_dim={self.end_dim} in {dims.show(x.shape)}"
            )
        merged = dims.product(x.shape[start : end + 1])
        return ops.reshape(x, (*x.shape[:start], merged, *x.shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One axis as several: Unflatten(1, (C, H, W)) takes [N, C·H·W] to [N, C, H, W]; one size may be -1."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Any) -> Expr:
        x = ops.constant(x)
        if not -x.ndim <= self.dim < x.ndim:
            raise ShapeError(f"Unflatten: axis {self.dim} does not exist in {dims.show(x.shape)}")
        axis = self.dim % x.ndim
        size, sizes = x.shape[axis], list(self.unflattened_size)
        if sizes.count(-1) == 1 and isinstance(size, int):
            known = -math.prod(sizes)
            sizes[sizes.index(-1)] = size // known if known else -1
        if dims.product(sizes) != size or -1 in sizes:
            raise ShapeError(f"Unflatten: an axis of size {size} does not divide into {self.unflattened_size}")
        return ops.reshape(x, (*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Identity(Module):
    """x itself. Takes any arguments and needs none, so that it can stand where another layer was."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs

    def forward(self, x: Any) -> Expr:
        return ops.constant(x)
