"""Which parts of a graph can lose digits: chains of scalar operations, cut out of the graph that they stand in.

A chain is a float32 value computed element by element from *sources*: leaves, and results of operations that are not
element-wise. It is closed over inputs `s0`, `s1`, … of one named size, so that equal chains of different sources are
the same node, and what is found out about one of them holds for all.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from symnet.accuracy.domains import domain
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.traverse import postorder
from symnet.ops.leaves import input
from symnet.ops.shape import broadcast_to
from symnet.simplify.expand import expand_definitions
from symnet.simplify.facts import is_nonnegative

POINTS = "S"
"""The size of the inputs of a closed chain: the number of points at which it is examined."""
LONGEST = 300
"""Chains of more operations than this are left as they are."""
WHOLE = 40
"""Longer ones are examined part by part where they are sums of independent parts, as the sums of residual networks: one
for every layer, each with all that came before."""
PASSED_ON = ("broadcast_to", "stop_gradient")
"""Operations that are no arithmetic: in a chain their operand stands for them."""
GROWS = frozenset("add subtract multiply divide reciprocal power square exp expm1 log where".split())
"""Operations whose result may be out of the range of float32 (or lose digits near 0), so that a root, a logarithm or a
power of it deserves a look."""
NEAR_ONE = frozenset(("exp", "cos", "cosh"))
"""Functions that are nearly 1 in the middle of what they are applied to: a label, a 1, may be taken from them."""


@dataclass(frozen=True, eq=False)
class Chain:
    """`root`, a value of the graph, as the closed chain `closed` of `sources`."""

    root: Expr
    closed: Expr
    sources: tuple[Expr, ...]
    domains: tuple[str, ...]


def applied(closed: Expr, sources: Sequence[Expr]) -> Expr:
    """A closed chain with `sources` in the place of its inputs, and their shapes."""
    new: dict[int, Expr] = {}
    for node in postorder([closed]):
        if node.op == "input":
            new[id(node)] = sources[int(str(node.name)[1:])]
        else:
            new[id(node)] = make(node.declaration, [new[id(arg)] for arg in node.args], node.attrs)
    return new[id(closed)]


def of_shape(value: Expr, shape: Shape) -> Expr:
    """The value of a chain where one of `shape` is wanted: broadcasting is no operation of a chain."""
    return value if value.shape == shape else broadcast_to(value, shape)


def leaving_groups(roots: Sequence[Expr], order: Sequence[Expr], inside: Container[int]) -> set[int]:
    """The nodes (their ids) that are results or used outside of groups; `inside` are the ids of what is in one."""
    return {id(root) for root in roots}.union(*(map(id, node.args) for node in order if id(node) not in inside))


def suspects(roots: Sequence[Expr]) -> list[Chain]:
    """The chains of a graph in which digits may be lost: one for each value that leaves its group of scalar operations
    and has a suspicious operation below it."""
    order = postorder(roots)
    inside = Groups(order)
    if not any(inside.suspicious.values()):
        return []
    leaving = leaving_groups(roots, order, inside.sources)
    found = (node for node in order if id(node) in leaving and inside.suspicious.get(id(node)))
    chains: dict[Expr, Chain] = {}
    pending = [node for node in found if node.dtype == "float32"][::-1]
    while pending:
        node = pending.pop()
        if node in chains:
            continue
        parts = chain_order(node, inside, LONGEST)[0]
        if len(parts) > WHOLE and inside.independent(node):
            pending += [arg for arg in reversed(node.args) if inside.suspicious.get(id(arg))]
        elif len(parts) <= LONGEST:
            chains[node] = _cut(node, parts, inside)
    return list(chains.values())


class Groups:
    """For every node of a group: the sources below it, and whether something suspicious is."""

    def __init__(self, order: Iterable[Expr]) -> None:
        self.sources: dict[int, int] = {}  # id -> a set of sources, as the bits of a number
        self.suspicious: dict[int, bool] = {}
        self._bits: dict[int, int] = {}
        for node in order:
            if self.belongs(node):
                below = 0
                for arg in node.args:
                    below |= self._below(arg)
                self.sources[id(node)] = below
                self.suspicious[id(node)] = any(self.suspicious.get(id(arg), False) for arg in node.args) or (
                    self.suspect(node)
                )

    def _below(self, node: Expr) -> int:
        if node.op == "constant" and not node.shape:
            return 0
        known = self.sources.get(id(node))
        return known if known is not None else self._bits.setdefault(id(node), 1 << len(self._bits))

    def _computed(self, node: Expr) -> bool:
        while node.op in PASSED_ON:
            node = node.args[0]
        return bool(self.sources.get(id(node)))

    def belongs(self, node: Expr) -> bool:
        return belongs(node)

    def grows(self, node: Expr) -> bool:
        """Whether the result of an operation may have left the range of float32, or be 0 where its operands are not."""
        return node.op in GROWS

    def independent(self, node: Expr) -> bool:
        """Whether a node is the sum or difference of what depends on different sources."""
        return node.op in ("add", "subtract") and not self._below(node.args[0]) & self._below(node.args[1])

    def suspect(self, node: Expr) -> bool:
        """Whether the operation itself can lose what its operands have: two that depend on the same sources (or on a
        constant) may cancel, or be 0/0, ∞/∞ or 0·∞ together; a root or logarithm may meet what has left the range."""
        op, args = node.op, node.args
        if op in ("add", "subtract"):
            a, b = args
            if op == "add" and is_nonnegative(a) and is_nonnegative(b):
                return False
            if not self._computed(a) and not self._computed(b):
                return False
            if a.op in NEAR_ONE or b.op in NEAR_ONE:
                return True
            return not self._below(a) or not self._below(b) or bool(self._below(a) & self._below(b))
        if op in ("divide", "multiply"):
            a, b = args
            shared = bool(self._below(a) & self._below(b)) and (self._computed(a) or self._computed(b))
            return shared and (op == "divide" or self.grows(a) or self.grows(b))
        if op in ("log", "sqrt", "rsqrt", "reciprocal", "power", "log1p"):
            return self._computed(args[0]) and args[0].op not in ("negative", "absolute")
        return False


def belongs(node: Expr) -> bool:
    """Whether a node is one of the element-wise operations on float32 (or truth values) that chains are made of."""
    if node.dtype not in ("float32", "bool") or not node.args:
        return False
    if node.declaration.kind != "scalar" and node.op not in PASSED_ON and not _is_scalar_by_definition(node):
        return False
    return all(arg.dtype in ("float32", "bool") for arg in node.args)


_scalar: dict[tuple[Any, ...], bool] = {}


def _is_scalar_by_definition(node: Expr) -> bool:
    """Whether an operation is a composite of scalar functions of one operand."""
    define = node.declaration.define
    if define is None or len(node.args) != 1 or node.shape != node.args[0].shape:
        return False
    key = (node.op, *node.attrs.items())
    if key not in _scalar:
        example = make(node.declaration, [input("s0", (POINTS,) * node.ndim, node.args[0].dtype)], node.attrs)
        inner = postorder(expand_definitions([example]))
        _scalar[key] = all(part.declaration.kind == "scalar" or not part.args for part in inner)
    return _scalar[key]


def chain_order(root: Expr, inside: Groups, most: int) -> tuple[list[Expr], list[Expr]]:
    """The nodes of the chain under a node, operands before users; and those of them that are not in the group. Of one
    with more than `most` nodes just some, but more than that, in any order."""
    boundary, seen, pending = list[Expr](), {root}, [root]
    while pending:
        if len(seen) > most:
            return list(seen), boundary
        node = pending.pop()
        if id(node) not in inside.sources:
            boundary.append(node)
            continue
        fresh = set(node.args) - seen
        seen |= fresh
        pending += fresh
    return postorder([root], boundary), boundary


def _cut(root: Expr, order: Sequence[Expr], inside: Groups) -> Chain:
    """The chain under a node."""
    new: dict[int, Expr] = {}
    sources: list[Expr] = []
    for node in order:
        if node.op == "constant" and not node.shape:
            new[id(node)] = node
        elif id(node) not in inside.sources:
            new[id(node)] = input(f"s{len(sources)}", (POINTS,), node.dtype)
            sources.append(node)
        elif node.op in PASSED_ON:
            new[id(node)] = new[id(node.args[0])]
        else:
            new[id(node)] = make(node.declaration, [new[id(arg)] for arg in node.args], node.attrs)
    return Chain(root, new[id(root)], tuple(sources), tuple(map(domain, sources)))
