"""What all passes share: the record of a pass, and questions about what kernels read and write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import is_

from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Branch,
    Check,
    Index,
    Item,
    Kernel,
    Load,
    Loop,
    Position,
    Program,
    Reduce,
    Scalar,
    Stmt,
    loads,
    statements,
    stores,
    subscalars,
)
from symnet.expr import dims
from symnet.expr.dims import Dim


@dataclass(frozen=True)
class Pass:
    """One step of the pipeline: a name, one line of what it does, and a function from programs to programs.

    exact  whether the program computes the same afterwards, up to the order of sums
    """

    name: str
    description: str
    run: Callable[[Program], Program]
    exact: bool = True


def storage(program: Program, buffer: str) -> str:
    """The buffer whose bytes `buffer` is, itself unless it is a view."""
    return program.buffers[buffer].view_of or buffer


def capacity(program: Program, dim: Dim) -> int:
    """The largest value of a dimension: at its capacity, with what is subtracted at its smallest."""
    if isinstance(dim, int):
        return dim
    total = 0
    for names, coefficient in dims.terms(dim):
        if coefficient > 0 or not names:
            for name in names:
                coefficient *= program.dims[name]
            total += coefficient
    return max(total, 0)


def volume(program: Program, axes: tuple[Axis, ...]) -> int:
    """How many iterations these axes have at capacity."""
    result = 1
    for axis in axes:
        result *= capacity(program, axis.extent)
    return result


def map_kernels(items: tuple[Item, ...], visit: Callable[[Kernel], Kernel | None]) -> tuple[Item, ...]:
    """The items with every kernel replaced (None: removed), loops that become empty removed."""
    result: list[Item] = []
    for item in items:
        if not isinstance(item, Kernel):
            inner = map_kernels(item.items, visit)
            if inner:
                same = len(inner) == len(item.items) and all(map(is_, inner, item.items))
                result.append(item if same else replace(item, items=inner))
        elif (kernel := visit(item)) is not None:
            result.append(kernel)
    return tuple(result)


def with_items(program: Program, items: tuple[Item, ...]) -> Program:
    return replace(program, items=items)


def is_check(kernel: Kernel) -> bool:
    return any(isinstance(stmt, Check) for stmt in statements(kernel.body))


def bound_axes(body: tuple[Stmt, ...]) -> Iterator[Axis]:
    """The axes of the loops and reductions in a block."""
    for stmt in statements(body):
        if isinstance(stmt, (Loop, Reduce)):
            yield from stmt.axes


def axes_in(index: tuple[Index, ...]) -> set[str]:
    """The axes that an index depends on."""
    found: set[str] = set()
    for part in index:
        if isinstance(part, Affine):
            found.update(axis for axis, _ in part.terms)
        else:
            found |= axes_of(part)
    return found


def plain_axis(part: Index) -> str:
    """The axis that an index is; empty when it is something else."""
    if not isinstance(part, Affine) or part.offset != 0 or len(part.terms) != 1 or part.terms[0][1] != 1:
        return ""
    return part.terms[0][0]


def axes_of(scalar: Scalar) -> set[str]:
    """The axes that a scalar depends on, apart from those behind the names it refers to."""
    found: set[str] = set()
    for node in subscalars(scalar):
        if isinstance(node, Load):
            found |= axes_in(tuple(part for part in node.index if isinstance(part, Affine)))
        elif isinstance(node, Position):
            found.update(axis for axis, _ in node.affine.terms)
    return found


# --- cost --------------------------------------------------------------------------------------------------------

DEAR = {"exp": 8, "expm1": 8, "log": 8, "log1p": 8, "tanh": 8, "erf": 8, "sin": 8, "cos": 8,
        "tan": 10, "atan": 8, "sinh": 10, "cosh": 10, "cbrt": 8, "erfc": 16, "erfcx": 16, "lgamma": 40, "digamma": 40,
        "trigamma": 30, "pow": 16, "mod": 4, "floordiv": 4, "div": 3, "sqrt": 3, "philox": 8}  # fmt: skip
"""What scalar functions cost, in additions; all others cost one."""


def cost(scalar: Scalar) -> int:
    return sum(DEAR.get(node.fn, 1) for node in subscalars(scalar) if isinstance(node, Apply))


# --- contractions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Roles:
    """What the axes of a contraction kernel are; see `Schedule`."""

    batch: tuple[str, ...]
    rows: tuple[str, ...]
    cols: tuple[str, ...]
    inner: tuple[str, ...]


def contraction(kernel: Kernel) -> Roles | None:
    """The roles of the axes when the kernel is a matrix product (batched, or a convolution) with an epilogue.

    Its first statement is a sum of products of two loads at affine indices, or of such loads rounded to bfloat16, and
    nothing in the epilogue loops. Each axis of the kernel belongs to the rows (first operand), the columns (second
    operand) or, if in both, to the batch.
    """
    if not kernel.body or any(isinstance(stmt, (Loop, Reduce, Check)) for stmt in kernel.body[1:]):
        return None
    first = kernel.body[0]
    if not isinstance(first, Reduce) or first.reducer != "sum" or first.body or first.each:
        return None
    if not isinstance(first.value, Apply) or first.value.fn != "mul":
        return None
    left, right = first.value.args
    if not (_is_operand(left) and _is_operand(right)):
        return None
    in_left, in_right = axes_of(left), axes_of(right)
    batch, rows, cols = [], [], []
    for axis in kernel.axes:
        if axis.name in in_left and axis.name in in_right:
            batch.append(axis.name)
        elif axis.name in in_left:
            rows.append(axis.name)
        elif axis.name in in_right:
            cols.append(axis.name)
        else:
            return None
    inner = tuple(axis.name for axis in first.axes)
    if not rows or not cols or not all(name in in_left and name in in_right for name in inner):
        return None
    return Roles(tuple(batch), tuple(rows), tuple(cols), inner)


def _is_operand(scalar: Scalar) -> bool:
    if isinstance(scalar, Apply) and scalar.fn == "bf16":
        scalar = scalar.args[0]
    return isinstance(scalar, Load) and all(isinstance(part, Affine) for part in scalar.index)


# --- effects -----------------------------------------------------------------------------------------------------

CHECKED = "%checked"
"""A pseudo-buffer: checks write it; what must come after them (gathers, writes of what persists) reads it."""


@dataclass(frozen=True)
class Effects:
    """The storages an item reads and writes."""

    reads: frozenset[str]
    writes: frozenset[str]


def effects(program: Program, item: Item) -> Effects:
    if not isinstance(item, Kernel):
        parts = [effects(program, inner) for inner in item.items]
        asked = {storage(program, item.condition)} if isinstance(item, Branch) else set[str]()
        return Effects(
            frozenset(asked).union(*(part.reads for part in parts)),
            frozenset().union(*(part.writes for part in parts)),
        )
    reads, writes = set[str](), set[str]()
    for load in loads(item.body):
        reads.add(storage(program, load.buffer))
        if not all(isinstance(part, Affine) for part in load.index):
            reads.add(CHECKED)
    for store in stores(item.body):
        name = storage(program, store.buffer)
        writes.add(name)
        if store.accumulate:
            reads.add(name)
        if program.buffers[name].role in ("parameter", "state") or not all(isinstance(i, Affine) for i in store.index):
            reads.add(CHECKED)
    if is_check(item):
        writes.add(CHECKED)
    return Effects(frozenset(reads), frozenset(writes))
