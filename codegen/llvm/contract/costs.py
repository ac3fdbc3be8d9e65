"""What a contraction costs when it is run a way: cycles of one core, for a tile and for what is packed.

A tile's products and the lines that they wait for overlap. How many lines, and from how far, depends on what is packed
and on what is used again soon enough: the columns of a panel by tile after tile of rows, the rows by panel after panel.
Lines come slower when they compete for few places of a cache (neighbours in k a multiple of a large power of two
apart), and when each is on another page. Packing costs some cycles for each element, which pays when many tiles
use what is packed. The constants were fitted to several hundred plans of two dozen products (Zen 5, one core).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, lru_cache

from codegen.llvm.contract.problem import Operand, linear, runs_along
from codegen.llvm.contract.ways import LINE, Way, Ways, places
from codegen.llvm.microkernel import Walk, looped, shared_elements
from codegen.llvm.tiles import CALL
from codegen.loops.grammar import Affine, Load, Store, stores

PERIOD, WAYS = 4096, 12
"""Of the first-level cache: bytes after which addresses compete for a place, lines in such a place."""
L1, L2 = 15 / 16, 3 / 5
"""The share of the first-level cache that a panel of columns, a tile of rows or sums may take; of the second-level one,
rows in place that are read again for the next panel."""
NEAR, FAR, FARTHEST = 1.4, 3.2, 9.0
"""Cycles for a line from the second-level cache, the third, and from memory."""
PAGE = 4096
"""Bytes of a page."""
APART, CROWDED_LINE = 4, 3.0
"""Cycles for a line from the second-level cache again and again, as it competes for its place in the first; where what
is used lies so many times its width apart, and is not one stream."""
LONG, HOP = 512, 2.0
"""How much longer lines take, in blocks of more k, that compete for few places of the first-level cache."""
PLACED, LOOKUP = 64, 3.0
"""Pages whose places in memory a core knows at once; cycles to look up that of another."""
NORM = 2.5
"""Sums and the lines they wait for overlap: the time of both is their norm of this order."""
SUM, FAR_SUM = 2.0, 7.0
"""Cycles to fetch and put away a vector of sums, in the first-level cache or beyond it."""
RUN = 25.0
"""Cycles to begin a run of memory that is on another page than the one before."""
CROWDED, CROWD = 8, 50.0
"""Rows of a result at one place of the first-level cache beyond which each vector takes so many cycles more."""
VECTOR, SCALAR = 2.8, 1.5
"""Cycles to pack a vector, or a single element, from the second-level cache."""
SCATTERED = 8.0
"""Cycles for each lane of a vector that is stored element by element."""
LINE_APART = 4.0
"""Cycles for a line of a row in place that lies on another page than its neighbours: nothing fetches it ahead."""
TURN = 12
"""Cycles for the end of a loop of the microkernel inside another."""


class Costs(Ways):
    """The costs of the ways to run a contraction with one choice of tile axes."""

    def tile_cost(self, way: Way, row_tiles: int, col_tiles: int, shares: int = 1) -> float:
        """Cycles for one tile: the sums, what they wait for, sums put away between blocks of k, the epilogue."""
        tile = way.tile
        if way.depth.whole and col_tiles == 1:  # shares follow each other down the rows
            row_tiles, col_tiles = tile.count(self.rows, self.columns)
        waiting = self.left_lines(way, row_tiles, col_tiles * shares) + self.right_lines(way, row_tiles * shares)
        each: float = (self.step_cost(way) ** NORM + waiting**NORM) ** (1 / NORM)
        vectors = tile.rows * tile.vectors
        ends = vectors * self.per_vector + CALL
        if not way.depth.whole:
            near = shares * row_tiles * col_tiles * tile.lanes * vectors * self.size <= self.l1_bytes
            ends += way.depth.blocks * (CALL + vectors * (SUM if near else FAR_SUM))
        if len(self.problem.epilogue) == 1:  # sums go straight to the result
            ends += CROWD * tile.vectors * max(0, tile.rows - CROWDED * places(self.result_step, PERIOD))
        if way.left == "place":
            ends += LINE_APART * tile.rows * self.lines_apart
        return self.steps * each + ends + TURN * self.turns(way)

    def least_tile(self, way: Way) -> float:
        """What `tile_cost` is at least, however the tiles are cut into shares."""
        vectors = way.tile.rows * way.tile.vectors
        ends = vectors * self.per_vector + CALL
        if not way.depth.whole:
            ends += way.depth.blocks * (CALL + vectors * SUM)
        return self.steps * self.step_cost(way) + ends + TURN * self.turns(way)

    def step_cost(self, way: Way) -> float:
        """Cycles for one k of a tile, when everything is in the first-level cache."""
        tile = way.tile
        if way.left != "place":
            return tile.step(tile.rows, one_place=False)
        between = self.value(self.left.strides.get(self.row.name, 0)) * self.size
        levels = self.levels(way)
        counts = [math.prod(self.value(axis.extent) for axis in level.axes) for level in levels]
        shared = 0
        if looped(counts) < len(counts):
            walk = Walk(counts[-1], self.value(levels[-1].left) * self.size, 0)
            shared = shared_elements(tile.rows, tile.vectors, between, walk, self.target.registers)
        return tile.step(shared / counts[-1] if shared else tile.rows, one_place=between % LINE == 0)

    def left_lines(self, way: Way, row_tiles: int, col_tiles: int) -> float:
        """Cycles for each k in which a tile's lines of the left operand come from beyond the first-level cache.

        A line that tiles of rows share comes from far once and from near for the others.
        """
        rows, steps = way.tile.rows, way.depth.steps
        if way.left != "place":
            return 0.0 if row_tiles == 1 else rows * self.size / LINE * NEAR
        between = abs(self.value(self.left.strides.get(self.row.name, 0))) * self.size
        step = self.bytes_between(self.left)
        once = rows * min(1.0, between / LINE) * min(1.0, step / LINE)
        lines = min(rows, 1 + (rows - 1) * between / LINE) * min(1.0, step / LINE)
        window = self.windows(rows)
        once, lines = min(once, window), min(lines, window)
        far = self.distance(self.rows)
        in_l1 = row_tiles == 1 and lines * steps * LINE <= self.l1_bytes and WAYS * places(step, PERIOD) >= steps
        in_l2 = row_tiles * once * steps * LINE <= self.target.l2_bytes * L2 and self.kept(step) >= steps
        again = 0.0 if in_l1 else NEAR * lines if in_l2 else far * once
        crowded = max(0, rows - WAYS * places(between, PERIOD)) if between >= LINE else 0
        first = far * once + NEAR * (lines - once)
        return (first + again * (col_tiles - 1)) / col_tiles + crowded * NEAR + self.lookups(way, step)

    @cached_property
    def windows(self) -> Callable[[int], float]:
        """`window`, which is asked again and again for the rows of a few tiles."""
        return lru_cache(maxsize=None)(self.window)

    def window(self, rows: int) -> float:
        """Different lines for each k that so many rows of the left operand in place have, where they are windows that
        share most of theirs; infinite where they are not."""
        extents = {self.row.name: rows, **{axis.name: self.value(axis.extent) for axis in self.inner}}
        assert self.left.load is not None
        spans: list[int] = []
        windowed = False
        for part in self.left.load.index:
            assert isinstance(part, Affine)
            moving = [(extents[name], abs(step)) for name, step in part.terms if name in extents]
            reach = 1 + sum((extent - 1) * step for extent, step in moving)
            spans.append(min(reach, math.prod(extent for extent, _ in moving)))
            windowed |= len(moving) > 1
        if not windowed:
            return math.inf
        return math.prod(spans[:-1]) * math.ceil(spans[-1] * self.size / LINE) / self.steps

    def right_lines(self, way: Way, row_tiles: int) -> float:
        """The same of the right operand, whose columns the tiles of rows share."""
        steps, width = way.depth.steps, way.tile.columns * self.size
        in_l1 = width * steps <= self.l1_bytes
        lines = width / LINE
        if way.right != "place":
            return 0.0 if in_l1 else lines * NEAR
        step = self.bytes_between(self.right)
        hops = HOP if steps > LONG and places(step, PERIOD) <= WAYS else 1.0
        far = self.distance(self.columns)
        crowded = WAYS * places(step, PERIOD) < steps
        again = NEAR if self.kept(step) >= steps else far
        if crowded and step >= APART * width:
            again = max(again, CROWDED_LINE)
        elif in_l1 and not crowded:
            again = 0.0
        return hops * lines * (far + again * (row_tiles - 1)) / row_tiles + self.lookups(way, step)

    def lookups(self, way: Way, step: int) -> float:
        """Cycles to find the page of a k of an operand in place, whose k are `step` bytes apart."""
        return LOOKUP if step >= PAGE and way.depth.steps > PLACED else 0.0

    def distance(self, other: int) -> float:
        """Cycles for a line of an operand with so many rows or columns, which comes from as near as all of it fits."""
        size = other * self.steps * self.together * self.size
        if size <= self.l1_bytes / 2:
            return 0.0
        return NEAR if size <= self.target.l2_bytes else FAR if size <= self.target.l3_bytes / 4 else FARTHEST

    @property
    def l1_bytes(self) -> float:
        return self.target.l1_bytes * L1

    @cached_property
    def lines_apart(self) -> int:
        """Lines of a row of the left operand in place that the tile before has not brought, where rows lie on pages
        of their own and another axis would have had them closer: those of the last place of a window."""
        steps = {axis: abs(self.value(step)) for axis, step in self.left.strides.items()}
        row = steps.get(self.row.name, 0)
        apart = {axis.name for axis in self.problem.roles["batch"]}
        nearest = min(
            (steps[axis.name] for axis in self.grid if axis.name in steps and axis.name not in apart), default=0
        )
        if row * self.size < PAGE or not 0 < nearest < row:
            return 0
        lines = 1
        for axis in self.inner:
            step, extent = steps.get(axis.name, 0), self.value(axis.extent)
            if step != nearest:
                lines *= extent if step * self.size >= LINE else math.ceil(extent * step * self.size / LINE)
        return lines

    def turns(self, way: Way) -> int:
        """How often a loop of the microkernel comes to its end inside another."""
        levels = self.levels(way)
        if len(levels) == 1:
            return 0
        counts = [math.prod(self.value(axis.extent) for axis in level.axes) for level in levels]
        return sum(math.prod(counts[: at + 1]) for at in range(looped(counts) - 1))

    def packing(self, way: Way) -> tuple[float, float]:
        """Cycles to pack the left operand for a tile of rows, and the right operand for a panel of columns."""
        steps = self.steps * self.together
        left = steps * way.tile.rows * max(self.distance(self.rows) / NEAR, 1.0)
        right = steps * way.tile.columns * max(self.distance(self.columns) / NEAR, 1.0)
        vector = VECTOR * self.lanes * self.size / LINE
        each_left = {
            "place": 0.0,
            "along k": vector / self.useful_lanes(self.run_of_k(self.left)),
            "along rows": vector / self.useful_lanes(way.tile.rows),
            "scalar": SCALAR,
        }
        each_right = {
            "place": 0.0,
            "along k": vector / self.useful_lanes(self.run_of_k(self.right)),
            "along columns": vector / self.lanes if self.right_along_columns else SCALAR,
        }
        return left * each_left[way.left], right * each_right[way.right]

    def runs(self, way: Way) -> float:
        """Cycles to begin what is packed k after k and comes from memory: for every k, a share has one run of it."""
        left = way.left == "along rows" and self.far(self.rows) and self.bytes_between(self.left) >= PAGE
        right = way.right == "along columns" and self.far(self.columns) and self.bytes_between(self.right) >= PAGE
        return self.steps * self.together * RUN * (left + right)

    def run_of_k(self, one: Operand) -> int:
        """How many k are contiguous in an operand."""
        return self.steps * self.together if self.step(one) == 1 else max(1, self.value(self.inner[-1].extent))

    def useful_lanes(self, count: int) -> float:
        """How many lanes of a vector hold something, when `count` values are cut into vectors."""
        return count / max(1, math.ceil(count / self.lanes))

    @cached_property
    def per_vector(self) -> float:
        """Cycles of the epilogue for one vector of sums: a few, or many where a store is scattered."""
        return 4.0 + sum(1.0 if self.runs_along_columns(one) else SCATTERED * self.lanes for one in self.stores())

    @cached_property
    def result_step(self) -> int:
        """Bytes from one row of the results to the next."""
        rows = (linear(one, self.program)[0].get(self.row.name, 0) for one in self.stores())
        return max((abs(self.value(step)) for step in rows), default=0) * self.size

    def stores(self) -> tuple[Store, ...]:
        return stores(self.problem.epilogue)

    def runs_along_columns(self, store: Store) -> bool:
        return runs_along(Load(store.buffer, store.index, self.dtype), self.col.name, self.program)
