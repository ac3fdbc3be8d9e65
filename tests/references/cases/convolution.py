"""Convolutions and transposed ones at odd sizes: every argument, groups, unbatched, strings, padding modes, twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symnet as sn
from symnet.expr.traverse import substitute
from tests.references.case import Arrays, Case, function_case

F = sn.nn.functional


def _inputs(x: tuple[int, ...], weight: tuple[int, ...], bias: int | None) -> Callable[[np.random.Generator], Arrays]:
    def draw(rng: np.random.Generator) -> Arrays:
        arrays = {"x": rng.normal(size=x), "weight": rng.normal(size=weight)}
        return arrays if bias is None else {**arrays, "bias": rng.normal(size=bias)}

    return draw


def _call(functional: Any, name: str, given: dict[str, Any], settings: dict[str, Any]) -> Any:
    return getattr(functional, name)(given["x"], given["weight"], given.get("bias"), **settings)


def _case(name: str, x: tuple[int, ...], weight: tuple[int, ...], bias: int | None = None, **settings: Any) -> Case:
    shown = "".join(f", {key}={value!r}" for key, value in settings.items())
    return function_case(
        f"{name}({x}, {weight}{'' if bias is None else ', bias'}{shown})",
        _inputs(x, weight, bias),
        lambda torch, given: _call(torch.nn.functional, name, given, settings),
        lambda given: _call(F, name, given, settings),
    )


def _twice(name: str, x: tuple[int, ...], weight: tuple[int, ...], **settings: Any) -> Case:
    """The gradients of the sum of cubes, and their gradients."""

    def torch_run(torch: Any, given: dict[str, Any]) -> Any:
        wrt = [given["x"], given["weight"]]
        y = _call(torch.nn.functional, name, given, settings)
        return dict(zip(("dx", "dw"), torch.autograd.grad((y**3).sum(), wrt, create_graph=True), strict=True))

    def ours(given: dict[str, Any]) -> Any:
        y = _call(F, name, given, settings)
        return dict(zip(("dx", "dw"), sn.grad(sn.sum(y**3), [given["x"], given["weight"]]), strict=True))

    shown = "".join(f", {key}={value!r}" for key, value in settings.items())
    return function_case(f"{name}({x}, {weight}{shown}), twice", _inputs(x, weight, None), torch_run, ours)


def _layer(name: str, x: tuple[int, ...], *arguments: Any, call: dict[str, Any] | None = None, **settings: Any) -> Case:
    """A layer of torch.nn with its weight and bias replaced, called with `call` besides its input."""
    channels = len(x) - {"1": 1, "2": 2, "3": 3}[name[-2]] - 1
    shown = ", ".join([*map(repr, arguments), *(f"{key}={value!r}" for key, value in settings.items())])

    def draw(rng: np.random.Generator) -> Arrays:
        layer = getattr(sn.nn, name)(x[channels], *arguments, **settings, dtype="float64")
        return {"x": rng.normal(size=x), **{n: rng.normal(size=p.shape) for n, p in layer.named_parameters()}}

    def torch_run(torch: Any, given: dict[str, Any]) -> Any:
        layer = getattr(torch.nn, name)(x[channels], *arguments, **settings, dtype=torch.float64)
        parameters = {key: value for key, value in given.items() if key != "x"}
        return torch.func.functional_call(layer, parameters, (given["x"],), call or {})

    def ours(given: dict[str, Any]) -> Any:
        layer = getattr(sn.nn, name)(x[channels], *arguments, **settings, dtype="float64")
        y = layer(given["x"], **(call or {}))
        return substitute([y], {p: given[n] for n, p in layer.named_parameters()})[0]

    return function_case(f"{name}({x[channels]}, {shown}) of {x}{f' {call}' if call else ''}", draw, torch_run, ours)


PLAIN = [
    _case("conv1d", (2, 3, 11), (4, 3, 3), 4),
    _case("conv1d", (2, 3, 11), (4, 3, 4), stride=3, padding=2, dilation=2),
    _case("conv1d", (3, 11), (4, 3, 3), 4, stride=(2,), padding=(1,)),
    _case("conv1d", (2, 6, 9), (9, 2, 3), 9, groups=3, padding=1),
    _case("conv1d", (2, 4, 9), (8, 1, 3), groups=4, stride=2),
    _case("conv1d", (2, 3, 10), (4, 3, 4), 4, padding="same"),
    _case("conv1d", (2, 3, 10), (4, 3, 4), padding="same", dilation=3),
    _case("conv1d", (2, 3, 10), (4, 3, 4), padding="valid", stride=3),
    _case("conv1d", (2, 3, 4), (5, 3, 4), 5),
    _case("conv1d", (1, 1, 5), (1, 1, 1), 1),
    _case("conv2d", (2, 3, 7, 5), (4, 3, 3, 2), 4),
    _case("conv2d", (2, 3, 7, 5), (4, 3, 3, 3), 4, padding=1),
    _case("conv2d", (2, 3, 9, 8), (4, 3, 3, 2), 4, stride=2, padding=(2, 1)),
    _case("conv2d", (2, 3, 9, 11), (4, 3, 3, 2), stride=(2, 3), padding=(0, 2), dilation=(1, 2)),
    _case("conv2d", (2, 3, 13, 11), (2, 3, 3, 3), 2, stride=3, dilation=2, padding=2),
    _case("conv2d", (2, 4, 7, 6), (6, 2, 3, 3), 6, groups=2, padding=1),
    _case("conv2d", (2, 4, 7, 6), (6, 2, 3, 3), groups=2, stride=2, padding=1, dilation=2),
    _case("conv2d", (2, 5, 6, 7), (5, 1, 3, 3), 5, groups=5, padding=1),
    _case("conv2d", (2, 3, 6, 7), (6, 1, 2, 3), 6, groups=3, stride=2),
    _case("conv2d", (3, 7, 5), (4, 3, 3, 2), 4, padding=1),
    _case("conv2d", (2, 3, 7, 6), (4, 3, 4, 3), 4, padding="same"),
    _case("conv2d", (2, 3, 7, 6), (4, 3, 4, 3), padding="same", dilation=(2, 1)),
    _case("conv2d", (2, 3, 7, 6), (4, 3, 1, 1), 4),
    _case("conv2d", (2, 3, 7, 6), (4, 3, 1, 1), stride=2),
    _case("conv2d", (1, 1, 3, 3), (1, 1, 3, 3)),
    _case("conv2d", (2, 17, 5, 5), (33, 17, 3, 3), 33, padding=1),
    _case("conv3d", (2, 2, 5, 4, 6), (3, 2, 2, 3, 3), 3, padding=1),
    _case("conv3d", (1, 2, 7, 6, 5), (3, 2, 3, 2, 2), 3, stride=(2, 1, 2), padding=(1, 0, 1), dilation=(1, 2, 1)),
    _case("conv3d", (1, 4, 4, 5, 3), (4, 2, 2, 2, 2), groups=2),
    _case("conv3d", (2, 4, 5, 3), (3, 2, 3, 2, 2), 3, padding="same"),
]

TRANSPOSED = [
    _case("conv_transpose1d", (2, 3, 5), (3, 4, 3), 4),
    _case("conv_transpose1d", (2, 3, 5), (3, 4, 4), 4, stride=3, padding=2, output_padding=1, dilation=2),
    _case("conv_transpose1d", (4, 5), (4, 3, 3), 6, stride=2, padding=1, groups=2),
    _case("conv_transpose1d", (2, 3, 5), (3, 2, 2), stride=4, output_padding=3),
    _case("conv_transpose1d", (2, 3, 5), (3, 2, 2), dilation=3, output_padding=2),
    _case("conv_transpose2d", (2, 3, 4, 5), (3, 4, 3, 2), 4),
    _case("conv_transpose2d", (2, 3, 4, 5), (3, 4, 2, 2), 4, stride=2),
    _case("conv_transpose2d", (2, 3, 4, 5), (3, 4, 3, 3), 4, stride=2, padding=1, output_padding=1),
    _case("conv_transpose2d", (2, 3, 4, 3), (3, 2, 3, 2), stride=(3, 2), padding=(1, 0), output_padding=(2, 1)),
    _case("conv_transpose2d", (2, 4, 4, 3), (4, 3, 3, 2), 6, groups=2, stride=2, dilation=(2, 1), padding=1),
    _case("conv_transpose2d", (2, 3, 4, 3), (3, 1, 3, 3), 3, groups=3, stride=2),
    _case("conv_transpose2d", (3, 4, 5), (3, 4, 3, 2), 4, stride=2),
    _case("conv_transpose2d", (2, 3, 1, 1), (3, 4, 4, 4), 4),
    _case("conv_transpose3d", (1, 2, 3, 2, 4), (2, 3, 2, 3, 2), 3, stride=(2, 1, 2), padding=(0, 1, 0)),
    _case("conv_transpose3d", (2, 2, 3, 2, 2), (2, 2, 2, 2, 3), 4, stride=2, output_padding=1, groups=2),
]

TWICE = [
    _twice("conv1d", (2, 2, 7), (3, 2, 3), stride=2, padding=1),
    _twice("conv2d", (2, 2, 5, 4), (3, 2, 3, 2), padding=1),
    _twice("conv2d", (1, 4, 5, 6), (4, 2, 3, 2), groups=2, stride=2, dilation=(1, 2)),
    _twice("conv_transpose2d", (2, 2, 3, 3), (2, 2, 3, 2), stride=2, padding=1),
]

LAYERS = [
    _layer("Conv1d", (2, 3, 9), 4, 3, padding=2, padding_mode="reflect"),
    _layer("Conv1d", (3, 9), 4, 3, 2, padding=2, padding_mode="circular", bias=False),
    _layer("Conv1d", (2, 3, 9), 4, 4, padding="same", padding_mode="replicate"),
    _layer("Conv2d", (2, 3, 6, 7), 4, (3, 2), (2, 1), (1, 2), padding_mode="zeros"),
    _layer("Conv2d", (2, 3, 6, 7), 4, 3, padding=(1, 2), padding_mode="reflect"),
    _layer("Conv2d", (2, 3, 6, 7), 4, 3, stride=2, padding=(2, 1), padding_mode="replicate"),
    _layer("Conv2d", (2, 4, 6, 7), 4, 3, padding=1, groups=2, padding_mode="circular"),
    _layer("Conv2d", (2, 3, 6, 7), 4, (4, 3), padding="same", dilation=(1, 2), padding_mode="circular"),
    _layer("Conv2d", (2, 3, 6, 7), 4, 3, padding="valid", padding_mode="reflect"),
    _layer("Conv3d", (1, 2, 4, 5, 4), 3, 3, padding=1, padding_mode="replicate"),
    _layer("Conv3d", (2, 4, 5, 4), 3, (2, 3, 1), (1, 2, 1), bias=False),
    _layer("ConvTranspose1d", (2, 3, 5), 4, 3, 2, 1, 1, dilation=2),
    _layer("ConvTranspose2d", (2, 4, 4, 5), 6, 3, 2, 1, groups=2, bias=False),
    _layer("ConvTranspose2d", (2, 3, 4, 5), 4, 3, stride=2, padding=1, call={"output_size": [8, 9]}),
    _layer("ConvTranspose2d", (2, 3, 4, 5), 4, 3, stride=3, call={"output_size": [2, 4, 14, 16]}),
    _layer("ConvTranspose3d", (1, 2, 3, 2, 3), 2, 2, 2),
]

CASES = [*PLAIN, *TRANSPOSED, *TWICE, *LAYERS]
