"""Dropout and its kind: what does not depend on which elements are drawn.

The elements that are dropped cannot agree, their number and values can: an array of one value becomes an array of two,
which are compared with PyTorch's. Evaluation and the probabilities 0 and 1 are compared as they are, with gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, function_case, native_results, symbols, tensors, torch_results

SHAPES = {
    "Dropout": (3, 4, 5),
    "Dropout1d": (3, 4, 5),
    "Dropout2d": (3, 4, 2, 2),
    "Dropout3d": (2, 3, 2, 1, 2),
    "AlphaDropout": (3, 4, 5),
    "FeatureAlphaDropout": (3, 4, 5),
    "RReLU": (3, 4, 5),
}


def _case(layer: str, *arguments: float, training: bool, shape: tuple[int, ...] = ()) -> Case:
    """A layer whose result does not depend on what is drawn: value and gradient."""
    chosen = shape or SHAPES[layer]

    def run(nn: Any, x: Any) -> Any:
        module = getattr(nn, layer)(*arguments)
        return (module.train() if training else module.eval())(x)

    def peer(arrays: Arrays) -> Arrays:
        import torch

        given = tensors(arrays)
        return torch_results({"value": run(torch.nn, given["x"])}, given)

    def ours(arrays: Arrays) -> Arrays:
        given = symbols(arrays)
        seed, step = sn.random.key()
        return native_results({"value": run(sn.nn, given["x"])}, given, {given["x"]: arrays["x"], seed: 5, step: 2})

    shown = f"{layer}({', '.join(map(repr, arguments))}) of {chosen}"
    name = f"{shown} {'in training' if training else 'in evaluation'}"
    return Case(name, lambda rng: {"x": rng.normal(size=chosen)}, peer, ours)


def _inference(layer: str, *arguments: float) -> Case:
    """The inference meaning of what was built for training, beside PyTorch's evaluation."""
    return function_case(
        f"sn.inference of {layer}({', '.join(map(repr, arguments))})",
        lambda rng: {"x": rng.normal(size=SHAPES[layer])},
        lambda torch, given: getattr(torch.nn, layer)(*arguments).eval()(given["x"]),
        lambda given: sn.inference(getattr(sn.nn, layer)(*arguments)(given["x"])),
    )


def _values(layer: str, p: float) -> Case:
    """The two values that a layer makes of one, and the derivatives beside them."""

    def results(y: np.ndarray, gradient: np.ndarray) -> Arrays:
        order = np.argsort(y.ravel(), kind="stable")
        values, first = np.unique(y.ravel()[order], return_index=True)
        return {"values": values, "slopes": gradient.ravel()[order][first]}

    def peer(arrays: Arrays) -> Arrays:
        import torch

        torch.manual_seed(0)
        x = torch.tensor(arrays["x"], requires_grad=True)
        y = getattr(torch.nn, layer)(p).train()(x)
        y.sum().backward()
        assert x.grad is not None
        return results(y.detach().numpy(), x.grad.numpy())

    def ours(arrays: Arrays) -> Arrays:
        x = sn.input("x", arrays["x"].shape, "float64")
        y = sn.random.numbered(getattr(sn.nn, layer)(p)(x))
        run = sn.function([x, *sn.random.key()], [y, sn.grad(sn.sum(y), x)])
        return results(*run(arrays["x"], 5, 2))

    shape = (40, 10, *SHAPES[layer][2:])
    return Case(f"{layer}({p}) of one value", lambda rng: {"x": np.full(shape, rng.normal())}, peer, ours)


DROPOUTS = [layer for layer in SHAPES if layer != "RReLU"]

CASES = [
    *(
        _case(layer, p, training=training)
        for layer in DROPOUTS
        for p, training in ((0.3, False), (0.0, True), (1.0, True))
    ),
    _case("Dropout1d", 1.0, training=True, shape=(4, 5)),
    _case("Dropout2d", 1.0, training=True, shape=(3, 4, 5)),
    _case("Dropout3d", 1.0, training=True, shape=(2, 3, 4, 2)),
    _case("RReLU", training=False),
    _case("RReLU", 0.2, 0.5, training=False),
    _case("RReLU", 0.25, 0.25, training=True),
    *(_inference(layer) for layer in SHAPES),
    *(_inference(layer, 1.0) for layer in DROPOUTS),
    *(_values(layer, p) for layer in DROPOUTS for p in (0.1, 0.5, 0.8)),
]
