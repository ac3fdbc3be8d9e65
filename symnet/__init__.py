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
    from symnet import data as data, losses as losses, nn as nn, optim as optim
    from symnet.derive import (
        grad as grad,
        hessian as hessian,
        hvp as hvp,
        jacobian as jacobian,
        jvp as jvp,
        value_and_grad as value_and_grad,
        vjp as vjp,
    )
    from symnet.errors import (
        CompilerBug as CompilerBug,
        DTypeError as DTypeError,
        FileError as FileError,
        IndexOutOfRange as IndexOutOfRange,
        NotFinite as NotFinite,
        ShapeError as ShapeError,
        SymnetError as SymnetError,
        UnknownName as UnknownName,
        Unsupported as Unsupported,
        UsageError as UsageError,
    )
    from symnet.explain import explain as explain
    from symnet.explain.draw import draw as draw
    from symnet.expr.node import Expr as Expr
    from symnet.expr.text import dumps as dumps, loads as loads
    from symnet.nn import init as init
    from symnet.ops import *  # noqa: F403
    from symnet.program import compile as compile, function as function
    from symnet.simplify import rules as rules, simplify as simplify

__version__ = "0.1.0"

_HOME = {
    **dict.fromkeys(("grad", "value_and_grad", "vjp", "jvp", "jacobian", "hessian", "hvp"), "symnet.derive"),
    **dict.fromkeys(("simplify", "rules"), "symnet.simplify"),
    **dict.fromkeys(("explain", "draw"), "symnet.explain"),
    **dict.fromkeys(("dumps", "loads"), "symnet.expr.text"),
    **dict.fromkeys(("function", "compile"), "symnet.program"),
    **dict.fromkeys(
        ("CompilerBug", "DTypeError", "FileError", "IndexOutOfRange", "NotFinite", "ShapeError", "SymnetError",
         "UnknownName", "Unsupported", "UsageError"),
        "symnet.errors",
    ),
    "Expr": "symnet.expr.node",
    "init": "symnet.nn",
}  # fmt: skip
_SUBPACKAGES = ("data", "losses", "nn", "optim")


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
