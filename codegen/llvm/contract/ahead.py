"""Fetching ahead: lines that the epilogue of a tile reads or writes are asked for while its products are summed.

An update such as Adam's reads and writes three arrays as large as the weights. Rows of a tile are too short, and too
far from each other, for the processor to see them coming; so the microkernel asks for a line of each every few k.
Likewise for what the next tile multiplies, where its neighbours in k are too far from each other, and for what is
packed next: packing does nothing but wait for memory, which sums leave idle.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from codegen.llvm.contract.costs import PAGE
from codegen.llvm.contract.plan import Plan
from codegen.llvm.contract.problem import Contraction, linear
from codegen.llvm.contract.ways import LINE
from codegen.llvm.microkernel import Ahead, looped
from codegen.loops.grammar import Affine, Axis, Load, loads, stores
from codegen.target import Target
from symnet.expr import dims as dimension
from symnet.expr.dtypes import BYTES

MOST = 32
"""Lines that a tile may ask for at once."""
APART = 1024
"""Bytes from row to row from which lines that are only written are fetched: nearer ones take less time than that."""


def fetched_ahead(problem: Contraction, plan: Plan, target: Target) -> tuple[list[Load], Ahead | None]:
    """What the epilogue reads or writes afar, one load for each array, and in what order the lines of a tile are
    fetched; where the sum is cut, by the microkernel of the last block of k.

    Only arrays whose rows are equally far apart are fetched together. Of several loops of a microkernel the innermost
    asks for all lines, the first time it runs, if it is long enough for half of them; after that they are there.
    """
    found: dict[str, tuple[Load, int]] = {}
    size = 0
    read = set(loads(problem.epilogue))
    written = (Load(store.buffer, store.index, store.value.dtype) for store in stores(problem.epilogue))
    for load in (*loads(problem.epilogue), *written):
        step = _row_step(load, problem, plan)
        if step is not None and load.buffer not in found and (load in read or step >= APART):
            found[load.buffer] = load, step
            shape = problem.program.buffers[load.buffer].shape
            size += dimension.evaluate(dimension.product(shape), problem.program.dims) * BYTES[load.dtype]
    if size <= target.l2_bytes:
        return [], None
    step = Counter(step for _, step in found.values()).most_common(1)[0][0]
    together = [load for load, its_step in found.values() if its_step == step]
    row = range(0, plan.tile.columns * BYTES[together[0].dtype], LINE)
    lines = tuple(number * step + line for number in range(plan.tile.rows) for line in row)
    if len(plan.levels) == 1:
        return together, Ahead(len(together), lines, plan.depth.steps)
    counts = [dimension.product(axis.extent for axis in level.axes) for level in plan.levels]
    innermost = counts[looped([None, *(dimension.evaluate(count, {}) for count in counts[1:])]) - 1]
    steps = dimension.evaluate(innermost, problem.program.dims)
    return (together, Ahead(len(together), lines, steps)) if 2 * steps >= len(lines) else ([], None)


def following(plan: Plan, size: int) -> tuple[int, ...]:
    """Bytes from what a tile reads of the left operand for each k to the lines that the next tile of rows reads there,
    and no tile before it: to be asked for, where every k is on another page and the processor does not see them coming.
    """
    steps = [level.left for level in plan.levels]
    if plan.left_mode != "place" or plan.left.strides.get(plan.row.name, 0) != 1:
        return ()
    if not all(isinstance(step, int) and step * size >= PAGE for step in steps):
        return ()
    width = plan.tile.rows * size
    return tuple(range(2 * width - size, width - size, -LINE))


@dataclass(frozen=True)
class Part:
    """What a tile asks for of the next block that is packed of the right operand: `count` runs of `lines` lines, one
    for each position along `axis`, k or column."""

    axis: Axis
    count: int
    lines: int


def next_block(problem: Contraction, plan: Plan, target: Target) -> Part | None:
    """What every tile asks for, so that all of the next block is near when it is packed: of an operand larger than the
    second-level cache, which runs along columns or k as it is packed."""
    load, strides, program = plan.right.load, plan.right.strides, problem.program
    if load is None or plan.right_mode == "place" or plan.depth.whole or len(plan.inner) > 1:
        return None
    k, size = plan.inner[0], BYTES[load.dtype]
    if dimension.evaluate(dimension.mul(k.extent, plan.col.extent), program.dims) * size <= target.l2_bytes:
        return None
    width = plan.col_tiles * plan.tile.columns
    along, length, across, count = plan.col, width, k, plan.depth.chunk
    if plan.right_mode == "along k":
        along, length, across, count = across, count, along, length
    each, lines = math.ceil(count / (plan.row_tiles * plan.col_tiles)), math.ceil(length * size / LINE)
    return Part(across, each, lines) if strides.get(along.name) == 1 and each * lines <= MOST else None


def _row_step(load: Load, problem: Contraction, plan: Plan) -> int | None:
    """Bytes from row to row of what is read once for every result, its columns side by side; else None."""
    if load.fill is not None or not all(isinstance(part, Affine) for part in load.index):
        return None
    strides, _ = linear(load, problem.program)
    step = strides.get(plan.row.name)
    return step * BYTES[load.dtype] if strides.get(plan.col.name) == 1 and isinstance(step, int) else None
