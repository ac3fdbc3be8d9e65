"""What a kernel has to do: floating-point operations, slow functions, bytes; as polynomials over the named dimensions.

The counts are those of the formula, not of the instructions: an expression is counted once for each iteration of the
innermost loop that it changes in (what does not change in a loop is computed before it), and once however often it is
written. They follow from the loop program alone, so they are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from codegen.llvm.functions import MATH
from codegen.llvm.signature import axes_of
from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Branch,
    Item,
    Kernel,
    Let,
    Load,
    Loop,
    Position,
    Program,
    Reduce,
    Ref,
    Scalar,
    Sequence,
    Stmt,
    Store,
    accesses,
    scalars_of,
    statements,
    subscalars,
)
from symnet.expr import dims as dimension
from symnet.expr.dims import Dim
from symnet.expr.dtypes import BYTES, is_float

SLOW = frozenset({"div", "sqrt", "mod", "floordiv", "pow", *MATH})
"""Functions that take many times as long as an addition."""
FREE = frozenset({"cast", "bf16", "where", "isnan", "logical_and", "logical_or", "logical_not", "equal", "not_equal",
                  "less", "less_equal", "greater", "greater_equal"})  # fmt: skip
"""Functions that are no arithmetic."""


@dataclass(frozen=True)
class Costs:
    """The work of a kernel in one call of its entry.

    runs       how often the kernel is run: more than once inside a sequential loop; the other counts are of all runs
    flops      floating-point additions, multiplications, minima, …; a multiply-add is two
    products   those of the flops that belong to sums of products: 2 M N K of an M×K by K×N product
    functions  floating-point divisions, roots and transcendental functions
    bytes      of the elements read, and of those written: each once for each run, however often the kernel takes it;
               what a kernel reads back after writing it is not read
    dtype      of most of the flops; "bf16" where they are products of such numbers with float32 sums
    """

    runs: Dim
    flops: Dim
    products: Dim
    functions: Dim
    bytes: Dim
    dtype: str


def costs(program: Program) -> dict[str, Costs]:
    """The costs of every kernel of a program, by name, in order."""
    return {kernel.name: _costs(kernel, program, runs) for kernel, runs in _runs(program.items, 1)}


def _runs(items: Iterable[Item], times: Dim) -> Iterator[tuple[Kernel, Dim]]:
    """Every kernel, and how often it is run."""
    for item in items:
        if isinstance(item, Sequence):
            yield from _runs(item.items, dimension.mul(times, item.axis.extent))
        elif isinstance(item, Branch):
            yield from _runs(item.items, times)
        else:
            yield item, times


def _costs(kernel: Kernel, program: Program, runs: Dim) -> Costs:
    depends = _Dependences(kernel)
    count = _Count(depends)
    count.block(kernel.body, kernel.axes, frozenset())
    weights = {dtype: dimension.evaluate(amount, program.dims) for dtype, amount in count.flops.items()}
    return Costs(
        runs,
        dimension.mul(runs, _total(count.flops.values())),
        dimension.mul(runs, count.products),
        dimension.mul(runs, _total(count.functions.values())),
        dimension.mul(runs, _traffic(kernel, program, depends)),
        "bf16" if _rounds(kernel) else max(weights, key=weights.__getitem__, default="float32"),
    )


def _rounds(kernel: Kernel) -> bool:
    """Whether a contraction multiplies what it rounds."""
    first = kernel.body[0] if kernel.body else None
    factors = first.value.args if isinstance(first, Reduce) and isinstance(first.value, Apply) else ()
    return any(isinstance(one, Apply) and one.fn == "bf16" for one in factors)


def _volume(axes: Iterable[Axis]) -> Dim:
    return dimension.product(axis.extent for axis in axes)


def _total(amounts: Iterable[Dim]) -> Dim:
    total: Dim = 0
    for amount in amounts:
        total = dimension.add(total, amount)
    return total


class _Dependences:
    """Which axes the scalars of a kernel change along."""

    def __init__(self, kernel: Kernel) -> None:
        self._names: dict[str, frozenset[str]] = {}
        self._found: dict[int, tuple[Scalar, frozenset[str]]] = {}
        for stmt in statements(kernel.body):
            if isinstance(stmt, Let):
                self._bind(stmt.name, self.axes(stmt.value))
            elif isinstance(stmt, Reduce):
                self._bind(stmt.name, self._of_reduction(stmt))

    def _bind(self, name: str, axes: frozenset[str]) -> None:
        """Loops beside each other may use a name twice; axes that are not around a use do not count there."""
        self._names[name] = self._names.get(name, frozenset()) | axes

    def _of_reduction(self, stmt: Reduce) -> frozenset[str]:
        parts = [scalar for inner in (stmt, *statements(stmt.body)) for scalar in scalars_of(inner)]
        return frozenset().union(*(self.axes(part) for part in parts)) - {axis.name for axis in stmt.axes}

    def axes(self, scalar: Scalar) -> frozenset[str]:
        if isinstance(scalar, Ref):
            return self._names.get(scalar.name, frozenset())
        if isinstance(scalar, Position):
            return frozenset(_axes(scalar.affine))
        if not isinstance(scalar, (Apply, Load)):
            return frozenset()
        known = self._found.get(id(scalar))
        if known is None or known[0] is not scalar:
            parts = scalar.args if isinstance(scalar, Apply) else scalar.index
            inside = (_axes(part) if isinstance(part, Affine) else self.axes(part) for part in parts)
            known = self._found[id(scalar)] = scalar, frozenset().union(*inside)
        return known[1]


def _axes(form: Affine) -> set[str]:
    return {name for name, _ in form.terms}


# --- arithmetic ---------------------------------------------------------------------------------------------------


class _Count:
    """Adds up the arithmetic of a kernel by dtype."""

    def __init__(self, depends: _Dependences) -> None:
        self.flops: dict[str, Dim] = {}
        self.functions: dict[str, Dim] = {}
        self.products: Dim = 0
        self._depends = depends

    def block(self, body: tuple[Stmt, ...], around: tuple[Axis, ...], known: frozenset[Scalar]) -> None:
        """Count a block; `around` are the loops around it, outermost first, `known` what has been computed before."""
        for stmt in body:
            if isinstance(stmt, Loop):
                self.block(stmt.body, (*around, *stmt.axes), known)
            elif isinstance(stmt, Reduce):
                inner = (*around, *stmt.axes)
                self.block((*stmt.body, Let(stmt.name, stmt.value)), inner, known)
                self.block(stmt.each, inner, known)
                self._combinations(stmt, _volume(inner))
            else:
                known |= self._statement(stmt, around, known)

    def _combinations(self, stmt: Reduce, times: Dim) -> None:
        """Count what a reduction does beside computing its values."""
        if stmt.reducer in ("sum", "prod", "max", "min"):
            self._add(self.flops, stmt.value.dtype, times)
        product = isinstance(stmt.value, Apply) and stmt.value.fn == "mul" and is_float(stmt.value.dtype)
        if stmt.reducer == "sum" and product:
            self.products = dimension.add(self.products, dimension.mul(times, 2))

    def _statement(self, stmt: Stmt, around: tuple[Axis, ...], known: frozenset[Scalar]) -> set[Scalar]:
        """Count what a statement computes itself; gives all that it computes."""
        parts = {part for scalar in scalars_of(stmt) for part in subscalars(scalar) if isinstance(part, Apply)}
        for part in parts - known:
            if part.fn not in FREE:
                amounts = self.functions if part.fn in SLOW else self.flops
                self._add(amounts, part.dtype, self._times(part, around))
        if isinstance(stmt, Store) and stmt.accumulate:
            self._add(self.flops, stmt.value.dtype, _volume(around))
        return set(parts)

    def _times(self, part: Scalar, around: tuple[Axis, ...]) -> Dim:
        """How often a value is computed: once for each iteration of the innermost loop that it changes in."""
        axes = self._depends.axes(part)
        last = max((place for place, axis in enumerate(around, 1) if axis.name in axes), default=0)
        return _volume(around[:last])

    def _add(self, amounts: dict[str, Dim], dtype: str, times: Dim) -> None:
        if is_float(dtype):
            amounts[dtype] = dimension.add(amounts.get(dtype, 0), times)


# --- memory -------------------------------------------------------------------------------------------------------


def _traffic(kernel: Kernel, program: Program, depends: _Dependences) -> Dim:
    """Bytes that one run reads and writes."""
    extents = {axis.name: axis.extent for axis in axes_of(kernel)}
    regions: dict[tuple[str, bool], dict[object, Dim]] = {}
    for access in accesses(kernel.body):
        root, writes = program.buffers[access.buffer].view_of or access.buffer, isinstance(access, Store)
        key, size = _region(access, extents, program, depends)
        if not writes and key in regions.get((root, True), {}):
            continue  # the kernel has written it before
        regions.setdefault((root, writes), {})[key] = size
        if isinstance(access, Store) and access.accumulate:
            regions.setdefault((root, False), {})[key] = size
    total: Dim = 0
    for (root, _), parts in regions.items():
        buffer = program.buffers[root]
        elements = _smaller(_total(parts.values()), dimension.product(buffer.shape), program)
        total = dimension.add(total, dimension.mul(elements, BYTES[buffer.dtype]))
    return total


def _region(
    access: Load | Store, extents: Mapping[str, Dim], program: Program, depends: _Dependences
) -> tuple[object, Dim]:
    """What an access touches in one run: a description (equal ones touch the same elements) and how many elements."""
    alone: dict[str, Dim] = {}
    whole: Dim = 1
    key: list[object] = [access.buffer]
    for part, size in zip(access.index, program.buffers[access.buffer].shape, strict=True):
        axes = _axes(part) if isinstance(part, Affine) else depends.axes(part)
        moving = {name: extents[name] for name in axes if name in extents}  # others are loops around the kernel
        if isinstance(part, Affine):
            key.append((tuple((extents.get(name, name), step) for name, step in part.terms), part.offset))
        else:
            key.append(part)
        if len(moving) > 1 and isinstance(part, Affine):
            whole = dimension.mul(whole, _smaller(dimension.product(moving.values()), size, program))
        else:
            alone.update(moving)
    return tuple(key), dimension.mul(whole, dimension.product(alone.values()))


def _smaller(a: Dim, b: Dim, program: Program) -> Dim:
    """The dimension that is smaller at the capacities."""
    return a if dimension.evaluate(a, program.dims) <= dimension.evaluate(b, program.dims) else b
