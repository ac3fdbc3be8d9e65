"""Loops opened: what one step computes, as a graph of the values at step t.

A `scan` node hides its step in a function. Here the function is applied to placeholders: hₜ₋₁ for a carried value, xₜ
for a slice. What a step takes from another loop of the same steps is what that loop computes at step t, so a loop that
runs backward over what a forward loop saved is written in the values of the forward loop; and a slice of what is
computed element by element, or by a matrix product, is that of the slices. Loops that share their work, as the forward
loop of a loss and that of its gradient, have the same placeholders, hence the same nodes.

`Loops.below` is what a node is made of across all this, and every walk over a graph with loops goes along it. Some
operations are opened in the same way (`opened.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field

from symnet.derive.build import apply, placeholder
from symnet.explain.identifiers import letter_of_steps
from symnet.explain.leaves import core
from symnet.explain.notation import Symbol
from symnet.explain.opened import is_opened, opened
from symnet.expr.dims import Dim
from symnet.expr.node import Expr, label, make
from symnet.expr.traverse import postorder, substitute
from symnet.ops.contract import CONTRACT, canonical_spec, is_plain


@dataclass(eq=False)
class Recurrence:
    """The loops that run the same carries over the same values, at step t.

    letter    the index of the steps
    carried   placeholders for the carried values as a step gets them
    starts    the values they begin with
    results   what a step computes for each scan of the loop: the new carried values, then what it keeps
    sums      for carries that only add up, what is added at each step
    adjoint   whether it runs against the loop whose values it reads: the cotangent of hₜ goes in, of hₜ₋₁ out
    sources   the loops whose values it reads
    letters   the symbols of the carried values, once they are named
    parent    the loop in whose step this one runs
    level     0 for a loop that needs no other, 1 for one that does, …
    """

    scan: Expr
    letter: str
    carried: list[Expr]
    starts: list[Expr]
    results: dict[Expr, list[Expr]] = field(default_factory=dict)
    sums: dict[int, Expr] = field(default_factory=dict)
    sources: list[Recurrence] = field(default_factory=list)
    letters: dict[int, Symbol] = field(default_factory=dict)
    parent: Recurrence | None = None

    @property
    def around(self) -> list[Recurrence]:
        """The loops in whose steps this one runs, the outermost first."""
        found: list[Recurrence] = []
        outer = self.parent
        while outer is not None:
            found.insert(0, outer)
            outer = outer.parent
        return found

    @property
    def time(self) -> str:
        """The subscript of what a step computes: t, or t,m in a loop inside another."""
        return ",".join(loop.letter for loop in (*self.around, self))

    @property
    def length(self) -> Dim:
        dim: Dim = self.scan.attrs["length"]
        return dim

    @property
    def reverse(self) -> bool:
        return bool(self.scan.attrs["reverse"])

    @property
    def adjoint(self) -> bool:
        return any(source.reverse != self.reverse for source in self.sources)

    @property
    def level(self) -> int:
        return 1 + max((loop.level for loop in (*self.sources, *self.around[-1:])), default=-1)

    def new(self, index: int) -> Expr:
        """What a step makes of a carried value."""
        return next(iter(self.results.values()))[index]


class Loops:
    """The loops of some graphs, opened as they are met."""

    def __init__(self) -> None:
        self._by_work: dict[tuple[object, ...], Recurrence] = {}
        self._by_scan: dict[Expr, Recurrence] = {}
        self._carried: dict[Expr, tuple[Recurrence, int]] = {}
        self.slices: dict[Expr, Expr] = {}
        self.complements: dict[Expr, Expr] = {}  # for σ(−x) 1 − σ(x), where that has a name
        self._takers: dict[Expr, list[Recurrence]] = {}
        self._at_step: dict[tuple[Expr, str], Expr] = {}
        self._choices: dict[Expr, list[tuple[Expr, Expr, Expr]]] = {}
        self._owner: dict[Expr, tuple[Recurrence | None, bool]] = {}  # and whether it depends on what is carried

    def of(self, scan: Expr) -> Recurrence:
        """The recurrence that a scan belongs to."""
        if scan not in self._by_scan:
            self._by_scan[scan] = self._open(scan)
        return self._by_scan[scan]

    def result(self, item: Expr) -> Expr:
        """What a step computes for an item of a scan."""
        scan = item.args[0]
        found: Expr = self.of(scan).results[scan][item.attrs["index"]]
        return found

    def added(self, item: Expr) -> Expr | None:
        """What each step adds to an item that is a sum over the steps; None for other items."""
        return self.of(item.args[0]).sums.get(item.attrs["index"])

    def carry(self, node: Expr) -> tuple[Recurrence, int] | None:
        """The recurrence and the place of a carried value, for its placeholder."""
        return self._carried.get(node)

    def sliced(self) -> list[tuple[Expr, Expr, str]]:
        """Arrays with their slices at step t, and the letter for t; the loops' own results are not among them."""
        return [(whole, step, t) for (whole, t), step in self._at_step.items() if whole.op != "item"]

    def below(self, node: Expr) -> Sequence[Expr]:
        """What a node is made of, where loops are open."""
        if node in self.slices:
            return (self.slices[node],)
        if node in self.complements:
            return (self.complements[node],)
        if is_opened(node):
            return (opened(node),)
        if node in self._carried:
            recurrence, index = self._carried[node]
            return (recurrence.starts[index], recurrence.new(index))
        if node.op == "item" and node.args[0].op == "cond":
            return self._sides(node.args[0], node.attrs["index"])
        if node.op == "item" and node.args[0].op == "scan":
            index, recurrence = node.attrs["index"], self.of(node.args[0])
            added = recurrence.sums.get(index)
            if added is not None:
                start = recurrence.starts[index]
                return (added,) if is_zero(start) else (start, added)
            whole = [recurrence.carried[index]] if index < len(recurrence.carried) else []
            return (*whole, self.result(node))
        return node.args

    def postorder(self, roots: Iterable[Expr], stops: Container[Expr] = ()) -> list[Expr]:
        """As `traverse.postorder`, along `below`; nothing is visited below what is in `stops`, a set or a mapping."""
        return _postorder(roots, lambda node: () if node in stops else self.below(node))

    def step_order(self, roots: Iterable[Expr]) -> list[Expr]:
        """The values of a step after what they are made of in that step."""
        return _postorder(roots, self._parts_in_step)

    def _parts_in_step(self, node: Expr) -> Sequence[Expr]:
        if node in self.slices or node in self._carried:
            return ()
        return node.args if node.op == "item" and node.args[0].op == "scan" else self.below(node)

    def owner(self, node: Expr) -> Recurrence | None:
        """The recurrence whose step a node belongs to; None for what is no value of a step."""
        for inner in postorder([node]) if node not in self._owner else ():
            if inner in self._owner:
                continue
            found = [self._owner[arg] for arg in inner.args]
            if inner in self._carried:
                found = [(self._carried[inner][0], True)]
            if inner in self.slices:
                found = [(min(self._takers[inner], key=lambda one: one.level), False)]
            self._owner[inner] = max(found, key=_rank, default=(None, False))
        return self._owner[node][0]

    def _open(self, scan: Expr) -> Recurrence:
        body, consts, carries = scan.attrs["body"], scan.attrs["consts"], scan.attrs["carries"]
        work = (scan.args, body.parameters, body.results[:carries], scan.attrs["reverse"])
        key = (*(tuple(map(id, nodes)) if isinstance(nodes, tuple) else nodes for nodes in work),)
        starts = list(scan.args[consts : consts + carries])
        if key not in self._by_work:
            carried = [placeholder(start.shape, start.dtype) for start in starts]
            parent = max((owner for arg in scan.args if (owner := self.owner(arg))), key=_level, default=None)
            taken = [loop.letter for loop in (*parent.around, parent)] if parent else []
            self._by_work[key] = Recurrence(scan, _letter(scan.attrs["length"], taken), carried, starts, parent=parent)
        one = self._by_work[key]
        self._carried.update((node, (one, index)) for index, node in enumerate(one.carried))
        slices = [self._at(operand, one) for operand in scan.args[consts + carries :]]
        given = [*scan.args[:consts], *one.carried, *slices]
        results = substitute(body.results, dict(zip(body.parameters, given, strict=True)))
        one.results[scan] = results
        for node in postorder(results):
            if node in self.slices:
                self._takers.setdefault(node, []).append(one)
        one.sums.update(_sums(one.carried, results[:carries], results[carries:]))
        return one

    def _sides(self, choice: Expr, index: int) -> tuple[Expr, Expr, Expr]:
        """The condition of a choice, and what one of its results is on both sides, as values of the graph around."""
        if choice not in self._choices:
            condition, *operands = choice.args
            sides = (choice.attrs["then"], choice.attrs["otherwise"])
            results = [substitute(one.results, dict(zip(one.parameters, operands, strict=True))) for one in sides]
            self._choices[choice] = [(condition, *pair) for pair in zip(*results, strict=True)]
        return self._choices[choice][index]

    def _at(self, operand: Expr, loop: Recurrence) -> Expr:
        """The slice of an array at step t, made of slices where it can be."""
        key = (operand, loop.letter)
        if key not in self._at_step:
            sliced = self._taken_apart(operand, loop)
            if sliced is None:
                sliced = placeholder(operand.shape[1:], operand.dtype)
                self.slices[sliced] = operand
            elif operand._label is not None and sliced._label is None:
                label(sliced, operand._label)
            self._at_step[key] = sliced
        return self._at_step[key]

    def _taken_apart(self, node: Expr, loop: Recurrence) -> Expr | None:
        if node.op == "item" and node.args[0].op == "scan" and node.args[0].attrs["length"] == loop.length:
            source = self.of(node.args[0])
            if node.attrs["index"] >= len(source.carried):
                loop.sources.append(source)
                return self.result(node)
            return None
        if node.declaration.kind == "scalar":
            return make(node.declaration, [self._operand(arg, node, loop) for arg in node.args], node.attrs)
        if node.op == "broadcast_to" and node.args[0].ndim < node.ndim:
            return apply("broadcast_to", node.args[0], shape=node.shape[1:])
        if node.op == "contract" and is_plain(node.attrs["spec"]):
            return self._factor(node, loop)
        return None

    def _operand(self, arg: Expr, node: Expr, loop: Recurrence) -> Expr:
        """An operand of an operation element by element, at step t; the same at all steps if it lacks the axis."""
        if arg.ndim < node.ndim:
            return arg
        if arg.shape[0] != node.shape[0]:
            return apply("reshape", arg, shape=arg.shape[1:])
        return self._at(arg, loop)

    def _factor(self, node: Expr, loop: Recurrence) -> Expr | None:
        """A product of matrices whose first axis is that of one factor: the product with that factor at step t."""
        operands, out = node.attrs["spec"].split("->")
        specs = operands.split(",")
        holds = [bool(out) and spec.startswith(out[0]) for spec in specs]
        if sum(holds) != 1 or any(out[0] in spec for spec, held in zip(specs, holds, strict=True) if not held):
            return None
        args = [self._at(arg, loop) if held else arg for arg, held in zip(node.args, holds, strict=True)]
        shorter = [spec[1:] if held else spec for spec, held in zip(specs, holds, strict=True)]
        spec = canonical_spec(f"{','.join(shorter)}->{out[1:]}")
        return make(CONTRACT, args, {"spec": spec, "sizes": (), "shape": ()})


def _postorder(roots: Iterable[Expr], parts: Callable[[Expr], Sequence[Expr]]) -> list[Expr]:
    """What the roots are made of, by `parts`, each after its own parts."""
    order: list[Expr] = []
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((part, False) for part in reversed(parts(node)))
    return order


def _rank(found: tuple[Recurrence | None, bool]) -> tuple[int, bool]:
    loop, carried = found
    return (-1 if loop is None else loop.level, carried)


def _level(loop: Recurrence) -> int:
    return loop.level


def _letter(length: Dim, taken: Sequence[str]) -> str:
    """t, or the letter of a named length; another than those of the loops around."""
    letters: list[str] = [letter_of_steps(length), *"tklmpqr"]
    return next(letter for letter in letters if letter not in taken)


def _sums(carried: Sequence[Expr], new: Sequence[Expr], kept: Sequence[Expr]) -> dict[int, Expr]:
    """The carries to which each step only adds something, with what it adds."""
    uses: dict[Expr, int] = dict.fromkeys(carried, 0)
    for node in postorder([*new, *kept]):
        for arg in node.args:
            if arg in uses:
                uses[arg] += 1
    for node in (*new, *kept):
        if node in uses:
            uses[node] += 1
    found = {}
    for index, (before, after) in enumerate(zip(carried, new, strict=True)):
        if uses[before] == 1 and after.op == "add" and sum(after is node for node in (*new, *kept)) == 1:
            others = [arg for arg in after.args if arg is not before]
            if len(others) == 1:
                found[index] = others[0]
    return found


def is_zero(node: Expr) -> bool:
    """Whether a node is an array of zeros."""
    inner = core(node)
    return inner.op == "constant" and inner.attrs["value"] == 0


def has_loops(roots: Iterable[Expr]) -> bool:
    """Whether there are loops under some expressions."""
    return any(node.op == "scan" for node in postorder(roots))
