"""Makes the plan of a contraction: of the ways to run it, the one that a model of costs finds cheapest.

Reading an operand in place costs nothing as long as the caches deliver it. They do not when neighbours in k lie a
multiple of a large power of two apart, so that few of them fit a cache at once, or far apart in an operand larger than
the second-level cache. Packing costs some cycles for each element, which pays when many tiles use what is packed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product, zip_longest

from codegen.llvm.contract.plan import Choice, Plan, left_layout, right_layout
from codegen.llvm.contract.problem import Contraction, Operand, runs_along
from codegen.llvm.contract.ways import RIGHT, Way, Ways, places
from codegen.llvm.microkernel import looped
from codegen.llvm.tiles import CALL, Tile
from codegen.loops.grammar import Axis, Load, Store, stores
from codegen.target import Target
from symnet.errors import CompilerBug

STACK = 256 * 1024
"""The most bytes of stack that one call of a contraction uses."""
LEFT, SUMS = 96 * 1024, 88 * 1024
"""The most bytes of packed rows, and of sums that wait for the next block of k."""

PERIOD, WAYS = 4096, 8
"""Of the first-level cache: bytes after which addresses compete for a place, lines in such a place."""
THREADS = (1, 1, 2, 4)
"""A plan is chosen for how it does with these numbers of threads together."""

FAR, CONFLICT = 4.0, 6.0
"""Cycles for each k and tile that wait for an operand in place: far apart in much memory; few fit the cache at once."""
VECTOR, SCALAR = 3.2, 4.0
"""Cycles to pack a vector, or a single element; FURTHER times as many from beyond the second-level cache."""
FURTHER = 4
STREAM = 0.1
"""Cycles for a byte from beyond the second-level cache."""
TURN = 12
"""Cycles for the end of a loop of the microkernel inside another."""

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

    Tiles come in the order of what they cost at least, so that few have to be looked at.
    """
    tiles = [(planner.least(tile), number, tile) for number, planner in enumerate(planners) for tile in planner.tiles()]
    best, found = math.inf, list[tuple[float, Choice]]()
    for least, number, tile in sorted(tiles, key=lambda one: one[:2]):
        if least >= worth * best:
            break
        found += planners[number].choices(tile)
        best = min(best, min(cost for cost, _ in found))
    return sorted((one for one in found if one[0] <= worth * best), key=lambda one: one[0])


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


class _Planner(Ways):
    """Plans for one choice of tile axes, the pair with this number."""

    def __init__(self, problem: Contraction, target: Target, row: Axis, col: Axis, number: int) -> None:
        super().__init__(problem, target, row, col)
        self.number = number

    def choices(self, tile: Tile) -> Iterator[tuple[float, Choice]]:
        """The cheapest choice for every way of reading the operands with a tile, with its cost."""
        for left, right in product(self.left_modes, self.right_modes(tile)):
            way = Way(tile, left, right, self.depth(tile, left, right))
            if self.walkable(way):
                yield min(self.divisions(way), key=lambda one: (one[0], one[1].row_tiles, one[1].col_tiles))

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
        )

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

    # --- costs ---

    def least(self, tile: Tile) -> float:
        """What any plan with this tile costs at least, in the terms of `divisions`."""
        down, across = tile.count(self.rows, self.columns)
        return len(THREADS) * self.batch * down * across * tile.cost(self.steps, self.per_vector)

    def divisions(self, way: Way) -> Iterator[tuple[float, Choice]]:
        """Ways to cut the tiles into shares, with the cost of running it so."""
        down, across = way.tile.count(self.rows, self.columns)
        most_down, most_across = self.most(way, down, across)
        each = self.tile_cost(way)
        left, right = self.packing(way)
        from_left, from_right = self.streams(way)
        for row_tiles, col_tiles in product(_splits(down, most_down), _splits(across, most_across)):
            shares = self.batch * math.ceil(down / row_tiles) * math.ceil(across / col_tiles)
            work = row_tiles * col_tiles * each + row_tiles * left + col_tiles * right
            if not way.depth.whole:  # each block of k comes from memory once for a share
                work += row_tiles * from_left + col_tiles * from_right
            cost = sum(math.ceil(shares / threads) * threads * work for threads in THREADS)
            tile, depth = way.tile, way.depth
            yield (
                cost,
                Choice(
                    self.number, way.left, way.right, tile.rows, tile.vectors, depth.split, depth.chunk,
                    row_tiles, col_tiles,
                ),
            )  # fmt: skip

    def most(self, way: Way, down: int, across: int) -> tuple[int, int]:
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

    def tile_cost(self, way: Way) -> float:
        """Cycles for one tile: the sums, what waits for memory, sums put away between blocks of k, the epilogue."""
        tile = way.tile
        again = (way.depth.blocks - 1) * (CALL + 2 * tile.rows * tile.vectors)
        again += TURN * self.turns(way)
        return tile.cost(self.steps, self.per_vector) + self.steps * self.waiting(way) + again

    def turns(self, way: Way) -> int:
        """How often a loop of the microkernel comes to its end inside another."""
        counts = [math.prod(self.value(axis.extent) for axis in level.axes) for level in self.levels(way)]
        return sum(math.prod(counts[: at + 1]) for at in range(looped(counts) - 1))

    def waiting(self, way: Way) -> float:
        """Cycles for each k and tile in which an operand that is read in place does not arrive in time."""
        wait = 0.0
        if way.left == "place":
            between = self.left.strides.get(self.row.name, 0)
            assert isinstance(between, int)
            if self.scattered_left and self.columns > 2 * way.tile.columns:
                wait += FAR if way.depth.whole else FAR / 4
            wait += CONFLICT * (self.kept(self.bytes_between(self.left)) < way.depth.steps)
            wait += CONFLICT * (way.tile.rows > WAYS * places(between * self.size, PERIOD))
        if way.right == "place" and self.rows > 2 * way.tile.rows:
            wait += CONFLICT * (self.kept(self.bytes_between(self.right)) < way.depth.steps)
        return wait

    def streams(self, way: Way) -> tuple[float, float]:
        """Cycles to bring the rows of a tile, and the columns of a tile, from memory; none where they stay in cache."""
        left = way.left == "place" and self.far(self.rows)
        right = way.right == "place" and self.far(self.columns)
        byte = self.steps * self.size * STREAM
        return left * way.tile.rows * byte, right * way.tile.columns * byte

    def packing(self, way: Way) -> tuple[float, float]:
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


def _splits(count: int, most: int) -> set[int]:
    """Sizes of blocks of at most `most` tiles that cut `count` tiles evenly: the largest, and some smaller ones."""
    fewest = math.ceil(count / most)
    blocks = (fewest, fewest + 1, 2 * fewest, 4 * fewest, 8 * fewest)
    return {math.ceil(count / min(count, number)) for number in blocks}
