"""Holds a loop program to the rules of its grammar; run after every pass.

A broken rule is a fault of the compiler, so it is a `CompilerBug` whose message shows the kernel and marks the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from codegen.loops.grammar import (
    FUNCTIONS,
    PERSISTENT,
    REDUCERS,
    Affine,
    Apply,
    Axis,
    Branch,
    Buffer,
    Check,
    Const,
    Item,
    Kernel,
    Let,
    Load,
    Loop,
    Position,
    Program,
    Reduce,
    Ref,
    Scalar,
    Sequence,
    Stmt,
    Store,
    kernels,
    loads,
    statements,
    stores,
    subscalars,
)
from codegen.loops.ranges import apart
from codegen.loops.rewrite import result_dtype
from codegen.loops.text import block_lines, item_lines
from symnet.errors import CompilerBug
from symnet.expr import dims


def verify(program: Program, before: Program | None = None) -> Program:
    """The program itself, if it keeps every rule.

    before  a program that does: kernels which are the same there, over the same buffers, are not looked at again
    """
    for buffer in program.buffers.values():
        if buffer.view_of is not None:
            root = program.buffers.get(buffer.view_of)
            if root is None or root.view_of is not None:
                raise CompilerBug(f"buffer {buffer.name!r} is a view of {buffer.view_of!r}, which is no root buffer")
            if root.dtype != buffer.dtype or dims.product(root.shape) != dims.product(buffer.shape):
                raise CompilerBug(f"buffer {buffer.name!r} and {root.name!r}, which it views, differ in dtype or size")
        if buffer.role == "constant" and buffer.view_of is None and buffer.name not in program.constants:
            raise CompilerBug(f"the constant {buffer.name!r} has no array")
        for name in (n for dim in buffer.shape for n in dims.names(dim)):
            if name not in program.dims:
                raise CompilerBug(f"buffer {buffer.name!r} has the unknown dimension {name!r}")
    names = [kernel.name for kernel in kernels(program.items)]
    if len(set(names)) != len(names):
        raise CompilerBug(f"kernel names are not unique: {sorted(n for n in names if names.count(n) > 1)}")
    _items(program, program.items, (), _Verified(program, before))
    _checks_come_first(program)
    _local_buffers_stay_inside(program, program.items)
    return program


class _Verified:
    """The kernels that keep the rules in a program because they did in another one."""

    def __init__(self, program: Program, before: Program | None) -> None:
        self.kernels: dict[int, tuple[Kernel, tuple[str, ...]]] = {}
        self.changed: set[str] = set()
        if before is not None and before.dims == program.dims and before.checks == program.checks:
            self._note(before.items, ())
            old = before.buffers
            self.changed = {name for name, buffer in program.buffers.items() if old.get(name) != buffer}
            self.changed |= old.keys() - program.buffers.keys()
            self.changed |= {b.name for b in program.buffers.values() if b.view_of in self.changed}

    def _note(self, items: tuple[Item, ...], outer: tuple[str, ...]) -> None:
        for item in items:
            if isinstance(item, Kernel):
                self.kernels[id(item)] = item, outer
            else:
                self._note(item.items, (*outer, item.axis.name) if isinstance(item, Sequence) else outer)

    def has(self, kernel: Kernel, outer: tuple[str, ...]) -> bool:
        if id(kernel) not in self.kernels or self.kernels[id(kernel)][1] != outer:
            return False
        names = {load.buffer for load in loads(kernel.body)} | {store.buffer for store in stores(kernel.body)}
        return self.changed.isdisjoint(names)


def _items(program: Program, items: tuple[Item, ...], outer: tuple[str, ...], verified: _Verified) -> None:
    for item in items:
        if isinstance(item, Sequence):
            if item.axis.name in outer or item.axis.name in program.dims:
                raise CompilerBug(f"the axis {item.axis.name!r} of a loop over kernels hides another name")
            _items(program, item.items, (*outer, item.axis.name), verified)
            if _is_parallel(item):
                _iterations_apart(program, item)
        elif isinstance(item, Branch):
            asked = program.buffers.get(item.condition)
            if asked is None or asked.shape or asked.dtype != "bool":
                raise CompilerBug(f"a branch asks {item.condition!r}, which is no bool without axes: {asked}")
            _items(program, item.items, outer, verified)
        elif not verified.has(item, outer):
            _KernelRules(program, item, outer).check()


def _iterations_apart(program: Program, loop: Sequence) -> None:
    """What an iteration of a parallel loop writes, no other iteration touches."""
    where = f"the parallel loop over {loop.axis.name!r}"
    inside = list(kernels(loop.items))
    if loop.reverse or any(isinstance(item, Branch) or _is_parallel(item) for item in _blocks(loop.items)):
        raise CompilerBug(f"{where} has branches or parallel loops in it, or is reversed")
    if any(isinstance(stmt, Check) for kernel in inside for stmt in statements(kernel.body)):
        raise CompilerBug(f"{where} has a check, which all threads must learn of")
    written = {store.buffer for kernel in inside for store in stores(kernel.body)}
    alone, places = Affine(((loop.axis.name, 1),)), dict[str, set[int]]()
    for kernel in inside:
        accesses: list[Load | Store] = [*loads(kernel.body), *stores(kernel.body)]
        for access in accesses:
            if access.buffer in written and program.buffers[access.buffer].role != "local":
                at = access.index.index(alone) if alone in access.index else -1
                places.setdefault(access.buffer, set()).add(at)
    for name, found in places.items():
        if len(found) > 1 or -1 in found:
            raise CompilerBug(f"{where}: its iterations share the buffer {name!r}, which is not local")


def _is_parallel(item: Item) -> bool:
    return isinstance(item, Sequence) and item.parallel


def _blocks(items: tuple[Item, ...]) -> Iterator[Sequence | Branch]:
    """The loops and branches among items, those inside others too."""
    for item in items:
        if not isinstance(item, Kernel):
            yield item
            yield from _blocks(item.items)


def _local_buffers_stay_inside(program: Program, items: tuple[Item, ...], inside: bool = False) -> None:
    for item in items:
        if not isinstance(item, Kernel):
            _local_buffers_stay_inside(program, item.items, inside or _is_parallel(item))
        elif not inside:
            for name in {*(one.buffer for one in loads(item.body)), *(one.buffer for one in stores(item.body))}:
                if program.buffers[name].role == "local":
                    raise CompilerBug(f"kernel {item.name}: {name!r} is local, and this is no parallel loop")


def _checks_come_first(program: Program) -> None:
    written: str | None = None
    for kernel in kernels(program.items):
        if written and any(isinstance(s, Check) for s in statements(kernel.body)):
            raise CompilerBug(f"kernel {kernel.name} checks after {written!r} was already overwritten")
        for store in stores(kernel.body):
            if _root(program, store.buffer).role in PERSISTENT:
                written = store.buffer


def _root(program: Program, name: str) -> Buffer:
    buffer = program.buffers[name]
    return program.buffers[buffer.view_of] if buffer.view_of else buffer


class _KernelRules:
    def __init__(self, program: Program, kernel: Kernel, outer: tuple[str, ...]) -> None:
        self.program, self.kernel = program, kernel
        self.outer = set(outer)
        self.axes: dict[str, Axis] = {}
        self.values: dict[str, str] = {}
        self.stmt: Stmt | None = None

    def fail(self, message: str) -> CompilerBug:
        lines = list(item_lines(self.kernel))
        if self.stmt is not None:
            first = next(iter(block_lines([self.stmt])))
            shown = []
            for line in lines:
                shown.append(line)
                if line.strip() == first:
                    indent = len(line) - len(line.lstrip())
                    shown.append(" " * indent + "^" * max(len(first), 1) + f" {message}")
            lines = shown
        return CompilerBug(f"kernel {self.kernel.name}: {message}\n  " + "\n  ".join(lines))

    def check(self) -> None:
        self.bind(self.kernel.axes)
        self.block(self.kernel.body, in_reduction=False)
        self.in_place_reads()
        self.schedule()

    def bind(self, axes: tuple[Axis, ...]) -> None:
        for axis in axes:
            if axis.name in self.axes or axis.name in self.outer or axis.name in self.program.dims:
                raise self.fail(f"the axis {axis.name!r} hides another axis or dimension")
            self.need_dims(axis.extent)
            self.axes[axis.name] = axis

    def need_dims(self, dim: dims.Dim) -> None:
        for name in dims.names(dim):
            if name not in self.program.dims:
                raise self.fail(f"unknown dimension {name!r}")

    def block(self, body: Iterable[Stmt], in_reduction: bool) -> None:
        bound: list[str] = []
        for stmt in body:
            self.stmt = stmt
            if isinstance(stmt, Let):
                self.scalar(stmt.value)
                self.define(stmt.name, stmt.value.dtype, bound)
            elif isinstance(stmt, Store):
                if in_reduction:
                    raise self.fail("a store inside the block of a reduction")
                self.store(stmt)
            elif isinstance(stmt, Check):
                if self.scalar(stmt.condition) != "bool":
                    raise self.fail("the condition of a check is not a bool")
                if not 0 <= stmt.code < len(self.program.checks):
                    raise self.fail(f"check code {stmt.code} has no message")
            elif isinstance(stmt, Loop):
                self.inside(stmt.axes, stmt.body, in_reduction)
            else:
                self.reduction(stmt, in_reduction)
                self.define(stmt.name, _reduced_dtype(stmt), bound)
        for name in bound:
            del self.values[name]

    def inside(self, axes: tuple[Axis, ...], body: tuple[Stmt, ...], in_reduction: bool) -> None:
        self.bind(axes)
        self.block(body, in_reduction)
        for axis in axes:
            del self.axes[axis.name]

    def define(self, name: str, dtype: str, bound: list[str]) -> None:
        if name in self.values:
            raise self.fail(f"the value {name!r} is bound twice")
        self.values[name] = dtype
        bound.append(name)

    def reduction(self, stmt: Reduce, in_reduction: bool) -> None:
        if stmt.reducer not in REDUCERS:
            raise self.fail(f"unknown reducer {stmt.reducer!r}")
        if not stmt.axes or (len(stmt.axes) > 1 and (stmt.reducer.startswith("arg") or stmt.each)):
            raise self.fail("a running or arg reduction has exactly one axis, any other at least one")
        self.bind(stmt.axes)
        held: list[str] = []
        for inner in stmt.body:
            self.block_one(inner, held)
        self.stmt = stmt
        self.scalar(stmt.value)
        for name in held:
            del self.values[name]
        if stmt.each:
            self.values[stmt.name] = _reduced_dtype(stmt)
            self.block(stmt.each, in_reduction)
            del self.values[stmt.name]
        for axis in stmt.axes:
            del self.axes[axis.name]

    def block_one(self, stmt: Stmt, held: list[str]) -> None:
        """One statement of a reduction's block; what it binds stays visible until the reduction ends."""
        self.stmt = stmt
        if isinstance(stmt, Let):
            self.scalar(stmt.value)
            self.define(stmt.name, stmt.value.dtype, held)
        elif isinstance(stmt, Reduce):
            self.reduction(stmt, True)
            self.define(stmt.name, _reduced_dtype(stmt), held)
        else:
            raise self.fail("only values and reductions may stand in the block of a reduction")

    def store(self, stmt: Store) -> None:
        buffer = self.program.buffers.get(stmt.buffer)
        if buffer is None:
            raise self.fail(f"unknown buffer {stmt.buffer!r}")
        if _root(self.program, stmt.buffer).role in ("input", "hyper", "constant"):
            raise self.fail(f"a store to the {buffer.role} {stmt.buffer!r}")
        if len(stmt.index) != len(buffer.shape):
            raise self.fail(f"{stmt.buffer!r} has {len(buffer.shape)} axes, the store gives {len(stmt.index)} indices")
        if self.scalar(stmt.value) != buffer.dtype:
            raise self.fail(f"a {stmt.value.dtype} is stored to {stmt.buffer!r} of {buffer.dtype}")
        used: set[str] = set()
        for index in stmt.index:
            if isinstance(index, Affine):
                self.affine(index)
                used |= {axis for axis, _ in index.terms}
            elif self.scalar(index) != "int64":
                raise self.fail("a scalar index must be an int64")
        if not stmt.accumulate:
            for axis in self.axes.values():
                if axis.name not in used and axis.extent != 1:
                    raise self.fail(f"iterations of the axis {axis.name!r} store to the same place")

    def affine(self, form: Affine) -> None:
        if list(form.terms) != sorted(form.terms) or any(c == 0 for _, c in form.terms):
            raise self.fail("an affine form is not canonical")
        for axis, _ in form.terms:
            if axis not in self.axes and axis not in self.outer:
                raise self.fail(f"the axis {axis!r} is not in scope")
        self.need_dims(form.offset)

    def scalar(self, scalar: Scalar) -> str:
        for node in subscalars(scalar):
            if isinstance(node, Ref) and self.values.get(node.name) != node.dtype:
                raise self.fail(f"the value {node.name!r} of {node.dtype} is not in scope")
            if isinstance(node, Position):
                self.affine(node.affine)
            if isinstance(node, Load):
                self.load(node)
            if isinstance(node, Apply):
                self.apply(node)
            if isinstance(node, Const) and isinstance(node.value, bool) != (node.dtype == "bool"):
                raise self.fail(f"the constant {node.value!r} is no {node.dtype}")
        return scalar.dtype

    def load(self, load: Load) -> None:
        buffer = self.program.buffers.get(load.buffer)
        if buffer is None or buffer.dtype != load.dtype or len(buffer.shape) != len(load.index):
            raise self.fail(f"the load of {load.buffer!r} does not fit its buffer: {buffer}")
        if load.fill is not None and load.fill.dtype != load.dtype:
            raise self.fail(f"outside {load.buffer!r} a {load.fill.dtype} is read, inside a {load.dtype}")
        for index in load.index:
            if isinstance(index, Affine):
                self.affine(index)
            elif index.dtype != "int64":
                raise self.fail("a scalar index must be an int64")

    def apply(self, node: Apply) -> None:
        if FUNCTIONS.get(node.fn) != len(node.args):
            raise self.fail(f"{node.fn} with {len(node.args)} operands")
        if node.fn != "cast":
            operands = node.args[1:] if node.fn == "where" else node.args
            if len({arg.dtype for arg in operands}) != 1:
                raise self.fail(f"{node.fn} of {', '.join(arg.dtype for arg in operands)}")
            if node.dtype != result_dtype(node.fn, node.args):
                raise self.fail(f"{node.fn} gives {result_dtype(node.fn, node.args)}, not {node.dtype}")
        if node.fn == "philox" and not (isinstance(node.args[4], Const) and node.args[4].dtype == "int64"):
            raise self.fail("philox takes int64 operands and a constant number of bits")
        if node.fn == "where" and node.args[0].dtype != "bool":
            raise self.fail("the condition of where is not a bool")

    def in_place_reads(self) -> None:
        """What one iteration of the kernel's axes writes, no other iteration reads."""
        axes = {axis.name for axis in self.kernel.axes if axis.extent != 1}
        extents = {axis.name: axis.extent for axis in (*self.kernel.axes, *_inner_axes(self.kernel))}
        for store in stores(self.kernel.body):
            self.stmt = store
            for load in loads(self.kernel.body):
                if self.storage(load.buffer) != self.storage(store.buffer):
                    continue
                if load.buffer != store.buffer:
                    raise self.fail(f"{store.buffer!r} is stored while its bytes are read as {load.buffer!r}")
                if apart((store.index, extents), (load.index, extents)):
                    continue
                for mine, read in zip(store.index, load.index, strict=True):
                    fixed = isinstance(mine, Affine) and any(a in axes for a, _ in mine.terms)
                    if fixed and mine != read:
                        raise self.fail(f"{store.buffer!r} is read at the place of another iteration")

    def storage(self, name: str) -> str:
        return self.program.buffers[name].view_of or name

    def schedule(self) -> None:
        chosen, self.stmt = self.kernel.schedule, None
        if chosen.parallel > len(self.kernel.axes):
            raise self.fail(f"{chosen.parallel} parallel axes of {len(self.kernel.axes)}")
        if chosen.band < 0 or (chosen.band and (chosen.parallel != 1 or chosen.vector == self.kernel.axes[0].name)):
            raise self.fail("a band is of the one parallel axis, which does not run in lanes")
        inner = [a.name for s in statements(self.kernel.body) if isinstance(s, (Loop, Reduce)) for a in s.axes]
        known = {axis.name for axis in self.kernel.axes} | set(inner)
        for name in (*chosen.batch, *chosen.rows, *chosen.cols, *chosen.inner, *filter(None, [chosen.vector])):
            if name not in known:
                raise self.fail(f"the schedule names the unknown axis {name!r}")
        if chosen.form == "contract":
            roles = sorted((*chosen.batch, *chosen.rows, *chosen.cols))
            first = self.kernel.body[0] if self.kernel.body else None
            if roles != sorted(axis.name for axis in self.kernel.axes):
                raise self.fail("the roles of a contraction do not cover the kernel's axes")
            if not isinstance(first, Reduce) or first.reducer != "sum" or first.body or first.each:
                raise self.fail("a contraction starts with a plain sum")
            if sorted(chosen.inner) != sorted(axis.name for axis in first.axes):
                raise self.fail("the inner axes of a contraction are those of its sum")


def _inner_axes(kernel: Kernel) -> Iterable[Axis]:
    return (a for s in statements(kernel.body) if isinstance(s, (Loop, Reduce)) for a in s.axes)


def _reduced_dtype(stmt: Reduce) -> str:
    return "int64" if stmt.reducer.startswith("arg") else stmt.value.dtype
