"""Before lowering: let what has to stay in memory answer more than one question.

positive  The derivative of relu asks where its operand was positive, and the network needs relu's result. Both are the
          same question, `maximum(x, 0) > 0` exactly where `x > 0` (false for a NaN in either), so that only the result
          has to be kept.
masked    Where `where(m, x, 0)` is computed too, `where(m, x y, 0)` is taken from it: where `m` holds, both are the
          same product. Who wants no more of `x` than that need not keep it.
sums      A reduction with its axes kept and without is taken once: the elements are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from symnet.expr import lineage
from symnet.expr.node import ArrayValue, Expr, make, rebuild
from symnet.expr.op import lookup
from symnet.expr.traverse import postorder

REDUCTIONS = ("sum", "prod", "max", "min", "any", "all")


@dataclass(frozen=True)
class Answer:
    """How the value of a node is had from others: `build` makes it of them, prepared themselves."""

    args: tuple[Expr, ...]
    build: Callable[[Sequence[Expr]], Expr]


def prepare(roots: Sequence[Expr]) -> list[Expr]:
    """The roots with questions asked of what is computed anyway."""
    for find in (_positive, _masked, _sums):
        if answers := dict(find(postorder(roots))):
            roots = _replaced(roots, answers)
    return list(roots)


def _positive(nodes: Sequence[Expr]) -> Iterable[tuple[Expr, Answer]]:
    """`x > 0` asked of `maximum(x, 0)`."""
    cut = {node.args[0]: node for node in nodes if node.op == "maximum" and _is_zero(node.args[1])}
    cut |= {node.args[1]: node for node in nodes if node.op == "maximum" and _is_zero(node.args[0])}
    for node in nodes:
        if node.op == "greater" and _is_zero(node.args[1]):
            kept = cut.get(node.args[0])
            if kept is not None and kept.shape == node.shape:
                yield node, Answer((kept, node.args[1]), partial(make, node.declaration))


def _masked(nodes: Sequence[Expr]) -> Iterable[tuple[Expr, Answer]]:
    """`where(m, x y, 0)` from `where(m, x, 0)`."""
    masked = [node for node in nodes if node.op == "where" and _is_zero(node.args[2])]
    kept = {node.args[:2]: node for node in masked}
    for node in masked:
        mask, product, zero = node.args
        if product.op != "multiply":
            continue
        for factor, other in (product.args, product.args[::-1]):
            found = kept.get((mask, factor))
            if found is not None and found.shape == node.shape:
                yield node, Answer((mask, found, other, zero), partial(_product_where, node, product))
                break


def _product_where(node: Expr, product: Expr, args: Sequence[Expr]) -> Expr:
    mask, factor, other, zero = args
    return make(node.declaration, (mask, make(product.declaration, (factor, other)), zero))


def _sums(nodes: Sequence[Expr]) -> Iterable[tuple[Expr, Answer]]:
    """A reduction without its axes from the one that keeps them."""
    kept = {
        (node.op, node.args[0], tuple(node.attrs["axes"])): node
        for node in nodes
        if node.op in REDUCTIONS and node.attrs["keepdims"]
    }
    for node in nodes:
        if node.op in REDUCTIONS and not node.attrs["keepdims"]:
            found = kept.get((node.op, node.args[0], tuple(node.attrs["axes"])))
            if found is not None:
                yield node, Answer((found,), partial(make, lookup("reshape"), attrs={"shape": node.shape}))


def _replaced(roots: Sequence[Expr], answers: dict[Expr, Answer]) -> list[Expr]:
    """The roots with these nodes replaced by what answers for them."""
    new: dict[Expr, Expr] = {}
    stack = list(roots)
    while stack:
        node = stack[-1]
        answer = answers.get(node)
        args = answer.args if answer else node.args
        waiting = [arg for arg in args if arg not in new]
        if waiting and node not in new:
            stack.extend(waiting)
            continue
        stack.pop()
        if node not in new:
            moved = [new[arg] for arg in args]
            new[node] = answer.build(moved) if answer else rebuild(node, moved)
            lineage.note(node, new[node])
    return [new[root] for root in roots]


def _is_zero(node: Expr) -> bool:
    if node.op != "constant":
        return False
    value = node.attrs["value"]
    return not isinstance(value, ArrayValue) and value == 0
