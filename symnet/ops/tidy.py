"""Loops that compute no more than is used: joined where they share their work, without what nobody reads.

A gradient makes the forward loop again with its carries as further results, and its own loop gives the derivatives of
everything that the body touches. `tidy_loops` makes one loop of those that run the same carries over the same values,
then drops the results, carries and operands that nothing needs. Which results of a loop are used is known of a whole
graph only, so this is a pass over all the results of a program and no rewriting rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symnet.expr.function import Function, with_bodies
from symnet.expr.node import Expr, make
from symnet.expr.traverse import postorder, rewrite, substitute
from symnet.ops.leaves import arg
from symnet.ops.scan_node import SCAN, item


def tidy_loops(roots: Iterable[Expr]) -> list[Expr]:
    """The roots with every loop joined to those that share its carries, and reduced to what the roots need."""
    roots = list(roots)
    if not any(node.dtype == "tuple" for node in postorder(roots)):
        return roots
    while True:
        new = _drop_unused(_join(rewrite(roots, _tidy_body)))
        if all(a is b for a, b in zip(new, roots, strict=True)):
            return new
        roots = new


def _tidy_body(node: Expr) -> Expr:
    """A loop (or a choice) with the loops inside it tidied."""
    return with_bodies(node, lambda body: Function(body.parameters, tidy_loops(body.results)))


def _join(roots: Sequence[Expr]) -> list[Expr]:
    """One loop for all that have the same operands and update the same carries in the same way."""
    groups: dict[tuple[object, ...], list[Expr]] = {}
    for node in postorder(roots):
        if node.op == "scan":
            body, carries = node.attrs["body"], node.attrs["carries"]
            work = tuple(map(id, (*node.args, *body.parameters, *body.results[:carries])))
            groups.setdefault((work, carries, node.attrs["consts"], node.attrs["reverse"]), []).append(node)
    joined = {id(loop): _union(loops) for loops in groups.values() if len(loops) > 1 for loop in loops}

    def visit(node: Expr) -> Expr:
        if node.op != "item" or id(node.args[0]) not in joined:
            return node
        loop, whole, index = node.args[0], joined[id(node.args[0])], node.attrs["index"]
        if index < loop.attrs["carries"]:
            return item(whole, index)
        result = loop.attrs["body"].results[index]
        return item(whole, [id(r) for r in whole.attrs["body"].results].index(id(result), loop.attrs["carries"]))

    return rewrite(roots, visit) if joined else list(roots)


def _union(loops: Sequence[Expr]) -> Expr:
    """The loop that gives what any of these gives."""
    body, carries = loops[0].attrs["body"], loops[0].attrs["carries"]
    ys = dict.fromkeys(y for loop in loops for y in loop.attrs["body"].results[carries:])
    whole = Function(body.parameters, [*body.results[:carries], *ys])
    return make(SCAN, loops[0].args, {**loops[0].attrs, "body": whole})


def _drop_unused(roots: Sequence[Expr]) -> list[Expr]:
    """Every loop without the results, carries and operands that no used item depends on."""
    used: dict[int, set[int]] = {}
    for node in postorder(roots):
        if node.op == "item":
            used.setdefault(id(node.args[0]), set()).add(node.attrs["index"])
    smaller: dict[int, tuple[Expr, dict[int, int]]] = {}

    def visit(node: Expr) -> Expr:
        # A loop whose operands were rewritten just now is another node: its turn comes in the next round.
        if node.op == "scan" and id(node) in used:
            smaller[id(node)] = _reduced(node, used[id(node)])
        elif node.op == "item" and id(node.args[0]) in smaller:
            loop, places = smaller[id(node.args[0])]
            return item(loop, places[node.attrs["index"]])
        return node

    return rewrite(roots, visit)


def _reduced(loop: Expr, used: set[int]) -> tuple[Expr, dict[int, int]]:
    """The loop with nothing but what the used items need, and the new places of its items."""
    body, consts, carries = loop.attrs["body"], loop.attrs["consts"], loop.attrs["carries"]
    results, parameters = set(used), set[int]()
    while True:
        reached = {n.attrs["index"] for n in postorder(body.results[r] for r in sorted(results)) if n.op == "arg"}
        found = {p - consts for p in reached if consts <= p < consts + carries}
        parameters |= reached
        if found <= results:
            break
        results |= found
    parameters |= {consts + r for r in results if r < carries}
    kept, places = sorted(parameters), {old: new for new, old in enumerate(sorted(results))}
    if len(kept) == len(body.parameters) and len(places) == len(body.results):
        return loop, places
    renamed = [arg(i, body.parameters[p].shape, body.parameters[p].dtype) for i, p in enumerate(kept)]
    outcome = substitute(
        [body.results[r] for r in places], dict(zip((body.parameters[p] for p in kept), renamed, strict=True))
    )
    attrs = {
        **loop.attrs,
        "body": Function(renamed, outcome),
        "consts": len([p for p in kept if p < consts]),
        "carries": len([r for r in places if r < carries]),
    }
    return make(SCAN, [loop.args[p] for p in kept], attrs), places
