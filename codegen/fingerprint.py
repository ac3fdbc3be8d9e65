"""A short name for everything a compilation depends on: the key of the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from codegen.spec import Module
from symnet.expr.function import Function
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.traverse import postorder

_UNUSED = {"init", "uid"}
"""Settings of leaves that the code does not depend on: where values come from, and which of two namesakes it is."""


def fingerprint(module: Module, *options: object) -> str:
    """Equal for modules that compile to the same code with the same options, in this and other processes.

    Covers the graphs of all entries, names of leaves and outputs, capacities, and the compiler's own sources.
    """
    digest = hashlib.blake2b(digest_size=20)
    digest.update(repr((sources(), options, sorted(module.capacity.items()), module.name)).encode())
    roots: list[Expr] = []
    for entry in module.entries:
        targets = [node.name for node, _ in entry.updates]
        digest.update(repr((entry.name, list(entry.outputs), targets)).encode())
        roots += entry.outputs.values()
        roots += (node for pair in entry.updates for node in pair)
    _graph(digest, roots)
    return digest.hexdigest()


def _graph(digest: Any, roots: Iterable[Expr]) -> None:
    roots = list(roots)
    numbers: dict[int, int] = {}
    for node in postorder(roots):
        numbers[id(node)] = len(numbers)
        operands = [numbers[id(arg)] for arg in node.args]
        name = None if operands else node.name
        digest.update(repr((node.op, operands, node.shape, node.dtype, name)).encode())
        _attributes(digest, node.attrs)
    digest.update(repr([numbers[id(root)] for root in roots]).encode())


def _attributes(digest: Any, attrs: Mapping[str, Any]) -> None:
    for name, value in attrs.items():
        if name in _UNUSED:
            continue
        if isinstance(value, ArrayValue):
            digest.update(repr((name, value.array.dtype.str, value.array.shape)).encode())
            digest.update(value.array.tobytes())
        elif isinstance(value, Function):
            digest.update(name.encode())
            _graph(digest, value.results)
        else:
            digest.update(repr((name, value)).encode())


@lru_cache(maxsize=None)
def sources() -> str:
    """Changes whenever a source file of the compiler does."""
    here = Path(__file__).parent
    digest = hashlib.blake2b(digest_size=16)
    for folder in (here, here.parent / "symnet" / "expr", here.parent / "symnet" / "ops"):
        for root, folders, files in os.walk(folder):
            folders.sort()
            for file in sorted(files):
                if file.endswith(".py"):
                    about = os.stat(os.path.join(root, file))
                    digest.update(f"{root}/{file} {about.st_size} {about.st_mtime_ns};".encode())
    return digest.hexdigest()
