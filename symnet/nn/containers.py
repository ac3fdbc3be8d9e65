"""Modules and parameters in lists and dictionaries, and modules one after the other."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from symnet.errors import DTypeError, IndexOutOfRange, UnknownName, nearest
from symnet.expr.node import Expr
from symnet.nn.module import Module

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


class ModuleList(Module):
    """Modules in a list: `self.blocks = sn.nn.ModuleList(Block() for _ in range(4))`."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def append(self, module: Module) -> ModuleList:
        """Put a module at the end."""
        return self.extend([module])

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Put modules at the end, in order."""
        for module in modules:
            if not isinstance(module, Module):
                raise DTypeError(f"{type(self).__name__}: expected a module, got {type(module).__name__}")
            self._modules[str(len(self._modules))] = module
            object.__setattr__(module, "_parent", weakref.ref(self))
        self._relabel()
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> list[Module]: ...
    def __getitem__(self, index: int | slice) -> Module | list[Module]:
        """One module, or a list of them for a slice."""
        try:
            return self.children()[index]
        except IndexError:
            raise IndexOutOfRange(f"there is no module {index} among {len(self)}") from None


class Sequential(ModuleList):
    """Modules one after the other: `Sequential(a, b)(x)` is `b(a(x))`. Also takes one dictionary of name -> module."""

    def __init__(self, *modules: Module | dict[str, Module]) -> None:
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                setattr(self, name, module)
        else:
            self.extend(modules)  # type: ignore[arg-type]

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x


class ModuleDict(Module):
    """Modules by name: `self.heads = sn.nn.ModuleDict({"digit": Linear(64, 10), "parity": Linear(64, 1)})`."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, or replace those of the same names."""
        for name, module in dict(modules).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise DTypeError(f"ModuleDict: {name!r} is a {type(module).__name__}, expected a module")
        self._register(self._modules, name, module)

    def __getitem__(self, name: str) -> Module:
        return self._modules[_known(self._modules, name, "module")]

    def __delitem__(self, name: str) -> None:
        del self._modules[_known(self._modules, name, "module")]

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def keys(self) -> list[str]:
        return list(self._modules)

    def values(self) -> list[Module]:
        return list(self._modules.values())

    def items(self) -> list[tuple[str, Module]]:
        return list(self._modules.items())


class ParameterList(Module):
    """Parameters in a list, named 0, 1, …: `self.bases = sn.nn.ParameterList(Parameter((3,)) for _ in range(4))`."""

    def __init__(self, values: Iterable[Expr] = ()) -> None:
        self.extend(values)

    def append(self, value: Expr) -> ParameterList:
        """Put a parameter at the end."""
        return self.extend([value])

    def extend(self, values: Iterable[Expr]) -> ParameterList:
        """Put parameters at the end, in order."""
        for value in values:
            self._register(self._parameters, str(len(self)), _parameter("ParameterList", value))
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Expr]:
        return iter(self._parameters.values())

    @overload
    def __getitem__(self, index: int) -> Expr: ...
    @overload
    def __getitem__(self, index: slice) -> list[Expr]: ...
    def __getitem__(self, index: int | slice) -> Expr | list[Expr]:
        """One parameter, or a list of them for a slice."""
        try:
            return list(self._parameters.values())[index]
        except IndexError:
            raise IndexOutOfRange(f"there is no parameter {index} among {len(self)}") from None


class ParameterDict(Module):
    """Parameters by name."""

    def __init__(self, parameters: Mapping[str, Expr] | Iterable[tuple[str, Expr]] = ()) -> None:
        self.update(parameters)

    def update(self, parameters: Mapping[str, Expr] | Iterable[tuple[str, Expr]]) -> None:
        """Add parameters, or replace those of the same names."""
        for name, value in dict(parameters).items():
            self[name] = value

    def __setitem__(self, name: str, value: Expr) -> None:
        self._register(self._parameters, name, _parameter("ParameterDict", value))

    def __getitem__(self, name: str) -> Expr:
        return self._parameters[_known(self._parameters, name, "parameter")]

    def __delitem__(self, name: str) -> None:
        del self._parameters[_known(self._parameters, name, "parameter")]

    def __contains__(self, name: object) -> bool:
        return name in self._parameters

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def keys(self) -> list[str]:
        return list(self._parameters)

    def values(self) -> list[Expr]:
        return list(self._parameters.values())

    def items(self) -> list[tuple[str, Expr]]:
        return list(self._parameters.items())


def _parameter(container: str, value: object) -> Expr:
    if not isinstance(value, Expr) or value.op != "parameter":
        given = f"the result of {value.op!r}" if isinstance(value, Expr) else f"a {type(value).__name__}"
        raise DTypeError(f"{container}: expected a parameter (sn.nn.Parameter, sn.parameter), got {given}")
    return value


def _known(registry: Mapping[str, Any], name: str, kind: str) -> str:
    if name not in registry:
        raise UnknownName(f"there is no {kind} {name!r}{nearest(name, registry)}")
    return name
