"""Every layer and loss of the library reads as it is meant: value and gradients, in training and in evaluation.

The programs are those that are compared with PyTorch: of each layer and each loss the first in training and the first
in evaluation; recurrent layers and attention with all their options.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.explain import formula
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from tests.references import case as case_module
from tests.references import layers as layer_module
from tests.references.case import weights
from tests.references.store import cases, inputs_of
from tests.symnet.explain.test_read import DRAWN

WHOLE = ("recurrent",)  # families of which every case is read
FAMILIES = (
    "activations", "attention", "convolution", "dropout", "embedding", "losses", "losses_classification",
    "normalization", "padding", "pooling", "recurrent",
)  # fmt: skip
# What is not read back, each with the reason.
NOT_READ = {
    "binary_cross_entropy": "its logarithms are written without their limit of −100, and the case is beyond it",
    "multilabel_margin_loss": "scattered places with indices of two axes",
    "avg_pool3d": "windows over an axis of size 1",
    "normalize(x) at 0": "the slope of a length at 0 is not written",
    "cosine_similarity() [5, 4]": "the slope of a length at 0 is not written",
    "cosine_embedding_loss": "the slope of a length at 0 is not written",
    "pairwise_distance": "the slope of a length at 0 is not written",
    "everything is ignored": "nan is not told apart from 0/0",
    "max_pool": "the functions: infinities, and arrays that are large to read; the layers are read",
}


class _Seen(Exception):
    """The outputs, what they are differentiated by, and the values of the leaves."""


def _stop(outputs: Mapping[str, Expr], wrt: Mapping[str, Expr], values: Mapping[Expr, Any], **options: Any) -> Any:
    raise _Seen(dict(outputs), dict(wrt), dict(values))


def program_of(family: str, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...] | None:
    """Outputs, variables and values of a case as symnet's side of it builds them; None where it compiles none."""
    for module in (case_module, layer_module, import_module(f"tests.references.cases.{family}")):
        if hasattr(module, "native_results"):
            monkeypatch.setattr(module, "native_results", _stop)
    one = cases(family)[name]
    try:
        one.ours(inputs_of(one))
    except _Seen as seen:
        return seen.args
    return None


@lru_cache(maxsize=None)
def names(family: str) -> list[str]:
    """The first case of each layer in training and in evaluation; of some families all."""
    chosen: dict[tuple[str, bool], str] = {}
    for name in cases(family):
        if not any(part in name for part in NOT_READ) and "of one value" not in name and "20 steps" not in name:
            chosen.setdefault((re.split(r"[( ]", name)[0], name.endswith("in evaluation")), name)
    return [name for name in cases(family) if family in WHOLE or name in chosen.values()]


def programs() -> Iterator[Any]:
    for family in FAMILIES:
        for name in names(family):
            yield pytest.param(family, name, id=f"{family}: {name}")


@pytest.mark.parametrize(("family", "name"), list(programs()))
def test_layers_and_losses_read_as_they_are_meant(family: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = program_of(family, name, monkeypatch)
    assert program is not None, f"{name} compiles nothing"
    outputs, wrt, values = program
    for value in outputs.values():
        shown = formula(value)
        assert_written(str(shown), shown.latex(), shown.mathml())
        found = shown.evaluate(_given([shown.value], values, shown.known))
        assert_equal(found, sn.evaluate(value, values), str(shown))
    floats = [value for value in outputs.values() if value.dtype == "float64"]
    cotangents = [sn.input(f"G{i}", value.shape, "float64") for i, value in enumerate(floats)]
    loss = sum((sn.sum(g * value) for g, value in zip(cotangents, floats, strict=True)), sn.constant(0.0, "float64"))
    variables = [variable for variable in wrt.values() if variable in set(postorder([loss]))]
    if variables:
        values = {**values, **{g: weights(g.shape) for g in cotangents}}
        assert_gradients_read(loss, variables, values)


def assert_gradients_read(loss: Expr, variables: list[Expr], values: Mapping[Expr, Any]) -> None:
    derivation = sn.explain(loss, variables)
    text = derivation.summary()
    assert_written(text, derivation.latex())
    roots = [*derivation.gradients, derivation.value]
    found = derivation.evaluate(_given(roots, values, derivation.context.known))
    for equation, value in zip([*derivation.formulas, derivation.where[-1]], sn.evaluate(roots, values), strict=True):
        assert_equal(found[equation.name], value, f"{equation.name} in\n{text}")


def assert_written(text: str, *others: str) -> None:
    """A text without the names of internal operations; the other alphabets say something, too."""
    assert not re.search(r"loop\(|transpose\(|\w+_\w+\(", text), text
    assert all(others)


def assert_equal(found: Any, value: Any, text: str) -> None:
    scale = np.abs(np.where(np.isfinite(value), value, 0)).max(initial=1e-3)
    np.testing.assert_allclose(found, value, rtol=1e-9, atol=1e-9 * scale, err_msg=text)


def _given(roots: list[Expr], values: Mapping[Expr, Any], known: Mapping[Expr, Any]) -> dict[Expr, Any]:
    """The values of the leaves that a formula mentions, and what is drawn in it."""
    drawn = [node for node in postorder(roots) if node.op in DRAWN]
    found = sn.evaluate(drawn, dict(values)) if drawn else []
    return {node: one for node, one in {**values, **dict(zip(drawn, found, strict=True))}.items() if node in known}
