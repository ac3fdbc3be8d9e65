"""The layers of a network, from the dotted names of its parameters, and which named values belong to which."""

from __future__ import annotations

from symnet.report.model import Cluster
from symnet.report.symbols import SymbolTable


def clusters(table: SymbolTable) -> list[Cluster]:
    """The layers; gives every symbol its own.

    A parameter belongs to the module that its name says; a derivative, or a new value, to that of the value it is one
    of; any other value but the loss to the innermost module around the parameters that its formula mentions, else
    around the values.
    """
    paths: dict[int, tuple[str, ...]] = {}
    for entry in table.entries:
        symbol = entry.symbol
        if symbol.role == "parameter":
            paths[symbol.id] = tuple((symbol.label or "").split(".")[:-1])
        elif symbol.of is not None and symbol.of in paths:
            paths[symbol.id] = paths[symbol.of]
        elif symbol.role not in ("input", "hyper", "state", "loss"):
            around = [paths[used] for used in symbol.uses if paths.get(used)]
            own = [paths[u] for u in symbol.uses if table.entries[u].symbol.role == "parameter" and paths.get(u)]
            paths[symbol.id] = _common(own or around)
    found: dict[tuple[str, ...], Cluster] = {}
    for path in paths.values():
        for depth in range(1, len(path) + 1):
            parent = found[path[: depth - 1]].id if depth > 1 else None
            found.setdefault(path[:depth], Cluster(len(found), ".".join(path[:depth]), parent))
    for number, path in paths.items():
        if path:
            table.update(number, cluster=found[path].id)
    return list(found.values())


def _common(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The longest beginning that all paths share."""
    if not paths:
        return ()
    first = min(paths, key=len)
    for depth in range(len(first), -1, -1):
        if all(path[:depth] == first[:depth] for path in paths):
            return first[:depth]
    return ()
