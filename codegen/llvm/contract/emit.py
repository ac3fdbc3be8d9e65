"""A contraction kernel as LLVM text, after its `Plan`: the function, the count of its shares, its microkernels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext

from codegen.llvm.builder import FunctionText
from codegen.llvm.contract.ahead import Part, fetched_ahead, following, next_block
from codegen.llvm.contract.choose import plan
from codegen.llvm.contract.epilogue import Epilogue
from codegen.llvm.contract.frame import Frame, Span
from codegen.llvm.contract.merge import merge
from codegen.llvm.contract.pack import Packer
from codegen.llvm.contract.plan import Choice
from codegen.llvm.contract.problem import Contraction, contraction
from codegen.llvm.contract.ways import LINE
from codegen.llvm.kernel import KernelText
from codegen.llvm.microkernel import Ahead, Microkernel, Walk
from codegen.llvm.scope import Scope, Value, index
from codegen.llvm.signature import Signature, signature
from codegen.loops.grammar import Kernel, Program, Stmt
from codegen.target import Target


def emit_contract(kernel: Kernel, program: Program, target: Target, choice: Choice | None = None) -> KernelText:
    """The text of a kernel whose schedule has the form "contract", by a plan of choice or the default."""
    described = signature(kernel, program)
    problem = merge(contraction(kernel, program))
    frame = Frame(_scope(problem, described, target), problem, plan(problem, target, choice))
    with frame.fn.stemming_from(kernel.body[0].origin):
        writer = _Writer(frame, target, kernel.body)
        text = writer.text()
    texts = [text, _parts_text(frame, described, target), *(micro.text() for micro in writer.microkernels)]
    helpers = frozenset(frame.scope.helpers)
    return KernelText(kernel.name, "\n".join(texts), described.buffers, described.dims, helpers, described.has_checks)


def _scope(problem: Contraction, described: Signature, target: Target) -> Scope:
    """The scope of the kernel's function; aliases point to where their buffers do."""
    fn = FunctionText(problem.name, described.parameters)
    pointers, stored = dict(described.pointers), set(described.stored)
    for alias, buffer in problem.aliases.items():
        pointers[alias] = pointers[buffer]
        if buffer in stored:
            stored.add(alias)
    status = "%status" if described.has_checks else None
    scope = Scope(fn, problem.program, target, pointers, described.values, stored, status)
    for name in described.sequence:
        scope.axes[name] = Value(described.values[name], "int64")
    return scope


# --- shares ------------------------------------------------------------------------------------------------------

ROWS, COLS = "rows.", "cols."
"""The names under which the grid of shares counts blocks of row tiles and of column tiles, beside its axes."""


def _grid(frame: Frame) -> list[tuple[str, Value, bool]]:
    """What a kernel iterates over, slowest first: (axis or block, how many, whether threads may divide it)."""
    chosen, shared = frame.plan, frame.problem.shared
    result = [(axis.name, frame.extent(axis), axis.name in shared) for axis in chosen.grid]
    down, across = chosen.row_tiles * chosen.tile.rows, chosen.col_tiles * chosen.tile.columns
    for name, axis, block in ((COLS, chosen.col, across), (ROWS, chosen.row, down)):
        result.append((name, frame.ceil_div(frame.extent(axis), block), axis.name in shared))
    return result


def _parts_text(frame: Frame, described: Signature, target: Target) -> str:
    """The function that says how many shares there are."""
    fn = FunctionText(f"{frame.problem.name}.parts", described.dim_parameters, returns="i64")
    counting = Frame(Scope(fn, frame.problem.program, target, {}, described.values), frame.problem, frame.plan)
    total = index(1)
    for _, count, shared in _grid(counting):
        if shared:
            total = counting.scope.mul(total, count)
    return fn.finish(f"i64 {total.text}")


TRUE = Value("true", "bool")


class _Writer:
    """Writes the kernel's function.

    micro   the microkernel of the only block of k, or of the last, after which the epilogue runs
    early   that of the blocks before it: another one where `micro` fetches what the epilogue reads
    """

    def __init__(self, frame: Frame, target: Target, body: tuple[Stmt, ...]) -> None:
        """`body` is the kernel's: the sum, then the epilogue."""
        self.frame, self.scope, self.plan, self.fn = frame, frame.scope, frame.plan, frame.fn
        self.tile = frame.plan.tile
        self.epilogue = Epilogue(frame)
        self.packer = Packer(frame)
        self.origins = (body[0].origin, body[-1].origin if self.epilogue.direct else body[0].origin)
        self.read_ahead, ahead = fetched_ahead(frame.problem, frame.plan, target)
        self.next_block = next_block(frame.problem, frame.plan, target)
        self.micro = self.early = self._microkernel(target, self.tile.rows, "tile", ahead)
        self.microkernels = [self.micro]
        if self.plan.row_edge == "single":
            self.microkernels.append(self._microkernel(target, 1, "row", None))
        if ahead is not None and not self.plan.depth.whole:
            self.early = self._microkernel(target, self.tile.rows, "early", None)
            self.microkernels.append(self.early)

    def _microkernel(self, target: Target, rows: int, suffix: str, ahead: Ahead | None) -> Microkernel:
        chosen, size, dtype = self.plan, self.frame.size, self.frame.dtype
        columns = chosen.col.extent if isinstance(chosen.col.extent, int) else "runtime"
        left_row, _, _ = chosen.left_layout(size)
        if chosen.left_mode == "place":
            left_row = int(chosen.left.strides.get(chosen.row.name, 0)) * size
        return Microkernel(
            name=f"{self.fn.name}.{suffix}",
            dtype=dtype,
            lanes=self.tile.lanes,
            rows=rows,
            vectors=self.tile.vectors,
            left_row=left_row,
            tile_row=self.epilogue.tile_row,
            walks=self._walks(),
            columns=columns if chosen.col_edge == "masked" else None,
            accumulates=not chosen.depth.whole,
            may_be_empty=not all(isinstance(axis.extent, int) and axis.extent for axis in chosen.inner),
            fused=target.fma,
            registers=target.registers,
            origins=self.origins,
            ahead=ahead,
            pairs=chosen.together == 2,
            following=following(chosen, size) if rows == self.tile.rows else (),
        )

    def _walks(self) -> tuple[Walk, ...]:
        """The loops of the microkernel in bytes, outermost first; what is packed follows in the order of k."""
        chosen, size = self.plan, self.frame.size
        _, left_packed, _ = chosen.left_layout(size)
        right_packed, _ = chosen.right_layout(size)
        found: list[Walk] = []
        inside = 1
        for number, level in reversed(list(enumerate(chosen.levels))):
            left = level.left * size if isinstance(level.left, int) else None
            right = level.right * size if isinstance(level.right, int) else None
            if chosen.left_mode != "place":
                left = left_packed * inside
            if chosen.right_mode != "place":
                right = right_packed * inside
            count = math.prod(int(axis.extent) for axis in level.axes) if number else None
            inside *= count or 1
            found.append(Walk(count, left, right))
        return tuple(reversed(found))

    def text(self) -> str:
        """The whole function: loops over the shares from lo to hi, and inside each over what threads may not divide."""
        self._scratch()
        grid = _grid(self.frame)
        shared = [(name, count) for name, count, divided in grid if divided]
        if self.plan.shares > 1 and len(shared) == len(grid):
            self._shares_together(shared)
            return self.fn.finish()
        with self.frame.loop(Value("%lo", "int64"), Value("%hi", "int64"), stem="share") as share:
            self._locate(shared, share)
            with ExitStack() as loops:
                for name, count, divided in grid:
                    if not divided:
                        self.scope.axes[name] = loops.enter_context(self.frame.loop(index(0), count))
                self._share()
        return self.fn.finish()

    def _scratch(self) -> None:
        """Stack memory for what is packed and for sums."""
        chosen, size = self.plan, self.frame.size
        if chosen.left_mode != "place":
            self.packed_left = self.frame.scratch(chosen.row_tiles * chosen.left_layout(size)[2])
        if chosen.right_mode != "place":
            self.packed_right = self.frame.scratch(chosen.col_tiles * chosen.right_layout(size)[1])
        tiles = 1 if chosen.depth.whole else chosen.shares * chosen.row_tiles * chosen.col_tiles
        if not self.epilogue.direct:
            self.sums = self.frame.scratch(tiles * self._tile_bytes())

    def _tile_bytes(self) -> int:
        return self.tile.rows * self.tile.columns * self.frame.size

    def _locate(self, grid: list[tuple[str, Value]], share: Value) -> None:
        """Bind the position along each counted thing from the number of a share; the last one runs fastest."""
        rest = share
        for number, (name, count) in reversed(list(enumerate(grid))):
            if count.text == "1":
                self.scope.axes[name] = index(0)
            elif number == 0:
                self.scope.axes[name] = rest
            else:
                self.scope.axes[name] = self.scope.operate("urem", rest, count)
                rest = self.scope.operate("udiv", rest, count)

    # --- one share ---

    def _share(self) -> None:
        """All of one block of tiles."""
        if self.plan.depth.whole:
            for axis in self.plan.inner:
                self.frame.k_from[axis.name], self.frame.k_to[axis.name] = index(0), self.frame.extent(axis)
            self._tiles(TRUE)
            return
        size = self._tile_bytes() * self.plan.row_tiles * self.plan.col_tiles
        self.fn.do(f"call void @llvm.memset.p0.i64(ptr {self.sums.text}, i8 0, i64 {size}, i1 false)")
        with self._blocks_of_k() as last:
            self._tiles(last)

    def _shares_together(self, grid: list[tuple[str, Value]]) -> None:
        """All shares from lo to hi, as many at a time as have room for their sums: every block of k for all of them."""
        frame, scope = self.frame, self.scope
        hi = Value("%hi", "int64")
        sums, size = self.sums, self._tile_bytes() * self.plan.row_tiles * self.plan.col_tiles
        with frame.loop(Value("%lo", "int64"), hi, self.plan.shares, stem="shares") as first:
            count = scope.minimum(index(self.plan.shares), scope.sub(hi, first))
            bytes_ = frame.times(count, size)
            self.fn.do(f"call void @llvm.memset.p0.i64(ptr {sums.text}, i8 0, i64 {bytes_.text}, i1 false)")
            with self._blocks_of_k() as last, frame.loop(index(0), count, stem="share") as number:
                self.sums = frame.at(sums, frame.times(number, size))
                self._locate(grid, scope.add(first, number))
                self._tiles(last)

    @contextmanager
    def _blocks_of_k(self) -> Iterator[Value]:
        """Loops over the blocks of k, in the order of k; gives whether a block is the last."""
        frame, scope, depth = self.frame, self.scope, self.plan.depth
        with ExitStack() as loops:
            last = TRUE
            for number, axis in enumerate(self.plan.inner[: depth.split + 1]):
                extent, step = frame.extent(axis), depth.chunk if number == depth.split else 1
                stop = frame.at_least(extent, 1)  # a sum of nothing has one block, too
                start = scope.axes[axis.name] = loops.enter_context(frame.loop(index(0), stop, step, stem="k"))
                frame.k_from[axis.name] = start
                frame.k_to[axis.name] = scope.minimum(scope.add(start, index(step)), extent)
                end = scope.operate("icmp eq", frame.k_to[axis.name], extent, "bool")
                last = scope.operate("and", last, end, "bool")
            for axis in self.plan.inner[depth.split + 1 :]:
                frame.k_from[axis.name], frame.k_to[axis.name] = index(0), frame.extent(axis)
            yield last

    def _tiles(self, last: Value) -> None:
        """Every tile of the share, for one block of k, and what follows the last block."""
        if self.plan.left_mode != "place":
            self.packer.left(lambda: self._each_tile(ROWS), self._packed_rows)
        if self.plan.right_mode != "place":
            self.packer.right(lambda: self._each_tile(COLS), self._packed_columns)
        with self._each_tile(COLS) as column, self._each_tile(ROWS) as row:
            if self.next_block is not None:
                self._fetch(self.next_block, self._number(row, column), last)
            if self.early is not self.micro:
                with self.frame.when(self.scope.operate("xor", last, TRUE, "bool")):
                    self._multiply(row, column, self.early)
            else:
                self._multiply(row, column, self.micro)
            with self.frame.when(last) if last is not TRUE else nullcontext():
                if self.early is not self.micro:
                    self._multiply(row, column, self.micro)
                self._finish(row, column)

    def _fetch(self, part: Part, tile: Value, last: Value) -> None:
        """Ask for a tile's part of what is packed next of the right operand: for the next block of k, or, after the
        last, for the first of the next columns."""
        frame, scope, chosen = self.frame, self.scope, self.plan
        k, width = chosen.inner[0].name, chosen.col_tiles * self.tile.columns
        column = frame.times(scope.add(scope.axes[COLS], scope.select(last, index(1), index(0))), width)
        scope.axes[k], scope.axes[chosen.col.name] = scope.select(last, index(0), frame.k_to[k]), column
        first = scope.add(scope.axes[part.axis.name], frame.times(tile, part.count))
        for number in range(part.count):
            scope.axes[part.axis.name] = scope.add(first, index(number))
            address = frame.operand_address(chosen.right)
            for line in range(part.lines):
                at = frame.at(address, index(line * LINE))
                self.fn.do(f"call void @llvm.prefetch.p0(ptr {at.text}, i32 0, i32 3, i32 1)")

    # --- tiles ---

    @contextmanager
    def _each_tile(self, along: str) -> Iterator[Span]:
        """A loop over the tiles of the share along the rows (ROWS) or columns (COLS); none for a single one."""
        frame, scope, chosen = self.frame, self.scope, self.plan
        rows = along == ROWS
        axis, height = (chosen.row, self.tile.rows) if rows else (chosen.col, self.tile.columns)
        most, edge = (chosen.row_tiles, chosen.row_edge) if rows else (chosen.col_tiles, chosen.col_edge)
        extent, block = frame.extent(axis), scope.axes[along]
        if most == 1:
            yield self._span(block, index(0), height, extent, edge)
            return
        first = frame.times(block, most)
        count = scope.minimum(index(most), scope.sub(frame.ceil_div(extent, height), first))
        with frame.loop(index(0), count, stem="row" if rows else "col") as number:
            yield self._span(scope.add(first, number), number, height, extent, edge)

    def _span(self, tile: Value, number: Value, height: int, extent: Value, edge: str) -> Span:
        frame, scope = self.frame, self.scope
        begin, size = frame.times(tile, height), index(height)
        if edge == "exact":
            return Span(number, begin, index(0), size)
        if edge in ("packed", "masked"):
            return Span(number, begin, index(0), scope.minimum(size, scope.sub(extent, begin)))
        start = scope.minimum(begin, scope.sub(extent, size))
        if edge == "overlap":
            return Span(number, start, scope.sub(begin, start), size)
        start = frame.at_least(start, 0)
        return Span(number, start, scope.sub(begin, start), scope.minimum(size, scope.sub(extent, start)))

    def _multiply(self, row: Span, column: Span, micro: Microkernel) -> None:
        """Add the products of the present block of k to one tile of sums."""
        frame, scope, chosen = self.frame, self.scope, self.plan
        for axis in chosen.inner:
            scope.axes[axis.name] = frame.k_from[axis.name]
        scope.axes[chosen.row.name], scope.axes[chosen.col.name] = row.start, column.start
        left = frame.operand_address(chosen.left) if chosen.left_mode == "place" else self._packed_rows(row)
        right = frame.operand_address(chosen.right) if chosen.right_mode == "place" else self._packed_columns(column)
        steps = frame.ceil_div(frame.count(chosen.levels[0].axes), chosen.together)
        tile = self._sums_of(row, column)
        if chosen.row_edge != "single":
            self._call(micro, left, right, steps, tile, column)
            return
        enough = scope.operate("icmp sge", frame.extent(chosen.row), index(self.tile.rows), "bool")
        with frame.when(enough):
            self._call(micro, left, right, steps, tile, column)
        too_few = scope.operate("icmp slt", frame.extent(chosen.row), index(self.tile.rows), "bool")
        with frame.when(too_few), frame.loop(index(0), row.stop, stem="row") as one:
            left = frame.at(left, frame.times(one, micro.left_row))
            tile = frame.at(tile, frame.times(one, micro.tile_row))
            self._call(self.microkernels[1], left, right, steps, tile, column)

    def _call(self, micro: Microkernel, left: Value, right: Value, steps: Value, tile: Value, column: Span) -> None:
        arguments = [f"ptr {left.text}", f"ptr {right.text}", f"i64 {steps.text}", f"ptr {tile.text}"]
        outer, level = micro.walks[0], self.plan.levels[0]
        for known, step in ((outer.left, level.left), (outer.right, level.right)):
            if known is None:
                arguments.append(self.frame.times(self.scope.dim(step), self.frame.size).typed)
        if micro.columns == "runtime":
            arguments.append(column.stop.typed)
        if micro.ahead is not None:
            arguments += [f"ptr {self.frame.load_address(load).text}" for load in self.read_ahead]
        self.fn.do(f"call void @{micro.name}({', '.join(arguments)})")

    def _packed_rows(self, row: Span) -> Value:
        """Where the packed left operand of a tile is."""
        size = self.plan.left_layout(self.frame.size)[2]
        return self.frame.at(self.packed_left, self.frame.times(row.number, size))

    def _packed_columns(self, column: Span) -> Value:
        """Where the packed right operand of a panel is."""
        size = self.plan.right_layout(self.frame.size)[1]
        return self.frame.at(self.packed_right, self.frame.times(column.number, size))

    def _sums_of(self, row: Span, column: Span) -> Value:
        """Where the sums of a tile go."""
        if self.epilogue.direct:
            return self.epilogue.address()
        if self.plan.depth.whole:
            return self.sums
        return self.frame.at(self.sums, self.frame.times(self._number(row, column), self._tile_bytes()))

    def _number(self, row: Span, column: Span) -> Value:
        """The number of a tile in the share."""
        return self.scope.add(self.frame.times(column.number, self.plan.row_tiles), row.number)

    def _finish(self, row: Span, column: Span) -> None:
        if not self.epilogue.direct:
            self.epilogue.emit(row, column, self._sums_of(row, column))
