"""What only one side of a choice needs is computed in it, so that it is not computed when the other side is chosen.

Which values those are is known of a whole graph only, so this is a pass over all the results of a program: whatever
leads to nothing but operands that one side of a `cond` reads moves into that side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symnet.expr.function import Function
from symnet.expr.node import Expr, make
from symnet.expr.traverse import postorder, substitute, users
from symnet.ops.leaves import arg

SIDES = ("then", "otherwise")


def sink(roots: Iterable[Expr]) -> list[Expr]:
    """The roots with every choice taking in what is computed for one of its sides alone."""
    roots = list(roots)
    done: set[int] = set()
    while True:
        choices = [node for node in postorder(roots) if node.op == "cond" and id(node) not in done]
        if not choices:
            return roots
        above, kept = users(roots), set(map(id, roots))
        for choice in reversed(choices):
            new = _taken_in(choice, above, kept)
            if new is not choice:
                roots = substitute(roots, {choice: new})
                done.add(id(new))
                break
            done.add(id(choice))


def _taken_in(choice: Expr, above: Mapping[Expr, Sequence[Expr]], kept: set[int]) -> Expr:
    """The choice with what leads to one side alone moved into it; itself where there is nothing."""
    read = {side: {n.attrs["index"] for n in postorder(choice.attrs[side].results) if n.op == "arg"} for side in SIDES}
    moved: dict[str, set[Expr]] = {}
    for side, other in (SIDES, SIDES[::-1]):
        alone = [a for i, a in enumerate(choice.args[1:]) if i in read[side] and i not in read[other]]
        shared = {a for i, a in enumerate(choice.args[1:]) if i in read[other]} | {choice.args[0]}
        moved[side] = _leading_to(choice, [a for a in alone if a not in shared], above, kept)
    return _rebuilt(choice, moved) if any(moved.values()) else choice


def _leading_to(
    choice: Expr, operands: Sequence[Expr], above: Mapping[Expr, Sequence[Expr]], kept: set[int]
) -> set[Expr]:
    """The computed values that nothing needs but these operands of the choice."""
    wanted, fixed = set(operands), set[Expr]()
    order = postorder(operands)
    while True:
        found: set[Expr] = set()
        for node in reversed(order):
            inner = all(user in found or (user is choice and node in wanted) for user in above[node])
            if inner and node.args and id(node) not in kept and node not in fixed:
                found.add(node)
        # A tuple moves with all of its items, or they stay.
        torn = {node for node in found if any(a.dtype == "tuple" and a not in found for a in node.args)}
        if not torn:
            return found
        fixed |= torn


def _rebuilt(choice: Expr, moved: Mapping[str, set[Expr]]) -> Expr:
    inside = moved["then"] | moved["otherwise"]
    outer = [a for a in choice.args[1:] if a not in inside]
    outer += [a for node in inside for a in node.args if a not in inside]
    operands = sorted(dict.fromkeys(outer), key={n: i for i, n in enumerate(postorder(choice.args))}.__getitem__)
    parameters = [arg(i, node.shape, node.dtype) for i, node in enumerate(operands)]
    known = dict(zip(operands, parameters, strict=True))
    sides = {side: _side(choice, choice.attrs[side], parameters, known, moved[side]) for side in SIDES}
    return make(choice.declaration, (choice.args[0], *operands), sides)


def _side(
    choice: Expr, side: Function, parameters: Sequence[Expr], known: Mapping[Expr, Expr], moved: set[Expr]
) -> Function:
    """One side as a function of the new operands, which computes what moved into it."""
    given = [(p, a) for p, a in zip(side.parameters, choice.args[1:], strict=True) if a in known or a in moved]
    values = substitute([a for _, a in given], known)
    return Function(parameters, substitute(side.results, dict(zip((p for p, _ in given), values, strict=True))))
