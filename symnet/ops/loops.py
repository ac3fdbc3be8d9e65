"""`scan`: a loop over an axis, from a cell written in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.function import Function
from symnet.expr.node import Expr, make
from symnet.expr.traverse import postorder, substitute
from symnet.ops.coerce import show, to_expr
from symnet.ops.leaves import arg
from symnet.ops.scan_node import SCAN, items
from symnet.ops.shape import broadcast_to

__all__ = ["scan"]

_LEAVES = ("input", "parameter", "state", "hyper", "arg")
_fresh = count(1)
Tree = Any
"""An expression, or a tuple, list or dict of such."""


def scan(
    cell: Callable[..., Any], init: Tree, xs: Tree = None, length: Dim | None = None, reverse: bool = False
) -> tuple[Tree, Tree]:
    """A loop over the first axis of `xs`: `carry, y = cell(carry, x)` at every step.

    `init` (the first carry) and `xs` are expressions or tuples, lists or dicts of such, and `cell` gets them in the
    same form. It returns the next carry, of the same shapes, and what to keep of this step (None: nothing); a cell that
    returns just a carry keeps that. Without `xs` the loop runs `length` times and x is None. Returns `(ys, carry)`:
    what was kept, stacked along a new first axis, and the last carry. The cell may use any expression from outside.
    """
    carry, carry_form = _flatten("scan: init", init)
    slices, slice_form = _flatten("scan: xs", xs)
    length = _length(slices, length)
    tag = next(_fresh) * 1_000_000
    placeholders = [arg(-tag - i, node.shape, node.dtype) for i, node in enumerate(carry)]
    elements = [arg(-tag - len(carry) - i, node.shape[1:], node.dtype) for i, node in enumerate(slices)]
    returned = cell(_restore(carry_form, placeholders), _restore(slice_form, elements))
    new_carry, kept, kept_form = _split_result(returned, carry_form)
    new_carry = [_fits(i, new, old) for i, (new, old) in enumerate(zip(new_carry, carry, strict=True))]
    body, captured = _close([*placeholders, *elements], [*new_carry, *kept])
    loop = make(
        SCAN,
        [*captured, *carry, *slices],
        {"body": body, "consts": len(captured), "carries": len(carry), "length": length, "reverse": bool(reverse)},
    )
    outcome = items(loop)
    return _restore(kept_form, outcome[len(carry) :]), _restore(carry_form, outcome[: len(carry)])


def _close(own: Sequence[Expr], results: Sequence[Expr]) -> tuple[Function, list[Expr]]:
    """`results` as a Function of what they capture from outside, then `own`; and what they capture.

    Captured is every largest part that does not depend on `own` and holds a value from outside; parts made of constants
    alone stay in the body.
    """
    order = postorder(results)
    inside, foreign = set(map(id, own)), set()
    for node in order:
        if any(id(a) in inside for a in node.args):
            inside.add(id(node))
        elif id(node) not in inside and (node.op in _LEAVES or any(id(a) in foreign for a in node.args)):
            foreign.add(id(node))
    used = {id(a) for node in order if id(node) in inside for a in node.args} | set(map(id, results))
    captured = [node for node in order if id(node) in foreign and id(node) in used]
    parameters = [arg(i, node.shape, node.dtype) for i, node in enumerate([*captured, *own])]
    replaced = substitute(results, dict(zip([*captured, *own], parameters, strict=True)))
    return Function(parameters, replaced), captured


def _flatten(what: str, tree: Tree) -> tuple[list[Expr], Any]:
    """The expressions in a tree, and its form (nested tuples, lists and dicts of None)."""
    if tree is None:
        return [], ()
    if isinstance(tree, dict):
        parts = [_flatten(f"{what}[{key!r}]", tree[key]) for key in tree]
        return [e for found, _ in parts for e in found], dict(zip(tree, (form for _, form in parts), strict=True))
    if isinstance(tree, (tuple, list)):
        parts = [_flatten(f"{what}[{i}]", part) for i, part in enumerate(tree)]
        return [e for found, _ in parts for e in found], type(tree)(form for _, form in parts)
    node = to_expr(tree, what)
    if node.dtype == "tuple":
        raise DTypeError(f"{what}: got a loop node, expected an array: take one of its items")
    return [node], None


def _restore(form: Any, nodes: Iterable[Expr]) -> Tree:
    remaining = iter(nodes)

    def build(part: Any) -> Tree:
        if part is None:
            return next(remaining)
        if isinstance(part, dict):
            return {key: build(value) for key, value in part.items()}
        return type(part)(build(value) for value in part)

    return None if form == () else build(form)


def _length(slices: Sequence[Expr], length: Dim | None) -> Dim:
    for node in slices:
        if not node.ndim:
            raise ShapeError(f"scan: xs holds a scalar ({node.dtype}), expected arrays to slice along their first axis")
    lengths = list(dict.fromkeys(node.shape[0] for node in slices))
    if length is not None:
        lengths = list(dict.fromkeys([*lengths, dims.canonical(length)]))
    if len(lengths) != 1:
        raise ShapeError(
            f"scan: the first axes of xs (and `length`) are {', '.join(map(str, lengths))}; expected one length"
            if lengths
            else "scan: without xs the loop needs a `length`"
        )
    return lengths[0]


def _split_result(returned: Any, carry_form: Any) -> tuple[list[Expr], list[Expr], Any]:
    """(carry, y), or a carry alone, which is then also what is kept."""
    pair = isinstance(returned, tuple) and len(returned) == 2
    if pair:
        new_carry, new_form = _flatten("scan: the new carry", returned[0])
        if new_form == carry_form:
            kept, kept_form = _flatten("scan: the kept value", returned[1])
            return new_carry, kept, kept_form
    alone, form = _flatten("scan: the result of the cell", returned)
    if form != carry_form:
        raise UsageError(
            "scan: the cell returns a value of another form than the carry it got; expected (carry, y) or a carry"
        )
    return alone, alone, form


def _fits(position: int, new: Expr, old: Expr) -> Expr:
    """The new carry in the shape of the old one; a narrower result is repeated."""
    if new.dtype != old.dtype:
        raise DTypeError(
            f"scan: carry {position} begins as {show(old)} and becomes {show(new)}; expected the same type"
        )
    repeats = all(a in (1, b) for a, b in zip(new.shape[::-1], old.shape[::-1], strict=False))
    if new.ndim > old.ndim or not repeats:
        raise ShapeError(
            f"scan: carry {position} begins as {show(old)} and becomes {show(new)}; expected the same shape"
        )
    return broadcast_to(new, old.shape)
