"""The activations of torch.nn.functional; kinks and large arguments are among the inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, function_case

F = sn.nn.functional


def _x(rng: np.random.Generator) -> Arrays:
    edges = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.0, -3.0, 6.0, 20.0, 25.0, -25.0, 700.0, -700.0]
    return {"x": np.concatenate([edges, rng.normal(0.0, 3.0, 21)]).reshape(5, 7)}


FLOAT32_INSIDE = {"hardsigmoid": 3e-7, "celu": 3e-7}
"""PyTorch keeps 1/6 and 1/alpha in float32 in these derivatives, for float64 operands too."""


def _case(name: str, **settings: Any) -> Case:
    shown = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    function: Callable[..., sn.Expr] = getattr(F, name)
    return function_case(
        f"{name}({shown})",
        _x,
        lambda torch, given: getattr(torch.nn.functional, name)(given["x"], **settings),
        lambda given: function(given["x"], **settings),
        rtol=FLOAT32_INSIDE.get(name, 1e-9),
    )


CASES = [
    *(_case(name) for name in (
        "relu", "relu6", "hardtanh", "hardsigmoid", "hardswish", "leaky_relu", "elu", "celu", "selu", "gelu", "silu",
        "mish", "sigmoid", "tanh", "softplus", "softsign", "softshrink", "hardshrink", "tanhshrink", "logsigmoid",
    )),
    _case("hardtanh", min_val=-0.5, max_val=3.0),
    _case("leaky_relu", negative_slope=0.3),
    _case("elu", alpha=0.7),
    _case("celu", alpha=1.3),
    _case("gelu", approximate="tanh"),
    _case("softplus", beta=2.0, threshold=5.0),
    _case("softshrink", lambd=1.0),
    _case("hardshrink", lambd=1.0),
    _case("threshold", threshold=0.5, value=-2.0),
    _case("softmax", dim=-1),
    _case("softmax", dim=0),
    _case("log_softmax", dim=-1),
    _case("softmin", dim=1),
]  # fmt: skip
