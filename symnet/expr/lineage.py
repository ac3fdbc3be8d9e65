"""Which node of a rewritten graph stands for which node of the one before: remembered while somebody asks.

Walks that rebuild or rewrite nodes say what became of what (`note`). Nothing is kept unless a `Lineage` is recording.
With it the report of a program follows a value of a formula through simplification and expansion down to its code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symnet.expr.node import Expr


class Lineage:
    """What became of every node that was replaced while this was recording."""

    def __init__(self) -> None:
        self._became: dict[Expr, dict[Expr, None]] = {}

    def became(self, node: Expr) -> Iterable[Expr]:
        """What replaced a node, each time that one was replaced."""
        return self._became.get(node, ())

    def ancestors(self) -> dict[Expr, list[Expr]]:
        """For everything that replaced nodes, the nodes that it replaced."""
        found: dict[Expr, list[Expr]] = {}
        for old, replacements in self._became.items():
            for new in replacements:
                found.setdefault(new, []).append(old)
        return found

    def note(self, old: Expr, new: Expr) -> None:
        if new is not old:
            self._became.setdefault(old, {})[new] = None

    def descendants(self, node: Expr) -> Iterator[Expr]:
        """The node itself, what replaced it, what replaced that, and so on; each once."""
        seen, pending = {node}, [node]
        while pending:
            found = pending.pop()
            yield found
            for new in self.became(found):
                if new not in seen:
                    seen.add(new)
                    pending.append(new)


_recording: ContextVar[Lineage | None] = ContextVar("lineage", default=None)


@contextmanager
def recording() -> Iterator[Lineage]:
    """A lineage of what is rewritten inside."""
    lineage = Lineage()
    token = _recording.set(lineage)
    try:
        yield lineage
    finally:
        _recording.reset(token)


def note(old: Expr, new: Expr) -> None:
    """`new` stands for the value of `old` from here on."""
    lineage = _recording.get()
    if lineage is not None:
        lineage.note(old, new)
