"""Constructors and functions have PyTorch's and Keras's arguments: the same names, order and defaults."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any

import pytest

import symnet as sn

ABSENT = {
    "device", "size_average", "reduce", "foreach", "capturable", "differentiable", "fused", "verbose", "min_value",
    "max_value", "enable_nested_tensor", "mask_check", "out",
}  # fmt: skip
"""What is about PyTorch's execution, or deprecated there."""
EXTRA = {"dtype", "seed"}
"""What a symnet constructor may have besides."""


def arguments(function: Callable[..., Any], leave: set[str]) -> dict[str, Any]:
    """Name -> default, in order; `inspect.Parameter.empty` where there is none."""
    found = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {p.name: p.default for p in found if p.kind not in kinds and p.name not in leave}


def compare(ours: Callable[..., Any], theirs: Callable[..., Any], leave: set[str]) -> None:
    wanted = arguments(theirs, ABSENT | leave)
    given = arguments(ours, (EXTRA - set(wanted)) | leave)
    assert list(given)[: len(wanted)] == list(wanted)
    for name, default in wanted.items():
        mine = given[name]
        required = inspect.Parameter.empty
        if default is required or mine is required:
            assert default is mine, f"{name}: default {mine}, expected {default}"
        elif callable(default) or callable(mine):
            assert callable(mine) == callable(default) or isinstance(mine, str), f"{name}: {mine}, expected {default}"
        else:
            assert mine == default, f"{name}: default {mine!r}, expected {default!r}"


def classes(ours: Any, theirs: Any) -> list[str]:
    """The names of classes that both have."""
    return sorted(
        name for name in ours.__all__
        if inspect.isclass(getattr(ours, name, None)) and inspect.isclass(getattr(theirs, name, None))
    )  # fmt: skip


OWN = {"Module", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "Sequential", "Parameter", "Buffer"}
"""What looks like PyTorch's and is made otherwise."""


def compare_classes(ours: Any, theirs: Any, least: int, leave: set[str]) -> None:
    names = [name for name in classes(ours, theirs) if name not in OWN | {"Optimizer"}]
    assert len(names) >= least, names
    for name in names:
        try:
            compare(getattr(ours, name), getattr(theirs, name), leave)
        except AssertionError as error:
            raise AssertionError(f"{ours.__name__}.{name}: {error}") from None


def test_torch_nn() -> None:
    compare_classes(sn.nn, pytest.importorskip("torch").nn, 110, {"dtype"})


def test_torch_losses() -> None:
    compare_classes(sn.losses, pytest.importorskip("torch").nn, 20, {"dtype"})


def test_torch_schedulers() -> None:
    theirs = pytest.importorskip("torch").optim.lr_scheduler
    compare_classes(sn.optim.lr_scheduler, theirs, 14, {"optimizer", "program"})


def test_torch_optim() -> None:
    compare_classes(sn.optim, pytest.importorskip("torch").optim, 11, {"params", "maximize"})


@pytest.mark.parametrize("ours", [sn.nn.functional, sn.losses], ids=["functional", "losses"])
def test_torch_functional(ours: Any) -> None:
    functional = pytest.importorskip("torch").nn.functional
    for name in ours.__all__:
        mine, theirs = getattr(ours, name), getattr(functional, name, None)
        if inspect.isfunction(mine) and inspect.isfunction(theirs) and not hasattr(theirs, "__wrapped__"):
            try:
                compare(mine, theirs, {"inplace", "dtype", "_stacklevel", "training"})
            except AssertionError as error:
                raise AssertionError(f"{ours.__name__}.{name}: {error}") from None


@pytest.mark.parametrize(("family", "least"), [("losses", 15), ("optimizers", 10)])
def test_keras(family: str, least: int) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    theirs = getattr(pytest.importorskip("keras"), family)
    compare_classes(getattr(sn.keras, family), theirs, least, set())
