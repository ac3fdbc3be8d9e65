"""The losses of the project's examples: each script runs up to the place where it compiles a program."""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import symnet as sn
from symnet.expr.traverse import leaves
from symnet.ops.random import numbered

FOLDER = Path(__file__).parents[3] / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py"))
Loss = tuple[sn.Expr, list[sn.Expr]]


class _Stop(BaseException):
    """Leaves a script where its program is compiled."""


@lru_cache(maxsize=None)
def losses(example: str) -> tuple[Loss, ...]:
    """The losses that a script trains (or differentiates, if it trains none) and what by."""
    found: list[Loss] = []

    def compile(loss: sn.Expr, *others: Any, **settings: Any) -> None:
        (loss,) = numbered([loss])
        found.append((loss, [leaf for leaf in leaves([loss], "parameter") if leaf.attrs["trainable"]]))
        raise _Stop

    def grad(loss: sn.Expr, wrt: sn.Expr) -> sn.Expr:
        found.append((loss, [wrt]))
        return differentiate(loss, wrt)

    differentiate = sn.grad
    script = FOLDER / f"{example}.py"
    with (
        mock.patch.object(sn, "compile", compile),
        mock.patch.object(sn, "grad", grad),
        mock.patch.object(sys, "argv", [str(script)]),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.suppress(_Stop),
    ):
        runpy.run_path(str(script), run_name="__main__")
    return tuple(found)
