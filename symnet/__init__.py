"""symnet: mathematics in, native training programs out.

    import symnet as sn

The names below are loaded when they are first used, so importing symnet is quick and what a program does not use costs
it nothing. Operations (`sn.exp`, `sn.where`, `sn.einsum`, …) are those that `symnet.ops` exports.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symnet import data as data
    from symnet import interop as interop
    from symnet import keras as keras
    from symnet import losses as losses
    from symnet import nn as nn
    from symnet import optim as optim
    from symnet.accuracy import accuracy as accuracy
    from symnet.derive import (
        grad as grad,
    )
    from symnet.derive import (
        hessian as hessian,
    )
    from symnet.derive import (
        hvp as hvp,
    )
    from symnet.derive import (
        jacobian as jacobian,
    )
    from symnet.derive import (
        jvp as jvp,
    )
    from symnet.derive import (
        value_and_grad as value_and_grad,
    )
    from symnet.derive import (
        vjp as vjp,
    )
    from symnet.errors import (
        CompilerBug as CompilerBug,
    )
    from symnet.errors import (
        DTypeError as DTypeError,
    )
    from symnet.errors import (
        FileError as FileError,
    )
    from symnet.errors import (
        IndexOutOfRange as IndexOutOfRange,
    )
    from symnet.errors import (
        NotFinite as NotFinite,
    )
    from symnet.errors import (
        ShapeError as ShapeError,
    )
    from symnet.errors import (
        SymnetError as SymnetError,
    )
    from symnet.errors import (
        UnknownName as UnknownName,
    )
    from symnet.errors import (
        Unsupported as Unsupported,
    )
    from symnet.errors import (
        UsageError as UsageError,
    )
    from symnet.explain import explain as explain
    from symnet.explain.draw import draw as draw
    from symnet.expr.node import Expr as Expr
    from symnet.expr.text import dumps as dumps
    from symnet.expr.text import loads as loads
    from symnet.nn import init as init
    from symnet.ops import *  # noqa: F403
    from symnet.program import Program as Program
    from symnet.program import compile as compile
    from symnet.program import function as function
    from symnet.report import report as report
    from symnet.simplify import rules as rules
    from symnet.simplify import simplify as simplify
    from symnet.train import History as History
    from symnet.train import callbacks as callbacks
    from symnet.train import compare as compare
    from symnet.train import metrics as metrics

__version__ = "0.1.0"

_HOME = {
    **dict.fromkeys(("grad", "value_and_grad", "vjp", "jvp", "jacobian", "hessian", "hvp", "vmap"), "symnet.derive"),
    **dict.fromkeys(("simplify", "rules"), "symnet.simplify"),
    "accuracy": "symnet.accuracy",
    **dict.fromkeys(("explain", "draw"), "symnet.explain"),
    **dict.fromkeys(("dumps", "loads"), "symnet.expr.text"),
    "report": "symnet.report",
    **dict.fromkeys(("function", "compile", "Program"), "symnet.program"),
    **dict.fromkeys(
        ("CompilerBug", "DTypeError", "FileError", "IndexOutOfRange", "NotFinite", "ShapeError", "SymnetError",
         "UnknownName", "Unsupported", "UsageError"),
        "symnet.errors",
    ),
    **dict.fromkeys(("History", "callbacks", "compare", "metrics"), "symnet.train"),
    "Expr": "symnet.expr.node",
    "init": "symnet.nn",
}  # fmt: skip
_SUBPACKAGES = ("data", "interop", "keras", "losses", "nn", "optim")


class _Package(ModuleType):
    """This package: `sn.simplify` and `sn.explain` stay functions when the subpackages of those names are imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType) and value.__name__ == f"{__name__}.{name}"):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'symnet' has no attribute {name!r}")
    if name in _SUBPACKAGES:
        return import_module(f"{__name__}.{name}")
    home = _HOME.get(name, "symnet.ops")
    module = import_module(home)
    if home == "symnet.ops" and name not in module.__all__:
        from symnet.errors import nearest

        known = sorted({*_HOME, *_SUBPACKAGES, *module.__all__})
        raise AttributeError(f"module 'symnet' has no attribute {name!r}{nearest(name, known)}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_SUBPACKAGES, *import_module("symnet.ops").__all__})
