"""A short name for everything a compilation depends on: the key of the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from codegen.spec import Deferred, Module
from symnet.expr.function import Function
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.op import lookup
from symnet.expr.traverse import postorder

_UNUSED = {"init", "uid"}
"""Settings of leaves that the code does not depend on: where values come from, and which of two namesakes it is."""
_PARTS = ("expr", "ops", "derive", "simplify", "accuracy", "optim", "program")
"""The folders of symnet in which a definition becomes a module."""


def fingerprint(module: Module | Deferred, *options: object) -> str:
    """Equal for modules that compile to the same code with the same options, in this and other processes.

    Covers the graphs of all entries, names of leaves and outputs, capacities, precision, and the compiler's sources.
    """
    digest = hashlib.blake2b(digest_size=20)
    if isinstance(module, Deferred):
        digest.update(repr((module.key, options)).encode())
        return digest.hexdigest()
    digest.update(repr((sources(), options, sorted(module.capacity.items()), module.name, module.precision)).encode())
    roots: list[Expr] = []
    for entry in map(module.prepared, module.entries):
        targets = [node.name for node, _ in entry.updates]
        digest.update(repr((entry.name, list(entry.outputs), targets)).encode())
        roots += entry.outputs.values()
        roots += (node for pair in entry.updates for node in pair)
    _graph(digest, roots)
    return digest.hexdigest()


def definition(roots: Sequence[Expr], *about: object) -> str | None:
    """Equal for definitions from which the same programs are made, in this and other processes.

    Covers the graphs, the names of all values (formulas and kernels have them), and the sources of all that derives,
    simplifies and compiles. None where a graph holds an operation that is declared elsewhere: nobody knows when that
    changes.
    """
    digest = hashlib.blake2b(digest_size=20)
    digest.update(repr((sources(), about)).encode())
    if not _graph(digest, roots, named=True):
        return None
    return digest.hexdigest()


def _graph(digest: Any, roots: Iterable[Expr], named: bool = False) -> bool:
    """Take the graph into the digest, with the names of inner values if `named`; whether all of it is symnet's own."""
    roots = list(roots)
    numbers: dict[int, int] = {}
    own = True
    for node in postorder(roots):
        numbers[id(node)] = len(numbers)
        operands = [numbers[id(arg)] for arg in node.args]
        name = node.name if named or not operands else None
        digest.update(repr((node.op, operands, node.shape, node.dtype, name)).encode())
        own &= _own(node.op)
        own &= _attributes(digest, node.attrs, not operands)
    digest.update(repr([numbers[id(root)] for root in roots]).encode())
    return own


@lru_cache(maxsize=None)
def _own(op: str) -> bool:
    """Whether all that an operation is declared by is in symnet's sources."""
    declared = (value for value in vars(lookup(op)).values() if callable(value))
    return all(str(getattr(value, "__module__", "")).split(".")[0] == "symnet" for value in declared)


def _attributes(digest: Any, attrs: Mapping[str, Any], leaf: bool) -> bool:
    """Take settings into the digest; `_graph` has seen the name of a leaf. Whether functions in them are symnet's."""
    own = True
    for name, value in attrs.items():
        if name in _UNUSED or (leaf and name == "name"):
            continue
        if isinstance(value, ArrayValue):
            digest.update(repr((name, value.array.dtype.str, value.array.shape)).encode())
            digest.update(value.array.tobytes())
        elif isinstance(value, Function):
            digest.update(name.encode())
            own &= _graph(digest, value.results)
        else:
            digest.update(repr((name, value)).encode())
    return own


@lru_cache(maxsize=None)
def sources() -> str:
    """Changes whenever a source file of the compiler does."""
    here = Path(__file__).parent
    digest = hashlib.blake2b(digest_size=16)
    for folder in (here, *(here.parent / "symnet" / part for part in _PARTS)):
        for root, folders, files in os.walk(folder):
            folders.sort()
            for file in sorted(files):
                if file.endswith(".py"):
                    about = os.stat(os.path.join(root, file))
                    digest.update(f"{root}/{file} {about.st_size} {about.st_mtime_ns};".encode())
    return digest.hexdigest()
