"""Moves of random graphs that use layers, losses, linear algebra, choices and random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import symnet as sn
from symnet.expr.node import Expr
from symnet.ops.euclidean import unit
from symnet.ops.loss_terms import xlogy

if TYPE_CHECKING:
    from tests.conformance.graphs import RandomGraph

F = sn.nn.functional


class LayerMoves:
    """What a random graph may do besides arithmetic. (A mixin: the pool and the choices are those of the graph.)"""

    def move_normalize(self: RandomGraph) -> Expr:
        x = self.pick_ranked(2)
        x = x if isinstance(x.shape[-1], int) else sn.mean(x, axis=-1, keepdims=True) + sn.constant(np.arange(3.0))
        axis = self.axis(x)
        size = x.shape[-1]
        scale = sn.constant(np.linspace(0.5, 1.5, size))
        return [
            lambda: sn.linalg.norm(x, axis=axis, keepdims=True) + 0.1 * x,
            lambda: unit(x, axis),
            lambda: F.normalize(x + 0.3, dim=axis),
            lambda: F.layer_norm(x, (size,), scale, scale, eps=0.1),
            lambda: F.rms_norm(x, (size,), scale, eps=0.1),
            lambda: F.group_norm(sn.stack([x, sn.sin(x), sn.cos(x), 0.4 * x], axis=1), 2, eps=0.1)[:, 1],
        ][self.rng.integers(6)]()

    def move_loss(self: RandomGraph) -> Expr:
        a, b = self.alike()
        p, t = 0.1 + 0.8 * sn.sigmoid(a), sn.sigmoid(b)
        return [
            lambda: sn.losses.huber_loss(a, b, delta=0.7, reduction="none"),
            lambda: sn.keras.losses.LogCosh(reduction="none")(a, b) if a.ndim else sn.square(a - b),
            lambda: sn.losses.binary_cross_entropy(p, t, reduction="none"),
            lambda: sn.losses.binary_cross_entropy_with_logits(a, t, reduction="none"),
            lambda: xlogy(t, p),
        ][self.rng.integers(5)]()

    def alike(self: RandomGraph) -> tuple[Expr, Expr]:
        a, b = self.fitting()
        both = a + b
        return sn.broadcast_to(a, both.shape), sn.broadcast_to(b, both.shape)

    def move_window(self: RandomGraph) -> Expr:
        x = sn.reshape(sn.sin(self.static(self.pick())), (1, 1, 1, -1))
        picture = sn.pad(x, [(0, 0), (0, 0), (3, 3), (1, 3)], constant_values=0.1) + sn.constant(
            np.sin(1.7 * np.arange(7.0)).reshape(7, 1)
        )
        size, stride = (int(self.rng.integers(low, 4)) for low in (2, 1))
        pooled, where = F.max_pool2d(picture, size, size, padding=1, return_indices=True)
        return [
            lambda: F.max_pool2d(picture, size, stride, padding=1)[0, 0],
            lambda: F.max_unpool2d(pooled, where, size, size, padding=1, output_size=picture.shape[2:])[0, 0],
            lambda: F.avg_pool2d(picture, size, stride, padding=1)[0, 0],
            lambda: F.unfold(picture, (size, 2), stride=stride)[0] * 0.8,
            lambda: F.fold(F.unfold(picture, size), picture.shape[2:], size)[0, 0] * 0.3,
        ][self.rng.integers(5)]()

    def move_matrix(self: RandomGraph) -> Expr:
        """A well-conditioned 3×3 matrix that depends on a value, and what linear algebra makes of it."""
        x = self.pick()
        part = sn.mean(sn.cos(x)) * sn.constant(np.sin(np.arange(9.0)).reshape(3, 3))
        matrix = part + sn.constant(2.5 * np.eye(3))
        positive, other = matrix @ matrix.T, sn.mean(sn.sin(x)) + sn.constant(np.cos(np.arange(6.0)).reshape(3, 2))
        return [
            lambda: sn.linalg.inv(matrix),
            lambda: sn.linalg.solve(matrix, other),
            lambda: sn.linalg.cholesky(positive),
            lambda: sn.linalg.solve_triangular(sn.linalg.cholesky(positive), other),
            lambda: 0.1 * sn.linalg.det(matrix) * other,
            lambda: sn.linalg.slogdet(matrix)[1] + sn.linalg.logdet(positive) * 0.3,
            lambda: sn.linalg.kron(part, other),
        ][self.rng.integers(7)]()

    def move_cond(self: RandomGraph) -> Expr:
        x = self.pick()
        return sn.cond(sn.mean(x) > 0.05, lambda v: sn.sin(v) * x, lambda v: sn.square(sn.tanh(v)), x)

    def move_random(self: RandomGraph) -> Expr:
        x, key = self.pick(), (int(self.rng.integers(100)), int(self.rng.integers(100)))
        draw = [sn.random.uniform, sn.random.normal][self.rng.integers(2)]
        return x + 0.3 * draw(x.shape, dtype="float64", key=key) * sn.sin(x)
