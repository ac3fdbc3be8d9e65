"""The documents of the small programs, each made once for the tests of the page."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from symnet.report import document
from tests.symnet.report.networks import program


@lru_cache(maxsize=None)
def data_of(name: str) -> dict[str, Any]:
    """The document of a network; that of the perceptron has the times of its kernels."""
    return document(program(name), title=name, measure=name == "mlp")
