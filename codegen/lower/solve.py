"""Solving the output of a contraction for its letters: what each letter is at every element of the output.

A letter that stands alone on an output axis is that axis. Where an output axis is an affine form, as in the input
gradient of a convolution (u = c + d - 1), the form is solved for one letter (c = u - d + 1), whose range the loads then
guard. With a stride (u = 2*c + d - 1) the output axis is split into residue classes modulo the stride; in each class
the form can be solved again, with d running over one residue class. So nothing is scattered and nothing is divided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from codegen.loops.grammar import Affine, Axis
from codegen.loops.ranges import never_negative
from codegen.loops.rewrite import add, axis_index, compose, scale, shift
from codegen.lower.context import ZERO, Lowering
from codegen.lower.names import AxisNames
from symnet.errors import Unsupported
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape

LARGE = 1 << 30


@dataclass(frozen=True)
class Spec:
    """The index forms, over letters, of the operands and of the output, and the size of every letter."""

    operands: tuple[tuple[Affine, ...], ...]
    out: tuple[Affine, ...]
    sizes: Mapping[str, Dim]


@dataclass
class Plan:
    """One kernel: the axes of the output it covers, what each letter is there, and the sums."""

    axes: list[Axis] = field(default_factory=list)
    index: list[Affine] = field(default_factory=list)  # of the output
    letters: dict[str, Affine] = field(default_factory=dict)
    inner: list[Axis] = field(default_factory=list)
    guarded: set[str] = field(default_factory=set)  # letters that may leave their range


@dataclass(frozen=True)
class Phase:
    """The elements rho + stride * u of an output axis.

    There the longest letter is u + at - slope * d', and the other one, if any, period * d' + start, d' < other_count.
    """

    rho: int
    count: int
    at: int
    slope: int
    start: int
    other_count: int


def is_letter(form: Affine) -> bool:
    return len(form.terms) == 1 and form.terms[0][1] == 1 and form.offset == 0


def _plain(spec: Spec) -> dict[str, int]:
    """Letters that stand alone on an output axis, with the first such axis."""
    found: dict[str, int] = {}
    for axis, form in enumerate(spec.out):
        if is_letter(form):
            found.setdefault(form.terms[0][0], axis)
    return found


def pending_axes(spec: Spec) -> list[int]:
    """The output axes that no letter stands for alone."""
    return [axis for axis in range(len(spec.out)) if axis not in _plain(spec).values()]


def unknown_letters(spec: Spec, axis: int) -> list[tuple[str, int]]:
    """The letters on an output axis that no other axis fixes, with coefficients."""
    plain = _plain(spec)
    return [(letter, c) for letter, c in spec.out[axis].terms if letter not in plain]


def strided_axes(spec: Spec, shape: Shape) -> list[int]:
    """The output axes to be split into residue classes: their longest letter has a stride, and their sizes are numbers.

    Without numbers such an axis is solved for a shorter letter, and the sum runs over the longest one.
    """
    strided = [axis for axis in pending_axes(spec) if abs(_longest(spec, axis)[1]) > 1]
    return [axis for axis in strided if _can_split(spec, axis, shape[axis])]


def _can_split(spec: Spec, axis: int, extent: Dim) -> bool:
    (letter, stride), form = _longest(spec, axis), spec.out[axis]
    others = [l for l, _ in form.terms if l != letter]
    numbers = (extent, form.offset, *(spec.sizes[l] for l in others))
    free = len(unknown_letters(spec, axis)) == len(form.terms)
    return free and len(others) <= 1 and stride > 0 and all(isinstance(number, int) for number in numbers)


def _longest(spec: Spec, axis: int) -> tuple[str, int]:
    """The letter with most values on a pending axis, and its coefficient."""
    return max(unknown_letters(spec, axis), key=lambda item: _bulk(spec.sizes[item[0]]))


def _bulk(size: Dim) -> int:
    return size if isinstance(size, int) else LARGE


def solve(lowering: Lowering, shape: Shape, spec: Spec, phases: Mapping[int, Phase]) -> Plan:
    """What every letter is, on the part of the output that the phases of its strided axes select."""
    plan, names, plain = Plan(), lowering.axis_names(), _plain(spec)
    outputs: list[Affine] = []  # the position along each output axis, before its stride
    for axis, dim in enumerate(shape):
        phase = phases.get(axis)
        extent: Dim = phase.count if phase else dim
        grid, (index,) = lowering.grid((extent,), names)
        plan.axes += grid
        outputs.append(index)
        plan.index.append(shift(scale(index, _longest(spec, axis)[1]), phase.rho) if phase else index)
    for letter, axis in plain.items():
        plan.letters[letter] = outputs[axis]
        if spec.sizes[letter] != shape[axis] and not never_negative(dims.sub(spec.sizes[letter], shape[axis])):
            plan.guarded.add(letter)
    for axis in pending_axes(spec):
        if axis in phases:
            _solve_phase(plan, names, spec, axis, phases[axis], outputs[axis])
        else:
            _solve_unit(plan, names, spec, axis, outputs[axis])
    for letter in sorted(set(spec.sizes) - set(plan.letters)):
        _sum_over(plan, names, letter, spec.sizes[letter])
    return plan


def _sum_over(plan: Plan, names: AxisNames, letter: str, extent: Dim) -> Affine:
    """The letter as an axis of the sum (no axis for a single value)."""
    if extent == 1:
        form = ZERO
    else:
        plan.inner.append(Axis(names.take(extent), extent))
        form = axis_index(plan.inner[-1].name)
    plan.letters[letter] = form
    return form


def _solve_unit(plan: Plan, names: AxisNames, spec: Spec, axis: int, output: Affine) -> None:
    """u = ±c + rest gives c = ±(u - rest); the other letters of the form are summed over."""
    unknown = [(l, c) for l, c in spec.out[axis].terms if l not in plan.letters]
    units = [(l, c) for l, c in unknown if abs(c) == 1]
    if not units:
        raise Unsupported(f"contract: cannot solve the output axis {axis} of {spec.out} for one letter")
    letter, sign = max(units, key=lambda item: _bulk(spec.sizes[item[0]]))
    for other, _ in unknown:
        if other != letter:
            _sum_over(plan, names, other, spec.sizes[other])
    form = spec.out[axis]
    rest = compose(Affine(tuple(t for t in form.terms if t[0] != letter), form.offset), plan.letters)
    plan.letters[letter] = scale(add(output, scale(rest, -1)), sign)
    plan.guarded.add(letter)


def phases_of(spec: Spec, axis: int, extent: Dim) -> list[Phase | None]:
    """For each residue of a strided axis, how it is solved; None where nothing arrives."""
    (letter, stride), form = _longest(spec, axis), spec.out[axis]
    others = [(l, c) for l, c in form.terms if l != letter]
    other_size, factor = (spec.sizes[others[0][0]], others[0][1]) if others else (1, 0)
    assert isinstance(extent, int)
    assert isinstance(other_size, int)
    assert isinstance(form.offset, int)
    period = stride // math.gcd(stride, factor)
    result: list[Phase | None] = []
    for rho in range(min(stride, extent)):
        begins = (d for d in range(min(period, other_size)) if (rho - form.offset - factor * d) % stride == 0)
        start = next(begins, None)
        if start is None:
            result.append(None)
            continue
        count = -(-(extent - rho) // stride)
        at = (rho - form.offset - factor * start) // stride
        result.append(Phase(rho, count, at, factor * period // stride, start, -(-(other_size - start) // period)))
    return result


def _solve_phase(plan: Plan, names: AxisNames, spec: Spec, axis: int, phase: Phase, output: Affine) -> None:
    letter, stride = _longest(spec, axis)
    others = [(l, c) for l, c in spec.out[axis].terms if l != letter]
    if any(l in plan.letters for l in (letter, *(l for l, _ in others))):
        raise Unsupported("contract: a letter that occurs on two strided output axes")
    solved = shift(output, phase.at)
    if others:
        other, factor = others[0]
        step = _sum_over(plan, names, other, phase.other_count)
        plan.letters[other] = shift(scale(step, stride // math.gcd(stride, factor)), phase.start)
        solved = add(solved, scale(step, -phase.slope))
    plan.letters[letter] = solved
    plan.guarded.add(letter)
