"""The dependences between the items of a program, and the question whether two of them can become one.

Nodes keep a rank that respects every dependence. Two nodes can be merged unless a path leads from one to the other
through a third. That is certain when nothing that the later one depends on has a rank above the earlier one; otherwise
a bounded search decides, so that a whole pass stays linear in the size of the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from codegen.loops.grammar import Item, Program
from codegen.passes.core import CHECKED, effects

BUDGET = 256
"""Nodes visited in search of a path before a merge is given up."""


@dataclass(eq=False)
class Node:
    """An item with its place in the order; `before` and `after` are its direct dependences."""

    item: Item
    rank: float
    before: set[Node] = field(default_factory=set)
    after: set[Node] = field(default_factory=set)


class Graph:
    """The items of one block (a program, or the body of a loop over kernels) with their dependences."""

    def __init__(self, program: Program, items: tuple[Item, ...]) -> None:
        self.nodes: list[Node] = []
        last_writer: dict[str, Node] = {}
        readers: dict[str, list[Node]] = {}
        for item in items:
            node = Node(item, float(len(self.nodes)))
            self.nodes.append(node)
            touched = effects(program, item)
            for name in touched.reads:
                if name in last_writer:
                    _link(last_writer[name], node)
                readers.setdefault(name, []).append(node)
            for name in touched.writes:
                for reader in readers.pop(name, ()) if name != CHECKED else ():
                    _link(reader, node)
                if name in last_writer:
                    _link(last_writer[name], node)
                last_writer[name] = node

    def items(self) -> tuple[Item, ...]:
        return tuple(node.item for node in sorted(self.nodes, key=lambda node: node.rank))

    def merged_rank(self, first: Node, second: Node) -> float | None:
        """The rank that the union of two nodes (`first` ranked lower) would have; None when they cannot be one."""
        highest = max((node.rank for node in second.before if node is not first), default=-1.0)
        if highest < first.rank:
            return first.rank
        reached: set[Node] = set()
        stack = [node for node in first.after if node is not second]
        while stack:
            node = stack.pop()
            if node is second:
                return None
            if node in reached or node.rank > second.rank:
                continue
            reached.add(node)
            if len(reached) > BUDGET:
                return None
            stack.extend(node.after)
        lowest = min((node.rank for node in reached), default=None)
        if lowest is None:
            return second.rank
        if highest >= lowest and not self._bring_forward(first, second, lowest):
            return None
        return max(node.rank for node in second.before if node is not first) / 2 + min(n.rank for n in reached) / 2

    def _bring_forward(self, first: Node, second: Node, lowest: float) -> bool:
        """Let all that `second` depends on, beside `first`, come before the nodes that follow `first`, none of which it
        depends on: those have ranks from `lowest` on. False when that is too much to look through."""
        needed: set[Node] = set()
        stack = [node for node in second.before if node is not first]
        while stack:
            node = stack.pop()
            if node in needed or node.rank < lowest:
                continue
            needed.add(node)
            if len(needed) > BUDGET:
                return False
            stack.extend(node.before)
        order = sorted((node for node in self.nodes if node.rank >= 0), key=lambda n: n.rank)
        early = [node for node in order if node.rank < lowest or node in needed]
        late = [node for node in order if node.rank >= lowest and node not in needed]
        for rank, node in enumerate(sorted(early, key=lambda n: (n.rank >= lowest, n.rank)) + late):
            node.rank = float(rank)
        return True

    def merge(self, first: Node, second: Node, item: Item, rank: float) -> Node:
        """Replace two nodes by one that does the work of both."""
        first.item, first.rank = item, rank
        for node in second.before:
            node.after.discard(second)
            if node is not first:
                _link(node, first)
        for node in second.after:
            node.before.discard(second)
            if node is not first:
                _link(first, node)
        second.before, second.after = set(), set()
        second.rank = -1.0
        return first

    def alive(self) -> Iterator[Node]:
        """The nodes in order, as they were when the walk began, without those merged since."""
        for node in sorted(self.nodes, key=lambda node: node.rank):
            if node.rank >= 0:
                yield node

    def compact(self) -> None:
        self.nodes = [node for node in self.nodes if node.rank >= 0]


def _link(first: Node, second: Node) -> None:
    if first is not second:
        first.after.add(second)
        second.before.add(first)
