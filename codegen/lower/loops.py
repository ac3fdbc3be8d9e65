"""Lowering of scan and cond: a sequential loop over the kernels of a body, branches with those of two.

The carries live in history buffers with one more step than the loop, so a step reads the row of the step before and
writes its own; nothing is copied. A running forward loop reads row t and writes row t + 1, a reversed one reads row
t + 1 and writes row t. What the body computes from constants alone is computed before the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codegen.loops.grammar import Affine, Axis, Branch, Item
from codegen.loops.grammar import Sequence as Repeat
from codegen.loops.rewrite import axis_index, shift
from codegen.lower.context import Inline, Lowering, Place, Value, moved, slot, slots
from codegen.lower.prepare import prepare
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.function import Function
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.ops.scan_node import items as items_of

LowerAll = Callable[[Lowering, Sequence[Expr]], None]


def item(lowering: Lowering, node: Expr) -> Value:
    values = lowering.values[node.args[0]]
    assert isinstance(values, tuple)
    position: int = node.attrs["index"]
    return values[position]


def scan(lowering: Lowering, node: Expr, lower_all: LowerAll) -> tuple[Value, ...]:
    """The final carries, then the stacked ys."""
    body: Function = node.attrs["body"]
    constants, carried, length = node.attrs["consts"], node.attrs["carries"], node.attrs["length"]
    reverse: bool = node.attrs["reverse"]
    results = prepare(body.results)
    begin, end, read_at, write_at = (length, 0, 1, 0) if reverse else (0, length, 0, 1)
    histories = [_history(lowering, node, init, length, begin) for init in node.args[constants : constants + carried]]

    saved = (lowering.values, lowering.targets, lowering.checked)
    arguments = [lowering.value(arg) for arg in node.args]
    step = Axis(_step_name(lowering), length)
    t = axis_index(step.name)
    lowering.values = dict(zip(body.parameters[:constants], arguments, strict=False))
    lowering.targets, lowering.checked = {}, set()
    lower_all(lowering, _invariant(results, body.parameters[constants:]))
    for parameter, history in zip(body.parameters[constants:], histories, strict=False):
        lowering.values[parameter] = _row(history, shift(t, read_at))
    for parameter, sliced in zip(body.parameters[constants + carried :], arguments[constants + carried :], strict=True):
        lowering.values[parameter] = _slice(sliced, t)

    items: list[Item] = []
    with lowering.within(items, step):
        rows = [_row(history, shift(t, write_at)) for history in histories]
        _aim(lowering, results[:carried], rows)
        old, new = body.parameters[constants:][:carried], results[:carried]
        carries = [(carry, history, read_at) for carry, history in zip(old, histories, strict=True)]
        carries += [(carry, history, write_at) for carry, history in zip(new, histories, strict=True)]
        stacked = [_stacked(lowering, result, length, carries, t) for result in results[carried:]]
        _aim(lowering, results[carried:], [row for _, row in stacked])
        lower_all(lowering, results)
        for result, row in zip(results, [*rows, *(row for _, row in stacked)], strict=True):
            if lowering.values[result] != row:
                lowering.copy(result, row)
    lowering.values, lowering.targets, lowering.checked = saved
    if items:
        lowering.items.append(Repeat(step, tuple(items), reverse))
    return (*(_fixed(history, end) for history in histories), *(whole for whole, _ in stacked))


def cond(lowering: Lowering, node: Expr, lower_all: LowerAll) -> tuple[Value, ...]:
    """Both sides as branches that write the same places; the condition is noted in a buffer of its own."""
    condition = lowering.buffer(lowering.names.numbered("condition"), "bool", ())
    lowering.copy(node.args[0], Place(condition, ()))
    places = [lowering.target(result) for result in items_of(node)]
    arguments = [lowering.value(arg) for arg in node.args[1:]]
    for name, negated in (("then", False), ("otherwise", True)):
        side: Function = node.attrs[name]
        results, items = prepare(side.results), list[Item]()
        saved = (lowering.values, lowering.targets, lowering.checked)
        lowering.values = dict(zip(side.parameters, arguments, strict=True))
        lowering.targets, lowering.checked = {}, set()
        with lowering.within(items):
            _aim(lowering, results, places)
            lower_all(lowering, results)
            for result, place in zip(results, places, strict=True):
                if lowering.values[result] != place:
                    lowering.copy(result, place)
        lowering.values, lowering.targets, lowering.checked = saved
        lowering.items.append(Branch(condition, tuple(items), negated))
    return tuple(places)


def _history(lowering: Lowering, node: Expr, init: Expr, length: Dim, begin: Dim) -> Place:
    """A buffer for the carry before and after every step, its first row filled."""
    name = lowering.names.fresh(f"{init.name}_steps") if init.name else lowering.names.numbered("carry")
    lowering.buffer(name, init.dtype, (dims.add(length, 1), *init.shape))
    history = Place(name, slots(init.ndim + 1))
    lowering.copy(init, _fixed(history, begin))
    return history


def _fixed(history: Place, row: Dim) -> Place:
    rank = len(history.index) - 1
    return moved(history, (Affine((), row), *slots(rank)))


def _row(place: Place, at: Affine) -> Place:
    """The slice of a place at position `at` of its first axis."""
    rank = max((int(axis[1:]) for form in place.index for axis, _ in form.terms if axis[0] == "#"), default=0)
    return moved(place, (at, *slots(rank)))


def _slice(value: Value, at: Affine) -> Value:
    """The slice of a value at position `at` of its first axis."""
    return _row(value, at) if isinstance(value, Place) else Inline(lambda index: value.at((at, *index)))


def _step_name(lowering: Lowering) -> str:
    taken = {*lowering.capacity, *(axis.name for axis in lowering.outer)}
    return next(name for name in ("t", *(f"t{i}" for i in range(2, 1000))) if name not in taken)


def _invariant(results: Sequence[Expr], changing: Sequence[Expr]) -> list[Expr]:
    """The nodes of a body that do not change from step to step and are no mere leaves."""
    varying = set(changing)
    found: list[Expr] = []
    for node in postorder(results):
        if any(arg in varying for arg in node.args):
            varying.add(node)
        elif node.args and node not in varying:
            found.append(node)
    return found


def _aim(lowering: Lowering, results: Sequence[Expr], rows: Sequence[Place]) -> None:
    """Have each result written straight to its row, if it is not computed already."""
    for result, row in zip(results, rows, strict=True):
        if result not in lowering.values:
            lowering.targets.setdefault(result, row)


def _stacked(
    lowering: Lowering, result: Expr, length: Dim, carries: Sequence[tuple[Expr, Place, int]], t: Affine
) -> tuple[Place, Place]:
    """All of one stacked result, and its row of this step; part of a history when it is a carry.

    carries  old and new carries, each with its history and the row of this step in it, counted from t
    """
    for carry, history, offset in carries:
        if carry is result:
            rest = [axis_index(slot(axis + 1)) for axis in range(result.ndim)]
            whole = moved(history, (shift(axis_index(slot(0)), offset), *rest))
            return whole, _row(history, shift(t, offset))
    name = lowering.names.fresh(f"{result.name}_steps") if result.name else lowering.names.numbered("stacked")
    lowering.buffer(name, result.dtype, (length, *result.shape))
    whole = Place(name, slots(result.ndim + 1))
    return whole, _row(whole, t)
