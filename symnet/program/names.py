"""Leaves of a program by the names a user gave them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from symnet.errors import ShapeError, UnknownName, UsageError
from symnet.expr import dims
from symnet.expr.function import bodies
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder


def leaves_by_name(roots: Iterable[Expr], *ops: str) -> dict[str, Expr]:
    """The leaves of these operations by name, in order of first use; `UsageError` when two share a name."""
    found: dict[str, Expr] = {}
    for node in postorder(roots):
        if node.op in ops:
            name = str(node.name)
            other = found.setdefault(name, node)
            if other is not node:
                raise UsageError(
                    f"two different things are called {name!r}: {_signature(other)} and {_signature(node)}; "
                    "give one of them another name (for modules: make both children of one Module)"
                )
    return found


def _signature(node: Expr) -> str:
    return f"the {node.op} {node.dtype}{dims.show(node.shape)}"


_SIZES = {"dim": "size", "scan": "length"}
"""Operations with a dimension in an attribute that may be in no shape."""


def named_dims(roots: Iterable[Expr]) -> list[str]:
    """The named dimensions that occur under `roots`, loops included, in order of first use."""
    seen: dict[str, None] = {}
    pending = [list(roots)]
    while pending:
        for node in postorder(pending.pop()):
            sizes = (node.attrs[_SIZES[node.op]],) if node.op in _SIZES else ()
            for dim in (*node.shape, *sizes):
                seen.update(dict.fromkeys(sorted(dims.names(dim))))
            pending.extend(list(body.results) for body in bodies(node).values())
    return list(seen)


def batch_dim(loss: Expr) -> str | None:
    """The dimension of the rows: the first axis of the first input of the loss that has a named one."""
    for node in leaves_by_name([loss], "input").values():
        if node.shape and isinstance(dim := node.shape[0], str) and dim.isidentifier():
            return dim
    return None


def check_capacity(capacity: Mapping[str, int], roots: Iterable[Expr]) -> dict[str, int]:
    """The capacities, one for each named dimension; errors for missing, unknown or non-positive ones."""
    wanted = named_dims(roots)
    for name, size in capacity.items():
        if name not in wanted:
            raise UnknownName(f"batch: there is no dimension {name!r}; the program has {', '.join(wanted) or 'none'}")
        if isinstance(size, bool) or not hasattr(size, "__index__") or size < 1:
            raise ShapeError(f"batch: the capacity of {name!r} is {size!r}, expected a positive integer")
    missing = [name for name in wanted if name not in capacity]
    if missing:
        example = ", ".join(f'"{name}": 64' for name in missing)
        which = f"dimension {missing[0]} needs" if len(missing) == 1 else f"dimensions {', '.join(missing)} need"
        raise ShapeError(f"the {which} a largest size: batch={{{example}}}")
    return {name: int(capacity[name]) for name in wanted}
