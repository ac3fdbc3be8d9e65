"""The losses of torch.nn.functional but for those of class indices; kinks and extremes are among the inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, function_case

Inputs = Callable[[np.random.Generator], Arrays]
REDUCTIONS = ("none", "mean", "sum")


def loss_case(function: str, inputs: Inputs, note: str = "", fixed: Sequence[str] = (), **settings: Any) -> Case:
    """A function of both libraries on the same operands; PyTorch has no derivative in those that are `fixed`.

    Settings that are names of inputs (weight="w") stand for them.
    """
    shown = ", ".join([*filter(None, [note]), *(f"{key}={_shown(value)}" for key, value in settings.items())])

    def call(loss: Callable[..., Any], given: dict[str, Any], constant: Callable[[Any], Any], array: Any) -> Any:
        ready = {key: constant(value) if key in fixed else value for key, value in given.items()}
        named = {key: _setting(value, ready, array) for key, value in settings.items()}
        standing = [value for value in settings.values() if isinstance(value, str)]
        return loss(*(value for key, value in ready.items() if key not in standing), **named)

    return function_case(
        f"{function}({shown})",
        inputs,
        lambda torch, given: call(
            getattr(torch.nn.functional, function), given, lambda tensor: tensor.detach(), torch.from_numpy
        ),
        lambda given: call(getattr(sn.losses, function), given, sn.stop_gradient, sn.constant),
    )


def _setting(value: Any, given: dict[str, Any], array: Callable[[np.ndarray], Any]) -> Any:
    if isinstance(value, np.ndarray):
        return array(value)
    return given[value] if isinstance(value, str) and value in given else value


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return str(value.tolist())
    return value.__name__ if callable(value) else repr(value)


def pair(rng: np.random.Generator) -> Arrays:
    """Differences of 0, of the usual limits and just beside them, of large size; and random ones."""
    kinks = np.array([0.0, 1.0, -1.0, 0.7, -0.7, 0.5, 1.0 + 1e-9, 1.0 - 1e-9, 1e4, -1e4, 1e-9])
    target = np.concatenate([np.zeros(kinks.size), rng.normal(0, 2, 10)])
    return {"x": np.concatenate([kinks, rng.normal(0, 2, 10)]).reshape(7, 3), "y": target.reshape(7, 3)}


def weighted_pair(rng: np.random.Generator) -> Arrays:
    weight = rng.uniform(0, 2, (7, 3))
    weight[1] = 0
    return {**pair(rng), "w": weight}


def one(rng: np.random.Generator) -> Arrays:
    return {"x": np.array([[0.3]]), "y": np.array([[1.7]])}


def scalars(rng: np.random.Generator) -> Arrays:
    return {"x": np.array(0.3), "y": np.array(1.7)}


LIMITS: dict[str, dict[str, float]] = {
    "l1_loss": {}, "mse_loss": {}, "smooth_l1_loss": {"beta": 0.7}, "huber_loss": {"delta": 0.7},
}  # fmt: skip
REGRESSION = [
    *(loss_case(name, pair, "", (), reduction=reduction, **limit)
      for name, limit in LIMITS.items() for reduction in REDUCTIONS),
    *(loss_case(name, inputs, note)
      for name in LIMITS for inputs, note in ((pair, ""), (one, "batch of one"), (scalars, "scalars"))),
    loss_case("smooth_l1_loss", pair, beta=0.0),
    *(loss_case(name, weighted_pair, weight="w", reduction=reduction)
      for name in ("l1_loss", "mse_loss", "huber_loss") for reduction in REDUCTIONS),
]  # fmt: skip


def counts(rng: np.random.Generator) -> Arrays:
    k = np.concatenate([[0.0, 1.0, 1.0001, 2.0], rng.poisson(3, 11)])
    return {"x": rng.normal(0, 1.5, (5, 3)), "k": k.reshape(5, 3)}


def rates(rng: np.random.Generator) -> Arrays:
    drawn = counts(rng)
    return {"x": np.abs(drawn["x"]) + np.array([0.0, 1e-9, 0.1]), "k": drawn["k"] + 2.0}


def normal(shape: tuple[int, ...], var: tuple[int, ...]) -> Inputs:
    def draw(rng: np.random.Generator) -> Arrays:
        variance = np.asarray(rng.uniform(0, 2, var))
        variance.flat[0] = 1e-9
        return {"x": rng.normal(size=shape), "y": rng.normal(size=shape), "v": variance}

    return draw


def distributions(log_target: bool) -> Inputs:
    def draw(rng: np.random.Generator) -> Arrays:
        x = rng.normal(0, 2, (4, 5))
        t = rng.dirichlet(np.ones(5), 4)
        return {"x": x - np.log(np.exp(x).sum(1, keepdims=True)), "t": np.log(t) if log_target else t}

    return draw


def with_zeros(rng: np.random.Generator) -> Arrays:
    """Probabilities of 0 in the target, whose terms are 0."""
    drawn = distributions(log_target=False)(rng)
    drawn["t"][:, 1] = 0.0
    return drawn


LIKELIHOOD = [
    *(loss_case("poisson_nll_loss", counts, fixed=["k"], log_input=True, full=full, reduction=reduction)
      for full in (False, True) for reduction in REDUCTIONS),
    *(loss_case("poisson_nll_loss", rates, log_input=False, full=full, eps=eps)
      for full, eps in ((False, 1e-8), (True, 1e-3))),
    *(loss_case("gaussian_nll_loss", normal((4, 3), (4, 3)), full=full, reduction=reduction)
      for full in (False, True) for reduction in REDUCTIONS),
    loss_case("gaussian_nll_loss", normal((4, 3), (4, 3)), eps=0.5),
    loss_case("gaussian_nll_loss", normal((4, 3), (4,)), "one variance a row"),
    loss_case("gaussian_nll_loss", normal((4, 3), (4, 1)), "one variance a row, kept axis"),
    loss_case("gaussian_nll_loss", normal((4, 2, 3), (4, 1, 3)), "broadcast in the middle"),
    *(loss_case("kl_div", distributions(log_target), log_target=log_target, reduction=reduction)
      for log_target in (False, True) for reduction in (*REDUCTIONS, "batchmean")),
    loss_case("kl_div", with_zeros, "zeros in the target", fixed=["t"], reduction="batchmean"),
]  # fmt: skip


def probabilities(rng: np.random.Generator) -> Arrays:
    """0 and 1 among them, right, wrong and in between."""
    ends = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1e-13, 1.0 - 1e-13, 1e-300])
    targets = np.array([0.0, 1.0, 0.3, 1.0, 0.0, 0.3, 1.0, 0.0, 0.5])
    return {
        "p": np.concatenate([ends, rng.random(12)]).reshape(7, 3),
        "t": np.concatenate([targets, rng.random(6), rng.integers(0, 2, 6)]).reshape(7, 3),
    }


def logits(rng: np.random.Generator) -> Arrays:
    ends = np.array([0.0, 1e4, -1e4, 1e4, -1e4, 40.0, -40.0, 9.0, 9.0])
    targets = np.array([0.5, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    return {
        "x": np.concatenate([ends, rng.normal(0, 3, 12)]).reshape(7, 3),
        "t": np.concatenate([targets, rng.random(12)]).reshape(7, 3),
    }


def and_factors(inputs: Inputs, **shapes: tuple[int, ...]) -> Inputs:
    def draw(rng: np.random.Generator) -> Arrays:
        extra = {name: rng.uniform(0.0, 2.0, shape) for name, shape in shapes.items()}
        for array in extra.values():
            array.flat[0] = 0.0
        return {**inputs(rng), **extra}

    return draw


def signs(rng: np.random.Generator) -> Arrays:
    x = np.concatenate([[0.0, 700.0, -700.0, 40.0, -40.0, 1.0], rng.normal(0, 2, 15)])
    return {"x": x.reshape(7, 3), "t": rng.choice([-1.0, 1.0], (7, 3))}


BINARY = [
    # (In the target PyTorch differentiates logarithms that are not limited: infinite at the ends.)
    *(loss_case("binary_cross_entropy", probabilities, fixed=["t"], reduction=reduction) for reduction in REDUCTIONS),
    loss_case("binary_cross_entropy", lambda rng: {"p": rng.random(8), "t": rng.random(8)}, "also the target"),
    loss_case("binary_cross_entropy", and_factors(probabilities, w=(7, 3)), fixed=["t", "w"], weight="w"),
    loss_case("binary_cross_entropy", and_factors(probabilities, w=(3,)), "a row", fixed=["t", "w"], weight="w",
              reduction="sum"),
    *(loss_case("binary_cross_entropy_with_logits", logits, reduction=reduction) for reduction in REDUCTIONS),
    loss_case("binary_cross_entropy_with_logits", and_factors(logits, w=(7, 1)), weight="w", fixed=["w"]),
    loss_case("binary_cross_entropy_with_logits", and_factors(logits, pw=(3,)), pos_weight="pw", fixed=["pw"]),
    *(loss_case("binary_cross_entropy_with_logits", and_factors(logits, w=(3,), pw=(7, 3)), weight="w", pos_weight="pw",
                fixed=["w", "pw"], reduction=reduction) for reduction in REDUCTIONS),
    *(loss_case("multilabel_soft_margin_loss", logits, reduction=reduction) for reduction in REDUCTIONS),
    loss_case("multilabel_soft_margin_loss", and_factors(logits, w=(3,)), weight="w"),
    loss_case("multilabel_soft_margin_loss", lambda rng: {"x": rng.normal(size=5), "t": rng.random(5)}, "one example"),
    *(loss_case("soft_margin_loss", signs, fixed=["t"], reduction=reduction) for reduction in REDUCTIONS),
]  # fmt: skip


def scores(rng: np.random.Generator) -> Arrays:
    return {"x": np.concatenate([[1.0, 0.7, 0.0, 1.3], rng.normal(0, 2, 8)]), "t": rng.choice([-1, 1], 12)}


def ranked(rng: np.random.Generator) -> Arrays:
    a, b = rng.normal(0, 1, (2, 12))
    a[:4], b[:4] = [1.0, 0.5, 0.0, 2.0], [1.0, 0.0, 0.5, 2.0]
    return {"a": a, "b": b, "t": rng.choice([-1, 1], 12)}


def broadcast_ranked(rng: np.random.Generator) -> Arrays:
    return {"a": rng.normal(size=(4, 1)), "b": rng.normal(size=(1, 3)), "t": rng.choice([-1, 1], (4, 3))}


def labels(shape: tuple[int, ...]) -> Inputs:
    def draw(rng: np.random.Generator) -> Arrays:
        x = rng.normal(0, 1, shape)
        x.flat[:3] = [0.5, 1.5, 0.5]  # at the kink of margin 1
        return {"x": x, "y": np.asarray(rng.integers(0, shape[-1], shape[:-1]))}

    return draw


SHARES = np.array([0.5, 2.0, 0.0, 1.0, 0.3])


def label_lists(rng: np.random.Generator) -> Arrays:
    y = np.array([[3, 0, -1, 1, 2], [0, 1, 2, 3, 4], [-1, 0, 1, 2, 3], [2, 2, -1, -1, -1], [4, 1, 0, -1, -1]])
    x = rng.normal(0, 1, (5, 5))
    x[0] = [1.0, 0.0, 2.0, 1.0, 0.0]
    return {"x": x, "y": y}


MARGINS = [
    *(loss_case("hinge_embedding_loss", scores, margin=margin, reduction=reduction)
      for margin, reduction in ((1.0, "none"), (0.7, "mean"), (1.3, "sum"))),
    loss_case("hinge_embedding_loss", lambda rng: {"x": rng.normal(size=4), "t": np.array([0, 1, -1, 2])}, "0 and 2"),
    *(loss_case("margin_ranking_loss", ranked, margin=margin, reduction=reduction)
      for margin, reduction in ((0.0, "none"), (0.5, "mean"), (0.5, "sum"))),
    loss_case("margin_ranking_loss", broadcast_ranked, "broadcast", margin=0.3),
    *(loss_case("multi_margin_loss", labels((6, 5)), p=p, margin=margin, reduction=reduction)
      for p, margin, reduction in ((1, 1.0, "none"), (2, 1.0, "mean"), (1, 0.5, "sum"), (2, 0.5, "none"))),
    *(loss_case("multi_margin_loss", labels((6, 5)), p=p, weight=SHARES) for p in (1, 2)),
    loss_case("multi_margin_loss", labels((5,)), "one example"),
    *(loss_case("multilabel_margin_loss", label_lists, reduction=reduction) for reduction in REDUCTIONS),
    loss_case("multilabel_margin_loss", lambda rng: {"x": rng.normal(size=4), "y": np.array([3, 0, -1, 1])}, "one row"),
]  # fmt: skip


def vectors(*names: str, shape: tuple[int, ...] = (7, 4)) -> Inputs:
    """Zero vectors, equal and opposite ones among them."""

    def draw(rng: np.random.Generator) -> Arrays:
        arrays = {name: rng.normal(size=shape) for name in names}
        if len(shape) == 2:
            first, second = list(arrays.values())[:2]
            first[0] = 0.0
            second[1] = 0.0
            first[2] = second[2] = 0.0
            second[3] = first[3]
            second[4] = -2.0 * first[4]
        return arrays

    return draw


def angles(shape: tuple[int, ...]) -> Inputs:
    def draw(rng: np.random.Generator) -> Arrays:
        target = np.array([1, -1, 1, 1, -1, -1, 0])[: int(np.prod(shape[:-1]))].reshape(shape[:-1])
        return {**vectors("a", "b", shape=shape)(rng), "t": target}

    return draw


def farthest(a: Any, b: Any) -> Any:
    """The Chebyshev distance, in both libraries."""
    return sn.max(sn.absolute(a - b), axis=-1) if isinstance(a, sn.Expr) else (a - b).abs().amax(dim=-1)


triple = vectors("a", "p", "n")
DISTANCES = [
    *(loss_case("cosine_embedding_loss", angles((7, 4)), margin=margin, reduction=reduction)
      for margin, reduction in ((0.0, "none"), (0.3, "mean"), (-0.2, "sum"))),
    loss_case("cosine_embedding_loss", angles((4,)), "one pair"),
    *(loss_case("triplet_margin_loss", triple, reduction=reduction) for reduction in REDUCTIONS),
    *(loss_case("triplet_margin_loss", triple, margin=2.0, p=p, eps=eps, swap=swap, reduction="none")
      for p in (1.0, 2.0, 3.0, float("inf")) for eps, swap in ((1e-6, False), (1e-3, True))),
    loss_case("triplet_margin_loss", vectors("a", "p", "n", shape=(4,)), "one triple", margin=3.0),
    *(loss_case("triplet_margin_with_distance_loss", triple, swap=swap, margin=1.5) for swap in (False, True)),
    loss_case("triplet_margin_with_distance_loss", triple, distance_function=farthest, reduction="sum"),
]  # fmt: skip

CASES = [*REGRESSION, *LIKELIHOOD, *BINARY, *MARGINS, *DISTANCES]
