"""`scan`: a loop over an axis, from a cell written in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.function import Function
from symnet.expr.node import Expr, make
from symnet.expr.traverse import postorder, substitute
from symnet.ops.coerce import show
from symnet.ops.leaves import arg
from symnet.ops.random import for_members, marker
from symnet.ops.scan_node import SCAN, items
from symnet.ops.shape import broadcast_to
from symnet.ops.tree import Tree, flatten, restore

__all__ = ["scan"]

_LEAVES = ("input", "parameter", "state", "hyper", "arg")
_fresh = count(1)


def scan(
    cell: Callable[..., Any], init: Tree, xs: Tree = None, length: Dim | None = None, reverse: bool = False
) -> tuple[Tree, Tree]:
    """A loop over the first axis of `xs`: `carry, y = cell(carry, x)` at every step.

    `init` (the first carry) and `xs` are expressions or tuples, lists or dicts of such, and `cell` gets them in the
    same form. It returns the next carry, of the same shapes, and what to keep of this step (None: nothing); a cell that
    returns just a carry keeps that. Without `xs` the loop runs `length` times and x is None. Returns `(ys, carry)`:
    what was kept, stacked along a new first axis, and the last carry. The cell may use any expression from outside.
    What it draws (`sn.random`, dropout) is drawn for each step anew; draw outside what all steps shall share.
    """
    if not callable(cell):
        raise DTypeError(f"scan: the cell is a {type(cell).__name__}, expected a function of a carry and an element")
    carry, carry_form = flatten("scan: init", init)
    slices, slice_form = flatten("scan: xs", xs)
    length = _length(slices, length)
    placeholders = fresh_arguments((node.shape, node.dtype) for node in carry)
    elements = fresh_arguments((node.shape[1:], node.dtype) for node in slices)
    since = marker()
    returned = cell(restore(carry_form, placeholders), restore(slice_form, elements))
    new_carry, kept, kept_form = _split_result(returned, carry_form)
    new_carry = [_fits(i, new, old) for i, (new, old) in enumerate(zip(new_carry, carry, strict=True))]
    own = [*placeholders, *elements]
    results, drawn, places = _drawn_by_step([*new_carry, *kept], own, since, length)
    body, captured = close([*own, *places], results)
    loop = make(
        SCAN,
        [*captured, *carry, *slices, *drawn],
        {"body": body, "consts": len(captured), "carries": len(carry), "length": length, "reverse": bool(reverse)},
    )
    outcome = items(loop)
    return restore(kept_form, outcome[len(carry) :]), restore(carry_form, outcome[: len(carry)])


def _drawn_by_step(
    results: Sequence[Expr], own: Sequence[Expr], since: int, length: Dim
) -> tuple[list[Expr], list[Expr], list[Expr]]:
    """The results of a cell with what it drew replaced by slices; the draws for all steps; and the slices.

    What is drawn with a key that depends on the step stays in the cell.
    """
    found: dict[Expr, Expr] = {}
    inside = set(own)
    for node in postorder(results):
        if any(arg in inside for arg in node.args):
            inside.add(node)
        elif (drawn := for_members(node, since, length)) is not None:
            found[node] = drawn
    places = fresh_arguments((node.shape, node.dtype) for node in found)
    return substitute(results, dict(zip(found, places, strict=True))), list(found.values()), places


def fresh_arguments(types: Iterable[tuple[Shape, str]]) -> list[Expr]:
    """Leaves like no other, of these shapes and types, that stand for values until a function is closed."""
    tag = next(_fresh) * 1_000_000
    return [arg(-tag - i, shape, dtype) for i, (shape, dtype) in enumerate(types)]


def close(own: Sequence[Expr], results: Sequence[Expr]) -> tuple[Function, list[Expr]]:
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
        new_carry, new_form = flatten("scan: the new carry", returned[0])
        if new_form == carry_form:
            kept, kept_form = flatten("scan: the kept value", returned[1])
            return new_carry, kept, kept_form
    alone, form = flatten("scan: the result of the cell", returned)
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
