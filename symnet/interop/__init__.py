"""Exchange with other tools, each in a module of its own that is imported when it is asked for: `sn.interop.sympy`."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

_MODULES = ("sympy",)


def __getattr__(name: str) -> ModuleType:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    from symnet.errors import nearest

    raise AttributeError(f"sn.interop has no {name!r}{nearest(name, _MODULES)}")


def __dir__() -> list[str]:
    return sorted(_MODULES)
