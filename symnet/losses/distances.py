"""Losses between vectors: angles and distances of pairs and triples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.losses.common import Loss, at_least, check_float, check_reduction, reduce
from symnet.ops import linalg
from symnet.ops.coerce import operands
from symnet.ops.leaves import Operand

__all__ = [
    "CosineEmbeddingLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss", "cosine_embedding_loss",
    "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip

Distance = Callable[[Expr, Expr], Expr]
LEAST_SQUARE = 9.999999960041972e-13
"""What PyTorch adds to the squared lengths of vectors whose angle it takes: 1e-12 in single precision."""


def cosine_embedding_loss(
    input1: Operand, input2: Operand, target: Operand, margin: float = 0.0, reduction: str = "mean"
) -> Expr:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1, for the angle between two vectors.

    input1, input2  [N, D], or [D] for one pair
    target          [N] or a scalar, of 1 and -1 (anything else counts for nothing)
    """
    loss = "cosine_embedding_loss"
    check_reduction(reduction)
    a, b = operands(loss, (ops.constant(input1), ops.constant(input2)))
    t = ops.constant(target)
    check_float(loss, "inputs", a)
    if a.shape != b.shape or a.ndim not in (1, 2) or t.shape != a.shape[:-1]:
        raise ShapeError(
            f"{loss}: expected inputs [N, D] with a target [N], or inputs [D] with a scalar target; got "
            f"{dims.show(a.shape)}, {dims.show(b.shape)} and {dims.show(t.shape)}"
        )
    lengths = [ops.sqrt(ops.sum(ops.square(v), axis=-1) + LEAST_SQUARE) for v in (a, b)]
    cos = ops.sum(a * b, axis=-1) / (lengths[0] * lengths[1])
    values = ops.where(t == 1, 1.0 - cos, ops.where(t == -1, at_least(cos - margin, 0.0), 0.0))
    return reduce(values, reduction)


@dataclass(eq=False)
class CosineEmbeddingLoss(Loss):
    """`cosine_embedding_loss` with its settings: called on input1, input2 and target."""

    margin: float = 0.0
    reduction: str = "mean"
    function = cosine_embedding_loss


def triplet_margin_loss(
    anchor: Operand,
    positive: Operand,
    negative: Operand,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Expr:
    """max(0, margin + d(anchor, positive) - d(anchor, negative)) with d(a, b) = ‖a - b + eps‖ of order p.

    The three are [N, D] or [D] and broadcast; distances are along the last axis. With `swap`, the negative's distance
    is the smaller one of those from the anchor and from the positive (Balntas et al. 2016).
    """

    def distance(a: Expr, b: Expr) -> Expr:
        return linalg.vector_norm(a - b + eps, axis=-1, ord=p)

    return _triplet("triplet_margin_loss", (anchor, positive, negative), distance, margin, swap, reduction)


@dataclass(eq=False)
class TripletMarginLoss(Loss):
    """`triplet_margin_loss` with its settings: called on anchor, positive and negative."""

    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False
    reduction: str = "mean"
    function = triplet_margin_loss


def triplet_margin_with_distance_loss(
    anchor: Operand,
    positive: Operand,
    negative: Operand,
    *,
    distance_function: Distance | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Expr:
    """`triplet_margin_loss` with a distance of your own, a function of two expressions (default: ‖a - b + 1e-6‖)."""

    def distance(a: Expr, b: Expr) -> Expr:
        return linalg.vector_norm(a - b + 1e-6, axis=-1)

    loss = "triplet_margin_with_distance_loss"
    return _triplet(loss, (anchor, positive, negative), distance_function or distance, margin, swap, reduction)


@dataclass(eq=False, kw_only=True)
class TripletMarginWithDistanceLoss(Loss):
    """`triplet_margin_with_distance_loss` with its settings: called on anchor, positive and negative."""

    distance_function: Distance | None = None
    margin: float = 1.0
    swap: bool = False
    reduction: str = "mean"
    function = triplet_margin_with_distance_loss


def _triplet(
    loss: str, vectors: tuple[Operand, Operand, Operand], distance: Distance, margin: float, swap: bool, reduction: str
) -> Expr:
    check_reduction(reduction)
    if margin <= 0:
        raise UsageError(f"{loss}: margin is positive, got {margin}")
    anchor, positive, negative = operands(loss, [ops.constant(vector) for vector in vectors])
    check_float(loss, "inputs", anchor)
    if not anchor.ndim == positive.ndim == negative.ndim > 0:
        raise ShapeError(
            f"{loss}: expected anchor, positive and negative with the same number of axes, got "
            f"{dims.show(anchor.shape)}, {dims.show(positive.shape)} and {dims.show(negative.shape)}"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return reduce(at_least(margin + near - far, 0.0), reduction)
