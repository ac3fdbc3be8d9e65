"""Where a NaN or an infinity came from: the step is computed again in the reference interpreter, value by value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import NotFinite
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.traverse import leaves, postorder
from symnet.ops.interpret import infer_sizes, run
from symnet.runtime.arrays import Array
from symnet.train.sources import shown_rows

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = ["BadStep", "not_finite"]

SHOWN, LONG = 6, 40
"""How many names a message lists, and how long a formula within a sentence may be."""
LEAVES = ("input", "parameter", "state", "hyper")


@dataclass(frozen=True)
class Part:
    """A value at a place of it: what the origin of a NaN was computed from."""

    expression: Expr
    place: tuple[int, ...]
    value: float

    def __str__(self) -> str:
        text = str(self.expression).partition("\n")[0]
        if not text.isidentifier():
            text = f"({text})" if len(text) <= LONG else "the operand"
        return f"{text}{_at(self.place)} is {self.value:.6g}"


@dataclass(frozen=True)
class BadStep:
    """What `NotFinite.report` tells of a step that made something not finite.

    epoch       the number of the epoch
    step        the number of the step in the epoch, from 1
    rows        the numbers of its rows; None for an iterable of batches
    values      what is not finite: "the loss", "the gradient of W", "the new value of W"
    origin      the first value that is not finite although its operands are (or a leaf that is not), with an element
                of it; None where the reference computation of the step stays finite
    operands    what that element was computed from; where that is many elements, the largest of each operand
    kernel      the kernel that computes it, "name: what it does", where one only does that
    inputs      the inputs of the step
    """

    epoch: int
    step: int
    rows: tuple[int, ...] | None
    values: tuple[str, ...]
    origin: Part | None = None
    operands: tuple[Part, ...] = ()
    kernel: str | None = None
    inputs: Mapping[str, Array] = field(default_factory=dict, repr=False)

    @property
    def expression(self) -> Expr | None:
        """The expression that made it."""
        return None if self.origin is None else self.origin.expression

    def __str__(self) -> str:
        shown = ", ".join(self.values[:SHOWN])
        shown += f" and {len(self.values) - SHOWN} more" if len(self.values) > SHOWN else ""
        rows = f" (rows {shown_rows(np.array(self.rows))})" if self.rows is not None else ""
        lines = [f"fit: step {self.step} of epoch {self.epoch}{rows}: not finite: {shown}", *self._explanation()]
        if self.kernel is not None:
            lines.append(f"computed by the kernel {self.kernel}")
        return "\n".join([*lines, "the program is as it was before this step"])

    def _explanation(self) -> list[str]:
        origin = self.origin
        if origin is None:
            return [
                "the reference computation of this step stays finite: only another order of its operations overflows",
                "look at the norms (fit(gradient_norms=True)), or compute in float64",
            ]
        node = origin.expression
        kind = f"{node.dtype}{dims.show(node.shape)}"
        if not node.args:
            return [f"the {node.op} {node.name!r} ({kind}) is {origin.value} at {list(origin.place)}"]
        place = f" at {list(origin.place)}" if origin.place else ""
        operands = ", ".join(map(str, self.operands))
        made_of = f", where {operands}" if operands else ""
        first = f"first of all, {node.op} ({kind}) is {origin.value}{place}{made_of}"
        return [first, *(f"  {line}" for line in str(node).splitlines())]


def not_finite(program: Program, entry: str, inputs: Mapping[str, Array], step: int, rows: Array | None) -> NotFinite:
    """The error for a step on these inputs that is known to make something not finite; changes nothing."""
    roots = program.about.watched.values()
    arrays = program.bound(entry, inputs)
    given = _given(program, roots.values(), arrays)
    sizes = infer_sizes({node: value for node, value in given.items() if node.op == "input"}, {})
    search = _Search(given)
    results = run(roots.values(), given, sizes, search.visit)
    bad = {name: root for (name, root), value in zip(roots.items(), results, strict=True) if not _finite(value)}
    origin = search.origin(bad.values())
    about: dict[str, Any] = {}
    if origin is not None:
        values = [origin, *dict.fromkeys(arg for arg in origin.args if arg.dtype.startswith("float"))]
        found, *operands = run(values, given, sizes)
        place = _worst(found)
        parts = zip(values[1:], operands, strict=True)
        about = {
            "origin": Part(origin, place, float(found[place])),
            "operands": tuple(_part(origin, place, node, value) for node, value in parts),
            "kernel": _kernel(program, entry, origin),
        }
    names = tuple(bad) or ("a value of the compiled step",)
    numbers = None if rows is None else tuple(rows.tolist())
    report = BadStep(program.epochs_done + 1, step, numbers, names, inputs=arrays, **about)
    error = NotFinite(str(report))
    error.report = report
    return error


def _given(program: Program, roots: Iterable[Expr], inputs: Mapping[str, Array]) -> dict[Expr, Array]:
    """The value of every leaf."""
    roots = list(roots)
    given: dict[Expr, Array] = {}
    for op in LEAVES:
        for node in leaves(roots, op):
            name = str(node.name)
            given[node] = inputs[name] if op == "input" else program.instance.read(name)
    return given


class _Search:
    """Which values are not finite, and where they come from.

    An infinity that somebody wrote (a constant -inf for a mask, or one in an input) is meant, and so is an infinity
    that follows from it; a NaN never is.
    """

    def __init__(self, given: Mapping[Expr, Array]) -> None:
        self.bad: set[Expr] = set()
        self.meant: set[Expr] = set()
        self.order: list[Expr] = []
        for node, value in given.items():
            self.visit(node, value)

    def visit(self, node: Expr, value: Any) -> None:
        self.order.append(node)
        from_bad = any(arg in self.bad for arg in node.args)
        from_meant = not node.args or any(arg in self.meant for arg in node.args)
        if isinstance(value, tuple):  # the results of a loop are looked at one by one; this is what they came from
            if from_bad or from_meant:
                (self.bad if from_bad else self.meant).add(node)
        elif not _finite(value):
            meant = from_meant and not from_bad and not _has_nan(value)
            (self.meant if meant else self.bad).add(node)

    def origin(self, roots: Iterable[Expr]) -> Expr | None:
        """The first value on the way to the roots that is not finite although its operands are (or are meant)."""
        roots = list(roots)
        for known in (self.bad, self.bad | self.meant):
            reached = _reached([root for root in roots if root in known], known)
            for node in self.order:
                if node in reached and not any(arg in known for arg in node.args):
                    return node
        return None


def _reached(roots: list[Expr], known: set[Expr]) -> set[Expr]:
    seen = set(roots)
    pending = list(roots)
    while pending:
        for arg in pending.pop().args:
            if arg in known and arg not in seen:
                seen.add(arg)
                pending.append(arg)
    return seen


def _finite(value: Array) -> bool:
    return value.dtype.kind != "f" or bool(np.isfinite(value).all())


def _has_nan(value: Array) -> bool:
    return value.dtype.kind == "f" and bool(np.isnan(value).any())


def _at(place: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, place))}]" if place else ""


def _worst(value: Array) -> tuple[int, ...]:
    """The place of the first NaN, else of the first infinity."""
    found = np.isnan(value) if _has_nan(value) else ~np.isfinite(value)
    return tuple(int(i) for i in np.argwhere(found)[0])


def _part(origin: Expr, place: tuple[int, ...], node: Expr, value: Array) -> Part:
    """The element of an operand that an element of the origin was computed from; where that is many, the largest."""
    if not value.size:
        return Part(node, (), float("nan"))
    if origin.declaration.kind == "scalar":
        own = place[len(place) - value.ndim :]
        own = tuple(0 if size == 1 else i for i, size in zip(own, value.shape, strict=True))
    else:
        own = tuple(int(i) for i in np.unravel_index(np.argmax(np.abs(value)), value.shape))
    return Part(node, own, float(value[own]))


def _kernel(program: Program, entry: str, node: Expr) -> str | None:
    """The only kernel of an entry that does the operations of a node."""
    from symnet.simplify import expand

    if not node.args:
        return None
    operands = set(node.args)
    inner = {one.op for one in postorder(expand([node]), boundary=operands) if one.args and one not in operands}
    doing = {f"{kernel['name']}: {kernel['note']}": set(re.split(r"[ ,]+", kernel["note"]))
             for kernel in program.kernels(entry)}  # fmt: skip
    everything = [kernel for kernel, done in doing.items() if inner <= done]
    something = [kernel for kernel, done in doing.items() if inner & done]
    return next((found[0] for found in (everything, something) if len(found) == 1), None)
