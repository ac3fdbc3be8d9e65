"""Constructors and functions take PyTorch's and Keras's arguments: the same names in the same order, the same defaults."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any

import pytest

import symnet as sn

ABSENT = {"device", "size_average", "reduce", "foreach", "capturable", "differentiable", "fused", "verbose"}
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


OWN = {"Module", "ModuleList", "ModuleDict", "ParameterList", "Sequential", "Parameter", "Buffer", "Optimizer"}
DTYPE_MEANS_OTHER = {"dtype"}


def test_torch_nn() -> None:
    nn = pytest.importorskip("torch").nn
    names = [name for name in classes(sn.nn, nn) if name not in OWN]
    assert len(names) > 90
    for name in names:
        try:
            compare(getattr(sn.nn, name), getattr(nn, name), DTYPE_MEANS_OTHER)
        except AssertionError as error:
            raise AssertionError(f"sn.nn.{name}: {error}") from None


def test_torch_losses() -> None:
    nn = pytest.importorskip("torch").nn
    names = classes(sn.losses, nn)
    assert len(names) >= 20
    for name in names:
        try:
            compare(getattr(sn.losses, name), getattr(nn, name), set())
        except AssertionError as error:
            raise AssertionError(f"sn.losses.{name}: {error}") from None


def test_torch_functional() -> None:
    functional = pytest.importorskip("torch").nn.functional
    for ours in (sn.nn.functional, sn.losses):
        for name in ours.__all__:
            theirs = getattr(functional, name, None)
            if inspect.isfunction(theirs) and inspect.isfunction(getattr(ours, name)) and not hasattr(theirs, "__wrapped__"):
                try:
                    compare(getattr(ours, name), theirs, {"inplace", "dtype", "_stacklevel", "training"})
                except AssertionError as error:
                    raise AssertionError(f"{ours.__name__}.{name}: {error}") from None


def test_torch_optim() -> None:
    optim = pytest.importorskip("torch").optim
    names = [name for name in classes(sn.optim, optim) if name not in OWN]
    assert len(names) >= 11
    for name in names:
        ours, theirs = arguments(getattr(sn.optim, name), set()), arguments(getattr(optim, name), ABSENT)
        assert set(theirs) <= set(ours), f"sn.optim.{name}: {sorted(set(theirs) - set(ours))} missing"
        for argument, default in theirs.items():
            if argument != "params":
                assert ours[argument] == default, f"sn.optim.{name}: {argument}={ours[argument]!r}, expected {default!r}"


def test_torch_schedulers() -> None:
    schedulers = pytest.importorskip("torch").optim.lr_scheduler
    ours = sn.optim.lr_scheduler
    for name in classes(ours, schedulers):
        try:
            compare(getattr(ours, name), getattr(schedulers, name), {"optimizer"})
        except AssertionError as error:
            raise AssertionError(f"sn.optim.lr_scheduler.{name}: {error}") from None


@pytest.mark.parametrize("family", ["losses", "optimizers"])
def test_keras(family: str) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    ours, theirs = getattr(sn.keras, family), getattr(keras, family)
    names = [name for name in classes(ours, theirs) if name != "Optimizer"]
    assert len(names) >= 10
    for name in names:
        try:
            compare(getattr(ours, name), getattr(theirs, name), {"loss_scale_factor"} if family == "optimizers" else set())
        except AssertionError as error:
            raise AssertionError(f"sn.keras.{family}.{name}: {error}") from None
