"""What losses share: how they reduce, the checks of their operands, and the class that holds their settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from symnet import ops
from symnet.errors import DTypeError, ShapeError, UsageError, nearest
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.ops.coerce import operands
from symnet.ops.leaves import Operand

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str, known: Sequence[str] = REDUCTIONS) -> str:
    """`reduction` if it is one of the `known` ones."""
    if reduction not in known:
        raise UsageError(f"there is no reduction {reduction!r}{nearest(reduction, known)}")
    return reduction


def reduce(values: Expr, reduction: str) -> Expr:
    """The values themselves, their mean or their sum."""
    if reduction == "mean":
        return ops.mean(values)
    return ops.sum(values) if reduction == "sum" else values


def size_of(dim: Dim, dtype: str) -> Expr | float:
    """The size of an axis as a number to calculate with."""
    return float(dim) if isinstance(dim, int) else ops.dim(dim, dtype)


def at_least(x: Expr, limit: float) -> Expr:
    """max(limit, x) as torch.clamp_min has it: its derivative at the limit is 1."""
    return ops.clip(x, limit, float("inf"))


def check_float(loss: str, what: str, value: Expr) -> None:
    if not dtypes.is_float(value.dtype):
        raise DTypeError(f"{loss}: expected {what} of type float32 or float64, got {value.dtype}")


def check_same_shape(loss: str, given: Expr, target: Expr) -> None:
    """Broadcasting the two, as [N, 1] against [N], would silently compare every pair."""
    if given.shape != target.shape:
        raise ShapeError(
            f"{loss}: expected a target of the input's shape {dims.show(given.shape)}, got {dims.show(target.shape)}; "
            "reshape or broadcast one of them first"
        )


def same_shape(loss: str, input: Operand, target: Operand) -> tuple[Expr, Expr]:
    """Input and target as expressions of one shape and one float type."""
    given, wanted = operands(loss, (ops.constant(input), ops.constant(target)))
    check_same_shape(loss, given, wanted)
    check_float(loss, "input and target", given)
    return given, wanted


def check_classes(loss: str, logits: Expr) -> None:
    """[N, C], or [C] for one example."""
    check_float(loss, "input", logits)
    if logits.ndim not in (1, 2):
        raise ShapeError(f"{loss}: expected an input [N, C] (or [C] for one example), got {dims.show(logits.shape)}")


def check_indices(loss: str, target: Expr, expected: tuple[Dim, ...], given: Expr) -> None:
    """Class indices of the shape that belongs to the input."""
    if target.dtype not in dtypes.INTS:
        raise DTypeError(f"{loss}: expected class indices (int32 or int64), got {target.dtype}")
    if target.shape != expected:
        raise ShapeError(
            f"{loss}: expected class indices of shape {dims.show(expected)} for an input {dims.show(given.shape)}, "
            f"got {dims.show(target.shape)}"
        )


def factors(loss: str, what: str, value: Operand, x: Expr) -> Expr:
    """Factors in the type of the input, whose shape they broadcast to."""
    node = ops.constant(value)
    try:
        fits = dims.broadcast(node.shape, x.shape) == x.shape
    except ShapeError:
        fits = False
    if not fits:
        raise ShapeError(
            f"{loss}: {what} of shape {dims.show(node.shape)} does not broadcast to the input {dims.show(x.shape)}"
        )
    return ops.cast(node, x.dtype)


@dataclass(eq=False)
class Loss:
    """A loss function together with its settings.

    A subclass is a dataclass: its fields are the settings of its `function`, with torch.nn's order and defaults.
    """

    function: ClassVar[Callable[..., Expr]]
    reductions: ClassVar[Sequence[str]] = REDUCTIONS

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "reduction":
                check_reduction(value, self.reductions)
            if field.name in ("weight", "pos_weight") and value is not None:
                setattr(self, field.name, ops.constant(value))

    def __call__(self, *operands: Operand, **named: Operand) -> Expr:
        """The expression of the loss; operands as the function takes them, by position or by name."""
        settings = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self).function(*operands, **named, **settings)
