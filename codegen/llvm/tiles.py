"""Which register tile a contraction uses: `rows` x (`vectors` of lanes), from the registers and the problem's extents.

Costs are in cycles of a core that does two vector operations of each kind a cycle (fused multiply-add, load), with a
latency of four. They are a model: good enough to rank tiles, held against measurements by `tests/benchmarks/gemm.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from codegen.target import Target

LATENCY = 4
"""Cycles from the start of a multiply-add to the start of the one that needs its result."""

CALL = 24
"""Cycles to call the microkernel, set up its sums and leave its loop."""


@dataclass(frozen=True)
class Tile:
    """`rows` rows by `vectors` vectors of `lanes` columns, all of whose sums are in registers."""

    rows: int
    vectors: int
    lanes: int

    @property
    def columns(self) -> int:
        return self.vectors * self.lanes

    def step(self, elements: float, one_place: bool) -> float:
        """Cycles for one k: multiply-adds or loads (a little dearer, for what they may miss), whichever take longer.

        `elements` are read of the left operand, one for each row or fewer. Where all lie at `one_place` of their lines,
        so in one bank of the nearest cache, a cycle reads one of them. So few multiply-adds that they wait for each
        other take longer than they would; towards that limit the two add up softly, by a norm that fits what is
        measured.
        """
        work = self.rows * self.vectors / 2
        loads = max((elements + self.vectors) / 2 * 1.06, elements if one_place else 0)
        busy = math.sqrt(math.hypot(max(work, loads) ** 2, LATENCY**2))
        return busy + 0.06 * (self.rows / self.lanes + self.vectors)

    def least(self, depth: int, per_vector: float) -> float:
        """Cycles for one tile with sums over `depth` at least; `per_vector` for what is done with a vector of sums."""
        return depth * self.step(0, one_place=False) + self.rows * self.vectors * per_vector + CALL

    def count(self, rows: int, columns: int) -> tuple[int, int]:
        """How many tiles cover so many rows and columns."""
        return math.ceil(rows / self.rows), math.ceil(columns / self.columns)


def candidates(target: Target, dtype: str, rows: int, columns: int) -> list[Tile]:
    """Tiles that fit the registers and are not larger than the problem, the most promising ones of every width.

    Each vector of a row of sums takes a register, so does each vector of the right operand, and one is needed for the
    broadcast element of the left operand. For every width, of the heights that need equally many tiles only the lowest
    is kept: it wastes least.
    """
    lanes = target.lanes(dtype)
    found: list[Tile] = []
    for vectors in range(1, min(8, math.ceil(columns / lanes)) + 1):
        tallest = min(rows, (target.registers - 1 - vectors) // vectors)
        heights = {math.ceil(rows / math.ceil(rows / height)) for height in range(1, tallest + 1)}
        found += [Tile(height, vectors, lanes) for height in sorted(heights)]
    return found
