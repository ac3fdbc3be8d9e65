"""How a contraction runs: which axes form the tile, what is packed, how work is blocked and cut into shares.

    for each share (a block of tiles, see `Plan.row_tiles` and `Plan.col_tiles`):
        for each block of k (one, unless something packed would be too large, see `Depth`):
            pack what is not read in place
            for each panel of columns, for each tile of rows: microkernel
        epilogue on every tile of the block (as soon as it is done, when there is one block of k)

`codegen.llvm.contract.choose` makes the plan; everything after it only reads it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from codegen.llvm.contract.problem import Operand
from codegen.llvm.tiles import Tile
from codegen.loops.grammar import Axis
from symnet.expr.dims import Dim

LeftMode = Literal["place", "along k", "along rows", "scalar"]
RightMode = Literal["place", "along columns", "along k"]


@dataclass(frozen=True)
class Depth:
    """How the sum over k is cut: blocks of `chunk` positions of inner axis `split`, the axes after it in full.

    steps   the most steps of the microkernel in a block: k, or pairs of k (see `Plan.together`)
    blocks  how many there are at the largest sizes; with one, sums never leave the registers
    """

    split: int
    chunk: int
    steps: int
    blocks: int

    @property
    def whole(self) -> bool:
        return self.blocks == 1


@dataclass(frozen=True)
class Choice:
    """What tells one plan of a contraction from its others: all else follows from the problem.

    axes     the number of the pair of axes that form the tile (`choose` counts them)
    rows, vectors, split, chunk, row_tiles, col_tiles, the modes   as in `Tile`, `Depth` and `Plan`
    """

    axes: int
    left_mode: LeftMode
    right_mode: RightMode
    rows: int
    vectors: int
    split: int
    chunk: int
    row_tiles: int
    col_tiles: int

    def __str__(self) -> str:
        modes = f"{self.left_mode} · {self.right_mode}"
        return f"{self.rows}x{self.vectors} {modes}, k {self.split}:{self.chunk}, {self.row_tiles}x{self.col_tiles}"


@dataclass(frozen=True)
class Level:
    """A loop of the microkernel: neighbouring inner axes that are one run of every operand read in place.

    left, right   elements from one position to the next of an operand in place (the sum runs over it alone where the
                  other operand is packed: what is packed follows in the order of k)
    """

    axes: tuple[Axis, ...]
    left: Dim
    right: Dim


@dataclass(frozen=True)
class Plan:
    """Everything that is decided about a contraction before a line is written.

    row, col     the axes that form the tile; `grid` are the other axes of the result, `inner` (at least one) the summed
    left, right  the operand with the rows, the operand with the columns
    left_mode    in place, or packed: row after row in vectors along k or one by one; or k after k, vectors along rows
    right_mode   in place, or packed k after k: in vectors along the columns, or along k and then transposed
    left_step   elements from one k to the next, of a left operand that is packed along k; likewise right_step
    levels      the loops of the microkernel over one block of k, outermost first
    row_tiles, col_tiles    tiles in a share
    shares      how many shares of a thread are done together, all of them for each block of k (see `Ways.sliding`)
    together    how many k lie in each element of a packed operand: 1, or a pair rounded to bfloat16
    """

    row: Axis
    col: Axis
    grid: tuple[Axis, ...]
    inner: tuple[Axis, ...]
    left: Operand
    right: Operand
    left_mode: LeftMode
    right_mode: RightMode
    left_step: Dim
    right_step: Dim
    levels: tuple[Level, ...]
    tile: Tile
    depth: Depth
    row_tiles: int
    col_tiles: int
    together: int = 1
    shares: int = 1

    def left_layout(self, size: int) -> tuple[int, int, int]:
        """See `left_layout`; `size` is that of an element."""
        return left_layout(self.left_mode, self.tile, self.depth.steps, size)

    def right_layout(self, size: int) -> tuple[int, int]:
        return right_layout(self.tile, self.depth.steps, size)

    @property
    def row_edge(self) -> Literal["exact", "overlap", "single", "packed"]:
        """What happens where fewer rows are left than a tile has.

        exact    it never happens
        overlap  the last tile starts earlier and recomputes rows of the one before, which the epilogue skips
        single   that too, and where there are too few rows for even one tile, they run one at a time
        packed   the tile is filled with copies of the last row
        """
        if isinstance(self.row.extent, int) and self.row.extent % self.tile.rows == 0:
            return "exact"
        if self.left_mode != "place":
            return "packed"
        return "overlap" if isinstance(self.row.extent, int) else "single"

    @property
    def col_edge(self) -> Literal["exact", "overlap", "masked", "packed"]:
        """The same for columns; masked: lanes that do not exist are not read; packed: they hold anything."""
        if isinstance(self.col.extent, int) and self.col.extent % self.tile.columns == 0:
            return "exact"
        if self.right_mode != "place":
            return "packed"
        return "overlap" if isinstance(self.col.extent, int) and self.col.extent > self.tile.columns else "masked"


# --- packed memory -----------------------------------------------------------------------------------------------


def left_layout(mode: LeftMode, tile: Tile, steps: int, size: int) -> tuple[int, int, int]:
    """Of the left operand packed for one tile, so many steps of elements of `size` bytes: bytes between rows, bytes
    between steps, bytes in all."""
    if mode == "along rows":
        step = math.ceil(tile.rows / tile.lanes) * tile.lanes * size
        whole = step * steps
        return size, step, whole + 64 if whole % 1024 == 0 else whole  # tiles are written side by side
    row = (math.ceil(steps / tile.lanes) + 1) * tile.lanes * size  # a vector may be written past the last k
    if row % 1024 == 0:
        row += 64  # not all rows at the same place of a cache
    return row, size, row * tile.rows


def right_layout(tile: Tile, steps: int, size: int) -> tuple[int, int]:
    """Of the right operand packed for one panel of columns: bytes between steps, bytes in all."""
    step = tile.columns * size
    return step, step * (steps + tile.lanes)  # a transposed square may reach past the last k
