"""Names in loops: hₜ for a carried value, xₜ for a slice of x, h for the sequence h₁ … h_T, h_T for the last.

A loop over t = 1 … T gets hₜ₋₁ and gives hₜ. Run backward by a user it gets hₜ₊₁. The loop of a derivative runs against
its forward loop: it gets the cotangent of hₜ, called h̄ₜ, and gives that of hₜ₋₁.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symnet.derive.build import apply
from symnet.explain.alignment import squeezed
from symnet.explain.identifiers import symbol
from symnet.explain.leaves import core
from symnet.explain.notation import BAR, Form, Number, Sum, Symbol, Words, barred, base_parts, numbered
from symnet.explain.recurrences import Recurrence
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr

if TYPE_CHECKING:
    from symnet.explain.naming import Names

_CARRIED = {1: "h", 2: "hc"}
_OTHERS = "hsqvrde"


@dataclass(frozen=True)
class Timing:
    """Which steps a loop counts, in order, and the place of a carried value before and after step t."""

    first: Dim
    last: Dim
    before: str
    after: str
    start: Dim
    end: Dim


def timing(loop: Recurrence) -> Timing:
    """The times of a loop over t = 1 … T."""
    t, length = loop.letter, loop.length
    past, following, beyond = f"{t}−1", f"{t}+1", dims.add(length, 1)
    if loop.reverse:
        if loop.adjoint:
            return Timing(length, 1, t, past, length, 0)
        return Timing(length, 1, following, t, beyond, 1)
    return Timing(1, length, t, following, 1, beyond) if loop.adjoint else Timing(1, length, past, t, 0, length)


def at(base: Symbol, time: Dim) -> Symbol:
    """The value of a sequence at some time: h with t, t−1, 0 or T."""
    text = str(time).replace("-", "−")
    return Symbol(base.base, f"{base.sub},{text}" if base.sub else text)


def name_loops(names: Names, order: list[Expr]) -> None:
    """Name what the loops among `order` (a walk along `Loops.below`) carry, read and keep."""
    loops = names.forms.loops
    items = [node for node in order if node.op == "item" and node.args[0].op == "scan" and loops.added(node) is None]
    carried = [(node, place) for node in order if (place := loops.carry(node)) is not None]
    carried.sort(key=lambda one: (one[1][0].level, one[1][1]))
    for node in order:
        if node in loops.slices:
            _name_slice(names, node)
    for whole, step, t in loops.sliced():
        form = names.forms.get(whole)
        if isinstance(form, Symbol) and whole.args:
            names.give(step, at(form, t))
    same = _alike(carried)
    for node, (loop, index) in carried:
        used = sorted({i for _, (one, i) in carried if one is loop})
        loop.letters[index] = _letter(names, loop, index, used, same.get(loop, ()))
        names.give(node, at(loop.letters[index], timing(loop).before))
    for _, (loop, index) in carried:
        times, letter, new = timing(loop), loop.letters[index], loop.new(index)
        if new in names.forms or times.after != loop.letter:
            for results in loop.results.values():
                results[index] = new if new not in names.forms else _again(new)
        names.give(loop.new(index), at(letter, times.after))
    for node in items:
        loop, index = loops.of(node.args[0]), node.attrs["index"]
        if index < len(loop.carried):
            names.give(node, at(loop.letters[index], timing(loop).end))
        else:
            _name_sequence(names, node, loop)


def bars(names: Names, order: Iterable[Expr]) -> list[tuple[Form, Form]]:
    """What the letters with a bar mean, for the legend."""
    lines: dict[Symbol, Form] = {}
    for node in order:
        place = names.forms.loops.carry(node)
        if place is not None and (letter := place[0].letters.get(place[1])) is not None and BAR in letter.base:
            t = place[0].letter
            of = letter.base.replace(BAR, "")
            lines[at(letter, t)] = Words(f"what the other steps add to the derivative by {of} at step {t}")
    return list(lines.items())


def _alike(carried: Sequence[tuple[Expr, tuple[Recurrence, int]]]) -> dict[Recurrence, Sequence[Recurrence]]:
    """For every loop that is no derivative those that run the same way inside the same loop, and carry as much."""
    groups: dict[tuple[object, ...], list[Recurrence]] = {}
    for loop in dict.fromkeys(loop for _, (loop, _) in carried if not loop.adjoint):
        groups.setdefault((loop.reverse, len(loop.carried), loop.parent), []).append(loop)
    return {loop: group for group in groups.values() for loop in group}


def _letter(names: Names, loop: Recurrence, index: int, used: Sequence[int], alike: Sequence[Recurrence]) -> Symbol:
    """The letter of a carried value: its own name, that of the value it is the cotangent of, or h (and c).

    Of several loops that are `alike`, layers of a network, each has its number: h⁽¹⁾ and h⁽²⁾; what runs backward has a
    prime. Loops inside each other have other letters.
    """
    new = loop.new(index)
    if new.name is not None:
        return names.free(symbol(new.name), sequence=True)
    if loop.adjoint:
        forward = loop.sources[0]
        places = [i for i in range(len(forward.carried)) if i not in forward.sums and i in forward.letters]
        if len(places) == len(used):
            letter = forward.letters[places[used.index(index)]]
            return names.free(Symbol(barred(letter.base), letter.sub), sequence=True)
    plain = _CARRIED.get(len(used), "h" * len(used))[used.index(index)]
    plain = _OTHERS[len(loop.around) % len(_OTHERS)] if loop.around else plain
    number = alike.index(loop) + 1 if loop in alike else 1
    letters = [letter + "′" * loop.reverse for letter in dict.fromkeys((plain, *_OTHERS))]
    wanted = [numbered(letters[0], number), *letters[1:]] if len(alike) > 1 else [*letters, numbered(plain, number)]
    start = core(loop.starts[index])
    outer = loop.parent.time if loop.parent else ""
    free = (one for letter in wanted if names.is_free_sequence(one := Symbol(letter, outer), start))
    return names.free(next(free, Symbol(wanted[0], outer)), sequence=True)


def _name_slice(names: Names, node: Expr) -> None:
    """xₜ for x at step t; of the positions 0, 1, … that is t − 1."""
    operand, loop = names.forms.loops.slices[node], names.forms.loops.owner(node)
    assert loop is not None
    if core(operand).op == "iota":
        names.give(node, Sum(((Symbol(loop.letter), True), (Number("1"), False))))
        return
    while operand.op == "reshape" and squeezed(operand.shape) == squeezed(operand.args[0].shape):
        operand = operand.args[0]
    if not isinstance(names.forms.get(operand), Symbol):
        names.give(operand, names.free(Symbol("x")))
    whole = names.forms[operand]
    assert isinstance(whole, Symbol)
    names.give(node, at(whole, loop.letter))


def _name_sequence(names: Names, item: Expr, loop: Recurrence) -> None:
    """What a loop keeps of each step has the name of the step's value, without t."""
    loops, t = names.forms.loops, loop.letter
    result = loops.result(item)
    step = names.forms.get(result)
    whole = names.forms.get(item)
    if whole is None:
        if isinstance(step, Symbol) and (step.sub == t or step.sub.endswith(f",{t}")):
            names.give(item, Symbol(step.base, step.sub.removesuffix(t).removesuffix(",")))
            return
        whole = names.free(symbol(result.name) if result.name else _kept(loop), sequence=True)
        names.give(item, whole)
    if not isinstance(whole, Symbol):
        return
    scan, index = item.args[0], item.attrs["index"]
    if result in names.forms or loops.owner(result) is not loop:
        result = _again(result)
        loop.results[scan][index] = result
    names.give(result, at(whole, t))


def _kept(loop: Recurrence) -> Symbol:
    """The letter of what a loop keeps and does not carry, with the number of the loop."""
    number = next((base_parts(letter.base)[2] for letter in loop.letters.values()), "")
    plain = "y" + "′" * (loop.reverse and not loop.adjoint)
    return Symbol(numbered(plain, int(number)) if number else plain)


def _again(node: Expr) -> Expr:
    """The same value as another node, which can have another name."""
    return apply("broadcast_to", node, shape=node.shape)
