"""Fusion: kernels that follow each other become one, in three passes over one mechanism.

epilogue    what is computed element by element from a kernel's result joins that kernel, contractions included: bias,
            activation, the mask of a gradient, the update of a parameter, down to the write of the parameter itself
rows        kernels that meet in leading axes (a softmax: maximum, sum, quotient for each row) become one with loops
horizontal  kernels of equal shape that read the same data, and all kernels of single numbers, run side by side
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from codegen.loops.grammar import Affine, Branch, Item, Kernel, Load, Program, Sequence, Store, loads, stores
from codegen.passes.core import Pass, axes_in, bound_axes, contraction, volume
from codegen.passes.graph import Graph, Node
from codegen.passes.merge import (
    MOST_STATEMENTS,
    Matching,
    corresponding_axes,
    is_full,
    keeps_contraction,
    legal,
    merge,
    mergeable,
    positional_axes,
    statement_count,
)
from codegen.passes.schedule import SERIAL_WORK, work

WIDE_ROWS = 32
"""Rows from which threads have enough to share when only rows are parallel."""

Join = Callable[[Program, tuple[str, ...], Graph, Node], None]
"""Merges a node with earlier ones where that is good."""


def over_blocks(program: Program, start: Callable[[], Join]) -> Program:
    """Apply a fusion to the items of the program and of every loop over kernels inside it; each block starts afresh."""

    def visit(items: tuple[Item, ...], outer: tuple[str, ...]) -> tuple[Item, ...]:
        items = tuple(
            item if isinstance(item, Kernel) else replace(item, items=visit(item.items, (*outer, *_bound(item))))
            for item in items
        )
        graph, join = Graph(program, items), start()
        for node in graph.alive():
            if node.rank >= 0 and isinstance(node.item, Kernel) and mergeable(node.item):
                join(program, outer, graph, node)
        graph.compact()
        return graph.items()

    return replace(program, items=visit(program.items, ()))


def _bound(block: Sequence | Branch) -> tuple[str, ...]:
    """The axis that a loop over kernels binds."""
    return (block.axis.name,) if isinstance(block, Sequence) else ()


def _producers(node: Node) -> list[Node]:
    """The kernels that a node directly depends on, the latest first."""
    found = [n for n in node.before if isinstance(n.item, Kernel) and mergeable(n.item)]
    return sorted(found, key=lambda n: -n.rank)


def _try(
    program: Program,
    outer: tuple[str, ...],
    graph: Graph,
    earlier: Node,
    later: Node,
    match: Callable[[Kernel, Kernel], Matching],
    good: Callable[[Program, Kernel, Kernel, Matching], bool],
) -> bool:
    """Merge two kernels if they match, if it is legal and good; the earlier node then holds both."""
    first, second = earlier.item, later.item
    assert isinstance(first, Kernel)
    assert isinstance(second, Kernel)
    matching = match(first, second)
    if not good(program, first, second, matching) or not keeps_contraction(first, second, matching):
        return False
    if statement_count(first) + statement_count(second) > MOST_STATEMENTS:
        return False
    if not legal(program, first, second, matching):
        return False
    rank = graph.merged_rank(earlier, later)
    if rank is None:
        return False
    graph.merge(earlier, later, merge(program, outer, first, second, matching), rank)
    return True


# --- epilogue ----------------------------------------------------------------------------------------------------


def _same_axes(program: Program, first: Kernel, second: Kernel, matching: Matching) -> bool:
    return is_full(first, second, matching)


def _join_producers(program: Program, outer: tuple[str, ...], graph: Graph, node: Node) -> None:
    while True:
        for producer in _producers(node):
            if _try(program, outer, graph, producer, node, corresponding_axes, _same_axes):
                node = producer
                break
        else:
            return


# --- rows --------------------------------------------------------------------------------------------------------


def _good_rows(program: Program, first: Kernel, second: Kernel, matching: Matching) -> bool:
    """Common rows on one side at least, enough of them (or little work), and contiguous access inside the rows."""
    if not matching or is_full(first, second, matching):
        return False
    if len(matching) not in (len(first.axes), len(second.axes)):
        return False
    if contraction(first) is not None or contraction(second) is not None:
        return False
    common = tuple(axis for axis in first.axes if axis.name in matching.values())
    if volume(program, common) < WIDE_ROWS and work(program, first) + work(program, second) > SERIAL_WORK:
        return False
    return _contiguous(first, set(matching.values())) and _contiguous(second, set(matching))


def _contiguous(kernel: Kernel, common: set[str]) -> bool:
    """Whether what varies inside a row varies along the last axis of the buffers."""
    inner = {axis.name for axis in (*kernel.axes, *bound_axes(kernel.body))} - common
    accesses: list[Load | Store] = [*loads(kernel.body), *stores(kernel.body)]
    for access in accesses:
        if access.index and axes_in(access.index) & inner:
            last = access.index[-1]
            if isinstance(last, Affine) and any(axis in common for axis, _ in last.terms):
                return False
    return True


def _join_rows(program: Program, outer: tuple[str, ...], graph: Graph, node: Node) -> None:
    while True:
        for producer in _producers(node):
            rows = _try(program, outer, graph, producer, node, corresponding_axes, _good_rows)
            if rows or _try(program, outer, graph, producer, node, corresponding_axes, _same_axes):
                node = producer
                break
        else:
            return


# --- horizontal --------------------------------------------------------------------------------------------------


class _Neighbours:
    """Remembers the last kernel of each kind, and merges the next one of that kind into it."""

    def __init__(self) -> None:
        self.last: dict[tuple[object, ...], Node] = {}  # graph and kind -> kernel; a graph is itself, not its id

    def join(self, program: Program, outer: tuple[str, ...], graph: Graph, node: Node) -> None:
        assert isinstance(node.item, Kernel)
        if contraction(node.item) is not None:
            return
        keys = self._keys(node.item)
        for key in keys:
            neighbour = self.last.get((graph, *key))
            if neighbour is None or neighbour.rank < 0 or neighbour is node:
                continue
            earlier, later = sorted((neighbour, node), key=lambda n: n.rank)
            if _try(program, outer, graph, earlier, later, positional_axes, _side_by_side):
                node = earlier
                break
        self.last.update(((graph, *key), node) for key in keys)

    def _keys(self, kernel: Kernel) -> list[tuple[object, ...]]:
        """What a kernel must share with another one: its axes, and a buffer read at the same places."""
        extents = tuple(axis.extent for axis in kernel.axes)
        if not extents:
            return [()]
        position = {axis.name: number for number, axis in enumerate(kernel.axes)}
        return list(
            dict.fromkeys(
                (extents, load.buffer, tuple(_pattern(part, position) for part in load.index))
                for load in loads(kernel.body)
                if axes_in(load.index) >= set(position)
            )
        )


def _pattern(part: object, position: dict[str, int]) -> object:
    """An index with the kernel's axes by number, all others alike."""
    if not isinstance(part, Affine):
        return None
    return tuple((position.get(axis), coefficient) for axis, coefficient in part.terms), part.offset


def _side_by_side(program: Program, first: Kernel, second: Kernel, matching: Matching) -> bool:
    return is_full(first, second, matching)


def fuse_epilogues(program: Program) -> Program:
    return over_blocks(program, lambda: _join_producers)


def fuse_rows(program: Program) -> Program:
    return over_blocks(program, lambda: _join_rows)


def fuse_neighbours(program: Program) -> Program:
    return over_blocks(program, lambda: _Neighbours().join)


EPILOGUE = Pass("epilogue", "join element-wise kernels to the kernel whose result they use", fuse_epilogues)
ROWS = Pass("rows", "join kernels that work on the same rows", fuse_rows)
HORIZONTAL = Pass("horizontal", "join kernels of equal shape that read the same data", fuse_neighbours)
