"""The padding layers of torch.nn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from symnet import ops
from symnet.errors import DTypeError, ShapeError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.nn import padding_functions as F
from symnet.nn.module import Module
from symnet.ops.leaves import Scalar

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d",
    "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    """Padding of the last `rank` axes: one number for all sides, or (before, after) for each, the last axis first."""

    rank: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: int | Sequence[int]) -> None:
        sides = 2 * self.rank
        widths = (padding,) * sides if isinstance(padding, int) else tuple(padding)
        if len(widths) != sides or any(not isinstance(w, int) or isinstance(w, bool) for w in widths):
            raise DTypeError(
                f"{type(self).__name__}: padding is {padding!r}, expected an integer or {sides} integers "
                "(before and after the last axis, then the one before it, …)"
            )
        self.padding = widths

    def forward(self, x: Any) -> Expr:
        node = ops.constant(x)
        if node.ndim not in (self.rank + 1, self.rank + 2):
            raise ShapeError(
                f"{type(self).__name__}: the input is {dims.show(node.shape)}, expected {self.rank + 1} axes (C, …) or "
                f"{self.rank + 2} (N, C, …)"
            )
        return F.pad(node, self.padding, self.mode)

    def extra_repr(self) -> str:
        return str(self.padding)


class _ReflectionPad(_Pad):
    mode = "reflect"


class _ReplicationPad(_Pad):
    mode = "replicate"


class _CircularPad(_Pad):
    mode = "circular"


class _ConstantPad(_Pad):
    mode = "constant"
    value: Scalar

    def __init__(self, padding: int | Sequence[int], value: Scalar) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, x: Any) -> Expr:
        return F.pad(x, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """`value` around the last axis."""

    rank = 1


class ConstantPad2d(_ConstantPad):
    """`value` around the last two axes."""

    rank = 2


class ConstantPad3d(_ConstantPad):
    """`value` around the last three axes."""

    rank = 3


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return str(self.padding)


class ZeroPad1d(_ZeroPad):
    """Zeros around the last axis."""

    rank = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last two axes."""

    rank = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around the last three axes."""

    rank = 3


class ReflectionPad1d(_ReflectionPad):
    """The last axis continued by its mirror image, the border itself not repeated."""

    rank = 1


class ReflectionPad2d(_ReflectionPad):
    """The last two axes continued by their mirror images."""

    rank = 2


class ReflectionPad3d(_ReflectionPad):
    """The last three axes continued by their mirror images."""

    rank = 3


class ReplicationPad1d(_ReplicationPad):
    """The border of the last axis repeated."""

    rank = 1


class ReplicationPad2d(_ReplicationPad):
    """The borders of the last two axes repeated."""

    rank = 2


class ReplicationPad3d(_ReplicationPad):
    """The borders of the last three axes repeated."""

    rank = 3


class CircularPad1d(_CircularPad):
    """The last axis continued from its other end."""

    rank = 1


class CircularPad2d(_CircularPad):
    """The last two axes continued from their other ends."""

    rank = 2


class CircularPad3d(_CircularPad):
    """The last three axes continued from their other ends."""

    rank = 3
