"""What happens to the sums: the statements after the contraction, run over a tile while it is in the nearest cache."""

from __future__ import annotations

from codegen.llvm.builder import vector_type
from codegen.llvm.contract.frame import Frame, Span
from codegen.llvm.contract.problem import linear
from codegen.llvm.scalars import emit_block
from codegen.llvm.scope import Value, index
from codegen.loops.grammar import Affine, Load, Ref, Store


class Epilogue:
    """Writes the epilogue of one kernel.

    direct    the epilogue is one plain store, and the microkernel stores the sums itself
    tile_row  bytes between the rows of a tile of sums
    lanes     columns done at a time: those of two vectors where a tile has an even number, so that a processor finds
              independent operations next to each other
    """

    def __init__(self, frame: Frame) -> None:
        self.frame, self.scope, self.plan = frame, frame.scope, frame.plan
        self.store = self._plain_store()
        self.direct = self.store is not None
        tile = frame.plan.tile
        self.lanes = tile.lanes if tile.vectors % 2 else 2 * tile.lanes
        self.tile_row = tile.columns * frame.size
        if self.store is not None:
            row = linear(self.store, frame.problem.program)[0].get(frame.plan.row.name, 0)
            assert isinstance(row, int)
            self.tile_row = row * frame.size

    def _plain_store(self) -> Load | None:
        """Where the epilogue stores the bare sums, if that is all it does and full tiles of vectors can do it."""
        problem, chosen = self.frame.problem, self.plan
        if len(problem.epilogue) != 1 or not chosen.depth.whole or (chosen.row_edge, chosen.col_edge) != ("exact",) * 2:
            return None
        store = problem.epilogue[0]
        if not isinstance(store, Store) or store.accumulate or store.value != Ref(problem.acc, self.frame.dtype):
            return None
        if not all(isinstance(part, Affine) for part in store.index):
            return None
        where = Load(store.buffer, store.index, self.frame.dtype)
        strides, _ = linear(where, problem.program)
        plain = strides.get(chosen.col.name) == 1 and isinstance(strides.get(chosen.row.name, 0), int)
        return where if plain else None

    def address(self) -> Value:
        """Where the microkernel stores the sums of the tile at the present position."""
        assert self.store is not None
        return self.frame.load_address(self.store)

    def emit(self, row: Span, column: Span, sums: Value) -> None:
        """Run the statements on the tile at `sums`: some columns at a time, then the rest under a mask."""
        frame, scope, lanes = self.frame, self.scope, self.lanes
        count = scope.sub(column.stop, column.first)
        if count.is_constant:
            full = index(int(count.text) // lanes * lanes)
        else:
            full = scope.operate("and", count, index(-lanes))
        middle = scope.add(column.first, full)
        if full.text != "0":
            with frame.loop(column.first, middle, lanes, stem="col") as at:
                self._rows(row, column, at, sums, None)
        if full.text != count.text:
            left_over = scope.sub(column.stop, middle)
            with frame.when(scope.operate("icmp sgt", left_over, index(0), "bool")):
                self._rows(row, column, middle, sums, scope.prefix_mask(left_over, lanes))

    def _rows(self, row: Span, column: Span, at: Value, sums: Value, mask: Value | None) -> None:
        """The statements for some columns, in lanes, and every row of the tile."""
        frame, scope, chosen = self.frame, self.scope, self.plan
        kind = vector_type(frame.dtype, self.lanes)
        base = scope.add(column.start, at)
        aligned = chosen.col_edge in ("exact", "packed", "masked")  # tiles then begin at multiples of their size
        lanes = scope.in_lanes(chosen.col.name, base, self.lanes, mask, aligned)
        with lanes, frame.loop(row.first, row.stop, stem="row") as number:
            scope.axes[chosen.row.name] = scope.add(row.start, number)
            offset = scope.add(frame.times(number, self.tile_row), frame.times(at, frame.size))
            place = frame.at(sums, offset)
            load = f"load {kind}, ptr {place.text}, align {frame.size}"
            scope.refs[frame.problem.acc] = scope.here(load, frame.dtype, self.lanes)
            emit_block(scope, frame.problem.epilogue)
