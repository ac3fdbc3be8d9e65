"""Kernels that do the same on other buffers: found before they are printed, so that each is printed once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from codegen.llvm.kernel import Call
from codegen.llvm.signature import Signature, signature
from codegen.loops.grammar import (
    Affine,
    Axis,
    Check,
    Const,
    Index,
    Kernel,
    Let,
    Load,
    Loop,
    Position,
    Program,
    Reduce,
    Ref,
    Scalar,
    Stmt,
    Store,
)


@dataclass(frozen=True)
class Shape:
    """What a kernel is, apart from the names in it; equal `key`s mean equal machine code.

    buffers, axes  the names behind the numbers in the key
    signature      of the kernel's function
    """

    key: Hashable
    buffers: tuple[str, ...]
    axes: tuple[str, ...]
    signature: Signature

    def call(self, name: str, of: Shape) -> Call:
        """How to call the function `name` of the kernel `of`, which has the same key, with this kernel's arguments."""
        buffers, axes = dict(zip(of.buffers, self.buffers, strict=True)), dict(zip(of.axes, self.axes, strict=True))
        dims = tuple(axes.get(dim, dim) for dim in of.signature.dims)
        return Call(name, tuple(buffers[b] for b in of.signature.buffers), dims, of.signature.has_checks)


def shape_of(kernel: Kernel, program: Program) -> Shape:
    """The kernel with buffers, axes and values replaced by numbers in order of appearance."""
    walk = _Walk()
    body: Hashable = (walk.extents(kernel.axes), walk.block(kernel.body))
    schedule = kernel.schedule
    plan: Hashable = (
        schedule.form,
        schedule.parallel,
        schedule.vector and walk.axis(schedule.vector),
        tuple(tuple(map(walk.axis, group)) for group in (schedule.batch, schedule.rows, schedule.cols, schedule.inner)),
        schedule.tile,
        schedule.band,
    )
    known = signature(kernel, program)
    memory: Hashable = tuple(
        (program.buffers[b].dtype, program.buffers[b].shape, b in known.stored, b in known.exclusive)
        for b in walk.buffers
    )
    return Shape((body, plan, memory), tuple(walk.buffers), tuple(walk.axes), known)


class _Walk:
    def __init__(self) -> None:
        self.buffers: dict[str, int] = {}
        self.axes: dict[str, int] = {}
        self.values: dict[str, int] = {}

    def axis(self, name: str) -> int:
        return self.axes.setdefault(name, len(self.axes))

    def extents(self, axes: tuple[Axis, ...]) -> Hashable:
        return tuple((self.axis(axis.name), axis.extent) for axis in axes)

    def block(self, body: tuple[Stmt, ...]) -> Hashable:
        return tuple(self.statement(stmt) for stmt in body)

    def statement(self, stmt: Stmt) -> Hashable:
        if isinstance(stmt, Let):
            value = self.scalar(stmt.value)
            return "let", self.bind(stmt.name), value
        if isinstance(stmt, Store):
            return "store", self.access(stmt), self.scalar(stmt.value), stmt.accumulate
        if isinstance(stmt, Check):
            return "check", self.scalar(stmt.condition), stmt.code
        if isinstance(stmt, Loop):
            return "loop", self.extents(stmt.axes), self.block(stmt.body)
        assert isinstance(stmt, Reduce)
        axes, body, value = self.extents(stmt.axes), self.block(stmt.body), self.scalar(stmt.value)
        return "reduce", self.bind(stmt.name), stmt.reducer, axes, body, value, self.block(stmt.each), stmt.reverse

    def bind(self, name: str) -> int:
        return self.values.setdefault(name, len(self.values))

    def scalar(self, scalar: Scalar) -> Hashable:
        if isinstance(scalar, Const):  # told apart by their digits: 0.0 and -0.0 are equal but not the same
            return "const", repr(scalar.value), scalar.dtype
        if isinstance(scalar, Ref):
            return "ref", self.bind(scalar.name)
        if isinstance(scalar, Position):
            return "position", self.affine(scalar.affine)
        if isinstance(scalar, Load):
            return "load", self.access(scalar), scalar.fill and repr(scalar.fill.value)
        return (scalar.fn, scalar.dtype, *map(self.scalar, scalar.args))

    def access(self, access: Load | Store) -> Hashable:
        buffer = self.buffers.setdefault(access.buffer, len(self.buffers))
        return buffer, tuple(map(self.index, access.index))

    def index(self, index: Index) -> Hashable:
        return self.affine(index) if isinstance(index, Affine) else self.scalar(index)

    def affine(self, form: Affine) -> Hashable:
        terms: list[tuple[int, int]] = [(self.axis(name), coefficient) for name, coefficient in form.terms]
        return tuple(terms), form.offset
