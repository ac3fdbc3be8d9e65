"""How a contraction runs: which axes form the tile, what is packed, how work is blocked and cut into shares.

    for each share (a block of tiles; see `Plan.row_tiles` and `Plan.col_tiles`):
        for each block of k (one, unless something packed would be too large):
            pack the left operand's rows of the block
            for each panel of columns: pack it
                for each tile of rows: microkernel
        epilogue on every tile of the block (as soon as it is done, when there is one block of k)

Nothing is packed where the microkernel can read the operand in place at full speed, which is the common case.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Literal

from codegen.llvm.contract.problem import Contraction, Operand, axes_in, operand, runs_along
from codegen.llvm.tiles import Tile, candidates
from codegen.loops.grammar import Axis, Load, Store, stores
from codegen.target import Target
from symnet.errors import CompilerBug, Unsupported
from symnet.expr import dims as dimension
from symnet.expr.dims import Dim
from symnet.expr.dtypes import BYTES

LeftMode = Literal["place", "along k", "along rows", "scalar"]
RightMode = Literal["place", "along columns", "along k"]

STACK = 256 * 1024
"""The most bytes of stack that one call of a contraction uses."""
PANEL, BLOCK, SUMS = STACK // 4, 3 * STACK // 8, 3 * STACK // 8
"""Its parts: packed panels of the right operand, packed rows of the left one, sums between blocks of k."""
BOTH = 128
"""The most k in a block when both operands are packed."""


@dataclass(frozen=True)
class Depth:
    """How the sum over k is cut: blocks of `chunk` positions of inner axis `split`, the axes after it in full.

    steps     the most k in a block                      whole   whether there is only one block
    """

    split: int
    chunk: int
    steps: int
    whole: bool


@dataclass(frozen=True)
class Plan:
    """Everything that is decided about a contraction before a line is written.

    row, col     the axes that form the tile; `grid` are the other axes, `left` and `right` the operands in that sense
    left_mode    in place, or packed: row after row in vectors along k or one by one; or k after k, vectors along rows
    right_mode   in place, or packed k after k: in vectors along the columns, or along k and then transposed
    row_tiles, col_tiles   tiles in a share
    score        cycles by the model of `codegen.llvm.tiles`, on one thread and on several
    inner        the summed axes; at least one
    left_step, right_step  elements from one k to the next, of an operand in place
    """

    row: Axis
    col: Axis
    grid: tuple[Axis, ...]
    left: Operand
    right: Operand
    tile: Tile
    left_mode: LeftMode
    right_mode: RightMode
    depth: Depth
    row_tiles: int
    col_tiles: int
    score: float
    inner: tuple[Axis, ...]
    left_step: Dim
    right_step: Dim

    @property
    def row_edge(self) -> Literal["exact", "overlap", "single", "packed"]:
        """What happens where fewer rows are left than a tile has.

        exact: it never happens; overlap: the last tile starts earlier and recomputes rows of the one before; single: that
        too, and if there are too few rows for one tile, they run one at a time; packed: copies of the last row.
        """
        if isinstance(self.row.extent, int) and self.row.extent % self.tile.rows == 0:
            return "exact"
        if self.left_mode != "place":
            return "packed"
        return "overlap" if isinstance(self.row.extent, int) else "single"

    @property
    def col_edge(self) -> Literal["exact", "overlap", "masked", "packed"]:
        """The same for columns; masked: lanes that do not exist are not read; packed: they are zeros."""
        if isinstance(self.col.extent, int) and self.col.extent % self.tile.columns == 0:
            return "exact"
        if self.right_mode != "place":
            return "packed"
        return "overlap" if isinstance(self.col.extent, int) and self.col.extent > self.tile.columns else "masked"


def plan(problem: Contraction, target: Target) -> Plan:
    """The cheapest plan over the axes that may form the tile."""
    plans = [candidate for row, col in _tile_axes(problem) for candidate in _Planner(problem, target, row, col).plans()]
    return min(plans, key=lambda candidate: candidate.score)


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


class _Planner:
    """Plans one choice of tile axes."""

    def __init__(self, problem: Contraction, target: Target, row: Axis, col: Axis) -> None:
        self.problem, self.target, self.row, self.col = problem, target, row, col
        self.dtype = problem.product.dtype
        self.size = BYTES[self.dtype]
        self.lanes = target.lanes(self.dtype)
        outer = (*problem.roles["batch"], *problem.roles["rows"], *problem.roles["cols"])
        self.grid = tuple(axis for axis in outer if axis not in (row, col))
        self.inner = problem.roles["inner"] or (Axis("k", 1),)
        self.left, self.right = self.operands()
        self.rows, self.columns = self.extent(row), self.extent(col)
        self.steps = math.prod(self.extent(axis) for axis in self.inner)
        self.batch = math.prod(self.extent(axis) for axis in self.grid)

    def extent(self, axis: Axis) -> int:
        """The largest size of an axis."""
        return dimension.evaluate(axis.extent, self.problem.program.dims)

    def value(self, dim: Dim) -> int:
        return dimension.evaluate(dim, self.problem.program.dims)

    def operands(self) -> tuple[Operand, Operand]:
        """The factor with the rows and the one with the columns."""
        first, second = self.problem.product.args
        column = {axis.name for axis in self.problem.roles["cols"]} | {self.col.name}
        row = {axis.name for axis in self.problem.roles["rows"]} | {self.row.name}
        if self.col in self.problem.roles["rows"] or self.row in self.problem.roles["cols"]:
            row, column = ({axis.name for axis in self.problem.roles[role]} for role in ("cols", "rows"))
        if axes_in(first) & column or axes_in(second) & row:
            first, second = second, first
        if axes_in(first) & column or axes_in(second) & row:
            raise CompilerBug(f"kernel {self.problem.name}: an operand depends on both rows and columns")
        return operand(first, self.problem.program), operand(second, self.problem.program)

    # --- the plan ---

    def plans(self) -> Iterator[Plan]:
        """A plan for every tile worth a look."""
        for tile in self.tiles():
            left, right = self.left_mode(tile), self.right_mode(tile)
            depth = self.depth(tile, left, right)
            row_tiles, col_tiles, score = self.blocks(tile, left, right, depth)
            yield Plan(
                row=self.row,
                col=self.col,
                grid=self.grid,
                left=self.left,
                right=self.right,
                tile=tile,
                left_mode=left,
                right_mode=right,
                depth=depth,
                row_tiles=row_tiles,
                col_tiles=col_tiles,
                score=score,
                inner=self.inner,
                left_step=self.step(self.left) or 0,
                right_step=self.step(self.right) or 0,
            )

    def tiles(self) -> list[Tile]:
        if self.problem.tile is not None:
            return [self.given_tile(*self.problem.tile)]
        return candidates(self.target, self.dtype, max(1, self.rows), max(1, self.columns))

    def given_tile(self, rows: int, columns: int) -> Tile:
        """The tile that the schedule asks for, which must not be higher than there are rows (if that is a number)."""
        too_high = isinstance(self.row.extent, int) and rows > self.row.extent
        if too_high or columns % self.lanes or min(rows, columns) < 1:
            raise Unsupported(
                f"kernel {self.problem.name}: a tile of {rows} x {columns}; expected at most {self.row.extent} rows "
                f"and columns in multiples of {self.lanes}"
            )
        return Tile(rows, columns // self.lanes, self.lanes)

    def per_vector(self) -> float:
        """Cycles of the epilogue for one vector of sums: a few, or many where a store is scattered."""
        cost = 4.0
        for stmt in stores(self.problem.epilogue):
            cost += 1.0 if self.runs_along_columns(stmt) else 2.0 * self.lanes
        return cost

    def runs_along_columns(self, store: Store) -> bool:
        where = Load(store.buffer, store.index, self.dtype)
        return runs_along(where, self.col.name, self.problem.program)

    # --- operands: in place or packed ---

    def step(self, one: Operand) -> Dim | None:
        """The elements from one k to the next when the inner axes are one run of memory or a single axis; else None."""
        step: Dim = one.strides.get(self.inner[-1].name, 0)
        run: Dim = step
        for outer, inner in reversed(list(pairwise(self.inner))):
            run = dimension.mul(run, inner.extent)
            if one.strides.get(outer.name, 0) != run:
                return None
        return step

    def left_mode(self, tile: Tile) -> LeftMode:
        program = self.problem.program
        if self.left.load is not None and self.step(self.left) is not None and self.left_in_place_is_fast(tile):
            return "place"
        if runs_along(self.left.value, self.inner[-1].name, program):
            return "along k"
        return "along rows" if runs_along(self.left.value, self.row.name, program) else "scalar"

    def left_in_place_is_fast(self, tile: Tile) -> bool:
        """Rows a known number of bytes apart, and few enough of them at the same place in the first-level cache."""
        between = self.left.strides.get(self.row.name, 0)
        if not isinstance(between, int):
            return False
        step = self.value(self.step(self.left) or 0) * self.size
        if between == 1:  # one or two lines for each k, far apart: only good while they come from near
            near = self.rows * self.steps * self.size <= self.target.l2_bytes
            return self.columns <= 4 * tile.columns or (near and self.kept(step) >= self.steps)
        return tile.rows <= 8 * _places(between * self.size, 4096)

    def right_mode(self, tile: Tile) -> RightMode:
        program, along = self.problem.program, self.col.name
        contiguous = self.right.strides.get(along, 0) == 1
        if self.right.load is not None and contiguous and self.step(self.right) is not None:
            step = self.value(self.step(self.right) or 0) * self.size
            reused = math.ceil(self.rows / tile.rows) > 2
            masked = isinstance(self.col.extent, int) or self.target.vector_bytes >= 32
            if masked and (not reused or self.kept(step) >= self.steps):
                return "place"
        if runs_along(self.right.value, along, program):
            return "along columns"
        return "along k" if runs_along(self.right.value, self.inner[-1].name, program) else "along columns"

    def kept(self, step: int) -> int:
        """How many lines, `step` bytes apart, the second-level cache keeps (16 ways are assumed)."""
        return 16 * _places(step, self.target.l2_bytes // 16)

    # --- blocks ---

    def depth(self, tile: Tile, left: LeftMode, right: RightMode) -> Depth:
        """How k is cut: not at all while what is packed fits, else so that it does."""
        budget = self.steps
        right_row, left_row = tile.columns * self.size, self.left_row(tile)
        if right != "place" and left != "place":
            budget = BOTH
        elif right != "place":
            budget = PANEL // right_row
        elif left != "place":
            budget = BLOCK // left_row
        if budget >= self.steps:
            return Depth(0, self.extent(self.inner[0]), self.steps, whole=True)
        following = [math.prod(self.extent(axis) for axis in self.inner[at + 1 :]) for at in range(len(self.inner))]
        split = next(at for at, count in enumerate(following) if count <= budget)
        extent = self.extent(self.inner[split])
        blocks = math.ceil(extent / max(1, budget // max(1, following[split])))
        chunk = max(1, math.ceil(extent / blocks))
        if chunk > self.lanes:  # whole vectors
            chunk = math.ceil(chunk / self.lanes) * self.lanes
        return Depth(split, chunk, chunk * following[split], whole=False)

    def left_row(self, tile: Tile) -> int:
        """Bytes of the packed left operand for one k of a tile."""
        return math.ceil(tile.rows / tile.lanes) * tile.lanes * self.size

    def blocks(self, tile: Tile, left: LeftMode, right: RightMode, depth: Depth) -> tuple[int, int, float]:
        """Tiles in a share, down and across, and the score of the plan."""
        down, across = tile.count(max(1, self.rows), max(1, self.columns))
        most_down = down if right != "place" else 1  # what is packed should serve many tiles
        most_across = across if left != "place" else 1
        if left != "place":
            most_down = min(most_down, max(1, BLOCK // (depth.steps * self.left_row(tile))))
        if right != "place":
            most_across = min(most_across, max(1, PANEL // (depth.steps * tile.columns * self.size)))
        if not depth.whole:
            sums = max(1, SUMS // (tile.rows * tile.columns * self.size))
            most_down = min(most_down, sums)
            most_across = min(most_across, max(1, sums // most_down))
        best: tuple[float, int, int] | None = None
        for row_tiles, col_tiles in product(_splits(down, most_down), _splits(across, most_across)):
            shares = self.batch * math.ceil(down / row_tiles) * math.ceil(across / col_tiles)
            work = row_tiles * col_tiles * tile.cost(self.steps, self.per_vector())
            work += self.packing(tile, left, right, row_tiles, col_tiles)
            score = sum(math.ceil(shares / threads) * threads * work for threads in (1, 1, 2, 4))
            if best is None or score < best[0]:
                best = (score, row_tiles, col_tiles)
        assert best is not None
        return best[1], best[2], best[0]

    def packing(self, tile: Tile, left: LeftMode, right: RightMode, row_tiles: int, col_tiles: int) -> float:
        """Cycles to pack what one share needs."""
        left_cost = {"place": 0.0, "along k": 0.6, "along rows": 0.6, "scalar": 4.0}[left]
        right_cost = {"place": 0.0, "along columns": 0.2, "along k": 0.2}[right]
        if right == "along columns" and not runs_along(self.right.value, self.col.name, self.problem.program):
            right_cost = 3.0
        packed = row_tiles * tile.rows * left_cost + col_tiles * tile.columns * right_cost
        return self.steps * packed


def _places(step: int, period: int) -> int:
    """How many different places of a cache with this period are hit by addresses `step` bytes apart."""
    return period // math.gcd(max(step, 64), period) if step else 1


def _splits(tiles_: int, most: int) -> list[int]:
    """Sizes of blocks of at most `most` tiles that cut `tiles_` evenly."""
    fewest = math.ceil(tiles_ / most)
    return sorted({math.ceil(tiles_ / blocks) for blocks in range(fewest, min(tiles_, 4 * fewest + 12) + 1)})
