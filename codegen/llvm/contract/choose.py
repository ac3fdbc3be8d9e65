"""Makes the plan of a contraction: of the ways to run it, the one that a model of costs finds cheapest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product, zip_longest

from codegen.llvm.contract.costs import Costs
from codegen.llvm.contract.plan import Choice, Plan, left_layout, right_layout
from codegen.llvm.contract.problem import Contraction
from codegen.llvm.contract.ways import RIGHT, Way
from codegen.llvm.tiles import Tile
from codegen.loops.grammar import Axis
from codegen.target import Target
from symnet.errors import CompilerBug

STACK = 896 * 1024
"""The most bytes of stack that one call of a contraction uses."""
LEFT, SUMS = 192 * 1024, 480 * 1024
"""The most bytes of packed rows, and of sums that wait for the next block of k."""

THREADS = (1, 1, 2, 4)
"""A plan is chosen for how it does with these numbers of threads together."""

WORTH = 2.0
"""A plan is worth a measurement if the model finds it at most this many times as dear as the cheapest."""


def plan(problem: Contraction, target: Target, choice: Choice | None = None) -> Plan:
    """The plan of a choice; without one, the cheapest over the axes that may form the tile, and over tiles."""
    planners = _planners(problem, target)
    if choice is None:
        _, choice = _cheapest(planners, 1.0)[0]
    return planners[choice.axes].plan(choice)


def promising(problem: Contraction, target: Target, count: int) -> list[Choice]:
    """Choices that are worth a measurement, at most `count`: what `plan` takes, then in turn the cheapest with other
    tile axes or another way of packing, and the cheapest of all."""
    found = _cheapest(_planners(problem, target), WORTH)
    kinds: dict[object, Choice] = {}
    for _, choice in found:
        kinds.setdefault((choice.axes, choice.left_mode, choice.right_mode), choice)
    first, rest = list(kinds.values()), [choice for _, choice in found]
    in_turn = [choice for pair in zip_longest(first, rest) for choice in pair if choice is not None]
    return list(dict.fromkeys(in_turn))[:count]


def variants(problem: Contraction, target: Target, choice: Choice, count: int) -> list[Choice]:
    """The same tile and packing in other shares and with k cut otherwise, at most `count`, the cheapest first."""
    planner = _planners(problem, target)[choice.axes]
    way = planner.way(choice)
    depths = [way.depth]
    if not way.depth.whole:
        chunks = (way.depth.chunk // 2, way.depth.chunk * 2)
        depths += [planner.cut(way.depth.split, chunk) for chunk in chunks if chunk >= planner.lanes]
    ways = [replace(way, depth=depth) for depth in depths]
    found = [one for way in ways if planner.walkable(way) for one in planner.divisions(way) if planner.fits(way, one)]
    ordered = sorted(found, key=lambda one: one[0])
    return [other for _, other in ordered if other != choice][:count]


def _planners(problem: Contraction, target: Target) -> list[_Planner]:
    return [_Planner(problem, target, row, col, number) for number, (row, col) in enumerate(_tile_axes(problem))]


def _cheapest(planners: Sequence[_Planner], worth: float) -> list[tuple[float, Choice]]:
    """Costs and choices, the cheapest first, complete up to `worth` times the cost of the cheapest.

    Tiles come in the order of what they cost at least, so that few have to be looked at; of their ways those are left
    out that cost too much however they are cut into shares.
    """
    tiles = [(planner.least(tile), number, tile) for number, planner in enumerate(planners) for tile in planner.tiles()]
    best, found = math.inf, list[tuple[float, Choice]]()
    for least, number, tile in sorted(tiles, key=lambda one: one[:2]):
        if least >= worth * best:
            break
        planner = planners[number]
        for way in planner.ways(tile):
            if planner.least_of(way) < worth * best:
                found.append(planner.cheapest(way))
                best = min(best, found[-1][0])
    return sorted((one for one in found if one[0] <= worth * best), key=lambda one: one[0])


def _tile_axes(problem: Contraction) -> list[tuple[Axis, Axis]]:
    """Pairs of a row axis and a vector axis; a one-position axis stands in for a role without axes."""
    rows = problem.roles["rows"] or (Axis("row", 1),)
    cols = problem.roles["cols"] or (Axis("col", 1),)
    pairs = [*product(rows, cols), *product(cols, rows)]
    if problem.band is not None:
        pairs = [(row, col) for row, col in pairs if row.name == problem.band[0]]
    if problem.vector is not None:
        pairs = [(row, col) for row, col in pairs if col.name == problem.vector]
    if not pairs:
        raise CompilerBug(f"kernel {problem.name}: the vector axis {problem.vector!r} is neither a row nor a column")
    return pairs


class _Planner(Costs):
    """Plans for one choice of tile axes, the pair with this number."""

    def __init__(self, problem: Contraction, target: Target, row: Axis, col: Axis, number: int) -> None:
        super().__init__(problem, target, row, col)
        self.number = number

    def ways(self, tile: Tile) -> Iterator[Way]:
        """All ways of reading the operands with a tile."""
        modes = product(self.left_modes, self.right_modes(tile))
        ways = (Way(tile, left, right, depth) for left, right in modes for depth in self.depths(tile, left, right))
        return filter(self.walkable, ways)

    def cheapest(self, way: Way) -> tuple[float, Choice]:
        """The cheapest choice for a way, with its cost."""
        return min(self.divisions(way), key=lambda one: (one[0], one[1].row_tiles, one[1].col_tiles))

    def way(self, choice: Choice) -> Way:
        tile = Tile(choice.rows, choice.vectors, self.lanes)
        return Way(tile, choice.left_mode, choice.right_mode, self.cut(choice.split, choice.chunk))

    def plan(self, choice: Choice) -> Plan:
        way = self.way(choice)
        return Plan(
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
            levels=self.levels(way),
            tile=way.tile,
            depth=way.depth,
            row_tiles=choice.row_tiles,
            col_tiles=choice.col_tiles,
            together=self.together,
            shares=min(self.at_once(way, choice.row_tiles * choice.col_tiles), self.shares(way, choice)),
        )

    def shares(self, way: Way, choice: Choice) -> int:
        """How many shares there are."""
        down, across = way.tile.count(self.rows, self.columns)
        return self.batch * math.ceil(down / choice.row_tiles) * math.ceil(across / choice.col_tiles)

    def fits(self, way: Way, choice: tuple[float, Choice]) -> bool:
        """Whether what is packed, and sums that wait, stay within the stack that a call may use."""
        (_, one), tile, steps = choice, way.tile, way.depth.steps
        sums = one.row_tiles * one.col_tiles if not way.depth.whole else 1
        needed = sums * tile.rows * tile.columns * self.size
        if way.left != "place":
            needed += one.row_tiles * left_layout(way.left, tile, steps, self.size)[2]
        if way.right != "place":
            needed += one.col_tiles * right_layout(tile, steps, self.size)[1]
        return needed <= STACK

    def least(self, tile: Tile) -> float:
        """What any plan with this tile costs at least, in the terms of `divisions`."""
        down, across = tile.count(self.rows, self.columns)
        return len(THREADS) * self.batch * down * across * tile.least(self.steps, self.per_vector)

    def least_of(self, way: Way) -> float:
        """What any plan with this way costs at least: no line is waited for, what is packed serves all tiles."""
        down, across = way.tile.count(self.rows, self.columns)
        left, right = self.packing(way)
        return len(THREADS) * self.batch * (down * across * self.least_tile(way) + down * left + across * right)

    def divisions(self, way: Way) -> Iterator[tuple[float, Choice]]:
        """Ways to cut the tiles into shares, with the cost of running it so."""
        down, across = way.tile.count(self.rows, self.columns)
        left, right = self.packing(way)
        band = self.problem.band
        heights = _splits(down, self.tallest(way, down)) if band is None else {band[1] // way.tile.rows}
        widths = {height: _splits(across, self.widest(way, across, height)) for height in heights}
        for row_tiles, col_tiles in ((height, width) for height in heights for width in widths[height]):
            shares = self.batch * math.ceil(down / row_tiles) * math.ceil(across / col_tiles)
            at_once = min(self.at_once(way, row_tiles * col_tiles), math.ceil(shares / max(THREADS)))
            work = row_tiles * col_tiles * self.tile_cost(way, row_tiles, col_tiles, at_once)
            work += row_tiles * left + col_tiles * right + self.runs(way)
            cost = sum(math.ceil(shares / threads) * threads * work for threads in THREADS)
            tile, depth = way.tile, way.depth
            yield (
                cost,
                Choice(
                    self.number, way.left, way.right, tile.rows, tile.vectors, depth.split, depth.chunk,
                    row_tiles, col_tiles,
                ),
            )  # fmt: skip

    def at_once(self, way: Way, tiles: int) -> int:
        """How many shares of so many tiles may be done together: as many as have room for their sums."""
        if way.depth.whole or not self.sliding or not way.left == way.right == "place":
            return 1
        return max(1, SUMS // (tiles * way.tile.rows * way.tile.columns * self.size))

    def tallest(self, way: Way, down: int) -> int:
        """The most tiles of rows in a share: what is packed should serve many, and has to fit."""
        tile, steps = way.tile, way.depth.steps
        if way.depth.whole and way.right == "place":  # what need not wait for others is finished at once
            return 1
        fit = LEFT // left_layout(way.left, tile, steps, self.size)[2] if way.left != "place" else down
        sums = down if way.depth.whole else SUMS // (tile.rows * tile.columns * self.size)
        return max(1, min(down, fit, sums))

    def widest(self, way: Way, across: int, row_tiles: int) -> int:
        """The same of panels of columns in a share with so many tiles of rows."""
        tile, steps = way.tile, way.depth.steps
        if way.depth.whole and way.left == "place":
            return 1
        fit = RIGHT // right_layout(tile, steps, self.size)[1] if way.right != "place" else across
        sums = across if way.depth.whole else SUMS // (row_tiles * tile.rows * tile.columns * self.size)
        return max(1, min(across, fit, sums))


def _splits(count: int, most: int) -> set[int]:
    """Sizes of blocks of at most `most` tiles that cut `count` tiles evenly: the largest, and some smaller ones."""
    fewest = math.ceil(count / most)
    blocks = (fewest, fewest + 1, 2 * fewest, 4 * fewest, 8 * fewest)
    return {math.ceil(count / min(count, number)) for number in blocks}
