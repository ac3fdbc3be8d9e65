"""The ways to run a contraction: which operand is read in place, how the other is packed, how the sum over k is cut.

An operand can be read in place when the microkernel can walk through it: its neighbours in k lie equally far apart, or
in loops of known lengths, as the windows of a convolution do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from codegen.llvm.contract.pairs import in_pairs, unrounded
from codegen.llvm.contract.plan import Depth, LeftMode, Level, RightMode, left_layout, right_layout
from codegen.llvm.contract.problem import Contraction, Operand, axes_in, linear, operand, runs_along
from codegen.llvm.tiles import Tile, candidates
from codegen.loops.grammar import Affine, Axis, Load, subscalars
from codegen.target import Target
from symnet.errors import CompilerBug, Unsupported
from symnet.expr import dims as dimension
from symnet.expr.dims import Dim
from symnet.expr.dtypes import BYTES

WHOLE = 160 * 1024
"""The most bytes that are packed for one tile when the sum over k is not cut."""
RIGHT = 256 * 1024
"""The most bytes of packed columns."""
BLOCKS = (128, 256, 384)
"""Lengths of the blocks of k where something is packed."""
TOGETHER = 384 * 1024
"""Of operands in place that are larger than the second-level cache, the bytes in a block of k."""
LINE = 64
"""Bytes of a line of the first-level cache."""


@dataclass(frozen=True)
class Way:
    """One combination of tile and reading of the operands, and how k is cut for it."""

    tile: Tile
    left: LeftMode
    right: RightMode
    depth: Depth


class Ways:
    """The ways to run a contraction with one choice of tile axes; sizes are the largest ones."""

    def __init__(self, problem: Contraction, target: Target, row: Axis, col: Axis) -> None:
        self.problem, self.target, self.row, self.col = problem, target, row, col
        self.program = problem.program
        self.dtype = problem.product.dtype
        self.size = BYTES[self.dtype]
        self.lanes = target.lanes(self.dtype)
        outer = (*problem.roles["batch"], *problem.roles["rows"], *problem.roles["cols"])
        self.grid = tuple(axis for axis in outer if axis not in (row, col))
        self.left, self.right = self.operands()
        self.inner = self.inner_axes()
        self.together = 2 if in_pairs(problem, self.inner, target) else 1
        if self.together == 2:
            self.left, self.right = unrounded(self.left, problem), unrounded(self.right, problem)
        self.rows, self.columns = max(1, self.value(row.extent)), max(1, self.value(col.extent))
        self.steps = math.ceil(max(1, math.prod(self.value(axis.extent) for axis in self.inner)) / self.together)
        self.batch = math.prod(self.value(axis.extent) for axis in self.grid)
        self._levels: dict[tuple[bool, bool, int], tuple[Level, ...]] = {}

    def value(self, dim: Dim) -> int:
        return dimension.evaluate(dim, self.program.dims)

    def operands(self) -> tuple[Operand, Operand]:
        """The factor with the rows and the one with the columns."""
        first, second = self.problem.product.args
        row, column = ({axis.name for axis in self.problem.roles[role]} for role in ("rows", "cols"))
        if self.col.name in row or self.row.name in column:
            row, column = column, row
        if axes_in(first) & column or axes_in(second) & row:
            first, second = second, first
        if axes_in(first) & column or axes_in(second) & row:
            raise CompilerBug(f"kernel {self.problem.name}: an operand depends on both rows and columns")
        return operand(first, self.program), operand(second, self.program)

    def inner_axes(self) -> tuple[Axis, ...]:
        """The summed axes, those along which the operands' elements are nearest to each other last."""
        nearness: dict[str, int] = {}
        for part in (*subscalars(self.left.value), *subscalars(self.right.value)):
            if isinstance(part, Load):
                for name, stride in linear(part, self.program)[0].items():
                    nearness[name] = nearness.get(name, 0) + abs(self.value(stride))
        axes = self.problem.roles["inner"] or (Axis("k", 1),)
        return tuple(sorted(axes, key=lambda axis: -nearness.get(axis.name, 0)))

    @cached_property
    def sliding(self) -> bool:
        """Whether the result has no axes but rows, columns, and the places of windows that a summed axis runs through,
        as the gradient of a filter: then what a block of k reads is much the same in all shares."""
        summed, found = {axis.name for axis in self.inner}, set[str]()
        for one in (self.left, self.right):
            for part in one.load.index if one.load is not None else ():
                terms = {axis for axis, _ in part.terms} if isinstance(part, Affine) else set()
                found |= terms if terms & summed else set()
        return bool(self.grid) and all(axis.name in found for axis in self.grid)

    def tiles(self) -> list[Tile]:
        """The tile that the schedule asks for, or those worth a closer look."""
        if self.problem.band is not None:
            most = self.problem.band[1]
            return [t for t in candidates(self.target, self.dtype, most, self.columns) if most % t.rows == 0]
        if self.problem.tile is None:
            return candidates(self.target, self.dtype, self.rows, self.columns)
        rows, columns = self.problem.tile
        too_high = isinstance(self.row.extent, int) and rows > self.row.extent
        if too_high or columns % self.lanes or min(rows, columns) < 1:
            raise Unsupported(
                f"kernel {self.problem.name}: a tile of {rows} x {columns}; expected at most {self.row.extent} rows "
                f"and columns in multiples of {self.lanes}"
            )
        return [Tile(rows, columns // self.lanes, self.lanes)]

    @cached_property
    def left_modes(self) -> tuple[LeftMode, ...]:
        """In place if possible, which asks for rows a known number of bytes apart; and the ways to pack."""
        modes: list[LeftMode] = ["scalar"]
        if runs_along(self.left.value, self.row.name, self.program):
            modes.insert(0, "along rows")
        if self.runs_along_k(self.left):
            modes.insert(0, "along k")
        between = self.left.strides.get(self.row.name, 0)
        if self.together > 1:
            return tuple(modes[:-1]) or ("along rows",)
        if self.in_place(self.left) and isinstance(between, int):
            modes.insert(0, "place")
        return tuple(modes)

    def right_modes(self, tile: Tile) -> tuple[RightMode, ...]:
        """In place if possible, which asks for neighbouring columns; and the ways to pack."""
        modes: list[RightMode] = ["along columns", "along k"] if self.runs_along_k(self.right) else ["along columns"]
        if self.together > 1:
            return tuple(modes)
        extent = self.col.extent
        ragged = not isinstance(extent, int) or (extent < tile.columns and extent % tile.lanes != 0)
        masked = not ragged or self.target.vector_bytes >= 32  # whether lanes can be left out of a load
        if self.right.strides.get(self.col.name, 0) == 1 and self.in_place(self.right) and masked:
            modes.insert(0, "place")
        return tuple(modes)

    @cached_property
    def right_along_columns(self) -> bool:
        return runs_along(self.right.value, self.col.name, self.program)

    def runs_along_k(self, one: Operand) -> bool:
        """Whether vectors of an operand along k are contiguous."""
        return self.step(one) == 1 or runs_along(one.value, self.inner[-1].name, self.program)

    def step(self, one: Operand) -> Dim | None:
        """The elements from one k to the next when the inner axes are one run of memory or a single axis; else None."""
        step: Dim = one.strides.get(self.inner[-1].name, 0)
        run: Dim = step
        for outer, inner in reversed(list(pairwise(self.inner))):
            run = dimension.mul(run, inner.extent)
            if one.strides.get(outer.name, 0) != run:
                return None
        return step

    def in_place(self, one: Operand) -> bool:
        """Whether the microkernel can walk through an operand: along one run, or along loops of known lengths."""
        if one.load is None or self.step(one) is not None:
            return one.load is not None
        known = (axis.extent for axis in self.inner[1:])
        strides = (one.strides.get(axis.name, 0) for axis in self.inner)
        return all(isinstance(number, int) for number in (*known, *strides))

    def levels(self, way: Way) -> tuple[Level, ...]:
        """The loops of the microkernel over one block of k."""
        key = (way.left == "place", way.right == "place", way.depth.split)
        if key not in self._levels:
            self._levels[key] = self._found_levels(*key)
        return self._levels[key]

    def _found_levels(self, left_in_place: bool, right_in_place: bool, split: int) -> tuple[Level, ...]:
        found: list[Level] = []
        placed = ((self.left, left_in_place), (self.right, right_in_place))
        for axis in reversed(self.inner[split:]):
            left, right = (one.strides.get(axis.name, 0) if place else 0 for one, place in placed)
            if found and self.runs_on(found[-1], axis, left, right):
                found[-1] = Level((axis, *found[-1].axes), found[-1].left, found[-1].right)
            else:
                found.append(Level((axis,), left, right))
        return tuple(reversed(found))

    def walkable(self, way: Way) -> bool:
        """Whether the loops of the microkernel are of known lengths and steps, as far as there are several."""
        levels = self.levels(way)
        extents = [axis.extent for level in levels[1:] for axis in level.axes]
        steps = [step for level in levels for step in (level.left, level.right)]
        return len(levels) == 1 or all(isinstance(number, int) for number in (*extents, *steps))

    def runs_on(self, level: Level, axis: Axis, left: Dim, right: Dim) -> bool:
        """Whether the positions along an axis follow each other as those of the level inside it do."""
        count = dimension.product(inner.extent for inner in level.axes)
        return left == dimension.mul(level.left, count) and right == dimension.mul(level.right, count)

    def depths(self, tile: Tile, left: LeftMode, right: RightMode) -> Iterator[Depth]:
        """The ways to cut k: not at all while what is packed for a tile fits, and into blocks of some lengths."""
        left_bytes = left_layout(left, tile, self.steps, self.size)[2] if left != "place" else 0
        right_bytes = right_layout(tile, self.steps, self.size)[1] if right != "place" else 0
        if max(left_bytes, right_bytes) <= WHOLE:
            yield self.cut(0, self.value(self.inner[0].extent))
        lengths = set(BLOCKS)
        if left == right == "place":
            lengths = {max(self.lanes, TOGETHER // self.size // (self.rows + self.columns))}
        for most in sorted(lengths):
            if most < self.steps:
                yield self.blocks(most * self.together)

    def blocks(self, most: int) -> Depth:
        """Blocks of at most `most` k."""
        extents = [self.value(axis.extent) for axis in self.inner]
        following = [math.prod(extents[at + 1 :]) for at in range(len(extents))]
        split = next(at for at, count in enumerate(following) if count <= most)
        chunk = math.ceil(extents[split] / math.ceil(extents[split] * following[split] / most))
        if chunk > self.lanes:  # whole vectors
            chunk = math.ceil(chunk / (self.lanes * self.together)) * self.lanes * self.together
        return self.cut(split, chunk)

    def cut(self, split: int, chunk: int) -> Depth:
        """Blocks of `chunk` positions of inner axis `split`, the axes after it in full."""
        extents = [self.value(axis.extent) for axis in self.inner]
        blocks = math.prod(extents[:split]) * math.ceil(extents[split] / max(1, chunk))
        steps = math.ceil(chunk * math.prod(extents[split + 1 :]) / self.together)
        return Depth(split, chunk, max(1, steps), max(1, blocks))

    # --- caches ---

    def bytes_between(self, one: Operand) -> int:
        """Bytes from one k to the next of an operand that can be read in place."""
        return abs(self.value(one.strides.get(self.inner[-1].name, 0))) * self.size

    def far(self, other: int) -> bool:
        """Whether an operand of so many rows or columns is larger than the second-level cache."""
        return other * self.steps * self.together * self.size > self.target.l2_bytes

    def kept(self, step: int) -> int:
        """How many k, `step` bytes apart, the second-level cache keeps (16 ways are assumed)."""
        if step < LINE:
            return self.steps
        return 16 * places(step, self.target.l2_bytes // 16)


def places(step: int, period: int) -> int:
    """How many different places of a cache with this period are hit by addresses `step` bytes apart."""
    return period // math.gcd(max(abs(step), LINE), period) if step else 1
