"""Which part of a program computes which named value.

The formulas are written from the simplified graph, and the code is made from that graph simplified with the optimizer's
update, expanded and prepared for lowering. A `Lineage` that recorded all of this tells what a named value has become.
What has no name belongs to the named values that it is computed for: ownership goes down from users to operands, as far
as the next named value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symnet.expr.function import bodies
from symnet.expr.lineage import Lineage
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder

Owners = dict[Expr, frozenset[int]]
"""Nodes of the graph that is lowered -> the ids of the symbols they compute a part of."""


class Ownership:
    """The owners of the nodes under `roots`, the results that are lowered.

    named  (id of a symbol, the node it names), as often as it is known under different nodes
    """

    def __init__(self, roots: Sequence[Expr], named: Iterable[tuple[int, Expr]], lineage: Lineage) -> None:
        self._lineage = lineage
        self._marks: dict[Expr, set[int]] = {}
        for symbol, node in named:
            for become in lineage.descendants(node):
                if become.args:
                    self._marks.setdefault(become, set()).add(symbol)
        self._owners: dict[Expr, set[int]] = {}
        self._down(roots)
        self._along_lineage()

    def of_line(self, nodes: Iterable[Expr]) -> tuple[int, ...]:
        """The ids of the symbols that a line with these nodes computes a part of, in order.

        A number that many symbols need (1 − β₁, as a float32) is computed wherever it is needed. It belongs to those
        that the rest of the line belongs to: of the nodes' owners, only those count that no other node narrows down.
        """
        groups = {frozenset(self._owners.get(node, ())) for node in nodes} - {frozenset()}
        narrow = [group for group in groups if not any(other < group for other in groups)]
        return tuple(sorted(frozenset().union(*narrow)))

    def _down(self, roots: Sequence[Expr]) -> None:
        """From users to operands, and from loops and choices to what their bodies compute."""
        pending: list[tuple[Sequence[Expr], set[int]]] = [(roots, set())]
        while pending:
            results, inherited = pending.pop()
            for result in results:
                self._give(result, inherited)
            for node in reversed(postorder(results)):
                mine = self._owners.setdefault(node, set())
                for arg in node.args:
                    self._give(arg, mine)
                pending += [(body.results, mine) for body in bodies(node).values()]

    def _give(self, node: Expr, owners: set[int]) -> None:
        """A node belongs to the symbols it is, or else to `owners` too."""
        self._owners.setdefault(node, set()).update(self._marks.get(node, owners))

    def _along_lineage(self) -> None:
        """What lowering makes of a node belongs to whom the node belonged."""
        for node, owners in list(self._owners.items()):
            for become in self._lineage.descendants(node):
                if become not in self._owners:
                    self._owners[become] = set(self._marks.get(become, owners))
