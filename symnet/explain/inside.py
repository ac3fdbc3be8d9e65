"""Names for what the steps inside a loop mention: hₜ₋₁ for a carried value, xₜ for a slice of x, W for what stays.

Rules simplify the body of a loop as a graph of its own, whose leaves are the parameters of a function. Each parameter
stands for an operand of the loop, and these, or the values at step t, have names in the formulas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from symnet.explain.naming import Forms
from symnet.explain.naming_loops import at, timing
from symnet.explain.notation import Form, Symbol
from symnet.expr.function import bodies
from symnet.expr.node import Expr
from symnet.expr.trace import Trace


def names_inside(trace: Trace, known: Forms) -> dict[int, Mapping[Expr, Form]]:
    """For each step inside a loop (by its id) the forms of the parameters of the loop's body, where they have one."""
    found: dict[int, Mapping[Expr, Form]] = {}
    for stage in trace.stages:
        for step in stage.steps:
            body = bodies(step.before).get("body")
            if body is None or step.before.op != "scan" or len(step.before.args) != len(step.after.args):
                continue
            names = dict(_named(body.parameters, step.after, known))
            found.update((id(inner), names) for part in stage.bodies.get(body, ()) for inner in part.steps)
    return found


def _named(parameters: Sequence[Expr], scan: Expr, known: Forms) -> Iterator[tuple[Expr, Form]]:
    """Constants, carried values and slices, in this order, as a scan has them."""
    loop, consts = known.loops.of(scan), scan.attrs["consts"]
    times = timing(loop)
    first_slice = consts + scan.attrs["carries"]
    for place, (parameter, operand) in enumerate(zip(parameters, scan.args, strict=True)):
        form: Form | None
        if place < consts:
            form = known.get(operand)
        elif place < first_slice:
            letter = loop.letters.get(place - consts)
            form = None if letter is None else at(letter, times.before)
        else:
            form = _slice(operand, loop.letter, known)
        if form is not None:
            yield parameter, form


def _slice(operand: Expr, letter: str, known: Forms) -> Form | None:
    """The value at step t of what a loop takes apart: of what another loop keeps, what it computes then."""
    if operand.op == "item" and operand.args[0].op == "scan":
        return known.get(known.loops.result(operand))
    whole = known.get(operand)
    return at(whole, letter) if isinstance(whole, Symbol) else None
