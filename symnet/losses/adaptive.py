"""The adaptive softmax (Grave et al. 2017), for very many classes of very uneven frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.losses.common import check_indices
from symnet.nn.containers import ModuleList, Sequential
from symnet.nn.linear import Linear
from symnet.nn.module import Module
from symnet.ops.leaves import Operand

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class AdaptiveOutput(NamedTuple):
    """The log-probability of each target [N], and the mean of their negatives."""

    output: Expr
    loss: Expr


class AdaptiveLogSoftmaxWithLoss(Module):
    """log softmax over n_classes, sorted by falling frequency, in a head and clusters of rarer classes.

    The head has the most frequent classes, up to cutoffs[0], and one class for each cluster; a class c of cluster i has
    log-probability head[cluster i] + tail_i[c], where tail i projects to in_features / div_value^(i+1) first.

    called on   input [N, in_features] (or [in_features]) and target class indices [N] (or a scalar)
    gives       (output, loss): the targets' log-probabilities, and the mean of their negatives

    All clusters are computed for all rows. A target outside 0 … n_classes - 1 is an error when the program runs.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        *,
        dtype: object = "float32",
    ) -> None:
        bounds = list(cutoffs)
        if not bounds or bounds != sorted(set(bounds)) or bounds[0] < 1 or bounds[-1] > n_classes - 1:
            raise UsageError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs are increasing whole numbers from 1 to n_classes - 1 = "
                f"{n_classes - 1}, got {list(cutoffs)}"
            )
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*bounds, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.head = Linear(in_features, bounds[0] + len(bounds), bias=head_bias, dtype=dtype)
        self.tail = ModuleList(
            [
                Sequential(
                    Linear(in_features, hidden, bias=False, dtype=dtype),
                    Linear(hidden, stop - start, bias=False, dtype=dtype),
                )
                for hidden, start, stop in self._clusters()
            ]
        )

    def _clusters(self) -> list[tuple[int, int, int]]:
        """For each cluster the features it is projected to, its first class and the one after its last."""
        pairs = zip(self.cutoffs, self.cutoffs[1:], strict=False)
        return [(int(self.in_features // self.div_value ** (i + 1)), a, b) for i, (a, b) in enumerate(pairs)]

    def forward(self, input: Operand, target: Operand) -> AdaptiveOutput:
        x, y = ops.constant(input), ops.constant(target)
        check_indices("AdaptiveLogSoftmaxWithLoss", y, x.shape[:-1], x)
        chosen = ops.take_along_axis(self.log_prob(x), ops.expand_dims(y, -1), axis=-1)
        output = ops.squeeze(chosen, -1)
        return AdaptiveOutput(output, -ops.mean(output))

    def log_prob(self, input: Operand) -> Expr:
        """The log-probabilities of all classes [N, n_classes] (or [n_classes])."""
        x = ops.constant(input)
        if x.ndim not in (1, 2):
            raise ShapeError(
                f"AdaptiveLogSoftmaxWithLoss: expected an input [N, {self.in_features}] or [{self.in_features}], "
                f"got {dims.show(x.shape)}"
            )
        short = self.cutoffs[0]
        head = ops.log_softmax(self.head(x), axis=-1)
        tails: list[Any] = [ops.log_softmax(tail(x), axis=-1) for tail in self.tail]
        clusters = [head[..., short + i : short + i + 1] + tail for i, tail in enumerate(tails)]
        return ops.concat([head[..., :short], *clusters], axis=-1)

    def predict(self, input: Operand) -> Expr:
        """The most probable class of each row [N], int64."""
        return ops.argmax(self.log_prob(input), axis=-1)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, n_classes={self.n_classes}, cutoffs={self.cutoffs[:-1]}"
