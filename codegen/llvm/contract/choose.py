"""Makes the plan of a contraction: of the ways to run it, the one that a model of costs finds cheapest.

Reading an operand in place costs nothing as long as the caches deliver it. They do not when neighbours in k lie a
multiple of a large power of two apart, so that few of them fit a cache at once, or far apart in an operand larger than
the second-level cache. Packing costs some cycles for each element, which pays when many tiles use what is packed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product

from codegen.llvm.contract.plan import Depth, LeftMode, Plan, RightMode, left_layout, right_layout
from codegen.llvm.contract.problem import Contraction, Operand, axes_in, linear, operand, runs_along
from codegen.llvm.tiles import CALL, Tile, candidates
from codegen.loops.grammar import Axis, Load, Store, stores, subscalars
from codegen.target import Target
from symnet.errors import CompilerBug, Unsupported
from symnet.expr import dims as dimension
from symnet.expr.dims import Dim
from symnet.expr.dtypes import BYTES

STACK = 256 * 1024
"""The most bytes of stack that one call of a contraction uses."""
WHOLE = 160 * 1024
"""The most bytes of one packed operand with which the sum over k is not cut, when the other operand is in place."""
LEFT, RIGHT, SUMS = 96 * 1024, 64 * 1024, 88 * 1024
"""Where it is cut, the most bytes of packed rows, of packed columns, and of sums that wait for the next block of k."""
BOTH = 128
"""The most k in a block when both operands are packed."""

LINE, PERIOD, WAYS = 64, 4096, 8
"""Of the first-level cache: bytes of a line, bytes after which addresses compete for a place, lines in such a place."""
THREADS = (1, 1, 2, 4)
"""A plan is chosen for how it does with these numbers of threads together."""

FAR, CONFLICT = 4.0, 6.0
"""Cycles for each k and tile that wait for an operand in place: far apart in much memory; few fit the cache at once."""
VECTOR, SCALAR = 3.2, 4.0
"""Cycles to pack a vector, or a single element; FURTHER times as many from beyond the second-level cache."""
FURTHER = 4


def plan(problem: Contraction, target: Target) -> Plan:
    """The cheapest plan over the axes that may form the tile, and over tiles.

    Tiles come in the order of what they cost at least, so that few have to be looked at.
    """
    planners = [_Planner(problem, target, row, col) for row, col in _tile_axes(problem)]
    tiles = [(planner.least(tile), number, tile) for number, planner in enumerate(planners) for tile in planner.tiles()]
    best: tuple[float, Plan] | None = None
    for least, number, tile in sorted(tiles, key=lambda one: one[:2]):
        if best is not None and least >= best[0]:
            break
        found = min(planners[number].plans(tile), key=lambda one: one[0])
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    return best[1]


def _tile_axes(problem: Contraction) -> list[tuple[Axis, Axis]]:
    """Pairs of a row axis and a vector axis; a one-position axis stands in for a role without axes."""
    rows = problem.roles["rows"] or (Axis("row", 1),)
    cols = problem.roles["cols"] or (Axis("col", 1),)
    pairs = [*product(rows, cols), *product(cols, rows)]
    if problem.vector is not None:
        pairs = [(row, col) for row, col in pairs if col.name == problem.vector]
    if not pairs:
        raise CompilerBug(f"kernel {problem.name}: the vector axis {problem.vector!r} is neither a row nor a column")
    return pairs


@dataclass(frozen=True)
class _Way:
    """One combination of tile and reading of the operands, and how k is cut for it."""

    tile: Tile
    left: LeftMode
    right: RightMode
    depth: Depth


class _Planner:
    """Plans for one choice of tile axes; sizes are the largest ones."""

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
        self.rows, self.columns = max(1, self.value(row.extent)), max(1, self.value(col.extent))
        self.steps = max(1, math.prod(self.value(axis.extent) for axis in self.inner))
        self.batch = math.prod(self.value(axis.extent) for axis in self.grid)

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

    # --- ways to run it ---

    def plans(self, tile: Tile) -> Iterator[tuple[float, Plan]]:
        """Plans for a tile, with their costs."""
        for left, right in product(self.left_modes, self.right_modes(tile)):
            way = _Way(tile, left, right, self.depth(tile, left, right))
            cost, row_tiles, col_tiles = self.blocks(way)
            chosen = Plan(
                row=self.row,
                col=self.col,
                grid=self.grid,
                inner=self.inner,
                left=self.left,
                right=self.right,
                left_mode=way.left,
                right_mode=way.right,
                left_step=self.step(self.left) or 0,
                right_step=self.step(self.right) or 0,
                tile=way.tile,
                depth=way.depth,
                row_tiles=row_tiles,
                col_tiles=col_tiles,
            )
            yield cost, chosen

    def tiles(self) -> list[Tile]:
        """The tile that the schedule asks for, or those worth a closer look."""
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
        if self.left.load is not None and self.step(self.left) is not None and isinstance(between, int):
            modes.insert(0, "place")
        return tuple(modes)

    def right_modes(self, tile: Tile) -> tuple[RightMode, ...]:
        """In place if possible, which asks for neighbouring columns; and the ways to pack."""
        modes: list[RightMode] = ["along columns", "along k"] if self.runs_along_k(self.right) else ["along columns"]
        extent = self.col.extent
        ragged = not isinstance(extent, int) or (extent < tile.columns and extent % tile.lanes != 0)
        masked = not ragged or self.target.vector_bytes >= 32  # whether lanes can be left out of a load
        if self.right.strides.get(self.col.name, 0) == 1 and self.step(self.right) is not None and masked:
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

    def depth(self, tile: Tile, left: LeftMode, right: RightMode) -> Depth:
        """How k is cut: not at all while what is packed fits, else so that it does."""
        left_bytes = math.ceil(left_layout(left, tile, BOTH, self.size)[2] / BOTH)
        right_bytes = tile.columns * self.size
        if left != "place" and right != "place":
            whole = most = BOTH
        elif right != "place":
            whole, most = WHOLE // right_bytes, RIGHT // right_bytes
            if left == "place" and self.scattered_left:  # few lines of it are used at a time, and soon again
                whole = most = min(BOTH, most, self.kept(self.bytes_between(self.left)))
        elif left != "place":
            whole, most = WHOLE // left_bytes, min(BOTH, self.kept(self.bytes_between(self.right)))
        else:
            whole = most = self.steps
        if whole >= self.steps:
            return Depth(0, self.value(self.inner[0].extent), self.steps, 1)
        extents = [self.value(axis.extent) for axis in self.inner]
        following = [math.prod(extents[at + 1 :]) for at in range(len(extents))]
        split = next(at for at, count in enumerate(following) if count <= most)
        chunk = math.ceil(extents[split] / math.ceil(extents[split] * following[split] / most))
        if chunk > self.lanes:  # whole vectors
            chunk = math.ceil(chunk / self.lanes) * self.lanes
        blocks = math.prod(extents[:split]) * math.ceil(extents[split] / chunk)
        return Depth(split, chunk, chunk * following[split], blocks)

    # --- costs ---

    def least(self, tile: Tile) -> float:
        """What any plan with this tile costs at least, in the terms of `blocks`."""
        down, across = tile.count(self.rows, self.columns)
        return len(THREADS) * self.batch * down * across * tile.cost(self.steps, self.per_vector)

    def blocks(self, way: _Way) -> tuple[float, int, int]:
        """The cost of running it a way with the best number of tiles in a share, and that number down and across."""
        down, across = way.tile.count(self.rows, self.columns)
        most_down, most_across = self.most(way, down, across)
        each = self.tile_cost(way)
        left, right = self.packing(way)
        best = (math.inf, 1, 1)
        for row_tiles, col_tiles in product(_splits(down, most_down), _splits(across, most_across)):
            shares = self.batch * math.ceil(down / row_tiles) * math.ceil(across / col_tiles)
            work = row_tiles * col_tiles * each + row_tiles * left + col_tiles * right
            cost = sum(math.ceil(shares / threads) * threads * work for threads in THREADS)
            best = min(best, (cost, row_tiles, col_tiles))
        return best

    def most(self, way: _Way, down: int, across: int) -> tuple[int, int]:
        """The most tiles in a share, down and across: what is packed should serve many, and has to fit."""
        tile, steps = way.tile, way.depth.steps
        down_fit = LEFT // left_layout(way.left, tile, steps, self.size)[2] if way.left != "place" else down
        across_fit = RIGHT // right_layout(tile, steps, self.size)[1] if way.right != "place" else across
        if way.depth.whole:  # what need not wait for others is finished at once
            most_down = min(down, down_fit) if way.right != "place" else 1
            most_across = min(across, across_fit) if way.left != "place" else 1
            return max(1, most_down), max(1, most_across)
        sums = SUMS // (tile.rows * tile.columns * self.size)
        most_down = max(1, min(down, down_fit, sums))
        return most_down, max(1, min(across, across_fit, sums // most_down))

    def tile_cost(self, way: _Way) -> float:
        """Cycles for one tile: the sums, what waits for memory, sums put away between blocks of k, the epilogue."""
        tile = way.tile
        again = (way.depth.blocks - 1) * (CALL + 2 * tile.rows * tile.vectors)
        return tile.cost(self.steps, self.per_vector) + self.steps * self.waiting(way) + again

    def waiting(self, way: _Way) -> float:
        """Cycles for each k and tile in which an operand that is read in place does not arrive in time."""
        wait = 0.0
        if way.left == "place":
            between = self.left.strides.get(self.row.name, 0)
            assert isinstance(between, int)
            if self.scattered_left and self.columns > 2 * way.tile.columns:
                wait += FAR if way.depth.whole else FAR / 4
            wait += CONFLICT * (self.kept(self.bytes_between(self.left)) < way.depth.steps)
            wait += CONFLICT * (way.tile.rows > WAYS * _places(between * self.size, PERIOD))
        if way.right == "place" and self.rows > 2 * way.tile.rows:
            wait += CONFLICT * (self.kept(self.bytes_between(self.right)) < way.depth.steps)
        return wait

    def bytes_between(self, one: Operand) -> int:
        """Bytes from one k to the next of an operand that can be read in place."""
        return abs(self.value(self.step(one) or 0)) * self.size

    @property
    def scattered_left(self) -> bool:
        """Whether the left operand in place has every k on another line, in more memory than the cache holds."""
        return self.bytes_between(self.left) >= LINE and self.far(self.rows)

    def far(self, other: int) -> bool:
        """Whether an operand of so many rows or columns is larger than the second-level cache."""
        return other * self.steps * self.size > self.target.l2_bytes

    def kept(self, step: int) -> int:
        """How many k, `step` bytes apart, the second-level cache keeps (16 ways are assumed)."""
        if step < LINE:
            return self.steps
        return 16 * _places(step, self.target.l2_bytes // 16)

    def packing(self, way: _Way) -> tuple[float, float]:
        """Cycles to pack the left operand for a tile of rows, and the right operand for a panel of columns."""
        left = self.steps * way.tile.rows * (FURTHER if self.far(self.rows) else 1)
        right = self.steps * way.tile.columns * (FURTHER if self.far(self.columns) else 1)
        each_left = {
            "place": 0.0,
            "along k": VECTOR / self.useful_lanes(self.run_of_k(self.left)),
            "along rows": VECTOR / self.useful_lanes(way.tile.rows),
            "scalar": SCALAR,
        }
        each_right = {
            "place": 0.0,
            "along k": VECTOR / self.useful_lanes(self.run_of_k(self.right)),
            "along columns": VECTOR / self.lanes if self.right_along_columns else SCALAR,
        }
        return left * each_left[way.left], right * each_right[way.right]

    def run_of_k(self, one: Operand) -> int:
        """How many k are contiguous in an operand."""
        return self.steps if self.step(one) == 1 else max(1, self.value(self.inner[-1].extent))

    def useful_lanes(self, count: int) -> float:
        """How many lanes of a vector hold something, when `count` values are cut into vectors."""
        return count / max(1, math.ceil(count / self.lanes))

    @cached_property
    def per_vector(self) -> float:
        """Cycles of the epilogue for one vector of sums: a few, or many where a store is scattered."""
        return 4.0 + sum(1.0 if self.runs_along_columns(one) else 2.0 * self.lanes for one in self.stores())

    def stores(self) -> Iterator[Store]:
        return stores(self.problem.epilogue)

    def runs_along_columns(self, store: Store) -> bool:
        return runs_along(Load(store.buffer, store.index, self.dtype), self.col.name, self.program)


def _places(step: int, period: int) -> int:
    """How many different places of a cache with this period are hit by addresses `step` bytes apart."""
    return period // math.gcd(max(abs(step), LINE), period) if step else 1


def _splits(count: int, most: int) -> set[int]:
    """Sizes of blocks of at most `most` tiles that cut `count` tiles evenly: the largest, and some smaller ones."""
    fewest = math.ceil(count / most)
    blocks = (fewest, fewest + 1, 2 * fewest, 4 * fewest, 8 * fewest)
    return {math.ceil(count / min(count, number)) for number in blocks}
