"""Keras's losses: settings, reductions and the shapes of sample weights; zero vectors and limits among the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, native_results, symbols, tensors, torch_results
from tests.references.cases.losses import Inputs
from tests.references.keras64 import keras_in_float64

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


def keras_case(name: str, inputs: Inputs, note: str = "", fixed: tuple[str, ...] = (), **settings: Any) -> Case:
    """`name(**settings)` of a class, or of a function when it is lower case, on y, p and perhaps a sample weight w.

    Keras has no usable derivative in the operands that are `fixed`.
    """
    shown = ", ".join([*filter(None, [note]), *(f"{key}={value!r}" for key, value in settings.items())])

    def call(home: Any, given: dict[str, Any]) -> Any:
        if name.islower():
            return getattr(home, name)(given["y"], given["p"], **settings)
        return getattr(home, name)(**settings)(given["y"], given["p"], *([given["w"]] if "w" in given else []))

    def floats(arrays: Arrays) -> list[str]:
        return [key for key, array in arrays.items() if array.dtype.kind == "f" and key not in fixed]

    def peer(arrays: Arrays) -> Arrays:
        given = tensors(arrays)
        ready = {key: value.detach() if key in fixed else value for key, value in given.items()}
        with keras_in_float64() as keras:
            value = call(keras.losses, ready)
        return torch_results({"value": value}, {key: given[key] for key in floats(arrays)})

    def ours(arrays: Arrays) -> Arrays:
        given = symbols(arrays)
        value = call(sn.keras.losses, given)
        wrt = {key: given[key] for key in floats(arrays)}
        return native_results({"value": value}, wrt, {given[key]: arrays[key] for key in given})

    return Case(f"{name}({shown})", inputs, peer, ours)


def real(rng: np.random.Generator) -> Arrays:
    y, p = rng.normal(0, 2, (2, 5, 4))
    y[0], p[1] = 0.0, 0.0
    p[2] = y[2] + [0.7, -0.7, 1e4, -1e4]
    return {"y": y, "p": p}


def positive(rng: np.random.Generator) -> Arrays:
    return {key: np.abs(array) + 0.01 for key, array in real(rng).items()}


def probabilities(rng: np.random.Generator) -> Arrays:
    p = rng.random((5, 4))
    p[0], p[1, :2] = [0.0, 1.0, 0.0, 1.0], [1e-9, 1.0 - 1e-9]
    y = rng.integers(0, 2, (5, 4)).astype(float)
    y[4] = rng.random(4)
    return {"y": y, "p": p}


def logits(rng: np.random.Generator) -> Arrays:
    drawn = probabilities(rng)
    return {**drawn, "p": np.concatenate([[30.0, -30.0, 30.0, -30.0], rng.normal(0, 3, 16)]).reshape(5, 4)}


def distributions(rng: np.random.Generator) -> Arrays:
    y, p = rng.dirichlet(np.ones(4), (2, 5))
    y[0], p[1] = [0, 1, 0, 0], [0, 0, 1, 0]
    return {"y": y, "p": 1.5 * p}


def signs(low: float) -> Inputs:
    return lambda rng: {"y": rng.choice([low, 1.0], (5, 4)), "p": rng.normal(0, 1.5, (5, 4))}


def one_hot(rng: np.random.Generator) -> Arrays:
    return {"y": np.eye(4)[rng.integers(0, 4, 5)], "p": rng.normal(0, 1.5, (5, 4))}


def labels(*shape: int, axis: int = -1, kept: bool = False, ignored: int | None = None, scores: bool = False) -> Inputs:
    """Class indices for probabilities (or logits) of a shape, with their classes on an axis."""

    def draw(rng: np.random.Generator) -> Arrays:
        rest = [size for a, size in enumerate(shape) if a != axis % len(shape)]
        y = rng.integers(0, shape[axis], rest)
        if ignored is not None:
            y.flat[::2] = ignored
        p = rng.normal(0, 2, shape) if scores else rng.random(shape) + 0.01
        return {"y": np.expand_dims(y, axis) if kept else y, "p": p}

    return draw


def weighted(inputs: Inputs, *shape: int) -> Inputs:
    def draw(rng: np.random.Generator) -> Arrays:
        w = rng.uniform(0, 2, shape)
        w.flat[0] = 0.0
        return {**inputs(rng), "w": w}

    return draw


def weightless(inputs: Inputs, *shape: int) -> Inputs:
    return lambda rng: {**inputs(rng), "w": np.zeros(shape)}


def volume(rng: np.random.Generator) -> Arrays:
    return {"y": rng.normal(size=(3, 4, 2)), "p": rng.normal(size=(3, 4, 2))}


def column(rng: np.random.Generator) -> Arrays:
    return {"y": rng.normal(size=5), "p": rng.normal(size=(5, 1))}


def sequences(rng: np.random.Generator) -> Arrays:
    return {"y": np.array([[1, 2, 0], [3, 3, 1], [2, 0, 0]]), "p": rng.normal(0, 2, (3, 6, 4))}


REGRESSION = [
    *(keras_case(name, real) for name in ("MeanSquaredError", "MeanAbsoluteError", "LogCosh")),
    *(keras_case(name, real) for name in ("mean_squared_error", "mean_absolute_error", "log_cosh")),
    *(keras_case(name, positive) for name in (
        "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
    )),
    keras_case("Huber", real), keras_case("Huber", real, delta=0.5), keras_case("huber", real, delta=1.5),
    keras_case("CosineSimilarity", lambda rng: {"y": rng.normal(size=(5, 4)), "p": rng.normal(size=(5, 4))}),
    keras_case("CosineSimilarity", volume, axis=1), keras_case("cosine_similarity", volume, axis=0),
]  # fmt: skip

REDUCED = [
    *(keras_case("MeanSquaredError", real, reduction=reduction) for reduction in REDUCTIONS),
    *(keras_case("MeanSquaredError", weighted(real, 5), "weights [N]", reduction=reduction)
      for reduction in REDUCTIONS),
    *(keras_case("MeanSquaredError", weighted(real, 5, 1), "weights [N, 1]", reduction=reduction)
      for reduction in ("mean", "mean_with_sample_weight", "none")),
    keras_case("MeanSquaredError", weighted(volume, 3, 4), "weights of every value"),
    keras_case("MeanSquaredError", weighted(volume, 3, 1), "weights [N, 1] of [N, T]",
               reduction="mean_with_sample_weight"),
    keras_case("MeanSquaredError", weighted(volume, 3, 4, 1), "weights [N, T, 1]"),
    keras_case("MeanSquaredError", weighted(real), "a scalar weight"),
    keras_case("MeanSquaredError", weightless(real, 5), "weights of 0", ("w",), reduction="mean_with_sample_weight"),
    keras_case("MeanSquaredError", column, "y [N], p [N, 1]"),
    keras_case("mean_absolute_error", lambda rng: {"y": rng.normal(size=(3, 4, 1)), "p": rng.normal(size=(3, 4))},
               "y [N, T, 1], p [N, T]"),
]  # fmt: skip

CLASSIFICATION = [
    *(keras_case(name, probabilities, fixed=("y",), label_smoothing=smoothing)
      for name in ("BinaryCrossentropy", "BinaryFocalCrossentropy") for smoothing in (0.0, 0.2)),
    *(keras_case(name, logits, fixed=("y",), from_logits=True, label_smoothing=smoothing, axis=0)
      for name in ("BinaryCrossentropy", "BinaryFocalCrossentropy") for smoothing in (0.0, 0.2)),
    keras_case("BinaryFocalCrossentropy", probabilities, fixed=("y",), apply_class_balancing=True, alpha=0.3,
               gamma=1.5),
    keras_case("binary_crossentropy", logits, fixed=("y",), from_logits=True),
    keras_case("binary_focal_crossentropy", probabilities, fixed=("y",), gamma=3.0),
    *(keras_case(name, distributions, label_smoothing=smoothing)
      for name in ("CategoricalCrossentropy", "CategoricalFocalCrossentropy") for smoothing in (0.0, 0.2)),
    *(keras_case(name, logits, from_logits=True, label_smoothing=0.1)
      for name in ("CategoricalCrossentropy", "CategoricalFocalCrossentropy")),
    *(keras_case(name, distributions, axis=0, label_smoothing=0.1)
      for name in ("categorical_crossentropy", "categorical_focal_crossentropy")),
    keras_case("CategoricalFocalCrossentropy", distributions, alpha=0.5, gamma=1.5),
    keras_case("SparseCategoricalCrossentropy", labels(6, 4)),
    keras_case("SparseCategoricalCrossentropy", labels(6, 4, kept=True), "y [N, 1]"),
    keras_case("SparseCategoricalCrossentropy", labels(6, 4, scores=True), from_logits=True, reduction="none"),
    keras_case("SparseCategoricalCrossentropy", labels(6, 4, ignored=2), ignore_class=2),
    *(keras_case("SparseCategoricalCrossentropy", labels(6, 4, ignored=-1), ignore_class=-1, reduction=reduction)
      for reduction in REDUCTIONS),
    *(keras_case("SparseCategoricalCrossentropy", weighted(labels(6, 4, ignored=-1), 6), "weights", ("w",),
                 ignore_class=-1, reduction=reduction) for reduction in ("mean", "mean_with_sample_weight", "none")),
    keras_case("SparseCategoricalCrossentropy", labels(3, 4, 2, axis=1), axis=1),
    keras_case("SparseCategoricalCrossentropy", labels(3, 5, 4, scores=True, ignored=1), from_logits=True,
               ignore_class=1),
    keras_case("sparse_categorical_crossentropy", labels(6, 4)),
    keras_case("sparse_categorical_crossentropy", labels(4), "one example"),
    keras_case("CategoricalGeneralizedCrossEntropy", labels(6, 4)),
    keras_case("categorical_generalized_cross_entropy", labels(6, 4), q=0.8),
]  # fmt: skip

OTHERS = [
    *(keras_case(name, distributions) for name in ("KLDivergence", "kl_divergence")),
    *(keras_case(name, positive) for name in ("Poisson", "poisson")),
    *(keras_case(name, signs(low), f"{low:g} and 1", ("y",)) for low in (-1.0, 0.0)
      for name in ("Hinge", "SquaredHinge", "hinge", "squared_hinge")),
    *(keras_case(name, one_hot, fixed=("y",)) for name in ("CategoricalHinge", "categorical_hinge")),
    *(keras_case(name, probabilities) for name in ("Dice", "Tversky", "dice", "tversky")),
    *(keras_case(name, probabilities, axis=1) for name in ("Dice", "Tversky", "dice", "tversky")),
    keras_case("Tversky", probabilities, alpha=0.3, beta=0.8, axis=(0, 1)),
    keras_case("CTC", sequences), keras_case("ctc", sequences),
]  # fmt: skip

CASES = [*REGRESSION, *REDUCED, *CLASSIFICATION, *OTHERS]
