"""Which part of a program computes which named value.

The formulas are written from the simplified graph, and the code is made from that graph simplified with the optimizer's
update, expanded and prepared for lowering. A `Lineage` that recorded all of this tells what a named value has become.
What stands in a formula without a name of its own belongs to the values of those formulas. All else belongs to what it
is computed for: ownership goes down from users to operands, as far as the next value of a formula, and through loops
from what they give to what a step computes to what they take.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symnet.expr.function import Function, bodies
from symnet.expr.lineage import Lineage
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder

Symbols = set[int]


class Ownership:
    """The owners of the nodes under `roots`, the results that are lowered.

    named    (id of a symbol, a node it names), as often as it is known under different nodes
    written  (id of a symbol, a node inside its formula)
    """

    def __init__(
        self,
        roots: Sequence[Expr],
        named: Iterable[tuple[int, Expr]],
        written: Iterable[tuple[int, Expr]],
        lineage: Lineage,
    ) -> None:
        self._lineage = lineage
        named = list(named)
        self._marks = {**self._become(written), **self._become(named)}
        self._descend(roots)
        if self._take_apart(named):
            self._descend(roots)
        self._along_lineage()

    def of_line(self, nodes: Iterable[Expr]) -> tuple[int, ...]:
        """The ids of the symbols that a line with these nodes computes a part of, in order.

        A number that many symbols need (1 − β₁, as a float32) is computed wherever it is needed. It belongs to those
        that the rest of the line belongs to: of the nodes' owners, only those count that no other node narrows down.
        """
        groups = {frozenset(self._owners.get(node, ())) for node in nodes} - {frozenset()}
        narrow = [group for group in groups if not any(other < group for other in groups)]
        return tuple(sorted(frozenset().union(*narrow)))

    def _become(self, pairs: Iterable[tuple[int, Expr]]) -> dict[Expr, Symbols]:
        """All that the nodes have become, with the symbols."""
        marks: dict[Expr, Symbols] = {}
        for symbol, node in pairs:
            for become in self._lineage.descendants(node):
                if become.args:
                    marks.setdefault(become, set()).add(symbol)
        return marks

    def _descend(self, roots: Sequence[Expr]) -> None:
        """Owners for all nodes under the roots, from the marks."""
        self._owners: dict[Expr, Symbols] = {}
        self._known: dict[tuple[Expr, Function, tuple[frozenset[int], ...]], Sequence[Symbols]] = {}
        self._graph(roots, [set() for _ in roots])

    def _take_apart(self, named: Iterable[tuple[int, Expr]]) -> bool:
        """Mark a part for each symbol of which no node is left, as where its sign went into the sum that takes it."""
        owning = set().union(*self._owners.values())
        found: dict[Expr, Symbols] = {}
        for symbol, node in named:
            if symbol not in owning and node.args:
                for part in (arg for become in self._lineage.descendants(node) for arg in become.args):
                    if part in self._owners and part not in self._marks and part.args:
                        found.setdefault(part, set()).add(symbol)
        self._marks.update(found)
        return bool(found)

    def _graph(self, results: Sequence[Expr], inherited: Sequence[Symbols]) -> Mapping[Expr, Symbols]:
        """Give owners to the nodes under some results, which belong to `inherited` if they have no name.

        Gives the owners of the parameters of the function whose results these are. Calls itself for the loops inside.
        """
        parameters: dict[Expr, Symbols] = {}
        items: dict[tuple[Expr, int], Symbols] = {}
        for result, owners in zip(results, inherited, strict=True):
            self._give(result, owners, parameters)
        for node in reversed(postorder(results)):
            mine = self._owners.setdefault(node, set())
            if node.op == "item":
                items.setdefault((node.args[0], node.attrs["index"]), set()).update(mine)
            for number, arg in enumerate(node.args):
                self._give(arg, self._of_operand(node, number, items, mine), parameters)
        return parameters

    def _of_operand(self, node: Expr, number: int, items: Mapping[tuple[Expr, int], Symbols], mine: Symbols) -> Symbols:
        """The symbols that operand `number` of a node is computed for."""
        functions = bodies(node)
        if node.op == "item":
            return set()  # a loop belongs to nobody as a whole
        if not functions:
            return mine
        found = set[int]()
        for body in functions.values():
            place = number - (len(node.args) - len(body.parameters))
            if place < 0:  # the condition of a choice
                found |= set().union(*(items.get((node, index), set()) for index in range(len(body.results))))
            else:
                found |= self._of_parameters(node, body, items)[place]
        return found

    def _of_parameters(
        self, node: Expr, body: Function, items: Mapping[tuple[Expr, int], Symbols]
    ) -> Sequence[Symbols]:
        """The symbols that each parameter of a body is needed for, once those of the results are known.

        What a loop carries is needed for all that the next step needs it for.
        """
        needed = [set(items.get((node, index), ())) for index in range(len(body.results))]
        key = (node, body, tuple(map(frozenset, needed)))
        if key not in self._known:
            carries, consts = node.attrs.get("carries", 0), node.attrs.get("consts", 0)
            size = -1
            while size != sum(map(len, needed)):
                size = sum(map(len, needed))
                found = self._graph(body.results, needed)
                self._known[key] = [found.get(parameter, set()) for parameter in body.parameters]
                for index in range(carries):
                    needed[index] |= self._known[key][consts + index]
        return self._known[key]

    def _give(self, node: Expr, owners: Symbols, parameters: dict[Expr, Symbols]) -> None:
        """A node belongs to the symbols it is, or else to `owners` too."""
        if node.op == "arg":
            parameters.setdefault(node, set()).update(owners)
        else:
            self._owners.setdefault(node, set()).update(self._marks.get(node, owners))

    def _along_lineage(self) -> None:
        """What lowering makes of a node belongs to whom the node belonged."""
        for node, owners in list(self._owners.items()):
            for become in self._lineage.descendants(node):
                if become not in self._owners:
                    self._owners[become] = set(self._marks.get(become, owners))
