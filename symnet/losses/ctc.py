"""Connectionist temporal classification (Graves et al. 2006): the likelihood of a sequence of labels, summed over all
ways to align it with the time steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symnet import ops
from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim
from symnet.expr.node import ArrayValue, Expr
from symnet.losses.common import Loss, check_float, check_reduction, reduce
from symnet.ops.leaves import Operand

__all__ = ["CTCLoss", "ctc_loss"]

NEVER = float("-inf")
"""The logarithm of the probability 0."""


def ctc_loss(
    log_probs: Operand,
    targets: Operand,
    input_lengths: Operand,
    target_lengths: Operand,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Expr:
    """-log of the probability of the targets, over all alignments with the time steps.

    log_probs       [T, N, C], or [T, C] for one sequence: log-probabilities of C classes. They are normalised (by
                    log_softmax, which does not change what is normalised), so the gradient is the one PyTorch gives
    targets         class indices other than `blank`: [N, S], of which the first `target_lengths` count; or those of all
                    sequences one after the other; or [S] for one sequence
    input_lengths   [N] (a scalar for one sequence), how many time steps count, at most T
    target_lengths  [N] (a scalar for one sequence)
    blank           the class that stands for no label
    reduction       "mean" divides each loss by the length of its target (at least 1) and averages over N
    zero_infinity   0 in place of ∞, the loss of a target that does not fit into its time steps. Its gradient is 0 in
                    either case (in PyTorch it is nan if the loss is ∞)
    """
    check_reduction(reduction)
    log_p, labels = ops.constant(log_probs), ops.constant(targets)
    check_float("ctc_loss", "log-probabilities", log_p)
    if log_p.ndim not in (2, 3):
        raise ShapeError(f"ctc_loss: expected log_probs [T, N, C] or [T, C], got {dims.show(log_p.shape)}")
    single = log_p.ndim == 2
    if single:
        log_p = ops.expand_dims(log_p, 1)
    steps, count, classes = log_p.shape
    if isinstance(classes, int) and not 0 <= blank < classes:
        raise UsageError(f"ctc_loss: blank is one of the {classes} classes, got {blank}")
    times = _lengths("input_lengths", input_lengths, count, single, steps)
    lengths = _lengths("target_lengths", target_lengths, count, single)
    labels = _padded(labels, lengths, count, single, blank)

    start, forward = _forward(ops.log_softmax(log_p, axis=-1), labels, blank)
    reached = ops.concat([ops.expand_dims(start, 0), forward])[times, ops.arange(count)]  # after the last time step
    in_blank = _at(reached, 2 * lengths)
    in_label = ops.where(lengths > 0, _at(reached, ops.maximum(2 * lengths - 1, 0)), NEVER)
    losses = -ops.logsumexp(ops.stack([in_blank, in_label]), axis=0)

    if zero_infinity:
        losses = ops.where(losses == float("inf"), 0.0, losses)
    if reduction == "mean":
        losses = losses / ops.cast(ops.maximum(lengths, 1), losses.dtype)
    return reduce(ops.squeeze(losses, 0) if single else losses, reduction)


def _forward(log_p: Expr, labels: Expr, blank: int) -> tuple[Expr, Expr]:
    """log α before the first time step [N, 2S+1], and after each [T, N, 2S+1].

    The labels are taken with blanks around them, and α of a place is the probability of all beginnings of alignments
    that have come there: they stay, come from the place before, or skip a blank between two different labels.
    """
    count, size = labels.shape
    places = dims.add(dims.mul(size, 2), 1)
    empty = ops.full((count, 1), blank, dtype=labels.dtype)
    blanks = ops.broadcast_to(ops.expand_dims(empty, 2), (count, size, 1))
    pairs = ops.concat([blanks, ops.expand_dims(labels, 2)], axis=2)
    path = ops.concat([ops.reshape(pairs, (count, dims.mul(size, 2))), empty], axis=1)
    emitted = log_p[:, ops.expand_dims(ops.arange(count), 1), path]
    skips = ops.logical_and(path != blank, path != _moved(path, 2, blank))

    def step(before: Expr, log_p_now: Expr) -> Expr:
        skipped = ops.where(skips, _moved(before, 2, NEVER), NEVER)
        return log_p_now + ops.logsumexp(ops.stack([before, _moved(before, 1, NEVER), skipped]), axis=0)

    start = ops.broadcast_to(ops.where(ops.arange(places) == 0, 0.0, NEVER), (count, places))
    start = ops.cast(start, log_p.dtype)
    after, _ = ops.scan(step, init=start, xs=emitted)
    return start, after


def _at(rows: Expr, places: Expr) -> Expr:
    """One element of each row."""
    return ops.squeeze(ops.take_along_axis(rows, ops.expand_dims(places, 1), axis=1), 1)


def _moved(x: Expr, by: int, fill: float) -> Expr:
    """The rows of x moved to the right."""
    return ops.pad(x, ((0, 0), (by, 0)), constant_values=fill)[:, : x.shape[1]]


def _lengths(what: str, value: Operand, count: Dim, single: bool, most: Dim | None = None) -> Expr:
    """Lengths [N]; those known now are checked now, the others index arrays when the program runs."""
    node = ops.constant(value)
    if not dtypes.is_int(node.dtype):
        raise DTypeError(f"ctc_loss: expected {what} of type int32 or int64, got {node.dtype}")
    if single and node.shape == ():
        node = ops.expand_dims(node, 0)
    if node.shape != (count,):
        expected = "a scalar" if single else f"[{count}]"
        raise ShapeError(f"ctc_loss: expected {what} of shape {expected}, got {dims.show(node.shape)}")
    known = _known(node)
    if known is not None and (known.min(initial=0) < 0 or (isinstance(most, int) and known.max(initial=0) > most)):
        limit = "" if most is None else f" and at most the {most} time steps"
        raise UsageError(f"ctc_loss: {what} are not negative{limit}, got {known.tolist()}")
    return ops.cast(node, "int64")


def _known(node: Expr) -> np.ndarray | None:
    value = node.attrs["value"] if node.op == "constant" else None
    return value.array if isinstance(value, ArrayValue) else None


def _padded(labels: Expr, lengths: Expr, count: Dim, single: bool, blank: int) -> Expr:
    """The labels as [N, S], with blanks after their ends."""
    if not dtypes.is_int(labels.dtype):
        raise DTypeError(f"ctc_loss: expected targets of type int32 or int64, got {labels.dtype}")
    if single and labels.ndim == 1:
        labels = ops.expand_dims(labels, 0)
    if labels.ndim == 2 and labels.shape[0] == count:
        size = labels.shape[1]
        rows = labels
    elif labels.ndim == 1:
        known = _known(lengths)
        size = labels.shape[0] if known is None else int(known.max(initial=0))
        begin = ops.expand_dims(ops.cumsum(lengths, axis=0) - lengths, 1)
        within = ops.arange(size) < ops.expand_dims(lengths, 1)
        rows = labels[ops.where(within, begin + ops.arange(size), 0)]
    else:
        raise ShapeError(
            f"ctc_loss: expected targets [N, S] for N = {count}, or of one axis; got {dims.show(labels.shape)}"
        )
    return ops.where(ops.arange(size) < ops.expand_dims(lengths, 1), rows, blank)


@dataclass(eq=False)
class CTCLoss(Loss):
    """`ctc_loss` with its settings: called on log_probs, targets, input_lengths and target_lengths."""

    blank: int = 0
    reduction: str = "mean"
    zero_infinity: bool = False
    function = ctc_loss
