"""What every layer is: parameters, buffers and submodules under names, and a call that gives an expression.

Nothing here computes. A parameter is a node of the graph; a module only remembers which node it uses and what it is
called. Names are paths as in torch.nn ("0.weight", "encoder.bias"), and are the names under which formulas, programs
and checkpoints know a parameter. They are written on the nodes whenever a module becomes part of another.
"""

from __future__ import annotations

import copy
import itertools
import os
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Self

from symnet.errors import DTypeError, UnknownName, Unsupported, UsageError, nearest
from symnet.expr.node import Expr, label, make
from symnet.nn.loading import with_trainable, with_values
from symnet.runtime.keys import IncompatibleKeys, compared

__all__ = ["Buffer", "Module", "Parameter"]

_uids: Iterator[int]


def _start_counting() -> None:
    """Number parameters from a random start: those of a graph read from another process's text must not coincide."""
    global _uids
    _uids = itertools.count(int.from_bytes(os.urandom(4), "little") << 20)


_start_counting()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_counting)


def Parameter(shape: object, init: object = None, dtype: object = "float32", trainable: bool = True) -> Expr:
    """A parameter of its own for a module: `self.scale = sn.nn.Parameter((8,), init=sn.init.ones())`.

    It takes its name from the attribute. (Two nodes of `sn.parameter` with equal names are one parameter; two of these
    never are.)
    """
    from symnet import ops

    return ops.parameter("parameter", shape, dtype=dtype, init=init, trainable=trainable, uid=next(_uids))


def Buffer(shape: object, init: object = "zeros()", dtype: object = "float32") -> Expr:
    """A value of its own that a module keeps without learning it, such as a running mean."""
    from symnet import ops

    return label(ops.state(f"buffer {next(_uids)}", shape, dtype=dtype, init=init), "buffer")


class Module:
    """Base of all layers and networks: assign parameters and modules to attributes, and write `forward`.

        class Block(sn.nn.Module):
            def __init__(self, size):
                self.linear = sn.nn.Linear(size, size)

            def forward(self, x):
                return x + sn.relu(self.linear(x))

    `forward` takes and gives expressions; calling the module calls it. What is random or collects statistics in
    training (dropout, batch norm) is built with both its meanings while `training` is True, and in inference only
    after `eval()`.
    """

    training: bool = True

    _parameters: dict[str, Expr]
    _buffers: dict[str, Expr]
    _modules: dict[str, Module]
    _parent: weakref.ref[Module] | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Module:
        module = super().__new__(cls)
        for registry in ("_parameters", "_buffers", "_modules"):
            object.__setattr__(module, registry, {})
        object.__setattr__(module, "_parent", None)
        return module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's value as an expression of its arguments."""
        raise Unsupported(f"{type(self).__name__} has no forward(); write one that returns an expression")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # --- attributes ---

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, Module):
            self._register(self._modules, name, value)
        elif isinstance(value, Expr) and value.op == "parameter":
            self._register(self._parameters, name, value)
        elif isinstance(value, Expr) and value.op == "state":
            self._register(self._buffers, name, value)
        else:
            self._forget(name)
            object.__setattr__(self, name, value)

    def _register(self, registry: dict[str, Any], name: str, value: Expr | Module) -> None:
        if not name or "." in name:
            raise UsageError(f"{name!r} cannot be the name of a part of a module: it is empty or has a dot")
        if registry.get(name) is not value:
            self._forget(name)
            self.__dict__.pop(name, None)
            registry[name] = value
        if isinstance(value, Module):
            object.__setattr__(value, "_parent", weakref.ref(self))
        self._relabel()

    def _forget(self, name: str) -> None:
        for registry in (self._parameters, self._buffers, self._modules):
            registry.pop(name, None)

    def __getattr__(self, name: str) -> Any:  # only reached when no ordinary attribute has the name
        for registry in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(registry, {}).get(name)
            if found is not None:
                return found
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__:
            object.__delattr__(self, name)
        elif name in self._parameters or name in self._buffers or name in self._modules:
            self._forget(name)
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def __deepcopy__(self, memo: dict[int, Any]) -> Module:
        """A module with the same settings and parameters of its own, which start from the same initialisers."""
        new: Module = type(self).__new__(type(self))
        memo[id(self)] = new
        for name, value in self.__dict__.items():
            if name == "_parent":
                continue
            if name in ("_parameters", "_buffers"):
                copied: Any = {key: memo.setdefault(id(node), _another(node)) for key, node in value.items()}
            else:
                copied = copy.deepcopy(value, memo)
            object.__setattr__(new, name, copied)
        for child in new._modules.values():
            object.__setattr__(child, "_parent", weakref.ref(new))
        new._relabel()
        return new

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_parent"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        for child in self._modules.values():
            object.__setattr__(child, "_parent", weakref.ref(self))
        self._relabel()

    def _relabel(self) -> None:
        """Write on every parameter and buffer its path from the outermost module."""
        root = self._root()
        for name, node in (*root.named_parameters(), *root.named_buffers()):
            label(node, name)

    def _root(self) -> Module:
        """The outermost module that this one is part of."""
        root = self
        seen = {id(root)}
        while root._parent is not None and (parent := root._parent()) is not None and id(parent) not in seen:
            root = parent
            seen.add(id(root))
        return root

    # --- values and training ---

    def load_state_dict(self, state_dict: Mapping[str, object], strict: bool = True) -> IncompatibleKeys:
        """Let the parameters and buffers start from these values: arrays or tensors by name, or `prog.parameters`.

        strict  names that are missing or unexpected are an error; with False they are only reported

        Shapes must fit; after an error nothing has changed. Expressions built from the module before keep the earlier
        start, so load first, then call the module. (`prog.load_parameters` sets the values of a program.)
        """
        what = f"{type(self).__name__}.load_state_dict"
        nodes = dict([*self.named_parameters(), *self.named_buffers()])
        found = compared(state_dict, list(nodes), strict, what)
        self._replace(with_values(nodes, state_dict, what))
        return found

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """With False the parameters are frozen: programs keep them, but no optimizer changes them.

        They stay the same parameters, under the same names. Expressions built from the module before are not
        changed, so freeze first, then call the module. Gives the module itself.
        """
        self._replace(with_trainable(self.parameters(), bool(requires_grad)))
        return self

    def _replace(self, new: Mapping[Expr, Expr]) -> None:
        """Put other nodes in the place of parameters and buffers, wherever these are used."""
        for module in self._root().modules():
            for registry in (module._parameters, module._buffers):
                registry.update({name: new[node] for name, node in registry.items() if node in new})
        self._relabel()

    # --- looking inside ---

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module (with the path "") and all inside it, each once, with their paths, outer before inner."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            inner = [(f"{path}.{name}" if path else name, child) for name, child in module._modules.items()]
            stack.extend(reversed(inner))

    def modules(self) -> list[Module]:
        """This module and all inside it, each once."""
        return [module for _, module in self.named_modules()]

    def named_children(self) -> list[tuple[str, Module]]:
        """The modules directly inside this one, with their names."""
        return list(self._modules.items())

    def children(self) -> list[Module]:
        """The modules directly inside this one."""
        return list(self._modules.values())

    def named_parameters(self) -> list[tuple[str, Expr]]:
        """All parameters with their paths; one that is used in several places is listed once, under its first path."""
        return self._collect("_parameters")

    def parameters(self) -> list[Expr]:
        """All parameters, each once."""
        return [node for _, node in self.named_parameters()]

    def named_buffers(self) -> list[tuple[str, Expr]]:
        """All buffers (what is kept but not learned) with their paths."""
        return self._collect("_buffers")

    def buffers(self) -> list[Expr]:
        """All buffers, each once."""
        return [node for _, node in self.named_buffers()]

    def _collect(self, registry: str) -> list[tuple[str, Expr]]:
        found: dict[int, tuple[str, Expr]] = {}
        for path, module in self.named_modules():
            for name, node in getattr(module, registry).items():
                found.setdefault(id(node), (f"{path}.{name}" if path else name, node))
        return list(found.values())

    def get_submodule(self, path: str) -> Module:
        """The module at `path`; "" is this one."""
        found: Module = _lookup(path, dict(self.named_modules()), "module")
        return found

    def get_parameter(self, path: str) -> Expr:
        """The parameter at `path`."""
        found: Expr = _lookup(path, dict(self.named_parameters()), "parameter")
        return found

    # --- training and inference ---

    def train(self, mode: bool = True) -> Module:
        """Make this module and all inside it build what means one thing in training and another in inference.

        That is how modules begin. A program evaluates with the inference meaning whatever the mode: it is no switch to
        turn before predicting, but tells what is built from now on.
        """
        if not isinstance(mode, bool):
            raise DTypeError(f"train: the mode is {mode!r}, expected True or False")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Make this module and all inside it build the inference meaning, in a training program too.

        So a part of a network is frozen for fine-tuning: its batch norm uses its running statistics and does not change
        them, its dropout is off.
        """
        return self.train(False)

    # --- printing ---

    def extra_repr(self) -> str:
        """The settings shown between the brackets of the module's repr."""
        return ""

    def __repr__(self) -> str:
        lines: list[str] = []
        todo: list[tuple[int, str, Module | None]] = [(0, "", self)]
        while todo:
            depth, prefix, module = todo.pop()
            indent = "  " * depth
            if module is None:
                lines.append(f"{indent})")
                continue
            inner = [(depth + 1, f"({name}): ", child) for name, child in module._modules.items()]
            head = f"{indent}{prefix}{type(module).__name__}({module.extra_repr()}"
            lines.append(head if inner else f"{head})")
            if inner:
                todo += [(depth, "", None), *reversed(inner)]
        return "\n".join(lines)


def _another(node: Expr) -> Expr:
    """A parameter or buffer like `node` that is not the same one."""
    unique = {"uid": next(_uids)} if node.op == "parameter" else {"name": f"buffer {next(_uids)}"}
    return make(node.declaration, (), {**node.attrs, **unique})


def _lookup(path: str, known: dict[str, Any], kind: str) -> Any:
    if path not in known:
        raise UnknownName(f"there is no {kind} {path!r}{nearest(path, known)}")
    return known[path]
