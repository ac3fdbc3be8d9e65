"""Kernels as loop nests: everything that is not a contraction.

The kernel's leading parallel axes are flattened into shares, of which a call computes [lo, hi). The other axes become
loops; the scheduled one runs in vector lanes: whole vectors first, then one masked vector for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product

from codegen.llvm import access
from codegen.llvm.builder import FunctionText
from codegen.llvm.kernel import KernelText
from codegen.llvm.nest_plan import lanes, merge, partition, riding, together, unrolled, vector_axes
from codegen.llvm.nest_reduce import Accumulator, Arg
from codegen.llvm.scalars import emit_block, emit_scalar
from codegen.llvm.scope import Scope, Value, index
from codegen.llvm.signature import Signature, signature
from codegen.llvm.stream import Streamed, ahead, streamed
from codegen.llvm.turn import copy_turned
from codegen.loops.copies import exchanged
from codegen.loops.grammar import Axis, Kernel, Loop, Program, Reduce, Stmt
from codegen.target import Target
from symnet.expr import dims as dimension

CHUNK = 1024
"""Elements of the vector axis in one share, where the axis is shared out together with others."""


def emit_nest(kernel: Kernel, program: Program, target: Target) -> KernelText:
    """The function of a kernel whose schedule has the form "nest", and the one that counts its shares."""
    known = signature(kernel, program)
    nest = _Nest(streamed(kernel, program), target, known)
    text = nest.emit()
    return KernelText(kernel.name, text, known.buffers, known.dims, frozenset(nest.scope.helpers), known.has_checks)


@dataclass(frozen=True)
class _Inner:
    """How the axes of an inner statement run: `merged` ones are 0, `vector` is in `lanes` lanes, the rest are loops."""

    axes: tuple[Axis, ...]
    merged: tuple[str, ...]
    vector: Axis | None
    lanes: int


class _Nest:
    """One kernel being printed."""

    def __init__(self, large: Streamed, target: Target, known: Signature) -> None:
        """`known` is the signature of the kernel before what is large was set apart."""
        self.kernel, self.program, self.target, self.known = large.kernel, large.program, target, known
        self.fn = FunctionText(self.kernel.name, known.parameters)
        self.entry = self.fn.place()
        self.scope = self._scope(self.fn, "%status" if known.has_checks else None)
        self.scope.streamed, self.scope.stored = large.written, self.scope.stored | set(large.rows)
        for name, size in large.rows.items():
            self.scope.pointers[name] = self.fn.value_at(self.entry, f"alloca [{size} x i8], align 64", "row")
        self.in_lanes, self.ahead = vector_axes(self.kernel), ahead(self.kernel, self.program)
        self.work = partition(self.kernel, self.program)
        self.turned = exchanged(self.kernel)
        if self.turned is not None and not set(self.turned) <= set(self.work.rest):
            self.turned = None

    def _scope(self, fn: FunctionText, status: str | None) -> Scope:
        values = self.known.values
        scope = Scope(fn, self.program, self.target, self.known.pointers, values, self.known.stored, status)
        scope.axes.update({axis: Value(values[axis], "int64") for axis in self.known.sequence})
        return scope

    def emit(self) -> str:
        for axis in self.work.merged:
            self.scope.axes[axis] = index(0)
        self._shares()
        if self.scope.streamed:  # whoever meets this thread at a barrier must see what went past the caches
            self.fn.do("fence seq_cst")
        return self.fn.finish() + self._count_shares()

    # --- shares ---

    @property
    def _lanes(self) -> int:
        assert self.work.vector is not None
        return lanes(self.kernel.body, self.work.vector, self.target)

    @property
    def _chunk(self) -> int:
        """Elements of the vector axis in a share, when it is among the shared axes."""
        return self._lanes if len(self.work.shared) == 1 else max(CHUNK, self._lanes)

    def _count_shares(self) -> str:
        fn = FunctionText(f"{self.kernel.name}.parts", self.known.dim_parameters, returns="i64")
        scope = self._scope(fn, None)
        total = index(1)
        for axis in self.work.shared:
            total = scope.mul(total, self._parts(scope, axis))
        return fn.finish(f"i64 {total.text}")

    def _parts(self, scope: Scope, axis: Axis) -> Value:
        """Into how many pieces a shared axis is cut."""
        extent = scope.dim(axis.extent)
        piece = self._chunk if axis is self.work.vector else self.work.band
        if piece == 1:
            return extent
        if extent.is_constant:
            return index(-(-int(extent.text) // piece))
        return scope.operate("udiv", scope.add(extent, index(piece - 1)), index(piece))

    def _shares(self) -> None:
        """The loop over the shares of this call, and everything inside."""
        lo, hi = Value("%lo", "int64"), Value("%hi", "int64")
        if not self.work.shared:
            self._loops(self.work.rest, None)
        elif len(self.work.shared) == 1 and self.work.shared[0] is self.work.vector:
            chunk = index(self._chunk)
            stop = self.scope.minimum(self.scope.mul(hi, chunk), self.scope.dim(self.work.vector.extent))
            self._loops(self.work.rest, (self.scope.mul(lo, chunk), stop))
        elif self.work.band > 1:
            (rows,), band = self.work.shared, index(self.work.band)
            stop = self.scope.minimum(self.scope.mul(hi, band), self.scope.dim(rows.extent))
            with self.scope.loop(rows.name, self.scope.mul(lo, band), stop):
                self._loops(self.work.rest, None)
        else:
            with self.scope.level(), self.fn.loop("%lo", "%hi", stem="share") as share:
                piece = self._decompose(Value(share, "int64", 1, self.scope.depth))
                self._loops(self.work.rest, piece)

    def _decompose(self, share: Value) -> tuple[Value, Value] | None:
        """Bind the shared axes for a share; the range of the vector axis when it is one of them."""
        scope, piece = self.scope, None
        for axis in reversed(self.work.shared):
            parts = self._parts(scope, axis)
            position = share if axis is self.work.shared[0] else scope.operate("urem", share, parts)
            share = share if axis is self.work.shared[0] else scope.operate("udiv", share, parts)
            if axis is self.work.vector:
                start = scope.mul(position, index(self._chunk))
                stop = scope.minimum(scope.add(start, index(self._chunk)), scope.dim(axis.extent))
                piece = start, stop
            else:
                scope.axes[axis.name] = position
        return piece

    # --- loops ---

    def _loops(self, axes: tuple[Axis, ...], piece: tuple[Value, Value] | None) -> None:
        """The loops over the kernel's axes that are not shared out, the vector axis innermost, and the body."""
        with ExitStack() as stack:
            for axis in axes:
                if axis is not self.work.vector and axis not in (self.turned or ()):
                    stack.enter_context(self.scope.loop(axis.name, index(0), self.scope.dim(axis.extent)))
            if self.turned is not None:
                copy_turned(self.scope, self.kernel, *self.turned)
            elif self.work.vector is None:
                self.block(self.kernel.body)
            else:
                start, stop = piece or (index(0), self.scope.dim(self.work.vector.extent))
                self._vector_loop(self.work.vector.name, start, stop, self._lanes, lambda: self.block(self.kernel.body))

    def _vector_loop(self, axis: str, start: Value, stop: Value, count: int, body: Callable[[], None]) -> None:
        """Run `body` over [start, stop) of `axis` in `count` lanes: whole vectors, then a masked one for the rest."""
        scope, length = self.scope, self.scope.sub(stop, start)
        if length.is_constant:
            rest = index(int(length.text) % count)
            full = scope.sub(length, rest)
        else:
            full = scope.operate("and", length, index(-count))
            rest = scope.sub(length, full)
        middle = scope.add(start, full)
        if full.text == str(count):
            with scope.level(), scope.in_lanes(axis, start, count, None, aligned=True):
                body()
        elif full.text != "0":
            with scope.loop(axis, start, middle, count) as base, scope.in_lanes(axis, base, count, None, aligned=True):
                body()
        if rest.text == "0":
            return
        with ExitStack() as stack:
            stack.enter_context(scope.level())
            if not rest.is_constant:
                some = scope.operate("icmp sgt", rest, index(0), "bool")
                stack.enter_context(scope.fn.when(some.text, "tail"))
            mask = scope.prefix_mask(rest, count)
            stack.enter_context(scope.in_lanes(axis, middle, count, mask, aligned=True))
            body()

    # --- statements ---

    def block(self, body: tuple[Stmt, ...]) -> None:
        groups = list(together(body))
        while groups:
            group = groups.pop(0)
            (stmt, *_) = group
            with self.fn.stemming_from(stmt.origin):
                if isinstance(stmt, Loop):
                    sums = self._riding(stmt, groups[0]) if groups else ()
                    if sums:
                        groups.pop(0)
                    self._loop(stmt, sums)
                elif isinstance(stmt, Reduce) and stmt.each:
                    self._running(stmt)
                elif isinstance(stmt, Reduce):
                    self._reduce(stmt.axes, group)
                else:
                    emit_block(self.scope, group)

    def _riding(self, loop: Loop, group: tuple[Stmt, ...]) -> tuple[Reduce, ...]:
        """The sums of a group that run inside the loop before it."""
        in_lanes = self.scope.vector is None and loop.axes[-1].name in self.in_lanes
        return riding(loop, group) if in_lanes else ()

    def _loop(self, loop: Loop, sums: tuple[Reduce, ...]) -> None:
        """An inner loop, with sums over what it stores."""

        def body() -> None:
            self.block(loop.body)
            self._fetch(loop.axes[-1])

        if sums:
            self._reduce(loop.axes, sums, self._plan(loop.axes, (loop, *sums)), body)
        else:
            self._inner(self._plan(loop.axes, (loop,)), body)

    def _fetch(self, axis: Axis) -> None:
        """Fetch what the next row begins with, where that is to be done."""
        if self.ahead is not None and axis.name == self.ahead.loop and self.scope.vector == axis.name:
            for load in self.ahead.loads:
                access.fetch(self.scope, load, emit_scalar)

    def _inner(self, inner: _Inner, body: Callable[[], None]) -> None:
        """The loops of an inner statement around `body`."""
        scope = self.scope
        with ExitStack() as stack:
            for name in inner.merged:
                scope.axes[name] = index(0)
            for axis in inner.axes:
                if axis is not inner.vector:
                    stack.enter_context(scope.loop(axis.name, index(0), scope.dim(axis.extent)))
            if inner.vector is None:
                body()
            else:
                stop = scope.dim(inner.vector.extent)
                self._vector_loop(inner.vector.name, index(0), stop, inner.lanes, body)

    def _plan(self, axes: tuple[Axis, ...], group: tuple[Stmt, ...]) -> _Inner:
        """How the axes of inner statements run: in lanes where that was chosen, unless they are in lanes already."""
        scope = self.scope
        vector = next((axis for axis in axes if axis.name in self.in_lanes), None)
        if vector is None or scope.vector is not None:
            return _Inner(axes, (), None, scope.lanes)
        if vector is not axes[-1]:
            return _Inner(axes, (), vector, lanes(group, vector, self.target))
        axes, merged = merge(self.program, group, axes)
        return _Inner(axes, merged, axes[-1], lanes(group, axes[-1], self.target))

    def _reduce(
        self,
        axes: tuple[Axis, ...],
        group: tuple[Stmt, ...],
        inner: _Inner | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Reductions over the same axes, in one loop; `before` is what each of its iterations does first."""
        sums = [stmt for stmt in group if isinstance(stmt, Reduce)]
        inner = inner or self._plan(axes, group)
        kept = [self._accumulator(stmt, inner.lanes, across=inner.vector is not None) for stmt in sums]

        def body() -> None:
            if before is not None:
                before()
            for stmt, accumulator in zip(sums, kept, strict=True):
                with self.fn.stemming_from(stmt.origin):
                    self.block(stmt.body)
                    accumulator.update(emit_scalar(self.scope, stmt.value), axes[-1].name)

        if self.scope.vector is not None and before is None and all(map(unrolled, sums)):
            self._unrolled(axes, body)
        else:
            self._inner(inner, body)
        self.scope.refs.update({stmt.name: accumulator.result() for stmt, accumulator in zip(sums, kept, strict=True)})

    def _unrolled(self, axes: tuple[Axis, ...], body: Callable[[], None]) -> None:
        """`body` at every position of the axes, one after the other."""
        names = [axis.name for axis in axes]
        extents = [dimension.evaluate(axis.extent, {}) for axis in axes]
        for place in product(*map(range, extents)):
            with self.scope.fixed(dict(zip(names, map(index, place), strict=True))):
                body()

    def _accumulator(self, stmt: Reduce, count: int, across: bool) -> Accumulator:
        kind = Arg if stmt.reducer in ("argmax", "argmin") else Accumulator
        return kind(self.scope, self.entry, stmt.reducer, stmt.value.dtype, count, across)

    def _running(self, stmt: Reduce) -> None:
        """A reduction whose running value is seen: one position after another."""
        scope = self.scope
        accumulator = self._accumulator(stmt, scope.lanes, across=False)
        (axis,) = stmt.axes
        with scope.loop(axis.name, index(0), scope.dim(axis.extent), reverse=stmt.reverse):
            self.block(stmt.body)
            accumulator.update(emit_scalar(scope, stmt.value), axis.name)
            scope.refs[stmt.name] = accumulator.value()
            self.block(stmt.each)
        scope.refs[stmt.name] = accumulator.result()
