"""The graph while it is being rewritten: which nodes are still needed, by how many, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Iterable

from symnet.expr.node import Expr
from symnet.simplify.cost import cost


class Live:
    """Use counts of the nodes that the results need.

    A rewriting goes bottom-up: a node is replaced while its users still have the old one as operand. Their uses are
    handed to the replacement at once, so the counts are those of the graph that will be.
    """

    def __init__(self, roots: Iterable[Expr]) -> None:
        self.uses: dict[int, int] = {}
        self._cost: dict[int, float] = {}
        self._held: list[Expr] = []  # an id stays valid as long as its node is kept
        for root in roots:
            self._bring(root)
            self.uses[id(root)] += 1

    def replace(self, old: Expr, new: Expr, allowance: float = math.inf) -> bool:
        """Put `new` in the place of `old`; False, with nothing changed, if the cost grows by more than `allowance`."""
        uses = self.uses.get(id(old))
        if uses is None:
            return True  # nothing needs it any more
        added = self._bring(new)
        self.uses[id(new)] += uses
        saved = self._drop(old)
        if added <= saved * (1.0 + 1e-9) + allowance:
            return True
        self._bring(old)
        self.uses[id(old)] = uses
        self.uses[id(new)] -= uses
        if not self.uses[id(new)]:
            self._drop(new)
        return False

    def rebuilt(self, old: Expr, new: Expr) -> None:
        """`new` is `old` with operands that have been replaced."""
        uses = self.uses.pop(id(old), None)
        if uses is None:
            return
        for before, after in zip(old.args, new.args, strict=True):
            if before is not after and id(before) in self.uses:  # it came back after it had been replaced
                self._bring(after)
                self.uses[id(after)] += 1
                self._release(before)
        if id(new) in self.uses:
            self.uses[id(new)] += uses
            for arg in new.args:
                self._release(arg)
        else:
            self._held.append(new)
            self.uses[id(new)] = uses

    def _bring(self, root: Expr) -> float:
        """Make `root` and what it needs live, `root` with no uses of its own; the cost of what was not live."""
        if id(root) in self.uses:
            return 0.0
        added, stack = 0.0, [root]
        self.uses[id(root)] = 0
        while stack:
            node = stack.pop()
            self._held.append(node)
            added += self._cost_of(node)
            for arg in node.args:
                if id(arg) not in self.uses:
                    self.uses[id(arg)] = 0
                    stack.append(arg)
                self.uses[id(arg)] += 1
        return added

    def _drop(self, root: Expr) -> float:
        """Take away `root`, and what only it needed; the cost of all that."""
        saved, stack = 0.0, [root]
        del self.uses[id(root)]
        while stack:
            node = stack.pop()
            saved += self._cost_of(node)
            for arg in node.args:
                self.uses[id(arg)] -= 1
                if not self.uses[id(arg)]:
                    del self.uses[id(arg)]
                    stack.append(arg)
        return saved

    def _release(self, node: Expr) -> None:
        self.uses[id(node)] -= 1
        if not self.uses[id(node)]:
            self._drop(node)

    def _cost_of(self, node: Expr) -> float:
        known = self._cost.get(id(node))
        if known is None:
            known = self._cost[id(node)] = cost(node)
        return known
