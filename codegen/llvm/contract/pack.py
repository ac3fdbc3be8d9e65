"""Packing: an operand's part for one block of k, copied into contiguous scratch memory in the microkernel's order.

The operand is evaluated like any other scalar expression, through its access map: transposition, strides, guards
(the padding of a convolution) and whatever is applied to the elements come with it.

    left   row after row (`along k`, `scalar`) or k after k (`along rows`)
    right  k after k, the tile's columns next to each other; columns that do not exist are zeros or arbitrary numbers

Where elements are rounded to bfloat16, those of two k that follow each other are one element of what is packed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

from codegen.llvm.builder import vector_type
from codegen.llvm.contract.frame import Frame, Span
from codegen.llvm.contract.pairs import pairs_across, pairs_along
from codegen.llvm.contract.problem import Operand
from codegen.llvm.scalars import emit_scalar
from codegen.llvm.scope import Value, const, index
from codegen.llvm.turn import turned
from codegen.loops.grammar import Scalar
from symnet.expr import dims as dimension
from symnet.expr.dims import Dim
from symnet.expr.dtypes import SHORT

Masks = tuple[Value | None, ...]
"""Of a vector along k, or of the two that are packed into one."""
Tiles = Callable[[], AbstractContextManager[Span]]
"""Opens a loop over tiles and gives the present one."""


class Packer:
    """Writes the packing of both operands."""

    def __init__(self, frame: Frame) -> None:
        self.frame, self.scope, self.plan = frame, frame.scope, frame.plan
        self.lanes, self.together = frame.plan.tile.lanes, frame.plan.together
        if frame.plan.right_mode == "along k" and frame.plan.right.load is None:
            self.square = frame.scratch(self.lanes * self.lanes * frame.size)

    # --- left ---

    def left(self, tiles: Tiles, place: Callable[[Span], Value]) -> None:
        """Pack every tile of rows to its place; rows past the last are copies of it, or arbitrary numbers."""
        if self.plan.left_mode == "along rows":
            with self._each_k(len(self.plan.inner)) as k, tiles() as row:  # neighbouring tiles are neighbours in memory
                self._left_along_rows(row.start, place(row), k)
        else:
            with tiles() as row:
                self._left_along_k(row.start, place(row))

    def _left_along_rows(self, row: Value, place: Value, k: Value) -> None:
        frame, plan, scope = self.frame, self.plan, self.scope
        _, step, _ = plan.left_layout(frame.size)
        at = frame.at(place, self._at(k, step))
        whole = isinstance(plan.row.extent, int) and plan.row.extent % self.lanes == 0 == plan.tile.rows % self.lanes
        for vector in range(math.ceil(plan.tile.rows / self.lanes)):
            base = scope.add(row, index(vector * self.lanes))
            mask = None if whole else self._mask(frame.extent(plan.row), base)
            value = self._across(plan.left.value, plan.row.name, base, mask)
            self._put(value, frame.at(at, index(vector * self.lanes * frame.size)))

    def _left_along_k(self, row: Value, place: Value) -> None:
        frame, plan, scope = self.frame, self.plan, self.scope
        between, step, _ = plan.left_layout(frame.size)
        with frame.loop(index(0), index(plan.tile.rows), stem="row") as r:
            position = scope.add(row, r)
            if plan.row_edge != "exact":
                position = scope.minimum(position, scope.sub(frame.extent(plan.row), index(1)))
            scope.axes[plan.row.name] = position
            at = frame.at(place, frame.times(r, between))
            if plan.left_mode == "scalar":
                with self._each_k(len(plan.inner)) as k:
                    self._put(emit_scalar(scope, plan.left.value), frame.at(at, frame.times(k, step)))
                return
            for k, read in self._along_k(plan.left, plan.left_step):
                self._put(read(), frame.at(at, self._at(k, step)))

    # --- right ---

    def right(self, tiles: Tiles, place: Callable[[Span], Value]) -> None:
        """Pack every panel of columns to its place."""
        if self.plan.right_mode == "along columns":
            with self._each_k(len(self.plan.inner)) as k, tiles() as column:
                self._right_along_columns(column.start, place(column), k)
        else:
            with tiles() as column:
                self._right_along_k(column.start, place(column))

    def _right_along_columns(self, column: Value, place: Value, k: Value) -> None:
        frame, plan, scope = self.frame, self.plan, self.scope
        step, _ = plan.right_layout(frame.size)
        at = frame.at(place, self._at(k, step))
        for vector in range(plan.tile.vectors):
            base = scope.add(column, index(vector * self.lanes))
            mask = None if plan.col_edge == "exact" else self._mask(frame.extent(plan.col), base)
            value = self._across(plan.right.value, plan.col.name, base, mask)
            self._put(value, frame.at(at, index(vector * self.lanes * frame.size)))

    def _right_along_k(self, column: Value, place: Value) -> None:
        """In squares of lanes x lanes: vectors along k for each column, transposed in registers."""
        frame, plan, scope = self.frame, self.plan, self.scope
        step, _ = plan.right_layout(frame.size)
        with frame.loop(index(0), index(plan.tile.columns), self.lanes, stem="square") as first:
            corner, first_column = frame.at(place, frame.times(first, frame.size)), scope.add(column, first)
            for k, read in self._along_k(plan.right, plan.right_step):
                rows = self._columns_of_square(first_column, read)
                self._put_transposed(rows, frame.at(corner, self._at(k, step)), step)

    def _columns_of_square(self, column: Value, read: Callable[[], Value]) -> list[str]:
        """Vectors along k, one for each of the columns from `column` on; those past the last are copies of it.

        A plain load is written out for every column; anything else in a loop, by way of memory.
        """
        frame, scope, axes = self.frame, self.scope, self.scope.axes
        rows: list[str] = []
        if self.plan.right.load is not None:
            for number in range(self.lanes):
                axes[self.plan.col.name] = self._existing(scope.add(column, index(number)))
                rows.append(read().text)
            return rows
        kind, between = vector_type(frame.dtype, self.lanes), self.lanes * frame.size
        with frame.loop(index(0), index(self.lanes), stem="col") as row:
            scope.axes[self.plan.col.name] = self._existing(scope.add(column, row))
            self._put(read(), frame.at(self.square, frame.times(row, between)))
        for number in range(self.lanes):
            at = frame.at(self.square, index(number * between))
            rows.append(scope.here(f"load {kind}, ptr {at.text}, align {frame.size}", frame.dtype).text)
        return rows

    def _existing(self, column: Value) -> Value:
        """The column, or the last one where it does not exist."""
        if self.plan.col_edge == "exact":
            return column
        return self.scope.minimum(column, self.scope.sub(self.frame.extent(self.plan.col), index(1)))

    def _put_transposed(self, rows: list[str], corner: Value, step: int) -> None:
        """A square of as many vectors as lanes, rows and columns exchanged, to `corner` with `step` bytes between
        rows."""
        fn, kind = self.frame.fn, vector_type(self.frame.dtype, self.lanes)
        for number, row in enumerate(turned(fn, rows, self.frame.dtype)):
            at = fn.value(f"getelementptr i8, ptr {corner.text}, i64 {number * step}")
            fn.do(f"store {kind} {row}, ptr {at}, align {self.frame.size}")

    # --- shared ---

    def _at(self, k: Value, step: int) -> Value:
        """The bytes before number `k`, a multiple of `together`, with `step` bytes between packed elements."""
        return self.frame.times(k, step // self.together)

    @contextmanager
    def _each_k(self, stop: int) -> Iterator[Value]:
        """Loops over the inner axes of the block up to number `stop`; gives the number of k before the position.

        What is packed together is one position of the last axis.
        """
        frame, plan, scope = self.frame, self.plan, self.scope
        axes = plan.inner[plan.depth.split : stop]
        with ExitStack() as loops:
            total = index(0)
            for number, axis in enumerate(axes, plan.depth.split):
                start, end = frame.k_from[axis.name], frame.k_to[axis.name]
                by = self.together if number == len(plan.inner) - 1 else 1
                scope.axes[axis.name] = position = loops.enter_context(frame.loop(start, end, by, stem="k"))
                following: Dim = dimension.product(inner.extent for inner in plan.inner[number + 1 :])
                total = scope.add(total, scope.mul(scope.sub(position, start), scope.dim(following)))
            yield total

    def _along_k(self, operand: Operand, step: Dim) -> Iterator[tuple[Value, Callable[[], Value]]]:
        """Vectors along k: the number of k before each, and what reads it at the present row or column.

        Several summed axes that are one run of memory are read as one; otherwise vectors lie along the last of them.
        To be exhausted by a `for`: what follows a step is written inside the loop over the vectors.
        """
        frame, scope, inner = self.frame, self.scope, self.plan.inner
        if operand.load is not None and step == 1 and len(inner) > 1:
            for base, masks in self._vectors(index(0), frame.steps(), whole=False):
                yield base, partial(self._joined, partial(self._run, operand), base, masks)
            return
        start, stop = frame.k_from[inner[-1].name], frame.k_to[inner[-1].name]
        with self._each_k(len(inner) - 1) as k:
            for base, masks in self._vectors(start, stop, self._whole_vectors()):
                before = scope.add(k, scope.sub(base, start))
                yield before, partial(self._joined, partial(self._vector, operand.value, inner[-1].name), base, masks)

    def _vectors(self, start: Value, stop: Value, whole: bool) -> Iterator[tuple[Value, Masks]]:
        """Vectors from start to stop, for each its first position and masks: a loop, then what is left over.

        `whole` says that there is nothing left over.
        """
        length = self.lanes * self.together
        scope, count = self.scope, self.scope.sub(stop, start)
        if whole:
            full = count
        elif count.is_constant:
            full = index(int(count.text) // length * length)
        else:
            full = scope.operate("and", count, index(-length))
        middle = scope.add(start, full)
        if full.text != "0":
            with self.frame.loop(start, middle, length, stem="k") as base:
                yield base, (None,) * self.together
        if full.text != count.text:
            left_over = scope.sub(stop, middle)
            with self.frame.when(scope.operate("icmp sgt", left_over, index(0), "bool")):
                parts = (scope.sub(left_over, index(before)) for before in range(0, length, self.lanes))
                yield middle, tuple(scope.prefix_mask(part, self.lanes) for part in parts)

    def _whole_vectors(self) -> bool:
        """Whether every block of k is whole vectors along the last inner axis, as far as numbers tell."""
        depth, extent = self.plan.depth, self.plan.inner[-1].extent
        cut = not depth.whole and depth.split == len(self.plan.inner) - 1
        length = self.lanes * self.together
        return isinstance(extent, int) and extent % length == 0 and not (cut and depth.chunk % length)

    def _joined(self, read: Callable[[Value, Value | None], Value], first: Value, masks: Masks) -> Value:
        """A packed vector along k from position `first` on, of what `read` gives at a position under a mask."""
        bases = (self.scope.add(first, index(number * self.lanes)) for number in range(self.together))
        parts = [read(base, mask) for base, mask in zip(bases, masks, strict=True)]
        return parts[0] if self.together == 1 else pairs_along(self.scope, *parts)

    def _across(self, value: Scalar, axis: str, base: Value, mask: Value | None) -> Value:
        """A packed vector of the operand at consecutive positions of its row or column axis, for the present k.

        Of a pair whose second k does not exist, that is a zero.
        """
        if self.together == 1:
            return self._vector(value, axis, base, mask)
        scope, last = self.scope, self.plan.inner[-1]
        k, end = scope.axes[last.name], self.frame.k_to[last.name]
        following = scope.add(k, index(1))
        even = isinstance(last.extent, int) and last.extent % 2 == 0
        low = self._vector(value, axis, base, mask)
        scope.axes[last.name] = following if even else scope.minimum(following, scope.sub(end, index(1)))
        high = self._vector(value, axis, base, mask)
        scope.axes[last.name] = k
        if not even:
            exists = scope.operate("icmp slt", following, end, "bool")
            high = scope.select(exists, high, const(0.0, high.dtype))
        return pairs_across(scope, low, high)

    def _run(self, operand: Operand, k: Value, mask: Value | None) -> Value:
        """A vector of an operand that is one run of memory along k, from number `k` of the block on."""
        frame, lanes = self.frame, self.lanes
        for axis in self.plan.inner:
            self.scope.axes[axis.name] = frame.k_from[axis.name]
        at = frame.at(frame.operand_address(operand), frame.times(k, frame.size))
        kind = vector_type(frame.dtype, lanes)
        if mask is None:
            return self.scope.emit(f"load {kind}, ptr {at.text}, align {frame.size}", (at,), frame.dtype, lanes)
        arguments = f"ptr {at.text}, i32 {frame.size}, {mask.typed}, {kind} zeroinitializer"
        instruction = f"call {kind} @llvm.masked.load.v{lanes}{SHORT[frame.dtype]}.p0({arguments})"
        return self.scope.emit(instruction, (at, mask), frame.dtype, lanes)

    def _mask(self, extent: Value, base: Value) -> Value:
        """The lanes from `base` on that lie before `extent`; none where it lies after."""
        return self.scope.prefix_mask(self.scope.sub(extent, base), self.lanes)

    def _vector(self, value: Scalar, axis: str, base: Value, mask: Value | None) -> Value:
        """The operand at consecutive positions of an axis."""
        with self.scope.in_lanes(axis, base, self.lanes, mask):
            return self.scope.splat(emit_scalar(self.scope, value), self.lanes)

    def _put(self, value: Value, place: Value) -> None:
        self.frame.fn.do(f"store {value.typed}, ptr {place.text}, align {self.frame.size}")
