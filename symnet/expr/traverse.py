"""Walking and rebuilding graphs, without recursion: a network may be thousands of nodes deep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from symnet.expr import lineage
from symnet.expr.node import Expr, rebuild


def postorder(roots: Iterable[Expr], boundary: Iterable[Expr] = ()) -> list[Expr]:
    """Every node under `roots` once, operands before the nodes that use them, in a deterministic order.

    Nodes of `boundary` are listed when they are reached, and nothing is visited through them.
    """
    order: list[Expr] = []
    seen: set[int] = set()
    stops = set(map(id, boundary))
    stack: list[tuple[Expr, int]] = [(root, 0) for root in reversed(list(roots))]
    while stack:
        node, position = stack.pop()
        if position == 0:
            if id(node) in seen:
                continue
            seen.add(id(node))
            if id(node) in stops:
                order.append(node)
                continue
        if position < len(node.args):
            stack.append((node, position + 1))
            child = node.args[position]
            if id(child) not in seen:
                stack.append((child, 0))
        else:
            order.append(node)
    return order


def rewrite(roots: Iterable[Expr], visit: Callable[[Expr], Expr]) -> list[Expr]:
    """Each root with `visit` applied bottom-up to every node after its operands were rewritten."""
    roots = list(roots)
    new: dict[int, Expr] = {}
    for node in postorder(roots):
        rebuilt = rebuild(node, [new[id(arg)] for arg in node.args])
        new[id(node)] = visit(rebuilt)
        lineage.note(rebuilt, new[id(node)])
    return [new[id(root)] for root in roots]


def substitute(roots: Iterable[Expr], replacements: Mapping[Expr, Expr]) -> list[Expr]:
    """Each root with the given nodes replaced (what replaces them is taken as it is)."""
    roots = list(roots)
    new: dict[int, Expr] = {id(old): replacement for old, replacement in replacements.items()}
    for node in postorder(roots):
        if id(node) not in new:
            new[id(node)] = rebuild(node, [new[id(arg)] for arg in node.args])
    return [new[id(root)] for root in roots]


def users(roots: Iterable[Expr]) -> dict[Expr, list[Expr]]:
    """For every node under `roots`, the nodes that have it as an operand (once for each occurrence)."""
    result: dict[Expr, list[Expr]] = {}
    for node in postorder(roots):
        result.setdefault(node, [])
        for arg in node.args:
            result.setdefault(arg, []).append(node)
    return result


def leaves(roots: Iterable[Expr], op: str) -> list[Expr]:
    """The nodes of operation `op` (say "input") under `roots`, in order of first use."""
    return [node for node in postorder(roots) if node.op == op]
